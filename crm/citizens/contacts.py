"""One contact for each number: what is known of whoever has it, and their calls and cases."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from crm.branches import LANGUAGES
from crm.calls import history
from crm.calls.history import Record
from crm.cases import life as cases
from crm.cases.models import Case
from crm.citizens import numbers, persons
from crm.citizens.errors import ContactError
from crm.citizens.models import Citizen
from crm.citizens.numbers import Number
from crm.models import Call
from crm.privacy import consents
from crm.privacy.consents import Standing

LISTED = 50  # on a page
MOST_PAGES = 200
LONGEST_NAME, LONGEST_NOTE = 80, 500


@dataclass(frozen=True)
class Contact:
    """`numbers`: of the same person, the one that was asked for first. `calls` and `cases` of all
    of them: a page, the latest first; how many there are in all beside."""

    number: Number
    numbers: tuple[str, ...]
    known: Citizen | None
    others: tuple[Citizen, ...]  # what is known of the person's other numbers
    calls: tuple[Record, ...]
    cases: tuple[Case, ...]
    call_count: int
    case_count: int
    consents: tuple[Standing, ...]


def of_number(
    session: Session, number: Number, *, calls_page: int = 1, cases_page: int = 1
) -> Contact:
    """All that the hotline has of whoever has a number. Cases of hidden identity are among them:
    whoever looks works for the hotline."""
    phones = persons.numbers_of(session, number.dialled)
    known = {one.phone: one for one in session.scalars(
        select(Citizen).where(Citizen.phone.in_(phones))
    )}
    return Contact(
        number, tuple(phones), known.get(number.dialled),
        tuple(known[phone] for phone in phones[1:] if phone in known),
        tuple(history.of_callers(session, phones, limit=LISTED, skip=_skip(calls_page))),
        tuple(cases.of_phones(session, phones, LISTED, skip=_skip(cases_page))),
        session.scalar(select(func.count()).where(Call.caller.in_(phones))) or 0,
        session.scalar(select(func.count()).where(Case.phone.in_(phones))) or 0,
        tuple(consents.standing(session, number.dialled)),
    )


def pages(count: int) -> int:
    """How many pages there are of so many, MOST_PAGES at most."""
    return min(MOST_PAGES, max(1, -(-count // LISTED)))


def _skip(page: int) -> int:
    return (min(max(page, 1), MOST_PAGES) - 1) * LISTED


def citizen_of(session: Session, number: Number) -> Citizen | None:
    """What is written down of whoever has a number."""
    return session.scalar(select(Citizen).where(Citizen.phone == number.dialled))


def keep(
    session: Session, number: Number, *, name: str, language: str, note: str, by: str,
    now: datetime, seen: datetime | None = None,
) -> Citizen:
    """Write down what is known of whoever has a number; `seen` is when it was changed last as far
    as the writer knows. Raises ContactError."""
    name, note = " ".join(name.split()), note.strip()
    if len(name) > LONGEST_NAME or not name.isprintable():
        raise ContactError(f"a name has {LONGEST_NAME} letters at most", "name")
    if len(note) > LONGEST_NOTE:
        raise ContactError(f"a note has {LONGEST_NOTE} letters at most", "note")
    if language and language not in {one.id for one in LANGUAGES}:
        raise ContactError(f"there is no language {language}", "language")
    found = session.scalar(select(Citizen).where(Citizen.phone == number.dialled).with_for_update())
    if found is None:
        found = Citizen(phone=number.dialled, e164=number.e164, kind=number.kind)
        session.add(found)
    elif seen is not None and found.changed_at != seen:
        raise ContactError("somebody else has changed this meanwhile", "stale")
    found.name, found.language, found.note = name, language, note
    found.changed_at, found.changed_by = now, by
    session.flush()
    return found


def parsed(written: str) -> Number:
    """Raises numbers.NumberError; also for what nobody has: short numbers and our own."""
    number = numbers.parse(written)
    if number.e164 is None or number.kind is numbers.Kind.OWN:
        raise numbers.NumberError(f"{written} is nobody's number")
    return number
