"""Reports in the console: entered, confirmed, approved by another, sent again; files refused."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import openpyxl
import pytest
from flask import Flask
from flask_babel import force_locale  # type: ignore[import-untyped]
from sqlalchemy import func, select
from werkzeug.test import TestResponse

from agent_console import report_words
from agent_console.app import create_app, feed_of
from crm import areas
from crm import settings as settings_room
from crm.cases.models import Agency
from crm.clock import vietnam_day
from crm.database import Database
from crm.models import Call
from crm.notices.models import Notice
from crm.reports import daily, health, period, schedule, template, upload
from crm.reports.models import HealthReport
from crm.settings import Settings
from tests.agent_console.conftest import Browser, people  # noqa: F401 - the fixture
from tests.crm.reports import seeded

TODAY = vietnam_day(datetime.now(UTC))
YESTERDAY = TODAY - timedelta(days=1)


@pytest.fixture
def settings(tmp_path: Any) -> Settings:
    return settings_room.load({
        "HOTLINE_HOME": str(tmp_path), "HOTLINE_REPORT_RECIPIENTS": "a@example.vn",
    })


@pytest.fixture
def officer(app: Flask, people: None) -> Browser:  # noqa: F811
    browser = Browser(app.test_client())
    browser.sign_in("yte")
    return browser


def typed(browser: Browser, day: Any = TODAY, **figures: object) -> TestResponse:
    known: dict[str, object] = {"day": day.isoformat(), "rows": 4, "source": "Sở Y tế Thanh Hóa"}
    return browser.submit("/reports/figures", **known | figures)  # type: ignore[no-any-return]


def page(answer: TestResponse) -> str:
    return answer.get_data(as_text=True)


def entered(database: Database) -> dict[str, health.Figures]:
    with database.reading() as session:
        return health.by_area(health.of_day(session, TODAY, approved=False))


def test_the_officer_comes_to_the_figures_and_sees_nothing_else(officer: Browser) -> None:
    assert officer.client.get("/").location == "/reports/figures"
    form = page(officer.client.get("/reports/figures"))
    assert "Số liệu trong ngày" in form
    assert "Bàn trực" not in form
    assert officer.client.get("/events").status_code == 403
    assert officer.client.get(f"/reports/daily/{TODAY}").status_code == 403


def test_figures_by_area_are_entered_and_shown_beside_yesterdays(
    officer: Browser, sqlite: Database
) -> None:
    typed(officer, YESTERDAY, new_cases0="31", tests0="900")
    with sqlite.transaction() as session:
        health.approve(session, YESTERDAY, 1, by="huy", now=datetime.now(UTC))
    answer = typed(officer, place1="Phường Hàm Rồng", new_cases1="12", tests1="1.234",
                   place2="hac thanh", deaths2="1")
    assert answer.status_code == 302
    assert entered(sqlite) == {
        "14758": health.Figures(12, tests=1234), "14797": health.Figures(deaths=1),
    }
    form = page(officer.client.get("/reports/figures"))
    assert 'value="1234"' in form
    assert "hôm qua: 31" in form


@pytest.mark.parametrize(("given", "told"), [
    ({"new_cases0": "-3"}, "từ 0 trở lên"), ({"new_cases0": "ba"}, "từ 0 trở lên"),
    ({"new_cases1": "3", "place1": "Xã Không Đâu"}, "Không có xã, phường"),
    ({"new_cases0": "3", "source": " "}, "nguồn số liệu"), ({}, "Không có số liệu"),
    ({"new_cases1": "1", "place1": "Phường Hàm Rồng", "new_cases2": "1",
      "place2": "Phường Hàm Rồng"}, "hai lần"),
])
def test_what_cannot_be_is_refused_and_nothing_typed_is_lost(
    officer: Browser, sqlite: Database, given: dict[str, str], told: str
) -> None:
    answer = typed(officer, **given)
    assert answer.status_code == 400
    assert told in page(answer)
    assert all(f'value="{one}"' in page(answer) for one in given.values() if one.strip())
    assert entered(sqlite) == {}


def test_what_looks_wrong_is_saved_only_when_it_is_confirmed(
    officer: Browser, supervisor: Browser, sqlite: Database
) -> None:
    typed(officer, YESTERDAY, new_cases0="3", deaths0="10")
    supervisor.submit(f"/reports/daily/{YESTERDAY}/approve", version=1)
    answer = typed(officer, new_cases0="500", deaths0="9")
    assert answer.status_code == 400
    assert "Ca mắc mới: 500, hôm trước là 3" in page(answer)
    assert "Tử vong (cộng dồn): 9, ít hơn hôm trước (10)" in page(answer)
    assert entered(sqlite) == {}
    assert typed(officer, new_cases0="500", deaths0="9", confirmed="yes").status_code == 302
    assert "2 số liệu bất thường" in page(supervisor.client.get(f"/reports/daily/{TODAY}"))


def test_figures_are_approved_by_another_person_and_only_the_newest(
    officer: Browser, supervisor: Browser, sqlite: Database
) -> None:
    typed(supervisor, new_cases0="5")
    own = supervisor.submit(f"/reports/daily/{TODAY}/approve", version=1)
    assert own.status_code == 400
    assert "phải khác người nhập" in page(own)
    typed(officer, new_cases0="6")
    stale = supervisor.submit(f"/reports/daily/{TODAY}/approve", version=1)
    assert "mới hơn" in page(stale)
    assert supervisor.submit(f"/reports/daily/{TODAY}/approve", version=2).status_code == 302
    assert "đã duyệt" in page(supervisor.client.get(f"/reports/daily/{TODAY}"))
    again = supervisor.submit(f"/reports/daily/{TODAY}/approve", version=2)
    assert "đã được duyệt" in page(again)
    with sqlite.reading() as session:
        assert len(session.scalars(select(HealthReport)).all()) == 2  # both stay


def test_the_report_is_seen_loaded_and_sent_again(
    officer: Browser, supervisor: Browser, sqlite: Database, settings: Settings
) -> None:
    assert "chưa nhập" in page(supervisor.client.get("/reports"))
    typed(officer, new_cases0="1234")
    shown = page(supervisor.client.get(f"/reports/daily/{TODAY}"))
    assert "1.234" in shown
    for kind, begins in (("pdf", b"%PDF"), ("xlsx", b"PK")):
        file = supervisor.client.get(f"/reports/daily/{TODAY}/report.{kind}")
        assert file.data.startswith(begins)
        assert "attachment" in file.headers["Content-Disposition"]
    assert supervisor.submit(f"/reports/daily/{TODAY}/resend").status_code == 400
    supervisor.submit(f"/reports/daily/{TODAY}/approve", version=1)
    schedule.step(sqlite, settings, daily.cut(TODAY) + timedelta(minutes=1))
    assert supervisor.submit(f"/reports/daily/{TODAY}/resend").status_code == 302
    with sqlite.reading() as session:
        assert session.scalar(select(func.count()).select_from(Notice)) == 2


def book(*rows: list[Any], sheet: str = upload.SHEET, heading: Any = upload.HEADINGS) -> bytes:
    made = openpyxl.Workbook()
    made.worksheets[0].title = sheet
    for row in (list(heading), *rows):
        made.worksheets[0].append(row)
    out = io.BytesIO()
    made.save(out)
    return out.getvalue()


def sent(browser: Browser, content: bytes) -> TestResponse:
    return browser.submit(  # type: ignore[no-any-return]
        "/reports/figures/upload", day=TODAY.isoformat(), source="Sở Y tế",
        file=(io.BytesIO(content), "so-lieu.xlsx"),
    )


def test_the_empty_file_filled_in_is_read_into_the_form(
    officer: Browser, sqlite: Database
) -> None:
    empty = officer.client.get("/reports/figures/form.xlsx").data
    filled = openpyxl.load_workbook(io.BytesIO(empty))
    sheet = filled[upload.SHEET]
    row = next(cell.row for cell in sheet["A"] if cell.value == "14758")
    sheet.cell(row, 3).value, sheet.cell(2, 8).value = 4321, 99
    out = io.BytesIO()
    filled.save(out)
    answer = sent(officer, out.getvalue())
    assert answer.status_code == 200
    assert 'value="4321"' in page(answer)
    assert 'value="99"' in page(answer)
    assert "Chưa lưu" in page(answer)
    assert entered(sqlite) == {}


def test_every_bad_cell_is_named_at_once(officer: Browser) -> None:
    answer = sent(officer, book(
        ["14758", "", "=1+1", 2, -3, 4.5, "năm", None], ["99999", "Đâu đó", 1],
        ["", "Toàn tỉnh", 1], ["", "Toàn tỉnh", 1],
    ))
    assert answer.status_code == 400
    for cell, why in (("C2", "công thức"), ("E2", "số nguyên"), ("F2", "số nguyên"),
                      ("G2", "số nguyên"), ("A3", "tên và mã"), ("B5", "hai lần")):
        assert f"<b>{cell}</b>" in page(answer)
        assert why in page(answer)


def bomb() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as parts:
        parts.writestr("xl/worksheets/sheet1.xml", b"0" * 60_000_000)
    return out.getvalue()


def macros() -> bytes:
    out = io.BytesIO(book([]))
    with zipfile.ZipFile(out, "a") as parts:
        parts.writestr("xl/vbaProject.bin", b"x")
    return out.getvalue()


@pytest.mark.parametrize(("made", "told"), [
    (lambda: b"hello", "không phải tệp XLSX"), (bytes, "không phải tệp XLSX"), (bomb, "quá lớn"),
    (macros, "chương trình"), (partial(book, sheet="Khác"), "trang tính"),
    (partial(book, heading=["a", "b"]), "Dòng đầu"), (book, "Không có số liệu"),
    (partial(book, *(["", ""] for _ in range(500)), ["", "", 1]), "quá nhiều dòng"),
    (lambda: book()[:-40], "không phải tệp XLSX"),
], ids=["text", "nothing", "bomb", "macros", "sheet", "headings", "empty", "rows", "torn"])
def test_hostile_and_broken_files_are_refused(
    officer: Browser, made: Callable[[], bytes], told: str
) -> None:
    answer = sent(officer, made())
    assert answer.status_code == 400
    assert told in page(answer)


def test_only_this_form_takes_files_and_only_from_those_it_is_for(
    officer: Browser, agent: Browser
) -> None:
    assert sent(officer, b"x" * 200_000).status_code == 400  # read, and no XLSX
    assert sent(officer, b"x" * 1_200_000).status_code == 413
    assert sent(agent, b"x" * 200_000).status_code in (403, 413)
    assert officer.submit("/account", old="x" * 100_000).status_code == 413


def test_reports_over_a_period_as_page_and_as_files(
    supervisor: Browser, sqlite: Database
) -> None:
    with sqlite.transaction() as session:
        for number in range(3):
            session.add(Call(
                id=f"th1.b1.{number}", node="th1", boot="b1", direction="in", kind="citizen",
                started_at=datetime.now(UTC), branch="vaccine", outcome="answered", path=[],
                talk_ms=0,
            ))
    for by in ("branch", "channel", "category", "agency", "area"):
        assert supervisor.client.get(f"/reports/period?by={by}").status_code == 200
    assert "Tiêm chủng" in page(supervisor.client.get("/reports/period?by=branch"))
    csv = page(supervisor.client.get("/reports/period.csv?by=branch"))
    assert "Tiêm chủng,3,3,0" in csv
    sheets = supervisor.client.get("/reports/period.xlsx?by=branch").data
    assert openpyxl.load_workbook(io.BytesIO(sheets)).sheetnames == ["Cuộc gọi theo nhánh"]
    assert supervisor.client.get("/reports/period?from=2026-05-01&to=2026-04-01").status_code == 400
    assert supervisor.client.get("/reports/period?by=agent").status_code == 400
    assert supervisor.client.get("/reports/period?from=tomorrow").status_code == 400


def test_without_recipients_the_page_says_so(
    tmp_path: Any, sqlite: Database, phones: Any, people: None  # noqa: F811
) -> None:
    from tests.agent_console.conftest import SECRETS

    app = create_app(settings_room.load({"HOTLINE_HOME": str(tmp_path)}), sqlite, phones, SECRETS)
    browser = Browser(app.test_client())
    browser.sign_in("huy")
    assert "Chưa đặt nơi nhận" in page(browser.client.get("/reports"))
    feed_of(app).close()


def test_on_the_english_pages_papers_are_told_in_english(
    supervisor: Browser, sqlite: Database
) -> None:
    """All but the names of agencies and places, and who wrote the figures."""
    with sqlite.transaction() as session:
        seeded.seed(session)
        names = {*session.scalars(select(Agency.name)), "Sở Y tế Thanh Hóa"}
    names |= {area.name for area in areas.standing(seeded.DAY).values()}
    assert supervisor.submit("/account/language", language="en").status_code == 302
    days = f"from={seeded.BEFORE}&to={seeded.DAY}"
    for path in (f"/reports/daily/{seeded.DAY}", f"/reports/daily/{TODAY}", "/reports/by-mail",
                 *(f"/reports/period?by={by.value}&{days}" for by in period.By)):
        shown = page(supervisor.client.get(path))
        main = shown[shown.index("<main"):shown.index("</main>")]
        for name in sorted(names, key=len, reverse=True):
            main = main.replace(name, "")
        assert re.findall(r"[^<>]*[À-ÖØ-öø-ỹ][^<>]*", main) == [], path


def test_every_text_of_the_shipped_template_has_an_english_one(app: Flask) -> None:
    shipped = template.read(template.SHIPPED)
    with app.test_request_context(), force_locale("en"):
        for texts in shipped.sections.values():
            for text in filter(None, (texts.title, texts.note, texts.empty)):
                assert not re.search(r"[À-ÖØ-öø-ỹ]", report_words.said(text)), text
        assert report_words.said("Ghi chú riêng của tổng đài.") == "Ghi chú riêng của tổng đài."
