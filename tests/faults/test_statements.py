"""The database fails at each statement of the tailer, one after another: the rows are the same."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, select
from sqlalchemy.exc import OperationalError

from crm.database import Database
from crm.models import Base, Call, Callback, CallSegment, JournalGap, JournalPosition, Leg
from ivr.journal import Tailer
from tests.databases import Databases
from tests.journals import START, Asterisk, encode

TABLES = (Call, Leg, CallSegment, Callback, JournalGap)


def journal() -> bytes:
    """A call that an agent answers, one that asks to be called back, one that leaves a message, a
    torn record, and a second start."""
    asterisk = Asterisk()
    asterisk.booted()
    caller = asterisk.queued()
    leg = asterisk.answer(caller)
    asterisk.wait(5)
    caller.leave()
    leg.leave()
    waiting = asterisk.queued(number="0912345679")
    waiting.note("HL_CALLBACK", number="0912345679", queue="vaccine", branch="vaccine",
                 arrived="1763776800")
    waiting.end()
    leaver = asterisk.caller("0912345670")
    leaver.note("HL_VOICEMAIL", file="m.wav", ms="4000")
    leaver.end()
    asterisk.caller("0912345671")  # goes on when Asterisk dies
    later = Asterisk(boot="b2", at=asterisk.now, channels=100)
    later.booted()
    return encode(asterisk.events) + b'"CHAN_START","17"torn\n' + encode(later.events)


class Fails:
    """One statement of all; `number` None: none. Counts them."""

    def __init__(self, number: int | None) -> None:
        self.number, self.seen = number, 0

    def __call__(self, _c: Any, _cursor: Any, text: str, given: Any, _context: Any,
                 _many: bool) -> None:
        self.seen += 1
        if self.seen == self.number:
            raise OperationalError(text, given, Exception("the disk is full"))


@contextmanager
def failing(database: Database, number: int | None) -> Iterator[Fails]:
    fails = Fails(number)
    event.listen(database.engine, "before_cursor_execute", fails)
    try:
        yield fails
    finally:
        event.remove(database.engine, "before_cursor_execute", fails)


def follow(database: Database, folder: Path, number: int | None) -> Fails:
    """Read it all, starting again after an error as the tailer does."""
    tailer = Tailer(database, folder, "th1", lambda: START + timedelta(hours=1))
    with failing(database, number) as fails:
        still = 3
        while still:
            try:
                still = still - 1 if not tailer.step() else 3
            except OperationalError:
                tailer._close()
    return fails


def rows(database: Database) -> dict[str, list[tuple[Any, ...]]]:
    found: dict[str, list[tuple[Any, ...]]] = {}
    with database.reading() as session:
        for model in TABLES:
            table = Base.metadata.tables[model.__tablename__]
            columns = [one for one in table.columns if one.name not in ("found_at", "id")
                       or model is not JournalGap]
            found[table.name] = sorted(
                (tuple(map(str, row)) for row in session.execute(select(*columns))), key=str
            )
        offset = session.scalars(select(JournalPosition.offset)).one()
        found["position"] = [(offset,)]
    return found


@pytest.mark.parametrize(
    "kind", ["sqlite", pytest.param("postgresql", marks=pytest.mark.full)]
)
def test_whichever_statement_fails_the_rows_are_the_same(
    databases: Databases, kind: str, tmp_path: Path
) -> None:
    (tmp_path / "journal.csv").write_bytes(journal())
    with databases.new(kind) as sound:
        statements = follow(sound, tmp_path, None).seen
        whole = rows(sound)
    assert statements > 10
    assert all(whole[name] for name in ("call", "leg", "call_segment", "callback", "journal_gap"))
    for number in range(1, statements + 1):
        with databases.new(kind) as database:
            fails = follow(database, tmp_path, number)
            assert fails.seen > statements, "it failed, and was tried again"
            assert rows(database) == whole, f"statement {number}"
