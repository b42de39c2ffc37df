"""The console's whole network is cut while people call: agents come in by keypad, and the calls are
answered on their mobiles. The drill that rehearses it says what is missing."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest

from crm.cases import life
from ivr.phone import Call, Phone
from ivr.phone.audio import has_tone
from tests.live.people import called, citizen, desk_agent, until_heard
from tests.live.running import PATIENCE_S, Hotline, free_ports, running_hotline, wait_for
from tests.live.test_mobile import CARRIER, STAFF, new_pin, telephones, typed

pytestmark = pytest.mark.full

OFFICE = {"desk-01": "127.0.0.21", "desk-02": "127.0.0.22"}
MOBILES = {"agent1": "0913000901", "agent2": "0913000902"}
CALLERS, EVERY_S, TALK_S = 30, 3.0, 4.0
AT_DESK_HZ, ON_MOBILE_HZ = 440, 700
PATIENT_S = 240.0  # a caller, until somebody speaks


@pytest.fixture(scope="module")
def port() -> int:
    return free_ports(1)[0]


@pytest.fixture(scope="module")
def hotline(port: int, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hotline]:
    folder = tmp_path_factory.mktemp("site")
    key = folder / "passphrase"
    key.write_text("mười hai con giáp và một con mèo", encoding="utf-8")
    # what a run that was killed has left
    nft("table inet hotline_test_cut {}\ndelete table inet hotline_test_cut")
    with running_hotline(
        folder / "home", HOTLINE_STAFF_NUMBER=STAFF, HOTLINE_TRUNK_SERVER=f"{CARRIER}:{port}",
        HOTLINE_BACKUP_KEY=str(key), HOTLINE_RING_S="10",
    ) as running:
        assert running.run("switch", "survey", "off").returncode == 0
        yield running


@contextmanager
def network_cut(hotline: Hotline) -> Iterator[None]:
    """Nothing comes or goes between Asterisk and the office, the console, the listener; what works
    on the database stands still."""
    phones = ", ".join(OFFICE.values())
    ports = ", ".join(str(bind.port) for bind in (
        hotline.settings.console_bind, hotline.settings.ws_bind, hotline.settings.ami_bind,
    ))
    nft(f"""table inet hotline_test_cut {{
        chain input {{
            type filter hook input priority -10; policy accept;
            ip saddr {{ {phones} }} drop
            ip daddr {{ {phones} }} drop
            tcp dport {{ {ports} }} drop
            tcp sport {{ {ports} }} drop
        }}
    }}""")
    behind = ("tailer", "scheduler", "broadcasts")
    try:
        for name in behind:
            hotline.signal(name, signal.SIGSTOP)
        assert not hotline.console_answers
        yield
    finally:
        nft("delete table inet hotline_test_cut")
        for name in behind:
            hotline.signal(name, signal.SIGCONT)


def knows(hotline: Hotline, number: str) -> bool:
    """Whether Asterisk knows the agent's PIN."""
    return "Value" in hotline.ask(f"database get switch pin.{number}")


def nft(script: str) -> None:
    done = subprocess.run(["nft", "-f", "-"], input=script, text=True, capture_output=True,
                          check=False)
    assert done.returncode == 0, done.stderr


def at_the_desk(seat: Phone) -> None:
    """Takes what rings there, and speaks."""
    def take(call: Call) -> None:
        call.answer()
        call.play_tone(AT_DESK_HZ)

    seat.on_incoming = take


async def on_mobiles(hotline: Hotline, outside: Phone) -> None:
    """Whoever holds a mobile takes what rings there by key 1, and speaks."""
    async def take(call: Call) -> None:
        call.answer()
        try:
            await until_heard(call, hotline, "staff_offer")
        except AssertionError:
            if not await call.ended(0):
                raise
            return  # whoever was to be led here has somebody else by now
        await call.press("1")
        call.play_tone(ON_MOBILE_HZ)

    async with asyncio.TaskGroup() as hands:
        while True:
            hands.create_task(take(await outside.incoming()))


@asynccontextmanager
async def beside(work: asyncio.Task[None]) -> AsyncIterator[None]:
    try:
        yield
    finally:
        while not work.done():  # wait_for may swallow it in the moment that a call ends
            work.cancel()
            await asyncio.wait([work], timeout=0.5)
        if not work.cancelled():
            work.result()


async def served(hotline: Hotline, line: Phone, number: str) -> tuple[int, float]:
    """Asks for a person and speaks with one: which tone was heard last, after how many seconds."""
    began = time.monotonic()
    call = await line.call("1022", caller=number)
    assert await call.answered(PATIENCE_S), f"{call.sip_code} {call.reason}"
    await asyncio.sleep(2)
    await call.press("0")
    heard = from_ = 0
    spoken_s = 0.0
    while spoken_s < TALK_S:
        assert time.monotonic() - began < PATIENT_S, f"nobody spoke with {number}"
        over = await call.ended(1)
        new, from_ = call.heard_since(from_), call.heard_length
        tone = next((hz for hz in (AT_DESK_HZ, ON_MOBILE_HZ) if has_tone(new, hz)), 0)
        spoken_s = spoken_s + 1 if tone and tone == heard else 0
        heard = tone or heard
        assert not over, f"{number} was hung up on"
    await call.hang_up()
    return heard, time.monotonic() - began


async def comes_in(hotline: Hotline, login: str, secret: tuple[str, str]) -> None:
    """An agent whose desk is dead calls from the mobile on which calls are to ring."""
    async with citizen(hotline, MOBILES[login]) as mobile:
        call = await called(mobile, STAFF)
        await typed(call, hotline, *secret)
        await until_heard(call, hotline, "agent_login_ok")
        await call.hang_up()


def test_with_the_console_s_network_cut_at_load_calls_are_answered_on_mobiles(
    hotline: Hotline, port: int
) -> None:
    secrets = {login: new_pin(hotline, login) for login in MOBILES}
    for number, _ in secrets.values():
        wait_for(partial(knows, hotline, number), "Asterisk knows the PIN")

    async def scenario() -> list[tuple[int, float]]:
        async with (
            telephones(hotline, port) as outside,
            Phone("127.0.0.2", server=hotline.sip) as line,
            desk_agent(hotline, "agent1", phone_name="desk-01", address=OFFICE["desk-01"]) as one,
            desk_agent(hotline, "agent2", phone_name="desk-02", address=OFFICE["desk-02"]) as two,
            beside(asyncio.create_task(on_mobiles(hotline, outside))),
        ):
            at_the_desk(one)
            at_the_desk(two)
            callers: list[asyncio.Task[tuple[int, float]]] = []

            async def come(count: int) -> None:
                for _ in range(count):
                    number = f"09120096{len(callers):02}"
                    callers.append(asyncio.create_task(served(hotline, line, number)))
                    await asyncio.sleep(EVERY_S)

            await come(CALLERS // 3)
            with network_cut(hotline):
                coming = asyncio.create_task(come(CALLERS - CALLERS // 3))
                await asyncio.sleep(EVERY_S)
                await asyncio.gather(*(
                    comes_in(hotline, login, secret) for login, secret in secrets.items()
                ))
                await coming
                told = await asyncio.gather(*callers)
            await asyncio.to_thread(
                wait_for, lambda: hotline.console_answers and hotline.listener_connected,
                "all is back", 2 * PATIENCE_S,
            )
            return told

    told = asyncio.run(scenario())
    assert len(told) == CALLERS
    assert {hz for hz, _ in told} == {AT_DESK_HZ, ON_MOBILE_HZ}
    assert all(hz == ON_MOBILE_HZ for hz, _ in told[CALLERS // 3 + 1:])
    hotline.assert_ledger_complete()
    calls = [hotline.call_of(f"09120096{at:02}") for at in range(CALLERS)]
    assert {call["outcome"] for call in calls} == {"answered"}
    assert {call["agent"] for call in calls} == {"agent1", "agent2"}
    on_mobile = sum(hz == ON_MOBILE_HZ for hz, _ in told)
    print(f"{on_mobile} of {CALLERS} callers were answered on mobiles, "  # noqa: T201
          f"the last after {max(wait for _, wait in told):.0f} s")


def found_by_the_doctor(hotline: Hotline) -> tuple[str, str]:
    """How the site's check stands, and what failed."""
    [check] = json.loads(hotline.run("doctor", "--only", "site", "--json").stdout)["checks"]
    return check["status"], check["detail"].partition(f"{datetime.now(UTC):%Y-%m-%d} ")[2]


def test_the_drill_names_what_is_missing_and_passes_with_all_there(
    hotline: Hotline, tmp_path: Path
) -> None:
    before = hotline.json("drill", "--callers", "2")
    found = {step["name"]: (step["ok"], step["detail"]) for step in before}
    assert {name for name, (ok, _) in found.items() if not ok} == {"duty phones", "backup"}
    assert found_by_the_doctor(hotline) == ("warning", "failed: duty phones, backup")
    assert hotline.run("backup", "make", str(tmp_path)).returncode == 0
    new_pin(hotline, "agent1")
    hotline.environment["HOTLINE_DUTY_PHONES"] = "0913000903"
    done = hotline.run("drill", "--callers", "2")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "FAILS" not in done.stdout
    assert "2 of 2 spoke with the mobile" in done.stdout
    assert "a caller spoke with the telephone on duty" in done.stdout
    assert not (hotline.home / "drill").exists()
    assert found_by_the_doctor(hotline)[0] == "ok"
    assert hotline.run("ledger").returncode == 0


ABOUT = "Đèn đường ở cầu Mẫu hỏng."


def test_the_second_site_answers_with_what_the_lost_one_had(
    port: int, tmp_path: Path
) -> None:
    """As the plan says: the newest backup into an empty folder with this site's own name and
    addresses. The same number, menus, accounts, PINs, phones' secrets and cases; the way to the
    carrier is its own."""
    key = tmp_path / "passphrase"
    key.write_text("mười hai con giáp và một con mèo", encoding="utf-8")
    shared = {"HOTLINE_BACKUP_KEY": str(key), "HOTLINE_STAFF_NUMBER": STAFF}
    with running_hotline(
        tmp_path / "first", **shared, HOTLINE_TRUNK_SERVER=f"{CARRIER}:{port}"
    ) as first:
        pin = new_pin(first, "agent1")
        assert first.run("switch", "notice", "disaster").returncode == 0
        with first.database.transaction() as session:
            code = life.open_case(session, summary=ABOUT, by="agent1",
                                  now=datetime.now(UTC), phone="0912000981").code
        asyncio.run(hears_the_menu(first, "0912000981"))
        assert first.call_of("0912000981")["path"]
        made = first.run("backup", "make", str(tmp_path / "backups"))
        assert made.returncode == 0, made.stderr
        asyncio.run(hears_the_menu(first, "0912000982"))  # after the backup: in its journal alone
        accounts = (first.home / "first-accounts.txt").read_text(encoding="utf-8")
        secrets_before = first.secrets
    [file] = (tmp_path / "backups").glob("*.backup")

    second = Hotline(
        tmp_path / "second", **shared, HOTLINE_NODE="th9", HOTLINE_TRUNK_SERVER="127.0.0.8:5999",
        HOTLINE_RING_S="10",
    )
    try:
        for words in (("backup", "restore", str(file)), ("setup",)):
            done = second.run(*words)
            assert done.returncode == 0, done.stdout + done.stderr
        second.start()
        (second.home / "first-accounts.txt").write_text(accounts, encoding="utf-8")
        assert second.secrets == secrets_before
        assert second.settings.numbers == first.settings.numbers
        assert (second.settings.node, second.sip) != (first.settings.node, first.sip)
        told = second.ask("pjsip show aor carrier")
        assert "127.0.0.8" in told
        assert CARRIER not in told
        assert [one["caller"] for one in second.calls()] == ["0912000981"]
        with second.database.reading() as session:
            assert life.by_code(session, code).summary == ABOUT
        asyncio.run(served_at_the_second(second, pin))
        second.assert_ledger_complete()
        assert {one["id"].partition(".")[0] for one in second.calls()} == {"th1", "th9"}
    finally:
        second.stop()


async def hears_the_menu(hotline: Hotline, number: str) -> None:
    async with citizen(hotline, number) as phone:
        call = await called(phone)
        await until_heard(call, hotline, "notice_disaster")
        await until_heard(call, hotline, "greeting_main")
        await call.press("3")
        await until_heard(call, hotline, "vaccine_menu_intro")
        await call.hang_up()


async def served_at_the_second(hotline: Hotline, pin: tuple[str, str]) -> None:
    """The same notice and menus, the agent at a desk phone with its old secret, and by PIN."""
    await hears_the_menu(hotline, "0912000983")
    async with desk_agent(hotline) as seat, citizen(hotline, "0912000984") as phone:
        call = await called(phone)
        await until_heard(call, hotline, "greeting_main")
        await call.press("0")
        (await seat.incoming(PATIENCE_S)).answer()
        call.play_tone(AT_DESK_HZ)
        await asyncio.sleep(TALK_S)
        await call.hang_up()
    assert hotline.call_of("0912000984")["outcome"] == "answered"
    await comes_in(hotline, "agent1", pin)
