"""`hotline trunk`: what to ask the carriers, what was tried, who can reach the number."""

from __future__ import annotations

import getpass
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from crm.settings import Settings
from scripts.commands.output import AS_JSON, print_json

if TYPE_CHECKING:
    from scripts.trunk.trial import Report


@click.group()
def trunk() -> None:
    """The carriers: the worksheet of questions, the reachability sheet, test calls."""


@trunk.command()
@click.pass_obj
def questions(settings: Settings) -> None:
    """Print the worksheet to send to each carrier, in both languages, with what is set here."""
    from scripts.trunk import questions as sheet

    click.echo(sheet.worksheet(settings), nl=False)


@trunk.command()
@click.option("--from", "telephone", help="The telephone that has just called: enter its call.")
@click.option("--network", help="Whose SIM or line it is: viettel, vinaphone, mobifone, ...")
@click.option("--place", type=click.Choice(["inside", "outside"]), help="Of the province.")
@click.option("--failed", is_flag=True, help="The call did not come through.")
@click.option("--dialled", help="With --failed: what was dialled.")
@click.option("--note", default="", help="What else was seen: charged, voice of another, ...")
@AS_JSON
@click.pass_obj
def reach(
    settings: Settings, telephone: str | None, network: str | None, place: str | None,
    failed: bool, dialled: str | None, note: str, as_json: bool,
) -> None:
    """Show who can reach the number (network, dialled form, inside and outside the province), or
    enter a call that was just made for it: --from NUMBER --network NAME --place PLACE."""
    from scripts.trunk import reach as sheet

    now, by = datetime.now(UTC), getpass.getuser()
    if telephone or network or place or failed:
        if not (telephone and network and place) or failed != bool(dialled):
            raise click.UsageError("a call needs --from, --network and --place; one that failed "
                                   "--failed and --dialled besides")
        if failed and dialled:
            made = sheet.Try(now.isoformat(timespec="seconds"), network, dialled, place, False,
                             telephone[-3:], "", by, note)
        else:
            made = sheet.found(settings, telephone=telephone, network=network, place=place, by=by,
                               note=note, now=now)
        sheet.enter(settings.home, made)
    rows = sheet.tries(settings.home)
    if as_json:
        print_json([asdict(one) for one in rows])
    else:
        click.echo(sheet.table(rows), nl=False)


@trunk.command(name="test")
@click.option("--carrier", "index", type=click.IntRange(1, 2), help="Only this one.")
@click.option("--number", help="What to ring (default: the hotline itself, so that the call comes "
                               "in again).")
@click.option("--save", type=click.Path(path_type=Path),
              help="Write the report: .md, .pdf or .json; with two carriers one file each.")
@AS_JSON
@click.pass_obj
def test_(
    settings: Settings, index: int | None, number: str | None, save: Path | None, as_json: bool
) -> None:
    """Try the carriers out: registration, OPTIONS, a call out and in, keys, caller's number, early
    media, codec, session timers, audio. One call each; never to an emergency number."""
    from crm.branches import SERVICES
    from scripts.trunk import trial

    number = number or next((one for one in settings.numbers if one.startswith("0")),
                            settings.numbers[0])
    if not number.isascii() or not number.lstrip("+").isdecimal():
        raise click.UsageError(f"{number!r} is no number")
    helped = {one.number for one in SERVICES}
    if number in helped | {x for xs in settings.emergency_targets.values() for x in xs}:
        raise click.UsageError("an emergency service is never rung for a test")
    carriers = [one for one in settings.outbound if index in (None, one.index)]
    if not carriers:
        raise click.UsageError("no such carrier is set (trunk_server, trunk2_server)")
    reports = [trial.try_out(settings, one, number) for one in carriers]
    for one in reports:
        if save:
            file = save if len(reports) == 1 else save.with_stem(f"{save.stem}-{one.carrier}")
            file.write_bytes(_written(one, file.suffix))
        if not as_json:
            click.echo(trial.as_markdown(one))
    if as_json:
        click.echo(f"[{', '.join(map(trial.as_json, reports))}]")
    if not all(one.passed for one in reports):
        raise SystemExit(1)


def _written(report: Report, suffix: str) -> bytes:
    from scripts.trunk import trial

    if suffix == ".pdf":
        return trial.as_pdf(report)
    text = trial.as_json(report) if suffix == ".json" else trial.as_markdown(report)
    return text.encode()
