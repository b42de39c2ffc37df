"""The live board in a real browser, at the desk and on a television: what it tells of a day."""

from __future__ import annotations

import io
import math
import re
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Locator, Page, ViewportSize, expect

from crm.agents import pauses
from crm.calls.history import day_start
from crm.database import Database
from crm.models import Callback, CallSegment, Role
from crm.users import create_user
from tests.accounts import PASSWORD
from tests.agent_console.factories import (
    add_call,
    call_id,
    put_live_agent,
    put_live_call,
)
from tests.agent_console.test_browser import (  # noqa: F401
    address,
    chromium,
    page,
    sign_in,
)
from tests.crm.cases.factory import officer, with_agencies

# A television of 55 inches, 1.2176 m wide, read at five metres. ISO 9241-303: letters of 16' at
# least (the rule of 1/200 of the distance is a little more), 20' and more where it matters.
TV = ViewportSize(width=1920, height=1080)
PX_PER_M = TV["width"] / 1.2176
LETTER_PX = 5 / 200 * PX_PER_M
KEY_FIGURE_PX = 5 * math.tan(math.radians(20 / 60)) * PX_PER_M
AGENCY = "02373852246"

# Of each element that is seen: the height of its capitals and digits, as the browser draws them.
LETTERS = """(all) => all.filter((one) => one.checkVisibility() && one.textContent).map((one) => {
  const pen = document.createElement("canvas").getContext("2d");
  const style = getComputedStyle(one);
  pen.font = `${style.fontWeight} ${style.fontSize} ${style.fontFamily}`;
  const letter = pen.measureText(/\\d/.test(one.textContent) ? "0" : "H");
  const scale = one.getCTM ? one.getCTM().a : 1;
  return [one.textContent, letter.actualBoundingBoxAscent * scale];
})"""


@pytest.fixture
def a_day(sqlite: Database, people: None) -> None:
    """Twelve calls of today, two who wait, three agents, one of whom rests too long."""
    now = datetime.now(UTC)
    began = day_start(now)

    def at(part: float) -> datetime:
        return began + part * (now - began)

    told = [  # outcome, seconds of waiting
        *[("answered", 8)] * 4, *[("answered", 45)] * 2, ("abandoned_queue", 90),
        ("abandoned_queue", 3), ("abandoned_menu", None), ("voicemail", 60), ("self_served", None),
        ("transferred", None),
    ]
    for number, (outcome, wait_s) in enumerate(told):
        came = at(number / 13)
        call = add_call(
            sqlite, branch="vaccine", outcome=outcome, started_at=came,
            queued_at=came if wait_s else None, wait_ms=wait_s and wait_s * 1000,
        )
    with sqlite.transaction() as session:
        with_agencies(session)
        officer(session, phone=AGENCY)
        create_user(session, login="bs.an", name="Lê Văn An", role=Role.EXPERT, password=PASSWORD,
                    now=now)
        for number, (party, came_of) in enumerate((
            (f"line:{AGENCY}", "taken"), (f"line:{AGENCY}", "unanswered"),
            ("expert:bs.an", "refused"), ("service:medical", "taken"), ("line:111", "taken"),
        )):
            session.add(CallSegment(call_id=call.id, number=number, what="offer", party=party,
                                    result=came_of, started_at=at(0.5), ms=5000))
        for asked_by, ended in (("0912345681", None), ("0912345682", now)):
            session.add(Callback(
                id=call_id(), node="th1", number=asked_by, branch="vaccine", queue="vaccine",
                arrived_at=at(0.9), asked_at=at(0.9), ended_at=ended, facts={},
            ))
        pauses.note(session, "minh", "rest", now - timedelta(minutes=17))
    put_live_call(sqlite, 2, queued_at=now - timedelta(seconds=130))
    put_live_call(sqlite, 3, branch="relief", queue="relief", caller="0912345670",
                  queued_at=now - timedelta(seconds=31))
    put_live_agent(sqlite, 4)
    put_live_agent(sqlite, 5, "minh", state="paused", reason="rest")
    put_live_agent(sqlite, 6, "hoa", state="talking")


def board(page: Page, query: str = "", *, english: bool = False) -> None:  # noqa: F811
    sign_in(page, "huy")
    page.wait_for_url("**/supervisor")
    if english:
        page.locator("form[action*=language] button").first.click()
        page.wait_for_function("document.documentElement.lang === 'en'")
    page.goto(f"/supervisor{query}")
    expect(page.locator("#figure-attempts b")).to_have_text("12")


def figure(page: Page, name: str) -> Locator:  # noqa: F811
    return page.locator(f"#figure-{name} b")


@pytest.mark.usefixtures("a_day")
def test_the_board_tells_each_rate_with_both_numbers_and_what_it_means(page: Page) -> None:  # noqa: F811
    board(page)
    expect(figure(page, "waiting")).to_have_text("2")
    expect(figure(page, "longest")).to_have_text(re.compile(r"2:[1-4]\d"))  # of who came first
    expect(page.locator("#figure-longest")).to_have_attribute("data-alarm", "alarm")
    expect(figure(page, "owed")).to_have_text("1")
    # answered in time 4; counted: 6 answered, one who gave up after more than 5 s, a message
    expect(figure(page, "level")).to_have_text("50 % (4/8)")
    expect(page.locator("#figure-level > span")).to_contain_text("80 %")
    expect(figure(page, "reached")).to_have_text("58 % (7/12)")

    meaning = page.locator("dl.glossary").first
    expect(meaning).to_be_hidden()
    page.locator("details.definition > summary").first.click()  # one click
    for words in ("Mức dịch vụ", "bỏ máy sau khi chờ hơn 5 giây", "Gặp được người",
                  "mọi cuộc gọi đến, kể cả cuộc bỏ máy"):
        expect(meaning).to_contain_text(words)

    expect(page.locator("tr[data-agent=minh] td").nth(1)).to_have_attribute("data-alarm", "alarm")
    expect(page.locator("tr[data-agent=minh]")).to_contain_text("quá 2:")
    states = page.locator("#agent-counts .state")
    assert sorted(states.all_inner_texts()) == ["Sẵn sàng 1", "Tạm nghỉ 1", "Đang nói 1"]
    expect(page.locator("#agent-counts .state-paused")).to_have_attribute("data-alarm", "alarm")
    assert_trend_is_drawn(page)

    expect(page.locator("#lines tbody tr")).to_have_count(4)
    assert lines(page) == {
        "Sở Y tế (02373852246)": [2, 1, 1, 0], "Bác sĩ Lê Văn An (bs.an)": [1, 0, 0, 1],
        "Cấp cứu y tế": [1, 1, 0, 0], "Bảo vệ trẻ em (111)": [1, 1, 0, 0],
    }
    page.locator("form[action*=language] button").first.click()
    expect(page.locator("#lines tbody tr")).to_have_count(4)
    assert set(lines(page)) == {
        "Sở Y tế (02373852246)", "Doctor Lê Văn An (bs.an)", "Medical emergency",
        "Child protection (111)",
    }


@pytest.mark.usefixtures("a_day")
@pytest.mark.parametrize("english", [False, pytest.param(True, marks=pytest.mark.full)])
def test_on_a_television_of_55_inches_everything_is_read_at_five_metres(
    page: Page, sqlite: Database, english: bool  # noqa: F811
) -> None:
    page.set_viewport_size(TV)
    board(page, "?tv=1", english=english)
    expect(page.locator("#branches tbody tr")).to_have_count(2)  # those that somebody waits in
    first = page.locator("#branches tbody th").first
    expect(first).to_have_text("Vaccination" if english else "Tiêm chủng")  # the longest wait
    expect(page.locator("#agent-counts .state-paused")).to_have_attribute("data-alarm", "alarm")
    for of, least in (
        (".figure b", KEY_FIGURE_PX), (".figure :is(span, small)", LETTER_PX),
        ("#branches :is(th, td)", LETTER_PX), ("#agent-counts .state", LETTER_PX),
        ("#trend :is(svg text, .legend > span)", LETTER_PX),
    ):
        found = page.locator(of).evaluate_all(LETTERS)
        assert found, of
        assert [one for one in found if one[1] < least] == [], (of, least)
    assert ink_height(figure(page, "attempts")) >= KEY_FIGURE_PX
    for name in ("waiting", "longest", "level", "reached", "attempts", "answered", "abandoned",
                 "owed"):
        expect(figure(page, name)).to_be_in_viewport(ratio=1)
    assert page.locator(".figure:visible, #branches, #agent-counts, #trend svg").evaluate_all(
        "all => all.filter((one) => one.scrollWidth > one.clientWidth + 1"
        " || one.getBoundingClientRect().bottom > innerHeight).map((one) => one.id)"
    ) == []
    assert_trend_is_drawn(page)
    put_live_call(sqlite, 30, branch="emergency", queue="emergency", caller="0912345671")
    expect(first).to_have_text("Emergency" if english else "Cấp cứu")  # before all who wait


def lines(page: Page) -> dict[str, list[int]]:  # noqa: F811
    """The lines outside by name: rung, taken, not answered, refused."""
    return {
        row.locator("th").inner_text(): [int(one) for one in row.locator("td").all_inner_texts()]
        for row in page.locator("#lines tbody tr").all()
    }


def assert_trend_is_drawn(page: Page) -> None:  # noqa: F811
    """The bars are as high, in pixels, as their numbers of calls say."""
    picture = page.locator("#trend svg")
    expect(picture).to_be_visible()
    lines = [one.bounding_box() for one in picture.locator("line").all()]
    high = max(one["y"] for one in lines if one) - min(one["y"] for one in lines if one)
    most = int(picture.locator("text").nth(4).text_content() or 0)  # beside the highest line
    calls = []
    for series in range(3):
        bars = [one.bounding_box() for one in picture.locator(f"rect.series-{series}").all()]
        assert all(one and one["width"] > 3 for one in bars)
        calls.append(sum(one["height"] for one in bars if one) / high * most)
    assert calls == pytest.approx([6, 2, 4], abs=0.1)  # answered, gave up, others
    level = picture.locator("polyline.line")
    assert level.get_attribute("points")
    assert level.evaluate("one => getComputedStyle(one).stroke").startswith("rgb")


def ink_height(figure: Locator) -> int:
    """How many rows of pixels a number covers on the screen."""
    seen = np.asarray(Image.open(io.BytesIO(figure.screenshot())).convert("L")).astype(int)
    return int(np.any(np.abs(seen - seen[0, 0]) > 60, axis=1).sum())
