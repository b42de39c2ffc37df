"""Score cards, draws and evaluations on their pages, and what the agent sees and answers."""

from __future__ import annotations

import io
import re
from datetime import UTC, datetime, timedelta

import pytest
from openpyxl import load_workbook
from sqlalchemy import select

from crm.database import Database
from crm.quality import draws
from crm.quality.models import CardVersion, Evaluation, QualityPick
from tests.agent_console.conftest import Browser
from tests.agent_console.factories import add_call

CARD = {
    "name": "Nghe máy", "seen": "0",
    "text0": "Chào đúng lời", "kind0": "yesno", "weight0": "1",
    "text1": "Hiểu người gọi", "kind1": "scale", "weight1": "3",
    "text2": "Không lộ thông tin", "kind2": "yesno", "weight2": "1", "fatal2": "on",
    "text3": "  ", "kind3": "scale", "weight3": "1",
}


@pytest.fixture
def drawn(supervisor: Browser, sqlite: Database) -> str:
    """A call of lan's of last week, drawn, and a card to judge it by; its page."""
    add_call(sqlite, id="th1.b1-1.1", started_at=datetime.now(UTC) - timedelta(days=7), agent="lan",
             recording="th1.b1-1.1.raw", branch="vaccine", talk_ms=60_000)
    assert supervisor.submit("/quality/cards", **CARD).status_code == 302
    week = draws.week_before(datetime.now(UTC))
    assert supervisor.submit("/quality/draw", week=week, each="3").status_code == 302
    with sqlite.reading() as session:
        return f"/quality/picks/{session.scalars(select(QualityPick.id)).one()}"


def text(browser: Browser, path: str) -> str:
    return browser.client.get(path).get_data(as_text=True)


def test_a_drawn_call_is_judged_seen_by_its_agent_and_answered_once(
    supervisor: Browser, sqlite: Database, drawn: str
) -> None:
    form = text(supervisor, drawn)
    assert form.count("<fieldset") == 3
    assert "nghiêm trọng" in form
    version = re.search(r'name="version" value="(\d+)"', form)
    assert version
    half = {"version": version[1], "q1": "1", "note": "Rất kiên nhẫn"}
    refused = supervisor.submit(drawn, **half)
    assert refused.status_code == 400
    assert "Rất kiên nhẫn" in refused.get_data(as_text=True)  # nothing that was typed is lost
    assert supervisor.submit(drawn, **half, q2="4", q3="1").status_code == 302
    assert supervisor.submit(drawn, **half, q2="4", q3="1").status_code == 400  # once
    with sqlite.reading() as session:
        assert session.scalars(select(Evaluation.score)).one() == 8800  # (1 + 3 × 4/5 + 1) / 5
    page = text(supervisor, "/quality")
    assert "88,0% (1)" in page  # with its count
    assert "chưa xem" in page

    agent = Browser(supervisor.client.application.test_client())
    agent.sign_in("lan")
    assert "88.0 %" in text(agent, "/quality/mine")
    with sqlite.reading() as session:
        id_ = session.scalars(select(Evaluation.id)).one()
    assert agent.submit(f"/quality/mine/{id_}", reply="Cảm ơn, tôi sẽ chú ý").status_code == 302
    assert agent.submit(f"/quality/mine/{id_}", reply="nữa").status_code == 400
    assert "Cảm ơn, tôi sẽ chú ý" in text(supervisor, "/quality")
    assert agent.client.get("/quality").status_code == 403
    other = Browser(supervisor.client.application.test_client())
    other.sign_in("minh")
    assert other.submit(f"/quality/mine/{id_}", reply="x").status_code == 400
    assert "88.0" not in text(other, "/quality/mine")


def test_the_averages_go_out_with_counts_and_versions(supervisor: Browser, drawn: str) -> None:
    supervisor.submit(drawn, version="1", q1="1", q2="5", q3="0")
    csv = supervisor.client.get("/quality/averages.csv").get_data(as_text=True)
    assert "Nghe máy · 1,Tất cả,1,0.0,1" in csv.replace('"', "")
    sheet = load_workbook(
        io.BytesIO(supervisor.client.get("/quality/averages.xlsx").data)
    ).worksheets[0]
    assert ("Nghe máy · 1", "lan", 1, 0, 1) in {tuple(row)[:5] for row in sheet.values}
    assert supervisor.client.get("/quality/averages.exe").status_code == 404
    assert supervisor.client.get("/quality?first=2020-01-01").status_code == 400


def test_a_card_is_changed_by_a_version_and_two_people_do_not_overwrite_each_other(
    supervisor: Browser, admin: Browser, sqlite: Database, drawn: str
) -> None:
    page = text(supervisor, "/quality/cards/1")
    assert 'name="seen" value="1"' in page
    assert "Hiểu người gọi" in page
    changed = CARD | {"seen": "1", "text1": "Hiểu và nhắc lại"}
    assert supervisor.submit("/quality/cards", **changed).status_code == 302
    late = admin.submit("/quality/cards", **changed | {"text0": "Chào bằng tên"})
    assert late.status_code == 400
    assert "Chào bằng tên" in late.get_data(as_text=True)
    with sqlite.reading() as session:
        assert session.scalars(select(CardVersion.number)).all() == [1, 2]
    wrong = supervisor.submit("/quality/cards", **CARD | {"name": "Khác", "weight1": "x"})
    assert wrong.status_code == 400
    assert 'value="Khác"' in wrong.get_data(as_text=True)


@pytest.mark.parametrize(
    "number", [" ", "x", "²", "9" * 30, "9" * 5000], ids=["blank", "letter", "square", "30", "5000"]
)
def test_what_is_no_number_is_refused_by_a_sentence(
    supervisor: Browser, drawn: str, number: str
) -> None:
    for field in ("seen", "weight0"):
        answer = supervisor.submit("/quality/cards", **CARD | {"name": "", field: number})
        assert answer.status_code == 400
        assert "Chào đúng lời" in answer.get_data(as_text=True)
    assert supervisor.submit("/quality/draw", week="2026-W01", each=number).status_code == 400
    assert supervisor.submit(drawn, version=number, q1=number, note="n").status_code in (400, 404)


@pytest.mark.parametrize(("week", "each"), [("x", "3"), ("2999-W01", "3"), ("2020-W01", "0")])
def test_what_cannot_be_drawn_is_said(supervisor: Browser, week: str, each: str) -> None:
    answer = supervisor.submit("/quality/draw", week=week, each=each)
    assert answer.status_code == 400
    assert "Chưa rút được" in answer.get_data(as_text=True)
