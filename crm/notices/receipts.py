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
    """A provider's last word on one message."""

    provider: str
    provider_id: str
    delivered: bool
    error: str = ""


def take(session: Session, receipt: Receipt, now: datetime) -> Taken:
    """Note a delivery report."""
    notice = session.scalar(
        select(Notice).where(
            Notice.provider == receipt.provider, Notice.provider_id == receipt.provider_id
        ).order_by(Notice.id.desc()).limit(1).with_for_update()
    )
    if notice is None:
        _keep(session, receipt, now)
        log.warning("%s reports on a message that is not known", receipt.provider)
        return Taken.UNKNOWN
    return _apply(notice, receipt.delivered, receipt.error, now)


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
    if notice.state != State.SENT:
        return Taken.KNOWN
    move(notice, State.DELIVERED if delivered else State.FAILED, now)
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
