"""Agents' shifts: when they were signed in, ready or paused, from what the journal says (HL_STATE).

Each command that signs an agent in or out, pauses them or ends a pause is noted by the dialplan of
that Asterisk once it is done. What the queues do by themselves is not: wrap-ups and talks stand in
the calls' segments.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from crm.calls.facts import CALL_ID, LONGEST_WRAPUP_S, JournalEvent
from crm.calls.segments import What
from crm.models import AgentEvent, CallSegment

LONGEST_SHIFT = timedelta(hours=16)  # without a word of the agent: whoever left without signing out

Span = tuple[datetime, datetime]


class Told(StrEnum):
    READY = "ready"
    PAUSED = "paused"
    OUT = "out"
    OVER = "over"  # the wrap-up; what they were before, they are


@dataclass(frozen=True)
class Shift:
    """What an agent did in a span of time."""

    signed_in: tuple[Span, ...]
    paused: tuple[Span, ...]


def apply(session: Session, events: Sequence[JournalEvent]) -> None:
    """Take in what agents told the queues. Events that come twice change nothing."""
    for event in events:
        if event.type != "HL_STATE" or not CALL_ID.fullmatch(event.uniqueid):
            continue
        agent, state = event.extra.get("agent", ""), event.extra.get("state", "")
        if not 0 < len(agent) <= 32 or state not in set(Told):
            continue
        row = session.merge(AgentEvent(
            id=event.uniqueid, agent=agent, at=event.at, state=state,
            reason=event.extra.get("reason", "")[:16] or None,
        ))
        session.flush()
        for wrapup in session.scalars(select(CallSegment).where(
            CallSegment.agent == agent, CallSegment.what == What.WRAPUP.value,
            CallSegment.started_at < row.at,
            CallSegment.started_at > row.at - timedelta(seconds=LONGEST_WRAPUP_S),
        )):
            wrapup.ms = min(wrapup.ms, _ms(row.at - wrapup.started_at))


def cut_wrapups(session: Session, segments: Iterable[dict[str, Any]]) -> None:
    """Let wrap-ups end where their agents have said something before their time was over."""
    wrapups = [one for one in segments if one["what"] == What.WRAPUP.value and one["agent"]]
    if not wrapups:
        return
    ends = [one["started_at"] + timedelta(milliseconds=one["ms"]) for one in wrapups]
    told = session.execute(select(AgentEvent.agent, AgentEvent.at).where(
        AgentEvent.at > min(one["started_at"] for one in wrapups), AgentEvent.at < max(ends),
        AgentEvent.agent.in_({one["agent"] for one in wrapups}),
    )).all()
    for one in wrapups:
        for agent, at in told:
            if agent == one["agent"] and at > one["started_at"]:
                one["ms"] = min(one["ms"], _ms(at - one["started_at"]))


def shifts(session: Session, since: datetime, until: datetime) -> Mapping[str, Shift]:
    """What agents did from one moment to another, by login."""
    before = select(AgentEvent.agent, func.max(AgentEvent.at)).where(
        AgentEvent.at > since - LONGEST_SHIFT, AgentEvent.at <= since,
        AgentEvent.state != Told.OVER.value,
    ).group_by(AgentEvent.agent)
    at_first = dict(session.execute(before).all())
    found: dict[str, list[AgentEvent]] = {}
    first = min(at_first.values(), default=since)
    for event in session.scalars(
        select(AgentEvent).where(
            AgentEvent.at >= first, AgentEvent.at < until, AgentEvent.state != Told.OVER.value
        )
        .order_by(AgentEvent.at, AgentEvent.id)
    ):
        if event.at >= at_first.get(event.agent, since):
            found.setdefault(event.agent, []).append(event)
    return {agent: _shift(events, since, until) for agent, events in found.items()}


def _shift(events: list[AgentEvent], since: datetime, until: datetime) -> Shift:
    signed_in: list[Span] = []
    paused: list[Span] = []
    ends = [event.at for event in events[1:]] + [until]
    for event, end in zip(events, ends, strict=True):
        span = max(event.at, since), min(end, event.at + LONGEST_SHIFT, until)
        if event.state == Told.OUT or span[1] <= span[0]:
            continue
        signed_in.append(span)
        if event.state == Told.PAUSED:
            paused.append(span)
    return Shift(tuple(signed_in), tuple(paused))


def _ms(span: timedelta) -> int:
    return span // timedelta(milliseconds=1)
