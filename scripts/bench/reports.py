"""How long reports take as history grows: python -m scripts.bench.reports [--url URL] [--calls N]

The database must be empty and is thrown away: scripts.bench.generate fills it with N calls and
N / 5 cases over five years, then each report is made three times, and the slowest counts.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from crm.clock import vietnam_day
from crm.database import Database
from crm.reports import calls, daily, period
from scripts.bench import generate

TARGET_MS = {"sqlite": 1000, "postgresql": 300}


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--url", help="an empty database (default: SQLite in a temporary folder)")
    options.add_argument("--calls", type=int, default=5_000_000)
    given = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        url = given.url or f"sqlite:///{Path(folder) / 'bench.db'}"
        measure(Database(url, patience_s=900), given.calls)


def measure(database: Database, number: int) -> None:
    """Fill, count the days, and print each report's time beside the target."""
    now = datetime.now(UTC)
    generate.fill(database, number, now, print)
    today = vietnam_day(now)
    started = time.monotonic()
    with database.transaction() as session:
        days = calls.due(session, now, 10_000)
        for day in days:
            calls.count(session, day, now, 20)
    spent = time.monotonic() - started
    print(f"{number} calls, {number // 5} cases; {len(days)} days counted in {spent:.0f} s")
    target = TARGET_MS["sqlite" if database.is_sqlite else "postgresql"]
    spans = {"today": 0, "a month": 30, "a year": 365}
    with database.reading() as session:
        report(f"the daily report (target {target} ms)",
               lambda: daily.gather(session, today, now))
        for name, back in spans.items():
            for by in period.By:
                report(f"{name} by {by}", lambda by=by, back=back: period.document(  # type: ignore[misc]
                    session, by, today - timedelta(days=back), today, now))


def report(name: str, made: Callable[[], object]) -> None:
    times = []
    for _again in range(3):
        started = time.monotonic()
        made()
        times.append((time.monotonic() - started) * 1000)
    print(f"{name:<40} {max(times):>8.0f} ms")


if __name__ == "__main__":
    main()
