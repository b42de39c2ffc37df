"""Cases: what was promised to citizens, and how each goes on to its end.

A case moves only along `MOVES`; each change stands in its events for good. What a caller asks for
by key (to look at it again, to add something) is a fact of the journal before it is confirmed, and
becomes an event here when the tailer has read it, however late and however often.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import exists, func, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, selectinload

from crm import audit
from crm.agencies.register import agency_named
from crm.api import webhooks
from crm.areas import Area, area_named, standing
from crm.calls.facts import JournalEvent
from crm.calls.rows import iso
from crm.cases import deadlines
from crm.cases import words as case_words
from crm.cases.categories import category_named
from crm.cases.codes import is_code, new_code
from crm.cases.deadlines import GENERAL, Deadline
from crm.cases.models import Agency, Case, CaseCall, CaseEvent, Identity, Kind, Status
from crm.cases.routing import Suggestion, suggest
from crm.clock import vietnam_day
from crm.errors import HotlineError
from crm.field_keys import Secret
from crm.models import Call

CITIZEN = "citizen"
ASKED = ("reopen", "info")  # what a caller can ask for by key
SCORES = (1, 2, 3)  # of a result by key: satisfied, fair, not satisfied
CONTENT = (1, 2)
LONGEST_ANSWER = 1200  # letters: about a minute and a half when it is read out
ANSWERS_KEPT = timedelta(days=90)  # as sound, after the case was resolved
SHORTEST_REASON = 5  # letters
LOOKS = ("looked", "read")  # they change nothing for whoever works on the case
_DRAWS = 20

_S = Status
_HANDLED = frozenset({_S.IN_PROGRESS, _S.NEED_INFO, _S.EXTENDED, _S.RESOLVED, _S.REJECTED,
                      _S.CLASSIFIED, _S.ASSIGNED, _S.DUPLICATE})
MOVES: Mapping[Status, frozenset[Status]] = {
    # to resolved at once: the hotline itself has the answer
    _S.NEW: frozenset({_S.CLASSIFIED, _S.ASSIGNED, _S.RESOLVED, _S.REJECTED, _S.DUPLICATE}),
    _S.CLASSIFIED: frozenset({_S.ASSIGNED, _S.RESOLVED, _S.REJECTED, _S.DUPLICATE}),
    _S.ASSIGNED: _HANDLED,  # to assigned again: handed on to another agency
    _S.IN_PROGRESS: _HANDLED - {_S.IN_PROGRESS},
    _S.NEED_INFO: _HANDLED - {_S.NEED_INFO},
    _S.EXTENDED: _HANDLED - {_S.EXTENDED},  # once only
    _S.REOPENED: _HANDLED,
    _S.RESOLVED: frozenset({_S.CLOSED, _S.REOPENED}),
    _S.REJECTED: frozenset({_S.CLOSED, _S.REOPENED}),
    _S.CLOSED: frozenset({_S.REOPENED}),
    _S.DUPLICATE: frozenset({_S.REOPENED}),
}
ENDED = frozenset({_S.RESOLVED, _S.REJECTED, _S.CLOSED, _S.DUPLICATE})
AT_DESK = frozenset({_S.NEW, _S.CLASSIFIED, _S.REOPENED})  # the hotline's own dispatchers have it
AT_AGENCY = frozenset({_S.ASSIGNED, _S.IN_PROGRESS, _S.NEED_INFO, _S.EXTENDED})


class Mover(StrEnum):
    """Who moves a case."""

    CITIZEN = "citizen"
    DESK = "desk"  # the hotline's dispatchers
    OFFICER = "officer"  # of the agency that has the case
    LEADER = "leader"  # of that agency
    SYSTEM = "system"  # by the clock


MAY: Mapping[Mover, frozenset[Status]] = {
    Mover.CITIZEN: frozenset({_S.REOPENED, _S.CLOSED}),
    Mover.DESK: frozenset(_S) - {_S.NEW},
    # to classified: given back to the desk; to assigned: handed on
    Mover.OFFICER: frozenset(
        {_S.IN_PROGRESS, _S.NEED_INFO, _S.EXTENDED, _S.RESOLVED, _S.CLASSIFIED, _S.ASSIGNED}
    ),
    Mover.LEADER: frozenset({_S.RESOLVED}),
    Mover.SYSTEM: frozenset({_S.ASSIGNED, _S.CLOSED}),
}


class Refusal(StrEnum):
    """Why a case is not taken on."""

    OUTSIDE = "outside"
    UNCLEAR = "unclear"
    UNTRUE = "untrue"
    ANSWERED = "answered"
    COMPLAINT = "complaint"
    COURT = "court"
    PRIVATE = "private"


REFUSALS: Mapping[Refusal, str] = {  # as citizens hear it
    Refusal.OUTSIDE: "Việc này không thuộc địa bàn hoặc thẩm quyền của các cơ quan trong tỉnh.",
    Refusal.UNCLEAR: "Nội dung chưa đủ thông tin để xử lý và tổng đài chưa liên hệ được quý vị.",
    Refusal.UNTRUE: "Kết quả kiểm tra cho thấy nội dung phản ánh không đúng thực tế.",
    Refusal.ANSWERED: "Việc này đã được trả lời và không có tình tiết mới.",
    Refusal.COMPLAINT: "Khiếu nại, tố cáo được nộp tại cơ quan có thẩm quyền theo luật định.",
    Refusal.COURT: "Việc này đang được tòa án hoặc cơ quan điều tra xem xét.",
    Refusal.PRIVATE: "Đây là tranh chấp dân sự, thuộc thẩm quyền của hòa giải cơ sở và tòa án.",
}


class CaseError(HotlineError):
    """What was asked of a case cannot be done; one sentence for whoever asked. `code` names the
    kind: summary, anonymous, phone, unknown, ended, move, mover, agency, date, reason, once,
    answer, about, stale, same, call, private, received, reference."""

    def __init__(self, sentence: str, code: str) -> None:
        super().__init__(sentence)
        self.code = code


def open_case(
    session: Session, *, summary: str, by: str, now: datetime, phone: str | None = None,
    channel: str = "hand", call_id: str | None = None, identity: Identity = Identity.SHOWN,
    sensitive: bool = False, due_at: datetime | None = None, kind: Kind = Kind.REPORT,
    public: bool = False, received_at: datetime | None = None, private: bool = False,
) -> Case:
    """A new case, due as a general one unless told otherwise. `received_at`: when the hotline got
    it, where it is entered later; its deadline counts from then. `private`: what it is about makes
    its words sealed, as `sensitive` does. Raises CaseError."""
    opened_at = received_at or now
    if not summary.strip():
        raise CaseError("a case says what it is about", "summary")
    if identity is Identity.ANONYMOUS and phone:
        raise CaseError(
            "an anonymous case has no telephone number: hide the identity instead", "anonymous"
        )
    said = Secret(summary.strip()) if sensitive or private else summary.strip()
    for _ in range(_DRAWS):
        case = Case(
            code=new_code(), status=_S.NEW, identity=identity, sensitive=sensitive, phone=phone,
            channel=channel, kind=kind, public=public, summary=said, opened_at=opened_at,
            dispatch_due_at=now + deadlines.DISPATCH,
            due_at=due_at or deadlines.due(GENERAL, opened_at, deadlines.working_days(session)),
        )
        try:
            with session.begin_nested():
                session.add(case)
        except IntegrityError:  # another case has this code
            continue
        if call_id:
            session.add(CaseCall(case_id=case.id, call_id=call_id, at=now))
        note(session, case, by, now, "opened", after=_S.NEW)
        case_words.index(session, case)
        return case
    raise CaseError("no free case code was found", "unknown")


def by_code(session: Session, code: str) -> Case:
    """Raises CaseError: the code is mistyped, or nobody's."""
    if not is_code(code):
        raise CaseError(f"{code} is no case code: its digits do not fit together", "unknown")
    case = session.scalar(select(Case).where(Case.code == code))
    if case is None:
        raise CaseError(f"there is no case {code}", "unknown")
    return case


def classify(
    session: Session, case: Case, category: str, *, by: str, now: datetime,
    area: str | None = None, about: str | None = None, general: Deadline = GENERAL,
) -> None:
    """Say what a case is about, where (the code of a commune or ward of today), and about which
    agency, if it is about one or its staff. Its deadline counts from when it was opened; once it is
    with an agency, it is never put off by this. Raises CaseError, CategoryError, AreaError,
    AgencyError.
    """
    was = Status(case.status)
    if was in ENDED:
        raise CaseError(f"a case that is {was} is not classified: reopen it first", "ended")
    kind = category_named(category)
    if area is not None:
        area_named(area, vietnam_day(now))
    subject = agency_named(session, about, now) if about else None
    deadline = general if kind.deadline == GENERAL else kind.deadline
    due_at = deadlines.due(deadline, case.opened_at, deadlines.working_days(session))
    case.due_at = due_at if case.assigned_at is None else min(case.due_at, due_at)
    case.category, case.area, case.about = category, area, subject
    if subject is not None and case.agency_id == subject.id:
        case.status = _S.CLASSIFIED  # never with the agency that it is about
        _give_back(case, "about", now)
    case.sensitive = case.sensitive or subject is not None
    if was is _S.NEW:
        case.status = _S.CLASSIFIED
    if case.sensitive or kind.private:
        case_words.seal(session, case)
    note(
        session, case, by, now, "classified", before=was, after=Status(case.status),
        details={"category": category, "area": area, "about": about},
    )
    case_words.index(session, case)


def suggested(session: Session, case: Case, now: datetime) -> Suggestion | None:
    """Whom a classified case should go to."""
    if case.category is None:
        return None
    return suggest(session, case.category, case.area, now, about=case.about)


def move(
    session: Session, case: Case, to: Status, *, by: str, now: datetime, reason: str = "",
    agency: str | None = None, due_at: datetime | None = None, refusal: Refusal | None = None,
    mover: Mover = Mover.DESK,
) -> None:
    """Move a case on. `agency` (a code) goes with assigned, `due_at` with extended, `refusal` with
    rejected. A case that is handed to an agency that had it before, or given back to the desk,
    needs the `reason`. Raises CaseError.
    """
    was, reason = Status(case.status), reason.strip()
    _check_move(case, was, to, mover)
    details: dict[str, Any] = {}
    if (agency is not None) != (to is _S.ASSIGNED):
        raise CaseError("a case is assigned to an agency, and only then is one named", "agency")
    if (due_at is not None) != (to is _S.EXTENDED):
        raise CaseError("an extended case needs a new date, and only then is one set", "date")
    if (refusal is not None) != (to is _S.REJECTED):
        raise CaseError(f"a refusal needs its reason: one of {', '.join(Refusal)}", "reason")
    if agency is not None:
        details["agency"] = _hand_to(session, case, agency, reason, now, mover)
    if due_at is not None:
        details["due_at"] = _extend(session, case, due_at, reason)
    if refusal is not None:
        details["refusal"] = refusal
        case.answer = case.answer or case.kept(REFUSALS[refusal])
        case_words.index(session, case)
    if to is _S.CLASSIFIED:
        details["agency"] = _give_back(case, reason, now)
    if to is _S.REOPENED:
        _renew(session, case, now)
    if to is _S.RESOLVED:
        case.resolved_at = now
    case.status = to
    note(
        session, case, by, now, "moved", before=was, after=to, text=reason,
        details=details or None,
    )


def _check_move(case: Case, was: Status, to: Status, mover: Mover) -> None:
    if to not in MAY[mover]:
        raise CaseError(f"a case is not made {to} by {mover}", "mover")
    if to not in MOVES[was]:
        allowed = ", ".join(sorted(MOVES[was]))
        raise CaseError(
            f"a case that is {was} cannot become {to}; it can become {allowed}", "move"
        )
    if to is _S.DUPLICATE and case.duplicate_of is None:
        raise CaseError("a duplicate is joined with the case that it is one of", "same")
    if to in AT_AGENCY and to is not _S.ASSIGNED and case.agency is None:
        # one that was a double before any agency had it, and was reopened
        raise CaseError("no agency has this case: assign it first", "agency")
    if to is _S.RESOLVED and not case.answer:
        raise CaseError(
            "a case is resolved with an answer for the citizen: answer it first", "answer"
        )


def _hand_to(
    session: Session, case: Case, code: str, reason: str, now: datetime, mover: Mover
) -> str:
    if mover is Mover.OFFICER and case.sensitive:
        raise CaseError("only the desk hands on a sensitive case", "mover")
    if mover is Mover.OFFICER and not reason:
        raise CaseError("a case that is handed on needs the reason", "reason")
    chosen = agency_named(session, code, now)
    if case.about is not None and chosen.id == case.about.id:
        raise CaseError(f"a case about {chosen.code} is not handled by {chosen.code}", "about")
    if not reason and chosen.code in agencies_of(session, case):
        raise CaseError(f"{chosen.code} had the case before: say why again", "reason")
    case.agency, case.assigned_at = chosen, now
    return chosen.code


def _give_back(case: Case, reason: str, now: datetime) -> str | None:
    if not reason:
        raise CaseError("a case that is given back needs the reason", "reason")
    had = case.agency.code if case.agency else None
    case.agency, case.assigned_at = None, None
    case.dispatch_due_at = now + deadlines.DISPATCH
    return had


def _extend(session: Session, case: Case, due_at: datetime, reason: str) -> str:
    if was_extended(session, case):
        raise CaseError("a case is extended once only", "once")
    if not reason:
        raise CaseError("an extension needs its reason", "reason")
    if due_at <= case.due_at:
        raise CaseError("the new date must be later than the one it had", "date")
    case.due_at = due_at
    return iso(due_at)


def set_answer(session: Session, case: Case, text: str, *, by: str, now: datetime) -> None:
    """What the citizen is told, approved by whoever sets it. Raises CaseError."""
    case.answer = case.kept(answer_text(text))
    note(session, case, by, now, "answered", text=case.answer)
    case_words.index(session, case)


def answer_text(text: str) -> str:
    """An answer as it is read out. Raises CaseError."""
    text = " ".join(text.split())
    if not text or len(text) > LONGEST_ANSWER:
        raise CaseError(f"an answer has 1 to {LONGEST_ANSWER} letters", "answer")
    return text


def add_information(session: Session, case: Case, text: str, *, by: str, now: datetime) -> None:
    """What somebody outside adds to a case in writing. Raises CaseError."""
    if (was := Status(case.status)) in ENDED:
        raise CaseError(f"nothing is added to a case that is {was}: reopen it first", "ended")
    note(session, case, by, now, "info", before=was, text=text)


def note_look(
    session: Session, case: Case, reason: str, *, by: str, now: datetime, what: str = "looked"
) -> None:
    """Somebody of the hotline looks at who reported, where that is hidden. Raises CaseError."""
    if len(reason.strip()) < SHORTEST_REASON:
        raise CaseError("say why you need to see it", "reason")
    note(session, case, by, now, what, text=reason)


def events_of(session: Session, case: Case) -> list[CaseEvent]:
    """All that has happened to a case, in order."""
    found = select(CaseEvent).where(CaseEvent.case_id == case.id).order_by(CaseEvent.id)
    return list(session.scalars(found))


def unchanged_since(session: Session, case: Case, seen: int | None) -> None:
    """`seen` is the id of the last event that whoever changes the case has read. Raises CaseError
    where there is a later one. Of two people at once the second waits here, and then is told."""
    session.refresh(case, with_for_update=True)
    newest = session.scalar(select(func.max(CaseEvent.id)).where(
        CaseEvent.case_id == case.id, CaseEvent.what.not_in(LOOKS)
    ))
    if seen is None or newest is None or newest > seen:
        raise CaseError("the case has changed meanwhile", "stale")


def to_dispatch(session: Session, limit: int) -> list[Case]:
    """Cases that no agency has, or that a citizen has reopened, the most urgent first."""
    waiting = select(Case).where(
        Case.status.in_(AT_DESK)
    ).order_by(Case.dispatch_due_at, Case.id).limit(limit)
    return list(session.scalars(waiting))


def handled(session: Session, limit: int) -> list[Case]:
    """Cases that an agency has and that are not at their end, by when they are due."""
    found = select(Case).where(
        Case.status.in_(AT_AGENCY)
    ).order_by(Case.due_at, Case.id).limit(limit).options(
        selectinload(Case.agency)
    )
    return list(session.scalars(found))


def opened_by(session: Session, login: str, limit: int) -> list[Case]:
    """Cases that somebody opened and that are not at their end, by when they are due."""
    mine = exists().where(
        CaseEvent.case_id == Case.id, CaseEvent.what == "opened", CaseEvent.by == login
    )
    found = select(Case).where(
        Case.status.in_([one for one in Status if one not in ENDED]), mine
    ).order_by(Case.due_at, Case.id).limit(limit)
    return list(session.scalars(found))


def of_phones(
    session: Session, phones: Sequence[str], limit: int = 10, *, skip: int = 0
) -> list[Case]:
    """The last cases of whoever has these numbers, those that are not at their end first."""
    ended = Case.status.in_(ENDED)
    found = select(Case).where(Case.phone.in_(phones)).order_by(
        ended, Case.opened_at.desc(), Case.id.desc()
    )
    return list(session.scalars(found.limit(limit).offset(skip)))


def last_area(session: Session, phones: Sequence[str], now: datetime) -> Area | None:
    """The commune of their last case that has one, if that commune still stands."""
    last = next((one.area for one in of_phones(session, phones) if one.area), None)
    return standing(vietnam_day(now)).get(last) if last else None


def latest(session: Session, limit: int) -> list[Case]:
    """The last `limit` cases, oldest first."""
    newest = select(Case).order_by(Case.opened_at.desc(), Case.id.desc()).limit(limit)
    return list(session.scalars(newest))[::-1]


def apply(session: Session, events: Sequence[JournalEvent]) -> None:
    """What callers heard of and asked for by key: the call names the case, the wish is noted once
    for each call, and a case that has ended is reopened."""
    for event in events:
        code = event.extra.get("code", "")
        if not (event.type.startswith("HL_CASE") and event.is_callers and is_code(code)):
            continue
        if event.type == "HL_CASE":
            session.execute(
                update(Call)
                .where(Call.id == event.uniqueid, Call.case_code.is_(None))
                .values(case_code=code)
            )
        elif event.type == "HL_CASE_ASK" and (what := event.extra.get("what", "")) in ASKED:
            case = session.scalar(select(Case).where(Case.code == code))
            if case is not None:
                _asked(session, case, what, event)
        elif event.type == "HL_CASE_RATED" and (score := event.extra.get("score", "")) in _RATED:
            case = session.scalar(select(Case).where(Case.code == code))
            if case is not None:
                _rate(session, case, _RATED[score], event)


def is_to_be_rated(case: Case) -> bool:
    """Whether its citizen is asked what they think of the result."""
    return case.status == _S.RESOLVED and case.satisfaction is None


_RATED = {str(score): score for score in SCORES}


def _rate(session: Session, case: Case, score: int, event: JournalEvent) -> None:
    """What the citizen thinks of the result, once; whoever is content with it ends the case."""
    if not is_to_be_rated(case):
        return
    case.satisfaction = score
    note(session, case, CITIZEN, event.at, "rated", call_id=event.uniqueid,
         details={"score": score})
    if score in CONTENT:
        move(session, case, _S.CLOSED, by=CITIZEN, now=event.at, mover=Mover.CITIZEN)


def was_extended(session: Session, case: Case) -> bool:
    """Whether its one extension is used up."""
    found = select(CaseEvent.id).where(
        CaseEvent.case_id == case.id, CaseEvent.what == "moved", CaseEvent.after == _S.EXTENDED
    )
    return session.scalar(found.limit(1)) is not None


def _asked(session: Session, case: Case, what: str, event: JournalEvent) -> None:
    known = select(CaseEvent.id).where(
        CaseEvent.case_id == case.id, CaseEvent.call_id == event.uniqueid, CaseEvent.what == what
    )
    if session.scalar(known) is not None:
        return
    was = Status(case.status)
    reopened = what == "reopen" and _S.REOPENED in MOVES[was]
    if reopened:
        case.status = _S.REOPENED
        _renew(session, case, event.at)
    note(
        session, case, CITIZEN, event.at, what, before=was,
        after=_S.REOPENED if reopened else None, call_id=event.uniqueid,
    )


def _renew(session: Session, case: Case, now: datetime) -> None:
    """A reopened case is dispatched anew, and has as long as its kind has."""
    kind = category_named(case.category).deadline if case.category else GENERAL
    due_at = deadlines.due(kind, now, deadlines.working_days(session))
    case.due_at = max(case.due_at, due_at)
    case.dispatch_due_at = now + deadlines.DISPATCH
    case.resolved_at, case.satisfaction = None, None  # another result, another judgement
    case.duplicate_of = None


def agencies_of(session: Session, case: Case) -> list[str]:
    """The codes of all agencies that have or had a case, in order; one stands twice that had it
    twice."""
    found = session.scalars(
        select(CaseEvent.details).where(
            CaseEvent.case_id == case.id, CaseEvent.what == "moved", CaseEvent.after == _S.ASSIGNED
        ).order_by(CaseEvent.id)
    )
    return [details["agency"] for details in found if details]


def add_call(session: Session, case: Case, call_id: str, *, by: str, now: datetime) -> None:
    """Note that a case was spoken of in a call; once for each."""
    if session.get(CaseCall, (case.id, call_id)) is None:
        session.add(CaseCall(case_id=case.id, call_id=call_id, at=now))
        note(session, case, by, now, "call", call_id=call_id)


def of_call(session: Session, call_id: str) -> list[Case]:
    """The cases that were spoken of in a call, the latest first."""
    return list(session.scalars(
        select(Case).join(CaseCall, CaseCall.case_id == Case.id)
        .where(CaseCall.call_id == call_id).order_by(CaseCall.at.desc())
    ))


def calls_of(session: Session, case: Case) -> list[str]:
    """The ids of the calls in which a case was spoken of, oldest first."""
    found = select(CaseCall.call_id).where(CaseCall.case_id == case.id)
    return list(session.scalars(found.order_by(CaseCall.at, CaseCall.call_id)))


def note(
    session: Session, case: Case, by: str, at: datetime, what: str, *,
    before: Status | None = None, after: Status | None = None, text: str = "",
    call_id: str | None = None, details: dict[str, Any] | None = None,
) -> CaseEvent:
    """Write down for good that something happened to a case; crm.cases.promises soon looks."""
    event = CaseEvent(
        case_id=case.id, at=at, by=by, what=what, before=before, after=after,
        note=case.kept(text.strip()), call_id=call_id, details=details,
    )
    audit.seal(session, event)
    session.add(event)
    case.next_step_at = at
    session.flush()
    webhooks.note(session, case, event)
    return event


def as_json(case: Case) -> dict[str, Any]:
    """A case for programs. Times are ISO 8601 in UTC."""
    def time(at: datetime | None) -> str | None:
        return iso(at) if at else None

    return {
        "code": case.code, "status": case.status, "identity": case.identity,
        "sensitive": case.sensitive,
        "phone": case.phone if case.identity == Identity.SHOWN else None,
        "channel": case.channel, "kind": case.kind, "summary": case.summary,
        "category": case.category, "area": case.area,
        "about": case.about.code if case.about else None,
        "dispatch_due_at": iso(case.dispatch_due_at),
        "agency": case.agency.code if case.agency else None, "opened_at": time(case.opened_at),
        "assigned_at": time(case.assigned_at), "due_at": time(case.due_at),
        "resolved_at": time(case.resolved_at), "answer": case.answer,
    }


def spoken_texts(session: Session, now: datetime) -> list[str]:
    """What callers may hear: names of agencies, communes and wards, and the answers of cases that
    are not long over."""
    told = [
        select(text).where(
            text.is_not(None),
            or_(Case.resolved_at.is_(None), Case.resolved_at >= now - ANSWERS_KEPT),
        ) for text in (Case.answer, Case.public_text)
    ]
    texts = [text for of in (select(Agency.name), *told) for text in session.scalars(of)]
    return [
        *(text for text in texts if text),
        *(area.name for area in standing(vietnam_day(now)).values()),
    ]
