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
from crm.cases.models import Case, Identity
from crm.citizens import numbers
from crm.citizens.models import Citizen
from crm.citizens.numbers import Number
from crm.errors import HotlineError
from crm.models import Call
from crm.privacy import consents
from crm.privacy.consents import Standing

LISTED = 50
LONGEST_NAME, LONGEST_NOTE = 80, 500


class ContactError(HotlineError):
    """What was written of a citizen is not kept. `code`: name, note, language, stale."""

    def __init__(self, sentence: str, code: str) -> None:
        super().__init__(sentence)
        self.code = code


@dataclass(frozen=True)
class Contact:
    """`calls` and `cases`: the latest first, LISTED at most; how many there are in all beside."""

    number: Number
    known: Citizen | None
    calls: tuple[Record, ...]
    cases: tuple[Case, ...]
    call_count: int
    case_count: int
    consents: tuple[Standing, ...]


def of_number(session: Session, number: Number) -> Contact:
    """All that the hotline has of a number. Cases of hidden identity are among them: whoever looks
    works for the hotline."""
    phone = number.dialled
    return Contact(
        number, session.scalar(select(Citizen).where(Citizen.phone == phone)),
        tuple(history.of_caller(session, phone, but="", limit=LISTED)),
        tuple(cases.of_phone(session, phone, LISTED)),
        session.scalar(select(func.count()).where(Call.caller == phone)) or 0,
        session.scalar(select(func.count()).where(
            Case.phone == phone, Case.identity != Identity.ANONYMOUS
        )) or 0,
        tuple(consents.standing(session, phone)),
    )


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
