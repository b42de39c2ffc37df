"""The daily report: each figure again by an independent query, in the pages and in the cells."""

from __future__ import annotations

import io
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import openpyxl
import pypdfium2  # type: ignore[import-untyped]
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.orm import Session

from crm.database import Database
from crm.reports import calls, daily, health, pdf, template, work, xlsx
from crm.reports.document import Document, Kind, grouped, shown
from crm.reports.health import Figures
from crm.reports.spans import begin
from tests.crm.reports.seeded import BEFORE, DAY, seed

UNTIL = daily.cut(DAY)
NOWHERE = Path("/nonexistent")


@pytest.fixture
def seeded(database: Database) -> Database:
    with database.transaction() as session:
        seed(session)
    return database


def paper(database: Database) -> Document:
    with database.reading() as session:
        return daily.document(daily.gather(session, DAY, UNTIL), template.load(NOWHERE))


def pages(document: Document) -> str:
    opened = pypdfium2.PdfDocument(pdf.render(document, UNTIL))
    try:
        return "\n".join(
            page.get_textpage().get_text_range().replace("\r\n", "\n") for page in opened
        )
    finally:
        opened.close()


def cells(document: Document) -> dict[str, dict[str, tuple[Any, ...]]]:
    """By sheet, the rows of numbers by the text they begin with."""
    book = openpyxl.load_workbook(io.BytesIO(xlsx.render(document)))
    return {
        sheet.title: {
            str(row[0]): row[1:] for row in sheet.iter_rows(values_only=True) if row[0]
        } for sheet in book
    }


def asked(database: Database, sql: str) -> list[tuple[Any, ...]]:
    """Rows of plain SQL, which knows nothing of the program; spans are texts in UTC."""
    zone = "" if database.is_sqlite else "+00"
    spans = {
        "since": f"2026-03-09 17:00:00.000000{zone}", "until": f"2026-03-10 10:00:00.000000{zone}",
        "before": f"2026-03-08 17:00:00.000000{zone}",
    }
    for name, moment in spans.items():
        sql = sql.replace(f":{name}", f"'{moment}'")
    with database.engine.connect() as connection:
        return [tuple(row) for row in connection.execute(text(sql))]


CITIZENS = "FROM call WHERE kind = 'citizen' AND started_at >= :since AND started_at < :until"


def test_calls_by_branch_and_outcome_are_those_of_the_table(seeded: Database) -> None:
    document = paper(seeded)
    sheet, told = cells(document)["Cuộc gọi"], pages(document)
    found = asked(seeded, f"SELECT branch, outcome {CITIZENS} AND direction = 'in'")
    assert len(found) > 15
    names = daily.BRANCH_NAMES | {None: daily.NO_BRANCH}
    for branch in {one for one, _ in found}:
        mine = [outcome for one, outcome in found if one == branch]
        numbers = [len(mine), *(mine.count(one.value) for one in daily.OUTCOMES), mine.count(None)]
        assert list(sheet[names[branch]]) == numbers
        # the name may go on in the next line, the numbers stand in one
        assert " ".join(map(grouped, numbers)) in told
    whole = [len(found), *([one for _, one in found].count(way.value) for way in daily.OUTCOMES),
             [one for _, one in found].count(None)]
    assert list(sheet["Cộng"]) == whole
    assert f"Cộng {' '.join(map(grouped, whole))}" in told


def test_what_is_said_of_the_service_is_what_is_so(seeded: Database) -> None:
    document = paper(seeded)
    sheet, told = cells(document)["Chất lượng phục vụ"], pages(document)
    rows = asked(seeded, "SELECT outcome, queued_at, answered_at, wait_ms, unreached, satisfaction "
                 f"{CITIZENS} AND direction = 'in'")
    waited = [row for row in rows if row[1] is not None and row[0] is not None]
    in_time = [row for row in waited if row[2] is not None and row[3] <= 60_000]
    numbers = {
        "Cuộc gọi đến": len(rows),
        "Gặp người": sum(row[0] == "answered" for row in rows),
        "Không được trả lời (bỏ khi chờ, từ chối, sự cố)": sum(
            row[0] in ("lost", "rejected", "abandoned_queue") for row in rows
        ),
        "Cấp cứu không gặp được ai": sum(bool(row[4]) for row in rows),
        "Cuộc gọi chờ gặp người": len(waited), "– gặp người trong 60 giây": len(in_time),
        "Cuộc gọi có đánh giá": sum(row[5] is not None for row in rows),
        "– hài lòng và rất hài lòng": sum((row[5] or 9) < 3 for row in rows),
        "Cuộc gọi đi": asked(seeded, f"SELECT count(*) {CITIZENS} AND direction = 'out'")[0][0],
    }
    for name, number in numbers.items():
        assert sheet[name][0] == number, name
        assert f"{name} {number} " in told
    assert 0 < len(in_time) < len(waited)
    longest = max(row[3] or 0 for row in rows) // 1000
    assert f"Chờ lâu nhất (phút:giây) {longest // 60}:{longest % 60:02d} " in told
    assert sheet["– tỷ lệ trong 60 giây"][0] == pytest.approx(len(in_time) / len(waited))
    yesterday = asked(seeded, CITIZENS.replace(":until", ":SINCE").replace(":since", ":before")
                      .replace(":SINCE", ":since").replace("FROM", "SELECT count(*) FROM")
                      + " AND direction = 'in'")
    assert sheet["Cuộc gọi đến"][1] == yesterday[0][0]


def test_health_figures_are_the_sums_of_what_was_entered(seeded: Database) -> None:
    document = paper(seeded)
    sheet, told = cells(document)["Số liệu y tế"], pages(document)
    for column, label in daily.FIGURES.items():
        today, before = (
            asked(
                seeded, f"SELECT sum(f.{column}) FROM health_figure f JOIN health_report r "  # noqa: S608
                f"ON r.id = f.report_id WHERE r.day = '{day}' AND approved_by IS NOT NULL",
            )[0][0]
            for day in (DAY, BEFORE)
        )
        assert sheet[label] == (today, before, today - before)
        row = f"{grouped(today)} {grouped(before)} {shown(today - before, Kind.CHANGE)}"
        assert f"{label} {row}" in told
    assert "+1.210" in told
    assert "Nguồn: Sở Y tế Thanh Hóa. Nhập lúc 15:00 ngày 10/03/2026" in told
    areas = cells(document)["Theo địa bàn"]
    assert areas["Phường Hàm Rồng"] == (1234, None, 20, 60, 300, 4000, 700)
    assert areas["Cộng"] == (1250, 1210, 31, 101, 490, 4500, 1500)


def test_cases_by_agency_are_those_of_the_table(seeded: Database) -> None:
    document = paper(seeded)
    sheet, told = cells(document)["Phản ánh"], pages(document)
    ended = "('resolved', 'rejected', 'closed', 'duplicate')"
    for label, agency in (("Sở Y tế", "= 'SYT'"), ("Sở Công Thương", "= 'SCT'"),
                          ("Chưa chuyển cơ quan nào", "IS NULL")):
        numbers = tuple(
            asked(seeded, "SELECT count(*) FROM citizen_case c LEFT JOIN agency a "  # noqa: S608
                  f"ON a.id = c.agency_id WHERE a.code {agency} AND {where}")[0][0]
            for where in (
                "opened_at >= :since AND opened_at < :until",
                f"resolved_at >= :since AND resolved_at < :until AND status IN {ended}",
                f"due_at < :until AND opened_at < :until AND status NOT IN {ended}",
            )
        )
        assert sheet[label] == numbers
        assert f"{label} {' '.join(map(str, numbers))}" in told


def test_what_rises_has_enough_cases_and_more_than_usual(seeded: Database) -> None:
    document = paper(seeded)
    sheet = cells(document)["Tăng nhanh"]
    rows = asked(seeded, "SELECT category, count(*) FROM citizen_case WHERE category IS NOT NULL "
                 "AND opened_at >= :since AND opened_at < :until GROUP BY category")
    assert sheet["Lương thực, nhu yếu phẩm"][1] == dict(rows)["food"]
    assert dict(rows)["roads"] < work.SMALL
    assert "Đường sá" not in pages(document)


def test_every_number_of_the_cells_stands_on_the_pages(seeded: Database) -> None:
    document = paper(seeded)
    told = pages(document)
    for section in document.sections:
        assert section.title in told
        for row in section.table.rows:
            line = " ".join(
                shown(cell, column.kind)
                for cell, column in zip(row, section.table.columns, strict=True)
                if column.kind is not Kind.TEXT
            )
            assert line in told, (section.id, line)


def test_the_same_report_is_made_again_letter_by_letter(seeded: Database) -> None:
    document = paper(seeded)
    assert pdf.render(document, UNTIL) == pdf.render(document, UNTIL)


def test_sheets_have_numbers_frozen_headings_and_no_formulas(seeded: Database) -> None:
    with seeded.transaction() as session:
        at = UNTIL - timedelta(minutes=30)
        made = health.enter(session, DAY, {"": Figures(3)}, source="=HYPERLINK(1)", by="yte",
                            now=at, confirmed=True)
        health.approve(session, DAY, made.version, by="huy", now=at)
    book = openpyxl.load_workbook(io.BytesIO(xlsx.render(paper(seeded))))
    for sheet in book:
        assert sheet.freeze_panes is not None
        assert all(cell.data_type != "f" for row in sheet.iter_rows() for cell in row)
    numbers = [cell.value for row in book["Cuộc gọi"].iter_rows() for cell in row
               if isinstance(cell.value, int)]
    assert len(numbers) > 20


def test_calls_of_tests_and_training_enter_no_report(seeded: Database) -> None:
    with seeded.reading() as session:
        found = calls.between(session, begin(DAY), UNTIL)
    everybody = asked(seeded, "SELECT count(*) FROM call WHERE started_at >= :since AND started_at "
                      "< :until")[0][0]
    assert calls.sums(found).calls < everybody


@given(st.dictionaries(
    st.sampled_from(["", "14758", "15331", "14869"]),
    st.builds(Figures, *(st.integers(0, 10_000) for _ in range(6))), min_size=1,
))
def test_totals_are_the_sums_of_their_parts(figures: dict[str, Figures]) -> None:
    found = daily.Daily(
        day=DAY, since=UNTIL, until=UNTIL, report=None, approver="", today=figures,
        yesterday=None, calls=[], calls_before=[], agencies=[], rising=[],
    )
    for section in daily.document(found, template.load(NOWHERE)).sections:
        table = section.table
        if table.total is None or not table.rows:
            continue
        for place, column in enumerate(table.columns):
            if column.kind is Kind.NUMBER:
                assert table.total[place] == sum(row[place] for row in table.rows)  # type: ignore[misc]


def test_counts_kept_by_day_are_those_of_the_calls(seeded: Database) -> None:
    later = datetime(2026, 3, 12, 5, tzinfo=UTC)
    week_later = later + timedelta(days=10)

    def due(session: Session, now: datetime) -> list[date]:
        return [day for day in calls.due(session, now, 100) if day <= DAY]

    with seeded.transaction() as session:
        live = calls.between(session, begin(BEFORE), begin(DAY + timedelta(days=1)))
        assert calls.due(session, later, 1) == [DAY]
        assert due(session, later) == [DAY, BEFORE]
        for _twice in range(2):
            calls.count(session, BEFORE, later, 20)
        assert due(session, later) == [DAY]
        assert calls.sums(calls.of_days(session, BEFORE, DAY)) == calls.sums(live)
        calls.count(session, DAY, later, 20)
        assert calls.sums(calls.of_days(session, BEFORE, DAY)) == calls.sums(live)
        # records may have come late: counted anew after a night, and a last time after a week
        assert due(session, later + timedelta(days=1)) == [DAY, BEFORE]
        calls.count(session, DAY, week_later, 20)
        assert due(session, week_later + timedelta(days=1)) == [BEFORE]
