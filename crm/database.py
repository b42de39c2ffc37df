"""The database: engine, transactions and the change feed. SQLite (WAL) or PostgreSQL.

One rule for writers: every change goes through `Database.transaction()`, which commits once and
wakes whoever listens to the feed.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from sqlalchemy import (
    ColumnElement,
    DateTime,
    Dialect,
    Engine,
    TypeDecorator,
    create_engine,
    event,
    make_url,
    text,
)
from sqlalchemy.exc import ArgumentError, DBAPIError, OperationalError
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import InstrumentedAttribute, Session
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

from crm import field_keys
from crm.errors import HotlineError
from crm.field_keys import FieldKeys

if TYPE_CHECKING:
    from alembic.config import Config

    from crm.settings import Settings

MIGRATIONS = Path(__file__).parent / "migrations"
CHANNEL = "hotline_changes"
SQLITE_POLL_S = 0.05
SQLITE_LOOKED_AT = 400  # rows of each index, as its manual advises


class DatabaseError(HotlineError):
    """The database cannot be used. The message is for the operator."""


class UtcDateTime(TypeDecorator[datetime]):
    """An aware UTC datetime; SQLite, which knows no zones, stores it without one."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a datetime without a zone")
        return value.astimezone(UTC)

    def process_result_value(
        self, value: datetime | None, dialect: Dialect
    ) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def _migrations() -> Config:
    # alembic is imported where the schema is looked at: it doubles the time every process needs
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    return config


class _Unindexed(FunctionElement[Any]):
    inherit_cache = True

    def __init__(self, column: InstrumentedAttribute[Any]) -> None:
        super().__init__(column)
        self.type = column.type


@compiles(_Unindexed)
def _as_it_is(element: _Unindexed, compiler: SQLCompiler, **options: Any) -> str:
    return compiler.process(element.clauses, **options)


@compiles(_Unindexed, "sqlite")
def _signed(element: _Unindexed, compiler: SQLCompiler, **options: Any) -> str:
    return f"+{compiler.process(element.clauses, **options)}"


def unindexed(column: InstrumentedAttribute[Any]) -> ColumnElement[Any]:
    """A column by which no index is to be chosen, since nearly all rows have the same value in it.
    SQLite's planner cannot know (https://sqlite.org/optoverview.html, "Disqualifying WHERE clause
    terms using unary +"); PostgreSQL's does."""
    return _Unindexed(column)


class Database:
    """An engine with the project's rules: short timeouts, one commit per transaction."""

    def __init__(
        self, url: str, *, keys: FieldKeys | None = None, pool_size: int = 5,
        patience_s: float = 15,
    ) -> None:
        """`keys` of sealed fields; `patience_s`: how long one statement may take, or wait for a
        lock."""
        self._patience_s = patience_s
        try:
            parsed = make_url(url)
            if parsed.get_backend_name() == "postgresql" and "+" not in parsed.drivername:
                parsed = parsed.set(drivername="postgresql+psycopg")
            self.url = parsed
            self.is_sqlite = parsed.get_backend_name() == "sqlite"
            self.engine: Engine = self._create(pool_size)
            self.engine.dialect.field_keys = keys  # type: ignore[attr-defined]
        except (ArgumentError, ImportError) as error:
            raise DatabaseError(f"HOTLINE_DATABASE_URL cannot be used: {error}") from error

    @classmethod
    def of(cls, settings: Settings, *, pool_size: int = 5, patience_s: float = 15) -> Self:
        """The database of a hotline, with the keys of its sealed fields."""
        return cls(
            settings.database_url, keys=field_keys.of_home(settings.home), pool_size=pool_size,
            patience_s=patience_s,
        )

    def _create(self, pool_size: int) -> Engine:
        if self.is_sqlite:
            engine = create_engine(
                self.url, pool_size=pool_size, max_overflow=pool_size,
                json_serializer=_compact_json, connect_args={"timeout": self._patience_s},
            )
            event.listen(engine, "connect", _configure_sqlite)
            event.listen(engine, "begin", _begin_sqlite)
            return engine
        return create_engine(
            self.url, pool_size=pool_size, max_overflow=pool_size, pool_pre_ping=True,
            pool_timeout=min(5, self._patience_s),
            json_serializer=_compact_json,
            connect_args={
                "connect_timeout": 3,
                # a host that is gone without a word is noticed, and the next one in the URL asked
                "keepalives_idle": 5, "keepalives_interval": 2, "keepalives_count": 3,
                "tcp_user_timeout": 10_000,
                "options": f"-c statement_timeout={self._patience_s * 1000:.0f} -c timezone=UTC",
            },
        )

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        """A session that commits once at the end, or rolls everything back."""
        with Session(self.engine, expire_on_commit=False) as session, session.begin():
            yield session
            if not self.is_sqlite:
                session.flush()
                session.execute(text(f"NOTIFY {CHANNEL}"))

    def one_at_a_time(self, session: Session, what: str) -> None:
        """Until the end of this transaction nobody else is in one of the same name, on any node.
        SQLite has one writer anyway."""
        if not self.is_sqlite:
            session.execute(text("SELECT pg_advisory_xact_lock(hashtext(:what))"), {"what": what})

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """A session for reading: it never commits and wakes nobody."""
        with Session(self.engine, expire_on_commit=False) as session:
            if self.is_sqlite:
                session.connection(execution_options={"hotline_reading": True})
            yield session

    def ping(self) -> None:
        """Raise DatabaseError if the database does not answer."""
        try:
            with self.engine.connect() as connection:
                connection.execute(text("SELECT 1"))
        except DBAPIError as error:
            raise DatabaseError(f"the database does not answer: {error.orig}") from error

    def migrate(self) -> None:
        """Bring the schema to the newest version."""
        from alembic import command

        if self.is_sqlite:
            self._close_to_others()
        try:
            with self.engine.connect() as connection:
                config = _migrations()
                config.attributes["connection"] = connection
                command.upgrade(config, "head")
        except DBAPIError as error:
            raise DatabaseError(f"the database cannot be set up: {error.orig}") from error

    def _close_to_others(self) -> None:
        """Nobody else on the machine reads the file; SQLite makes those beside it alike."""
        file = Path(str(self.url.database))
        try:
            file.touch(mode=0o600)
            file.chmod(0o600)
        except OSError as error:
            raise DatabaseError(f"the database cannot be set up: {error}") from error

    def analyze(self) -> None:
        """Let SQLite's planner know how the rows lie; PostgreSQL's autovacuum does so itself. It
        looks at some of each index only, so that writers wait for no more than a moment."""
        if self.is_sqlite:
            with self.engine.begin() as connection:
                connection.execute(text(f"PRAGMA analysis_limit={SQLITE_LOOKED_AT}"))
                connection.execute(text("ANALYZE"))

    def schema_is_current(self) -> bool:
        from alembic.migration import MigrationContext
        from alembic.script import ScriptDirectory

        head = ScriptDirectory.from_config(_migrations()).get_current_head()
        with self.engine.connect() as connection:
            return MigrationContext.configure(connection).get_current_revision() == head

    def changes(self, timeout_s: float) -> Iterator[None]:
        """Yield after each committed change of any process, and at least every `timeout_s` seconds.

        Raises DBAPIError when the database is gone; the caller tries again.
        """
        follow = self._sqlite_changes if self.is_sqlite else self._pg_changes
        try:
            yield from follow(timeout_s)
        except self.engine.dialect.loaded_dbapi.Error as error:
            # the driver's own connection was used: its errors came past SQLAlchemy
            raise OperationalError("waiting for changes", None, error) from error

    def _sqlite_changes(self, timeout_s: float) -> Iterator[None]:
        # data_version changes only for commits of *other* connections: this one never writes
        connection = sqlite3.connect(str(self.url.database), check_same_thread=False)
        try:
            version = None
            while True:
                deadline = time.monotonic() + timeout_s
                while True:
                    now = connection.execute("PRAGMA data_version").fetchone()[0]
                    if now != version or time.monotonic() >= deadline:
                        break
                    time.sleep(SQLITE_POLL_S)
                version = now
                yield
        finally:
            connection.close()

    def _pg_changes(self, timeout_s: float) -> Iterator[None]:
        with self.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text(f"LISTEN {CHANNEL}"))
            raw: Any = connection.connection.driver_connection
            yield
            while True:
                # one wake-up for all that is already there
                for _ in raw.notifies(timeout=timeout_s, stop_after=1):
                    pass
                connection.execute(text("SELECT 1"))  # raises when the server is gone
                yield


def _compact_json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _configure_sqlite(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # we begin transactions ourselves, see _begin_sqlite
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_sqlite(connection: Any) -> None:
    # A writer takes its lock at once: a read that turns into a write could fail with SQLITE_BUSY
    # after another's commit, and no timeout helps there.
    reading = connection.get_execution_options().get("hotline_reading")
    connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")
