"""`hotline import` and `hotline export`: tables of data as CSV and XLSX files."""

from __future__ import annotations

import getpass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from crm.settings import Settings

if TYPE_CHECKING:
    from crm.imports.kinds import Kind

KINDS = ("agencies", "areas", "points", "articles", "users", "officers", "routes")
_KIND = click.argument("kind", type=click.Choice(KINDS))


@click.command(name="import")
@_KIND
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--dry-run", "dry", is_flag=True, help="Only list every bad row.")
@click.pass_obj
def import_(settings: Settings, kind: str, file: Path, dry: bool) -> None:
    """Take in a CSV or XLSX file: all rows, or none and every bad one is listed.

    `hotline export KIND FILE` writes the columns that are wanted. Rows add what is new and change
    what has the same code; areas and routes are replaced as a whole. New users get a password,
    which is shown once.
    """
    from crm.imports.kinds import Kind

    bring_in(settings, Kind(kind), file, dry=dry)


@click.command()
@_KIND
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.pass_obj
def export(settings: Settings, kind: str, file: Path) -> None:
    """Write all that there is of KIND to a .csv or .xlsx file, as `hotline import` takes it."""
    from crm.database import Database
    from crm.imports import files
    from crm.imports.kinds import COLUMNS, Kind, rows_of

    if file.suffix.lower() not in (".csv", ".xlsx"):
        raise click.UsageError("the file's name ends with .csv or .xlsx")
    of = Kind(kind)
    with Database.of(settings).reading() as session:
        rows = rows_of(session, of)
    write = files.as_csv if file.suffix.lower() == ".csv" else files.as_xlsx
    file.write_bytes(write(rows, COLUMNS[of]))
    click.echo(f"{len(rows)} rows")


def bring_in(settings: Settings, kind: Kind, file: Path, *, dry: bool) -> None:
    """Take a file in and say what was done. Raises FileError, TakeInError."""
    from crm import areas
    from crm.database import Database
    from crm.imports import kinds

    rows = kinds.read(kind, file)
    act = kinds.dry_run if dry else kinds.take_in
    with Database.of(settings).transaction() as session:
        done = act(session, kind, rows, by=getpass.getuser(), now=datetime.now(UTC))
    if dry:
        click.echo(f"{done.rows} rows, no fault; nothing was changed")
        return
    if kind is kinds.Kind.AREAS:
        areas.replace(settings.home, rows)
    click.echo(f"{done.rows} rows taken in")
    for login, password in done.passwords.items():
        click.echo(f"{login}  password {password}")
