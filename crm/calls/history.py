"""Past calls, as people look them up: a day's calls, one agent's, one caller's.

Every query is bounded by a limit and goes by an index.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from sqlalchemy import String, cast, select
from sqlalchemy.orm import Session

from crm.calls import lines
from crm.clock import VIETNAM
from crm.models import Call, CallNote, LineQuality, Outcome, User

EXPERT = "expert:"  # before whose telephone was rung, in a call's path


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


def of_expert(session: Session, login: str, day: date, *, limit: int = 200) -> list[Call]:
    """The calls of a day that a doctor on duty took, newest first: they are rung in turn, so the
    last who was rung took it."""
    start = datetime.combine(day, time(), VIETNAM).astimezone(UTC)
    found = session.scalars(
        select(Call).where(
            Call.started_at >= start, Call.started_at < start + timedelta(days=1),
            Call.outcome == Outcome.TRANSFERRED.value,
            cast(Call.path, String).contains(f'"{EXPERT}{login}"', autoescape=True),
        ).order_by(Call.started_at.desc()).limit(limit)
    )
    return [call for call in found if _took(call) == login]


def _took(call: Call) -> str | None:
    rung = [step["menu"] for step in call.path if step["menu"].startswith(EXPERT)]
    return str(rung[-1]).removeprefix(EXPERT) if rung else None


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
