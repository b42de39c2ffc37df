"""Incidents: joined by key, told when they are over, however often the journal is read."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select

from crm import switches
from crm.calls.facts import JournalEvent
from crm.cases import incidents
from crm.cases.incidents import IncidentError
from crm.cases.models import Affected, Status
from crm.database import Database

NOW = datetime(2026, 3, 10, 1, 0, tzinfo=UTC)  # 08:00 in Vietnam
ONE, TWO = "a" * 20, "b" * 20
TEXT = "Phường Sầm Sơn đang mất nước"


def event(
    kind: str, code: str, number: str, uniqueid: str, at: datetime = NOW, **extra: str
) -> JournalEvent:
    return JournalEvent(
        type=kind, at=at, num="", name="", exten="", context="", channel="PJSIP/trunk-00000001",
        app="", app_data="", uniqueid=uniqueid, linkedid=uniqueid, peer="",
        extra={"code": code, "number": number, **extra},
    )


def started(database: Database) -> str:
    with database.transaction() as session:
        return incidents.start(session, TEXT, ONE, by="huong", now=NOW).case.code


def joined(database: Database, code: str, number: str, call: str) -> None:
    with database.transaction() as session:
        incidents.apply(session, [event("HL_INCIDENT", code, number, call)])


def test_callers_of_a_branch_hear_of_their_own_and_each_has_its_end(database: Database) -> None:
    until = NOW + timedelta(hours=2)
    with database.transaction() as session:
        everybody = incidents.start(session, TEXT, ONE, by="huong", now=NOW)
        own = incidents.start(
            session, "Kho thuốc đang nhập hàng", TWO, by="huong", now=NOW, branch="vaccine",
            until=until,
        )
        epoch = int(until.timestamp())
        assert switches.wanted(session, "incident") == f"{everybody.case.code}.{ONE}"
        assert switches.wanted(session, "incident.vaccine") == f"{own.case.code}.{TWO}.{epoch}"
        assert [incidents.is_told(own, at) for at in (NOW, until)] == [True, False]
        assert incidents.still_on(session) == [everybody, own], "nobody has ended it"
        refused: tuple[tuple[dict[str, Any], str], ...] = (
            ({"branch": "vaccine"}, "is on: end it first"),
            ({"branch": "emergency"}, "hear of no incident"),
            ({"branch": "relief", "until": NOW}, "at most"),
            ({"branch": "relief", "until": NOW + timedelta(days=8)}, "at most"),
        )
        for wrong, why in refused:
            with pytest.raises(IncidentError, match=why):
                incidents.start(session, TEXT, ONE, by="huong", now=NOW, **wrong)
        incidents.prolong(session, own.case.code, None, by="huong", now=until)
        assert incidents.is_told(own, until)
        assert switches.wanted(session, "incident.vaccine") == f"{own.case.code}.{TWO}"
        incidents.end(session, own.case.code, "Đã xong.", TWO, by="huong", now=until)
        assert switches.wanted(session, "incident.vaccine") == "none"
        assert switches.wanted(session, "incident") == f"{everybody.case.code}.{ONE}"


def test_an_end_is_told_once_its_words_are_there(database: Database) -> None:
    code = started(database)
    joined(database, code, "0912000001", "th1.b1-1.1")
    with database.transaction() as session:
        incidents.end(session, code, "Nước đã có lại.", None, by="huong", now=NOW)
        assert "Nước đã có lại." in incidents.spoken_texts(session)
    assert rung(database, NOW) == []
    with database.transaction() as session:
        [one] = incidents.unsaid(session)
        one.over_sound = TWO
    assert rung(database, NOW) == ["0912000001"]
    with database.reading() as session:
        assert incidents.unsaid(session) == []


def test_prepared_texts_are_spoken_until_they_are_removed(database: Database) -> None:
    with database.transaction() as session:
        number = incidents.prepare(session, f"  {TEXT}  ", by="huong", now=NOW).id
        assert incidents.prepare(session, TEXT, by="huy", now=NOW).id == number
        with pytest.raises(IncidentError, match="being made"):
            incidents.start_prepared(session, number, branch=None, until=None, by="huy", now=NOW)
        incidents.text_of(session, number).sound = ONE
        made = incidents.start_prepared(
            session, number, branch="relief", until=None, by="huy", now=NOW
        )
        assert (made.text, made.sound) == (TEXT, ONE)
        incidents.text_of(session, number).removed_at = NOW
        assert TEXT not in [one.text for one in incidents.prepared(session)]
        assert TEXT in incidents.spoken_texts(session), "callers hear it still"
        with pytest.raises(IncidentError, match="not there any more"):
            incidents.text_of(session, number)


def rung(database: Database, now: datetime) -> list[str]:
    with database.transaction() as session:
        return [one.number for one in incidents.due(session, now, 10)]


def test_who_joins_is_told_when_it_is_over_and_rung_until_they_have_heard(
    database: Database,
) -> None:
    code = started(database)
    for _ in range(2):  # the journal may be read again
        joined(database, code, "0912000001", "th1.b1-1.1")
    joined(database, code, "0912000001", "th1.b1-1.9")  # called again
    joined(database, code, "0912000002", "th1.b1-1.2")
    assert rung(database, NOW) == []
    over = NOW + timedelta(hours=1)
    with database.transaction() as session:
        assert switches.wanted(session, "incident") == f"{code}.{ONE}"
        assert incidents.end(session, code, "Nước đã có lại.", TWO, by="huong", now=over) == 2
        assert switches.wanted(session, "incident") == "none"
    assert rung(database, over) == ["0912000001", "0912000002"]
    assert rung(database, over) == []
    with database.transaction() as session:
        for _ in range(2):
            incidents.apply(session, [
                event("HL_TOLD", "", "0912000001", "x", over, call="th1.b1-1.1")
            ])
    for after in incidents.AGAIN:
        over += after
        assert rung(database, over) == ["0912000002"]
    assert rung(database, over + timedelta(days=1)) == []  # three times
    with database.reading() as session:
        incident = incidents.by_code(session, code)
        assert incident.case.status == Status.RESOLVED
        assert incident.case.answer == "Nước đã có lại."
        shown = incidents.as_json(session, incident)
        assert (shown["joined"], shown["told"]) == (2, 1)


def test_nobody_is_rung_at_night(sqlite: Database) -> None:
    code = started(sqlite)
    joined(sqlite, code, "0912000001", "th1.b1-1.1")
    night = NOW + timedelta(hours=14)  # 22:00 in Vietnam
    with sqlite.transaction() as session:
        incidents.end(session, code, "Xong.", TWO, by="huong", now=night)
    assert rung(sqlite, night) == []
    assert rung(sqlite, night + timedelta(hours=8, minutes=59)) == []
    assert rung(sqlite, night + timedelta(hours=9)) == ["0912000001"]


def test_a_record_that_comes_after_the_end_is_no_promise_forgotten(sqlite: Database) -> None:
    code = started(sqlite)
    with sqlite.transaction() as session:
        incidents.end(session, code, "Xong.", TWO, by="huong", now=NOW)
    joined(sqlite, code, "0912000003", "th1.b1-1.3")
    assert rung(sqlite, NOW) == ["0912000003"]


def test_what_cannot_be_says_why_and_what_is_forged_joins_nothing(sqlite: Database) -> None:
    code = started(sqlite)
    with sqlite.transaction() as session:
        with pytest.raises(IncidentError, match=f"incident {code} is on"):
            incidents.start(session, TEXT, ONE, by="huong", now=NOW)
        with pytest.raises(IncidentError, match="no incident 00000000"):
            incidents.end(session, "00000000", "Xong.", TWO, by="huong", now=NOW)
        with pytest.raises(switches.SwitchError, match="incident start"):
            switches.want(session, "incident", "1&2", by="huong", now=NOW)
        incidents.apply(session, [
            event("HL_INCIDENT", "12345678", "0912000001", "th1.b1-1.1"),
            event("HL_INCIDENT", code, "0912; DROP", "th1.b1-1.1"),
            event("HL_INCIDENT", code, "115", "th1.b1-1.1"),
            event("HL_TOLD", code, "0912000001", "x", call="nobody"),
        ])
        assert session.scalars(select(Affected)).all() == []
        incidents.end(session, code, "Xong.", TWO, by="huong", now=NOW)
        with pytest.raises(IncidentError, match="over already"):
            incidents.end(session, code, "Xong.", TWO, by="huong", now=NOW)
