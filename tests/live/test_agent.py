"""A citizen and an agent: from the trunk to the agent's screen, and with everything behind it
dead. On PostgreSQL, which can be stopped."""

import asyncio
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.async_api import Page, expect
from sqlalchemy import select

from crm.models import CallNote
from ivr.phone import Call, Phone
from tests.live.browser import AGENT_HZ, chromium, heard_by_page, signed_in, take_calls
from tests.live.people import called, citizen, desk_agent, hears_tone, until_heard
from tests.live.running import PATIENCE_S, Hotline, running_hotline, wait_for
from tests.postgres import Server

CITIZEN_HZ, OTHER_HZ = 440, 600


@pytest.fixture(scope="module")
def postgres() -> Iterator[Server]:
    with Server() as server:
        yield server


@pytest.fixture(scope="module")
def hotline(tmp_path_factory: pytest.TempPathFactory, postgres: Server) -> Iterator[Hotline]:
    folder = tmp_path_factory.mktemp("agent")
    with running_hotline(folder / "home", HOTLINE_DATABASE_URL=postgres.url) as running:
        yield running


@contextmanager
def standing_still(postgres: Server, hotline: Hotline, *processes: str) -> Iterator[None]:
    """The database, and processes of the hotline's, meanwhile."""
    try:
        for name in processes:
            hotline.signal(name, signal.SIGSTOP)
        postgres.signal(signal.SIGSTOP)
        yield
    finally:
        postgres.signal(signal.SIGCONT)
        for name in processes:
            hotline.signal(name, signal.SIGCONT)


async def to_queue(call: Call, hotline: Hotline) -> None:
    """The citizen's way to the vaccination queue: 3, then 0."""
    await until_heard(call, hotline, "greeting_main")
    await call.press("3")
    await until_heard(call, hotline, "vaccine_menu_intro")
    await call.press("0")


async def both_are_heard(call: Call, page: Page) -> None:
    call.play_tone(CITIZEN_HZ)
    assert await heard_by_page(page, CITIZEN_HZ), "the agent does not hear the citizen"
    await hears_tone(call, AGENT_HZ)


def test_from_the_trunk_to_the_agents_screen(hotline: Hotline, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with chromium(tmp_path) as browser, citizen(hotline, "0912345678") as phone:
            agent = await signed_in(browser, hotline, "agent1")
            await take_calls(agent)
            supervisor = await signed_in(browser, hotline, "truongca")
            call = await called(phone)
            await to_queue(call, hotline)

            await expect(agent.locator("body")).to_have_attribute("data-phone-state", "ringing")
            await expect(agent.locator("#caller")).to_contain_text("0912345678")
            await expect(agent.locator("#call-branch")).to_contain_text("Tiêm chủng")
            await agent.click("#answer")
            await expect(agent.locator("body")).to_have_attribute("data-phone-state", "talking")
            await expect(supervisor.locator("body")).to_contain_text("Điện thoại viên 1")
            await both_are_heard(call, agent)
            await agent.fill("#note", "Hỏi lịch tiêm mũi nhắc lại")

            # a reload in mid-call loses the call's audio leg, never the note
            await call.hang_up()
            await expect(agent.locator("body")).not_to_have_attribute("data-phone-state", "talking")
            await agent.reload()
            await expect(agent.locator("#note")).to_have_value("Hỏi lịch tiêm mũi nhắc lại")
            await agent.locator("#results label, #results button").first.click()
            await agent.click("#finish")
            await expect(agent.locator("#own-calls")).to_contain_text("0912345678")
            await agent.click("#leave")
            await expect(agent.locator("body")).to_have_attribute("data-agent-state", "offline")

    asyncio.run(scenario())
    call = hotline.call_of("0912345678")
    assert (call["outcome"], call["branch"], call["agent"]) == ("answered", "vaccine", "agent1")
    assert [(step["menu"], step["key"]) for step in call["path"]] == [
        ("main", "3"), ("vaccine", "0")
    ]
    assert call["talk_s"] >= 2
    assert call["wait_s"] >= 0
    assert call["recording"]
    assert noted(hotline, call["id"]) == [("Hỏi lịch tiêm mũi nhắc lại", True)]
    # the command line says the same
    shown = [one for one in hotline.json("calls") if one["id"] == call["id"]]
    assert shown == [call]
    assert hotline.run("ledger").returncode == 0
    own_log = hotline.home / "asterisk/log/queue_log"
    wait_for(lambda: "|ENTERQUEUE||0xxxxxx678|" in own_log.read_text(), "Asterisk's log is masked")
    assert "0912345678" not in own_log.read_text()


def test_with_listener_console_and_database_dead_agents_still_answer(
    hotline: Hotline, postgres: Server, tmp_path: Path
) -> None:
    async def answers_at_the_desk(desk: Phone) -> Call:
        rung = await desk.incoming(PATIENCE_S)
        rung.answer()
        rung.play_tone(1000)
        return rung

    async def scenario() -> None:
        async with (
            chromium(tmp_path) as browser,
            desk_agent(hotline, "agent2", phone_name="desk-02") as desk,
            citizen(hotline, "0912000201") as first, citizen(hotline, "0912000202") as second,
        ):
            agent = await signed_in(browser, hotline, "agent1")
            await take_calls(agent)
            with standing_still(postgres, hotline, "listener", "console", "scheduler"):
                one, two = await called(first), await called(second)
                await asyncio.gather(to_queue(one, hotline), to_queue(two, hotline))
                at_desk = await answers_at_the_desk(desk)
                await expect(agent.locator("body")).to_have_attribute(
                    "data-phone-state", "ringing"
                )
                await agent.click("#answer")
                await expect(agent.locator("body")).to_have_attribute(
                    "data-phone-state", "talking"
                )
                one.play_tone(CITIZEN_HZ)
                two.play_tone(OTHER_HZ)
                shown = await agent.locator("#caller").inner_text()
                first_at_page = "0912000201" in shown
                with_page, with_desk = (one, two) if first_at_page else (two, one)
                at_page_hz, at_desk_hz = (
                    (CITIZEN_HZ, OTHER_HZ) if first_at_page else (OTHER_HZ, CITIZEN_HZ)
                )
                assert await heard_by_page(agent, at_page_hz), f"the page at {shown}"
                await hears_tone(with_page, AGENT_HZ)
                await hears_tone(with_desk, 1000)
                await hears_tone(at_desk, at_desk_hz)
                await agent.fill("#note", "ghi khi máy chủ chết")
                await asyncio.gather(one.hang_up(), two.hang_up())
            # the note reaches the server when it is back
            await expect(agent.locator("#note-state")).to_be_visible()
            await agent.locator("#results label, #results button").first.click()
            await agent.click("#finish")
            await expect(agent.locator("#own-calls")).to_contain_text(shown.strip()[-3:])

    asyncio.run(scenario())
    for number in ("0912000201", "0912000202"):
        call = hotline.call_of(number)
        assert (call["outcome"], call["branch"]) == ("answered", "vaccine")
    notes = [
        note for number in ("0912000201", "0912000202")
        for note in noted(hotline, hotline.call_of(number)["id"])
    ]
    assert notes == [("ghi khi máy chủ chết", True)]
    agents = {hotline.call_of(number)["agent"] for number in ("0912000201", "0912000202")}
    assert agents == {"agent1", "agent2"}
    hotline.assert_ledger_complete()


def noted(hotline: Hotline, call_id: str) -> list[tuple[str, bool]]:
    """Text and state of the notes of a call."""
    with hotline.database.reading() as session:
        notes = session.scalars(select(CallNote).where(CallNote.call_id == call_id))
        return [(note.text, note.done) for note in notes]


def test_the_supervisors_page_is_pushed_to(hotline: Hotline, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with chromium(tmp_path) as browser, citizen(hotline, "0912000211") as phone:
            page = await signed_in(browser, hotline, "truongca")
            waiting = page.locator("#figure-waiting b")
            await expect(waiting).to_have_text("0")
            call = await called(phone)
            await until_heard(call, hotline, "greeting_main")
            await call.press("6")
            await until_heard(call, hotline, "report_menu_intro")
            await call.press("0")
            await expect(waiting).to_have_text("1")
            await call.hang_up()
            await expect(waiting).to_have_text("0")

    asyncio.run(scenario())
    wait_for(lambda: hotline.call_of("0912000211"), "the call is over")


def test_started_with_its_database_dead_the_hotline_answers_all_the_same(
    hotline: Hotline, postgres: Server
) -> None:
    async def scenario() -> None:
        async with citizen(hotline, "0912000221") as phone:
            call = await called(phone)
            await until_heard(call, hotline, "greeting_main")
            await call.press("2")
            await until_heard(call, hotline, "test_menu_intro")
            await call.hang_up()

    hotline.stop()
    with standing_still(postgres, hotline):
        hotline.start(150, with_database=False)
        asyncio.run(scenario())
    assert hotline.call_of("0912000221", 120)["outcome"] == "abandoned_menu"
    hotline.assert_ledger_complete()
    assert "the database does not answer" in hotline.log.read_text(encoding="utf-8")
