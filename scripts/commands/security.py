"""`hotline firewall` and `hotline secrets`: for the safety of the machine and the number."""

from __future__ import annotations

from datetime import UTC, datetime

import click

from crm.settings import Settings


@click.command()
@click.option("--apply", "load", is_flag=True, help="Load them, as root, in the place of ours.")
@click.option("--bans", is_flag=True, help="Only bring who is shut out up to date; for a timer.")
@click.pass_obj
def firewall(settings: Settings, load: bool, bans: bool) -> None:
    """Print nftables rules for the hotline's ports, made from the settings.

    SIP is open to carriers and HOTLINE_PHONE_NETWORKS alone, the AMI to nobody, console and
    WebSocket to HOTLINE_CONSOLE_NETWORKS but not to addresses from which too many sign-ins failed.
    Nothing else of the machine is touched.
    """
    from sqlalchemy.exc import SQLAlchemyError

    from crm.database import Database, DatabaseError
    from ivr import firewall as rules

    banned: dict[str, int] = {}
    try:
        with Database.of(settings).reading() as session:
            banned = rules.bans(session, settings, datetime.now(UTC))
    except (DatabaseError, SQLAlchemyError) as error:
        if bans:
            raise
        click.echo(f"hotline: nobody is shut out, the database does not answer: {error}", err=True)
    script = ("" if bans else rules.rules(settings)) + rules.ban_script(banned)
    if not load and not bans:
        click.echo(script, nl=False)
        return
    rules.load(script)
    click.echo(f"loaded; {len(banned)} addresses are shut out for a while")


@click.group(name="secrets")
def secrets_() -> None:
    """The passwords that programs and phones use among themselves."""


@secrets_.command()
@click.option("--desks", is_flag=True, help="Those of desk phones too: type them in again.")
@click.pass_obj
def rotate(settings: Settings, desks: bool) -> None:
    """Make them anew. While the hotline runs: those of free seats, no call notices; what is left is
    named. Stopped: all of them.

    Keys of what is written stay: fields of the database have `hotline privacy new-key`.
    """
    from crm.database import Database
    from scripts import rotation
    from scripts.commands.applying import who

    done = rotation.rotate(settings, Database.of(settings), who(), desks=desks)
    click.echo(f"made anew: {', '.join(done.changed) or 'none'}")
    for name, why in done.left.items():
        click.echo(f"as before: {name} ({why})")


@click.command()
@click.pass_obj
def sbom(settings: Settings) -> None:
    """Print what the hotline is made of (CycloneDX 1.6, JSON), for an audit elsewhere."""
    from scripts import sbom as bill

    click.echo(bill.document(settings))
