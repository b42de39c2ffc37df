"""Agents without network or browser: in the queues with a telephone of their own, by number and
PIN, with everything behind Asterisk standing still. The carrier is a telephone of the test."""

from __future__ import annotations

import asyncio
import re
import signal
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import expect
from sqlalchemy import select

from crm.agents import assistance
from crm.agents.models import HelpCall
from crm.models import CallSegment, LiveAgent
from ivr.phone import Call, Phone
from ivr.phone.audio import RATE, has_tone
from tests.live.browser import chromium, signed_in
from tests.live.people import (
    Console,
    called,
    citizen,
    desk_agent,
    found_outside,
    heard,
    until_heard,
)
from tests.live.running import PATIENCE_S, Hotline, free_ports, running_hotline, wait_for
from tests.live.test_rooms import (
    CITIZEN_HZ,
    FIRST_HZ,
    SECOND_HZ,
    each_hears_what_is_meant_for_them,
    hears,
    hears_not,
    supervising,
)

CARRIER = "127.0.0.7"
STAFF = "02371023"
MOBILE, OTHER = "0913000801", "0913000802"
HEARD, UNHEARD, HELPED, JOINED, LED_ON, IN_NEED, KEPT = (f"091200082{n}" for n in range(1, 8))
FRIEND = "0913000803"  # whom an agent calls in
WRAPUP_S = 6
SERVICE = "0237999115"  # whoever stands in for 115
BEHIND = ("listener", "console", "scheduler", "tailer")


@pytest.fixture(scope="module")
def carrier_port() -> int:
    return free_ports(1)[0]


@pytest.fixture(scope="module")
def hotline(carrier_port: int, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hotline]:
    with running_hotline(
        tmp_path_factory.mktemp("mobile") / "home", HOTLINE_STAFF_NUMBER=STAFF,
        HOTLINE_TRUNK_SERVER=f"{CARRIER}:{carrier_port}", HOTLINE_WRAPUP_S=str(WRAPUP_S),
        HOTLINE_EMERGENCY_MEDICAL=SERVICE,
    ) as running:
        yield running


@asynccontextmanager
async def telephones(hotline: Hotline, port: int) -> AsyncIterator[Phone]:
    """Every telephone that the hotline rings, once the hotline has found the carrier there."""
    async with Phone(CARRIER, port) as phones:
        await found_outside(hotline)
        yield phones


async def until(look: Any, what: str, timeout_s: float = PATIENCE_S) -> None:
    await asyncio.to_thread(wait_for, look, what, timeout_s)


def new_pin(hotline: Hotline, login: str) -> tuple[str, str]:
    """Number and PIN of an agent, as the administrator gets them."""
    page = Console(hotline, "admin").submit(f"/users/{login}/pin", act="new")
    number = re.search(r'<b class="secret">(\d+)</b>', page)
    pin = re.search(r"data-pin>(\d+)<", page)
    assert number
    assert pin
    return number[1], pin[1]


async def typed(call: Call, hotline: Hotline, number: str, pin: str, after: int = 0) -> None:
    await until_heard(call, hotline, "staff_number", after=after)
    await call.press(f"{number}#")
    await until_heard(call, hotline, "staff_pin", after=after)
    await call.press(f"{pin}#")


def live(hotline: Hotline, login: str) -> tuple[str, str | None]:
    with hotline.database.reading() as session:
        row = session.get(LiveAgent, login)
        return (row.state, row.interface) if row else ("", None)


async def to_agents(call: Call, hotline: Hotline) -> None:
    await until_heard(call, hotline, "greeting_main")
    await call.press("0")


async def spoke(one: Call, other: Call) -> None:
    for mine, theirs, hz in ((one, other, 1000), (other, one, 700)):
        mine.play_tone(hz)
        start = theirs.heard_length
        hears = partial(
            lambda call, hz, start: has_tone(call.heard_since(start), hz), theirs, hz, start
        )
        await until(hears, f"{hz} Hz are heard")


def test_with_everything_else_dead_an_agent_comes_in_by_telephone_and_takes_calls(
    hotline: Hotline, carrier_port: int
) -> None:
    number, pin = new_pin(hotline, "agent1")
    member = f"Local/{MOBILE}@hl-mobile/n"

    async def scenario() -> None:
        async with (
            telephones(hotline, carrier_port) as outside, citizen(hotline, MOBILE) as mobile,
            citizen(hotline, "0912000811") as first, citizen(hotline, "0912000812") as second,
        ):
            for name in BEHIND:
                hotline.signal(name, signal.SIGSTOP)
            try:
                coming = await called(mobile, STAFF)
                await typed(coming, hotline, number, pin)
                await until_heard(coming, hotline, "agent_login_ok")
                await coming.hang_up()
                assert member in hotline.ask("queue show operator")

                call = await called(first)
                await to_agents(call, hotline)
                box = await outside.incoming(PATIENCE_S)  # a voicemail box presses nothing
                assert box.caller == "02371022"
                box.answer()
                box.play_tone(1000)
                await until_heard(box, hotline, "staff_offer")
                assert await box.ended(PATIENCE_S)
                assert not call.heard_tone(1000)
                rung = await outside.incoming(PATIENCE_S)
                rung.answer()
                await until_heard(rung, hotline, "staff_offer")
                await rung.press("1")
                await spoke(rung, call)
                behind = await called(second)
                await to_agents(behind, hotline)
                await until_heard(behind, hotline, "queue_connecting")
                await rung.hang_up()
                over = time.monotonic()
                await until_heard(call, hotline, "survey_intro")  # the agent has ended it
                await call.hang_up()
                again = await outside.incoming(PATIENCE_S)
                assert time.monotonic() - over > WRAPUP_S - 1  # the wrap-up holds for them too
                again.answer()
                await until_heard(again, hotline, "staff_offer")
                await again.press("1")
                await spoke(again, behind)
                await asyncio.sleep(2)  # less is no conversation
                await behind.hang_up()
                assert await again.ended(PATIENCE_S)
            finally:
                for name in BEHIND:
                    hotline.signal(name, signal.SIGCONT)

            await until(lambda: live(hotline, "agent1")[1] == member, "the board knows the mobile")
            coming = await called(mobile, STAFF)
            await typed(coming, hotline, number, pin)
            await until_heard(coming, hotline, "staff_keys")
            await coming.press("2")
            await until_heard(coming, hotline, "agent_paused")
            await until(lambda: live(hotline, "agent1")[0] == "paused", "the pause is shown")
            await coming.press("1")
            await until(lambda: live(hotline, "agent1")[0] == "ready", "ready again")
            await coming.press("3")
            await until_heard(coming, hotline, "staff_left")
            await until(lambda: live(hotline, "agent1")[0] == "offline", "gone from the board")
            assert member not in hotline.ask("queue show operator")

    asyncio.run(scenario())
    for caller in ("0912000811", "0912000812"):
        call = hotline.call_of(caller)
        assert (call["outcome"], call["agent"]) == ("answered", "agent1")
        assert call["talk_s"] > 0
        assert call["recording"]
    assert hotline.call_of(MOBILE)["outcome"] == "self_served"
    assert pin not in hotline.journal()
    hotline.assert_ledger_complete()


@asynccontextmanager
async def taken_outside(
    hotline: Hotline, outside: Phone, number: str, *, refuses: bool = False
) -> AsyncIterator[tuple[Call, Call]]:
    """A citizen whom the agent at the telephone has answered, and the agent's own leg."""
    async with citizen(hotline, number) as phone:
        call = await called(phone)
        await to_agents(call, hotline)
        if refuses:
            await asyncio.sleep(1)
            await call.press("*")  # not recorded
        rung = await outside.incoming(PATIENCE_S)
        rung.answer()
        await until_heard(rung, hotline, "staff_offer")
        await rung.press("1")
        rung.play_tone(FIRST_HZ)
        call.play_tone(CITIZEN_HZ)
        assert await hears(call, FIRST_HZ)
        assert await hears(rung, CITIZEN_HZ)
        await until(lambda: live(hotline, "agent1")[0] == "talking", "the board sees the talk")
        await asyncio.sleep(2)  # less is no conversation
        yield call, rung


@asynccontextmanager
async def come_in(
    hotline: Hotline, port: int, login: str = "agent1", mobile: str = MOBILE
) -> AsyncIterator[Phone]:
    """Every telephone outside, with an agent who has come in by one of them."""
    number, pin = new_pin(hotline, login)
    async with telephones(hotline, port) as outside, citizen(hotline, mobile) as phone:
        coming = await called(phone, STAFF)
        await typed(coming, hotline, number, pin)
        await until_heard(coming, hotline, "staff_keys")  # who is in already hears them as well
        await coming.hang_up()
        yield outside


def call_of_agent(hotline: Hotline, login: str) -> str:
    with hotline.database.reading() as session:
        row = session.get(LiveAgent, login)
        assert row is not None
        assert row.call_id is not None
        return row.call_id


@pytest.mark.full
def test_a_supervisor_listens_whispers_and_barges_into_the_call_of_an_agent_outside(
    hotline: Hotline, carrier_port: int
) -> None:
    async def scenario() -> None:
        async with come_in(hotline, carrier_port) as outside, supervising(hotline) as supervisor:
            async with taken_outside(hotline, outside, HEARD) as (call, rung):
                await each_hears_what_is_meant_for_them(supervisor, "agent1", rung, call)
                ear = await supervisor.enters("agent1", "listen")
                await call.hang_up()
                assert await ear.ended(PATIENCE_S), "over with the talk"
            async with taken_outside(hotline, outside, UNHEARD, refuses=True) as (call, rung):
                assert await supervisor.ask("agent1", "listen") == "refused"
                ear = await supervisor.enters("agent1", "listen", safety="dọa tự sát")
                rung.stop_playing()
                assert await hears(ear, CITIZEN_HZ)
                await call.hang_up()

    asyncio.run(scenario())
    assert hotline.call_of(UNHEARD)["recording"] is None
    hotline.assert_ledger_complete()


@pytest.mark.full
def test_an_agent_outside_asks_a_colleague_from_the_console_and_for_help_by_keys(
    hotline: Hotline, carrier_port: int
) -> None:
    async def scenario() -> None:
        async with come_in(hotline, carrier_port) as outside:
            page = await asyncio.to_thread(Console, hotline, "agent1")

            async def ask(act: str, **more: str) -> None:
                answer = await asyncio.to_thread(
                    page.ask, "POST", f"/agent/calls/{id_}/with", {"act": act, **more})
                assert answer["outcome"] == "done"

            async with (
                taken_outside(hotline, outside, HELPED) as (call, rung),
                desk_agent(hotline, "agent2", phone_name="desk-02") as desk,
            ):
                id_ = call_of_agent(hotline, "agent1")
                start = rung.heard_length
                await rung.press("*6")
                await until_heard(rung, hotline, "staff_help", after=start)
                await until(lambda: helps(hotline), "help is asked for")
                assert [one.agent for one in helps(hotline)] == ["agent1"]

                await ask("consult", kind="agent", to="agent2")
                asked = await desk.incoming(PATIENCE_S)
                asked.answer()
                asked.play_tone(SECOND_HZ)
                assert await hears(rung, SECOND_HZ)
                assert await hears(asked, FIRST_HZ)
                assert await hears_not(call, SECOND_HZ)
                assert await hears_not(asked, CITIZEN_HZ)
                await ask("together")  # one tone at a time: it is looked for what stands out
                rung.stop_playing()
                assert await hears(call, SECOND_HZ)
                assert await hears(asked, CITIZEN_HZ)
                asked.stop_playing()
                assert await hears(rung, CITIZEN_HZ)
                call.stop_playing()
                rung.play_tone(FIRST_HZ)
                assert await hears(call, FIRST_HZ)
                assert await hears(asked, FIRST_HZ)
                asked.play_tone(SECOND_HZ)
                await ask("leave")
                assert await rung.ended(PATIENCE_S)
                await until(lambda: live(hotline, "agent1")[0] == "wrapup", "the wrap-up begins")
                assert await hears(call, SECOND_HZ), "the two go on"
                await call.hang_up()
            await until(lambda: live(hotline, "agent1")[0] == "ready", "and ends")

    asyncio.run(scenario())
    assert talks(hotline, hotline.call_of(HELPED)["id"]) == ["agent1", "agent1", "agent2"]
    hotline.assert_ledger_complete()


@pytest.mark.full
def test_at_the_page_an_agent_outside_has_a_number_rung_that_joins(
    hotline: Hotline, carrier_port: int, tmp_path: Path
) -> None:
    async def scenario() -> None:
        async with (
            come_in(hotline, carrier_port) as outside, chromium(tmp_path) as browser,
        ):
            page = await signed_in(browser, hotline, "agent1")
            await expect(page.locator("body")).to_have_attribute("data-agent-state", "ready")
            async with taken_outside(hotline, outside, JOINED) as (call, rung):
                await expect(page.locator("#caller")).to_have_text(JOINED)
                await page.keyboard.press("F9")
                await page.keyboard.type(FRIEND)
                await expect(page.locator("#guest-list option")).to_have_count(1)
                await page.locator("#guest-form [data-act=invite]").press("Enter")
                friend = await outside.incoming(PATIENCE_S)
                assert friend.dialled == FRIEND
                await expect(page.locator("#guest-state")).to_contain_text("Đang gọi")
                assert await hears(call, FIRST_HZ), "they go on speaking while it rings"
                friend.answer()
                await expect(page.locator("#guest-state")).to_contain_text("trong cuộc gọi")
                friend.play_tone(SECOND_HZ)
                rung.stop_playing()
                assert await hears(call, SECOND_HZ)
                assert await hears(friend, CITIZEN_HZ)
                await rung.press("7")  # a guest may have a menu of its own
                await until(lambda: friend.keys_heard == "7", "keys reach the guest")
                await page.click("#guest-back")
                assert await friend.ended(PATIENCE_S)
                rung.play_tone(FIRST_HZ)
                assert await hears(call, FIRST_HZ)
                await rung.hang_up()
                await until_heard(call, hotline, "survey_intro")
                await call.hang_up()
            await expect(page.locator("body")).to_have_attribute("data-agent-state", "wrapup")
            await expect(page.locator("#state-time")).to_contain_text("còn 0:")

    asyncio.run(scenario())
    assert talks(hotline, hotline.call_of(JOINED)["id"])[0] == "agent1"
    hotline.assert_ledger_complete()


@pytest.mark.full
def test_an_agent_outside_leads_callers_on_by_keys(hotline: Hotline, carrier_port: int) -> None:
    """To the operators' queue and to a service, with nothing but Asterisk."""
    async def scenario() -> None:
        async with come_in(hotline, carrier_port) as outside:
            async with (
                taken_outside(hotline, outside, LED_ON) as (call, rung),
                desk_agent(hotline, "agent2", phone_name="desk-02") as desk,
            ):
                await rung.press("*0")
                assert await rung.ended(PATIENCE_S)
                taker = await desk.incoming(PATIENCE_S)
                taker.answer()
                taker.play_tone(SECOND_HZ)
                assert await hears(call, SECOND_HZ)
                assert await hears(taker, CITIZEN_HZ)
                await asyncio.sleep(2)  # less is no conversation
                await call.hang_up()
            async with taken_outside(hotline, outside, IN_NEED) as (call, rung):
                await rung.press("*5")
                assert await rung.ended(PATIENCE_S)
                service = await outside.incoming(PATIENCE_S)
                assert service.dialled == SERVICE
                service.answer()
                service.play_tone(SECOND_HZ)
                assert await hears(call, SECOND_HZ)
                assert await hears(service, CITIZEN_HZ)
                await call.hang_up()

    asyncio.run(scenario())
    calls = {one: hotline.call_of(one) for one in (LED_ON, IN_NEED)}
    assert {one: (of["outcome"], of["branch"]) for one, of in calls.items()} == {
        LED_ON: ("answered", "general"), IN_NEED: ("transferred", "emergency"),
    }
    led = ("agent1", "blind", "done")
    assert led_on(hotline, calls[LED_ON]["id"]) == [led]
    assert talks(hotline, calls[LED_ON]["id"]) == ["agent1", "agent2"]
    assert led_on(hotline, calls[IN_NEED]["id"]) == [led]
    hotline.assert_ledger_complete()


@pytest.mark.full
def test_a_caller_whose_agent_outside_fell_silent_is_kept_and_rings_there_again(
    hotline: Hotline, carrier_port: int
) -> None:
    async def scenario() -> None:
        async with (
            come_in(hotline, carrier_port) as outside,
            taken_outside(hotline, outside, KEPT) as (call, rung),
        ):
            rung.fall_silent()
            await until_heard(call, hotline, "call_broken_off")
            again = await outside.incoming(PATIENCE_S)
            assert again.dialled == MOBILE
            again.answer()
            await until(lambda: again.heard_length > RATE, "who rings is being said")
            await again.press("1")
            again.play_tone(SECOND_HZ)
            assert await hears(call, SECOND_HZ)
            assert await hears(again, CITIZEN_HZ)
            await asyncio.sleep(2)  # less is no conversation
            await call.hang_up()

    asyncio.run(scenario())
    kept = hotline.call_of(KEPT)
    assert (kept["outcome"], kept["agent"]) == ("answered", "agent1")
    hotline.assert_ledger_complete()


def talks(hotline: Hotline, call: str) -> list[str | None]:
    """Who spoke with the caller, one after the other."""
    return [one.agent for one in segments(hotline, call) if one.what == "talk"]


def led_on(hotline: Hotline, call: str) -> list[tuple[str | None, ...]]:
    """Who led the caller on, how, and what came of it."""
    return [
        (one.agent, one.how, one.result)
        for one in segments(hotline, call) if one.what == "transfer"
    ]


def segments(hotline: Hotline, call: str) -> list[CallSegment]:
    with hotline.database.reading() as session:
        return list(session.scalars(
            select(CallSegment).where(CallSegment.call_id == call).order_by(CallSegment.number)
        ))


def helps(hotline: Hotline) -> list[HelpCall]:
    with hotline.database.reading() as session:
        return assistance.waiting(session)


@pytest.mark.full
def test_three_wrong_pins_shut_the_number_and_the_telephone_for_a_quarter_of_an_hour(
    hotline: Hotline, carrier_port: int
) -> None:
    number, pin = new_pin(hotline, "agent2")
    wrong = f"{(int(pin) + 1) % 10**6:06}"
    hotline.ask(f"database put staff_wrong c.0999999999 3.{int(time.time()) - 901}")
    hotline.ask(f"database put staff_wrong c.0999999998 1.{int(time.time())}")

    async def scenario() -> None:
        async with (
            telephones(hotline, carrier_port), citizen(hotline, OTHER) as thief,
            citizen(hotline, MOBILE) as agent,
        ):
            call = await called(thief, STAFF)
            after = 0
            for _ in range(3):
                await typed(call, hotline, number, wrong, after)
                await until_heard(call, hotline, "staff_wrong", after=after)
                after = call.heard_length
            await until_heard(call, hotline, "staff_locked", after=after)
            assert await call.ended(PATIENCE_S)
            counted = hotline.ask("database show staff_wrong")
            assert "0999999998" in counted
            assert "0999999999" not in counted, "what counts no more is forgotten"
            call = await called(thief, STAFF)  # this telephone is not even asked
            await until_heard(call, hotline, "staff_locked")
            assert not heard(call.heard, hotline, "staff_number")
            # nor does the right PIN open the number, from the agent's own telephone
            call = await called(agent, STAFF)
            await typed(call, hotline, number, pin)
            await until_heard(call, hotline, "staff_locked")
            assert await call.ended(PATIENCE_S)
            long_ago = int(time.time()) - 901
            hotline.ask(f"database put staff_wrong n.{number} 3.{long_ago}")
            call = await called(agent, STAFF)
            await typed(call, hotline, number, pin)
            await until_heard(call, hotline, "agent_login_ok")
            await call.press("3")
            assert await call.ended(PATIENCE_S)

    asyncio.run(scenario())
    told = re.findall(r'extra"":""act=(\w+)\|number=(\d*)', hotline.journal())
    assert told.count(("wrong", number)) == 3
    assert ("locked", number) in told
    wait_for(
        lambda: f"by keypad, number {number}: wrong" in hotline.log.read_text(encoding="utf-8"),
        "it stands in the log",
    )
    assert "agent2" not in hotline.ask("queue show operator")


def test_what_asterisk_forgot_of_pins_it_is_told_again(hotline: Hotline) -> None:
    number, _ = new_pin(hotline, "agent2")
    wait_for(lambda: "agent2" in hotline.ask(f"database get switch staff.{number}"), "it is told")
    hotline.ask("database deltree switch")
    hotline.signal("listener", signal.SIGKILL)
    wait_for(lambda: "agent2" in hotline.ask(f"database get switch staff.{number}"), "told again")
    Console(hotline, "admin").submit("/users/agent2/pin", act="off")
    wait_for(lambda: "Value: off" in hotline.ask(f"database get switch pin.{number}"), "taken away")
