"""`hotline notice`: messages to people, and who wants none."""

from __future__ import annotations

import getpass
from datetime import UTC, datetime

import click

from crm.settings import Settings
from scripts.commands.output import AS_JSON, print_json

STATES = ("waiting", "sending", "sent", "delivered", "failed", "suppressed")


@click.group()
def notice() -> None:
    """Messages by SMS, e-mail, Zalo and voice: what became of them."""


@notice.command(name="list")
@click.option("--state", type=click.Choice(STATES))
@click.option("--limit", type=click.IntRange(1, 100_000), default=50, show_default=True)
@AS_JSON
@click.pass_obj
def list_(settings: Settings, state: str | None, limit: int, as_json: bool) -> None:
    """The last ones, the newest first; recipients are masked."""
    from crm.database import Database
    from crm.notices import board
    from crm.notices.models import State

    with Database.of(settings).reading() as session:
        found = board.latest(session, limit, State(state) if state else None)
        rows = [board.as_json(one) for one in found]
    if as_json:
        print_json(rows)
        return
    for row in rows:
        click.echo(
            f"{row['id']:>6}  {row['created_at'][:16]}  {row['channel']:<5}  {row['purpose']:<9}  "
            f"{row['recipient']:<14}  {row['state']:<10}  {row['error'] or ''}"
        )


@notice.command()
@click.argument("ids", nargs=-1, type=int)
@click.option("--failed", "all_failed", is_flag=True, help="All that failed.")
@click.pass_obj
def retry(settings: Settings, ids: tuple[int, ...], all_failed: bool) -> None:
    """Send again what failed, or at once what waits."""
    from crm.database import Database
    from crm.notices import board
    from crm.notices.models import State

    if bool(ids) == all_failed:
        raise click.UsageError("name the notices, or give --failed")
    with Database.of(settings).transaction() as session:
        if all_failed:
            ids = tuple(one.id for one in board.latest(session, 100_000, State.FAILED))
        for one in ids:
            board.retry(session, one, datetime.now(UTC))
    click.echo(f"{len(ids)} will be sent again")


@notice.group()
def optout() -> None:
    """Numbers and addresses that want no messages."""


@optout.command(name="add")
@click.argument("recipient")
@click.pass_obj
def optout_add(settings: Settings, recipient: str) -> None:
    """No messages to it any more but those that somebody waits for."""
    from crm.database import Database
    from crm.notices import optout as rules

    with Database.of(settings).transaction() as session:
        rules.add(session, recipient, by=getpass.getuser(), now=datetime.now(UTC))
    click.echo(f"{recipient}: no messages")


@optout.command(name="remove")
@click.argument("recipient")
@click.pass_obj
def optout_remove(settings: Settings, recipient: str) -> None:
    """Messages may go to it again."""
    from crm.database import Database
    from crm.notices import optout as rules

    with Database.of(settings).transaction() as session:
        rules.remove(session, recipient)
    click.echo(f"{recipient}: messages again")


@optout.command(name="list")
@AS_JSON
@click.pass_obj
def optout_list(settings: Settings, as_json: bool) -> None:
    """Who wants no messages, and since when."""
    from crm.database import Database
    from crm.notices import optout as rules

    with Database.of(settings).reading() as session:
        rows = [
            {"recipient": one.recipient, "since": one.at.isoformat(), "by": one.by}
            for one in rules.listed(session)
        ]
    if as_json:
        print_json(rows)
        return
    for row in rows:
        click.echo(f"{row['recipient']:<20} {row['since'][:16]}  {row['by']}")
