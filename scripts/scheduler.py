"""The scheduler process: what happens by the clock and belongs to no call."""

from __future__ import annotations

import logging
import threading
from datetime import UTC, datetime

from apscheduler.events import (  # type: ignore[import-untyped]
    EVENT_JOB_ERROR,
    EVENT_JOB_MISSED,
    JobExecutionEvent,
)
from apscheduler.schedulers.background import BackgroundScheduler  # type: ignore[import-untyped]

from crm import notices, users
from crm.database import Database
from crm.settings import Settings
from ivr import ledger, provision
from scripts import speech

log = logging.getLogger(__name__)


def main(settings: Settings, stop: threading.Event) -> None:
    """Run the jobs until told to stop. A job that fails is logged and tried at its next time."""
    database = Database(settings.database_url)
    jobs = Jobs(settings, database, stop)
    # One run at a time, late runs caught up once: a suspended machine must not wake to a storm.
    scheduler = BackgroundScheduler(
        timezone="Asia/Ho_Chi_Minh",
        job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": 3600},
    )
    scheduler.add_listener(_report, EVENT_JOB_ERROR | EVENT_JOB_MISSED)
    scheduler.add_job(jobs.send_notices, "interval", seconds=15, id="notices")
    scheduler.add_job(jobs.check_ledger, "cron", minute=7, id="ledger")
    scheduler.add_job(jobs.forget_sessions, "cron", hour=3, minute=20, id="sessions")
    if settings.voice != "espeak":
        scheduler.add_job(jobs.better_voice, "interval", minutes=10, id="voice",
                          next_run_time=datetime.now(UTC))
    scheduler.start()
    log.info("jobs: %s", ", ".join(job.id for job in scheduler.get_jobs()))
    stop.wait()
    scheduler.shutdown(wait=False)


class Jobs:
    """The jobs; each may be run at any time and as often as one likes."""

    def __init__(self, settings: Settings, database: Database, stop: threading.Event) -> None:
        self._settings = settings
        self._database = database
        self._stop = stop
        self._send = notices.twilio_sender(settings)

    def send_notices(self) -> None:
        """Deliver what waits, where a provider is set."""
        if self._send:
            notices.deliver(self._database, self._send, datetime.now(UTC))

    def check_ledger(self) -> None:
        """Every call of the journal against the rows; an unexplained one alarms."""
        journal = provision.journal(self._settings.home).parent
        with self._database.reading() as session:
            result = ledger.check(session, journal, self._settings.node)
        if result.unexplained:
            count = len(result.unexplained)
            log.error("the ledger has %d unexplained calls: see hotline ledger", count)
            with self._database.transaction() as session:
                notices.alarm(
                    session, self._settings, subject="ledger",
                    body=f"{count} calls without a record, see hotline ledger",
                    now=datetime.now(UTC),
                )

    def forget_sessions(self) -> None:
        """Delete sessions and refused sign-ins that no longer matter."""
        with self._database.transaction() as session:
            users.forget_old_sessions(session, datetime.now(UTC))

    def better_voice(self) -> None:
        """Replace embedded-voice prompts by the configured engine's, a few at a time."""
        speech.upgrade(self._settings, self._stop)


def _report(event: JobExecutionEvent) -> None:
    exception = getattr(event, "exception", None)
    if exception is None:
        log.warning("job %s missed its time", event.job_id)
    else:
        log.error("job %s failed: %s: %s", event.job_id, type(exception).__name__, exception)
