"""The page from which citizens call: who may open it, and what lets one call in."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from agent_console.api import limits
from agent_console.app import create_app, feed_of
from crm import settings as settings_room
from crm.database import Database
from crm.intake import web_calls
from tests.agent_console.conftest import SECRETS, ObedientPhones

HERE = {"Origin": "http://localhost"}
PORTAL = "https://thanhhoa.example.vn"


@pytest.fixture
def page(tmp_path: Path, sqlite: Database) -> Iterator[FlaskClient]:
    settings = settings_room.load({
        "HOTLINE_HOME": str(tmp_path), "HOTLINE_WEB_CALLS": "5",
        "HOTLINE_WEB_CALL_ORIGINS": PORTAL,
    })
    app: Flask = create_app(
        settings, sqlite, ObedientPhones(), replace(SECRETS, web_phone="p", web_key="key")
    )
    yield app.test_client()
    feed_of(app).close()


def test_only_the_sites_that_are_named_show_the_page_inside_theirs(page: FlaskClient) -> None:
    policy = page.get("/call?inside=1").headers["Content-Security-Policy"]
    assert f"frame-ancestors {PORTAL}" in policy
    assert "connect-src 'self' ws://127.0.0.1:8088" in policy
    assert "frame-ancestors 'none'" in page.get("/report").headers["Content-Security-Policy"]


def test_each_call_gets_a_token_of_its_own_which_ends(page: FlaskClient) -> None:
    first, second = (page.post("/call/line", headers=HERE).get_json() for _ in range(2))
    assert first["uri"] == "sip:trunk-web@127.0.0.1"
    assert first["token"] != second["token"]
    nonce, until, mac = first["token"].split(".")
    right = hashlib.sha1(f"key:{nonce}:{until}".encode()).hexdigest()  # noqa: S324
    assert mac == right  # as Asterisk makes it
    left = datetime.fromtimestamp(int(until), UTC) - datetime.now(UTC)
    assert timedelta() < left <= web_calls.GOOD_FOR


def test_no_other_site_and_nobody_without_end_gets_one(page: FlaskClient) -> None:
    for strange in ({}, {"Origin": "https://evil.example"}, {"Origin": "null"}, {"Origin": PORTAL}):
        assert page.post("/call/line", headers=strange).status_code == 403
    found = int(limits.SENT_LIMIT.split()[0])
    codes = [page.post("/call/line", headers=HERE).status_code for _ in range(found)]
    assert codes[0] == 200
    assert codes[-1] == 429


def test_the_page_is_closed_unless_it_is_opened(app: Flask) -> None:
    client = app.test_client()
    assert client.get("/call").status_code == 404
    assert client.post("/call/line", headers=HERE).status_code == 404
    assert 'href="/call"' not in client.get("/report").text
