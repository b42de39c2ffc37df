"""The Vietnamese manuals, read beside the screen: each step's buttons, links, fields and keys are
found where the manual says, by the very name, and done."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pyotp
import pytest
from playwright.async_api import Browser, Page, expect
from sqlalchemy import select

from crm.cases.models import Case
from crm.notices.models import Notice
from tests.live import (
    manual_desk,
    manual_of_agents,
    manual_of_leads,
    manual_of_supervisors,
    manual_world,
)
from tests.live.browser import chromium, signed_in
from tests.live.manual_world import World, seeded
from tests.live.people import Console
from tests.live.reader import Reader
from tests.live.running import Hotline, free_ports, running_hotline, wait_for
from tests.live.test_mobile import CARRIER, telephones

pytestmark = pytest.mark.full

@pytest.fixture(scope="module")
def carrier_port() -> int:
    return free_ports(1)[0]


@pytest.fixture(scope="module")
def hotline(carrier_port: int, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hotline]:
    emergency = {
        f"HOTLINE_EMERGENCY_{name}": f"0237000{number}"
        for name, number in (("MEDICAL", 115), ("FIRE", 114), ("POLICE", 113), ("RESCUE", 112))
    }
    with running_hotline(
        tmp_path_factory.mktemp("read") / "home", HOTLINE_STAFF_NUMBER=manual_of_agents.STAFF,
        HOTLINE_TRUNK_SERVER=f"{CARRIER}:{carrier_port}", HOTLINE_WRAPUP_S="60",
        HOTLINE_EXPERTS=f"bs.an {manual_desk.DOCTOR}",
        HOTLINE_REPORT_RECIPIENTS="bao.cao@example.vn", **emergency,
    ) as running:
        yield running


@pytest.fixture(scope="module")
def world(hotline: Hotline) -> World:
    return seeded(hotline)


def at_screens(work: Callable[[Browser], Awaitable[None]], folder: Path) -> None:
    async def whole() -> None:
        async with chromium(folder) as browser:
            await work(browser)

    asyncio.run(whole())


def test_the_manual_of_the_agents(
    hotline: Hotline, world: World, carrier_port: int, tmp_path: Path
) -> None:
    reader = Reader("dien-thoai-vien")

    async def work(browser: Browser) -> None:
        async with telephones(hotline, carrier_port) as outside:
            await manual_of_agents.walked(reader, hotline, browser, outside)

    at_screens(work, tmp_path)
    reader.has_read_all()


def test_the_manual_of_the_leads(
    hotline: Hotline, world: World, carrier_port: int, tmp_path: Path
) -> None:
    reader = Reader("truong-ca")

    async def work(browser: Browser) -> None:
        async with telephones(hotline, carrier_port) as outside:
            await manual_of_leads.walked(reader, hotline, browser, outside)
        await manual_of_supervisors.walked(reader, hotline, browser, manual_of_leads.HEARD)

    at_screens(work, tmp_path)
    reader.has_read_all()


def test_the_manual_of_the_dispatchers(hotline: Hotline, world: World, tmp_path: Path) -> None:
    reader = Reader("dieu-phoi-vien")

    async def work(browser: Browser) -> None:
        page = await signed_in(browser, hotline, "dieuphoi")
        async with reader.chapter("Bắt đầu", page) as at:
            await at.sees("Phản ánh", "Cần xem lại", "Chờ giao cơ quan xử lý (trong 5 phút)",
                          "Đang ở các cơ quan", "Tìm")
        async with reader.chapter("Giao một phản ánh", page, f"/cases/{world.sealed}") as at:
            await page.fill("#words [name=reason]", "Phân loại phản ánh")
            await at.clicks("Đọc nội dung")
            await at.sees("Phân loại")
            await at.chooses("Lĩnh vực")
            await at.clicks("Lưu")
            await at.sees("Giao cơ quan xử lý")
            await at.chooses("Cơ quan")
            await at.clicks("Giao xử lý")
        async with reader.chapter("Danh tính và tệp", page, f"/cases/{world.hidden}") as at:
            await at.sees("Giữ kín với cơ quan xử lý")
            await at.sees("Xem số điện thoại")
            await at.clicks("Cho cơ quan xem")
        async with reader.chapter("Ghép và tách", page, f"/cases/{world.doubled}") as at:
            await at.sees("Có thể trùng")
            await at.finds("Ghép vào đây")
            await at.sees("Tách thành phản ánh riêng")
            await at.clicks("Người dân bổ sung thông tin")
            await page.fill("[name=information]", "Trước cổng trường tiểu học.")
            await at.clicks("Thêm")
        async with reader.chapter("Khi cơ quan trả lời", page, f"/cases/{world.waits}") as at:
            await at.sees("Trả lời người dân")
            await page.goto(f"/cases/{world.unsettled}")
            await at.fills("Lý do", "Người dân báo vẫn còn ngập.")
            await at.clicks("Mở lại")
            await expect(page.locator("main")).to_contain_text("Giao cơ quan xử lý")
            await page.goto(f"/cases/{world.published}")
            await at.fills("Nội dung công khai", "Nắp cống ở ngõ đã được thay.")
            await page.goto(f"/cases/{world.waits}")
            await at.sees("Chuyển trạng thái", "Gia hạn", "Ngày mới, khi gia hạn")
        async with reader.chapter("Đường dẫn của cán bộ", page, f"/cases/{world.handled}") as at:
            await at.sees("Đường dẫn cho cán bộ", "chưa mở")
            await at.finds("Gửi đường dẫn mới")
            await at.finds("Thu hồi")
        async with reader.chapter("Cơ quan", page) as at:
            await at.clicks("Cơ quan")
            await page.goto("/agencies/SYT")
            await at.sees("Thêm người", "điện thoại trực đêm")
            await at.sees("Ủy quyền phê duyệt", "Từ ngày", "Đến ngày")
        async with reader.chapter("Tin nhắn", page) as at:
            await at.clicks("Tin nhắn")
            await at.sees("Chưa đến nơi")
            await at.clicks("Gửi lại")

    at_screens(work, tmp_path)
    reader.has_read_all()


def test_the_manual_of_the_agencies(hotline: Hotline, world: World, tmp_path: Path) -> None:
    reader = Reader("co-quan-xu-ly")

    async def work(browser: Browser) -> None:
        outside = await (await browser.new_context(
            base_url=hotline.url, locale="vi-VN"
        )).new_page()
        officer = await signed_in(browser, hotline, "canbo")
        link = sent(hotline, world.handled, "link", r"/o/[\w-]+")
        async with reader.chapter("Mở phản ánh", outside, link) as at:
            await at.clicks("Gửi mã")
            code = await asyncio.to_thread(sent, hotline, world.handled, "code", r"\d{6}")
            await outside.fill("[name=code]", code)
            await at.clicks("Mở phản ánh")
            await outside.wait_for_selector("dl.pairs")
            at.page = officer
            await at.sees("Phản ánh của cơ quan")
        path = f"/agency/{world.handled}"
        async with reader.chapter("Tiếp nhận", officer, path) as at:
            await at.sees("Nội dung", "Địa bàn", "Hạn")
            await at.clicks("Tiếp nhận xử lý")
            await at.sees("Hỏi thêm người dân")
        async with reader.chapter("Chưa làm xong, không đúng việc", officer, path) as at:
            await at.sees("Gia hạn (một lần)", "Ngày mới", "Lý do", "Chuyển cơ quan khác",
                          "Trả lại tổng đài")
        async with reader.chapter("Trả lời", officer, path) as at:
            await at.fills("Nội dung được đọc cho người dân qua điện thoại",
                           "Đã thông cống ngày hôm nay.")
        leader = await signed_in(browser, hotline, "lanhdao")
        async with reader.chapter("Phê duyệt (lãnh đạo)", leader) as at:
            await at.sees("chờ phê duyệt trả lời")
            await leader.goto(f"/agency/{world.waits}")
            await at.sees("Nội dung trả lời chờ phê duyệt")
            await at.finds("Phê duyệt trả lời")
            await at.fills("Cần viết lại điều gì", "Viết rõ ngày.")
            await at.clicks("Yêu cầu viết lại")
            desk = await signed_in(browser, hotline, "dieuphoi")
            await desk.goto("/agencies/SYT")
            at.page = desk
            await at.sees("Ủy quyền phê duyệt")
        async with reader.chapter("Sau khi trả lời", desk, f"/cases/{world.published}") as at:
            for said in ("hài lòng", "chấp nhận được", "không hài lòng"):
                at.passes(said, "said by telephone, by key 7: tests/live/test_lookup.py")
            await at.sees("Mở lại")

    at_screens(work, tmp_path)
    reader.has_read_all()


def sent(hotline: Hotline, case: str, purpose: str, what: str) -> str:
    """What stands in the newest SMS to the officer of a case."""
    def body() -> str:
        with hotline.database.reading() as session:
            return session.scalar(
                select(Notice.body).join(Case, Case.id == Notice.case_id)
                .where(Case.code == case, Notice.purpose == purpose,
                       Notice.recipient == manual_world.OFFICER)
                .order_by(Notice.id.desc())
            ) or ""

    found = re.search(what, wait_for(body, f"an SMS about {case}"))
    assert found
    return found[0]


def test_the_manual_of_health(hotline: Hotline, world: World, tmp_path: Path) -> None:
    reader = Reader("y-te")

    async def work(browser: Browser) -> None:
        page = await signed_in(browser, hotline, "yte")
        async with reader.chapter("Nhập số liệu trong ngày", page) as at:
            await at.sees("Số liệu trong ngày", "Toàn tỉnh", "Cộng hôm qua")
            await at.fills("Nguồn", "Sở Y tế Thanh Hóa")
            await page.fill("[name=deaths0]", "1")
            await at.clicks("Lưu thành bản mới")
            await page.fill("[name=deaths0]", "999999")
            await page.click("text=Lưu thành bản mới")
            await at.sees("Tôi đã kiểm tra: số liệu này đúng.")
        async with reader.chapter("Nhập từ tệp", page, "/reports/figures") as at:
            async with page.expect_download() as coming:
                await at.clicks("Tệp mẫu có sẵn mọi xã, phường")
            await page.set_input_files("[name=file]", await (await coming.value).path())
            await at.clicks("Đọc tệp")
            await at.finds("Lưu thành bản mới")
        async with reader.chapter("Giờ giấc", page, "/reports/figures") as at:
            await at.sees("Các bản của ngày này")
        doctor = await signed_in(browser, hotline, "bacsi")
        async with reader.chapter("Bác sĩ trực", doctor) as at:
            await at.sees("Cuộc gọi tôi đã nhận")
            await at.clicks("Kiến thức")

    at_screens(work, tmp_path)
    reader.has_read_all()


def test_the_manual_of_administrators(hotline: Hotline, world: World, tmp_path: Path) -> None:
    reader = Reader("quan-tri")

    async def work(browser: Browser) -> None:
        page = await signed_in(browser, hotline, "admin")
        async with reader.chapter("Bước xác thực thứ hai", page, "/account") as at:
            await at.sees("Xác thực hai bước")
            await at.clicks("Thiết lập")
            key = await page.locator("main code").first.inner_text()
            await page.fill("[name=code]", pyotp.TOTP(key.replace(" ", "")).now())
            await at.clicks("Xác nhận")
            await at.sees("Mã dự phòng")
            await at.clicks("Tôi đã cất giữ các mã")
        async with reader.chapter("Tài khoản", page) as at:
            await at.clicks("Tài khoản")
            await at.sees("Tài khoản mới")
            at.within = page.locator("form.side, form.card").filter(has_text="Tài khoản mới")
            await at.fills("Tên đăng nhập", "moi")
            await at.fills("Họ và tên", "Người Mới")
            await at.chooses("Vai trò", "Điện thoại viên")
            await at.sees("Các nhánh phụ trách")
            await at.clicks("Tạo, mật khẩu được sinh tự động")
            await expect(page.locator("[data-password]")).to_be_visible()
            at.within = page.locator("tr").filter(has_text="moi")
            await at.finds("Khóa")
            await at.finds("Mật khẩu mới")
            at.within = page.locator("tr").filter(has_text="Quản trị").first
            await at.finds("Gỡ xác thực hai bước")
            at.within = page.locator("tr").filter(has_text="moi")
            await at.clicks("Mã riêng mới cho điện thoại")
            await page.goto("/users")
            await at.finds("Thu hồi mã riêng")
            at.within = page
            await at.clicks("Cơ quan")
            await page.goto("/agencies/SYT")
            await at.clicks("Cấp tài khoản")
        async with reader.chapter("Khóa truy cập API", page) as at:
            await at.clicks("API")
            await at.sees("Khóa mới")
            await at.fills("Tên khóa", "cong-dvc")
            await page.locator("[name=scopes]").first.check()
            await at.clicks("Tạo khóa")
            await at.finds("Thu hồi")
            await at.sees("Địa chỉ mới")
        await about_data(reader, page)
        async with reader.chapter("Tải bản ghi âm", page, "/recordings/th1.old-83.1") as at:
            await at.fills("Lý do", "Công văn 12/CV")
            await at.finds("Tải về")

    at_screens(work, tmp_path)
    reader.has_read_all()


async def about_data(reader: Reader, page: Page) -> None:
    async with reader.chapter("Yêu cầu về dữ liệu cá nhân", page) as at:
        await at.clicks("Dữ liệu cá nhân")
        await at.sees("Nhập yêu cầu", "Xem dữ liệu", "Sửa dữ liệu", "Xóa dữ liệu")
        form = page.locator("form.card").filter(has_text="Nhập yêu cầu")
        await form.locator("[name=number]").fill("0912345699")
        await form.locator("[name=requester]").fill("Người dân")
        await at.fills("Cách xác minh người yêu cầu", "gọi lại số này")
        await at.clicks("Nhập")
        await at.sees("Đồng ý", "Từ chối", "Căn cứ pháp luật hoặc lý do", "Thêm 15 ngày",
                      "Giữ lại theo lệnh")
    async with reader.chapter("Sự cố dữ liệu", page, "/privacy") as at:
        await at.clicks("Sự cố dữ liệu")
        await at.sees("Ghi nhận sự cố")
        await at.fills("Diễn biến", "Một tệp gửi nhầm người nhận.")
        await at.fills("Loại dữ liệu, của ai", "số điện thoại của ba người")
        await at.fills("Thời điểm phát hiện", "2026-11-20T08:00")
        await page.click("form.side button.primary, aside button.primary, form.card button.primary")
        at.within = page.locator("[data-breach]").first
        await at.fills("Biện pháp xử lý", "Đã thu hồi tệp, báo cho ba người.")
        await at.within.get_by_role("button", name="Lưu").click()
        await at.finds("Văn bản thông báo cơ quan chức năng, để ký")
        told = await at.finds("Đã thông báo cơ quan chức năng")
        await at.fills("Số công văn", "12/CV")
        await told.click()
        await at.sees("Kết quả xử lý")


def test_the_manual_of_auditors(hotline: Hotline, world: World, tmp_path: Path) -> None:
    reader = Reader("kiem-toan")
    lead = Console(hotline, "truongca")
    lead.submit("/instructions", text="Đường 47 ngập.", hours="8")
    lead.submit("/handovers", remarks="")
    waits = max(re.findall(r'/handovers/(\d+)"', lead.page("/handovers")), key=int)
    Console(hotline, "giamsat").submit(f"/handovers/{waits}/take", answer="")

    async def work(browser: Browser) -> None:
        page = await signed_in(browser, hotline, "kiemtoan")
        async with reader.chapter("Cuộc gọi", page) as at:
            await at.clicks("Cuộc gọi")
            await at.sees("Ngày", "Nhánh", "Kết cục")
            await at.clicks("Xem")
            await at.sees("Đường đi", "Kết cục")
        async with reader.chapter("Ghi âm và chất lượng", page) as at:
            await at.clicks("Ghi âm")
            await page.goto("/recordings/th1.old-83.1")
            await at.sees("Ai đã nghe")
            at.passes("Người gọi từ chối ghi âm", "stands with such a call alone")
            await at.clicks("Chất lượng")
            await at.sees("mã gieo")
        async with reader.chapter("Phản ánh", page, f"/cases/{world.published}") as at:
            await at.sees("Diễn biến")
            at.passes("Đã xem danh tính", "where somebody did")
            await page.goto(f"/cases/{world.sealed}")
            await at.sees("Đã đọc nội dung niêm phong")
            await page.goto(f"/cases/{world.published}")
            await at.sees("Hạn", "Đã giải quyết")
            at.passes("Gia hạn", "where somebody did")
        async with reader.chapter("Truy vết", page) as at:
            await at.clicks("Truy vết")
            await at.sees("Nhật ký")
        async with reader.chapter("Dữ liệu cá nhân", page) as at:
            await at.clicks("Dữ liệu cá nhân")
            at.passes("quá hạn", "none is")
            await at.clicks("Sự cố dữ liệu")
        async with reader.chapter("Ca trực và chỉ đạo", page) as at:
            await at.clicks("Bàn giao ca")
            await page.locator("td a").first.click()
            await at.sees("Mã băm của nội dung đã ký")
            await at.clicks("Chỉ đạo khẩn")
            await at.sees("chưa đọc")
            await at.clicks("Lịch trực")
            await at.sees("Nhật ký")
        async with reader.chapter("Quyền của từng người", page) as at:
            await at.clicks("Tài khoản")
        async with reader.chapter("Báo cáo", page, "/reports") as at:
            await at.clicks("Chất lượng phục vụ")

    at_screens(work, tmp_path)
    reader.has_read_all()
