"""A whole shift in real browsers against a real Asterisk, in Vietnamese, by keys where one is:
an agent from the first sign-in to the last word, and the supervisor of the room beside them. Every
telephone, the one that stands in for 115 too, is the test's; each side is told by its tone."""

import asyncio
import csv
import io
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from playwright.async_api import Page, expect
from sqlalchemy import select

from crm.cases import life
from crm.clock import vietnam_day
from crm.models import AgentEvent, CallNote, CallSegment
from crm.quality.models import QualityDraw, QualityPick
from crm.recordings.models import Sound, SoundUse
from ivr.phone import Call, Phone
from tests.agent_console.factories import weeks_of_calls
from tests.live.browser import (
    AGENT_HZ,
    LISTEN,
    chromium,
    heard_by_page,
    signed_in,
)
from tests.live.people import called, citizen, desk_agent, until_heard
from tests.live.running import PATIENCE_S, Hotline, free_ports, running_hotline, wait_for
from tests.live.test_rooms import CITIZEN_HZ, SECOND_HZ, SERVICE, hears, hears_not

CARRIER = "127.0.0.7"  # a telephone that the hotline calls instead of anybody outside
SUPERVISOR_HZ, SERVICE_HZ = 1200, 1500
HELPED, LED_ON, IN_NEED, CALLED_BACK, SPOKEN = (f"091200090{number}" for number in range(1, 6))

NUMBERS = (HELPED, LED_ON, IN_NEED, CALLED_BACK, SPOKEN)

# The strongest tone of the left and the right side while a recording is played on its page.
SIDES = """async (ms) => {
  const sound = document.querySelector('#sound');
  await sound.play();
  const context = new AudioContext();
  const splitter = context.createChannelSplitter(2);
  context.createMediaStreamSource(sound.captureStream()).connect(splitter);
  const sides = [0, 1].map((side) => {
    const analyser = context.createAnalyser();
    analyser.fftSize = 8192;
    splitter.connect(analyser, side);
    return analyser;
  });
  const heard = [[], []];
  const end = Date.now() + ms;
  while (Date.now() < end) {
    await new Promise(done => setTimeout(done, 100));
    sides.forEach((analyser, side) => {
      const bins = new Float32Array(analyser.frequencyBinCount);
      analyser.getFloatFrequencyData(bins);
      const best = bins.indexOf(Math.max(...bins));
      if (bins[best] > -60) heard[side].push(best * context.sampleRate / analyser.fftSize);
    });
  }
  sound.pause();
  await context.close();
  return heard;
}"""


@pytest.fixture(scope="module")
def carrier_port() -> int:
    return free_ports(1)[0]


@pytest.fixture(scope="module")
def hotline(carrier_port: int, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hotline]:
    with running_hotline(
        tmp_path_factory.mktemp("shift") / "home", HOTLINE_EMERGENCY_MEDICAL=SERVICE,
        HOTLINE_TRUNK_SERVER=f"{CARRIER}:{carrier_port}", HOTLINE_WRAPUP_S="60",
    ) as running:
        yield running


async def until(look: Callable[[], bool], what: str, timeout_s: float = PATIENCE_S) -> None:
    await asyncio.to_thread(wait_for, look, what, timeout_s)


async def on_duty(page: Page) -> None:
    """The first two keys of a shift."""
    await page.keyboard.press("Shift+F2")
    await expect(page.locator("body")).to_have_attribute("data-registration", "registered")
    await agent_is(page, "paused")
    await page.keyboard.press("Shift+F2")
    await agent_is(page, "ready")


async def phone_is(page: Page, state: str) -> None:
    await expect(page.locator("body")).to_have_attribute("data-phone-state", state)


async def agent_is(page: Page, state: str) -> None:
    await expect(page.locator("body")).to_have_attribute("data-agent-state", state)


async def plays_not(page: Page, hz: float) -> bool:
    """Whether the page is silent about a tone just now."""
    heard = np.array(await page.evaluate(LISTEN, 2500))
    return bool(np.sum(np.abs(heard - hz) < 0.05 * hz) < 3)


async def to_the_queue(call: Call, hotline: Hotline) -> None:
    await until_heard(call, hotline, "greeting_main")
    await call.press("0")


@asynccontextmanager
async def taken(page: Page, hotline: Hotline, number: str) -> AsyncIterator[Call]:
    """A citizen's call that the agent takes by a key; who rings is seen before."""
    async with citizen(hotline, number) as phone:
        call = await called(phone)
        await to_the_queue(call, hotline)
        await phone_is(page, "ringing")
        await expect(page.locator("#caller")).to_have_text(number)
        await page.keyboard.press("F2")
        await phone_is(page, "talking")
        call.play_tone(CITIZEN_HZ)
        assert await hears(call, AGENT_HZ)
        yield call


async def wraps_up(page: Page, note: str) -> None:
    """After the talk: a note, a result, finished, by keys alone; the timer runs meanwhile."""
    await agent_is(page, "wrapup")
    await expect(page.locator("#state-time")).to_contain_text("còn 0:")
    await page.keyboard.press("Shift+F9")
    await expect(page.locator("#note")).to_be_focused()
    await page.keyboard.press("Control+End")
    await page.keyboard.type(note)
    await page.keyboard.press("Tab")  # the results follow the note
    await page.keyboard.press("Space")
    await page.keyboard.press("Control+Enter")
    await agent_is(page, "ready")


async def helped(page: Page, supervisor: Page, hotline: Hotline) -> None:
    """A call that is answered, with a case; its recording rests for a while, and the supervisor
    listens, whispers and barges."""
    async with taken(page, hotline, HELPED) as call:
        state = page.locator("#recording-row")
        await expect(state).to_have_attribute("data-recording", "on")
        assert await heard_by_page(page, CITIZEN_HZ)
        await page.keyboard.press("Shift+F7")
        await expect(state).to_have_attribute("data-recording", "paused")

        await page.keyboard.press("Shift+F9")
        await page.keyboard.type("Hết gạo ba ngày")
        await page.keyboard.press("F1")
        await expect(page.locator("#case-box [name=phone]")).to_have_value(HELPED)
        await page.keyboard.type("Bốn hộ hết gạo và nước uống")
        await page.locator("#case-box [name=category]").select_option("food")
        await page.locator("#case-box button.primary").press("Enter")
        await expect(page.locator("#case-box .aloud")).to_be_visible()
        await page.keyboard.press("Escape")
        await expect(page.locator("#note")).to_be_focused()

        await page.keyboard.press("F7")  # so that only the supervisor is to be heard
        await expect(page.locator("#mute")).to_have_attribute("aria-pressed", "true")
        heard_by = {"listen": (False, False), "whisper": (True, False), "barge": (True, True)}
        for how, (by_agent, by_citizen) in heard_by.items():
            await supervisor.click(f"#agents button[data-act={how}][data-agent=agent1]")
            await phone_is(supervisor, "talking")
            assert await heard_by_page(supervisor, CITIZEN_HZ)
            call.stop_playing()
            found = await asyncio.gather(
                (heard_by_page if by_agent else plays_not)(page, SUPERVISOR_HZ),
                (hears if by_citizen else hears_not)(call, SUPERVISOR_HZ),
            )
            assert all(found), how
            call.play_tone(CITIZEN_HZ)
            await supervisor.click("#own-hangup")
            await phone_is(supervisor, "idle")

        await page.keyboard.press("F7")
        await page.keyboard.press("Shift+F7")
        await expect(state).to_have_attribute("data-recording", "on")
        assert await hears(call, AGENT_HZ)
        await page.keyboard.press("F4")
        await until_heard(call, hotline, "survey_intro")
        await call.hang_up()
    await wraps_up(page, ", đã mở phản ánh")


async def led_on(page: Page, hotline: Hotline) -> None:
    """A colleague is asked while the caller hears music, and takes the caller over."""
    async with (
        taken(page, hotline, LED_ON) as call,
        desk_agent(hotline, "agent2", phone_name="desk-02") as other,
    ):
        await page.keyboard.press("F9")
        await expect(page.locator("#guest-list option")).not_to_have_count(0)
        await page.keyboard.type("viên 2")
        await expect(page.locator("#guest-list option:checked")).to_contain_text("2")
        await page.keyboard.press("Enter")
        asked = await other.incoming(PATIENCE_S)
        asked.answer()
        asked.play_tone(SECOND_HZ)
        await expect(page.locator("#guest-state")).to_contain_text("nghe nhạc")
        assert await heard_by_page(page, SECOND_HZ)
        assert await hears_not(call, SECOND_HZ)
        await page.locator("#guest-leave").press("Enter")
        await phone_is(page, "ended")
        assert await hears(call, SECOND_HZ)
        assert await hears(asked, CITIZEN_HZ)
        await asyncio.sleep(2)  # less is no conversation
        await wraps_up(page, "Chuyển đồng nghiệp")
        await page.keyboard.press("Shift+F4")  # nobody rings while the colleague still talks
        await agent_is(page, "paused")
        await asked.hang_up()
        await call.hang_up()
    await page.keyboard.press("Shift+F2")
    await agent_is(page, "ready")


async def in_need(page: Page, hotline: Hotline, outside: Phone) -> None:
    """Whoever stands in for 115 is called in by one key: all three hear each other."""
    async with taken(page, hotline, IN_NEED) as call:
        await page.keyboard.press("Alt+5")
        await expect(page.locator("#direct-state")).to_contain_text("115")
        service = await outside.incoming(PATIENCE_S)
        assert service.dialled == SERVICE
        assert await hears(call, AGENT_HZ), "they go on speaking while it rings"
        service.answer()
        await expect(page.locator("#guest-state")).to_contain_text("trong cuộc gọi")
        await expect(page.locator("#rescue-number")).to_contain_text(IN_NEED[-3:])
        await expect(page.locator("#rescue-case")).to_be_visible()  # opened by itself
        assert await hears(service, CITIZEN_HZ)
        call.stop_playing()
        assert await hears(service, AGENT_HZ)
        service.play_tone(SERVICE_HZ)
        await page.keyboard.press("F7")
        assert await hears(call, SERVICE_HZ)
        assert await heard_by_page(page, SERVICE_HZ)
        await call.hang_up()
    await wraps_up(page, "Đã nối 115")


async def asks_to_be_called_back(agent: Page, hotline: Hotline) -> None:
    """Waits while the agent speaks, and has the place kept."""
    await phone_is(agent, "talking")
    async with citizen(hotline, CALLED_BACK) as phone:
        call = await called(phone)
        await to_the_queue(call, hotline)
        await until_heard(call, hotline, "queue_connecting")
        await call.press("1")
        await until_heard(call, hotline, "callback_use_this_number.2")
        await call.press("1")
        await until_heard(call, hotline, "callback_confirmed_no_time")
        assert await call.ended(PATIENCE_S)


async def called_back(page: Page, hotline: Hotline, outside: Phone) -> None:
    """The promise is kept in its place: the agent's page rings first, then the citizen."""
    await phone_is(page, "ringing")
    await expect(page.locator("#call-state")).to_contain_text("gọi lại")
    await page.keyboard.press("F2")
    rung = await outside.incoming(PATIENCE_S)
    assert rung.dialled == CALLED_BACK
    rung.answer()
    await until_heard(rung, hotline, "callback_hello")
    await rung.press("1")
    rung.play_tone(CITIZEN_HZ)
    assert await hears(rung, AGENT_HZ)
    assert await heard_by_page(page, CITIZEN_HZ)
    await rung.hang_up()
    await wraps_up(page, "Đã gọi lại")


async def leaves_a_message(hotline: Hotline) -> None:
    async with citizen(hotline, SPOKEN) as phone:
        call = await called(phone)
        await until_heard(call, hotline, "greeting_main")
        await call.press("2")
        await asyncio.sleep(2)
        await call.press("2")
        await until_heard(call, hotline, "test_home_request")
        await until_heard(call, hotline, "beep")
        call.play_tone(CITIZEN_HZ)
        await asyncio.sleep(5)
        await call.hang_up()


async def message_is_done(agent: Page, hotline: Hotline) -> None:
    """Heard and finished in a tab of its own: the phone stays where it is."""
    page = await agent.context.new_page()
    await page.goto("/messages")
    row = page.locator("tbody tr", has_text=SPOKEN)
    await row.get_by_role("link", name="Nghe").press("Enter")
    async with asyncio.timeout(PATIENCE_S):
        while await page.evaluate("document.querySelector('#player audio').currentTime") < 1:
            await asyncio.sleep(0.2)
    await row.get_by_role("button", name="Nhận").press("Enter")
    await row.get_by_role("button", name="Xong").press("Enter")
    await expect(page.get_by_text(SPOKEN)).to_have_count(0)
    await page.close()


async def supervises(board: Page, hotline: Hotline) -> None:
    """A recording is found, heard on both sides and judged; the calls of the next day are forecast
    from the weeks before."""
    page = await board.context.new_page()
    page.set_default_timeout(1000 * PATIENCE_S)
    call = (await asyncio.to_thread(hotline.call_of, HELPED))["id"]

    def sealed() -> bool:
        with hotline.database.reading() as session:
            row = session.get(Sound, f"{call}.raw")
            return row is not None and row.sealed_at is not None

    await until(sealed, "the recording is sealed", 90)
    await page.goto("/recordings")
    await page.fill("[name=number]", HELPED)
    await page.keyboard.press("Enter")
    row = page.locator(f"tr[data-call='{call}']")
    await expect(row).to_contain_text("tạm dừng")
    await row.get_by_role("link").press("Enter")
    await expect(page.locator("#waves polygon")).to_have_count(2)
    left, right = await page.evaluate(SIDES, 2500)
    assert np.isclose(np.median(left), CITIZEN_HZ, rtol=0.05), left
    assert np.isclose(np.median(right), AGENT_HZ, rtol=0.05), right

    await page.goto("/quality/cards/new")
    await page.fill("[name=name]", "Nghe máy")
    await page.fill("[name=text0]", "Chào đúng lời")
    await page.select_option("[name=kind0]", "yesno")
    await page.fill("[name=text1]", "Hiểu người gọi")
    await page.keyboard.press("Enter")
    await expect(page.locator("main")).to_contain_text("Nghe máy")
    with hotline.database.transaction() as session:  # only weeks that are over are drawn from
        draw = QualityDraw(
            week="2026-W01", per_agent=1, seed="0" * 32, pool=1, pool_digest="0" * 64,
            drawn_at=datetime.now(UTC), drawn_by="truongca",
        )
        session.add(draw)
        session.flush()
        session.add(QualityPick(draw_id=draw.id, call_id=call, agent="agent1", branch="general"))
    await page.goto("/quality")
    await page.get_by_role("link", name="Chấm", exact=True).press("Enter")
    await page.locator("[name=q1][value='1']").press("Space")
    await page.locator("[name=q2][value='4']").press("Space")
    await page.fill("[name=note]", "Rất kiên nhẫn")
    await page.locator("main button.primary").press("Enter")
    await expect(page.locator("main")).to_contain_text("Rất kiên nhẫn")

    await page.goto("/staffing")
    await page.select_option("[name=branch]", "vaccine")
    await page.locator("form.filter button").press("Enter")
    forecast = page.locator("#forecast")
    await expect(forecast).to_contain_text("Tổng cộng 10 cuộc gọi.")
    await expect(forecast).to_contain_text("WAPE")
    await expect(forecast.locator("svg")).to_be_visible()
    await expect(page.locator("#agents tr", has_text="09:00").locator("td").first).to_have_text(
        "10.0"
    )
    await page.fill("[name=calls]", "60")
    await page.fill("[name=handling]", "240")
    await page.fill("[name=agents]", "6")
    await page.keyboard.press("Enter")
    await expect(page.locator("#try [role=status]")).to_contain_text("4.0 Erlang")
    await page.close()


def segments(hotline: Hotline, call: str) -> list[tuple[str, str | None, str | None]]:
    """Who had the caller of a call when: what it was, whose, how it ended."""
    with hotline.database.reading() as session:
        return [(one.what, one.agent, one.result) for one in session.scalars(
            select(CallSegment).where(CallSegment.call_id == call).order_by(CallSegment.number)
        )]


async def figures(board: Page) -> dict[str, str]:
    """What the board says of the whole day, and what the report of the day says of the same."""
    cells = board.locator("#branches tfoot [data-figure]")
    shown = dict(zip(
        await cells.evaluate_all("all => all.map(one => one.dataset.figure)"),
        await cells.all_inner_texts(), strict=True,
    ))
    today = vietnam_day(datetime.now(UTC))
    answer = await board.context.request.get(
        f"/reports/service/file.csv?by=day&from={today}&to={today}"
    )
    calls, waits = (
        next(row for row in csv.DictReader(io.StringIO(table)) if row["Ngày"] == "Cộng")
        for table in [one for one in (await answer.text()).split("\ufeff") if one][:2]
    )
    told = {
        "attempts": calls["Gọi đến"], "answered": calls["Gặp điện thoại viên"],
        "abandoned": calls["Bỏ khi chờ"], "left_menu": calls["Bỏ ở menu"],
        "voicemail": calls["Lời nhắn"],
    }
    assert {name: shown[name] for name in told} == told
    assert f"({waits['Trong 20 giây']}/{waits['Được tính']})" in shown["level"]
    return shown


def test_an_agents_whole_shift_and_the_supervisor_beside_it(
    hotline: Hotline, carrier_port: int, tmp_path: Path
) -> None:
    async def scenario() -> None:
        async with (
            Phone(CARRIER, carrier_port) as outside, chromium(tmp_path) as browser,
            chromium(tmp_path, SUPERVISOR_HZ) as upstairs,
        ):
            message = asyncio.create_task(leaves_a_message(hotline))
            agent, board = await asyncio.gather(
                signed_in(browser, hotline, "agent1"), signed_in(upstairs, hotline, "truongca"),
            )
            await asyncio.gather(on_duty(agent), board.click("#own-phone"))
            await expect(board.locator("body")).to_have_attribute(
                "data-registration", "registered"
            )
            promise = asyncio.create_task(asks_to_be_called_back(agent, hotline))
            await helped(agent, board, hotline)
            await promise
            supervision = asyncio.create_task(supervises(board, hotline))
            await called_back(agent, hotline, outside)
            await led_on(agent, hotline)
            await in_need(agent, hotline, outside)
            await message
            await message_is_done(agent, hotline)
            await supervision
            mine = await agent.context.new_page()
            await mine.goto("/quality/mine")
            await expect(mine.locator("main")).to_contain_text("Rất kiên nhẫn")
            await mine.close()
            await agent.select_option("#reason", "lunch")
            await agent.keyboard.press("Shift+F4")
            await agent_is(agent, "paused")
            await expect(board.locator("#agents tr[data-agent=agent1]")).to_contain_text("Ăn trưa")
            await agent.keyboard.press("Shift+F6")
            await agent_is(agent, "offline")
            await agent.locator("#logout button").press("Enter")
            await agent.wait_for_url("**/login")

            await until(lambda: hotline.ledger().unread_bytes == 0, "the journal is read")
            await expect(
                board.locator("#branches tfoot [data-figure=attempts]")
            ).to_have_text("5")
            shown = await figures(board)
            assert (shown["answered"], shown["voicemail"], shown["abandoned"]) == ("3", "1", "0")

    weeks_of_calls(hotline.database, 40)
    asyncio.run(scenario())
    hotline.assert_ledger_complete()
    calls = {number: hotline.call_of(number) for number in NUMBERS}
    assert {number: (one["outcome"], one["agent"]) for number, one in calls.items()} == {
        HELPED: ("answered", "agent1"), LED_ON: ("answered", "agent2"),
        IN_NEED: ("transferred", "agent1"), CALLED_BACK: ("callback", "agent1"),
        SPOKEN: ("voicemail", None),
    }
    parts = {number: segments(hotline, one["id"]) for number, one in calls.items()}
    assert parts[HELPED] == [
        ("wait", None, "answered"), ("offer", "agent1", "taken"), ("talk", "agent1", None),
        ("wrapup", "agent1", None),
    ]
    assert parts[CALLED_BACK] == [("wait", None, "callback"), *parts[HELPED][1:]], "\n".join(
        line for line in hotline.journal().splitlines() if calls[CALLED_BACK]["id"] in line
    )
    assert {
        ("hold", "agent1", None), ("transfer", "agent1", "done"), ("consult", "agent2", None),
        ("talk", "agent1", None), ("talk", "agent2", None),
    } <= set(parts[LED_ON])
    assert {
        ("transfer", "agent1", "done"), ("offer", None, "taken"), ("talk", "agent1", None),
        ("talk", None, None),  # of 115
    } <= set(parts[IN_NEED])
    assert parts[SPOKEN] == []
    with hotline.database.reading() as session:
        noted = dict(session.execute(select(CallNote.call_id, CallNote.text)).all())
        assert {number: noted.get(one["id"]) for number, one in calls.items()} == {
            HELPED: "Hết gạo ba ngày, đã mở phản ánh", LED_ON: "Chuyển đồng nghiệp",
            IN_NEED: "Đã nối 115", CALLED_BACK: "Đã gọi lại", SPOKEN: None,
        }
        told = session.execute(
            select(AgentEvent.state, AgentEvent.reason).where(AgentEvent.agent == "agent1")
            .order_by(AgentEvent.at)
        ).all()
        assert [tuple(one) for one in (*told[:2], *told[-2:])] == [
            ("paused", None), ("ready", None), ("paused", "lunch"), ("out", None)
        ]
        assert session.scalars(select(SoundUse.by).order_by(SoundUse.by)).all() == [
            "agent1", "truongca"
        ]
        assert [len(life.of_call(session, calls[number]["id"])) for number in NUMBERS] == [
            1, 0, 1, 0, 0
        ]
