"""Limits for a while: how many may wait in a queue, or call at once, set by who leads the floor.

What the settings say (`queue_limits`, `capacity`) holds again once the time is over, or the limit
is lifted. Who has set it, why and until when is kept for good; what the telephone does is the
switch `limit.QUEUE` (crm.switches), MOST.EPOCH or off, which works and ends with everything else
dead.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from crm import switches
from crm.errors import HotlineError
from crm.models import SurgeLimit

LINE = switches.LIMITED_LINE  # of all callers at once, wherever they are
LONGEST = timedelta(days=7)
LONGEST_REASON = 300


class SurgeError(HotlineError):
    """A limit cannot be set so; one sentence. `code`: queue, most, until, reason, none, changed."""

    def __init__(self, sentence: str, code: str) -> None:
        super().__init__(sentence)
        self.code = code


def limit(
    session: Session, queue: str, most: int, *, until: datetime, reason: str, by: str,
    now: datetime, at_most: int,
) -> SurgeLimit:
    """From now on, until then, no more than `most` may wait there (`at_most`: what it may be). It
    takes the place of the limit that holds there. Raises SurgeError."""
    if queue not in switches.LIMITED:
        raise SurgeError(f"{queue} has no limit", "queue")
    if not (1 if queue == LINE else 0) <= most <= at_most:
        raise SurgeError(f"the limit is at most {at_most}", "most")
    if not now < until <= now + LONGEST:
        raise SurgeError(f"it ends in the next {LONGEST.days} days", "until")
    reason = " ".join(reason.split())[:LONGEST_REASON]
    if not reason:
        raise SurgeError("whoever comes after must know the reason", "reason")
    if (before := holding(session, queue, now)) is not None:
        before.lifted_at, before.lifted_by = now, by
    made = SurgeLimit(queue=queue, most=most, at=now, until=until, reason=reason, by=by)
    session.add(made)
    _set(session, made, by, now)
    return made


def lift(session: Session, number: int, *, by: str, now: datetime) -> SurgeLimit:
    """End a limit before its time. Raises SurgeError: it does not hold (any more)."""
    found = session.get(SurgeLimit, number)
    if found is None or not holds(found, now):
        raise SurgeError("this limit does not hold any more", "none")
    found.lifted_at, found.lifted_by = now, by
    _set(session, found, by, now)
    return found


def holds(one: SurgeLimit, now: datetime) -> bool:
    return one.lifted_at is None and now < one.until


def in_force(session: Session, now: datetime) -> list[SurgeLimit]:
    """The limits that hold, the oldest first."""
    return list(session.scalars(
        select(SurgeLimit).where(SurgeLimit.until > now, SurgeLimit.lifted_at.is_(None))
        .order_by(SurgeLimit.id)
    ))


def holding(session: Session, queue: str, now: datetime) -> SurgeLimit | None:
    return next((one for one in in_force(session, now) if one.queue == queue), None)


def latest(session: Session, count: int) -> list[SurgeLimit]:
    """The last limits, the newest first."""
    return list(session.scalars(select(SurgeLimit).order_by(SurgeLimit.id.desc()).limit(count)))


def switch_of(one: SurgeLimit) -> tuple[str, str]:
    """What Asterisk is told of it: a switch and its value."""
    value = "off" if one.lifted_at else f"{one.most}.{int(one.until.timestamp())}"
    return switches.limit_name(one.queue), value


def _set(session: Session, one: SurgeLimit, by: str, now: datetime) -> None:
    name, value = switch_of(one)
    switches.want(session, name, value, by=by, now=now)
