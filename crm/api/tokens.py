"""Tokens: what a program shows to be let in, and what it may then do.

A token is shown once, when it is made; the table has its SHA-256. It is 256 bits by chance, so that
a plain hash is enough and nothing has to be slow.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Iterable
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from crm.api.models import ApiToken
from crm.errors import HotlineError

PREFIX = "hl1022_"  # so that one that was leaked is known for what it is
NAME = re.compile(r"[a-z][a-z0-9.-]{1,31}")
USED_EVERY = timedelta(minutes=1)


class Scope(StrEnum):
    """What a token allows."""

    CALLS_READ = "calls:read"
    CALLS_PERSONAL = "calls:personal"  # callers' numbers, names of recordings
    CASES_READ = "cases:read"
    CASES_WRITE = "cases:write"
    CASES_PERSONAL = "cases:personal"  # numbers, what citizens said, sensitive cases
    REPORTS_READ = "reports:read"
    OPEN311_WRITE = "open311:write"  # as the api_key of Open311


class TokenError(HotlineError):
    """A token cannot be made or ended. `code`: name, taken, scopes, expires, unknown."""

    def __init__(self, sentence: str, code: str) -> None:
        super().__init__(sentence)
        self.code = code


def create(
    session: Session, *, name: str, scopes: Iterable[str], by: str, now: datetime,
    expires_at: datetime | None = None,
) -> str:
    """Make a token; what is returned is nowhere kept. Raises TokenError."""
    if not NAME.fullmatch(name):
        raise TokenError(
            "a name has 2 to 32 of a-z, 0-9, full stop and hyphen, and starts with a letter", "name"
        )
    wanted = set(scopes)
    if not wanted or wanted - set(Scope):
        raise TokenError(f"a token has one or more of the scopes {', '.join(Scope)}", "scopes")
    if expires_at is not None and expires_at <= now:
        raise TokenError("a token ends in the future", "expires")
    token = PREFIX + secrets.token_urlsafe(32)
    made = ApiToken(
        name=name, token_hash=token_hash(token),
        scopes=[scope.value for scope in Scope if scope in wanted],
        created_at=now, created_by=by, expires_at=expires_at,
    )
    try:
        with session.begin_nested():
            session.add(made)
    except IntegrityError as error:
        raise TokenError(f"there is a token {name} already", "taken") from error
    return token


def find(session: Session, token: str, now: datetime) -> ApiToken | None:
    """The token that is shown, if it is good now."""
    found = session.scalar(select(ApiToken).where(ApiToken.token_hash == token_hash(token)))
    return found if found is not None and is_good(found, now) else None


def is_good(token: ApiToken, now: datetime) -> bool:
    ended = token.expires_at is not None and token.expires_at <= now
    return token.revoked_at is None and not ended


def mark_used(session: Session, token_id: int, now: datetime) -> None:
    session.get_one(ApiToken, token_id).used_at = now


def revoke(session: Session, name: str, now: datetime) -> None:
    """End a token for good. Raises TokenError: there is none."""
    found = session.scalar(select(ApiToken).where(ApiToken.name == name))
    if found is None:
        raise TokenError(f"there is no token {name}", "unknown")
    found.revoked_at = found.revoked_at or now


def all_tokens(session: Session) -> list[ApiToken]:
    """Every token that was ever made, good ones first."""
    order = ApiToken.revoked_at.is_not(None), ApiToken.name
    return list(session.scalars(select(ApiToken).order_by(*order)))


def token_hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
