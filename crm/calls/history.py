"""Past calls, as people look them up: a day's calls, one agent's, one caller's.

Every query is bounded by a limit and goes by an index.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from sqlalchemy import exists, func, select
from sqlalchemy.orm import Session, aliased

from crm.calls import lines
from crm.calls.segments import What
from crm.clock import VIETNAM
from crm.models import Call, CallNote, CallSegment, LineQuality, Outcome, User

EXPERT = "expert:"  # before the login of the doctor whose telephone it is (CallSegment.party)


@dataclass(frozen=True)
class Note:
    """What somebody wrote about a call."""

    login: str
    author: str  # the writer's name
    text: str
    result: str | None
    done: bool


@dataclass(frozen=True)
class Record:
    """A call with its notes."""

    call: Call
    notes: tuple[Note, ...]
    line: LineQuality | None = None  # of its worst leg, where a browser has measured it

    @property
    def line_is(self) -> str:
        """good | fair | bad, or "" """
        return lines.verdict(self.line.worst) if self.line else ""


@dataclass(frozen=True)
class Taken:
    """A doctor's part of a call."""

    call: Call
    began_at: datetime
    talk_ms: int
    from_agent: bool  # who handed the caller over, or called the doctor in; else the menu rang


def day_start(moment: datetime) -> datetime:
    """Midnight in Thanh Hóa before this moment, in UTC."""
    local = moment.astimezone(VIETNAM)
    return datetime.combine(local.date(), time(), VIETNAM).astimezone(UTC)


def of_day(
    session: Session, day: date, *, branch: str | None = None, outcome: Outcome | None = None,
    limit: int = 200,
) -> list[Record]:
    """The last calls of a day (local date), newest first."""
    start = datetime.combine(day, time(), VIETNAM).astimezone(UTC)
    end = start + timedelta(days=1)
    query = select(Call).where(Call.started_at >= start, Call.started_at < end)
    if branch:
        query = query.where(Call.branch == branch)
    if outcome:
        query = query.where(Call.outcome == outcome.value)
    query = query.order_by(Call.started_at.desc()).limit(limit)
    return _with_notes(session, session.scalars(query))


def of_agent(session: Session, login: str, since: datetime, *, limit: int = 100) -> list[Record]:
    """An agent's calls since a moment, newest first."""
    return _with_notes(session, session.scalars(
        select(Call).where(Call.started_at >= since, Call.agent == login)
        .order_by(Call.started_at.desc()).limit(limit)
    ))


def of_expert(session: Session, login: str, day: date, *, limit: int = 200) -> list[Taken]:
    """The calls of a day in which a doctor spoke with the caller, newest first, whether the menu or
    an agent rang. Who was only asked has taken nothing."""
    start = datetime.combine(day, time(), VIETNAM).astimezone(UTC)
    party = EXPERT + login
    wish = aliased(CallSegment)
    from_agent = exists().where(
        wish.call_id == Call.id, wish.party == party, wish.what == What.TRANSFER.value
    )
    began = func.min(CallSegment.started_at)
    rows = session.execute(
        select(Call, began, func.sum(CallSegment.ms), from_agent)
        .join(CallSegment, CallSegment.call_id == Call.id)
        .where(
            CallSegment.party == party, CallSegment.what == What.TALK.value,
            CallSegment.started_at >= start, CallSegment.started_at < start + timedelta(days=1),
        ).group_by(Call.id).order_by(began.desc()).limit(limit)
    )
    return [Taken(call, at, int(ms), bool(asked)) for call, at, ms, asked in rows]


def of_callers(
    session: Session, numbers: Sequence[str], *, but: str = "", limit: int = 10, skip: int = 0
) -> list[Record]:
    """The other calls of whoever has these numbers, newest first."""
    # one number by equality: its index has the order then, and a page of it is all that is read
    whose = Call.caller == numbers[0] if len(numbers) == 1 else Call.caller.in_(numbers)
    return _with_notes(session, session.scalars(
        select(Call).where(whose, Call.id != but)
        .order_by(Call.started_at.desc()).limit(limit).offset(skip)
    ))


def of_call(session: Session, call: Call) -> Record:
    """A call with what was written about it."""
    return _with_notes(session, [call])[0]


def _with_notes(session: Session, calls: Iterable[Call]) -> list[Record]:
    found = list(calls)
    notes: dict[str, list[Note]] = {}
    for note, login, name in session.execute(
        select(CallNote, User.login, User.name).join(User, User.id == CallNote.user_id)
        .where(CallNote.call_id.in_([call.id for call in found])).order_by(CallNote.created_at)
    ):
        notes.setdefault(note.call_id, []).append(
            Note(login, name, note.text, note.result, note.done)
        )
    heard = lines.of_calls(session, [call.id for call in found])
    return [Record(call, tuple(notes.get(call.id, ())), heard.get(call.id)) for call in found]
