"""/api/v1 as programs use it."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import func, select

from agent_console.api import limits, shapes
from agent_console.app import create_app
from crm.api import tokens
from crm.api.tokens import Scope
from crm.cases import life
from crm.cases.lookup import MISSES_OF_CODE
from crm.cases.models import Case, Identity
from crm.database import Database
from crm.settings import Settings
from tests.agent_console.conftest import SECRETS, Browser, ObedientPhones
from tests.agent_console.factories import add_call
from tests.agent_console.programs import Program, token
from tests.crm.cases.factory import HEALTH, opened, with_agencies

WRITER = (Scope.CASES_READ, Scope.CASES_WRITE)
REPORTED: dict[str, Any] = {
    "summary": "Cột điện nghiêng", "reporter": {"phone": "0912345678"},
}


def case_of(database: Database, **told: Any) -> Case:
    with database.transaction() as session:
        return opened(session, **{"now": datetime.now(UTC)} | told)


def test_without_a_good_token_nothing_is_told(app: Flask, sqlite: Database) -> None:
    assert Program(app, sqlite).get("/cases").status_code == 401
    revoked, ended = Program(app, sqlite, *WRITER), Program(app, sqlite, *WRITER)
    now = datetime.now(UTC)
    with sqlite.transaction() as session:
        found = tokens.find(session, str(revoked.token), now)
        assert found
        tokens.revoke(session, found.name, now)
        soon = tokens.find(session, str(ended.token), now)
        assert soon
        soon.expires_at = now
    for program in (revoked, ended):
        answer = program.get("/cases")
        assert (answer.status_code, answer.get_json()["code"]) == (401, "token_invalid")
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")
        assert answer.content_type == "application/problem+json"


def test_a_token_does_what_its_scopes_say_and_a_cookie_nothing(
    app: Flask, sqlite: Database, admin: Browser
) -> None:
    answer = Program(app, sqlite, Scope.CALLS_READ).get("/cases")
    assert (answer.status_code, answer.get_json()["code"]) == (403, "scope")
    assert admin.client.get("/api/v1/calls").status_code == 401


def test_calls_come_a_page_at_a_time_whatever_comes_in_meanwhile(
    app: Flask, sqlite: Database
) -> None:
    now = datetime.now(UTC)
    known = [add_call(sqlite, started_at=now - timedelta(minutes=n // 2)).id for n in range(7)]
    program = Program(app, sqlite, Scope.CALLS_READ)
    seen, cursor = [], None
    while True:
        page = program.get("/calls", limit=3, **({"cursor": cursor} if cursor else {})).get_json()
        shapes.Calls.model_validate(page)
        seen += [one["id"] for one in page["items"]]
        add_call(sqlite, started_at=now + timedelta(minutes=1))
        if (cursor := page["next"]) is None:
            break
    assert sorted(seen) == sorted(known)
    assert program.get("/calls", cursor="abc").get_json()["code"] == "cursor_unknown"


def test_calls_are_filtered(app: Flask, sqlite: Database) -> None:
    now = datetime.now(UTC)
    add_call(sqlite, started_at=now - timedelta(hours=2), branch="vaccine", outcome="answered")
    add_call(sqlite, branch="testing", outcome="lost")
    program = Program(app, sqlite, Scope.CALLS_READ)
    for query, number in (
        ({"branch": "vaccine"}, 1), ({"outcome": "lost"}, 1), ({"outcome": "voicemail"}, 0),
        ({"since": (now - timedelta(hours=1)).isoformat()}, 1),
        ({"until": (now - timedelta(hours=1)).isoformat()}, 1), ({}, 2),
    ):
        assert len(program.get("/calls", **query).get_json()["items"]) == number, query


def test_numbers_of_callers_need_their_scope(app: Flask, sqlite: Database) -> None:
    call = add_call(sqlite, recording="a.wav")
    plain = Program(app, sqlite, Scope.CALLS_READ)
    personal = Program(app, sqlite, Scope.CALLS_READ, Scope.CALLS_PERSONAL)
    assert plain.get(f"/calls/{call.id}").get_json()["caller"] is None
    assert personal.get(f"/calls/{call.id}").get_json()["caller"] == "0912345678"
    assert personal.get("/calls/x").get_json()["code"] == "call_unknown"


@pytest.mark.parametrize("identity", [Identity.HIDDEN, Identity.ANONYMOUS])
def test_whoever_hid_is_named_nowhere(
    app: Flask, sqlite: Database, identity: Identity
) -> None:
    call = add_call(sqlite)
    phone = "0912345678" if identity is Identity.HIDDEN else None
    case = case_of(sqlite, identity=identity, phone=phone, call_id=call.id)
    other = add_call(sqlite, case_code=case.code)
    everything = Program(app, sqlite, *Scope)
    for path in ("/calls", f"/calls/{call.id}", f"/calls/{other.id}", "/cases",
                 f"/cases/{case.code}"):
        assert "0912345678" not in everything.get(path).get_data(as_text=True), path
    assert everything.get(f"/calls/{other.id}").get_json()["case_code"] is None


def test_what_citizens_said_needs_its_scope(app: Flask, sqlite: Database) -> None:
    case, secret = case_of(sqlite), case_of(sqlite, sensitive=True)
    plain = Program(app, sqlite, Scope.CASES_READ)
    told = plain.get(f"/cases/{case.code}").get_json()
    shapes.CaseTold.model_validate(told)
    assert (told["status"], told["phone"], told["summary"]) == ("new", None, None)
    assert [one["code"] for one in plain.get("/cases").get_json()["items"]] == [case.code]
    assert plain.get(f"/cases/{secret.code}").status_code == 404
    personal = Program(app, sqlite, Scope.CASES_READ, Scope.CASES_PERSONAL)
    assert personal.get(f"/cases/{case.code}").get_json()["phone"] == "0912345678"
    assert personal.get(f"/cases/{secret.code}").get_json()["summary"] == secret.summary


def test_a_case_is_opened_once_however_often_it_is_sent(app: Flask, sqlite: Database) -> None:
    program = Program(app, sqlite, *WRITER)
    first, again = (program.post("/cases", REPORTED, "same-key-1") for _ in range(2))
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.get_json() == again.get_json()
    other = program.post("/cases", REPORTED | {"summary": "Khác"}, "same-key-1")
    assert (other.status_code, other.get_json()["code"]) == (409, "idempotency_key_reused")
    assert program.post("/cases", REPORTED, None).status_code == 422
    assert Program(app, sqlite, *WRITER).post("/cases", REPORTED, "same-key-1").status_code == 201
    with sqlite.reading() as session:
        assert session.scalar(select(func.count(Case.id))) == 2  # another program, another key


def test_a_refused_request_may_use_its_key_again(app: Flask, sqlite: Database) -> None:
    program = Program(app, sqlite, *WRITER)
    case = program.post("/cases", REPORTED).get_json()
    wrong = {"category": "roads", "area": "99999", "version": case["version"]}
    path = f"/cases/{case['code']}/classify"
    assert program.post(path, wrong, "key-00-01").get_json()["code"] == "area_unknown"
    assert program.post(path, wrong | {"area": None}, "key-00-01").status_code == 200


def test_the_same_request_at_the_same_moment_opens_one_case(
    database: Database, settings: Settings
) -> None:
    app = create_app(settings, database, ObedientPhones(), SECRETS)
    program = Program(app, database, *WRITER)
    answers: list[Any] = []
    threads = [
        threading.Thread(
            target=lambda: answers.append(program.post("/cases", REPORTED, "the-one-key"))
        ) for _ in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [one.status_code for one in answers] == [201] * 6
    assert len({one.get_json()["code"] for one in answers}) == 1
    with database.reading() as session:
        assert session.scalar(select(func.count(Case.id))) == 1


def test_a_case_that_changed_meanwhile_stays_and_the_changes_are_told(
    app: Flask, sqlite: Database
) -> None:
    program = Program(app, sqlite, *WRITER)
    case = program.post("/cases", REPORTED).get_json()
    with sqlite.transaction() as session:
        life.classify(session, life.by_code(session, case["code"]), "order", by="lan",
                       now=datetime.now(UTC))
    answer = program.post(
        f"/cases/{case['code']}/classify", {"category": "roads", "version": case["version"]}
    )
    told = answer.get_json()
    shapes.ProblemTold.model_validate(told)
    assert (answer.status_code, told["code"]) == (409, "stale")
    assert [one["what"] for one in told["changes"]] == ["classified"]
    again = program.post(
        f"/cases/{case['code']}/classify", {"category": "roads", "version": told["version"]}
    )
    assert again.get_json()["category"] == "roads"


def test_a_case_is_classified_and_added_to_by_the_program_s_name(
    app: Flask, sqlite: Database
) -> None:
    with sqlite.transaction() as session:
        with_agencies(session)
    program = Program(app, sqlite, *Scope)
    case = program.post("/cases", {"summary": "Việc của Sở"}).get_json()
    assert (case["identity"], case["channel"]) == ("anonymous", "api")
    path = f"/cases/{case['code']}"
    done = program.post(
        f"{path}/classify", {"category": "care", "about": HEALTH, "version": case["version"]}
    ).get_json()
    assert (done["about"], done["sensitive"]) == (HEALTH, True)
    assert program.post(f"{path}/information", {"text": "Thêm ảnh"}).status_code == 200
    with sqlite.reading() as session:
        events = life.events_of(session, life.by_code(session, case["code"]))
    assert [one.what for one in events] == ["opened", "classified", "info"]
    assert all(one.by.startswith("api:program") for one in events)


def test_a_citizen_s_app_asks_with_the_rules_of_key_7(app: Flask, sqlite: Database) -> None:
    case = case_of(sqlite, identity=Identity.HIDDEN)
    app_ = Program(app, sqlite)
    right = {"code": case.code, "phone_end": "5678"}
    told = app_.post("/case-status", right, None).get_json()
    shapes.StatusTold.model_validate(told)
    assert told["status_vi"].startswith("Đã tiếp nhận")
    assert "0912345678" not in str(told)
    for _ in range(5):
        wrong = app_.post("/case-status", right | {"phone_end": "0000"}, None)
        assert (wrong.status_code, wrong.get_json()["code"]) == (404, "case_unknown")
    locked = app_.post("/case-status", right, None)
    assert (locked.status_code, locked.get_json()["code"]) == (429, "locked")
    assert locked.headers["Retry-After"]
    assert MISSES_OF_CODE > 5  # the citizen's telephone is not locked by somebody else's guesses


def test_lists_and_counts(app: Flask, sqlite: Database) -> None:
    now = datetime.now(UTC)
    case_of(sqlite)
    add_call(sqlite, outcome="answered")
    with sqlite.transaction() as session:
        with_agencies(session)
    program = Program(app, sqlite, Scope.REPORTS_READ)
    shapes.Agencies.model_validate(program.get("/agencies").get_json())
    assert len(program.get("/areas").get_json()["items"]) == 166
    named = program.get("/areas", name="hac thanh").get_json()["items"]
    assert "Phường Hạc Thành" in {one["name"] for one in named}
    assert {"id": "roads", "vi": "Đường sá, giao thông", "en": "Roads and transport"} in (
        program.get("/categories").get_json()["items"]
    )
    told = program.get("/reports/counts", since=(now - timedelta(days=1)).isoformat(),
                       until=(now + timedelta(days=1)).isoformat()).get_json()
    shapes.Counts.model_validate(told)
    assert (told["calls"], told["cases"]) == ({"answered": 1}, {"new": 1})


def test_what_is_wrong_is_named(app: Flask, sqlite: Database) -> None:
    program = Program(app, sqlite, *Scope)
    answer = program.get("/calls", limit="0", moon="full")
    assert answer.status_code == 422
    assert {one["at"] for one in answer.get_json()["errors"]} == {"query.limit", "query.moon"}
    assert program.get("/calls", limit=["1", "2"]).status_code == 422
    assert program.get("/nowhere").get_json()["code"] == "not_found"
    client = app.test_client()
    assert client.delete("/api/v1/cases").get_json()["code"] == "method"
    headers = {"Authorization": f"Bearer {program.token}", "Idempotency-Key": "12345678"}
    plain = client.post("/api/v1/cases", data="x", headers=headers)
    assert plain.get_json()["code"] == "media_type"
    broken = client.post("/api/v1/cases", data="{", headers=headers,
                         content_type="application/json")
    assert broken.get_json()["code"] == "malformed"


def test_too_many_requests_are_told_when_to_come_again(
    settings: Settings, sqlite: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "OPEN_LIMIT", "3 per minute")
    monkeypatch.setattr(limits, "REFUSED_LIMIT", "2 per minute")
    app = create_app(settings, sqlite, ObedientPhones(), SECRETS)
    client = app.test_client()

    def asked(address: str, path: str = "/api/v1/categories", **headers: str) -> Any:
        return client.get(path, environ_base={"REMOTE_ADDR": address}, headers=headers)

    assert asked("192.0.2.1").headers["RateLimit-Remaining"] == "2"
    codes = [asked("192.0.2.1").status_code for _ in range(3)]
    assert codes == [200, 200, 429]
    refused = asked("192.0.2.1")
    assert refused.get_json()["code"] == "too_many_requests"
    assert 0 < int(refused.headers["Retry-After"]) <= 60
    assert asked("192.0.2.2").status_code == 200
    # one customer has a whole /64
    assert [asked(f"2001:db8:1:2::{n}").status_code for n in range(1, 5)] == [200] * 3 + [429]
    assert asked("2001:db8:1:3::1").status_code == 200
    # guessing tokens: each guess counts for the address
    guesses = [
        asked("192.0.2.3", "/api/v1/cases", Authorization=f"Bearer guess{n}").status_code
        for n in range(4)
    ]
    assert guesses == [401, 401, 429, 429]


def test_the_description_is_there_for_people_and_programs(app: Flask) -> None:
    client = app.test_client()
    assert client.get("/api/v1/openapi.json").get_json()["openapi"] == "3.1.0"
    page = client.get("/api/v1/docs").get_data(as_text=True)
    assert "/api/v1/cases/{code}/classify" in page
    assert "cases:write" in page


def test_the_administrator_gives_out_keys_that_are_shown_once(
    admin: Browser, app: Flask, sqlite: Database
) -> None:
    page = admin.submit("/api-keys/tokens", name="so-y-te", scopes="cases:read")
    assert page.status_code == 201
    shown = page.get_data(as_text=True).split("data-secret>")[1].split("<")[0]
    program = Program(app, sqlite)
    program.token = shown
    assert program.get("/cases").status_code == 200
    assert shown not in admin.client.get("/api-keys").get_data(as_text=True)
    assert admin.submit("/api-keys/tokens", name="so-y-te", scopes="cases:read").status_code == 400
    assert admin.submit("/api-keys/tokens", name="X", scopes="cases:read").status_code == 400
    assert admin.submit("/api-keys/tokens", name="khong").status_code == 400
    admin.submit("/api-keys/tokens/so-y-te/revoke")
    assert program.get("/cases").status_code == 401
    assert admin.submit("/api-keys/tokens/nobody/revoke").status_code == 404


def test_the_administrator_adds_and_removes_webhooks(admin: Browser) -> None:
    added = admin.submit("/api-keys/webhooks", url="https://example.org/hook", events="case.opened")
    assert "whsec_" in added.get_data(as_text=True)
    page = admin.client.get("/api-keys").get_data(as_text=True)
    assert "https://example.org/hook" in page
    assert "whsec_" not in page
    assert admin.submit("/api-keys/webhooks", url="http://example.org/",
                        events="case.opened").status_code == 400
    admin.submit("/api-keys/webhooks/1/end")
    assert "example.org" not in admin.client.get("/api-keys").get_data(as_text=True)
    assert admin.submit("/api-keys/webhooks/1/resume").status_code == 404


def test_only_the_hash_of_a_token_is_kept(sqlite: Database) -> None:
    shown = token(sqlite, Scope.CASES_READ)
    with sqlite.reading() as session:
        (kept,) = tokens.all_tokens(session)
    assert kept.token_hash == tokens.token_hash(shown)
    assert shown not in str(vars(kept))
