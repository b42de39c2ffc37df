"""Numbers that want no messages: by a reply (STOP, TUCHOI), or noted by hand.

What somebody waits for, an alarm, and the link and code of an officer's work, comes nevertheless.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from crm.errors import HotlineError
from crm.notices import outbox
from crm.notices.models import Channel, Notice, OptOut, Purpose
from crm.notices.numbers import domestic
from crm.vietnamese import folded

REPLIES = frozenset({"stop", "tuchoi", "tu choi", "huy tin", "unsubscribe"})
ALWAYS = frozenset({Purpose.ALARM, Purpose.CODE, Purpose.LINK})
CONFIRMED = "1022 Thanh Hoa: Da ngung gui tin nhan den so nay. Can ho tro: goi 02371022."


class OptOutError(HotlineError):
    """A number cannot be put on the list of those who want no messages, or is not on it."""


def holds_back(session: Session, notice: Notice) -> bool:
    """Whether this notice is not sent because its recipient has opted out."""
    if notice.urgent or notice.purpose in ALWAYS:
        return False
    return session.get(OptOut, notice.recipient) is not None


def take_reply(session: Session, number: str, text: str, now: datetime) -> bool:
    """What somebody has answered to a message: a wish to get no more is noted, and confirmed once.
    Returns whether it was one."""
    if folded(text) not in REPLIES:
        return False
    recipient = domestic(number)
    if session.get(OptOut, recipient) is None:
        add(session, recipient, by="reply", now=now)
        outbox.write(
            session, channel=Channel.SMS, recipient=recipient, body=CONFIRMED, urgent=True,
            purpose=Purpose.CASE, key=f"opt-out:{recipient}:{now:%Y%m%dT%H%M%S}", now=now,
        )
    return True


def add(session: Session, number: str, *, by: str, now: datetime) -> None:
    """Note that a number, or an address, wants no messages; twice changes nothing."""
    recipient = domestic(number)
    if not outbox.can_be_reached(recipient):
        raise OptOutError("this is neither a phone number nor an e-mail address")
    if session.get(OptOut, recipient) is None:
        session.add(OptOut(recipient=recipient, by=by, at=now))
        session.flush()


def remove(session: Session, number: str) -> None:
    """Messages may go to it again. Raises OptOutError if they might before."""
    found = session.get(OptOut, domestic(number))
    if found is None:
        raise OptOutError("this number is not on the list")
    session.delete(found)


def listed(session: Session) -> list[OptOut]:
    return list(session.scalars(select(OptOut).order_by(OptOut.at)))
