"""What one node does for all: whoever holds the turn, as long as the connection lives.

The turn is a lock that PostgreSQL gives to a session. A node that dies, or loses the database,
loses it with the session, and the next one that asks has it. SQLite is one machine's, whose turn it
always is.
"""

from __future__ import annotations

import logging
import threading

from sqlalchemy import Connection, text
from sqlalchemy.exc import SQLAlchemyError

from crm.database import Database

log = logging.getLogger(__name__)


class Turn:
    """The turn for what has this name. May be asked by any thread."""

    def __init__(self, database: Database, name: str) -> None:
        self._database = database
        self._name = name
        self._held: Connection | None = None
        self._asking = threading.Lock()

    def is_ours(self) -> bool:
        """Whether this process is the one that does it now."""
        if self._database.is_sqlite:
            return True
        with self._asking:
            try:
                if self._held is not None:
                    self._held.execute(text("SELECT 1"))
                    return True
                return self._take()
            except SQLAlchemyError:
                self._drop()
                return False

    def give_up(self) -> None:
        """Let another one have it."""
        with self._asking:
            self._drop()

    def _take(self) -> bool:
        # outside of the pool: the lock lives as long as this connection
        connection = self._database.engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        connection.detach()
        self._held = connection
        if connection.execute(
            text("SELECT pg_try_advisory_lock(hashtext(:name))"), {"name": self._name}
        ).scalar():
            log.info("%s: this node's turn from now on", self._name)
            return True
        self._drop()
        return False

    def _drop(self) -> None:
        if self._held is not None:
            try:
                self._held.close()
            except SQLAlchemyError:
                log.info("%s: the connection was gone already", self._name)
            self._held = None
