"""Databases for tests, on SQLite and on PostgreSQL: bare ones, and migrated ones without rows."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import count
from pathlib import Path
from typing import Self

import psycopg
from cryptography.fernet import Fernet
from sqlalchemy import make_url

from crm.database import Database
from crm.field_keys import FieldKeys
from tests.postgres import running_postgres

KINDS = ("sqlite", "postgresql")
MIGRATED, BARE = "migrated", "template0"

_KEY = Fernet.generate_key().decode()
KEYS = FieldKeys(lambda: [_KEY], lambda: None)


class Databases:
    """Migrates once for each kind and copies from there. PostgreSQL starts when first wanted."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._numbers = count(1)
        self._server = ""
        self._closing = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.close()

    @contextmanager
    def new(self, kind: str, template: str = MIGRATED) -> Iterator[Database]:
        """A database that is gone afterwards: with all tables and no rows, or BARE."""
        name = f"test{next(self._numbers)}"
        if kind == "postgresql":
            url = self._copy_on_server(name, template)
        else:
            url = self._copy_file(name, template)
        database = Database(url, keys=KEYS)
        try:
            yield database
        finally:
            database.engine.dispose()
            if kind == "postgresql":
                self._sql(f"DROP DATABASE {name} WITH (FORCE)")

    def _copy_file(self, name: str, template: str) -> str:
        file, migrated = self._folder / f"{name}.db", self._folder / f"{MIGRATED}.db"
        if template == MIGRATED:
            if not migrated.exists():
                _migrate(f"sqlite:///{migrated}")
            shutil.copy(migrated, file)
        return f"sqlite:///{file}"

    def _copy_on_server(self, name: str, template: str) -> str:
        if not self._server:
            self._server = self._closing.enter_context(running_postgres())
            self._sql(f"CREATE DATABASE {MIGRATED}")
            _migrate(self._url(MIGRATED))
        self._sql(f"CREATE DATABASE {name} TEMPLATE {template}")
        return self._url(name)

    def _url(self, name: str) -> str:
        return make_url(self._server).set(database=name).render_as_string(hide_password=False)

    def _sql(self, statement: str) -> None:
        with psycopg.connect(self._server, autocommit=True) as connection:
            connection.execute(statement.encode())


def _migrate(url: str) -> None:
    database = Database(url)
    database.migrate()
    database.engine.dispose()
