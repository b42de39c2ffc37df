"""The fields that cases of some categories have besides their text.

Fake news: where it stands and on which platform; nobody goes there by program. Errors in a
vaccination record: what the app "Sức khỏe điện tử" shows wrongly; it has no interface for others,
so the health department mends it by hand. Values are typed here, at the edge, and kept as JSON.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy.orm import Session

from crm.agencies.register import agency_named
from crm.cases import life
from crm.cases.life import CaseError
from crm.cases.models import Case
from crm.clock import vietnam_day
from crm.errors import HotlineError
from crm.intake import text
from crm.intake.models import CaseDetails

LONGEST_LINK = 500
MOST_LINKS = 5
OLDEST = date(1985, 1, 1)


class Platform(StrEnum):
    """Where false news is spread."""

    FACEBOOK = "facebook"
    ZALO = "zalo"
    TIKTOK = "tiktok"
    YOUTUBE = "youtube"
    SITE = "site"
    MESSAGE = "message"  # SMS and other messages
    OTHER = "other"


class Wrong(StrEnum):
    """What is wrong in a vaccination record."""

    MISSING = "missing"
    DATE = "date"
    VACCINE = "vaccine"
    PERSON = "person"  # name, birthday, papers
    DOUBLE = "double"
    OTHER = "other"


class FieldError(HotlineError):
    """A field cannot be taken; `code`: links, platform, wrong, dose, given_on."""

    def __init__(self, sentence: str, code: str) -> None:
        super().__init__(sentence)
        self.code = code


@dataclass(frozen=True)
class FakeNews:
    """Links are http(s); a screenshot is an attachment of the case."""

    links: tuple[str, ...]
    platform: Platform

    def as_json(self) -> dict[str, Any]:
        return {"links": list(self.links), "platform": self.platform.value}


@dataclass(frozen=True)
class VaccineRecord:
    """What is wrong, and what is right; empty where the citizen does not know."""

    wrong: Wrong
    dose: int | None
    given_on: date | None  # day of Vietnam
    clinic: str
    vaccine: str
    lot: str

    def as_json(self) -> dict[str, Any]:
        return {
            "wrong": self.wrong.value, "dose": self.dose,
            "given_on": self.given_on.isoformat() if self.given_on else None,
            "clinic": self.clinic, "vaccine": self.vaccine, "lot": self.lot,
        }


Fields = FakeNews | VaccineRecord
FAKE_NEWS, VACCINE_RECORD = "fake_news", "vaccine_record"
FORMS = (FAKE_NEWS, VACCINE_RECORD)


def parse(
    category: str, given: Mapping[str, str], now: datetime, *, screenshot: bool = False
) -> Fields | None:
    """What was filled in for a category; None: it has no fields. `screenshot`: a picture comes
    along, and stands for a link. Raises FieldError."""
    if category == FAKE_NEWS:
        return _fake_news(given, screenshot=screenshot)
    if category == VACCINE_RECORD:
        return _vaccine_record(given, now)
    return None


def put(session: Session, case: Case, fields: Fields, *, by: str, now: datetime) -> None:
    """Keep the fields of a case. What it had before stands in its events."""
    form = FAKE_NEWS if isinstance(fields, FakeNews) else VACCINE_RECORD
    row = session.get(CaseDetails, case.id)
    if row is None:
        row = CaseDetails(case_id=case.id, form=form, fields={}, changed_at=now, changed_by=by)
        session.add(row)
    elif (row.form, _typed(row)) == (form, fields):
        return
    row.form, row.fields, row.changed_at, row.changed_by = form, fields.as_json(), now, by
    life.note(session, case, by, now, "details", details={"form": form})


def of(session: Session, case: Case) -> Fields | None:
    """The fields of a case."""
    row = session.get(CaseDetails, case.id)
    return None if row is None else _typed(row)


def as_form(fields: Fields | None) -> dict[str, str]:
    """The fields as texts of a form."""
    if fields is None:
        return {}
    return {
        name: "\n".join(value) if isinstance(value, list) else "" if value is None else str(value)
        for name, value in fields.as_json().items()
    }


def refer(
    session: Session, case: Case, agency: str, number: str, *, by: str, now: datetime
) -> None:
    """Note that a report of false news was handed on, under which number: to the police or to the
    department of culture, who look at it. Raises AgencyError, CaseError."""
    to = agency_named(session, agency, now)
    if case.category != FAKE_NEWS:
        raise CaseError("only reports of false news are referred", "move")
    life.note(
        session, case, by, now, "referred", text=f"{to.name} {text.line(number, 80)}".strip(),
        details={"agency": to.code},
    )


def _fake_news(given: Mapping[str, str], *, screenshot: bool) -> FakeNews:
    links = tuple(dict.fromkeys(re.split(r"\s+", given.get("links", "").strip())))
    links = tuple(one for one in links if one)
    if len(links) > MOST_LINKS or not all(map(_is_link, links)):
        raise FieldError(f"up to {MOST_LINKS} addresses that begin with http", "links")
    if not links and not screenshot:
        raise FieldError("an address or a screenshot is needed", "links")
    try:
        platform = Platform(given.get("platform", ""))
    except ValueError as error:
        raise FieldError(f"the platform is one of {', '.join(Platform)}", "platform") from error
    return FakeNews(links, platform)


def _vaccine_record(given: Mapping[str, str], now: datetime) -> VaccineRecord:
    try:
        wrong = Wrong(given.get("wrong", ""))
    except ValueError as error:
        raise FieldError(f"what is wrong is one of {', '.join(Wrong)}", "wrong") from error
    dose = given.get("dose", "").strip()
    if dose and not re.fullmatch(r"[1-9]", dose):
        raise FieldError("a dose is a number from 1 to 9", "dose")
    try:
        day = date.fromisoformat(given["given_on"]) if given.get("given_on") else None
    except ValueError as error:
        raise FieldError("the day of the dose is no day", "given_on") from error
    if day is not None and not OLDEST <= day <= vietnam_day(now):
        raise FieldError("the day of the dose is not in the future", "given_on")
    return VaccineRecord(
        wrong, int(dose) if dose else None, day,
        *(text.line(given.get(name, ""), 120) for name in ("clinic", "vaccine", "lot")),
    )


def _typed(row: CaseDetails) -> Fields:
    told = row.fields
    if row.form == FAKE_NEWS:
        return FakeNews(tuple(told["links"]), Platform(told["platform"]))
    day = told["given_on"]
    return VaccineRecord(
        Wrong(told["wrong"]), told["dose"], date.fromisoformat(day) if day else None,
        told["clinic"], told["vaccine"], told["lot"],
    )


def _is_link(link: str) -> bool:
    if len(link) > LONGEST_LINK or not re.fullmatch(r"https?://[!-~\u00a1-\uffff]+", link):
        return False
    try:
        return bool(urlsplit(link).hostname)
    except ValueError:
        return False
