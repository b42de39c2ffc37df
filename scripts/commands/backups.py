"""`hotline backup`: everything that cannot be made anew, in a sealed file and back."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import click

from crm.settings import Settings

_FOLDER = click.argument(
    "folder", required=False, type=click.Path(path_type=Path, file_okay=False)
)


def _folder(settings: Settings, named: Path | None) -> Path:
    if (folder := named or settings.backup_folder) is None:
        raise click.UsageError("name a FOLDER, or set backup_folder")
    return folder


@click.group()
def backup() -> None:
    """Backups, sealed with the passphrase of the setting backup_key."""


@backup.command(name="make")
@_FOLDER
@click.pass_obj
def make_(settings: Settings, folder: Path | None) -> None:
    """A backup into FOLDER (else backup_folder), while the hotline runs, to another disk."""
    from scripts import backup as backups

    made = backups.make(
        settings, _folder(settings, folder), backups.passphrase_of(settings), datetime.now(UTC)
    )
    click.echo(f"{made}  {made.stat().st_size / 1e6:.1f} MB")


@backup.command(name="list")
@_FOLDER
@click.pass_obj
def list_(settings: Settings, folder: Path | None) -> None:
    """The backups in FOLDER (else backup_folder), oldest first."""
    from scripts import backup as backups

    for one in backups.listed(_folder(settings, folder)):
        click.echo(f"{one.name}  {one.stat().st_size / 1e6:.1f} MB")


@backup.command()
@_FOLDER
@click.option("--keep-daily", type=click.IntRange(1), metavar="N",
              help="Of so many days the newest (keep_backups_daily).")
@click.option("--keep-weekly", type=click.IntRange(0), metavar="N",
              help="Of so many weeks the newest (keep_backups_weekly).")
@click.option("--keep-monthly", type=click.IntRange(0), metavar="N",
              help="Of so many months the newest (keep_backups_monthly).")
@click.option("--dry-run", is_flag=True, help="Only say what would go.")
@click.pass_obj
def prune(
    settings: Settings, folder: Path | None, keep_daily: int | None, keep_weekly: int | None,
    keep_monthly: int | None, dry_run: bool,
) -> None:
    """Delete backups in FOLDER (else backup_folder) that no day, week or month keeps.

    The newest that opens with the passphrase stays in any case. One that does not open is kept and
    alarmed; the exit code is 1 then.
    """
    from crm.database import Database
    from crm.notices import alarms
    from scripts import backup as backups
    from scripts import pruning

    found = pruning.judge(
        _folder(settings, folder), backups.passphrase_of(settings), pruning.Keep(
            settings.keep_backups_daily if keep_daily is None else keep_daily,
            settings.keep_backups_weekly if keep_weekly is None else keep_weekly,
            settings.keep_backups_monthly if keep_monthly is None else keep_monthly,
        ),
    )
    for one in found.goes:
        if not dry_run:
            one.unlink()
        click.echo(f"{one.name}  {'would be deleted' if dry_run else 'deleted'}")
    if found.newest:
        click.echo(f"{len(found.stays)} are kept; {found.newest.name} opens to its last byte")
    if found.damaged:
        told = "; ".join(found.damaged.values())
        alarms.sound(
            settings, Database.of(settings), subject="backup damaged", body=told,
            now=datetime.now(UTC),
        )
        raise backups.BackupError(told)
    if found.newest is None:
        raise backups.BackupError(f"there is no backup in {_folder(settings, folder)}")


@backup.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False, exists=True))
@click.option("--erased", type=click.Path(path_type=Path, dir_okay=False, exists=True),
              help="The list of erased numbers; else erased.jsonl beside FILE.")
@click.pass_obj
def restore(settings: Settings, file: Path, erased: Path | None) -> None:
    """Bring a backup back into a state folder that is empty (HOTLINE_HOME)."""
    from scripts import backup as backups

    again = backups.restore(file, settings, backups.passphrase_of(settings), erased)
    click.echo(f"{settings.home} is back; {again} numbers that were erased are erased again")
    for kept, lay in backups.outside(settings.home):
        same = lay.is_file() and lay.read_bytes() == kept.read_bytes()
        click.echo(f"{lay}: as in the backup" if same
                   else f"{lay}: the backup's is {kept}; nothing was written there, compare them")
