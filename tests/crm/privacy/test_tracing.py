"""Tracing a number: only with a letter, a second person, and within its days; all of it is kept."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy.orm import Session

from crm.cases import life
from crm.database import Database
from crm.privacy import tracing
from crm.privacy.tracing import Refused, Traced, TracingError, What
from tests.agent_console.factories import add_call
from tests.crm.cases.factory import NOW, opened

LETTER: dict[str, Any] = {
    "number": "0912 345 678", "reference": "123/CV-SYT", "requester": "Nguyễn A, Sở Y tế",
    "basis": "Luật Phòng bệnh, truy vết ca nghi mắc", "days": 3, "by": "huy", "now": NOW,
}


def noted(session: Session) -> list[tuple[str, str, str | None]]:
    return [(one.by, one.what, one.refused) for one in tracing.looks(session, 50)][::-1]


def test_with_a_letter_and_a_second_person_the_calls_and_cases_of_a_number_are_shown(
    database: Database,
) -> None:
    add_call(database, id="th1.b1-1.1", caller="0912345678")
    add_call(database, id="th1.b1-1.2", caller="0987654321")
    with database.transaction() as session:
        own = opened(session, phone="0912345678").code
        spoken = opened(session, phone="0987654321")
        life.add_call(session, spoken, "th1.b1-1.1", by="lan", now=NOW)
        opened(session, phone="0987654321")
        request = tracing.ask(session, **LETTER)
        assert tracing.approve(session, request.id, by="quan", now=NOW) is None
        found = tracing.look(session, request.id, by="huy", now=NOW)
        assert isinstance(found, Traced)
        assert [one.id for one in found.calls] == ["th1.b1-1.1"]
        assert {one.code for one in found.cases} == {own, spoken.code}
        assert noted(session) == [
            ("huy", "asked", None), ("quan", "approved", None), ("huy", "page", None),
        ]


@pytest.mark.parametrize(("field", "value"), [
    ("number", ""), ("number", "115"), ("number", "02371022"), ("number", "x"),
    ("reference", " "), ("requester", ""), ("basis", ""), ("days", 0), ("days", 31),
])
def test_a_request_without_its_particulars_is_not_entered(
    sqlite: Database, field: str, value: object
) -> None:
    with sqlite.transaction() as session:
        with pytest.raises(TracingError) as refused:
            tracing.ask(session, **LETTER | {field: value})
        assert refused.value.code == field
        assert tracing.latest(session, 9) == []


def test_every_refusal_is_kept(database: Database) -> None:
    late = NOW + timedelta(days=3)
    with database.transaction() as session:
        id_ = tracing.ask(session, **LETTER).id
        assert tracing.look(session, id_, by="huy", now=NOW) is Refused.UNAPPROVED
        assert tracing.approve(session, id_, by="huy", now=NOW) is Refused.SAME
        assert tracing.look(session, 99, by="huy", now=NOW) is Refused.UNKNOWN
        assert tracing.approve(session, id_, by="quan", now=NOW) is None
        assert tracing.approve(session, id_, by="quan", now=NOW) is Refused.DONE
        assert tracing.look(session, id_, by="huy", now=late, what=What.CSV) is Refused.EXPIRED
        assert tracing.end(session, id_, by="huy", now=NOW) is None
        assert tracing.look(session, id_, by="huy", now=NOW) is Refused.ENDED
        assert tracing.approve(session, id_, by="lan", now=NOW) is Refused.ENDED
        assert [(by, what, why) for by, what, why in noted(session) if why] == [
            ("huy", "page", "unapproved"), ("huy", "approved", "same"), ("huy", "page", "unknown"),
            ("quan", "approved", "done"), ("huy", "csv", "expired"), ("huy", "page", "ended"),
            ("lan", "approved", "ended"),
        ]


def test_a_request_that_expired_is_not_approved(sqlite: Database) -> None:
    with sqlite.transaction() as session:
        id_ = tracing.ask(session, **LETTER).id
        assert tracing.approve(
            session, id_, by="quan", now=NOW + timedelta(days=3)
        ) is Refused.EXPIRED
