"""Today's figures of the queues, as the supervisor's page shows them: the measures of the reports
(crm.reports.measures), of what there is of today. Their meaning: crm.reports.glossary.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from crm.models import Call
from crm.reports import measures
from crm.reports.measures import NONE, Measures


@dataclass(frozen=True)
class Day:
    """What came to one branch today. Counts of calls."""

    attempts: int
    answered: int
    abandoned: int  # gave up in the queue
    left_menu: int  # gave up in the menus
    voicemail: int
    in_time: int  # numerator of the service level
    counted: int  # its denominator
    reached: int  # spoke with a person, of ours or outside

    @classmethod
    def of(cls, one: Measures) -> Day:
        return cls(one.calls, one.answered, one.abandoned, one.left_menu, one.voicemail,
                   one.in_time, one.counted, one.reached)


@dataclass(frozen=True)
class Line:
    """How often a telephone outside was rung today, and what came of it."""

    offers: int
    taken: int
    unanswered: int
    refused: int


@dataclass(frozen=True)
class Today:
    """By branch (None: calls that reached none), by half-hour since midnight, by line outside."""

    branches: dict[str | None, Day]
    trend: tuple[Day, ...]
    lines: dict[str, Line]


def today(session: Session, since: datetime, now: datetime, service_level_s: int) -> Today:
    """The figures of the day that begins at `since`. It reads the rows since then, by an index."""
    until = since + timedelta(days=1)
    found = measures.slots(session, since, until, now, service_level_s)
    branches: dict[str | None, Measures] = {}
    trend = [NONE] * (max(0, (min(now, until) - since) // measures.SLOT) + 1)
    for (slot, branch), one in found.items():
        branches[branch or None] = branches.get(branch or None, NONE) + one
        if slot < len(trend):
            trend[slot] += one
    return Today(
        {branch: Day.of(one) for branch, one in branches.items()},
        tuple(map(Day.of, trend)),
        {key[0]: Line(one.offers, one.taken, one.unanswered, one.refused)
         for key, one in measures.parties(session, since, until).items()},
    )


def outcomes(session: Session, since: datetime) -> dict[str | None, int]:
    """Inbound calls by outcome since a moment; None: still going on."""
    rows = session.execute(
        select(Call.outcome, func.count())
        .where(Call.started_at >= since, Call.direction == "in").group_by(Call.outcome)
    )
    return {outcome: int(number) for outcome, number in rows}
