"""Pages of citizens, and of tracing."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from sqlalchemy import select

from crm.cases.models import Identity
from crm.database import Database
from crm.privacy import tracing
from crm.privacy.trace_models import TraceRequest
from tests.agent_console.conftest import Browser
from tests.agent_console.factories import add_call
from tests.crm.cases.factory import opened

LETTER = {
    "number": "0912345678", "reference": "123/CV-SYT", "requester": "Nguyễn A, Sở Y tế",
    "basis": "Luật Phòng bệnh", "days": "3",
}


def test_whoever_rings_is_known_with_calls_and_cases(agent: Browser, sqlite: Database) -> None:
    call = add_call(sqlite, caller="0912345678")
    with sqlite.transaction() as session:
        code = opened(session, phone="0912345678", summary="Nhà bị ngập").code
    for answer in (
        agent.client.get(f"/citizens/call/{call.id}"), agent.client.get(f"/citizens/case/{code}"),
        agent.submit("/citizens", number="+84 912.345.678"),
    ):
        assert answer.status_code == 200
        page = answer.get_data(as_text=True)
        assert "Nhà bị ngập" in page
        assert "1 cuộc gọi" in page
    with sqlite.transaction() as session:
        hidden = opened(session, phone="0912345678", identity=Identity.HIDDEN).code
    assert agent.client.get(f"/citizens/case/{hidden}").status_code == 404
    for wrong in ("", "115", "02371022", "<script>"):
        assert agent.submit("/citizens", number=wrong).status_code == 400
    assert agent.client.get("/citizens/case/00000000").status_code == 404


def test_what_agents_should_know_is_kept_and_not_overwritten(agent: Browser) -> None:
    page = agent.submit(
        "/citizens/known", number="0912345678", name="Cô Hoa", language="muong", note="Nghe kém",
    ).get_data(as_text=True)
    assert "Cô Hoa" in page
    seen = re.findall(r'name="seen" value="([^"]+)"', page)[0].replace("&#43;", "+")
    told = {"number": "0912345678", "name": "Cô Hoa", "language": "muong", "seen": seen}
    assert agent.submit("/citizens/known", note="Nghe kém, nói to", **told).status_code == 200
    stale = agent.submit("/citizens/known", note="cũ", **told)
    assert stale.status_code == 409
    assert "Nghe kém, nói to" in stale.get_data(as_text=True)
    assert agent.submit("/citizens/known", note="x", **told | {"seen": "x"}).status_code == 400


def request_id(database: Database) -> int:
    with database.reading() as session:
        newest = select(TraceRequest.id).order_by(TraceRequest.id.desc())
        return session.scalar(newest.limit(1)) or 0


def test_tracing_needs_a_letter_another_person_and_its_days(
    supervisor: Browser, admin: Browser, agent: Browser, sqlite: Database
) -> None:
    call = add_call(sqlite, caller="0912345678")
    assert agent.submit("/tracing", **LETTER).status_code == 403
    assert supervisor.submit("/tracing", **LETTER | {"reference": ""}).status_code == 400
    assert supervisor.submit("/tracing", **LETTER).status_code == 302
    path = f"/tracing/{request_id(sqlite)}"
    assert supervisor.submit(path).status_code == 403
    assert supervisor.submit(f"{path}/approve").status_code == 403  # who entered it
    assert admin.submit(f"{path}/approve").status_code == 302
    found = supervisor.submit(path)
    assert found.status_code == 200
    assert call.id in found.get_data(as_text=True)
    listed = supervisor.submit(path, form="csv")
    assert listed.mimetype == "text/csv"
    assert "123/CV-SYT" in listed.get_data(as_text=True)
    assert "huy" in listed.get_data(as_text=True)
    with sqlite.transaction() as session:
        session.get_one(TraceRequest, request_id(sqlite)).expires_at = datetime.now(UTC) - (
            timedelta(seconds=1))
    assert supervisor.submit(path).status_code == 403
    with sqlite.reading() as session:
        kept = [(one.by, one.what, one.refused) for one in tracing.looks(session, 20)][::-1]
    assert kept == [
        ("huy", "asked", None), ("huy", "page", "unapproved"), ("huy", "approved", "same"),
        ("quan", "approved", None), ("huy", "page", None), ("huy", "csv", None),
        ("huy", "page", "expired"),
    ]
    page = supervisor.client.get("/tracing").get_data(as_text=True)
    assert "0912345678" not in page  # the list shows it masked
    assert "đã hết hiệu lực" in page


def test_two_numbers_of_one_person_are_joined_and_parted(agent: Browser, sqlite: Database) -> None:
    with sqlite.transaction() as session:
        opened(session, phone="0987654321", summary="Nhà bị ngập")
    told = {"number": "0912345678", "other": "0987 654 321", "reason": "Tự nói khi gọi"}
    page = agent.submit("/citizens/persons", act="join", **told)
    assert page.status_code == 200
    assert "Nhà bị ngập" in page.get_data(as_text=True)
    again = agent.submit("/citizens/persons", act="join", **told)
    assert again.status_code == 400
    assert "Tự nói khi gọi" in again.get_data(as_text=True)  # nothing that was typed is lost
    assert agent.submit("/citizens/persons", act="join", **told | {"other": "x"}).status_code == 400
    assert agent.submit("/citizens/persons", act="?", **told).status_code == 400
    parted = agent.submit("/citizens/persons", act="part", number="0912345678", reason="Nhầm số")
    assert "Nhà bị ngập" not in parted.get_data(as_text=True)
    assert "Nhầm số" in parted.get_data(as_text=True)
