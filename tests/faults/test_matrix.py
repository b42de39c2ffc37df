"""Everything is broken while callers come, singly and in pairs: every call is accounted for.

What it found is written into docs/faults.md; HOTLINE_TEST_FAULT_S makes each fault
last longer, HOTLINE_TEST_FAULT_SEED draws other callers and other pairs.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime

import pytest

from crm.models import ListenerState
from crm.settings import PROJECT
from ivr import probe
from tests.faults import account, report
from tests.faults.table import FAULTS, Fault, both, long_line, pairs
from tests.faults.world import World, world
from tests.live.running import wait_for

SEED = int(os.environ.get("HOTLINE_TEST_FAULT_SEED", "7"))
FAULT_S = float(os.environ.get("HOTLINE_TEST_FAULT_S", "10"))
RATE = 5.0
BEFORE_S, AFTER_S = 4.0, 5.0  # callers come before the fault, and after it
RECOVERY_S = 60.0
QUICK, QUICK_S = "tailer killed + listener killed", 2.0  # in every run; the rest takes minutes
MATRIX = {
    QUICK: tuple(QUICK.split(" + ")), **{name: (name,) for name in FAULTS},
    **{" + ".join(pair): pair for pair in pairs(SEED, 6)},
}

log = logging.getLogger(__name__)


@pytest.fixture(scope="module")
def broken(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with world(tmp_path_factory.mktemp("matrix") / "home", SEED) as made:
        yield made


@pytest.fixture(scope="module")
def results() -> Iterator[list[report.Line]]:
    """What each fault led to; written down but for those of every run."""
    lines: list[report.Line] = []
    yield lines
    if {line.fault for line in lines} - {QUICK}:
        report.write(
            PROJECT / "docs" / "faults.md", lines, MATRIX, rate=RATE, fault_s=FAULT_S, seed=SEED
        )


def is_back(broken: World, since: datetime) -> bool:
    """All that was running before runs again, and the number is answered."""
    hotline = broken.hotline
    with hotline.database.reading() as session:
        listener = session.get(ListenerState, "th1")
        fresh = bool(listener and listener.connected and listener.seen_at > since)
    return fresh and hotline.console_answers and (
        broken.people.run(probe.call(hotline.settings)).heard
    )


def met(broken: World, names: tuple[str, ...], fault_s: float) -> report.Line:
    """Callers come, the faults begin and end, the last caller goes, all is back, and counted."""
    faults: list[Fault] = [FAULTS[name] for name in names]
    permitted = faults[0].permitted
    for other in faults[1:]:
        permitted = both(permitted, other.permitted)
    began, gaps = time.time(), account.gaps(broken.hotline)
    with ExitStack() as lines:
        server = None
        if delay_s := max(one.line_delay_s for one in faults):
            server = lines.enter_context(long_line(broken, delay_s)).address
        coming = broken.people.start(broken.people.come_and_go(
            RATE, BEFORE_S + fault_s + AFTER_S, server, "127.0.0.3" if server else "127.0.0.2"
        ))
        time.sleep(BEFORE_S)
        with ExitStack() as breaking:
            for fault in faults:
                breaking.enter_context(fault.breaks(broken))
            time.sleep(fault_s)
            over = datetime.now(UTC)
        mended = time.monotonic()
        wait_for(lambda: is_back(broken, over), "all is back", RECOVERY_S)
        recovery_s = time.monotonic() - mended
        seen = coming.result()
    found = account.settle(broken.hotline, broken.people, seen, permitted, gaps, began)
    return report.Line(" + ".join(names), found, recovery_s)


@pytest.mark.parametrize("name", [
    name if name == QUICK else pytest.param(name, marks=pytest.mark.full) for name in MATRIX
])
def test_every_call_is_accounted_for(
    broken: World, results: list[report.Line], name: str
) -> None:
    line = met(broken, MATRIX[name], QUICK_S if name == QUICK else FAULT_S)
    results.append(line)
    log.info("%s: back after %.1f s, %s", line.fault, line.recovery_s, line.account)
    assert not line.account.faults, "\n".join(line.account.faults)
    assert line.account.answered > 0
