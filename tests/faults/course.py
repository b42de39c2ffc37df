"""The course of a fault: callers come, it begins and ends, all is back, every call is counted."""

from __future__ import annotations

import os
import time
from contextlib import ExitStack
from datetime import UTC, datetime

from crm.models import ListenerState
from crm.settings import PROJECT
from ivr import probe
from tests.faults import account, report
from tests.faults.account import Permitted
from tests.faults.table import FAULTS, both, long_line, pairs
from tests.faults.world import World
from tests.live.running import wait_for

SEED = int(os.environ.get("HOTLINE_TEST_FAULT_SEED", "7"))
FAULT_S = float(os.environ.get("HOTLINE_TEST_FAULT_S", "10"))
RATE = 5.0
BEFORE_S, AFTER_S = 4.0, 5.0  # callers come before the fault, and after it
RECOVERY_S = 60.0
LONG_S = float(os.environ.get("HOTLINE_TEST_LONG_FAULT_S", "600"))
MATRIX = {name: (name,) for name in FAULTS} | {
    " + ".join(pair): pair for pair in pairs(SEED, 6)
}
LONG = {
    f"{' + '.join(names)}, for {LONG_S / 60:g} min": names
    for names in (("listener stopped", "tailer stopped"), ("database stopped", "journal blocked"))
}
DISK, UPGRADE = "disk full", "the release before replaced"
CLOCK = {"clock an hour on": (0, 3600), "clock two hours back": (3600, -3600)}  # s it is wrong by
LINES = (*MATRIX, *LONG, DISK, *CLOCK, UPGRADE)


def note(name: str, found: account.Account, back_s: float) -> None:
    """Into the documents' table."""
    report.write(
        PROJECT / "docs" / "faults.md", report.Line(name, found, back_s), LINES,
        rate=RATE, fault_s=FAULT_S, seed=SEED,
    )


def is_back(world: World, since: datetime) -> bool:
    """All that was running before runs again, and the number is answered."""
    hotline = world.hotline
    with hotline.database.reading() as session:
        listener = session.get(ListenerState, "th1")
        fresh = bool(listener and listener.connected and listener.seen_at > since)
    return fresh and answers(world)


def answers(world: World) -> bool:
    """The console answers, and the greeting is heard by who calls."""
    return world.hotline.console_answers and (
        world.people.run(probe.call(world.hotline.settings)).heard
    )


def met(
    world: World, names: tuple[str, ...], fault_s: float, *, rate: float = RATE,
    recovery_s: float = RECOVERY_S,
) -> tuple[account.Account, float]:
    """What became of everybody, and seconds until all was back; the faults come together."""
    faults = [FAULTS[name] for name in names]
    permitted = Permitted()
    for fault in faults:
        permitted = both(permitted, fault.permitted)
    began, gaps = time.time(), account.gaps(world.hotline)
    with ExitStack() as lines:
        server = None
        if delay_s := max(one.line_delay_s for one in faults):
            server = lines.enter_context(long_line(world, delay_s)).address
        coming = world.people.start(world.people.come_and_go(
            rate, BEFORE_S + fault_s + AFTER_S, server, "127.0.0.3" if server else "127.0.0.2"
        ))
        time.sleep(BEFORE_S)
        with ExitStack() as breaking:
            for fault in faults:
                breaking.enter_context(fault.breaks(world))
            time.sleep(fault_s)
            over = datetime.now(UTC)
        mended = time.monotonic()
        wait_for(lambda: is_back(world, over), "all is back", recovery_s)
        back_s = time.monotonic() - mended
        seen = coming.result()
    return account.settle(world, seen, permitted, gaps, began), back_s
