"""The database: migrations, transactions, times and the change feed, on both kinds."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta, timezone

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import ColumnElement, inspect, select, text
from sqlalchemy.exc import OperationalError, StatementError

from crm.database import MIGRATIONS, Database, DatabaseError, unindexed
from crm.models import AgentEvent, Base, JournalGap, Switch
from crm.settings import PROJECT
from tests.databases import BARE, KINDS, Databases

NOON = datetime(2025, 11, 22, 12, 0, tzinfo=UTC)


def switch(name: str = "hours.vaccine", at: datetime = NOON) -> Switch:
    return Switch(name=name, value="closed", set_by="lan", set_at=at)


def write_and_fail(database: Database) -> None:
    with suppress(RuntimeError), database.transaction() as session:
        session.add(switch())
        session.flush()
        raise RuntimeError


def alembic(database: Database, action: str, revision: str) -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with database.engine.connect() as connection:
        config.attributes["connection"] = connection
        getattr(command, action)(config, revision)


def test_the_migrations_make_the_tables_of_the_models(database: Database) -> None:
    def of_models(name: str | None, kind: str, _parents: object) -> bool:
        # the full-text index is each database's own (crm.search), the jobs are huey's
        if kind != "table" or name is None:
            return True
        jobs = {"kv", "schedule", "task", "counter"}
        return not name.startswith("search_text") and name.removeprefix("huey_") not in jobs

    with database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"include_name": of_models})
        assert compare_metadata(context, Base.metadata) == []


@pytest.mark.parametrize("kind", KINDS)
def test_migrations_go_up_and_down_and_up_again(databases: Databases, kind: str) -> None:
    with databases.new(kind, BARE) as database:
        assert not database.schema_is_current()
        alembic(database, "upgrade", "head")
        assert database.schema_is_current()
        alembic(database, "downgrade", "base")
        assert inspect(database.engine).get_table_names() == ["alembic_version"]
        assert not database.schema_is_current()
        database.migrate()
        database.migrate()  # twice is as good as once
        assert database.schema_is_current()
        assert set(Base.metadata.tables) < set(inspect(database.engine).get_table_names())


@pytest.mark.parametrize("program", [
    "ivr.journal", "ivr.listener", "scripts.scheduler", "scripts.broadcasts", "agent_console.app",
])
def test_each_program_knows_the_tables_that_its_own_point_to(program: str) -> None:
    seen = f"import {program}; from crm.models import Base; Base.metadata.sorted_tables"
    subprocess.run([sys.executable, "-c", seen], check=True, cwd=PROJECT)


def test_a_transaction_commits_once_at_its_end(database: Database) -> None:
    with database.transaction() as session:
        session.add(switch())
        session.flush()
        with database.reading() as other:
            assert other.scalars(select(Switch)).all() == []
    with database.reading() as session:
        assert session.scalars(select(Switch.name)).all() == ["hours.vaccine"]


def test_a_transaction_that_fails_leaves_nothing(database: Database) -> None:
    write_and_fail(database)
    with database.reading() as session:
        assert session.scalars(select(Switch)).all() == []


def test_a_time_keeps_its_microseconds_and_comes_back_in_utc(database: Database) -> None:
    hanoi = datetime(2025, 11, 22, 19, 0, 0, 123456, tzinfo=timezone(timedelta(hours=7)))
    with database.transaction() as session:
        session.add(switch(at=hanoi))
    with database.reading() as session:
        found = session.scalars(select(Switch.set_at)).one()
    assert found == hanoi
    assert found.utcoffset() == timedelta(0)


def test_a_time_without_a_zone_is_refused(database: Database) -> None:
    with pytest.raises(StatementError, match="without a zone"), database.transaction() as session:
        session.add(switch(at=NOON.replace(tzinfo=None)))
    with database.reading() as session:
        assert session.scalars(select(Switch)).all() == []


def test_readers_do_not_wait_for_a_writer(database: Database) -> None:
    with database.transaction() as session:
        session.add(switch())
        session.flush()
        with database.reading() as other:
            assert other.scalars(select(Switch)).all() == []


def test_two_writers_follow_each_other(database: Database) -> None:
    def write(number: int) -> None:
        for turn in range(5):
            with database.transaction() as session:
                session.scalars(select(Switch)).all()  # on SQLite a read that becomes a write
                session.add(switch(f"switch{number}.{turn}"))

    threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with database.reading() as session:
        assert len(session.scalars(select(Switch)).all()) == 20


class Feed:
    """Follows `Database.changes` in a thread and notes when it woke."""

    def __init__(self, database: Database, timeout_s: float) -> None:
        self.wakes: list[float] = []
        self._woke = threading.Condition()
        self._database = database
        self._timeout_s = timeout_s
        threading.Thread(target=self._follow, daemon=True).start()
        assert self.wait_for(1)  # the first one comes at once: look at what is there

    def _follow(self) -> None:
        with suppress(OperationalError):  # the database goes away at the end of the test
            for _ in self._database.changes(self._timeout_s):
                with self._woke:
                    self.wakes.append(time.monotonic())
                    self._woke.notify()

    def wait_for(self, number: int, longest_s: float = 5.0) -> bool:
        with self._woke:
            return self._woke.wait_for(lambda: len(self.wakes) >= number, longest_s)


def test_a_commit_of_this_process_wakes_the_feed(database: Database) -> None:
    feed = Feed(database, timeout_s=60)
    with database.transaction() as session:
        session.add(switch())
    assert feed.wait_for(2)


def test_a_commit_of_anybody_else_wakes_the_feed(database: Database) -> None:
    feed = Feed(database, timeout_s=60)
    other = Database(database.url.render_as_string(hide_password=False))
    with other.transaction() as session:
        session.add(switch())
    other.engine.dispose()
    assert feed.wait_for(2)


def test_many_commits_while_nobody_looks_are_not_missed(database: Database) -> None:
    changes = database.changes(60)
    next(changes)
    for number in range(3):
        with database.transaction() as session:
            session.add(switch(f"switch{number}"))
    next(changes)
    with database.reading() as session:
        assert len(session.scalars(select(Switch)).all()) == 3
    changes.close()  # type: ignore[attr-defined]


def test_nothing_but_a_commit_wakes_the_feed(database: Database) -> None:
    feed = Feed(database, timeout_s=60)
    with database.reading() as session:
        session.scalars(select(Switch)).all()
    write_and_fail(database)
    assert not feed.wait_for(2, longest_s=1.0)


def test_the_feed_wakes_after_its_time_without_a_commit(database: Database) -> None:
    feed = Feed(database, timeout_s=0.2)
    assert feed.wait_for(4)
    assert feed.wakes[3] - feed.wakes[0] >= 3 * 0.2 - 0.05


def test_the_feed_says_when_the_server_is_gone(databases: Databases) -> None:
    with databases.new("postgresql") as database:
        changes = database.changes(5)
        next(changes)
        with database.engine.connect() as connection:
            connection.execute(text(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            ))
        with pytest.raises(OperationalError):
            next(changes)


def test_ids_of_new_rows_are_given_by_the_database(database: Database) -> None:
    with database.transaction() as session:
        gap = JournalGap(
            node="th1", segment="journal.csv", offset=1 << 40, length=3, reason="torn",
            found_at=NOON,
        )
        session.add(gap)
        session.flush()
        assert gap.id == 1


def test_a_database_that_answers_says_nothing(database: Database) -> None:
    database.ping()


@pytest.mark.parametrize(
    "url", ["sqlite:////nowhere/at/all.db", "postgresql://x@127.0.0.1:1/hotline"]
)
def test_a_database_that_does_not_answer_is_one_clear_error(url: str) -> None:
    with pytest.raises(DatabaseError, match="the database does not answer"):
        Database(url).ping()
    with pytest.raises(DatabaseError, match="the database cannot be set up"):
        Database(url).migrate()


@pytest.mark.parametrize("url", ["", "nonsense", "oracle9://x/y"])
def test_a_wrong_url_is_one_clear_error(url: str) -> None:
    with pytest.raises(DatabaseError, match="HOTLINE_DATABASE_URL cannot be used"):
        Database(url)


def test_sqlites_planner_knows_how_the_rows_lie(sqlite: Database) -> None:
    with sqlite.transaction() as session:
        session.add(AgentEvent(id="th1.b1-1.1", agent="lan", at=NOON, state="ready", reason=None))
    sqlite.analyze()
    with sqlite.reading() as session:
        assert session.scalar(text("SELECT count(*) FROM sqlite_stat1 WHERE tbl = 'agent_event'"))


def test_a_column_by_which_no_index_is_chosen_compares_as_ever(database: Database) -> None:
    with database.transaction() as session:
        for number, reason in enumerate(("lunch", "rest", None)):
            session.add(AgentEvent(
                id=f"th1.b1-{number}.1", agent="lan", at=NOON, state="paused", reason=reason
            ))
    column = unindexed(AgentEvent.reason)
    with database.reading() as session:
        def ids(condition: ColumnElement[bool]) -> list[str]:
            return list(session.scalars(select(AgentEvent.id).where(condition)))

        assert ids(column.is_(None)) == ["th1.b1-2.1"]
        assert ids(column.in_(("lunch", "other"))) == ["th1.b1-0.1"]
