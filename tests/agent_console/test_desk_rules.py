"""Results of calls with what they need, limits of pauses, and what is left unfinished."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask
from sqlalchemy import select

from crm.agents import pauses, results
from crm.cases import life
from crm.cases.models import CaseCall
from crm.database import Database
from crm.models import CallNote, Leg
from crm.notices.models import Notice
from tests.agent_console.conftest import Browser
from tests.agent_console.factories import add_call, call_id
from tests.crm.cases.factory import opened

RESULT = {
    "code": "asked_dose", "vi": "Hỏi mũi tiêm", "en": "Asked about a dose", "branches": ["vaccine"],
    "shortest_note": "5", "position": "2", "active": "on",
}


def note_path(call: str) -> str:
    return f"/agent/calls/{call}/note"


def spoken(database: Database, agent: str = "lan", **values: object) -> str:
    """A call that an agent has spoken in."""
    now = datetime.now(UTC)
    given = {"started_at": now - timedelta(hours=1), **values}
    call = add_call(
        database, agent=agent, outcome="answered", ended_at=now, branch="vaccine", **given
    )
    with database.transaction() as session:
        session.add(Leg(
            id=call_id(), call_id=call.id, kind="agent", endpoint="seat-001", agent=agent,
            started_at=call.started_at, ended_at=now, talk_ms=60_000,
        ))
    return call.id


def test_a_result_has_its_branches_and_says_what_it_needs(
    supervisor: Browser, agent: Browser, sqlite: Database
) -> None:
    assert supervisor.submit("/desk-rules/results", **RESULT).status_code == 302
    vaccine = spoken(sqlite)
    other = add_call(sqlite, agent="lan", branch="relief").id
    offered = agent.ask("GET", f"/agent/calls/{vaccine}").get_json()["results"]
    assert {"code": "asked_dose", "branches": ["vaccine"], "needs_case": False,
            "shortest_note": 5} in offered
    elsewhere = agent.ask("GET", f"/agent/calls/{other}").get_json()["results"]
    assert "asked_dose" not in [one["code"] for one in elsewhere]

    done = {"text": "mũi", "result": "asked_dose", "done": True}
    told = agent.ask("PUT", note_path(vaccine), done).get_json()
    assert (told["saved"], told["done"]) == (True, False)
    assert told["problem"] == "Kết quả này cần ghi chú dài hơn."
    done["text"] = "mũi nhắc lại"
    assert agent.ask("PUT", note_path(vaccine), done).get_json() == {"saved": True, "done": True}
    wrong = agent.ask("PUT", note_path(other), done).get_json()
    assert not wrong["done"]
    with sqlite.reading() as session:  # nothing of it is lost
        kept = session.scalars(select(CallNote).where(CallNote.call_id == other)).one()
        assert (kept.text, kept.done) == ("mũi nhắc lại", False)


def test_case_opened_needs_the_code_of_a_case_that_there_is(
    agent: Browser, sqlite: Database
) -> None:
    call = spoken(sqlite)
    with sqlite.transaction() as session:
        code = opened(session, phone="0987654321").code
    done = {"text": "", "result": "case", "done": True}
    for wrong in ("", code[:4], "12345678"):
        told = agent.ask("PUT", note_path(call), {**done, "case": wrong}).get_json()
        assert told["problem"] == "Kết quả này cần mã phản ánh.", wrong
    assert agent.ask("PUT", note_path(call), {**done, "case": "abc"}).status_code == 400
    told = agent.ask("PUT", note_path(call), {**done, "case": f"{code[:4]} {code[4:]}"}).get_json()
    assert told == {"saved": True, "done": True}
    with sqlite.reading() as session:
        assert session.scalars(select(CaseCall.call_id)).all() == [call]
        assert life.of_call(session, call)[0].code == code


def test_the_case_opened_in_the_call_is_known_by_itself(agent: Browser, sqlite: Database) -> None:
    call = spoken(sqlite)
    with sqlite.transaction() as session:
        code = opened(session, phone="0912345678", call_id=call).code
    done = {"text": "", "result": "case", "done": True}
    assert agent.ask("PUT", note_path(call), done).get_json() == {"saved": True, "done": True}
    told = agent.ask("GET", f"/agent/calls/{call}").get_json()
    assert told["note"]["case"] == code
    assert [one["of_call"] for one in told["cases"]] == [True]


def test_a_result_that_is_used_no_more_is_read_but_not_chosen(
    supervisor: Browser, agent: Browser, sqlite: Database
) -> None:
    call = spoken(sqlite)
    agent.ask("PUT", note_path(call), {"text": "x", "result": "solved", "done": True})
    gone = {"code": "solved", "vi": "Đã giải đáp", "en": "Answered", "position": "1",
            "shortest_note": "0"}
    supervisor.submit("/desk-rules/results", **gone)
    assert "Đã giải đáp" in agent.client.get("/agent/calls").get_data(as_text=True)
    told = agent.ask("PUT", note_path(spoken(sqlite)),
                     {"text": "x", "result": "solved", "done": True}).get_json()
    assert not told["done"]


@pytest.mark.parametrize("wrong", [
    {"code": "X"}, {"vi": ""}, {"branches": ["nowhere"]}, {"shortest_note": "-1"},
    {"shortest_note": "many"}, {"position": "1000"},
])
def test_a_result_that_cannot_be_is_refused_and_nothing_is_lost(
    supervisor: Browser, sqlite: Database, wrong: dict[str, object]
) -> None:
    answer = supervisor.submit("/desk-rules/results", **{**RESULT, "new": "yes", **wrong})
    assert answer.status_code == 400
    assert "Asked about a dose" in answer.get_data(as_text=True)
    with sqlite.reading() as session:
        assert "asked_dose" not in {one.code for one in results.everything(session)}


def test_limits_of_pauses_are_for_supervisors_to_set(
    supervisor: Browser, agent: Browser, sqlite: Database
) -> None:
    path = "/desk-rules/pauses"
    assert supervisor.submit(path, rest_at_once="10", rest_per_day="").status_code == 302
    with sqlite.reading() as session:
        rest = pauses.limits(session)["rest"]
        assert (rest.at_once_min, rest.per_day_min) == (10, None)
        assert pauses.limits(session)["lunch"].at_once_min is None
    for wrong in ("0", "601", "x", "-5"):
        answer = supervisor.submit(path, rest_at_once=wrong)
        assert answer.status_code == 400, wrong
        assert f'value="{wrong}"' in answer.get_data(as_text=True)
    assert agent.submit(path, rest_at_once="60").status_code == 403
    assert agent.client.get("/desk-rules").status_code == 403


def test_a_call_without_a_result_is_work_for_its_agent_and_the_lead(
    agent: Browser, supervisor: Browser, sqlite: Database
) -> None:
    waits, drafted, done = spoken(sqlite), spoken(sqlite), spoken(sqlite)
    of_minh = spoken(sqlite, "minh")
    agent.ask("PUT", note_path(drafted), {"text": "x", "result": "solved"})
    agent.ask("PUT", note_path(done), {"text": "x", "result": "solved", "done": True})
    spoken(sqlite, started_at=datetime.now(UTC) - timedelta(days=9))  # long ago

    def listed(browser: Browser) -> set[str]:
        page = browser.client.get("/work").get_data(as_text=True)
        every = (waits, drafted, done, of_minh)
        return {one for one in every if f'data-unfinished="{one}"' in page}

    assert listed(agent) == {waits, drafted}
    assert listed(supervisor) == {waits, drafted, of_minh}


def test_an_sms_goes_to_a_missed_caller_once_a_day(
    agent: Browser, app: Flask, sqlite: Database
) -> None:
    number = "0912345671"
    path = f"/work/missed/{number}/sms"
    assert agent.submit(path).status_code == 409  # has not called
    add_call(sqlite, caller=number, outcome="abandoned_queue")
    for _ in range(2):
        assert agent.submit(path).status_code == 302
    with sqlite.reading() as session:
        notice = session.scalars(select(Notice)).one()
        assert notice.recipient == number
        assert not notice.urgent
        assert "02371022" in notice.body


def test_the_cases_one_has_opened_are_listed_until_they_end(
    agent: Browser, sqlite: Database
) -> None:
    with sqlite.transaction() as session:
        opened(session, summary="Của Lan", by="lan")
        opened(session, summary="Của Minh", by="minh")
    with sqlite.reading() as session:
        assert [one.summary for one in life.opened_by(session, "lan", 9)] == ["Của Lan"]
    assert "Của Lan" in agent.client.get("/work").get_data(as_text=True)


def test_an_emergency_is_rung_back_from_the_desk_by_a_click(
    agent: Browser, sqlite: Database
) -> None:
    call = add_call(sqlite, caller="0912345699", emergency=True, unreached=True).id
    agent.ask("POST", "/agent/phone", {"kind": "webrtc"})
    told = agent.ask("POST", "/work/ring", {"number": "0912345699", "call": call})
    assert told.get_json() == {"outcome": "done"}
