"""The workers that send broadcasts, woken by jobs in our own database (huey, without a broker).

A job says no more than "look at broadcast N". The scheduler writes some every few seconds while
there is anything to do, so a lost job, or the loss of all, loses nothing.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

from huey import PostgresHuey, SqliteHuey  # type: ignore[import-untyped]
from huey.consumer import Consumer  # type: ignore[import-untyped]
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError

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


class Wakes:
    """The jobs, which are kept in the database's own tables (migration 0023)."""

    def __init__(
        self, settings: Settings, work: Callable[[int], None] | None = None
    ) -> None:
        """`work` does a job; without it jobs can only be written."""
        url = make_url(settings.database_url)
        if url.get_backend_name() == "sqlite":
            self.huey: Any = SqliteHuey(
                NAME, results=False, filename=url.database, timeout=15, journal_mode=None,
                create_tables=False,
            )
        else:
            plain = url.set(drivername="postgresql").render_as_string(hide_password=False)
            self.huey = PostgresHuey(NAME, results=False, dsn=plain, create_tables=False)
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
        self, settings: Settings, database: Database, stop: threading.Event,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._settings = settings
        self._database = database
        self._stop = stop
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
            if not sending.turn(
                self._database, self._settings, self._routes, self._executor, self._clock,
                broadcast_id,
            ):
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
    workers = Workers(settings, database, stop)
    wakes = Wakes(settings, workers.work)
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
        except SQLAlchemyError as error:
            log.error("the database does not answer: %s", type(error).__name__)
        consumer.check_worker_health()
    consumer.stop(graceful=True)
    workers.close()


class _Consumer(Consumer):  # type: ignore[misc]
    """huey's consumer, which leaves the signals to us."""

    def _set_signal_handlers(self) -> None:
        pass
