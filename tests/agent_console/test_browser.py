"""The pages in a real browser, without Asterisk: what people see when things change."""

from __future__ import annotations

import base64
import re
import shutil
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]
from flask import Flask
from playwright.sync_api import Browser as Chromium
from playwright.sync_api import Dialog, Page, Route, expect, sync_playwright
from sqlalchemy import select
from werkzeug.serving import make_server

from agent_console.app import create_app, feed_of
from crm import users
from crm.agents import pauses, rescue
from crm.clock import VIETNAM
from crm.database import Database
from crm.knowledge import articles, points, scripts
from crm.models import CallNote, User
from crm.notices.models import Notice
from crm.settings import Settings
from crm.shifts import instructions
from tests.accounts import PASSWORD
from tests.agent_console.conftest import SECRETS, ObedientPhones
from tests.agent_console.factories import (
    add_call,
    call_id,
    put_listener,
    put_live_agent,
    put_live_call,
)
from tests.crm.knowledge.factory import ARTICLE, POINT

LAN = select(User).where(User.login == "lan")
PATIENCE_MS = 60_000  # a busy machine is slow, not wrong
FLAGS = (
    "--no-sandbox", "--disable-background-networking", "--disable-component-update",
    "--disable-sync", "--no-first-run", "--disable-quic", "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream", "--autoplay-policy=no-user-gesture-required",
)

COUNT_TONES = """window.loudness = [];
window.GainNode = class extends GainNode {
  constructor(context, options) {
    super(context, options);
    if (loudness.second = !loudness.second) loudness.push(options.gain);  // an alarm is two tones
  }
};"""


@pytest.fixture(scope="module")
def chromium() -> Iterator[Chromium]:
    program = next(filter(None, map(
        shutil.which, ("chromium", "chromium-browser", "google-chrome")
    )), None)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=list(FLAGS))
        yield browser
        browser.close()


@pytest.fixture
def address(
    settings: Settings, sqlite: Database, phones: ObedientPhones, people: None
) -> Iterator[str]:
    """A console that is served; of the emergency services 115 alone can be rung."""
    put_listener(sqlite, 1)
    rung = replace(settings, trunk_server="127.0.0.9", emergency_medical=("0900000115",))
    app: Flask = create_app(rung, sqlite, phones, SECRETS)
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    feed_of(app).start()
    yield f"http://127.0.0.1:{server.port}"
    feed_of(app).close()
    server.shutdown()
    thread.join()


@pytest.fixture
def page(chromium: Chromium, address: str) -> Iterator[Page]:
    context = chromium.new_context(base_url=address, permissions=["microphone"])
    page = context.new_page()
    page.set_default_timeout(PATIENCE_MS)
    expect.set_options(timeout=PATIENCE_MS)
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    yield page
    assert faults == []
    context.close()


def sign_in(page: Page, login: str) -> None:
    page.goto("/login")
    page.fill("[name=login]", login)
    page.fill("[name=password]", PASSWORD)
    with page.expect_navigation():  # the page behind it is there, whatever is asked of it next
        page.click("button.primary")


def test_a_call_is_taken_over_after_a_question_and_the_agent_reads_who_has_it(
    page: Page, sqlite: Database, phones: ObedientPhones
) -> None:
    call = put_live_call(sqlite, 2, state="talking", agent="lan", caller="0912345678")
    put_live_agent(sqlite, 3, "lan", state="talking", call_id=call, interface="PJSIP/seat-004")
    sign_in(page, "huy")
    page.click("#own-phone")
    take = page.locator("#agents button[data-act=take][data-agent=lan]")
    expect(take).to_be_visible()
    asked: list[str] = []

    def answer(dialog: Dialog) -> None:
        asked.append(dialog.message)
        if len(asked) == 1:
            dialog.dismiss()
        else:
            dialog.accept()

    page.on("dialog", answer)
    take.click()
    take.click()
    expect(page.locator("#supervision-answer")).to_have_text("Xong.")
    assert "Lan" in asked[0]
    assert [one for one in phones.told if one[0] == "take_over"] == [
        ("take_over", call, "PJSIP/seat-004", "PJSIP/seat-001", "huy", True),
    ], "not before it was agreed to"
    put_live_call(sqlite, 4, id=call, state="talking", agent="huy", caller="0912345678",
                  taken_from="lan", taken_by="huy")
    put_live_agent(sqlite, 5, "lan", state="wrapup", interface="PJSIP/seat-004")
    expect(page.locator("#own-state")).to_contain_text("0912345678")
    expect(page.locator("#own-case")).to_have_attribute("href", f"/cases/new?call={call}")
    page.context.clear_cookies()
    sign_in(page, "lan")
    expect(page.locator("#banner-taken")).to_contain_text("huy đã nhận cuộc gọi này")


def test_the_board_changes_by_itself(page: Page, sqlite: Database) -> None:
    earlier = datetime.now(UTC) - timedelta(days=2)
    add_call(sqlite, emergency=True, unreached=True, started_at=earlier)
    sign_in(page, "huy")
    expect(page.locator("#unreached")).to_contain_text(  # those of today have no day
        f"{earlier.astimezone(VIETNAM):%H:%M (%d/%m)}"
    )
    row = page.locator("[data-branch=vaccine]")
    expect(row.locator("[data-figure=waiting]")).to_have_text("0")
    put_live_call(sqlite, 2)
    expect(row.locator("[data-figure=waiting]")).to_have_text("1")
    put_live_agent(sqlite, 3, state="paused", reason="lunch")
    expect(page.locator("tr[data-agent=lan]")).to_contain_text("Ăn trưa")
    put_live_agent(sqlite, 4, interface="Local/0913000801@hl-mobile/n")
    expect(page.locator("tr[data-agent=lan]")).to_contain_text("di động …801")
    expect(page.locator("#banner-listener")).to_be_hidden()
    put_listener(sqlite, 5, connected=False)
    expect(page.locator("#banner-listener")).to_be_visible()


def test_an_emergency_in_vain_is_heard_until_somebody_has_rung_back(
    page: Page, sqlite: Database
) -> None:
    """Again and again; whoever is in a talk hears each once, and softly."""
    page.add_init_script(COUNT_TONES)
    page.clock.install()

    def tones() -> list[float]:
        return page.evaluate("loudness")  # type: ignore[no-any-return]

    def soon(wanted: list[float]) -> None:
        page.wait_for_function("wanted => String(loudness) === String(wanted)", arg=wanted)

    sign_in(page, "lan")
    call = put_live_call(sqlite, 2, state="talking", agent="lan")
    put_live_agent(sqlite, 3, state="talking", call_id=call)
    expect(page.locator("body[data-agent-state=talking]")).to_be_visible()
    assert tones() == []
    first = add_call(sqlite, caller="0912345672", emergency=True, unreached=True).id
    soon([0.04])
    page.clock.fast_forward(12_000)
    assert tones() == [0.04]
    put_live_agent(sqlite, 4, state="wrapup")
    soon([0.04, 0.15])
    page.clock.fast_forward(12_000)
    soon([0.04, 0.15, 0.15])
    page.locator(f"#unreached [data-call='{first}'] button", has_text="Đã gọi lại").click()
    expect(page.locator("#unreached")).to_be_hidden()
    page.clock.fast_forward(12_000)
    page.wait_for_timeout(200)
    assert tones() == [0.04, 0.15, 0.15]


def test_an_agent_without_asterisk_is_told_so(page: Page) -> None:
    sign_in(page, "lan")
    page.click("#sign-in")
    expect(page.locator("#registration")).to_have_text("Máy chưa kết nối; đang thử lại.")
    expect(page.locator("#banner-phone")).to_be_visible()
    expect(page.locator("#ready")).to_be_disabled()


def test_a_note_outlives_a_reload_and_a_server_that_is_away(page: Page, sqlite: Database) -> None:
    call = call_id()
    sign_in(page, "lan")
    put_live_call(sqlite, 2, id=call, state="talking", agent="lan")
    expect(page.locator("#caller")).to_have_text("0912345678")
    page.route("**/note", lambda route: route.abort())
    page.fill("#note", "hỏi lịch tiêm")
    page.reload()
    expect(page.locator("#note")).to_have_value("hỏi lịch tiêm")
    put_live_call(sqlite, 3, id=call, state="ended", agent="lan")
    page.click("[data-result=solved]")
    page.click("#finish")
    expect(page.locator("#no-call")).to_be_visible()
    expect(page.locator("#notes-waiting")).to_be_visible()
    page.unroute("**/note")
    expect(page.locator("#notes-waiting")).to_be_hidden()
    with sqlite.reading() as session:
        note = session.scalars(select(CallNote)).one()
        assert (note.text, note.result, note.done) == ("hỏi lịch tiêm", "solved", True)


def test_a_case_is_opened_beside_the_call_and_shown_when_the_number_rings_again(
    page: Page, sqlite: Database
) -> None:
    call = call_id()
    sign_in(page, "lan")
    put_live_call(sqlite, 2, id=call, state="talking", agent="lan")
    expect(page.locator("#caller")).to_have_text("0912345678")
    expect(page.locator("#cases-card")).to_be_hidden()
    with page.context.expect_page() as opened:
        page.click("#new-case", modifiers=["Control"])  # a page of its own
    form = opened.value
    expect(form.locator("[name=phone]")).to_have_value("0912345678")
    form.fill("[name=summary]", "Mất nước ba ngày")
    form.select_option("[name=category]", "utilities")
    form.set_default_timeout(PATIENCE_MS)
    form.click("main button.primary")
    expect(form.locator("h1")).to_contain_text("Phản ánh")
    expect(page.locator("#call")).to_be_visible()  # the phone stays where it is
    page.reload()
    expect(page.locator("#caller-cases")).to_contain_text("Mất nước ba ngày")
    expect(page.locator("#caller-cases")).to_contain_text("Đã phân loại")


def test_the_recording_pauses_while_private_details_are_typed(
    page: Page, sqlite: Database, phones: ObedientPhones
) -> None:
    """In the branches that the operator names, and only as long as the field has the focus."""
    call = put_live_call(sqlite, 2, state="talking", agent="lan", branch="vaccine",
                         recording="on")
    put_live_agent(sqlite, 3, state="talking", call_id=call)
    sign_in(page, "lan")
    expect(page.locator("#recording-row")).to_be_visible()
    page.keyboard.press("F1")
    form = page.locator("#case-box form")
    with page.expect_request("**/recording") as sent:
        form.locator("[name=name]").focus()
    assert sent.value.post_data_json == {"act": "paused", "why": "typed"}
    with page.expect_request("**/recording") as sent:
        form.locator("[name=summary]").focus()
    assert sent.value.post_data_json == {"act": "resumed", "why": ""}
    with page.expect_request("**/recording") as sent:
        form.locator("[name=name]").focus()
    with page.expect_request("**/recording") as sent:
        page.keyboard.press("Escape")  # closed with the field in focus
    assert sent.value.post_data_json == {"act": "resumed", "why": ""}

    put_live_call(sqlite, 4, id=call, state="talking", agent="lan", branch="vaccine",
                  recording="paused")
    expect(page.locator("#recording-row")).to_have_attribute("data-recording", "paused")
    asked: list[str] = []
    page.on("request", lambda one: asked.append(one.url))
    page.keyboard.press("F1")
    form.locator("[name=name]").focus()
    form.locator("[name=summary]").focus()
    expect(form.locator("[name=summary]")).to_be_focused()
    assert not [one for one in asked if one.endswith("/recording")]  # the agent's own pause stays


def test_after_a_case_was_opened_by_keys_the_note_goes_on_where_it_ended(
    page: Page, sqlite: Database
) -> None:
    sign_in(page, "lan")
    put_live_call(sqlite, 2, state="talking", agent="lan")
    expect(page.locator("#caller")).to_have_text("0912345678")
    page.keyboard.press("Shift+F9")
    page.keyboard.type("Hết gạo")
    page.keyboard.press("F1")
    expect(page.locator("#case-box [name=phone]")).to_have_value("0912345678")
    page.keyboard.type("Bốn hộ hết gạo")
    page.locator("#case-box button.primary").press("Enter")
    expect(page.locator("#case-box .aloud")).to_be_visible()
    page.keyboard.press("Escape")
    page.keyboard.type(", ba ngày")
    expect(page.locator("#note")).to_have_value("Hết gạo, ba ngày")


def test_what_is_typed_before_the_new_case_is_there_stands_in_it(
    page: Page, sqlite: Database
) -> None:
    sign_in(page, "lan")
    put_live_call(sqlite, 2, state="talking", agent="lan")
    expect(page.locator("#caller")).to_have_text("0912345678")
    asked: list[Route] = []

    def hold(route: Route) -> None:  # a slow network
        asked.append(route)

    page.route("**/cases/new?*", hold)
    page.keyboard.press("F1")
    page.keyboard.type("Bốn hộ")
    expect(page.locator("#case-box textarea")).to_have_value("Bốn hộ")
    asked[0].continue_()
    expect(page.locator("#case-box [name=summary]")).to_have_value("Bốn hộ")
    page.keyboard.type(" hết gạo")
    expect(page.locator("#case-box [name=summary]")).to_have_value("Bốn hộ hết gạo")


def test_a_second_tab_leaves_the_phone_to_the_first(page: Page) -> None:
    sign_in(page, "lan")
    page.click("#sign-in")
    expect(page.locator("body")).to_have_attribute("data-registration", "lost")
    second = page.context.new_page()
    second.goto("/agent")
    expect(second.locator("#banner-elsewhere")).to_be_visible()
    page.close()
    expect(second.locator("#banner-elsewhere")).to_be_hidden()


def test_in_a_second_browser_the_agent_goes_on_and_the_first_is_told(
    page: Page, chromium: Chromium, address: str, sqlite: Database
) -> None:
    sign_in(page, "lan")
    page.click("#sign-in")
    expect(page.locator("body")).to_have_attribute("data-registration", "lost")
    put_live_agent(sqlite, 2, state="talking", call_id="th1.b1-1.1")
    other = chromium.new_page(base_url=address)
    sign_in(other, "lan")
    other.get_by_text("Tiếp tục ở đây, đăng xuất bên kia").click()
    expect(other.locator("#banner-in-a-call")).to_be_visible()
    expect(page.locator("#banner-session")).to_contain_text("đăng nhập ở trình duyệt khác")
    put_live_agent(sqlite, 3, state="ready", call_id=None)
    expect(other.locator("#banner-in-a-call")).to_be_hidden()
    expect(other.locator("#when-in")).to_be_visible()  # the same phone, here
    other.close()


def test_an_open_page_says_that_the_session_ended(page: Page, sqlite: Database) -> None:
    sign_in(page, "lan")
    expect(page.locator("body")).to_have_attribute("data-feed", "live")
    with sqlite.transaction() as session:
        users.revoke_all(session, session.scalars(LAN).one(), datetime.now(UTC))
    expect(page.locator("#banner-session")).to_be_visible()


def test_pages_fit_the_screens_of_a_call_centre(page: Page) -> None:
    sign_in(page, "lan")
    for width, height in ((1024, 768), (1280, 800), (1920, 1080)):
        page.set_viewport_size({"width": width, "height": height})
        assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_an_agent_looks_up_a_place_beside_the_call_and_sends_it_by_sms(
    page: Page, sqlite: Database
) -> None:
    now = datetime.now(UTC)
    with sqlite.transaction() as session:
        points.save(session, points.parse(POINT, now), by="huy", now=now)
        articles.save(session, articles.parse(session, ARTICLE), by="huy", now=now)
    sign_in(page, "lan")
    put_live_call(sqlite, 2, agent="lan", state="talking")
    expect(page.locator("#caller")).to_have_text("0912345678")
    page.fill("#knowledge-words", "dau hong")
    found = page.locator("#knowledge-found")
    expect(found).to_contain_text("Khi bị đau họng")
    found.locator("summary").click()
    expect(found.locator("li").first).to_have_text("Nghỉ ngơi")
    page.fill("#knowledge-words", "tiem chung")
    found.get_by_role("button").click()
    expect(found).to_contain_text("Tin nhắn đang được gửi.")
    with sqlite.reading() as session:
        assert session.scalars(select(Notice.recipient)).all() == ["0912345678"]


def test_times_are_the_servers_whatever_this_computers_clock_says(
    page: Page, sqlite: Database
) -> None:
    page.add_init_script("""
        const real = Date.now.bind(Date);
        window.skew = 5 * 3600 * 1000;
        Date.now = () => real() + window.skew;
    """)
    sign_in(page, "lan")
    page.click("#sign-in")
    put_live_agent(sqlite, 2, state="talking", since=datetime.now(UTC) - timedelta(seconds=100))
    put_live_call(sqlite, 3, state="talking", agent="lan")
    expect(page.locator("#state-time")).to_have_text(re.compile(r"1:[45]\d"))
    expect(page.locator("#call-time")).to_have_text(re.compile(r"0:[0-3]\d"))
    page.evaluate("window.skew = -9 * 3600 * 1000")  # set back in mid-call
    put_live_agent(sqlite, 4, state="talking", since=datetime.now(UTC) - timedelta(seconds=200))
    expect(page.locator("#state-time")).to_have_text(re.compile(r"3:[2-5]\d"))
    expect(page.locator("#call-time")).to_have_text(re.compile(r"0:[0-5]\d"))


def test_on_a_slow_network_a_note_says_that_it_is_on_its_way(page: Page, sqlite: Database) -> None:
    call = call_id()
    sign_in(page, "lan")
    put_live_call(sqlite, 2, id=call, state="talking", agent="lan")
    expect(page.locator("#caller")).to_have_text("0912345678")

    def late(route: Route) -> None:
        page.wait_for_timeout(3000)
        route.continue_()

    page.route("**/note", late)
    page.fill("#note", "mạng chậm")
    expect(page.locator("#note-state")).to_have_text("Đã giữ trong trình duyệt, đang gửi…")
    page.fill("#note", "mạng chậm mà không mất chữ nào")  # while the first is still on its way
    expect(page.locator("#note-state")).to_have_text("Đã lưu.")
    with sqlite.reading() as session:
        assert session.scalars(select(CallNote.text)).all() == ["mạng chậm mà không mất chữ nào"]


# Each act of the desk, with the key that does it or leads to where it stands.
ACTS = """() => [...document.querySelectorAll(
  ":is(main, .banners, [role=alert]) :is(button, input, select, textarea, summary)")]
  .filter((one) => !one.closest("dialog"))
  .map((one) => {
    const keyed = one.closest("[title], [aria-keyshortcuts]");
    const key = keyed?.title || keyed?.getAttribute("aria-keyshortcuts") || "";
    return [one.outerHTML.slice(0, 90), key];
  })"""
LED_TO = """(key) => Boolean(document.activeElement.closest(
  `[title="${key}"]:not(body), [aria-keyshortcuts="${key}"]`))"""


def at_a_desk_phone(page: Page) -> None:
    """Sign in with it by keys: the page, whose own phone reaches nobody here, leads its calls."""
    if page.locator("#leave").is_visible():
        page.keyboard.press("Shift+F6")
        expect(page.locator("#sign-in")).to_be_visible()
    page.keyboard.press("Alt+P")
    page.keyboard.press("ArrowDown")
    expect(page.locator("#desk-choice")).to_be_visible()
    page.keyboard.press("Shift+F2")
    expect(page.locator("body")).to_have_attribute("data-registration", "desk")


def test_every_act_of_the_desk_has_a_key_that_the_question_mark_names(
    page: Page, sqlite: Database
) -> None:
    """With all that the desk can show at once, each key leads where it says."""
    now = datetime.now(UTC)
    add_call(sqlite, caller="0912345672", emergency=True, unreached=True)
    add_call(sqlite, agent="lan", outcome="answered")
    with sqlite.transaction() as session:
        instructions.write(session, "Đường dây 113 đổi số", 4, by="huy", now=now)
    sign_in(page, "lan")
    expect(page.locator("#sign-in")).to_be_visible()
    page.keyboard.press("Shift+F2")  # as a click on the button
    expect(page.locator("body")).to_have_attribute("data-registration", "lost")
    for key in ("Alt+M", "Alt+N"):
        page.keyboard.press(key)
        assert page.evaluate(LED_TO, key), key
    at_a_desk_phone(page)
    call = put_live_call(sqlite, 2, state="talking", agent="lan", branch="vaccine", recording="on")
    put_live_agent(sqlite, 3, state="talking", call_id=call)
    with sqlite.transaction() as session:
        rescue.begin(session, call, agent="lan", to="service-medical", caller="0912345678", now=now)
    expect(page.locator("#recording-row")).to_be_visible()
    expect(page.locator("#instructions button")).to_be_visible()
    expect(page.locator("#own-calls button")).to_be_visible()
    page.reload()
    for key in ("F3", "Shift+F9", "Alt+A", "Alt+C", "Alt+G", "Alt+K", "Alt+U", "Alt+X"):
        expect(page.locator("#rescue")).to_be_visible()
        page.keyboard.press(key)
        assert page.evaluate(LED_TO, key), key
    page.keyboard.press("Alt+5")
    expect(page.locator("#direct-now")).to_be_visible()
    page.keyboard.press("Escape")
    put_live_call(sqlite, 4, id=call, state="talking", agent="lan", guest="service-medical",
                  guest_state="in", aside=True)
    expect(page.locator("#guest-row")).to_be_visible()
    page.keyboard.press("F9")
    assert page.evaluate(LED_TO, "F9")

    page.locator("#note").focus()
    page.keyboard.press("Shift+F1")  # in a field, too, where a question mark is one
    expect(page.locator("#help")).to_be_visible()
    named = page.locator("#help dt").all_text_contents()
    acts = page.evaluate(ACTS)
    assert len(acts) > 50
    assert [(act, key) for act, key in acts if key not in named] == []
    page.keyboard.press("Escape")
    expect(page.locator("#help")).to_be_hidden()


def test_a_caller_is_led_on_a_recording_discarded_and_a_number_rung_by_keys_alone(
    page: Page, sqlite: Database
) -> None:
    sign_in(page, "lan")
    expect(page.locator("#sign-in")).to_be_visible()
    at_a_desk_phone(page)
    call = put_live_call(sqlite, 2, state="talking", agent="lan", branch="vaccine", recording="on")
    put_live_agent(sqlite, 3, state="talking", call_id=call)
    expect(page.locator("#recording-row")).to_be_visible()
    for keys, act in (
        ("Alt+Enter", "consult"), ("Shift+Enter", "invite"), ("Control+Enter", "transfer"),
        ("Enter", "consult"),
    ):
        page.keyboard.press("F9")
        expect(page.locator("#guest-list option")).not_to_have_count(0)
        page.keyboard.type("0912345600")
        expect(page.locator("#guest-list option")).to_have_count(1)
        with page.expect_request("**/with") as sent:
            page.keyboard.press(keys)
        assert sent.value.post_data_json == {"act": act, "kind": "outside", "to": "0912345600"}
        expect(page.locator("#guests")).to_be_hidden()
        expect(page.locator("#note")).to_be_focused()
    page.keyboard.press("Alt+X")
    page.keyboard.press("Escape")
    expect(page.locator("#discard-why")).to_be_hidden()
    page.keyboard.press("Alt+X")
    page.keyboard.press("ArrowDown")
    with page.expect_request("**/recording") as sent:
        page.keyboard.press("Enter")
    assert (sent.value.post_data_json or {})["act"] == "discarded"
    put_live_call(sqlite, 4, id=call, state="talking", agent="lan", branch="vaccine",
                  recording="discarded")
    expect(page.locator("#discard")).to_be_hidden()
    expect(page.locator("#note")).to_be_focused()
    expect(page.locator("#ring")).to_be_hidden()
    put_live_call(sqlite, 5, id=call, state="ended", agent="lan")
    put_live_agent(sqlite, 6, state="ready", call_id=None)
    expect(page.locator("#ring")).to_be_visible()
    with page.expect_request("**/work/ring") as sent:
        page.keyboard.press("Alt+L")
    assert sent.value.post_data_json == {"number": "0912345678", "call": call}
    expect(page.locator("#ring-state")).to_have_text(
        "Máy của bạn sẽ đổ chuông, sau đó hệ thống gọi đến số kia."
    )


QUALITY = Path(__file__).parents[2] / "agent_console/frontend/src/quality.js"


def test_the_opinion_score_follows_the_recommendations(chromium: Chromium) -> None:
    """G.107 annex B has the scores of ratings, G.113 appendix I what loss takes from G.711."""
    page = chromium.new_page()
    page.evaluate(
        "async (text) => { window.quality = await import('data:text/javascript;base64,' + text) }",
        base64.b64encode(QUALITY.read_bytes()).decode(),
    )
    ratings = [100, 93.2, 90, 80, 70, 60, 50, 0, -20]
    scores = [round(page.evaluate("r => quality.opinion(r)", one), 2) for one in ratings]
    assert scores == [4.5, 4.41, 4.34, 4.02, 3.6, 3.1, 2.58, 1.0, 1.0]

    def mos(loss: float, jitter: float, trip: float, robustness: str = "PLAIN") -> float:
        return float(page.evaluate(
            "([now, name]) => quality.mos(now, quality[name])",
            [{"loss": loss, "jitter": jitter, "roundTrip": trip}, robustness],
        ))

    assert mos(0, 1, 10) > 4.3
    assert mos(0.01, 1, 10, "CONCEALED") > mos(0.01, 1, 10) > mos(0.03, 1, 10) > mos(0.2, 1, 10)
    assert mos(0, 1, 100) > mos(0, 1, 600) > mos(0, 80, 600)
    assert [page.evaluate("s => quality.verdict(s)", one) for one in (4.2, 3.3, 2.0)] == [
        "good", "fair", "bad"
    ]
    summed = page.evaluate("""() => {
        const sum = new quality.Summary();
        const at = (received, sent, roundTrip) =>
            ({ heard: { received, lost: 0, jitter: 2 }, sent, roundTrip });
        const before = at(100, null, 20);
        const fine = at(250, { loss: 0, jitter: 1 }, 20);
        const worse = at(400, { loss: 0.1, jitter: 9 }, null);
        sum.add(quality.between(null, before));
        sum.add(quality.between(before, fine));
        sum.add(quality.between(fine, worse));
        return sum.result;
    }""")
    assert (summed["samples"], summed["loss"], summed["jitter"]) == (2, 10, 9)
    assert summed["worst"] < 1.7
    assert 2.7 < summed["mean"] < 3.1
    page.close()


def test_an_urgent_instruction_is_read_by_a_key_and_hides_no_call(
    page: Page, sqlite: Database
) -> None:
    sign_in(page, "lan")
    expect(page.locator("#instructions")).to_be_hidden()
    now = datetime.now(UTC)
    with sqlite.transaction() as session:
        instructions.write(session, "Bão số 9: chuyển 112. " * 25, 4, by="huy", now=now)
        instructions.write(session, "Đường dây 113 đổi số", 4, by="huy", now=now)
    shown = page.locator("#instructions li")
    expect(shown).to_have_count(2)
    page.set_viewport_size({"width": 1024, "height": 768})
    call = put_live_call(sqlite, 2, state="ringing", agent="lan")
    expect(page.locator("#caller")).to_have_text("0912345678")
    expect(page.locator("#caller")).to_be_in_viewport()
    put_live_call(sqlite, 3, id=call, state="ended", agent="lan")
    page.keyboard.press("F12")
    expect(shown).to_have_count(1)
    expect(shown).to_contain_text("113")
    page.reload()  # what was read stays read
    expect(shown).to_have_count(1)
    page.get_by_role("button", name="Tôi đã đọc").click()
    expect(page.locator("#instructions")).to_be_hidden()


WCAG = {"runOnly": {
    "type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
}}
CONTRAST = {"runOnly": {"type": "rule", "values": ["color-contrast"]}}
PAGES = {
    "": ("/login", "/report", "/results", "/status"),
    "lan": (
        "/agent", "/work", "/messages", "/cases", "/cases/new", "/citizens", "/knowledge",
        "/points", "/account", "/account/factor", "/account/pin", "/quality/mine",
        "/shifts/mine",
    ),
    "huy": (
        "/supervisor", "/supervisor?tv=1", "/training", "/calls", "/recordings",
        "/recordings/th1.b1-1.9",
        "/quality", "/quality/cards/new",
        "/reports", "/reports/period", "/reports/service", "/reports/by-mail", "/agencies",
        "/controls", "/notices", "/tracing", "/privacy", "/breaches", "/broadcasts",
        "/broadcasts/new", "/knowledge/new", "/points/new", "/desk-rules", "/shifts",
        "/handovers", "/instructions", "/staffing",
        "/staffing?calls=60&handling=240&agents=6",
    ),
    "quan": ("/users", "/api-keys", "/manual/quan-tri"),
}


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("login", PAGES)
def test_no_page_shuts_anybody_out(
    page: Page, sqlite: Database, login: str, dark: bool
) -> None:
    """WCAG 2.2 AA, as far as a program can tell. In the dark nothing but colours is another."""
    rules = CONTRAST if dark else WCAG
    call = put_live_call(sqlite, 20, state="talking", agent="lan")
    put_live_agent(sqlite, 21, state="talking", call_id=call)
    add_call(sqlite, caller="0912345671", outcome="abandoned_queue", kind="citizen")
    add_call(sqlite, caller="0912345672", outcome="abandoned_queue", kind="citizen",
             emergency=True, unreached=True)
    add_call(sqlite, id="th1.b1-1.9", recording="th1.b1-1.9.raw", outcome="answered", talk_ms=9000)
    page.emulate_media(color_scheme="dark" if dark else "light")
    if login:
        sign_in(page, login)
        page.wait_for_url(lambda url: "/login" not in url)
    found, axe = [], Axe()
    for path in PAGES[login]:
        answer = page.goto(path)
        assert answer is not None
        assert answer.ok, path
        page.wait_for_timeout(200)  # the feed fills it
        for fault in axe.run(page, options=rules).response["violations"]:
            found += [(path, fault["id"], node["target"]) for node in fault["nodes"]]
    assert found == []


def test_script_help_and_a_call_for_life_by_keys_alone(
    page: Page, chromium: Chromium, address: str, sqlite: Database
) -> None:
    """The script of the branch leads by number keys, F6 alarms the supervisors, one of whom takes
    it, and what help needs to know stands large and is kept as it is typed."""
    call = put_live_call(sqlite, 2, state="talking", agent="lan", branch="vaccine")
    put_live_agent(sqlite, 3, state="talking", call_id=call)
    with sqlite.transaction() as session:
        scripts.take_in(session, "huy", datetime.now(UTC))
        rescue.begin(session, call, agent="lan", to="service-medical", caller="0912345678",
                     now=datetime.now(UTC))
    sign_in(page, "lan")
    said = page.locator("#script .say").first
    expect(said).to_contain_text("nhánh tiêm chủng")
    expect(page.locator("#script")).to_contain_text("cần cơ quan phụ trách phê duyệt")
    page.keyboard.press("2")
    expect(said).to_contain_text("khó thở")
    page.keyboard.press("ArrowLeft")
    expect(said).to_contain_text("nhánh tiêm chủng")

    expect(page.locator("#rescue-to")).to_have_text("115")
    expect(page.locator("#rescue-state")).to_have_text("")  # nothing is saved yet
    page.fill("#rescue-address", "số 5 ngõ 12")
    expect(page.locator("#rescue-aloud")).to_have_text("số 5 ngõ 12")
    expect(page.locator("#rescue-state")).to_have_text("Đã lưu.")
    page.reload()
    expect(page.locator("#rescue-address")).to_have_value("số 5 ngõ 12")

    other = chromium.new_context(base_url=address).new_page()
    sign_in(other, "huy")
    expect(other.locator(f"[data-rescue='{call}']")).to_contain_text("115")
    page.keyboard.press("F6")
    expect(page.locator("body")).to_have_attribute("data-help", "asked")
    alarm = other.locator("[data-help=lan]")
    alarm.get_by_text("Tôi nhận hỗ trợ").click()
    expect(page.locator("#help-state")).to_have_text("huy đang vào hỗ trợ.")
    alarm.get_by_text("Đã xong").click()
    expect(page.locator("body")).to_have_attribute("data-help", "none")
    other.context.close()


def test_one_key_calls_a_service_in_and_a_slip_is_taken_back(page: Page, sqlite: Database) -> None:
    """Alt and the last digit of the number; nothing is asked, three seconds are left to undo."""
    sign_in(page, "lan")
    told = page.locator("#direct-state")
    expect(page.locator("#state-name")).to_have_text("Ngoài hàng đợi")
    page.keyboard.press("Alt+4")
    expect(told).to_contain_text("114 Cháy nổ")
    expect(told).to_contain_text("chưa đặt số")
    page.keyboard.press("Alt+5")
    expect(told).to_contain_text("chỉ mời được khi đang nói chuyện")

    call = put_live_call(sqlite, 2, state="talking", agent="lan", branch="vaccine")
    put_live_agent(sqlite, 3, state="talking", call_id=call)
    expect(page.locator("#guests-toggle")).to_be_visible()
    page.locator("#note").focus()
    asked: list[str] = []
    page.on("request", lambda one: asked.append(one.url))
    page.keyboard.press("Alt+5")
    expect(told).to_contain_text("115 Cấp cứu y tế được gọi sau 3 giây")
    page.keyboard.press("Escape")
    expect(told).to_have_text("Không gọi 115 Cấp cứu y tế.")
    page.keyboard.press("Alt+9")  # a help line, whose own last digit 115 has
    expect(told).to_contain_text("19009095")
    page.keyboard.press("Alt+5")  # another key: another service instead
    expect(told).to_contain_text("115")
    assert not [one for one in asked if one.endswith("/with")]
    with page.expect_request("**/with") as sent:
        page.keyboard.press("Alt+5")  # again: at once
    assert sent.value.post_data_json == {"act": "invite", "kind": "service", "to": "medical"}
    with page.expect_request("**/with") as sent:
        page.keyboard.press("Alt+5")  # or by itself
    assert sent.value.post_data_json == {"act": "invite", "kind": "service", "to": "medical"}
    expect(page.locator("#note")).to_be_focused()
    expect(page.locator("#note")).to_have_value("")


def test_a_note_says_what_its_result_lacks_and_a_pause_counts_down(
    page: Page, sqlite: Database
) -> None:
    call = add_call(sqlite, agent="lan", outcome="answered", branch="vaccine").id
    put_live_agent(sqlite, 2, state="paused", reason="rest")
    with sqlite.transaction() as session:
        pauses.note(session, "lan", "rest", datetime.now(UTC) - timedelta(minutes=16))
    sign_in(page, "lan")
    expect(page.locator("#pause-left")).to_contain_text("Nghỉ quá 1:")
    page.locator(f"[data-open-call='{call}']").click()
    page.locator("[data-result=case]").click()
    page.click("#finish")
    expect(page.locator("#note-state")).to_have_attribute("data-saved", "true")  # and it stands yet
    expect(page.locator("#note-state")).to_have_text("Kết quả này cần mã phản ánh.")
    page.fill("#note-case", "12345678")  # nobody's: the server says so
    page.click("#finish")
    expect(page.locator(f"[data-own-call='{call}']")).to_contain_text("nháp, chưa hoàn tất")
    page.locator(f"[data-open-call='{call}']").click()
    page.locator("[data-result=solved]").click()
    page.click("#finish")
    expect(page.locator(f"[data-own-call='{call}']")).to_contain_text("Đã giải đáp")


def test_a_supervisor_sets_skills_in_a_dialog(page: Page, sqlite: Database) -> None:
    put_live_agent(sqlite, 2, "lan")
    sign_in(page, "huy")
    page.locator("tr[data-agent=lan] [data-act=skills]").click()
    page.locator("#skills-list [data-queue=relief]").select_option("3")
    page.locator("#skills-form button.primary").click()
    expect(page.locator("#skills")).to_be_hidden()
    with sqlite.reading() as session:
        assert users.skills(session.scalars(LAN).one())["relief"] == 3


def test_a_case_is_opened_on_the_desk_and_what_is_typed_is_kept(
    page: Page, sqlite: Database
) -> None:
    call = put_live_call(sqlite, 2, state="talking", agent="lan", branch="report")
    put_live_agent(sqlite, 3, state="talking", call_id=call)
    sign_in(page, "lan")
    expect(page.locator("#note-form")).to_be_visible()
    page.keyboard.press("F1")
    expect(page.locator("#case-box [name=phone]")).to_have_value("0912345678")
    page.keyboard.type("Cột điện nghiêng")
    page.reload()
    expect(page.locator("#note-form")).to_be_visible()
    page.keyboard.press("F1")
    expect(page.locator("#case-box [name=summary]")).to_have_value("Cột điện nghiêng")
    page.fill("#case-box [name=place]", "nơi không có")
    page.fill("#case-box [name=name]", "Bà Tư")
    page.locator("#case-box [name=category]").select_option("utilities")
    page.locator("#case-box button.primary").click()
    expect(page.locator("#case-box [role=alert]")).to_be_visible()
    expect(page.locator("#case-box [name=name]")).to_have_value("Bà Tư")
    page.fill("#case-box [name=place]", "Phường Hạc Thành")
    page.locator("#case-box button.primary").click()
    expect(page.locator("#case-box .aloud")).to_be_visible()
    page.keyboard.press("Escape")
    page.locator("[data-result=case]").click()
    expect(page.locator("#note-case")).to_have_value(re.compile("[0-9]{8}"))
    expect(page.locator("#caller-cases")).to_contain_text("Cột điện nghiêng")
