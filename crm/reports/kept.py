"""The measures of past days, kept as rows, so that a long period costs no more as calls pile up.

Days are counted, and counted again for a week, together with those of `crm.reports.calls`; what is
not counted yet is read from the calls themselves, with the same measures.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from datetime import date, datetime, timedelta

from sqlalchemy import delete, func, insert, select
from sqlalchemy.orm import Session

from crm.clock import vietnam_day
from crm.models import AgentEvent, Call
from crm.reports.measures import MAXED, NAMES, NONE, By, Found, Measures, of_day
from crm.reports.models import MEASURE_DAY, CountedDay
from crm.reports.spans import begin, gaps

_KEY = MEASURE_DAY.c["key"]
_SUMS = tuple(
    func.max(MEASURE_DAY.c[name]) if name in MAXED else func.sum(MEASURE_DAY.c[name])
    for name in NAMES
)


def keep(session: Session, day: date, now: datetime, service_level_s: int) -> None:
    """Keep the measures of a day; done again, it puts the new ones in the place of the old."""
    put(session, day, of_day(session, begin(day), now, service_level_s))


def put(session: Session, day: date, found: Found) -> None:
    """Let these be the measures of a day."""
    session.execute(delete(MEASURE_DAY).where(MEASURE_DAY.c.day == day))
    rows = [{"by": by.value, "day": day, "key": key, **asdict(one)}
            for (by, key), one in found.items()]
    if rows:
        session.execute(insert(MEASURE_DAY), rows)


def of_kept(session: Session, day: date) -> Found:
    """The measures that are kept of a day."""
    rows = session.execute(select(MEASURE_DAY).where(MEASURE_DAY.c.day == day)).mappings()
    return {
        (By(row["by"]), row["key"]): Measures(**{name: row[name] for name in NAMES})
        for row in rows
    }


def of_days(
    session: Session, by: By, first: date, last: date, now: datetime, service_level_s: int,
    read: dict[date, Found] | None = None,
) -> dict[str, Measures]:
    """The measures from one day to another (both included), by key. Days that are not counted are
    kept in `read`: whoever asks again with it does not read them again."""
    read = {} if read is None else read
    counted = set(session.scalars(
        select(CountedDay.day).where(CountedDay.day >= first, CountedDay.day <= last)
    ))
    found: dict[str, Measures] = {}
    if counted:
        rows = session.execute(
            select(_KEY, *_SUMS).where(
                MEASURE_DAY.c.by == by.value, MEASURE_DAY.c.day >= first, MEASURE_DAY.c.day <= last
            ).group_by(_KEY)
        )
        found = {row[0]: Measures(*(int(one) for one in row[1:])) for row in rows}
    for day in _days(gaps(counted, max(first, _oldest(session, now)), last)):
        if begin(day) >= now:
            break
        if day not in read:
            read[day] = of_day(session, begin(day), now, service_level_s)
        for (kind, key), one in read[day].items():
            if kind is by:
                found[key] = found.get(key, NONE) + one
    return dict(sorted(found.items()))


def _oldest(session: Session, now: datetime) -> date:
    """The first day of which there is anything: those before were never counted either."""
    known = (
        session.scalar(select(func.min(Call.started_at))),
        session.scalar(select(func.min(AgentEvent.at))),
    )
    return vietnam_day(min((at for at in known if at is not None), default=now))


def _days(spans: list[tuple[date, date]]) -> Iterator[date]:
    for first, last in spans:
        for offset in range((last - first).days + 1):
            yield first + timedelta(days=offset)
