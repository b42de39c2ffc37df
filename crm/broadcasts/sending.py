"""Send a running broadcast, by any number of workers, to each recipient at most once.

The rows of the outbox are the truth; a job only wakes a worker (scripts.broadcasts). A worker
claims a handful, sends them all at once and notes what became of them. What it held when it was
killed, and what a provider may have taken although it did not say so, is `unknown`: it is not sent
again, and becomes delivered or failed when its provider reports on it. The message's own id goes
with it as the reference by which providers know it again.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import exists, func, or_, select
from sqlalchemy.orm import Session

from crm.broadcasts import life, load, texts
from crm.broadcasts.models import Broadcast, BroadcastEvent, Stage
from crm.database import Database
from crm.models import Leg
from crm.notices import hours, outbox, receipts, voice
from crm.notices.delivery import (
    Outgoing,
    Route,
    Routes,
    Undelivered,
    outgoing_of,
    without_numbers,
)
from crm.notices.models import Channel, Notice, OptOut, State, StrayReceipt
from crm.notices.states import move
from crm.settings import Settings

log = logging.getLogger(__name__)

LEASE = timedelta(minutes=2)  # longer than any adapter may take
ATTEMPTS = 6  # of what was certainly not taken
FIRST_RETRY = timedelta(seconds=30)
AT_ONCE = 16  # messages that a worker has on their way
DOUBTFUL = 20  # messages that were refused
THROTTLED = timedelta(seconds=30)
RING_AGAIN = timedelta(minutes=20)
_RINGING = timedelta(seconds=60)


@dataclass(frozen=True)
class _Fate:
    """What became of one message: `provider_id`, or what went wrong."""

    outgoing: Outgoing
    provider_id: str = ""
    error: Exception | None = None


def turn(
    database: Database, settings: Settings, routes: Routes, executor: Executor,
    clock: Callable[[], datetime], broadcast_id: int,
) -> int:
    """Claim, send and note a handful; how many. 0: nothing may go now."""
    with database.transaction() as session:
        claimed = _claim(session, settings, routes, broadcast_id, clock())
    if claimed is None:
        return 0
    route, outgoing = claimed
    fates = list(executor.map(lambda one: _send(route, one), outgoing))
    with database.transaction() as session:
        _note(session, broadcast_id, {fate.outgoing.id: fate for fate in fates}, clock())
    return len(fates)


def tend(session: Session, settings: Settings, broadcast_id: int, now: datetime) -> Broadcast:
    """See to what workers have left behind, and end what is at its end."""
    broadcast = life.locked(session, broadcast_id)
    mine = Notice.broadcast_id == broadcast_id
    for notice in session.scalars(
        select(Notice).where(mine, Notice.state == State.SENDING, Notice.next_attempt_at <= now)
        .with_for_update(skip_locked=True)
    ):
        move(notice, State.UNKNOWN, now)
        notice.error = "its worker never came back: it may have gone or not"
        log.error("notice %d of broadcast %d: %s", notice.id, broadcast_id, notice.error)
    if broadcast.channel == Channel.VOICE:
        _ring_again(session, settings, broadcast, now)
    open_states = [State.WAITING, State.SENDING]
    if broadcast.channel == Channel.VOICE:
        open_states.append(State.SENT)  # may still be heard, or rung again
    left = session.scalar(select(Notice.id).where(mine, Notice.state.in_(open_states)).limit(1))
    if broadcast.stage == Stage.RUNNING and left is not None:
        _doubt(session, settings, broadcast, now)
    if broadcast.stage == Stage.RUNNING and left is None:
        life.move(broadcast, Stage.DONE)
        broadcast.ended_at = now
        life.note(session, broadcast, "ended", life.SYSTEM, now)
    return broadcast


def at_work(session: Session) -> list[int]:
    """Broadcasts that run, or have something on its way."""
    under_way = select(Notice.broadcast_id).where(
        Notice.broadcast_id == Broadcast.id, Notice.state == State.SENDING
    )
    return list(session.scalars(
        select(Broadcast.id).where(or_(
            Broadcast.stage == Stage.RUNNING,
            Broadcast.stage.in_((Stage.PAUSED, Stage.STOPPED)) & exists(under_way),
        )).order_by(Broadcast.id)
    ))


def _claim(
    session: Session, settings: Settings, routes: Routes, broadcast_id: int, now: datetime
) -> tuple[Route, list[Outgoing]] | None:
    """The next messages, which are this worker's for LEASE. The broadcast's own lock keeps the
    rate over all workers, and makes sure that after a pause nothing more begins."""
    broadcast = life.locked(session, broadcast_id)
    route = routes.get(Channel(broadcast.channel))
    if broadcast.stage != Stage.RUNNING or route is None:
        return None
    if hours.are_quiet(now, settings.quiet_hours) and not broadcast.urgent:
        return None
    at_most = AT_ONCE
    if broadcast.channel == Channel.VOICE:
        at_most = min(at_most, _free_legs(session, settings, now))
    count = load.allowed(session, settings, broadcast, now, at_most) if at_most > 0 else 0
    if not count:
        return None
    found = list(session.scalars(
        select(Notice).where(
            Notice.broadcast_id == broadcast_id, Notice.state == State.WAITING,
            Notice.next_attempt_at <= now,
        ).order_by(Notice.next_attempt_at, Notice.id).limit(count)
        .with_for_update(skip_locked=True)
    ))
    unwanted = set(session.scalars(select(OptOut.recipient).where(
        OptOut.recipient.in_([one.recipient for one in found])
    )))
    claimed = []
    for notice in found:
        if notice.recipient in unwanted:
            move(notice, State.SUPPRESSED, now)
            continue
        move(notice, State.SENDING, now)
        notice.attempts += 1
        notice.next_attempt_at = now + LEASE
        notice.provider = route.provider
        outgoing = outgoing_of(notice)
        if broadcast.channel == Channel.VOICE:
            # its id is ours: what was heard is known even of a killed worker's call
            notice.provider_id = voice.call_of(settings.node, outgoing)
        claimed.append(outgoing)
    load.gone(broadcast, len(claimed), now)
    return route, claimed


def _send(route: Route, outgoing: Outgoing) -> _Fate:
    try:
        return _Fate(outgoing, provider_id=route.send(outgoing))
    except Undelivered as error:
        return _Fate(outgoing, error=error)
    except Exception as error:  # a fault of ours: whether it went nobody knows
        log.exception("notice %d: the adapter of %s failed", outgoing.id, route.provider)
        return _Fate(outgoing, error=error)


def _note(
    session: Session, broadcast_id: int, fates: Mapping[int, _Fate], now: datetime
) -> None:
    # in this order everywhere: the broadcast, then its messages
    broadcast = life.locked(session, broadcast_id)
    rows = session.scalars(
        select(Notice).where(Notice.id.in_(fates)).order_by(Notice.id).with_for_update()
    ).all()
    early = set(session.scalars(select(StrayReceipt.provider_id).where(
        StrayReceipt.provider_id.in_([fate.provider_id for fate in fates.values()])
    )))
    for notice in rows:
        fate = fates[notice.id]
        late = notice.state == State.UNKNOWN and fate.error is None  # it took longer than LEASE
        if notice.attempts != fate.outgoing.attempt or not (
            late or notice.state == State.SENDING
        ):
            continue  # its provider's report was faster
        if fate.error is not None:
            _not_taken(broadcast, notice, fate.error, now)
            continue
        move(notice, State.SENT, now)
        notice.sent_at, notice.provider_id, notice.error = now, fate.provider_id, None
        if fate.provider_id in early:
            receipts.catch_up(session, notice, now)


def _not_taken(broadcast: Broadcast, notice: Notice, error: Exception, now: datetime) -> None:
    notice.error = without_numbers(error)
    if not isinstance(error, Undelivered) or error.unsure:
        move(notice, State.UNKNOWN, now)
        return
    if error.throttled:
        later = now + (error.after or THROTTLED)
        broadcast.next_at = max(broadcast.next_at or later, later)
    if error.final or notice.attempts >= ATTEMPTS:
        move(notice, State.FAILED, now)
    elif broadcast.stage == Stage.STOPPED:
        move(notice, State.WAITING, now)
        move(notice, State.CANCELLED, now)
    else:
        move(notice, State.WAITING, now)
        notice.next_attempt_at = now + FIRST_RETRY * 2 ** (notice.attempts - 1)


def _free_legs(session: Session, settings: Settings, now: datetime) -> int:
    """How many more may be rung: calls that have not ended, or may not have, are counted."""
    longest = session.scalar(
        select(func.max(func.length(Broadcast.text))).where(
            Broadcast.channel == Channel.VOICE, Broadcast.stage.in_((Stage.RUNNING, Stage.PAUSED))
        )
    ) or 0
    lasts = _RINGING + 2 * timedelta(seconds=longest / texts.LETTERS_A_SECOND + 10)
    over = select(Leg.id).where(Leg.call_id == Notice.provider_id, Leg.ended_at.is_not(None))
    busy = session.scalar(
        select(func.count(Notice.id)).where(
            Notice.channel == Channel.VOICE, Notice.broadcast_id.is_not(None),
            or_(
                Notice.state == State.SENDING,
                Notice.state.in_((State.SENT, State.DELIVERED, State.UNKNOWN))
                & (func.coalesce(Notice.sent_at, Notice.ended_at) > now - lasts),
            ),
            ~exists(over),
        )
    ) or 0
    return settings.broadcast_legs - busy


def _doubt(session: Session, settings: Settings, broadcast: Broadcast, now: datetime) -> None:
    """Where most of what has gone came to nothing something is wrong with the provider, or with
    the text: a person looks at it before the others go. That happens once."""
    # what was taken, and failed later, is no refusal
    all_of, taken_of = session.execute(
        select(func.count(Notice.id), func.count(Notice.sent_at)).where(
            Notice.broadcast_id == broadcast.id,
            Notice.state.in_((State.SENT, State.DELIVERED, State.FAILED)),
        )
    ).one()
    refused = all_of - taken_of
    if refused < DOUBTFUL or refused <= taken_of or session.scalar(
        select(BroadcastEvent.id).where(
            BroadcastEvent.broadcast_id == broadcast.id, BroadcastEvent.by == life.SYSTEM,
            BroadcastEvent.what == "paused",
        ).limit(1)
    ):
        return
    life.pause(session, broadcast, by=life.SYSTEM, now=now)
    outbox.alarm(
        session, settings, subject=f"broadcast {broadcast.id}", now=now,
        body=f"broadcast {broadcast.id} pauses: {refused} of {all_of} messages were refused",
    )
    log.error("broadcast %d pauses: %d messages were refused", broadcast.id, refused)


def _ring_again(
    session: Session, settings: Settings, broadcast: Broadcast, now: datetime
) -> None:
    """Whoever was rung and did not listen is rung again, so many times in all."""
    for notice in session.scalars(
        select(Notice).where(
            Notice.broadcast_id == broadcast.id, Notice.state == State.SENT,
            Notice.sent_at < now - voice.HEARD_WITHIN,
        ).with_for_update(skip_locked=True)
    ):
        notice.error = "rung, and not heard"
        if notice.attempts >= settings.broadcast_tries or broadcast.stage == Stage.STOPPED:
            move(notice, State.FAILED, now)
        else:
            move(notice, State.WAITING, now)
            notice.next_attempt_at = now + RING_AGAIN
