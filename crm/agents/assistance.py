"""An agent who needs help now, without leaving the call: the whole room's supervisors are alarmed,
one of them takes it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from crm.agents.models import HelpCall
from crm.calls.facts import CALL_ID, JournalEvent
from crm.errors import HotlineError
from crm.models import Call

_LOGIN = re.compile(r"[a-z][a-z0-9.]{0,31}")


class HelpError(HotlineError):
    """It cannot be done. `by`: who has taken it already."""

    def __init__(self, sentence: str, by: str = "") -> None:
        super().__init__(sentence)
        self.by = by


def ask(session: Session, agent: str, call_id: str | None, now: datetime) -> HelpCall:
    """Ask for help; who asks already is not asked for twice."""
    if (known := of_agent(session, agent)) is not None:
        return known
    try:
        with session.begin_nested():
            asked = HelpCall(agent=agent, call_id=call_id, asked_at=now)
            session.add(asked)
    except IntegrityError:  # pressed twice at the same moment
        known = of_agent(session, agent)
        if known is None:
            raise
        return known
    return asked


def take(session: Session, help_id: int, by: str, now: datetime) -> None:
    """One supervisor sees to it. Raises HelpError: another does, or it is over."""
    taken = session.execute(
        update(HelpCall)
        .where(
            HelpCall.id == help_id, HelpCall.cleared_at.is_(None),
            HelpCall.taken_by.is_(None) | (HelpCall.taken_by == by),
        )
        .values(taken_by=by, taken_at=now).execution_options(synchronize_session=False)
    )
    if taken.rowcount:  # type: ignore[attr-defined]
        return
    known = session.scalar(select(HelpCall.taken_by).where(
        HelpCall.id == help_id, HelpCall.cleared_at.is_(None)
    ))
    raise HelpError("somebody else sees to it, or it is over", known or "")


def clear(session: Session, help_id: int, by: str, now: datetime) -> None:
    """Help is not needed any longer; said twice it is the same."""
    session.execute(
        update(HelpCall).where(HelpCall.id == help_id, HelpCall.cleared_at.is_(None))
        .values(cleared_at=now, cleared_by=by)
    )


def of_agent(session: Session, agent: str) -> HelpCall | None:
    """What an agent has asked for and still needs."""
    return session.scalar(select(HelpCall).where(
        HelpCall.agent == agent, HelpCall.cleared_at.is_(None)
    ))


def waiting(session: Session) -> list[HelpCall]:
    """Everybody who needs help now, the longest waiting first."""
    return list(session.scalars(
        select(HelpCall).where(HelpCall.cleared_at.is_(None)).order_by(HelpCall.asked_at)
    ))


def apply(session: Session, events: Iterable[JournalEvent]) -> None:
    """Agents with a telephone outside ask by a key, in a call that has not ended since. Who takes
    an agent's call over has helped."""
    for event in events:
        extra = event.extra
        match event.type if event.is_legs else "":
            case "HL_HELP":
                agent, call_id = extra.get("agent", ""), extra.get("call", "")
                if not (_LOGIN.fullmatch(agent) and CALL_ID.fullmatch(call_id)):
                    continue
                call = session.get(Call, call_id, populate_existing=True)
                if call is not None and call.ended_at is None:
                    ask(session, agent, call_id, event.at)
            case "HL_TAKEN" if _LOGIN.fullmatch(by := extra.get("by", "")):
                known = of_agent(session, extra.get("from", ""))
                if known is not None and known.asked_at <= event.at:
                    clear(session, known.id, by, event.at)
