"""What a call costs: the whole hotline beside a bare Asterisk that plays the same audio.

    python -m scripts.bench.call [--calls 100] [--rate 5] [--seconds 8]

Both run on this machine, one after the other in the same run, with the same callers: a call hears
`--seconds` of greeting and main menu, then hangs up. Counted is the CPU time of Asterisk and, for
the hotline, of tailer, listener, console, scheduler and supervisor too; the callers are not. The
time that the idle processes take anyway is measured first and taken off.
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
from dataclasses import dataclass
from pathlib import Path

import click

from crm import secrets
from crm import settings as configuration
from crm.database import Database
from crm.settings import Settings
from ivr import provision, runtime
from ivr.phone import Phone
from scripts import speech

TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Cost:
    """CPU of one side. `failed` calls were not answered."""

    name: str
    cpu_ms_per_call: float
    failed: int
    setup_p50_ms: float
    setup_p99_ms: float


def cpu_s(pids: list[int]) -> float:
    """User and system time of processes and of their ended children, in seconds."""
    total = 0
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        total += sum(map(int, fields[11:15]))
    return total / TICKS


def tree(root: int) -> list[int]:
    """A process and all below it."""
    children = Path(f"/proc/{root}/task/{root}/children").read_text(encoding="ascii").split()
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

    async with Phone("127.0.0.2", server=server, user="0912345678") as phone:
        running = []
        for number in range(calls):
            running.append(asyncio.create_task(one(phone, number)))
            await asyncio.sleep(1 / rate)
        await asyncio.gather(*running)
    return setups


def measure(
    name: str, pids: list[int], server: tuple[str, int], calls: int, rate: float, seconds: float
) -> Cost:
    idle = cpu_s(pids)
    time.sleep(5)
    idle_share = (cpu_s(pids) - idle) / 5
    began, before = time.monotonic(), cpu_s(pids)
    setups = sorted(asyncio.run(load(server, calls, rate, seconds)))
    time.sleep(2)  # the records are written
    spent = cpu_s(pids) - before - idle_share * (time.monotonic() - began)
    if not setups:
        raise SystemExit(f"{name}: no call was answered")
    return Cost(
        name, 1000 * spent / calls, calls - len(setups), setups[len(setups) // 2],
        setups[int(len(setups) * 0.99)],
    )


def own_settings(home: Path, shared: Settings) -> Settings:
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
        "HOTLINE_HOME": str(home), "HOTLINE_CACHE": str(shared.cache), **addresses
    })


def bare(home: Path, shared: Settings, asterisk: runtime.Asterisk) -> tuple[Settings, int]:
    """An Asterisk of the same modules and trunk, without journal and hotline: answer and play."""
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
    main = provision.load_menus(settings).main
    files = "&".join((*main.say, *main.spoken_options))
    wanted["extensions.conf"] = (
        f"[from-trunk]\nexten => 1022,1,Answer()\n same => n,Wait(0.4)\n"
        f" same => n,Playback({files})\n same => n,Hangup()\n"
    )
    wanted["cel.conf"] = "[general]\nenable = no\n"
    wanted["cli.conf"] = ""
    provision.write(home, wanted)
    return settings, runtime.start(asterisk, settings)


@click.command()
@click.option("--calls", default=100, show_default=True)
@click.option("--rate", default=5.0, show_default=True, help="New calls a second.")
@click.option("--seconds", default=8.0, show_default=True, help="Each call's length.")
def main(calls: int, rate: float, seconds: float) -> None:
    """Print the cost of a call on both sides, and their ratio."""
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
    shared = configuration.load()
    asterisk = runtime.find(shared, click.echo, fetch=False)
    with tempfile.TemporaryDirectory(prefix="hl-bench-") as folder:
        plain, pid = bare(Path(folder) / "bare", shared, asterisk)
        server = (plain.sip_bind.host, plain.sip_bind.port)
        try:
            first = measure("bare Asterisk", [pid], server, calls, rate, seconds)
        finally:
            runtime.stop(asterisk, plain.home, grace_s=0)

        whole = own_settings(Path(folder) / "whole", shared)
        environment = {
            **os.environ, "HOTLINE_HOME": str(whole.home), "HOTLINE_CACHE": str(whole.cache),
            "HOTLINE_CONSOLE_BIND": str(whole.console_bind),
            "HOTLINE_SIP_BIND": str(whole.sip_bind),
            "HOTLINE_WS_BIND": str(whole.ws_bind), "HOTLINE_AMI_BIND": str(whole.ami_bind),
        }
        hotline = [sys.executable, "-m", "scripts.hotline"]
        subprocess.run([*hotline, "setup"], env=environment, check=True, stdout=subprocess.DEVNULL)
        up = subprocess.Popen([*hotline, "up"], env=environment, stdout=subprocess.DEVNULL)
        try:
            deadline = time.monotonic() + 90
            while len(tree(up.pid)) < 7 and time.monotonic() < deadline:  # Asterisk and the others
                time.sleep(0.5)
            time.sleep(10)
            server = (whole.sip_bind.host, whole.sip_bind.port)
            second = measure("whole hotline", tree(up.pid), server, calls, rate, seconds)
        finally:
            up.send_signal(signal.SIGINT)
            up.wait(60)
    click.echo(f"Asterisk {asterisk.version_text}, {calls} calls of {seconds:g} s at {rate:g}/s")
    heads = f"{'CPU ms a call':>14}{'not answered':>14}{'set-up p50 ms':>15}{'p99 ms':>9}"
    click.echo(f"{'':<16}{heads}")
    for cost in (first, second):
        click.echo(f"{cost.name:<16}{cost.cpu_ms_per_call:>14.1f}{cost.failed:>14}"
                   f"{cost.setup_p50_ms:>15.0f}{cost.setup_p99_ms:>9.0f}")
    click.echo(f"ratio {second.cpu_ms_per_call / first.cpu_ms_per_call:.2f} (target: 1.2 at most)")


if __name__ == "__main__":
    main()
