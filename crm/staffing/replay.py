"""A past day over again: its callers as they came, its agents as they were there, through the
simulation and the formula, beside what really came of it. So the page tells how far it can be
believed.

How long somebody would have waited who was answered is not known, only that it was longer: the rest
is drawn from the mean patience, which does not depend on how long they had waited. What a talk
would have taken with who gave up is drawn from the day's talks. The draws have a seed: the same day
comes out the same.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy.orm import Session

from crm.reports.spans import begin
from crm.settings import Settings
from crm.staffing import history, plan, simulation
from crm.staffing.history import AT_ONCE_MS, SLOT_S, SLOTS, Queued
from crm.staffing.plan import AT_ONCE_S, Basis
from crm.staffing.simulation import Caller, Came

RUNS = 9
FEWEST = 30  # calls: a day of fewer tells nothing


@dataclass(frozen=True)
class Replay:
    """Service levels of a day: as it was, by the simulation (mean, lowest and highest of its runs),
    and by the formula. `staffed`: where the agents come from, journal or roster."""

    day: date
    branch: str
    staffed: str
    real: Came
    simulated: float
    lowest: float
    highest: float
    abandoned: float  # by the simulation
    formula: float | None


def of_day(
    session: Session, settings: Settings, branch: str, day: date, now: datetime
) -> Replay | None:
    """None: there were too few calls, or it is not known who was there."""
    calls = history.queued(session, day, branch)
    if len(calls) < FEWEST or not any(one.answered for one in calls):
        return None
    there, staffed = history.staffed(session, branch, day, now), "journal"
    if not there:
        there, staffed = dict(history.rostered(session, branch, day)), "roster"
    if not there:
        return None
    reckoned = _basis(session, settings, branch, day, calls)
    midnight = begin(day)
    arrivals = [(one.at - midnight).total_seconds() for one in calls]
    runs = [
        simulation.run(
            _callers(calls, arrivals, reckoned.patience_s, day, run), _staff(there),
            reckoned.within_s, AT_ONCE_S,
        )
        for run in range(RUNS)
    ]
    levels = [one.level or 0.0 for one in runs]
    slots = [
        plan.half_hour(reckoned, slot, number, round(there.get(slot, 0)))
        for slot, number in sorted(Counter(history.slot_of(one.at) for one in calls).items())
    ]
    return Replay(
        day, branch, staffed, real(calls, reckoned.within_s), math.fsum(levels) / RUNS,
        min(levels), max(levels), math.fsum(one.abandoned or 0.0 for one in runs) / RUNS,
        plan.level(slots),
    )


def real(calls: Sequence[Queued], within_s: int) -> Came:
    """What became of the day's callers, counted as the simulation counts."""
    answered = [one for one in calls if one.answered]
    return Came(
        len(calls), len(answered), sum(one.waited_ms <= within_s * 1000 for one in answered),
        sum(not one.answered and one.waited_ms <= AT_ONCE_MS for one in calls),
        sum(one.waited_ms for one in answered) / 1000,
    )


def _basis(
    session: Session, settings: Settings, branch: str, day: date, calls: Sequence[Queued]
) -> Basis:
    """The day's own handling, and the patience of the weeks before it and the day."""
    handled = [one.handled_ms for one in calls if one.answered]
    before = plan.basis(session, settings, branch, day + timedelta(days=1))
    return Basis(
        max(1.0, sum(handled) / len(handled) / 1000), before.patience_s, len(handled),
        len(calls) - len(handled), before.within_s, before.level,
    )


def _callers(
    calls: Sequence[Queued], arrivals: Sequence[float], patience_s: float | None, day: date,
    run: int,
) -> list[Caller]:
    import numpy as np

    chance, number = np.random.default_rng((day.toordinal(), run)), len(calls)
    talks = [one.handled_ms / 1000 for one in calls if one.answered]
    others = chance.integers(len(talks), size=number).tolist()
    longer = chance.exponential(patience_s, number).tolist() if patience_s else [math.inf] * number
    return [
        Caller(at, one.handled_ms / 1000, one.waited_ms / 1000 + more) if one.answered else
        Caller(at, talks[other], one.waited_ms / 1000)
        for one, at, other, more in zip(calls, arrivals, others, longer, strict=True)
    ]


def _staff(there: dict[int, float]) -> list[tuple[float, int]]:
    return [(float(slot * SLOT_S), round(there.get(slot, 0))) for slot in range(SLOTS)]
