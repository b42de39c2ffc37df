"""`hotline bench`: what the hotline is to reach, what was measured, and beside what.

Each part measures in this run, on this machine, and says what it was compared with. What is not
measured is named with the reason. Everything runs in hotlines of its own, made for it: the one
that runs here is only slower meanwhile.
"""

from __future__ import annotations

import asyncio
import os
import platform
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import redirect_stdout, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib import util
from importlib.metadata import version
from pathlib import Path

import click
import psycopg

from crm import settings as configuration
from crm.database import Database
from crm.models import JournalPosition
from crm.settings import PROJECT, Settings
from ivr import probe, provision, runtime, simulate
from scripts import load, speech
from scripts.bench import call, growth, journal, screen
from scripts.bench.machine import hardware
from tests.live.running import Hotline, running_hotline
from tests.postgres import Server


@dataclass(frozen=True)
class Row:
    """`held` None: there is no target, or it was not measured; `note` says why, or why it was
    missed."""

    what: str
    target: str
    measured: str
    beside: str = ""
    ratio: float | None = None
    held: bool | None = None
    note: str = ""


@dataclass(frozen=True)
class Extent:
    """How much is measured."""

    calls: int  # of the cost of a call
    rate: float
    longer_s: float  # of calls that hear the menu to its end; 0: their cost is not measured
    capacity_s: float
    capacity_rate: float
    pops: int
    consoles: int
    events_of: int  # calls, of the journal
    histories: tuple[int, ...]


SMALL = Extent(30, 3, 0, 20, 4, 5, 20, 1_000, (2_000, 10_000))
WHOLE = Extent(300, 5, 25, 900, 20, 40, 300, 20_000, (10_000, 100_000, 1_000_000, 5_000_000))


def cost(extent: Extent) -> Iterator[Row]:
    yield from _costs(8, call.costs(extent.calls, extent.rate, 8))
    if extent.longer_s:  # what a call costs beside its audio does not grow with its length
        yield from _costs(extent.longer_s, call.costs(
            extent.calls // 3, extent.rate / 3, extent.longer_s, beside=()
        ))


def _costs(seconds: float, measured: Iterator[call.Cost]) -> Iterator[Row]:
    bare = next(measured)
    for side in measured:
        ratio = side.cpu_ms_per_call / bare.cpu_ms_per_call
        ours = side.name.startswith("the hotline")
        yield Row(
            f"CPU of a call of {seconds:g} s: {side.name}",
            f"≤ {call.TARGET} × bare Asterisk" if ours else "",
            f"{side.cpu_ms_per_call:.1f} ms", f"{bare.cpu_ms_per_call:.1f} ms ({bare.name})",
            ratio, ratio <= call.TARGET if ours else None,
            f"set-up p99 {side.setup_p99_ms:.0f} ms, bare {bare.setup_p99_ms:.0f} ms; "
            f"{side.parts} beside {bare.parts}",
        )


def _lags(hotline: Hotline, over: threading.Event, found: list[float]) -> None:
    """How long what stands in the journal waits for the database."""
    file, database = provision.journal(hotline.home), Database.of(hotline.settings)
    while not over.is_set():
        state, began = file.stat(), time.monotonic()
        while not over.wait(0.02):
            with database.reading() as session:
                at = session.get(JournalPosition, "th1")
            if at and (at.inode != state.st_ino or at.offset >= state.st_size):
                found.append(time.monotonic() - began)
                break
        over.wait(0.2)


def capacity(extent: Extent) -> Iterator[Row]:
    lags: list[float] = []
    over = threading.Event()
    with tempfile.TemporaryDirectory(prefix="hl-bench-") as folder, running_hotline(
        Path(folder) / "home"
    ) as hotline:
        settings = hotline.settings
        watching = threading.Thread(target=_lags, args=(hotline, over, lags))
        watching.start()
        began = datetime.now(UTC)
        outcome = asyncio.run(load.drive(load.Plan(
            load.scenario("everyday"), load.target(settings, None, operated=True),
            call.CALLERS, extent.capacity_rate, extent.capacity_s,
        )))
        over.set()
        watching.join()
        asyncio.run(load.compare(settings, outcome, began, within_s=60))
    told = outcome.as_dict()
    p99 = outcome.setup_ms(99) or 0
    well = outcome.well and p99 < 1000
    yield Row(
        f"{extent.capacity_rate:g} new calls/s for {extent.capacity_s:g} s",
        "20/s for 15 min, set-up p99 < 1 s, none failed or unrecorded",
        f"set-up p50 {outcome.setup_ms(50)} ms, p99 {p99} ms; {told['calls']} calls, "
        f"{sum(outcome.failures.values())} failed, {len(outcome.missing or [])} not in the ledger",
        held=well if extent is WHOLE else None,
        note="" if extent is WHOLE else "too short and slow to prove the target",
    )
    lag = sorted(lags)[len(lags) * 99 // 100] if lags else 0.0
    yield Row("journal → database meanwhile, p99", "≤ 1 s", f"{lag:.2f} s", held=lag <= 1)


def records(extent: Extent) -> Iterator[Row]:
    with Server() as server:
        rates = journal.rates(extent.events_of, 300, server.url)
    for name in ("SQLite", "PostgreSQL"):
        yield Row(
            f"journal events a second of one core: {name}", f"≥ {journal.TARGET:,}",
            f"{rates[name]:,.0f}", f"{rates['parse']:,.0f} (parsing alone)",
            rates[name] / rates["parse"], rates[name] >= journal.TARGET,
        )


def pops(extent: Extent) -> Iterator[Row]:
    for pop in screen.pops(extent.pops, extent.consoles):
        target = screen.TARGETS_MS[bool(pop.consoles)]
        yield Row(
            f"AMI event → the agent's screen, p95, {pop.consoles} other consoles",
            f"≤ {target} ms", f"{pop.p95_ms:.0f} ms (p50 {pop.p50_ms:.0f})",
            f"{pop.beat_p95_ms:.0f} ms (how late this machine came to a beat of 20 ms, p95)",
            held=pop.p95_ms <= target,
        )
        yield Row(
            f"the console's memory as updates go by, {pop.consoles} other consoles", "constant",
            f"{pop.late_mib:.1f} MiB at the end", f"{pop.early_mib:.1f} MiB at a quarter",
            pop.late_mib / pop.early_mib,
        )


def history(extent: Extent) -> Iterator[Row]:
    first: growth.Size | None = None
    for size in growth.sizes(extent.histories, archive=True):
        first = first or size
        ratio = size.cpu_ms_per_call / first.cpu_ms_per_call
        yield Row(
            f"records of a call, {size.calls:,} calls before it", "flat",
            f"{size.cpu_ms_per_call:.2f} ms, {size.memory_mb} MB",
            f"{first.cpu_ms_per_call:.2f} ms ({first.calls:,} calls)", ratio,
        )
        yield Row(
            f"any page or report, {size.calls:,} calls, PostgreSQL", "≤ 300 ms",
            f"p50 {size.page_p50_ms:.0f}, p95 {size.page_p95_ms:.0f}, "
            f"slowest {size.page_max_ms:.0f} ms",
            held=size.page_max_ms <= 300, note=size.slowest,
        )
        if (of := size.archiving) is None:
            continue
        yield Row(
            f"a transaction of records while a month is archived, {size.calls:,} calls",
            "no writer waits", f"p99 {of.beside_p99_ms:.0f} ms, max {of.beside_max_ms:.0f} ms",
            f"p99 {of.alone_p99_ms:.0f} ms, max {of.alone_max_ms:.0f} ms (before)",
            of.beside_p99_ms / of.alone_p99_ms,
        )


def _first_start(folder: Path) -> Row:
    """`./scripts/run` in a new clone, with nothing fetched or built before."""
    row = Row("the first start on a fresh machine, to the first call answered", "≤ 90 s", "")
    if not (PROJECT / ".git").exists():
        return replace(row, measured="not measured", note="only a clone has ./scripts/run")
    clone = folder / "clone"
    subprocess.run(["git", "clone", "--quiet", PROJECT, clone], check=True)
    hotline = Hotline(clone / "var", HOTLINE_CACHE=str(folder / "cache"), PIP_NO_CACHE_DIR="1")
    ami = hotline.settings.ami_bind
    began = time.monotonic()
    with (folder / "log").open("wb") as log:
        up = subprocess.Popen(
            [clone / "scripts" / "run"], cwd=clone, env=hotline.environment,
            stdout=log, stderr=subprocess.STDOUT, start_new_session=True,
        )
    try:
        while up.poll() is None and time.monotonic() - began < FIRST_START_S:
            with suppress(OSError), socket.create_connection((ami.host, ami.port), 1):
                break
            time.sleep(0.2)
        heard = asyncio.run(probe.call(hotline.settings))
        took = time.monotonic() - began
    finally:
        up.send_signal(signal.SIGINT)
        try:
            up.wait(60)
        except subprocess.TimeoutExpired:  # it still fetches
            os.killpg(up.pid, signal.SIGKILL)
    return replace(
        row, measured=f"{took:.1f} s" if heard.heard else heard.detail,
        held=heard.heard and took <= 90,
        note="what is fetched comes as fast as this machine's network brings it",
    )


def start(extent: Extent) -> Iterator[Row]:
    with tempfile.TemporaryDirectory(prefix="hl-bench-") as folder:
        hotline = Hotline(Path(folder) / "home")
        hotline.setup()
        began = time.monotonic()
        try:
            hotline.start()
            heard = asyncio.run(probe.call(hotline.settings))
        finally:
            took = time.monotonic() - began
            hotline.stop()
    yield Row(
        "a later start, to the first call answered", "≤ 8 s",
        f"{took:.1f} s" if heard.heard else heard.detail, held=heard.heard and took <= 8,
    )
    if extent is WHOLE:
        with tempfile.TemporaryDirectory(prefix="hl-bench-") as folder:
            yield _first_start(Path(folder))


def menus(_: Extent) -> Iterator[Row]:
    with tempfile.TemporaryDirectory(prefix="hl-bench-") as folder:
        hotline = Hotline(Path(folder) / "home")
        hotline.setup()
        loaded = provision.load_menus(hotline.settings)
        lasts = speech.durations_ms(hotline.settings)

    def named_s(key: str) -> float:
        lines = simulate.walk(loaded, lasts, key).lines
        return next(line.at_ms for line in lines if line.kind == "pressed") / 1000

    emergency = named_s("4")
    services = {one.key: named_s(one.key) for one in loaded.main.options if one.key != "9"}
    last = max(services, key=lambda key: services[key])
    yield Row("emergency is named", "≤ 8 s", f"{emergency:.1f} s", held=emergency <= 8)
    yield Row("every main service and a person are named", "≤ 25 s",
              f"{services[last]:.1f} s (key {last}), a person {services['0']:.1f} s",
              held=services[last] <= 25)


def voice(_: Extent) -> Iterator[Row]:
    target = "characters heard wrongly ≤ 0.30, none above 0.6"
    if util.find_spec("faster_whisper") is None:
        yield Row("voice", target, "not measured",
                  note="pip install -r requirements-recogniser.lock")
        return
    from scripts.bench import voice as heard

    mean, above, count = heard.mean_error()
    yield Row("voice", target, f"mean {mean:.2f}, {above} of {count} above {heard.WORST}",
              held=mean <= heard.TARGET and not above, note="embedded voice, Whisper base")


def faults(_: Extent) -> Iterator[Row]:
    page = (PROJECT / "docs" / "faults.md").read_text(encoding="utf-8")
    made = re.search(r"\| (\d{4}-\d\d-\d\d) \|", page)
    found = re.search(r"^(\d+) calls, (\d+) unexplained", page, re.MULTILINE)
    if not made or not found:
        raise SystemExit("docs/faults.md does not say what was found: ./scripts/test --full")
    yield Row(f"faults (docs/faults.md of {made[1]})", "0 calls unexplained",
              f"{found[2]} of {found[1]}", held=found[2] == "0",
              note="./scripts/test --full measures it")


FIRST_START_S = 600  # of patience

Part = Callable[[Extent], Iterator[Row]]
PARTS: Mapping[str, Part] = {
    "menus": menus, "start": start, "cost": cost, "capacity": capacity, "records": records,
    "screen": pops, "growth": history, "voice": voice, "faults": faults,
}


def machine(settings: Settings) -> str:
    asterisk = runtime.find(settings, lambda _: None, fetch=False)
    with Server() as server, psycopg.connect(server.url) as connection:
        postgres = connection.info.server_version // 10_000
    return (
        f"{datetime.now(UTC):%Y-%m-%d}, {hardware()}, load "
        f"{os.getloadavg()[0]:.1f} at the beginning; Asterisk {asterisk.version_text}, PostgreSQL "
        f"{postgres}, Python {platform.python_version()}, panoramisk {version('panoramisk')}"
    )


def table(parts: list[str], extent: Extent, tell: Callable[[str], object]) -> list[Row]:
    """Measure; the rows of a part are told as soon as they are there."""
    rows: list[Row] = []
    for name in parts:
        try:
            with redirect_stdout(sys.stderr):  # what the programs tell on their way
                found = list(PARTS[name](extent))
        except Exception as error:  # one part that fails leaves the others
            why = " ".join(f"{type(error).__name__}: {error}".split())[:300]
            found = [Row(name, "", "not measured", note=why)]
        rows += found
        for row in found:
            tell(shown(row))
    return rows


def shown(row: Row) -> str:
    verdict = {True: "held", False: "MISSED", None: "–"}[row.held]
    cells = (
        row.what, row.target or "–", row.measured, row.beside or "–",
        f"{row.ratio:.2f}" if row.ratio is not None else "–", verdict, row.note,
    )
    return "| " + " | ".join(cells) + " |"


HEAD = (
    "| what | target | measured | beside | ratio | | note |\n"
    "|---|---|---|---|---|---|---|"
)


def run(parts: list[str], *, whole: bool, output: Path | None) -> bool:
    """Measure and print; True where no target was missed."""
    told = machine(configuration.load())
    click.echo(f"{told}\n\n{HEAD}")
    rows = table(parts, WHOLE if whole else SMALL, click.echo)
    if output:
        lines = "\n".join(map(shown, rows))
        output.write_text(f"# Measured\n\nWritten by `hotline bench`; do not edit.\n\n{told}.\n\n"
                          f"{HEAD}\n{lines}\n", encoding="utf-8")
    return not any(row.held is False for row in rows)
