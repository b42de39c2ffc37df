"""Telling webhooks: signed, tried again for a day, switched off after that.

Signed as standardwebhooks.com says, HMAC-SHA256 over "ID.TIMESTAMP.BODY", so that receivers find a
library in their language. An address that answers 410 has ended its subscription; one that takes
nothing for a day is switched off, and the engineers hear of it.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import logging
import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from crm.api import posting, webhooks
from crm.api.models import Webhook, WebhookDelivery
from crm.database import Database
from crm.notices import outbox
from crm.settings import Settings

log = logging.getLogger(__name__)

FIRST_RETRY = timedelta(seconds=30)
LONGEST_PAUSE = timedelta(hours=2)
AT_ONCE = 8  # addresses that are told at the same time
EACH_ROUND = 5  # messages for one address, so that a slow one holds up nobody for long
REPLAY_WINDOW = timedelta(minutes=5)


@dataclass(frozen=True)
class Told:
    """What one round did."""

    sent: int
    failed: int


def deliver(database: Database, settings: Settings, now: datetime) -> Told:
    """Tell what is due, several addresses at a time."""
    claimed = _claim(database, now)

    def tell(one: _Claimed) -> posting.Answered:
        headers = signed(one.secret, one.message, now, one.body)
        return posting.post(one.url, one.body, headers, settings.webhook_networks)

    with ThreadPoolExecutor(AT_ONCE) as pool:
        answers = list(pool.map(tell, claimed))
    for one, answer in zip(claimed, answers, strict=True):
        with database.transaction() as session:
            _record(session, settings, one.id, answer, now)
    sent = sum(answer.taken for answer in answers)
    return Told(sent, len(answers) - sent)


def signed(secret: str, message: str, at: datetime, body: str) -> dict[str, str]:
    """The headers that prove who sends this and when."""
    stamp = str(int(at.timestamp()))
    return {
        "webhook-id": message, "webhook-timestamp": stamp,
        "webhook-signature": f"v1,{_mac(secret, message, stamp, body)}",
    }


def verified(secret: str, headers: dict[str, str], body: str, now: datetime) -> bool:
    """What a receiver checks: the signature, and that it is no older than the replay window."""
    message, stamp = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    if not re.fullmatch(r"[0-9]{1,12}", stamp):
        return False
    if abs(now.timestamp() - int(stamp)) > REPLAY_WINDOW.total_seconds():
        return False
    right = f"v1,{_mac(secret, message, stamp, body)}"
    given = headers.get("webhook-signature", "").split(" ")
    return any(hmac.compare_digest(right, one) for one in given)


@dataclass(frozen=True)
class _Claimed:
    id: int
    url: str
    secret: str
    message: str
    body: str


def _claim(database: Database, now: datetime) -> list[_Claimed]:
    """What is tried now. The next try is set before this one: a crash in between leaves it to be
    tried again, so a message may rarely come twice, with the same id."""
    claimed = []
    with database.transaction() as session:
        live = session.scalars(select(Webhook).where(Webhook.ended_at.is_(None)))
        for webhook in live.all():
            due = select(WebhookDelivery).where(
                WebhookDelivery.webhook_id == webhook.id, WebhookDelivery.state == "waiting",
                WebhookDelivery.next_attempt_at <= now,
            ).order_by(WebhookDelivery.id).limit(EACH_ROUND).with_for_update(skip_locked=True)
            for one in session.scalars(due):
                one.next_attempt_at = now + min(
                    FIRST_RETRY * 2 ** min(one.attempts, 16), LONGEST_PAUSE
                )
                one.attempts += 1
                claimed.append(
                    _Claimed(one.id, webhook.url, webhook.secret, one.message, one.body)
                )
    return claimed


def _record(
    session: Session, settings: Settings, delivery_id: int, answer: posting.Answered, now: datetime
) -> None:
    delivery = session.get_one(WebhookDelivery, delivery_id)
    if answer.taken:
        delivery.state, delivery.sent_at, delivery.error = "sent", now, None
        return
    delivery.error = answer.problem[:200]
    log.warning("webhook %d did not take message %d: %s", delivery.webhook_id, delivery.id,
                delivery.error)
    if answer.gone:
        delivery.state = "failed"
        webhooks.end(session, delivery.webhook_id, now, "gone")
    elif delivery.next_attempt_at >= delivery.give_up_at:
        delivery.state = "failed"
        webhooks.end(session, delivery.webhook_id, now, "failing")
        outbox.alarm(
            session, settings, subject=f"webhook {delivery.webhook_id}",
            body=f"webhook {delivery.webhook_id} took nothing for a day and is switched off",
            now=now,
        )


def _mac(secret: str, message: str, stamp: str, body: str) -> str:
    key = base64.b64decode(secret.removeprefix("whsec_"))
    digest = hmac.new(key, f"{message}.{stamp}.{body}".encode(), hashlib.sha256).digest()
    return base64.b64encode(digest).decode()
