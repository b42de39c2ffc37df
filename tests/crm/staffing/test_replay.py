"""Counts by half-hour, the plan of a day, and a past day played again."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy.orm import Session

from crm import settings as settings_room
from crm.clock import VIETNAM
from crm.database import Database
from crm.models import AgentEvent, Call, CallSegment
from crm.reports import calls
from crm.settings import Settings
from crm.staffing import history, plan, replay
from tests.accounts import hash_quickly
from tests.crm.shifts.factory import shift, someone

DAY = date(2026, 11, 18)
NOW = datetime(2026, 11, 20, tzinfo=UTC)
PATIENCE, HANDLING, AGENTS = 150.0, 200.0, 7


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    hash_quickly(monkeypatch)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return settings_room.load({"HOTLINE_HOME": str(tmp_path)})


def at(day: date, seconds: float) -> datetime:
    return datetime.combine(day, time(), VIETNAM) + timedelta(seconds=seconds)


def add(
    session: Session, number: int, queued_at: datetime, waited: float, talk: float | None,
    branch: str = "vaccine",
) -> None:
    answered = queued_at + timedelta(seconds=waited) if talk is not None else None
    session.add(Call(
        id=f"th1.b1-1.{number}", node="th1", boot="b1", direction="in", kind="citizen",
        caller="0912345678", started_at=queued_at - timedelta(seconds=30), queued_at=queued_at,
        answered_at=answered, ended_at=queued_at + timedelta(seconds=waited + (talk or 0)),
        outcome="answered" if answered else "abandoned_queue", branch=branch, path=[],
        wait_ms=int(waited * 1000), talk_ms=int((talk or 0) * 1000),
    ))


def a_day(session: Session, day: date, chance: np.random.Generator, first: int) -> int:
    """From 8 to 12 o'clock, as seven agents of a real queue would have had it: waits come from a
    queue that is worked through caller by caller, by other means than the simulation."""
    free = [8 * 3600.0] * AGENTS
    now, number = 8 * 3600.0, first
    while True:
        now += float(chance.exponential(1800 / 60))
        if now > 12 * 3600:
            return number
        turn = max(now, min(free))
        patience, talk = (float(chance.exponential(one)) for one in (PATIENCE, HANDLING))
        if turn - now > patience:
            add(session, number, at(day, now), patience, None)
        else:
            free[free.index(min(free))] = turn + talk
            add(session, number, at(day, now), turn - now, talk)
        number += 1


def staff(session: Session, day: date) -> None:
    for number in range(AGENTS):
        login = f"agent{number}"
        for name, hour in (("ready", 8), ("out", 13)):
            session.add(AgentEvent(
                id=f"th1.b1-2.{day:%d}{number}{hour}", agent=login, at=at(day, hour * 3600),
                state=name,
            ))


def test_half_hours_are_counted_with_the_days_and_counted_again(
    database: Database, settings: Settings
) -> None:
    with database.transaction() as session:
        morning = 8 * 3600 + 60
        add(session, 1, at(DAY, morning), 10, 100)
        add(session, 2, at(DAY, morning + 1), 30, 200)
        add(session, 3, at(DAY, morning + 2), 3, None)
        add(session, 4, at(DAY, morning + 3), 90, None)
        add(session, 5, at(DAY, morning + 1800), 5, 60, branch="relief")
        add(session, 6, at(DAY, 24 * 3600 - 1), 5, 60)
        session.add(CallSegment(
            call_id="th1.b1-1.1", number=0, what="wrapup", first=False, counted=False,
            started_at=at(DAY, morning + 110), ms=20_000,
        ))
        for _again in range(2):
            calls.count(session, DAY, NOW, settings.service_level_s)
        found = history.sums(session, "vaccine", DAY, DAY)
        assert (found.offered, found.answered, found.in_time, found.counted) == (5, 3, 2, 4)
        assert (found.abandoned, found.wait_ms, found.handled_ms) == (2, 138_000, 380_000)
        assert found.patience_s == 69
        by_slot = history.offered(session, history.ALL, DAY, DAY)[DAY]
        assert {slot: number for slot, number in enumerate(by_slot) if number} == {
            16: 4, 17: 1, 47: 1
        }
        assert history.offered(session, "relief", DAY, DAY)[DAY][17] == 1
        assert history.offered(session, "relief", DAY + timedelta(days=1), NOW.date()) == {}


def test_who_was_there_is_what_the_journal_says_and_else_the_roster(
    sqlite: Database
) -> None:
    with sqlite.transaction() as session:
        lan, minh = someone(session, "lan"), someone(session, "minh", queues=("relief",))
        shift(session, lan, at(DAY, 7 * 3600), 8)
        shift(session, minh, at(DAY, 22 * 3600), 8, branch="")
        assert history.staffed(session, history.ALL, DAY, NOW) == {}
        there = history.rostered(session, "vaccine", DAY)
        assert [there[slot] for slot in (13, 14, 29, 30, 44)] == [0, 1, 1, 0, 0]
        assert history.rostered(session, "relief", DAY + timedelta(days=1))[11] == 1
        for number, (login, hour, state) in enumerate((
            ("lan", 8, "ready"), ("lan", 9, "paused"), ("lan", 9.25, "ready"), ("lan", 12, "out"),
            ("minh", 8.75, "ready"), ("minh", 10, "out"),
        )):
            session.add(AgentEvent(
                id=f"th1.b1-2.{number}", agent=login, at=at(DAY, hour * 3600), state=state
            ))
        session.flush()
        there_all = history.staffed(session, history.ALL, DAY, NOW)
        assert [there_all[slot] for slot in (15, 16, 17, 18, 19, 20, 24)] == [
            0, 1, 1.5, 1.5, 2, 1, 0
        ]
        assert history.staffed(session, "vaccine", DAY, NOW)[19] == 1
        assert max(history.staffed(session, "vaccine", DAY, at(DAY, 9 * 3600))) == 17


def test_a_past_day_comes_out_of_simulation_and_formula_as_it_was(
    sqlite: Database, settings: Settings
) -> None:
    chance = np.random.default_rng(1022)
    with sqlite.transaction() as session:
        for number in range(AGENTS):
            someone(session, f"agent{number}")
        next_number = 1
        for back in range(8, -1, -1):
            next_number = a_day(session, DAY - timedelta(days=back), chance, next_number)
        staff(session, DAY)
        session.flush()
        for back in range(9):
            calls.count(session, DAY - timedelta(days=back), NOW, settings.service_level_s)
        found = replay.of_day(session, settings, "vaccine", DAY, NOW)
        again = replay.of_day(session, settings, "vaccine", DAY, NOW)
        assert found == again  # the draws have a seed
        assert found is not None
        assert found.staffed == "journal"
        real = found.real.level
        assert real is not None
        assert 0.3 < real < 0.95  # a day that can be missed in both directions
        error = 4 * math.sqrt(real * (1 - real) / found.real.offered) + 0.03
        assert found.simulated == pytest.approx(real, abs=error)
        assert found.lowest <= found.simulated <= found.highest
        assert found.formula == pytest.approx(real, abs=0.15)
        assert found.abandoned == pytest.approx(found.real.abandoned or 0, abs=0.08)
        # with the agents of half the day gone it would have come out otherwise
        basis = plan.basis(session, settings, "vaccine", DAY + timedelta(days=1))
        assert basis.patience_s == pytest.approx(PATIENCE, rel=0.35)
        assert basis.handling_s == pytest.approx(HANDLING, rel=0.1)


def test_a_day_that_nothing_is_known_of_is_not_played(
    sqlite: Database, settings: Settings
) -> None:
    with sqlite.transaction() as session:
        assert replay.of_day(session, settings, "", DAY, NOW) is None
        for number in range(replay.FEWEST):
            add(session, number, at(DAY, 9 * 3600 + number), 10, 100)
        session.flush()
        assert replay.of_day(session, settings, "", DAY, NOW) is None  # nobody knows who was there


def test_a_plan_tells_what_two_more_would_do(sqlite: Database, settings: Settings) -> None:
    chance = np.random.default_rng(7)
    with sqlite.transaction() as session:
        number = 1
        for back in range(45, 0, -1):
            day = DAY - timedelta(days=back)
            for _call in range(int(chance.poisson(40))):
                add(session, number, at(day, 9 * 3600 + float(chance.uniform(0, 3600))), 10, 240)
                number += 1
            calls.count(session, day, NOW, settings.service_level_s)
        lan = someone(session, "lan")
        shift(session, lan, at(DAY, 9 * 3600), 1)
        session.flush()
        found = plan.of_day(session, settings, "vaccine", DAY, DAY)
        assert found.forecast.errors.days == 14
        at_nine = found.slots[18]
        assert at_nine.calls == pytest.approx(20, rel=0.3)
        assert at_nine.rostered == 1
        assert at_nine.needed >= 4
        levels = {more: out.level for more, out in at_nine.outlooks.items()}
        assert set(levels) == {0, 2}  # nobody can be two fewer than one
        assert levels[2] > levels[0]
        assert (plan.level(found.slots, 2) or 0) > (plan.level(found.slots) or 0)
        assert found.slots[0].needed == 0
