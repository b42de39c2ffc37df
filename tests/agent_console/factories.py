"""Rows as the tailer and the listener would write them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

from crm.clock import vietnam_day
from crm.database import Database
from crm.models import Call, ListenerState, LiveAgent, LiveCall
from crm.reports import calls
from crm.reports.spans import begin

_numbers = count(1)


def call_id() -> str:
    return f"th1.b1-1763845445.{next(_numbers)}"


def a_call(**values: Any) -> Call:
    """A citizen's inbound call that began just now."""
    return Call(**{
        "id": call_id(), "node": "th1", "boot": "b1", "direction": "in", "kind": "citizen",
        "caller": "0912345678", "dialled": "1022", "trunk": "127.0.0.2",
        "started_at": datetime.now(UTC), "path": [], "talk_ms": 0, **values,
    })


def add_call(database: Database, **values: Any) -> Call:
    """Such a call, in the database."""
    call = a_call(**values)
    with database.transaction() as session:
        session.add(call)
    return call


def weeks_of_calls(database: Database, days: int) -> None:
    """Ten calls each day at nine in the morning, counted."""
    now = datetime.now(UTC)
    for back in range(1, days + 1):
        day = vietnam_day(now) - timedelta(days=back)
        nine = begin(day) + timedelta(hours=9)
        with database.transaction() as session:
            for number in range(10):
                came = nine + timedelta(seconds=60 * number)
                session.add(a_call(
                    started_at=came, queued_at=came, branch="vaccine", wait_ms=4000,
                    answered_at=came + timedelta(seconds=4), talk_ms=200_000, outcome="answered",
                    ended_at=came + timedelta(seconds=204),
                ))
            session.flush()
            calls.count(session, day, now, 20)


def put_live_call(database: Database, seq: int, **values: Any) -> str:
    """Write a live call, as the listener does; returns its id."""
    now = datetime.now(UTC)
    given = {
        "id": call_id(), "node": "th1", "seq": seq, "state": "waiting", "caller": "0912345678",
        "branch": "vaccine", "queue": "vaccine", "agent": None, "started_at": now,
        "queued_at": now, "since": now, **values,
    }
    with database.transaction() as session:
        session.merge(LiveCall(**given))
    return str(given["id"])


def put_live_agent(database: Database, seq: int, login: str = "lan", **values: Any) -> None:
    given = {
        "login": login, "node": "th1", "seq": seq, "state": "ready", "interface": "PJSIP/seat-001",
        "queues": ["vaccine"], "since": datetime.now(UTC), **values,
    }
    with database.transaction() as session:
        session.merge(LiveAgent(**given))


def put_listener(
    database: Database, seq: int, *, connected: bool = True, silent: timedelta = timedelta()
) -> None:
    now = datetime.now(UTC)
    with database.transaction() as session:
        session.merge(ListenerState(
            node="th1", seq=seq, connected=connected, since=now, seen_at=now - silent
        ))
