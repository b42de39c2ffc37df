"""What callers were told of their wait, beside what it came to.

Each caller who waits is predicted an interval (the dialplan, from the queue's recent talk times),
kept in the journal whether it is said or not. Where too few waits end within it, it is no longer
said (switch `wait.QUEUE`), until the predictions are right again.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import case, func, select
from sqlalchemy.orm import Session

from crm import switches
from crm.branches import EMERGENCY, QUEUES
from crm.models import Call

JUDGED_BY = timedelta(hours=2)  # the last predictions count
ENOUGH = 20  # waits, to judge by
RIGHT_SHARE = 0.5  # of the waits within what was told, for it to be said on
TELLING = tuple(queue for queue in QUEUES if queue != EMERGENCY)


@dataclass(frozen=True)
class Accuracy:
    """Of one queue: waits that ended with a person, and how they compare with what was predicted.

    `off_by_s`: mean distance (s) from the interval, 0 for those within.
    """

    waits: int
    within: int
    off_by_s: float

    @property
    def is_right(self) -> bool:
        return self.within >= RIGHT_SHARE * self.waits


def accuracy(session: Session, since: datetime, until: datetime) -> dict[str, Accuracy]:
    """By queue, for calls that began in that time."""
    wait_s = Call.wait_ms / 1000.0
    early, late = Call.wait_from_s - wait_s, wait_s - Call.wait_to_s
    off = case((early > 0, early), (late > 0, late), else_=0.0)
    within = case((off == 0, 1), else_=0)
    rows = session.execute(
        select(Call.queue, func.count(), func.sum(within), func.avg(off)).where(
            Call.started_at >= since, Call.started_at < until, Call.answered_at.is_not(None),
            Call.wait_from_s.is_not(None), Call.wait_ms.is_not(None), Call.queue.is_not(None),
        ).group_by(Call.queue)
    )
    return {
        str(queue): Accuracy(int(waits), int(right or 0), round(float(distance or 0), 1))
        for queue, waits, right, distance in rows
    }


def judge(session: Session, now: datetime) -> dict[str, str]:
    """Note where the wait is to be told from now on; the switches that change, by name."""
    changed = {}
    for queue, found in accuracy(session, now - JUDGED_BY, now).items():
        name = switches.wait_name(queue)
        if queue not in TELLING or found.waits < ENOUGH:
            continue
        value = "on" if found.is_right else "off"
        if value != (switches.wanted(session, name) or "on"):
            switches.want(session, name, value, by="scheduler", now=now)
            changed[name] = value
    return changed


def as_json(found: dict[str, Accuracy]) -> list[dict[str, Any]]:
    return [
        {
            "queue": queue, "waits": one.waits, "within": one.within,
            "share": round(one.within / one.waits, 3), "off_by_s": one.off_by_s,
        }
        for queue, one in sorted(found.items())
    ]
