"""Four hundred callers on ten agents: each is answered, called back, kept as a message, or told."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from crm.calls import callbacks
from ivr.fairness import journal_events, replay
from ivr.phone import Call, Dtmf, Phone
from tests.live.people import desk_agent
from tests.live.running import Hotline, free_ports, running_hotline, wait_for

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

CARRIER = "127.0.0.8"
CALLERS, AGENTS = 400, 10
EVERY_S = 0.5  # two callers a second; ten agents take about one
TALK_S = 6.0
LONGEST_S = 600.0
HAPPY = {"answered", "callback", "voicemail", "rejected"}


@pytest.fixture(scope="module")
def carrier_port() -> int:
    return free_ports(1)[0]


@pytest.fixture(scope="module")
def hotline(carrier_port: int, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hotline]:
    with running_hotline(
        tmp_path_factory.mktemp("many") / "home",
        HOTLINE_TRUNK_SERVER=f"{CARRIER}:{carrier_port}", HOTLINE_CAPACITY="60",
        HOTLINE_QUEUE_LIMITS="25", HOTLINE_DESK_PHONES=str(AGENTS), HOTLINE_CALLBACK_AGAIN_S="5,5",
    ) as running:
        assert running.run("switch", "survey", "off").returncode == 0
        for number in range(AGENTS):
            made = running.run("user", "add", f"many{number}", "--name", f"Số {number}")
            assert made.returncode == 0, made.stderr
            with (running.home / "first-accounts.txt").open("a", encoding="utf-8") as accounts:
                accounts.write(made.stdout)
        yield running


@asynccontextmanager
async def at_work(hotline: Hotline) -> AsyncIterator[None]:
    """Ten agents who take whatever rings, speak for a moment and hang up."""
    async def work(seat: Phone) -> None:
        while True:
            call = await seat.incoming()
            call.answer()
            if not await call.ended(TALK_S):
                await call.hang_up()

    async with AsyncExitStack() as seats:
        for number in range(AGENTS):
            phone_name = f"desk-{number + 1:02}"
            seat = await seats.enter_async_context(
                desk_agent(hotline, f"many{number}", phone_name=phone_name, sparse=True)
            )
            task = asyncio.create_task(work(seat))
            seats.callback(task.cancel)
        yield


async def one_caller(hotline: Hotline, number: str, chance: random.Random) -> None:
    """Presses 0, and after a while perhaps asks to be called back (1, and 1 again) or for a message
    (2, then # at its end). Whoever cannot be served hears so and is not kept on the line."""
    wish = chance.choice(("", "", "1", "2"))
    async with Phone(
        "127.0.0.2", server=hotline.sip, user=number, dtmf=Dtmf.INFO, sparse=True
    ) as phone:
        call = await phone.call("1022")
        if not await call.answered(60):
            return
        await pressed(call, 1.5, "0")
        if wish == "1":
            await pressed(call, chance.uniform(12, 25), "1")
            await pressed(call, 3, "1")
        elif wish == "2":
            await pressed(call, 12, "2")
            await pressed(call, 12, "#")
        if not await call.ended(LONGEST_S):
            await call.hang_up()


async def pressed(call: Call, after_s: float, key: str) -> None:
    if not await call.ended(after_s):
        await call.press(key)


async def called_back(port: int) -> None:
    """Whoever is called back answers, and presses 1 when the hotline has said who it is."""
    async def speak(call: Call) -> None:
        call.answer()
        await pressed(call, 8, "1")

    async with Phone(CARRIER, port, dtmf=Dtmf.INFO, sparse=True) as citizens:
        talking = set()
        while True:
            talking.add(asyncio.create_task(speak(await citizens.incoming())))


@pytest.mark.full
def test_each_of_four_hundred_callers_is_served_or_told_and_nobody_is_overtaken(
    hotline: Hotline, carrier_port: int
) -> None:
    chance = random.Random(1022)
    numbers = [f"0912{at:06}" for at in range(CALLERS)]

    def all_kept() -> bool:
        with hotline.database.reading() as session:
            return not callbacks.still_open(session)

    async def scenario() -> None:
        outside = asyncio.create_task(called_back(carrier_port))
        async with at_work(hotline):
            callers = []
            for number in numbers:
                callers.append(asyncio.create_task(one_caller(hotline, number, chance)))
                await asyncio.sleep(EVERY_S)
            await asyncio.gather(*callers)
            await asyncio.to_thread(wait_for, all_kept, "every promise is kept", LONGEST_S)
        outside.cancel()

    asyncio.run(scenario())
    hotline.assert_ledger_complete()
    rows = {number: hotline.call_of(number) for number in numbers}
    outcomes = Counter(str(row["outcome"]) for row in rows.values())
    assert outcomes.keys() == HAPPY, outcomes
    with hotline.database.reading() as session:
        kept = Counter(one.result for one in callbacks.latest(session, CALLERS))
    assert kept.keys() == {"done"}, kept
    passed_over = replay(journal_events(hotline.home / "journal")).overtaken
    assert passed_over == ()
