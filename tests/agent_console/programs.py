"""Programs that use the API, as the test client sees them."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import count
from typing import Any

from flask import Flask

from crm.api import tokens
from crm.database import Database

_NUMBERS = count(1)


def token(database: Database, *scopes: str, **told: Any) -> str:
    """A good token with these scopes."""
    now = datetime.now(UTC)
    known: dict[str, Any] = {"name": f"program{next(_NUMBERS)}", "by": "quan", "now": now}
    with database.transaction() as session:
        return tokens.create(session, scopes=scopes, **known | told)


class Program:
    """A program with a token; each of its writings has a key of its own, unless told."""

    def __init__(self, app: Flask, database: Database, *scopes: str) -> None:
        self.token = token(database, *scopes) if scopes else None
        self._client = app.test_client(use_cookies=False)

    def get(self, path: str, **query: Any) -> Any:
        return self._client.get(f"/api/v1{path}", query_string=query, headers=self._headers())

    def post(self, path: str, body: Any, key: str | None = "") -> Any:
        headers = self._headers()
        if key is not None:
            headers["Idempotency-Key"] = key or f"key-{next(_NUMBERS):08}"
        return self._client.post(f"/api/v1{path}", json=body, headers=headers)

    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"} if self.token else {}
