"""Who reads the words of a sealed case (crm.cases.words): each reading is an event of the case.

Whoever works at the desk says why, and may then read and work for half an hour; so may for half an
hour whoever wrote them down. The people of the agency that handles the case read them because it is
their work.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from crm.cases import life
from crm.cases.models import Case, CaseEvent

FOR = timedelta(minutes=30)
BY_AGENCY_FOR = timedelta(hours=12)  # one event for each half day of an officer's work


def is_open_to(session: Session, case: Case, login: str, now: datetime) -> bool:
    """Whether somebody of the desk may read the words of a case now."""
    return not case.sealed or _has(session, case, login, ("read", "opened"), now - FOR)


def note(session: Session, case: Case, reason: str, *, by: str, now: datetime) -> None:
    """Somebody of the hotline reads the words of a case. Raises CaseError."""
    life.note_look(session, case, reason, by=by, now=now, what="read")


def note_agency(session: Session, case: Case, name: str, now: datetime) -> None:
    """Somebody reads them whose agency handles the case."""
    if case.sealed and not _has(session, case, name, ("read",), now - BY_AGENCY_FOR):
        life.note(session, case, name, now, "read")


def _has(
    session: Session, case: Case, by: str, what: tuple[str, ...], since: datetime
) -> bool:
    return session.scalar(select(CaseEvent.id).where(
        CaseEvent.case_id == case.id, CaseEvent.by == by, CaseEvent.what.in_(what),
        CaseEvent.at >= since,
    ).limit(1)) is not None
