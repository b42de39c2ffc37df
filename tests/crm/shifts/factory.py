"""People of a desk and their shifts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sqlalchemy.orm import Session

from crm import users
from crm.imports.files import Row
from crm.models import Role, User
from crm.shifts.models import Shift

NOW = datetime(2026, 11, 26, 1, 0, tzinfo=UTC)  # 08:00 in Vietnam, a Thursday
REST = timedelta(hours=12)
DAY = timedelta(days=1)


def someone(
    session: Session, login: str, role: Role = Role.AGENT, *, queues: tuple[str, ...] = ("vaccine",)
) -> User:
    return users.create_user(
        session, login=login, name=login.title(), role=role, password="a long enough password",
        now=NOW, queues=queues if role is Role.AGENT else (),
    )


def shift(
    session: Session, user: User, begins_at: datetime, hours: float = 8, branch: str = "vaccine"
) -> Shift:
    made = Shift(
        user_id=user.id, begins_at=begins_at, ends_at=begins_at + timedelta(hours=hours),
        branch=branch,
    )
    session.add(made)
    session.flush()
    return made


def row(line: int, login: str, day: str, begins: str, ends: str, branch: str = "vaccine") -> Row:
    return Row(
        {"login": login, "day": day, "from": begins, "to": ends, "branch": branch}, line
    )
