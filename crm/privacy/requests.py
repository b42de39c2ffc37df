"""What people ask about their data, and by when: law 91/2025 and decree 356/2025.

Whoever asks hears within 2 working days that it was received. To see data takes 10 days at most,
correcting 10, erasing 20, each 15 days longer once with a reason. One person enters a request,
after making sure who asks; another decides. What is decided, the scheduler does.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from crm.agents.models import RescueCall
from crm.calls.rows import iso
from crm.cases import deadlines
from crm.cases.models import Case, CaseEvent
from crm.citizens import contacts
from crm.citizens.models import Citizen
from crm.citizens.numbers import NumberError
from crm.clock import vietnam_day
from crm.errors import HotlineError
from crm.models import Call, CallNote
from crm.notices.models import Notice
from crm.privacy import consents, erasure
from crm.privacy.models import LegalHold, PrivacyRequest

LONGER = timedelta(days=15)
LISTED = 200
EXPORTS = "exports"  # folder of what people asked to see


class RequestError(HotlineError):
    """A request cannot be entered or decided. `code`: number, requester, checked, kind, same,
    decided, ground, once, reason, held, until, unknown."""

    def __init__(self, sentence: str, code: str) -> None:
        super().__init__(sentence)
        self.code = code


class Kind(StrEnum):
    SEE = "see"
    CORRECT = "correct"
    ERASE = "erase"


class State(StrEnum):
    OPEN = "open"
    AGREED = "agreed"  # to be done
    REFUSED = "refused"
    DONE = "done"


_DAYS = {Kind.SEE: 10, Kind.CORRECT: 10, Kind.ERASE: 20}


def enter(
    session: Session, *, kind: str, number: str, requester: str, checked: str, secret: str, by: str,
    now: datetime,
) -> PrivacyRequest:
    """A new request. Raises RequestError."""
    try:
        phone = contacts.parsed(number).dialled
    except NumberError as error:
        raise RequestError(str(error), "number") from error
    if kind not in set(Kind):
        raise RequestError(f"the kinds are {', '.join(Kind)}", "kind")
    if not 2 <= len(requester.strip()) <= 160:
        raise RequestError("say who asks", "requester")
    if not 3 <= len(checked.strip()) <= 200:
        raise RequestError("say how it was made sure who asks", "checked")
    made = PrivacyRequest(
        kind=kind, phone=phone, phone_key=erasure.key_of(secret, phone),
        requester=requester.strip(), checked=checked.strip(), state=State.OPEN, received_at=now,
        answer_by=_working_days(session, now, 2), due_at=now + timedelta(days=_DAYS[Kind(kind)]),
        entered_by=by,
    )
    session.add(made)
    session.flush()
    return made


def named(session: Session, id_: int) -> PrivacyRequest:
    """Raises RequestError."""
    found = session.get(PrivacyRequest, id_, with_for_update=True)
    if found is None:
        raise RequestError(f"there is no request {id_}", "unknown")
    return found


def agree(session: Session, request: PrivacyRequest, *, by: str, now: datetime) -> None:
    """Let it be done. Raises RequestError: by whom it was entered, decided before, or held."""
    _open(request)
    if request.entered_by == by:
        raise RequestError("another person decides than who entered it", "same")
    hold = erasure.held(session, request.phone, now) if request.phone else None
    if request.kind == Kind.ERASE and hold is not None:
        raise RequestError(f"kept by order: {hold.reason}", "held")
    request.state, request.decided_by, request.decided_at = State.AGREED, by, now


def refuse(request: PrivacyRequest, ground: str, *, by: str, now: datetime) -> None:
    """Say no, on a ground of the law. Raises RequestError."""
    _open(request)
    if not ground.strip():
        raise RequestError("a refusal has its ground in law", "ground")
    request.state, request.decided_by, request.decided_at = State.REFUSED, by, now
    request.ground = ground.strip()[:2000]


def corrected(request: PrivacyRequest, *, by: str, now: datetime) -> None:
    """Somebody has corrected what was wrong. Raises RequestError."""
    if request.state != State.AGREED or request.kind != Kind.CORRECT:
        raise RequestError("this request is not one that was agreed to, to correct", "decided")
    request.state, request.done_at, request.result = State.DONE, now, {"by": by}


def extend(request: PrivacyRequest, reason: str) -> None:
    """15 days more, once. Raises RequestError."""
    _open(request)
    if request.extended:
        raise RequestError("a request is extended once only", "once")
    if not reason.strip():
        raise RequestError("an extension needs its reason", "reason")
    request.extended, request.due_at = True, request.due_at + LONGER
    request.ground = reason.strip()[:2000]


def hold(
    session: Session, number: str, reason: str, until: datetime, *, by: str, now: datetime
) -> LegalHold:
    """Keep what there is of a number. Raises RequestError."""
    try:
        phone = contacts.parsed(number).dialled
    except NumberError as error:
        raise RequestError(str(error), "number") from error
    if not reason.strip():
        raise RequestError("say by whose order", "reason")
    if until <= now:
        raise RequestError("the day is over", "until")
    made = LegalHold(phone=phone, reason=reason.strip()[:400], by=by, at=now, until=until)
    session.add(made)
    session.flush()
    return made


def listed(session: Session) -> list[PrivacyRequest]:
    """Those that are not done first, by when they are due."""
    over = PrivacyRequest.state.in_((State.DONE, State.REFUSED))
    found = select(PrivacyRequest).order_by(over, PrivacyRequest.due_at).limit(LISTED)
    return list(session.scalars(found))


def to_do(session: Session) -> list[PrivacyRequest]:
    """What was agreed to and is for the program to do."""
    return list(session.scalars(select(PrivacyRequest).where(
        PrivacyRequest.state == State.AGREED, PrivacyRequest.kind.in_((Kind.ERASE, Kind.SEE))
    ).order_by(PrivacyRequest.due_at)))


def everything_of(session: Session, phone: str) -> dict[str, Any]:
    """All that the database has of a number, for its owner. Times are ISO 8601 in UTC."""
    known = session.scalar(select(Citizen).where(Citizen.phone == phone))
    calls = session.scalars(select(Call).where(Call.caller == phone).order_by(Call.started_at))
    own = session.scalars(
        select(Case).where(Case.phone == phone).order_by(Case.opened_at)
    ).all()
    return {
        "number": phone,
        "known": {"name": known.name, "language": known.language, "note": known.note} if known
        else None,
        "consents": [
            {"purpose": one.purpose, "said": one.said, "at": iso(one.at), "text": one.version,
             "channel": one.channel, "evidence": one.evidence}
            for one in consents.standing(session, phone)
        ],
        "calls": [told_call(
            one, session.scalars(select(CallNote.text).where(CallNote.call_id == one.id)),
            session.scalars(select(RescueCall.address).where(RescueCall.call_id == one.id)),
        ) for one in calls],
        "cases": [{
            "code": one.code, "at": iso(one.opened_at), "status": one.status,
            "summary": one.summary, "category": one.category, "answer": one.answer,
            "agency": one.agency.name if one.agency else None,
            "events": [{"at": iso(event.at), "what": event.what, "note": event.note}
                       for event in session.scalars(select(CaseEvent).where(
                           CaseEvent.case_id == one.id).order_by(CaseEvent.id))],
        } for one in own],
        "messages": [{"at": iso(one.created_at), "text": one.body, "state": one.state}
                     for one in session.scalars(select(Notice).where(
                         Notice.recipient.in_(erasure.forms_of(phone))))],
    }


def told_call(call: Call, notes: Iterable[str], addresses: Iterable[str]) -> dict[str, Any]:
    """A call as its caller is told of it."""
    return {
        "at": iso(call.started_at), "branch": call.branch, "outcome": call.outcome,
        "keys": [[step["menu"], step["key"]] for step in call.path],
        "recording": call.recording, "message": call.voicemail,
        "notes": list(notes), "addresses": list(addresses),
    }


def exported(session: Session, phone: str) -> list[int]:
    """The requests of a number whose data was written out."""
    return list(session.scalars(select(PrivacyRequest.id).where(
        PrivacyRequest.phone == phone, PrivacyRequest.kind == Kind.SEE
    )))


def late(session: Session, now: datetime) -> list[PrivacyRequest]:
    """Open requests whose next reminder is due: two days before, and on the day."""
    found = session.scalars(select(PrivacyRequest).where(
        PrivacyRequest.state.in_((State.OPEN, State.AGREED)), PrivacyRequest.reminded < 2,
        PrivacyRequest.due_at <= now + timedelta(days=2),
    ))
    return [one for one in found if one.reminded == 0 or one.due_at <= now]


def _open(request: PrivacyRequest) -> None:
    if request.state != State.OPEN:
        raise RequestError("this request is decided", "decided")


def _working_days(session: Session, now: datetime, days: int) -> datetime:
    works = deadlines.working_days(session)
    at = now
    while days:
        at += timedelta(days=1)
        days -= works(vietnam_day(at))
    return at
