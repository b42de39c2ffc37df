"""The telephones on duty: at night they are rung for what cannot wait, until somebody takes it on.

First those of the agency, then its leaders', then those of the province's office, each twice; after
the last it begins again. Key 1 takes the case on, which is a fact of the journal.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from crm.agencies import officers
from crm.agencies.models import DutyRound, Officer, Post
from crm.agencies.register import standing
from crm.calls.facts import JournalEvent
from crm.cases import life
from crm.cases.codes import is_code
from crm.cases.life import Mover
from crm.cases.models import Agency, Case, Status
from crm.cases.routing import OFFICE

BETWEEN = timedelta(minutes=2)
TIMES = 2  # in a row, each telephone
TAKEN = "HL_DUTY_TAKEN"


@dataclass(frozen=True)
class Ringing:
    """A telephone that is to be rung now."""

    number: str
    code: str  # of the case


def begin(session: Session, case: Case, now: datetime) -> None:
    """Ring for this case, unless that is being done for the same agency."""
    if case.agency_id is None or _going(session, case, case.agency_id) is not None:
        return
    session.add(DutyRound(
        case_id=case.id, agency_id=case.agency_id, begun_at=now, tries=0, next_at=now
    ))
    session.flush()


def end(session: Session, case: Case) -> None:
    """Ring no more: somebody has it in hand, or another agency has it."""
    for one in session.scalars(select(DutyRound).where(
        DutyRound.case_id == case.id, DutyRound.next_at.is_not(None)
    )):
        one.next_at = None


def due(session: Session, now: datetime, limit: int) -> list[Ringing]:
    """Whom to ring now; noted as tried before it is done. A case that nobody can be rung for is
    tried again later: telephones may be entered meanwhile."""
    found = session.scalars(
        select(DutyRound).where(DutyRound.next_at <= now).order_by(DutyRound.next_at).limit(limit)
        .with_for_update(skip_locked=True)
    )
    ringing = []
    for one in found:
        ladder = _ladder(session, one.agency, one.case.about, now)
        if ladder:
            number = ladder[one.tries // TIMES % len(ladder)].phone
            ringing.append(Ringing(number, one.case.code))
            one.tries += 1
        one.next_at = now + BETWEEN
    return ringing


def apply(session: Session, events: Sequence[JournalEvent]) -> None:
    """Who has taken a case on by key: it is in their hands, and nobody else is rung."""
    for event in events:
        code = event.extra.get("code", "")
        if event.type != TAKEN or not is_code(code):
            continue
        case = session.scalar(select(Case).where(Case.code == code))
        if case is None or case.agency_id is None:
            continue
        going = _going(session, case, case.agency_id)
        if going is None:
            continue  # told before, or over
        number = event.extra.get("number", "")
        going.next_at, going.taken_at, going.taken_by = None, event.at, number[:20]
        name = session.scalar(select(Officer.name).where(Officer.phone == number)) or "?"
        life.note(session, case, name[:40], event.at, "duty", call_id=event.uniqueid)
        if case.status == Status.ASSIGNED:
            life.move(
                session, case, Status.IN_PROGRESS, by=name[:40], now=event.at, mover=Mover.OFFICER
            )


def _going(session: Session, case: Case, agency_id: int) -> DutyRound | None:
    return session.scalar(select(DutyRound).where(
        DutyRound.case_id == case.id, DutyRound.agency_id == agency_id,
        DutyRound.next_at.is_not(None),
    ))


def _ladder(
    session: Session, agency: Agency, about: Agency | None, now: datetime
) -> list[Officer]:
    office = {one.code: one for one in standing(session, now)}.get(OFFICE)
    found = [
        *officers.of_agency(session, agency, Post.DUTY, now),
        *officers.of_agency(session, agency, Post.LEADER, now),
    ]
    if office is not None and not (about and about.id == office.id):
        found += officers.of_agency(session, office, Post.DUTY, now)
    return found
