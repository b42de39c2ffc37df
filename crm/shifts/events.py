"""The trail: whoever does something to shifts is written down, in the table and in the log."""

from __future__ import annotations

import logging
from datetime import datetime
from enum import StrEnum

from sqlalchemy import select
from sqlalchemy.orm import Session

from crm.shifts.models import ShiftEvent

audit = logging.getLogger("hotline.audit")


class What(StrEnum):
    """What was done."""

    ROSTER_TAKEN_IN = "roster_taken_in"
    SWAP_OFFERED = "swap_offered"
    SWAP_WITHDRAWN = "swap_withdrawn"
    SWAP_TAKEN = "swap_taken"
    SWAP_APPROVED = "swap_approved"
    SWAP_REFUSED = "swap_refused"
    HANDOVER_SIGNED = "handover_signed"
    HANDOVER_WITHDRAWN = "handover_withdrawn"
    HANDOVER_TAKEN = "handover_taken"
    HANDOVER_LATE = "handover_late"
    HANDOVER_LACKING = "handover_lacking"
    INSTRUCTION_WRITTEN = "instruction_written"
    INSTRUCTION_CHANGED = "instruction_changed"
    INSTRUCTION_ENDED = "instruction_ended"
    INSTRUCTION_READ = "instruction_read"


def note(session: Session, what: What, by: str, now: datetime, **details: object) -> None:
    session.add(ShiftEvent(at=now, by=by, what=what.value, details=details))
    said = ", ".join(f"{name} {value}" for name, value in details.items())
    audit.info("%s: %s (%s)", by, what.value, said)


def latest(session: Session, limit: int) -> list[ShiftEvent]:
    """The last first."""
    return list(session.scalars(select(ShiftEvent).order_by(ShiftEvent.id.desc()).limit(limit)))
