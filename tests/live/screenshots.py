"""The pictures of the README, from the real program: python -m tests.live.screenshots"""

import asyncio
import math
import random
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pypdfium2  # type: ignore[import-untyped]
from playwright.async_api import expect

from crm.clock import vietnam_day
from crm.database import Database
from crm.models import Call
from crm.recordings.models import Sound
from crm.reports import calls, daily, pdf, template
from crm.reports.spans import begin
from crm.settings import PROJECT
from tests.crm.reports import seeded
from tests.databases import KEYS
from tests.live.browser import chromium, signed_in, take_calls
from tests.live.people import called, citizen, until_heard
from tests.live.running import Hotline, running_hotline, wait_for

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
        await agent.keyboard.press("Escape")
        call.play_tone(440)
        await asyncio.sleep(4)
        await agent.keyboard.press("Shift+F7")
        await asyncio.sleep(3)
        await agent.keyboard.press("Shift+F7")
        await asyncio.sleep(4)
        await call.hang_up()
        done = await asyncio.to_thread(hotline.call_of, "0912345678")
        await asyncio.to_thread(wait_for, lambda: sealed(hotline, done["id"]), "it is sealed", 90)
        await supervisor.goto(f"{hotline.url}/recordings/{done['id']}")
        await supervisor.screenshot(path=DOCS / "recordings.png")
        await asyncio.to_thread(weeks_of_calls, hotline)
        await supervisor.goto(f"{hotline.url}/staffing")
        await supervisor.screenshot(path=DOCS / "staffing.png")
        await agent.goto(f"{hotline.url}/cases/new")
        await agent.fill("[name=summary]", "Khu phố 3 ngập ba ngày, bốn hộ hết gạo và nước uống.")
        await agent.select_option("[name=category]", "food")
        await agent.fill("[name=place]", "Phường Hàm Rồng")
        await agent.fill("[name=phone]", "0912345678")
        await agent.click("main button.primary")
        await supervisor.goto(agent.url)
        await supervisor.screenshot(path=DOCS / "case.png")


def sealed(hotline: Hotline, call: str) -> bool:
    with hotline.database.reading() as session:
        row = session.get(Sound, f"{call}.raw")
        return row is not None and row.sealed_at is not None


def weeks_of_calls(hotline: Hotline) -> None:
    """Four weeks of calls, most of them at nine and at three; without them there is no forecast."""
    dice = random.Random(1)
    now = datetime.now(UTC)
    for back in range(28, 0, -1):
        day = vietnam_day(now) - timedelta(days=back)
        busy = 0.5 if day.weekday() > 4 else 1.0
        with hotline.database.transaction() as session:
            for slot in range(12, 40):
                peak = math.exp(-((slot - 18) / 4) ** 2) + 0.8 * math.exp(-((slot - 30) / 4) ** 2)
                for number in range(int(dice.gauss(14 * busy * peak + 1, 1.5))):
                    came = begin(day) + timedelta(minutes=30 * slot + 29 * dice.random())
                    session.add(Call(
                        id=f"th1.past-{back}.{slot}{number:02}", node="th1", boot="past",
                        direction="in", kind="citizen", caller="0912345678", dialled="1022",
                        path=[], started_at=came, queued_at=came, branch="vaccine",
                        outcome="answered", wait_ms=4000, answered_at=came, talk_ms=200_000,
                    ))
            session.flush()
            calls.count(session, day, now, 20)


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
