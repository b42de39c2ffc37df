"""The desks in real browsers: an agent asks a colleague and calls a service in; a supervisor
listens, whispers and barges."""

import asyncio
import re
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from crm.recordings.models import Sound
from ivr.phone import Call
from tests.live.browser import AGENT_HZ, chromium, heard_by_page, signed_in, take_calls
from tests.live.carrier import Carrier, running_carrier
from tests.live.people import called, citizen, desk_agent, until_heard
from tests.live.running import PATIENCE_S, Hotline, running_hotline, wait_for
from tests.live.test_rooms import SECOND_HZ, SERVICE, hears, hears_not

CITIZEN_HZ = 440


@pytest.fixture(scope="module")
def carrier(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Carrier]:
    with running_carrier(tmp_path_factory.mktemp("desks-carrier") / "home") as running:
        yield running


@pytest.fixture(scope="module")
def hotline(tmp_path_factory: pytest.TempPathFactory, carrier: Carrier) -> Iterator[Hotline]:
    home = tmp_path_factory.mktemp("desks") / "home"
    with running_hotline(home, **carrier.trunk, HOTLINE_EMERGENCY_MEDICAL=SERVICE) as running:
        wait_for(lambda: "Registered" in running.ask("pjsip show registrations"), "the trunk")
        yield running


async def state_is(page: Page, state: str) -> None:
    await expect(page.locator("body")).to_have_attribute("data-phone-state", state)


async def talks(call: Call, page: Page, hotline: Hotline) -> None:
    await until_heard(call, hotline, "greeting_main")
    await call.press("0")
    await state_is(page, "ringing")
    await page.keyboard.press("F2")
    await state_is(page, "talking")
    call.play_tone(CITIZEN_HZ)


def test_an_agent_asks_a_colleague_and_calls_a_service_in_by_keys_alone(
    hotline: Hotline, tmp_path: Path
) -> None:
    async def scenario() -> None:
        async with chromium(tmp_path) as browser, citizen(hotline, "0912000801") as phone:
            agent = await signed_in(browser, hotline, "agent1")
            await take_calls(agent)
            call = await called(phone)
            await talks(call, agent, hotline)

            async with desk_agent(hotline, "agent2", phone_name="desk-02") as other:
                await agent.keyboard.press("F9")
                await expect(agent.locator("#guest-list option")).not_to_have_count(0)
                await agent.keyboard.type("viên 2")
                await expect(agent.locator("#guest-list option:checked")).to_contain_text("2")
                await agent.keyboard.press("Enter")
                asked = await other.incoming(PATIENCE_S)
                await expect(agent.locator("#guest-state")).to_contain_text("Đang gọi")
                asked.answer()
                asked.play_tone(SECOND_HZ)
                await expect(agent.locator("#guest-state")).to_contain_text("nghe nhạc")
                assert await heard_by_page(agent, SECOND_HZ)
                assert await hears_not(call, AGENT_HZ)
                await agent.click("#guest-back")
                assert await asked.ended(PATIENCE_S)
                assert await hears(call, AGENT_HZ)
            await expect(agent.locator("#guest-row")).to_be_hidden()

            await agent.keyboard.press("F10")
            await expect(agent.locator("#guest-list option:checked")).to_contain_text("115")
            await agent.keyboard.press("Enter")
            await expect(agent.locator("#guest-list")).to_be_hidden()
            await expect(agent.locator("#guest-state")).to_contain_text("trong cuộc gọi")
            call.stop_playing()
            assert await hears(call, AGENT_HZ)
            await agent.click("#guest-back")
            await expect(agent.locator("#guest-row")).to_be_hidden()
            await call.hang_up()
            await expect(agent.locator("body")).to_have_attribute("data-agent-state", "wrapup")
            # an agent who leaves while the wrap-up goes on comes back without it
            await agent.locator("#results label").first.click()
            await agent.click("#finish")
            await expect(agent.locator("body")).to_have_attribute("data-agent-state", "ready")
            await agent.click("#leave")

    asyncio.run(scenario())
    done = hotline.call_of("0912000801")
    assert (done["outcome"], done["agent"]) == ("transferred", "agent1")
    assert hotline.run("ledger").returncode == 0
    assert "Dropped an AMI event" not in hotline.log.read_text(encoding="utf-8")


def test_a_supervisor_listens_whispers_and_barges_from_the_board(
    hotline: Hotline, tmp_path: Path
) -> None:
    async def scenario() -> None:
        async with (
            chromium(tmp_path) as browser, citizen(hotline, "0912000802") as phone,
            desk_agent(hotline, "agent2", phone_name="desk-02") as desk,
        ):
            supervisor = await signed_in(browser, hotline, "truongca")
            await supervisor.click("#own-phone")
            await expect(supervisor.locator("body")).to_have_attribute(
                "data-registration", "registered"
            )
            call = await called(phone)
            await until_heard(call, hotline, "greeting_main")
            await call.press("0")
            at_desk = await desk.incoming(PATIENCE_S)
            at_desk.answer()
            call.play_tone(CITIZEN_HZ)
            heard_by = {"listen": (False, False), "whisper": (True, False), "barge": (True, True)}
            for how, (by_agent, by_citizen) in heard_by.items():
                await supervisor.click(f"#agents button[data-act={how}][data-agent=agent2]")
                await state_is(supervisor, "talking")
                assert await heard_by_page(supervisor, CITIZEN_HZ)
                call.stop_playing()
                for who, meant in ((at_desk, by_agent), (call, by_citizen)):
                    assert await (hears if meant else hears_not)(who, AGENT_HZ), how
                call.play_tone(CITIZEN_HZ)
                await supervisor.click("#own-hangup")
                await state_is(supervisor, "idle")
            await call.hang_up()
            await supervisor.click("#agents button[data-act=pause][data-agent=agent2]")
            await expect(
                supervisor.locator("#agents tr[data-agent=agent2]")
            ).to_have_attribute("data-state", "paused")

            async with citizen(hotline, "0912000803") as later:
                waiting = await called(later)
                await until_heard(waiting, hotline, "greeting_main")
                await waiting.press("0")
                await until_heard(waiting, hotline, "queue_connecting")
                await supervisor.click("#waiting summary")
                row = supervisor.locator("#waiting tbody tr", has_text="0912000803")
                await row.locator("select").select_option("vaccine")
                await expect(row.locator("td").nth(1)).to_have_text("Tiêm chủng")
                await waiting.hang_up()

    asyncio.run(scenario())
    moved = hotline.call_of("0912000803")
    assert (moved["outcome"], moved["branch"]) == ("abandoned_queue", "vaccine")


@pytest.mark.full
def test_a_wrap_up_lasts_through_a_reload_and_a_listener_that_is_killed(
    hotline: Hotline, tmp_path: Path
) -> None:
    async def scenario() -> None:
        async with chromium(tmp_path) as browser, citizen(hotline, "0912000808") as phone:
            agent = await signed_in(browser, hotline, "agent1")
            await take_calls(agent)
            call = await called(phone)
            await talks(call, agent, hotline)
            await asyncio.sleep(2)  # less is no conversation
            await call.hang_up()
            over = time.monotonic()
            body = agent.locator("body")
            await expect(body).to_have_attribute("data-agent-state", "wrapup")
            killed = hotline.signal("listener", signal.SIGKILL)
            await agent.reload()
            await expect(body).to_have_attribute("data-agent-state", "wrapup")
            await expect(agent.locator("#state-time")).to_contain_text("còn")
            await asyncio.to_thread(
                wait_for, lambda: hotline.pid_of("listener") != killed, "the listener is back")
            await expect(body).to_have_attribute("data-agent-state", "ready")
            assert time.monotonic() - over > hotline.settings.wrapup_s - 1
            await agent.click("#leave")

    asyncio.run(scenario())


@pytest.mark.full
def test_a_recording_is_discarded_a_caller_led_on_and_rung_again_by_keys_alone(
    hotline: Hotline, carrier: Carrier, tmp_path: Path
) -> None:
    """Who is rung by a click is shown the hotline's number, never the agent's."""
    number = "0912000809"

    async def scenario() -> None:
        async with chromium(tmp_path) as browser, citizen(hotline, number) as phone:
            agent = await signed_in(browser, hotline, "agent1")
            await take_calls(agent)
            key, recording = agent.keyboard.press, agent.locator("#recording-row")
            call = await called(phone)
            await talks(call, agent, hotline)
            await expect(recording).to_have_attribute("data-recording", "on")
            await key("Alt+X")
            await key("ArrowDown")
            await key("Enter")
            await expect(recording).to_have_attribute("data-recording", "discarded")
            async with desk_agent(hotline, "agent2", phone_name="desk-02") as other:
                await key("F9")
                await expect(agent.locator("#guest-list option")).not_to_have_count(0)
                await agent.keyboard.type("viên 2")
                await expect(agent.locator("#guest-list option:checked")).to_contain_text("2")
                await key("Control+Enter")
                led = await other.incoming(PATIENCE_S)
                await state_is(agent, "ended")  # their part is over before anybody answers
                led.answer()
                led.play_tone(SECOND_HZ)
                assert await hears(call, SECOND_HZ)
                assert await hears(led, CITIZEN_HZ)
                await asyncio.sleep(2)  # less is no conversation
                await call.hang_up()
            await key("Alt+L")
            await state_is(agent, "ringing")
            await expect(agent.locator("#caller")).to_have_text(number)
            await key("F2")
            await state_is(agent, "talking")
            assert await heard_by_page(agent, AGENT_HZ), "the citizen (an echo) hears the agent"
            await key("F4")
            await state_is(agent, "ended")
            await expect(agent.locator("#note-form")).to_be_visible()  # of the same call
            await agent.click("#leave")

    asyncio.run(scenario())
    shown = set(re.findall(r"sip:([^@]+)@", carrier.seen(number)))
    assert shown, carrier.seen(number)
    assert shown <= set(hotline.settings.numbers)
    done = hotline.call_of(number)
    assert (done["outcome"], done["agent"]) == ("answered", "agent2")
    wait_for(
        lambda: [leg.kind for leg in hotline.every_leg(done["id"])].count("outside") == 1,
        "the number that was rung belongs to the call",
    )

    def discarded() -> bool:
        with hotline.database.reading() as session:
            row = session.get(Sound, f"{done['id']}.raw")
            return row is not None and row.discarded_at is not None

    wait_for(discarded, "the recording is deleted", 90)
    assert hotline.run("ledger").returncode == 0
