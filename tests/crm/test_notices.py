"""Alarms by SMS. The stand-in below answers as Twilio's public API description says; it is no
Twilio."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs

import pytest

from crm import notices
from crm import settings as configuration
from crm.database import Database
from crm.models import Notice
from crm.settings import Settings

NOW = datetime(2026, 11, 1, 3, 0, tzinfo=UTC)


class TwilioStandIn(ThreadingHTTPServer):
    """Takes messages at /2010-04-01/Accounts/…/Messages.json; `answers` are (status, body)."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.messages: list[dict[str, str]] = []
        self.answers: list[tuple[int, dict[str, object]]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    server: TwilioStandIn

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        status, answer = 201, {"sid": f"SM{len(self.server.messages):032d}", "status": "queued"}
        if self.server.answers:
            status, answer = self.server.answers.pop(0)  # type: ignore[assignment]
        self.server.messages.append(
            {"path": self.path, **{key: value[0] for key, value in parse_qs(body).items()}}
        )
        data = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def twilio() -> Iterator[TwilioStandIn]:
    server = TwilioStandIn()
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()


def settings(home: Path, url: str = "") -> Settings:
    return configuration.load({
        "HOTLINE_HOME": str(home), "HOTLINE_ALARM_PHONES": "0912345678",
        "HOTLINE_TWILIO_ACCOUNT": "AC" + "0" * 32, "HOTLINE_TWILIO_TOKEN": "token",
        "HOTLINE_TWILIO_FROM": "+15005550006", "HOTLINE_TWILIO_URL": url,
    })


def alarmed(database: Database, at: Settings, now: datetime = NOW) -> int:
    with database.transaction() as session:
        return notices.alarm(session, at, subject="asterisk", body="it stopped", now=now)


def only(database: Database) -> Notice:
    with database.reading() as session:
        return session.query(Notice).one()


def test_an_alarm_is_sent_once_to_the_engineers(database: Database, tmp_path: Path) -> None:
    with twilio() as server:
        at = settings(tmp_path, server.url)
        send = notices.twilio_sender(at)
        assert send is not None
        assert alarmed(database, at) == 1
        assert notices.deliver(database, send, NOW) == notices.Delivered(sent=1, failed=0)
        assert notices.deliver(database, send, NOW) == notices.Delivered(sent=0, failed=0)
    message, = server.messages
    assert message["To"] == "+84912345678"
    assert message["Body"] == "1022 th1: it stopped"
    assert only(database).state == "sent"
    assert only(database).provider_id == "SM" + "0" * 32


def test_the_same_subject_alarms_once_in_half_an_hour(database: Database, tmp_path: Path) -> None:
    at = settings(tmp_path)
    assert alarmed(database, at) == 1
    assert alarmed(database, at, NOW + timedelta(minutes=29)) == 0
    assert alarmed(database, at, NOW + timedelta(minutes=31)) == 1


@pytest.mark.parametrize("trouble", [(500, {"message": "down"}), (429, {"message": "slow down"})])
def test_a_passing_fault_is_tried_again_later(
    database: Database, tmp_path: Path, trouble: tuple[int, dict[str, object]]
) -> None:
    with twilio() as server:
        at = settings(tmp_path, server.url)
        send = notices.twilio_sender(at)
        assert send is not None
        server.answers.append(trouble)
        alarmed(database, at)
        assert notices.deliver(database, send, NOW).failed == 1
        assert notices.deliver(database, send, NOW + timedelta(seconds=29)).sent == 0
        assert notices.deliver(database, send, NOW + timedelta(seconds=30)).sent == 1
    assert only(database).attempts == 2


def test_a_refusal_is_final(database: Database, tmp_path: Path) -> None:
    with twilio() as server:
        at = settings(tmp_path, server.url)
        send = notices.twilio_sender(at)
        assert send is not None
        server.answers.append((400, {"code": 21211, "message": "invalid 'To' number"}))
        alarmed(database, at)
        notices.deliver(database, send, NOW)
        assert only(database).state == "failed"
        assert notices.deliver(database, send, NOW + timedelta(days=1)).sent == 0
    assert "invalid 'To' number" in (only(database).error or "")


def test_a_provider_that_cannot_be_reached_is_a_passing_fault(
    database: Database, tmp_path: Path
) -> None:
    with twilio() as server:
        url = server.url
    at = settings(tmp_path, url)
    send = notices.twilio_sender(at)
    assert send is not None
    alarmed(database, at)
    assert notices.deliver(database, send, NOW).failed == 1
    assert only(database).state == "waiting"


def test_without_an_account_nothing_is_sent(tmp_path: Path) -> None:
    assert notices.twilio_sender(configuration.load({"HOTLINE_HOME": str(tmp_path)})) is None
