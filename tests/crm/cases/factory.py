"""Cases for tests."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import count
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from crm.agencies import officers, register
from crm.agencies.models import Officer, Post
from crm.cases import life
from crm.cases.models import Case, Status

NOW = datetime(2026, 3, 10, 3, 0, tzinfo=UTC)  # 10:00 in Vietnam
HEALTH = "SYT"  # the department of health, Sở Y tế
DISTRICT = "UBH01"  # a district's committee: ended with the districts on 30 June 2025
_NUMBERS = count(1)


def opened(session: Session, **told: Any) -> Case:
    """A case of somebody's; `told` are arguments of crm.cases.life.open_case."""
    known: dict[str, Any] = {
        "summary": f"Việc thứ {next(_NUMBERS)}", "by": "lan", "now": NOW, "phone": "0912345678",
    }
    return life.open_case(session, **known | told)


def with_agencies(session: Session) -> None:
    rows = register.read(register.PROVINCE)
    register.take_in(session, [row for row in rows if row["code"] in {HEALTH, DISTRICT}])


def at_agency(session: Session, **told: Any) -> Case:
    """A case that the department of health handles."""
    case = opened(session, **told)
    with_agencies(session)
    at = told.get("now", NOW)
    life.move(session, case, Status.ASSIGNED, by="huong", now=at, agency=HEALTH)
    return case


def officer(session: Session, post: Post = Post.OFFICER, **told: Any) -> Officer:
    """Somebody of the department of health, or of another `agency`; called with agencies there."""
    number = next(_NUMBERS)
    row = {
        "agency": HEALTH, "name": f"Cán bộ {number}", "post": post.value,
        "phone": f"0987{number:06d}", "email": "", "valid_from": "", "valid_to": "",
    } | told
    officers.take_in(session, [row], NOW)
    found = session.scalar(select(Officer).order_by(Officer.id.desc()))
    assert found is not None
    return found


def answered(session: Session, text: str, **told: Any) -> Case:
    """A case that is resolved with this answer."""
    case = at_agency(session, **told)
    at = told.get("now", NOW)
    life.set_answer(session, case, text, by="huong", now=at)
    life.move(session, case, Status.RESOLVED, by="huong", now=at)
    return case
