"""The second step of a sign-in."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pyotp
import pytest
from flask import Flask
from sqlalchemy import select

from crm import second_factor, users
from crm.database import Database
from crm.models import SecondFactor, User
from crm.second_factor import FactorError
from crm.users import FAILURES_BY_LOGIN
from tests.agent_console.conftest import Browser

NOW = datetime(2026, 5, 4, 5, 0, 10, tzinfo=UTC)
HERE = "127.0.0.1"


@pytest.fixture
def required(app: Flask) -> Iterator[None]:
    settings = app.extensions["console"].settings
    object.__setattr__(settings, "second_factor", "required")
    yield
    object.__setattr__(settings, "second_factor", "by_stage")


def enrolled(browser: Browser) -> tuple[pyotp.TOTP, list[str]]:
    """Set a factor up as a person would; the app and the recovery codes."""
    page = browser.client.get("/account/factor").get_data(as_text=True)
    found = re.search(r"<code>([A-Z2-7]{32})</code>", page)
    assert found, "the key for the app"
    app = pyotp.TOTP(found[1])
    shown = browser.submit("/account/factor", code=app.now()).get_data(as_text=True)
    return app, re.findall(r"<li><code>([a-z0-9-]+)</code>", shown)


def test_a_supervisor_gets_nowhere_without_one_where_it_is_required(
    required: None, supervisor: Browser
) -> None:
    for page in ("/supervisor", "/calls", "/", "/account", "/events"):
        sent = supervisor.client.get(page)
        assert (sent.status_code, sent.location) == (302, "/account/factor"), page
    assert supervisor.ask("POST", "/supervisor/listen", {}).status_code == 401
    _, codes = enrolled(supervisor)
    assert len(set(codes)) == 10
    assert supervisor.client.get("/supervisor").status_code == 200


def test_an_agent_is_asked_for_none(required: None, agent: Browser) -> None:
    assert agent.client.get("/agent").status_code == 200


def test_after_the_password_the_code_is_asked_for_and_is_good_once(
    required: None, supervisor: Browser, app: Flask
) -> None:
    totp, codes = enrolled(supervisor)
    second = Browser(app.test_client())
    second.sign_in("huy")
    assert second.client.get("/supervisor").location == "/sign-in/code"
    assert second.client.get("/account/factor").location == "/sign-in/code"  # no way around
    assert second.submit("/sign-in/code", code="000000").status_code == 401
    assert second.submit("/sign-in/code", code=totp.now()).status_code == 401  # was used already
    next_code = totp.at(datetime.now(UTC) + timedelta(seconds=30))
    assert second.submit("/sign-in/code", code=next_code).status_code == 302
    assert second.client.get("/supervisor").status_code == 200
    for number, expected in ((0, 302), (0, 401), (1, 302)):  # a recovery code, too, is good once
        third = Browser(app.test_client())
        third.sign_in("huy")
        written = f" {codes[number].upper().replace('-', ' ')} "  # as people write it
        assert third.submit("/sign-in/code", code=written).status_code == expected


def test_the_administrator_takes_a_lost_one_away(
    required: None, admin: Browser, supervisor: Browser, app: Flask, sqlite: Database
) -> None:
    enrolled(supervisor)
    enrolled(admin)
    assert "Gỡ xác thực" in admin.client.get("/users").get_data(as_text=True)
    assert admin.submit("/users/huy/factor/reset").status_code == 302
    assert supervisor.client.get("/supervisor").location.startswith("/login")
    again = Browser(app.test_client())
    again.sign_in("huy")
    assert again.client.get("/supervisor").location == "/account/factor"
    assert admin.submit("/users/nobody/factor/reset").status_code == 404


def test_the_secret_stands_sealed(supervisor: Browser, sqlite: Database) -> None:
    enrolled(supervisor)
    with sqlite.engine.connect() as connection:
        (raw,) = connection.exec_driver_sql("SELECT secret FROM second_factor").one()
    assert raw.startswith("sealed:")


def test_guessing_has_an_end(sqlite: Database, people: None) -> None:
    with sqlite.transaction() as session:
        huy = users.named(session, "huy")
        totp = pyotp.TOTP(second_factor.begin(session, huy, NOW))
        second_factor.confirm(session, huy, totp.at(NOW), HERE, NOW)
    later = NOW + timedelta(minutes=5)

    def refused(code: str) -> str:
        with sqlite.transaction() as session:
            huy = users.named(session, "huy")
            with pytest.raises(FactorError) as error:
                second_factor.check(session, huy, code, HERE, later)
            return error.value.code

    assert [refused("000000") for _ in range(FAILURES_BY_LOGIN)] == ["wrong"] * FAILURES_BY_LOGIN
    assert refused("000000") == "too_many"
    assert refused(totp.at(later)) == "too_many"  # not even with the right one


@pytest.mark.parametrize(("off_by_s", "good"), [(0, True), (-30, True), (30, True), (-90, False),
                                                (90, False)])
def test_a_clock_may_be_half_a_minute_off(
    sqlite: Database, people: None, off_by_s: int, good: bool
) -> None:
    with sqlite.transaction() as session:
        huy = session.scalars(select(User).where(User.login == "huy")).one()
        totp = pyotp.TOTP(second_factor.begin(session, huy, NOW))
        code = totp.at(NOW + timedelta(seconds=off_by_s))
        if good:
            second_factor.confirm(session, huy, code, HERE, NOW)
        else:
            with pytest.raises(FactorError):
                second_factor.confirm(session, huy, code, HERE, NOW)
        assert second_factor.confirmed(session, huy.id) is good
        assert session.scalars(select(SecondFactor)).one().last_step == (
            (int(NOW.timestamp()) + off_by_s) // 30 if good else 0
        )


def test_by_stage_it_is_required_in_production_alone(app: Flask) -> None:
    settings = app.extensions["console"].settings
    assert not settings.second_factor_required
    object.__setattr__(settings, "stage", "production")
    try:
        assert settings.second_factor_required
    finally:
        object.__setattr__(settings, "stage", "trial")
