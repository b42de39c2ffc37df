"""When somebody must be reminded of a case: rules over time alone.

Each series of reminders is a row of moments, numbered from 0. What counts hours is reminded of by
the hour, day and night; what counts days, in the morning of working days.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from itertools import count

from crm.cases.deadlines import OFFICE_BEGINS, Clock, WorkingDay
from crm.cases.life import AT_AGENCY, AT_DESK
from crm.cases.models import Status
from crm.clock import VIETNAM

MINUTES, HOUR = timedelta(minutes=10), timedelta(hours=1)
BEFORE = (0.5, 0.8)  # of the time from the agency to the deadline, where hours count
BY_THE_HOUR = 24  # times, then once a day


class Series(StrEnum):
    """What a reminder is about."""

    DISPATCH = "dispatch"  # no agency has it
    UNOPENED = "unopened"  # the agency has not taken it on
    BEFORE = "before"  # the deadline comes near
    OVERDUE = "overdue"
    CLOSE = "close"  # its citizen has said no more


@dataclass(frozen=True)
class Situation:
    """What the rules need of a case. `clock` None: not classified yet, so it may be anything."""

    status: Status
    clock: Clock | None
    dispatch_due_at: datetime
    assigned_at: datetime | None
    due_at: datetime
    ended_at: datetime | None


@dataclass(frozen=True)
class Step:
    at: datetime
    series: Series
    number: int


def due_steps(
    case: Situation, done: Mapping[Series, int], now: datetime, works: WorkingDay
) -> tuple[list[Step], datetime | None]:
    """The steps that are due, oldest first, one for each series (of several that were missed, the
    last), and when the next one comes; None: never. `done`: the last number done of each series.
    """
    due: list[Step] = []
    next_at: datetime | None = None
    for series in Series:
        passed = None
        for number, at in enumerate(_moments(series, case, works)):
            if at > now:
                next_at = at if next_at is None else min(next_at, at)
                break
            if number > done.get(series, -1):
                passed = Step(at, series, number)
        if passed:
            due.append(passed)
    return sorted(due, key=lambda step: step.at), next_at


def _moments(series: Series, case: Situation, works: WorkingDay) -> Iterator[datetime]:
    by_hours = case.clock in (None, Clock.HOURS)
    if series is Series.CLOSE:
        if case.status in (Status.RESOLVED, Status.REJECTED) and case.ended_at:
            yield case.ended_at
    elif series is Series.DISPATCH:
        if case.status in AT_DESK:
            yield case.dispatch_due_at
            yield case.dispatch_due_at + MINUTES
            yield from _again(case.dispatch_due_at, by_hours, works)
    elif case.status in AT_AGENCY and case.assigned_at:
        if series is Series.UNOPENED and case.status is Status.ASSIGNED:
            if by_hours:
                yield case.assigned_at + MINUTES
                yield case.assigned_at + 2 * MINUTES
            yield from _again(case.assigned_at, by_hours, works)
        elif series is Series.BEFORE:
            yield from _before(case.assigned_at, case.due_at, by_hours, works)
        elif series is Series.OVERDUE:
            yield case.due_at
            yield from _again(case.due_at, by_hours, works)


def _before(
    assigned_at: datetime, due_at: datetime, by_hours: bool, works: WorkingDay
) -> Iterator[datetime]:
    if by_hours:
        for part in BEFORE:
            if due_at > assigned_at:
                yield assigned_at + (due_at - assigned_at) * part
        return
    day = due_at.astimezone(VIETNAM).date() - timedelta(days=1)
    while not works(day):
        day -= timedelta(days=1)
    if (at := _morning(day, due_at)) > assigned_at:
        yield at


def _again(since: datetime, by_hours: bool, works: WorkingDay) -> Iterator[datetime]:
    """Every hour and after a day every 24 hours, or every working morning; without end."""
    day = since.astimezone(VIETNAM).date()
    for number in count(1):
        if by_hours:
            days = max(0, number - BY_THE_HOUR)
            yield since + min(number, BY_THE_HOUR) * HOUR + timedelta(days=days)
            continue
        day += timedelta(days=1)
        while not works(day):
            day += timedelta(days=1)
        yield _morning(day, since)


def _morning(day: date, like: datetime) -> datetime:
    return datetime.combine(day, OFFICE_BEGINS, VIETNAM).astimezone(like.tzinfo)
