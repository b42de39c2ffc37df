"""The pictures of the README, from the real program: python -m tests.live.screenshots"""

import asyncio
import tempfile
from pathlib import Path

from playwright.async_api import expect

from crm.settings import PROJECT
from tests.live.browser import chromium, signed_in, take_calls
from tests.live.people import called, citizen, until_heard
from tests.live.running import Hotline, running_hotline

DOCS = PROJECT / "docs"


async def take(hotline: Hotline, folder: Path) -> None:
    """An agent whose phone rings, and the board of the supervisor at the same time."""
    async with chromium(folder) as browser, citizen(hotline, "0912345678") as phone:
        agent = await signed_in(browser, hotline, "agent1")
        supervisor = await signed_in(browser, hotline, "truongca")
        await take_calls(agent)
        call = await called(phone)
        await until_heard(call, hotline, "greeting_main")
        await call.press("3")
        await until_heard(call, hotline, "vaccine_menu_intro")
        await call.press("0")
        await expect(agent.locator("body")).to_have_attribute("data-phone-state", "ringing")
        await asyncio.sleep(2)
        for page, name in ((agent, "agent"), (supervisor, "supervisor")):
            await page.set_viewport_size({"width": 1280, "height": 800})
            await page.screenshot(path=DOCS / f"{name}.png")
        await call.hang_up()
        await agent.goto(f"{hotline.url}/cases/new")
        await agent.fill("[name=summary]", "Khu phố 3 ngập ba ngày, bốn hộ hết gạo và nước uống.")
        await agent.select_option("[name=category]", "food")
        await agent.fill("[name=place]", "Phường Hàm Rồng")
        await agent.fill("[name=phone]", "0912345678")
        await agent.click("main button.primary")
        await supervisor.goto(agent.url)
        await supervisor.screenshot(path=DOCS / "case.png")


def main() -> None:
    DOCS.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with running_hotline(folder / "home") as hotline:
            asyncio.run(take(hotline, folder))


if __name__ == "__main__":
    main()
