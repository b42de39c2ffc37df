"""The keys of sealed fields are changed: a new one is made, everything is sealed with it, and once
nothing was left under an old one for a day, that one goes. Each step may be broken off and done
again; readers and writers go on meanwhile, as every key that is used anywhere still opens.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import Column, Table, Text, select, text, type_coerce, update

from crm import secrets
from crm.cases import words as case_words
from crm.cases.models import Case
from crm.database import Database
from crm.field_keys import MARK, FieldKeys, Sealed, SealedJson, SealedSecret, of_home
from crm.models import Base
from crm.recordings import store

PORTION = 500
LATE_FOR = timedelta(days=8)  # cases are classified in the days after they are opened
KEPT = timedelta(days=1)  # an old key, after its successor was made


def columns() -> Iterator[tuple[Table, Column[object]]]:
    """Every sealed column of the schema."""
    for table in Base.metadata.sorted_tables:
        for column in table.columns:
            if isinstance(column.type, Sealed | SealedSecret | SealedJson):
                yield table, column


def reseal(database: Database, home: Path) -> int:
    """Seal with the newest key what is not, fields and keys of sounds; how many. Commits portion by
    portion."""
    keys = of_home(home)
    fields = sum(_reseal(database, keys, table, column) for table, column in columns())
    return fields + store.rewrap(home)


def _reseal(
    database: Database, keys: FieldKeys, table: Table, column: Column[object]
) -> int:
    (key,) = table.primary_key.columns
    raw = type_coerce(column, Text)
    done, last = 0, None
    while True:
        wanted = select(key, raw).where(column.is_not(None)).order_by(key).limit(PORTION)
        if isinstance(column.type, SealedSecret):
            wanted = wanted.where(raw.like(f"{MARK}%"))
        with database.reading() as session:
            found = session.execute(
                wanted if last is None else wanted.where(key > last)
            ).all()
        if not found:
            return done
        last = found[-1][0]
        old = [(id_, written) for id_, written in found if not keys.is_newest(written)]
        if not old:
            continue
        with database.transaction() as session:
            for id_, written in old:
                # compared as it stands: what was changed meanwhile is sealed with the newest key
                session.execute(
                    update(table).where(key == id_, raw == written)
                    .values({column.name: type_coerce(keys.seal(keys.open(written)), Text)})
                )
        done += len(old)


def seal_late(database: Database) -> int:
    """Seal the words of private cases that were not when they were written; how many cases."""
    done = 0
    while True:
        with database.transaction() as session:
            some = case_words.seal_late(session, PORTION)
        done += some
        if some < PORTION:
            break
    return done


def _forget_in_index(database: Database, now: datetime) -> None:
    """SQLite's index keeps the words of a case that was found to be private only after it was
    opened, until its parts are merged."""
    if not database.is_sqlite:
        return
    with database.transaction() as session:
        late = select(Case.id).where(
            Case.opened_at >= now - LATE_FOR, case_words.is_sealed(Case.summary)
        )
        if session.scalar(late.limit(1)) is not None:
            session.execute(text("INSERT INTO search_text (search_text) VALUES ('optimize')"))


def renew(database: Database, home: Path, now: datetime) -> int:
    """Make a new key and seal everything with it; how many fields and sounds."""
    secrets.add_field_key(home, now)
    return reseal(database, home)


def tidy(database: Database, home: Path, now: datetime) -> int:
    """Seal what still is not sealed with the newest key; where nothing was left, drop the keys that
    have a successor since KEPT. How many fields were sealed, and cases whose words were not."""
    done = reseal(database, home) + seal_late(database)
    _forget_in_index(database, now)
    if not done:
        secrets.drop_field_keys(home, now - KEPT)
    return done
