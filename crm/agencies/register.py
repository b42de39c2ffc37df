"""Agencies: who handles cases, each from one day to another."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from crm.cases.models import Agency
from crm.clock import VIETNAM
from crm.errors import HotlineError
from crm.imports import files
from crm.imports.files import FileError, Row

PROVINCE = Path(__file__).parents[1] / "data" / "agencies.csv"  # a beginning; the operator confirms
COLUMNS = ("code", "name", "kind", "level", "area", "valid_from", "valid_to")
_CODE = re.compile(r"[A-Z0-9]{2,24}")


class AgencyError(HotlineError):
    """Agencies cannot be taken in, or there is none such. Each line says why."""


@dataclass(frozen=True)
class Imported:
    """What an import did."""

    added: int
    changed: int


def read(file: Path) -> list[Row]:
    """The rows of a CSV or XLSX file with the columns COLUMNS. Raises AgencyError: all faults."""
    try:
        rows = files.read(file, COLUMNS)
    except FileError as error:
        raise AgencyError(str(error)) from error
    if faults := check(rows):
        raise AgencyError("\n".join(f"{file}: {fault}" for fault in faults))
    return rows


def check(rows: Sequence[Mapping[str, str]]) -> list[str]:
    """All faults of rows, each with its line."""
    seen: set[str] = set()

    def faults(row: Mapping[str, str]) -> list[str]:
        found = list(_faults(row, seen))
        seen.add(row["code"])
        return found

    return files.faults_of(rows, faults)


def take_in(session: Session, rows: Iterable[Mapping[str, str]]) -> Imported:
    """Add what is new and change what is other; an agency that is not in it stays as it is."""
    added = changed = 0
    known = {agency.code: agency for agency in session.scalars(select(Agency))}
    for row in rows:
        values = {
            "name": " ".join(row["name"].split()), "kind": row["kind"], "level": row["level"],
            "area": row["area"] or None, "valid_from": _day(row["valid_from"]),
            "valid_to": _day(row["valid_to"]),
        }
        agency = known.get(row["code"])
        if agency is None:
            session.add(Agency(code=row["code"], **values))
            added += 1
        elif any(getattr(agency, name) != value for name, value in values.items()):
            for name, value in values.items():
                setattr(agency, name, value)
            changed += 1
    return Imported(added, changed)


def agency_named(session: Session, code: str, now: datetime) -> Agency:
    """Raises AgencyError: there is no such agency, or not on that day."""
    agency = session.scalar(select(Agency).where(Agency.code == code))
    if agency is None:
        raise AgencyError(f"there is no agency {code} (see hotline agency list)")
    if not stands(agency, now.astimezone(VIETNAM).date()):
        raise AgencyError(f"{code} ({agency.name}) does not stand on that day")
    return agency


def standing(session: Session, now: datetime) -> list[Agency]:
    """The agencies of that day, by their codes."""
    day = now.astimezone(VIETNAM).date()
    found = session.scalars(select(Agency).order_by(Agency.code))
    return [agency for agency in found if stands(agency, day)]


def stands(agency: Agency, day: date) -> bool:
    begun = agency.valid_from is None or agency.valid_from <= day
    return begun and (agency.valid_to is None or day <= agency.valid_to)


def as_row(agency: Agency) -> dict[str, str]:
    """The columns COLUMNS as text."""
    return {
        "code": agency.code, "name": agency.name, "kind": agency.kind, "level": agency.level,
        "area": agency.area or "",
        "valid_from": agency.valid_from.isoformat() if agency.valid_from else "",
        "valid_to": agency.valid_to.isoformat() if agency.valid_to else "",
    }


def _faults(row: Mapping[str, str], seen: set[str]) -> Iterable[str]:
    if not _CODE.fullmatch(row["code"]):
        yield f"{row['code']!r} is no code: 2 to 24 capital letters and digits"
    if row["code"] in seen:
        yield f"{row['code']} stands here twice"
    if not row["name"].strip() or len(row["name"]) > 160:
        yield f"{row['code']}: a name has 1 to 160 letters"
    if len(row["kind"]) > 40 or len(row["level"]) > 24 or len(row["area"]) > 24:
        yield f"{row['code']}: kind, level or area is too long"
    days = []
    for name in ("valid_from", "valid_to"):
        try:
            days.append(_day(row[name]))
        except ValueError:
            yield f"{row['code']}: {name} {row[name]!r} is no day (2025-07-01)"
    if len(days) == 2 and days[0] and days[1] and days[1] < days[0]:
        yield f"{row['code']}: ends before it begins"


def _day(text: str) -> date | None:
    return date.fromisoformat(text) if text else None
