"""Messages to people: written in the transaction that causes them, sent after its commit.

Today: SMS to the engineers on duty when something is wrong, through Twilio if an account is set.
Twilio is a foreign service: it is off by default and never told anything about a citizen.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

import requests
from sqlalchemy import select
from sqlalchemy.orm import Session
from twilio.base.exceptions import (  # type: ignore[import-untyped]
    TwilioException,
    TwilioRestException,
)
from twilio.http.http_client import TwilioHttpClient  # type: ignore[import-untyped]
from twilio.rest import Client  # type: ignore[import-untyped]

from crm.database import Database
from crm.models import Notice
from crm.settings import Settings

log = logging.getLogger(__name__)

QUIET_FOR = timedelta(minutes=30)  # one alarm about one subject in this time
FIRST_RETRY = timedelta(seconds=30)
ATTEMPTS = 6
SEND_TIMEOUT_S = 10
SMS_LENGTH = 160


class Undelivered(Exception):
    """The provider did not take a message. `final`: trying again is of no use."""

    def __init__(self, message: str, *, final: bool) -> None:
        super().__init__(message)
        self.final = final


Send = Callable[[str, str], str]
"""Sends (recipient, text), returns the provider's id, raises Undelivered."""


@dataclass(frozen=True)
class Delivered:
    """What one round of deliveries did."""

    sent: int
    failed: int


def alarm(session: Session, settings: Settings, *, subject: str, body: str, now: datetime) -> int:
    """Write an alarm to every engineer on duty; how many messages were written.

    The same subject alarms once in half an hour.
    """
    recent = session.scalar(
        select(Notice.id).where(Notice.subject == subject, Notice.created_at > now - QUIET_FOR)
        .limit(1)
    )
    if recent is not None:
        return 0
    text = f"1022 {settings.node}: {body}"[:SMS_LENGTH]
    for phone in settings.alarm_phones:
        session.add(Notice(
            channel="sms", recipient=phone, body=text, subject=subject, created_at=now,
            next_attempt_at=now,
        ))
    return len(settings.alarm_phones)


def deliver(database: Database, send: Send, now: datetime) -> Delivered:
    """Send what is due. Each message is claimed in a transaction of its own before it is sent:
    a crash in between leaves it to be tried again, so a message may rarely come twice."""
    sent = failed = 0
    while (claimed := _claim(database, now)) is not None:
        notice_id, recipient, body = claimed
        try:
            provider_id = send(recipient, body)
        except Undelivered as error:
            failed += 1
            _record(database, notice_id, None, error, now)
        else:
            sent += 1
            _record(database, notice_id, provider_id, None, now)
    return Delivered(sent, failed)


def _claim(database: Database, now: datetime) -> tuple[int, str, str] | None:
    with database.transaction() as session:
        notice = session.scalar(
            select(Notice).where(Notice.state == "waiting", Notice.next_attempt_at <= now)
            .order_by(Notice.id).limit(1).with_for_update(skip_locked=True)
        )
        if notice is None:
            return None
        notice.next_attempt_at = now + FIRST_RETRY * 2**notice.attempts
        notice.attempts += 1
        return notice.id, notice.recipient, notice.body


def _record(
    database: Database, notice_id: int, provider_id: str | None, error: Undelivered | None,
    now: datetime,
) -> None:
    with database.transaction() as session:
        notice = session.get_one(Notice, notice_id)
        if error is None:
            notice.state, notice.sent_at, notice.provider_id = "sent", now, provider_id
            return
        notice.error = str(error)[:300]
        if error.final or notice.attempts >= ATTEMPTS:
            notice.state = "failed"
        log.error("notice %d was not taken (%s): %s", notice_id, notice.state, notice.error)


def twilio_sender(settings: Settings) -> Send | None:
    """A sender over Twilio, or None where no account is set."""
    if not (settings.twilio_account and settings.twilio_token and settings.twilio_from):
        return None
    sender = settings.twilio_from
    client = Client(
        settings.twilio_account, settings.twilio_token,
        http_client=_TwilioHttp(settings.twilio_url),
    )

    def send(recipient: str, text: str) -> str:
        try:
            message = client.messages.create(to=_international(recipient), from_=sender, body=text)
        except TwilioRestException as error:
            # 4xx but 429: refused for good (number, sender, account)
            final = 400 <= error.status < 500 and error.status != 429
            raise Undelivered(f"Twilio {error.status}: {error.msg}", final=final) from error
        except (TwilioException, requests.RequestException) as error:
            why = f"Twilio cannot be reached: {type(error).__name__}"
            raise Undelivered(why, final=False) from error
        return str(message.sid)

    return send


class _TwilioHttp(TwilioHttpClient):  # type: ignore[misc]
    """Twilio's client with a time limit (it has none by itself) and, if set, another address."""

    def __init__(self, base: str | None) -> None:
        super().__init__(timeout=SEND_TIMEOUT_S)
        self._base = base

    def request(self, method, url, *args, **kwargs):  # type: ignore[no-untyped-def]
        if self._base:
            url = url.replace("https://api.twilio.com", self._base.rstrip("/"), 1)
        return super().request(method, url, *args, **kwargs)


def _international(number: str) -> str:
    """+84... for a domestic number: the form Twilio takes."""
    return f"+84{number[1:]}" if number.startswith("0") else number
