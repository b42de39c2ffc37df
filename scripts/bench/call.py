"""What a call costs: the whole hotline beside what plays the same audio without it.

    python -m scripts.bench.call [--calls 100] [--rate 5] [--seconds 8]

Beside it stand a bare Asterisk, the same menu served by FastAGI from Python, and Asterisk's own
records of calls and events in PostgreSQL (cdr_pgsql, cel_pgsql), which is what logging costs
otherwise. All run on this machine, one after the other in the same run, with the same callers: a
call hears `--seconds` of greeting and main menu, then hangs up. Counted is the CPU time of all
processes of a side, PostgreSQL's too; the callers are not. What the idle processes take anyway is
measured first and taken off. What is left is told by process, too: what a call costs beside its
audio does not grow with its length, so that the ratio to a bare Asterisk falls with it.
"""

from __future__ import annotations

import asyncio
import os
import resource
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import click
import psycopg

from crm import secrets
from crm import settings as configuration
from crm.database import Database
from crm.settings import Settings
from ivr import provision, runtime
from ivr.phone import Phone
from scripts import speech
from tests.postgres import Server

TICKS = os.sysconf("SC_CLK_TCK")
IDLE_S = 5
STARTED_S, STEADY = 60, 0.8
CALLERS = "127.0.0.2"
TARGET = 1.2
LEAST_MS = 0.3  # of what is told by process

CDR = """CREATE TABLE cdr (calldate timestamptz, clid text, src text, dst text, dcontext text,
channel text, dstchannel text, lastapp text, lastdata text, duration int, billsec int,
disposition text, amaflags int, accountcode text, uniqueid text, userfield text, linkedid text)"""
CEL = """CREATE TABLE cel (id serial, eventtype text, eventtime timestamptz, userdeftype text,
cid_name text, cid_num text, cid_ani text, cid_rdnis text, cid_dnid text, exten text, context text,
channame text, appname text, appdata text, amaflags int, accountcode text, peeraccount text,
uniqueid text, linkedid text, userfield text, peer text, extra text)"""


@dataclass(frozen=True)
class Cost:
    """CPU of one side, by the names of its processes. `failed` calls were not answered."""

    name: str
    cpu_ms: Mapping[str, float]  # of a call
    failed: int
    setup_p50_ms: float
    setup_p99_ms: float

    @property
    def cpu_ms_per_call(self) -> float:
        return sum(self.cpu_ms.values())

    @property
    def parts(self) -> str:
        """What each process takes of it, the dearest first."""
        dearest = sorted(self.cpu_ms.items(), key=lambda part: -part[1])
        return ", ".join(f"{name} {ms:.1f}" for name, ms in dearest if ms >= LEAST_MS)


def cpu_by_name(pids: list[int]) -> dict[str, float]:
    """User and system time of processes and of their ended children, in seconds, by their name."""
    ticks: Counter[str] = Counter()
    for pid in pids:
        try:
            stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
        except (FileNotFoundError, ProcessLookupError):  # it has ended; its parent has its time
            continue
        name, _, rest = stat.partition("(")[2].rpartition(")")
        if name.startswith("ld-linux-"):  # the loader of an Asterisk that was unpacked
            name = "asterisk"
        ticks[name] += sum(map(int, rest.split()[11:15]))
    return {name: spent / TICKS for name, spent in ticks.items()}


def cpu_s(pids: list[int]) -> float:
    """User and system time of processes and of their ended children, in seconds."""
    return sum(cpu_by_name(pids).values())


def tree(root: int) -> list[int]:
    """A process and all below it."""
    try:
        told = Path(f"/proc/{root}/task/{root}/children").read_text(encoding="ascii")
    except FileNotFoundError:  # it has just ended
        return []
    children = told.split()
    return [root, *(pid for child in children for pid in tree(int(child)))]


async def load(server: tuple[str, int], calls: int, rate: float, seconds: float) -> list[int]:
    """Place the calls; the set-up time in ms of each that was answered."""
    setups: list[int] = []

    async def one(phone: Phone, number: int) -> None:
        call = await phone.call("1022", caller=f"09{number:08}", timeout_s=30)
        if await call.answered(30):
            setups.append(call.at("answered") or 0)
            await call.ended(seconds)
        await call.hang_up()

    async with Phone(CALLERS, server=server, user="0912345678") as phone:
        running = []
        for number in range(calls):
            running.append(asyncio.create_task(one(phone, number)))
            await asyncio.sleep(1 / rate)
        await asyncio.gather(*running)
    return setups


def measure(
    name: str, roots: list[int], server: tuple[str, int], calls: int, rate: float, seconds: float
) -> Cost:
    """`roots`: processes whose time counts, with all below them."""
    def spent_s() -> dict[str, float]:
        return cpu_by_name([pid for root in roots for pid in tree(root)])

    def since(before: Mapping[str, float]) -> dict[str, float]:
        return {name: after - before.get(name, 0) for name, after in spent_s().items()}

    def idle() -> dict[str, float]:
        before = spent_s()
        time.sleep(IDLE_S)
        return {name: spent / IDLE_S for name, spent in since(before).items()}

    # what a start leaves to do is not what idle processes take: wait until it is done
    share, last = idle(), {"": 1e9}
    deadline = time.monotonic() + STARTED_S
    while sum(share.values()) < STEADY * sum(last.values()) and time.monotonic() < deadline:
        share, last = idle(), share
    share = min(share, last, key=lambda one: sum(one.values()))
    began, before = time.monotonic(), spent_s()
    setups = sorted(asyncio.run(load(server, calls, rate, seconds)))
    time.sleep(2)  # the records are written
    took, spent = time.monotonic() - began, since(before)
    if not setups:
        raise SystemExit(f"{name}: no call was answered")
    return Cost(
        name, {of: 1000 * (all_ - share.get(of, 0) * took) / calls for of, all_ in spent.items()},
        calls - len(setups), setups[len(setups) // 2], setups[int(len(setups) * 0.99)],
    )


def own_settings(home: Path, shared: Settings, **more: str) -> Settings:
    """Settings on free ports, with the prompts and the Asterisk that are there already."""
    ports = []
    held = []
    for _ in range(4):
        server = socket.create_server(("127.0.0.1", 0))
        held.append(server)
        ports.append(server.getsockname()[1])
    for server in held:
        server.close()
    names = ("CONSOLE", "SIP", "WS", "AMI")
    addresses = {
        f"HOTLINE_{name}_BIND": f"127.0.0.1:{port}" for name, port in zip(names, ports, strict=True)
    }
    return configuration.load({
        "HOTLINE_HOME": str(home), "HOTLINE_CACHE": str(shared.cache), **addresses, **more
    })


@dataclass(frozen=True)
class Side:
    """One way of answering. `files`: of Asterisk's configuration, besides the usual ones;
    `modules`: besides the usual ones; `roots`: of processes beside Asterisk."""

    name: str
    dialplan: str
    files: dict[str, str]
    modules: tuple[str, ...] = ()
    roots: tuple[int, ...] = ()


Beside = Callable[[Settings], AbstractContextManager[Side]]


def sounds(settings: Settings) -> tuple[str, ...]:
    main = provision.load_menus(settings).main
    return (*main.say, *main.spoken_options)


@contextmanager
def answering(
    side: Side, home: Path, shared: Settings, asterisk: runtime.Asterisk
) -> Iterator[tuple[Settings, list[int]]]:
    """An Asterisk of the same modules and trunk without a hotline; its settings, and the processes
    whose time counts."""
    settings = own_settings(home, shared)
    database = Database.of(settings)
    home.mkdir(parents=True)
    database.migrate()
    provision.prepare(settings, database)
    speech.build_all(settings, lambda _done, _total: None)
    wanted = provision.files(
        settings, secrets.load(home), provision.load_menus(settings), version=asterisk.version,
        modules=asterisk.modules, open_files=runtime.open_files(settings), boot="bare",
    )
    wanted["extensions.conf"] = f"[from-trunk]\nexten => 1022,1,{side.dialplan}\n"
    wanted["cel.conf"] = "[general]\nenable = no\n"
    wanted["cli.conf"] = ""
    wanted["modules.conf"] += "".join(f"load = {name}.so\n" for name in side.modules)
    provision.write(home, wanted | side.files)
    pid = runtime.start(asterisk, settings)
    try:
        yield settings, [pid, *side.roots]
    finally:
        runtime.stop(asterisk, settings.home, grace_s=0)


def play(settings: Settings) -> str:
    return (
        f"Answer()\n same => n,Wait(0.4)\n same => n,Playback({'&'.join(sounds(settings))})\n"
        " same => n,Hangup()"
    )


@contextmanager
def bare(shared: Settings) -> Iterator[Side]:
    yield Side("bare Asterisk", play(shared), {})


@contextmanager
def fastagi(shared: Settings) -> Iterator[Side]:
    with socket.create_server(("127.0.0.1", 0)) as held:
        port = held.getsockname()[1]
    server = subprocess.Popen(
        [sys.executable, "-m", "scripts.bench.fastagi", str(port), *sounds(shared)]
    )
    try:
        yield Side(
            "FastAGI (panoramisk)", f"AGI(agi://127.0.0.1:{port}/menu)\n same => n,Hangup()", {},
            modules=("res_speech", "res_agi"), roots=(server.pid,),
        )
    finally:
        server.kill()
        server.wait()


@contextmanager
def own_records(shared: Settings) -> Iterator[Side]:
    with Server() as server:
        with psycopg.connect(server.url, autocommit=True) as connection:
            connection.execute(CDR)
            connection.execute(CEL)
        to = f"hostname={server.folder}\ndbname=postgres\nuser=hotline\n"
        yield Side(
            "cdr/cel_pgsql", play(shared), {
                "cdr.conf": "[general]\nenable = yes\nunanswered = yes\n",
                "cdr_pgsql.conf": f"[global]\n{to}table=cdr\n",
                "cel.conf": "[general]\nenable = yes\nevents = CHAN_START,CHAN_END,ANSWER,HANGUP,"
                            "BRIDGE_ENTER,BRIDGE_EXIT,USER_DEFINED,LINKEDID_END\n",
                "cel_pgsql.conf": f"[global]\n{to}table=cel\n",
            }, modules=("cdr_pgsql", "cel_pgsql"), roots=(server.pid,),
        )
        with psycopg.connect(server.url) as connection:
            for table in ("cdr", "cel"):
                (rows,) = connection.execute(
                    f"SELECT count(*) FROM {table}".encode()  # noqa: S608
                ).fetchone() or (0,)
                if not rows:
                    raise SystemExit(f"{table}_pgsql wrote nothing: its cost was not measured")


@contextmanager
def whole(home: Path, shared: Settings, *, postgres: bool) -> Iterator[tuple[Settings, list[int]]]:
    """The hotline as it is run; its settings, and the processes whose time counts."""
    with ExitStack() as stack:
        more = {}
        roots = []
        if postgres:
            server = stack.enter_context(Server())
            more["HOTLINE_DATABASE_URL"] = server.url
            roots.append(server.pid)
        settings = own_settings(home, shared, **more)
        environment = {
            **os.environ, "HOTLINE_HOME": str(settings.home), "HOTLINE_CACHE": str(settings.cache),
            "HOTLINE_CONSOLE_BIND": str(settings.console_bind),
            "HOTLINE_SIP_BIND": str(settings.sip_bind),
            "HOTLINE_WS_BIND": str(settings.ws_bind), "HOTLINE_AMI_BIND": str(settings.ami_bind),
            **more,
        }
        hotline = [sys.executable, "-m", "scripts.hotline"]
        subprocess.run([*hotline, "setup"], env=environment, check=True, stdout=subprocess.DEVNULL)
        up = subprocess.Popen([*hotline, "up"], env=environment, stdout=subprocess.DEVNULL)
        try:
            deadline = time.monotonic() + 90
            while len(tree(up.pid)) < 7 and time.monotonic() < deadline:  # Asterisk and the others
                time.sleep(0.5)
            time.sleep(10)
            yield settings, [up.pid, *roots]
        finally:
            up.send_signal(signal.SIGINT)
            up.wait(60)


def costs(
    calls: int, rate: float, seconds: float, *, beside: Sequence[Beside] = (fastagi, own_records)
) -> Iterator[Cost]:
    """Of all sides, the bare one first, the hotline on SQLite and on PostgreSQL last."""
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
    shared = configuration.load()
    asterisk = runtime.find(shared, click.echo, fetch=False)
    with tempfile.TemporaryDirectory(prefix="hl-bench-") as folder:
        for made in (bare, *beside):
            with made(shared) as side, answering(
                side, Path(folder) / made.__name__, shared, asterisk
            ) as (settings, roots):
                server = (settings.sip_bind.host, settings.sip_bind.port)
                yield measure(side.name, roots, server, calls, rate, seconds)
        for database in ("SQLite", "PostgreSQL"):
            with whole(
                Path(folder) / database, shared, postgres=database == "PostgreSQL"
            ) as (settings, roots):
                server = (settings.sip_bind.host, settings.sip_bind.port)
                yield measure(f"the hotline, {database}", roots, server, calls, rate, seconds)


@click.command()
@click.option("--calls", default=100, show_default=True)
@click.option("--rate", default=5.0, show_default=True, help="New calls a second.")
@click.option("--seconds", default=8.0, show_default=True, help="Each call's length.")
def main(calls: int, rate: float, seconds: float) -> None:
    """Print the cost of a call on each side, and its ratio to a bare Asterisk's."""
    click.echo(f"{calls} calls of {seconds:g} s at {rate:g}/s")
    click.echo(f"{'':<24}{'CPU ms a call':>14}{'ratio':>7}{'not answered':>14}"
               f"{'set-up p50 ms':>15}{'p99 ms':>9}")
    first = 0.0
    for cost in costs(calls, rate, seconds):
        first = first or cost.cpu_ms_per_call
        click.echo(f"{cost.name:<24}{cost.cpu_ms_per_call:>14.1f}"
                   f"{cost.cpu_ms_per_call / first:>7.2f}{cost.failed:>14}"
                   f"{cost.setup_p50_ms:>15.0f}{cost.setup_p99_ms:>9.0f}  {cost.parts}")
    click.echo(f"target: {TARGET} at most")


if __name__ == "__main__":
    main()
