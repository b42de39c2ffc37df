"""`hotline report`: figures for whoever runs the hotline."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import click

from crm.settings import Settings


@click.group()
def report() -> None:
    """Figures of what was, by queue."""


@report.command()
@click.option("--days", default=1, show_default=True, help="How far back.")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@click.pass_obj
def waiting(settings: Settings, days: int, as_json: bool) -> None:
    """How right the waiting times were that callers were told."""
    from crm import waits
    from crm.database import Database

    now = datetime.now(UTC)
    with Database(settings.database_url).reading() as session:
        rows = waits.as_json(waits.accuracy(session, now - timedelta(days=days), now))
    if as_json:
        click.echo(json.dumps(rows, indent=1))
        return
    for row in rows:
        click.echo(
            f"{row['queue']:<10} {row['within']} of {row['waits']} waits within what was told "
            f"({row['share']:.0%}), off by {row['off_by_s']} s on average"
        )
    if not rows:
        click.echo("nobody who was told a waiting time has reached a person in that time")
