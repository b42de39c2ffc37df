"""The whole of docs/cluster.md on networks of its own: an edge, three nodes, a database with a hot
standby. Each part is killed in turn under load, and every call is accounted for once."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from sqlalchemy import select

from crm.models import Call as Row
from ivr import ledger
from ivr.phone import Phone
from tests.live.cluster import CARRIER, EDGE, Cluster, running_cluster
from tests.live.people import ear
from tests.live.running import Hotline, wait_for

pytestmark = [
    pytest.mark.full,
    pytest.mark.skipif(os.geteuid() != 0, reason="namespaces of a network are root's"),
]

RATE = 1.0  # new calls a second
STAGE_S = 25.0  # of load around each death


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    with running_cluster(tmp_path) as made:
        yield made


@dataclass
class Load:
    """Callers, one after another, each with a number of their own; what they have seen."""

    answered: set[str] = field(default_factory=set)
    refused: Counter[str] = field(default_factory=Counter)
    made: int = 0

    async def run(self, cluster: Cluster, stop: asyncio.Event) -> None:
        async with Phone(CARRIER, server=(EDGE, 5060), user="carrier") as phone:
            calls: set[asyncio.Task[None]] = set()
            while not stop.is_set():
                number = f"0913{self.made:06}"
                self.made += 1
                calls.add(asyncio.create_task(self._one(cluster, phone, number)))
                with suppress(TimeoutError):
                    await asyncio.wait_for(stop.wait(), 1 / RATE)
            await asyncio.gather(*calls)

    async def _one(self, cluster: Cluster, phone: Phone, number: str) -> None:
        call = await phone.call("1022", caller=number, timeout_s=40)
        if not await call.answered(45):
            self.refused[str(call.sip_code)] += 1
            return
        self.answered.add(number)
        # a third waits at th2, a third at th3, the others listen to the menu
        intro = ear(cluster.nodes["th1"], "emergency_first")
        key = {"0": "3", "1": "2"}.get(str(int(number) % 3))
        for _ in range(40):
            if await call.ended(0.5) or (key and intro.hears(call.heard)):
                break
        if key and not await call.ended(0):
            await call.press(key)
            await call.ended(4)
            await call.press("0")
            await call.ended(8)
        if not await call.ended(0):
            await call.hang_up()


def accounted(cluster: Cluster, number_of_calls: set[str]) -> None:
    """Each call that was answered is in the rows once, with an outcome; no other has two."""
    def rows() -> list[tuple[str | None, str | None]]:
        with cluster.database.reading() as session:
            return [(one, outcome) for one, outcome in session.execute(
                select(Row.caller, Row.outcome).where(Row.kind == "citizen"))]

    def complete() -> bool:
        found = rows()
        return number_of_calls <= {one for one, _ in found} and all(o for _, o in found)

    wait_for(complete, "every call has its row and its outcome", 180)
    count = Counter(one for one, _ in rows())
    assert {one: count[one] for one in number_of_calls if count[one] != 1} == {}
    for name, node in cluster.nodes.items():
        def read(name: str = name, node: Hotline = node) -> bool:
            with cluster.database.reading() as session:
                return ledger.check(session, node.home / "journal", name).unread_bytes == 0

        wait_for(read, f"{name}'s journal is read", 120)
        with cluster.database.reading() as session:
            book = ledger.check(session, node.home / "journal", name)
        assert (book.unexplained, book.open, book.gaps) == ((), 0, 0), name


def test_every_part_may_die_under_load_and_every_call_is_accounted_for_once(
    cluster: Cluster,
) -> None:
    load_ = Load()

    async def stage(seconds: float = STAGE_S) -> int:
        before = len(load_.answered)
        await asyncio.sleep(seconds)
        return len(load_.answered) - before

    async def scenario() -> None:
        stop = asyncio.Event()
        calls = asyncio.create_task(load_.run(cluster, stop))
        try:
            assert await stage() > 0
            # the edge
            await asyncio.to_thread(cluster.kamailio.stop)
            cluster.kamailio.start()
            assert await stage() > 0
            # a node, with all of its processes
            second = cluster.nodes["th2"]
            second.kill_supervisor()
            second.signal("asterisk", signal.SIGKILL)
            assert await stage() > 0
            moved = await asyncio.to_thread(
                cluster.nodes["th1"].run, "nodes", "move", "th2", "th3", "--why", "th2 is dead")
            assert moved.returncode == 0, moved.stdout + moved.stderr
            await asyncio.to_thread(second.start, 180)
            # the database
            cluster.primary.signal(signal.SIGKILL)
            assert await stage() > 0
            await asyncio.to_thread(cluster.standby.promote)
            assert await stage() > 0
        finally:
            stop.set()
            await calls

    began = time.monotonic()
    asyncio.run(scenario())
    print(  # noqa: T201
        f"{load_.made} calls in {time.monotonic() - began:.0f} s, {len(load_.answered)} answered, "
        f"not answered: {dict(load_.refused)}"
    )
    # while the edge starts and while a node is given up callers may have to dial again
    assert len(load_.answered) > 0.85 * load_.made
    accounted(cluster, load_.answered)
    with cluster.database.reading() as session:
        outcomes = Counter(session.scalars(select(Row.outcome).where(Row.kind == "citizen")))
    print(dict(outcomes))  # noqa: T201
    assert outcomes["lost"] < 0.2 * load_.made  # those that th2 had
