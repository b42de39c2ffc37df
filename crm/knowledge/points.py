"""Contact points: where citizens are tested, vaccinated, cared for and helped, by commune."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import ColumnElement, or_, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from crm import search
from crm.areas import AreaError, area_named, standing
from crm.clock import vietnam_day
from crm.errors import HotlineError
from crm.knowledge import hours
from crm.knowledge.codes import CODE, code_for
from crm.knowledge.hours import HoursError
from crm.knowledge.models import ContactPoint, PointKind

COLUMNS = (
    "code", "kind", "name", "area", "address", "hours", "phones", "valid_from", "valid_to", "note",
)
NAMES = {  # as citizens hear and read them
    PointKind.TEST: "Xét nghiệm", PointKind.VACCINATION: "Tiêm chủng",
    PointKind.CARE: "Khám chữa bệnh", PointKind.QUARANTINE: "Cách ly",
    PointKind.RELIEF: "Cứu trợ",
}
SPOKEN = (PointKind.TEST, PointKind.VACCINATION, PointKind.RELIEF)  # callers can hear these
MOST_SPOKEN = 8  # of a kind: about two minutes
MOST_PHONES = 5
LONGEST_MESSAGE = 120  # letters
_SLASH = re.compile(r"(?<=[0-9A-Za-z])/(?=[0-9A-Za-z])")
_PHONE = re.compile(r"0[0-9]{9,10}|1[0-9]{2,7}|1[89]00[0-9]{4,6}")
_LENGTHS = {"name": 160, "address": 240, "note": 500}


class PointError(HotlineError):
    """A contact point cannot be saved; each of `faults` is (column, sentence)."""

    def __init__(self, faults: Sequence[tuple[str, str]]) -> None:
        super().__init__("\n".join(sentence for _, sentence in faults))
        self.faults = tuple(faults)


@dataclass(frozen=True)
class Parsed:
    """The values of a contact point that has no fault."""

    code: str
    values: dict[str, Any]


def parse(row: Mapping[str, str], now: datetime) -> Parsed:
    """A row of texts with the columns COLUMNS as values. An empty code is made from the name.
    Raises PointError: all faults."""
    given = {name: " ".join(row[name].split()) for name in COLUMNS}
    faults = list(_faults(given, now))
    if faults:
        raise PointError(faults)
    phones = [_digits(one) for one in given["phones"].split(",") if one.strip()]
    values: dict[str, Any] = {
        name: given[name] for name in ("kind", "name", "area", "address", "hours", "note")
    }
    return Parsed(given["code"], values | {
        "phones": phones, "valid_from": _day(given["valid_from"]),
        "valid_to": _day(given["valid_to"]),
    })


def save(
    session: Session, parsed: Parsed, *, by: str, now: datetime, point: ContactPoint | None = None,
    seen: int | None = None,
) -> ContactPoint:
    """Add a contact point, or bring the one with its code (or this `point`, if it has still the
    version that was `seen`) up to date. What is the same stays untouched. Raises PointError."""
    known = point or by_code(session, parsed.code)
    if known is None:
        code = parsed.code or code_for(
            parsed.values["name"], lambda one: by_code(session, one) is not None
        )
        known = ContactPoint(
            code=code, version=1, changed_at=now, changed_by=by, **parsed.values
        )
        try:
            with session.begin_nested():
                session.add(known)
        except IntegrityError as error:
            raise PointError([("code", f"{code} is taken")]) from error
    else:
        if seen is not None and known.version != seen:
            raise PointError([("stale", "the contact point has changed meanwhile")])
        if all(getattr(known, name) == value for name, value in parsed.values.items()):
            return known
        for name, value in parsed.values.items():
            setattr(known, name, value)
        known.version += 1
        known.changed_at, known.changed_by = now, by
        session.flush()
    _index(session, known, now)
    return known


def by_code(session: Session, code: str) -> ContactPoint | None:
    return session.scalar(select(ContactPoint).where(ContactPoint.code == code)) if code else None


def listing(
    session: Session, now: datetime, *, kind: PointKind | None = None, area: str | None = None,
    also_past: bool = False, limit: int | None = None,
) -> list[ContactPoint]:
    """Contact points that are valid today (or all), by kind, commune and name."""
    found = select(ContactPoint).order_by(
        ContactPoint.kind, ContactPoint.area, ContactPoint.name, ContactPoint.id
    )
    if not also_past:
        found = found.where(*_on(vietnam_day(now)))
    if kind is not None:
        found = found.where(ContactPoint.kind == kind)
    if area is not None:
        found = found.where(ContactPoint.area == area)
    return list(session.scalars(found.limit(limit) if limit else found))


def find(session: Session, query: str, now: datetime, limit: int = 20) -> list[ContactPoint]:
    """Contact points of today by words of name, kind, commune and address, accents or not."""
    ids = search.find(session, search.Kind.POINT, query, limit * 4)  # some may be over
    wanted = select(ContactPoint).where(ContactPoint.id.in_(ids), *_on(vietnam_day(now)))
    known = {one.id: one for one in session.scalars(wanted)}
    return [known[id_] for id_ in ids if id_ in known][:limit]


def open_now(point: ContactPoint, now: datetime) -> bool | None:
    """Whether it is open at this moment; None where nobody has noted its hours."""
    known = hours.parse(point.hours)
    return known.open_at(now) if known else None


def commune(point: ContactPoint, now: datetime) -> str:
    """The name of its commune; its code where there is no such commune any more."""
    area = standing(vietnam_day(now)).get(point.area)
    return area.name if area else point.area


def short_message(point: ContactPoint, now: datetime) -> str:
    """What an SMS (crm.notices.texts) has room for: always a telephone, hours only if they fit."""
    place = f"{point.name}. {point.address}, {commune(point, now)}."
    phone = f" ĐT {point.phones[0]}." if point.phones else ""
    hours_ = f" {point.hours}." if point.hours else ""
    if len(place + hours_ + phone) <= LONGEST_MESSAGE:
        return place + hours_ + phone
    return place[: LONGEST_MESSAGE - len(phone)] + phone


def as_row(point: ContactPoint) -> dict[str, str]:
    """The columns COLUMNS as text: what `parse` takes."""
    return {
        "code": point.code, "kind": point.kind, "name": point.name, "area": point.area,
        "address": point.address, "hours": point.hours, "phones": ", ".join(point.phones),
        "valid_from": point.valid_from.isoformat() if point.valid_from else "",
        "valid_to": point.valid_to.isoformat() if point.valid_to else "", "note": point.note,
    }


def as_json(point: ContactPoint, now: datetime) -> dict[str, Any]:
    """A contact point for programs; nothing in it changes without `updated_at` or the day."""
    return as_row(point) | {
        "phones": point.phones, "area_name": commune(point, now),
        "valid_from": point.valid_from.isoformat() if point.valid_from else None,
        "valid_to": point.valid_to.isoformat() if point.valid_to else None,
        "updated_at": point.changed_at.isoformat(timespec="seconds"),
    }


def spoken_list(session: Session, kind: PointKind, now: datetime) -> str | None:
    """What callers hear of all contact points of a kind that are valid today; None: there is none.
    Of more than MOST_SPOKEN the caller is told that an agent knows the others."""
    found = listing(session, now, kind=kind)
    told = [_spoken(point, now) for point in found[:MOST_SPOKEN]]
    if len(found) > MOST_SPOKEN:
        told.append(
            f"Còn {len(found) - MOST_SPOKEN} điểm khác. Gặp điện thoại viên, bấm phím số không."
        )
    return " ".join(told) or None


def _spoken(point: ContactPoint, now: datetime) -> str:
    address = _SLASH.sub(" xuyệt ", f"{point.address}, {commune(point, now)}")  # no day of a month
    parts = [f"{point.name}. Địa chỉ: {address}."]
    if known := hours.parse(point.hours):
        parts.append(f"Giờ mở cửa: {hours.spoken(known)}.")
    if point.phones:
        parts.append(f"Điện thoại: {point.phones[0]}.")
    return " ".join(parts)


def _index(session: Session, point: ContactPoint, now: datetime) -> None:
    search.put(
        session, search.Kind.POINT, point.id, point.name,
        f"{NAMES[PointKind(point.kind)]} {commune(point, now)} {point.address} {point.note} "
        f"{' '.join(point.phones)}",
    )


def _on(day: date) -> tuple[ColumnElement[bool], ...]:
    return (
        or_(ContactPoint.valid_from.is_(None), ContactPoint.valid_from <= day),
        or_(ContactPoint.valid_to.is_(None), ContactPoint.valid_to >= day),
    )


def _faults(given: Mapping[str, str], now: datetime) -> Iterator[tuple[str, str]]:
    if given["code"] and not CODE.fullmatch(given["code"]):
        yield "code", f"{given['code']!r} is no code: 2 to 60 of a-z, 0-9 and -"
    if given["kind"] not in set(PointKind):
        yield "kind", f"there is no kind {given['kind']!r}; there are {', '.join(PointKind)}"
    if not given["name"]:
        yield "name", "a contact point has a name"
    if not given["address"]:
        yield "address", "a contact point has an address"
    for name, longest in _LENGTHS.items():
        if len(given[name]) > longest or not given[name].isprintable():
            yield name, f"{name} has {longest} letters at most"
    try:
        area_named(given["area"], vietnam_day(now))
    except AreaError as error:
        yield "area", str(error)
    try:
        hours.parse(given["hours"])
    except HoursError as error:
        yield "hours", str(error)
    yield from _phone_faults(given["phones"].split(","))
    days = []
    for name in ("valid_from", "valid_to"):
        try:
            days.append(_day(given[name]))
        except ValueError:
            yield name, f"{name} {given[name]!r} is no day (2026-07-01)"
    if len(days) == 2 and days[0] and days[1] and days[1] < days[0]:
        yield "valid_to", "ends before it begins"


def _phone_faults(phones: Iterable[str]) -> Iterator[tuple[str, str]]:
    given = [_digits(one) for one in phones if one.strip()]
    if len(given) > MOST_PHONES:
        yield "phones", f"a contact point has {MOST_PHONES} telephones at most"
    for one in given:
        if not _PHONE.fullmatch(one):
            yield "phones", f"{one!r} is no telephone number (02373852432)"


def _digits(phone: str) -> str:
    return re.sub(r"[\s.()-]", "", phone)


def _day(text: str) -> date | None:
    return date.fromisoformat(text) if text else None
