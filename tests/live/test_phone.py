"""The phone in the page: the line and the microphone are watched, an echo tells how one is heard,
a connection that broke comes back within the call, and all of it goes by keys."""

import asyncio
import re
from pathlib import Path

import pytest
from playwright.async_api import Dialog, Page, expect
from sqlalchemy import select

from crm.models import LineQuality
from ivr.phone import Call
from ivr.phone.audio import is_sound
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
from tests.live.people import called, citizen, until_heard
from tests.live.running import Hotline, wait_for
from tests.live.test_rooms import hears, hears_not

CITIZEN_HZ = 440

# The page's WebSockets and microphones, so that a test can break them.
BREAKABLE = """
  window.sockets = [];
  const Real = window.WebSocket;
  window.WebSocket = class extends Real {
    constructor(...words) { super(...words); window.sockets.push(this); }
  };
  const media = navigator.mediaDevices;
  const real = media.getUserMedia.bind(media);
  window.microphones = [];
  media.getUserMedia = async (wish) => {
    const stream = window.silent
      ? new AudioContext().createMediaStreamDestination().stream : await real(wish);
    window.microphones.push(stream);
    return stream;
  };
"""


FIGURES = re.compile(
    r"mất gói (\d+) %, dao động trễ \d+ ms, trễ khứ hồi \d+ ms, điểm (\d,\d) trên 4,4"
)


async def with_an_agent(call: Call, hotline: Hotline, agent: Page) -> None:
    await until_heard(call, hotline, "greeting_main")
    await call.press("0")
    await state_is(agent, "ringing")


async def state_is(page: Page, state: str) -> None:
    await expect(page.locator("body")).to_have_attribute("data-phone-state", state)


async def breakable(browser: object, hotline: Hotline, login: str = "agent1") -> Page:
    page = await signed_in(browser, hotline, login)  # type: ignore[arg-type]
    await page.add_init_script(BREAKABLE)
    await page.reload()
    return page


def test_everything_goes_by_keys_and_the_line_stands_in_the_list_of_calls(
    hotline: Hotline, tmp_path: Path
) -> None:
    async def scenario() -> None:
        async with chromium(tmp_path) as browser, citizen(hotline, "0912000911") as phone:
            agent = await signed_in(browser, hotline, "agent1")
            key, body = agent.keyboard.press, agent.locator("body")
            await key("Shift+F2")
            await expect(body).to_have_attribute("data-registration", "registered")
            await expect(body).to_have_attribute("data-agent-state", "paused")
            await key("Shift+F8")
            result = agent.locator("#echo-result")
            await expect(result).to_have_attribute("data-outcome", "done")
            await expect(result).to_have_text(re.compile("Nghe rõ|Nghe được"))
            await expect(agent.locator("#try-echo")).to_be_enabled()
            await key("Shift+F2")
            await expect(body).to_have_attribute("data-agent-state", "ready")
            call = await called(phone)
            await with_an_agent(call, hotline, agent)
            await key("F2")
            await state_is(agent, "talking")
            call.play_tone(CITIZEN_HZ)
            assert await heard_by_page(agent, CITIZEN_HZ)
            await expect(agent.locator("#call-line")).to_have_attribute(
                "data-quality", "good"
            )
            assert float(await agent.locator("#call-level").evaluate("one => one.value")) > 0
            await key("F7")
            await expect(agent.locator("#mute")).to_have_attribute("aria-pressed", "true")
            assert await hears_not(call, AGENT_HZ)
            await key("F7")
            assert await hears(call, AGENT_HZ)
            await key("F8")
            await state_is(agent, "held")
            start = call.heard_length
            assert await hears_not(call, AGENT_HZ)
            assert is_sound(call.heard_since(start)), "music instead"
            await key("F8")
            await state_is(agent, "talking")
            assert await hears(call, AGENT_HZ)
            await key("Shift+F3")
            await key("5")
            await expect(agent.locator("#keys-sent")).to_have_text("5")
            await key("Escape")
            await expect(agent.locator("#keypad")).to_be_hidden()
            await key("F9")
            await expect(agent.locator("#guests")).to_be_visible()
            await key("Escape")
            await expect(agent.locator("#guests")).to_be_hidden()
            await key("Shift+F9")
            await agent.keyboard.type("chỉ bằng bàn phím")
            await key("F4")
            await state_is(agent, "ended")
            await key("Tab")  # from the note to its results
            await key("Space")
            await key("Control+Enter")
            await expect(agent.locator("#no-call")).to_be_visible()
            await key("Shift+F4")
            await expect(body).to_have_attribute("data-agent-state", "paused")
            await key("Shift+F6")
            await expect(body).to_have_attribute("data-agent-state", "offline")
            supervisor = await signed_in(browser, hotline, "truongca")
            await supervisor.goto("/calls")
            row = supervisor.locator("tr", has_text="0912000911")
            await expect(row.locator(".line-good, .line-fair")).to_be_visible()
            await call.ended(30)

    asyncio.run(scenario())
    call = hotline.call_of("0912000911")
    with hotline.database.reading() as session:
        line = session.scalars(select(LineQuality).where(LineQuality.call_id == call["id"])).one()
    assert (line.agent, line.samples > 0, 1 <= line.worst <= line.mean <= 4.5) == (
        "agent1", True, True
    )


def test_a_connection_that_broke_tells_of_a_caller_who_hung_up_meanwhile_or_just_after(
    hotline: Hotline, tmp_path: Path
) -> None:
    async def scenario() -> None:
        async with chromium(tmp_path) as browser, citizen(hotline, "0912000912") as phone:
            agent = await breakable(browser, hotline)
            await take_calls(agent)
            for hung_up in ("just after", "later", "meanwhile"):
                call = await called(phone)
                await with_an_agent(call, hotline, agent)
                await agent.click("#answer")
                await state_is(agent, "talking")
                sockets = await agent.evaluate("window.sockets.length")
                await agent.evaluate("window.sockets.at(-1).close()")
                if hung_up == "meanwhile":
                    await call.hang_up()
                while not await agent.evaluate(
                    "(n) => window.sockets.length > n && window.sockets.at(-1).readyState === 1",
                    sockets,
                ):
                    await asyncio.sleep(0.02)
                if hung_up == "later":
                    call.play_tone(CITIZEN_HZ)
                    assert await heard_by_page(agent, CITIZEN_HZ)  # it went on all the while
                    assert call.heard_tone(AGENT_HZ)
                if hung_up != "meanwhile":
                    await call.hang_up()
                await expect(agent.locator("body")).to_have_attribute(
                    "data-phone-state", "ended", timeout=8000
                )
                await expect(agent.locator("body")).to_have_attribute(
                    "data-registration", "registered"
                )
                await expect(agent.locator("body")).to_have_attribute("data-agent-state", "ready")
            await agent.click("#leave")

    asyncio.run(scenario())


@pytest.mark.full
def test_a_page_is_left_without_a_question_but_in_a_call(
    hotline: Hotline, tmp_path: Path
) -> None:
    asked: list[str] = []

    async def stay(dialog: Dialog) -> None:
        asked.append(dialog.type)
        await dialog.dismiss()

    async def scenario() -> None:
        async with chromium(tmp_path) as browser, citizen(hotline, "0912000913") as phone:
            agent = await signed_in(browser, hotline, "agent1")
            agent.on("dialog", lambda dialog: asyncio.ensure_future(stay(dialog)))
            await take_calls(agent)
            await agent.reload()
            await expect(agent.locator("body")).to_have_attribute("data-registration", "registered")
            assert asked == []
            call = await called(phone)
            await with_an_agent(call, hotline, agent)
            await agent.click("#answer")
            await state_is(agent, "talking")
            await agent.evaluate("setTimeout(() => location.reload())")
            await asyncio.to_thread(wait_for, lambda: asked == ["beforeunload"], "asked first")
            call.play_tone(CITIZEN_HZ)
            assert await heard_by_page(agent, CITIZEN_HZ)  # who stays speaks on
            await agent.click("#hangup")
            await call.hang_up()
            await agent.click("#leave")

    asyncio.run(scenario())


@pytest.mark.full
def test_a_microphone_that_is_silent_or_gone_is_told_and_taken_again(
    hotline: Hotline, tmp_path: Path
) -> None:
    async def scenario() -> None:
        async with chromium(tmp_path) as browser, citizen(hotline, "0912000914") as phone:
            agent = await breakable(browser, hotline)
            await take_calls(agent)
            await agent.evaluate("window.silent = true")
            await agent.click("#try-echo")
            result = agent.locator("#echo-result")
            await expect(result).to_have_attribute("data-outcome", "failed")
            await expect(result).to_contain_text("Micrô không có tiếng")
            call = await called(phone)
            await with_an_agent(call, hotline, agent)
            await agent.click("#answer")
            await state_is(agent, "talking")
            silent = agent.locator("#banner-silent")
            await expect(silent).to_contain_text("Micrô đang im lặng")
            # the headset is unplugged, and another one is there
            await agent.evaluate("""() => {
                window.silent = false;
                const [track] = window.microphones.at(-1).getTracks();
                track.stop();
                track.dispatchEvent(new Event("ended"));
            }""")
            await expect(silent).to_be_hidden()
            for _ in range(30):
                if call.heard_tone(AGENT_HZ):
                    break
                await asyncio.sleep(1)
            assert call.heard_tone(AGENT_HZ)
            await agent.click("#hangup")
            await call.hang_up()
            await agent.click("#leave")

    asyncio.run(scenario())


@pytest.mark.full
def test_a_network_that_loses_packets_is_told_in_figures_and_in_plain_words(
    hotline: Hotline, tmp_path: Path
) -> None:
    """A third of the real packets of the call are dropped by the kernel, on the way to the page and
    then on the way from it. Needs root."""
    async def scenario() -> None:
        async with chromium(tmp_path) as browser, citizen(hotline, "0912000915") as phone:
            agent = await watched(browser, hotline, "agent1")
            await take_calls(agent)
            await agent.keyboard.press("Alt+M")
            await agent.click("#try-microphone")
            level = agent.locator("#level")
            async with asyncio.timeout(30):
                while float(await level.evaluate("one => one.value")) < 0.02:
                    await asyncio.sleep(0.1)
            call = await called(phone)
            await with_an_agent(call, hotline, agent)
            await agent.keyboard.press("F2")
            await state_is(agent, "talking")
            call.play_tone(CITIZEN_HZ)
            line, figures = agent.locator("#call-line"), agent.locator("#line-figures")
            banner = agent.locator("#banner-line")
            await expect(line).to_have_attribute("data-quality", "good")
            await expect(figures).to_have_text(FIGURES)
            await expect(banner).to_be_hidden()
            ports = await sound_ports(agent)
            third = "numgen random mod 100 < 33"
            for way, words in (
                ("dport", "Anh chị nghe người gọi không rõ"),
                ("sport", "Người gọi nghe anh chị không rõ"),
            ):
                with network("loss", f"udp {way} {ports} {third}"):
                    await expect(banner).to_contain_text(words)
                    await expect(line).to_have_attribute("data-quality", "bad")
                    told = re.match(FIGURES, await figures.inner_text())
                    assert told
                    assert 15 <= int(told[1]) <= 55
                    assert float(told[2].replace(",", ".")) < 3.1
                await expect(banner).to_be_hidden()
            await agent.click("#hangup")
            await call.hang_up()
            await agent.click("#leave")

    asyncio.run(scenario())
    call = hotline.call_of("0912000915")
    with hotline.database.reading() as session:
        line = session.scalars(select(LineQuality).where(LineQuality.call_id == call["id"])).one()
    assert line.loss >= 15
    assert line.worst < 3.1 < line.mean + 1.5
