"""One way in for every operation: who asks, what is asked, once or again, and what is answered.

`@operation` makes the Flask view and keeps what the OpenAPI document needs to know of it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pydantic
from flask import Blueprint, Response, jsonify, request
from pydantic import BaseModel
from sqlalchemy.orm import Session
from werkzeug.exceptions import BadRequest

from agent_console.api.problems import Problem
from agent_console.api.shapes import Strict
from agent_console.door import console, public, utc_now
from crm.agencies.register import AgencyError
from crm.api import repeats, tokens
from crm.api.listing import CursorError
from crm.api.models import ApiToken
from crm.api.repeats import KeyReused
from crm.api.tokens import Scope
from crm.areas import AreaError
from crm.cases import life
from crm.cases.life import CaseError

blueprint = Blueprint("api", __name__, url_prefix="/api/v1")
open_blueprint = Blueprint("open_api", __name__, url_prefix="/api/v1")
KEY = r"[A-Za-z0-9_-]{8,64}"


@dataclass(frozen=True)
class Asked:
    """A request that has been let in and parsed. `by` is who stands in the events of a case."""

    query: Any  # of the shape that the operation names
    body: Any
    now: datetime
    by: str
    scopes: frozenset[str]


@dataclass(frozen=True)
class Operation:
    """What the document says of one operation."""

    name: str
    method: str
    path: str  # as OpenAPI writes it: /cases/{code}
    summary: str
    scope: Scope | None
    query: type[BaseModel] | None
    body: type[BaseModel] | None
    answer: type[BaseModel]
    status: int
    repeats: bool  # changes something: needs an Idempotency-Key


OPERATIONS: list[Operation] = []

View = Callable[..., dict[str, Any]]


def operation(
    method: str, path: str, summary: str, *, answer: type[BaseModel], scope: Scope | None = None,
    query: type[Strict] | None = None, body: type[Strict] | None = None, status: int = 200,
    repeats: bool = False,
) -> Callable[[View], View]:
    """Make `view(asked, session, **parts of the path)` an operation; it answers a dict. One that
    `repeats` runs in a transaction of its own, the others only read."""
    def make(view: View) -> View:
        one = Operation(view.__name__, method, path, summary, scope, query, body, answer, status,
                        repeats)
        OPERATIONS.append(one)

        def answered(**parts: str) -> Response:
            return _answered(one, view, parts)

        room = blueprint if scope else open_blueprint
        room.add_url_rule(
            path.replace("{", "<").replace("}", ">"), one.name, public(answered), methods=[method]
        )
        return view

    return make


def _answered(one: Operation, view: View, parts: dict[str, str]) -> Response:
    now = utc_now()
    token = _admitted(one.scope, now) if one.scope else None
    given = _query(one.query)
    body = _body(one.body)
    asked = Asked(
        given, body, now, f"api:{token.name}" if token else "api",
        frozenset(token.scopes) if token else frozenset(),
    )
    database = console().database
    try:
        if one.repeats and token is not None:
            key = _key()
            with database.transaction() as session:
                same = [one.method, request.path, body.model_dump(mode="json") if body else None]
                status, told = repeats.once(
                    session, token_id=token.id, key=key, request=same, now=now,
                    act=lambda: (one.status, view(asked, session, **parts)),
                )
        else:
            with database.reading() as session:
                status, told = one.status, view(asked, session, **parts)
    except KeyReused as error:
        raise Problem(409, "idempotency_key_reused", str(error)) from error
    except CursorError as error:
        raise Problem(404, "cursor_unknown", str(error)) from error
    except CaseError as error:
        if error.code == "unknown":
            raise Problem(404, "case_unknown", "there is no such case") from error
        raise Problem(409, f"case_{error.code}", str(error)) from error
    except (AreaError, AgencyError) as error:
        # what the document cannot know: which units and agencies stand today
        code = "area_unknown" if isinstance(error, AreaError) else "agency_unknown"
        raise Problem(409, code, str(error)) from error
    answer = jsonify(told)
    answer.status_code = status
    return answer


def case_changes(session: Session, case: Any, version: int) -> None:
    """Raise 409 with what has changed, if something has since that version."""
    try:
        life.unchanged_since(session, case, version)
    except CaseError as error:
        events = life.events_of(session, case)
        raise Problem(
            409, "stale", "the case has changed since that version: read it again",
            version=events[-1].id, changes=[
                {"what": one.what, "at": one.at.isoformat(), "before": one.before,
                 "after": one.after}
                for one in events if one.id > version
            ],
        ) from error


def _admitted(scope: Scope, now: datetime) -> ApiToken:
    kind, _, shown = request.headers.get("Authorization", "").partition(" ")
    if kind.lower() != "bearer" or not shown:
        raise Problem(401, "token_missing", "show a token: Authorization: Bearer …",
                      {"WWW-Authenticate": "Bearer"})
    token = good_token(shown, now)
    if token is None:
        raise Problem(401, "token_invalid", "this token is unknown, over or revoked",
                      {"WWW-Authenticate": 'Bearer error="invalid_token"'})
    if scope not in token.scopes:
        raise Problem(403, "scope", f"this token does not have the scope {scope}")
    return token


def good_token(shown: str, now: datetime) -> ApiToken | None:
    """The token, noted as used; once a minute is enough."""
    database = console().database
    with database.reading() as session:
        token = tokens.find(session, shown.strip(), now)
    if token and (token.used_at is None or now - token.used_at > tokens.USED_EVERY):
        with database.transaction() as session:
            tokens.mark_used(session, token.id, now)
    return token


def _key() -> str:
    key = request.headers.get("Idempotency-Key", "")
    if not re.fullmatch(KEY, key):
        raise _invalid([{
            "at": "header.Idempotency-Key", "why": "must be 8 to 64 letters, digits, - or _"
        }])
    return key


def _query(model: type[BaseModel] | None) -> BaseModel | None:
    given = request.args
    if twice := [name for name in given if len(given.getlist(name)) > 1]:
        raise _invalid([{"at": f"query.{name}", "why": "is given twice"} for name in twice])
    return _parsed(model or Strict, given.to_dict(), "query")


def _body(model: type[BaseModel] | None) -> BaseModel | None:
    if model is None:
        return None
    if not request.is_json:
        raise Problem(415, "media_type", "send application/json")
    try:
        return _parsed(model, request.get_json(), "body")
    except RecursionError as error:  # nested without end
        raise BadRequest() from error


def _parsed(model: type[BaseModel], given: Any, where: str) -> BaseModel:
    try:
        return model.model_validate(given)
    except pydantic.ValidationError as error:
        raise _invalid([
            {"at": ".".join([where, *(str(part) for part in one["loc"])]), "why": one["msg"]}
            for one in error.errors(include_url=False, include_context=False, include_input=False)
        ]) from error


def _invalid(errors: list[dict[str, str]]) -> Problem:
    return Problem(422, "invalid", "; ".join(f"{one['at']}: {one['why']}" for one in errors),
                   errors=errors)
