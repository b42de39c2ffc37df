"""Public holidays of Vietnam (Labour Code 45/2019, Art. 112), with the days swapped for them."""

from __future__ import annotations

import functools
from datetime import date

from holidays import HolidayBase, country_holidays


@functools.cache
def holidays_of(year: int) -> dict[date, str]:
    """The public holidays of a year, each with its Vietnamese name."""
    found = country_holidays("VN", years=year, language="vi")
    return dict(sorted(found.items()))


def is_working(day: date) -> bool:
    """Whether offices work on a day: not at weekends and on public holidays, but on those Saturdays
    that were swapped for a holiday."""
    return _calendar(day.year).is_working_day(day)


@functools.cache
def _calendar(year: int) -> HolidayBase:
    return country_holidays("VN", years=year)
