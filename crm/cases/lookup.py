"""What a caller may hear of a case by typing its code, and the guard against guessing.

The calling number alone gives only the count: it can be forged. The content of one of its cases
needs the last four digits of the code as well. From any other telephone it needs the whole code
and the last four digits of the number the case was opened with. A case of hidden identity, or a
sensitive one, is told only in the second way. Misses are counted for a day, for each caller and
for each code; who has too many is led to a person. On the web an address stands for the caller, but
whole villages share one: it is locked for the code that was missed, and altogether only after many.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, delete, func, select
from sqlalchemy.orm import Session, joinedload

from crm.cases.codes import is_code
from crm.cases.models import Case, Identity, LookupMiss

TAIL = 4  # digits
MISSES_COUNT_FOR = timedelta(days=1)
MISSES_OF_CALLER = 5
MISSES_OF_WITHHELD = 100  # of all callers without a number together
MISSES_OF_CODE = 10
MISSES_OF_ADDRESS = 100  # whatever the codes
ADDRESS = "ip:"  # how a caller begins that is one


@dataclass(frozen=True)
class Found:
    """The cases that were asked for, the newest first."""

    cases: tuple[Case, ...]


@dataclass(frozen=True)
class TailNeeded:
    """The code may be right; the last four digits of the telephone number must be typed too."""


@dataclass(frozen=True)
class NotFound:
    """Nothing fits. `code`: whose the guess was, if there is such a case. `slip`: the digits do not
    fit together, which is a mistyped code and no guess."""

    code: str | None = None
    slip: bool = False


@dataclass(frozen=True)
class Locked:
    """Too many misses: only a person can help."""


def count(session: Session, caller: str | None) -> int:
    """How many cases were opened with this number, but for hidden and sensitive ones."""
    if not caller:
        return 0
    return session.scalar(
        select(func.count(Case.id)).where(Case.phone == caller, *_OPEN_TO_NUMBER)
    ) or 0


def look_up(
    session: Session, caller: str | None, digits: str, tail: str, now: datetime
) -> Found | TailNeeded | NotFound | Locked:
    """`digits`: the last 4 of a code, or all 8 and then `tail`, the last 4 of the number."""
    if is_locked(session, caller, now, digits):
        return Locked()
    if len(digits) == TAIL:
        return _of_number(session, caller, digits)
    if not is_code(digits):
        return NotFound(slip=True)
    if len(tail) != TAIL:
        return TailNeeded()  # whether there is such a case is not told
    return _by_code(session, digits, tail, now)


def is_locked(session: Session, caller: str | None, now: datetime, code: str = "") -> bool:
    """Whether this caller has missed too often; an address, with this code."""
    if caller and caller.startswith(ADDRESS):
        of = LookupMiss.caller == caller
        return (
            _misses(session, now, of, LookupMiss.code == code) >= MISSES_OF_CALLER
            or _misses(session, now, of) >= MISSES_OF_ADDRESS
        )
    if caller:
        return _misses(session, now, LookupMiss.caller == caller) >= MISSES_OF_CALLER
    return _misses(session, now, LookupMiss.caller.is_(None)) >= MISSES_OF_WITHHELD


def note_miss(session: Session, caller: str | None, code: str | None, now: datetime) -> None:
    """`code`: whose case the guess was at; of an address whatever was typed, so that no lock tells
    which codes there are."""
    session.add(LookupMiss(at=now, caller=caller or None, code=code))


def forget_misses(session: Session, now: datetime) -> None:
    """Delete what no longer counts."""
    session.execute(delete(LookupMiss).where(LookupMiss.at < now - MISSES_COUNT_FOR))


_OPEN_TO_NUMBER = (Case.identity == Identity.SHOWN, Case.sensitive.is_(False))
_CASES = select(Case).options(joinedload(Case.agency), joinedload(Case.duplicate_of))


def _of_number(session: Session, caller: str | None, tail: str) -> Found | NotFound:
    if not caller:
        return NotFound()
    found = session.scalars(
        _CASES.where(Case.phone == caller, Case.code.endswith(tail), *_OPEN_TO_NUMBER)
        .order_by(Case.opened_at.desc(), Case.id.desc())
    )
    cases = tuple(found)
    return Found(cases) if cases else NotFound()


def _by_code(
    session: Session, code: str, tail: str, now: datetime
) -> Found | NotFound | Locked:
    case = session.scalar(_CASES.where(Case.code == code))
    if case is None:
        return NotFound()
    if _misses(session, now, LookupMiss.code == code) >= MISSES_OF_CODE:
        return Locked()
    if case.phone is None or not case.phone.endswith(tail):
        return NotFound(code=code)
    return Found((case,))


def _misses(session: Session, now: datetime, *whose: ColumnElement[bool]) -> int:
    since = now - MISSES_COUNT_FOR
    return session.scalar(
        select(func.count(LookupMiss.id)).where(LookupMiss.at >= since, *whose)
    ) or 0
