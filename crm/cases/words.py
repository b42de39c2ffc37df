"""The words of cases: how they are found, and of some, how they are hidden.

What a case of health, violence or officials says, and of any that was marked sensitive, is nobody's
business: what the citizen said, what they are answered and what is noted stand sealed in the
database, and not in the index for searching. Such a case is found by its code, number, kind and
place. Hashes of its words would not hide them: a syllable is known by how often it comes, and a
search would read without a reason. Who reads them says why (crm.reading).
"""

from __future__ import annotations

from sqlalchemy import ColumnElement, Text, not_, or_, select, type_coerce
from sqlalchemy.orm import InstrumentedAttribute, Session, selectinload

from crm import search
from crm.agencies.models import Draft
from crm.areas import standing
from crm.cases.categories import CATEGORIES, category_named
from crm.cases.models import Case, CaseEvent
from crm.clock import vietnam_day
from crm.field_keys import MARK, Secret

GONE = "(đã xóa theo yêu cầu)"  # what stands in the place of erased words
_PRIVATE = tuple(one.id for one in CATEGORIES if one.private)


def is_private(category: str | None) -> bool:
    """Whether the words of such cases are sealed."""
    return category in _PRIVATE


def is_sealed(column: InstrumentedAttribute[str] | InstrumentedAttribute[str | None]
              ) -> ColumnElement[bool]:
    """Whether a text stands sealed: in SQL."""
    return type_coerce(column, Text).like(f"{MARK}%")


def seal(session: Session, case: Case) -> None:
    """Seal what there is of a case; what comes later follows it. The chain of its events holds: it
    is over what the notes say."""
    if case.sealed:
        return
    case.summary = Secret(case.summary)
    case.answer = None if case.answer is None else Secret(case.answer)
    for event in session.scalars(select(CaseEvent).where(CaseEvent.case_id == case.id)):
        event.note = Secret(event.note)
        event.salt = None if event.salt is None else Secret(event.salt)
    for draft in session.scalars(select(Draft).where(Draft.case_id == case.id)):
        draft.text = Secret(draft.text)
    session.flush()
    index(session, case)


def seal_late(session: Session, limit: int) -> int:
    """Seal cases that should be and are not: from before there were seals, or marked by hand; how
    many."""
    found = session.scalars(
        select(Case).where(
            or_(Case.sensitive, Case.category.in_(_PRIVATE)), not_(is_sealed(Case.summary)),
            Case.summary != GONE,
        ).order_by(Case.id).limit(limit)
    ).all()
    for case in found:
        seal(session, case)
    return len(found)


def index(session: Session, case: Case) -> None:
    """Let a case be found by its words as they are now; whoever changes them calls this."""
    body = searched(case.summary, case.category, case.answer)
    if case.sealed:
        area = standing(vietnam_day(case.opened_at)).get(case.area or "")
        body = searched(area.name if area else "", case.category, None)
    search.put(session, search.Kind.CASE, case.id, case.code, body)


def searched(summary: str, category: str | None, answer: str | None) -> str:
    """The words by which a case is found, besides its code."""
    of = category_named(category).vi if category else ""
    return f"{summary} {of} {answer or ''}"


def found_by(session: Session, query: str, limit: int) -> list[Case]:
    """Cases by the words of code, summary, category and answer, accents or not."""
    ids = search.find(session, search.Kind.CASE, query, limit)
    found = select(Case).where(Case.id.in_(ids)).options(selectinload(Case.agency))
    known = {one.id: one for one in session.scalars(found)}
    return [known[id_] for id_ in ids if id_ in known]
