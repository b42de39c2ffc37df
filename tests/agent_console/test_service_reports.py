"""Reports on the service: the page with its charts, the files, the norm, and those by e-mail."""

from __future__ import annotations

import csv
import io
import re
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pypdfium2  # type: ignore[import-untyped]
import pytest
from openpyxl import load_workbook
from sqlalchemy import select

from agent_console import charts
from crm import users
from crm.calls import record, segments, shifts
from crm.clock import VIETNAM, vietnam_day
from crm.database import Database
from crm.models import Call, Role
from crm.notices.models import Notice
from crm.reports import glossary, parties, service, subscriptions
from crm.reports.measures import By
from crm.reports.spans import begin
from crm.reports.subscriptions import Every, Report
from crm.settings import PROJECT, Settings
from tests.accounts import PASSWORD
from tests.agent_console.conftest import Browser
from tests.calls_of_a_day import MIDNIGHT, a_day
from tests.crm.cases.factory import officer, with_agencies
from tests.crm.knowledge.factory import point

DAY = "from=2025-11-22&to=2025-11-22"


@pytest.fixture
def a_full_day(sqlite: Database) -> None:
    events = a_day(120, seed=5)
    with sqlite.transaction() as session:
        record.apply(session, events)
        shifts.apply(session, events)


@pytest.mark.usefixtures("a_full_day")
@pytest.mark.parametrize("by", list(By))
def test_each_page_shows_charts_tables_and_what_the_rates_mean(
    supervisor: Browser, by: By
) -> None:
    page = supervisor.client.get(f"/reports/service?by={by}&{DAY}")
    text = page.get_data(as_text=True)
    assert page.status_code == 200
    assert text.count("<svg") >= 1
    assert "Cách tính" in text
    assert all(one.means_vi in text for one in glossary.RATES)


@pytest.mark.usefixtures("a_full_day")
@pytest.mark.parametrize("by", list(By))
def test_on_the_english_page_every_word_of_the_paper_is_english(
    supervisor: Browser, by: By
) -> None:
    assert supervisor.submit("/account/language", language="en").status_code == 302
    text = supervisor.client.get(f"/reports/service?by={by}&{DAY}").get_data(as_text=True)
    shown = text[text.index("<main"):text.index("</main>")]
    assert re.findall(r"[^<>]*[À-ÖØ-öø-ỹ][^<>]*", shown) == []
    assert "Medical emergency (115)" in shown or by is not By.PARTY


@pytest.mark.usefixtures("a_full_day")
@pytest.mark.parametrize("by", [By.DAY, By.PARTY])
def test_files_are_in_the_language_of_the_page_they_are_taken_from(
    supervisor: Browser, by: By
) -> None:
    def words(language: str) -> str:
        assert supervisor.submit("/account/language", language=language).status_code == 302
        xlsx, csv_, pdf = (
            supervisor.client.get(f"/reports/service/file.{kind}?by={by}&{DAY}").data
            for kind in ("xlsx", "csv", "pdf")
        )
        book = load_workbook(io.BytesIO(xlsx))
        pages = pypdfium2.PdfDocument(pdf)
        return "\n".join([
            *book.sheetnames, csv_.decode(),
            *(str(value) for sheet in book for row in sheet.values for value in row if value),
            *(page.get_textpage().get_text_bounded() for page in pages),
        ])

    vietnamese, english = words("vi"), words("en")
    assert "CHẤT LƯỢNG PHỤC VỤ" in vietnamese
    assert "Trang 1/" in vietnamese
    assert "QUALITY OF SERVICE" in english
    assert "Page 1/" in english
    assert set(re.findall(r"\S*[À-ÖØ-öø-ỹ]\S*", english)) == {"HÓA"}  # the province's name


def test_lines_outside_stand_under_the_names_of_whose_they_are(sqlite: Database) -> None:
    now = datetime.now(UTC)
    with sqlite.transaction() as session:
        with_agencies(session)
        officer(session, phone="02373852246")
        officer(session, phone="02373852999", valid_to="2025-01-01")  # no longer theirs
        point(session, name="Trạm Y tế Hàm Rồng", phones="02373852247")
        users.create_user(session, login="bs.an", name="Nguyễn An", role=Role.EXPERT,
                          password=PASSWORD, now=now)
        found = parties.names(session, {
            "line:02373852246", "line:02373852247", "line:02373852999", "line:111", "mobile",
            "expert:bs.an", segments.party("doc-bs.binh"), "service:medical", "duty:1",
        }, vietnam_day(now))
    assert set(found.values()) == {
        "Sở Y tế (02373852246)", "Trạm Y tế Hàm Rồng (02373852247)", "Số 02373852999",
        "Bảo vệ trẻ em (111)", "Điện thoại di động", "Bác sĩ Nguyễn An (bs.an)", "Bác sĩ bs.binh",
        "Cấp cứu y tế (115)", "Điện thoại trực 1",
    }


@pytest.mark.usefixtures("a_full_day")
def test_the_files_have_the_same_numbers(supervisor: Browser, sqlite: Database) -> None:
    def file(kind: str) -> bytes:
        answer = supervisor.client.get(f"/reports/service/file.{kind}?by=branch&{DAY}")
        return bytes(answer.data)

    sheet = load_workbook(io.BytesIO(file("xlsx")))["Cuộc gọi"]
    totals = [cell.value for cell in next(
        row for row in sheet.iter_rows() if row[0].value == "Cộng")]
    rows = list(csv.reader(io.StringIO(file("csv").decode("utf-8-sig"))))
    assert [int(one) for one in next(row for row in rows if row[0] == "Cộng")[1:]] == totals[1:]
    with sqlite.reading() as session:
        calls = session.scalars(select(Call).where(Call.kind == "citizen")).all()
    assert totals[1] == len(calls)
    pages = pypdfium2.PdfDocument(file("pdf"))
    text = "".join(page.get_textpage().get_text_bounded() for page in pages)
    assert "CHẤT LƯỢNG PHỤC VỤ" in text
    assert "Cách tính" in text


def test_nonsense_is_refused(supervisor: Browser, agent: Browser) -> None:
    for query in ("by=x", "from=x", "from=1999-01-01"):
        assert supervisor.client.get(f"/reports/service?{query}").status_code == 400
    turned = "/reports/service?from=2025-02-01&to=2025-01-01"
    assert supervisor.client.get(turned).status_code == 400
    assert supervisor.client.get("/reports/service/file.doc").status_code == 404
    assert agent.client.get("/reports/service").status_code == 403


def waited(number: int, seconds: float, at: datetime, **more: Any) -> Call:
    return Call(**{
        "id": f"th1.b1-1.{number}", "node": "th1", "boot": "b1", "direction": "in",
        "kind": "citizen", "started_at": at, "queued_at": at, "ended_at": at, "path": [],
        "answered_at": at, "outcome": "answered", "wait_ms": int(seconds * 1000), **more,
    })


def test_the_norm_counts_all_calls_of_seven_days_and_test_calls_apart(sqlite: Database) -> None:
    last = date(2025, 11, 21)
    with sqlite.transaction() as session:
        for number in range(10):
            at = begin(last - timedelta(days=number % 7)) + timedelta(hours=9)
            session.add(waited(number, 60 if number < 8 else 60.001, at))
        session.add(waited(20, 1, begin(last - timedelta(days=7))))  # a day too early
        for number in range(250):
            session.add(waited(100 + number, 30 if number < 199 else 90, begin(last), kind="test"))
        session.flush()
        found = service.norm(session, last, MIDNIGHT + timedelta(hours=5), 20)
    assert (found.within, found.of, found.is_kept) == (8, 10, True)
    assert (found.trials_within, found.trials) == (199, 250)
    section = service._norm(found)
    assert "Mọi cuộc gọi: ĐẠT" in section.sentences[1]
    assert "Cuộc gọi thử: KHÔNG ĐẠT" in section.sentences[1]
    few = service._norm(replace(found, trials=249))
    assert "mới có 249, cần 250" in few.sentences[1]


def test_reports_go_out_once_in_each_period_whatever_is_restarted(
    sqlite: Database, settings: Settings
) -> None:
    monday = datetime(2025, 11, 24, 6, 59, tzinfo=VIETNAM)
    with sqlite.transaction() as session:
        for report, every, who in (
            (Report.SERVICE, Every.DAY, "a@example.vn"),
            (Report.SERVICE, Every.DAY, "B@example.vn"),
            (Report.LINES, Every.WEEK, "c@example.vn"),
            (Report.WORK, Every.MONTH, "d@example.vn"),
        ):
            subscriptions.add(session, report, every, who, by="huy",
                              now=(monday - timedelta(days=40)).astimezone(UTC))

    def sent(at: datetime) -> list[tuple[str, str]]:
        subscriptions.step(sqlite, settings, at.astimezone(UTC))
        with sqlite.transaction() as session:
            found = [(one.recipient, one.subject.partition("· ")[2]) for one in
                     session.scalars(select(Notice).order_by(Notice.recipient)) if not one.sent_at]
            for one in session.scalars(select(Notice)):
                one.sent_at = at
        return found

    assert sent(monday) == [
        ("a@example.vn", "Từ ngày 22/11/2025 đến ngày 22/11/2025"),
        ("b@example.vn", "Từ ngày 22/11/2025 đến ngày 22/11/2025"),
        ("c@example.vn", "Từ ngày 10/11/2025 đến ngày 16/11/2025"),
        ("d@example.vn", "Từ ngày 01/10/2025 đến ngày 31/10/2025"),
    ]
    assert sent(monday) == []
    assert sent(monday + timedelta(minutes=1)) == [
        ("a@example.vn", "Từ ngày 23/11/2025 đến ngày 23/11/2025"),
        ("b@example.vn", "Từ ngày 23/11/2025 đến ngày 23/11/2025"),
        ("c@example.vn", "Từ ngày 17/11/2025 đến ngày 23/11/2025"),
    ]
    assert sent(monday + timedelta(hours=20)) == []
    assert [who for who, _ in sent(monday + timedelta(days=1, hours=2))] == [
        "a@example.vn", "b@example.vn",
    ]
    with sqlite.reading() as session:
        names = {one.recipient: [file.name for file in one.files]
                 for one in session.scalars(select(Notice))}
    wanted = {"a@example.vn": ("phuc-vu-hour", "phuc-vu-branch", "phuc-vu-agent"),
              "c@example.vn": ("phuc-vu-party",),
              "d@example.vn": ("ky-branch", "ky-category", "ky-agency")}
    assert {who: names[who] for who in wanted} == {
        who: [f"1022-{name}.{kind}" for name in of for kind in ("pdf", "xlsx")]
        for who, of in wanted.items()
    }


def test_who_is_added_gets_no_report_that_was_due_before(
    sqlite: Database, settings: Settings
) -> None:
    noon = datetime(2025, 11, 24, 12, tzinfo=VIETNAM).astimezone(UTC)
    with sqlite.transaction() as session:
        subscriptions.add(session, Report.LINES, Every.DAY, "a@example.vn", by="huy", now=noon)
    assert subscriptions.step(sqlite, settings, noon) == 0
    assert subscriptions.step(sqlite, settings, noon + timedelta(days=1)) == 1


def test_supervisors_say_who_gets_which_report_and_send_it_at_once(
    supervisor: Browser, agent: Browser, sqlite: Database, caplog: pytest.LogCaptureFixture
) -> None:
    asked = {"report": "lines", "every": "week", "recipient": "Lanh.Dao@example.vn"}
    assert supervisor.submit("/reports/by-mail", **asked).status_code == 302
    again = supervisor.submit("/reports/by-mail", **asked)
    assert again.status_code == 400
    assert 'value="Lanh.Dao@example.vn"' in again.get_data(as_text=True)
    assert "đã nhận báo cáo này" in again.get_data(as_text=True)
    wrong = supervisor.submit("/reports/by-mail", **asked | {"recipient": "a@b"})
    assert wrong.status_code == 400
    assert agent.client.get("/reports/by-mail").status_code == 403

    for _ in range(2):  # pressed twice: once
        assert supervisor.submit("/reports/by-mail/1/send").status_code == 302
    with sqlite.reading() as session:
        notices = session.scalars(select(Notice)).all()
        assert {one.recipient for one in notices} == {"lanh.dao@example.vn"}
        assert 1 <= len(notices) <= 2  # the minute may have ended between the two
        assert [file.name for file in notices[0].files] == [
            "1022-phuc-vu-party.pdf", "1022-phuc-vu-party.xlsx"]
    assert supervisor.submit("/reports/by-mail/1/end").status_code == 302
    gone = supervisor.submit("/reports/by-mail/1/end")
    assert gone.status_code == 400
    assert "Người khác đã ngừng" in gone.get_data(as_text=True)
    assert supervisor.submit("/reports/by-mail", **asked).status_code == 302  # and anew
    told = [one.getMessage() for one in caplog.records if one.name == "hotline.audit"]
    assert [one for one in told if "report lines each week goes to lanh.dao@example.vn" in one]
    assert [one for one in told if "goes to lanh.dao@example.vn no more" in one]
    assert [one for one in told if "sent to lanh.dao@example.vn now" in one]


def test_the_published_meanings_are_those_of_the_program() -> None:
    assert (PROJECT / "docs" / "figures.md").read_text() == glossary.markdown()


def test_a_bar_is_as_high_as_its_number() -> None:
    drawn = charts.bars("x", ["a", "b"], [("1", [30, 10]), ("2", [0, 20])])
    assert drawn is not None
    assert [mark.text for mark in drawn.scale] == ["0", "20", "40"]
    whole = charts.HEIGHT - charts.BOTTOM - charts.TOP
    assert [one.height for one in drawn.rects] == [whole * 0.75, whole * 0.25, whole * 0.5]
    assert charts.bars("x", ["a"], [("1", [0])]) is None


def test_names_stand_beneath_the_bars_in_the_lines_that_they_need() -> None:
    few = charts.bars("x", ["a"], [("Tư vấn dịch bệnh, khám chữa bệnh", [1]), ("Báo tin", [2])])
    many = charts.bars("x", ["a"], [("Tư vấn dịch bệnh, khám chữa bệnh", [1])] * 9)
    assert few is not None
    assert many is not None
    assert [one.lines for one in few.labels] == [
        ("Tư vấn dịch bệnh, khám chữa bệnh",), ("Báo tin",),
    ]
    assert few.height == charts.HEIGHT
    assert many.labels[0].lines == ("Tư vấn dịch", "bệnh, khám", "chữa bệnh")
    assert many.height == charts.HEIGHT + 2 * charts.LINE


@pytest.mark.usefixtures("a_full_day")
def test_a_bar_has_the_name_that_the_table_gives_it(supervisor: Browser) -> None:
    text = supervisor.client.get(f"/reports/service?by=branch&{DAY}").get_data(as_text=True)
    drawn = text[text.index("<svg"):text.index("</svg>")]
    assert "Tiêm chủng" in drawn
    assert "vaccine" not in drawn
