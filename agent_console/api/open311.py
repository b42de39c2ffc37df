"""Open311 GeoReport v2 (wiki.open311.org/GeoReport_v2): a public register of requests, in JSON and
XML. Reading needs nothing; sending needs an api_key, a token with the scope open311:write."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import wraps
from typing import Annotated, Any

import pydantic
from flask import Blueprint, Response, request
from pydantic import BaseModel, Field, StringConstraints

from agent_console.api.operations import good_token
from agent_console.api.shapes import AreaCode, Words, moment
from agent_console.door import console, public, utc_now
from crm.api.tokens import Scope
from crm.areas import AreaError
from crm.cases.categories import Category
from crm.cases.deadlines import GENERALS
from crm.cases.life import CaseError
from crm.errors import HotlineError
from crm.open311 import documents, mapping, register

blueprint = Blueprint("open311", __name__, url_prefix="/open311/v2")

SPAN = timedelta(days=90)
MOST = 1000
CHANGESET = "2026-03-01T00:00:00+07:00"  # when this description last changed
SPECIFICATION = "http://wiki.open311.org/GeoReport_v2"
# the province with a margin, degrees of WGS 84
_NORTH, _EAST = (19.1, 20.8), (104.2, 106.3)
_MIME = {"json": "application/json; charset=utf-8", "xml": "text/xml; charset=utf-8"}
_FORM = "any(json, xml):form"


class Fault(HotlineError):
    """What GeoReport calls an error: a code of HTTP and a description."""

    def __init__(self, code: int, description: str) -> None:
        super().__init__(description)
        self.code = code


class Sent(BaseModel):
    """A request as it is sent. Names and e-mail addresses are not kept, so they are not read."""

    service_code: str
    description: Words
    phone: Annotated[str, StringConstraints(pattern=r"^(0|\+84)[0-9]{9,10}$")] | None = None
    address_string: Annotated[str, StringConstraints(min_length=3, max_length=300)] | None = None
    lat: float | None = Field(None, ge=_NORTH[0], le=_NORTH[1])
    long: float | None = Field(None, ge=_EAST[0], le=_EAST[1])
    area: AreaCode | None = Field(None, alias="attribute[area]")


def answer(root: str, data: Any, form: str, status: int = 200) -> Response:
    return Response(documents.write(root, data, form), status, content_type=_MIME[form])


def faults(code: int, description: str) -> Response:
    """An error in the form that was asked for."""
    form = documents.XML if request.path.endswith(".xml") else documents.JSON
    return answer("errors", [{"code": code, "description": description}], form, code)


def _georeport(root: str, status: int = 200) -> Callable[[Callable[..., Any]], Any]:
    """A view that gives data; the document is made of it, or of what is wrong."""
    def make(view: Callable[..., Any]) -> Callable[..., Response]:
        @public
        @wraps(view)
        def answered(form: str, **parts: str) -> Response:
            try:
                return answer(root, view(**parts), form, status)
            except Fault as error:
                return faults(error.code, str(error))
        return answered
    return make


@blueprint.get(f"/discovery.<{_FORM}>")
@_georeport("discovery")
def discovery() -> Any:
    kind = "production" if console().settings.stage == "production" else "test"
    return {
        "changeset": CHANGESET, "contact": "1022 Thanh Hóa: (0237) 1022",
        "key_service": "1022 Thanh Hóa: (0237) 1022",
        "endpoints": [{
            "specification": SPECIFICATION, "url": f"{request.url_root}open311/v2",
            "changeset": CHANGESET, "type": kind, "formats": ["text/xml", "application/json"],
        }],
    }


@blueprint.get(f"/services.<{_FORM}>")
@_georeport("services")
def services() -> Any:
    _jurisdiction()
    return [mapping.service(one) for one in mapping.SERVICES.values()]


@blueprint.get(f"/services/<code>.<{_FORM}>")
@_georeport("service_definition")
def definition(code: str) -> Any:
    _jurisdiction()
    return mapping.definition(_service(code), register.units(utc_now()))


@blueprint.get(f"/requests.<{_FORM}>")
@_georeport("service_requests")
def listing() -> Any:
    _jurisdiction()
    given = request.args
    since, until = _span(given.get("start_date"), given.get("end_date"), utc_now())
    numbers = _several(given.get("service_request_id"))
    states = _several(given.get("status")) or []
    if set(states) - {mapping.OPEN, mapping.CLOSED}:
        raise Fault(400, "status is open or closed")
    size = _number("page_size", MOST, MOST)
    return _told(
        since=since, until=until, states=states, numbers=numbers,
        services=[_service(one).id for one in _several(given.get("service_code")) or ()],
        limit=size, offset=(_number("page", 1, 1_000_000) - 1) * size,
    )


@blueprint.get(f"/requests/<number>.<{_FORM}>")
@_georeport("service_requests")
def one_request(number: str) -> Any:
    _jurisdiction()
    now = utc_now()
    found = _told(since=now, until=now, numbers=[_id(number)], limit=1)
    if not found:
        raise Fault(404, "service_request_id was not found")
    return found


@blueprint.get(f"/tokens/<token>.<{_FORM}>")
@_georeport("service_requests")
def token(token: str) -> Any:
    """Every request has its number at once, so the number is its own token."""
    _jurisdiction()
    now = utc_now()
    if not _told(since=now, until=now, numbers=[_id(token)], limit=1):
        raise Fault(404, "token was not found")
    return [{"service_request_id": token, "token": token}]


@blueprint.post(f"/requests.<{_FORM}>")
@_georeport("service_requests", 201)
def send() -> Any:
    _jurisdiction()
    now, by = utc_now(), _sender(utc_now())
    sent = _sent()
    service = _service(sent.service_code)
    here = console()
    try:
        with here.database.transaction() as session:
            made = register.take_in(
                session, service=service.id, description=sent.description, by=by, now=now,
                phone=sent.phone and re.sub(r"^\+84", "0", sent.phone), area=sent.area,
                address=sent.address_string, lat=sent.lat, long=sent.long,
                general=GENERALS[here.settings.general_days],
            )
            number, code = made.number, made.case.code
    except (CaseError, AreaError) as error:
        raise Fault(400, str(error)) from error
    return [{
        "service_request_id": number,
        "service_notice": f"Mã phản ánh: {code[:4]} {code[4:]}. Gọi 1022, phím 7 để tra cứu.",
        "account_id": None,
    }]


def _told(*, since: datetime, until: datetime, limit: int, **conditions: Any) -> list[Any]:
    with console().database.reading() as session:
        found = register.find(session, since=since, until=until, limit=limit, **conditions)
        updated = register.updated(session, found)
        units = register.units(utc_now())
        return [mapping.request(one, updated[one.case_id], units) for one in found]


def _sender(now: datetime) -> str:
    key = request.values.get("api_key", "")
    if not key:
        raise Fault(400, "api_key was not provided")
    known = good_token(key, now)
    if known is None or Scope.OPEN311_WRITE not in known.scopes:
        raise Fault(403, "api_key is not valid, or not for sending requests")
    return f"api:{known.name}"


def _sent() -> Sent:
    given = {name: text for name, text in request.form.items() if text}
    if not {"service_code", "description"} <= given.keys():
        raise Fault(400, "service_code and description are required")
    try:
        sent = Sent.model_validate(given)
    except pydantic.ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise Fault(400, f"{'.'.join(str(one) for one in first['loc'])}: {first['msg']}") from error
    if (sent.lat is None) != (sent.long is None):
        raise Fault(400, "lat and long go together")
    if sent.lat is None and not sent.address_string and not sent.area:
        raise Fault(400, "lat and long, or address_string, or attribute[area] is required")
    return sent


def _jurisdiction() -> None:
    asked = request.values.get("jurisdiction_id")
    if asked and asked != console().settings.open311_jurisdiction:
        raise Fault(404, "jurisdiction_id was not found")


def _service(code: str) -> Category:
    if code not in mapping.SERVICES:
        raise Fault(404, "service_code was not found")
    return mapping.SERVICES[code]


def _span(start: str | None, end: str | None, now: datetime) -> tuple[datetime, datetime]:
    try:
        since = moment(start) if start else None
        until = moment(end) if end else None
        if since is None:
            since = (until or now) - SPAN
        until = until or since + SPAN
    except (ValueError, OverflowError) as error:
        raise Fault(400, "start_date and end_date are times as 2026-03-10T00:00:00Z") from error
    if until - since > SPAN:
        raise Fault(400, "start_date and end_date span 90 days at most")
    return since, until


def _several(text: str | None) -> list[str] | None:
    return [_id(one.strip()) for one in text.split(",")][:MOST] if text else None


def _id(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,40}", text):
        raise Fault(404, "no such id")
    return text


def _number(name: str, default: int, most: int) -> int:
    text = request.args.get(name) or str(default)
    if not re.fullmatch(r"[0-9]{1,7}", text, re.ASCII) or not 1 <= int(text) <= most:
        raise Fault(400, f"{name} is a whole number from 1 to {most}")
    return int(text)
