"""The page of what is to be done."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from flask import Flask
from sqlalchemy import select

from crm.cases.models import Identity
from crm.database import Database
from crm.models import Callback, RingOut, Role, User
from tests.agent_console.conftest import Browser, ObedientPhones
from tests.agent_console.factories import add_call, call_id
from tests.crm.cases.factory import at_agency, opened

NUMBER = "0912345671"


def missed(database: Database, **more: object) -> str:
    id_ = call_id()
    add_call(
        database, id=id_, caller=NUMBER, outcome="abandoned_queue", kind="citizen",
        started_at=datetime.now(UTC) - timedelta(hours=1), **more,
    )
    return id_


def test_a_caller_is_rung_taken_and_done_with(
    agent: Browser, sqlite: Database, phones: ObedientPhones
) -> None:
    call = missed(sqlite)
    assert NUMBER in agent.client.get("/work").get_data(as_text=True)
    assert agent.submit("/work/ring", number=NUMBER, call=call).status_code == 409  # no phone
    agent.ask("POST", "/agent/phone", {"kind": "webrtc"})
    phones.told.clear()
    assert agent.submit("/work/ring", number=NUMBER, call=call).status_code == 302
    assert phones.told == [("ring_out", "PJSIP/seat-001", NUMBER, call)]
    page = agent.client.get("/work").get_data(as_text=True)
    assert "Đã hỗ trợ" in page  # it is one's own now
    done = agent.submit(f"/work/missed/{NUMBER}/finish", result="helped")
    assert done.status_code == 302
    assert NUMBER not in agent.client.get("/work").get_data(as_text=True)


def test_a_number_is_rung_wherever_an_agent_reads_it(
    agent: Browser, app: Flask, sqlite: Database, phones: ObedientPhones
) -> None:
    """The page on which it stands is shown again; whoever may do no work sees no button."""
    call = add_call(sqlite, caller=NUMBER, voicemail="a.wav", outcome="voicemail").id
    with sqlite.transaction() as session:
        case = opened(session, phone=NUMBER, by="lan").code
        hidden = opened(session, phone=NUMBER, by="lan", identity=Identity.HIDDEN).code
    pages = ("/messages", f"/citizens/call/{call}", f"/cases/{case}")
    for path in pages:
        shown = agent.client.get(path).get_data(as_text=True)
        assert "disabled title" in shown[shown.index('action="/work/ring"'):], path  # no phone yet
    assert "/work/ring" not in agent.client.get(f"/cases/{hidden}").get_data(as_text=True)
    agent.ask("POST", "/agent/phone", {"kind": "webrtc"})
    phones.told.clear()
    for path in pages:
        form = agent.client.get(path).get_data(as_text=True).partition('action="/work/ring"')[2]
        fields = dict(re.findall(r'name="(number|call|next)" value="(.*?)"', form)[:3])
        assert fields == {"number": NUMBER, "call": call, "next": path}
        assert agent.submit("/work/ring", **fields).location == path
    assert phones.told == 3 * [("ring_out", "PJSIP/seat-001", NUMBER, call)]
    elsewhere = agent.submit("/work/ring", number=NUMBER, call=call, next="https://example.org/")
    assert elsewhere.location == "/work"
    with sqlite.transaction() as session:
        session.scalars(select(User).where(User.login == "minh")).one().role = Role.AUDITOR
    auditor = Browser(app.test_client())
    auditor.sign_in("minh")
    read = auditor.client.get(f"/cases/{case}").get_data(as_text=True)
    assert NUMBER in read
    assert "/work/ring" not in read


def test_another_hears_who_has_it(agent: Browser, app: Flask, sqlite: Database) -> None:
    missed(sqlite)
    agent.submit(f"/work/missed/{NUMBER}/take")
    minh = Browser(app.test_client())
    minh.sign_in("minh")
    refused = minh.submit(f"/work/missed/{NUMBER}/take")
    assert refused.status_code == 409
    assert "lan" in refused.get_data(as_text=True)


def test_too_many_numbers_are_refused_with_the_time_from_which_on(
    agent: Browser, sqlite: Database, phones: ObedientPhones
) -> None:
    agent.ask("POST", "/agent/phone", {"kind": "webrtc"})
    with sqlite.transaction() as session:
        session.add_all(
            RingOut(number=NUMBER, by="lan", at=datetime.now(UTC)) for _ in range(30)
        )
    call = missed(sqlite)
    phones.told.clear()
    refused = agent.submit("/work/ring", number=NUMBER, call=call)
    assert refused.status_code == 409
    assert "trong một giờ" in refused.get_data(as_text=True)
    aside = agent.ask("POST", f"/agent/calls/{call}/with", {
        "act": "consult", "kind": "outside", "to": NUMBER,
    })
    assert aside.status_code == 409
    assert phones.told == []
    page = agent.client.get("/work").get_data(as_text=True)
    assert "Trả lại" not in page  # nobody has taken the caller by it


def test_what_makes_no_sense_is_refused(
    agent: Browser, sqlite: Database, phones: ObedientPhones
) -> None:
    missed(sqlite)
    agent.ask("POST", "/agent/phone", {"kind": "webrtc"})
    phones.told.clear()
    agent.submit(f"/work/missed/{NUMBER}/take")
    assert agent.submit(f"/work/missed/{NUMBER}/sing").status_code == 400
    assert agent.submit(f"/work/missed/{NUMBER}/finish", result="x").status_code == 400
    for number in ("", "abc", "19001234", "+4420", "1022"):
        assert agent.submit("/work/ring", number=number).status_code == 409, number
    assert phones.told == []


def test_an_emergency_stands_above_all(agent: Browser, sqlite: Database) -> None:
    missed(sqlite)
    add_call(
        sqlite, id=call_id(), caller="0912345699", emergency=True, unreached=True,
        outcome="abandoned_queue", kind="citizen",
    )
    page = agent.client.get("/work").get_data(as_text=True)
    assert 0 < page.index("0912345699") < page.index(NUMBER)
    assert 'data-missed="0912345699"' not in page  # and not twice


def test_cases_at_agencies_stand_there_a_day_before_they_are_due(
    agent: Browser, sqlite: Database
) -> None:
    now = datetime.now(UTC)
    with sqlite.transaction() as session:
        for summary, due in (
            ("Đến hạn tối nay", now + timedelta(hours=23)),
            ("Trễ hôm qua", now - timedelta(days=1)),
            ("Còn lâu mới đến hạn", now + timedelta(hours=25)),
        ):
            at_agency(session, summary=summary, by="minh").due_at = due
        opened(session, summary="Chưa cơ quan nào có", by="minh").due_at = now
    page = agent.client.get("/work").get_data(as_text=True)
    due_soon = page[page.index("Đến hạn trong một ngày"):]
    late, tonight = due_soon.index("Trễ hôm qua"), due_soon.index("Đến hạn tối nay")
    assert late < due_soon.index(">quá hạn<") < tonight
    assert ">quá hạn<" not in due_soon[tonight:]
    assert "Còn lâu mới đến hạn" not in page
    assert "Chưa cơ quan nào có" not in due_soon


def test_calls_back_that_are_owed_stand_there_until_they_are_made(
    agent: Browser, sqlite: Database
) -> None:
    asked = datetime(2026, 5, 4, 2, 30, tzinfo=UTC)
    with sqlite.transaction() as session:
        session.add_all(Callback(
            id=call_id(), node="th1", number=number, branch="vaccine", queue="vaccine",
            arrived_at=asked, asked_at=asked, ended_at=ended, facts={},
        ) for number, ended in (("0912345681", None), ("0912345682", asked)))
    page = agent.client.get("/work").get_data(as_text=True)
    assert "0912345682" not in page
    row = page[page.index("0912345681"):]
    assert "Tiêm chủng" in row[:row.index("</tr>")]
    assert "09:30" in row[:row.index("</tr>")]
