"""The calls of a shift by the agents' manual: each act during one, and after it."""

from __future__ import annotations

import asyncio
import re

from playwright.async_api import Page, expect
from sqlalchemy import select

from crm.cases.models import Case, Identity
from crm.notices.models import Notice
from ivr.phone import Call
from tests.live.browser import AGENT_HZ, heard_by_page
from tests.live.manual_desk import DOCTOR, SERVICE, Desk, notes
from tests.live.people import desk_agent, until_heard
from tests.live.reader import Reader, Reading
from tests.live.running import PATIENCE_S
from tests.live.test_mobile import until
from tests.live.test_rooms import CITIZEN_HZ, GUEST_HZ, SECOND_HZ, hears, hears_not
from tests.live.test_shift import agent_is, phone_is

UNREACHED = "0912345682"  # of manual_world
ASKS, LED_ON, PASSED_ON, IN_NEED, HARD, AGAIN = (f"091200097{number}" for number in range(1, 7))


async def helps(reader: Reader, desk: Desk) -> None:
    """A call from the ring to the last word about it."""
    page = desk.page
    async with desk.rung(ASKS, "3", "0") as call, reader.chapter("Nhận cuộc gọi", page) as at:
        await expect(page.locator("#call-branch")).to_contain_text("Tiêm chủng")
        await expect(page.locator("#call-path")).to_contain_text("3")
        await at.clicks("Đã nghe những gì")
        await expect(page.locator("#heard-list li").first).to_be_visible()
        await at.does("Nghe máy", "F2")
        await desk.speaks_with(call)
        await reads_the_script(at, page)
        await uses_the_keys(at, desk, call)
        await records(reader, page)
        await looks_up(reader, desk)
        await opens_a_case(reader, desk)
        await at.does("Gác máy", "F4")
        await phone_is(page, "ended")
        await until_heard(call, desk.hotline, "survey_intro")
    await finishes(reader, desk)


async def reads_the_script(at: Reading, page: Page) -> None:
    said = page.locator("#script")
    await expect(page.locator("#script-scene")).not_to_have_value("")
    first = await said.inner_text()
    await page.keyboard.press("1")
    await expect(said).not_to_have_text(first, use_inner_text=True)
    await at.presses("←")
    await expect(said).to_have_text(first, use_inner_text=True)
    await at.presses("F3")
    await expect(page.locator("#script-scene")).to_be_focused()
    await page.keyboard.press("ArrowDown")
    await expect(said).not_to_have_text(first, use_inner_text=True)
    await page.locator("#caller").click()


async def uses_the_keys(at: Reading, desk: Desk, call: Call) -> None:
    page = desk.page
    for name, key in (("Tắt tiếng", "F7"), ("Giữ máy", "F8")):
        await at.does(name, key)
        await expect(page.locator(f"[title='{key}']")).to_have_attribute("aria-pressed", "true")
        assert await hears_not(call, AGENT_HZ), name
        await page.keyboard.press(key)
        assert await hears(call, AGENT_HZ), name
    await at.does("Bàn phím", "Shift+F3")
    await page.keyboard.press("5")
    await until(lambda: call.keys_heard == "5", "the caller's telephone hears the key")
    await page.keyboard.press("Shift+F3")
    await at.sees("Ghi chú")
    await at.presses("Shift+F9")
    await expect(page.locator("#note")).to_be_focused()
    await page.keyboard.type("Hỏi lịch tiêm nhắc lại cho trẻ.")
    await until(lambda: "Hỏi lịch tiêm nhắc lại cho trẻ." in notes(desk.hotline),
                "the note is kept while they speak")


async def records(reader: Reader, page: Page) -> None:
    state = page.locator("#recording-row")
    async with reader.chapter("Ghi âm", page) as at:
        await page.select_option("#recording-why", index=1)
        await at.does("Tạm dừng ghi âm", "Shift+F7")
        await expect(state).to_have_attribute("data-recording", "paused")
        await at.does("Ghi tiếp", "Shift+F7")
        await expect(state).to_have_attribute("data-recording", "on")
        await at.finds("Bỏ bản ghi…", "Alt+X")
        await page.keyboard.press("Alt+X")
        await expect(page.locator("#discard-why")).to_be_focused()
        await page.select_option("#discard-why", index=1)
        await at.finds("Bỏ bản ghi âm")
        await at.presses("Enter")
        await expect(state).to_have_attribute("data-recording", "discarded")


async def looks_up(reader: Reader, desk: Desk) -> None:
    page = desk.page
    async with reader.chapter("Tìm câu trả lời", page) as at:
        found = page.locator("#knowledge-found")
        await at.fills("Kiến thức và điểm liên hệ", "dau hong")
        await expect(found).to_contain_text("đau họng")
        await page.fill("#knowledge-words", "diem tiem chung mau mot")
        await expect(found).to_contain_text("Điểm tiêm chủng Mẫu Một")
        await at.clicks("Gửi tin nhắn cho người gọi")
        await expect(found).to_contain_text("Tin nhắn đang được gửi.")

        def is_written() -> bool:
            with desk.hotline.database.reading() as session:
                told = session.scalar(select(Notice.body).where(Notice.recipient == ASKS))
            return "Mau Mot" in (told or "") or "Mẫu Một" in (told or "")

        await until(is_written, "an SMS to the caller")
        knowledge = await at.finds("Kiến thức")
        async with page.context.expect_page() as coming:  # a tab of its own: the phone stays
            await knowledge.click(modifiers=["Control"])
        other = await coming.value
        await expect(other.locator("main")).to_contain_text("Khi bị đau họng")
        await other.close()
        await page.focus("#knowledge-words")


async def opens_a_case(reader: Reader, desk: Desk) -> None:
    page = desk.page
    async with reader.chapter("Mở phản ánh", page) as at:
        await at.does("Tạo phản ánh", "F1")  # from within a field, as an agent does
        await expect(page.locator("#case-box [name=phone]")).to_have_value(ASKS)
        at.within = page.locator("#case-dialog")
        await at.fills("Người dân phản ánh", "Sổ tiêm ghi sai ngày mũi hai.")
        await at.chooses("Lĩnh vực")
        await page.get_by_label("Xã, phường").fill("Hàm Rồng")
        await at.sees("Danh tính", "Cơ quan xử lý thấy người phản ánh")
        await at.sees("Giữ kín với cơ quan xử lý", "Ẩn danh: không lưu số điện thoại")
        await page.get_by_label("Giữ kín với cơ quan xử lý").check()
        await at.clicks("Tạo phản ánh")
        code = await page.locator("#case-box .aloud").inner_text()
        await page.keyboard.press("Escape")
        await expect(page.locator("#note")).to_be_focused()
    with desk.hotline.database.reading() as session:
        made = session.scalars(select(Case).where(Case.code == re.sub(r"\D", "", code))).one()
        assert (made.identity, made.area) == (Identity.HIDDEN.value, "14758")


async def finishes(reader: Reader, desk: Desk) -> None:
    page = desk.page
    async with reader.chapter("Kết thúc cuộc gọi", page) as at:
        await page.focus("#note")
        await page.keyboard.press("Control+Enter")
        await expect(page.locator("#note-state")).to_contain_text("chọn kết quả")
        await at.sees("Kết quả")
        await page.locator("#results [data-result=case]").click()
        await at.sees("Mã phản ánh")
        await expect(page.locator("#note-case")).not_to_have_value("")
        await page.focus("#note")
        await at.does("Lưu và kết thúc", "Ctrl+Enter")
        await agent_is(page, "ready")
        async with desk.taken(AGAIN) as call:
            await asyncio.sleep(2)  # less is no conversation
            await call.hang_up()
        await agent_is(page, "wrapup")
        await page.keyboard.press("Shift+F2")  # without a result
        await agent_is(page, "ready")
        todo = await at.finds("Việc cần làm")
        async with page.context.expect_page() as coming:
            await todo.click(modifiers=["Control"])
        other = await coming.value
        await expect(other.locator("#unfinished")).to_contain_text(AGAIN)
        await other.close()


async def asks_others(reader: Reader, desk: Desk) -> None:
    page = desk.page
    async with reader.chapter("Hỏi người khác, chuyển cuộc gọi", page) as at:
        async with desk.taken(LED_ON) as call:
            async with desk_agent(desk.hotline, "agent2", phone_name="desk-02") as colleague:
                await at.does("Thêm người", "F9")
                await desk.chooses_whom("Điện thoại viên 2")
                await at.does("Hỏi trước", "Alt+Enter")
                asked = await colleague.incoming(PATIENCE_S)
                asked.answer()
                asked.play_tone(SECOND_HZ)
                await desk.is_in("nghe nhạc")
                assert await heard_by_page(page, SECOND_HZ)
                assert await hears_not(call, SECOND_HZ)
                await at.clicks("Cùng nói chuyện")
                await desk.is_in("trong cuộc gọi")
                assert await hears(call, SECOND_HZ)
                await desk.alone_again()
                assert await asked.ended(PATIENCE_S)
            await page.keyboard.press("F9")
            await desk.chooses_whom("bs.an")
            await page.keyboard.press("Alt+Enter")
            doctor = await desk.answers(DOCTOR, GUEST_HZ)
            await desk.is_in("nghe nhạc")
            await at.clicks("Giao cuộc gọi")
            await phone_is(page, "ended")
            assert await hears(call, GUEST_HZ)
            assert await hears(doctor, CITIZEN_HZ)
        await desk.wraps_up("Đã giao cho bác sĩ.")
        async with desk.taken(PASSED_ON) as call:
            await page.keyboard.press("F9")
            await desk.chooses_whom("bs.an")
            await page.keyboard.press("Alt+Enter")
            doctor = await desk.answers(DOCTOR, GUEST_HZ)
            await desk.is_in("nghe nhạc")
            back = await at.finds("Trở lại với người gọi")
            await at.presses("F9")
            await expect(page.locator("#guest-together")).to_be_focused()
            await page.keyboard.press("Tab")
            await expect(back).to_be_focused()
            await page.keyboard.press("Enter")
            assert await doctor.ended(PATIENCE_S)
            assert await hears(call, AGENT_HZ)
            await page.keyboard.press("F9")
            await desk.chooses_whom("bs.an")
            await at.does("Mời vào", "Shift+Enter")
            doctor = await desk.answers(DOCTOR, GUEST_HZ)
            await desk.is_in("trong cuộc gọi")
            assert await hears(call, GUEST_HZ)
            await desk.alone_again()
            async with desk_agent(desk.hotline, "agent2", phone_name="desk-02") as colleague:
                await page.keyboard.press("F9")
                await desk.chooses_whom("Điện thoại viên 2")
                await at.does("Chuyển ngay", "Ctrl+Enter")
                taker = await colleague.incoming(PATIENCE_S)
                await phone_is(page, "ended")
                taker.answer()
                taker.play_tone(SECOND_HZ)
                assert await hears(call, SECOND_HZ)
                await desk.wraps_up("Đã chuyển.")
                await call.hang_up()


async def saves(reader: Reader, desk: Desk) -> None:
    """Somebody who calls is in danger; somebody who was is rung back; and then it is the agent who
    needs help."""
    page, lead = desk.page, desk.lead
    told = page.locator("#direct-state")
    await lead.goto("/supervisor")
    await lead.click("#own-phone")
    await expect(lead.locator("body")).to_have_attribute("data-registration", "registered")
    async with reader.chapter("Khi có người cần cứu", page) as at:
        async with desk.taken(IN_NEED) as call:
            for key, number in (("5", "115"), ("4", "114"), ("3", "113"), ("2", "112"),
                                ("1", "111"), ("9", "19009095")):
                await at.presses(f"Alt+{key}")
                await expect(told).to_have_text(re.compile(rf"{number}\b.* sau 3 giây"))
            await at.presses("Esc")
            await expect(told).to_have_text(re.compile("^Không gọi.*19009095"))
            await at.presses("F10")
            await expect(page.locator("#guest-list option:checked")).to_contain_text("115")
            await page.keyboard.press("Enter")
            service = await desk.answers(SERVICE, GUEST_HZ)
            await desk.is_in("trong cuộc gọi")
            assert await hears(call, GUEST_HZ)
            alarm = lead.locator("#room-alarms [data-rescue]").filter(has_text=IN_NEED)
            await expect(alarm).to_be_visible()
            await expect(page.locator("#rescue-case")).to_be_visible()
            await at.fills("Địa chỉ cần cứu giúp", "Số 1 đường Mẫu")
            await expect(page.locator("#rescue-number")).to_contain_text(IN_NEED[-3:])
            await expect(page.locator("#rescue-aloud")).to_have_text("Số 1 đường Mẫu")
            await expect(page.locator("#rescue-state")).to_have_text("Đã lưu.")
            await desk.alone_again()
            assert await service.ended(PATIENCE_S)
            await page.keyboard.press("Alt+5")
            await page.keyboard.press("Alt+5")  # at once
            service = await desk.answers(SERVICE, GUEST_HZ)
            assert await hears(service, CITIZEN_HZ)
            await page.keyboard.press("F4")
            assert await hears(call, GUEST_HZ), "they go on without the agent"
        await desk.wraps_up("Đã nối 115.")
        await rings_back(at, desk)
        await is_helped(at, desk)


async def rings_back(at: Reading, desk: Desk) -> None:
    page = desk.page
    at.within = page.locator("#unreached li").filter(has_text=UNREACHED)
    await at.clicks("Gọi lại")
    await phone_is(page, "ringing")
    await page.keyboard.press("F2")
    rung = await desk.answers(UNREACHED, CITIZEN_HZ)
    assert await heard_by_page(page, CITIZEN_HZ)
    await rung.hang_up()
    await at.clicks("Đã gọi lại")
    await expect(at.within).to_have_count(0)
    at.within = page


async def is_helped(at: Reading, desk: Desk) -> None:
    """The lead serves the caller in the agent's place."""
    page, lead = desk.page, desk.lead
    async with desk.taken(HARD):
        await at.does("Cần hỗ trợ ngay", "F6")
        await expect(page.locator("#help-now")).to_have_attribute("aria-pressed", "true")
        alarm = lead.locator("#room-alarms [data-help=agent1]")
        await expect(alarm).to_contain_text("cần hỗ trợ ngay")
        await alarm.get_by_role("button", name="Tôi nhận hỗ trợ").click()
        await expect(page.locator("#help-state")).to_contain_text("giamsat")
        lead.once("dialog", lambda dialog: asyncio.ensure_future(dialog.accept()))
        await alarm.get_by_role("button", name="Nhận cuộc gọi").click()
        await phone_is(lead, "talking")
        await expect(page.locator("#banner-taken")).to_contain_text("giamsat đã nhận")
        assert await heard_by_page(lead, CITIZEN_HZ)
        await desk.wraps_up("Giám sát viên đã nhận.")
        await lead.keyboard.press("F4")
        await expect(alarm).to_have_count(0)  # who takes a call over has helped
        await expect(page.locator("#help-now")).to_have_attribute("aria-pressed", "false")
