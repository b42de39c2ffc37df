"""How long every page, search and list takes over a long history, and by which plans:

    python -m scripts.bench.generate sqlite:///big.db          5 million calls, 1 million cases
    python -m scripts.bench.pages sqlite:///big.db [--plans]

Every address of the console that is read is opened through the application as each role that may,
three times; the slowest counts. Exit code 1 where one is over the target (1 s on SQLite, 300 ms on
PostgreSQL) or fails. `--plans` prints how the database finds the rows of the slowest statement of
each page.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import event, select
from sqlalchemy.orm import Session

from agent_console import catalogues, door
from agent_console.app import create_app, feed_of
from agent_console.server import settle
from crm import secrets, users
from crm import settings as configuration
from crm.agencies.models import Officer, Post
from crm.api import tokens
from crm.api.tokens import Scope
from crm.cases import life, links
from crm.cases.models import Agency, Case, Status
from crm.clock import vietnam_day
from crm.database import Database
from crm.models import Call, Role, User
from crm.reports import calls as counts
from crm.rights import Right
from crm.settings import Settings
from ivr import commands
from scripts.bench import generate
from scripts.bench.generate import REPEATER

Statement = tuple[float, str, Any]  # ms, SQL, parameters
TRIES = 3
PASSWORD = "of-accounts-that-end-with-the-program"  # noqa: S105
_EXPLAIN_FIRST: tuple[str, ...] = ()
LEFT_OUT = {  # streams, and what no database is asked for
    "/events", "/static/<path:filename>", "/healthz", "/readyz", "/metrics", "/bulletin.wav",
    "/calls/<call_id>/recording", "/calls/<call_id>/voicemail",
    "/privacy/<int:request_id>/export",
}


def target_ms(database: Database) -> int:
    return 1000 if database.is_sqlite else 300


@dataclass
class Page:
    """One address as one role sees it, with its statements, each with its milliseconds and
    parameters."""

    role: Role | None
    path: str
    code: int = 0
    ms: list[float] = field(default_factory=list)
    statements: list[Statement] = field(default_factory=list)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("url", help="a database that scripts.bench.generate has filled")
    options.add_argument("--plans", action="store_true")
    given = options.parse_args()
    catalogues.compile_catalogues()
    database = generate.opened(given.url, 120)
    with tempfile.TemporaryDirectory() as home:
        found = measure(database, Path(home))
    over = report(database, found, plans=given.plans)
    sys.stdout.flush()
    os._exit(1 if over else 0)  # the feed's threads wait for nothing that comes


def settings_of(database: Database, home: Path) -> Settings:
    """A hotline with that database, and a state folder of its own."""
    return configuration.load({
        "HOTLINE_HOME": str(home),
        "HOTLINE_DATABASE_URL": database.url.render_as_string(hide_password=False),
    })


def measure(database: Database, home: Path) -> list[Page]:
    """Open every page; the first time is counted like the others."""
    settings = settings_of(database, home)
    made = secrets.ensure(home, [])
    app = create_app(settings, database, commands.for_settings(settings, made), made)
    app.config["WTF_CSRF_ENABLED"] = False
    with database.transaction() as session:
        known, token = prepare(session)
        now = datetime.now(UTC)
        for day in counts.due(session, now, 10_000):  # as the scheduler does every night
            counts.count(session, day, now, settings.service_level_s)
    clients = {role: _signed_in(app, role) for role in Role}
    pages = []
    settle()
    with _watching(database) as statements:
        for page in pages_of(app, known):
            client = clients[page.role] if page.role else app.test_client()
            headers = {"Authorization": f"Bearer {token}"} if page.path.startswith("/api") else {}
            for _ in range(TRIES):
                statements.clear()
                started = time.perf_counter()
                answer = client.get(page.path, headers=headers)
                answer.get_data()
                page.ms.append((time.perf_counter() - started) * 1000)
                page.code = answer.status_code
                page.statements += statements
            pages.append(page)
    feed_of(app).close()
    return pages


def prepare(session: Session) -> tuple[Mapping[str, list[str]], str]:
    """Accounts of each role, and for each address with a place in it what stands there."""
    now = datetime.now(UTC)
    for role in Role:
        if session.scalar(select(User.id).where(User.login == f"bench.{role}")) is None:
            users.create_user(session, login=f"bench.{role}", name=role, role=role,
                              password=PASSWORD, now=now, queues=("operator",))
    handled = session.scalars(
        select(Case).where(Case.status == Status.ASSIGNED, Case.sensitive.is_(False))
        .order_by(Case.due_at.desc()).limit(1)
    ).one()
    agency = session.get_one(Agency, handled.agency_id)
    officer = session.scalar(select(Officer).where(Officer.login == "bench.officer"))
    if officer is None:
        officer = Officer(agency_id=agency.id, name="Cán bộ", post=Post.OFFICER,
                          phone="0987000001", login="bench.officer")
        session.add(officer)
        session.flush()
    handled = session.scalars(select(Case).where(
        Case.status == Status.ASSIGNED, Case.agency_id == officer.agency_id
    ).limit(1)).one()
    link = links.hand_out(session, handled, officer, now)
    of_repeater = session.scalars(
        select(Call.id).where(Call.caller == REPEATER).order_by(Call.started_at.desc()).limit(1)
    ).one()
    repeated = life.of_phones(session, [REPEATER], 1)[0]
    day, month = vietnam_day(now), vietnam_day(now) - timedelta(days=30)
    known = {
        "/agencies/<code>": [f"/agencies/{officer.agency.code}"],
        "/agency/<code>": [f"/agency/{handled.code}"],
        "/agent/calls/<call_id>": [f"/agent/calls/{of_repeater}"],
        "/api/v1/calls": ["/api/v1/calls", "/api/v1/calls?limit=100"],
        "/api/v1/calls/<call_id>": [f"/api/v1/calls/{of_repeater}"],
        "/api/v1/cases": ["/api/v1/cases", "/api/v1/cases?limit=100"],
        "/api/v1/cases/<code>": [f"/api/v1/cases/{handled.code}"],
        "/api/v1/reports/counts": [
            f"/api/v1/reports/counts?since={month}T00:00:00Z&until={day}T00:00:00Z"],
        "/calls": ["/calls", f"/calls?day={month}", f"/calls?day={month}&branch=vaccine",
                   "/calls?outcome=answered"],
        "/cases": ["/cases", f"/cases?q={handled.code}", "/cases?q=dau+hong", "/cases?q=đau+họng",
                   "/cases?q=nha", "/cases?q=bi+ngap+can+luong+thuc", "/cases?q=khong+co+tu+nay"],
        "/cases/<code>": [f"/cases/{handled.code}", f"/cases/{repeated.code}"],
        "/citizens/call/<call_id>": [f"/citizens/call/{of_repeater}"],
        "/citizens/case/<code>": [f"/citizens/case/{repeated.code}"],
        "/knowledge/search": ["/knowledge/search?q=khau+trang"],
        "/o/<token>": [f"/o/{link}"],
        "/recordings": [
            "/recordings", f"/recordings?since={month}&agent=agent7",
            f"/recordings?since={month}&number={REPEATER}", "/recordings?refused=yes&words=sot",
            f"/recordings?since={month}&branch=vaccine&code={handled.code}",
        ],
        "/recordings/<call_id>": [f"/recordings/{of_repeater}"],
        "/reports/daily/<day>": [f"/reports/daily/{day}"],
        "/reports/daily/<day>/report.<kind>": [
            f"/reports/daily/{day}/report.pdf", f"/reports/daily/{day}/report.xlsx"],
        "/reports/period": [_period(day, back, by) for back in (0, 30, 365)
                            for by in ("branch", "channel", "category", "agency", "area")],
        "/reports/period.<kind>": [_period(day, 365, "agency", ".csv"),
                                   _period(day, 365, "area", ".xlsx")],
    }
    try:
        token = tokens.create(session, name=f"bench{now:%H%M%S}", scopes=list(Scope), by="bench",
                              now=now)
    except tokens.TokenError as error:
        raise SystemExit(str(error)) from error
    return known, token


def _period(day: date, back: int, by: str, form: str = "") -> str:
    return f"/reports/period{form}?from={day - timedelta(days=back)}&to={day}&by={by}"


def pages_of(app: Flask, known: Mapping[str, list[str]]) -> Iterator[Page]:
    """Every address that is read, as each role that may. An address with a place in it that nobody
    has told this program of is one of a thing that is not there."""
    for rule in sorted(app.url_map.iter_rules(), key=lambda one: one.rule):
        if "GET" not in (rule.methods or ()) or rule.rule in LEFT_OUT:
            continue
        right = door.needed(app, rule.endpoint)
        roles: list[Role | None] = [*sorted(right.roles)] if isinstance(right, Right) else [None]
        filled = app.url_map.bind("localhost").build(
            rule.endpoint, {name: _nothing(rule.rule, name) for name in rule.arguments}
        )
        for path in known.get(rule.rule, [filled]):
            for role in roles:
                yield Page(role, path)


def _nothing(rule: str, name: str) -> object:
    if f"<int:{name}>" in rule:
        return 1
    return "json" if f"any(json, xml):{name}" in rule else "x"


def _signed_in(app: Flask, role: Role) -> FlaskClient:
    client = app.test_client()
    answer = client.post("/login", data={"login": f"bench.{role}", "password": PASSWORD})
    if answer.status_code != 302:
        raise SystemExit(f"{role} is not let in: {answer.status_code}")
    return client


@contextmanager
def _watching(database: Database) -> Iterator[list[Statement]]:
    """The statements of a page, with what they took in ms."""
    statements: list[Statement] = []

    def begins(_c: Any, _cursor: Any, _s: str, _p: Any, context: Any, _m: bool) -> None:
        context.began_at = time.perf_counter()

    def ends(_c: Any, _cursor: Any, statement: str, given: Any, context: Any, _m: bool) -> None:
        took = (time.perf_counter() - context.began_at) * 1000
        if statement.lstrip().upper().startswith(("SELECT", "WITH")):
            statements.append((took, statement, given))

    event.listen(database.engine, "before_cursor_execute", begins)
    event.listen(database.engine, "after_cursor_execute", ends)
    try:
        yield statements
    finally:
        event.remove(database.engine, "before_cursor_execute", begins)
        event.remove(database.engine, "after_cursor_execute", ends)


def report(database: Database, found: list[Page], *, plans: bool) -> int:
    """Print the pages, the slowest first; how many are over the target or failed."""
    target, over = target_ms(database), 0
    print(f"{'slowest':>9} {'middle':>8}   as          page (target {target} ms)")
    for page in sorted(found, key=lambda one: -max(one.ms)):
        bad = max(page.ms) > target or page.code >= 500
        over += bad
        middle = sorted(page.ms)[len(page.ms) // 2]
        mark = f"  {page.code}" if page.code >= 400 else ""
        who = page.role or "anybody"
        print(f"{max(page.ms):>6.0f} ms {middle:>5.0f} ms   {who:<11} {page.path}{mark}"
              f"{'  OVER' if bad else ''}")
        if plans and (bad or max(page.ms) > target / 4):
            slowest = max(page.statements, key=lambda one: one[0], default=None)
            for line in plan_of(database, *slowest[1:]) if slowest else ():
                print(f"{'':>22}{line}")
    print(f"{len(found)} pages, {over} over")
    return over


def plan_of(database: Database, statement: str, given: Any) -> list[str]:
    """How the database finds the rows of a statement."""
    explain = "EXPLAIN QUERY PLAN " if database.is_sqlite else "EXPLAIN "
    with database.engine.connect() as connection:
        for first in _EXPLAIN_FIRST:
            connection.exec_driver_sql(first)
        rows = connection.exec_driver_sql(explain + statement, given).all()
    return [str(row[-1]) for row in rows]


if __name__ == "__main__":
    main()
