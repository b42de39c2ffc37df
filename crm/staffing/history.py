"""What came and who was there, by half-hour: kept by day, so that years cost no more than weeks.

Citizens who came to a queue count, in the half-hour in which they came. Days are counted together
with those of the reports (crm.reports.calls). Who was there is what the journal says of the agents.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy import ColumnElement, and_, delete, func, or_, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from crm.calls import shifts
from crm.calls.segments import What
from crm.clock import VIETNAM
from crm.models import Call, CallSegment, Role, User
from crm.reports.models import CountedDay
from crm.reports.spans import begin
from crm.shifts import roster
from crm.staffing.models import HalfHour

SLOTS = 48
SLOT_S = 1800
AT_ONCE_MS = 5000  # who gives up sooner was not kept waiting, as on the live board
ALL = ""  # of every branch, or of every queue
_DAY = timedelta(days=1)
_EARLIER = timedelta(hours=2)  # a call begins at most so long before it comes to a queue


@dataclass(frozen=True)
class Queued:
    """A call that came to a queue."""

    branch: str
    at: datetime
    waited_ms: int
    handled_ms: int  # spoken, held and wrapped up
    answered: bool


@dataclass(frozen=True)
class Sums:
    """Counts of half-hours, added up."""

    offered: int = 0
    answered: int = 0
    in_time: int = 0
    counted: int = 0
    abandoned: int = 0
    wait_ms: int = 0
    handled_ms: int = 0

    @property
    def handling_s(self) -> float | None:
        """The mean time that a caller who was answered takes an agent."""
        return self.handled_ms / self.answered / 1000 if self.answered else None

    @property
    def patience_s(self) -> float | None:
        """The mean patience: all that was waited by those who gave up. Who was answered tells only
        that it was longer, and counts so: the maximum likelihood of an exponential patience."""
        return self.wait_ms / self.abandoned / 1000 if self.abandoned else None


def queued(session: Session, day: date, branch: str = ALL) -> list[Queued]:
    """Who came to a queue on a day, the earliest first."""
    wrapped = dict(session.execute(
        select(CallSegment.call_id, func.sum(CallSegment.ms)).where(
            CallSegment.started_at >= begin(day), CallSegment.started_at < begin(day + 2 * _DAY),
            CallSegment.what == What.WRAPUP,
        ).group_by(CallSegment.call_id)
    ).all())
    found = select(
        Call.id, Call.branch, Call.queued_at, Call.wait_ms, Call.talk_ms, Call.answered_at
    ).where(
        Call.started_at >= begin(day) - _EARLIER, Call.started_at < begin(day + _DAY),
        Call.queued_at >= begin(day), Call.queued_at < begin(day + _DAY),
        Call.kind == "citizen", Call.direction == "in", Call.outcome.is_not(None),
    )
    if branch != ALL:
        found = found.where(Call.branch == branch)
    return [
        Queued(row.branch or ALL, row.queued_at, row.wait_ms or 0,
               row.talk_ms + wrapped.get(row.id, 0), row.answered_at is not None)
        for row in session.execute(found.order_by(Call.queued_at))
    ]


def slot_of(at: datetime) -> int:
    here = at.astimezone(VIETNAM)
    return here.hour * 2 + here.minute // 30


def keep(session: Session, day: date, within_s: int) -> None:
    """Keep the counts of a day; done again, it puts the new ones in the place of the old."""
    sums: dict[tuple[int, str], list[int]] = defaultdict(lambda: [0] * 7)
    for one in queued(session, day):
        kept = not one.answered and one.waited_ms <= AT_ONCE_MS
        for place, number in enumerate((
            1, one.answered, one.answered and one.waited_ms <= within_s * 1000, not kept,
            not one.answered, one.waited_ms, one.handled_ms if one.answered else 0,
        )):
            sums[slot_of(one.at), one.branch][place] += number
    session.execute(delete(HalfHour).where(HalfHour.day == day))
    for (slot, branch), numbers in sums.items():
        session.add(HalfHour(day=day, slot=slot, branch=branch, **dict(zip(
            ("offered", "answered", "in_time", "counted", "abandoned", "wait_ms", "handled_ms"),
            numbers, strict=True,
        ))))
    session.flush()


def offered(
    session: Session, branch: str, first: date, last: date, more: Sequence[date] = ()
) -> dict[date, list[int]]:
    """Calls by half-hour of each counted day from one to another (both included), and of some
    more days."""
    def wanted(day: InstrumentedAttribute[date]) -> ColumnElement[bool]:
        return or_(and_(day >= first, day <= last), day.in_(more))

    days = {day: [0] * SLOTS for day in session.scalars(
        select(CountedDay.day).where(wanted(CountedDay.day))
    )}
    found = select(HalfHour.day, HalfHour.slot, func.sum(HalfHour.offered)).where(
        wanted(HalfHour.day), *_of(branch)
    ).group_by(HalfHour.day, HalfHour.slot)
    for day, slot, number in session.execute(found):
        if day in days:
            days[day][slot] = int(number)
    return dict(sorted(days.items()))


def sums(session: Session, branch: str, first: date, last: date) -> Sums:
    """Everything of some days, added up."""
    names = tuple(Sums.__dataclass_fields__)
    row = session.execute(
        select(*(func.coalesce(func.sum(getattr(HalfHour, name)), 0) for name in names))
        .where(HalfHour.day >= first, HalfHour.day <= last, *_of(branch))
    ).one()
    return Sums(*map(int, row))


def staffed(session: Session, branch: str, day: date, now: datetime) -> dict[int, float]:
    """How many agents took calls of a branch, in the mean of each half-hour that is over: signed in
    and not in a pause, as the journal says. Empty: it says nothing of that day."""
    served = {one.login for one in session.scalars(select(User).where(User.role == Role.AGENT))
              if branch == ALL or roster.serves(one, branch)}
    until = min(begin(day + _DAY), now)
    seconds: dict[int, float] = defaultdict(float)
    found = shifts.shifts(session, begin(day), until)
    for login, shift in found.items():
        if login in served:
            for span in shift.signed_in:
                _spread(seconds, span, 1)
            for span in shift.paused:
                _spread(seconds, span, -1)
    if not any(shift.signed_in for shift in found.values()):
        return {}
    last = SLOTS if until == begin(day + _DAY) else slot_of(until)
    return {slot: seconds[slot] / SLOT_S for slot in range(last)}


def rostered(session: Session, branch: str, day: date) -> dict[int, int]:
    """How many agents are rostered for a branch (or wherever needed) in the middle of each
    half-hour. Empty: nobody is."""
    found = [
        one for one in roster.between(session, day - _DAY, day)
        if one.user.role == Role.AGENT
        and (branch in (ALL, one.branch) or (not one.branch and roster.serves(one.user, branch)))
    ]
    middles = [begin(day) + timedelta(seconds=(slot + 0.5) * SLOT_S) for slot in range(SLOTS)]
    there = {
        slot: sum(one.begins_at <= middle < one.ends_at for one in found)
        for slot, middle in enumerate(middles)
    }
    return there if any(there.values()) else {}


def _spread(seconds: dict[int, float], span: tuple[datetime, datetime], sign: int) -> None:
    """Add a span within a day to its half-hours."""
    at, end = span
    while at < end:
        here = at.astimezone(VIETNAM)
        over = here.replace(minute=here.minute // 30 * 30, second=0, microsecond=0)
        stop = min(end, over + timedelta(seconds=SLOT_S))
        seconds[slot_of(at)] += sign * (stop - at).total_seconds()
        at = stop


def _of(branch: str) -> tuple[ColumnElement[bool], ...]:
    return () if branch == ALL else (HalfHour.branch == branch,)
