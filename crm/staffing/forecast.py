"""How many calls will come: the same weekday of the last weeks, the newest most; days off from days
off before them. Beside it stands the naive forecast, the same half-hour a week earlier, and both
are tried on days that have come since: what erred less is used, and both errors are told.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum

from crm.cases.working_days import holidays_of

SLOTS = 48
WEEK = timedelta(days=7)
WEEKS = 8  # of the same weekday
FADES = 0.8  # what a week counts beside the week after it
TRIED = 14  # days that are forecast again, with what was known a week before each
ENOUGH = 28  # days of history for a forecast that can be tried
OFF = 6  # days off that are looked at
YEARS = timedelta(days=800)  # how far back a day off looks for one of its kind

Days = Mapping[date, Sequence[float]]


class Method(StrEnum):
    """How a day was forecast."""

    PROFILE = "profile"
    NAIVE = "naive"


@dataclass(frozen=True)
class Errors:
    """The weighted absolute percentage error: |forecast - came| summed, ÷ what came, over the half-
    hours of `days` tried days. None: they cannot be tried."""

    days: int
    profile: float | None
    naive: float | None

    @property
    def better(self) -> Method:
        if self.profile is None or self.naive is None or self.naive < self.profile:
            return Method.NAIVE
        return Method.PROFILE


@dataclass(frozen=True)
class Forecast:
    """Calls by half-hour; `slots` None: too little is known. `history`: days that are known."""

    day: date
    method: Method
    slots: list[float] | None
    naive: list[float] | None
    errors: Errors
    history: int
    kind: str  # tet | holiday | empty: an ordinary day


def of_day(history: Days, day: date) -> Forecast:
    """A forecast for a day, from what is known of the days before it."""
    before = {one: slots for one, slots in history.items() if one < day}
    errors = tried(before, day)
    profile, last_week = _profile(before, day), _naive(before, day)
    made = {Method.PROFILE: profile, Method.NAIVE: last_week}
    # a day off says nothing of the same weekday after it, nor the other way round
    method = Method.PROFILE if kind(day) or kind(day - WEEK) else errors.better
    if made[method] is None:
        method = next((one for one in made if made[one] is not None), method)
    return Forecast(day, method, made[method], last_week, errors, len(before), kind(day))


def looked_at(day: date) -> tuple[date, list[date]]:
    """What a forecast of a day needs: every day from one on, and days off before it."""
    first = day - (WEEKS + 3) * WEEK - timedelta(days=TRIED)
    off = [
        one for year in range(day.year - 3, day.year + 1) for one in holidays_of(year)
        if timedelta() < first - one < YEARS
    ]
    return first, off


def tried(history: Days, before: date) -> Errors:
    """Both forecasts of the last days, each with nothing but what was known a week before it."""
    came = miss = naive_miss = 0.0
    days = 0
    for day in sorted(one for one in history if one < before)[-TRIED:]:
        known = {one: slots for one, slots in history.items() if one <= day - WEEK}
        if len(known) < ENOUGH - TRIED:
            continue
        profile, last_week = _profile(known, day), _naive(known, day)
        if profile is None or last_week is None:
            continue
        days += 1
        came += sum(history[day])
        miss += _miss(profile, history[day])
        naive_miss += _miss(last_week, history[day])
    if not days or not came:
        return Errors(days, None, None)
    return Errors(days, miss / came, naive_miss / came)


def kind(day: date) -> str:
    """What sort of a day off it is: Tết is like no other."""
    name = holidays_of(day.year).get(day)
    if name is None:
        return ""
    return "tet" if "Tết" in name and "Dương" not in name else "holiday"  # not New Year's Day


def _naive(history: Days, day: date) -> list[float] | None:
    """The same half-hours of the last known day a whole number of weeks before."""
    for weeks in range(1, WEEKS + 1):
        if (slots := history.get(day - weeks * WEEK)) is not None:
            return [float(one) for one in slots]
    return None


def _profile(history: Days, day: date) -> list[float] | None:
    what = kind(day)
    if what:
        alike = sorted(
            (one for one in history if kind(one) == what and day - one < YEARS), reverse=True
        )[:OFF]
        if alike:
            return _mean([(1.0, history[one]) for one in alike])
        day -= timedelta(days=(day.weekday() + 1) % 7)  # none is known: like a Sunday
    weeks = [
        (FADES**back, slots) for back in range(WEEKS + 1)
        if (slots := history.get(day - back * WEEK)) is not None and not kind(day - back * WEEK)
    ]
    return _mean(weeks) if weeks else None


def _mean(days: Sequence[tuple[float, Sequence[float]]]) -> list[float]:
    whole = sum(weight for weight, _slots in days)
    return [
        sum(weight * slots[slot] for weight, slots in days) / whole for slot in range(SLOTS)
    ]


def _miss(forecast: Sequence[float], came: Sequence[float]) -> float:
    return sum(abs(one - other) for one, other in zip(forecast, came, strict=True))
