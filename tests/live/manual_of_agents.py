"""A shift by the agents' manual, every act of it: at the page, with citizens who really call, a
colleague, a doctor, somebody who stands in for 115, and who leads the shift."""

from __future__ import annotations

import asyncio
import signal

from playwright.async_api import Browser, Page, expect

from ivr.phone import Call, Phone
from tests.live import manual_of_calls as calls
from tests.live.browser import (
    AGENT_HZ,
    CONNECTIONS,
    PATIENCE_MS,
    heard_by_page,
    network,
    signed_in,
    sound_ports,
)
from tests.live.manual_desk import LOGIN, SERVICE, Desk, notes
from tests.live.people import called, citizen, desk_agent, until_heard
from tests.live.reader import Reader
from tests.live.running import PATIENCE_S, Hotline
from tests.live.test_mobile import live, typed, until
from tests.live.test_rooms import CITIZEN_HZ, GUEST_HZ, SECOND_HZ, hears
from tests.live.test_shift import SPOKEN, agent_is, leaves_a_message, phone_is

NEW_PASSWORD = "a-password-of-my-own-1022"
STAFF, MOBILE, PIN = "02371023", "0913000801", "592604"
MISSED, GIVEN_BACK = "0912345680", "0912345686"  # of manual_world
IN_DANGER, DISTURBED, OUTSIDE, LED_AWAY = (f"091200098{number}" for number in range(1, 5))
THIRD = "numgen random mod 100 < 33"


async def walked(reader: Reader, hotline: Hotline, browser: Browser, outside: Phone) -> None:
    page = await signs_in(reader, hotline, browser)
    lead = await signed_in(browser, hotline, "giamsat")
    desk = Desk(hotline, page, lead, outside)
    message = asyncio.create_task(leaves_a_message(hotline))
    await comes_on_shift(reader, desk)
    await calls.helps(reader, desk)
    await calls.asks_others(reader, desk)
    await calls.saves(reader, desk)
    await message
    await works_off(reader, desk)
    await has_trouble(reader, desk)


async def signs_in(reader: Reader, hotline: Hotline, browser: Browser) -> Page:
    context = await browser.new_context(
        base_url=hotline.url, permissions=["microphone"], locale="vi-VN"
    )
    page = await context.new_page()
    page.set_default_timeout(PATIENCE_MS)
    expect.set_options(timeout=PATIENCE_MS)
    await page.add_init_script(CONNECTIONS)
    first = hotline.password(LOGIN)
    async with reader.chapter("Đăng nhập", page, "/login") as at:
        await at.fills("Tên đăng nhập", LOGIN)
        await at.fills("Mật khẩu", first)
        await at.clicks("Đăng nhập")
        await page.get_by_role("link", name="Điện thoại viên 1").click()
        for label, value in (("Mật khẩu hiện tại", first), ("Mật khẩu mới", NEW_PASSWORD),
                             ("Nhập lại mật khẩu mới", NEW_PASSWORD)):
            await page.get_by_label(label, exact=True).fill(value)
        await page.get_by_role("button", name="Đổi mật khẩu").click()
        await page.wait_for_url("**/login")
        accounts = hotline.home / "first-accounts.txt"
        accounts.write_text(
            accounts.read_text(encoding="utf-8").replace(first, NEW_PASSWORD), encoding="utf-8"
        )
        elsewhere = await signed_in(browser, hotline, LOGIN)
        await page.fill("[name=login]", LOGIN)
        await page.fill("[name=password]", NEW_PASSWORD)
        await page.click("button.primary")
        await at.sees("Đã đăng nhập ở nơi khác")
        await at.clicks("Tiếp tục ở đây, đăng xuất bên kia")
    await page.wait_for_url("**/agent")
    await elsewhere.reload()
    assert elsewhere.url.endswith("/login?next=/agent"), elsewhere.url
    await elsewhere.context.close()
    return page


async def comes_on_shift(reader: Reader, desk: Desk) -> None:
    page, lead = desk.page, desk.lead
    async with reader.chapter("Vào ca", page) as at:
        await at.sees("Bàn trực")
        await at.chooses("Máy điện thoại", "Máy SIP để bàn")
        await at.sees("Trong trình duyệt này", "Máy SIP để bàn")
        await page.click("#sign-in")
        await expect(page.locator("#registration")).to_contain_text("Cuộc gọi đổ chuông ở máy")
        await page.click("#leave")
        await page.select_option("#phone-kind", label="Trong trình duyệt này")
        await at.does("Vào hàng đợi", "Shift+F2")
        await agent_is(page, "paused")
        await at.sees("Tạm nghỉ")
        await at.does("Thử đường truyền: nghe lại giọng mình", "Shift+F8")
        await expect(page.locator("#echo-result")).to_contain_text("nghe")
        await expect(page.locator("#echo-result")).to_have_attribute("data-outcome", "done")
        await at.clicks("Micrô và loa")
        await page.select_option("#device-input", index=1)
        await at.does("Sẵn sàng nhận cuộc gọi", "Shift+F2")
        await agent_is(page, "ready")
        await lead.goto("/instructions")
        await lead.locator("form.card [name=text]").filter(visible=True).fill("Hỏi địa chỉ trước.")
        await lead.get_by_role("button", name="Gửi tới mọi bàn trực").click()
        await at.sees("Chỉ đạo khẩn")
        given = page.locator("#instructions li").filter(has_text="Hỏi địa chỉ trước.")
        await expect(given).to_be_visible()
        await at.presses("F12")
        await expect(given).to_have_count(0)


async def works_off(reader: Reader, desk: Desk) -> None:
    """In a tab of its own: the phone stays where it is."""
    page = await desk.page.context.new_page()
    page.set_default_timeout(PATIENCE_MS)
    async with reader.chapter("Việc cần làm, lời nhắn", page, "/work") as at:
        await at.sees("Việc cần làm")
        row = at.within = page.locator(f"tr[data-missed='{MISSED}']")
        await at.clicks("Nhận")
        await at.clicks("Gọi")
        await phone_is(desk.page, "ringing")
        await desk.page.keyboard.press("F2")
        await desk.answers(MISSED, CITIZEN_HZ)
        assert await heard_by_page(desk.page, CITIZEN_HZ)
        await desk.page.keyboard.press("F4")
        await at.clicks("Xong")
        await expect(row).to_have_count(0)
        row = at.within = page.locator(f"tr[data-missed='{GIVEN_BACK}']")
        await row.get_by_role("button", name="Nhận").click()
        await expect(row).to_contain_text(LOGIN)
        await at.clicks("Trả lại")
        await expect(row).not_to_contain_text(LOGIN)
        at.within = page
        await at.clicks("Lời nhắn")
        row = at.within = page.locator("tr[data-message]").filter(has_text=SPOKEN)
        await row.get_by_role("link", name="Nghe").click()
        async with asyncio.timeout(PATIENCE_S):
            while await page.evaluate("document.querySelector('#player audio').currentTime") < 1:
                await asyncio.sleep(0.2)
        await at.clicks("Nhận")
        await at.clicks("Xong")
        await expect(row).to_have_count(0)
    await page.close()


async def has_trouble(reader: Reader, desk: Desk) -> None:
    """The network loses packets, the console does not answer, and in the end there is no browser
    at all: the talks go on."""
    page, hotline = desk.page, desk.hotline
    async with reader.chapter("Khi mạng hoặc máy có sự cố", page) as at:
        async with desk.taken(DISTURBED) as call:
            ports = await sound_ports(page)
            with network("manual", f"udp dport {ports} {THIRD}"):
                await at.sees("Đường truyền: kém")
                await expect(page.locator("#banner-line")).to_be_visible()
            await expect(page.locator("#banner-line")).to_be_hidden()
            hotline.signal("console", signal.SIGSTOP)
            try:
                await expect(page.locator("#banner-feed")).to_be_visible()
                await page.keyboard.press("Shift+F9")
                await page.keyboard.type("Gọi lại sau.")
                assert await hears(call, AGENT_HZ)
            finally:
                hotline.signal("console", signal.SIGCONT)
            await until(lambda: "Gọi lại sau." in notes(hotline), "the console has the note")
        await desk.wraps_up("")
        await goes_home(reader, desk)
        await page.get_by_role("link", name="Điện thoại viên 1").click()
        await at.clicks("Số và mã riêng")
        number = await sets_a_pin(page)
    await page.locator("#logout button").click()
    await page.wait_for_url("**/login")
    await takes_calls_outside(desk, number)


async def sets_a_pin(page: Page) -> str:
    """The agent's number at the keypad."""
    number = await page.locator("b.secret").inner_text()
    for name, value in (("pin", PIN), ("again", PIN), ("password", NEW_PASSWORD)):
        await page.fill(f"[name={name}]", value)
    await page.get_by_role("button", name="Đặt mã riêng").click()
    await expect(page.locator("main")).to_contain_text("Đã đặt mã riêng.")
    return number


async def goes_home(reader: Reader, desk: Desk) -> None:
    page = desk.page
    async with reader.chapter("Tạm nghỉ và hết ca", page) as at:
        await page.select_option("#reason", "lunch")
        await at.does("Tạm nghỉ", "Shift+F4")
        await agent_is(page, "paused")
        await expect(page.locator("#pause-left")).to_be_visible()
        busy = asyncio.create_task(desk.is_busy(SERVICE))
        async with desk.rung(IN_DANGER, "4") as call:  # it rings those who rest, too
            await busy
            await page.keyboard.press("F2")
            await desk.speaks_with(call)
            await asyncio.sleep(2)  # less is no conversation
        await agent_is(page, "paused")
        await page.locator("#results label").first.click()
        await page.keyboard.press("Control+Enter")
        await phone_is(page, "idle")
        await at.does("Rời hàng đợi", "Shift+F6")
        await agent_is(page, "offline")
        await at.clicks("Ca trực của tôi")
        await at.clicks("Nhường ca")
        await expect(page.locator("tr[data-shift]")).to_contain_text("đang nhường")
        await at.clicks("Tôi nhận trực")
        await expect(page.locator("main")).to_contain_text("bạn nhận; chờ trưởng ca duyệt")
        await at.clicks("Điểm của tôi")
        await page.get_by_label("Ý kiến của bạn").fill("Cảm ơn, tôi sẽ chào đúng câu.")
        await page.get_by_role("button", name="Gửi ý kiến").click()
        await expect(page.locator("main")).to_contain_text("tôi sẽ chào đúng câu")
        await expect(page.locator("main [name=reply]")).to_have_count(0)


async def takes_calls_outside(desk: Desk, number: str) -> None:
    """By a telephone of the agent's own alone."""
    hotline = desk.hotline
    async with citizen(hotline, MOBILE) as mobile:
        coming = await comes_in(mobile, hotline, number)
        await until_heard(coming, hotline, "agent_login_ok")
        await coming.hang_up()
        async with (
            desk_agent(hotline, "agent2", phone_name="desk-02") as colleague,
            citizen(hotline, OUTSIDE) as phone,
        ):
            call, own = await rings_outside(desk, phone)
            await own.press("*6")
            await until_heard(own, hotline, "staff_help")
            assert await hears(own, CITIZEN_HZ), "they speak on"
            await expect(desk.lead.locator("#room-alarms [data-help=agent1]")).to_be_visible()
            await own.press("*0")
            assert await own.ended(PATIENCE_S)
            taker = await colleague.incoming(PATIENCE_S)
            taker.answer()
            taker.play_tone(SECOND_HZ)
            assert await hears(call, SECOND_HZ)
            await call.hang_up()
        coming = await comes_in(mobile, hotline, number)
        await until_heard(coming, hotline, "staff_keys")
        await coming.press("2")
        await until(lambda: live(hotline, LOGIN)[0] == "paused", "the pause")
        await coming.press("1")
        await until(lambda: live(hotline, LOGIN)[0] == "ready", "ready again")
        await coming.hang_up()
        async with citizen(hotline, LED_AWAY) as phone:
            call, own = await rings_outside(desk, phone)
            await own.press("*5")
            assert await own.ended(PATIENCE_S)
            service = await desk.answers(SERVICE, GUEST_HZ)
            assert await hears(call, GUEST_HZ)
            await service.hang_up()
        coming = await comes_in(mobile, hotline, number)
        await until_heard(coming, hotline, "staff_keys")
        await coming.press("3")
        await until_heard(coming, hotline, "staff_left")
        await until(lambda: live(hotline, LOGIN)[0] == "offline", "out of the queues")


async def comes_in(mobile: Phone, hotline: Hotline, number: str) -> Call:
    coming = await called(mobile, STAFF)
    await typed(coming, hotline, number, PIN)
    return coming


async def rings_outside(desk: Desk, phone: Phone) -> tuple[Call, Call]:
    """A citizen's call that the agent takes by key 1: theirs, and the agent's own leg."""
    call = await called(phone)
    await until_heard(call, desk.hotline, "greeting_main")
    await call.press("0")
    own = await desk.outside.incoming(PATIENCE_S)
    assert own.dialled == MOBILE
    own.answer()
    await until_heard(own, desk.hotline, "staff_offer")
    await own.press("1")
    own.play_tone(AGENT_HZ)
    call.play_tone(CITIZEN_HZ)
    assert await hears(call, AGENT_HZ)
    await asyncio.sleep(2)  # less is no conversation
    return call, own
