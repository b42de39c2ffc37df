"""An agent's page with the phone in it, and who is there besides, for the agents' manual."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from playwright.async_api import Page, expect
from sqlalchemy import select

from crm.models import CallNote
from ivr.phone import Call, Phone
from tests.live.browser import AGENT_HZ
from tests.live.people import called, citizen, until_heard
from tests.live.running import PATIENCE_S, Hotline
from tests.live.test_rooms import CITIZEN_HZ, hears
from tests.live.test_shift import agent_is, phone_is

LOGIN = "agent1"
SERVICE, DOCTOR = "0237000115", "0912000951"  # who stands in for 115; a doctor's telephone


@dataclass
class Desk:
    """An agent's page, and who is there besides."""

    hotline: Hotline
    page: Page
    lead: Page
    outside: Phone  # every telephone that the hotline rings

    @asynccontextmanager
    async def rung(self, number: str, *keys: str) -> AsyncIterator[Call]:
        """A citizen whose call rings at the page, by keys of the menus."""
        async with citizen(self.hotline, number) as phone:
            call = await called(phone)
            await until_heard(call, self.hotline, "greeting_main")
            for key, then in zip(keys, (*keys[1:], ""), strict=True):
                await call.press(key)
                if then:
                    await until_heard(call, self.hotline, "vaccine_menu_intro")
            await phone_is(self.page, "ringing")
            await expect(self.page.locator("#caller")).to_have_text(number)
            yield call
            await call.hang_up()

    @asynccontextmanager
    async def taken(self, number: str) -> AsyncIterator[Call]:
        """A citizen with whom the agent speaks."""
        async with self.rung(number, "0") as call:
            await self.page.keyboard.press("F2")
            await self.speaks_with(call)
            yield call

    async def speaks_with(self, call: Call) -> None:
        await phone_is(self.page, "talking")
        call.play_tone(CITIZEN_HZ)
        assert await hears(call, AGENT_HZ)

    async def answers(self, number: str, hz: float) -> Call:
        """Somebody outside, who is rung and takes the call."""
        rung = await self.outside.incoming(PATIENCE_S)
        assert rung.dialled == number
        rung.answer()
        rung.play_tone(hz)
        return rung

    async def is_busy(self, number: str) -> None:
        """Somebody outside, who is rung and cannot take the call."""
        rung = await self.outside.incoming(PATIENCE_S)
        assert rung.dialled == number
        rung.reject()

    async def wraps_up(self, note: str) -> None:
        """After a call, by keys alone."""
        await agent_is(self.page, "wrapup")
        await self.page.keyboard.press("Shift+F9")
        await self.page.keyboard.type(note)
        await self.page.keyboard.press("Tab")
        await self.page.keyboard.press("Space")
        await self.page.keyboard.press("Control+Enter")
        await agent_is(self.page, "ready")

    async def chooses_whom(self, words: str) -> None:
        """In the list of whom can be called, which has the focus."""
        await self.page.locator("#guest-list option").first.wait_for(state="attached")
        await self.page.keyboard.type(words)
        await expect(self.page.locator("#guest-list option:checked")).to_contain_text(words)

    async def is_in(self, words: str) -> None:
        await expect(self.page.locator("#guest-state")).to_contain_text(words)

    async def alone_again(self) -> None:
        """Whoever was called in leaves."""
        await self.page.click("#guest-back")
        await expect(self.page.locator("#guest-row")).to_be_hidden()


def notes(hotline: Hotline) -> list[str]:
    with hotline.database.reading() as session:
        return list(session.scalars(select(CallNote.text)))
