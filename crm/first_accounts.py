"""The accounts that set-up makes, and whether their passwords are still those it gave them.

The passwords stand in a file for whoever hands them out, who deletes it. What they were is known
after that by a digest of their hash.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from crm.models import User

FILE = "first-accounts.txt"
DIGESTS = "first-accounts.json"


def keep(home: Path, made: Iterable[tuple[User, str]]) -> None:
    """Write down accounts with their passwords, readable by nobody else."""
    made = list(made)
    _write(home / FILE, "".join(
        f"{user.login:<10} {password}   {user.role}\n" for user, password in made
    ))
    _write(home / DIGESTS, json.dumps({user.login: _digest(user) for user, _ in made}))


def unchanged(session: Session, home: Path) -> list[str]:
    """Logins whose first password still holds, and who can sign in."""
    try:
        known = json.loads((home / DIGESTS).read_text(encoding="utf-8"))
    except FileNotFoundError:  # set up by a version that kept none, or without accounts
        return []
    found = session.scalars(select(User).where(User.login.in_(known), User.active.is_(True)))
    return sorted(user.login for user in found if _digest(user) == known[user.login])


def _digest(user: User) -> str:
    return hashlib.sha256(user.password_hash.encode()).hexdigest()


def _write(file: Path, text: str) -> None:
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as out:
        out.write(text)
