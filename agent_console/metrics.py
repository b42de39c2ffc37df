"""The hotline's figures for Prometheus, in its text format.

Everything is read when it is asked for: from the live feed's documents, by a few queries that each
go by an index, and from what the probe and the doctor found last. With the database gone what needs
it is left out, and `hotline_database_up` is 0.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from agent_console.door import Console
from crm import wallboard
from crm.calls import callbacks, emergency, history, messages
from crm.cases import life
from crm.cases.models import Case, Status
from crm.database import DatabaseError
from crm.models import AgentState, JournalGap, JournalPosition
from crm.notices import board
from crm.settings import Settings

CONTENT_TYPE = CONTENT_TYPE_LATEST
_UNDISPATCHED = (Status.NEW, Status.CLASSIFIED, Status.REOPENED)


def exposed(here: Console, now: datetime) -> bytes:
    """All figures as Prometheus reads them; UTC seconds and counts."""
    registry = CollectorRegistry()
    registry.register(_Figures(here, now))
    return generate_latest(registry)


class _Figures:
    def __init__(self, here: Console, now: datetime) -> None:
        self._here, self._now = here, now

    def collect(self) -> Iterator[Metric]:
        yield from _live(self._here.feed.documents(), self._here.feed.subscribers, self._now)
        yield from _found(self._here.settings.home)
        usage = shutil.disk_usage(self._here.settings.home)
        yield _gauge("disk_free_ratio", "Of the state folder's disk", usage.free / usage.total)
        try:
            with self._here.database.reading() as session:
                kept = list(_kept(session, self._here.settings, self._now))
        except (DatabaseError, SQLAlchemyError):
            kept = [_gauge("database_up", "The database answers", 0)]
        yield from kept


def _gauge(name: str, meaning: str, value: float) -> Metric:
    return GaugeMetricFamily(f"hotline_{name}", meaning, value=value)


def _by(
    name: str, meaning: str, label: str, values: Iterable[tuple[str, float]]
) -> Metric:
    family = GaugeMetricFamily(f"hotline_{name}", meaning, labels=[label])
    for key, value in values:
        family.add_metric([key], value)
    return family


def _live(documents: Mapping[str, Any], streams: int, now: datetime) -> Iterator[Metric]:
    """What goes on now, as the open pages see it."""
    waiting, longest, listeners = [], [], []
    agents = dict.fromkeys((state.value for state in AgentState), 0)
    for key, value in documents.items():
        kind, _, name = key.partition(":")
        if kind == "queue":
            waiting.append((name, value["waiting"]))
            first = value.get("oldest")
            since = datetime.fromisoformat(first) if first else now
            longest.append((name, max(0.0, (now - since).total_seconds())))
        elif kind == "agent":
            agents[value["state"]] = agents.get(value["state"], 0) + 1
        elif kind == "listener":
            listeners.append((name, value["connected"]))
    yield _by("waiting", "Callers waiting for a person", "queue", waiting)
    yield _by("longest_wait_seconds", "Of those who wait now", "queue", longest)
    yield _by("agents", "Agents by state", "state", agents.items())
    yield _by("listener_connected", "Listener connected to Asterisk", "node", listeners)
    yield _gauge("console_streams", "Open pages", streams)
    yield _gauge(
        "calls_in_menus", "Calls in menus now", documents.get("menus", {}).get("calls", 0)
    )


def _kept(session: Session, settings: Settings, now: datetime) -> Iterator[Metric]:
    """What the database knows."""
    since = history.day_start(now)
    yield _gauge("database_up", "The database answers", 1)
    yield _by(
        "calls_today", "Inbound calls since midnight by outcome", "outcome",
        ((name or "open", number) for name, number in wallboard.outcomes(session, since).items()),
    )
    days = wallboard.today(session, since, now, settings.service_level_s).branches
    yield _by("answered_in_time_today", "Numerator of the service level", "branch",
              ((branch or "", day.in_time) for branch, day in days.items()))
    yield _by("offered_today", "Denominator of the service level", "branch",
              ((branch or "", day.counted) for branch, day in days.items()))
    yield _gauge("emergencies_unreached", "Spoke with nobody and were not rung back",
                 len(emergency.unreached(session)))
    yield _gauge("callbacks_owed", "Promised and not kept yet",
                 len(callbacks.still_open(session)))
    yield _gauge("messages_untaken", "Voice messages that nobody has taken",
                 messages.untaken(session))
    yield _gauge("cases_undispatched", "Not with an agency yet", session.scalar(
        select(func.count(Case.id)).where(Case.status.in_(_UNDISPATCHED))
    ) or 0)
    yield _gauge("cases_overdue", "Open after their deadline", session.scalar(
        select(func.count(Case.id)).where(
            Case.status.in_([one for one in Status if one not in life.ENDED]), Case.due_at < now
        )
    ) or 0)
    trouble = board.trouble(session, settings, now)
    yield _gauge("notices_late", "Messages that wait for 10 minutes", trouble.late)
    yield _gauge("notices_failed", "Messages that failed in the last week", trouble.failed)
    yield _by(
        "journal_read_age_seconds", "Since the tailer last looked into the journal", "node",
        [(one.node, (now - one.read_at).total_seconds())
         for one in session.scalars(select(JournalPosition))],
    )
    yield _gauge("journal_gaps", "Places of the journal that could not be read",
                 session.scalar(select(func.count(JournalGap.id))) or 0)


def _found(home: Path) -> Iterator[Metric]:
    """What the probe and the doctor found when they looked last."""
    if (probe := _read(home / "probe.json")) is not None:
        yield _by("probe_failures", "Of the part, in a row", "part",
                  ((part, one["failures"]) for part, one in probe.items()))
        yield _gauge("probe_at_seconds", "When it looked last, Unix time",
                     (home / "probe.json").stat().st_mtime)
    if (doctor := _read(home / "doctor.json")) is not None:
        yield _by("doctor_failing", "Checks that fail, how often in a row", "check",
                  ((name, one["failures"]) for name, one in doctor.items()))


def _read(file: Path) -> dict[str, dict[str, Any]] | None:
    try:
        read: dict[str, dict[str, Any]] = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None  # never looked, or just being replaced
    return read
