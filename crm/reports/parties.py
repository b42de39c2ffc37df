"""Whose the lines outside are that were rung, for reports: a number stands beside the name of the
agency, contact point or help line that has it today, a doctor's login beside the name."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from datetime import date

from sqlalchemy import ColumnElement, or_, select
from sqlalchemy.orm import Session

from crm.agencies.models import Officer
from crm.branches import HELP_LINES, SERVICES
from crm.cases.models import Agency
from crm.knowledge.models import ContactPoint
from crm.users import names_of

_KINDS = {"expert": "Bác sĩ", "duty": "Điện thoại trực", "service": "Cơ quan cấp cứu",
          "line": "Số", "mobile": "Điện thoại di động"}
_SERVICES = {one.id: f"{one.vi} ({one.number})" for one in SERVICES}


def names(session: Session, parties: Collection[str], day: date) -> dict[str, str]:
    """What each party of a segment (crm.calls.segments) is called, in the order of the names."""
    found = {}
    for party, whose in owners(session, parties, day).items():
        kind, _, which = party.partition(":")
        plain = f"{_KINDS.get(kind, kind)} {which}".strip()
        match kind:
            case "service":
                found[party] = _SERVICES.get(which, plain)
            case "line" if whose:
                found[party] = f"{whose} ({which})"
            case "expert" if whose:
                found[party] = f"{_KINDS[kind]} {whose} ({which})"
            case _:
                found[party] = plain
    return dict(sorted(found.items(), key=lambda one: (one[1], one[0])))


def owners(session: Session, parties: Collection[str], day: date) -> dict[str, str]:
    """Whose the line of each party is on a day; empty: it is not known, or nobody's own."""
    split = {one: one.partition(":")[::2] for one in parties}
    lines = _owners(session, {which for kind, which in split.values() if kind == "line"}, day)
    doctors = names_of(session, {which for kind, which in split.values() if kind == "expert"})
    known = {"line": {number: " / ".join(names) for number, names in lines.items()},
             "expert": doctors}
    return {party: known.get(kind, {}).get(which, "") for party, (kind, which) in split.items()}


def _owners(session: Session, numbers: Collection[str], day: date) -> dict[str, list[str]]:
    """The names by number, each once."""
    if not numbers:
        return {}
    owners: dict[str, dict[str, None]] = defaultdict(dict)
    for number in set(numbers) & HELP_LINES.keys():
        owners[number][HELP_LINES[number].vi] = None
    people = session.execute(
        select(Officer.phone, Agency.name).join(Agency, Agency.id == Officer.agency_id)
        .where(Officer.phone.in_(numbers), *_stand(Officer, day)).order_by(Officer.id)
    )
    for number, name in people:
        owners[number][name] = None
    points = session.execute(
        select(ContactPoint.phones, ContactPoint.name).where(*_stand(ContactPoint, day))
        .order_by(ContactPoint.id)
    )
    for phones, name in points:
        for number in set(phones).intersection(numbers):
            owners[number][name] = None
    return {number: list(known) for number, known in owners.items()}


def _stand(of: type[Officer] | type[ContactPoint], day: date) -> tuple[ColumnElement[bool], ...]:
    return (or_(of.valid_from.is_(None), of.valid_from <= day),
            or_(of.valid_to.is_(None), of.valid_to >= day))
