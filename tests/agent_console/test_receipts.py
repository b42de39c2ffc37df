"""What providers report over HTTP; the signatures are made here as the providers describe them."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import select
from werkzeug.test import TestResponse

from agent_console.app import create_app, feed_of
from crm.cases import life
from crm.database import Database
from crm.notices import receipts
from crm.notices.delivery import Route
from crm.notices.models import Notice, OptOut, State
from tests.agent_console.conftest import SECRETS, ObedientPhones
from tests.crm.notices.factory import PHONE, deliver, only, settings, written

KEY = "a-key-of-sixteen-letters"
SITE = "https://1022.example.vn"
VALUES = {
    "twilio": {"sms_provider": "twilio", "twilio_account": "AC0", "twilio_token": "token",
               "twilio_from": "+15005550006", "public_url": SITE},
    "gateway": {"sms_provider": "gateway", "sms_gateway_url": "https://sms.example.vn",
                "sms_sender": "UBND", "sms_gateway_secret": KEY},
    "zalo": {"zalo_app": "123", "zalo_app_secret": "app", "zalo_oa_secret": "oa",
             "zalo_refresh_token": "first"},
}


@pytest.fixture(params=["twilio"])
def provider(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def app(tmp_path: Path, sqlite: Database, provider: str) -> Iterator[Flask]:
    made = create_app(
        settings(tmp_path, **VALUES[provider]), sqlite, ObedientPhones(), SECRETS
    )
    yield made
    feed_of(made).close()


def sent(database: Database, provider: str) -> str:
    """A notice that this provider has taken; its id."""
    written(database)
    deliver(database, Route(provider, lambda one: "9" if provider == "zalo" else "m1"))
    return only(database).provider_id or ""


def by_twilio(app: Flask, signature: str | None = None, **form: str) -> TestResponse:
    signed = f"{SITE}/receipts/twilio" + "".join(f"{key}{form[key]}" for key in sorted(form))
    right = base64.b64encode(hmac.new(b"token", signed.encode(), hashlib.sha1).digest()).decode()
    return app.test_client().post("/receipts/twilio", data=form, headers={
        "X-Twilio-Signature": right if signature is None else signature,
    })


def by_gateway(
    app: Flask, told: object, *, key: str = KEY, at: float | None = None
) -> TestResponse:
    body, when = json.dumps(told), f"{at or time.time():.0f}"
    right = hmac.new(key.encode(), f"{when}.{body}".encode(), hashlib.sha256).hexdigest()
    return app.test_client().post("/receipts/gateway", data=body, headers={
        "X-Signature": right, "X-Timestamp": when,
    })


def by_zalo(app: Flask, told: dict[str, object], key: str = "oa") -> TestResponse:
    body = json.dumps({"timestamp": "1763845445000", **told})
    right = hashlib.sha256(f"123{body}1763845445000{key}".encode()).hexdigest()
    return app.test_client().post("/receipts/zalo", data=body, headers={
        "X-ZEvent-Signature": f"mac={right}",
    })


def test_twilio_reports_once(app: Flask, sqlite: Database) -> None:
    sent(sqlite, "twilio")
    assert by_twilio(app, MessageSid="m1", MessageStatus="sent").status_code == 204
    assert only(sqlite).state == State.SENT
    for status in ("delivered", "delivered", "undelivered"):
        assert by_twilio(app, MessageSid="m1", MessageStatus=status).status_code == 204
    assert only(sqlite).state == State.DELIVERED


def test_twilio_tells_of_replies(app: Flask, sqlite: Database) -> None:
    assert by_twilio(app, From="+84912345678", Body="STOP").status_code == 204
    with sqlite.reading() as session:
        assert session.get(OptOut, PHONE) is not None


@pytest.mark.parametrize("signature", ["", "forged", base64.b64encode(b"0" * 20).decode()])
def test_forged_reports_of_twilio_are_refused(
    app: Flask, sqlite: Database, signature: str
) -> None:
    sent(sqlite, "twilio")
    answer = by_twilio(app, signature, MessageSid="m1", MessageStatus="failed")
    assert answer.status_code == 403
    assert only(sqlite).state == State.SENT


@pytest.mark.parametrize("provider", ["gateway"], indirect=True)
class TestGateway:
    def test_a_failure_is_told_with_its_reason(self, app: Flask, sqlite: Database) -> None:
        sent(sqlite, "gateway")
        report = {"message_id": "m1", "status": "failed", "error": "absent"}
        assert by_gateway(app, report).status_code == 204
        assert (only(sqlite).state, only(sqlite).error) == (State.FAILED, "gateway: absent")

    def test_a_reference_finds_what_a_killed_worker_had_sent(
        self, app: Flask, sqlite: Database
    ) -> None:
        written(sqlite)
        with sqlite.transaction() as session:
            notice = session.scalars(select(Notice)).one()
            notice.state, notice.provider = State.UNKNOWN, "gateway"
        report = {"message_id": "m7", "status": "delivered", "reference": "1"}
        assert by_gateway(app, {**report, "reference": "x"}).status_code == 400
        assert by_gateway(app, report).status_code == 204
        assert (only(sqlite).state, only(sqlite).provider_id) == (State.DELIVERED, "m7")

    def test_unknown_ids_are_taken_and_counted(self, app: Flask, sqlite: Database) -> None:
        assert by_gateway(app, {"message_id": "x", "status": "delivered"}).status_code == 204
        with sqlite.reading() as session:
            assert receipts.strays(session) == 1

    def test_a_reply_opts_out(self, app: Flask, sqlite: Database) -> None:
        assert by_gateway(app, {"from": "84912345678", "text": "Từ chối"}).status_code == 204
        with sqlite.reading() as session:
            assert session.get(OptOut, PHONE) is not None

    def test_forged_and_old_reports_are_refused(self, app: Flask, sqlite: Database) -> None:
        sent(sqlite, "gateway")
        report = {"message_id": "m1", "status": "failed"}
        assert by_gateway(app, report, key="another key of them").status_code == 403
        assert by_gateway(app, report, at=time.time() - 600).status_code == 403
        plain = app.test_client().post("/receipts/gateway", json=report)
        assert plain.status_code == 403
        assert only(sqlite).state == State.SENT

    @pytest.mark.parametrize("told", [
        {}, [], None, "x", {"message_id": "", "status": "failed"},
        {"message_id": "m1", "status": "lost"}, {"from": "abc", "text": "STOP"},
        {"message_id": {"a": 1}, "status": "failed"},
    ])
    def test_what_is_signed_and_makes_no_sense_changes_nothing(
        self, app: Flask, sqlite: Database, told: object
    ) -> None:
        sent(sqlite, "gateway")
        assert by_gateway(app, told).status_code == 400
        assert only(sqlite).state == State.SENT

    def test_other_providers_have_no_door(self, app: Flask) -> None:
        assert by_zalo(app, {}).status_code == 404
        assert by_twilio(app, MessageSid="m1").status_code == 404


@pytest.mark.parametrize("provider", ["zalo"], indirect=True)
class TestZalo:
    EVENT: dict[str, object] = {  # noqa: RUF012
        "event_name": "user_received_message", "message": {"msg_id": "z", "tracking_id": "9"},
    }

    def test_the_tracking_id_finds_the_notice(self, app: Flask, sqlite: Database) -> None:
        sent(sqlite, "zalo")
        assert by_zalo(app, self.EVENT).status_code == 204
        assert only(sqlite).state == State.DELIVERED

    def test_forged_ones_are_refused(self, app: Flask, sqlite: Database) -> None:
        sent(sqlite, "zalo")
        assert by_zalo(app, self.EVENT, key="x").status_code == 403
        assert app.test_client().post("/receipts/zalo", data="no json").status_code == 400
        assert only(sqlite).state == State.SENT

    def test_what_a_citizen_writes_opens_one_case(self, app: Flask, sqlite: Database) -> None:
        told: dict[str, object] = {
            "event_name": "user_send_text", "sender": {"id": "u1"},
            "message": {"msg_id": "m1", "text": "Nhà tôi hết gạo"},
        }
        assert by_zalo(app, told, key="x").status_code == 403
        for _ in range(2):
            assert by_zalo(app, told).status_code == 204
        assert by_zalo(app, told | {"message": {"text": "x"}}).status_code == 400
        with sqlite.reading() as session:
            (case,) = life.latest(session, 9)
        assert (case.channel, case.summary) == ("zalo", "Nhà tôi hết gạo")
