"""What everybody may read of cases that have ended: of those whose citizen agrees, in words that a
supervisor has written without persons (crm.cases.dispatch). Nothing of hidden, sensitive or private
ones, and of no case about an agency or its staff.
"""

from __future__ import annotations

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session, joinedload

from crm.cases.models import Case, Identity, Status
from crm.database import unindexed

PAGE = 20
COUNTED = 1000
_ENDED = (Status.RESOLVED, Status.CLOSED)


def find(
    session: Session, *, area: str | None = None, category: str | None = None, page: int = 1
) -> tuple[list[Case], int]:
    """A page of results, the latest first, and how many there are, COUNTED at most: whoever wants
    older ones asks for an area or a field."""
    which = [*_public()]
    if area:
        which.append(Case.area == area)
    if category:
        which.append(Case.category == category)
    some = select(Case.id).where(*which).limit(COUNTED).subquery()
    count = session.scalar(select(func.count()).select_from(some)) or 0
    found = session.scalars(
        select(Case).options(joinedload(Case.agency)).where(*which)
        .order_by(Case.resolved_at.desc(), Case.id.desc())
        .limit(PAGE).offset((page - 1) * PAGE)
    )
    return list(found), count


def _public() -> tuple[ColumnElement[bool], ...]:
    return (
        Case.public.is_(True), Case.public_text.is_not(None), Case.sensitive.is_(False),
        Case.about_id.is_(None), Case.identity != Identity.HIDDEN,
        unindexed(Case.status).in_(_ENDED), Case.resolved_at.is_not(None),
    )
