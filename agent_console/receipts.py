"""What providers report over HTTP, signed: messages delivered or not, and replies to them.

Whoever calls is a stranger until the signature over the very bytes is right.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
import re
from datetime import timedelta

from flask import Blueprint, request
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from twilio.request_validator import RequestValidator  # type: ignore[import-untyped]
from werkzeug.exceptions import BadRequest, Forbidden, NotFound

from agent_console.door import Answer, console, public, utc_now
from crm.intake import zalo as messages
from crm.notices import optout, receipts
from crm.notices.receipts import Receipt

log = logging.getLogger(__name__)
blueprint = Blueprint("receipts", __name__, url_prefix="/receipts")
FRESH = timedelta(minutes=5)
TWILIO_DELIVERED, TWILIO_FAILED = {"delivered", "read"}, {"failed", "undelivered", "canceled"}


class GatewayReport(BaseModel):
    """A delivery report of the brandname gateway."""

    model_config = ConfigDict(extra="ignore")
    message_id: str = Field(min_length=1, max_length=100)
    status: str = Field(pattern="^(delivered|failed)$")
    error: str = Field(default="", max_length=200)
    reference: str = Field(default="", pattern="^[0-9]{0,9}$")  # the {id} that it was sent with


class GatewayReply(BaseModel):
    """What somebody answered to a message."""

    model_config = ConfigDict(extra="ignore", populate_by_name=True)
    number: str = Field(alias="from", pattern=r"^\+?[0-9]{3,15}$")
    text: str = Field(max_length=2000)


@blueprint.post("/twilio")
@public
def twilio() -> Answer:
    """A status callback (MessageSid, MessageStatus), or a reply (From, Body)."""
    settings = console().settings
    if settings.sms_provider != "twilio" or not settings.public_url:
        raise NotFound()
    right = RequestValidator(settings.twilio_token).validate(
        settings.public_url + request.full_path.rstrip("?"), request.form,
        request.headers.get("X-Twilio-Signature", ""),
    )
    if not right:
        _refuse("twilio")
    form = request.form
    if status := form.get("MessageStatus"):
        if status in TWILIO_DELIVERED | TWILIO_FAILED:
            _take(Receipt(
                "twilio", form.get("MessageSid", "")[:100], status in TWILIO_DELIVERED,
                f"{status} {form.get('ErrorCode', '')}".strip(),
            ))
    elif re.fullmatch(r"\+?[0-9]{3,15}", number := form.get("From", "")):
        _reply(number, form.get("Body", ""))
    return "", 204


@blueprint.post("/gateway")
@public
def gateway() -> Answer:
    """JSON: `message_id`, `status` (delivered | failed), `error`, `reference` (our id); or a reply:
    `from`, `text`. Signed: X-Signature is the HMAC-SHA256, in hex, of X-Timestamp (seconds), a
    full stop and the body."""
    key = console().settings.sms_gateway_secret
    if console().settings.sms_provider != "gateway" or not key:
        raise NotFound()
    at, body = request.headers.get("X-Timestamp", ""), request.get_data()
    right = hmac.new(key.encode(), at.encode() + b"." + body, hashlib.sha256).hexdigest()
    if not _same(request.headers.get("X-Signature", ""), right) or not at.isdecimal():
        _refuse("gateway")
    if abs(utc_now().timestamp() - int(at)) > FRESH.total_seconds():
        _refuse("gateway")  # an old one, sent again by somebody else
    try:
        told = json.loads(body)
        if isinstance(told, dict) and "from" in told:
            reply = GatewayReply.model_validate(told)
            _reply(reply.number, reply.text)
        else:
            report = GatewayReport.model_validate(told)
            _take(Receipt(
                "gateway", report.message_id, report.status == "delivered", report.error,
                int(report.reference) if report.reference else None,
            ))
    except (ValidationError, ValueError) as error:
        raise BadRequest() from error
    return "", 204


@blueprint.post("/zalo")
@public
def zalo() -> Answer:
    """Zalo's event user_received_message, which brings back the tracking id, and what citizens
    write to the account. Signed: X-ZEvent-Signature is `mac=` and the SHA-256 of app id, body,
    timestamp and the account's key."""
    settings = console().settings
    if not settings.zalo_app:
        raise NotFound()
    body = request.get_data()
    try:
        told = json.loads(body)
        at = str(told["timestamp"])
    except (ValueError, KeyError, TypeError) as error:
        raise BadRequest() from error
    signed = settings.zalo_app.encode() + body + at.encode() + (
        settings.zalo_oa_secret or ""
    ).encode()
    right = f"mac={hashlib.sha256(signed).hexdigest()}"
    if not _same(request.headers.get("X-ZEvent-Signature", ""), right):
        _refuse("zalo")
    message = told.get("message")
    if told.get("event_name") == "user_received_message" and isinstance(message, dict):
        _take(Receipt("zalo", str(message.get("tracking_id", ""))[:100], delivered=True))
    elif told.get("event_name") in messages.EVENTS:
        try:
            written = messages.parse(told)
        except ValidationError as error:
            raise BadRequest() from error
        with console().database.transaction() as session:
            messages.take_in(session, written, utc_now())
    return "", 204


def _same(given: str, right: str) -> bool:
    return hmac.compare_digest(given.encode(), right.encode())


def _refuse(provider: str) -> None:
    log.warning("a report in the name of %s is not signed rightly", provider)
    raise Forbidden()


def _take(receipt: Receipt) -> None:
    if receipt.provider_id:
        with console().database.transaction() as session:
            receipts.take(session, receipt, utc_now())


def _reply(number: str, text: str) -> None:
    with console().database.transaction() as session:
        optout.take_reply(session, number, text, utc_now())
