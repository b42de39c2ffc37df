"""Days of Vietnam as spans of time."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta

from crm.clock import VIETNAM

_DAY = timedelta(days=1)


def begin(day: date) -> datetime:
    """When a day of Vietnam begins."""
    return datetime.combine(day, time(), VIETNAM)


def gaps(counted: set[date], first: date, last: date) -> list[tuple[date, date]]:
    """The spans of days (both ends included) that are not counted."""
    found: list[tuple[date, date]] = []
    for offset in range((last - first).days + 1):
        day = first + offset * _DAY
        if day in counted:
            continue
        if found and found[-1][1] == day - _DAY:
            found[-1] = found[-1][0], day
        else:
            found.append((day, day))
    return found
