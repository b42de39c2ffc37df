"""A citizen calls from the page with a real browser: the menu, an agent, and the door's limits."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, expect
from sqlalchemy import select

from crm.models import Call
from tests.live.browser import AGENT_HZ, PATIENCE_MS, chromium, heard_by_page, signed_in, take_calls
from tests.live.running import Hotline, running_hotline, wait_for


@pytest.fixture(scope="module")
def hotline(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hotline]:
    folder = tmp_path_factory.mktemp("web")
    with running_hotline(folder / "home", HOTLINE_WEB_CALLS="1") as running:
        yield running


async def at_the_page(browser: Browser, hotline: Hotline, *, microphone: bool = True) -> Page:
    context = await browser.new_context(
        base_url=hotline.url, permissions=["microphone"] if microphone else []
    )
    page = await context.new_page()
    page.set_default_timeout(PATIENCE_MS)
    expect.set_options(timeout=PATIENCE_MS)
    await page.goto("/call")
    return page


async def in_state(page: Page, state: str) -> None:
    await expect(page.locator("#call")).to_have_attribute("data-state", state)


def ended(hotline: Hotline) -> list[Call]:
    """The calls from the page that have ended, the oldest first."""
    with hotline.database.reading() as session:
        return list(session.scalars(
            select(Call).where(Call.trunk == "web", Call.outcome.is_not(None))
            .order_by(Call.started_at, Call.id)
        ))


def web_calls(hotline: Hotline, count: int) -> list[Call]:
    """The same, once there are so many."""
    wait_for(lambda: len(ended(hotline)) >= count, f"{count} calls from the page")
    return ended(hotline)


def test_from_the_page_through_the_menu_to_an_agent(hotline: Hotline, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with chromium(tmp_path) as browser:
            agent = await signed_in(browser, hotline, "agent1")
            await take_calls(agent)
            citizen = await at_the_page(browser, hotline)
            await citizen.click("#start")
            await in_state(citizen, "talking")
            await citizen.wait_for_timeout(3000)  # the greeting has begun
            second = await at_the_page(browser, hotline)  # more than the page may have at once
            await second.click("#start")
            await in_state(second, "full")
            await citizen.keyboard.press("3")
            await citizen.wait_for_timeout(2500)
            await citizen.click("[data-key='0']")
            await expect(agent.locator("body")).to_have_attribute("data-phone-state", "ringing")
            await agent.click("#answer")
            await expect(agent.locator("body")).to_have_attribute("data-phone-state", "talking")
            assert await heard_by_page(citizen, AGENT_HZ), "the citizen does not hear the agent"
            await citizen.click("#mute")
            await expect(citizen.locator("#mute")).to_have_attribute("aria-pressed", "true")
            await citizen.click("#end")
            await in_state(citizen, "ended")
            await expect(agent.locator("body")).not_to_have_attribute("data-phone-state", "talking")

    asyncio.run(scenario())
    calls = web_calls(hotline, 2)
    assert sorted(str(one.outcome) for one in calls) == ["answered", "rejected"]
    (call,) = [one for one in calls if one.outcome == "answered"]
    assert (call.caller, call.agent, call.kind) == (None, "agent1", "citizen")
    assert [(step["menu"], step["key"]) for step in call.path] == [
        ("main", "3"), ("vaccine", "0")
    ]
    assert hotline.run("ledger").returncode == 0


def test_a_token_lets_one_call_in_and_no_forged_one_any(hotline: Hotline, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with chromium(tmp_path) as browser:
            citizen = await at_the_page(browser, hotline)
            given = await citizen.evaluate(
                "async () => (await fetch('/call/line', {method: 'POST'})).json()"
            )
            await citizen.route("**/call/line", lambda route: route.fulfill(json=given))
            await citizen.click("#start")
            await in_state(citizen, "talking")
            await citizen.click("#end")
            await in_state(citizen, "ended")
            await citizen.click("#start")  # the same token again
            await in_state(citizen, "lost")
            given["token"] = given["token"][:-4] + "0000"
            await citizen.click("#start")
            await in_state(citizen, "lost")

    before = len(ended(hotline))
    asyncio.run(scenario())
    calls = web_calls(hotline, before + 3)[before:]
    assert [(one.outcome, one.kind) for one in calls] == [
        ("abandoned_menu", "citizen"), ("rejected", "test"), ("rejected", "test")
    ]


def test_who_refuses_the_microphone_is_told_what_to_do(hotline: Hotline, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with chromium(tmp_path) as browser:
            citizen = await at_the_page(browser, hotline, microphone=False)
            await citizen.evaluate("""() => {
              navigator.mediaDevices.getUserMedia =
                () => Promise.reject(new DOMException("", "NotAllowedError"));
            }""")
            await citizen.click("#start")
            await in_state(citizen, "refused")
            await expect(citizen.locator("#call-state")).to_contain_text("gọi 1022")
            await expect(citizen.locator("#start")).to_be_visible()

    asyncio.run(scenario())
