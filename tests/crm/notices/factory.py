"""Settings and notices for tests, and what became of them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import select

from crm import settings as configuration
from crm.database import Database
from crm.notices import delivery, hours, outbox
from crm.notices.delivery import Delivered, Outgoing, Route
from crm.notices.models import Channel, Notice, Purpose
from crm.settings import Settings

NOON = datetime(2026, 11, 1, 5, 0, tzinfo=UTC)  # 12:00 in Vietnam
NIGHT = datetime(2026, 11, 1, 16, 0, tzinfo=UTC)  # 23:00 in Vietnam
PHONE = "0912345678"


def settings(home: Path, **values: str) -> Settings:
    """Settings of a hotline in `home`; values as of the environment."""
    return configuration.load({
        "HOTLINE_HOME": str(home), "HOTLINE_ALARM_PHONES": PHONE,
        **{f"HOTLINE_{name.upper()}": value for name, value in values.items()},
    })


def twilio_settings(home: Path, url: str, **values: str) -> Settings:
    return settings(
        home, sms_provider="twilio", twilio_account="AC" + "0" * 32, twilio_token="token",
        twilio_from="+15005550006", twilio_url=url, **values,
    )


def written(database: Database, now: datetime = NOON, **values: Any) -> Notice | None:
    """Write a notice: an SMS about a case, unless `values` say otherwise."""
    given = {
        "channel": Channel.SMS, "recipient": PHONE, "body": "1022: da nhan", "now": now,
        "purpose": Purpose.CASE, **values,
    }
    with database.transaction() as session:
        return outbox.write(session, **given)


def all_of(database: Database) -> list[Notice]:
    with database.reading() as session:
        return list(session.scalars(select(Notice).order_by(Notice.id)))


def only(database: Database) -> Notice:
    notice, = all_of(database)
    return notice


def deliver(
    database: Database, send: Route | Callable[[Outgoing], str], now: datetime = NOON,
    channel: Channel = Channel.SMS, quiet: hours.Quiet = None,
) -> Delivered:
    """One round of deliveries at `now`."""
    route = send if isinstance(send, Route) else Route("stand-in", send)
    return delivery.deliver(database, {channel: route}, lambda: now, quiet)


def after(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)
