"""A day of calls drawn by chance, counted by the hotline and again by a naive program."""

from __future__ import annotations

from dataclasses import asdict, astuple, replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from crm import wallboard
from crm.database import Database
from crm.reports import kept, measures, service
from crm.reports.measures import NONE, By, Measures
from crm.reports.spans import begin
from crm.wallboard import Day, Line, Today
from ivr.journal import Tailer
from tests import naive_count
from tests.agent_console.factories import add_call
from tests.calls_of_a_day import MIDNIGHT, a_day
from tests.databases import KINDS, Databases
from tests.journals import encode

DAY = date(2025, 11, 22)
LATER = MIDNIGHT + timedelta(days=9)
CALLS = 2000


@pytest.fixture(scope="module")
def journal() -> bytes:
    return encode(a_day(CALLS, seed=7))


def tailed(database: Database, folder: Path, journal: bytes) -> None:
    (folder / "journal.csv").write_bytes(journal)
    tailer = Tailer(database, folder, "th1", clock=lambda: LATER)
    while tailer.step():
        pass


@pytest.fixture(scope="module")
def wanted(journal: bytes) -> dict[tuple[str, str], dict[str, int]]:
    return {key: dict(one) for key, one in naive(journal).items()}


def naive(journal: bytes) -> naive_count.Figures:
    midnight, later = (int(at.timestamp()) * 10**6 for at in (MIDNIGHT, LATER))
    return naive_count.count(journal.decode(), DAY.isoformat(), midnight, later, 20)


def plain(found: measures.Found) -> dict[tuple[str, str], dict[str, int]]:
    return {
        (by.value, key): {name: number for name, number in asdict(one).items() if number}
        for (by, key), one in found.items() if one != measures.NONE
    }


def assert_shown(board: Today, wanted: dict[tuple[str, str], dict[str, int]]) -> None:
    """The live board has the figures of the naive count: by branch, hour and line outside."""
    def of(by: str) -> dict[str, Measures]:
        return {key: replace(NONE, **one) for (kind, key), one in wanted.items() if kind == by}

    assert board.branches == {key or None: Day.of(one) for key, one in of("branch").items()}
    hours = of("hour")
    for hour, halves in enumerate(zip(board.trend[:48:2], board.trend[1:48:2], strict=True)):
        shown = Day(*map(sum, zip(*map(astuple, halves), strict=True)))
        assert shown == Day.of(hours.get(f"{hour:02}", NONE)), hour
    assert board.lines == {
        key: Line(one.offers, one.taken, one.unanswered, one.refused)
        for key, one in of("party").items()
    }


@pytest.mark.parametrize("kind", KINDS)
def test_every_figure_of_a_random_day_is_what_a_naive_count_of_the_journal_says(
    databases: Databases, tmp_path: Path, journal: bytes,
    wanted: dict[tuple[str, str], dict[str, int]], kind: str,
) -> None:
    with databases.new(kind) as database:
        tailed(database, tmp_path, journal)
        with database.transaction() as session:
            live = measures.of_day(session, MIDNIGHT, LATER, 20)
            assert plain(live) == wanted
            kept.put(session, DAY, live)
            for by in By:
                again = kept.of_days(session, by, DAY, DAY, LATER, 20)
                assert again == {key: one for (of, key), one in sorted(live.items()) if of is by}
            assert_shown(wallboard.today(session, MIDNIGHT, LATER, 20), wanted)
    assert wanted["day", "2025-11-22"]["calls"] > CALLS * 0.9
    assert begin(DAY) == MIDNIGHT


def test_a_period_from_before_the_first_call_looks_at_no_day_of_which_there_is_nothing(
    sqlite: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_call(sqlite, started_at=MIDNIGHT + timedelta(hours=1))
    looked_at = []

    def of_day(*given: Any) -> measures.Found:
        looked_at.append(given[1])
        return measures.of_day(*given)

    monkeypatch.setattr(kept, "of_day", of_day)
    read: dict[date, measures.Found] = {}
    with sqlite.reading() as session:
        found = kept.of_days(session, By.DAY, DAY - timedelta(days=300), DAY, LATER, 20, read)
        service.document(session, By.DAY, DAY, DAY, LATER, 20, read)  # nor at any twice
    assert (found["2025-11-22"].calls, looked_at) == (1, [MIDNIGHT])
