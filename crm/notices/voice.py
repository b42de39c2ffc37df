"""Notices that are spoken: the recipient is rung, and hears a text that has been made into sound.

That it was heard stands in the journal (HL_TOLD), under the id that the ringing was given.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from crm.calls.facts import CALL_ID, JournalEvent
from crm.notices import optout, receipts
from crm.notices.delivery import Outgoing
from crm.notices.models import Channel, Notice, State
from crm.notices.receipts import Receipt
from crm.notices.states import move

PROVIDER = "voice"
TRIES = 3
HEARD_WITHIN = timedelta(minutes=10)
_OURS = re.compile(r"[a-z0-9]+\.notice-[0-9]+\.[0-9]+")


def call_of(node: str, outgoing: Outgoing) -> str:
    """The id that this ringing has in the journal; it looks like that of a call."""
    return f"{node}.notice-{outgoing.id}.{outgoing.attempt}"


def apply(session: Session, events: Sequence[JournalEvent]) -> None:
    """Who has heard what, and who wants to hear no more, from the journal; twice changes
    nothing."""
    for event in events:
        call = event.extra.get("call", "")
        if not (_OURS.fullmatch(call) and CALL_ID.fullmatch(call)):
            continue
        if event.type == "HL_TOLD":
            receipts.take(session, Receipt(PROVIDER, call, delivered=True), event.at)
        elif event.type == "HL_OPT_OUT":
            rung = session.scalar(select(Notice.recipient).where(
                Notice.provider == PROVIDER, Notice.provider_id == call
            ).limit(1))
            if rung is not None:
                optout.add(session, rung, by="key", now=event.at)


def again(session: Session, now: datetime) -> None:
    """Whoever was rung and did not listen is rung again, three times in all."""
    for notice in session.scalars(
        select(Notice).where(
            Notice.channel == Channel.VOICE, Notice.state == State.SENT,
            Notice.sent_at < now - HEARD_WITHIN, Notice.broadcast_id.is_(None),
        )
    ):
        notice.error = "rung, and not heard"
        if notice.attempts >= TRIES:
            move(notice, State.FAILED, now)
        else:
            move(notice, State.WAITING, now)
            notice.next_attempt_at = now


def spoken_texts(session: Session) -> list[str]:
    """What must stay as sound: of notices that are still to be heard."""
    return list(session.scalars(
        select(Notice.body).where(
            Notice.channel == Channel.VOICE,
            Notice.state.in_((State.HELD, State.WAITING, State.SENDING, State.SENT)),
        ).distinct()
    ))
