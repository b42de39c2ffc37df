"""The workers that send broadcasts, woken by jobs in our own database (huey, without a broker).

A job says no more than "look at broadcast N". The scheduler writes some every few seconds while
there is anything to do, so a lost job, or the loss of all, loses nothing; nor does a database that
is away for a while.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import psycopg
from huey import PostgresHuey, SqliteHuey  # type: ignore[import-untyped]
from huey.consumer import Consumer  # type: ignore[import-untyped]
from sqlalchemy import exc
from sqlalchemy.engine import make_url

from crm import secrets
from crm.broadcasts import sending
from crm.database import Database
from crm.notices import numbers, routes, voice
from crm.notices.delivery import Outgoing, Undelivered
from crm.settings import Settings
from ivr import commands, provision
from ivr.commands import Outcome
from prompts.said import FOLDER, Said

log = logging.getLogger(__name__)

NAME = "broadcasts"
SLICE_S = 10.0  # a job ends after that: another broadcast may wait
WAITING_JOBS = 8
ATTEND_S = 5.0
AGAIN_S = 1.0
# as huey and as SQLAlchemy say that the database is away, or has no time
AWAY = (
    sqlite3.OperationalError, psycopg.OperationalError, psycopg.InterfaceError,
    exc.OperationalError, exc.InterfaceError, exc.TimeoutError,
)


class Outage:
    """The database's absence, told once however many threads find it, and its end, told once."""

    def __init__(self, stop: threading.Event | None = None) -> None:
        self._stop = stop or threading.Event()
        self._lock = threading.Lock()
        self._lasts = False

    def noticed(self, error: Exception) -> None:
        with self._lock:
            told, self._lasts = self._lasts, True
        if not told:
            log.error("broadcasts wait: %s",
                      str(getattr(error, "orig", None) or error).split("\n")[0])

    def wait(self) -> None:
        """A moment, before the database is asked again."""
        self._stop.wait(AGAIN_S)

    def over(self) -> None:
        with self._lock:
            told, self._lasts = self._lasts, False
        if told:
            log.info("broadcasts go on")


class _Jobs:
    """huey, which would log a page for each try of each thread while the database is away."""

    outage: Outage

    def dequeue(self) -> Any:
        try:
            job = super().dequeue()  # type: ignore[misc]
        except AWAY as error:
            self.outage.noticed(error)
            self.outage.wait()
            return None
        self.outage.over()
        return job

    def execute(self, job: Any, timestamp: datetime | None = None) -> None:
        try:
            super().execute(job, timestamp)  # type: ignore[misc]
        except AWAY as error:
            self.outage.noticed(error)

    def read_schedule(self, timestamp: datetime | None = None) -> list[Any]:
        """No job is ever put off."""
        return []


class _SqliteJobs(_Jobs, SqliteHuey):  # type: ignore[misc]
    pass


class _PostgresJobs(_Jobs, PostgresHuey):  # type: ignore[misc]
    pass


class Wakes:
    """The jobs, which are kept in the database's own tables (migration 0023)."""

    def __init__(
        self, settings: Settings, work: Callable[[int], None] | None = None,
        outage: Outage | None = None,
    ) -> None:
        """`work` does a job; without it jobs can only be written."""
        url = make_url(settings.database_url)
        if url.get_backend_name() == "sqlite":
            self.huey: Any = _SqliteJobs(
                NAME, results=False, filename=url.database, timeout=15, journal_mode=None,
                create_tables=False,
            )
        else:
            plain = url.set(drivername="postgresql").render_as_string(hide_password=False)
            self.huey = _PostgresJobs(NAME, results=False, dsn=plain, create_tables=False)
        self.huey.outage = outage or Outage()
        self._send = self.huey.task(name="send")(work or _elsewhere)

    def wake(self, broadcast_id: int) -> None:
        """Have workers look at a broadcast, unless they are busy with earlier jobs."""
        for _ in range(WAITING_JOBS - self.huey.pending_count()):
            self._send(broadcast_id)

    def close(self) -> None:
        self.huey.storage.close()


def _elsewhere(broadcast_id: int) -> None:
    raise AssertionError(f"broadcast {broadcast_id} is sent by the workers")


class Workers:
    """Sends what is due of a broadcast; any number of threads, processes and nodes may."""

    def __init__(
        self, settings: Settings, database: Database, stop: threading.Event, outage: Outage,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._settings = settings
        self._database = database
        self._stop = stop
        self._outage = outage
        self._clock = clock
        self._said = Said(provision.sounds(settings.home), settings.cache)
        self._smpp = routes.smpp_link(settings, database, clock)
        self._routes = routes.routes(
            settings, database, clock, sms_link=self._smpp, ring=self._ring
        )
        # adapters wait for the network nearly all the time
        self._executor = ThreadPoolExecutor(
            settings.broadcast_workers * sending.AT_ONCE, thread_name_prefix="broadcast"
        )

    def work(self, broadcast_id: int) -> None:
        """Send until nothing may go now, or the slice is over."""
        until = time.monotonic() + SLICE_S
        while not self._stop.is_set() and time.monotonic() < until:
            try:
                more = sending.turn(
                    self._database, self._settings, self._routes, self._executor, self._clock,
                    broadcast_id,
                )
            except AWAY as error:
                self._outage.noticed(error)
                return  # the next job goes on
            if not more:
                return

    def attend(self) -> None:
        """Keep the SMSC's connection while there is anything to send: the scheduler has one of its
        own, and takes in what is reported when we have none."""
        if self._smpp is None:
            return
        with self._database.reading() as session:
            busy = bool(sending.at_work(session))
        if busy:
            self._smpp.attend()
        else:
            self._smpp.close()

    def close(self) -> None:
        self._executor.shutdown(wait=True)
        if self._smpp is not None:
            self._smpp.close()

    def _ring(self, outgoing: Outgoing) -> str:
        if (sound := self._said.sound_of(outgoing.body)) is None:
            raise Undelivered("its sound is not made yet", final=False)
        call = voice.call_of(self._settings.node, outgoing)
        telephone = commands.for_settings(self._settings, secrets.load(self._settings.home))
        result = telephone.tell_broadcast(
            numbers.domestic(outgoing.recipient), sound.removeprefix(f"{FOLDER}/"), call
        )
        if not result.done:
            raise Undelivered(
                f"not rung: {result}", final=False, unsure=result.outcome is Outcome.UNKNOWN
            )
        return call


def main(settings: Settings, stop: threading.Event) -> None:
    """Send broadcasts until told to stop."""
    database = Database.of(settings, pool_size=settings.broadcast_workers + 2)
    outage = Outage(stop)
    workers = Workers(settings, database, stop, outage)
    wakes = Wakes(settings, workers.work, outage)
    logging.getLogger("huey").setLevel(logging.WARNING)
    consumer = _Consumer(
        wakes.huey, workers=settings.broadcast_workers, periodic=False, max_delay=1.0,
        scheduler_interval=60, check_worker_health=True, shutdown_timeout=15,
    )
    consumer.start()
    log.info("%d workers send broadcasts", settings.broadcast_workers)
    while not stop.wait(ATTEND_S):
        try:
            workers.attend()
        except AWAY as error:
            outage.noticed(error)
        consumer.check_worker_health()
    consumer.stop(graceful=True)
    workers.close()


class _Consumer(Consumer):  # type: ignore[misc]
    """huey's consumer, which leaves the signals to us."""

    def _set_signal_handlers(self) -> None:
        pass
