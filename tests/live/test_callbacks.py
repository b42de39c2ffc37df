"""Calls back in the caller's place, with a carrier that is a telephone of the test."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import pytest

from crm.calls import callbacks
from ivr.phone import Call, Phone
from ivr.phone.audio import has_tone
from scripts import PROCESSES
from tests.live.people import called, citizen, desk_agent, found_outside, until_heard
from tests.live.running import PATIENCE_S, Hotline, free_ports, running_hotline, wait_for

CARRIER = "127.0.0.6"
LATER = "0912000599"


@pytest.fixture(scope="module")
def carrier_port() -> int:
    return free_ports(1)[0]


@pytest.fixture(scope="module")
def hotline(carrier_port: int, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hotline]:
    with running_hotline(
        tmp_path_factory.mktemp("callbacks") / "home",
        HOTLINE_TRUNK_SERVER=f"{CARRIER}:{carrier_port}", HOTLINE_CALLBACK_AGAIN_S="3,3",
    ) as running:
        yield running


@pytest.fixture
def citizens(carrier_port: int) -> Phone:
    """Every telephone that the hotline calls."""
    return Phone(CARRIER, carrier_port)


@asynccontextmanager
async def reachable(hotline: Hotline, citizens: Phone) -> AsyncIterator[Phone]:
    """The carrier's telephone, once the hotline has found it there."""
    async with citizens:
        await found_outside(hotline)
        yield citizens


async def until(look: Any, what: str, timeout_s: float = PATIENCE_S) -> None:
    await asyncio.to_thread(wait_for, look, what, timeout_s)


async def waits(call: Call, hotline: Hotline) -> None:
    await until_heard(call, hotline, "greeting_main")
    await call.press("0")
    await until_heard(call, hotline, "consent_recording_short")


@asynccontextmanager
async def asked(hotline: Hotline, number: str) -> AsyncIterator[None]:
    """Somebody who waited has asked to be called back, and has hung up."""
    async with citizen(hotline, number) as phone:
        call = await called(phone)
        await waits(call, hotline)
        await until_heard(call, hotline, "queue_connecting")
        await call.press("1")
        await until_heard(call, hotline, "callback_use_this_number.2")
        await call.press("1")
        await until_heard(call, hotline, "callback_confirmed_no_time")
        assert await call.ended(PATIENCE_S)
    await until(lambda: request(hotline, number), "the promise has a row")
    yield


def request(hotline: Hotline, number: str) -> dict[str, Any]:
    with hotline.database.reading() as session:
        promised = [callbacks.as_json(one) for one in callbacks.latest(session, 1000)]
    found = [one for one in promised if one["number"] == number]
    return found[-1] if found else {}


def places(hotline: Hotline) -> int:
    return hotline.ask("core show channels concise").count("hl-callback-place")


async def spoke(agent: Call, person: Call) -> None:
    """They hear each other, from now on: before, the agent has heard the ringing tone."""
    agent.play_tone(1000)
    person.play_tone(700)
    for one, hz in ((person, 1000), (agent, 700)):
        start = one.heard_length
        hears = partial(lambda one, hz, start: has_tone(one.heard_since(start), hz), one, hz, start)
        await until(hears, f"{hz} Hz are heard")


def test_who_asks_to_be_called_back_keeps_the_place(hotline: Hotline, citizens: Phone) -> None:
    number = "0912000501"

    async def scenario() -> None:
        async with (
            asked(hotline, number), reachable(hotline, citizens),
            citizen(hotline, LATER) as later,
        ):
            behind = await called(later)
            await waits(behind, hotline)
            async with desk_agent(hotline) as desk:
                first = await desk.incoming(PATIENCE_S)
                assert first.caller == number
                first.answer()
                rung = await citizens.incoming(PATIENCE_S)  # only now, when the agent is there
                assert rung.caller == "02371022"
                rung.answer()
                await until_heard(rung, hotline, "callback_hello")
                await rung.press("1")
                await spoke(first, rung)
                await rung.hang_up()
                assert await first.ended(PATIENCE_S)
                second = await desk.incoming(PATIENCE_S)
                assert second.caller == LATER
                second.answer()
                await spoke(second, behind)
                await second.hang_up()
            await behind.hang_up()

    asyncio.run(scenario())
    made = request(hotline, number)
    assert (made["result"], made["tries"], made["queue"]) == ("done", 1, "operator")
    call = hotline.call_of(number)
    assert (call["id"], call["outcome"]) == (made["id"], "callback")
    assert "callback.1" in [f"{step['menu']}.{step['key']}" for step in call["path"]]
    wait_for(lambda: places(hotline) == 0, "the place is given up")
    hotline.assert_ledger_complete()
    assert hotline.json("replay") == {"answered": 2, "overtaken": []}


@pytest.mark.full
def test_who_is_not_reached_is_called_three_times_and_a_voicemail_box_is_nobody(
    hotline: Hotline, citizens: Phone
) -> None:
    number = "0912000502"

    async def scenario() -> None:
        async with (
            asked(hotline, number), reachable(hotline, citizens), desk_agent(hotline) as desk,
        ):
            for attempt in range(3):
                agent = await desk.incoming(PATIENCE_S)
                agent.answer()
                rung = await citizens.incoming(PATIENCE_S)
                if attempt == 1:
                    rung.answer()  # a voicemail box: it listens, and presses nothing
                else:
                    rung.reject(486)
                assert await agent.ended(PATIENCE_S)

    asyncio.run(scenario())
    wait_for(lambda: request(hotline, number)["result"], "the request is closed")
    assert (request(hotline, number)["result"], request(hotline, number)["tries"]) == ("failed", 3)


@pytest.mark.full
def test_a_number_has_one_place_and_can_refuse(hotline: Hotline, citizens: Phone) -> None:
    number = "0912000503"

    async def scenario() -> None:
        async with asked(hotline, number), reachable(hotline, citizens):
            async with citizen(hotline, number) as phone:
                again = await called(phone)
                await waits(again, hotline)
                await until_heard(again, hotline, "queue_connecting")
                await again.press("1")
                await until_heard(again, hotline, "callback_duplicate")
                await again.hang_up()
            async with desk_agent(hotline) as desk:
                agent = await desk.incoming(PATIENCE_S)
                agent.answer()
                rung = await citizens.incoming(PATIENCE_S)
                rung.answer()
                await until_heard(rung, hotline, "callback_hello")
                await rung.press("2")
                await until_heard(rung, hotline, "callback_cancelled")
                assert await agent.ended(PATIENCE_S)

    asyncio.run(scenario())
    assert [
        one["result"] for one in hotline.json("callbacks", "--all") if one["number"] == number
    ] == ["refused"]
    assert hotline.call_of(number)["outcome"] == "callback"
    wait_for(lambda: places(hotline) == 0, "the place is given up")


@pytest.mark.full
def test_a_citizen_whose_agent_has_left_is_the_next_in_the_queue(
    hotline: Hotline, citizens: Phone
) -> None:
    number = "0912000507"

    async def scenario() -> None:
        async with (
            asked(hotline, number), reachable(hotline, citizens), desk_agent(hotline) as desk,
        ):
            agent = await desk.incoming(PATIENCE_S)
            agent.answer()
            rung = await citizens.incoming(PATIENCE_S)
            rung.answer()
            await agent.hang_up()
            await until_heard(rung, hotline, "callback_hello")
            await rung.press("1")
            second = await desk.incoming(PATIENCE_S)
            second.answer()
            await spoke(second, rung)
            await rung.hang_up()

    asyncio.run(scenario())
    wait_for(lambda: request(hotline, number)["result"] == "done", "the request is closed")
    wait_for(lambda: places(hotline) == 0, "the place is given up", 90)


@pytest.mark.full
def test_an_asterisk_that_was_killed_keeps_the_place_again(
    hotline: Hotline, citizens: Phone
) -> None:
    number = "0912000504"

    async def scenario() -> None:
        async with asked(hotline, number), reachable(hotline, citizens):
            before = request(hotline, number)
            hotline.signal("asterisk", signal.SIGKILL)
            await until(lambda: places(hotline) == 2, "the place is kept again", 120)
            await found_outside(hotline)
            async with desk_agent(hotline) as desk:
                agent = await desk.incoming(PATIENCE_S)
                agent.answer()
                rung = await citizens.incoming(PATIENCE_S)
                rung.answer()
                await until_heard(rung, hotline, "callback_hello")
                await rung.press("1")
                await spoke(agent, rung)
                await agent.hang_up()
                assert await rung.ended(PATIENCE_S)
            after = request(hotline, number)
            assert after["arrived_at"] == before["arrived_at"]
            assert (after["result"], after["tries"]) == ("done", 1)

    asyncio.run(scenario())


@pytest.mark.full
def test_whatever_is_killed_meanwhile_a_promise_is_kept_once(
    hotline: Hotline, citizens: Phone
) -> None:
    number = "0912000506"

    def all_killed() -> None:
        for process in PROCESSES:
            hotline.signal(process, signal.SIGKILL)

    async def scenario() -> None:
        async with citizen(hotline, number) as phone:
            call = await called(phone)
            await waits(call, hotline)
            await until_heard(call, hotline, "queue_connecting")
            await call.press("1")
            await until_heard(call, hotline, "callback_use_this_number.2")
            all_killed()  # the promise is made while nobody listens
            await call.press("1")
            await until_heard(call, hotline, "callback_confirmed_no_time")
        await until(lambda: hotline.listener_connected and hotline.console_answers, "all are back")
        async with reachable(hotline, citizens), desk_agent(hotline) as desk:
            agent = await desk.incoming(PATIENCE_S)
            agent.answer()
            rung = await citizens.incoming(PATIENCE_S)
            rung.answer()
            await until_heard(rung, hotline, "callback_hello")
            await rung.press("1")
            await spoke(agent, rung)
            all_killed()
            await asyncio.sleep(2)
            await spoke(agent, rung)
            await rung.hang_up()
            await until(
                lambda: hotline.listener_connected and hotline.console_answers, "all are back", 120
            )
            await until(lambda: request(hotline, number).get("result"), "the promise is closed")
            with pytest.raises(TimeoutError):
                await citizens.incoming(15)  # nobody is rung twice

    asyncio.run(scenario())
    with hotline.database.reading() as session:
        mine = [one for one in callbacks.latest(session, 1000) if one.number == number]
    assert [(one.result, one.tries) for one in mine] == [("done", 1)]
    hotline.assert_ledger_complete()


@pytest.mark.full
def test_typed_numbers_are_read_back_and_most_kinds_refused(
    hotline: Hotline, citizens: Phone
) -> None:
    async def scenario() -> None:
        async with citizen(hotline, "0912000505") as phone:
            call = await called(phone)
            await waits(call, hotline)
            await until_heard(call, hotline, "queue_connecting")
            await call.press("1")
            await until_heard(call, hotline, "callback_use_this_number.2")
            await call.press("2")
            await until_heard(call, hotline, "callback_enter_number")
            for typed, answer in (
                ("19001234", "callback_number_invalid"), ("02371022", "callback_number_invalid"),
                ("02373812345", "callback_use_this_number.2"),
            ):
                before = call.heard_length
                await call.press(f"{typed}#")
                await until_heard(call, hotline, answer, after=before)
            await call.press("1")
            await until_heard(call, hotline, "callback_confirmed_no_time")
            assert await call.ended(PATIENCE_S)

    asyncio.run(scenario())
    wait_for(lambda: request(hotline, "02373812345"), "the promise has a row")
    call = hotline.call_of("0912000505")
    assert not any("3812345" in str(step) for step in call["path"])  # no typed number is a path
