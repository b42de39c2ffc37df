"""What everybody may read of cases that have ended: of those whose citizen agrees, in words that a
supervisor has written without persons. Nothing of hidden, sensitive or private
ones, and of no case about an agency or its staff.
"""

from __future__ import annotations

import re
from datetime import datetime

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session, joinedload

from crm import cases
from crm.case_models import Case, Identity, Status
from crm.cases import CaseError
from crm.intake import text

LONGEST = 1000
PAGE = 20
_DIGITS = re.compile(r"(?:\d[\s.-]?){9,}")  # a telephone number, or that of an identity card
_ENDED = (Status.RESOLVED, Status.CLOSED)


def may_be_public(case: Case) -> bool:
    """Whether a result of this case may be shown to everybody."""
    return (
        case.public and not case.sensitive and case.about_id is None
        and case.identity != Identity.HIDDEN and case.status in _ENDED
        and case.resolved_at is not None
    )


def publish(session: Session, case: Case, words: str, *, by: str, now: datetime) -> None:
    """Show the result to everybody in these words; none: show it no more. Raises CaseError."""
    words = text.clean(words, LONGEST)
    if words and not may_be_public(case):
        raise CaseError("the result of this case is not for everybody", "private")
    if _DIGITS.search(words):
        raise CaseError("a public result has no telephone or identity numbers", "personal")
    case.public_text = words or None
    cases.note(session, case, by, now, "public", text=words)


def find(
    session: Session, *, area: str | None = None, category: str | None = None, page: int = 1
) -> tuple[list[Case], int]:
    """A page of results, the latest first, and how many there are."""
    which = [*_public()]
    if area:
        which.append(Case.area == area)
    if category:
        which.append(Case.category == category)
    count = session.scalar(select(func.count(Case.id)).where(*which)) or 0
    found = session.scalars(
        select(Case).options(joinedload(Case.agency)).where(*which)
        .order_by(Case.resolved_at.desc(), Case.id.desc())
        .limit(PAGE).offset((page - 1) * PAGE)
    )
    return list(found), count


def _public() -> tuple[ColumnElement[bool], ...]:
    return (
        Case.public.is_(True), Case.public_text.is_not(None), Case.sensitive.is_(False),
        Case.about_id.is_(None), Case.identity != Identity.HIDDEN, Case.status.in_(_ENDED),
        Case.resolved_at.is_not(None),
    )
