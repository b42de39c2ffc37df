"""Lists for programs: calls and cases, newest first, a page at a time.

A page goes on where the last one ended (time and id of its last row), not after so many rows: what
comes in meanwhile moves nothing. Whoever reported without a name is in no answer.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar

from sqlalchemy import Select, and_, func, or_, select
from sqlalchemy.orm import InstrumentedAttribute, Session, selectinload

from crm.calls import record
from crm.calls.rows import iso
from crm.cases import disguise, life
from crm.cases.models import Case, CaseCall, Identity
from crm.errors import HotlineError
from crm.models import Call

Found = TypeVar("Found")


class CursorError(HotlineError):
    """This is no cursor that was given out."""


@dataclass(frozen=True)
class Page(Generic[Found]):
    """Rows, and the cursor of the next page if there is one."""

    rows: Sequence[Found]
    next: str | None


def calls_page(
    session: Session, *, limit: int, cursor: str | None, since: datetime | None,
    until: datetime | None, branch: str | None, outcome: str | None,
) -> Page[Call]:
    """Calls that began from `since` to before `until`. Raises CursorError."""
    wanted = _between(select(Call), Call.started_at, since, until)
    if branch is not None:
        wanted = wanted.where(Call.branch == branch)
    if outcome is not None:
        wanted = wanted.where(Call.outcome == outcome)
    return _page(session, wanted, Call.started_at, Call.id, limit, cursor)


def cases_page(
    session: Session, *, limit: int, cursor: str | None, since: datetime | None,
    until: datetime | None, status: str | None, category: str | None, area: str | None,
    sensitive: bool,
) -> Page[Case]:
    """Cases that were opened in that time; sensitive ones too where that is said."""
    wanted = _between(
        select(Case).options(selectinload(Case.agency)), Case.opened_at, since, until
    )
    for column, value in (
        (Case.status, status), (Case.category, category), (Case.area, area),
    ):
        if value is not None:
            wanted = wanted.where(column == value)
    if not sensitive:
        wanted = wanted.where(Case.sensitive.is_(False))
    return _page(session, wanted, Case.opened_at, Case.id, limit, cursor)


def call_json(call: Call, *, personal: bool, nameless: bool) -> dict[str, Any]:
    """A call for programs; the number, the recording and whose case it was only where they may be
    known."""
    told = record.as_json(call)
    if not personal or nameless:
        told |= {"caller": None, "recording": None}
    if nameless:
        told["case_code"] = None
    return told


def nameless(session: Session, found: Sequence[Call]) -> set[str]:
    """The ids of those calls in which somebody spoke of a case of hidden identity, or an anonymous
    one: with the case's code, a number would name them."""
    ids, codes = [one.id for one in found], [one.case_code for one in found if one.case_code]
    spoken = session.scalars(
        select(CaseCall.call_id).join(Case)
        .where(CaseCall.call_id.in_(ids), Case.identity != Identity.SHOWN)
    )
    asked = set(session.scalars(
        select(Case.code).where(Case.code.in_(codes), Case.identity != Identity.SHOWN)
    ))
    return set(spoken) | {one.id for one in found if one.case_code in asked}


def case_json(case: Case, version: int, *, personal: bool) -> dict[str, Any]:
    """A case for programs. `version` is the id of its last event."""
    told = life.as_json(case) | {"version": version}
    if not personal:
        told |= {"phone": None, "summary": None, "answer": None, "about": None}
    if case.identity != Identity.SHOWN:
        told["phone"] = None
        told |= {key: disguise.nameless(told[key]) for key in ("summary", "answer") if told[key]}
    return told


def counts(session: Session, since: datetime, until: datetime) -> dict[str, Any]:
    """How many calls by outcome and cases by status and category began in that time."""
    def by(
        column: InstrumentedAttribute[Any], at: InstrumentedAttribute[datetime]
    ) -> dict[str, int]:
        found = session.execute(
            select(column, func.count()).where(at >= since, at < until).group_by(column)
        )
        return {value or "none": number for value, number in found}

    return {
        "since": iso(since), "until": iso(until), "calls": by(Call.outcome, Call.started_at),
        "cases": by(Case.status, Case.opened_at),
        "categories": by(Case.category, Case.opened_at),
    }


def _between(
    wanted: Select[Found], at: InstrumentedAttribute[datetime], since: datetime | None,
    until: datetime | None,
) -> Select[Found]:
    if since is not None:
        wanted = wanted.where(at >= since)
    if until is not None:
        wanted = wanted.where(at < until)
    return wanted


def _page(
    session: Session, wanted: Select[Found], at: InstrumentedAttribute[datetime],
    id_: InstrumentedAttribute[Any], limit: int, cursor: str | None,
) -> Page[Found]:
    if cursor is not None:
        last_at, last_id = _opened(cursor, id_.type.python_type)
        wanted = wanted.where(or_(at < last_at, and_(at == last_at, id_ < last_id)))
    rows = list(session.scalars(wanted.order_by(at.desc(), id_.desc()).limit(limit + 1)))
    if len(rows) <= limit:
        return Page(rows, None)
    last = rows[limit - 1]
    return Page(rows[:limit], _cursor(getattr(last, at.key), getattr(last, id_.key)))


def _cursor(at: datetime, id_: int | str) -> str:
    said = json.dumps([at.isoformat(), id_]).encode()
    return base64.urlsafe_b64encode(said).decode().rstrip("=")


def _opened(cursor: str, kind: type[int | str]) -> tuple[datetime, int | str]:
    try:
        at, id_ = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        found = datetime.fromisoformat(at)
    except (ValueError, TypeError, binascii.Error) as error:
        raise CursorError("this is no cursor that was given out") from error
    known = isinstance(id_, str) or (isinstance(id_, int) and abs(id_) < 2**31)
    if type(id_) is not kind or not known or found.tzinfo is None:
        raise CursorError("this is no cursor that was given out")
    return found, kind(id_)
