"""Answers of agencies: where an agency's leader approves them, they wait for that."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from crm.agencies import officers
from crm.agencies.models import Draft, Officer
from crm.cases import life
from crm.cases.life import CaseError, Mover
from crm.cases.models import Case, Status


def propose(session: Session, case: Case, text: str, officer: Officer, now: datetime) -> bool:
    """An officer's answer. True: it stands, and the case is resolved. False: it waits for the
    leader. Raises CaseError."""
    _has(case, officer)
    text = life.answer_text(text)
    if Status.RESOLVED not in life.MOVES[Status(case.status)]:
        raise CaseError(f"a case that is {case.status} is not answered", "ended")
    agency = case.agency
    if agency is None or not agency.approves or officers.may_approve(session, officer, agency, now):
        _settle(session, case, text, officer.name, now, Mover.OFFICER)
        return True
    if (before := waiting(session, case)) is not None:
        before.decided_at, before.decided_by, before.approved = now, officer.name, False
    session.add(Draft(case_id=case.id, text=case.kept(text), by=officer.name, at=now))
    life.note(session, case, officer.name, now, "draft", text=text)
    return False


def approve(session: Session, case: Case, leader: Officer, now: datetime) -> None:
    """The answer that waits is the agency's: the case is resolved. Raises CaseError."""
    draft = _decided(session, case, leader, now, approved=True)
    life.note(session, case, leader.name, now, "approved")
    _settle(session, case, draft.text, leader.name, now, Mover.LEADER)


def send_back(
    session: Session, case: Case, leader: Officer, remark: str, now: datetime
) -> None:
    """The answer is to be written again, and why. Raises CaseError."""
    if not remark.strip():
        raise CaseError("an answer that is sent back needs the reason", "reason")
    _decided(session, case, leader, now, approved=False)
    life.note(session, case, leader.name, now, "returned", text=remark)


def waiting(session: Session, case: Case) -> Draft | None:
    """The answer that waits for the leader; not what an agency wrote that had the case before."""
    if case.assigned_at is None:
        return None
    return session.scalar(select(Draft).where(
        Draft.case_id == case.id, Draft.decided_at.is_(None), Draft.at >= case.assigned_at
    ).order_by(Draft.id.desc()).limit(1))


def waiting_of(session: Session, found: Sequence[Case]) -> set[int]:
    """The ids of those cases whose answer waits."""
    since = {one.id: one.assigned_at for one in found}
    rows = session.execute(select(Draft.case_id, Draft.at).where(
        Draft.case_id.in_(since), Draft.decided_at.is_(None)
    ))
    return {id_ for id_, at in rows if (begun := since[id_]) is not None and at >= begun}


def _decided(
    session: Session, case: Case, leader: Officer, now: datetime, *, approved: bool
) -> Draft:
    _has(case, leader)
    draft = waiting(session, case)
    if draft is None:
        raise CaseError("no answer of this case waits to be approved", "answer")
    if case.agency is None or not officers.may_approve(session, leader, case.agency, now):
        raise CaseError(f"{leader.name} does not approve for this agency today", "mover")
    draft.decided_at, draft.decided_by, draft.approved = now, leader.name, approved
    return draft


def _has(case: Case, officer: Officer) -> None:
    if case.agency_id != officer.agency_id:
        raise CaseError("the case is with another agency", "agency")


def _settle(
    session: Session, case: Case, text: str, by: str, now: datetime, mover: Mover
) -> None:
    life.set_answer(session, case, text, by=by, now=now)
    life.move(session, case, Status.RESOLVED, by=by, now=now, mover=mover)
