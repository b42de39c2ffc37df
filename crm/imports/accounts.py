"""Accounts from a file: added with a password of their own, or brought up to date by login."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from crm import users
from crm.branches import ALL_QUEUES
from crm.models import Role, User
from crm.rights import OF_AGENCIES
from crm.users import LOGIN

COLUMNS = ("login", "name", "role", "queues", "language", "active")
_LANGUAGES = ("vi", "en")
_YES, _NO = "yes", "no"


def faults(row: Mapping[str, str]) -> Iterator[str]:
    """What is wrong with a row."""
    if not LOGIN.fullmatch(row["login"]):
        yield f"{row['login']!r} is no login: 2 to 32 of a-z, 0-9 and full stop"
    name = " ".join(row["name"].split())
    if not 1 <= len(name) <= 80 or not name.isprintable():
        yield "a name has 1 to 80 letters"
    if row["role"] in OF_AGENCIES:
        yield "people of an agency get their accounts on its page"
    if row["role"] not in set(Role):
        yield f"there is no role {row['role']!r}; there are {', '.join(Role)}"
    if unknown := set(_queues(row)) - set(ALL_QUEUES):
        yield f"unknown queue: {', '.join(sorted(unknown))}"
    if row["language"] not in _LANGUAGES:
        yield f"language is one of {', '.join(_LANGUAGES)}"
    if row["active"] not in (_YES, _NO):
        yield f"active is {_YES} or {_NO}"


def put(session: Session, row: Mapping[str, str], now: datetime) -> str | None:
    """Add or change an account; the password of a new one, to be told once."""
    user = session.scalar(select(User).where(User.login == row["login"]))
    password = None
    if user is None:
        password = users.generate_password()
        user = users.create_user(
            session, login=row["login"], name=row["name"], role=Role(row["role"]),
            password=password, now=now, queues=_queues(row), language=row["language"],
        )
    user.name, user.language = " ".join(row["name"].split()), row["language"]
    users.set_queues(user, _queues(row))
    users.set_role(session, user, Role(row["role"]), now)
    if row["active"] == _YES:
        users.reactivate(user)
    elif user.active:
        users.deactivate(session, user, now)
    return password


def nobody_left(session: Session) -> bool:
    """Whether no administrator could sign in any more."""
    found = select(User.id).where(User.role == Role.ADMIN, User.active.is_(True))
    return session.scalar(found.limit(1)) is None


def as_row(user: User) -> dict[str, str]:
    return {
        "login": user.login, "name": user.name, "role": user.role,
        "queues": ", ".join(user.queues), "language": user.language,
        "active": _YES if user.active else _NO,
    }


def _queues(row: Mapping[str, str]) -> list[str]:
    return [one for one in re.split(r"[\s,;]+", row["queues"]) if one]
