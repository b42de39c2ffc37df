"""`hotline menu`: the menus checked and walked through as text."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from pathlib import Path

import click

from crm.settings import Settings
from scripts.commands.output import AS_JSON, print_json


@click.group(name="menu")
def menu_() -> None:
    """The menus of dialplans/menus."""


@menu_.command(name="check")
@click.option("--folder", type=click.Path(path_type=Path, file_okay=False),
              help="Other menus than those of the setting.")
@AS_JSON
@click.pass_obj
def menu_check(settings: Settings, folder: Path | None, as_json: bool) -> None:
    """Name every fault with its file, menu and line."""
    from ivr import menu, provision
    from scripts import speech

    try:
        menus = menu.load(folder) if folder else provision.load_menus(settings)
        faults = speech.menu_faults(settings, menus)
    except menu.MenuError as error:
        faults = error.faults
    if as_json:
        print_json([asdict(fault) for fault in faults])
    elif faults:
        click.echo("\n".join(map(str, faults)), err=True)
    else:
        click.echo(f"{len(menus.menus)} menus and {len(menus.leaves)} leaves, no fault")
    if faults:
        raise SystemExit(1)


@menu_.command(name="simulate")
@click.argument("keys", default="")
@click.option("--at", type=click.DateTime(["%Y-%m-%dT%H:%M"]),
              help="Moment of the call in Vietnam, for the opening hours (default: all open).")
@click.option("--all", "every", is_flag=True, help="List every way through the menus.")
@AS_JSON
@click.pass_obj
def menu_simulate(
    settings: Settings, keys: str, at: datetime | None, every: bool, as_json: bool
) -> None:
    """Walk the menus as text: what a caller who presses KEYS hears, and when.

    The caller presses after the sentence that names the key has ended; a . lets a menu run out.
    Example: hotline menu simulate "3 0"
    """
    from ivr import provision, simulate
    from prompts.catalogue import Catalogue
    from scripts import speech

    menus, durations = provision.load_menus(settings), speech.durations_ms(settings)
    if lacking := speech.missing(settings):
        raise click.ClickException(f"{len(lacking)} prompts are not built: hotline prompts build")
    if every:
        ways = list(simulate.ways(menus, durations))
        if as_json:
            print_json([asdict(way) for way in ways])
            return
        click.echo(f"{'keys':<8}{'named s':>9}{'there s':>9}{'by heart s':>12}  reaches")
        for way in ways:
            named, there, by_heart = (
                ms / 1000 for ms in (way.named_ms, way.reached_ms, way.by_heart_ms)
            )
            click.echo(f"{' '.join(way.keys):<8}{named:>9.1f}{there:>9.1f}{by_heart:>12.1f}"
                       f"  {way.reaches}")
        return
    try:
        walked = simulate.walk(menus, durations, keys, at=at)
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    if as_json:
        print_json({"branch": walked.branch, "reached": walked.reached,
               "lines": [asdict(line) for line in walked.lines]})
        return
    texts = Catalogue.load().prompts
    shown = {"said": lambda line: texts[line.what].text,
             "pressed": lambda line: f"[{line.place}: {line.what}]",
             "served": lambda line: f"({line.what} was heard to its end)",
             "reached": lambda line: f"=> {line.what}"}
    for line in walked.lines:
        click.echo(f"{line.at_ms / 1000:>7.1f}  {shown[line.kind](line)}")
