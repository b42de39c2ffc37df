"""The ledger: what the journal and the rows say of each other."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import delete, update
from sqlalchemy.orm import Session

from crm.database import Database
from crm.models import Call
from ivr import ledger as ledger_module
from ivr.journal import Tailer
from ivr.ledger import Ledger, Unexplained, check
from tests.journals import START, Asterisk, encode


def written(folder: Path, asterisk: Asterisk, *, name: str = "journal.csv") -> None:
    with (folder / name).open("ab") as file:
        file.write(encode(asterisk.events))
    asterisk.events = []


def tailed(database: Database, folder: Path) -> None:
    tailer = Tailer(database, folder, "th1", lambda: START)
    while tailer.step():
        pass


def ledger(database: Database, folder: Path) -> Ledger:
    with database.reading() as session:
        return check(session, folder, "th1")


def test_nothing_is_unexplained_when_the_tailer_has_done_its_work(
    database: Database, tmp_path: Path
) -> None:
    asterisk = Asterisk()
    done, _open = asterisk.queued(), asterisk.caller()
    done.end()
    written(tmp_path, asterisk, name="journal-20251122T030000.csv")
    asterisk.caller().end()
    written(tmp_path, asterisk)
    tailed(database, tmp_path)
    result = ledger(database, tmp_path)
    assert result == Ledger(calls=3, open=1, gaps=0, unread_bytes=0, unexplained=())
    assert result.as_dict() == {
        "calls": 3, "open": 1, "gaps": 0, "unread_bytes": 0, "archived": 0,
        "unexplained": 0, "unexplained_calls": [],
    }
    assert list(result.lines()) == [
        "3 calls in the journal, 0 unexplained, 1 open, 0 gaps, 0 bytes not read yet"
    ]


def test_a_journal_that_nobody_has_read_is_no_fault(sqlite: Database, tmp_path: Path) -> None:
    assert ledger(sqlite, tmp_path) == Ledger(0, 0, 0, 0, ())
    asterisk = Asterisk()
    asterisk.caller()
    written(tmp_path, asterisk)
    size = (tmp_path / "journal.csv").stat().st_size
    assert ledger(sqlite, tmp_path) == Ledger(0, 0, 0, size, ())


def test_what_the_tailer_has_still_to_read_is_only_reported(
    sqlite: Database, tmp_path: Path
) -> None:
    asterisk = Asterisk()
    caller = asterisk.queued()
    written(tmp_path, asterisk)
    tailed(sqlite, tmp_path)
    caller.end()
    asterisk.caller()
    unread = len(encode(asterisk.events))
    written(tmp_path, asterisk)
    assert ledger(sqlite, tmp_path) == Ledger(1, 1, 0, unread, ())


def test_a_call_without_a_row_is_unexplained(sqlite: Database, tmp_path: Path) -> None:
    asterisk = Asterisk()
    kept, gone = asterisk.caller(), asterisk.caller()
    written(tmp_path, asterisk)
    tailed(sqlite, tmp_path)
    with sqlite.transaction() as session:
        session.execute(delete(Call).where(Call.id == gone.id))
    result = ledger(sqlite, tmp_path)
    assert result.unexplained == (Unexplained(gone.id, "it is in the journal, but has no row"),)
    assert result.as_dict()["unexplained_calls"] == [
        {"id": gone.id, "why": "it is in the journal, but has no row"}
    ]
    assert kept.id not in str(result.unexplained)


@pytest.mark.parametrize("outcome", [None, "vanished"])
def test_a_call_that_ended_without_an_outcome_is_unexplained(
    sqlite: Database, tmp_path: Path, outcome: str | None
) -> None:
    old, new = Asterisk(boot="b1"), Asterisk(boot="b2", at=START + timedelta(hours=1))
    ended, lost = old.caller(), old.caller()
    ended.end()
    going = new.caller()
    written(tmp_path, old)
    written(tmp_path, new)
    tailed(sqlite, tmp_path)
    with sqlite.transaction() as session:
        session.execute(update(Call).values(outcome=outcome))
    found = ledger(sqlite, tmp_path).unexplained
    assert [one.call_id for one in found] == [ended.id, lost.id]
    assert going.id not in str(found)


def test_a_row_without_a_call_in_the_journal_is_unexplained(
    sqlite: Database, tmp_path: Path
) -> None:
    asterisk = Asterisk()
    asterisk.caller()
    written(tmp_path, asterisk)
    tailed(sqlite, tmp_path)
    with sqlite.transaction() as session:
        for id_, node, hours in (
            ("th1.b1-7.7", "th1", 1), ("th1.b0-1.1", "th1", -9), ("th2.b1-7.7", "th2", 1),
        ):
            session.add(Call(
                id=id_, node=node, boot="b1", direction="in", kind="citizen",
                started_at=START + timedelta(hours=hours), outcome="answered",
            ))
    # older than the journal that is kept, or another node's: not for this journal to say
    assert ledger(sqlite, tmp_path).unexplained == (
        Unexplained("th1.b1-7.7", "it has a row, but is not in the journal"),
    )


def test_a_call_whose_start_is_in_a_gap_is_explained(sqlite: Database, tmp_path: Path) -> None:
    asterisk = Asterisk()
    before, torn = asterisk.caller(), asterisk.caller()
    torn.end()
    data = encode(asterisk.events)
    start = data.index(f'"{torn.id}"'.encode())
    (tmp_path / "journal.csv").write_bytes(data[:start] + data[start + 9:])
    tailed(sqlite, tmp_path)
    result = ledger(sqlite, tmp_path)
    assert (result.calls, result.gaps, result.unexplained) == (2, 1, ())
    assert before.id


def test_a_tailer_that_goes_on_meanwhile_leaves_nothing_unexplained(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asterisk = Asterisk()
    asterisk.caller()
    written(tmp_path, asterisk)
    tailed(database, tmp_path)
    look = ledger_module._read_committed
    late = [asterisk.caller() for _ in range(2)]

    def look_and_be_overtaken(session: Session, folder: Path, node: str) -> object:
        seen = look(session, folder, node)
        if asterisk.events:
            written(tmp_path, asterisk)
            tailed(database, tmp_path)
        return seen

    monkeypatch.setattr(ledger_module, "_read_committed", look_and_be_overtaken)
    assert ledger(database, tmp_path).unexplained == ()
    monkeypatch.undo()
    assert ledger(database, tmp_path).calls == 1 + len(late)
