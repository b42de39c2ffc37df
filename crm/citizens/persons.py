"""People with several telephones: numbers that are known to be one person's.

Each number keeps what is known of it; joining only says that they belong together, so that parting
them again leaves everything as it was. Both stand in the history of each number.
"""

from __future__ import annotations

import secrets
from datetime import datetime

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from crm.citizens.errors import ContactError
from crm.citizens.models import Citizen, CitizenEvent
from crm.citizens.numbers import Number

JOINED, PARTED = "joined", "parted"
SHORTEST_REASON = 5  # letters
MOST = 10  # numbers of one person
LISTED = 20


def numbers_of(session: Session, phone: str) -> list[str]:
    """The numbers of whoever has this one, which stands first."""
    person = select(Citizen.person).where(Citizen.phone == phone).scalar_subquery()
    others = session.scalars(
        select(Citizen.phone).where(Citizen.person == person, Citizen.phone != phone)
        .order_by(Citizen.id)
    )
    return [phone, *others]


def join(
    session: Session, number: Number, other: Number, *, reason: str, by: str, now: datetime
) -> None:
    """Two numbers are one person's, and with them all that belong to either. Raises ContactError.
    """
    reason = _said(reason)
    one, two = _row(session, number, by, now), _row(session, other, by, now)
    if one.id == two.id:
        raise ContactError("this is the same number", "same")
    if one.person is not None and one.person == two.person:
        raise ContactError("these numbers are one person's already", "together")
    person = one.person or two.person or secrets.randbelow(2**31 - 1) + 1
    moved = [two] if two.person is None else _rows_of(session, two.person)
    kept = [one] if one.person is None else _rows_of(session, one.person)
    if len(moved) + len(kept) > MOST:
        raise ContactError(f"nobody has more than {MOST} numbers", "many")
    for row in (*kept, *moved):
        row.person = person
    _note(session, one, JOINED, two, reason, by, now)


def part(session: Session, number: Number, *, reason: str, by: str, now: datetime) -> None:
    """A number is somebody else's after all; the others stay together. Raises ContactError."""
    reason = _said(reason)
    row = _row(session, number, by, now)
    if row.person is None:
        raise ContactError("this number belongs to no other", "alone")
    others = [one for one in _rows_of(session, row.person) if one.id != row.id]
    for other in others:
        _note(session, row, PARTED, other, reason, by, now)
    if len(others) == 1:
        others[0].person = None
    row.person = None
    session.flush()


def history(session: Session, phone: str) -> list[CitizenEvent]:
    """When the number was joined to others or parted from them, the latest first."""
    return list(session.scalars(
        select(CitizenEvent).where(or_(CitizenEvent.phone == phone, CitizenEvent.other == phone))
        .order_by(CitizenEvent.id.desc()).limit(LISTED)
    ))


def _said(reason: str) -> str:
    if not SHORTEST_REASON <= len(reason.strip()) <= 200:
        raise ContactError("say how you know it", "reason")
    return reason.strip()


def _row(session: Session, number: Number, by: str, now: datetime) -> Citizen:
    """Locked, so that two people at once do it one after the other."""
    found = session.scalar(select(Citizen).where(Citizen.phone == number.dialled).with_for_update())
    if found is None:
        found = Citizen(
            phone=number.dialled, e164=number.e164, kind=number.kind, changed_at=now, changed_by=by
        )
        session.add(found)
        session.flush()
    return found


def _rows_of(session: Session, person: int) -> list[Citizen]:
    found = select(Citizen).where(Citizen.person == person).order_by(Citizen.id).with_for_update()
    return list(session.scalars(found))


def _note(
    session: Session, one: Citizen, what: str, other: Citizen, reason: str, by: str, now: datetime
) -> None:
    session.add(CitizenEvent(
        phone=one.phone, other=other.phone, what=what, reason=reason, by=by, at=now
    ))
    session.flush()
