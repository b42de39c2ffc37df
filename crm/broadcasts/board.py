"""What became of broadcasts, for people and programs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from crm.broadcasts.models import Broadcast, BroadcastEvent, Stage
from crm.notices.models import Channel, Notice, State
from crm.notices.numbers import masked


@dataclass(frozen=True)
class Progress:
    """How many recipients are where; together they are all of them."""

    waiting: int  # not begun, or to be tried again
    sending: int
    sent: int  # taken, and nothing reported yet
    delivered: int
    failed: int
    unknown: int
    opted_out: int  # since it was written
    cancelled: int

    @property
    def total(self) -> int:
        return sum((self.waiting, self.sending, self.sent, self.delivered, self.failed,
                    self.unknown, self.opted_out, self.cancelled))

    @property
    def begun(self) -> int:
        return self.total - self.waiting - self.cancelled


def progress(session: Session, broadcast: Broadcast) -> Progress:
    counted = session.execute(
        select(Notice.state, func.count(Notice.id))
        .where(Notice.broadcast_id == broadcast.id).group_by(Notice.state)
    )
    found = {str(state): int(count) for state, count in counted}
    return Progress(
        waiting=found.get(State.HELD, 0) + found.get(State.WAITING, 0),
        sending=found.get(State.SENDING, 0), sent=found.get(State.SENT, 0),
        delivered=found.get(State.DELIVERED, 0), failed=found.get(State.FAILED, 0),
        unknown=found.get(State.UNKNOWN, 0), opted_out=found.get(State.SUPPRESSED, 0),
        cancelled=found.get(State.CANCELLED, 0),
    )


def latest(session: Session, limit: int = 50) -> list[Broadcast]:
    """The last ones, the newest first."""
    return list(session.scalars(select(Broadcast).order_by(Broadcast.id.desc()).limit(limit)))


def events(session: Session, broadcast: Broadcast) -> list[BroadcastEvent]:
    return list(session.scalars(
        select(BroadcastEvent).where(BroadcastEvent.broadcast_id == broadcast.id)
        .order_by(BroadcastEvent.id)
    ))


def troubled(session: Session, broadcast: Broadcast, limit: int = 100) -> list[Notice]:
    """Recipients whom it did not reach, or of whom nobody knows."""
    return list(session.scalars(
        select(Notice).where(
            Notice.broadcast_id == broadcast.id,
            Notice.state.in_((State.FAILED, State.UNKNOWN)),
        ).order_by(Notice.id).limit(limit)
    ))


def unsaid(session: Session) -> list[Broadcast]:
    """Those that are to be spoken and have no sound yet."""
    return list(session.scalars(
        select(Broadcast).where(
            Broadcast.channel == Channel.VOICE, Broadcast.sound_at.is_(None),
            Broadcast.stage.in_((Stage.DRAFT, Stage.APPROVED)),
        )
    ))


def note_sound(session: Session, broadcast_id: int, now: datetime) -> None:
    """The text of a broadcast is there as sound."""
    session.execute(
        update(Broadcast).where(Broadcast.id == broadcast_id, Broadcast.sound_at.is_(None))
        .values(sound_at=now)
    )


def as_json(session: Session, broadcast: Broadcast) -> dict[str, Any]:
    """A broadcast for programs; it names no recipient."""
    found = progress(session, broadcast)

    def moment(at: datetime | None) -> str | None:
        return at.isoformat() if at else None

    return {
        "id": broadcast.id, "title": broadcast.title, "channel": broadcast.channel,
        "audience": broadcast.audience, "delivery": broadcast.delivery, "areas": broadcast.areas,
        "text": broadcast.text, "authority": broadcast.authority, "document": broadcast.document,
        "urgent": broadcast.urgent, "stage": broadcast.stage, "recipients": broadcast.recipients,
        "left_out": broadcast.counts, "created_by": broadcast.created_by,
        "created_at": moment(broadcast.created_at), "tested_at": moment(broadcast.tested_at),
        "approved_by": broadcast.approved_by, "approved_at": moment(broadcast.approved_at),
        "started_at": moment(broadcast.started_at), "ended_at": moment(broadcast.ended_at),
        "per_hour": broadcast.per_hour, "called_back": broadcast.called_back,
        "progress": {
            "waiting": found.waiting, "sending": found.sending, "sent": found.sent,
            "delivered": found.delivered, "failed": found.failed, "unknown": found.unknown,
            "opted_out": found.opted_out, "cancelled": found.cancelled,
        },
    }


def problem_line(notice: Notice) -> dict[str, str]:
    """A recipient whom it did not reach, masked."""
    return {
        "recipient": masked(notice.recipient), "state": notice.state, "error": notice.error or "",
    }
