"""Callers who misuse the line: restricted step by step, for a time, never kept from emergency.

Step 1 is warned and then served, 2 can only leave a message, 3 only reaches emergency. A step may
be taken only when the one before it was, within half a year; each ends by itself. Who has
restricted whom, why and until when is kept for good, so that it can be reviewed; what the telephone
does is the switch `block.NUMBER` (crm.switches), which works with everything else dead.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from crm import switches
from crm.calls.rows import iso
from crm.errors import HotlineError
from crm.models import Restriction

LONGEST_DAYS = {1: 90, 2: 30, 3: 7}
REMEMBERED = timedelta(days=180)


class NuisanceError(HotlineError):
    """A number cannot be restricted so; one sentence for whoever asked."""


def restrict(
    session: Session, number: str, *, step: int, days: int, reason: str, by: str, now: datetime
) -> Restriction:
    """Restrict a number, as calls show it, from now on. Raises NuisanceError."""
    if step not in LONGEST_DAYS:
        raise NuisanceError("a step is 1 (warned), 2 (message only) or 3 (emergency only)")
    if not 1 <= days <= LONGEST_DAYS[step]:
        raise NuisanceError(f"step {step} holds for 1 to {LONGEST_DAYS[step]} days")
    if not reason.strip():
        raise NuisanceError("whoever reviews this must know the reason")
    before = [
        one.step for one in of_number(session, number) if one.at > now - REMEMBERED
    ]
    if step > 1 and step - 1 not in before and step not in before:
        raise NuisanceError(f"step {step} comes after step {step - 1}: no number begins with it")
    made = Restriction(
        number=number, step=step, at=now, until=now + timedelta(days=days),
        reason=reason.strip()[:300], by=by,
    )
    _set(session, number, f"{step}.{int(made.until.timestamp())}", by, now)
    session.add(made)
    return made


def lift(session: Session, number: str, *, reason: str, by: str, now: datetime) -> None:
    """End what holds of a number before its time. Raises NuisanceError."""
    holding = [one for one in of_number(session, number) if holds(one, now)]
    if not holding:
        raise NuisanceError(f"nothing holds of {number}")
    if not reason.strip():
        raise NuisanceError("whoever reviews this must know the reason")
    for one in holding:
        one.lifted_at, one.lifted_by, one.lifted_why = now, by, reason.strip()[:300]
    _set(session, number, "off", by, now)


def of_number(session: Session, number: str) -> list[Restriction]:
    """All that was ever held against a number, oldest first."""
    found = select(Restriction).where(Restriction.number == number).order_by(Restriction.id)
    return list(session.scalars(found))


def latest(session: Session, limit: int) -> list[Restriction]:
    """The last `limit` restrictions, oldest first."""
    newest = select(Restriction).order_by(Restriction.id.desc()).limit(limit)
    return list(session.scalars(newest))[::-1]


def holds(one: Restriction, now: datetime) -> bool:
    return one.lifted_at is None and now < one.until


def as_json(one: Restriction, now: datetime) -> dict[str, Any]:
    """A restriction for programs. Times are ISO 8601 in UTC."""
    return {
        "number": one.number, "step": one.step, "at": iso(one.at), "until": iso(one.until),
        "reason": one.reason, "by": one.by, "holds": holds(one, now),
        "lifted_at": iso(one.lifted_at) if one.lifted_at else None,
        "lifted_by": one.lifted_by, "lifted_why": one.lifted_why,
    }


def _set(session: Session, number: str, value: str, by: str, now: datetime) -> None:
    try:
        switches.want(session, switches.block_name(number), value, by=by, now=now)
    except switches.SwitchError as error:
        raise NuisanceError(str(error)) from error
