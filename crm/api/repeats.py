"""Requests that come twice: the same key leads to the same answer, and to one change only.

The key is written in the transaction of the change. Whoever brings the same key meanwhile waits for
its end: on PostgreSQL at the unique index, on SQLite at the lock of writers. A request that was
refused leaves no key behind.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from crm.api.models import KeptAnswer
from crm.errors import HotlineError

KEPT = timedelta(days=2)

Answered = tuple[int, dict[str, Any]]


class KeyReused(HotlineError):
    """The key belongs to another request."""


def once(
    session: Session, *, token_id: int, key: str, request: Any, now: datetime,
    act: Callable[[], Answered],
) -> Answered:
    """Do `act`, or tell what it answered the first time. `request`: whatever makes the request the
    same, as JSON. Raises KeyReused, and what `act` raises."""
    digest = hashlib.sha256(json.dumps(request, sort_keys=True).encode()).hexdigest()
    kept = KeptAnswer(
        token_id=token_id, key=key, request_hash=digest, status=0, body={}, at=now
    )
    try:
        with session.begin_nested():
            session.add(kept)
    except IntegrityError:
        first = session.scalars(select(KeptAnswer).where(
            KeptAnswer.token_id == token_id, KeptAnswer.key == key
        )).one()
        if first.request_hash != digest:
            raise KeyReused("this Idempotency-Key was used for another request") from None
        return first.status, first.body
    kept.status, kept.body = act()
    return kept.status, kept.body


def forget(session: Session, now: datetime) -> None:
    """Delete what is too old to be asked for again."""
    session.execute(delete(KeptAnswer).where(KeptAnswer.at < now - KEPT))
