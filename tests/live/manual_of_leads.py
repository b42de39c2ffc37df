"""Leading the floor by the leads' manual, every act of it: with an agent at a desk phone, and
citizens who really call."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

from playwright.async_api import Browser, Page, expect

from crm.cases import life
from crm.clock import VIETNAM
from ivr.phone import Call, Phone
from tests.live.browser import AGENT_HZ, heard_by_page, signed_in
from tests.live.people import called, citizen, until_heard
from tests.live.reader import Reader, Reading
from tests.live.running import PATIENCE_S, Hotline
from tests.live.test_mobile import until
from tests.live.test_rooms import CITIZEN_HZ, SECOND_HZ, hears, hears_not
from tests.live.test_shift import agent_is, phone_is
from tests.live.test_skills import penalty

AGENT, SEAT = "agent2", "desk-02"
WAITS, HEARD, UNHEARD, NOTICED, JOINS = (f"091200099{number}" for number in range(1, 6))
TO_RING = "0912345686"  # of manual_world
IN_AN_HOUR = timedelta(hours=1)


@dataclass
class Floor:
    """The board of who leads the shift, and an agent: page and desk phone."""

    hotline: Hotline
    page: Page
    agent: Page
    seat: Phone
    outside: Phone  # every telephone that the hotline rings

    async def comes_in(self) -> None:
        """The agent, to a pause."""
        if await self.agent.locator("#sign-in").is_hidden():
            await self.agent.reload()
        await self.agent.select_option("#phone-kind", "desk")
        await self.agent.select_option("#desk-name", SEAT)
        await self.agent.click("#sign-in")
        await agent_is(self.agent, "paused")

    @asynccontextmanager
    async def talks(self, number: str, *keys: str) -> AsyncIterator[tuple[Call, Call]]:
        """A citizen with whom the agent speaks: their call, and the agent's leg."""
        async with citizen(self.hotline, number) as phone:
            call = await called(phone)
            await until_heard(call, self.hotline, "greeting_main")
            for key in ("0", *keys):
                await call.press(key)
                await asyncio.sleep(1)
            at_desk = await self.seat.incoming(PATIENCE_S)
            at_desk.answer()
            at_desk.play_tone(SECOND_HZ)
            assert await hears(call, SECOND_HZ)
            at_desk.stop_playing()
            call.play_tone(CITIZEN_HZ)
            await asyncio.sleep(2)  # less is no conversation
            yield call, at_desk
            await call.hang_up()

    def accepts(self, words: str = "") -> None:
        """What the board asks next is answered by yes, or by these words."""
        self.page.once("dialog", lambda asked: asyncio.ensure_future(asked.accept(words)))

    async def is_ready(self) -> None:
        """The agent takes calls again."""
        await self.agent.click("#ready")
        await agent_is(self.agent, "ready")


async def walked(reader: Reader, hotline: Hotline, browser: Browser, outside: Phone) -> None:
    page = await signed_in(browser, hotline, "truongca")
    assert page.url.endswith("/supervisor"), "the board is what they see first"
    agent = await signed_in(browser, hotline, AGENT)
    async with Phone(
        "127.0.0.1", server=hotline.sip, user=SEAT, password=hotline.secrets.phones[SEAT],
    ) as seat:
        await seat.register()
        floor = Floor(hotline, page, agent, seat, outside)
        await floor.comes_in()
        await leads_people(reader, floor)
        await enters_calls(reader, floor)
        await tells_everybody(reader, floor)
        await agent.click("#leave")
        await agent_is(agent, "offline")
    await sets_switches(reader, floor)
    await agent.context.close()
    await page.context.close()


async def leads_people(reader: Reader, floor: Floor) -> None:
    """While somebody waits and the agent rests."""
    page, agent = floor.page, floor.agent
    row = page.locator(f"#agents tr[data-agent={AGENT}]")
    async with citizen(floor.hotline, WAITS) as phone:
        call = await called(phone)
        await until_heard(call, floor.hotline, "greeting_main")
        await call.press("0")
        async with reader.chapter("Bảng trực tiếp", page) as at:
            await at.sees("Bảng trực tiếp")
            await expect(page.locator("#figure-waiting b")).to_have_text("1")
            await expect(page.locator("#figure-longest b")).not_to_have_text("–")
            await at.sees("Đang chờ", "Chờ lâu nhất", "Vắng mặt lúc này")
            await expect(page.locator("#missing-list [data-missing=agent3]")).to_be_visible()
            await at.sees("Mức phục vụ", "Diễn biến trong ngày, theo nửa giờ")
            await at.clicks("Màn hình lớn")
            await expect(page.locator("body.tv #figure-waiting b")).to_have_text("1")
            await page.goto("/supervisor")
        async with reader.chapter("Điều người", page) as at:
            at.within = row
            await at.clicks("Cho sẵn sàng")
            ringing = await floor.seat.incoming(PATIENCE_S)
            await at.clicks("Tạm nghỉ")
            await expect(row).to_contain_text("Tạm nghỉ")
            await ringing.hang_up()
            await expect(row).to_have_attribute("data-state", "paused")
            floor.accepts()
            await at.clicks("Đăng xuất")
            await expect(row).to_have_count(0)
            await agent_is(agent, "offline")
            await floor.comes_in()
            await at.clicks("Kỹ năng")
            await page.locator("#skills [data-queue=vaccine]").select_option(
                label="2: khi mức 1 đều bận"
            )
            await page.locator("#skills").get_by_role("button", name="Lưu").click()
            await expect(page.locator("#skills")).to_be_hidden()
            await until(lambda: penalty(floor.hotline, SEAT) == 1,
                        "the level counts at once")
            await page.locator("#waiting summary").click()
            at.within = page.locator("#waiting tbody tr").filter(has_text=WAITS)
            await at.chooses("Chuyển đến…", "Tiêm chủng")
            await expect(page.locator("#waiting td", has_text="Tiêm chủng").first).to_be_visible()
            await until(lambda: "1. " in floor.hotline.ask("queue show vaccine"), "waits there")
            at.within = page
            await at.clicks("Quy định bàn trực")
            await page.get_by_label("Giải lao: Mỗi lần").fill("12")
            await page.get_by_role("button", name="Lưu").first.click()
            await expect(page.get_by_label("Giải lao: Mỗi lần")).to_have_value("12")
        await call.hang_up()


async def enters_calls(reader: Reader, floor: Floor) -> None:
    page, agent = floor.page, floor.agent
    row = page.locator(f"#agents tr[data-agent={AGENT}]")
    async with reader.chapter("Nghe, nhắc, vào, nhận cuộc gọi", page, "/supervisor") as at:
        await at.clicks("Nhận máy trên trình duyệt này")
        await expect(page.locator("body")).to_have_attribute("data-registration", "registered")
        await floor.is_ready()
        async with floor.talks(HEARD) as (call, at_desk):
            at.within = row
            heard_by = {"Nghe": (False, False), "Nhắc riêng": (True, False),
                        "Vào cuộc gọi": (True, True)}
            for how, (by_agent, by_citizen) in heard_by.items():
                await at.clicks(how)
                await phone_is(page, "talking")
                assert await heard_by_page(page, CITIZEN_HZ)
                call.stop_playing()
                for who, meant in ((at_desk, by_agent), (call, by_citizen)):
                    assert await (hears if meant else hears_not)(who, AGENT_HZ), how
                call.play_tone(CITIZEN_HZ)
                await page.keyboard.press("F4")
                await phone_is(page, "idle")
            await row.get_by_role("button", name="Nghe").click()
            await phone_is(page, "talking")
            await at.finds("Nhận cuộc gọi")
            floor.accepts()
            await at.presses("F9")
            assert await at_desk.ended(PATIENCE_S)
            await expect(page.locator("#own-state")).to_contain_text(HEARD)
            await expect(agent.locator("#banner-taken")).to_contain_text("truongca đã nhận")
            assert await hears(call, AGENT_HZ)
            await opens_a_case(at, floor, at_desk.invite_header("X-Hotline-Call") or "")
            await page.click("#own-hangup")
            await until_heard(call, floor.hotline, "survey_intro")
        await rings(at, floor)
        await floor.is_ready()
        async with floor.talks(UNHEARD, "*"):  # does not want to be recorded
            floor.accepts("Người gọi dọa tự sát.")
            await row.get_by_role("button", name="Nghe").click()
            await phone_is(page, "talking")
            assert await heard_by_page(page, CITIZEN_HZ)
            await page.keyboard.press("F4")
            at.within = agent
            await at.clicks("Cần hỗ trợ ngay")
            alarm = page.locator(f"#room-alarms [data-help={AGENT}]")
            await expect(alarm).to_be_visible()
            at.within = alarm
            await at.clicks("Tôi nhận hỗ trợ")
            await expect(agent.locator("#help-state")).to_contain_text("truongca")
            await at.clicks("Đã xong")
            await expect(alarm).to_have_count(0)


async def opens_a_case(at: Reading, floor: Floor, call: str) -> None:
    """Of a call that was taken over, in a tab of its own."""
    page = floor.page
    at.within = page
    link = await at.finds("Tạo phản ánh")
    async with page.context.expect_page() as coming:
        await link.click()
    form = await coming.value
    await form.fill("[name=summary]", "Bị hàng xóm đe dọa nhiều lần.")
    await form.get_by_role("button", name="Tạo phản ánh").click()
    await form.wait_for_url("**/cases/*")
    code = form.url.rpartition("/")[2]
    await form.close()
    with floor.hotline.database.reading() as session:
        assert [one.code for one in life.of_call(session, call)] == [code]


async def rings(at: Reading, floor: Floor) -> None:
    """The lead rings somebody back: the own phone rings first."""
    page = floor.page
    await page.reload()
    await expect(page.locator("body")).to_have_attribute("data-registration", "registered")
    work = await page.context.new_page()
    await work.goto("/work")
    await work.locator(f"tr[data-missed='{TO_RING}']").get_by_role("button", name="Gọi").click()
    await phone_is(page, "ringing")
    await at.presses("F2")
    rung = await floor.outside.incoming(PATIENCE_S)
    assert rung.dialled == TO_RING
    rung.answer()
    rung.play_tone(CITIZEN_HZ)
    assert await heard_by_page(page, CITIZEN_HZ)
    await at.presses("F4")
    assert await rung.ended(PATIENCE_S)
    await work.close()


async def tells_everybody(reader: Reader, floor: Floor) -> None:
    page, agent = floor.page, floor.agent
    given = agent.locator("#instructions li")
    for left in reversed(range(await given.count())):  # of before: the oldest is read first
        await agent.keyboard.press("F12")
        await expect(given).to_have_count(left)
    told = given.filter(has_text="cầu Mẫu")
    async with reader.chapter("Chỉ đạo khẩn", page) as at:
        await at.clicks("Chỉ đạo khẩn")
        at.within = page.locator(".side")
        await at.fills("Điều mọi người phải biết", "Đường 15 ngập ở cầu Mẫu.")
        await at.chooses("Hiệu lực trong", "4 giờ")
        await at.clicks("Gửi tới mọi bàn trực")
        await expect(told).to_contain_text("Đường 15 ngập")
        await at.sees("chưa đọc")
        await page.goto("/supervisor")
        reads = page.locator("#readers-list li").filter(has_text="cầu Mẫu")
        await expect(reads).to_contain_text("Điện thoại viên 2")
        await agent.keyboard.press("F12")
        await expect(told).to_have_count(0)
        await expect(reads).to_contain_text("đã đọc")
        await page.goto("/instructions")
        at.within = page.locator("[data-instruction]:not(.off)").filter(has_text="cầu Mẫu")
        await at.within.locator("summary").last.click()
        await at.within.locator("[name=text]").fill("Cầu Mẫu đã thông xe, đường 15 còn ngập.")
        await at.clicks("Thay nội dung")
        await expect(given).to_contain_text("đã thông xe")
        at.within = page.locator("[data-instruction]:not(.off)").filter(has_text="đã thông xe")
        await at.within.locator("summary").last.click()
        await at.clicks("Rút lại")
        await expect(given).to_have_count(0)


async def sets_switches(reader: Reader, floor: Floor) -> None:
    page, hotline = floor.page, floor.hotline
    async with reader.chapter("Đông người gọi, thiên tai, dịch", page) as at:
        await at.clicks("Công tắc")

        async def sets(name: str, value: str) -> None:
            row = page.locator("tr").filter(has=page.locator(f"[name=name][value='{name}']"))
            await row.locator("select").select_option(label=value)
            await row.get_by_role("button", name="Đặt").click()
            await expect(row.locator("select option:checked")).to_have_text(value)

        await at.sees("Thông báo ở đầu mỗi cuộc gọi")
        for value, prompt in (("Nhiều cuộc gọi, chờ lâu", "notice_high_volume"),
                              ("Thiên tai: cứu nạn bấm phím 4", "notice_disaster")):
            await at.sees(value)
            await sets("notice", value)
            await meets(hotline, NOTICED, prompt)
        await sets("notice", "Không")
        await at.sees("Theo lịch", "Mở", "Đóng")
        for value, kept in (("Mở", "open"), ("Đóng", "closed"), ("Theo lịch", "auto")):
            await sets("hours.advice", value)
            assert switch(hotline, "hours.advice") == kept
        day = datetime.now(VIETNAM).date() + timedelta(days=30)
        await at.sees("Ngày")
        form = page.locator("form").filter(has=page.locator("input[type=date]"))
        await form.locator("[name=day]").fill(day.isoformat())
        await form.locator("[name=value]").select_option(label="Đóng")
        await form.get_by_role("button", name="Đặt").click()
        await until(lambda: switch(hotline, f"day.{day:%Y%m%d}") == "closed", "the day is closed")
        await at.clicks("Quá tải, sự cố")
        await limits(at, floor)
        await tells_of_an_incident(at, floor)
        await page.goto("/supervisor")
        await at.sees("Bảng trực tiếp")


def switch(hotline: Hotline, name: str) -> str:
    """What Asterisk knows."""
    return hotline.ask(f"database get switch {name}").partition("Value: ")[2].strip()


async def meets(hotline: Hotline, number: str, *prompts: str) -> None:
    async with citizen(hotline, number) as phone:
        call = await called(phone)
        for prompt in prompts:
            await until_heard(call, hotline, prompt)
        await call.hang_up()


def in_an_hour() -> str:
    return f"{datetime.now(VIETNAM) + IN_AN_HOUR:%Y-%m-%dT%H:%M}"


async def limits(at: Reading, floor: Floor) -> None:
    page = floor.page
    await at.sees("Đặt giới hạn tạm thời")
    form = page.locator("#limits form").filter(has_text="Đặt giới hạn tạm thời")
    await at.sees("Tổng số người gọi cùng lúc")
    for queue, most in (("Tổng số người gọi cùng lúc", "500"), ("Tiêm chủng", "40")):
        await form.get_by_label("Nhánh").select_option(label=queue)
        await form.get_by_label("Bao nhiêu người").fill(most)
        await form.get_by_label("Đến hết").fill(in_an_hour())
        await form.get_by_label("Lý do").fill("Mưa lũ")
        await form.get_by_role("button", name="Đặt").click()
        await expect(page.locator("#limits tr.set").filter(has_text=queue)).to_contain_text(most)
    assert switch(floor.hotline, "limit.vaccine").startswith("40.")
    line = page.locator("#limits tr[data-limit=line]")
    await at.clicks_on("Bỏ", line.get_by_role("button"))
    await expect(page.locator("#limits tr.set[data-limit=line]")).to_have_count(0)
    await page.locator("#limits tr[data-limit=vaccine]").get_by_role("button").click()
    await expect(page.locator("#limits tr.set")).to_have_count(0)


async def tells_of_an_incident(at: Reading, floor: Floor) -> None:
    page, hotline = floor.page, floor.hotline
    words = "Khu vực cầu Mẫu đang mất nước"
    await at.sees("Báo sự cố cho người gọi")
    await page.locator("form").filter(has_text="Lời khác").locator("[name=text]").fill(words)
    await at.clicks("Soạn sẵn lời này")
    text = page.locator("[data-text]").filter(has_text=words)
    await expect(text.locator("[data-listen]")).to_be_visible()
    await at.clicks_on("Nghe", text.locator("[data-listen]"))
    await page.wait_for_function("() => document.querySelector('#preview').currentTime > 0.5")
    await text.locator("[type=radio]").check()
    await at.chooses("Ai nghe", "Mọi người gọi")
    await page.locator("#start [name=until]").fill(in_an_hour())
    await at.clicks("Phát cho người gọi từ bây giờ")
    incident = page.locator("[data-incident]").filter(has_text=words)
    await expect(incident).to_be_visible()
    async with citizen(hotline, JOINS) as phone:
        call = await called(phone)
        await until_heard(call, hotline, "incident_join.1")
        await call.press("1")
        await until_heard(call, hotline, "incident_joined.1")
        await call.hang_up()
    await page.goto("/supervisor")
    await expect(page.locator("#in-force-list")).to_contain_text(words)
    await page.goto("/surge")
    at.within = incident
    await at.clicks("Đã khắc phục")
    await at.within.locator("[name=text]").fill("Khu vực cầu Mẫu đã có nước trở lại")
    await at.clicks("Kết thúc sự cố")
    at.within = page
    await expect(incident).to_have_count(0)
