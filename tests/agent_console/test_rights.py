"""The table of rights as it is published, against the door: every request, as every role."""

from __future__ import annotations

import functools
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
from flask import Flask

from agent_console import door
from agent_console.ways import HOME, WAYS
from crm import officers, rights, users
from crm.database import Database
from crm.models import Role
from crm.officer_models import Post
from crm.rights import Right
from scripts import hotline
from tests.accounts import PASSWORD
from tests.agent_console.conftest import Browser
from tests.agent_console.test_door import filled
from tests.crm.case_factory import officer, with_agencies

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
def test_each_begins_at_a_page_of_theirs_and_is_shown_no_way_that_is_closed(
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
    assert [browser.client.get(way).status_code for way in ways] == [200] * len(ways)
    closed = [way for endpoint, _ in WAYS
              if (way := app.url_map.bind("").build(endpoint)) not in ways]
    assert {browser.client.get(way).status_code for way in closed} <= {403}


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
    assert set(hotline.ROLES) == set(Role) - rights.OF_AGENCIES
