"""What three nodes carry beside one, each under the same CPU quota.

    python -m scripts.bench.cluster [--share 0.15] [--seconds 15]

An edge, three nodes and the database stand in network namespaces of their own (tests.live.cluster);
all processes of a node are in a control group of the kernel with that share of a core. Callers come
through the edge at a rate that is raised step by step: it is carried while 99 of 100 are answered
within a second and hear speech, and all stand in the ledger soon after, at the second try at the
latest. First the edge knows one node, then all three. Needs root.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import click
from sqlalchemy import func, select

from crm.models import Call
from ivr import runtime
from ivr.phone import Phone
from tests.live.cluster import CARRIER, EDGE, Cluster, Kamailio, running_cluster
from tests.live.running import Hotline

CGROUPS = Path("/sys/fs/cgroup")
PERIOD_US = 20_000
FIRST, STEP = 5.0, 1.1
ANSWERED, WITHIN_S, HEARD_S = 0.99, 1.0, 4.0
WRITTEN_S = 10.0  # after the last call, until all have their outcome
TRIES = 2  # of a rate, before it is too high: other programs run on this machine, too
SPEECH = 200  # as loud as any prompt
TARGET = 2.5


@contextmanager
def limited(node: Hotline, share: float) -> Iterator[None]:
    """All processes of a node under a quota of CPU time."""
    old = (CGROUPS / "cpu").is_dir()  # version 1 of control groups
    group = (CGROUPS / "cpu" if old else CGROUPS) / f"hotline-{node.settings.node}"
    group.mkdir()
    quota = int(PERIOD_US * share)
    try:
        if old:
            (group / "cpu.cfs_period_us").write_text(str(PERIOD_US))
            (group / "cpu.cfs_quota_us").write_text(str(quota))
        else:
            (group / "cpu.max").write_text(f"{quota} {PERIOD_US}")
        for pid in _processes(node):
            (group / "cgroup.procs").write_text(str(pid))
        yield
    finally:
        for left in (group / "cgroup.procs").read_text().split():
            (group.parent / "cgroup.procs").write_text(left)
        group.rmdir()


def _processes(node: Hotline) -> set[int]:
    """Its supervisor with all that descend from it, and its Asterisk."""
    found = {node.up_pid}
    if (asterisk := runtime.pid(node.home)) is not None:
        found.add(asterisk)
    parents = {}
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = status.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        parents[int(status.parent.name)] = int(fields[1])
    while more := {pid for pid, parent in parents.items() if parent in found} - found:
        found |= more
    return found


async def called(rate: float, seconds: float, caller: str) -> float:
    """The share of calls at this rate that are answered in time and hear speech."""
    good: list[bool] = []

    async def one(phone: Phone, number: str) -> None:
        call = await phone.call("1022", caller=number, timeout_s=10)
        in_time = await call.answered(WITHIN_S)
        if in_time or await call.answered(10):
            await call.ended(HEARD_S)
            good.append(in_time and len(call.heard) > 0 and int(abs(call.heard).max()) > SPEECH)
            await call.hang_up()
        else:
            good.append(False)

    async with Phone(CARRIER, server=(EDGE, 5060), user="carrier") as phone:
        calls = []
        for number in range(int(rate * seconds)):
            calls.append(asyncio.create_task(one(phone, f"{caller}{number:04}")))
            await asyncio.sleep(1 / rate)
        await asyncio.gather(*calls)
    return sum(good) / len(good)


def written(cluster: Cluster, caller: str, calls: int) -> bool:
    """Whether so many calls have their outcome soon."""
    deadline = time.monotonic() + WRITTEN_S
    while time.monotonic() < deadline:
        with cluster.database.reading() as session:
            if session.scalar(select(func.count()).select_from(Call).where(
                Call.caller.startswith(caller), Call.outcome.is_not(None)
            )) == calls:
                return True
        time.sleep(0.5)
    return False


def most(cluster: Cluster, nodes: int, seconds: float, first: float) -> float:
    """The highest rate that is carried; 0: not even the first."""
    best, rate, tries = 0.0, first, 0
    for step in range(1000):
        caller = f"09{nodes}{step:03}"
        share = asyncio.run(called(rate, seconds, caller))
        there = written(cluster, caller, int(rate * seconds))
        click.echo(f"{nodes} node{'s' if nodes > 1 else ''}, {rate:.2f} new calls/s: "
                   f"{share:.1%} answered within {WITHIN_S:g} s, with speech; "
                   f"{'all' if there else 'not all'} in the ledger {WRITTEN_S:g} s later")
        if share >= ANSWERED and there:
            best, rate, tries = rate, rate * STEP, 0
        elif (tries := tries + 1) == TRIES:
            break
    return best


@contextmanager
def edged(cluster: Cluster, where: Path, nodes: list[str]) -> Iterator[None]:
    cluster.kamailio.stop()
    kamailio = Kamailio(where, nodes)
    kamailio.start()
    try:
        asyncio.run(asyncio.sleep(8))  # until it has asked each node twice
        yield
    finally:
        kamailio.stop()
        cluster.kamailio.start()


@click.command()
@click.option("--share", default=0.15, show_default=True, help="Of a core, for each node.")
@click.option("--seconds", default=15.0, show_default=True, help="For which each rate is kept.")
def main(share: float, seconds: float) -> None:
    """Measure it; ends with 1 where three carry less than 2.5 times what one carries."""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        cluster = stack.enter_context(running_cluster(Path(folder)))
        for node in cluster.nodes.values():
            stack.enter_context(limited(node, share))
        found: dict[int, float] = {}
        for names in (["th1"], list(cluster.nodes)):
            count = len(names)
            # three are asked for what would just be too little, then for more
            first = FIRST if count == 1 else max(FIRST, found[1] * TARGET / STEP)
            with edged(cluster, Path(folder) / f"edge-{count}", names):
                found[count] = most(cluster, count, seconds, first)
    ratio = found[3] / found[1] if found[1] else 0.0
    click.echo(f"each node with {share:.0%} of a core: one carries {found[1]:.2f} new calls/s, "
               f"three {found[3]:.2f}: {ratio:.2f} times (target {TARGET})")
    if ratio < TARGET:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
