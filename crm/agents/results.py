"""Results of calls: which may be noted for a branch, what each needs, and calls without one."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from crm.agents.models import CallResult
from crm.branches import BY_ID
from crm.cases import life
from crm.cases.life import CaseError
from crm.errors import HotlineError
from crm.models import Call, CallNote, Leg, LiveCall, User

CODE = re.compile(r"[a-z][a-z_]{1,23}")
LONGEST_NAME, LONGEST_NOTE = 60, 500
LISTED = 200


class ResultError(HotlineError):
    """A result cannot be kept as it was written. `code`: code, name, branch, note, unknown."""

    def __init__(self, sentence: str, code: str) -> None:
        super().__init__(sentence)
        self.code = code


@dataclass(frozen=True)
class Unfinished:
    """A call that an agent spoke in, and that has no result."""

    call: Call
    agent: str


def everything(session: Session) -> list[CallResult]:
    """All results, also those that are used no more, in the order in which they are offered."""
    return list(session.scalars(
        select(CallResult).order_by(CallResult.position, CallResult.code)
    ))


def offered(session: Session, branch: str | None) -> list[CallResult]:
    """What may be noted for a call of a branch; of a branch that is not known: all."""
    return [
        one for one in everything(session)
        if one.active and (not one.branches or branch is None or branch in one.branches)
    ]


def fault(session: Session, note: CallNote, by: str, now: datetime) -> str | None:
    """Why a note cannot be finished: result, branch, note, case; None: it can. The case of a
    result that needs one is that whose code is written, else the one opened in the call; whichever
    it is, it counts from then on as spoken of in the call."""
    known = session.get(CallResult, note.result) if note.result else None
    if known is None or not known.active:
        return "result"
    if known not in offered(session, _branch_of(session, note.call_id)):
        return "branch"
    if len(note.text.strip()) < known.shortest_note:
        return "note"
    return None if not known.needs_case or _has_case(session, note, by, now) else "case"


def _has_case(session: Session, note: CallNote, by: str, now: datetime) -> bool:
    if note.case_code:
        try:
            case = life.by_code(session, note.case_code)
        except CaseError:
            return False
        life.add_call(session, case, note.call_id, by=by, now=now)
        return True
    opened = life.of_call(session, note.call_id)
    note.case_code = opened[0].code if opened else None
    return bool(opened)


def _branch_of(session: Session, call_id: str) -> str | None:
    rows = session.get(Call, call_id), session.get(LiveCall, call_id)
    return next((row.branch for row in rows if row and row.branch), None)


def keep(
    session: Session, code: str, *, vi: str, en: str, branches: Sequence[str], needs_case: bool,
    shortest_note: int, position: int, active: bool, by: str, now: datetime,
) -> CallResult:
    """Add a result, or change the one with this code. Raises ResultError."""
    if not CODE.fullmatch(code):
        raise ResultError("a code has 2 to 24 of a-z and _", "code")
    names = [" ".join(name.split()) for name in (vi, en)]
    if not all(1 <= len(name) <= LONGEST_NAME and name.isprintable() for name in names):
        raise ResultError(f"a name has 1 to {LONGEST_NAME} letters", "name")
    if unknown := set(branches) - set(BY_ID):
        raise ResultError(f"there is no branch {', '.join(sorted(unknown))}", "branch")
    if not 0 <= shortest_note <= LONGEST_NOTE or not 0 <= position <= 999:
        raise ResultError(f"a note has 0 to {LONGEST_NOTE} letters at least", "note")
    known = session.get(CallResult, code)
    if known is None:
        known = CallResult(code=code)
        session.add(known)
    known.vi, known.en = names
    known.branches = [branch for branch in BY_ID if branch in branches]
    known.needs_case, known.shortest_note = needs_case, shortest_note
    known.position, known.active = position, active
    known.changed_at, known.changed_by = now, by
    return known


def unfinished(session: Session, since: datetime, agent: str | None = None) -> list[Unfinished]:
    """Calls since a moment that an agent (or any) spoke in and has noted no result of, the longest
    ago first."""
    done = exists().where(
        CallNote.call_id == Leg.call_id, CallNote.done.is_(True), CallNote.user_id == User.id,
    )
    found = (
        select(Call, Leg.agent).join(Leg, Leg.call_id == Call.id)
        .join(User, User.login == Leg.agent)
        .where(
            Call.started_at >= since, Call.ended_at.is_not(None), Call.kind == "citizen",
            # said twice: SQLite would look through the legs of all time
            Leg.call_id.in_(select(Call.id).where(Call.started_at >= since)),
            Leg.kind == "agent", Leg.talk_ms > 0, ~done,
        )
        .order_by(Call.started_at).limit(LISTED)
    )
    if agent is not None:
        found = found.where(Leg.agent == agent)
    return list(dict.fromkeys(
        Unfinished(call, who) for call, who in session.execute(found) if who is not None
    ))
