"""`hotline firewall`: who may send what to this machine."""

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
