"""A month of calls that is old enough, and everything that the database has of it."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from crm import secrets
from crm import settings as configuration
from crm.archive.months import Archive
from crm.archive.rows import KINDS
from crm.calls import record, shifts
from crm.database import Database
from crm.models import AgentEvent, Call, CallNote, LineQuality, Role, User
from crm.privacy import sealing
from crm.reports import calls as counts
from crm.reports.spans import begin
from crm.settings import Settings
from tests.calls_of_a_day import a_day

DAY = date(2025, 11, 22)  # of tests.calls_of_a_day
MONTH = date(2025, 11, 1)
NOW = datetime(2028, 1, 15, 3, 0, tzinfo=UTC)
LEVEL_S = 20
NOTED = "Bà Sáu ở thôn Đông cần xe cấp cứu"


def settings_of(home: Path, **given: object) -> Settings:
    return configuration.load({"HOTLINE_HOME": str(home)} | {
        f"HOTLINE_{name.upper()}": str(value) for name, value in given.items()
    })


def cheap_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keys are derived at little cost: it is not they that are looked at."""
    monkeypatch.setattr(sealing, "Scrypt", lambda **given: Scrypt(**given | {"n": 16}))


def an_archive(database: Database, home: Path) -> Archive:
    secrets.ensure(home, [])
    return Archive(database, home)


def fill(database: Database, number: int = 60, seed: int = 5) -> None:
    """A day of calls as the tailer writes them, whose sounds are gone by now; and notes on them."""
    events = a_day(number, seed)
    with database.transaction() as session:
        record.apply(session, events)
        shifts.apply(session, events)
        session.execute(update(Call).values(recording=None, voicemail=None, unreached=False,
                                            broken_off=None))
        session.execute(update(Call).where(Call.ended_at.is_(None)).values(ended_at=Call.started_at,
                                                                           outcome="lost"))
        user = User(login="lan", name="Lan", role=Role.AGENT, password_hash="", queues=[],
                    active=True, created_at=NOW)
        session.add(user)
        session.flush()
        for call in session.scalars(select(Call).where(Call.outcome == "answered")):
            session.add(CallNote(call_id=call.id, user_id=user.id, text=NOTED, result=None,
                                 created_at=call.started_at, saved_at=call.started_at, done=True))
            session.add(LineQuality(
                leg=call.id[-36:], call_id=call.id, agent="lan", at=call.started_at, samples=3,
                mean=4.1, worst=3.25, loss=0.1, jitter=2.0, round_trip=30.5,
            ))


def counted(database: Database) -> None:
    """As the scheduler has counted the month's days long since."""
    with database.transaction() as session:
        for offset in range(30):
            day = MONTH + timedelta(days=offset)
            counts.count(session, day, begin(day) + timedelta(days=9), LEVEL_S)


def everything(database: Database) -> dict[str, list[Any]]:
    """All that may be archived, row by row."""
    with database.reading() as session:
        return {
            column.table.name: sorted(
                json.dumps({
                    name: value for name, value in row.items()
                    if (column.table.name, name) != ("call_note", "id")
                }, sort_keys=True, default=repr)
                for row in session.execute(select(column.table)).mappings()
            ) for kind in KINDS.values() for column in kind.columns
        }


def left(session: Session) -> tuple[int, int]:
    """How many calls, and words of agents."""
    return (len(session.scalars(select(Call.id)).all()),
            len(session.scalars(select(AgentEvent.id)).all()))
