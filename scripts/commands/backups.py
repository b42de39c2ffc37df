"""`hotline backup`: everything that cannot be made anew, in a sealed file and back."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import click

from crm.settings import Settings

_FOLDER = click.argument("folder", type=click.Path(path_type=Path, file_okay=False))


@click.group()
def backup() -> None:
    """Backups, sealed with the passphrase of the setting backup_key."""


@backup.command(name="make")
@_FOLDER
@click.pass_obj
def make_(settings: Settings, folder: Path) -> None:
    """A backup into FOLDER, while the hotline runs; keep FOLDER on another disk."""
    from scripts import backup as backups

    made = backups.make(settings, folder, backups.passphrase_of(settings), datetime.now(UTC))
    click.echo(f"{made}  {made.stat().st_size / 1e6:.1f} MB")


@backup.command(name="list")
@_FOLDER
def list_(folder: Path) -> None:
    """The backups in FOLDER, oldest first."""
    from scripts import backup as backups

    for one in backups.listed(folder):
        click.echo(f"{one.name}  {one.stat().st_size / 1e6:.1f} MB")


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
