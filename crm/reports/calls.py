"""How many calls there were, and how they ended: of a span of time from the calls themselves, of
past days from counts that are kept by day, so that a long period costs no more as calls pile up.

Only citizens' calls count. A day is counted when it has been over for a day, and again each night
for a week: records may come late. What is not counted yet is read from the calls.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import case, delete, func, select
from sqlalchemy.orm import Session

from crm.archive.models import ArchivedMonth
from crm.clock import vietnam_day
from crm.models import Call, Outcome
from crm.reports import kept
from crm.reports.measures import NORM_MS
from crm.reports.models import CallDay, CallHour, CountedDay
from crm.reports.spans import begin, gaps
from crm.staffing import history

IN_TIME_MS = 60_000  # the service norm: a person within a minute
NORM = 0.8  # for more than this share of those who wait for one
MISSED = frozenset({Outcome.LOST, Outcome.REJECTED, Outcome.ABANDONED_QUEUE})
_LIVE = timedelta(days=1)  # how long a day must be over
_LATE = timedelta(days=7)  # how long records may come after it
_AGAIN = timedelta(hours=20)
_DAY = timedelta(days=1)
_HOUR = timedelta(hours=1)


@dataclass(frozen=True)
class Count:
    """Calls of one direction, branch (empty: none was reached) and outcome (empty: they go on).

    `queued`: waited for a person; `in_time`: of them, spoke with one within a minute; `unreached`:
    asked for emergency help in vain; `rated` and, of them, `satisfied` (very good, good).
    """

    direction: str
    branch: str
    outcome: str
    calls: int
    queued: int
    in_time: int
    unreached: int
    rated: int
    satisfied: int
    longest_wait_ms: int


@dataclass(frozen=True)
class Sums:
    """Counts added up."""

    calls: int = 0
    queued: int = 0
    in_time: int = 0
    unreached: int = 0
    rated: int = 0
    satisfied: int = 0
    longest_wait_ms: int = 0
    answered: int = 0
    missed: int = 0

    @property
    def in_time_share(self) -> float | None:
        """Of those who waited for a person; None: nobody did."""
        return self.in_time / self.queued if self.queued else None

    @property
    def satisfied_share(self) -> float | None:
        return self.satisfied / self.rated if self.rated else None


def between(session: Session, since: datetime, until: datetime) -> list[Count]:
    """Calls that began from `since` to before `until`, from the calls themselves; in months that
    are archived, from counts by the hour."""
    found: list[Count] = []
    at = since
    for month in _archived(session, since, until):
        first, end = max(begin(month), since), min(_end(month), until)
        found += _of_rows(session, at, first) if at < first else []
        found += _of_hours(session, first, end)
        at = end
    return found + (_of_rows(session, at, until) if at < until else [])


def _archived(session: Session, since: datetime, until: datetime) -> Sequence[date]:
    return session.scalars(
        select(ArchivedMonth.month).where(
            ArchivedMonth.month >= vietnam_day(since).replace(day=1),
            ArchivedMonth.month <= vietnam_day(until),
        ).order_by(ArchivedMonth.month)
    ).all()


def _end(month: date) -> datetime:
    return begin((month + 31 * _DAY).replace(day=1))


def _of_hours(session: Session, since: datetime, until: datetime) -> list[Count]:
    found = select(*_counted(CallHour)).where(CallHour.at >= since, CallHour.at < until)
    return _counts(session, found.group_by(*_key(CallHour)))


def _key(table: type[CallDay | CallHour]) -> tuple[Any, ...]:
    return table.direction, table.branch, table.outcome


def _counted(table: type[CallDay | CallHour]) -> tuple[Any, ...]:
    """The columns of a Count, added up."""
    summed = (table.calls, table.queued, table.in_time, table.unreached, table.rated,
              table.satisfied)
    return *_key(table), *(func.sum(one) for one in summed), func.max(table.longest_wait_ms)


def _counts(session: Session, found: Any) -> list[Count]:
    return [Count(*row[:3], *(int(value) for value in row[3:])) for row in session.execute(found)]


def _of_rows(session: Session, since: datetime, until: datetime) -> list[Count]:
    def number(condition: Any) -> Any:
        return func.sum(case((condition, 1), else_=0))

    branch, outcome = func.coalesce(Call.branch, ""), func.coalesce(Call.outcome, "")
    queued = Call.queued_at.is_not(None) & Call.outcome.is_not(None)
    return _counts(
        session, select(
            Call.direction, branch, outcome, func.count(), number(queued),
            number(queued & Call.answered_at.is_not(None) & (Call.wait_ms <= IN_TIME_MS)),
            number(Call.unreached), number(Call.satisfaction.is_not(None)),
            number(Call.satisfaction <= 2), func.coalesce(func.max(Call.wait_ms), 0),
        ).where(Call.kind == "citizen", Call.started_at >= since, Call.started_at < until)
        .group_by(Call.direction, branch, outcome)
    )


def of_days(session: Session, first: date, last: date) -> list[Count]:
    """Calls that began from one day to another (both included): kept counts where there are."""
    counted = set(session.scalars(
        select(CountedDay.day).where(CountedDay.day >= first, CountedDay.day <= last)
    ))
    found: list[Count] = []
    if counted:
        wanted = select(*_counted(CallDay)).where(CallDay.day >= first, CallDay.day <= last)
        found = _counts(session, wanted.group_by(*_key(CallDay)))
    for since, until in gaps(counted, first, last):
        found += between(session, begin(since), begin(until + _DAY))
    return found


def sums(counts: Iterable[Count]) -> Sums:
    """Add up; the longest wait is the longest of all."""
    rows = list(counts)

    def total(name: str) -> int:
        return sum(getattr(row, name) for row in rows)

    return Sums(
        calls=total("calls"), queued=total("queued"), in_time=total("in_time"),
        unreached=total("unreached"), rated=total("rated"), satisfied=total("satisfied"),
        longest_wait_ms=max((row.longest_wait_ms for row in rows), default=0),
        answered=sum(row.calls for row in rows if row.outcome == Outcome.ANSWERED),
        missed=sum(row.calls for row in rows if row.outcome in MISSED),
    )


def due(session: Session, now: datetime, limit: int) -> Sequence[date]:
    """Days to be counted, the newest first: those that never were, and those of the last week whose
    records may have come since."""
    newest = vietnam_day(now - _LIVE) - _DAY
    oldest = session.scalar(select(func.min(Call.started_at)))
    if oldest is None:
        return []
    first = vietnam_day(oldest)
    done = {
        row.day: row.counted_at for row in session.scalars(select(CountedDay))
    }
    found = []
    for offset in range((newest - first).days + 1):
        day = newest - offset * _DAY
        at = done.get(day)
        late = at is not None and at - begin(day + _DAY) < _LATE and now - at > _AGAIN
        if at is None or late:
            found.append(day)
            if len(found) == limit:
                break
    return found


def count(session: Session, day: date, now: datetime, service_level_s: int) -> None:
    """Keep the counts of a day, and its measures (crm.reports.kept); done again, it puts the new
    ones in the place of the old."""
    session.execute(delete(CallDay).where(CallDay.day == day))
    for one in between(session, begin(day), begin(day + _DAY)):
        session.add(CallDay(day=day, **vars(one)))
    kept.keep(session, day, now, service_level_s)
    history.keep(session, day, service_level_s)
    session.merge(CountedDay(day=day, counted_at=now))
    session.flush()


@dataclass(frozen=True)
class Hours:
    """What reports read of a day's calls besides its counts: by the hour, and of test calls."""

    counts: tuple[tuple[datetime, Count], ...]
    trials: int
    trials_in_norm: int


def hours(session: Session, day: date) -> Hours:
    """Of the calls themselves."""
    starts = [begin(day) + number * _HOUR for number in range(24)]
    some = bool(_of_rows(session, begin(day), begin(day + _DAY)))
    return Hours(
        tuple((at, one) for at in starts if some for one in _of_rows(session, at, at + _HOUR)),
        *_trials_of_rows(session, day, day),
    )


def settle(
    session: Session, day: date, found: Hours, now: datetime, service_level_s: int
) -> None:
    """Keep all that reports read of a day's calls, before those are archived: this, and its counts
    once no record comes late any more."""
    counted = session.get(CountedDay, day)
    if counted is None or counted.counted_at - begin(day + _DAY) < _LATE:
        count(session, day, now, service_level_s)
        counted = session.get_one(CountedDay, day)
    counted.trials, counted.trials_in_norm = found.trials, found.trials_in_norm
    session.execute(
        delete(CallHour).where(CallHour.at >= begin(day), CallHour.at < begin(day + _DAY))
    )
    session.add_all(CallHour(at=at, **vars(one)) for at, one in found.counts)
    session.flush()


def trials(session: Session, first: date, last: date) -> tuple[int, int]:
    """Test calls from one day to another (both included) that waited for a person, and those who
    met one within the norm's time."""
    kept_of = {
        row.day: row for row in session.scalars(select(CountedDay).where(
            CountedDay.day >= first, CountedDay.day <= last, CountedDay.trials.is_not(None)
        ))
    }
    made = sum(row.trials or 0 for row in kept_of.values())
    good = sum(row.trials_in_norm or 0 for row in kept_of.values())
    for since, until in gaps(set(kept_of), first, last):
        more, more_good = _trials_of_rows(session, since, until)
        made, good = made + more, good + more_good
    return made, good


def _trials_of_rows(session: Session, first: date, last: date) -> tuple[int, int]:
    of = (
        Call.kind == "test", Call.direction == "in", Call.queued_at.is_not(None),
        Call.outcome.is_not(None), Call.started_at >= begin(first),
        Call.started_at < begin(last + _DAY),
    )
    within = (Call.answered_at.is_not(None), Call.wait_ms <= NORM_MS)
    made, good = (
        session.scalar(select(func.count()).select_from(Call).where(*where)) or 0
        for where in (of, (*of, *within))
    )
    return made, good
