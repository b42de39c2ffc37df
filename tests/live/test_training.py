"""The training beside a hotline: citizens speak, agents serve them, the program grades."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from sqlalchemy import select

from crm.models import LiveCall
from ivr.phone import Call, Phone, audio
from scripts import training
from tests.live.people import Console
from tests.live.running import PATIENCE_S, Hotline, wait_for


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Hotline:
    """The hotline beside which the training runs; it need not run itself."""
    return Hotline(tmp_path_factory.mktemp("real") / "home", HOTLINE_SERVICE_LEVEL_S="60")


@pytest.fixture(scope="module")
def taught(real: Hotline) -> Iterator[Hotline]:
    done = real.run("training", "start")
    assert done.returncode == 0, done.stderr
    own = {
        name: value for name, value in training.environment(real.settings).items()
        if name.startswith("HOTLINE_") and name != "HOTLINE_HOME"
    }
    hotline = Hotline(real.home / "training", **own)
    try:
        wait_for(lambda: hotline.listener_connected, "the listener is connected")
        yield hotline
    finally:
        stopped = real.run("training", "stop")
        hotline.stop()
        assert "is stopped" in stopped.stdout, stopped.stderr


async def serve(
    hotline: Hotline, console: Console, call: Call, script: dict[str, str] | None
) -> None:
    """Answers with a word and closes with one, enters what was asked; with None: does neither."""
    call.answer()
    if script is None:
        await call.ended(4)
        await call.hang_up()
        return
    call.play(audio.tone(300, 1.5))
    await call.ended(8)
    patient_until = time.monotonic() + PATIENCE_S
    while audio.speech_s(call.heard) <= 1:  # some are silent at first
        assert time.monotonic() < patient_until, "the citizen does not speak"
        if await call.ended(0.5):
            return  # gave up in the moment of the answer
    call.play(audio.tone(300, 1.0))
    await call.ended(1.5)
    await call.hang_up()
    id_ = (await asyncio.to_thread(hotline.call_of, call.caller))["id"]
    code = ""
    if script:
        opened = await asyncio.to_thread(
            console.submit, "/cases", panel="yes", call=id_, phone=call.caller, identity="shown",
            **script,
        )
        assert "code" in opened
        code = opened.split('"code":')[1].split('"')[1]
    await asyncio.to_thread(console.ask, "PUT", f"/agent/calls/{id_}/note", {
        "text": "Đã tiếp nhận, đã hướng dẫn người dân.", "result": "case" if code else "solved",
        "case": code, "done": True,
    })


@asynccontextmanager
async def at_work(
    hotline: Hotline, login: str, desk: str, by_branch: dict[str, dict[str, str] | None]
) -> AsyncIterator[None]:
    """An agent who serves whoever comes, as the branch of the call asks for."""
    console = await asyncio.to_thread(Console, hotline, login)
    async with Phone(
        "127.0.0.1", server=hotline.sip, user=desk, password=hotline.secrets.phones[desk]
    ) as seat:
        await seat.register()
        await asyncio.to_thread(
            console.ask, "POST", "/agent/phone", {"kind": "desk", "wanted": desk}
        )
        await asyncio.to_thread(console.ask, "POST", "/agent/state", {"reason": None})

        busy = asyncio.Lock()

        async def work() -> None:
            while True:
                call = await seat.incoming()
                async with busy:
                    if branch := await branch_of(hotline, call):
                        await serve(hotline, console, call, by_branch[branch])

        task = asyncio.create_task(work())
        try:
            yield
            async with busy:  # until the last note is saved
                pass
            if task.done():
                await task
        finally:
            task.cancel()


async def branch_of(hotline: Hotline, call: Call) -> str:
    """Where the citizen is led, once it is known; empty: gave up while it rang."""
    def known() -> str:
        with hotline.database.reading() as session:
            return session.scalar(
                select(LiveCall.branch).where(LiveCall.caller == call.caller)
            ) or ""

    patient_until = time.monotonic() + PATIENCE_S
    while not (branch := await asyncio.to_thread(known)):
        assert time.monotonic() < patient_until, "the call is not known"
        if await call.ended(0.2):
            return ""
    return "" if await call.ended(0) else branch


FOOD = {
    "summary": "Nhà bốn người hết gạo", "category": "food", "place": "Phường Hạc Thành",
}
LIFE = {
    "summary": "Đau ngực, khó thở. 42 phố Mẫu", "category": "danger", "place": "Phường Sầm Sơn",
}
ROAD = {"summary": "Ngập cầu tràn", "category": "roads", "place": "Xã Mường Lát"}
RECORD = {"summary": "Sai tên", "category": "vaccine_record", "place": "Phường Sầm Sơn"}
WELL: dict[str, dict[str, str] | None] = {
    "relief": FOOD, "emergency": LIFE, "report": ROAD, "general": {}, "vaccine": {},
}


def shift(
    real: Hotline, taught: Hotline, by_branch: dict[str, dict[str, str] | None], *words: str
) -> list[dict[str, Any]]:
    async def whole() -> None:
        async with (
            at_work(taught, "agent1", "desk-01", by_branch),
            at_work(taught, "agent2", "desk-02", by_branch),
        ):
            done = await asyncio.to_thread(real.run, "training", "shift", *words)
            assert done.returncode == 0, done.stderr

    asyncio.run(whole())
    status = real.json("training", "status")
    return list(status["calls"])


def test_a_shift_of_three_calls_is_graded(real: Hotline, taught: Hotline) -> None:
    """One is served well, one is an emergency with its address, one hears no word."""
    calls = shift(
        real, taught, {**WELL, "vaccine": None}, "--calls", "3", "--every", "2",
        "--script", "hungry_family", "--script", "chest_pain", "--script", "vaccine_question",
    )
    found = {one["script"]: one for one in calls}
    assert found["hungry_family"]["passed"] is True, calls
    assert set(found["hungry_family"]["marks"]) == {
        "answered", "greeting", "closing", "hold", "result", "case", "kind", "commune"
    }
    assert found["chest_pain"]["passed"] is True, calls
    assert found["chest_pain"]["marks"]["address"] is True
    bad = found["vaccine_question"]
    assert bad["passed"] is False
    assert {what for what, ok in bad["marks"].items() if ok is False} == {
        "greeting", "closing", "result"
    }, calls
    assert {call["kind"] for call in taught.calls()} == {"training"}
    page = Console(taught, "truongca").page("/training")
    assert "hungry_family" not in page  # its title is shown
    assert "Gia đình hết gạo" in page
    assert "banner" in page


def test_the_real_hotline_cannot_be_called_by_simulated_citizens(real: Hotline) -> None:
    with pytest.raises(training.TrainingError, match="never the real hotline"):
        asyncio.run(training.shift(real.settings, 1, 1, ()))
    again = real.run("training", "start")
    assert again.returncode == 1
    assert "runs already" in again.stderr


@pytest.mark.full
def test_who_waits_too_long_hangs_up_and_calls_again(real: Hotline, taught: Hotline) -> None:
    """Nobody is at work when the citizen comes first; somebody is the second time."""
    async def whole() -> None:
        playing = asyncio.create_task(asyncio.to_thread(
            real.run, "training", "shift", "--calls", "1", "--script", "gives_up"
        ))
        before = {call["id"] for call in taught.calls()}
        await asyncio.to_thread(wait_for, lambda: [
            call for call in taught.calls()
            if call["id"] not in before and call["outcome"] == "abandoned_queue"
        ], "the citizen has given up", 120)
        async with at_work(taught, "agent1", "desk-01", WELL):
            assert (await playing).returncode == 0

    asyncio.run(whole())
    first, second = real.json("training", "status")["calls"]
    assert (first["script"], second["script"]) == ("gives_up", "gives_up")
    assert first["agent"] is None
    assert first["marks"] == {"answered": None}, "to give up is no fault of anybody's"
    assert (second["agent"], second["passed"]) == ("agent1", True), second
    came = taught.calls()[-2:]
    assert [call["outcome"] for call in came] == ["abandoned_queue", "answered"]
    assert len({call["caller"] for call in came}) == 1


@pytest.mark.full
def test_a_shift_of_twenty_calls(real: Hotline, taught: Hotline) -> None:
    """With those who give up and call again."""
    calls = shift(real, taught, WELL, "--calls", "20", "--every", "8")
    assert len(calls) >= 20
    assert sum(one["passed"] is True for one in calls) >= 12, calls
    page = Console(taught, "truongca").page("/training")
    assert page.count("<tr>") == len(calls) + 1  # and the head
