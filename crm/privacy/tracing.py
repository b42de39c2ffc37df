"""Tracing on request: which of our own calls and cases concern a number.

An authority asks in writing; one person enters that, another approves it, and until it expires
what is found can be looked at. Each look stands for good, and so does each one that was refused:
`Refused` is returned, not raised, so that whoever calls commits it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import select
from sqlalchemy.orm import Session

from crm.cases.models import Case, CaseCall
from crm.citizens import contacts
from crm.citizens.numbers import NumberError
from crm.errors import HotlineError
from crm.models import Call
from crm.privacy.trace_models import TraceLook, TraceRequest

DAYS = range(1, 31)
MOST = 1000  # calls and cases each


class TracingError(HotlineError):
    """A request cannot be entered. `code` names the field: number, reference, requester, basis,
    days."""

    def __init__(self, sentence: str, code: str) -> None:
        super().__init__(sentence)
        self.code = code


class What(StrEnum):
    ASKED = "asked"
    APPROVED = "approved"
    PAGE = "page"
    CSV = "csv"
    ENDED = "ended"


class Refused(StrEnum):
    """Why nothing is shown or approved."""

    UNKNOWN = "unknown"  # there is no such request
    UNAPPROVED = "unapproved"
    SAME = "same"  # whoever asked cannot approve
    DONE = "done"  # approved before
    EXPIRED = "expired"
    ENDED = "ended"


@dataclass(frozen=True)
class Traced:
    """What concerns the number, the latest first."""

    request: TraceRequest
    calls: tuple[Call, ...]
    cases: tuple[Case, ...]


def ask(
    session: Session, *, number: str, reference: str, requester: str, basis: str, days: int,
    by: str, now: datetime,
) -> TraceRequest:
    """Enter a request; nothing is shown before somebody else approves it. Raises TracingError."""
    try:
        phone = contacts.parsed(number).dialled
    except NumberError as error:
        raise TracingError(str(error), "number") from error
    given = {"reference": (reference, 60), "requester": (requester, 160), "basis": (basis, 2000)}
    for name, (text, longest) in given.items():
        if not 3 <= len(text.strip()) <= longest:
            raise TracingError(f"{name} has 3 to {longest} letters", name)
    if days not in DAYS:
        raise TracingError(f"a request is open for {DAYS[0]} to {DAYS[-1]} days", "days")
    made = TraceRequest(
        phone=phone, reference=reference.strip(), requester=requester.strip(), basis=basis.strip(),
        asked_by=by, asked_at=now, expires_at=now + timedelta(days=days),
    )
    session.add(made)
    session.flush()
    _note(session, made.id, What.ASKED, None, by, now)
    return made


def approve(session: Session, request_id: int, *, by: str, now: datetime) -> Refused | None:
    """A second person lets it be looked at. None: approved."""
    request = session.get(TraceRequest, request_id, with_for_update=True)
    refused = _over(request, now)
    if request is not None and refused is None:
        if request.approved_by is not None:
            refused = Refused.DONE
        elif request.asked_by == by:
            refused = Refused.SAME
        else:
            request.approved_by, request.approved_at = by, now
    _note(session, request_id if request else None, What.APPROVED, refused, by, now)
    return refused


def look(
    session: Session, request_id: int, *, by: str, now: datetime, what: What = What.PAGE
) -> Traced | Refused:
    """The calls and cases that concern the number."""
    request = session.get(TraceRequest, request_id)
    refused = _over(request, now)
    if request is not None and refused is None and request.approved_by is None:
        refused = Refused.UNAPPROVED
    _note(session, request_id if request else None, what, refused, by, now)
    if request is None or refused is not None:
        return refused or Refused.UNKNOWN
    calls = session.scalars(
        select(Call).where(Call.caller == request.phone).order_by(Call.started_at.desc())
        .limit(MOST)
    ).all()
    own = select(Case.id).where(Case.phone == request.phone)
    spoken = select(CaseCall.case_id).join(Call, Call.id == CaseCall.call_id).where(
        Call.caller == request.phone
    )
    cases = session.scalars(
        select(Case).where(Case.id.in_(own.union(spoken))).order_by(Case.opened_at.desc())
        .limit(MOST)
    ).all()
    return Traced(request, tuple(calls), tuple(cases))


def end(session: Session, request_id: int, *, by: str, now: datetime) -> Refused | None:
    """Nothing is shown any more, before the day on which it expires."""
    request = session.get(TraceRequest, request_id, with_for_update=True)
    refused = _over(request, now)
    if request is not None and refused is None:
        request.ended_at, request.ended_by = now, by
    _note(session, request_id if request else None, What.ENDED, refused, by, now)
    return refused


def latest(session: Session, limit: int) -> list[TraceRequest]:
    """Requests, the latest first."""
    found = select(TraceRequest).order_by(TraceRequest.id.desc()).limit(limit)
    return list(session.scalars(found))


def looks(session: Session, limit: int) -> list[TraceLook]:
    """Who asked, approved, looked and was refused, the latest first."""
    return list(session.scalars(select(TraceLook).order_by(TraceLook.id.desc()).limit(limit)))


def _over(request: TraceRequest | None, now: datetime) -> Refused | None:
    if request is None:
        return Refused.UNKNOWN
    if request.ended_at is not None:
        return Refused.ENDED
    return Refused.EXPIRED if request.expires_at <= now else None


def _note(
    session: Session, request_id: int | None, what: What, refused: Refused | None, by: str,
    now: datetime,
) -> None:
    session.add(TraceLook(request_id=request_id, at=now, by=by, what=what, refused=refused))
    session.flush()
