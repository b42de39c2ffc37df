"""A real PostgreSQL with a hot standby: the primary is killed under load, and nothing is lost."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import func, select

from crm.database import Database
from crm.models import Call, JournalGap
from crm.turns import Turn
from ivr import ledger
from ivr.journal import Tailer
from tests.journals import START, Asterisk, encode
from tests.postgres import FOLLOWED, Server

pytestmark = pytest.mark.full  # two servers, and a switch from one to the other

CALLS = 3000


@dataclass
class Pair:
    primary: Server
    standby: Server

    @property
    def url(self) -> str:
        """As docs/cluster.md has it: whichever of the two can be written to."""
        return (f"postgresql://hotline@/postgres?host={self.primary.folder},{self.standby.folder}"
                "&target_session_attrs=read-write")


@pytest.fixture
def pair() -> Iterator[Pair]:
    with ExitStack() as stack:
        primary = stack.enter_context(Server(settings=FOLLOWED))
        Database(primary.url).migrate()
        standby = stack.enter_context(Server(settings=FOLLOWED, follows=primary))
        yield Pair(primary, standby)


def wait_until(true: object, what: str, within_s: float = 60) -> None:
    deadline = time.monotonic() + within_s
    while not true():  # type: ignore[operator]
        assert time.monotonic() < deadline, what
        time.sleep(0.05)


def test_the_journal_brings_every_call_over_whatever_the_standby_has_missed(
    pair: Pair, tmp_path: Path
) -> None:
    asterisk = Asterisk()
    for number in range(CALLS):
        caller = asterisk.queued(number=f"0912{number:06}")
        agent = asterisk.answer(caller, bridge=f"br-{number}")
        asterisk.wait(5)
        agent.end()
        caller.leave(f"br-{number}")
        caller.end()
    records = encode(asterisk.events)
    database = Database(pair.url)
    journal = tmp_path / "journal"
    journal.mkdir()
    stop, written = threading.Event(), threading.Event()

    def write() -> None:
        with (journal / "journal.csv").open("ab", buffering=0) as file:
            step = len(records) // 150
            for at in range(0, len(records), step):
                file.write(records[at:at + step])
                time.sleep(0.05)
        written.set()

    writer = threading.Thread(target=write)
    tailer = threading.Thread(
        target=Tailer(database, journal, "th1", lambda: START).run, args=(stop,))
    writer.start()
    tailer.start()

    def known(url: str) -> int:
        with psycopg.connect(url, connect_timeout=2) as connection:
            found = connection.execute("SELECT count(*) FROM call").fetchone()
            assert found
            return int(found[0])

    try:
        wait_until(lambda: known(pair.standby.url) > CALLS // 10, "the standby follows")
        pair.primary.signal(signal.SIGKILL)
        assert not written.is_set(), "it was to die under load"
        time.sleep(1)
        pair.standby.promote()
        writer.join()
        wait_until(lambda: known(pair.standby.url) == CALLS, "all calls are there")
        with database.reading() as session:
            wait_until(lambda: ledger.check(session, journal, "th1").unread_bytes == 0, "read")
    finally:
        stop.set()
        tailer.join()
    with database.reading() as session:
        book = ledger.check(session, journal, "th1")
        assert (book.calls, book.open, book.unexplained) == (CALLS, 0, ())
        assert dict(session.execute(
            select(Call.outcome, func.count()).group_by(Call.outcome)).all()) == {
            "answered": CALLS}
        assert session.scalars(select(JournalGap)).all() == []


def test_the_feed_and_the_turn_come_over(pair: Pair) -> None:
    database = Database(pair.url)
    turn = Turn(database, "jobs")
    assert turn.is_ours()
    woken = threading.Event()
    stop = threading.Event()

    def follow() -> None:
        while not stop.is_set():
            try:
                for _ in database.changes(1):
                    woken.set()
                    if stop.is_set():
                        return
            except Exception:
                time.sleep(0.1)  # as the console's feed: tries again

    feed = threading.Thread(target=follow)
    feed.start()
    try:
        wait_until(woken.is_set, "the feed runs")
        pair.primary.signal(signal.SIGKILL)
        assert not turn.is_ours()
        pair.standby.promote()
        wait_until(turn.is_ours, "the turn is there")
        woken.clear()
        with database.transaction():
            pass
        wait_until(woken.is_set, "the feed is there")
    finally:
        stop.set()
        feed.join()
    turn.give_up()
