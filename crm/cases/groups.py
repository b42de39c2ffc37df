"""Cases that belong together: the same trouble told twice, or two troubles told in one call.

A double is shown to the desk with why it may be one; a person decides. Those whose case was joined
to another are told when that one ends.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

from sqlalchemy import ColumnElement, and_, select
from sqlalchemy.orm import Session

from crm.cases import life
from crm.cases import words as case_words
from crm.cases.life import CaseError
from crm.cases.models import Case, Identity, Kind, Status
from crm.vietnamese import folded

LOOKED_BACK = timedelta(days=30)
COMPARED = 200  # cases, the latest first
ALIKE = 0.25  # of the words of both, shared: below, only the same number makes a double likely
SHOWN = 5


@dataclass(frozen=True)
class Likeness:
    """A case that may be the same. `words`: the part of their words that both have, 0 to 1."""

    case: Case
    words: float
    same_number: bool
    same_place: bool

    @property
    def weight(self) -> float:
        return self.words + 0.3 * self.same_number + 0.1 * self.same_place


def alike(session: Session, case: Case) -> list[Likeness]:
    """The cases that may be the same as this one, the likeliest first: of the same category and
    place, or of the same number, in the days before and after."""
    since = case.opened_at - LOOKED_BACK
    ways: list[ColumnElement[bool]] = []
    if case.category:
        ways.append(and_(Case.category == case.category, Case.area == case.area))
    if case.phone:
        ways.append(Case.phone == case.phone)
    found: dict[int, Case] = {}
    for way in ways:  # each by its own index
        near = select(Case).where(
            way, Case.id != case.id, Case.opened_at >= since,
            Case.opened_at <= case.opened_at + LOOKED_BACK, Case.duplicate_of_id.is_(None),
        ).order_by(Case.opened_at.desc()).limit(COMPARED)
        found.update((one.id, one) for one in session.scalars(near))
    words = words_of(case.summary)
    likely = [
        likeness for one in found.values()
        if (likeness := Likeness(
            one, likeness_of(words, words_of(one.summary)),
            bool(case.phone) and one.phone == case.phone,
            case.area is not None and one.area == case.area,
        )).words >= ALIKE or likeness.same_number
    ]
    return sorted(likely, key=lambda one: (-one.weight, one.case.id))[:SHOWN]


def words_of(text: str) -> frozenset[str]:
    """The words of a text as they are compared: without accents and case, and with their pairs,
    because a Vietnamese word often has two syllables."""
    syllables = folded(text).split()
    return frozenset(syllables) | {f"{one} {next_}" for one, next_ in pairwise(syllables)}


def likeness_of(one: frozenset[str], other: frozenset[str]) -> float:
    """How much two sets share: 0 nothing, 1 all."""
    return len(one & other) / len(one | other) if one and other else 0.0


def join(session: Session, case: Case, main: Case, *, by: str, now: datetime) -> None:
    """This case is a double: what becomes of `main` is told to its citizen too. Raises CaseError.
    """
    if main.duplicate_of is not None:
        main = main.duplicate_of
    if main.id == case.id:
        raise CaseError("a case is not a double of itself", "same")
    before, case.duplicate_of = case.duplicate_of, main
    try:
        life.move(session, case, Status.DUPLICATE, by=by, now=now)
    except CaseError:
        case.duplicate_of = before
        raise
    for one in doubles(session, case):
        one.duplicate_of = main
    main.sensitive = main.sensitive or case.sensitive
    if case.sealed:
        case_words.seal(session, main)
    life.note(session, main, by, now, "joined", details={"case": case.code})
    if main.status in (Status.RESOLVED, Status.CLOSED):
        case.next_step_at = now  # its citizen is told at once


def doubles(session: Session, case: Case) -> list[Case]:
    """The cases that were joined to this one."""
    found = select(Case).where(Case.duplicate_of_id == case.id).order_by(Case.id)
    return list(session.scalars(found))


def split(
    session: Session, case: Case, summary: str, *, by: str, now: datetime
) -> Case:
    """A second trouble of the same citizen becomes a case of its own. Raises CaseError."""
    other = life.open_case(
        session, summary=summary, by=by, now=now, phone=case.phone, channel=case.channel,
        identity=Identity(case.identity), kind=Kind(case.kind), sensitive=case.sensitive,
        private=case.sealed,
    )
    other.split_from = case
    for call_id in life.calls_of(session, case):
        life.add_call(session, other, call_id, by=by, now=now)
    life.note(session, case, by, now, "split", details={"case": other.code})
    return other

