"""Callers who reached nobody, as work."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from threading import Barrier

import pytest
from sqlalchemy import select

from crm.calls import missed
from crm.calls.missed import HELD_FOR, Missed, MissedError, Result
from crm.database import Database
from crm.models import MissedCaller, RingOut
from tests.agent_console.factories import add_call

NOW = datetime(2026, 5, 4, 5, 0, tzinfo=UTC)
DAY = timedelta(hours=48)
HOA, NAM = "0912345671", "0912345672"


def call(database: Database, caller: str | None, minutes_ago: float, outcome: str) -> None:
    at = NOW - timedelta(minutes=minutes_ago)
    add_call(
        database, id=f"th1.b1-{int(at.timestamp())}.{minutes_ago:.0f}", caller=caller,
        started_at=at, outcome=outcome, kind="citizen",
    )


def waiting(database: Database, now: datetime = NOW) -> list[Missed]:
    with database.reading() as session:
        return missed.waiting(session, now, DAY)


def test_a_number_stands_once_however_often_it_called_the_oldest_first(database: Database) -> None:
    call(database, NAM, 50, "abandoned_queue")
    for minutes in (90, 60, 10):
        call(database, HOA, minutes, "abandoned_queue")
    call(database, None, 80, "abandoned_queue")  # nobody can ring back who withheld the number
    assert [(one.number, one.times) for one in waiting(database)] == [(HOA, 3), (NAM, 1)]
    hoa = waiting(database)[0]
    assert (NOW - hoa.first_at, NOW - hoa.last_at) == (
        timedelta(minutes=90), timedelta(minutes=10)
    )


@pytest.mark.parametrize(("outcome", "listed"), [
    ("abandoned_queue", True), ("rejected", True), ("lost", True),
    ("abandoned_menu", False), ("self_served", False), ("answered", False),
    ("voicemail", False), ("callback", False),
])
def test_who_wanted_a_person_and_reached_none_is_listed(
    database: Database, outcome: str, listed: bool
) -> None:
    call(database, HOA, 60, outcome)
    assert bool(waiting(database)) is listed


@pytest.mark.parametrize("reached", ["answered", "transferred", "callback", "voicemail"])
def test_who_reached_somebody_later_is_gone_and_comes_back_with_a_new_call_in_vain(
    database: Database, reached: str
) -> None:
    call(database, HOA, 60, "abandoned_queue")
    call(database, HOA, 30, reached)
    assert waiting(database) == []
    call(database, HOA, 5, "rejected")
    assert [(one.number, one.times) for one in waiting(database)] == [(HOA, 1)]


def test_what_is_done_is_gone_until_the_next_call_in_vain(database: Database) -> None:
    call(database, HOA, 60, "abandoned_queue")
    with database.transaction() as session:
        missed.take(session, HOA, "lan", NOW)
        missed.finish(session, HOA, "lan", Result.HELPED, NOW)
    assert waiting(database) == []
    call(database, HOA, -5, "abandoned_queue")
    assert [one.times for one in waiting(database, NOW + timedelta(minutes=6))] == [1]


def test_after_no_answer_the_caller_waits_again_and_the_tries_are_counted(
    database: Database
) -> None:
    call(database, HOA, 60, "abandoned_queue")
    with database.transaction() as session:
        missed.take(session, HOA, "lan", NOW)
        session.add(RingOut(number=HOA, by="lan", at=NOW))
        missed.finish(session, HOA, "lan", Result.NO_ANSWER, NOW)
    (again,) = waiting(database)
    assert (again.taken_by, again.tries) == (None, 1)


def test_what_another_has_is_not_taken_until_it_is_given_back_or_forgotten(
    database: Database
) -> None:
    call(database, HOA, 60, "abandoned_queue")
    with database.transaction() as session:
        missed.take(session, HOA, "lan", NOW)
        missed.take(session, HOA, "lan", NOW)
    with database.transaction() as session, pytest.raises(MissedError) as refused:
        missed.take(session, HOA, "minh", NOW + timedelta(minutes=1))
    assert refused.value.by == "lan"
    with database.transaction() as session, pytest.raises(MissedError):
        missed.give_back(session, HOA, "minh")
    with database.transaction() as session, pytest.raises(MissedError):
        missed.finish(session, HOA, "minh", Result.HELPED, NOW)
    assert waiting(database, NOW + HELD_FOR / 2)[0].taken_by == "lan"
    assert waiting(database, NOW + HELD_FOR)[0].taken_by is None
    with database.transaction() as session:
        missed.take(session, HOA, "minh", NOW + HELD_FOR)
        missed.give_back(session, HOA, "minh")
        missed.take(session, HOA, "lan", NOW + HELD_FOR)


def test_of_two_who_take_at_once_one_has_it(database: Database) -> None:
    call(database, HOA, 60, "abandoned_queue")
    ready = Barrier(4)

    def take(login: str) -> str | None:
        ready.wait()
        try:
            with database.transaction() as session:
                missed.take(session, HOA, login, NOW)
        except MissedError:
            return None
        return login

    with ThreadPoolExecutor(4) as pool:
        got = [one for one in pool.map(take, ("lan", "minh", "huy", "mai")) if one]
    assert len(got) == 1
    assert waiting(database)[0].taken_by == got[0]


def test_what_is_done_is_forgotten_with_the_callers_numbers(database: Database) -> None:
    call(database, HOA, 60, "abandoned_queue")
    with database.transaction() as session:
        missed.take(session, HOA, "lan", NOW)
        session.add(RingOut(number=HOA, by="lan", at=NOW))
        missed.finish(session, HOA, "lan", Result.HELPED, NOW)
        missed.take(session, NAM, "lan", NOW)
        missed.forget(session, NOW + timedelta(days=1))
        assert session.scalars(select(RingOut)).all() == []
        assert [one.number for one in session.scalars(select(MissedCaller))] == [NAM]
