"""The life of a broadcast: written, tested, approved by a second person, started, ended.

What is approved is what is sent: a draft is never changed, another one is written in its place.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import insert, select, update
from sqlalchemy.orm import Session

from crm.broadcasts import audience as audiences
from crm.broadcasts import handoff, texts
from crm.broadcasts.errors import BroadcastError
from crm.broadcasts.models import Audience, Broadcast, BroadcastEvent, Delivery, Stage
from crm.clock import vietnam_day
from crm.imports.files import Row
from crm.notices import outbox
from crm.notices.models import Channel, Notice, Purpose, State
from crm.notices.numbers import masked
from crm.settings import Settings

MOVES: dict[Stage, frozenset[Stage]] = {
    Stage.DRAFT: frozenset({Stage.APPROVED, Stage.STOPPED}),
    Stage.APPROVED: frozenset({Stage.RUNNING, Stage.DONE, Stage.STOPPED}),
    Stage.RUNNING: frozenset({Stage.PAUSED, Stage.STOPPED, Stage.DONE}),
    Stage.PAUSED: frozenset({Stage.RUNNING, Stage.STOPPED}),
    Stage.STOPPED: frozenset(),
    Stage.DONE: frozenset(),
}
SYSTEM = "system"  # who does what nobody has asked for
_CHUNK = 1000


@dataclass(frozen=True)
class Wanted:
    """What somebody asks for. `rows`: of an uploaded list (crm.broadcasts.audience.read_list)."""

    title: str
    channel: Channel
    audience: Audience
    areas: tuple[str, ...]
    text: str
    authority: str
    document: str
    delivery: Delivery = Delivery.DIRECT
    urgent: bool = False
    most_per_minute: int = 600
    rows: Sequence[Row] = ()


def write(
    session: Session, settings: Settings, wanted: Wanted, *, by: str, now: datetime
) -> Broadcast:
    """Write a draft with all its recipients, none of whom can get it yet. Raises
    BroadcastError."""
    day = vietnam_day(now)
    for value, longest in ((wanted.title, 120), (wanted.authority, 160), (wanted.document, 80)):
        if not 2 <= len(value.strip()) <= longest or not value.isprintable():
            raise BroadcastError("paper", "title, authority and the number of its document are "
                                          "needed, each in one line")
    if not 1 <= wanted.most_per_minute <= settings.broadcast_per_minute:
        raise BroadcastError("rate", f"1 to {settings.broadcast_per_minute} messages a minute")
    if wanted.delivery is Delivery.CARRIERS and wanted.channel is not Channel.SMS:
        raise BroadcastError("channel", "carriers are handed SMS only")
    if wanted.delivery is Delivery.CARRIERS and wanted.audience is Audience.CHOSEN:
        raise BroadcastError("chosen_files", "a list of chosen persons is given to nobody")
    areas = audiences.checked_areas(wanted.areas, day)
    text = texts.composed(settings, wanted.channel, wanted.audience, wanted.text, areas, day)
    if wanted.audience is Audience.AREA:
        found = audiences.of_areas(session, areas, wanted.channel, now)
    else:
        found = audiences.of_list(
            session, wanted.rows, areas, wanted.audience, wanted.channel, day
        )
    if not found.recipients:
        raise BroadcastError("nobody", "there is nobody to whom it could go")
    broadcast = Broadcast(
        title=wanted.title.strip(), channel=wanted.channel, audience=wanted.audience,
        delivery=wanted.delivery, areas=areas, asked=wanted.text.strip(), text=text,
        authority=wanted.authority.strip(), document=wanted.document.strip(),
        urgent=wanted.urgent, most_per_minute=wanted.most_per_minute, stage=Stage.DRAFT,
        recipients=len(found.recipients), counts=found.counts,
        invalid=found.invalid[:audiences.LISTED], created_by=by, created_at=now,
    )
    session.add(broadcast)
    session.flush()
    rows = [_row(broadcast, number, now) for number in found.recipients]
    for begin in range(0, len(rows), _CHUNK):
        session.execute(insert(Notice), rows[begin:begin + _CHUNK])
    note(session, broadcast, "written", by, now, f"{len(rows)} recipients")
    return broadcast


def test(session: Session, broadcast: Broadcast, number: str, *, by: str, now: datetime) -> None:
    """Send it to one's own telephone first. Raises BroadcastError."""
    _at(broadcast, Stage.DRAFT)
    own = audiences.number_of(number, Channel(broadcast.channel))
    if own is None:
        raise BroadcastError("number", "this is no Vietnamese number that can get it")
    outbox.write(
        session, channel=Channel(broadcast.channel), recipient=own, body=broadcast.text, now=now,
        purpose=Purpose.BROADCAST, urgent=True, personal=False,
    )
    broadcast.tested_at = now
    note(session, broadcast, "tested", by, now, masked(own))


def approve(session: Session, broadcast: Broadcast, *, by: str, now: datetime) -> None:
    """Approve it, as somebody other than its author. Raises BroadcastError."""
    _at(broadcast, Stage.DRAFT)
    if by == broadcast.created_by:
        raise BroadcastError("author", "another person than its author approves a broadcast")
    if broadcast.delivery == Delivery.DIRECT and broadcast.tested_at is None:
        raise BroadcastError("untested", "send it to your own telephone first")
    move(broadcast, Stage.APPROVED)
    broadcast.approved_by, broadcast.approved_at = by, now
    note(session, broadcast, "approved", by, now)


def start(
    session: Session, settings: Settings, broadcast: Broadcast, *, by: str, now: datetime
) -> None:
    """Let it go: its recipients are due from now on, or are handed to the carriers. Raises
    BroadcastError."""
    _at(broadcast, Stage.APPROVED)
    if broadcast.approved_by in (None, broadcast.created_by):
        raise BroadcastError("unapproved", "a second person has not approved it")
    if broadcast.audience == Audience.CHOSEN and broadcast.text != texts.composed(
        settings, Channel(broadcast.channel), Audience.CHOSEN, "", broadcast.areas,
        vietnam_day(now),
    ):
        raise BroadcastError("chosen_text", "chosen persons get the fixed sentence only")
    broadcast.started_at = now
    if broadcast.delivery == Delivery.CARRIERS:
        files = handoff.make(session, broadcast, now)
        note(session, broadcast, "files", by, now, ", ".join(
            f"{one.carrier} {one.rows}" for one in files
        ))
        move(broadcast, Stage.DONE)
        broadcast.ended_at = now
        return
    if broadcast.channel == Channel.SMS and settings.sms_provider == "none":
        raise BroadcastError("provider", "nobody is set to take SMS (sms_provider)")
    if broadcast.channel == Channel.VOICE and not settings.outbound:
        raise BroadcastError("provider", "calls cannot go out (trunk_server)")
    if broadcast.channel == Channel.VOICE and broadcast.sound_at is None:
        raise BroadcastError("sound", "its text is not there as sound yet")
    move(broadcast, Stage.RUNNING)
    _all(session, broadcast, (State.HELD,), State.WAITING, now)
    note(session, broadcast, "started", by, now)


def pause(session: Session, broadcast: Broadcast, *, by: str, now: datetime) -> None:
    """Nothing more is begun from now on; what is on its way goes its way."""
    _at(broadcast, Stage.RUNNING)
    move(broadcast, Stage.PAUSED)
    note(session, broadcast, "paused", by, now)


def resume(session: Session, broadcast: Broadcast, *, by: str, now: datetime) -> None:
    _at(broadcast, Stage.PAUSED)
    move(broadcast, Stage.RUNNING)
    note(session, broadcast, "resumed", by, now)


def stop(session: Session, broadcast: Broadcast, *, by: str, now: datetime) -> None:
    """End it for good: whoever has not got it does not get it."""
    move(broadcast, Stage.STOPPED)
    broadcast.ended_at = now
    _all(session, broadcast, (State.HELD, State.WAITING), State.CANCELLED, now)
    note(session, broadcast, "stopped", by, now)


def locked(session: Session, id_: int) -> Broadcast:
    """A broadcast that nobody else changes meanwhile. Raises BroadcastError."""
    found = session.scalar(
        select(Broadcast).where(Broadcast.id == id_).with_for_update()
        .execution_options(populate_existing=True)  # not as it was before somebody else's change
    )
    if found is None:
        raise BroadcastError("unknown", f"there is no broadcast {id_}")
    return found


def move(broadcast: Broadcast, to: Stage) -> None:
    """Put it into another stage. Raises BroadcastError where no such move is allowed."""
    if to not in MOVES[Stage(broadcast.stage)]:
        raise BroadcastError("stage", f"it is {broadcast.stage}: it cannot become {to}")
    broadcast.stage = to


def note(
    session: Session, broadcast: Broadcast, what: str, by: str, now: datetime, text: str = ""
) -> None:
    """Keep who did what."""
    session.add(BroadcastEvent(
        broadcast_id=broadcast.id, at=now, by=by, what=what, note=text[:200]
    ))


def _at(broadcast: Broadcast, stage: Stage) -> None:
    if broadcast.stage != stage:
        raise BroadcastError("stage", f"it is {broadcast.stage}, not {stage}")


def _row(broadcast: Broadcast, number: str, now: datetime) -> dict[str, object]:
    return {
        "channel": broadcast.channel, "purpose": Purpose.BROADCAST, "recipient": number,
        "subject": "", "body": broadcast.text, "key": f"broadcast:{broadcast.id}:{number}",
        "broadcast_id": broadcast.id, "urgent": broadcast.urgent,
        "personal": broadcast.audience == Audience.CHOSEN, "state": State.HELD, "attempts": 0,
        "next_attempt_at": now, "created_at": now,
    }


def _all(
    session: Session, broadcast: Broadcast, before: Sequence[State], to: State, now: datetime
) -> None:
    values = {"ended_at": now} if to is State.CANCELLED else {"next_attempt_at": now}
    session.execute(
        update(Notice).where(Notice.broadcast_id == broadcast.id, Notice.state.in_(before))
        .values(state=to, **values).execution_options(synchronize_session=False)
    )
