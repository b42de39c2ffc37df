"""Which adapter serves which channel, as the settings choose."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from crm.database import Database
from crm.notices import gateway, mail, optout, receipts, twilio_sms, zalo
from crm.notices.delivery import Outgoing, Route
from crm.notices.models import Channel, ForeignUse
from crm.notices.smpp import Inbox, Smpp
from crm.settings import Settings

audit = logging.getLogger("hotline.audit")
Ring = Callable[[Outgoing], str]
"""Rings the recipient and says the text; the call's id. Raises Undelivered."""


def routes(
    settings: Settings, database: Database, clock: Callable[[], datetime], *,
    sms_link: Smpp | None = None, ring: Ring | None = None,
) -> dict[Channel, Route]:
    """The channels that can be served; notices on others wait. `sms_link`: the connection of
    `smpp_link`. `ring`: how voice goes out."""
    found = {}
    if settings.sms_provider == "twilio":
        found[Channel.SMS] = twilio_sms.route(settings)
    elif settings.sms_provider == "gateway":
        found[Channel.SMS] = gateway.route(settings)
    elif sms_link is not None:
        found[Channel.SMS] = sms_link.route()
    if settings.mail_server:
        found[Channel.EMAIL] = mail.route(settings)
    if settings.zalo_app:
        found[Channel.ZALO] = zalo.route(settings, database, clock)
    if ring is not None:
        found[Channel.VOICE] = Route("voice", ring)
    return found


def smpp_link(
    settings: Settings, database: Database, clock: Callable[[], datetime]
) -> Smpp | None:
    """The connection to the SMSC where it takes the SMS, with what comes in kept."""
    if settings.sms_provider != "smpp":
        return None

    def receipt(told: receipts.Receipt) -> None:
        with database.transaction() as session:
            receipts.take(session, told, clock())

    def reply(number: str, text: str) -> None:
        with database.transaction() as session:
            optout.take_reply(session, number, text, clock())

    return Smpp(settings, Inbox(receipt, reply))


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
