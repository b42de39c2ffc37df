"""`hotline nuisance`: numbers that misuse the line."""

from __future__ import annotations

import getpass
from datetime import UTC, datetime

import click

from crm.settings import Settings
from scripts.commands.output import AS_JSON, print_json


@click.group()
def nuisance() -> None:
    """Numbers that misuse the line: warned, message only, emergency only; each for a time."""


@nuisance.command(name="list")
@click.option("--limit", default=50, show_default=True)
@AS_JSON
@click.pass_obj
def list_(settings: Settings, limit: int, as_json: bool) -> None:
    """The last restrictions, oldest first, for review."""
    from crm.calls import nuisance as rules
    from crm.database import Database

    now = datetime.now(UTC)
    with Database.of(settings).reading() as session:
        rows = [rules.as_json(one, now) for one in rules.latest(session, limit)]
    if as_json:
        print_json(rows)
        return
    for row in rows:
        state = "holds" if row["holds"] else "over"
        click.echo(
            f"{row['number']:<13} step {row['step']}  until {row['until']}  {state:<5}  "
            f"{row['by']}: {row['reason']}"
        )


@nuisance.command()
@click.argument("number")
@click.option("--step", type=int, default=1, show_default=True,
              help="1 warned, 2 message only, 3 emergency only.")
@click.option("--days", type=int, default=7, show_default=True)
@click.option("--reason", required=True)
@click.pass_obj
def restrict(settings: Settings, number: str, step: int, days: int, reason: str) -> None:
    """Restrict a number for some days; key 4 always works for it."""
    from crm import switches
    from crm.calls import nuisance as rules
    from crm.database import Database
    from ivr.commands import switch_now

    with Database.of(settings).transaction() as session:
        made = rules.restrict(
            session, number, step=step, days=days, reason=reason, by=getpass.getuser(),
            now=datetime.now(UTC),
        )
        value = f"{made.step}.{int(made.until.timestamp())}"
    switch_now(settings, switches.block_name(number), value)
    click.echo(f"{number}: step {step} for {days} days")


@nuisance.command()
@click.argument("number")
@click.option("--reason", required=True)
@click.pass_obj
def lift(settings: Settings, number: str, reason: str) -> None:
    """End what holds of a number before its time."""
    from crm import switches
    from crm.calls import nuisance as rules
    from crm.database import Database
    from ivr.commands import switch_now

    with Database.of(settings).transaction() as session:
        rules.lift(session, number, reason=reason, by=getpass.getuser(), now=datetime.now(UTC))
    switch_now(settings, switches.block_name(number), "off")
    click.echo(f"{number}: nothing holds any more")
