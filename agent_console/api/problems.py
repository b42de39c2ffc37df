"""What is told to a program when something cannot be done: RFC 9457, in English, with a code that
stays the same whatever the sentence becomes."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import Any

from flask import Response

# of errors that Flask itself finds
_CODES = {
    400: "malformed", 404: "not_found", 405: "method", 413: "too_long", 415: "media_type",
    429: "too_many_requests", 503: "unavailable",
}


class Problem(Exception):
    """`code` is stable. What else stands in `more` is told too."""

    def __init__(
        self, status: int, code: str, detail: str, headers: dict[str, str] | None = None,
        **more: Any,
    ) -> None:
        super().__init__(detail)
        self.status, self.code, self.detail = status, code, detail
        self.headers, self.more = headers or {}, more

    def answer(self) -> Response:
        told = {
            "type": "about:blank", "title": HTTPStatus(self.status).phrase, "status": self.status,
            "code": self.code, "detail": self.detail, **self.more,
        }
        return Response(
            json.dumps(told, ensure_ascii=False), self.status, self.headers,
            content_type="application/problem+json",
        )


def of_status(status: int) -> Response:
    """For an error that no view has raised: an unknown address, a wrong method."""
    return Problem(status, _CODES.get(status, "internal"), HTTPStatus(status).description
                   or HTTPStatus(status).phrase).answer()
