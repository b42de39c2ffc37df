"""What the hotline's processes take: forked from `hotline up`, beside each started alone.

    python -m scripts.bench.processes

Both stand at the same Asterisk and state folder, one after the other; the supervisor counts with
those that are forked from it. Memory is each process's share of what it maps (PSS, proc(5)), added
up; processor time is all from the start to ten seconds after all run, without a call. Then the
console is killed.
"""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import click

from scripts import PROCESSES
from scripts.bench.call import cpu_s, tree
from scripts.bench.machine import hardware
from scripts.up import BACKOFF_FIRST_S
from tests.live.running import Hotline, running_hotline, wait_for

SETTLED_S = 10.0


@dataclass(frozen=True)
class Taken:
    """`back_s`: from the console's death until it answers again."""

    cpu_s: float
    memory_mb: float
    back_s: float


def memory_mb(pids: list[int]) -> float:
    told = (Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii") for pid in pids)
    lines = (line for text in told for line in text.splitlines() if line.startswith("Pss:"))
    return sum(int(line.split()[1]) for line in lines) / 1024


def taken(hotline: Hotline, pids: Callable[[], list[int]], kill: Callable[[], object]) -> Taken:
    wait_for(lambda: hotline.console_answers and hotline.listener_connected, "all run")
    time.sleep(SETTLED_S)
    cpu, memory = cpu_s(pids()), memory_mb(pids())
    began = time.monotonic()
    kill()
    wait_for(lambda: hotline.console_answers, "the console is back")
    return Taken(cpu, memory, time.monotonic() - began)


@contextmanager
def alone(hotline: Hotline) -> Iterator[dict[str, subprocess.Popen[bytes]]]:
    running = {name: start(hotline, name) for name in PROCESSES}
    try:
        yield running
    finally:
        for one in running.values():
            one.terminate()
        for one in running.values():
            one.wait(30)


def start(hotline: Hotline, name: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [*hotline.command, "process", name], env=hotline.environment, cwd=hotline.folder,
        stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    )


def measured() -> tuple[Taken, Taken]:
    """Forked, and each alone."""
    with tempfile.TemporaryDirectory() as name, running_hotline(Path(name) / "home") as hotline:
        asterisk = set(tree(hotline.pid_of("asterisk")))
        forked = taken(
            hotline, lambda: [one for one in tree(hotline.up_pid) if one not in asterisk],
            lambda: hotline.signal("console", signal.SIGKILL),
        )
        hotline.kill_supervisor()
        wait_for(lambda: not hotline.console_answers, "all end with their supervisor")
        with alone(hotline) as running:
            def again() -> None:
                os.killpg(running["console"].pid, signal.SIGKILL)
                running["console"].wait()
                time.sleep(BACKOFF_FIRST_S)  # as the supervisor would
                running["console"] = start(hotline, "console")

            each = taken(
                hotline, lambda: [pid for one in running.values() for pid in tree(one.pid)], again
            )
    return forked, each


@click.command()
def main() -> None:
    """Print both, and their ratio."""
    forked, each = measured()
    click.echo(hardware())
    click.echo(f"{'':<24}{'forked':>10}{'alone':>10}{'ratio':>8}")
    for what, ours, theirs in (
        ("processor time, s", forked.cpu_s, each.cpu_s),
        ("memory, MiB", forked.memory_mb, each.memory_mb),
        ("console back after, s", forked.back_s, each.back_s),
    ):
        click.echo(f"{what:<24}{ours:>10.1f}{theirs:>10.1f}{ours / theirs:>8.2f}")


if __name__ == "__main__":
    main()
