"""What a call costs, and what a page takes, as history grows:

    python -m scripts.bench.growth [--sizes 10000,100000,1000000,5000000] [--database URL]
        [--no-archive]

For each size a history is made on a PostgreSQL of its own; then a tailer, in a process of its own,
reads 2,000 new calls into it (its CPU and that of the server, its memory), and every page is
opened. At last a month leaves it for the archive (crm.archive), while the records of other calls
are written: how long each transaction of theirs takes, beside those before.
`--database` names one that scripts.bench.generate has filled instead; it gets those calls too.
`--no-archive`: without the month, which takes an hour of five million calls.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import click
from sqlalchemy import func, select, update

from crm import secrets
from crm.archive import months
from crm.archive.months import Archive
from crm.calls import record
from crm.clock import vietnam_day
from crm.database import Database
from crm.models import Call
from crm.reports.spans import begin
from ivr.journal import Tailer
from ivr.journal_reader import read
from scripts.bench import call, generate, machine, pages
from scripts.bench.desks import History
from scripts.bench.journal import write_journal
from tests.postgres import Server

NEW_CALLS = 2_000
YEAR = timedelta(days=365)
ALONE = 500  # transactions, before a month is archived
AT_ONCE = 20  # events in a transaction
PAUSE_S = 0.01  # after each


@dataclass(frozen=True)
class Size:
    """CPU of a call in the records, of tailer and server; the tailer's memory; pages."""

    calls: int
    cpu_ms_per_call: float
    memory_mb: int
    page_p50_ms: float
    page_p95_ms: float
    page_max_ms: float
    slowest: str
    archiving: Archiving | None


@dataclass(frozen=True)
class Archiving:
    """Transactions of records, alone and while calls leave the database; how many left, and how
    fast."""

    alone_p99_ms: float
    alone_max_ms: float
    beside_p99_ms: float
    beside_max_ms: float
    records: int
    seconds: float


def archiving(url: str) -> Archiving:
    """The second month of the history leaves the database, whatever its sounds are."""
    database = generate.opened(url, 600)
    with database.transaction() as session:
        oldest = session.scalar(select(func.min(Call.started_at))) or datetime.now(UTC)
        month = months.after(months.first_of(vietnam_day(oldest)))
        of_month = (Call.started_at >= begin(month), Call.started_at < begin(months.after(month)))
        session.execute(update(Call).where(*of_month).values(
            recording=None, voicemail=None, unreached=False))
    with tempfile.TemporaryDirectory() as name:
        home = Path(name)
        secrets.ensure(home, [])
        write_journal(home / "journal.csv", NEW_CALLS, 100)
        with (home / "journal.csv").open("rb") as journal:
            writing = _writing(database, journal.fileno())
            alone = [next(writing) for _ in range(ALONE)]
            began = time.monotonic()
            at_it = subprocess.Popen(
                [sys.executable, "-m", "scripts.bench.growth", "--archived", url, str(home),
                 month.isoformat()], stdout=subprocess.PIPE, text=True,
            )
            beside = []
            while at_it.poll() is None:
                beside.append(next(writing))
            seconds = time.monotonic() - began
            said = at_it.stdout.read() if at_it.stdout else ""
    database.engine.dispose()
    if at_it.returncode:
        raise RuntimeError("the month was not archived")
    return Archiving(*_p99_and_max(alone), *_p99_and_max(beside), int(said), seconds)


def _writing(database: Database, journal: int) -> Iterator[float]:
    """Records are written, again and again, as the tailer does: ms of each transaction."""
    while True:
        offset = 0
        while (batch := read(journal, offset, is_closed=True)).end > offset:
            offset = batch.end
            for start in range(0, len(batch.events), AT_ONCE):
                began = time.perf_counter()
                with database.transaction() as session:
                    record.apply(session, batch.events[start:start + AT_ONCE])
                yield 1000 * (time.perf_counter() - began)
                time.sleep(PAUSE_S)


def _p99_and_max(times: list[float]) -> tuple[float, float]:
    ordered = sorted(times)
    return ordered[len(ordered) * 99 // 100], ordered[-1]


def measured(url: str, server_pid: int | None, *, archive: bool) -> Size:
    """`server_pid` None: the server's own time is not counted."""
    before = call.cpu_s(call.tree(server_pid)) if server_pid else 0.0
    done = subprocess.run(
        [sys.executable, "-m", "scripts.bench.growth", "--tail", url], check=True,
        capture_output=True, text=True,
    )
    own = json.loads(done.stdout)
    servers = call.cpu_s(call.tree(server_pid)) - before if server_pid else 0.0
    database = generate.opened(url, 120)
    with database.reading() as session:
        calls = session.scalar(select(func.count()).select_from(Call)) or 0
    with tempfile.TemporaryDirectory() as home:
        found = sorted(
            (min(page.ms), f"{page.path} as {page.role or 'anybody'}")
            for page in pages.measure(database, Path(home))
        )
    database.engine.dispose()
    return Size(
        calls, 1000 * (own["cpu_s"] + servers) / NEW_CALLS, own["memory_mb"],
        found[len(found) // 2][0], found[len(found) * 95 // 100][0], *found[-1],
        archiving(url) if archive else None,
    )


def sizes(wanted: Sequence[int], *, archive: bool) -> Iterator[Size]:
    for calls in wanted:
        with Server(in_memory=False) as server:
            database = generate.opened(server.url, 3600)
            generate.fill(database, History(calls, datetime.now(UTC), YEAR), lambda _: None)
            database.engine.dispose()
            yield measured(server.url, server.pid, archive=archive)


def tail(url: str) -> None:
    """In a process of its own: what the tailer needs for the new calls."""
    with tempfile.TemporaryDirectory() as name:
        write_journal(Path(name) / "journal.csv", NEW_CALLS, 100)
        database = generate.opened(url, 120)
        tailer = Tailer(database, Path(name), f"g{int(time.time())}", rotate_bytes=1 << 60)
        began = time.process_time()
        while tailer.step() or tailer.step():
            pass
        click.echo(json.dumps({
            "cpu_s": time.process_time() - began,
            "memory_mb": machine.peak_mb(),
        }))


@click.command()
@click.option("--sizes", "wanted", default="10000,100000", show_default=True)
@click.option("--database", "url", help="A filled one instead.")
@click.option("--archive/--no-archive", "archive", default=True, show_default=True)
@click.option("--tail", "tailed", hidden=True)
@click.option("--archived", nargs=3, hidden=True)
def main(
    wanted: str, url: str | None, archive: bool, tailed: str | None,
    archived: tuple[str, str, str] | None,
) -> None:
    """Print cost, memory and times of pages for each size."""
    if tailed:
        tail(tailed)
        return
    if archived:
        made = Archive(generate.opened(archived[0], 600), Path(archived[1]))
        click.echo(made.make(date.fromisoformat(archived[2]), 20, datetime.now(UTC)).deleted)
        return
    found = [measured(url, None, archive=archive)] if url else sizes(
        [int(one) for one in wanted.split(",")], archive=archive
    )
    click.echo(f"{'calls':>9}{'CPU ms a call':>15}{'MB':>6}{'page p50':>10}{'p95':>8}{'max ms':>8}")
    for one in found:
        click.echo(f"{one.calls:>9,}{one.cpu_ms_per_call:>15.2f}{one.memory_mb:>6}"
                   f"{one.page_p50_ms:>10.0f}{one.page_p95_ms:>8.0f}{one.page_max_ms:>8.0f}"
                   f"  {one.slowest}")
        if (beside := one.archiving) is None:
            continue
        click.echo(
            f"          {beside.records:,} records left for the archive in {beside.seconds:.0f} s;"
            f" other transactions p99 {beside.beside_p99_ms:.0f}, max {beside.beside_max_ms:.0f} ms"
            f" (alone {beside.alone_p99_ms:.0f} and {beside.alone_max_ms:.0f} ms)"
        )


if __name__ == "__main__":
    main()
