"""What is changed while the hotline runs: wrong changes are refused or taken back, right ones are
in force at once, and nobody on the line, in a queue or at a desk loses anything."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from crm.settings import PROJECT
from ivr import history, plan, proof
from ivr.phone import Call, Phone, audio
from ivr.provision import MENUS
from tests.live.people import called, citizen, desk_agent, until_heard
from tests.live.running import (
    PATIENCE_S,
    Hotline,
    free_ports,
    running_hotline,
    wait_for,
)

WRAPUP_S = 60


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Path(shutil.copytree(MENUS, tmp_path_factory.mktemp("apply") / "menus"))


@pytest.fixture(scope="module")
def hotline(folder: Path) -> Iterator[Hotline]:
    with running_hotline(
        folder.parent / "home", HOTLINE_MENUS=str(folder), HOTLINE_WRAPUP_S=str(WRAPUP_S),
    ) as running:
        yield running


@contextmanager
def settings(hotline: Hotline, **values: str) -> Iterator[None]:
    """Other settings for what is run meanwhile."""
    before = dict(hotline.environment)
    hotline.environment |= values
    try:
        yield
    finally:
        hotline.environment = before


def planned(hotline: Hotline) -> dict[str, str]:
    """File → effect."""
    done = hotline.run("plan", "--json")
    found = json.loads(done.stdout)
    assert done.returncode == (2 if found["changes"] else 0)
    return {one["file"]: one["effect"] for one in found["changes"]}


def running_files(hotline: Hotline) -> dict[str, str]:
    return {one.name: one.read_text() for one in (hotline.home / "asterisk/etc").glob("*.conf")}


def in_force(hotline: Hotline) -> int:
    """The number of what is in force: what the settings say, whatever was tried before."""
    assert hotline.run("apply", "--yes").returncode == 0
    entries: list[dict[str, Any]] = hotline.json("history")
    return max(int(one["number"]) for one in entries if one["result"] == "in force")


def last(hotline: Hotline) -> dict[str, Any]:
    newest: dict[str, Any] = hotline.json("history")[-1]
    return newest


@pytest.mark.full
def test_who_waits_who_is_paused_and_who_wraps_up_stay_as_they_are(hotline: Hotline) -> None:
    async def asked(command: str) -> str:
        return await asyncio.to_thread(hotline.ask, command)

    async def scenario() -> None:
        async with (
            desk_agent(hotline) as seat, desk_agent(hotline, "agent2", phone_name="desk-02"),
            citizen(hotline, "0912000894") as first, citizen(hotline, "0912000895") as second,
        ):
            await asked("queue pause member PJSIP/desk-02 queue vaccine reason lunch")
            call = await called(first)
            await until_heard(call, hotline, "greeting_main")
            await call.press("0")
            ringing = await seat.incoming(PATIENCE_S)
            ringing.answer()
            await asyncio.sleep(2)
            await call.hang_up()
            assert await ringing.ended(PATIENCE_S)
            wrapping_since = time.monotonic()
            waiting = await called(second)
            await until_heard(waiting, hotline, "greeting_main")
            await waiting.press("3")
            await until_heard(waiting, hotline, "vaccine_menu_intro")
            await waiting.press("0")
            while "PJSIP/trunk" not in await asked("queue show vaccine"):
                assert not await waiting.ended(0.2)
            channel = next(
                word for word in (await asked("queue show vaccine")).split() if "trunk" in word
            )
            before = await asyncio.to_thread(proof.look, hotline.ask)
            assert proof.Member("vaccine", "PJSIP/desk-01", False) in before.members
            assert proof.Member("vaccine", "PJSIP/desk-02", True) in before.members
            assert ("vaccine", channel) in before.waiting
            assert {"trunk", "desk-04", "seat-001"} < before.endpoints
            changed = {
                "HOTLINE_SERVICE_LEVEL_S": "25", "HOTLINE_QUEUE_TIMEOUT_S": "800",
                "HOTLINE_DESK_PHONES": "5",
            }
            with settings(hotline, **changed):
                done = await asyncio.to_thread(hotline.run, "apply", "--yes", "--why", "trial")
                assert done.returncode == 0, done.stdout + done.stderr
                assert await asyncio.to_thread(planned, hotline) == {}
            shown = await asked("queue show vaccine")
            assert channel in shown
            assert "within 25s" in shown
            assert "(paused:lunch" in shown
            assert "desk-05" in await asked("pjsip show endpoints")
            assert time.monotonic() - wrapping_since < WRAPUP_S, "too slow a machine to tell"
            again = await seat.incoming(WRAPUP_S + PATIENCE_S)
            assert time.monotonic() - wrapping_since > WRAPUP_S - 2  # it held in the other queue
            again.answer()
            waiting.play_tone(440)
            await asyncio.to_thread(wait_for, lambda: again.heard_tone(440), "they speak")
            await waiting.hang_up()

    asyncio.run(scenario())
    applied = last(hotline)
    assert (applied["result"], applied["why"]) == ("in force", "trial")
    assert applied["changed"] == ["extensions.conf", "pjsip.conf", "queues.conf"]
    assert hotline.call_of("0912000895")["branch"] == "vaccine"
    hotline.assert_ledger_complete()


def test_a_plan_shows_each_file_and_its_effect_and_no_secret(hotline: Hotline) -> None:
    assert hotline.run("apply", "--yes").returncode == 0  # what the other tests have changed
    assert planned(hotline) == {}
    with settings(hotline, HOTLINE_SEATS="9", HOTLINE_AMI_BIND="127.0.0.1:5999"):
        assert planned(hotline) == {
            "http.conf": "none", "pjsip.conf": "new calls only",
            "manager.conf": "needs the whole hotline to be stopped and started",
        }
        shown = hotline.run("plan").stdout
        assert "+[seat-009](seat)" in shown
        assert "+password = ***" in shown
        refused = hotline.run("apply", "--yes")
    assert refused.returncode == 1
    assert "manager.conf needs the whole hotline" in refused.stderr


def test_what_does_not_work_is_taken_back_by_itself(hotline: Hotline) -> None:
    nobody = {
        "HOTLINE_TRUNK_SERVER": "127.0.0.9:5099", "HOTLINE_TRUNK_USER": "hotline",
        "HOTLINE_TRUNK_PASSWORD": "not-to-be-shown",
    }
    with settings(hotline, **nobody):
        refused = hotline.run("apply", "--yes", "--why", "nobody is there")
    assert refused.returncode == 1, refused.stdout
    assert "carrier does not take the registration" in refused.stderr
    assert "What was before is in force again" in refused.stderr
    assert "not-to-be-shown" not in refused.stdout + refused.stderr
    assert last(hotline)["result"] == "rolled back"
    assert planned(hotline) == {}
    asyncio.run(presses_three(hotline, "0912000896", "vaccine_menu_intro"))


@pytest.mark.full
def test_the_history_brings_an_earlier_one_back_with_the_database_dead(hotline: Hotline) -> None:
    number = in_force(hotline)
    whole = last(hotline)
    dead = {"HOTLINE_DATABASE_URL": "postgresql+psycopg://nobody@127.0.0.1:9/none"}
    with settings(hotline, **dead, HOTLINE_RING_S="33"):
        assert hotline.run("apply", "--yes", "--why", "longer").returncode == 0
    assert "timeout = 33" in (hotline.home / "asterisk/etc/queues.conf").read_text()
    with settings(hotline, **dead):
        back = hotline.run("rollback", str(number), "--yes", "--why", "too long")
    assert back.returncode == 0, back.stderr
    assert (last(hotline)["kind"], last(hotline)["why"]) == ("rollback", "too long")
    assert last(hotline)["number"] == whole["number"] + 2
    assert planned(hotline) == {}


@pytest.mark.full
def test_a_port_that_is_taken_and_a_second_apply_are_refused(hotline: Hotline) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        bind = f"127.0.0.1:{taken.getsockname()[1]}"
        with settings(hotline, HOTLINE_SIP_BIND=bind):
            assert planned(hotline) == {"pjsip.conf": "needs a restart of Asterisk"}
            assert "say --restart" in hotline.run("apply", "--yes").stderr
            refused = hotline.run("apply", "--yes", "--restart")
    assert (refused.returncode, bind in refused.stderr) == (1, True)
    with history.alone(hotline.home, "kysu.b"):
        assert "being changed by kysu.b" in hotline.run("apply", "--yes").stderr
    asyncio.run(presses_three(hotline, "0912000897", "vaccine_menu_intro"))


@pytest.mark.full
def test_another_port_is_taken_in_a_moment_without_calls(hotline: Hotline) -> None:
    before = hotline.pid_of("asterisk")
    old_bind = hotline.environment["HOTLINE_SIP_BIND"]
    (port,) = free_ports(1)

    async def scenario() -> None:
        async with citizen(hotline, "0912000898") as phone:
            call = await called(phone)
            await until_heard(call, hotline, "greeting_main")
            with settings(hotline, HOTLINE_SIP_BIND=f"127.0.0.1:{port}"):
                applying = asyncio.create_task(
                    asyncio.to_thread(hotline.run, "apply", "--yes", "--restart")
                )
                assert not await call.ended(8)  # nobody is thrown out
                assert hotline.pid_of("asterisk") == before
                await call.hang_up()
                done = await applying
                assert done.returncode == 0, done.stderr
                assert hotline.pid_of("asterisk") != before
                async with Phone("127.0.0.2", server=("127.0.0.1", port), user="0912") as other:
                    assert await (await other.call("1022")).answered(PATIENCE_S)

    asyncio.run(scenario())
    assert hotline.environment["HOTLINE_SIP_BIND"] == old_bind
    assert hotline.run("apply", "--yes", "--restart").returncode == 0


@pytest.mark.full
def test_phones_by_tls_come_with_an_apply_that_makes_the_certificate(hotline: Hotline) -> None:
    (port,) = free_ports(1)
    made = hotline.home / "tls" / "hotline.crt"
    assert not made.exists()
    with settings(
        hotline, HOTLINE_PHONE_TRANSPORT="tls+srtp", HOTLINE_SIP_TLS_BIND=f"127.0.0.1:{port}"
    ):
        done = hotline.run("apply", "--yes", "--restart")
        assert done.returncode == 0, done.stderr
        with socket.create_connection(("127.0.0.1", port), PATIENCE_S) as plain:
            ssl.create_default_context(cafile=made.with_name("ca.crt")).wrap_socket(
                plain, server_hostname="localhost"
            ).close()
    assert hotline.run("apply", "--yes", "--restart").returncode == 0


KILLED = {
    "after the set was kept": ("history", "add", "after"),
    "between two files": ("provision", "write", "half"),
    "after the files": ("provision", "write", "after"),
    "before the first reload": ("runtime", "ask", "dialplan reload"),
    "before the second reload": ("runtime", "ask", "module reload res_pjsip.so"),
    "before it was verified": ("proof", "faults", "before"),
    "before the test call": ("proof", "greets", "before"),
    "before it was noted": ("history", "end", "before"),
}

KILLER = """
import os, signal, sys
from crm import settings
from ivr import history, proof, provision, runtime
from scripts import apply

module, name, when = sys.argv[1:]
module = globals()[module]
real = getattr(module, name)

def killed(*args, **more):
    if when == "before":
        os.kill(os.getpid(), signal.SIGKILL)
    if when == "half":
        home, files = args
        real(home, dict(list(files.items())[:1]))
        os.kill(os.getpid(), signal.SIGKILL)
    if when == "after":
        real(*args, **more)
        os.kill(os.getpid(), signal.SIGKILL)
    if len(args) > 2 and args[2] == when:
        os.kill(os.getpid(), signal.SIGKILL)
    return real(*args, **more)

setattr(module, name, killed)
apply.apply(settings.load(), "kysu", "killed")
"""


@pytest.mark.full
@pytest.mark.parametrize("where", KILLED)
def test_whoever_is_killed_in_the_middle_leaves_what_the_next_one_makes_whole(
    hotline: Hotline, where: str
) -> None:
    assert planned(hotline) == {}

    whole, number = running_files(hotline), last(hotline)["number"]
    with settings(
        hotline, HOTLINE_RING_S="41", HOTLINE_QUEUE_TIMEOUT_S="700", HOTLINE_DESK_PHONES="6"
    ):
        done = subprocess.run(
            [sys.executable, "-c", KILLER, *KILLED[where]], env=hotline.environment, cwd=PROJECT,
            capture_output=True, text=True, check=False, timeout=120,
        )
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert (last(hotline)["number"], last(hotline)["result"]) == (number + 1, "applying")
    mended = hotline.run("apply", "--yes")
    assert mended.returncode == 0, mended.stderr
    assert "had been interrupted" in mended.stdout
    assert last(hotline)["result"] == "interrupted"
    assert running_files(hotline) == whole
    assert "desk-06" not in hotline.ask("pjsip show endpoints")
    assert planned(hotline) == {}


@pytest.mark.full
def test_of_twenty_calls_none_is_lost_while_all_is_changed_ten_times(hotline: Hotline) -> None:
    async def scenario() -> None:
        async with (
            desk_agent(hotline) as seat,
            Phone("127.0.0.2", server=hotline.sip, user="0912000899", sparse=True) as phone,
        ):
            calls = [await phone.call("1022") for _ in range(20)]
            for call in calls:
                assert await call.answered(PATIENCE_S)
            for number in range(10):
                changed = {
                    "HOTLINE_RING_S": str(20 + number), "HOTLINE_DESK_PHONES": str(5 + number),
                    "HOTLINE_QUEUE_TIMEOUT_S": str(600 + number),
                }
                with settings(hotline, **changed):
                    done = await asyncio.to_thread(hotline.run, "apply", "--yes")
                    assert done.returncode == 0, done.stderr
                assert not [call for call in calls if await call.ended(0)]
                assert "PJSIP/desk-01" in await asyncio.to_thread(hotline.ask, "queue show vaccine")
            assert seat.address
            await asyncio.gather(*(call.hang_up() for call in calls))

    asyncio.run(scenario())
    assert hotline.run("apply", "--yes").returncode == 0
    hotline.assert_ledger_complete()


def edit(folder: Path, before: str, after: str) -> None:
    file = folder / "main.yml"
    text = file.read_text(encoding="utf-8")
    assert before in text
    file.write_text(text.replace(before, after), encoding="utf-8")


async def presses_three(hotline: Hotline, number: str, heard: str) -> None:
    async with citizen(hotline, number) as phone:
        call = await called(phone)
        await until_heard(call, hotline, "greeting_main")
        await call.press("3")
        await until_heard(call, hotline, heard)
        await call.hang_up()


async def is_refused_meanwhile(
    call: Call, hotline: Hotline, *words: str
) -> subprocess.CompletedProcess[str]:
    """Apply what must be refused while the menu is said again to a caller: it is heard to its end.
    """
    await call.press("9")
    await until_heard(call, hotline, "main_menu_1", after=call.heard_length)
    since, began = call.heard_length, time.monotonic()
    done = await asyncio.to_thread(hotline.run, "apply", "--yes", *words)
    took_s = time.monotonic() - began
    assert done.returncode == 1, done.stdout + done.stderr
    assert not await call.ended(0)
    spoken_s = audio.speech_s(call.heard_since(since))
    assert spoken_s > min(took_s, 10) / 2, f"{spoken_s:.1f} s of voice in {took_s:.1f} s"
    await until_heard(call, hotline, "main_menu_9", after=since)
    return done


@pytest.mark.full
def test_whatever_is_refused_who_is_in_a_menu_hears_it_on_and_goes_on_by_key(
    hotline: Hotline, folder: Path
) -> None:
    """Broken YAML, a prompt that nobody has spoken, a sound that is gone, a port that is taken."""
    assert hotline.run("apply", "--yes").returncode == 0  # what the other tests have changed
    main, number = folder / "main.yml", last(hotline)["number"]
    whole, files = main.read_text(encoding="utf-8"), running_files(hotline)
    sound = hotline.home / "asterisk/data/sounds/vi/advice_menu_intro.alaw"
    process = hotline.pid_of("asterisk")

    async def scenario() -> None:
        async with citizen(hotline, "0912000870") as phone:
            call = await called(phone)
            await until_heard(call, hotline, "emergency_first")
            try:
                edit(folder, "options:", "options: [{key: 1")
                broken = await is_refused_meanwhile(call, hotline)
                assert re.match(r"main\.yml:\d+: -: not YAML: ", broken.stderr), broken.stderr
                main.write_text(whole, encoding="utf-8")
                edit(folder, "say: main_menu_6", "say: main_menu_66")
                missing = await is_refused_meanwhile(call, hotline)
                assert re.fullmatch(
                    r"main\.yml:\d+: main: the prompt main_menu_66 is not in the catalogue, or has "
                    r"variables\n", missing.stderr
                ), missing.stderr
            finally:
                main.write_text(whole, encoding="utf-8")
            sound.rename(sound.with_suffix(".away"))
            try:
                silent = await is_refused_meanwhile(call, hotline)
                assert "the prompt advice_menu_intro is not built" in silent.stderr
            finally:
                sound.with_suffix(".away").rename(sound)
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
                taken.bind(("127.0.0.1", 0))
                bind = f"127.0.0.1:{taken.getsockname()[1]}"
                with settings(hotline, HOTLINE_SIP_BIND=bind):
                    port = await is_refused_meanwhile(call, hotline, "--restart")
                assert f"SIP (udp) cannot listen on {bind}" in port.stderr
            await call.press("3")
            await until_heard(call, hotline, "vaccine_menu_intro")
            await call.hang_up()

    asyncio.run(scenario())
    assert hotline.pid_of("asterisk") == process
    assert running_files(hotline) == files
    assert last(hotline)["number"] == number  # what was never brought in is no configuration
    assert planned(hotline) == {}
    assert hotline.call_of("0912000870")["branch"] == "vaccine"
    hotline.assert_ledger_complete()


@pytest.mark.full
def test_what_somebody_else_has_loaded_is_seen_and_what_was_applied_is_loaded_again(
    hotline: Hotline
) -> None:
    """A hand in Asterisk's folder, and its traces wiped out: the files are right, what runs is not.
    """
    assert hotline.run("apply", "--yes").returncode == 0
    assert planned(hotline) == {}
    etc, files = hotline.home / "asterisk/etc", running_files(hotline)
    marker = plan.marker(files)
    by_hand = {
        "queues.conf": ("[thai](hotline)", "[thaj](hotline)", "queue reload parameters"),
        "pjsip.conf": ("[desk-04](desk)", "[desk-14](desk)", "module reload res_pjsip.so"),
        "extensions.conf": (marker, "00000000beef", "dialplan reload"),
    }
    for name, (old, new, command) in by_hand.items():
        assert old in files[name]
        (etc / name).write_text(files[name].replace(old, new), encoding="utf-8")
        hotline.ask(command)
    wait_for(lambda: "desk-14" in hotline.ask("pjsip show endpoints"), "it is loaded")
    for name, text in files.items():
        (etc / name).write_text(text, encoding="utf-8")
    shown = hotline.run("plan")
    assert shown.returncode == 2
    assert (
        "what runs is not what was applied: Asterisk has not taken the dialplan; Asterisk does not "
        "know desk-04 (pjsip.conf); Asterisk does not know the queues thai; hotline apply loads it "
        "again\n"
    ) in shown.stdout
    assert set(planned(hotline)) == set(by_hand)

    async def on_the_line() -> None:
        async with citizen(hotline, "0912000873") as phone:
            call = await called(phone)
            await until_heard(call, hotline, "emergency_first")
            done = await asyncio.to_thread(hotline.run, "apply", "--yes", "--why", "by hand")
            assert done.returncode == 0, done.stderr
            assert "in force: extensions.conf, pjsip.conf, queues.conf" in done.stdout
            await call.press("3")
            await until_heard(call, hotline, "vaccine_menu_intro")
            await call.hang_up()

    asyncio.run(on_the_line())
    assert planned(hotline) == {}
    assert "desk-04" in hotline.ask("pjsip show endpoints")
    assert "thai has" in hotline.ask("queue show")
    assert running_files(hotline) == files
    assert (last(hotline)["result"], last(hotline)["why"]) == ("in force", "by hand")


@contextmanager
def ports_of_another_program() -> Iterator[str]:
    """Four neighbouring UDP ports that another program holds, as a range for sound."""
    for first in range(30000, 31000, 4):
        with ExitStack() as held:
            try:
                for port in range(first, first + 4):
                    one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
                    held.enter_context(one).bind(("0.0.0.0", port))  # noqa: S104
            except OSError:
                continue
            yield f"{first}-{first + 3}"
            return
    raise AssertionError("no ports are free")


@pytest.mark.full
def test_what_leaves_new_callers_without_a_voice_is_taken_back_by_itself(hotline: Hotline) -> None:
    """Asterisk takes it without a word: only the test call shows that nobody gets through."""
    assert hotline.run("apply", "--yes").returncode == 0
    files, number = running_files(hotline), last(hotline)["number"]

    async def scenario(ports: str) -> None:
        async with citizen(hotline, "0912000871") as phone:
            call = await called(phone)
            await until_heard(call, hotline, "emergency_first")
            with settings(hotline, HOTLINE_RTP_PORTS=ports):
                assert await asyncio.to_thread(planned, hotline) == {"rtp.conf": "new calls only"}
                done = await asyncio.to_thread(hotline.run, "apply", "--yes", "--why", "fewer")
            assert done.returncode == 1, done.stdout
            assert "not in force: the test call: " in done.stderr
            assert done.stderr.rstrip().endswith("What was before is in force again"), done.stderr
            assert not await call.ended(0)
            await call.press("3")
            await until_heard(call, hotline, "vaccine_menu_intro")
            await call.hang_up()

    with ports_of_another_program() as ports:
        asyncio.run(scenario(ports))
        asyncio.run(presses_three(hotline, "0912000872", "vaccine_menu_intro"))
    assert running_files(hotline) == files
    noted = last(hotline)
    assert (noted["number"], noted["result"], noted["why"]) == (number + 1, "rolled back", "fewer")
    assert noted["detail"].startswith("the test call: ")
    assert planned(hotline) == {}
    hotline.assert_ledger_complete()


def test_a_wrong_menu_is_refused_and_a_right_one_is_in_force_at_once(
    hotline: Hotline, folder: Path
) -> None:
    assert "nothing has changed" in hotline.run("apply", "--yes").stdout
    edit(folder, "say: main_menu_3, goto: vaccine", "say: main_menu_3, goto: nowhere")
    refused = hotline.run("apply", "--yes")
    assert refused.returncode == 1
    assert "main.yml" in refused.stderr
    assert "nowhere" in refused.stderr
    asyncio.run(presses_three(hotline, "0912000891", "vaccine_menu_intro"))  # the old one stays
    edit(folder, "goto: nowhere}", "goto: testing}")
    edit(folder, "say: main_menu_2, goto: testing", "say: main_menu_2, goto: vaccine")

    async def on_the_line() -> None:
        async with citizen(hotline, "0912000892") as phone:
            call = await called(phone)
            await until_heard(call, hotline, "greeting_main")
            done = await asyncio.to_thread(hotline.run, "apply", "--yes")
            assert done.returncode == 0, done.stderr
            assert "in force" in done.stdout
            await call.press("3")
            await until_heard(call, hotline, "test_menu_intro")
            await call.hang_up()

    asyncio.run(on_the_line())
    asyncio.run(presses_three(hotline, "0912000893", "test_menu_intro"))
    assert hotline.call_of("0912000892")["branch"] == "testing"
    assert hotline.run("ledger").returncode == 0


@pytest.mark.full
def test_packs_are_switched_while_somebody_is_on_the_line(hotline: Hotline) -> None:
    """Menus, wording, notice, hours and categories go together; back again by a rollback."""
    before = in_force(hotline)
    shown = hotline.run("pack", "show", "flood")
    assert shown.returncode == 0, shown.stderr
    assert "no fault" in shown.stdout

    def marked(what: str) -> str:
        rows: list[dict[str, Any]] = hotline.json("pack", "list")
        return next(str(row["name"]) for row in rows if row[what])

    async def on_the_line() -> None:
        async with citizen(hotline, "0912000894") as phone:
            call = await called(phone)
            await until_heard(call, hotline, "greeting_main")
            await asyncio.to_thread(hotline.run, "pack", "use", "flood")
            assert marked("chosen") == "flood"
            assert marked("in_force") == "everyday"
            assert set(await asyncio.to_thread(planned, hotline)) == {
                "extensions.conf", "pack.conf"
            }
            done = await asyncio.to_thread(hotline.run, "apply", "--yes", "--why", "lũ")
            assert done.returncode == 0, done.stderr
            assert not await call.ended(0)
            await call.press("6")
            await until_heard(call, hotline, "report_menu_5_flood")  # in the new menus now
            await call.hang_up()
        async with citizen(hotline, "0912000895") as phone:
            call = await called(phone)
            await until_heard(call, hotline, "greeting_flood")
            await until_heard(call, hotline, "notice_disaster")
            await call.hang_up()

    try:
        asyncio.run(on_the_line())
        assert marked("in_force") == "flood"
        assert hotline.run("rollback", str(before), "--yes").returncode == 0
        assert marked("in_force") == "everyday"
    finally:
        hotline.run("pack", "use", "everyday")
    assert planned(hotline) == {}
    hotline.assert_ledger_complete()
