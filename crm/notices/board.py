"""What became of notices, for people: the undelivered, the last ones, and sending again. Those of
broadcasts are counted by their broadcast (crm.broadcasts.board)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from crm.database import unindexed
from crm.notices import hours
from crm.notices.models import Channel, Notice, State
from crm.notices.numbers import masked
from crm.notices.outbox import NoticeError
from crm.notices.states import StateError, move
from crm.settings import Settings

LATE = timedelta(minutes=10)
MOST_OF_CASE = 100
RECENT = timedelta(days=7)  # what failed before that troubles nobody any more


@dataclass(frozen=True)
class Trouble:
    """Notices that did not arrive."""

    late: int  # wait for longer than LATE, quiet hours left out
    failed: int  # for good, in the last week


def of_case(session: Session, case_id: int) -> list[Notice]:
    """The messages that were written of a case, oldest first."""
    found = select(Notice).where(Notice.case_id == case_id).order_by(Notice.id).limit(MOST_OF_CASE)
    return list(session.scalars(found))


def trouble(session: Session, settings: Settings, now: datetime) -> Trouble:
    waiting = select(func.count(Notice.id)).where(
        Notice.state.in_((State.WAITING, State.SENDING)), Notice.broadcast_id.is_(None)
    )
    before = now - LATE
    quiet = settings.quiet_hours
    free = Notice.urgent | (Notice.channel == Channel.EMAIL)
    late = session.scalar(waiting.where(Notice.created_at < before, free)) or 0
    end = hours.last_end(now, quiet)
    if not hours.are_quiet(now, quiet) and (end is None or end < before):
        late += session.scalar(waiting.where(Notice.created_at < before, ~free)) or 0
    failed = session.scalar(
        select(func.count(Notice.id)).where(
            Notice.state == State.FAILED, Notice.ended_at > now - RECENT,
            Notice.broadcast_id.is_(None),
        )
    ) or 0
    return Trouble(late, failed)


def undelivered(session: Session, limit: int = 200) -> list[Notice]:
    """What failed or waits, the oldest first."""
    return list(session.scalars(
        select(Notice).where(
            Notice.state.in_((State.FAILED, State.WAITING, State.SENDING)),
            Notice.broadcast_id.is_(None),
        ).order_by(Notice.id).limit(limit)
    ))


def latest(session: Session, limit: int = 100, state: State | None = None) -> list[Notice]:
    """The last ones, the newest first."""
    found = select(Notice).where(unindexed(Notice.broadcast_id).is_(None))
    found = found.order_by(Notice.id.desc()).limit(limit)
    if state is not None:
        found = found.where(Notice.state == state)
    return list(session.scalars(found))


def retry(session: Session, notice_id: int, now: datetime) -> Notice:
    """Send what failed once more, or what waits at once. Raises NoticeError, StateError."""
    notice = session.get(Notice, notice_id, with_for_update=True)
    if notice is None or notice.broadcast_id is not None:
        raise NoticeError(f"there is no notice {notice_id}")
    if notice.state == State.FAILED:
        move(notice, State.WAITING, now)
    elif notice.state != State.WAITING:
        raise StateError(f"notice {notice_id} is {notice.state}: it is not sent again")
    notice.attempts, notice.next_attempt_at = 0, now
    return notice


def as_json(notice: Notice) -> dict[str, Any]:
    """A notice for programs; the recipient is masked, and the text stays where it is."""
    return {
        "id": notice.id, "channel": notice.channel, "purpose": notice.purpose,
        "recipient": masked(notice.recipient), "state": notice.state,
        "attempts": notice.attempts, "urgent": notice.urgent, "case_id": notice.case_id,
        "created_at": notice.created_at.isoformat(),
        "sent_at": notice.sent_at.isoformat() if notice.sent_at else None,
        "ended_at": notice.ended_at.isoformat() if notice.ended_at else None,
        "provider": notice.provider, "error": notice.error,
    }
