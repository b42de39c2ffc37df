"""Which agency a case goes to: by what it is about, and where.

A route names a category (`*`: any) and an area (none: everywhere); the closest one counts, and `*`
everywhere is the fallback. `committee` stands for the people's committee of the case's own commune.
A case about an agency or its staff never goes to that agency: one level up, else the inspectorate.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from crm.agencies import register
from crm.areas import standing
from crm.cases.categories import CATEGORIES, CategoryError, category_named
from crm.cases.models import Agency, Route
from crm.clock import vietnam_day
from crm.errors import HotlineError
from crm.imports import files
from crm.imports.files import FileError, Row

PROVINCE = Path(__file__).parents[1] / "data" / "routes.csv"
COLUMNS = ("category", "area", "agency")
ANY, COMMITTEE = "*", "committee"
OFFICE, INSPECTORATE = "VPUB", "TTT"  # the province's own, above committees and departments


class RouteError(HotlineError):
    """Routes cannot be taken in. Each line says why."""


@dataclass(frozen=True)
class Suggestion:
    """An agency for a case. `why`: area | committee | category | fallback | above"""

    agency: Agency
    why: str


@dataclass(frozen=True)
class Gap:
    """Cases of `category` in `area` reach nobody, or only the fallback."""

    category: str
    area: str
    reaches: str | None


def suggest(
    session: Session, category: str, area: str | None, now: datetime, *, about: Agency | None = None
) -> Suggestion | None:
    """Whom a case of this kind goes to; None: there is no agency for it."""
    return _Table(session, now).suggest(category, area, about)


def gaps(session: Session, now: datetime) -> list[Gap]:
    """Every category and commune of today that reaches nobody, or only the fallback."""
    table = _Table(session, now)
    found = []
    for category in CATEGORIES:
        for area in table.areas:
            suggestion = table.suggest(category.id, area, None)
            if suggestion is None or suggestion.why == "fallback":
                reaches = suggestion.agency.code if suggestion else None
                found.append(Gap(category.id, area, reaches))
    return found


class _Table:
    """Routes and agencies of one moment."""

    def __init__(self, session: Session, now: datetime) -> None:
        self.areas = standing(vietnam_day(now))
        self._agencies = {one.code: one for one in register.standing(session, now)}
        self._committees = {
            one.area: one for one in self._agencies.values()
            if one.kind == "committee" and one.area in self.areas
        }
        self._routes: Mapping[tuple[str, str | None], str] = {
            (route.category, route.area): route.agency for route in session.scalars(select(Route))
        }

    def suggest(
        self, category: str, area: str | None, about: Agency | None
    ) -> Suggestion | None:
        for route, why in self._ways(category, area):
            target = self._routes.get(route)
            if target == COMMITTEE:
                agency = self._committees.get(area or "")
            else:
                agency = self._agencies.get(target or "")
            if agency is None:
                continue
            if about is not None and agency.code == about.code:
                return self._above(agency)
            return Suggestion(agency, COMMITTEE if target == COMMITTEE else why)
        return None

    @staticmethod
    def _ways(category: str, area: str | None) -> Iterator[tuple[tuple[str, str | None], str]]:
        if area is not None:
            yield (category, area), "area"
            yield (ANY, area), "area"
        yield (category, None), "category"
        yield (ANY, None), "fallback"

    def _above(self, agency: Agency) -> Suggestion | None:
        for code in (OFFICE, INSPECTORATE):
            above = self._agencies.get(code)
            if above is not None and above.code != agency.code:
                return Suggestion(above, "above")
        return None


def read(file: Path) -> list[Row]:
    """The rows of a CSV or XLSX file with the columns COLUMNS. Raises RouteError."""
    try:
        return files.read(file, COLUMNS)
    except FileError as error:
        raise RouteError(str(error)) from error


def take_in(session: Session, rows: Sequence[Mapping[str, str]], now: datetime) -> int:
    """Replace all routes by these; returns how many. Raises RouteError: all faults."""
    areas = standing(vietnam_day(now))
    known = {one.code for one in register.standing(session, now)}
    seen: set[tuple[str, str]] = set()

    def faults_of(row: Mapping[str, str]) -> Iterator[str]:
        yield from _faults(row, areas.keys(), known)
        place = row["category"], row["area"]
        if place in seen:
            yield "stands here twice"
        seen.add(place)

    if faults := files.faults_of(rows, faults_of):
        raise RouteError("\n".join(faults))
    made = [
        Route(category=row["category"], area=row["area"] or None, agency=row["agency"])
        for row in rows
    ]
    for route in session.scalars(select(Route)):
        session.delete(route)
    session.flush()
    session.add_all(made)
    return len(made)


def as_row(route: Route) -> dict[str, str]:
    """The columns COLUMNS as text."""
    return {"category": route.category, "area": route.area or "", "agency": route.agency}


def _faults(row: Mapping[str, str], areas: Iterable[str], known: set[str]) -> Iterator[str]:
    if row["category"] != ANY:
        try:
            category_named(row["category"])
        except CategoryError as error:
            yield str(error)
    if row["area"] and row["area"] not in areas:
        yield f"there is no commune or ward {row['area']} today"
    if row["agency"] != COMMITTEE and row["agency"] not in known:
        yield f"there is no agency {row['agency']} today"
