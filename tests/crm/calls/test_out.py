"""Numbers outside that agents ring: how many, and who is told when it was that many."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from crm import settings as configuration
from crm.calls import out
from crm.calls.out import Limit, TooManyError
from crm.database import Database
from crm.models import RingOut
from crm.notices.models import Notice
from crm.settings import Settings
from tests.agent_console.factories import add_call, call_id

NOW = datetime(2026, 5, 4, 5, 0, tzinfo=UTC)
HOA = "0912345671"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return configuration.load({
        "HOTLINE_HOME": str(tmp_path), "HOTLINE_CALLS_OUT": "5", "HOTLINE_CALLS_OUT_HOUR": "3",
        "HOTLINE_ALARM_PHONES": "0912000999",
    })


def ring(
    database: Database, settings: Settings, at: datetime = NOW, *, by: str = "lan",
    number: str = HOA, call: str | None = None,
) -> None:
    with database.transaction() as session:
        out.note(session, settings, number, by, at, call)


def alarms(database: Database) -> list[str]:
    with database.reading() as session:
        return list(session.scalars(select(Notice.body)))


def test_an_agent_rings_so_many_an_hour_and_a_day(database: Database, settings: Settings) -> None:
    for minutes in range(3):
        ring(database, settings, NOW + timedelta(minutes=minutes))
    ring(database, settings, by="minh")  # each has an own limit
    with pytest.raises(TooManyError) as refused:
        ring(database, settings, NOW + timedelta(minutes=4))
    assert (refused.value.limit, refused.value.until) == (Limit.HOUR, NOW + timedelta(hours=1))
    for hours in (1, 2):
        ring(database, settings, NOW + timedelta(hours=hours, minutes=1))
    with pytest.raises(TooManyError) as refused:
        ring(database, settings, NOW + timedelta(hours=5))
    assert (refused.value.limit, refused.value.until) == (Limit.DAY, NOW + timedelta(days=1))
    ring(database, settings, NOW + timedelta(days=1, seconds=1))


def test_whoever_reaches_a_limit_alarms_the_engineers_once(
    database: Database, settings: Settings
) -> None:
    ring(database, settings)
    ring(database, settings)
    assert alarms(database) == []
    ring(database, settings)
    assert ["lan has rung 3 numbers in one hour" in body for body in alarms(database)] == [True]
    with pytest.raises(TooManyError):
        ring(database, settings)
    assert len(alarms(database)) == 1


def test_an_emergency_and_a_help_line_are_rung_whatever_was_rung_before(
    database: Database, settings: Settings
) -> None:
    for _ in range(3):
        ring(database, settings)
    help_call = call_id()
    add_call(database, id=help_call, caller=HOA, emergency=True, unreached=True)
    ring(database, settings, call=help_call)
    ring(database, settings, number="111")
    with pytest.raises(TooManyError):  # somebody else's number under the name of that call
        ring(database, settings, number="0912345672", call=help_call)
    with database.reading() as session:
        assert len(session.scalars(select(RingOut)).all()) == 5  # all are written down


def test_all_agents_together_ring_so_many_a_day_and_help_lines_stay_open(
    database: Database, tmp_path: Path
) -> None:
    settings = configuration.load({
        "HOTLINE_HOME": str(tmp_path), "HOTLINE_CALLS_OUT_TOGETHER": "4",
        "HOTLINE_ALARM_PHONES": "0912000999",
    })
    for number, who in enumerate(("lan", "minh", "hoa", "nam")):
        ring(database, settings, NOW + timedelta(hours=number), by=who)
    assert alarms(database) == [
        "1022 th1: 4 numbers rung in one day of all agents, the last by nam: toll fraud?"
    ]
    with pytest.raises(TooManyError) as refused:
        ring(database, settings, NOW + timedelta(hours=5), by="tuan")
    assert (refused.value.limit, refused.value.until) == (Limit.TOGETHER, NOW + timedelta(days=1))
    ring(database, settings, NOW + timedelta(hours=5), by="tuan", number="111")
