"""Whom a broadcast goes to: checked numbers, each once, without those who want no messages.

Of an area the hotline writes to whoever has opened a case there in the last two years and has let
its agencies know who they are. A number with any hidden, anonymous or sensitive case is left out of
that. It is not left out of an authority's own list: a gap there would give it away.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

import phonenumbers
from phonenumbers import NumberParseException, PhoneNumberType, carrier
from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from crm.areas import standing
from crm.broadcasts.errors import BroadcastError
from crm.broadcasts.models import Audience
from crm.cases.models import Case, Identity
from crm.imports import files
from crm.imports.files import FileError, Row
from crm.notices.models import Channel, OptOut
from crm.notices.numbers import masked

COLUMNS = ("phone", "area")
KNOWN_FOR = timedelta(days=730)
FEWEST = 50  # a list of fewer people is one of chosen persons
LISTED = 200  # of the numbers that cannot be used
CARRIERS = {
    "Viettel": "viettel", "Vinaphone": "vinaphone", "MobiFone": "mobifone",
    "Vietnamobile": "vietnamobile",
}
OTHER = "other"
_MOBILE = (PhoneNumberType.MOBILE, PhoneNumberType.FIXED_LINE_OR_MOBILE)


@dataclass
class Found:
    """Whom it goes to, as 0912345678, and how many were left out and why."""

    recipients: list[str] = field(default_factory=list)
    duplicates: int = 0
    opted_out: int = 0
    withheld: int = 0
    invalid: list[dict[str, Any]] = field(default_factory=list)  # line, masked value, why

    @property
    def counts(self) -> dict[str, int]:
        return {
            "duplicates": self.duplicates, "opted_out": self.opted_out, "withheld": self.withheld,
            "invalid": len(self.invalid),
        }


def checked_areas(codes: Sequence[str], day: date) -> list[str]:
    """Codes of communes that stand on this day, each once. Raises BroadcastError."""
    units = standing(day)
    found = list(dict.fromkeys(codes))
    if not found or any(code not in units for code in found):
        raise BroadcastError("areas", "a broadcast names at least one commune or ward of today")
    return found


def of_areas(
    session: Session, areas: Sequence[str], channel: Channel, now: datetime
) -> Found:
    """Whom the hotline knows in these communes."""
    there = select(Case.phone).where(
        Case.area.in_(areas), Case.phone.is_not(None), Case.opened_at > now - KNOWN_FOR,
        Case.identity == Identity.SHOWN, ~Case.sensitive,
    ).distinct()
    kept_back = set(session.scalars(select(Case.phone).where(
        Case.phone.in_(there), or_(Case.identity != Identity.SHOWN, Case.sensitive)
    ).distinct()))
    known = sorted(filter(None, session.scalars(there)))
    usable = [(0, number) for number in known if number not in kept_back]
    found = _checked(session, usable, channel)
    found.withheld = len(kept_back)
    return found


def of_list(
    session: Session, rows: Sequence[Row], areas: Sequence[str], audience: Audience,
    channel: Channel, day: date,
) -> Found:
    """Whom a list names; its rows are of the columns COLUMNS. What cannot be used is left out and
    listed. Raises BroadcastError for a list that is not what it is given for."""
    units = standing(day)
    by_name = {units[code].name.casefold(): code for code in areas}
    usable, wrong = [], []
    for row in rows:
        place = row["area"].strip()
        if row.fault:
            wrong.append(_bad(row.line, row["phone"], "row"))
        elif place not in areas and place.casefold() not in by_name:
            wrong.append(_bad(row.line, row["phone"], "area"))
        else:
            usable.append((row.line, row["phone"]))
    found = _checked(session, usable, channel)
    found.invalid = sorted(wrong + found.invalid, key=lambda one: one["line"])
    people = len(found.recipients) + found.opted_out
    if audience is Audience.LIST and people < FEWEST:
        raise BroadcastError("few", f"a list of fewer than {FEWEST} people is one of chosen "
                                    "persons: they get the fixed sentence")
    return found


def read_list(content: bytes) -> list[Row]:
    """The rows of an uploaded CSV or XLSX file. Raises BroadcastError."""
    try:
        return files.read_bytes(content, COLUMNS)
    except FileError as error:
        raise BroadcastError("file", str(error)) from error


def number_of(text: str, channel: Channel) -> str | None:
    """A Vietnamese number as 0912345678, or None: it is none, or cannot get an SMS."""
    if len(text) > 40:
        return None
    try:
        parsed = phonenumbers.parse(text, "VN")
    except NumberParseException:
        return None
    if parsed.country_code != 84 or parsed.extension or not phonenumbers.is_valid_number(parsed):
        return None
    kind = phonenumbers.number_type(parsed)
    if kind not in _MOBILE and (channel is Channel.SMS or kind != PhoneNumberType.FIXED_LINE):
        return None
    return f"0{phonenumbers.national_significant_number(parsed)}"


def carrier_of(number: str) -> str:
    """Who has given out a number's prefix: since 2018 it may have been carried to another."""
    name = carrier.name_for_number(phonenumbers.parse(number, "VN"), "en")
    return CARRIERS.get(name, OTHER)


def _checked(session: Session, given: Iterable[tuple[int, str]], channel: Channel) -> Found:
    found = Found()
    seen: set[str] = set()
    unwanted = set(session.scalars(select(OptOut.recipient)))
    for line, text in given:
        number = number_of(text, channel)
        if number is None:
            found.invalid.append(_bad(line, text, "number"))
        elif number in seen:
            found.duplicates += 1
        else:
            seen.add(number)
            if number in unwanted:
                found.opted_out += 1
            else:
                found.recipients.append(number)
    return found


def _bad(line: int, value: str, why: str) -> dict[str, Any]:
    return {"line": line, "value": masked(value.strip()[:20]), "why": why}
