"""A journal that is written in any portions, rotated and read by a tailer that dies at any moment
gives the same rows as one that is read at once."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from io import FileIO
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select
from sqlalchemy.exc import OperationalError

from crm.calls.facts import JournalEvent
from crm.database import Database
from crm.models import Call, CallSegment, Leg
from ivr.journal_reader import CURRENT, STAMP
from tests.databases import Databases
from tests.ivr.test_journal import FORGED, Desk, refused
from tests.journals import START, Asterisk, encode

STEPS = ("written", "written", "read", "restarted", "refused", "rotated")


def events() -> list[JournalEvent]:
    """Two boots; callers who are answered, leave, are still there when Asterisk dies; one shows a
    name that looks like records."""
    asterisk = Asterisk()
    asterisk.booted()
    for number in ("0912345601", "0912345602"):
        caller = asterisk.queued(number=number)
        agent = asterisk.answer(caller)
        asterisk.wait(5)
        caller.end()
        agent.end()
    asterisk.caller("0912345603").end()
    asterisk.queued(number="0912345604")
    asterisk.events[-1] = replace(asterisk.events[-1], name=FORGED)
    later = Asterisk(boot="b2", at=asterisk.now, channels=100)
    later.booted()
    later.queued(number="0912345605").end()
    return asterisk.events + later.events


class Writer:
    """As Asterisk writes: each record goes whole into the file that it was begun in."""

    def __init__(self, folder: Path, records: Sequence[bytes]) -> None:
        self._folder, self._records, self._rest = folder, list(records), b""
        self._file: FileIO | None = None
        self._rotations = 0

    def write(self, count: int) -> None:
        while count and (self._rest or self._records):
            if self._file is None:
                self._file = FileIO(self._folder / CURRENT, "ab")
                self._rest = self._records.pop(0)
            piece, self._rest = self._rest[:count], self._rest[count:]
            self._file.write(piece)
            count -= len(piece)
            if not self._rest:
                self._file.close()
                self._file = None

    def rotate(self) -> None:
        """By somebody else than the tailer; the record that is being written ends in it."""
        if (self._folder / CURRENT).exists():
            self._rotations += 1
            at = START + timedelta(hours=2, seconds=self._rotations)
            (self._folder / CURRENT).rename(self._folder / at.strftime(STAMP))

    def finish(self) -> None:
        self.write(sum(map(len, self._records)) + len(self._rest))


def rows(database: Database) -> list[list[Any]]:
    with database.reading() as session:
        return [
            sorted(tuple(map(str, row)) for row in session.execute(select(*columns)))
            for columns in (
                [one for one in table.__table__.columns if one.name != "id" or table is not
                 CallSegment]
                for table in (Call, Leg, CallSegment)
            )
        ]


RECORDS = tuple(encode([one]) for one in events())


@pytest.fixture(scope="module")
def straight(databases: Databases) -> list[list[Any]]:
    """Of a journal that is read at once."""
    with databases.new("sqlite") as database, tempfile.TemporaryDirectory() as folder:
        desk = Desk(database, Path(folder))
        desk.write(b"".join(RECORDS))
        desk.read()
        return rows(database)


@settings(max_examples=25)
@given(st.lists(st.tuples(st.sampled_from(STEPS), st.integers(1, 3000)), max_size=15))
def test_however_it_is_written_and_whoever_dies_the_rows_are_the_same(
    databases: Databases, straight: list[list[Any]], steps: list[tuple[str, int]]
) -> None:
    with databases.new("sqlite") as database, tempfile.TemporaryDirectory() as folder:
        desk, writer = Desk(database, Path(folder)), Writer(Path(folder), RECORDS)
        for step, count in steps:
            if step == "written":
                writer.write(count)
            elif step == "read":
                desk.read()
            elif step == "restarted":
                desk.restart()
            elif step == "rotated":
                writer.rotate()
            else:
                with refused(database), suppress(OperationalError):
                    desk.read()
                desk.restart()
        writer.finish()
        desk.restart()
        desk.read()
        assert desk.gaps() == []
        assert rows(database) == straight
