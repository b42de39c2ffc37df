"""Cases that the province's portals hand over and want to hear of again, as tables.

No portal has an interface that is known to the public, so people carry files: rows of the portal
are taken in (all, or none and every bad one is named), and what has become of its cases is written
out under the portal's own numbers. Both may be done as often as one likes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from enum import StrEnum

from sqlalchemy import or_, select
from sqlalchemy.orm import Session, joinedload

from crm import areas
from crm.cases import life
from crm.cases import words as case_words
from crm.cases.categories import CATEGORIES
from crm.cases.deadlines import Deadline
from crm.cases.models import Case, Status
from crm.citizens.numbers import NumberError
from crm.clock import VIETNAM, vietnam_day
from crm.errors import HotlineError
from crm.imports import files
from crm.intake import text
from crm.intake.hand import LONGEST_AGO
from crm.intake.models import PortalCase
from crm.open311.mapping import STATUSES
from crm.vietnamese import folded


class Portal(StrEnum):
    """Who hands cases over."""

    FEEDBACK = "phanhoi"  # Phản hồi Thanh Hóa
    SERVICES = "dichvucong"  # the portal of public services


TAKEN = ("external_id", "received_on", "summary", "place", "category", "phone", "status")
GIVEN = (
    "external_id", "code", "status", "status_vi", "agency", "due_on", "answer", "their_status",
)
_CATEGORIES = frozenset(one.id for one in CATEGORIES)


class PortalError(HotlineError):
    """Rows of a portal are not taken; a line for each fault."""


@dataclass(frozen=True)
class Done:
    """What a file did: cases opened, states of the portal that have changed, rows known as such."""

    opened: int
    changed: int
    unchanged: int


def take_in(
    session: Session, portal: Portal, rows: Sequence[Mapping[str, str]], *, by: str, now: datetime,
    general: Deadline,
) -> Done:
    """Open what is new, note the state of what is known. Raises PortalError: all faults of all
    rows; then nothing is changed."""
    if faults := check(rows, now):
        raise PortalError("\n".join(faults))
    opened = changed = 0
    for row in rows:
        external_id = text.line(row["external_id"], 80)
        known = session.scalar(select(PortalCase).where(
            PortalCase.portal == portal, PortalCase.external_id == external_id
        ))
        state = text.line(row["status"], 80)
        if known is None:
            _open(session, portal, external_id, row, state, by=by, now=now, general=general)
            opened += 1
        elif known.their_status != state:
            known.their_status, known.their_status_at = state, now
            life.note(
                session, known.case, by, now, "portal", text=state, details={"portal": portal}
            )
            changed += 1
    return Done(opened, changed, len(rows) - opened - changed)


def check(rows: Sequence[Mapping[str, str]], now: datetime) -> list[str]:
    """All faults of rows, each with its line."""
    seen: set[str] = set()

    def of(row: Mapping[str, str]) -> Iterator[str]:
        name = text.line(row["external_id"])
        if not name or len(name) > 80:
            yield "external_id has 1 to 80 letters"
        elif name in seen:
            yield f"{name} stands twice"
        seen.add(name)
        yield from _faults(row, now)

    return files.faults_of(rows, of)


def news(session: Session, portal: Portal, *, every: bool = False) -> list[PortalCase]:
    """The portal's cases whose state it has not been told yet, or every one, oldest first."""
    found = select(PortalCase).join(Case).options(
        joinedload(PortalCase.case).joinedload(Case.agency)
    ).where(PortalCase.portal == portal)
    if not every:
        found = found.where(or_(
            PortalCase.told_status.is_(None), PortalCase.told_status != Case.status
        ))
    return list(session.scalars(found.order_by(PortalCase.id)))


def as_row(one: PortalCase) -> dict[str, str]:
    """The columns GIVEN as text. The answer of a sensitive case stays with the hotline."""
    case = one.case
    return {
        "external_id": one.external_id, "code": case.code, "status": case.status,
        "status_vi": STATUSES[Status(case.status)].vi,
        "agency": case.agency.name if case.agency else "",
        "due_on": vietnam_day(case.due_at).isoformat(),
        "answer": "" if case.sensitive or case.sealed else case.answer or "",
        "their_status": one.their_status,
    }


def told(found: Sequence[PortalCase], now: datetime) -> None:
    """The portal has these states now."""
    for one in found:
        one.told_status, one.told_at = one.case.status, now


def _open(
    session: Session, portal: Portal, external_id: str, row: Mapping[str, str], state: str, *,
    by: str, now: datetime, general: Deadline,
) -> None:
    day = _day(row["received_on"])
    case = life.open_case(
        session, summary=text.clean(row["summary"]), by=by, now=now, phone=text.phone(row["phone"]),
        channel="portal", private=case_words.is_private(row["category"]),
        received_at=datetime.combine(day, time(), VIETNAM) if day else None,
    )
    (area,) = _sides(row["place"], now) or (None,)
    if row["category"]:
        life.classify(
            session, case, row["category"], by=by, now=now, area=area, general=general
        )
    else:
        case.area = area
    session.add(PortalCase(
        portal=portal, external_id=external_id, case_id=case.id, their_status=state,
        their_status_at=now, received_on=day,
    ))
    session.flush()


def _faults(row: Mapping[str, str], now: datetime) -> Iterator[str]:
    if not text.clean(row["summary"]):
        yield "summary says what the case is about"
    elif len(row["summary"]) > text.LONGEST:
        yield f"summary has {text.LONGEST} letters at most"
    if not text.line(row["status"]) or len(row["status"]) > 80:
        yield "status has 1 to 80 letters"
    if row["category"] and row["category"] not in _CATEGORIES:
        known = ", ".join(sorted(_CATEGORIES))
        yield f"there is no category {row['category']!r}; there are {known}"
    try:
        text.phone(row["phone"])
    except NumberError as error:
        yield f"{row['phone']!r}: {error}"
    try:
        day = _day(row["received_on"])
    except ValueError:
        yield f"{row['received_on']!r} is no day (2026-07-01)"
    else:
        if day and not vietnam_day(now - LONGEST_AGO) < day <= vietnam_day(now):
            yield f"{day} is not within the last year"
    if row["place"].strip() and len(sides := _sides(row["place"], now)) != 1:
        names = areas.standing(vietnam_day(now))
        yield (
            f"{row['place']} is {' or '.join(names[code].name for code in sides)} today" if sides
            else f"there is no commune or ward {row['place']!r}"
        )


def _sides(place: str, now: datetime) -> list[str]:
    """The codes of the communes of today that a place is named after."""
    found = areas.find(place, vietnam_day(now)) if place.strip() else ()
    exact = [one for one in found if folded(one.named.name) == folded(place)] or found
    return sorted({area.code for one in exact for area in one.today})


def _day(day: str) -> date | None:
    return date.fromisoformat(day) if day else None
