"""What became of callers under each fault, as a page of the documents. A run replaces the lines of
the faults that it tried."""

from __future__ import annotations

import fcntl
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from scripts.bench.machine import hardware
from tests.faults.account import Account

HEAD = (
    "| fault | day | calls | answered | lost in progress | messages | calls back | gaps | back, s "
    "| unexplained |"
)


@dataclass(frozen=True)
class Line:
    fault: str
    account: Account
    recovery_s: float


def write(
    file: Path, line: Line, known: Collection[str], *, rate: float, fault_s: float, seed: int
) -> None:
    """Put it in, in the place of an earlier one if there is. `known`: all there are, in order."""
    with file.open("r+", encoding="utf-8") as page:
        fcntl.flock(page, fcntl.LOCK_EX)  # other faults are tried at the same time
        rows = _rows(page.read()) | {line.fault: _row(line)}
        kept = [rows[name] for name in known if name in rows]
        calls, unexplained = (
            sum(int(row.split("|")[column]) for row in kept) for column in (3, -2)
        )
        page.seek(0)
        page.truncate()
        page.write("\n".join([
            "# Faults", "",
            "Written by `./scripts/test --full` (`tests/faults`); do not edit.", "",
            f"{hardware()}. PostgreSQL, {rate:g} new calls a second on random ways, each fault "
            f"{fault_s:g} s long, seed {seed}; fewer calls in the last "
            "lines, of other kinds; callers and hotline on the same machine. Each call is looked "
            "for in what its caller saw, in the journal, and in the database: exactly one row with "
            "one outcome, messages that can be heard, calls back promised once, agents at work "
            "again. Back: seconds from the end of the fault until the listener, which reads the "
            "AMI, is connected, the console answers and a test call is heard.", "",
            HEAD, "|---" * HEAD.count(" |") + "|", *kept, "",
            f"{calls} calls, {unexplained} unexplained.", "",
        ]))


def _rows(text: str) -> dict[str, str]:
    rows = [line for line in text.splitlines() if line.startswith("| ") and line != HEAD]
    return {row.split("|")[1].strip(): row for row in rows}


def _row(line: Line) -> str:
    one = line.account
    cells = (
        line.fault, f"{datetime.now(UTC):%Y-%m-%d}", one.calls, one.answered, one.outcomes["lost"],
        one.messages, one.callbacks, one.gaps, f"{line.recovery_s:.1f}", len(one.faults),
    )
    return "| " + " | ".join(map(str, cells)) + " |"
