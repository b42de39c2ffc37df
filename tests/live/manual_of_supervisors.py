"""The week by the manual of leads and supervisors, every act of it: rosters, handovers, recordings,
quality, knowledge and reports."""

from __future__ import annotations

import asyncio
import csv
import io
from datetime import UTC, datetime, timedelta

from playwright.async_api import Browser, FilePayload, Page, expect

from crm.clock import vietnam_day
from crm.recordings.models import Sound
from tests.live.browser import signed_in
from tests.live.people import Console
from tests.live.reader import Reader, Reading
from tests.live.running import PATIENCE_S, Hotline
from tests.live.test_mobile import until

FAR = timedelta(days=20)  # no day of manual_world's


async def walked(reader: Reader, hotline: Hotline, browser: Browser, number: str) -> None:
    """`number`: whose call was answered today."""
    lead = await signed_in(browser, hotline, "truongca")
    page = await signed_in(browser, hotline, "giamsat")
    await rosters(reader, lead)
    await hands_over(reader, lead, page)
    await listens(reader, page, hotline, number)
    await judges(reader, page)
    await writes(reader, page, hotline)
    await reports(reader, page, hotline)
    for one in (lead, page):
        await one.context.close()


async def rosters(reader: Reader, page: Page) -> None:
    async with reader.chapter("Lịch trực và đổi ca", page, "/supervisor") as at:
        await at.clicks("Lịch trực")
        async with page.expect_download() as coming:
            await at.clicks("Tải lịch tuần này")
        written = (await (await coming.value).path()).read_text(encoding="utf-8-sig")
        columns = written.splitlines()[0].split(",")
        day = (vietnam_day(datetime.now(UTC)) + FAR).isoformat()
        shift = {"login": "agent1", "day": day, "from": "07:00", "to": "15:00", "branch": ""}
        await page.set_input_files("[name=file]", roster(columns, shift | {"login": "khongco"}))
        await at.clicks("Chỉ kiểm tra")
        await expect(page.locator("[role=alert] li")).to_contain_text("khongco")
        await page.set_input_files("[name=file]", roster(columns, shift))
        await page.get_by_role("button", name="Chỉ kiểm tra").click()
        await expect(page.locator("main")).to_contain_text("1 ca, không có lỗi")
        await page.set_input_files("[name=file]", roster(columns, shift))
        await at.clicks("Nhận lịch")
        await expect(page.locator("main")).to_contain_text("Đã nhận 1 ca")
        await at.sees("Đổi ca")
        taken = page.locator("#swaps tr").filter(has=page.locator("form"))
        for decided in ("Phê duyệt", "Từ chối"):
            number = await taken.first.get_attribute("data-swap")
            at.within = taken.first
            await at.clicks(decided)
            await expect(page.locator(f"[data-swap='{number}']")).to_have_count(0)
        at.within = page
        await at.clicks("Nhân lực trực")
        tried = page.locator("#try")
        for label, value in (("Số cuộc gọi mỗi giờ", "60"), ("Điện thoại viên", "8")):
            await tried.get_by_label(label).fill(value)
        await tried.get_by_role("button").click()
        await expect(page.locator("#try [role=status]")).to_contain_text("4.0 Erlang")


def roster(columns: list[str], *rows: dict[str, str]) -> FilePayload:
    """A file as the week's is."""
    out = io.StringIO()
    table = csv.DictWriter(out, columns)
    table.writeheader()
    table.writerows(rows)
    return {"name": "ca.csv", "mimeType": "text/csv", "buffer": out.getvalue().encode()}


async def hands_over(reader: Reader, lead: Page, other: Page) -> None:
    async with reader.chapter("Bàn giao ca", lead, "/supervisor") as at:
        await at.clicks("Bàn giao ca")
        await expect(lead.locator("[data-section=emergencies]")).to_be_visible()
        await at.fills("Ghi chú cho trưởng ca nhận", "Cầu Mẫu còn ngập.")
        await at.clicks("Ký và giao ca")
        await other.goto("/handovers")
        at.page = at.within = other
        await at.clicks("Xem và ký")
        await expect(other.locator("main")).to_contain_text("Cầu Mẫu còn ngập.")
        await at.clicks("Tôi đã đọc và nhận ca")
        await expect(other.locator(".signature").last).to_contain_text("Giám sát viên")
        link = await at.finds("Bản in (PDF)")  # a browser without a window shows none
        paper = await other.context.request.get(await link.get_attribute("href") or "")
        assert (await paper.body()).startswith(b"%PDF")


async def listens(reader: Reader, page: Page, hotline: Hotline, number: str) -> None:
    call = (await asyncio.to_thread(hotline.call_of, number))["id"]
    row = page.locator(f"tr[data-call='{call}']")

    def sealed() -> bool:
        with hotline.database.reading() as session:
            sound = session.get(Sound, f"{call}.raw")
            return sound is not None and sound.sealed_at is not None

    async with reader.chapter("Xem lại cuộc gọi", page, "/supervisor") as at:
        await at.clicks("Cuộc gọi")
        await page.get_by_label("Kết cục").select_option(label="Gặp điện thoại viên")
        await page.get_by_role("button", name="Xem").click()
        await expect(row).to_contain_text("Menu chính")
        at.within = page.locator("header")  # each call has one of its own
        await at.clicks("Ghi âm")
        await until(sealed, "the recording is sealed", 2 * PATIENCE_S)
        await page.fill("[name=number]", number)
        await page.get_by_role("button", name="Tìm").click()
        await row.get_by_role("link").click()
        await expect(page.locator("#waves polygon")).to_have_count(2)
        await page.evaluate("document.querySelector('#sound').play()")
        await page.wait_for_function("() => document.querySelector('#sound').currentTime > 1")
        at.within = page
        await at.sees("Ghi chú tại thời điểm")
        await page.get_by_label("Tại giây").fill("1")
        await page.get_by_label("Ghi chú", exact=True).fill("Chào rất rõ.")
        await page.get_by_role("button", name="Ghi lại").click()
        await expect(page.locator("main")).to_contain_text("Chào rất rõ.")
        await at.sees("Ai đã nghe")
        heard = page.locator("section.card").filter(has_text="Ai đã nghe")
        await expect(heard.locator("td").filter(has_text="giamsat")).not_to_have_count(0)


async def judges(reader: Reader, page: Page) -> None:
    async with reader.chapter("Chấm chất lượng (giám sát viên)", page, "/quality") as at:
        await at.clicks("Phiếu mới")
        await page.get_by_label("Tên phiếu").fill("Cuộc gọi")
        await page.fill("[name=text0]", "Chào đúng câu")
        await page.fill("[name=weight0]", "2")
        await page.fill("[name=text1]", "Không hứa điều không có")
        await at.sees("Nghiêm trọng")
        await page.check("[name=fatal1]")
        await page.get_by_role("button", name="Lưu").click()
        await page.goto("/quality")
        await at.sees("Rút cuộc gọi của một tuần")
        await at.fills("Số cuộc mỗi điện thoại viên", "1")
        await at.clicks("Rút thăm")
        await at.sees("Đã rút, chờ chấm")
        await at.clicks("Chấm")
        choice = page.locator("[name=version]").filter(visible=True)
        await choice.select_option(label="Cuộc gọi · 1")
        await page.get_by_role("button", name="Xem").click()
        for name in ("q1", "q2"):
            await page.locator(f"[name={name}][value='4']").check()
        await at.fills("Nhận xét cho điện thoại viên", "Rõ ràng.")
        await at.clicks("Lưu")
        await expect(page.locator("main")).to_contain_text("Rõ ràng.")


async def writes(reader: Reader, page: Page, hotline: Hotline) -> None:
    title = "Nước ngập trong nhà"
    agent = await asyncio.to_thread(Console, hotline, "agent3")
    async with reader.chapter("Kiến thức và kịch bản (giám sát viên)", page, "/") as at:
        await at.clicks("Kiến thức")
        await at.clicks("Bài viết mới")
        await page.fill("[name=title]", title)
        await page.fill("[name=body]", "Ngắt điện trước.\n\n- Lên cao\n- Gọi 1022")
        await at.chooses("Chủ đề")
        await at.chooses("Người phụ trách", "Giám sát viên (giamsat)")
        await at.fills("Ngày rà soát", f"{datetime.now(UTC) + FAR:%Y-%m-%d}")
        await at.sees("Bản nháp")
        await page.select_option("[name=state]", label="Bản nháp")
        await page.get_by_role("button", name="Lưu").click()
        await page.wait_for_url("**/knowledge/*")
        assert title not in await asyncio.to_thread(agent.page, "/knowledge")
        await page.get_by_role("link", name="Sửa", exact=True).click()
        await at.sees("Đã đăng")
        await page.select_option("[name=state]", label="Đã đăng")
        await page.get_by_role("button", name="Lưu").click()
        await expect(page.get_by_role("link", name="Phiên bản (2)")).to_be_visible()
        assert title in await asyncio.to_thread(agent.page, "/knowledge")
        await page.goto("/knowledge")
        await at.sees("Cần rà soát: đã quá ngày")


async def reports(reader: Reader, page: Page, hotline: Hotline) -> None:
    """Of today the figures are approved; yesterday's, which has been sent, are corrected."""
    today = vietnam_day(datetime.now(UTC))
    yesterday = today - timedelta(days=1)
    async with reader.chapter("Báo cáo", page, "/supervisor") as at:
        await at.clicks("Báo cáo")
        await page.get_by_role("link", name=f"{today:%d/%m/%Y}").click()
        await at.clicks("Duyệt số liệu này")
        await expect(page.locator("main .tag").first).to_have_text("đã duyệt")
        await page.goto(f"/reports/daily/{yesterday}")
        await at.clicks("Sửa số liệu")
        await page.fill("[name=under_treatment0]", "7")
        await page.get_by_role("button", name="Lưu thành bản mới").click()
        await corrects(at, page, hotline, f"/reports/daily/{yesterday}")
        await page.goto("/reports")
        for name in ("Chất lượng phục vụ", "Báo cáo theo kỳ"):
            await at.clicks(name)
            await expect(page.locator("main h1").first).to_be_visible()
            await page.goto("/reports")


async def corrects(at: Reading, page: Page, hotline: Hotline, path: str) -> None:
    """Somebody else than who entered them approves them again."""
    other = await asyncio.to_thread(Console, hotline, "quantri2")
    await asyncio.to_thread(lambda: other.submit(f"{path}/approve", version="2"))
    await page.goto(path)
    await at.clicks("Gửi báo cáo đính chính")
    await expect(page.locator("main")).to_contain_text("bản thứ 2")
