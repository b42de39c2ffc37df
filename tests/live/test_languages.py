"""A language besides Vietnamese: offered while somebody speaks it, and never a dead end."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from ivr.phone import Call, audio
from tests.live.people import called, citizen, desk_agent, until_heard
from tests.live.running import PATIENCE_S, Hotline, running_hotline, wait_for

HINT_HZ, LINE_HZ, GREETING_HZ = 500, 600, 800  # stand for what a speaker would record


@pytest.fixture(scope="module")
def hotline(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hotline]:
    folder = tmp_path_factory.mktemp("languages")
    recorded = folder / "recorded" / "thai"
    recorded.mkdir(parents=True)
    for name, hz in (
        ("lang_hint", HINT_HZ), ("lang_line", LINE_HZ), ("main_menu_1", GREETING_HZ)
    ):
        audio.write_wav(recorded / f"{name}.wav", audio.tone(hz, 1.5))
    with running_hotline(
        folder / "home", HOTLINE_RECORDINGS=str(folder / "recorded")
    ) as running:
        add_speaker(running)
        yield running


def add_speaker(hotline: Hotline) -> None:
    made = hotline.run("user", "add", "thuy", "--name", "Thúy", "--queues", "thai")
    assert made.returncode == 0, made.stderr
    with Path(hotline.home / "first-accounts.txt").open("a", encoding="utf-8") as accounts:
        accounts.write(made.stdout)


@pytest.mark.full
def test_who_speaks_thai_is_heard_in_thai_and_goes_on_where_nobody_can(hotline: Hotline) -> None:
    async def nobody_there() -> None:
        async with citizen(hotline, "0912000981") as phone:
            call = await called(phone)
            await until_heard(call, hotline, "main_menu_1")
            assert not call.heard_tone(HINT_HZ)
            await call.hang_up()

    async def until_tone(call: Call, hz: float) -> None:
        await asyncio.to_thread(wait_for, lambda: call.heard_tone(hz), f"{hz} Hz are heard")

    async def chooses() -> None:
        async with (
            desk_agent(hotline, "thuy", queue="thai") as thuy,
            desk_agent(hotline, "agent2", phone_name="desk-02") as other,
            citizen(hotline, "0912000982") as phone,
        ):
            call = await called(phone)
            await until_tone(call, HINT_HZ)
            await call.press("#")
            await until_tone(call, LINE_HZ)
            await call.press("3")
            await until_tone(call, GREETING_HZ)  # the main menu, as far as it is recorded
            await call.press("0")
            rung = await thuy.incoming(PATIENCE_S)
            rung.reject(486)
            again = await thuy.incoming(PATIENCE_S)
            again.reject(486)
            taken = await other.incoming(2 * PATIENCE_S)  # after a while, whoever is there
            taken.answer()
            taken.play_tone(1000)
            await until_tone(call, 1000)
            await asyncio.sleep(3)
            await call.hang_up()

    asyncio.run(nobody_there())
    asyncio.run(chooses())
    call = hotline.call_of("0912000982")
    assert (call["outcome"], call["agent"], call["queue"]) == ("answered", "agent2", "operator")
    assert [(step["menu"], step["key"]) for step in call["path"] if step["key"]] == [
        ("main", "#"), ("language", "3"), ("main", "0")
    ]
