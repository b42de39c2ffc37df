"""What the dispatchers' desk must look at although somebody has it: given back, not opened, not
reached, or ended to the citizen's displeasure.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from crm.agencies.models import CaseLink
from crm.cases import life
from crm.cases.life import AT_AGENCY, CaseError
from crm.cases.models import Case, CaseEvent, Status
from crm.notices.models import Notice, Purpose, State

UNOPENED_AFTER = timedelta(minutes=30)
UNDELIVERED_KEPT = timedelta(days=3)
DISPLEASED_KEPT = timedelta(days=7)
NOT_CONTENT = 3
LISTED = 100
_PERSONAL = re.compile(r"(?:\d[\s.-]?){9,}")  # a telephone number, or that of an identity card


class Why(StrEnum):
    """Why a case needs somebody's look."""

    RETURNED = "returned"  # an agency gave it back
    UNDELIVERED = "undelivered"  # a message to its people has failed
    UNOPENED = "unopened"  # nobody of the agency has opened their link
    DISPLEASED = "displeased"


@dataclass(frozen=True)
class Look:
    case: Case
    why: Why


def to_look_at(session: Session, now: datetime) -> list[Look]:
    """Each case once, for its first reason; the most urgent first within each."""
    found: dict[int, Look] = {}
    for look in (
        *_returned(session), *_undelivered(session, now), *_unopened(session, now),
        *_displeased(session, now),
    ):
        found.setdefault(look.case.id, look)
    return list(found.values())


def revoke(session: Session, case: Case, link_id: int, *, by: str, now: datetime) -> None:
    """End one officer's link. Raises CaseError."""
    link = session.get(CaseLink, link_id)
    if link is None or link.case_id != case.id or link.ended_at is not None:
        raise CaseError("this link has ended", "ended")
    link.ended_at = now
    life.note(session, case, by, now, "revoked", text=link.officer.name)


def send_again(session: Session, case: Case, *, by: str, now: datetime) -> None:
    """Have new links sent to the officers of the agency that has the case. Raises CaseError."""
    if case.status not in AT_AGENCY:
        raise CaseError("no agency has the case", "agency")
    life.note(session, case, by, now, "sent_again")


def set_public(session: Session, case: Case, text: str, *, by: str, now: datetime) -> None:
    """What everybody may read of the result; empty: nothing. Raises CaseError."""
    if not case.public:
        raise CaseError("the citizen has not let the result be public", "private")
    text = " ".join(text.split())
    if _PERSONAL.search(text):
        raise CaseError("a public result has no telephone or identity numbers", "personal")
    if len(text) > life.LONGEST_ANSWER:
        raise CaseError(f"a text has {life.LONGEST_ANSWER} letters at most", "answer")
    case.public_text = text or None
    life.note(session, case, by, now, "public", text=text)


def _returned(session: Session) -> Iterator[Look]:
    given = exists().where(CaseEvent.case_id == Case.id, CaseEvent.after == Status.ASSIGNED)
    found = select(Case).where(Case.status == Status.CLASSIFIED, given)
    for case in session.scalars(found.order_by(Case.dispatch_due_at).limit(LISTED)):
        yield Look(case, Why.RETURNED)


def _undelivered(session: Session, now: datetime) -> Iterator[Look]:
    failed = select(Notice.case_id).where(
        Notice.state == State.FAILED, Notice.created_at >= now - UNDELIVERED_KEPT,
        Notice.purpose.in_((Purpose.LINK, Purpose.REMINDER)), Notice.case_id.is_not(None),
    )
    found = select(Case).where(Case.id.in_(failed), Case.status.in_(AT_AGENCY))
    for case in session.scalars(found.order_by(Case.due_at).limit(LISTED)):
        yield Look(case, Why.UNDELIVERED)


def _unopened(session: Session, now: datetime) -> Iterator[Look]:
    opened = exists().where(
        CaseLink.case_id == Case.id, CaseLink.made_at >= Case.assigned_at,
        CaseLink.opened_at.is_not(None),
    )
    found = select(Case).where(
        Case.status == Status.ASSIGNED, Case.assigned_at <= now - UNOPENED_AFTER, ~opened
    )
    for case in session.scalars(found.order_by(Case.due_at).limit(LISTED)):
        yield Look(case, Why.UNOPENED)


def _displeased(session: Session, now: datetime) -> Iterator[Look]:
    found = select(Case).where(
        Case.status == Status.RESOLVED, Case.satisfaction == NOT_CONTENT,
        Case.resolved_at >= now - DISPLEASED_KEPT,
    )
    for case in session.scalars(found.order_by(Case.resolved_at).limit(LISTED)):
        yield Look(case, Why.DISPLEASED)
