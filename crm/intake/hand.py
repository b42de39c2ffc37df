"""Cases that somebody enters by hand: how they came, under which reference, and on which day.

The deadline counts from the day of receipt: who has written a letter waits since it was handed in,
not since somebody found the time to enter it.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy.orm import Session

from crm.cases.life import CaseError
from crm.cases.models import Case
from crm.intake import arrivals, text

LONGEST_AGO = timedelta(days=366)


class Channel(StrEnum):
    """How it came."""

    HAND = "hand"  # told to an agent
    COUNTER = "counter"
    LETTER = "letter"
    VOICEMAIL = "voicemail"
    EMAIL = "email"
    FACEBOOK = "facebook"
    ZALO = "zalo"
    PRESS = "press"
    PORTAL = "portal"


def check_received(received_at: datetime | None, now: datetime) -> None:
    """Raises CaseError: it was not received then."""
    if received_at is not None and not now - LONGEST_AGO <= received_at <= now:
        raise CaseError("a case was received before now, and within a year", "received")


def note_arrival(
    session: Session, case: Case, channel: Channel, reference: str, received_at: datetime | None,
    now: datetime,
) -> None:
    """Keep under which reference a case came. Raises CaseError: it came before."""
    reference = text.line(reference, 80)
    if not reference:
        return
    arrival = arrivals.first(
        session, arrivals.HAND, f"{channel}:{reference.casefold()}", received_at or now,
        reference=reference,
    )
    if arrival is None:
        raise CaseError("there is a case under this reference already", "reference")
    arrival.case_id = case.id
