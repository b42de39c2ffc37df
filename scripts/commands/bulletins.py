"""`hotline bulletin`: what key 8 tells, and the page for commune loudspeakers."""

from __future__ import annotations

import getpass
from datetime import UTC, datetime
from pathlib import Path

import click

from crm.settings import Settings
from scripts.commands.output import AS_JSON, print_json


@click.group()
def bulletin() -> None:
    """The bulletin behind key 8: approved text that goes live as sound, without a reload."""


@bulletin.command(name="list")
@click.option("--limit", default=20, show_default=True)
@AS_JSON
@click.pass_obj
def list_(settings: Settings, limit: int, as_json: bool) -> None:
    """The last bulletins, oldest first."""
    from crm import bulletins
    from crm.database import Database

    with Database.of(settings).reading() as session:
        rows = [bulletins.as_json(one) for one in bulletins.latest(session, limit)]
    if as_json:
        print_json(rows)
        return
    for row in rows:
        state = "live" if row["live_since"] else "-"
        click.echo(f"{row['number']:>4}  {state:<4}  {row['approved_at']}  {row['text'][:70]}")


@bulletin.command()
@click.argument("text", required=False)
@click.option("--by", help="Who has approved it.")
@click.option("--figure", "figures", multiple=True, metavar="NAME=N",
              help="A sentence of the catalogue with a number: new_cases=12 (repeatable).")
@click.option("--file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--again", type=int, metavar="NUMBER", help="An older one, as it was.")
@click.pass_obj
def publish(
    settings: Settings, text: str | None, by: str | None, figures: tuple[str, ...],
    file: Path | None, again: int | None,
) -> None:
    """Publish an approved text: it is spoken, checked, and then what callers hear."""
    from scripts import bulletin as work

    given = [bool(text or figures), file is not None, again is not None]
    if sum(given) != 1:
        raise click.UsageError("one of TEXT (with or without --figure), --file and --again")
    if again is None:
        if not by:
            raise click.UsageError("--by: who has approved it?")
        words = file.read_text(encoding="utf-8") if file else work.with_figures(text or "", figures)
        again = work.approve(settings, words, by, datetime.now(UTC))
    seconds = work.go_live(settings, again, getpass.getuser(), datetime.now(UTC))
    _tell(settings)
    click.echo(f"bulletin {again} is live: {seconds:.0f} s")


@bulletin.command()
@click.pass_obj
def withdraw(settings: Settings) -> None:
    """Take the live bulletin back at once; callers hear that there is no new one."""
    from crm import bulletins
    from crm.database import Database

    with Database.of(settings).transaction() as session:
        was = bulletins.withdraw(session, by=getpass.getuser(), now=datetime.now(UTC))
        number = was.id
    _tell(settings)
    click.echo(f"bulletin {number} is withdrawn")


def _tell(settings: Settings) -> None:
    from crm import switches
    from crm.database import Database
    from ivr.commands import switch_now

    with Database.of(settings).reading() as session:
        value = switches.wanted(session, switches.BULLETIN) or "none"
    switch_now(settings, switches.BULLETIN, value)
