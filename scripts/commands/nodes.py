"""`hotline nodes`: several nodes on one database, and which queues each of them holds."""

from __future__ import annotations

import getpass
from dataclasses import asdict
from datetime import UTC, datetime

import click

from crm.errors import HotlineError
from crm.settings import Settings
from scripts.commands.output import AS_JSON, print_json


@click.group()
def nodes() -> None:
    """The nodes that share the database (HOTLINE_NODES), and the queues that each holds."""


@nodes.command(name="list")
@AS_JSON
@click.pass_obj
def list_(settings: Settings, as_json: bool) -> None:
    """Each node with its queues, and when its listener and its tailer were last heard of."""
    from crm import nodes as of
    from crm.database import Database

    with Database.of(settings).reading() as session:
        found = of.states(session, settings)
    if as_json:
        print_json([{**asdict(one), "seen_at": _iso(one.seen_at),
                     "journal_read_at": _iso(one.journal_read_at)} for one in found])
        return
    for one in found:
        state = "connected" if one.connected else "not connected"
        click.echo(f"{one.name:<12} {state:<14} {_iso(one.seen_at) or 'never seen':<26} "
                   f"journal read {_iso(one.journal_read_at) or 'never':<26} "
                   f"{', '.join(one.queues) or 'holds no queue'}")


@nodes.command()
@click.argument("source")
@click.argument("target")
@click.option("--why", required=True, help="Kept in the log.")
@click.pass_obj
def move(settings: Settings, source: str, target: str, why: str) -> None:
    """Lead all queues of the node SOURCE to the node TARGET.

    New callers go there at once, those who wait on SOURCE stay there if it lives. Its agents sign
    in at the console of TARGET. What is there of SOURCE's journal is read when it is back.
    """
    from crm import nodes as of
    from crm import secrets
    from crm.database import Database
    from ivr.commands import for_settings

    with Database.of(settings).transaction() as session:
        changed = of.move(session, settings, source, target, by=getpass.getuser(), why=why,
                          now=datetime.now(UTC))
    result = for_settings(settings, secrets.load(settings.home)).set_switches(changed)
    held = ", ".join(name.partition(".")[2] for name in changed)
    click.echo(f"{target} holds {held}; the other nodes know within seconds")
    if not result.done:
        raise HotlineError(
            f"this node's Asterisk does not know of it yet ({result}); it will when it runs"
        )


def _iso(at: datetime | None) -> str | None:
    return at.isoformat(timespec="seconds") if at else None
