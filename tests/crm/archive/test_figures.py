"""Reports say of an archived month what they said before."""

from __future__ import annotations

import random
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from crm.archive import months
from crm.clock import VIETNAM
from crm.database import Database
from crm.models import Call
from crm.reports import calls, daily, kept, period, service
from crm.reports.measures import By, Found
from crm.reports.models import CountedDay
from crm.reports.spans import begin
from tests.crm.archive.months import DAY, LEVEL_S, MONTH, NOW, an_archive, cheap_keys, fill, left
from tests.crm.reports.seeded import add_calls

OTHER = date(2025, 11, 20)


@pytest.fixture
def full(database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Database:
    """Calls of a day as the journal told them, and two more days of calls of every kind."""
    monkeypatch.setattr(months, "REST_S", 0.0)
    cheap_keys(monkeypatch)
    fill(database, number=50)
    with database.transaction() as session:
        known = set(session.scalars(select(Call.id)))
        add_calls(session, random.Random(3))
        session.flush()
        new = Call.id.not_in(known)
        for call in session.scalars(select(Call).where(new)):
            call.started_at = begin(OTHER) + (call.started_at - begin(date(2026, 3, 9)))
        session.execute(update(Call).where(new).values(
            unreached=False, ended_at=Call.started_at))
    return database


def figures(database: Database) -> dict[str, Any]:
    """All that reports say of the month, and of what stands before and after its border."""
    with database.reading() as session:
        read: dict[date, Found] = {}
        found: dict[str, Any] = {
            by: kept.of_days(session, by, date(2025, 11, 19), date(2025, 12, 2), NOW, LEVEL_S, read)
            for by in By
        }
        for day in (DAY, OTHER):
            found[f"norm {day}"] = service.norm(session, day, NOW, LEVEL_S)
            for until in (daily.cut(day), begin(day + timedelta(days=1))):
                found[f"calls until {until}"] = sums(calls.between(session, begin(day), until))
        found["across"] = sums(calls.between(
            session, datetime(2025, 10, 30, 5, tzinfo=VIETNAM), datetime(2025, 12, 2, tzinfo=UTC)))
        found["period"] = period.document(
            session, period.By.BRANCH, MONTH, date(2025, 11, 30), NOW)
        return found


def sums(counts: list[calls.Count]) -> dict[tuple[str, str, str], calls.Sums]:
    keys = {(one.direction, one.branch, one.outcome) for one in counts}
    return {key: calls.sums([one for one in counts if (one.direction, one.branch, one.outcome)
                             == key]) for key in sorted(keys)}


def test_every_figure_of_a_month_is_the_same_when_it_is_archived(
    full: Database, tmp_path: Path
) -> None:
    before = figures(full)  # as the calls themselves tell it
    with full.transaction() as session:  # one day was counted in time, one too early, others never
        for day, days in ((DAY, 9), (OTHER, 2)):
            calls.count(session, day, begin(day) + timedelta(days=days), LEVEL_S)
    with full.reading() as session:
        whole, _ = left(session)
    archive = an_archive(full, tmp_path)
    archive.make(MONTH, LEVEL_S, NOW)
    with full.reading() as session:
        assert left(session) == (0, 0)
        assert len(session.scalars(select(CountedDay.day)).all()) >= 30
        assert calls.due(session, NOW, 100) == []
    assert figures(full) == before
    assert whole > 100
    archive.restore(MONTH, NOW + timedelta(days=9))
    with full.reading() as session:
        assert left(session)[0] == whole
    assert figures(full) == before
