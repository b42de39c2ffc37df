"""Which adapter serves which channel, as the settings choose."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from crm.notices import twilio_sms
from crm.notices.delivery import Outgoing, Route
from crm.notices.models import Channel, ForeignUse
from crm.settings import Settings

audit = logging.getLogger("hotline.audit")
Ring = Callable[[Outgoing], str]
"""Rings the recipient and says the text; the call's id. Raises Undelivered."""


def routes(settings: Settings, ring: Ring | None = None) -> dict[Channel, Route]:
    """The channels that can be served; notices on others wait. `ring`: how voice goes out."""
    found = {}
    if settings.sms_provider == "twilio":
        found[Channel.SMS] = twilio_sms.route(settings)
    if ring is not None:
        found[Channel.VOICE] = Route("voice", ring)
    return found


def note_foreign_use(session: Session, settings: Settings, now: datetime) -> None:
    """Keep on which legal basis texts about people may go abroad, from when and until when."""
    wanted = None
    if settings.foreign_personal != "no":
        wanted = settings.foreign_personal, settings.foreign_basis or ""
    for row in session.scalars(select(ForeignUse).where(ForeignUse.until.is_(None))):
        if (row.service, row.basis) == wanted:
            return
        row.until = now
        audit.warning("texts about people no longer go through %s", row.service)
    if wanted is not None:
        session.add(ForeignUse(service=wanted[0], basis=wanted[1], since=now))
        audit.warning("texts about people may go through %s: %s", *wanted)
