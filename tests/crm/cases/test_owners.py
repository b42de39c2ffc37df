"""Whatever is done to a case, by whom and when: somebody has it, by a day, and will be reminded."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import hypothesis
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.orm import Session

from crm.agencies import register
from crm.agencies.models import Officer, Post
from crm.agencies.register import AgencyError
from crm.cases import drafts, groups, life, promises
from crm.cases.categories import CATEGORIES
from crm.cases.life import AT_AGENCY, AT_DESK, ENDED, CaseError, Mover, Refusal
from crm.cases.models import Case, Status
from crm.cases.routing import OFFICE
from tests.crm.cases.factory import DISTRICT, HEALTH, NOW, officer, opened
from tests.databases import Databases

PEOPLE = promises.People(("0900000001",), ("0900000002",), "https://h.example", timedelta(days=7))
AGENCIES = st.sampled_from([HEALTH, OFFICE, DISTRICT])  # the last has ended


@dataclass(frozen=True)
class Move:
    """Somebody tries to move the case."""

    to: Status
    mover: Mover
    agency: str
    reason: str


@dataclass(frozen=True)
class Classify:
    category: str
    about: str | None


@dataclass(frozen=True)
class Wait:
    hours: int


class Answer:
    """The first officer of the agency that has it writes an answer."""


class Join:
    """The case is joined with another."""


STEPS = st.one_of(
    st.builds(Move, st.sampled_from(list(Status)), st.sampled_from(list(Mover)), AGENCIES,
              st.sampled_from(["", "vì vậy"])),
    st.builds(Classify, st.sampled_from([one.id for one in CATEGORIES]),
              st.none() | st.sampled_from([HEALTH, OFFICE])),
    st.builds(Wait, st.sampled_from([0, 1, 5, 24, 24 * 8, 24 * 40])),
    st.builds(Answer), st.builds(Join),
)


@hypothesis.settings(max_examples=60, deadline=None)
@given(st.lists(STEPS, max_size=14))
def test_no_way_leaves_a_case_without_owner_or_deadline(
    databases: Databases, steps: list[object]
) -> None:
    with databases.new("sqlite") as database, database.transaction() as session:
        rows = register.read(register.PROVINCE)
        register.take_in(session, [one for one in rows if one["code"] in (HEALTH, OFFICE,
                                                                          DISTRICT)])
        session.flush()
        people = {code: officer(session, Post.OFFICER, agency=code) for code in (HEALTH, OFFICE)}
        case, other, now = opened(session), opened(session), NOW
        promises.follow(session, case.id, now, PEOPLE)
        for step in steps:
            now += timedelta(hours=step.hours if isinstance(step, Wait) else 0)
            try:
                with session.begin_nested():
                    take(session, case, other, step, people, now)
            except (CaseError, AgencyError):
                session.refresh(case)
            for _ in range(5):  # what follows may have consequences of its own
                promises.follow(session, case.id, now, PEOPLE)
            has_owner_and_deadline(case, now)


def take(
    session: Session, case: Case, other: Case, step: object, people: dict[str, Officer],
    now: datetime,
) -> None:
    match step:
        case Move(to, mover, agency, reason):
            life.move(
                session, case, to, by="x", now=now, reason=reason, mover=mover,
                agency=agency if to is Status.ASSIGNED else None,
                due_at=case.due_at + timedelta(days=3) if to is Status.EXTENDED else None,
                refusal=Refusal.OUTSIDE if to is Status.REJECTED else None,
            )
        case Classify(category, about):
            life.classify(session, case, category, by="lan", now=now, about=about)
        case Answer():
            if case.agency is not None:
                drafts.propose(session, case, "Đã xong.", people[case.agency.code], now)
        case Join():
            groups.join(session, case, other, by="huy", now=now)


def has_owner_and_deadline(case: Case, now: datetime) -> None:
    status = Status(case.status)
    assert case.due_at is not None
    if status in AT_DESK:
        assert case.dispatch_due_at is not None
    if status in AT_AGENCY:
        assert case.agency is not None
        assert case.assigned_at is not None
        assert case.about_id != case.agency_id
    if status not in ENDED:
        assert case.next_step_at is not None  # somebody is reminded
        assert case.next_step_at > now
    elif status in (Status.RESOLVED, Status.REJECTED):
        assert case.next_step_at is not None  # closed by then
    if status is Status.DUPLICATE:
        assert case.duplicate_of is not None


def test_a_double_that_is_reopened_is_first_assigned(databases: Databases) -> None:
    with databases.new("sqlite") as database, database.transaction() as session:
        case, other = opened(session), opened(session)
        groups.join(session, case, other, by="huy", now=NOW)
        life.move(session, case, Status.REOPENED, by="x", now=NOW, mover=Mover.CITIZEN)
        with pytest.raises(CaseError, match="no agency has"):
            life.move(session, case, Status.IN_PROGRESS, by="huy", now=NOW)
