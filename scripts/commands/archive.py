"""`hotline archive`: months whose calls stand in sealed files."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import click

from crm.settings import Settings
from scripts.commands.output import AS_JSON, print_json

_MONTH = click.DateTime(["%Y-%m"])


@click.group()
def archive() -> None:
    """Old months of calls, in sealed files beside the database."""


@archive.command(name="list")
@AS_JSON
@click.pass_obj
def list_(settings: Settings, as_json: bool) -> None:
    """The archived months, and those that the scheduler would archive next."""
    from crm.archive import months
    from crm.archive.months import Archive
    from crm.calls.rows import iso
    from crm.database import Database

    database = Database.of(settings)
    with database.reading() as session:
        found = months.noted(session)
    due = Archive(database, settings.home).due(settings, datetime.now(UTC))
    if as_json:
        print_json({
            "archived": [{
                "month": f"{one.month:%Y-%m}", "rows": one.counts, "bytes": one.size,
                "archived_at": iso(one.archived_at), "callers_deleted": one.nameless,
                "restored_until": iso(one.restored_until) if one.restored_until else None,
            } for one in found], "due": [f"{one:%Y-%m}" for one in due],
        })
        return
    for one in found:
        calls, others = one.counts.get("call", 0), sum(one.counts.values())
        click.echo(
            f"{one.month:%Y-%m}  {calls:,} calls, {others - calls:,} other rows, "
            f"{one.size / 1e6:.1f} MB, archived {one.archived_at:%Y-%m-%d}"
            + (", callers deleted" if one.nameless else "")
            + (f", brought back until {one.restored_until:%Y-%m-%d}" if one.restored_until else "")
        )
    if due:
        click.echo(f"due: {', '.join(f'{one:%Y-%m}' for one in due)}")


@archive.command()
@click.argument("month", type=_MONTH, required=False)
@click.pass_obj
def make(settings: Settings, month: datetime | None) -> None:
    """Archive what is due now, or one month of it; the scheduler does so each night."""
    from crm.archive.months import Archive
    from crm.archive.rows import ArchiveError
    from crm.database import Database

    now = datetime.now(UTC)
    made = Archive(Database.of(settings), settings.home)
    due = made.due(settings, now)
    if month is not None:
        wanted = _first(month)
        if wanted not in due:
            raise ArchiveError(f"{wanted:%Y-%m} is not due: it is too young, archived or back")
        due = [wanted]
    for one in due:
        done = made.make(one, settings.service_level_s, now)
        click.echo(f"{one:%Y-%m}: {done.deleted:,} records left the database, "
                   f"{sum(done.counts.values()):,} rows in {made.file(one)}")
    if not due:
        click.echo("nothing is due")


@archive.command()
@click.argument("month", type=_MONTH)
@click.pass_obj
def show(settings: Settings, month: datetime) -> None:
    """Write the calls of an archived month to the standard output, one JSON document a line."""
    import json

    from crm.archive import rows
    from crm.archive.months import Archive
    from crm.calls import record
    from crm.database import Database

    made = Archive(Database.of(settings), settings.home)
    made.noted(_first(month))
    for one in made.records(_first(month)):
        if one.kind == rows.CALL.name:
            click.echo(json.dumps(record.as_json(rows.call_of(one)), ensure_ascii=False))


@archive.command()
@click.argument("month", type=_MONTH)
@click.option("--days", default=30, show_default=True, type=click.IntRange(1, 3650),
              help="After which its rows leave the database again.")
@click.pass_obj
def restore(settings: Settings, month: datetime, days: int) -> None:
    """Bring the rows of an archived month back into the database; the file stays."""
    from crm.archive.months import Archive
    from crm.database import Database

    made = Archive(Database.of(settings), settings.home)
    until = datetime.now(UTC) + timedelta(days=days)
    others = made.restore(_first(month), until)
    for kind, id_ in others:
        click.echo(f"{kind} {id_}: the database has it otherwise, which stays")
    click.echo(f"{month:%Y-%m} is back until {until:%Y-%m-%d}")


@archive.command()
@click.pass_obj
def verify(settings: Settings) -> None:
    """Read every file whole; names those that are not what was written."""
    from crm.archive import months
    from crm.archive.months import Archive
    from crm.archive.rows import ArchiveError
    from crm.database import Database

    database, broken = Database.of(settings), 0
    made = Archive(database, settings.home)
    with database.reading() as session:
        found = [one.month for one in months.noted(session)]
    for month in found:
        try:
            made.verify(month)
        except ArchiveError as error:
            broken += 1
            click.echo(f"{month:%Y-%m}: {error}")
    if broken:
        raise SystemExit(1)
    click.echo(f"{len(found)} months are whole")


def _first(month: datetime) -> date:
    return month.date().replace(day=1)
