"""SMS through a brandname gateway by HTTP, whatever its fields are called: settings name them."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qsl

from crm.notices import http, sms
from crm.notices.delivery import Outgoing, Route, Undelivered
from crm.notices.numbers import international
from crm.settings import Settings, SettingsError

PROVIDER = "gateway"


def route(settings: Settings) -> Route:
    """Raises SettingsError where what is to be sent is no JSON."""
    template = _template(settings)
    headers = dict([settings.sms_gateway_auth.split(": ", 1)] if settings.sms_gateway_auth else [])

    def send(outgoing: Outgoing) -> str:
        text = sms.fitting(outgoing.body, settings)
        sent = _filled(template, {
            "{sender}": settings.sms_sender or "", "{text}": text, "{id}": str(outgoing.id),
            "{to}": international(outgoing.recipient, settings.sms_gateway_numbers),
            "{coding}": "0" if sms.is_gsm(text) else "8",
        })
        answer = http.ask(
            settings.sms_gateway_method, settings.sms_gateway_url or "", "the gateway",
            headers=headers, **{_place(settings): sent},
        )
        if answer.status_code in (401, 403):  # a key to be renewed: nothing is wrong with this one
            raise Undelivered(
                f"the gateway does not let us in ({answer.status_code})", final=False,
                throttled=True,
            )
        if answer.status_code >= 300:
            raise Undelivered(f"the gateway {answer.status_code}", final=True)
        told = http.json_of(answer, "the gateway")
        if settings.sms_gateway_success:
            name, _, good = settings.sms_gateway_success.partition("=")
            if (found := http.field(told, name)) not in good.split("|"):
                raise Undelivered(f"the gateway says {name} = {found}", final=True)
        return http.field(told, settings.sms_gateway_id) or f"notice-{outgoing.id}"

    return Route(PROVIDER, send)


def _place(settings: Settings) -> str:
    if settings.sms_gateway_method == "GET":
        return "params"
    return "json" if settings.sms_gateway_format == "json" else "data"


def _template(settings: Settings) -> Any:
    body = settings.sms_gateway_body
    if settings.sms_gateway_format == "form" or settings.sms_gateway_method == "GET":
        return dict(parse_qsl(body, keep_blank_values=True))
    try:
        return json.loads(body)
    except json.JSONDecodeError as error:
        raise SettingsError(f"sms_gateway_body is no JSON: {error}") from error


def _filled(template: Any, values: dict[str, str]) -> Any:
    """The template with its names filled in; a value is never read as JSON or as a form."""
    if isinstance(template, dict):
        return {name: _filled(value, values) for name, value in template.items()}
    if isinstance(template, list):
        return [_filled(value, values) for value in template]
    if not isinstance(template, str):
        return template
    if template in values:
        return values[template]
    filled = template
    for name, value in values.items():
        if name != "{text}":  # last: a text may hold what looks like a name
            filled = filled.replace(name, value)
    return filled.replace("{text}", values["{text}"])
