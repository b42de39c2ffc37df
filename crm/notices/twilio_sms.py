"""SMS through Twilio, a foreign service: off unless chosen, and never given anything about a person
unless the legal basis for it is set."""

from __future__ import annotations

from datetime import timedelta

import requests
from twilio.base.exceptions import (  # type: ignore[import-untyped]
    TwilioException,
    TwilioRestException,
)
from twilio.http.http_client import TwilioHttpClient  # type: ignore[import-untyped]
from twilio.http.response import Response  # type: ignore[import-untyped]
from twilio.rest import Client  # type: ignore[import-untyped]

from crm.notices.delivery import Outgoing, Route, Undelivered
from crm.notices.http import retry_after
from crm.notices.numbers import international
from crm.notices.sms import fitting
from crm.settings import Settings

PROVIDER = "twilio"
REPORTS = "/receipts/twilio"
SEND_TIMEOUT_S = 10


def route(settings: Settings) -> Route:
    """Send through Twilio; the account is set (crm.settings sees to it)."""
    http = _TwilioHttp(settings.twilio_url)
    client = Client(settings.twilio_account, settings.twilio_token, http_client=http)
    options = {"from_": settings.twilio_from}
    if settings.public_url:
        options["status_callback"] = settings.public_url + REPORTS

    def send(outgoing: Outgoing) -> str:
        if outgoing.personal and settings.foreign_personal != PROVIDER:
            raise Undelivered(
                "about a person: Twilio is a foreign service (see foreign_personal)", final=True
            )
        text = fitting(outgoing.body, settings)
        try:
            message = client.messages.create(
                to=international(outgoing.recipient), body=text, **options
            )
        except TwilioRestException as error:
            # 4xx but 429: refused for good (number, sender, account)
            busy = error.status == 429
            final = 400 <= error.status < 500 and not busy
            raise Undelivered(
                f"Twilio {error.status}: {error.msg}", final=final, throttled=busy,
                after=http.asked if busy else None, unsure=error.status >= 500,
            ) from error
        except (TwilioException, requests.RequestException) as error:
            why = f"Twilio cannot be reached: {type(error).__name__}"
            raise Undelivered(why, final=False, unsure=True) from error
        return str(message.sid)

    return Route(PROVIDER, send)


class _TwilioHttp(TwilioHttpClient):  # type: ignore[misc]
    """Twilio's client with a time limit (it has none by itself), what it was asked to wait, and,
    if set, another address."""

    def __init__(self, base: str | None) -> None:
        super().__init__(timeout=SEND_TIMEOUT_S)
        self._base = base
        self.asked: timedelta | None = None

    def request(self, method, url, *args, **kwargs) -> Response:  # type: ignore[no-untyped-def]
        if self._base:
            url = url.replace("https://api.twilio.com", self._base.rstrip("/"), 1)
        answer = super().request(method, url, *args, **kwargs)
        self.asked = retry_after((answer.headers or {}).get("Retry-After"))
        return answer
