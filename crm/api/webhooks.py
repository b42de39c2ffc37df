"""Webhooks: programs that are told what happens to cases and that calls have ended, by signed
requests to their addresses.

What is to be told is written in the transaction of the change and sent after its commit
(crm.api.posts). It carries a case's code, status and times, of a call its id, branch, outcome and
times, and nothing of the citizen.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import secrets
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from crm.api import posting
from crm.api.models import Webhook, WebhookDelivery
from crm.calls.rows import iso
from crm.cases.models import Case, CaseEvent, Status
from crm.errors import HotlineError

CALL = "call.ended"
EVENTS = (
    "case.opened", "case.classified", "case.assigned", "case.moved", "case.resolved", "case.closed",
    CALL,
)
TRIED_FOR = timedelta(hours=24)
KEPT = timedelta(days=30)
_URL = re.compile(r"https?://[!-~]{1,490}")
_MOVES = {
    Status.ASSIGNED: "case.assigned", Status.RESOLVED: "case.resolved",
    Status.CLOSED: "case.closed",
}


class WebhookError(HotlineError):
    """A webhook cannot be made or changed. `code`: url, events, unknown."""

    def __init__(self, sentence: str, code: str) -> None:
        super().__init__(sentence)
        self.code = code


def subscribe(
    session: Session, *, url: str, by: str, now: datetime, events: Iterable[str] = EVENTS
) -> Webhook:
    """Tell this address from now on; its secret is `Webhook.secret`. Raises WebhookError."""
    wanted = set(events)
    if not wanted or wanted - set(EVENTS):
        raise WebhookError(f"the events are {', '.join(EVENTS)}", "events")
    try:
        parts = urlsplit(url)
        usable = bool(parts.hostname) and parts.username is None and parts.port != 0
    except ValueError:
        usable = False
    if not (usable and _URL.fullmatch(url)):
        raise WebhookError("an address is https://HOST/PATH, without a user in it", "url")
    if parts.scheme == "http" and parts.hostname not in posting.LOOPBACK:
        raise WebhookError("what leaves this machine goes by https", "url")
    webhook = Webhook(
        url=url, secret="whsec_" + base64.b64encode(secrets.token_bytes(32)).decode(),
        events=[event for event in EVENTS if event in wanted], created_at=now, created_by=by,
    )
    session.add(webhook)
    session.flush()
    return webhook


def end(session: Session, webhook_id: int, now: datetime, why: str = "removed") -> None:
    """Tell it nothing more; what waited has failed. Raises WebhookError: there is none."""
    webhook = session.get(Webhook, webhook_id)
    if webhook is None:
        raise WebhookError(f"there is no webhook {webhook_id}", "unknown")
    if webhook.ended_at is None:
        webhook.ended_at, webhook.ended_why = now, why
    session.execute(
        update(WebhookDelivery)
        .where(WebhookDelivery.webhook_id == webhook_id, WebhookDelivery.state == "waiting")
        .values(state="failed")
    )


def resume(session: Session, webhook_id: int, now: datetime) -> int:
    """Tell it again, and all that had failed; how many messages that is. Raises WebhookError."""
    webhook = session.get(Webhook, webhook_id)
    if webhook is None or webhook.ended_why == "removed":
        raise WebhookError(f"there is no webhook {webhook_id} to be resumed", "unknown")
    webhook.ended_at = webhook.ended_why = None
    failed = list(session.scalars(select(WebhookDelivery).where(
        WebhookDelivery.webhook_id == webhook_id, WebhookDelivery.state == "failed"
    )))
    for delivery in failed:
        delivery.state, delivery.attempts = "waiting", 0
        delivery.next_attempt_at, delivery.give_up_at = now, now + TRIED_FOR
    return len(failed)


def all_webhooks(session: Session) -> list[Webhook]:
    """Every webhook but removed ones."""
    standing = select(Webhook).where(
        Webhook.ended_why.is_(None) | (Webhook.ended_why != "removed")
    ).order_by(Webhook.id)
    return list(session.scalars(standing))


def note(session: Session, case: Case, event: CaseEvent) -> None:
    """Write what each subscriber is to be told of this event."""
    name = _name(event)
    if name is None:
        return
    _tell(session, _listening(session, name), name, event.at, secrets.token_hex(12), {
        "code": case.code, "status": case.status, "before": event.before,
        "opened_at": iso(case.opened_at), "due_at": iso(case.due_at),
        "resolved_at": iso(case.resolved_at) if case.resolved_at else None,
    })


def note_ended(session: Session, calls: Sequence[Mapping[str, Any]], now: datetime) -> None:
    """The same of calls that have just ended: rows of the table of calls. `now`: of the last event
    that was read with them."""
    if not calls or not (listening := _listening(session, CALL)):
        return
    for call in calls:
        # the same for the same call, whoever writes it
        message = hashlib.sha256(call["id"].encode()).hexdigest()[:24]
        _tell(session, listening, CALL, now, message, {
            **{name: call[name] for name in ("id", "direction", "kind", "branch", "outcome")},
            **{name: iso(call[name]) if call[name] else None
               for name in ("started_at", "answered_at", "ended_at")},
        })


def _listening(session: Session, name: str) -> list[Webhook]:
    live = session.scalars(select(Webhook).where(Webhook.ended_at.is_(None)))
    return [webhook for webhook in live if name in webhook.events]


def _tell(
    session: Session, listening: Sequence[Webhook], name: str, at: datetime, message: str,
    data: Mapping[str, Any],
) -> None:
    told = json.dumps({"type": name, "timestamp": iso(at), "data": data}, separators=(",", ":"))
    for webhook in listening:
        session.add(WebhookDelivery(
            webhook_id=webhook.id, message=f"msg_{message}", event=name, body=told,
            state="waiting", created_at=at, next_attempt_at=at, give_up_at=at + TRIED_FOR,
        ))


def forget(session: Session, now: datetime) -> None:
    """Delete what was told long ago."""
    session.execute(delete(WebhookDelivery).where(
        WebhookDelivery.created_at < now - KEPT, WebhookDelivery.state != "waiting"
    ))


def _name(event: CaseEvent) -> str | None:
    match event.what:
        case "opened" | "classified":
            return f"case.{event.what}"
        case "moved" | "reopen" if event.after is not None:
            return _MOVES.get(Status(event.after), "case.moved")
        case _:
            return None
