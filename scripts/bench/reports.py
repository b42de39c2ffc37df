"""How long reports take as history grows:

    python -m scripts.bench.generate sqlite:///big.db
    python -m scripts.bench.reports sqlite:///big.db

Each report over a day, a month and a year is made three times, and the slowest counts.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial

from sqlalchemy import func, select

from agent_console.server import settle
from crm.clock import vietnam_day
from crm.database import Database
from crm.models import Call
from crm.quality import evaluations
from crm.reports import daily, measures, period, service
from crm.reports.spans import begin
from crm.staffing import history
from scripts.bench import generate
from scripts.bench.pages import target_ms

SPANS = {"a day": 0, "a month": 30, "a year": 365}
_SERVICE_LEVEL_S = 20


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("url", help="a database that scripts.bench.generate has filled")
    measure(generate.opened(options.parse_args().url, 120))


def measure(database: Database) -> None:
    """Print each report's time beside the target."""
    with database.reading() as session:
        # the history may be of yesterday: its last whole day is what reports are made of
        latest = session.scalar(select(func.max(Call.started_at)))
        if latest is None:
            raise SystemExit("there are no calls: scripts.bench.generate makes some")
        now, last = datetime.now(UTC), vietnam_day(latest)
        settle()
        print(f"target {target_ms(database)} ms")
        report("the daily report", partial(daily.gather, session, last, now))
        report("the measures of a day that is not counted", partial(
            measures.of_day, session, begin(last), now, _SERVICE_LEVEL_S))
        for name, back in SPANS.items():
            first = last - timedelta(days=back)
            for kind in period.By:
                report(f"cases and calls, {name} by {kind}", partial(
                    period.document, session, kind, first, last, now))
            for by in measures.By:
                report(f"the service, {name} by {by}", partial(
                    service.document, session, by, first, last, now, _SERVICE_LEVEL_S))
            report(f"half-hours, {name}", partial(
                history.offered, session, history.ALL, first, last))
            report(f"quality, {name}", partial(evaluations.averages, session, begin(first), now))


def report(name: str, made: Callable[[], object]) -> None:
    times = []
    for _again in range(3):
        started = time.monotonic()
        made()
        times.append((time.monotonic() - started) * 1000)
    print(f"{name:<50} {max(times):>8.0f} ms")


if __name__ == "__main__":
    main()
