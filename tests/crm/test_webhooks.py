"""Webhooks: written with the change, told after it, signed, tried again; against receivers that
behave badly."""

from __future__ import annotations

import base64
import hashlib
import hmac
import ipaddress
import json
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from crm import settings as settings_room
from crm.api import posting, posts, webhooks
from crm.api.models import Webhook, WebhookDelivery
from crm.api.webhooks import WebhookError
from crm.calls import record as calls
from crm.cases import life
from crm.cases.models import Identity, Status
from crm.database import Database
from crm.notices.models import Notice
from crm.settings import Settings
from tests.crm.cases.factory import NOW, answered, opened
from tests.journals import Asterisk

LOCAL = ("127.0.0.0/8",)


@dataclass
class Receiver:
    """Somebody else's server: answers `status`, and keeps what it was told."""

    url: str = ""
    status: int = 204
    location: str = ""
    told: list[tuple[dict[str, str], str]] = field(default_factory=list)


@contextmanager
def receiving() -> Iterator[Receiver]:
    made = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            made.told.append(({key.lower(): text for key, text in self.headers.items()}, body))
            self.send_response(made.status)
            if made.location:
                self.send_header("Location", made.location)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    made.url = f"http://127.0.0.1:{server.server_port}/hook?x=1"
    yield made
    server.shutdown()
    thread.join()
    server.server_close()


@contextmanager
def talking(talk: Callable[[socket.socket], None]) -> Iterator[str]:
    """A server that does with each connection what it likes."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        def serve() -> None:
            try:
                connection, _ = listening.accept()
                with connection:
                    talk(connection)
            except OSError:
                return  # the other side has had enough

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return settings_room.load({
        "HOTLINE_HOME": str(tmp_path), "HOTLINE_WEBHOOK_NETWORKS": ",".join(LOCAL),
        "HOTLINE_ALARM_PHONES": "0900000001",
    })


def subscribed(database: Database, url: str, **told: object) -> str:
    """Subscribe; the secret."""
    with database.transaction() as session:
        return webhooks.subscribe(session, url=url, by="quan", now=NOW, **told).secret  # type: ignore[arg-type]


def states(database: Database) -> list[str]:
    with database.reading() as session:
        return list(session.scalars(select(WebhookDelivery.state).order_by(WebhookDelivery.id)))


def test_a_subscriber_is_told_with_a_signature_and_nothing_of_the_citizen(
    database: Database, settings: Settings
) -> None:
    with receiving() as receiver:
        secret = subscribed(database, receiver.url)
        with database.transaction() as session:
            case = opened(session, summary="Bí mật", identity=Identity.HIDDEN)
            life.classify(session, case, "roads", by="lan", now=NOW)
        assert posts.deliver(database, settings, NOW) == posts.Told(sent=2, failed=0)
    told = {json.loads(body)["type"]: (headers, body) for headers, body in receiver.told}
    assert set(told) == {"case.opened", "case.classified"}
    headers, body = told["case.opened"]
    assert json.loads(body)["data"]["code"] == case.code
    assert not any(word in body for word in ("0912345678", "Bí", "lan", "hidden"))
    key = base64.b64decode(secret.removeprefix("whsec_"))
    said = f"{headers['webhook-id']}.{int(NOW.timestamp())}.{body}".encode()
    mac = base64.b64encode(hmac.new(key, said, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{mac}"
    assert posts.deliver(database, settings, NOW) == posts.Told(0, 0)


def test_events_are_those_that_were_asked_for(database: Database) -> None:
    subscribed(database, "https://example.org/", events=("case.resolved", "case.assigned"))
    with database.transaction() as session:
        case = answered(session, "Đã sửa.")
        life.move(session, case, Status.CLOSED, by="huy", now=NOW)
    with database.reading() as session:
        events = list(session.scalars(select(WebhookDelivery.event)))
    assert events == ["case.assigned", "case.resolved"]


def test_a_change_that_fails_tells_nothing(database: Database) -> None:
    subscribed(database, "https://example.org/")
    with suppress(RuntimeError), database.transaction() as session:
        opened(session)
        raise RuntimeError
    assert states(database) == []


def test_the_signature_holds_for_this_body_and_five_minutes() -> None:
    secret = "whsec_" + base64.b64encode(b"k" * 32).decode()
    headers = posts.signed(secret, "msg_1", NOW, "{}")
    assert posts.verified(secret, headers, "{}", NOW + timedelta(minutes=4))
    assert not posts.verified(secret, headers, "{ }", NOW)
    assert not posts.verified(secret, headers, "{}", NOW + timedelta(minutes=6))
    other = "whsec_" + base64.b64encode(b"x" * 32).decode()
    assert not posts.verified(other, headers, "{}", NOW)
    assert not posts.verified(secret, {}, "{}", NOW)


def test_what_is_not_taken_is_tried_again_later_and_later(
    sqlite: Database, settings: Settings
) -> None:
    with receiving() as receiver:
        subscribed(sqlite, receiver.url)
        with sqlite.transaction() as session:
            opened(session)
        receiver.status = 500
        at, tries = NOW, []
        while at < NOW + timedelta(hours=1):
            if posts.deliver(sqlite, settings, at).failed:
                tries.append(at - NOW)
            at += timedelta(seconds=30)
        assert [one.total_seconds() for one in tries] == [0, 30, 90, 210, 450, 930, 1890]
        receiver.status = 200
        assert posts.deliver(sqlite, settings, NOW + timedelta(hours=3)).sent == 1
        assert len({headers["webhook-id"] for headers, _ in receiver.told}) == 1
        stamps = {headers["webhook-timestamp"] for headers, _ in receiver.told}
        assert len(stamps) == len(receiver.told)  # signed anew, or it would seem a replay


def test_after_a_day_it_is_switched_off_with_an_alarm_and_can_be_resumed(
    sqlite: Database, settings: Settings
) -> None:
    with receiving() as receiver:
        subscribed(sqlite, receiver.url)
        with sqlite.transaction() as session:
            opened(session)
        receiver.status = 503
        at = NOW
        while states(sqlite) == ["waiting"]:
            assert at < NOW + timedelta(hours=25)
            posts.deliver(sqlite, settings, at)
            at += timedelta(minutes=30)
        assert at > NOW + timedelta(hours=20)
        with sqlite.reading() as session:
            assert session.scalars(select(Webhook.ended_why)).one() == "failing"
            assert "switched off" in session.scalars(select(Notice.body)).one()
        with sqlite.transaction() as session:
            opened(session)
        assert states(sqlite) == ["failed"]  # what is switched off is told nothing more
        receiver.status = 200
        with sqlite.transaction() as session:
            assert webhooks.resume(session, 1, at) == 1
        assert posts.deliver(sqlite, settings, at).sent == 1


def test_410_ends_the_subscription(sqlite: Database, settings: Settings) -> None:
    with receiving() as receiver:
        subscribed(sqlite, receiver.url)
        with sqlite.transaction() as session:
            opened(session)
        receiver.status = 410
        posts.deliver(sqlite, settings, NOW)
        posts.deliver(sqlite, settings, NOW + timedelta(hours=1))
    assert len(receiver.told) == 1
    with sqlite.reading() as session:
        assert session.scalars(select(Webhook.ended_why)).one() == "gone"


def test_redirects_are_not_followed() -> None:
    with receiving() as other, receiving() as receiver:
        receiver.status, receiver.location = 302, other.url
        answer = posting.post(receiver.url, "{}", {}, LOCAL)
        assert "redirects are not followed" in answer.problem
    assert other.told == []


def test_whoever_talks_slowly_or_not_at_all_is_cut_off() -> None:
    def dripping(connection: socket.socket) -> None:
        while True:
            connection.sendall(b"H")
            time.sleep(0.05)

    def silent(connection: socket.socket) -> None:
        time.sleep(3)

    def shaking_hands_for_ever(connection: socket.socket) -> None:
        connection.sendall(b"\x16\x03\x03\x40\x00")
        while True:
            connection.sendall(b"\0")
            time.sleep(0.05)

    for talk, scheme in (
        (dripping, "http"), (silent, "http"), (silent, "https"), (shaking_hands_for_ever, "https"),
    ):
        with talking(talk) as plain:
            url = plain.replace("http", scheme)
            began = time.monotonic()
            answer = posting.post(url, "{}", {}, LOCAL, longest_s=0.5)
            assert not answer.taken
            assert "cannot be reached" in answer.problem
            assert time.monotonic() - began < 2.5


def test_a_certificate_that_nobody_vouches_for_is_not_trusted(tmp_path: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(1).not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1)).sign(key, hashes.SHA256())
    )
    file = tmp_path / "both.pem"
    file.write_bytes(
        certificate.public_bytes(serialization.Encoding.PEM) + key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    heard: list[bytes] = []

    def talk(connection: socket.socket) -> None:
        with context.wrap_socket(connection, server_side=True) as tls:
            heard.append(tls.recv(100))

    with talking(talk) as plain:
        answer = posting.post(plain.replace("http", "https"), "{}", {}, LOCAL)
    assert answer.problem == "cannot be reached: SSLCertVerificationError"
    assert heard in ([], [b""])


def test_nonsense_and_closed_ports_are_one_clear_problem() -> None:
    with talking(lambda connection: connection.sendall(b"SSH-2.0\r\n\r\n")) as url:
        assert not posting.post(url, "{}", {}, LOCAL).taken
    assert "cannot be reached" in posting.post("http://127.0.0.1:1/", "{}", {}, LOCAL).problem


@pytest.mark.parametrize("url", [
    "https://127.0.0.1/", "https://10.0.0.1/", "https://192.168.1.1/", "https://169.254.169.254/",
    "https://[::1]/", "https://[fe80::1]/", "https://[::ffff:10.0.0.1]/", "https://0.0.0.0/",
    "https://[64:ff9b::a00:1]/", "https://localhost/", "https://100.64.0.1/",
])
def test_addresses_that_are_not_public_are_not_asked(url: str) -> None:
    assert "webhook_networks" in posting.post(url, "{}", {}, ()).problem


def test_a_name_that_leads_to_a_private_address_is_not_asked(
    monkeypatch: pytest.MonkeyPatch
) -> None:
    def resolved(*_: object, **__: object) -> list[object]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (one, 443))
                for one in ("93.184.216.34", "10.0.0.1")]

    monkeypatch.setattr(socket, "getaddrinfo", resolved)
    assert "webhook_networks" in posting.post("https://example.org/", "{}", {}, ()).problem


@given(st.ip_addresses())
def test_only_public_addresses_may_be_asked_unless_allowed(address: posting.IP) -> None:
    if posting.may_be_asked(address, ()):
        assert not any((address.is_private, address.is_loopback, address.is_link_local))
    assert posting.may_be_asked(address, (str(ipaddress.ip_network(address)),)) or (
        isinstance(address, ipaddress.IPv6Address)  # which may carry an IPv4 address
    )


@pytest.mark.parametrize("url", [
    "", "ftp://example.org/", "http://example.org/", "https://", "https://me:pw@example.org/",
    "https://example.org:0/", "https://example.org/ä", "https://[::1", "javascript:alert(1)",
])
def test_what_is_no_address_is_refused(sqlite: Database, url: str) -> None:
    with pytest.raises(WebhookError):
        subscribed(sqlite, url)
    with pytest.raises(WebhookError):
        subscribed(sqlite, "https://example.org/", events=("moon",))


def test_one_address_that_is_slow_holds_up_no_other(
    sqlite: Database, settings: Settings
) -> None:
    with talking(lambda connection: time.sleep(1)) as slow, receiving() as receiver:
        subscribed(sqlite, slow)
        subscribed(sqlite, receiver.url)
        with sqlite.transaction() as session:
            for _ in range(3):
                opened(session)
        told = posts.deliver(sqlite, settings, NOW)
    assert (told.sent, len(receiver.told)) == (3, 3)


def test_what_was_told_long_ago_is_forgotten(sqlite: Database) -> None:
    subscribed(sqlite, "https://example.org/")
    with sqlite.transaction() as session:
        opened(session)
        opened(session)
        session.scalars(select(WebhookDelivery)).first().state = "sent"  # type: ignore[union-attr]
        webhooks.forget(session, NOW + webhooks.KEPT + timedelta(days=1))
    assert states(sqlite) == ["waiting"]


def test_the_end_of_a_call_is_told_once_and_of_nobody(database: Database) -> None:
    with database.transaction() as session:
        webhooks.subscribe(session, url="https://a.example/", by="huy", now=NOW,
                           events=["call.ended"])
        webhooks.subscribe(session, url="https://b.example/", by="huy", now=NOW,
                           events=["case.opened"])
    asterisk = Asterisk()
    caller = asterisk.queued()
    agent = asterisk.answer(caller)
    asterisk.wait(15)
    for number in range(len(asterisk.events)):  # the journal, event by event: it goes on
        with database.transaction() as session:
            calls.apply(session, asterisk.events[number:number + 1])
    assert deliveries(database) == []
    caller.leave()
    caller.end()
    agent.end()  # the agent's leg ends after the call
    for _ in range(2):  # whoever reads the same journal again tells nothing again
        with database.transaction() as session:
            calls.apply(session, asterisk.events)
    (told,) = deliveries(database)
    body = json.loads(told.body)
    assert (told.event, body["type"]) == ("call.ended", "call.ended")
    assert body["data"].keys() == {
        "id", "direction", "kind", "branch", "outcome", "started_at", "answered_at", "ended_at",
    }
    assert (body["data"]["id"], body["data"]["outcome"]) == (caller.id, "answered")
    assert "0912345678" not in told.body
    assert "lan" not in body["data"].values()


def test_calls_that_were_open_when_asterisk_died_are_told_as_lost(sqlite: Database) -> None:
    with sqlite.transaction() as session:
        webhooks.subscribe(session, url="https://a.example/", by="huy", now=NOW)
    asterisk = Asterisk()
    lost = asterisk.queued()
    later = Asterisk(boot="b2", at=asterisk.now + timedelta(minutes=1))
    later.booted()
    later.queued()
    with sqlite.transaction() as session:
        calls.apply(session, asterisk.events)
        calls.apply(session, later.events)
    (told,) = deliveries(sqlite)
    data = json.loads(told.body)["data"]
    assert (data["id"], data["outcome"]) == (lost.id, "lost")


def deliveries(database: Database) -> list[WebhookDelivery]:
    with database.reading() as session:
        return list(session.scalars(select(WebhookDelivery).order_by(WebhookDelivery.id)))
