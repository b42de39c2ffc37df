"""What an agency asks the citizen, while their case waits for that: heard by key 7, read on the
page of the case's state. They answer with a message, in writing, or to an agent.
"""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from crm.cases.models import Case, CaseEvent, Status

_ASKED = (CaseEvent.what == "moved", CaseEvent.after == Status.NEED_INFO)


def asked(session: Session, case: Case) -> str | None:
    """The question that a case waits with; None where it waits for nothing."""
    if case.status != Status.NEED_INFO:
        return None
    return session.scalar(
        select(CaseEvent.note).where(CaseEvent.case_id == case.id, *_ASKED)
        .order_by(CaseEvent.id.desc()).limit(1)
    ) or None


def spoken_texts(session: Session) -> list[str]:
    """The questions that callers may hear now."""
    found = session.scalars(
        select(CaseEvent.note).join(Case, Case.id == CaseEvent.case_id)
        .where(Case.status == Status.NEED_INFO, *_ASKED)
    )
    return [text for text in found if text]
