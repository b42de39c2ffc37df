"""A client of other cities' GeoReport v2 servers.

What they answer is foreign: it is read up to a size, parsed into the types below, and whatever does
not fit is one clear error.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Any, TypeVar

import pydantic
import requests
from pydantic import BaseModel, BeforeValidator

from crm.errors import HotlineError
from crm.open311 import documents
from crm.open311.documents import DocumentError

TIMEOUT_S = 15
LONGEST = 8 * 1024 * 1024  # bytes of one answer

Text = Annotated[str | None, BeforeValidator(lambda given: None if given in (None, "") else
                                             str(given))]


Shape = TypeVar("Shape", bound=BaseModel)


class Open311Error(HotlineError):
    """The other server refused, cannot be reached, or speaks no GeoReport. `code` is that of HTTP,
    0 where there was none."""

    def __init__(self, sentence: str, code: int = 0) -> None:
        super().__init__(sentence)
        self.code = code


class Service(BaseModel):
    """A kind of request."""

    service_code: str
    service_name: str
    description: Text = None
    metadata: bool = False
    group: Text = None


class Request(BaseModel):
    """A request as the other server tells it."""

    service_request_id: Text = None
    status: Text = None
    status_notes: Text = None
    service_code: Text = None
    service_name: Text = None
    description: Text = None
    agency_responsible: Text = None
    requested_datetime: datetime | None = None
    updated_datetime: datetime | None = None
    expected_datetime: datetime | None = None
    address: Text = None
    lat: float | None = None
    long: float | None = None


class Receipt(BaseModel):
    """What a server answers to a new request: its number, or a token that is asked for it later."""

    service_request_id: Text = None
    token: Text = None
    service_notice: Text = None


@dataclass(frozen=True)
class Client:
    """`endpoint` is the address before /services.json; `form` is json or xml."""

    endpoint: str
    jurisdiction: str | None = None
    api_key: str | None = field(default=None, repr=False)
    form: str = documents.JSON

    def discovery(self) -> Any:
        return self._ask("GET", "discovery", {})

    def services(self) -> list[Service]:
        return _each(Service, self._ask("GET", "services", {}))

    def definition(self, service_code: str) -> Any:
        return self._ask("GET", f"services/{service_code}", {})

    def requests(self, **conditions: str) -> list[Request]:
        """`conditions` as GeoReport names them: service_code, start_date, end_date, status, …"""
        return _each(Request, self._ask("GET", "requests", conditions))

    def request(self, number: str) -> Request:
        found = _each(Request, self._ask("GET", f"requests/{number}", {}))
        if len(found) != 1:
            raise Open311Error(f"{self.endpoint} tells {len(found)} requests {number}")
        return found[0]

    def send(self, service_code: str, **told: str) -> Receipt:
        """`told`: description, address_string, lat, long, phone, … as GeoReport names them."""
        key = {"api_key": self.api_key} if self.api_key else {}
        found = _each(
            Receipt, self._ask("POST", "requests", {"service_code": service_code, **told, **key})
        )
        if len(found) != 1:
            raise Open311Error(f"{self.endpoint} answers with {len(found)} receipts")
        return found[0]

    def _ask(self, method: str, path: str, given: Mapping[str, str]) -> Any:
        if self.jurisdiction:
            given = {"jurisdiction_id": self.jurisdiction, **given}
        try:
            with requests.request(
                method, f"{self.endpoint.rstrip('/')}/{path}.{self.form}", stream=True,
                params=given if method == "GET" else None,
                data=given if method == "POST" else None,
                timeout=TIMEOUT_S, allow_redirects=False,
            ) as answer:
                text = answer.raw.read(LONGEST + 1, decode_content=True)
                code = answer.status_code
        except (requests.RequestException, OSError) as error:
            raise Open311Error(
                f"{self.endpoint} cannot be reached: {type(error).__name__}"
            ) from error
        if len(text) > LONGEST:
            raise Open311Error(f"{self.endpoint} answers more than {LONGEST} bytes")
        try:
            data = documents.read(text, self.form)
        except DocumentError as error:
            raise Open311Error(f"{self.endpoint} answers {code}: {error}", code) from error
        if code not in (200, 201):
            raise Open311Error(f"{self.endpoint} answers {code}: {_why(data)}", code)
        return data


def _why(data: Any) -> str:
    errors = [one for one in data if isinstance(one, dict)] if isinstance(data, list) else []
    return "; ".join(str(one.get("description"))[:200] for one in errors) or "without a reason"


def _each(shape: type[Shape], data: Any) -> list[Shape]:
    try:
        return pydantic.TypeAdapter(list[shape]).validate_python(data or [])  # type: ignore[valid-type]
    except pydantic.ValidationError as error:
        raise Open311Error(f"this is no answer of GeoReport: {error.errors()[0]['msg']}") from error
