"""Runs a listener in a thread of its own, against a stand-in for Asterisk."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from crm.branches import QUEUES
from crm.database import Database
from crm.models import Seat, User
from ivr.answers import Answers
from ivr.anywhere import Requests
from ivr.commands import Commands
from ivr.listener import Listener, Pace
from ivr.live_facts import Asked
from ivr.live_store import LiveStore
from tests.ivr.ami_stand_in import AmiStandIn

QUICK = Pace(
    keep_alive_s=0.2, resync_s=60, seen_s=0.2, retry_from_s=0.05, retry_to_s=0.1,
    database_retry_s=0.1,
)


@contextmanager
def listening(
    asterisk: AmiStandIn, store: LiveStore | Database, pace: Pace = QUICK,
    journal: Path = Path("/nowhere"), reply: Callable[[Asked], str] = lambda asked: "none|over",
    *, of: Database | None = None,
) -> Iterator[Listener]:
    """A listener at work; it is stopped at the end as by SIGTERM. `of`: the database that other
    nodes have, too."""
    if isinstance(store, Database):
        store = LiveStore(store, "th1")
    ready = threading.Event()
    made: list[tuple[Listener, asyncio.AbstractEventLoop, asyncio.Event]] = []
    failed: list[BaseException] = []

    async def work() -> None:
        commands = Commands(asterisk.address, "command", "secret")
        listener = Listener(
            store, commands, Answers(reply, commands), node="th1",
            journal=journal, callback_tries=2, address=asterisk.address, password="secret",
            wrapup_s=dict.fromkeys(QUEUES, 20), pace=pace,
            requests=Requests(of, "th1", commands) if of else None,
        )
        stop = asyncio.Event()
        made.append((listener, asyncio.get_running_loop(), stop))
        ready.set()
        await listener.run(stop)

    def run() -> None:
        try:
            asyncio.run(work())
        except BaseException as error:
            failed.append(error)
            raise

    thread = threading.Thread(target=run)
    thread.start()
    ready.wait()
    listener, loop, stop = made[0]
    try:
        yield listener
    finally:
        if thread.is_alive():
            loop.call_soon_threadsafe(stop.set)
        thread.join()
    assert not failed


def add_agent(
    database: Database, login: str, *queues: str, seat: str | None = None
) -> None:
    """An agent, signed in at a seat if one is named."""
    with database.transaction() as session:
        user = User(
            login=login, name=login.title(), role="agent", password_hash="-",
            queues=list(queues), created_at=datetime.now(UTC),
        )
        session.add(user)
        session.flush()
        if seat:
            session.add(Seat(
                name=seat, node="th1", kind="webrtc", secret="-", user_id=user.id,
                leased_at=datetime.now(UTC),
            ))
