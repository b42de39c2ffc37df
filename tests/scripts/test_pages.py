"""Every page, over a history made by scripts.bench.generate: none fails, and none reads the tables
that grow from end to end, which is why they stay quick when there are millions of rows."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from crm.database import Database
from crm.models import Base
from scripts.bench import generate
from scripts.bench import pages as bench_pages
from scripts.bench.desks import History
from tests.accounts import hash_quickly

CALLS = 4_000
SPAN = timedelta(days=20)  # each of its days is counted
GROWING = (
    "call", "citizen_case", "case_event", "notice", "case_call", "message_task", "leg",
    "call_segment", "call_note", "callback", "line_quality", "sound", "sound_use", "sound_note",
    "citizen", "citizen_event", "missed_caller", "agent_event", "pause_spell", "shift",
    "measure_day", "half_hour", "call_day", "evaluation", "quality_pick",
)


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    hash_quickly(monkeypatch)

PARTS = {  # the indexes of a part of their table
    str(index.name) for table in Base.metadata.tables.values() for index in table.indexes
    if index.dialect_options["sqlite"].get("where") is not None
}


def read_whole(database: Database, statement: str, given: Any) -> set[str]:
    """The growing tables that a statement reads from end to end; not where it reads them in an
    order that stands, and stops at a limit, nor where it reads an index of the few that wait."""
    lines = bench_pages.plan_of(database, statement, given)
    if "LIMIT" in statement and not any("FOR ORDER BY" in line or "Sort" in line for line in lines):
        return set()
    scan = r"\bSCAN (\w+)" if database.is_sqlite else r"Seq Scan on \"?(\w+)"
    return {
        found[1] for line in lines
        if (found := re.search(scan, line)) and not any(f"INDEX {name}" in line for name in PARTS)
    } & set(GROWING)


def test_every_page_opens_and_none_reads_a_growing_table_whole(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    generate.fill(database, History(CALLS, datetime.now(UTC), SPAN), lambda _: None)
    if database.is_sqlite:  # so few rows are read whole where that is known: let it not be
        with database.engine.begin() as connection:
            connection.execute(text("DELETE FROM sqlite_stat1"))
        database.engine.dispose()
    monkeypatch.setattr(bench_pages, "TRIES", 1)
    pages = bench_pages.measure(database, tmp_path)
    assert len(pages) > 100
    assert [(page.path, page.code) for page in pages if page.code >= 500] == []
    if not database.is_sqlite:  # it looks how many there are: forbid it
        monkeypatch.setattr(bench_pages, "_EXPLAIN_FIRST", ("SET enable_seqscan = off",))
    whole = {
        (table, re.sub(r"\s+", " ", statement)): page.path
        for page in pages for _, statement, given in page.statements
        for table in read_whole(database, statement, given)
    }
    assert whole == {}
