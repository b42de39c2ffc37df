"""The chain over the events of cases: whoever changes one is found out."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import delete, select, update

from crm import audit
from crm.audit import BEGINNING
from crm.cases import life
from crm.cases.models import AuditHead, CaseEvent, Status
from crm.database import Database
from tests.crm.cases.factory import NOW, answered, opened

CHANGES: dict[str, Any] = {
    "at": NOW.replace(year=2020), "by": "x", "what": "info", "before": "closed",
    "after": "closed", "note": "anders", "call_id": "th1.b1-9.9", "details": {"area": "14758"},
    "case_id": 2, "note_hash": "0" * 64, "digest": "0" * 64,
}


def filled(database: Database) -> None:
    with database.transaction() as session:
        first = answered(session, "Trạm y tế đã đến nhà.")
        life.move(session, first, Status.CLOSED, by="lan", now=NOW)
        opened(session)
        life.classify(session, opened(session), "food", by="lan", now=NOW)


def test_what_stands_as_it_was_written_is_whole(database: Database) -> None:
    with database.reading() as session:
        assert audit.verify(session).head == BEGINNING
    filled(database)
    with database.reading() as session:
        found = audit.verify(session)
        assert (found.events, found.erased, found.broken) == (8, 0, None)
        assert found.head == audit.head(session).digest != BEGINNING


def test_many_at_once_make_one_chain(database: Database) -> None:
    def work(_: int) -> None:
        for _ in range(5):
            with database.transaction() as session:
                opened(session)

    with ThreadPoolExecutor(4) as people:
        list(people.map(work, range(4)))
    with database.reading() as session:
        found = audit.verify(session)
    assert (found.events, found.broken) == (20, None)


@pytest.mark.parametrize("column", CHANGES)
def test_no_event_can_be_changed(sqlite: Database, column: str) -> None:
    filled(sqlite)
    with sqlite.transaction() as session:
        changed = session.scalars(select(CaseEvent.id).order_by(CaseEvent.id)).all()[3]
        session.execute(
            update(CaseEvent).where(CaseEvent.id == changed).values({column: CHANGES[column]})
        )
    with sqlite.reading() as session:
        found = audit.verify(session)
    assert (found.events, found.broken) == (3, changed)


def test_no_event_can_be_taken_away_or_put_between(sqlite: Database) -> None:
    filled(sqlite)
    with sqlite.transaction() as session:
        ids = session.scalars(select(CaseEvent.id).order_by(CaseEvent.id)).all()
        session.execute(delete(CaseEvent).where(CaseEvent.id == ids[-1]))
    with sqlite.reading() as session:
        assert audit.verify(session).broken == 0  # the last one is missing
    with sqlite.transaction() as session:
        session.execute(delete(CaseEvent).where(CaseEvent.id == ids[2]))
    with sqlite.reading() as session:
        assert audit.verify(session).broken == ids[3]


def test_whoever_makes_the_chain_anew_changes_its_head(sqlite: Database) -> None:
    filled(sqlite)
    with sqlite.transaction() as session:
        noted = audit.head(session).digest
        events = session.scalars(select(CaseEvent).order_by(CaseEvent.id)).all()
        events[2].by = "somebody else"
        head = session.get_one(AuditHead, 1)
        head.digest, head.events = BEGINNING, 0
        for event in events:
            audit.seal(session, event)
    with sqlite.reading() as session:
        found = audit.verify(session)
    assert found.broken is None
    assert found.head != noted  # which stands in the log


def test_a_note_can_be_erased_with_its_salt_and_not_otherwise(sqlite: Database) -> None:
    filled(sqlite)
    answer = select(CaseEvent).where(CaseEvent.what == "answered")
    with sqlite.transaction() as session:
        session.scalars(answer).one().note = ""
    with sqlite.reading() as session:
        assert audit.verify(session).broken is not None
    with sqlite.transaction() as session:
        session.scalars(answer).one().salt = None
    with sqlite.reading() as session:
        found = audit.verify(session)
    assert (found.erased, found.broken) == (1, None)
