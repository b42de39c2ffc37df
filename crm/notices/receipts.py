"""What providers report of messages they have taken: delivered, or failed for good.

A report that comes twice, or late, changes nothing. One with an id that no notice has is counted
and kept for a week: a fast provider reports before we have noted that it took the message.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import delete, func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from crm.notices.models import Notice, State, StrayReceipt
from crm.notices.states import move

log = logging.getLogger(__name__)
KEPT = timedelta(days=7)


class Taken(StrEnum):
    """What became of a report."""

    NOTED = "noted"
    KNOWN = "known"  # twice, or late
    UNKNOWN = "unknown"  # no notice has this id


@dataclass(frozen=True)
class Receipt:
    """A provider's last word on one message. `reference`: our own id of it, where the provider
    gives it back."""

    provider: str
    provider_id: str
    delivered: bool
    error: str = ""
    reference: int | None = None


def take(session: Session, receipt: Receipt, now: datetime) -> Taken:
    """Note a delivery report."""
    notice = session.scalar(
        select(Notice).where(
            Notice.provider == receipt.provider, Notice.provider_id == receipt.provider_id
        ).order_by(Notice.id.desc()).limit(1).with_for_update()
    )
    if notice is None and receipt.reference is not None:
        notice = _by_reference(session, receipt, now)
    if notice is None:
        _keep(session, receipt, now)
        log.warning("%s reports on a message that is not known", receipt.provider)
        return Taken.UNKNOWN
    return _apply(notice, receipt.delivered, receipt.error, now)


def _by_reference(session: Session, receipt: Receipt, now: datetime) -> Notice | None:
    """The message of a broadcast that its provider has taken, while our own note of that is not
    written yet, or never was: its worker was killed."""
    notice = session.get(Notice, receipt.reference, with_for_update=True)
    if notice is None or notice.provider != receipt.provider or notice.provider_id:
        return None
    if notice.state == State.SENDING:
        move(notice, State.SENT, now)
    elif notice.state != State.UNKNOWN:
        return None
    notice.sent_at, notice.provider_id = notice.sent_at or now, receipt.provider_id
    return notice


def catch_up(session: Session, notice: Notice, now: datetime) -> None:
    """Apply the report that was faster than the note that its message was taken."""
    early = session.scalar(
        select(StrayReceipt).where(
            StrayReceipt.provider == notice.provider,
            StrayReceipt.provider_id == notice.provider_id,
        )
    )
    if early is not None:
        _apply(notice, early.delivered, early.error or "", now)
        session.delete(early)


def strays(session: Session) -> int:
    """How many reports of the last week fit no notice."""
    return session.scalar(select(func.count(StrayReceipt.id))) or 0


def forget_strays(session: Session, now: datetime) -> None:
    session.execute(delete(StrayReceipt).where(StrayReceipt.at < now - KEPT))


def _apply(notice: Notice, delivered: bool, error: str, now: datetime) -> Taken:
    if notice.state not in (State.SENT, State.UNKNOWN):
        return Taken.KNOWN
    move(notice, State.DELIVERED if delivered else State.FAILED, now)
    notice.error = None
    if not delivered:
        notice.error = f"{notice.provider}: {error or 'not delivered'}"[:300]
        log.error("notice %d was not delivered: %s", notice.id, notice.error)
    return Taken.NOTED


def _keep(session: Session, receipt: Receipt, now: datetime) -> None:
    known = select(StrayReceipt.id).where(
        StrayReceipt.provider == receipt.provider,
        StrayReceipt.provider_id == receipt.provider_id,
    )
    if session.scalar(known) is not None:
        return
    try:
        with session.begin_nested():
            session.add(StrayReceipt(
                provider=receipt.provider, provider_id=receipt.provider_id,
                delivered=receipt.delivered, error=receipt.error[:300] or None, at=now,
            ))
    except IntegrityError:
        if session.scalar(known) is None:
            raise
