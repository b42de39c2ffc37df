"""`hotline pack`: what an ordinary day, an epidemic or a flood makes of the hotline."""

from __future__ import annotations

import logging

import click

from crm.settings import Settings
from scripts.commands.output import AS_JSON, print_json

audit = logging.getLogger("hotline.audit")


@click.group()
def pack() -> None:
    """Scenario packs: menus, wording, notice, hours and categories, changed together."""


@pack.command(name="list")
@AS_JSON
@click.pass_obj
def list_(settings: Settings, as_json: bool) -> None:
    """Those there are, which is chosen and which is in force."""
    from crm import packs

    chosen, in_force = packs.chosen(settings.home).name, packs.in_force(settings.home)
    rows = [
        {"name": one.name, "vi": one.vi, "en": one.en, "chosen": one.name == chosen,
         "in_force": one.name == in_force}
        for one in map(packs.named, packs.names())
    ]
    if as_json:
        print_json(rows)
        return
    for row in rows:
        marks = [word for word in ("chosen", "in_force") if row[word]]
        told = f"  ({', '.join(marks).replace('_', ' ')})" if marks else ""
        click.echo(f"{row['name']:<10} {row['vi']}, {row['en']}{told}")


@pack.command()
@click.argument("name", required=False)
@click.pass_obj
def show(settings: Settings, name: str | None) -> None:
    """What a pack changes (default: the chosen one), and whether its menus have faults."""
    from crm import packs
    from ivr import menu
    from scripts import speech

    shown = packs.named(name) if name else packs.chosen(settings.home)
    click.echo(f"{shown.name}: {shown.vi}, {shown.en}")
    click.echo(f"menus       {', '.join(one.name for one in shown.menus) or 'as they are'}")
    click.echo(f"notice      {shown.notice}")
    hours = "; ".join(f"{branch} {', '.join(slots)}" for branch, slots in shown.hours.items())
    click.echo(f"hours       {hours or 'as the menus say'}")
    click.echo(f"categories  {', '.join(shown.categories) or 'in their usual order'}")
    try:
        faults = speech.menu_faults(settings, menu.load(settings.menus, shown))
    except menu.MenuError as error:
        faults = error.faults
    click.echo("\n".join(map(str, faults)) or "no fault", err=bool(faults))
    if faults:
        raise SystemExit(1)


@pack.command()
@click.argument("name")
@click.pass_obj
def use(settings: Settings, name: str) -> None:
    """Choose a pack. Callers meet it once `hotline apply` has brought it in."""
    from crm import packs

    before = packs.chosen(settings.home).name
    chosen = packs.use(settings.home, name)
    audit.info("scenario pack chosen: %s (before: %s)", chosen.name, before)
    click.echo(f"{chosen.name} is chosen; in force is {packs.in_force(settings.home)}. "
               "Look at it with `hotline plan`, bring it in with `hotline apply`")
