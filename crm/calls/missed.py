"""Callers who reached nobody, as work: one entry for a number however often it called, the oldest
first. It goes by itself when the caller reaches somebody, and by hand when it is done. Nobody can
take one that somebody else has; what was taken and forgotten waits again after HELD_FOR.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import String, delete, exists, func, literal_column, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, aliased

from crm.errors import HotlineError
from crm.models import Call, MissedCaller, Outcome, RingOut

HELD_FOR = timedelta(minutes=30)
LISTED = 200
# Who hangs up in the menus may have heard what they wanted; these wanted a person.
MISSED = (Outcome.ABANDONED_QUEUE, Outcome.REJECTED, Outcome.LOST)
# in words, not as parameters: so they are those of the index call_missed
_MISSED = [literal_column(f"'{one.value}'", String) for one in MISSED]
REACHED = (Outcome.ANSWERED, Outcome.TRANSFERRED, Outcome.CALLBACK, Outcome.VOICEMAIL)


class MissedError(HotlineError):
    """What was asked cannot be done; one sentence for whoever asked. `by`: who has it."""

    def __init__(self, sentence: str, by: str = "") -> None:
        super().__init__(sentence)
        self.by = by


class Result(StrEnum):
    """What came of ringing back."""

    HELPED = "helped"
    NO_ANSWER = "no_answer"
    NOT_NEEDED = "not_needed"
    WRONG = "wrong"  # not the number of whoever called


@dataclass(frozen=True)
class Missed:
    """A number that called `times` in vain, first and last at; `call` is the last of them."""

    number: str
    times: int
    first_at: datetime
    last_at: datetime
    call: str
    branch: str | None
    taken_by: str | None
    tries: int  # how often it was rung back in vain since


def waiting(session: Session, now: datetime, within: timedelta) -> list[Missed]:
    """Callers of the last `within` who still reached nobody, the oldest first, LISTED at most."""
    later = aliased(Call)
    reached = exists().where(
        later.caller == Call.caller, later.started_at > Call.started_at,
        # or speaks with somebody now
        or_(later.outcome.in_(REACHED), later.outcome.is_(None) & later.answered_at.is_not(None)),
    )
    in_vain = (
        select(
            Call.caller.label("number"), func.count().label("times"),
            func.min(Call.started_at).label("first_at"),
            func.max(Call.started_at).label("last_at"), func.max(Call.id).label("call"),
        )
        .outerjoin(MissedCaller, MissedCaller.number == Call.caller)
        .where(
            Call.started_at >= now - within, Call.outcome.in_(_MISSED), Call.caller.is_not(None),
            Call.kind == "citizen", Call.direction == "in", ~reached,
            Call.unreached.is_(False),  # emergencies stand above, on every screen
            or_(MissedCaller.done_at.is_(None), MissedCaller.done_at < Call.started_at),
        )
        .group_by(Call.caller).subquery()
    )
    tries = (
        select(func.count()).where(
            RingOut.number == in_vain.c.number, RingOut.at >= in_vain.c.first_at
        ).scalar_subquery()
    )
    found = session.execute(
        select(in_vain, MissedCaller.taken_by, MissedCaller.taken_at, Call.branch, tries)
        .join(Call, Call.id == in_vain.c.call)
        .outerjoin(MissedCaller, MissedCaller.number == in_vain.c.number)
        .order_by(in_vain.c.first_at).limit(LISTED)
    )
    return [
        Missed(
            number, times, first_at, last_at, call, branch,
            by if by and at and at > now - HELD_FOR else None, tried,
        )
        for number, times, first_at, last_at, call, by, at, branch, tried in found
    ]


def take(session: Session, number: str, login: str, now: datetime) -> None:
    """Take a caller; one's own again counts from now. Raises MissedError where another has it."""
    free = or_(
        MissedCaller.taken_by.is_(None), MissedCaller.taken_by == login,
        MissedCaller.taken_at <= now - HELD_FOR,
    )
    taken = session.execute(
        update(MissedCaller).where(MissedCaller.number == number, free)
        .values(taken_by=login, taken_at=now)
    )
    if taken.rowcount:  # type: ignore[attr-defined]
        return
    try:
        with session.begin_nested():
            session.add(MissedCaller(number=number, taken_by=login, taken_at=now))
            session.flush()
    except IntegrityError as error:
        by = session.scalar(select(MissedCaller.taken_by).where(MissedCaller.number == number))
        raise MissedError("somebody else has this caller", by or "") from error


def give_back(session: Session, number: str, login: str) -> None:
    """Let the caller wait again. Raises MissedError: not one's own."""
    _own(session, number, login, taken_by=None, taken_at=None)


def finish(
    session: Session, number: str, login: str, result: Result, now: datetime
) -> None:
    """It is done, until the number calls in vain again; after no answer it waits again. Raises
    MissedError: not one's own."""
    done = None if result is Result.NO_ANSWER else now
    _own(
        session, number, login, taken_by=None, taken_at=None, done_at=done, done_by=login,
        result=result.value,
    )


def _own(session: Session, number: str, login: str, **values: object) -> None:
    changed = session.execute(
        update(MissedCaller)
        .where(MissedCaller.number == number, MissedCaller.taken_by == login).values(**values)
    )
    if not changed.rowcount:  # type: ignore[attr-defined]
        raise MissedError("you have not taken this caller")


def forget(session: Session, before: datetime) -> None:
    """What nobody looks at any more."""
    session.execute(delete(RingOut).where(RingOut.at < before))
    session.execute(delete(MissedCaller).where(
        MissedCaller.done_at.is_not(None), MissedCaller.done_at < before
    ))
