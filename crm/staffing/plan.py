"""The plan of a day: how many calls are expected in each half-hour, how many agents they need, how
many are rostered, and what would come of two more or two fewer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta

from sqlalchemy.orm import Session

from crm.settings import Settings
from crm.staffing import erlang, forecast, history
from crm.staffing.erlang import Outlook, Queue
from crm.staffing.forecast import Forecast
from crm.staffing.history import AT_ONCE_MS, SLOT_S, SLOTS

LOOKED_BACK = timedelta(days=28)  # for how long calls take, and how long people wait
MORE = 2  # "what if two more"
LONGEST_PATIENCE_S = 3600.0
FEW_GAVE_UP = 20  # with fewer it is not known how long people wait
AT_ONCE_S = AT_ONCE_MS / 1000


@dataclass(frozen=True)
class Basis:
    """What half-hours are reckoned with. `handling_s` None: nobody was answered of late;
    `patience_s` None: too few gave up to tell (then nobody does: Erlang C)."""

    handling_s: float | None
    patience_s: float | None
    answered: int
    abandoned: int
    within_s: int
    level: float


@dataclass(frozen=True)
class HalfHour:
    """`needed` by Erlang C, for the agreed level; `rostered` None: nobody is on that day.
    `outlooks`: by how many agents more or fewer than rostered, or than needed."""

    slot: int
    calls: float
    needed: int
    rostered: int | None
    outlooks: Mapping[int, Outlook]


@dataclass(frozen=True)
class Plan:
    day: date
    branch: str
    forecast: Forecast
    basis: Basis
    slots: list[HalfHour]  # empty: too little is known


def of_day(session: Session, settings: Settings, branch: str, day: date, today: date) -> Plan:
    """The plan of a day, from what was known before `today` (and before it)."""
    known = min(day, today)
    first, off = forecast.looked_at(known)
    counts = history.offered(session, branch, first, known - timedelta(days=1), off)
    found = forecast.of_day(counts, day)
    reckoned = basis(session, settings, branch, known)
    if found.slots is None or reckoned.handling_s is None:
        return Plan(day, branch, found, reckoned, [])
    rostered = history.rostered(session, branch, day)
    return Plan(day, branch, found, reckoned, [
        half_hour(reckoned, slot, found.slots[slot], rostered.get(slot))
        for slot in range(SLOTS)
    ])


def basis(session: Session, settings: Settings, branch: str, before: date) -> Basis:
    """How long calls take and people wait, of the weeks before a day."""
    sums = history.sums(session, branch, before - LOOKED_BACK, before - timedelta(days=1))
    patience = sums.patience_s if sums.abandoned >= FEW_GAVE_UP else None
    return Basis(
        sums.handling_s, min(patience, LONGEST_PATIENCE_S) if patience else None, sums.answered,
        sums.abandoned, settings.service_level_s, settings.service_level_percent / 100,
    )


def half_hour(basis: Basis, slot: int, calls: float, rostered: int | None) -> HalfHour:
    """What a half-hour needs and comes to."""
    handling, level = basis.handling_s or 1.0, min(basis.level, 0.99)
    rate = calls / SLOT_S
    needed = erlang.agents_for(rate, handling, basis.within_s, level)
    there = needed if rostered is None else rostered
    return HalfHour(slot, calls, needed, rostered, {
        more: erlang.outlook(
            Queue(rate, handling, there + more, basis.patience_s), basis.within_s, AT_ONCE_S
        )
        for more in (-MORE, 0, MORE) if there + more >= 0
    })


def level(slots: list[HalfHour], more: int = 0) -> float | None:
    """The level of a whole day with more or fewer agents in each half-hour, by its calls; None:
    nobody calls."""
    calls = sum(one.calls for one in slots)
    if not calls:
        return None
    return sum(
        one.calls * (one.outlooks[more].level if more in one.outlooks else 0.0) for one in slots
    ) / calls
