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
from crm.calls import record, shifts
from crm.clock import VIETNAM, vietnam_day
from crm.database import Database
from crm.models import Call
from crm.notices.models import Notice
from crm.reports import glossary, service, subscriptions
from crm.reports.measures import By
from crm.reports.spans import begin
from crm.settings import PROJECT, Settings
from tests.agent_console.conftest import Browser
from tests.calls_of_a_day import MIDNIGHT, a_day

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
    given = replace(settings, service_daily_recipients=("a@example.vn", "b@example.vn"),
                    service_weekly_recipients=("c@example.vn",))
    monday = datetime(2025, 11, 24, 6, 59, tzinfo=VIETNAM)

    def sent(at: datetime) -> list[tuple[str, str]]:
        subscriptions.step(sqlite, given, at.astimezone(UTC))
        with sqlite.transaction() as session:
            found = [(one.recipient, one.subject.partition("· ")[2]) for one in
                     session.scalars(select(Notice).order_by(Notice.id)) if not one.sent_at]
            for one in session.scalars(select(Notice)):
                one.sent_at = at
        return found

    first = sent(monday)
    assert first == [
        ("a@example.vn", "Từ ngày 22/11/2025 đến ngày 22/11/2025"),
        ("b@example.vn", "Từ ngày 22/11/2025 đến ngày 22/11/2025"),
        ("c@example.vn", "Từ ngày 10/11/2025 đến ngày 16/11/2025"),
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
        files = [one.name for one in session.scalars(select(Notice)).first().files]  # type: ignore[union-attr]
    assert files == [f"1022-phuc-vu-{by}.{kind}" for by in ("hour", "branch", "agent")
                     for kind in ("pdf", "xlsx")]
    assert vietnam_day(monday) == date(2025, 11, 24)


def test_the_published_meanings_are_those_of_the_program() -> None:
    assert (PROJECT / "docs" / "figures.md").read_text() == glossary.markdown()


def test_a_bar_is_as_high_as_its_number() -> None:
    drawn = charts.bars("x", ["a", "b"], [("1", [30, 10]), ("2", [0, 20])])
    assert drawn is not None
    assert [mark.text for mark in drawn.scale] == ["0", "20", "40"]
    whole = charts.HEIGHT - charts.BOTTOM - charts.TOP
    assert [one.height for one in drawn.rects] == [whole * 0.75, whole * 0.25, whole * 0.5]
    assert charts.bars("x", ["a"], [("1", [0])]) is None
