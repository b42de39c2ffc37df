"""By when a case must be dispatched and answered; each rule names its clock.

Clock time runs through nights, holidays and Tết. Days are counted from the day after the case was
opened (Civil Code 91/2015, Art. 147): working days end with the office hours of the last of them;
calendar days whose last one is no working day end with the next working day (Art. 148).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from enum import StrEnum

from sqlalchemy import select
from sqlalchemy.orm import Session

from crm import switches
from crm.cases.working_days import is_working
from crm.clock import VIETNAM
from crm.models import Switch

DISPATCH = timedelta(minutes=5)  # from opening to an agency, whatever it is about
OFFICE_BEGINS, OFFICE_ENDS = time(8, 0), time(17, 0)


class Clock(StrEnum):
    """What a deadline counts."""

    HOURS = "hours"
    WORKING_DAYS = "working_days"
    DAYS = "days"


@dataclass(frozen=True)
class Deadline:
    """`amount` of a clock. Hours run through nights and holidays."""

    id: str
    clock: Clock
    amount: int


DANGER = Deadline("danger", Clock.HOURS, 1)  # handed over by telephone
RELIEF = Deadline("relief", Clock.HOURS, 5)
URGENT = Deadline("urgent", Clock.WORKING_DAYS, 1)
FIELD = Deadline("field", Clock.WORKING_DAYS, 3)
GENERAL = Deadline("general", Clock.DAYS, 17)
GENERALS = {  # by the setting general_days
    "calendar": GENERAL, "working": Deadline("general", Clock.WORKING_DAYS, 17),
}

WorkingDay = Callable[[date], bool]


def working_days(session: Session) -> WorkingDay:
    """Whether a day is a working day, by the calendar and by the days that were set by hand."""
    wanted = select(Switch.name, Switch.value).where(Switch.name.startswith(switches.DAY))
    set_days: Mapping[date, bool] = {
        day: value == "open"
        for name, value in session.execute(wanted)
        if value != "auto" and (day := switches.day_of(name))
    }
    return lambda day: set_days[day] if day in set_days else is_working(day)


def due(deadline: Deadline, opened_at: datetime, works: WorkingDay) -> datetime:
    """When a case that was opened then is due. Aware UTC in, aware out."""
    if deadline.clock is Clock.HOURS:
        return opened_at + timedelta(hours=deadline.amount)
    day = opened_at.astimezone(VIETNAM).date()
    if deadline.clock is Clock.WORKING_DAYS:
        for _ in range(deadline.amount):
            day = _next_working(day, works)
    else:
        day += timedelta(days=deadline.amount)
        if not works(day):
            day = _next_working(day, works)
    return datetime.combine(day, OFFICE_ENDS, VIETNAM).astimezone(opened_at.tzinfo)


def in_office_hours(now: datetime, works: WorkingDay) -> bool:
    """Whether offices are open: on a working day, from 8:00 until before 17:00."""
    local = now.astimezone(VIETNAM)
    return works(local.date()) and OFFICE_BEGINS <= local.time() < OFFICE_ENDS


def _next_working(day: date, works: WorkingDay) -> date:
    while True:
        day += timedelta(days=1)
        if works(day):
            return day
