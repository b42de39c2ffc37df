"""`hotline probe`, `drain` and `install`: for whoever operates a server."""

from __future__ import annotations

import getpass
import json
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click

from crm.settings import Settings
from scripts.commands.output import AS_JSON


@click.command()
@click.option("--cure", is_flag=True, help="Kill what failed three times, to be started anew.")
@AS_JSON
@click.pass_obj
def probe(settings: Settings, cure: bool, as_json: bool) -> None:
    """Place a test call, ask each part whether it is at work; exit code 1 if one is not."""
    from crm.database import Database
    from scripts import probe as probing

    parts = probing.watch(settings, Database.of(settings), datetime.now(UTC), cure=cure)
    if as_json:
        click.echo(json.dumps([
            {**asdict(found), "failures": past.failures} for found, past in parts
        ]))
    for found, past in () if as_json else parts:
        again = f", {past.failures} times in a row" if past.failures > 1 else ""
        click.echo(f"{'ok' if found.well else 'FAILS':<6} {found.part:<10} {found.detail}{again}")
    if not all(found.well for found, _ in parts):
        raise SystemExit(1)


@click.command()
@click.option("--why", default="", help="Kept in the log.")
@click.option(
    "--within", type=click.FloatRange(min=0.01, max=24 * 60), default=60, show_default=True,
    metavar="MINUTES", help="Longest wait for the calls that are up.",
)
@click.option(
    "--stay", is_flag=True,
    help="Do not stop the hotline when no call is up; the door stays shut for 12 hours.",
)
@click.option("--end", is_flag=True, help="Take new calls again, after --stay.")
@click.pass_obj
def drain(settings: Settings, why: str, within: float, stay: bool, end: bool) -> None:
    """Take no new calls, let those that are up end by themselves, then stop.

    New calls get 503, so that the edge or the carrier leads them elsewhere; key 4 included. Who
    waits is still put through. When the time is over, or this command ends in any other way, new
    calls are taken again, and nothing was stopped.
    """
    from scripts import drain as draining

    by = getpass.getuser()
    if end:
        taken = draining.end(settings, by=by)
        click.echo("new calls are taken again" if taken else "new calls were taken all the time")
        return
    if not why:
        raise click.UsageError("say why: --why TEXT")
    draining.run(
        settings, by=by, why=why, within=timedelta(minutes=within), stop=not stay,
        tell=lambda calls: click.echo(f"{calls} calls are up"),
    )
    click.echo("no call is up, and none is taken (hotline drain --end)" if stay else "stopped")


@click.command()
@click.option(
    "--root", type=click.Path(path_type=Path, file_okay=False), default=Path("/"),
    help="Write below this folder instead of /, to look at it or to make a package.",
)
@click.option("--user", default="hotline", show_default=True, help="Who runs the hotline.")
def install(root: Path, user: str) -> None:
    """Write units, timers, log rotation and a first settings file for a server with systemd.

    What is there and was changed by hand is kept; the new one is put beside it as NAME.new.
    """
    from scripts import units

    for written in units.install(root, user):
        click.echo(written)
    click.echo(units.NEXT.format(user=user))
