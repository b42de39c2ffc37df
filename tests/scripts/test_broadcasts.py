"""A broadcast to thousands against a stand-in of a gateway, by real workers that are killed.

The stand-in is a local server written from public descriptions: no provider has certified this.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from crm.broadcasts import life, sending
from crm.broadcasts.errors import BroadcastError
from crm.broadcasts.models import Broadcast, Stage
from crm.database import Database
from crm.notices import optout, receipts
from crm.notices.models import State
from crm.notices.receipts import Receipt, Taken
from crm.settings import PROJECT, Settings
from scripts import broadcasts
from scripts.broadcasts import Wakes
from tests.crm.broadcasts import factory
from tests.crm.broadcasts.factory import notices, stage_of
from tests.databases import Databases
from tests.live.running import wait_for

MANY = [2_500, pytest.param(10_000, marks=pytest.mark.full)]
PATIENCE_S = 240


class GatewayStandIn(ThreadingHTTPServer):
    """Takes JSON with an `id` over connections that stay open, and counts each id."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.taken: Counter[int] = Counter()
        self.numbers: Counter[str] = Counter()
        self._lock = threading.Lock()

    def take(self, told: dict[str, str]) -> None:
        with self._lock:
            self.taken[int(told["id"])] += 1
            self.numbers[told["to"]] += 1

    def handle_error(self, *_: object) -> None:
        """A client that is killed leaves its connection as it is."""


class _Handler(BaseHTTPRequestHandler):
    server: GatewayStandIn
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_POST(self) -> None:
        told = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.take(told)
        body = b'{"id": "m%s"}' % told["id"].encode()
        self.wfile.write(
            b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s"
            % (len(body), body)
        )

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def gateway() -> Iterator[GatewayStandIn]:
    server = GatewayStandIn()
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def settings(tmp_path: Path, database: Database, gateway: GatewayStandIn) -> Settings:
    return factory.settings(
        tmp_path, database_url=database.url.render_as_string(hide_password=False),
        sms_gateway_url=f"http://127.0.0.1:{gateway.server_address[1]}/send",
        broadcast_per_minute="100000",
    )


class Fleet:
    """Worker processes, and the ticks by which the scheduler wakes them."""

    def __init__(self, settings: Settings, database: Database, broadcast_id: int) -> None:
        self._settings, self._database, self._id = settings, database, broadcast_id
        self.wakes = Wakes(settings)
        self.running: list[subprocess.Popen[bytes]] = []

    def start(self) -> None:
        given = {
            f"HOTLINE_{name.upper()}": str(getattr(self._settings, name)) for name in (
                "home", "database_url", "sms_provider", "sms_sender", "sms_gateway_url",
                "broadcast_per_minute",
            )
        }
        self.running.append(subprocess.Popen(
            [sys.executable, "-m", "scripts.hotline", "process", "broadcasts"], cwd=PROJECT,
            env={**{k: v for k, v in os.environ.items() if not k.startswith("HOTLINE_")}, **given},
        ))

    def kill(self) -> None:
        """As the machine would: nothing is tidied up."""
        worker = self.running.pop(0)
        worker.send_signal(signal.SIGKILL)
        worker.wait(10)

    def until(self, done: Callable[[], bool]) -> None:
        """Wake the workers until something is so."""
        deadline = time.monotonic() + PATIENCE_S
        while not done():
            assert time.monotonic() < deadline, "the workers do not get on"
            assert all(one.poll() is None for one in self.running), "a worker died"
            self.tick(datetime.now(UTC))
            time.sleep(0.1)

    def tick(self, now: datetime) -> None:
        with self._database.transaction() as session:
            sending.tend(session, self._settings, self._id, now)
        self.wakes.wake(self._id)


@contextmanager
def fleet(settings: Settings, database: Database, broadcast_id: int, size: int) -> Iterator[Fleet]:
    made = Fleet(settings, database, broadcast_id)
    try:
        for _ in range(size):
            made.start()
        yield made
    finally:
        for worker in made.running:
            worker.terminate()
        for worker in made.running:
            with suppress(subprocess.TimeoutExpired):
                worker.wait(15)
            worker.kill()
        made.wakes.close()


@pytest.mark.parametrize("many", MANY)
def test_thousands_paused_killed_and_resumed(
    database: Database, settings: Settings, gateway: GatewayStandIn, many: int
) -> None:
    begun, part = datetime.now(UTC), many * 3 // 20
    id_ = factory.written(database, settings, many, begun, most_per_minute=30_000)

    def act(what: Callable[..., None], **told: object) -> None:
        with database.transaction() as session:
            what(session, life.locked(session, id_), now=datetime.now(UTC), **told)

    def start(session: object, broadcast: Broadcast, *, by: str, now: datetime) -> None:
        life.start(session, settings, broadcast, by=by, now=now)  # type: ignore[arg-type]

    with fleet(settings, database, id_, 1 if database.is_sqlite else 3) as workers:
        for refused, by in ((start, "huy"), (life.approve, "huy"), (life.approve, "lan")):
            with pytest.raises(BroadcastError):  # unapproved; untested; its own author
                act(refused, by=by)
        act(life.test, number="0987654321", by="lan")
        with pytest.raises(BroadcastError, match="another person"):
            act(life.approve, by="lan")
        act(life.approve, by="huy")
        act(start, by="lan")
        workers.until(lambda: len(gateway.taken) > part)
        leavers = [one.recipient for one in notices(database, id_)[-50:]]
        with database.transaction() as session:
            for number in leavers:
                optout.add(session, number, by="reply", now=datetime.now(UTC))

        workers.until(lambda: len(gateway.taken) > 2 * part)
        act(life.pause, by="huy")
        workers.until(lambda: not notices(database, id_, State.SENDING))
        paused_at = len(gateway.taken)
        workers.tick(datetime.now(UTC))
        time.sleep(1)
        assert len(gateway.taken) == paused_at < many
        act(life.resume, by="huy")

        workers.until(lambda: len(gateway.taken) > paused_at + part)
        workers.kill()
        workers.wakes.huey.storage.flush_queue()  # all jobs are lost too
        workers.start()
        workers.until(lambda: not notices(database, id_, State.WAITING))
        workers.tick(datetime.now(UTC) + sending.LEASE + sending.LEASE)

    assert stage_of(database, id_) is Stage.DONE
    states = {one.id: one.state for one in notices(database, id_)}
    told = {number for number, state in states.items() if state == State.SENT}
    unknown = {number for number, state in states.items() if state == State.UNKNOWN}
    assert set(gateway.taken.values()) == set(gateway.numbers.values()) == {1}  # none twice
    assert told <= set(gateway.taken) <= told | unknown  # none is noted otherwise than it went
    assert len(unknown) <= sending.AT_ONCE * settings.broadcast_workers
    assert not {f"84{number[1:]}" for number in leavers} & set(gateway.numbers)
    assert Counter(states.values()) == {
        State.SENT: len(told), State.SUPPRESSED: 50,
        **({State.UNKNOWN: len(unknown)} if unknown else {}),
    }
    assert len(told) + len(unknown) + 50 == many  # and none is lost

    for sent in unknown & set(gateway.taken):  # the provider reports with our reference
        with database.transaction() as session:
            report = Receipt("gateway", f"m{sent}", True, "", sent)
            assert receipts.take(session, report, datetime.now(UTC)) is Taken.NOTED
    assert len(notices(database, id_, State.DELIVERED)) == len(unknown & set(gateway.taken))


@contextmanager
def away(database: Database) -> Iterator[None]:
    """The server ends every connection, and takes none, but the tests' own to another database."""
    with psycopg.connect(database.url.set(
        drivername="postgresql", database="postgres"
    ).render_as_string(hide_password=False), autocommit=True) as server:
        name = sql.Identifier(str(database.url.database))
        server.execute(sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS false").format(name))
        server.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s",
            [database.url.database],
        )
        try:
            yield
        finally:
            server.execute(sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS true").format(name))


def test_a_database_that_is_away_is_told_once_and_its_return_once(
    databases: Databases, tmp_path: Path, caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    caplog.set_level(logging.INFO)
    stop, tried, connect = threading.Event(), [], psycopg.connect

    def counted(*given: object, **named: object) -> object:
        tried.append(given)
        return connect(*given, **named)  # type: ignore[arg-type]

    def told() -> list[str]:
        return [one.getMessage() for one in caplog.records if one.levelno > logging.INFO
                or one.getMessage() == "broadcasts go on"]

    with databases.new("postgresql") as database:
        settings = factory.settings(
            tmp_path, database_url=database.url.render_as_string(hide_password=False),
        )
        process = threading.Thread(target=broadcasts.main, args=(settings, stop))
        process.start()
        try:
            wait_for(lambda: "workers send broadcasts" in caplog.text, "the workers are up")
            monkeypatch.setattr(psycopg, "connect", counted)
            with away(database):
                wait_for(lambda: len(tried) > 3 * settings.broadcast_workers, "all try in vain")
            wait_for(lambda: "broadcasts go on" in caplog.text, "the workers go on")
        finally:
            stop.set()
            process.join()
    first, *rest = told()
    assert first.startswith("broadcasts wait: ")
    assert rest == ["broadcasts go on"]
    assert not [one for one in caplog.records if one.exc_info]


def test_jobs_are_rows_of_our_own_database(database: Database, settings: Settings) -> None:
    done: list[int] = []
    wakes = Wakes(settings, done.append)
    try:
        for _ in range(3):
            wakes.wake(7)
        assert 1 <= wakes.huey.pending_count() <= 8  # those who wake do not pile up jobs
        while (job := wakes.huey.dequeue()) is not None:
            wakes.huey.execute(job)
        assert set(done) == {7}
    finally:
        wakes.close()
