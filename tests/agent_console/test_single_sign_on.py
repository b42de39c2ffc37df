"""Signing in by an identity provider, against a stand-in that signs real tokens."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from flask import Flask
from joserfc.jwk import RSAKey
from playwright.sync_api import Browser as Chromium
from werkzeug.serving import make_server

from agent_console import identity_provider
from agent_console.app import create_app, feed_of
from crm import settings as settings_room
from crm.database import Database
from crm.settings import Settings, SettingsError
from tests.agent_console.conftest import SECRETS, Browser, ObedientPhones
from tests.agent_console.provider_stand_in import CLIENT, SECRET, Provider, Server
from tests.agent_console.test_browser import PATIENCE_MS, chromium
from tests.agent_console.test_second_factor import enrolled

__all__ = ("chromium",)  # a fixture


@pytest.fixture
def provider() -> Iterator[Provider]:
    provider = Provider()
    server = Server(provider)
    provider.server = server  # type: ignore[attr-defined]
    yield provider
    server.stop()


@pytest.fixture
def settings(tmp_path: Path, provider: Provider) -> Settings:
    return settings_room.load({
        "HOTLINE_HOME": str(tmp_path), "HOTLINE_OIDC_ISSUER": provider.issuer,
        "HOTLINE_OIDC_CLIENT_ID": CLIENT, "HOTLINE_OIDC_CLIENT_SECRET": SECRET,
        "HOTLINE_OIDC_NAME": "Cổng tỉnh", "HOTLINE_OIDC_STRONG": "otp, urn:loa:3",
    })


@pytest.fixture
def clerk(app: Flask, people: None) -> Browser:
    return Browser(app.test_client())


def go(browser: Browser, provider: Provider, path: str = "/sign-in/provider"):  # type: ignore[no-untyped-def]
    """Press the button, sign in there, come back."""
    away = browser.client.get(path)
    assert away.status_code == 302, away.text
    return browser.client.get(
        "/sign-in/provider/back", query_string=provider.approve(away.location)
    )


def test_whoever_the_provider_knows_is_let_in_by_our_own_table(
    clerk: Browser, provider: Provider
) -> None:
    assert "Cổng tỉnh" in clerk.client.get("/login").text
    provider.claims = {"roles": ["admin"], "role": "admin"}  # says nothing here
    page = go(clerk, provider, "/sign-in/provider?next=/agent")
    assert page.status_code == 200
    assert 'content="0;url=/agent"' in page.text
    assert clerk.client.get("/").location == "/agent"
    assert clerk.client.get("/users").status_code == 403


def test_cookies_survive_the_way_back_and_no_longer(clerk: Browser, provider: Provider) -> None:
    away = clerk.client.get("/sign-in/provider")
    (kept,) = away.headers.getlist("Set-Cookie")
    assert all(word in kept for word in ("HttpOnly", "SameSite=Lax", "Path=/sign-in/provider"))
    page = clerk.client.get("/sign-in/provider/back", query_string=provider.approve(away.location))
    made = page.headers.getlist("Set-Cookie")
    assert any(one.startswith("hotline_8022=") and "SameSite=Strict" in one for one in made)
    assert any(one.startswith("hotline_8022_provider=;") for one in made)


@pytest.mark.parametrize("claims", [
    {"nonce": "another"}, {"nonce": None}, {"aud": "another"}, {"aud": ["another", "third"]},
    {"aud": [CLIENT, "another"], "azp": "another"}, {"iss": "https://evil.example"},
    {"exp": int(time.time()) - 3600}, {"exp": None}, {"iat": int(time.time()) + 3600},
    {"preferred_username": None}, {"preferred_username": ["lan"]}, {"at_hash": "wrong"},
])
def test_a_token_that_is_not_ours_or_not_of_now_lets_nobody_in(
    clerk: Browser, provider: Provider, claims: dict[str, object]
) -> None:
    provider.claims = claims
    page = go(clerk, provider)
    assert page.status_code == 400
    assert "không đáng tin" in page.text
    assert clerk.client.get("/agent").status_code == 302


@pytest.mark.parametrize("forge", ["unknown key", "same name", "none", "HS256"])
def test_a_token_that_the_provider_did_not_sign_lets_nobody_in(
    clerk: Browser, provider: Provider, forge: str
) -> None:
    if forge == "unknown key":
        provider.signs_with = RSAKey.generate_key(2048, {"kid": "mine"})
    elif forge == "same name":
        provider.signs_with = RSAKey.generate_key(2048, {"kid": "one"})
    else:
        provider.forges = forge
    assert go(clerk, provider).status_code == 400
    assert clerk.client.get("/agent").status_code == 302


def test_new_keys_are_fetched_when_they_are_used(clerk: Browser, provider: Provider) -> None:
    assert go(clerk, provider).status_code == 200
    assert provider.asked.count("/keys") == 1
    assert go(clerk, provider).status_code == 200
    assert provider.asked.count("/keys") == 1  # kept
    provider.rotate()
    assert go(clerk, provider).status_code == 200
    assert provider.asked.count("/keys") == 2
    assert provider.asked.count("/.well-known/openid-configuration") == 1


def test_a_forged_state_and_another_browser_are_refused(
    clerk: Browser, provider: Provider, app: Flask
) -> None:
    sent = provider.approve(clerk.client.get("/sign-in/provider").location)
    other = Browser(app.test_client())
    back = "/sign-in/provider/back"
    assert other.client.get(back, query_string=sent).status_code == 400  # begun elsewhere
    assert clerk.client.get(back, query_string=sent | {"state": "forged"}).status_code == 400
    assert clerk.client.get(back, query_string=sent).status_code == 400  # begin again
    assert provider.asked.count("/token") == 0


def test_a_code_is_good_once(clerk: Browser, provider: Provider) -> None:
    away = clerk.client.get("/sign-in/provider")
    kept = away.headers["Set-Cookie"].split(";")[0].partition("=")[2]
    sent = provider.approve(away.location)
    assert clerk.client.get("/sign-in/provider/back", query_string=sent).status_code == 200
    clerk.submit("/logout")
    assert clerk.client.get("/sign-in/provider/back", query_string=sent).status_code == 400
    clerk.client.set_cookie("hotline_8022_provider", kept, path="/sign-in/provider")  # stolen, too
    again = clerk.client.get("/sign-in/provider/back", query_string=sent)
    assert again.status_code == 400
    assert "bắt đầu lại" in again.text
    assert clerk.client.get("/agent").status_code == 302


@pytest.mark.parametrize("target", ["https://evil.example/", "//evil.example", "/\\evil.example"])
def test_it_sends_nobody_to_another_site(
    clerk: Browser, provider: Provider, target: str
) -> None:
    page = go(clerk, provider, f"/sign-in/provider?next={target}")
    assert 'content="0;url=/"' in page.text
    assert "evil" not in page.text


def test_nobody_comes_in_without_an_active_account(
    clerk: Browser, provider: Provider, admin: Browser, caplog: pytest.LogCaptureFixture
) -> None:
    provider.login = "la"
    with caplog.at_level(logging.WARNING, "hotline.audit"):
        page = go(clerk, provider)
    assert page.status_code == 403
    assert "“la”" in page.text
    assert "'la', who has no active account" in caplog.text
    provider.login = "lan' OR '1'='1"
    assert go(clerk, provider).status_code == 403
    admin.submit("/users/lan/active", active="no")
    provider.login = "LAN"
    assert go(clerk, provider).status_code == 403
    admin.submit("/users/lan/active", active="yes")
    assert go(clerk, provider).status_code == 200


def test_who_says_no_there_is_told_so_here(clerk: Browser, provider: Provider) -> None:
    sent = provider.approve(clerk.client.get("/sign-in/provider").location)
    page = clerk.client.get("/sign-in/provider/back", query_string={
        "error": "access_denied", "state": sent["state"],
    })
    assert page.status_code == 400
    assert "Cổng tỉnh" in page.text


def test_the_second_factor_is_asked_for_unless_the_provider_was_strict(
    app: Flask, provider: Provider, people: None
) -> None:
    object.__setattr__(app.extensions["console"].settings, "second_factor", "required")
    provider.login = "huy"
    supervisor = Browser(app.test_client())
    assert go(supervisor, provider).status_code == 200
    assert supervisor.client.get("/supervisor").location == "/account/factor"
    _, _codes = enrolled(supervisor)
    for claims, location in (
        ({}, "/sign-in/code"), ({"amr": ["pwd"]}, "/sign-in/code"),
        ({"acr": "urn:loa:1"}, "/sign-in/code"),
        ({"amr": ["pwd", "otp"]}, None), ({"acr": "urn:loa:3"}, None),
    ):
        provider.claims = claims
        browser = Browser(app.test_client())
        go(browser, provider)
        assert browser.client.get("/supervisor").location == location, claims


def test_while_the_provider_is_dead_passwords_go_on_and_the_page_says_so(
    clerk: Browser, provider: Provider
) -> None:
    provider.server.stop()  # type: ignore[attr-defined]
    page = clerk.client.get("/sign-in/provider")
    assert page.status_code == 503
    assert "Cổng tỉnh hiện không trả lời" in page.text
    assert "Cổng tỉnh hiện không trả lời" in clerk.client.get("/login").text
    assert clerk.sign_in("lan").location == "/"
    clerk.submit("/logout")
    provider.server.start()  # type: ignore[attr-defined]
    assert go(clerk, provider).status_code == 200
    assert "hiện không trả lời" not in clerk.client.get("/login").text


def test_one_that_dies_on_the_way_lets_nobody_in(clerk: Browser, provider: Provider) -> None:
    sent = provider.approve(clerk.client.get("/sign-in/provider").location)
    provider.server.stop()  # type: ignore[attr-defined]
    back = clerk.client.get("/sign-in/provider/back", query_string=sent)
    assert back.status_code == 503
    assert clerk.client.get("/agent").status_code == 302


def test_a_slow_provider_is_not_waited_for(
    clerk: Browser, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(identity_provider, "PATIENCE_S", (0.2, 0.2))
    provider.waits_s = 2
    began = time.monotonic()
    assert clerk.client.get("/sign-in/provider").status_code == 503
    assert time.monotonic() - began < 2


def test_signing_out_offers_to_leave_the_provider_too(clerk: Browser, provider: Provider) -> None:
    clerk.sign_in("lan")
    assert clerk.submit("/logout").location == "/login"  # by password: nothing to leave
    go(clerk, provider)
    left = clerk.submit("/logout").location
    assert left == "/login?left=yes"
    assert "/sign-in/provider/out" in clerk.client.get(left).text
    away = urlsplit(clerk.client.get("/sign-in/provider/out").location)
    assert f"{away.scheme}://{away.netloc}{away.path}" == f"{provider.issuer}/end"
    assert parse_qs(away.query) == {
        "client_id": [CLIENT], "post_logout_redirect_uri": ["http://localhost/login"],
    }


def test_the_secret_stands_in_no_log_and_in_no_list_of_settings(
    clerk: Browser, provider: Provider, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        go(clerk, provider)
        provider.claims = {"aud": "x"}
        go(clerk, provider)
    assert SECRET not in caplog.text
    shown = {one["name"]: one["value"] for one in settings_room.described(settings)}
    assert shown["oidc_client_secret"] == "***"


def test_a_description_of_another_issuer_is_not_believed(
    settings: Settings, sqlite: Database, people: None, provider: Provider
) -> None:
    app = create_app(
        replace(settings, oidc_issuer=provider.issuer + "/realm"), sqlite, ObedientPhones(), SECRETS
    )
    assert app.test_client().get("/sign-in/provider").status_code in (400, 503)
    provider.answer, right = (lambda path, form: (200, {  # type: ignore[method-assign]
        **right("/.well-known/openid-configuration", {})[1], "issuer": "https://evil.example",
    })), provider.answer
    assert app.test_client().get("/sign-in/provider").status_code == 400
    feed_of(app).close()


def test_a_browser_goes_there_and_back_and_is_in(
    app: Flask, provider: Provider, people: None, chromium: Chromium
) -> None:
    """Provider and hotline are different sites, as they are for real: strict cookies stay out."""
    provider.login = "yte"
    server = make_server("127.0.0.1", 0, app, threaded=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    page = chromium.new_page(base_url=f"http://localhost:{server.port}")
    page.goto("/login?next=/account")
    page.get_by_text("Đăng nhập bằng Cổng tỉnh").click()
    page.wait_for_url("**/account", timeout=PATIENCE_MS)
    assert page.locator("h1").inner_text() == "Yte"
    page.get_by_text("Đăng xuất", exact=True).click()
    page.wait_for_url("**/login?left=yes", timeout=PATIENCE_MS)
    page.close()
    server.shutdown()


def test_without_a_provider_there_is_no_button(
    tmp_path: Path, sqlite: Database, people: None
) -> None:
    plain = settings_room.load({"HOTLINE_HOME": str(tmp_path)})
    app = create_app(plain, sqlite, ObedientPhones(), SECRETS)
    client = app.test_client()
    assert "/sign-in/provider" not in client.get("/login").text
    for path in ("/sign-in/provider", "/sign-in/provider/back", "/sign-in/provider/out"):
        assert client.get(path).status_code == 404
    feed_of(app).close()


def test_a_provider_needs_an_id_and_a_secret_and_https(tmp_path: Path) -> None:
    for given in (
        {"HOTLINE_OIDC_ISSUER": "https://sso.example.vn"},
        {"HOTLINE_OIDC_ISSUER": "http://sso.example.vn", "HOTLINE_OIDC_CLIENT_ID": "a",
         "HOTLINE_OIDC_CLIENT_SECRET": "b"},
    ):
        with pytest.raises(SettingsError):
            settings_room.load({"HOTLINE_HOME": str(tmp_path)} | given)
