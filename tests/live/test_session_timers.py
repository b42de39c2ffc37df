"""Session timers (RFC 4028): a call that goes on is refreshed, and one whose other end does not
refresh it ends."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from ivr.phone import Call, sip
from ivr.phone.transactions import ServerTransaction
from tests.live.people import citizen, desk_agent, hears_tone, until_heard
from tests.live.running import PATIENCE_S, Hotline, wait_for

pytestmark = pytest.mark.full

SHORTEST_S = 90  # of a session, as the RFC and Asterisk have it


def overheard(call: Call) -> list[sip.Request]:
    """The requests that come within the call from now on."""
    seen: list[sip.Request] = []
    answer: Callable[[ServerTransaction], None] = call.receive

    def receive(transaction: ServerTransaction) -> None:
        seen.append(transaction.request)
        answer(transaction)

    call.receive = receive  # type: ignore[method-assign]
    return seen


async def talking(call: Call, at_desk: Call) -> None:
    at_desk.answer()
    at_desk.play_tone(600)
    call.play_tone(440)
    await hears_tone(call, 600)


def test_a_call_is_refreshed_at_half_of_its_time_and_goes_on(hotline: Hotline) -> None:
    def refreshes(seen: list[sip.Request]) -> list[sip.Request]:
        return [one for one in seen
                if one.method in ("INVITE", "UPDATE") and one.get("Session-Expires")]

    async def scenario() -> None:
        async with desk_agent(hotline) as seat, citizen(hotline, "0912000953") as phone:
            call = await phone.call("1022", headers={
                "Supported": "timer", "Min-SE": str(SHORTEST_S),
                "Session-Expires": f"{SHORTEST_S};refresher=uas",
            })
            assert await call.answered(PATIENCE_S)
            seen = overheard(call)
            await until_heard(call, hotline, "greeting_main")
            await call.press("0")
            await talking(call, await seat.incoming(PATIENCE_S))
            await asyncio.to_thread(wait_for, lambda: refreshes(seen), "a refresh", SHORTEST_S)
            [first] = refreshes(seen)
            assert (first.get("Session-Expires") or "").startswith(f"{SHORTEST_S};refresher=")
            await hears_tone(call, 600)
            assert not await call.ended(2)
            await call.hang_up()

    asyncio.run(scenario())
    assert hotline.call_of("0912000953")["outcome"] == "answered"


def test_who_was_to_refresh_and_is_gone_holds_no_agent_for_ever(hotline: Hotline) -> None:
    async def scenario() -> bool:
        async with desk_agent(hotline) as seat, citizen(hotline, "0912000954") as phone:
            call = await phone.call("1022", headers={
                "Supported": "timer", "Min-SE": str(SHORTEST_S),
                "Session-Expires": f"{SHORTEST_S};refresher=uac",
            })
            assert await call.answered(PATIENCE_S)
            await until_heard(call, hotline, "greeting_main")
            await call.press("0")
            await talking(call, await seat.incoming(PATIENCE_S))
            return await call.ended(SHORTEST_S + 60)  # it never refreshes, though sound comes

    assert asyncio.run(scenario())
    assert hotline.call_of("0912000954")["outcome"] == "answered"
