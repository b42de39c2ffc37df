"""Forecasts against the naive one, on days that were held out."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crm.staffing import forecast
from crm.staffing.forecast import Method

DAY = timedelta(days=1)
MONDAY = date(2026, 9, 21)  # a week without holidays
SHAPE = [max(0.0, 10 - abs(slot - 20) * 0.6) for slot in range(48)]


def weeks(number: int, chance: np.random.Generator | None = None) -> dict[date, list[float]]:
    """Days before MONDAY: busy mornings, quiet weekends, by chance where there is one."""
    found = {}
    for back in range(1, number * 7 + 1):
        day = MONDAY - back * DAY
        mean = [value * (0.3 if day.weekday() > 4 else 1 + 0.1 * day.weekday()) for value in SHAPE]
        found[day] = [float(chance.poisson(one)) for one in mean] if chance else mean
    return found


def test_the_mean_of_weeks_errs_less_than_the_last_week_alone_and_is_used() -> None:
    found = forecast.of_day(weeks(12, np.random.default_rng(7)), MONDAY)
    assert found.errors.days == forecast.TRIED
    assert found.errors.profile is not None
    assert found.errors.naive is not None
    assert found.errors.profile < found.errors.naive
    assert (found.method, found.history) == (Method.PROFILE, 84)
    assert found.slots is not None
    assert sum(found.slots) == pytest.approx(sum(SHAPE), rel=0.15)


def test_where_the_last_week_is_right_it_is_used() -> None:
    days = weeks(12)
    for day in days:
        if MONDAY - day <= 24 * DAY:  # much has come since: an epidemic
            days[day] = [one * 6 for one in days[day]]
    found = forecast.of_day(days, MONDAY)
    assert found.method is Method.NAIVE
    assert found.slots == days[MONDAY - 7 * DAY]
    assert found.errors.naive is not None
    assert found.errors.profile is not None
    assert found.errors.naive < found.errors.profile


@pytest.mark.parametrize(("known", "untried"), [(0, True), (1, True), (2, True), (6, False)])
def test_a_short_history_is_told_and_untried_errors_are_no_numbers(
    known: int, untried: bool
) -> None:
    found = forecast.of_day(weeks(known), MONDAY)
    assert found.history == known * 7
    assert (found.slots is None) == (known == 0)
    assert (found.errors.profile is None) == untried


def test_days_off_are_like_days_off_and_tet_like_tet() -> None:
    days = weeks(60)
    tet = date(2026, 2, 17)  # the first day of the year of the horse
    assert forecast.kind(tet) == "tet"
    assert forecast.kind(date(2027, 1, 1)) == "holiday"
    assert forecast.kind(MONDAY) == ""
    off = [one for one in days if forecast.kind(one) == "tet"]
    for one in off:
        days[one] = [2.0] * 48
    coming = date(2027, 2, 6)
    found = forecast.of_day(days, coming)
    assert found.kind == "tet"
    assert found.slots == [2.0] * 48
    # an ordinary day is not drawn down by a day off a week before it
    day = date(2026, 5, 8)
    before = {one: slots for one, slots in days.items() if one < day}
    holiday = day - 7 * DAY
    assert forecast.kind(holiday) == "holiday"
    spoilt = {**before, holiday: [0.0] * 48}
    whole, other = forecast.of_day(before, day), forecast.of_day(spoilt, day)
    assert whole.slots is not None
    assert other.slots is not None
    assert sum(other.slots) == pytest.approx(sum(whole.slots), rel=0.1)


def test_what_a_forecast_needs_is_named_beforehand() -> None:
    first, off = forecast.looked_at(date(2027, 2, 6))
    assert first < date(2026, 12, 1)
    assert date(2026, 2, 17) in off
    assert all(forecast.kind(one) for one in off)
    assert max(off) < first


@settings(max_examples=30)
@given(st.integers(0, 10), st.integers(0, 400), st.integers(0, 2**32 - 1))
def test_no_forecast_looks_into_the_future(known: int, ahead: int, seed: int) -> None:
    days = weeks(known, np.random.default_rng(seed))
    day = MONDAY - 7 * DAY
    later = {one: [1e9] * 48 for one in days if one >= day}
    assert forecast.of_day(days, day) == forecast.of_day({**days, **later}, day)
    far = forecast.of_day(days, MONDAY + ahead * DAY)
    assert far.slots is None or all(0 <= one < 1e6 for one in far.slots)
