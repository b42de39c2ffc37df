"""Who may enter which page, and what every answer carries."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest
from flask import Flask
from sqlalchemy import select, update
from sqlalchemy.exc import OperationalError

from agent_console.app import create_app
from crm import users
from crm.agencies import officers
from crm.database import Database
from crm.models import User, UserSession
from crm.settings import Settings
from tests.accounts import PASSWORD
from tests.agent_console.conftest import SECRETS, Browser, ObedientPhones
from tests.crm.cases.factory import officer, with_agencies

BULLETIN = {f"/bulletin.{form}" for form in ("json", "rss", "txt", "wav")}
OPEN_DATA = {f"/open-data/contact-points.{form}" for form in ("json", "csv")}
HOOKS = {"/receipts/twilio", "/receipts/gateway", "/receipts/zalo"}  # signed by providers
# for programs: what is open to everybody, and what shows a token instead of signing in
OPEN311 = {f"/open311/v2/{page}.<any(json, xml):form>" for page in (
    "discovery", "services", "services/<code>", "requests", "requests/<number>", "tokens/<token>",
)}
OPEN_API = {f"/api/v1/{page}" for page in (
    "openapi.json", "docs", "categories", "areas", "agencies",
)}
CITIZENS = {"/report", "/report/done", "/status", "/results", "/results.rss", "/call"}
# to officers: a code to their telephone opens them
LINKS = {"/o/<token>", "/o/<token>/files/<int:number>"}
SENT_OPENLY = {
    "/language", "/api/v1/case-status", "/o/<token>/code", "/o/<token>/enter", "/call/line",
    "/o/<token>/files",
}
TOKENS = {f"/api/v1/{page}" for page in (
    "calls", "calls/<call_id>", "cases", "cases/<code>", "reports/counts",
)}
PUBLIC = {
    "/login", "/sign-in/provider", "/sign-in/provider/back", "/sign-in/provider/out",
    "/healthz", "/readyz", "/static/<path:filename>",
} | BULLETIN | CITIZENS | LINKS | OPEN_DATA | OPEN311 | OPEN_API | SENT_OPENLY | HOOKS
LOCAL = {"/metrics"}
AGENTS = {
    "/agent", "/agent/phone", "/agent/calls", "/agent/calls/<call_id>", "/agent/people",
    "/agent/scripts", "/quality/mine", "/account/pin",
}
BOARDS = {
    "/knowledge/new", "/knowledge/<code>/edit", "/knowledge/<code>/versions", "/points/new",
    "/points/<code>",
    "/broadcasts", "/broadcasts/new", "/broadcasts/<int:number>",
    "/broadcasts/<int:number>/files/<carrier>",
    "/supervisor", "/supervisor/waiting", "/supervisor/agents/<login>/skills",
    "/surge", "/surge/texts", "/surge/texts/<int:number>.wav",
    "/desk-rules",
    "/shifts", "/shifts/roster.csv", "/handovers", "/staffing", "/training",
    "/handovers/<int:handover_id>", "/handovers/<int:handover_id>.pdf", "/instructions",
    "/calls", "/calls/<call_id>/recording", "/controls", "/notices",
    "/recordings", "/recordings/<call_id>", "/quality", "/quality/averages.<kind>",
    "/quality/cards/new", "/quality/cards/<int:version_id>", "/quality/picks/<int:pick_id>",
    "/reports", "/reports/daily/<day>", "/reports/daily/<day>/report.<kind>", "/reports/period",
    "/reports/period.<kind>", "/reports/service", "/reports/service/file.<kind>",
    "/reports/by-mail",
    "/agencies", "/agencies/<code>", "/tracing", "/privacy", "/breaches",
    "/breaches/<int:breach_id>/notification.pdf",
    "/privacy/<int:request_id>/export",
}
# of the people of agencies
OFFICES = {"/agency", "/agency/<code>", "/agency/<code>/files/<int:number>"}
FIGURES = {"/reports/figures", "/reports/figures/form.xlsx"}  # of the health department's officer
MESSAGES = {"/messages", "/work", "/shifts/mine"}  # of whoever does what callers ask for
ADMINS = {"/users", "/api-keys"}
DOCTORS = {"/doctor"}
CASES = {
    "/calls/<call_id>/voicemail", "/cases", "/cases/new", "/cases/<code>", "/knowledge",
    "/cases/<code>/files/<int:number>",
    "/knowledge/search", "/knowledge/<code>", "/points", "/citizens", "/citizens/known",
    "/citizens/consents", "/citizens/persons",
    "/citizens/call/<call_id>", "/citizens/case/<code>",
}
ALL = {"/", "/session", "/account", "/account/factor", "/sign-in/code", "/sign-in/takeover",
       "/events", "/manual", "/manual/<name>", "/manual/pictures/<name>"}


def readable(app: Flask) -> set[str]:
    return {rule.rule for rule in app.url_map.iter_rules() if "GET" in (rule.methods or ())}


def filled(rule: str) -> str:
    return re.sub(r"<[^>]+>", "x", re.sub(r"<int:[^>]+>", "1", rule))


def test_every_page_is_named_in_this_file(app: Flask) -> None:
    known = LOCAL | AGENTS | MESSAGES | BOARDS | ADMINS | ALL | CASES | FIGURES | OFFICES | TOKENS
    known |= DOCTORS
    assert readable(app) == PUBLIC - SENT_OPENLY - HOOKS | known


def test_a_number_that_no_column_holds_is_no_page(app: Flask, supervisor: Browser) -> None:
    rules = [rule for rule in app.url_map.iter_rules() if "<int:" in rule.rule]
    assert len(rules) > 30
    for rule in rules:
        path = filled(re.sub("<int:[^>]+>", "9999999999", rule.rule))
        method = min((rule.methods or set()) - {"HEAD", "OPTIONS"})
        # 405: read as a code, it is a page that cannot be sent to
        assert supervisor.client.open(path, method=method).status_code in (404, 405), path


def test_a_name_that_no_text_holds_is_no_page(app: Flask, supervisor: Browser) -> None:
    rules = [rule for rule in app.url_map.iter_rules() if "GET" in (rule.methods or ())]
    named = [one.rule for one in rules if "<" in one.rule and one.endpoint != "static"]
    assert len(named) > 30
    for rule in named:
        path = re.sub("<[^>]+>", "a%00b", re.sub("<int:[^>]+>", "1", rule))
        if path != rule and "%00" in path:
            code = supervisor.client.get(path).status_code
            assert code in (401, 403, 404), (path, code)


def test_strangers_are_sent_to_the_sign_in_or_refused(app: Flask, people: None) -> None:
    client = app.test_client()
    app.config["WTF_CSRF_ENABLED"] = False  # the door itself must refuse, not only the token
    for rule in app.url_map.iter_rules():
        if rule.rule in PUBLIC | LOCAL:
            continue
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}:
            answer = client.open(filled(rule.rule), method=method)
            refused = answer.status_code == 401
            sent_away = answer.status_code == 302 and answer.location.startswith("/login")
            assert refused or (method == "GET" and sent_away), (rule.rule, method)


@pytest.mark.parametrize(("login", "closed"), [
    ("lan", BOARDS | ADMINS | FIGURES | OFFICES), ("huy", AGENTS | ADMINS | OFFICES),
    ("quan", AGENTS | MESSAGES | OFFICES),
    ("yte", BOARDS | ADMINS | AGENTS | MESSAGES | CASES | OFFICES),
    ("canbo", BOARDS | ADMINS | AGENTS | MESSAGES | CASES | FIGURES),
])
def test_each_role_sees_its_own_pages_only(
    browser: Browser, app: Flask, sqlite: Database, login: str, closed: set[str]
) -> None:
    with sqlite.transaction() as session:
        with_agencies(session)
        officers.give_account(session, officer(session), "canbo", PASSWORD, datetime.now(UTC))
    browser.sign_in(login)
    for rule in readable(app) - PUBLIC - LOCAL - {"/events"}:
        code = browser.client.get(filled(rule)).status_code
        assert (code == 403) == (rule in closed | DOCTORS), (rule, code)


def test_a_view_that_nobody_marked_is_closed(admin: Browser, app: Flask) -> None:
    app.view_functions["forgotten"] = lambda: "secret"
    app._got_first_request = False
    app.add_url_rule("/forgotten", "forgotten")
    assert admin.client.get("/forgotten").status_code == 403


def test_metrics_are_for_this_machine(app: Flask) -> None:
    client = app.test_client()
    assert client.get("/metrics").status_code == 200
    far = client.get("/metrics", environ_base={"REMOTE_ADDR": "192.0.2.7"})
    assert far.status_code == 403


def test_forms_and_scripts_need_the_token(agent: Browser) -> None:
    for path in ("/logout", "/account/language", "/agent/phone", "/agent/state"):
        answer = agent.client.post(path, headers={"Accept": "application/json"}, json={})
        assert answer.status_code == 400, path
    assert agent.client.get("/agent").status_code == 200  # still signed in


def test_every_answer_carries_strict_headers(agent: Browser) -> None:
    for path in ("/login", "/agent", "/nowhere", "/agent/phone", "/healthz"):
        headers = agent.client.get(path).headers
        policy = headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert "connect-src 'self' ws://127.0.0.1:8088" in policy
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "same-origin"
        assert headers["Permissions-Policy"].startswith("microphone=(self)")
        assert headers["Cache-Control"] == "no-store"
        assert "Strict-Transport-Security" not in headers


def test_no_page_has_scripts_or_styles_of_its_own_inside(
    agent: Browser, supervisor: Browser, admin: Browser
) -> None:
    for browser, path in (
        (agent, "/agent"), (agent, "/account"), (supervisor, "/supervisor"),
        (supervisor, "/calls"), (admin, "/users"),
    ):
        page = browser.client.get(path).get_data(as_text=True)
        scripts = re.findall(r"<script(.*?)>", page)
        assert all("src=" in one or "application/json" in one for one in scripts)
        assert not re.search(r"<style|\sstyle=|\son[a-z]+=|https?://", page)


def test_over_tls_cookies_and_headers_are_stricter(
    settings: Settings, sqlite: Database, people: None
) -> None:
    app = create_app(settings, sqlite, ObedientPhones(), SECRETS, secure=True)
    client = app.test_client()
    app.config["WTF_CSRF_ENABLED"] = False
    answer = client.post(
        "/login", data={"login": "lan", "password": PASSWORD}, base_url="https://localhost"
    )
    assert "Strict-Transport-Security" in answer.headers
    assert "connect-src 'self' wss://" in answer.headers["Content-Security-Policy"]
    (cookie,) = [one for one in answer.headers.getlist("Set-Cookie") if "hotline_8022" in one]
    assert all(word in cookie for word in ("HttpOnly", "SameSite=Strict", "Secure"))


def test_signing_in_out_and_being_put_out(browser: Browser, sqlite: Database) -> None:
    assert browser.sign_in("lan", "wrong password").status_code == 401
    assert browser.sign_in("lan").location == "/"
    assert browser.client.get("/").location == "/agent"
    browser.submit("/logout")
    assert browser.client.get("/agent").status_code == 302
    browser.sign_in("lan")
    with sqlite.transaction() as session:
        users.revoke_all(session, session.scalars(select(User)).first(), datetime.now(UTC))  # type: ignore[arg-type]
    assert browser.ask("GET", "/session").status_code == 401


def test_guessing_is_slowed_down(browser: Browser) -> None:
    codes = [
        browser.sign_in("lan", f"guess {n}").status_code for n in range(users.FAILURES_BY_LOGIN + 1)
    ]
    assert codes == [401] * users.FAILURES_BY_LOGIN + [429]
    assert browser.sign_in("lan").status_code == 429


def test_activity_is_noted_once_a_minute(agent: Browser, sqlite: Database) -> None:
    long_ago = datetime(2026, 1, 1, tzinfo=UTC)
    with sqlite.transaction() as session:
        recent = session.scalars(select(UserSession)).one().seen_at
        session.execute(update(UserSession).values(seen_at=recent - 2 * users.SEEN_EVERY))
    agent.client.get("/agent")
    with sqlite.reading() as session:
        assert session.scalars(select(UserSession)).one().seen_at >= recent > long_ago


@pytest.mark.parametrize("target", [
    "https://evil.example/", "//evil.example", "/\\evil.example", "javascript:alert(1)", "evil",
])
def test_a_sign_in_sends_nobody_to_another_site(browser: Browser, target: str) -> None:
    answer = browser.submit("/login", login="lan", password=PASSWORD, next=target)
    assert answer.location == "/"


def test_a_sign_in_leads_back_to_the_page_asked_for(browser: Browser) -> None:
    answer = browser.submit("/login", login="lan", password=PASSWORD, next="/agent?x=1")
    assert answer.location == "/agent?x=1"


def test_vietnamese_comes_first_and_english_is_kept_in_the_account(browser: Browser) -> None:
    assert "Đăng nhập" in browser.client.get("/login").get_data(as_text=True)
    browser.submit("/language", language="en")
    assert "Sign in" in browser.client.get("/login").get_data(as_text=True)
    browser.sign_in("lan")
    assert "Bàn trực" in browser.client.get("/agent").get_data(as_text=True)
    browser.submit("/account/language", language="en")
    assert "Agent desk" in browser.client.get("/agent").get_data(as_text=True)
    assert browser.submit("/account/language", language="xx").status_code == 400


def test_with_the_database_gone_pages_say_so(
    agent: Browser, app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(*_: object) -> None:
        raise OperationalError("SELECT", {}, Exception("connection refused"))

    token = agent.token()
    monkeypatch.setattr(users, "find_session", gone)
    page = agent.client.get("/agent")
    assert page.status_code == 503
    assert "Cơ sở dữ liệu không trả lời" in page.get_data(as_text=True)
    asked = agent.client.put(
        "/agent/calls/x/note", json={}, headers={"X-CSRFToken": token, "Accept": "application/json"}
    )
    assert asked.status_code == 503
    assert "Cơ sở dữ liệu" in asked.get_json()["error"]
    assert agent.client.get("/healthz").status_code == 200
    assert agent.client.get("/login").status_code == 200


def test_what_is_too_long_is_refused(browser: Browser) -> None:
    answer = browser.submit("/login", login="lan", password="x" * 100_000)
    assert answer.status_code == 413


def test_one_changes_ones_own_password(agent: Browser) -> None:
    new = "quite another one"
    assert agent.submit("/account", old="wrong", new=new, again=new).status_code == 400
    assert agent.submit("/account", old=PASSWORD, new=new, again="x").status_code == 400
    assert agent.submit("/account", old=PASSWORD, new="short", again="short").status_code == 400
    assert agent.submit("/account", old=PASSWORD, new=new, again=new).location == "/login"
    assert agent.client.get("/agent").status_code == 302
    assert agent.sign_in("lan", new).location == "/"


def test_the_administrator_makes_resets_and_switches_off(admin: Browser, app: Flask) -> None:
    made = admin.submit("/users", login="hoa", name="Lê Thị Hoa", role="agent", queues="vaccine")
    password = re.search(r"data-password>([^<]+)<", made.get_data(as_text=True))
    assert made.status_code == 201
    assert password
    hoa = Browser(app.test_client())
    assert hoa.sign_in("hoa", password[1]).location == "/"
    assert password[1] not in admin.client.get("/users").get_data(as_text=True)  # shown once

    reset = admin.submit("/users/hoa/password").get_data(as_text=True)
    new = re.search(r"data-password>([^<]+)<", reset)
    assert new
    assert hoa.ask("GET", "/session").status_code == 401
    assert hoa.sign_in("hoa", new[1]).location == "/"

    admin.submit("/users/hoa/active", active="no")
    assert hoa.ask("GET", "/session").status_code == 401
    assert hoa.sign_in("hoa", new[1]).status_code == 401
    assert admin.submit("/users/quan/active", active="no").status_code == 400  # not oneself
    assert admin.submit("/users", login="hoa", name="Hoa", role="agent").status_code == 400
    assert admin.submit("/users", login="hai", name="Hai", role="king").status_code == 400
    assert admin.submit("/users/nobody/password").status_code == 404
