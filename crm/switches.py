"""Switches of the running dialplan: what may be changed at any moment, without a reload.

Each has a name and a few values, the first of which holds until another is set. What is wanted
stands in the database; Asterisk keeps its own copy, and gets it anew after each connect.
A day of the calendar is a switch too: `day.20270208` is `closed` or `open` (a working day, whatever
the calendar says) or `auto`.
"""

from __future__ import annotations

import re
from datetime import date, datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from crm.branches import BRANCHES, EMERGENCY
from crm.errors import HotlineError
from crm.models import Switch

DAY = "day."
DAY_VALUES = ("auto", "open", "closed")
KNOWN: dict[str, tuple[str, ...]] = {
    "overload": ("off", "on"),
    "notice": ("none", "high_volume", "disaster", "trial"),  # said after the emergency line
    "survey": ("on", "off"),
    **{
        f"hours.{branch.id}": ("auto", "open", "closed")
        for branch in BRANCHES if branch.queue and branch.id != EMERGENCY
    },
}


class SwitchError(HotlineError):
    """There is no such switch or value; one sentence that names what is allowed."""


def day_name(day: date) -> str:
    """The switch of a day."""
    return f"{DAY}{day:%Y%m%d}"


def day_of(name: str) -> date | None:
    """The day whose switch this is, if it is one."""
    if not re.fullmatch(r"day\.\d{8}", name):
        return None
    try:
        return date.fromisoformat(name.removeprefix(DAY))
    except ValueError:
        return None


def allowed(name: str) -> tuple[str, ...]:
    """The values a switch may have. Raises SwitchError."""
    if day_of(name):
        return DAY_VALUES
    if name not in KNOWN:
        raise SwitchError(f"there is no switch {name}; there are {', '.join(KNOWN)}, day.YYYYMMDD")
    return KNOWN[name]


def current(session: Session) -> dict[str, str]:
    """Every switch and what is wanted of it, then the days that were set."""
    held = {row.name: row.value for row in session.scalars(select(Switch))}
    days = {name: value for name, value in sorted(held.items()) if day_of(name)}
    return {name: held.get(name, values[0]) for name, values in KNOWN.items()} | days


def want(session: Session, name: str, value: str, *, by: str, now: datetime) -> None:
    """Note what is wanted. Raises SwitchError."""
    if value not in allowed(name):
        raise SwitchError(f"{name} = {value}: allowed are {', '.join(allowed(name))}")
    session.merge(Switch(name=name, value=value, set_by=by, set_at=now))
