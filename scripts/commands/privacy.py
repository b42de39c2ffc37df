"""`hotline journal` and `hotline privacy`: the journal's sealed segments, and certificates."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import click

from crm.settings import Settings


@click.group()
def journal() -> None:
    """The journal's old segments, sealed an hour after nobody writes to them."""


@journal.command(name="list")
@click.pass_obj
def list_(settings: Settings) -> None:
    """The sealed segments, oldest first."""
    from ivr import journal_archive

    for one in journal_archive.listed(settings.home):
        click.echo(f"{one.path.name}  {one.rotated_at:%Y-%m-%d %H:%M}  {one.size / 1e6:.1f} MB")


@journal.command()
@click.pass_obj
def seal(settings: Settings) -> None:
    """Seal now what can be; the scheduler does it every hour."""
    from crm.database import Database
    from scripts import privacy

    done = privacy.seal_journal(Database.of(settings), settings, datetime.now(UTC))
    click.echo(f"{len(done)} segments sealed")


@journal.command(name="open")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False, exists=True))
@click.pass_obj
def open_(settings: Settings, file: Path) -> None:
    """Write what a sealed segment holds to the standard output."""
    from crm import secrets
    from crm.privacy import sealing

    click.echo(sealing.opened(file, secrets.load(settings.home).journal_key), nl=False)


@journal.command()
@click.pass_obj
def verify(settings: Settings) -> None:
    """Open every sealed segment; names those that do not."""
    from crm import secrets
    from crm.privacy import sealing
    from crm.privacy.sealing import SealError
    from ivr import journal_archive

    key, broken = secrets.load(settings.home).journal_key, 0
    for one in journal_archive.listed(settings.home):
        try:
            sealing.opened(one.path, key)
        except SealError as error:
            broken += 1
            click.echo(f"{one.path.name}: {error}")
    if broken:
        raise SystemExit(1)
    click.echo("all segments open")


@click.group()
def privacy() -> None:
    """What was deleted because its time was over, and the keys of sealed fields."""


@privacy.command()
@click.option("--limit", default=50, show_default=True)
@click.pass_obj
def certificates(settings: Settings, limit: int) -> None:
    """The certificates of deletion, the latest first; exit code 1 where their chain is broken."""
    from crm.database import Database
    from crm.privacy import retention

    with Database.of(settings).reading() as session:
        for one in retention.certificates(session, limit):
            click.echo(
                f"{one.id}  {one.at:%Y-%m-%d}  {one.kind:<10}  {one.count} older than {one.days} "
                f"days ({one.before:%Y-%m-%d}), {one.held} held  {one.digest[:16]}"
            )
        broken = retention.verify(session)
    if broken is not None:
        click.echo(f"certificate {broken} does not follow from the one before")
        raise SystemExit(1)


@privacy.command(name="new-key")
@click.pass_obj
def new_key(settings: Settings) -> None:
    """Seal the database's sealed fields with a new key while everything runs. The old key goes
    by itself a day later, once nothing is left under it; backups keep theirs."""
    from crm.database import Database
    from crm.privacy import resealing

    done = resealing.renew(Database.of(settings), settings.home, datetime.now(UTC))
    click.echo(f"{done} fields sealed with the new key")
