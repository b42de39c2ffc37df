"""What a request asks for, parsed at the edge: numbers, days, texts that a database can hold."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime
from itertools import chain
from typing import Any

from flask import request
from werkzeug.exceptions import BadRequest, NotFound
from werkzeug.routing import IntegerConverter, Map

from crm.clock import vietnam_day

LARGEST = 999_999_999  # of numbers from outside; a column holds twice that


class RowNumber(IntegerConverter):
    """The number of a row in an address: what no column can hold is no page, on any database."""

    def __init__(self, map_: Map) -> None:
        super().__init__(map_, max=LARGEST)


def whole(written: str) -> int:
    """A whole number up to LARGEST, as a form or an address has it. Raises ValueError, so that it
    can be the `type` of what is asked for."""
    if not re.fullmatch(r"[0-9]{1,9}", written):
        raise ValueError("no whole number, or too large")
    return int(written)


def by_script() -> dict[str, Any]:
    """The object of JSON that a page's script sends. Raises BadRequest: it is none, or holds what
    no text of a database does."""
    try:
        asked = request.get_json(silent=True)
        if isinstance(asked, dict) and all(map(_is_storable, _texts(asked))):
            return asked
    except RecursionError:  # nested without end
        pass
    raise BadRequest()


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for one in chain(value, value.values() if isinstance(value, dict) else ()):
            yield from _texts(one)


def _is_storable(text: str) -> bool:
    """No text of PostgreSQL holds U+0000, and half of a surrogate pair is no letter."""
    return not re.search("[\0\ud800-\udfff]", text)


def day_of(written: str | None, otherwise: date | None = None) -> date:
    """A day of Vietnam as a form or an address names it; `otherwise` (today) where it names none.
    Raises BadRequest: it is no day, or none of a hotline's."""
    if not written:
        return otherwise or vietnam_day(datetime.now(UTC))
    try:
        day = date.fromisoformat(written)
    except ValueError as error:
        raise BadRequest() from error
    if not 2020 <= day.year <= 2100:
        raise BadRequest()
    return day


def refuse_unstorable() -> None:
    """Raises NotFound for an address, BadRequest for a form or what is asked for in one."""
    if not all(_is_storable(str(value)) for value in (request.view_args or {}).values()):
        raise NotFound()
    for given in (request.args, request.form):
        if not all(_is_storable(text) for texts in given.listvalues() for text in texts):
            raise BadRequest()
