"""Months leave the database and come back; whatever dies, nothing is lost."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import JSON, Boolean, Column, Float, Integer, delete, insert, select, update

from crm.archive import files, months, rows
from crm.archive.models import ArchivedMonth
from crm.archive.months import Archive
from crm.archive.rows import ArchiveError
from crm.database import Database, UtcDateTime
from crm.models import Base, Call, Callback, Role, RungBack, User
from crm.privacy import requests
from crm.turns import Turn
from tests.agent_console.factories import add_call
from tests.crm.archive.months import (
    LEVEL_S,
    MONTH,
    NOW,
    an_archive,
    cheap_keys,
    everything,
    fill,
    settings_of,
)
from tests.databases import Databases

FIRST = datetime(2025, 11, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without rests, and without the reports' counts, which test_figures looks at."""
    monkeypatch.setattr(months, "REST_S", 0.0)
    monkeypatch.setattr(Archive, "_count", lambda *_: None)
    cheap_keys(monkeypatch)


def test_a_month_leaves_the_database_and_comes_back_as_it_was(
    database: Database, tmp_path: Path
) -> None:
    fill(database)
    archive, before = an_archive(database, tmp_path), everything(database)
    assert all(before[name] for name in ("call", "leg", "call_segment", "call_note",
                                         "line_quality", "agent_event"))
    made = archive.make(MONTH, LEVEL_S, NOW)
    assert made.counts == {name: len(own) for name, own in before.items() if own}
    assert not any(everything(database).values())
    assert archive.make(MONTH, LEVEL_S, NOW).deleted == 0  # again: nothing to do, nothing lost
    assert archive.verify(MONTH).counts == made.counts
    file = archive.file(MONTH)
    assert b"th1.b" not in file.read_bytes()
    assert file.stat().st_mode & 0o077 == 0

    assert archive.restore(MONTH, NOW + timedelta(days=30)) == []
    assert everything(database) == before
    settings = settings_of(tmp_path)
    assert archive.due(settings, NOW + timedelta(days=29)) == []
    assert archive.due(settings, NOW + timedelta(days=31)) == [MONTH]
    archive.make(MONTH, LEVEL_S, NOW + timedelta(days=31))
    assert not any(everything(database).values())
    assert archive.verify(MONTH).counts == made.counts


def test_a_month_is_due_when_it_is_whole_and_old_and_the_journal_tells_of_it_no_more(
    sqlite: Database, tmp_path: Path
) -> None:
    archive = an_archive(sqlite, tmp_path)
    add_call(sqlite, started_at=datetime(2025, 10, 31, 17, 30, tzinfo=UTC), ended_at=NOW)
    for now, found in ((datetime(2027, 11, 30, 16, 59, tzinfo=UTC), []),
                       (datetime(2027, 11, 30, 17, 1, tzinfo=UTC), [MONTH])):
        assert archive.due(settings_of(tmp_path), now) == found  # December of Vietnam begins
    assert archive.due(settings_of(tmp_path, archive_months=0), NOW) == []
    assert archive.due(settings_of(tmp_path, keep_journal_days=800), NOW) == []


def test_what_is_owed_or_held_stays_until_it_is_not(database: Database, tmp_path: Path) -> None:
    archive, at = an_archive(database, tmp_path), datetime(2025, 11, 9, tzinfo=UTC)

    def call(id_: str, **values: Any) -> None:
        add_call(database, id=id_, started_at=at, **{"ended_at": at} | values)

    calls: dict[str, dict[str, Any]] = {
        "over": {}, "open": {"ended_at": None}, "recorded": {"recording": "a.wav"},
        "message": {"voicemail": "b.wav"}, "in-vain": {"unreached": True}, "promised": {},
        "held": {"caller": "0987654321"},
    }
    for id_, values in calls.items():
        call(id_, **values)
    with database.transaction() as session:
        session.add(Callback(id="promised", node="th1", asked_at=at, facts={}))
        requests.hold(session, "0987654321", "văn bản 12", NOW + timedelta(days=9), by="quan",
                      now=NOW)

    def made(now: datetime) -> set[str]:
        archive.make(MONTH, LEVEL_S, now)
        with database.reading() as session:
            return set(session.scalars(select(Call.id)))

    stay = {"open", "recorded", "message", "in-vain", "promised", "held"}
    assert made(NOW) == stay
    with database.transaction() as session:
        session.add(RungBack(call_id="in-vain", at=NOW, by="lan"))
    assert made(NOW) == stay - {"in-vain"}
    assert made(NOW + timedelta(days=10)) == stay - {"in-vain", "held"}
    assert {one.id for one in archive.records(MONTH)} == {"over", "in-vain", "held"}
    assert archive.verify(MONTH).counts == {"call": 3, "rung_back": 1}


def test_what_was_changed_after_it_was_written_stays_and_goes_the_next_time(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = an_archive(database, tmp_path)
    for id_ in ("a", "b"):
        add_call(database, id=id_, started_at=datetime(2025, 11, 9, tzinfo=UTC), ended_at=NOW)
    whole = files.write

    def write(*given: Any) -> Any:
        done = whole(*given)
        with database.transaction() as session:  # an erasure, between writing and deleting
            session.execute(update(Call).where(Call.id == "a").values(caller=None))
        return done

    with monkeypatch.context() as patched:
        patched.setattr(files, "write", write)
        assert archive.make(MONTH, LEVEL_S, NOW).deleted == 1
    with database.reading() as session:
        assert session.scalars(select(Call.id)).all() == ["a"]
    assert archive.make(MONTH, LEVEL_S, NOW).deleted == 1
    assert {one.id: one.rows["call"][0]["caller"] for one in archive.records(MONTH)} == {
        "a": None, "b": "0912345678"}


def test_a_row_that_came_after_the_others_were_read_takes_its_call_back(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive, at = an_archive(database, tmp_path), datetime(2025, 11, 9, tzinfo=UTC)
    add_call(database, id="a", started_at=at, ended_at=NOW)
    whole = rows.remove

    def remove(session: Any, kind: Any, records: Any) -> bool:
        session.add(RungBack(call_id="a", at=NOW, by="lan"))
        session.flush()
        return whole(session, kind, records)

    with monkeypatch.context() as patched:
        patched.setattr(rows, "remove", remove)
        assert archive.make(MONTH, LEVEL_S, NOW).deleted == 0
    with database.reading() as session:
        assert session.get(Call, "a") is not None


@pytest.mark.parametrize("harm", ["cut", "changed", "gone", "of another month"])
def test_a_file_that_is_not_what_was_written_is_named_and_nothing_goes(
    sqlite: Database, tmp_path: Path, harm: str
) -> None:
    archive = an_archive(sqlite, tmp_path)
    for month in (10, 11):
        add_call(sqlite, id=f"{month}", started_at=datetime(2025, month, 9, tzinfo=UTC),
                 ended_at=NOW)
        archive.make(date(2025, month, 1), LEVEL_S, NOW)
    add_call(sqlite, id="late", started_at=datetime(2025, 11, 9, tzinfo=UTC), ended_at=NOW)
    file = archive.file(MONTH)
    content = file.read_bytes()
    match harm:
        case "cut":
            file.write_bytes(content[:-20])
        case "changed":
            file.write_bytes(content[:-20] + bytes([content[-20] ^ 1]) + content[-19:])
        case "gone":
            file.unlink()
        case _:
            file.write_bytes(archive.file(date(2025, 10, 1)).read_bytes())
    with pytest.raises(ArchiveError):
        archive.verify(MONTH)
    with pytest.raises(ArchiveError):
        archive.restore(MONTH, NOW)
    if harm != "gone":
        with pytest.raises(ArchiveError):
            archive.make(MONTH, LEVEL_S, NOW)
        with sqlite.reading() as session:
            assert session.scalars(select(Call.id)).all() == ["late"]


def test_two_are_never_at_it_at_once(database: Database, tmp_path: Path) -> None:
    ours, theirs = an_archive(database, tmp_path), an_archive(database, tmp_path)
    with ours.alone() as is_ours:
        assert is_ours()
        with pytest.raises(ArchiveError, match="another process"), theirs.alone(0.2):
            pass
    with theirs.alone(0.2):
        pass
    if not database.is_sqlite:  # a node that does not see the other's files
        turn = Turn(database, "archive")
        assert turn.is_ours()
        with pytest.raises(ArchiveError), ours.alone(0.2):
            pass
        turn.give_up()


def _dies_at(step: int, work: Callable[[], object]) -> bool:
    """Do it in a process of its own that is killed before the n-th thing that would last; whether
    it was."""
    child = os.fork()
    if child == 0:
        seen = 0

        def counted_(whole: Callable[..., Any]) -> Callable[..., Any]:
            def call(*given: Any, **named: Any) -> Any:
                nonlocal seen
                seen += 1
                if seen == step:
                    os.kill(os.getpid(), signal.SIGKILL)
                return whole(*given, **named)
            return call

        try:
            os.fsync, os.replace = counted_(os.fsync), counted_(os.replace)
            Path.replace = counted_(Path.replace)  # type: ignore[method-assign]
            Database.transaction = counted_(Database.transaction)  # type: ignore[method-assign]
            rows.remove = counted_(rows.remove)
            work()
        finally:
            os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL


def test_killed_at_any_step_it_loses_nothing_and_goes_on(
    sqlite: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(months, "PORTION", 10)
    fill(sqlite, number=10)
    archive, before = an_archive(sqlite, tmp_path), everything(sqlite)

    def work() -> None:
        Archive(Database(str(sqlite.url)), tmp_path).make(MONTH, LEVEL_S, NOW)

    def safe() -> set[tuple[str, str]]:
        """What stands in the database, or in a file that opens."""
        is_written = archive.file(MONTH).exists()
        found = {one.key for one in archive.records(MONTH)} if is_written else set()
        with sqlite.reading() as session:
            for kind in rows.KINDS.values():
                found |= {(kind.name, id_) for id_ in session.scalars(select(kind.id))}
        return found

    whole, steps = safe(), 0
    sqlite.engine.dispose()
    while _dies_at(steps + 1, work):
        steps += 1
        assert safe() == whole
        archive.make(MONTH, LEVEL_S, NOW)
        assert not any(everything(sqlite).values())
        assert archive.restore(MONTH, NOW) == []
        assert everything(sqlite) == before
        archive.file(MONTH).unlink()
        with sqlite.transaction() as session:
            session.execute(delete(ArchivedMonth))
        sqlite.engine.dispose()
    assert steps > 8  # among them between the file and the note, and between two portions


def _value(column: Column[Any]) -> st.SearchStrategy[Any]:
    texts = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))
    plain: st.SearchStrategy[Any]
    match column.type:
        case UtcDateTime():
            plain = st.integers(0, 28 * 86_400 * 10**6).map(lambda us: FIRST + us * MICROSECOND)
        case Boolean():
            plain = st.booleans()
        case Integer():
            plain = st.integers(-2**31, 2**31 - 1)
        case Float():
            plain = st.floats(0, 1e6)
        case JSON():
            plain = st.lists(st.dictionaries(texts, texts | st.integers() | st.none(), max_size=2),
                             max_size=2)
        case _:
            plain = texts
    return st.none() | plain if column.nullable else plain


@st.composite
def _months_rows(draw: st.DrawFn) -> dict[str, list[dict[str, Any]]]:
    """Rows of every table, with anything that its columns take."""
    found: dict[str, list[dict[str, Any]]] = {}
    fixed = {"recording": None, "voicemail": None, "unreached": False, "broken_off": None,
             "user_id": 1}
    for kind in rows.KINDS.values():
        for number in range(draw(st.integers(0, 3))):
            for column in kind.columns:
                table = column.table
                if table.name == "rescue_call" or (column is not kind.id and draw(st.booleans())):
                    continue
                row = {one.name: fixed[one.name] if one.name in fixed else draw(_value(one))
                       for one in table.columns if not (table.name == "call_note"
                                                        and one.name == "id")}
                for key in table.primary_key:
                    if key.name in row and key.name not in ("number",):
                        row[key.name] = f"{table.name} {number}"
                row[column.name] = f"call {number}"
                if table.name == "call":
                    row["ended_at"] = row["ended_at"] or row["started_at"]
                if table.name == "callback":
                    row["ended_at"] = row["ended_at"] or NOW
                found.setdefault(table.name, []).append(row)
    return found


@given(_months_rows())
@settings(max_examples=8)
def test_archived_and_brought_back_any_rows_are_the_same(
    databases: Databases, tmp_path_factory: pytest.TempPathFactory,
    found: dict[str, list[dict[str, Any]]],
) -> None:
    with databases.new("sqlite") as database:
        archive = an_archive(database, tmp_path_factory.mktemp("home"))
        with database.transaction() as session:
            session.add(User(login="lan", name="Lan", role=Role.AGENT, password_hash="", queues=[],
                             active=True, created_at=NOW))
            session.flush()
            for name, own in found.items():
                session.execute(insert(Base.metadata.tables[name]), own)
        before = everything(database)
        archive.make(MONTH, LEVEL_S, NOW)
        if "call" in found or "agent_event" in found:
            assert everything(database)["call"] == []
            assert everything(database) != before
            assert archive.restore(MONTH, NOW) == []
        assert everything(database) == before
