"""What people of an agency see of its cases, and what they may do.

A case of hidden identity is shown without the number, and its texts without what says who somebody
is; no voice of a citizen is shown to an agency at all. A case about an agency is not shown to it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from crm.agencies import officers
from crm.agencies.models import Draft, Officer
from crm.cases import drafts, life, links
from crm.cases.disguise import nameless
from crm.cases.life import AT_AGENCY, MAY, MOVES, CaseError, Mover
from crm.cases.models import Case, Identity, Status

LISTED = 200
_ALWAYS_TOLD = ("opened", "moved", "answered", "info", "reopen", "draft", "approved", "returned",
                "duty", "rated")


class Act(StrEnum):
    """What somebody of an agency can do with a case."""

    ACCEPT = "accept"
    ASK = "ask"  # the citizen
    EXTEND = "extend"
    ANSWER = "answer"
    GIVE_BACK = "give_back"  # to the desk
    HAND_ON = "hand_on"  # to another agency
    APPROVE = "approve"  # the answer that waits, or send it back


_MOVES = {
    Act.ACCEPT: Status.IN_PROGRESS, Act.ASK: Status.NEED_INFO, Act.EXTEND: Status.EXTENDED,
    Act.ANSWER: Status.RESOLVED, Act.GIVE_BACK: Status.CLASSIFIED, Act.HAND_ON: Status.ASSIGNED,
}


@dataclass(frozen=True)
class Line:
    """Something that happened."""

    at: datetime
    by: str
    what: str
    after: str | None
    note: str


@dataclass(frozen=True)
class View:
    """A case as its agency sees it."""

    code: str
    status: str
    category: str | None
    area: str | None
    kind: str
    summary: str
    phone: str | None  # shown only where the citizen lets agencies see it
    identity: str
    opened_at: datetime
    due_at: datetime
    agency: str
    answer: str | None
    draft: Draft | None  # waits for the leader
    history: tuple[Line, ...]
    acts: frozenset[Act]
    seen: int  # the id of its last event


@dataclass(frozen=True)
class Listed:
    """A case in the agency's list. `waits`: an answer waits for the leader."""

    code: str
    status: str
    category: str | None
    area: str | None
    summary: str | None  # None: sealed, and read on the case's own page
    due_at: datetime
    waits: bool


def of_link(session: Session, token: str, now: datetime) -> tuple[Case, Officer]:
    """The case and the person of a link that still leads somewhere. Raises LinkError."""
    link = links.living(session, token)
    if not may_see(session, link.case, link.officer, now):
        raise links.dead()
    return link.case, link.officer


def may_see(session: Session, case: Case, officer: Officer, now: datetime) -> bool:
    """Whether the case is with the officer's agency today, and not about it."""
    return (
        case.agency_id == officer.agency_id and case.about_id != officer.agency_id
        and Status(case.status) in AT_AGENCY and officers.serves(officer, now)
    )


def of_agency(session: Session, officer: Officer, now: datetime) -> list[Listed]:
    """The cases that the officer's agency has in hand, by when they are due."""
    if not officers.serves(officer, now):
        return []
    found = session.scalars(select(Case).where(
        Case.agency_id == officer.agency_id, Case.status.in_(AT_AGENCY),
        or_(Case.about_id.is_(None), Case.about_id != officer.agency_id),
    ).order_by(Case.due_at, Case.id).limit(LISTED)).all()
    waiting = drafts.waiting_of(session, found)
    return [
        Listed(one.code, one.status, one.category, one.area,
               None if one.sealed else _teller(one)(one.summary), one.due_at, one.id in waiting)
        for one in found
    ]


def view(session: Session, case: Case, officer: Officer, now: datetime) -> View:
    """Raises CaseError: it is not theirs to see."""
    if not may_see(session, case, officer, now) or case.agency is None:
        raise CaseError("the case is not with your agency", "agency")
    told = _teller(case)
    events = life.events_of(session, case)
    draft = drafts.waiting(session, case)
    return View(
        code=case.code, status=case.status, category=case.category, area=case.area, kind=case.kind,
        summary=told(case.summary), identity=case.identity,
        phone=case.phone if case.identity == Identity.SHOWN else None,
        opened_at=case.opened_at, due_at=case.due_at, agency=case.agency.name,
        answer=told(case.answer) if case.answer else None, draft=draft,
        history=tuple(
            Line(one.at, one.by, one.what, one.after, told(one.note)) for one in events
            if one.what in _ALWAYS_TOLD
        ),
        acts=_acts(session, case, officer, draft, now), seen=events[-1].id,
    )


def _teller(case: Case) -> Callable[[str], str]:
    """How a case's texts are told to an agency."""
    return str if case.identity == Identity.SHOWN else nameless


def _acts(
    session: Session, case: Case, officer: Officer, draft: Draft | None, now: datetime
) -> frozenset[Act]:
    leads = case.agency is not None and officers.may_approve(session, officer, case.agency, now)
    acts = {
        act for act, to in _MOVES.items()
        if to in MAY[Mover.OFFICER] and to in MOVES[Status(case.status)]
    }
    if life.was_extended(session, case):
        acts.discard(Act.EXTEND)
    if case.sensitive:  # the desk decides who sees it
        acts.discard(Act.HAND_ON)
    if draft is not None and leads:
        acts.add(Act.APPROVE)
    return frozenset(acts)
