"""What is done once is done by one, and by another when that one is gone."""

from __future__ import annotations

from sqlalchemy import text

from crm.database import Database
from crm.turns import Turn


def test_one_has_the_turn_until_it_gives_it_up(database: Database) -> None:
    first, second = Turn(database, "jobs"), Turn(database, "jobs")
    other = Turn(database, "more")
    assert first.is_ours()
    assert first.is_ours()
    assert second.is_ours() is database.is_sqlite  # which is one machine's
    assert other.is_ours()
    first.give_up()
    assert second.is_ours()
    second.give_up()
    other.give_up()


def test_whoever_loses_the_connection_loses_the_turn(database: Database) -> None:
    if database.is_sqlite:
        return
    first, second = Turn(database, "jobs"), Turn(database, "jobs")
    assert first.is_ours()
    with database.engine.begin() as connection:
        connection.execute(text(
            # with a time: without one it returns before the other has ended
            "SELECT pg_terminate_backend(pid, 10000) FROM pg_locks WHERE locktype = 'advisory'"
            " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
        ))
    assert second.is_ours()
    assert not first.is_ours()
    assert not first.is_ours()
    second.give_up()
    assert first.is_ours()
    first.give_up()
