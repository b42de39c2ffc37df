"""`hotline shift`: the roster from a file, and who is missing."""

from __future__ import annotations

import getpass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click

from crm.settings import Settings
from scripts.commands.output import AS_JSON, print_json


@click.group()
def shift() -> None:
    """Who works when."""


@shift.command(name="import")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--dry-run", "dry", is_flag=True, help="Only list every bad row.")
@click.pass_obj
def import_(settings: Settings, file: Path, dry: bool) -> None:
    """Take in a roster (login,day,from,to,branch) in the place of what stands on its days: all
    rows, or none and every bad one is listed."""
    from crm.database import Database
    from crm.imports import files
    from crm.shifts import roster

    rows = files.read(file, roster.COLUMNS)
    act = roster.dry_run if dry else roster.take_in
    with Database.of(settings).transaction() as session:
        done = act(
            session, rows, rest=timedelta(hours=settings.rest_between_shifts_h),
            by=getpass.getuser(), now=datetime.now(UTC),
        )
    if dry:
        click.echo(f"{done.rows} rows, no fault; nothing was changed")
    else:
        click.echo(f"{done.rows} rows taken in, {done.came} new, {done.went} gone")


@shift.command()
@AS_JSON
@click.pass_obj
def missing(settings: Settings, as_json: bool) -> None:
    """Who is rostered now and in no queue."""
    from crm.calls.rows import iso
    from crm.database import Database
    from crm.shifts import roster

    with Database.of(settings).reading() as session:
        rows = [
            {"login": one.shift.user.login, "since": iso(one.since), "branch": one.shift.branch}
            for one in roster.missing(
                session, datetime.now(UTC), timedelta(minutes=settings.shift_late_min)
            )
        ]
    if as_json:
        print_json(rows)
        return
    for row in rows:
        click.echo(f"{row['login']:<16} since {row['since']}  {row['branch']}")
