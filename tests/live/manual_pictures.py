"""The pictures of the manuals, from the real program: python -m tests.live.manual_pictures"""

from __future__ import annotations

import asyncio
import io
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from PIL import Image
from playwright.async_api import Browser, Page, expect
from sqlalchemy import select

from agent_console.manuals import FOLDER
from crm import users
from crm.agencies.models import Officer, Post
from crm.cases import life
from crm.cases.models import Agency, Status
from crm.models import Role
from crm.shifts import instructions
from tests.live.browser import chromium, signed_in, take_calls
from tests.live.people import called, citizen, until_heard
from tests.live.running import Hotline, running_hotline

PICTURES = FOLDER / "vi" / "pictures"
PEOPLE = (
    ("dieuphoi", "Điều phối viên", Role.DISPATCHER), ("kiemtoan", "Kiểm toán", Role.AUDITOR),
    ("yte", "Cán bộ y tế", Role.HEALTH), ("canbo", "Cán bộ xử lý", Role.OFFICER),
)
HAM_RONG = "14758"
PASSWORD = "anh-chup-cho-so-tay-1022"  # of a hotline that ends with this program
CASES = (  # none of it of real people
    ("Khu phố 3 ngập ba ngày, bốn hộ hết gạo và nước uống.", "food", "0912345678"),
    ("Đèn đường trước trường tiểu học hỏng một tuần.", "roads", "0912345679"),
    ("Rác đổ trộm ở đầu cầu, mùi hôi cả xóm.", "environment", "0912345680"),
    ("Sổ tiêm chủng ghi sai ngày tiêm mũi hai.", "vaccine_record", "0912345681"),
)
PAGES = (  # name, who, path
    ("viec-can-lam", "agent1", "/work"), ("loi-nhan", "agent1", "/messages"),
    ("kien-thuc", "agent1", "/knowledge"), ("tai-khoan", "agent1", "/account"),
    ("ca-cua-toi", "agent1", "/shifts/mine"),
    ("cuoc-goi", "truongca", "/calls"), ("ghi-am", "truongca", "/recordings"),
    ("chat-luong", "truongca", "/quality"), ("lich-truc", "truongca", "/shifts"),
    ("nhan-luc", "truongca", "/staffing"), ("ban-giao", "truongca", "/handovers"),
    ("chi-dao", "truongca", "/instructions"), ("cong-tac", "truongca", "/controls"),
    ("qua-tai-su-co", "truongca", "/surge"),
    ("bao-cao", "truongca", "/reports"), ("phan-anh", "dieuphoi", "/cases"),
    ("co-quan", "dieuphoi", "/agencies"), ("so-lieu", "yte", "/reports/figures"),
    ("viec-co-quan", "canbo", "/agency"), ("tai-khoan-nhieu", "admin", "/users"),
    ("api", "admin", "/api-keys"), ("du-lieu-ca-nhan", "admin", "/privacy"),
    ("cuoc-goi-kiem-toan", "kiemtoan", "/calls"), ("truy-vet", "kiemtoan", "/tracing"),
)


async def shot(page: Page, name: str) -> None:
    """A picture of 1280 × 800 in few colours."""
    await page.set_viewport_size({"width": 1280, "height": 800})
    picture = Image.open(io.BytesIO(await page.screenshot())).convert("RGB")
    picture.quantize(64, dither=Image.Dither.NONE).save(PICTURES / f"{name}.png", optimize=True)


def people(hotline: Hotline) -> dict[str, str]:
    """Accounts of the other roles, and cases of the day; the codes by what they are about."""
    now = datetime.now(UTC)
    codes = {}
    with hotline.database.transaction() as session:
        for login, name, role in PEOPLE:
            users.create_user(session, login=login, name=name, role=role, password=PASSWORD,
                              now=now)
        for n, (summary, category, phone) in enumerate(CASES):
            case = life.open_case(session, summary=summary, by="agent1", now=now, phone=phone)
            if n != 1:
                life.classify(session, case, category, by="dieuphoi", now=now, area=HAM_RONG)
            if n == 0:
                agency = session.scalars(select(Agency).order_by(Agency.id)).first()
                assert agency is not None
                session.add(Officer(agency_id=agency.id, name="Cán bộ xử lý", post=Post.OFFICER,
                                    phone="0912345699", login="canbo"))
                life.move(session, case, Status.ASSIGNED, by="dieuphoi", now=now,
                          agency=agency.code)
            codes[category] = case.code
        instructions.write(session, "Hỏi địa chỉ trước khi chuyển tin ngập lụt.", 4,
                           by="truongca", now=now)
    accounts = hotline.home / "first-accounts.txt"
    with accounts.open("a", encoding="utf-8") as out:
        out.writelines(f"{login} {PASSWORD} {role.value}\n"
                       for login, _, role in PEOPLE)
    return codes


async def at_the_desk(browser: Browser, hotline: Hotline) -> None:
    """An agent's call from the first ring to the case."""
    agent = await signed_in(browser, hotline, "agent1")
    await expect(agent.locator("#instructions li")).to_have_count(1)
    await shot(agent, "chi-dao-tren-ban")
    await agent.keyboard.press("F12")
    await expect(agent.locator("#instructions li")).to_have_count(0)
    await shot(agent, "ban-lam-viec")
    await take_calls(agent)
    lead = await signed_in(browser, hotline, "truongca")
    async with citizen(hotline, "0912345678") as phone:
        call = await called(phone)
        await until_heard(call, hotline, "greeting_main")
        await call.press("3")
        await until_heard(call, hotline, "vaccine_menu_intro")
        await call.press("0")
        await expect(agent.locator("body")).to_have_attribute("data-phone-state", "ringing")
        await asyncio.sleep(2)
        await shot(agent, "cuoc-goi-den")
        await agent.click("#answer")
        await expect(agent.locator("body")).to_have_attribute("data-phone-state", "talking")
        await asyncio.sleep(6)
        await shot(agent, "dang-noi")
        await shot(lead, "bang-theo-doi")
        await agent.keyboard.press("F9")
        await expect(agent.locator("#guest-list option")).not_to_have_count(0)
        await shot(agent, "them-nguoi")
        await agent.keyboard.press("Escape")
        await call.hang_up()
        await expect(agent.locator("body")).to_have_attribute("data-phone-state", "ended")
        await shot(agent, "sau-cuoc-goi")
    await agent.click("#help-button")
    await shot(agent, "phim-tat")
    await agent.goto(f"{hotline.url}/cases/new")
    await agent.fill("[name=summary]", CASES[0][0])
    await shot(agent, "mo-phan-anh")
    await agent.context.close()
    await lead.context.close()


async def take(hotline: Hotline, folder: Path) -> None:
    codes = people(hotline)
    async with chromium(folder) as browser:
        door = await browser.new_page(base_url=hotline.url, locale="vi-VN")
        await door.goto("/login")
        await shot(door, "dang-nhap")
        await at_the_desk(browser, hotline)
        pages = [*PAGES, ("mot-phan-anh", "dieuphoi", f"/cases/{codes['environment']}"),
                 ("viec-cua-co-quan", "canbo", f"/agency/{codes['food']}")]
        for who in dict.fromkeys(login for _, login, _ in pages):
            page = await signed_in(browser, hotline, who)
            for name, login, path in pages:
                if login == who:
                    await page.goto(hotline.url + path)
                    await asyncio.sleep(1)
                    await shot(page, name)
            await page.context.close()


def main() -> None:
    PICTURES.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with running_hotline(folder / "home") as hotline:
            asyncio.run(take(hotline, folder))


if __name__ == "__main__":
    main()
