"""How long reports take as history grows: python -m scripts.bench_reports [--url URL] [--calls N]

The database must be empty and is thrown away: it is filled with N calls and N / 5 cases over five
years, then each report is made three times, and the slowest counts.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import text

from crm.clock import vietnam_day
from crm.database import Database
from crm.reports import calls, daily, period

YEARS = timedelta(days=5 * 365)
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
    database.migrate()
    fill(database, number, now)
    today = vietnam_day(now)
    started = time.monotonic()
    with database.transaction() as session:
        days = calls.due(session, now, 10_000)
        for day in days:
            calls.count(session, day, now)
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


def fill(database: Database, number: int, now: datetime) -> None:
    """Rows made by the database itself, evenly over the years."""
    step = YEARS.total_seconds() / number
    first = now - YEARS
    if database.is_sqlite:
        series = (
            "WITH RECURSIVE s(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM s WHERE n < "  # noqa: S608
            f"{number - 1})"
        )
        moment = f"'{first:%Y-%m-%d %H:%M:%S}', '+' || (n * {step}) || ' seconds'"
        at = f"strftime('%Y-%m-%d %H:%M:%f', {moment}) || '000'"
        later = f"strftime('%Y-%m-%d %H:%M:%f', {moment}, '+3 days') || '000'"
        yes, no = "1", "0"
    else:
        series = f"WITH s AS (SELECT generate_series(0, {number - 1}) AS n)"
        at = f"'{first.isoformat()}'::timestamptz + n * {step} * interval '1 second'"
        later = f"{at} + interval '3 days'"
        yes, no = "true", "false"
    with database.engine.begin() as connection:
        connection.execute(text(
            "INSERT INTO call (id, node, boot, direction, kind, caller, started_at, queued_at, "  # noqa: S608
            "answered_at, outcome, branch, wait_ms, talk_ms, emergency, unreached, satisfaction, "
            f"path) {series} SELECT 'th1.b1.' || n, 'th1', 'b1', 'in', 'citizen', '0912345678', "
            f"{at}, {at}, {at}, CASE n % 3 WHEN 0 THEN 'answered' WHEN 1 THEN 'abandoned_queue' "
            "ELSE 'self_served' END, CASE n % 4 WHEN 0 THEN 'advice' WHEN 1 THEN 'vaccine' "
            f"WHEN 2 THEN 'relief' END, n % 120000, 60000, {no}, CASE WHEN n % 5000 = 0 THEN "
            f"{yes} ELSE {no} END, 1 + n % 3, '[]' FROM s"
        ))
        connection.execute(text(
            "INSERT INTO citizen_case (code, status, identity, sensitive, channel, summary, "  # noqa: S608
            f"category, area, opened_at, dispatch_due_at, due_at, resolved_at) {series} "
            "SELECT CAST(n AS varchar(8)), CASE WHEN n % 50 = 0 THEN 'assigned' ELSE 'closed' END, "
            f"'shown', {no}, 'call', 'x', CASE n % 3 WHEN 0 THEN 'food' WHEN 1 THEN 'roads' ELSE "
            f"'care' END, CAST(14700 + n / 5 % 160 AS varchar(8)), {at}, {at}, {later}, "
            f"CASE WHEN n % 50 = 0 THEN NULL ELSE {later} END FROM s WHERE n % 5 = 0"
        ))
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("ANALYZE"))


if __name__ == "__main__":
    main()
