"""`hotline incident`: one message and one case for trouble that many call about."""

from __future__ import annotations

import getpass
from datetime import UTC, datetime, timedelta

import click

from crm.branches import TOLD_BRANCHES
from crm.settings import Settings
from scripts.commands.output import AS_JSON, print_json


@click.group()
def incident() -> None:
    """Trouble that many call about: said to every caller, joined by key 1, told when it is over."""


@incident.command()
@click.argument("text")
@click.option("--branch", type=click.Choice(TOLD_BRANCHES), help="Only its callers hear it.")
@click.option("--hours", type=click.FloatRange(0.1, 168), help="How long; else until it is ended.")
@click.pass_obj
def start(settings: Settings, text: str, branch: str | None, hours: float | None) -> None:
    """From now on callers hear TEXT after the greeting, and can join by key 1."""
    from scripts import incidents as work

    now = datetime.now(UTC)
    until = now + timedelta(hours=hours) if hours else None
    code = work.start(settings, text, getpass.getuser(), now, branch, until)
    click.echo(f"incident {code} is on; `hotline incident end {code}` ends it and tells who joined")


@incident.command()
@click.argument("code")
@click.option("--text", help="What those who joined are told; else that it has been mended.")
@click.pass_obj
def end(settings: Settings, code: str, text: str | None) -> None:
    """End an incident: who joined is rung and told so (not at night)."""
    from scripts import incidents as work

    joined = work.end(settings, code, text, getpass.getuser(), datetime.now(UTC))
    click.echo(f"incident {code} is over; {joined} people will be rung")


@incident.command(name="list")
@click.option("--limit", default=20, show_default=True)
@AS_JSON
@click.pass_obj
def list_(settings: Settings, limit: int, as_json: bool) -> None:
    """The last incidents, oldest first."""
    from crm.cases import incidents
    from crm.database import Database

    with Database.of(settings).reading() as session:
        rows = [incidents.as_json(session, one) for one in incidents.latest(session, limit)]
    if as_json:
        print_json(rows)
        return
    for row in rows:
        click.echo(
            f"{row['code']}  {'over' if row['over_at'] else 'on':<4}  {row['since']}  "
            f"{row['told']} of {row['joined']} told  {row['text'][:60]}"
        )
