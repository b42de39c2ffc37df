"""`hotline plan`, `apply`, `history`, `rollback`: the configuration and what runs."""

from __future__ import annotations

import getpass
import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict

import click

from crm.settings import Settings
from scripts.commands.output import print_json

_YES = click.option("--yes", is_flag=True, help="Do not ask.")
_WHY = click.option("--why", default="", help="The reason, for the history.")
_RESTART = click.option(
    "--restart", is_flag=True,
    help="Restart Asterisk if need be, in the first moment without calls.",
)
_JSON = click.option("--json", "as_json", is_flag=True, help="For programs.")


def who() -> str:
    sudo = os.environ.get("SUDO_USER")
    return f"{sudo} (as {getpass.getuser()})" if sudo else getpass.getuser()


@contextmanager
def _faults_shown() -> Iterator[None]:
    """Faults of the menus are shown one by one."""
    from ivr import menu

    try:
        yield
    except menu.MenuError as error:
        click.echo("\n".join(map(str, error.faults)), err=True)
        raise SystemExit(1) from error


@click.command(name="plan")
@_JSON
@click.pass_obj
def plan_(settings: Settings, as_json: bool) -> None:
    """What `hotline apply` would change, file by file, and what it does to calls that are up.

    Ends with 0 if there is nothing to do, with 2 if there is."""
    from scripts import apply

    with _faults_shown():
        found = apply.planned(settings)
    if as_json:
        click.echo(json.dumps({
            "effect": str(found.effect), "changes": [one.as_json() for one in found.changes],
            "otherwise": found.otherwise,
        }, ensure_ascii=False, indent=1))
    else:
        for one in found.changes:
            click.echo(f"{one.file}: {one.effect} ({one.why})\n{one.diff}")
        if found.otherwise:
            click.echo(f"what runs is not what was applied: {'; '.join(found.otherwise)}; "
                       "hotline apply loads it again")
        click.echo(f"{len(found.changes)} files to load; effect on calls: {found.effect}"
                   if found.changes else "nothing has changed")
    if found.changes:
        raise SystemExit(2)


@click.command(name="apply")
@_YES
@_WHY
@_RESTART
@click.pass_obj
def apply_(settings: Settings, yes: bool, why: str, restart: bool) -> None:
    """Bring settings and menus, as they are now, into the running Asterisk; calls go on.

    Menus with faults are refused, all faults named. What was loaded is verified, by a test call
    too; where that fails, what was before is put back."""
    from scripts import apply

    with _faults_shown():
        found = apply.planned(settings)
        for one in found.changes:
            click.echo(f"{one.file}: {one.effect} ({one.why})")
        if found.changes and not yes:
            _agreed()
        click.echo(apply.apply(settings, who(), why, restart=restart))


@click.command()
@_JSON
@click.option("--limit", default=20, show_default=True)
@click.pass_obj
def history(settings: Settings, as_json: bool, limit: int) -> None:
    """The configurations that were in force or were to be, the newest last; needs no database."""
    from ivr import history as kept

    rows = kept.records(settings.home)[-limit:]
    if as_json:
        print_json([asdict(one) for one in rows])
        return
    for one in rows:
        click.echo(f"{one.number:>4}  {one.at}  {one.kind:<8}  {one.result:<11}  {one.who}  "
                   f"{one.why}\n      {', '.join(one.changed) or 'no file'}"
                   + (f"\n      {one.detail}" if one.detail else ""))


@click.command()
@click.argument("number", type=int)
@_YES
@_WHY
@_RESTART
@click.pass_obj
def rollback(settings: Settings, number: int, yes: bool, why: str, restart: bool) -> None:
    """Put configuration NUMBER of `hotline history` into force again, verified as by `apply`.

    Settings and menus stay as they are: put them right too, before the next apply or start."""
    from scripts import apply

    if not yes:
        _agreed()
    click.echo(apply.rollback(settings, number, who(), why, restart=restart))
    click.echo("settings and menus are as they were: the next apply or `hotline up` takes them in")


def _agreed() -> None:
    if not sys.stdin.isatty():
        raise click.UsageError("nobody can be asked here: say --yes")
    click.confirm("Do it?", abort=True)
