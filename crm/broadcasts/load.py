"""How fast a broadcast may go, so that the hotline can take the calls that come back.

    calls an hour that fit  =  share × the smaller of what agents and what lines can take
    messages an hour        =  calls that fit ÷ the part of recipients who call back

Agents are those who are signed in now; how long a call takes and who calls back is measured, and
assumed only where there is nothing to measure it by. Broadcasts that run at once divide it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from crm.broadcasts.models import Broadcast, Stage
from crm.models import AgentState, Call, LiveAgent
from crm.notices.models import Notice
from crm.settings import Settings

BACK_WITHIN = timedelta(days=1)
PAST = 5  # broadcasts of the same channel that tell how many call back
ENOUGH_TOLD = 100  # recipients
CALL_S = 240  # talking time where there are too few calls to measure
MEASURED_OVER, ENOUGH = timedelta(days=7), 30
MENU_S = 60  # what a caller's line is busy before somebody answers
RATED_FOR = timedelta(minutes=1)
BURST = timedelta(seconds=5)  # what may be made up for at once, after a pause of the workers


@dataclass(frozen=True)
class Load:
    """What is to be expected. `per_hour`: messages; 0: nobody could take the calls."""

    agents: int
    lines: int
    call_s: int  # an agent's time for one call
    back: float  # part of the recipients who call back
    measured: bool  # `back` is that of past broadcasts
    fitting: int  # calls an hour that fit
    per_hour: int
    calls: int  # that come back in all
    minutes: int | None  # until everybody has it; None: never at this rate


def expected(
    session: Session, settings: Settings, broadcast: Broadcast, recipients: int, now: datetime
) -> Load:
    """The load of a broadcast to so many, as things stand."""
    agents = session.scalar(
        select(func.count(LiveAgent.login)).where(
            LiveAgent.state.not_in((AgentState.OFFLINE, AgentState.UNREACHABLE))
        )
    ) or 0
    call_s = _call_s(session, now) + settings.wrapup_s
    back, measured = _back(session, settings, broadcast.channel)
    lines = settings.admitted
    by_agents = agents * 3600 / call_s
    by_lines = lines * 3600 / (call_s + MENU_S)
    fitting = min(by_agents, by_lines) * settings.broadcast_share_percent / 100
    most = 60 * min(broadcast.most_per_minute, settings.broadcast_per_minute)
    beside = session.scalar(
        select(func.count(Broadcast.id)).where(
            Broadcast.stage == Stage.RUNNING, Broadcast.id != (broadcast.id or 0)
        )
    ) or 0
    share = most if broadcast.urgent else min(most, int(fitting / back))
    per_hour = share // (1 + beside) if beside else share
    return Load(
        agents, lines, call_s, back, measured, int(fitting), per_hour, round(recipients * back),
        -(-recipients * 60 // per_hour) if per_hour else None,
    )


def allowed(
    session: Session, settings: Settings, broadcast: Broadcast, now: datetime, at_most: int
) -> int:
    """How many messages may go now, of all workers together; the broadcast is locked. What is
    allowed is noted as gone: the next one may go later."""
    if broadcast.rated_at is None or now - broadcast.rated_at >= RATED_FOR:
        broadcast.per_hour = expected(session, settings, broadcast, 0, now).per_hour
        broadcast.rated_at = now
    if not broadcast.per_hour:
        return 0
    next_at = _next_at(broadcast, now)
    if next_at > now:
        return 0
    apart = timedelta(hours=1) / broadcast.per_hour
    return min(at_most, int((now - next_at) / apart) + 1)


def gone(broadcast: Broadcast, count: int, now: datetime) -> None:
    """So many go now."""
    if count and broadcast.per_hour:
        apart = timedelta(hours=1) / broadcast.per_hour
        broadcast.next_at = _next_at(broadcast, now) + count * apart


def _next_at(broadcast: Broadcast, now: datetime) -> datetime:
    return max(broadcast.next_at or now - BURST, now - BURST)


def count_back(session: Session, now: datetime) -> int:
    """Count who called within a day of being told, once that day is over; how many broadcasts."""
    over = list(session.scalars(
        select(Broadcast).where(
            Broadcast.stage == Stage.DONE, Broadcast.called_back.is_(None),
            Broadcast.ended_at < now - BACK_WITHIN,
        ).limit(5)
    ))
    for broadcast in over:
        last = (broadcast.ended_at or now) + BACK_WITHIN
        # a pair of each recipient and each call of theirs within the days of the broadcast
        pairs = session.execute(
            select(Notice.id, Notice.sent_at, Call.started_at).join(
                Call, Call.caller == Notice.recipient
            ).where(
                Notice.broadcast_id == broadcast.id, Notice.sent_at.is_not(None),
                Call.direction == "in", Call.started_at >= broadcast.started_at,
                Call.started_at <= last,
            )
        )
        broadcast.called_back = len({
            id_ for id_, sent_at, at in pairs if sent_at and sent_at <= at <= sent_at + BACK_WITHIN
        })
    return len(over)


def _back(session: Session, settings: Settings, channel: str) -> tuple[float, bool]:
    past = session.execute(
        select(Broadcast.called_back, Broadcast.recipients).where(
            Broadcast.channel == channel, Broadcast.called_back.is_not(None),
            Broadcast.recipients > 0,
        ).order_by(Broadcast.ended_at.desc()).limit(PAST)
    ).all()
    told = sum(recipients for _, recipients in past)
    if told < ENOUGH_TOLD:
        return settings.broadcast_back_percent / 100, False
    return max(0.001, sum(back or 0 for back, _ in past) / told), True


def _call_s(session: Session, now: datetime) -> int:
    count, talk = session.execute(
        select(func.count(Call.id), func.avg(Call.talk_ms)).where(
            Call.started_at > now - MEASURED_OVER, Call.direction == "in", Call.talk_ms > 0
        )
    ).one()
    return max(30, round(float(talk) / 1000)) if count >= ENOUGH else CALL_S


