"""How many journal events a second one core reads and turns into rows.

    python -m scripts.bench.journal [CALLS] [--at-once N]

Writes a journal of CALLS calls with about twenty events each, N of them going on at a time, then
reads it twice: parsing alone, and as the tailer does it, into a new SQLite database and, if
HOTLINE_DATABASE_URL names a PostgreSQL, into a database of its own on that server. The rate of the
first and of the last tenth shows whether the cost grows with what is already there. "A core" is
the CPU time of this process; a PostgreSQL server's own is only in the time by the clock.
Target: 5,000 events/s a core, sustained, in constant memory.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count, islice, pairwise
from pathlib import Path

import psycopg
from sqlalchemy import func, make_url, select

from crm.database import Database
from crm.models import Call, JournalPosition
from ivr.journal import Tailer
from ivr.journal_reader import read
from scripts.bench.machine import peak_mb

TARGET = 5_000
BEGIN_S = 1_763_776_800
Mark = tuple[float, float]  # seconds of this process's CPU, seconds by the clock
QUEUES = ("vaccine", "advice", "testing", "relief", "report")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("calls", nargs="?", type=int, default=10_000)
    parser.add_argument("--at-once", type=int, default=300, help="calls that go on together")
    chosen = parser.parse_args()
    rates(chosen.calls, chosen.at_once, os.environ.get("HOTLINE_DATABASE_URL", ""))


def rates(calls: int, at_once: int, url: str) -> dict[str, float]:
    """Events a second of one core: of parsing, and of each database. Prints them."""
    with tempfile.TemporaryDirectory(prefix="hotline-bench-") as name:
        folder = Path(name)
        events = write_journal(folder / "journal.csv", calls, at_once)
        size = (folder / "journal.csv").stat().st_size
        print(f"{calls} calls, {at_once} at once: {events} events, {size >> 20} MiB")
        found = {
            "parse": _report("parse", _parse(folder / "journal.csv"), events),
            "SQLite": _report(
                "SQLite", _tail(f"sqlite:///{folder / 'bench.db'}", folder, size), events
            ),
        }
        if url.startswith("postgresql"):
            with _own_database(url) as own:
                found["PostgreSQL"] = _report("PostgreSQL", _tail(own, folder, size), events)
    return found


def _now() -> Mark:
    return time.process_time(), time.monotonic()


def _report(what: str, marks: list[Mark], events: int) -> float:
    (cpu_from, wall_from), (cpu_to, wall_to) = marks[0], marks[-1]
    tenths = [events / 10 / (end[0] - start[0]) for start, end in pairwise(marks)]
    print(
        f"{what:<11}{events / (cpu_to - cpu_from):>8,.0f} events/s a core (target {TARGET:,})"
        f"   first tenth {tenths[0]:,.0f}, last {tenths[-1]:,.0f}"
        f"   by the clock {events / (wall_to - wall_from):,.0f}   peak memory {peak_mb()} MiB"
    )
    return events / (cpu_to - cpu_from)


def write_journal(path: Path, calls: int, at_once: int) -> int:
    """Write the calls interleaved, as a busy hour has them; returns the number of events."""
    written = 0
    waiting = iter(range(calls))
    going = [_call(number) for number in islice(waiting, at_once)]
    clock = count(BEGIN_S * 1_000_000, 2_000)  # microseconds: 500 events a second
    with path.open("wb") as file:
        while going:
            for place in range(len(going) - 1, -1, -1):
                if (fields := next(going[place], None)) is not None:
                    file.write(_record(next(clock), *fields))
                    written += 1
                elif (number := next(waiting, None)) is not None:
                    going[place] = _call(number)
                else:
                    del going[place]
    return written


def _call(number: int) -> Iterator[tuple[str, str, str, str, str]]:
    """A call that presses two keys, waits, and is answered by an agent: type, channel, uniqueid,
    linkedid and extra of each of its events."""
    caller = f"th1.bench-{BEGIN_S}.{2 * number}"
    agent = f"th1.bench-{BEGIN_S}.{2 * number + 1}"
    queue, login, bridge = QUEUES[number % 5], f"agent{number % 60}", f"br-{number}"
    own = {
        "HL_CALL": f"caller=09{number % 10**8:08}|dialled=1022|trunk=127.0.0.2|kind=citizen",
        "HL_BRANCH": f"branch={queue}",
        "HL_NOTICE": "result=heard",
        "HL_QUEUE": f"queue={queue}|ahead=0",
        "HL_QUEUE_END": f"queue={queue}|why=done",
        "HL_ANSWER": f"agent={login}|seat=seat-001|call={caller}",
        "HL_END": "status=done",
    }
    ours = (f"PJSIP/trunk-local-{number:08x}", caller)
    theirs = (f"PJSIP/seat-001-{number:08x}", agent)
    in_bridge = json.dumps({"bridge_id": bridge, "bridge_technology": "simple_bridge"})
    hangup = json.dumps({"hangupcause": 16, "hangupsource": ours[0], "dialstatus": ""})

    def event(type_: str, who: tuple[str, str], extra: str = "") -> tuple[str, str, str, str, str]:
        if type_.startswith("HL_"):
            extra = json.dumps({"extra": extra or own[type_]})
        return type_, *who, caller, extra

    yield event("CHAN_START", ours)
    yield event("HL_CALL", ours)
    yield event("ANSWER", ours)
    yield event("HL_MENU", ours, "menu=main")
    yield event("HL_KEY", ours, f"menu=main|key={number % 9}")
    yield event("HL_MENU", ours, f"menu={queue}")
    yield event("HL_KEY", ours, f"menu={queue}|key=0")
    for type_ in ("HL_BRANCH", "HL_NOTICE", "HL_QUEUE"):
        yield event(type_, ours)
    yield event("CHAN_START", theirs)
    yield event("ANSWER", theirs)
    yield event("HL_ANSWER", theirs)
    for who in (theirs, ours):
        yield event("BRIDGE_ENTER", who, in_bridge)
    for who in (theirs, ours):
        yield event("BRIDGE_EXIT", who, in_bridge)
    yield event("HL_QUEUE_END", ours)
    yield event("HL_END", ours)
    for who in (ours, theirs):
        yield event("HANGUP", who, hangup)
        yield event("CHAN_END", who)


def _record(
    us: int, type_: str, channel: str, uniqueid: str, linkedid: str, extra: str
) -> bytes:
    own = type_ if type_.startswith("HL_") else ""
    texts = (
        type_, f"{us // 1_000_000}.{us % 1_000_000:06}", own, "0912345678", "", "s", "hl-menu-main",
        channel, "CELGenUserEvent" if own else "AppDial", own, uniqueid, linkedid, "", extra,
    )
    return ",".join('"' + text.replace('"', '""') + '"' for text in texts).encode() + b"\n"


def _parse(path: Path) -> list[Mark]:
    """When each tenth of the file was read."""
    size, offset, marks = path.stat().st_size, 0, [_now()]
    with path.open("rb") as file:
        while offset < size:
            offset = read(file.fileno(), offset).end
            if offset >= size * len(marks) / 10:
                marks.append(_now())
    return marks


def _tail(url: str, folder: Path, size: int) -> list[Mark]:
    """When a tailer on an empty database had committed each tenth of the journal."""
    database = Database(url)
    database.migrate()
    tailer = Tailer(database, folder, "th1", rotate_bytes=1 << 60)
    marks = [_now()]
    while tailer.step() or tailer.step():
        with database.reading() as session:
            offset = session.scalars(select(JournalPosition.offset)).one_or_none() or 0
        if offset >= size * len(marks) / 10:
            marks.append(_now())
    with database.reading() as session:
        print(f"  {session.scalars(select(func.count()).select_from(Call)).one()} calls in rows")
    database.engine.dispose()
    return marks


@contextmanager
def _own_database(url: str) -> Iterator[str]:
    server = make_url(url).set(drivername="postgresql")
    name = f"hotline_bench_{os.getpid()}"
    with psycopg.connect(server.render_as_string(hide_password=False), autocommit=True) as link:
        link.execute(f"CREATE DATABASE {name}".encode())
        try:
            yield server.set(database=name).render_as_string(hide_password=False)
        finally:
            link.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


if __name__ == "__main__":
    main()
