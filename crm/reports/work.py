"""What became of cases: by agency, channel, field and area, and what rises.

Each report reads one span of an index of the cases, whatever lies before it.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, case, func, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from crm.cases.life import CONTENT, ENDED
from crm.cases.models import Agency, Case, Status
from crm.database import unindexed
from crm.reports.spans import begin

SMALL = 5  # fewer than this could tell who it was: they are not shown
COMPARED = 7  # days before, for what rises
RISES = 2.0  # times their mean
_ENDED = tuple(ENDED)


@dataclass(frozen=True)
class AgencyDay:
    """Of one agency (none: with no agency yet): cases opened and resolved in the span, and those
    that are past their time at its end."""

    agency: str | None
    received: int
    resolved: int
    overdue: int


@dataclass(frozen=True)
class Cases:
    """Cases opened in a span that have one value of what they are divided by (none: it is not known
    yet), by how they stand: each is in exactly one of on_time to other. `rated` of them have been
    judged by their citizens, `content` well."""

    value: str | None
    on_time: int = 0
    late: int = 0  # resolved after their time
    overdue: int = 0  # still open, past their time
    open: int = 0
    other: int = 0  # refused, or the same as another
    rated: int = 0
    content: int = 0

    @property
    def received(self) -> int:
        return self.on_time + self.late + self.overdue + self.open + self.other

    def __add__(self, more: Cases) -> Cases:
        return Cases(self.value, *(
            getattr(self, name) + getattr(more, name) for name in _COUNTED
        ))


_COUNTED = ("on_time", "late", "overdue", "open", "other", "rated", "content")


@dataclass(frozen=True)
class Rising:
    """More cases than usual; `category` None: of any, `area` None: anywhere."""

    category: str | None
    area: str | None
    cases: int
    usual: float  # mean of the days before, until the same hour


def by_agency(session: Session, since: datetime, until: datetime) -> list[AgencyDay]:
    """By the agencies' names; those that nothing is to be said of are left out."""
    agency = unindexed(Case.agency_id)  # the day finds the rows

    def numbers(*where: ColumnElement[bool]) -> dict[int | None, int]:
        rows = session.execute(select(agency, func.count()).where(*where).group_by(agency))
        return {one: int(number) for one, number in rows}

    received = numbers(Case.opened_at >= since, Case.opened_at < until)
    resolved = numbers(Case.resolved_at >= since, Case.resolved_at < until,
                       unindexed(Case.status).in_(_ENDED))
    overdue = numbers(Case.status.in_(_open()), Case.due_at < until, Case.opened_at < until)
    names = _names(session, {*received, *resolved, *overdue})
    return sorted(
        (
            AgencyDay(names.get(one or 0), received.get(one, 0), resolved.get(one, 0),
                      overdue.get(one, 0))
            for one in {*received, *resolved, *overdue}
        ),
        key=lambda one: (one.agency is None, one.agency or ""),
    )


def of_days(
    session: Session, by: InstrumentedAttribute[Any], first: date, last: date, now: datetime
) -> list[Cases]:
    """Cases opened from one day to another (both included), as they stand at `now`, divided by one
    of their columns; an agency by its name. The most first."""
    ended = Case.status.in_(_ENDED)
    stands = case(
        (~ended & (Case.due_at < now), "overdue"), (~ended, "open"),
        (Case.resolved_at.is_(None), "other"), (Case.resolved_at <= Case.due_at, "on_time"),
        else_="late",
    )
    rows = session.execute(
        select(
            by, stands.label("stands"), func.count(), func.count(Case.satisfaction),
            func.count(case((Case.satisfaction.in_(CONTENT), 1))),
        ).where(
            Case.opened_at >= begin(first), Case.opened_at < begin(last + timedelta(days=1))
        ).group_by(by, "stands")
    ).all()
    names = _names(session, {row[0] for row in rows}) if by is Case.agency_id else None
    found: dict[str | None, Cases] = {}
    for value, state, number, rated, content in rows:
        known = names.get(value) if names is not None else value
        more = Cases(known, rated=int(rated), content=int(content), **{state: int(number)})
        found[known] = found.get(known, Cases(known)) + more
    return sorted(found.values(), key=lambda one: (-one.received, one.value or ""))


def rising(session: Session, day: date, until: datetime) -> list[Rising]:
    """Fields, areas, and fields in an area with at least SMALL cases on that day until `until`, and
    more than RISES times the mean of the COMPARED days before until the same hour; steepest
    first."""
    span = until - begin(day)
    today = _numbers(session, day, span)
    before: Counter[tuple[str | None, str | None]] = Counter()
    for back in range(1, COMPARED + 1):
        before.update(_numbers(session, day - timedelta(days=back), span))
    found = [
        Rising(category, area, number, before[category, area] / COMPARED)
        for (category, area), number in today.items()
        if number >= SMALL and number * COMPARED > RISES * before[category, area]
    ]
    return sorted(found, key=lambda one: (one.usual - one.cases, one.category or "",
                                          one.area or ""))


def _numbers(
    session: Session, day: date, span: timedelta
) -> Counter[tuple[str | None, str | None]]:
    """Cases of a day by (field, area), (field, any) and (any, area); the unnamed count nowhere."""
    numbers: Counter[tuple[str | None, str | None]] = Counter()
    for category, area, number in session.execute(
        select(Case.category, Case.area, func.count())
        .where(Case.opened_at >= begin(day), Case.opened_at < begin(day) + span)
        .group_by(Case.category, Case.area)
    ):
        for place in {(category, area), (category, None), (None, area)} - {(None, None)}:
            numbers[place] += int(number)
    return numbers


def _open() -> list[str]:
    return [one for one in Status if one not in ENDED]


def _names(session: Session, ids: set[int | None]) -> dict[int, str]:
    wanted = [one for one in ids if one is not None]
    rows = session.execute(select(Agency.id, Agency.name).where(Agency.id.in_(wanted)))
    return {row.id: row.name for row in rows}
