"""Numbers outside that agents have rung, and how many one may ring: whoever steals a session, or
a phone's secret, must not ring half the world at the province's cost.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import func, select, true
from sqlalchemy.orm import Session

from crm.errors import HotlineError
from crm.models import Call, RingOut
from crm.notices import outbox
from crm.settings import Settings


class Limit(StrEnum):
    HOUR = "hour"
    DAY = "day"
    TOGETHER = "day of all agents"


class TooManyError(HotlineError):
    """The agent has rung as many numbers as one may. `until`: when the next may be rung."""

    def __init__(self, limit: Limit, until: datetime) -> None:
        super().__init__(f"too many calls out in one {limit}, until {until}")
        self.limit = limit
        self.until = until


def may_be_rung(settings: Settings, number: str) -> bool:
    """As the dialplan has it (hl-outside), which would ring nobody."""
    return number in settings.help_lines or number.startswith(settings.transfer_prefixes)


def note(
    session: Session, settings: Settings, number: str, login: str, now: datetime,
    call: str | None = None,
) -> None:
    """Write down that somebody rings a number; `call` is the call in vain that is rung back.

    Whoever reaches a limit alarms the engineers. Raises TooManyError above it, but never where an
    emergency call is rung back or a help line is called in.
    """
    free = number in settings.help_lines or _is_emergency(session, call, number)
    mine = RingOut.by == login
    for limit, whose, within, most in (
        (Limit.HOUR, mine, timedelta(hours=1), settings.calls_out_hour),
        (Limit.DAY, mine, timedelta(days=1), settings.calls_out),
        (Limit.TOGETHER, true(), timedelta(days=1), settings.calls_out_together),
    ):
        rung, first = session.execute(
            select(func.count(), func.min(RingOut.at))
            .where(whose, RingOut.at > now - within)
        ).one()
        if rung >= most and not free:
            raise TooManyError(limit, (first or now) + within)
        if rung + 1 == most:
            outbox.alarm(
                session, settings, now=now,
                subject="calls out" if limit is Limit.TOGETHER else f"calls out of {login}",
                body=f"{most} numbers rung in one {limit}, the last by {login}: toll fraud?"
                if limit is Limit.TOGETHER
                else f"{login} has rung {most} numbers in one {limit}: toll fraud?",
            )
    session.add(RingOut(number=number, by=login, call_id=call, at=now))


def _is_emergency(session: Session, call: str | None, number: str) -> bool:
    record = session.get(Call, call) if call else None
    return record is not None and record.emergency and record.caller == number
