"""The pictures of the README, from the real program: python -m tests.live.screenshots"""

import asyncio
import tempfile
from pathlib import Path

import pypdfium2  # type: ignore[import-untyped]
from playwright.async_api import expect

from crm.database import Database
from crm.reports import daily, pdf, template
from crm.settings import PROJECT
from tests.crm.reports import seeded
from tests.databases import KEYS
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
        await agent.click("#answer")
        await expect(agent.locator("body")).to_have_attribute("data-phone-state", "talking")
        await agent.keyboard.press("F9")
        await expect(agent.locator("#guest-list option")).not_to_have_count(0)
        await agent.screenshot(path=DOCS / "others.png")
        await call.hang_up()
        await supervisor.goto(f"{hotline.url}/supervisor?tv=1")
        await asyncio.sleep(2)
        await supervisor.set_viewport_size({"width": 1920, "height": 1080})
        await supervisor.screenshot(path=DOCS / "wall.png")
        await supervisor.set_viewport_size({"width": 1280, "height": 800})
        await agent.goto(f"{hotline.url}/cases/new")
        await agent.fill("[name=summary]", "Khu phố 3 ngập ba ngày, bốn hộ hết gạo và nước uống.")
        await agent.select_option("[name=category]", "food")
        await agent.fill("[name=place]", "Phường Hàm Rồng")
        await agent.fill("[name=phone]", "0912345678")
        await agent.click("main button.primary")
        await supervisor.goto(agent.url)
        await supervisor.screenshot(path=DOCS / "case.png")


def report_page(folder: Path) -> None:
    """The first page of the daily report of the tests' day."""
    database = Database(f"sqlite:///{folder / 'report.db'}", keys=KEYS)
    database.migrate()
    with database.transaction() as session:
        seeded.seed(session)
    with database.reading() as session:
        figures = daily.gather(session, seeded.DAY, daily.cut(seeded.DAY))
    paper = daily.document(figures, template.load(folder))
    opened = pypdfium2.PdfDocument(pdf.render(paper, daily.cut(seeded.DAY)))
    opened[0].render(scale=1.3).to_pil().save(DOCS / "report.png")
    opened.close()
    database.engine.dispose()


def main() -> None:
    DOCS.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        report_page(folder)
        with running_hotline(folder / "home") as hotline:
            asyncio.run(take(hotline, folder))


if __name__ == "__main__":
    main()
