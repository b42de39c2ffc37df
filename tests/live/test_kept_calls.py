"""A caller whose agent's phone is gone is kept: the same agent is rung again, then the queue's
others, and with everything behind Asterisk standing still."""

import asyncio
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.async_api import Page, expect
from sqlalchemy import select

from crm.models import CallNote
from ivr.phone import Call
from tests.live.browser import (
    AGENT_HZ,
    chromium,
    heard_by_page,
    network,
    signed_in,
    sound_ports,
    take_calls,
    watched,
)
from tests.live.people import Console, called, citizen, desk_agent, hears_tone, until_heard
from tests.live.running import PATIENCE_S, Hotline, running_hotline, wait_for
from tests.live.test_rooms import hears

CITIZEN_HZ = 440


@pytest.fixture(scope="module")
def hotline(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hotline]:
    home = tmp_path_factory.mktemp("kept") / "home"
    with running_hotline(home, HOTLINE_PHONE_SILENT_S="5") as running:
        yield running


async def to_an_agent(call: Call, hotline: Hotline) -> None:
    await until_heard(call, hotline, "greeting_main")
    await call.press("0")


async def state_is(page: Page, state: str) -> None:
    await expect(page.locator("body")).to_have_attribute("data-phone-state", state)


def test_a_page_that_is_loaded_again_gets_its_caller_back(
    hotline: Hotline, tmp_path: Path
) -> None:
    async def scenario() -> None:
        async with chromium(tmp_path) as browser, citizen(hotline, "0912000601") as phone:
            agent = await signed_in(browser, hotline, "agent1")
            await take_calls(agent)
            call = await called(phone)
            await to_an_agent(call, hotline)
            await state_is(agent, "ringing")
            await agent.click("#answer")
            await state_is(agent, "talking")
            await agent.fill("#note", "mới kể được một nửa")
            agent.on("dialog", lambda dialog: asyncio.ensure_future(dialog.accept()))
            await agent.reload()
            await until_heard(call, hotline, "call_broken_off")
            await state_is(agent, "ringing")
            await expect(agent.locator("#note")).to_have_value("mới kể được một nửa")
            await expect(agent.locator("#caller")).to_contain_text("0912000601")
            await agent.click("#answer")
            await state_is(agent, "talking")
            call.play_tone(CITIZEN_HZ)
            assert await heard_by_page(agent, CITIZEN_HZ), "the agent does not hear the citizen"
            await hears_tone(call, AGENT_HZ)
            await expect(agent.locator("body")).to_have_attribute("data-agent-state", "talking")
            await agent.click("#hangup")  # by the agent's own hand: nobody is rung again
            await until_heard(call, hotline, "survey_intro")
            await call.hang_up()
            await agent.click("#leave")

    asyncio.run(scenario())
    kept = hotline.call_of("0912000601")
    assert (kept["outcome"], kept["agent"]) == ("answered", "agent1")
    assert hotline.run("ledger").returncode == 0


def test_a_browser_that_died_leaves_its_caller_to_the_next_agent_with_everything_else_dead(
    hotline: Hotline, tmp_path: Path
) -> None:
    frozen = ("listener", "console", "scheduler")

    async def scenario() -> None:
        async with (
            chromium(tmp_path) as browser, citizen(hotline, "0912000602") as phone,
            citizen(hotline, "0912000603") as later,
        ):
            agent = await signed_in(browser, hotline, "agent1")
            await take_calls(agent)
            call = await called(phone)
            await to_an_agent(call, hotline)
            await agent.click("#answer")
            await state_is(agent, "talking")
            async with desk_agent(hotline, "agent2", phone_name="desk-02") as desk:
                for name in frozen:
                    hotline.signal(name, signal.SIGSTOP)
                try:
                    await browser.close()  # no good-bye: only the silence tells
                    await until_heard(call, hotline, "call_broken_off")
                    # who calls later is behind, though nobody else waits in the queue yet
                    behind = await called(later)
                    await to_an_agent(behind, hotline)
                    first = await desk.incoming(PATIENCE_S)
                    first.answer()  # a free agent is there at once for the later caller
                    await first.hang_up()
                    second = await desk.incoming(PATIENCE_S)
                    second.answer()
                    second.play_tone(1000)
                    call.play_tone(CITIZEN_HZ)
                    await hears_tone(call, 1000)
                    await hears_tone(second, CITIZEN_HZ)
                    await asyncio.sleep(2)  # for less nobody has spoken
                    await asyncio.gather(call.hang_up(), behind.hang_up())
                finally:
                    for name in frozen:
                        hotline.signal(name, signal.SIGCONT)

    asyncio.run(scenario())
    kept = hotline.call_of("0912000602")
    assert (kept["outcome"], kept["agent"]) == ("answered", "agent2")
    assert hotline.run("ledger").returncode == 0


@pytest.mark.full
def test_in_a_room_whose_guest_has_gone_the_caller_of_a_phone_that_fell_silent_is_kept_as_well(
    hotline: Hotline
) -> None:
    async def scenario() -> None:
        console = await asyncio.to_thread(Console, hotline, "agent1")
        async with (
            desk_agent(hotline, "agent1", console=console) as desk,
            citizen(hotline, "0912000604") as phone,
        ):
            call = await called(phone)
            await to_an_agent(call, hotline)
            at_desk = await desk.incoming(PATIENCE_S)
            at_desk.answer()
            at_desk.play_tone(AGENT_HZ)
            await hears_tone(call, AGENT_HZ)
            async with desk_agent(hotline, "agent2", phone_name="desk-02") as other:
                id_ = at_desk.invite_header("X-Hotline-Call")
                asked = {"act": "invite", "kind": "agent", "to": "agent2"}
                done = await asyncio.to_thread(
                    console.ask, "POST", f"/agent/calls/{id_}/with", asked)
                assert done["outcome"] == "done"
                guest = await other.incoming(PATIENCE_S)
                guest.answer()
                at_desk.stop_playing()
                guest.play_tone(1000)
                await hears_tone(call, 1000)
                await guest.hang_up()
            at_desk.fall_silent()
            await until_heard(call, hotline, "call_broken_off")
            again = await desk.incoming(PATIENCE_S)
            again.answer()
            again.play_tone(1500)
            call.play_tone(CITIZEN_HZ)
            await hears_tone(call, 1500)
            await hears_tone(again, CITIZEN_HZ)
            await asyncio.sleep(2)  # for less nobody has spoken
            await call.hang_up()

    asyncio.run(scenario())
    kept = hotline.call_of("0912000604")
    assert (kept["outcome"], kept["agent"]) == ("answered", "agent1")
    assert hotline.run("ledger").returncode == 0


def notes(hotline: Hotline) -> list[str]:
    with hotline.database.reading() as session:
        return list(session.scalars(select(CallNote.text)))


async def until(look: Callable[[], bool], what: str) -> None:
    await asyncio.to_thread(wait_for, look, what)


@pytest.mark.full
def test_the_same_agent_is_rung_for_20_s_and_then_the_queue_before_all_who_came_later(
    hotline: Hotline, tmp_path: Path
) -> None:
    """One waits when the page dies, another comes after; the kept caller is before both."""
    kept, waits, comes = "0912000611", "0912000612", "0912000613"

    async def scenario() -> None:
        async with (
            chromium(tmp_path) as browser, citizen(hotline, kept) as first,
            citizen(hotline, waits) as second, citizen(hotline, comes) as third,
        ):
            agent = await signed_in(browser, hotline, "agent1")
            await take_calls(agent)
            calls = {kept: await called(first)}
            await to_an_agent(calls[kept], hotline)
            await state_is(agent, "ringing")
            await agent.click("#answer")
            await state_is(agent, "talking")
            calls[waits] = await called(second)
            await to_an_agent(calls[waits], hotline)
            await until_heard(calls[waits], hotline, "queue_connecting")
            agent.on("dialog", lambda dialog: asyncio.ensure_future(dialog.accept()))
            await agent.reload()
            await until_heard(calls[kept], hotline, "call_broken_off")
            await state_is(agent, "ringing")
            await agent.keyboard.press("Shift+F4")  # is not there; nobody of the queue is
            calls[comes] = await called(third)
            await to_an_agent(calls[comes], hotline)
            await until_heard(calls[comes], hotline, "queue_connecting")
            await expect(agent.locator("body")).not_to_have_attribute(
                "data-phone-state", "ringing"
            )
            async with desk_agent(hotline, "agent2", phone_name="desk-02") as desk:
                for number in (kept, waits, comes):
                    rung = await desk.incoming(PATIENCE_S)
                    assert rung.invite_header("X-Hotline-Caller") == number
                    rung.answer()
                    rung.play_tone(1000)
                    await hears_tone(calls[number], 1000)
                    await asyncio.sleep(2)  # for less nobody has spoken
                    await calls[number].hang_up()
            await agent.click("#leave")

    asyncio.run(scenario())
    call = hotline.call_of(kept)
    assert (call["outcome"], call["agent"]) == ("answered", "agent2")
    _, *again, _ = hotline.every_leg(call["id"])  # a page that loads is tried every two seconds
    assert again[-1].ended_at is not None
    rang_s = (again[-1].ended_at - again[0].started_at).total_seconds()
    assert 8 < rang_s < 22  # of 20 s since the page was gone, the reload took the first
    hotline.assert_ledger_complete()


@pytest.mark.full
def test_in_a_new_browser_after_a_crash_the_agent_finds_the_note_and_the_caller(
    hotline: Hotline, tmp_path: Path
) -> None:
    number = "0912000614"

    async def scenario() -> None:
        async with citizen(hotline, number) as phone:
            async with chromium(tmp_path) as crashes:
                agent = await signed_in(crashes, hotline, "agent1")
                await take_calls(agent)
                call = await called(phone)
                await to_an_agent(call, hotline)
                await state_is(agent, "ringing")
                await agent.click("#answer")
                await state_is(agent, "talking")
                await agent.fill("#note", "nhà có người già, mái tốc")
                await expect(agent.locator("#note-state")).to_have_attribute("data-saved", "true")
                await crashes.close()  # no good-bye
            async with chromium(tmp_path) as anew:  # nothing is known to this one
                agent = await signed_in(anew, hotline, "agent1")
                await until_heard(call, hotline, "call_broken_off")
                await state_is(agent, "ringing")
                await expect(agent.locator("#caller")).to_have_text(number)
                await expect(agent.locator("#note")).to_have_value("nhà có người già, mái tốc")
                await agent.click("#answer")
                await state_is(agent, "talking")
                call.play_tone(CITIZEN_HZ)
                assert await heard_by_page(agent, CITIZEN_HZ)
                assert await hears(call, AGENT_HZ)
                await agent.click("#hangup")
                await call.hang_up()
                await agent.click("#leave")

    asyncio.run(scenario())
    call = hotline.call_of(number)
    assert (call["outcome"], call["agent"]) == ("answered", "agent1")
    hotline.assert_ledger_complete()


@pytest.mark.full
def test_a_page_whose_network_is_cut_says_so_and_loses_neither_the_note_nor_the_caller(
    hotline: Hotline, tmp_path: Path
) -> None:
    """Packets to and from the console and the WebSocket are dropped, and the sound goes on; then
    those of the sound, too. Needs root."""
    number = "0912000615"

    async def scenario() -> None:
        async with chromium(tmp_path) as browser, citizen(hotline, number) as phone:
            agent = await watched(browser, hotline, "agent1")
            await take_calls(agent)
            call = await called(phone)
            await to_an_agent(call, hotline)
            await state_is(agent, "ringing")
            await agent.click("#answer")
            await state_is(agent, "talking")
            sound, settings = await sound_ports(agent), hotline.settings
            ports = f"{{ {settings.console_bind.port}, {settings.ws_bind.port} }}"
            cut = (f"tcp dport {ports}", f"tcp sport {ports}")
            note, kept = agent.locator("#note"), agent.locator("#note-state")
            with network("cut", *cut):
                await note.fill("mất mạng giữa cuộc gọi")
                await expect(kept).to_contain_text("Đã giữ trong trình duyệt")
                await expect(agent.locator("#banner-feed")).to_be_visible()
                call.play_tone(CITIZEN_HZ)
                assert await heard_by_page(agent, CITIZEN_HZ)
                assert await hears(call, AGENT_HZ)
                await state_is(agent, "talking")
            await expect(agent.locator("#banner-feed")).to_be_hidden()
            await until(lambda: notes(hotline)[-1:] == ["mất mạng giữa cuộc gọi"], "it is saved")
            assert await hears(call, AGENT_HZ)

            with network("cut", *cut, f"udp dport {sound}", f"udp sport {sound}"):
                await note.fill("mất mạng giữa cuộc gọi, cả tiếng")
                await until_heard(call, hotline, "call_broken_off")
                await expect(agent.locator("#banner-line")).to_contain_text("không tới được")
            await state_is(agent, "ringing")
            await expect(note).to_have_value("mất mạng giữa cuộc gọi, cả tiếng")
            await agent.click("#answer")
            await state_is(agent, "talking")
            assert await heard_by_page(agent, CITIZEN_HZ)
            assert await hears(call, AGENT_HZ)
            await agent.click("#hangup")
            await call.hang_up()
            await until(
                lambda: notes(hotline)[-1:] == ["mất mạng giữa cuộc gọi, cả tiếng"], "it is saved")
            await agent.click("#leave")

    asyncio.run(scenario())
    call = hotline.call_of(number)
    assert (call["outcome"], call["agent"]) == ("answered", "agent1")
    hotline.assert_ledger_complete()
