"""What can be taken in from a file and written to one: all rows, or none and every fault.

    rows = kinds.read(Kind.POINTS, file)
    with database.transaction() as session:
        done = kinds.take_in(session, Kind.POINTS, rows, by="lan", now=now)
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from crm import areas
from crm.agencies import officers, register
from crm.agencies.models import Officer
from crm.cases import routing
from crm.cases.models import Agency, Route
from crm.errors import HotlineError
from crm.imports import accounts, files
from crm.imports.files import Row
from crm.knowledge import articles, points
from crm.knowledge.models import Article, ContactPoint
from crm.models import Role, User


class Kind(StrEnum):
    """What the rows of a file are."""

    AGENCIES = "agencies"
    AREAS = "areas"
    POINTS = "points"
    ARTICLES = "articles"
    USERS = "users"
    OFFICERS = "officers"
    ROUTES = "routes"


COLUMNS: Mapping[Kind, Sequence[str]] = {
    Kind.AGENCIES: register.COLUMNS, Kind.AREAS: areas.COLUMNS, Kind.POINTS: points.COLUMNS,
    Kind.ARTICLES: articles.COLUMNS, Kind.USERS: accounts.COLUMNS,
    Kind.OFFICERS: officers.COLUMNS, Kind.ROUTES: routing.COLUMNS,
}


class TakeInError(HotlineError):
    """Rows cannot be taken in: each line of the message names one of the file, and says why."""


@dataclass(frozen=True)
class Done:
    """What was taken in; `passwords` are those of new accounts, to be told once."""

    rows: int
    passwords: Mapping[str, str]


def read(kind: Kind, file: Path) -> list[Row]:
    """Raises files.FileError."""
    return files.read(file, COLUMNS[kind])


def take_in(
    session: Session, kind: Kind, rows: Sequence[Row], *, by: str, now: datetime
) -> Done:
    """Take all rows in. Raises TakeInError with every fault; the transaction is then given up.
    Areas are only checked here: they become a file (crm.areas.replace) after the commit."""
    passwords: dict[str, str] = {}

    def user(row: Row) -> None:
        if password := accounts.put(session, row, now):
            passwords[row["login"]] = password

    match kind:
        case Kind.AGENCIES:
            faults = register.check(rows)
            if not faults:
                register.take_in(session, rows)
        case Kind.AREAS:
            faults = areas.check(rows) + _areas_that_are_gone(session, rows)
        case Kind.ROUTES:
            faults = _told_by(lambda: routing.take_in(session, rows, now))
        case Kind.OFFICERS:
            faults = _told_by(lambda: officers.take_in(session, rows, now))
        case Kind.USERS:
            faults = _twice(rows, "login") + files.faults_of(rows, accounts.faults)
            if not faults:
                for row in rows:
                    user(row)
                session.flush()
                if accounts.nobody_left(session):
                    faults = ["no administrator would be left who can sign in"]
        case Kind.POINTS:
            faults = _twice(rows, "code") + _each(
                rows, lambda row: points.save(session, points.parse(row, now), by=by, now=now)
            )
        case Kind.ARTICLES:
            faults = _twice(rows, "code") + _each(rows, lambda row: articles.save(
                session, articles.parse(session, row), by=by, now=now
            ))
    if faults:
        raise TakeInError("\n".join(faults))
    session.flush()
    return Done(len(rows), passwords)


def dry_run(
    session: Session, kind: Kind, rows: Sequence[Row], *, by: str, now: datetime
) -> Done:
    """Like `take_in`, but nothing stays. Raises TakeInError."""
    savepoint = session.begin_nested()
    try:
        return Done(take_in(session, kind, rows, by=by, now=now).rows, {})
    finally:
        savepoint.rollback()
        session.expire_all()


def rows_of(session: Session, kind: Kind) -> list[dict[str, str]]:
    """All that there is of a kind, as `take_in` takes it."""
    if kind is Kind.AREAS:
        return [areas.as_row(one) for one in areas.all_areas()]
    found, as_row = _KEPT[kind]
    return [as_row(one) for one in session.scalars(found)]


_KEPT: Mapping[Kind, tuple[Select[Any], Callable[[Any], dict[str, str]]]] = {
    Kind.AGENCIES: (select(Agency).order_by(Agency.code), register.as_row),
    Kind.ROUTES: (select(Route).order_by(Route.id), routing.as_row),
    Kind.OFFICERS: (select(Officer).order_by(Officer.id), officers.as_row),
    # officers get theirs with their agency
    Kind.USERS: (
        select(User).where(User.role != Role.OFFICER).order_by(User.login), accounts.as_row
    ),
    Kind.POINTS: (select(ContactPoint).order_by(ContactPoint.code), points.as_row),
    Kind.ARTICLES: (select(Article).order_by(Article.code), articles.as_row),
}


def _each(rows: Sequence[Row], save: Callable[[Row], object]) -> list[str]:
    """Save row by row; the faults of all that cannot be."""
    def tried(row: Row) -> list[str]:
        try:
            save(row)
        except (points.PointError, articles.ArticleError) as error:
            return [sentence for _, sentence in error.faults]
        return []

    return files.faults_of(rows, tried)


def _told_by(act: Callable[[], object]) -> list[str]:
    try:
        act()
    except (officers.OfficerError, routing.RouteError) as error:
        return str(error).splitlines()
    return []


def _twice(rows: Iterable[Row], column: str) -> list[str]:
    seen: set[str] = set()

    def check(row: Row) -> list[str]:
        value = row[column].strip()
        again = bool(value) and value in seen
        seen.add(value)
        return [f"{value} stands here twice"] if again else []

    return files.faults_of((row for row in rows if not row.fault), check)


def _areas_that_are_gone(session: Session, rows: Sequence[Row]) -> list[str]:
    codes = {row["code"] for row in rows}
    used = {
        *session.scalars(select(ContactPoint.area)), *session.scalars(select(Route.area)),
        *session.scalars(select(Agency.area)),
    } & {one.code for one in areas.all_areas()}
    return [f"{code} is left out, but in use: let it end by valid_to" for code in sorted(
        code for code in used - codes if code
    )]
