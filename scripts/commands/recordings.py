"""`hotline recordings`: what was recorded, as it lies there."""

from __future__ import annotations

from datetime import UTC, datetime

import click

from crm.errors import HotlineError
from crm.settings import Settings


@click.group()
def recordings() -> None:
    """Recordings of calls and voice messages, sealed after the call."""


@recordings.command()
@click.pass_obj
def verify(settings: Settings) -> None:
    """Read every sealed recording and message whole, and name those that are not as they were."""
    from crm.database import Database
    from crm.recordings import store

    database, whole, broken = Database.of(settings), 0, 0
    for found in store.verify(database, settings.home, datetime.now(UTC)):
        if found is None:
            whole += 1
            continue
        broken += 1
        click.echo(f"{found.name}: {found.what}")
    click.echo(f"{whole} are as they were sealed")
    if broken:
        raise HotlineError(f"{broken} are not: bring them back from a backup")


@recordings.command()
@click.pass_obj
def seal(settings: Settings) -> None:
    """Seal now what is left of calls that are over (the scheduler does so by itself)."""
    from crm.database import Database
    from crm.recordings import store

    done = store.seal_ended(Database.of(settings), settings.home, datetime.now(UTC))
    click.echo(f"{done} sealed or deleted")
