"""The table of rights as it is published, against the door: every request, as every role."""

from __future__ import annotations

import functools
import html
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from flask import Flask

from agent_console import door
from agent_console.ways import HOME, WAYS
from crm import rights, users
from crm.agencies import officers
from crm.agencies.models import Post
from crm.calls import record
from crm.database import Database
from crm.knowledge import articles
from crm.models import Role
from crm.reports import measures
from crm.rights import Right
from scripts.commands import users as command
from tests import calls_of_a_day as scenes
from tests.accounts import PASSWORD
from tests.agent_console.conftest import Browser
from tests.agent_console.factories import add_call
from tests.agent_console.test_door import filled
from tests.calls_of_a_day import MIDNIGHT
from tests.crm.cases.factory import at_agency, officer, with_agencies
from tests.crm.knowledge.factory import ARTICLE
from tests.journals import Asterisk

PAGE = (Path(__file__).parents[2] / "docs" / "rights.md").read_text("utf-8")
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in PAGE.splitlines() if line.startswith("|")
]
PUBLISHED = {row[0]: {ROWS[0][at] for at, cell in enumerate(row) if cell == "●"}
             for row in ROWS[2:]}


def add_each_role(database: Database) -> dict[Role, str]:
    """An account of each role; its login is the role's name."""
    with database.transaction() as session:
        with_agencies(session)
        for post in (Post.OFFICER, Post.LEADER):
            officers.give_account(
                session, officer(session, post), post.value, PASSWORD, datetime.now(UTC)
            )
        for role in set(Role) - rights.OF_AGENCIES:
            users.create_user(
                session, login=role.value, name=role.value.title(), role=role, password=PASSWORD,
                now=datetime.now(UTC), queues=("vaccine",) if role is Role.AGENT else (),
            )
    return {role: role.value for role in Role}


def test_the_table_is_published_as_it_is() -> None:
    assert "\n".join(rights.published()) in PAGE
    assert set(PUBLISHED) == {right.name for right in Right}
    assert set(Role) == set(ROWS[0][1:-1])


@pytest.mark.parametrize("role", Role)
def test_every_request_is_let_in_or_refused_as_the_published_table_says(
    app: Flask, sqlite: Database, role: Role
) -> None:
    add_each_role(sqlite)
    app.config["WTF_CSRF_ENABLED"] = False  # the door itself decides, not only the token
    browser = Browser(app.test_client())
    assert browser.sign_in(role).status_code == 302
    for endpoint, view in app.view_functions.items():  # the door stays, nothing behind it is done
        if endpoint != "static":
            app.view_functions[endpoint] = functools.wraps(view)(lambda **_: "let in")
    asked = 0
    for rule in app.url_map.iter_rules():
        needed = door.needed(app, rule.endpoint)
        if not isinstance(needed, Right):
            continue
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
            answer = browser.client.open(filled(rule.rule), method=method)
            reads = method == "GET" or role not in rights.CHANGES_NOTHING
            allowed = role in PUBLISHED[needed.name] and (reads or needed is Right.OWN)
            assert (answer.status_code, answer.text == "let in") == (
                (200, True) if allowed else (403, False)
            ), (role, method, rule.rule)
            asked += 1
    assert asked > 140


def test_every_right_opens_something(app: Flask) -> None:
    marked = {door.needed(app, endpoint) for endpoint in app.view_functions}
    assert marked >= set(Right), set(Right) - marked
    assert marked - set(Right) == {door.EVERYBODY, door.LOCAL}, "a view is not marked"


@pytest.mark.parametrize("role", Role)
def test_each_begins_at_a_page_of_theirs_and_is_shown_the_ways_that_are_open(
    app: Flask, sqlite: Database, role: Role
) -> None:
    add_each_role(sqlite)
    browser = Browser(app.test_client())
    browser.sign_in(role)
    begins = browser.client.get("/", follow_redirects=True)
    assert begins.status_code == 200
    assert begins.request.path == app.url_map.bind("").build(HOME[role])
    nav = re.search(r"<nav>(.*?)</nav>", begins.text, re.DOTALL)
    assert nav
    ways = re.findall(r'href="([^"]+)"', nav[1])
    assert ways
    mine = {app.url_map.bind("").build(endpoint) for endpoint, _ in WAYS
            if isinstance(right := door.needed(app, endpoint), Right) and rights.may(role, right)}
    assert set(ways) == mine


@pytest.mark.parametrize("role", Role)
def test_nobody_is_shown_a_link_or_a_form_that_would_be_refused(
    app: Flask, sqlite: Database, role: Role
) -> None:
    """Whatever pages are reached from the first one, one of each address."""
    add_each_role(sqlite)
    with sqlite.transaction() as session:
        at_agency(session)
        articles.save(
            session, articles.parse(session, ARTICLE | {"owner": "admin"}), by="admin",
            now=datetime.now(UTC),
        )
    add_call(sqlite, path=[{"menu": "expert:expert", "key": "", "at": ""}], outcome="transferred",
             recording="a.wav", voicemail="b.wav")
    browser = Browser(app.test_client())
    browser.sign_in(role)
    to_visit, visited, shown = [app.url_map.bind("").build(HOME[role])], set(), set()
    while to_visit:
        path = to_visit.pop()
        endpoint, _ = _where(app, path, "GET")
        if endpoint in visited or path.startswith("/static"):
            continue
        visited.add(endpoint)
        answer = browser.client.get(path)
        assert answer.status_code in (200, 302, 404), (path, answer.status_code)
        if answer.mimetype != "text/html":
            continue
        to_visit += [html.unescape(one) for one in re.findall(r'href="(/[^"]*)"', answer.text)]
        for form in re.findall(r"<form[^>]*method=\"post\"[^>]*>", answer.text):
            action = re.search(r'action="([^"]*)"', form)
            shown.add(_where(app, html.unescape(action[1]) if action else path, "POST"))
    allowed = {
        (endpoint, right) for endpoint, right in shown
        if right == door.EVERYBODY
        or (isinstance(right, Right) and rights.may(role, right, changing=True))
    }
    assert shown == allowed
    assert len(visited) > 3


def _where(app: Flask, path: str, method: str) -> tuple[str, Right | str | None]:
    endpoint, _ = app.url_map.bind("").match(path.partition("?")[0].partition("#")[0], method)
    return endpoint, door.needed(app, endpoint)


def test_the_auditor_reads_everything_and_changes_nothing(app: Flask, sqlite: Database) -> None:
    add_each_role(sqlite)
    auditor = Browser(app.test_client())
    auditor.sign_in("auditor")
    for page in ("/calls", "/cases", "/users", "/tracing", "/privacy", "/broadcasts", "/api-keys"):
        assert auditor.client.get(page).status_code == 200, page
    assert auditor.submit("/users", login="x", name="X", role="admin").status_code == 403
    assert auditor.submit("/account/language", language="en").status_code == 302
    assert auditor.submit("/logout").location == "/login"


def test_a_team_lead_and_a_dispatcher_have_each_their_half(app: Flask, sqlite: Database) -> None:
    add_each_role(sqlite)
    lead, dispatcher = Browser(app.test_client()), Browser(app.test_client())
    lead.sign_in("lead")
    dispatcher.sign_in("dispatcher")
    for browser, opened, closed in (
        (lead, ("/supervisor", "/calls", "/controls", "/cases"),
         ("/users", "/privacy", "/calls/x/recording", "/broadcasts")),
        (dispatcher, ("/cases", "/agencies", "/citizens"),
         ("/supervisor", "/calls", "/calls/x/recording", "/controls", "/users")),
    ):
        assert [browser.client.get(page).status_code for page in opened] == [200] * len(opened)
        assert [browser.client.get(page).status_code for page in closed] == [403] * len(closed)


def test_privileged_roles_sign_in_with_a_second_factor() -> None:
    assert {
        Role.LEAD, Role.DISPATCHER, Role.SUPERVISOR, Role.ADMIN, Role.AUDITOR,
    } == rights.PRIVILEGED


def test_the_command_line_makes_accounts_of_every_role_but_those_of_agencies() -> None:
    assert set(command.ROLES) == set(Role) - rights.OF_AGENCIES


def test_a_doctor_sees_the_calls_they_took_without_numbers(app: Flask, sqlite: Database) -> None:
    """From the menu, and handed over by an agent; whoever was only asked, busy or did not press 1
    has taken none."""
    add_each_role(sqlite)
    asterisk = Asterisk(at=MIDNIGHT)
    calls: dict[scenes.Scene, str] = {}
    for scene in (scenes.doctors, scenes.doctor_takes_over, scenes.doctor_only_asked,
                  scenes.doctor_is_busy):
        began = len(asterisk.events)
        scene(scenes.Line(asterisk, talk_s=95))
        calls[scene] = asterisk.events[began].uniqueid
    with sqlite.transaction() as session:
        record.apply(session, asterisk.events)
        for doctor in ("bs.an", "bs.binh", "bs.chi"):
            users.create_user(session, login=doctor, name=doctor, role=Role.EXPERT,
                              password=PASSWORD, now=datetime.now(UTC))

    def page(doctor: str, day: str = "2025-11-22") -> str:
        browser = Browser(app.test_client())
        browser.sign_in(doctor)
        found = browser.client.get(f"/doctor?day={day}").text
        assert scenes.Line.number not in found
        return found

    def taken(doctor: str) -> dict[str, str]:
        rows = re.findall(r'<tr data-call="([^"]+)">(.*?)</tr>', page(doctor), re.DOTALL)
        return {call: re.sub(r"\s+", " ", re.sub("<[^>]*>", " ", row)) for call, row in rows}

    assert {doctor: set(taken(doctor)) for doctor in ("bs.an", "bs.binh", "bs.chi", "expert")} == {
        "bs.an": {calls[scenes.doctor_takes_over]}, "bs.binh": set(),
        "bs.chi": {calls[scenes.doctors]}, "expert": set(),
    }
    (handed_over,), (rung,) = taken("bs.an").values(), taken("bs.chi").values()
    assert "điện thoại viên" in handed_over
    assert "1:36" in handed_over  # the doctor's own talk
    assert "menu" in rung
    assert "data-call" not in page("bs.an", "2025-11-23")
    with sqlite.reading() as session:
        found = measures.parties(session, MIDNIGHT, MIDNIGHT + timedelta(days=1))
    assert {
        key: (one.offers, one.taken, one.unanswered, one.refused) for (key,), one in found.items()
    } == {
        "expert:bs.an": (3, 2, 0, 1), "expert:bs.binh": (2, 0, 0, 2), "expert:bs.chi": (1, 1, 0, 0),
    }
    browser = Browser(app.test_client())
    browser.sign_in("expert")
    assert browser.client.get("/doctor?day=x").status_code == 400


def test_an_administrator_gives_another_role_and_the_person_is_signed_out(
    app: Flask, sqlite: Database
) -> None:
    add_each_role(sqlite)
    admin, agent = Browser(app.test_client()), Browser(app.test_client())
    admin.sign_in("admin")
    agent.sign_in("agent")
    assert admin.submit("/users/agent/role", role="lead").status_code == 302
    assert agent.ask("GET", "/session").status_code == 401
    agent.sign_in("agent")
    assert agent.client.get("/").location == "/supervisor"
    for login, role in (("agent", "king"), ("agent", "officer"), ("officer", "admin"),
                        ("admin", "agent")):
        assert admin.submit(f"/users/{login}/role", role=role).status_code == 400, (login, role)
    assert admin.submit("/users", login="x", name="X", role="leader").status_code == 400
    assert admin.client.get("/users").status_code == 200
