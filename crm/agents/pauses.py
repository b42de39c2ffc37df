"""Pauses and how long they may be. The listener notes each pause as Asterisk tells of it, so that
the time of a day counts whatever was closed or restarted meanwhile."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from crm.agents.models import PauseLimit, PauseSpell
from crm.calls import history
from crm.desk import PauseReason
from crm.errors import HotlineError
from crm.models import AgentState, LiveAgent

LONGEST_MIN = 600


class PauseLimitError(HotlineError):
    """These minutes are no limit."""


@dataclass(frozen=True)
class Standing:
    """A pause that goes on: since when, and how long pauses of its reason were today before it."""

    reason: str
    since: datetime
    before_s: int


def note(session: Session, login: str, reason: str | None, now: datetime) -> None:
    """An agent's pause as it is now; None: no pause. What is the same changes nothing."""
    open_one = session.scalar(select(PauseSpell).where(
        PauseSpell.login == login, PauseSpell.ended_at.is_(None)
    ))
    if open_one is not None and open_one.reason == reason:
        return
    if open_one is not None:
        open_one.ended_at = now
        session.flush()  # one open pause for each
    if reason is not None:
        session.add(PauseSpell(login=login, reason=reason, began_at=now))


def standing(session: Session, now: datetime) -> dict[str, Standing]:
    """The pauses that go on, by login."""
    going_on = session.scalars(select(PauseSpell).where(PauseSpell.ended_at.is_(None))).all()
    if not going_on:
        return {}
    midnight = history.day_start(now)
    before: dict[tuple[str, str], float] = {}
    for one in session.scalars(select(PauseSpell).where(
        PauseSpell.login.in_([one.login for one in going_on]),
        PauseSpell.began_at >= midnight, PauseSpell.ended_at.is_not(None),
    )):
        if one.ended_at is not None:
            key = one.login, one.reason
            before[key] = before.get(key, 0) + (one.ended_at - one.began_at).total_seconds()
    return {
        one.login: Standing(
            one.reason, one.began_at, round(before.get((one.login, one.reason), 0))
        )
        for one in going_on
    }


def limits(session: Session) -> dict[str, PauseLimit]:
    """The limits by reason, in the order in which reasons are offered."""
    known = {one.reason: one for one in session.scalars(select(PauseLimit))}
    return {
        reason.value: known.get(reason.value) or PauseLimit(reason=reason.value)
        for reason in PauseReason
    }


def set_limits(
    session: Session, wanted: Mapping[PauseReason, tuple[int | None, int | None]], *, by: str,
    now: datetime,
) -> list[str]:
    """Set the minutes (at once, a day) of each reason; which reasons changed. Raises
    PauseLimitError."""
    changed = []
    for reason, pair in wanted.items():
        if any(one is not None and not 1 <= one <= LONGEST_MIN for one in pair):
            raise PauseLimitError(f"a limit has 1 to {LONGEST_MIN} minutes")
        known = session.get(PauseLimit, reason.value)
        if known is None:
            known = PauseLimit(reason=reason.value)
            session.add(known)
        if (known.at_once_min, known.per_day_min) != pair:
            known.at_once_min, known.per_day_min = pair
            known.changed_at, known.changed_by = now, by
            changed.append(reason.value)
    return changed


def close_abandoned(session: Session, now: datetime) -> None:
    """Pauses of people who are in no queue any more have ended."""
    present = select(LiveAgent.login).where(LiveAgent.state != AgentState.OFFLINE.value)
    session.execute(
        update(PauseSpell)
        .where(PauseSpell.ended_at.is_(None), PauseSpell.login.not_in(present))
        .values(ended_at=now).execution_options(synchronize_session=False)
    )
