"""Processes are killed while calls go on: none is lost, none is counted twice."""

import asyncio
import io
import os
import re
import signal
import wave
from collections.abc import Iterator
from datetime import UTC, datetime

import numpy as np
import pytest

from crm.calls import messages
from crm.recordings import store
from crm.recordings.models import Kind
from ivr import runtime
from ivr.phone import Phone
from ivr.phone.audio import has_tone
from scripts import probe
from tests.live.people import called, citizen, desk_agent, until_heard
from tests.live.running import PATIENCE_S, Hotline, blocked_journal, running_hotline, wait_for


@pytest.fixture(scope="module")
def hotline(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hotline]:
    with running_hotline(tmp_path_factory.mktemp("faults") / "home") as running:
        yield running


def new_pid(hotline: Hotline, name: str, old: int) -> int:
    return wait_for(
        lambda: pid if (pid := hotline.pid_of(name)) != old else 0, f"{name} is restarted", 120
    )


def test_a_second_hotline_on_the_same_state_is_refused(hotline: Hotline) -> None:
    done = hotline.run("up")
    assert done.returncode == 1
    assert f"a hotline already runs on {hotline.home} (pid {hotline.up_pid})" in done.stderr
    assert runtime.pid(hotline.home)


def test_killed_processes_are_restarted_and_the_call_does_not_notice(hotline: Hotline) -> None:
    names = ("tailer", "listener", "console", "scheduler", "broadcasts")

    async def scenario() -> None:
        async with citizen(hotline, "0912000301") as phone:
            call = await called(phone)
            await until_heard(call, hotline, "greeting_main")
            old = {name: hotline.signal(name, signal.SIGKILL) for name in names}
            await call.press("0")
            await until_heard(call, hotline, "consent_recording_short")
            for name in names:
                await asyncio.to_thread(new_pid, hotline, name, old[name])
            await call.hang_up()

    asyncio.run(scenario())
    assert hotline.call_of("0912000301", 120)["outcome"] in {"abandoned_queue", "abandoned_menu"}
    for name in names:
        assert f"{name} (pid" in hotline.tail(400)
    wait_for(lambda: hotline.listener_connected, "the listener is connected", 120)
    wait_for(lambda: hotline.console_answers, "the console answers", 120)
    hotline.assert_ledger_complete()


def test_what_runs_but_does_not_answer_is_found_by_a_test_call_and_started_anew(
    hotline: Hotline, monkeypatch: pytest.MonkeyPatch,
) -> None:
    def look(now: datetime | None = None) -> dict[str, tuple[bool, int]]:
        parts = probe.watch(
            hotline.settings, hotline.database, now or datetime.now(UTC), cure=True
        )
        return {found.part: (found.well, past.failures) for found, past in parts}

    sound = dict.fromkeys(("call", "console", "database", "tailer", "listener"), (True, 0))
    assert look() == sound
    assert hotline.call_of("02371022")["kind"] == "test"
    done = hotline.run("call", "1022", "--from", "0912000309", "--hold", "1")
    assert done.returncode == 0, done.stdout + done.stderr
    assert hotline.call_of("0912000309")["kind"] == "test"
    monkeypatch.setattr("ivr.probe.ANSWER_S", 2.0)
    monkeypatch.setattr("scripts.probe.CONSOLE_S", 2.0)
    monkeypatch.setattr("scripts.probe.AGAIN_S", 0.0)
    stuck = {name: hotline.signal(name, signal.SIGSTOP) for name in ("asterisk", "console")}
    for failures in (1, 2):
        found = look()
        assert (found["call"], found["console"]) == ((False, failures), (False, failures))
        assert {name: hotline.pid_of(name) for name in stuck} == stuck
    look()
    for name, pid in stuck.items():
        new_pid(hotline, name, pid)
    monkeypatch.undo()
    wait_for(lambda: look() == sound, "all is well again", 120)
    # killed once, it is left alone: a second death would cure nothing
    monkeypatch.setattr("scripts.probe.AGAIN_S", 0.0)
    later = datetime.now(UTC) + 2 * probe.SILENT
    tailer = hotline.pid_of("tailer")
    for _ in range(probe.STUCK_AFTER):
        assert look(later)["tailer"][0] is False
    again = new_pid(hotline, "tailer", tailer)
    look(later)
    assert hotline.pid_of("tailer") == again
    wait_for(lambda: hotline.listener_connected, "the listener is connected", 120)
    hotline.assert_ledger_complete()


def test_asterisk_killed_comes_back_with_members_pauses_and_switches(hotline: Hotline) -> None:
    async def is_leaving_a_message(phone: Phone) -> None:
        call = await called(phone)
        await until_heard(call, hotline, "greeting_main")
        await call.press("2")
        await until_heard(call, hotline, "test_menu_intro")
        await call.press("2")
        await until_heard(call, hotline, "beep")
        call.play_tone(440)
        await asyncio.sleep(6)

    async def scenario() -> None:
        async with (
            desk_agent(hotline) as desk, citizen(hotline, "0912000311") as phone,
            citizen(hotline, "0912000312") as other,
        ):
            await is_leaving_a_message(other)
            call = await called(phone)
            await until_heard(call, hotline, "greeting_main")
            await call.press("0")
            rung = await desk.incoming(PATIENCE_S)
            rung.answer()
            await asyncio.sleep(3)
            # AstDB commits about once a second: this one is acknowledged and may yet be lost
            assert hotline.run("switch", "hours.relief", "closed").returncode == 0
            old = hotline.signal("asterisk", signal.SIGKILL)
            await asyncio.to_thread(new_pid, hotline, "asterisk", old)
            await asyncio.to_thread(
                wait_for, lambda: "agent1" in hotline.ask("queue show operator"),
                "the agent is a member again", 60,
            )
            await asyncio.to_thread(
                wait_for, lambda: re.search(
                    r"Contact:  desk-\d+/.* Avail ", hotline.ask("pjsip show contacts")
                ),
                "the phone is known to live, long before its interval of 30 s is over", 10,
            )
            await desk.register()
            await asyncio.to_thread(
                wait_for, lambda: "closed" in hotline.ask("database show switch"),
                "the switch stands again", 60,
            )

    try:
        asyncio.run(scenario())
    finally:
        hotline.run("switch", "hours.relief", "auto")
    lost = hotline.call_of("0912000311")
    assert lost["outcome"] == "lost"
    assert lost["agent"] == "agent1"
    assert lost["ended_at"]
    # what was said of the message up to then is a task for the desks, and can be played
    assert hotline.call_of("0912000312")["outcome"] == "lost"
    with hotline.database.reading() as session:
        left = [one.call for one in messages.waiting(session)]
    assert [call.caller for call in left] == ["0912000312"]
    name = str(left[0].voicemail)  # it is sealed meanwhile, or not yet
    with (
        store.opened(hotline.home, Kind.VOICEMAIL, name) as plain,
        wave.open(io.BytesIO(plain.read())) as file,
    ):
        assert file.getnframes() / file.getframerate() > 2
        sound = np.frombuffer(file.readframes(file.getnframes()), np.int16)
    assert has_tone(sound, 440)
    hotline.assert_ledger_complete()


def test_a_blocked_journal_refuses_nobody_and_the_records_come_later(hotline: Hotline) -> None:
    callers = 40

    async def short_call(number: str) -> bool:
        async with citizen(hotline, number) as phone:
            call = await phone.call("1022")
            answered = await call.answered(PATIENCE_S)
            await asyncio.sleep(2)
            await call.hang_up()
            return answered

    async def scenario() -> list[bool]:
        waiting = []
        for index in range(callers):
            waiting.append(asyncio.create_task(short_call(f"09130003{index:02}")))
            await asyncio.sleep(0.2)
        return await asyncio.gather(*waiting)

    with blocked_journal(hotline):
        answers = asyncio.run(scenario())
    assert answers == [True] * callers
    for index in range(callers):
        assert hotline.call_of(f"09130003{index:02}")["outcome"] == "abandoned_menu"
    hotline.assert_ledger_complete()


def test_the_supervisor_killed_leaves_asterisk_and_the_next_one_adopts_it(
    hotline: Hotline,
) -> None:
    async def scenario() -> None:
        async with citizen(hotline, "0912000321") as phone:
            call = await called(phone)
            await until_heard(call, hotline, "greeting_main")
            before = hotline.pid_of("asterisk")
            await asyncio.to_thread(hotline.kill_supervisor)
            await call.press("2")
            await until_heard(call, hotline, "test_menu_intro")
            await asyncio.to_thread(hotline.start)
            assert hotline.pid_of("asterisk") == before
            await call.hang_up()

    asyncio.run(scenario())
    assert "adopted" in hotline.tail(100)
    assert hotline.call_of("0912000321")["outcome"] == "abandoned_menu"
    hotline.assert_ledger_complete()


def test_the_next_supervisor_waits_for_none_of_the_last_ones_processes(hotline: Hotline) -> None:
    stuck = hotline.signal("broadcasts", signal.SIGSTOP)
    try:
        hotline.kill_supervisor()
        hotline.start()
    finally:
        os.killpg(stuck, signal.SIGKILL)


def test_where_no_message_can_be_written_the_caller_is_led_to_a_person(hotline: Hotline) -> None:
    folder = hotline.home / "voicemail"
    aside = folder.with_name("voicemail.away")

    async def scenario() -> None:
        async with citizen(hotline, "0912000331") as phone:
            call = await called(phone)
            await until_heard(call, hotline, "greeting_main")
            await call.press("2")
            await until_heard(call, hotline, "test_menu_intro")
            await call.press("2")
            await until_heard(call, hotline, "voicemail_unavailable")
            await until_heard(call, hotline, "queue_next")
            await call.hang_up()

    folder.rename(aside)
    folder.write_text("as good as a full disk")
    try:
        asyncio.run(scenario())
    finally:
        folder.unlink()
        aside.rename(folder)
    assert hotline.call_of("0912000331")["outcome"] == "abandoned_queue"
    with hotline.database.reading() as session:
        assert "0912000331" not in {one.call.caller for one in messages.waiting(session)}


@pytest.mark.full
def test_a_prompt_deleted_while_calls_go_on_comes_back(hotline: Hotline) -> None:
    prompt = hotline.home / "asterisk/data/sounds/vi/goodbye.alaw"
    before = prompt.read_bytes()
    prompt.unlink()
    wait_for(prompt.exists, "the prompt is there again", 150)
    assert prompt.read_bytes() == before
