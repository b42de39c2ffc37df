"""Switches of the running dialplan: what may be changed at any moment, without a reload.

Each has a name and a few values, the first of which holds until another is set. What is wanted
stands in the database; Asterisk keeps its own copy, and gets it anew after each connect.
A day of the calendar is a switch too: `day.20270208` is `closed` or `open` (a working day, whatever
the calendar says) or `auto`. So is what a number that misused the line may still do:
`block.0912345678` is `off` or LEVEL.EPOCH, until when it holds (see crm.calls.nuisance). `bulletin`
is `none` or the sound that key 8 plays (see crm.bulletins), and so is `points.KIND` for the list of
contact points of a kind (see crm.knowledge.points; the scheduler sets it); `incident` is `none` or
CODE.SOUND[.EPOCH], a case and the sound that every caller hears, until when, and `incident.BRANCH`
is the same for the callers of a branch (see crm.cases.incidents). `limit.QUEUE` is `off` or
MOST.EPOCH, how many may wait there until when, and `limit.line` how many may call at once (see
crm.surge). `node.QUEUE` is the node that holds a queue (see crm.nodes).
"""

from __future__ import annotations

import re
from datetime import date, datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from crm.branches import BRANCHES, EMERGENCY, QUEUES, TOLD_BRANCHES
from crm.errors import HotlineError
from crm.models import Switch
from crm.setting_values import NODE_NAME

BULLETIN = "bulletin"
POINTS = tuple(f"points.{kind}" for kind in ("test", "vaccination", "relief"))
PLAYED = (BULLETIN, *POINTS)  # each names a sound that a leaf plays
_PLAYED_VALUE = re.compile(r"none|[0-9a-f]{20}")
INCIDENT = "incident"
INCIDENTS = (INCIDENT, *(f"{INCIDENT}.{branch}" for branch in TOLD_BRANCHES))
_INCIDENT_VALUE = re.compile(r"none|[0-9]{8}\.[0-9a-f]{20}(\.[0-9]{10})?")
LIMIT = "limit."
LIMITED_LINE = "line"
LIMITED = (LIMITED_LINE, *(queue for queue in QUEUES if queue != EMERGENCY))
_LIMIT_VALUE = re.compile(r"off|[0-9]{1,5}\.[0-9]{10}")
BLOCK = "block."
_BLOCK_VALUE = re.compile(r"off|[123]\.[0-9]{10}")
NODE = "node."
_NODE_VALUE = re.compile(NODE_NAME)
DAY = "day."
DAY_VALUES = ("auto", "open", "closed")
KNOWN: dict[str, tuple[str, ...]] = {
    "overload": ("off", "on"),
    # said after the emergency line
    "notice": ("none", "high_volume", "disaster", "epidemic", "trial"),
    "survey": ("on", "off"),
    # the scheduler stops it where predictions are wrong (crm.calls.waits)
    **{f"wait.{queue}": ("on", "off") for queue in QUEUES if queue != EMERGENCY},
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


def wait_name(queue: str) -> str:
    """The switch of whether a queue's callers are told how long they will wait."""
    return f"wait.{queue}"


def incident_name(branch: str | None) -> str:
    """The switch of the incident that callers of a branch hear of; None: all callers."""
    return INCIDENT if branch is None else f"{INCIDENT}.{branch}"


def limit_name(queue: str) -> str:
    """The switch of how many may wait in a queue, or (LIMITED_LINE) call at once."""
    return LIMIT + queue


def block_name(number: str) -> str:
    """The switch of what a number may still do. Raises SwitchError: no number has this form."""
    if not re.fullmatch(r"\+?[0-9]{3,16}", number):
        raise SwitchError(f"{number!r} is no number that can be shown for a call")
    return BLOCK + number


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


def wanted(session: Session, name: str) -> str | None:
    """What is wanted of a switch; None: nothing was ever set."""
    row = session.get(Switch, name)
    return row.value if row else None


def want(session: Session, name: str, value: str, *, by: str, now: datetime) -> None:
    """Note what is wanted. Raises SwitchError."""
    if name.startswith(BLOCK):
        block_name(name.removeprefix(BLOCK))
        if not _BLOCK_VALUE.fullmatch(value):
            raise SwitchError(f"{name} = {value}: must be off or LEVEL.EPOCH")
    elif name.startswith(NODE):
        if name.removeprefix(NODE) not in QUEUES or not _NODE_VALUE.fullmatch(value):
            raise SwitchError(f"{name} = {value}: move it (hotline nodes move)")
    elif name in PLAYED:
        if not _PLAYED_VALUE.fullmatch(value):
            raise SwitchError(f"{name} = {value}: its sound is set when it has been made")
    elif name.startswith(LIMIT):
        if name.removeprefix(LIMIT) not in LIMITED or not _LIMIT_VALUE.fullmatch(value):
            raise SwitchError(f"{name} = {value}: must be off or MOST.EPOCH")
    elif name in INCIDENTS:
        if not _INCIDENT_VALUE.fullmatch(value):
            raise SwitchError(f"{name} = {value}: start one (hotline incident start)")
    elif value not in allowed(name):
        raise SwitchError(f"{name} = {value}: allowed are {', '.join(allowed(name))}")
    session.merge(Switch(name=name, value=value, set_by=by, set_at=now))
