"""The register of requests: taken in from programs, found again by everybody.

Only what was sent to it is in it, and of that no hidden or sensitive case, nor one about an agency.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from datetime import date, datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session, joinedload

from crm import areas
from crm.areas import Area
from crm.cases import life
from crm.cases.deadlines import Deadline
from crm.cases.models import Case, CaseEvent, Identity, Kind
from crm.clock import vietnam_day
from crm.open311.mapping import CLOSED, SERVICES, STATUSES
from crm.open311.models import Open311Request
from crm.vietnamese import folded

DIGITS = 10
_KINDS = ("phuong ", "xa ", "thi tran ")


def take_in(
    session: Session, *, service: str, description: str, phone: str | None, by: str, now: datetime,
    area: str | None, address: str | None, lat: float | None, long: float | None,
    general: Deadline,
) -> Open311Request:
    """A new case, in the register. Raises CaseError, AreaError."""
    case = life.open_case(
        session, summary=description, by=by, now=now, phone=phone, channel="open311",
        public=True,
        identity=Identity.SHOWN if phone else Identity.ANONYMOUS,
    )
    place = area or (area_of(address, vietnam_day(now)) if address else None)
    life.classify(session, case, service, by=by, now=now, area=place, general=general)
    made = Open311Request(
        case=case, number=f"{secrets.randbelow(10 ** DIGITS):0{DIGITS}d}", address=address,
        lat=lat, long=long,
    )
    session.add(made)
    session.flush()
    return made


def area_of(address: str, day: date) -> str | None:
    """The code of the commune or ward of today that an address names, where it names just one:
    "12 Lê Lợi, phường Hạc Thành, Thanh Hóa"."""
    found: set[str] = set()
    for part in address.split(","):
        words = folded(part)
        if words.startswith(_KINDS):
            found |= {
                area.code for match in areas.find(part, day)
                if folded(match.named.name) == words for area in match.today
            }
    return found.pop() if len(found) == 1 else None


def find(
    session: Session, *, since: datetime, until: datetime, services: Sequence[str] = (),
    states: Sequence[str] = (), numbers: Sequence[str] | None = None, limit: int, offset: int = 0,
) -> list[Open311Request]:
    """Requests that everybody may read, newest first. `numbers` overrides all other conditions."""
    wanted = (
        select(Open311Request).join(Case)
        .options(joinedload(Open311Request.case).joinedload(Case.agency))
        .where(
            Case.public.is_(True), Case.identity != Identity.HIDDEN, Case.kind == Kind.REPORT,
            Case.sensitive.is_(False), Case.about_id.is_(None),
            Case.category.in_(SERVICES),
        )
    )
    if numbers is not None:
        wanted = wanted.where(Open311Request.number.in_(numbers))
    else:
        wanted = wanted.where(Case.opened_at >= since, Case.opened_at <= until)
        if services:
            wanted = wanted.where(Case.category.in_(services))
        if len(set(states)) == 1:
            ended = [one for one, told in STATUSES.items() if told.state == CLOSED]
            wanted = wanted.where(
                Case.status.in_(ended) if states[0] == CLOSED else Case.status.not_in(ended)
            )
    order = Case.opened_at.desc(), Case.id.desc()
    found = session.scalars(wanted.order_by(*order).limit(limit).offset(offset))
    return list(found)


def updated(session: Session, found: Sequence[Open311Request]) -> dict[int, datetime]:
    """When something last happened to each, by the id of its case."""
    return dict(session.execute(
        select(CaseEvent.case_id, func.max(CaseEvent.at))
        .where(CaseEvent.case_id.in_([one.case_id for one in found])).group_by(CaseEvent.case_id)
    ).all())


def units(now: datetime) -> Mapping[str, Area]:
    """The communes and wards of today."""
    return areas.standing(vietnam_day(now))
