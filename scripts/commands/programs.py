"""`hotline token`, `hotline webhook`, `hotline open311`: what has to do with other programs."""

from __future__ import annotations

import getpass
from datetime import UTC, datetime, timedelta

import click

from crm.clock import VIETNAM
from crm.settings import Settings
from scripts.commands.output import print_json


@click.group()
def token() -> None:
    """Keys with which other programs use the API."""


@token.command(name="add")
@click.argument("name")
@click.option("--scope", "scopes", multiple=True, required=True, help="May be given again.")
@click.option("--expires", type=click.DateTime(["%Y-%m-%d"]), help="The last day it is good.")
@click.pass_obj
def add_token(
    settings: Settings, name: str, scopes: tuple[str, ...], expires: datetime | None
) -> None:
    """Make a key, which is shown this once."""
    from crm.api import tokens
    from crm.database import Database

    ends = expires.replace(tzinfo=VIETNAM) + timedelta(days=1) if expires else None
    with Database.of(settings).transaction() as session:
        made = tokens.create(
            session, name=name, scopes=scopes, by=getpass.getuser(), now=datetime.now(UTC),
            expires_at=ends,
        )
    click.echo(made)


@token.command(name="list")
@click.pass_obj
def list_tokens(settings: Settings) -> None:
    """All keys, with what they allow and when they were last used."""
    from crm.api import tokens
    from crm.database import Database

    now = datetime.now(UTC)
    with Database.of(settings).reading() as session:
        for one in tokens.all_tokens(session):
            state = "good" if tokens.is_good(one, now) else "over"
            used = f"{one.used_at.astimezone(VIETNAM):%d/%m/%Y %H:%M}" if one.used_at else "never"
            click.echo(f"{one.name:<20} {state:<5} used {used:<17} {' '.join(one.scopes)}")


@token.command()
@click.argument("name")
@click.pass_obj
def revoke(settings: Settings, name: str) -> None:
    """End a key for good."""
    from crm.api import tokens
    from crm.database import Database

    with Database.of(settings).transaction() as session:
        tokens.revoke(session, name, datetime.now(UTC))
    click.echo(f"{name}: revoked")


@click.group()
def webhook() -> None:
    """Addresses that are told what happens to cases."""


@webhook.command(name="add")
@click.argument("url")
@click.option("--event", "events", multiple=True, help="May be given again; all if not given.")
@click.pass_obj
def add_webhook(settings: Settings, url: str, events: tuple[str, ...]) -> None:
    """Tell an address; the secret that signs is shown this once."""
    from crm.api import webhooks
    from crm.database import Database

    with Database.of(settings).transaction() as session:
        made = webhooks.subscribe(
            session, url=url, by=getpass.getuser(), now=datetime.now(UTC),
            events=events or webhooks.EVENTS,
        )
        shown = f"{made.id} {made.secret}"
    click.echo(shown)


@webhook.command(name="list")
@click.pass_obj
def list_webhooks(settings: Settings) -> None:
    """All addresses, and whether they are told."""
    from crm.api import webhooks
    from crm.database import Database

    with Database.of(settings).reading() as session:
        for one in webhooks.all_webhooks(session):
            click.echo(f"{one.id:>3} {one.ended_why or 'on':<8} {one.url}  {' '.join(one.events)}")


@webhook.command()
@click.argument("number", type=int)
@click.pass_obj
def remove(settings: Settings, number: int) -> None:
    """Tell an address nothing more."""
    from crm.api import webhooks
    from crm.database import Database

    with Database.of(settings).transaction() as session:
        webhooks.end(session, number, datetime.now(UTC))
    click.echo(f"{number}: removed")


@webhook.command()
@click.argument("number", type=int)
@click.pass_obj
def resend(settings: Settings, number: int) -> None:
    """Tell an address again what it did not take, and go on telling it."""
    from crm.api import webhooks
    from crm.database import Database

    with Database.of(settings).transaction() as session:
        count = webhooks.resume(session, number, datetime.now(UTC))
    click.echo(f"{number}: {count} messages are sent again")


@click.group()
def open311() -> None:
    """Other cities' Open311 servers."""


@open311.command()
@click.argument("endpoint")
@click.option("--jurisdiction", help="Their jurisdiction_id.")
@click.option("--status", type=click.Choice(["open", "closed"]))
@click.option("--form", type=click.Choice(["json", "xml"]), default="json", show_default=True)
@click.pass_obj
def requests(
    _settings: Settings, endpoint: str, jurisdiction: str | None, status: str | None, form: str
) -> None:
    """The requests of the last 90 days at ENDPOINT (the address before /requests.json), as JSON."""
    from crm.open311.client import Client

    conditions = {"status": status} if status else {}
    found = Client(endpoint, jurisdiction, form=form).requests(**conditions)
    told = [one.model_dump(mode="json") for one in found]
    print_json(told)
