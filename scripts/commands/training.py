"""`hotline training`: a second hotline to learn on, and its simulated citizens."""

from __future__ import annotations

import click

from crm import settings as configuration
from crm.settings import Settings
from scripts.commands.output import AS_JSON, print_json


@click.group()
def training() -> None:
    """A second hotline beside the real one, with simulated citizens who are served and graded."""


@training.command()
@click.pass_obj
def start(settings: Settings) -> None:
    """Set up and start the training in the background."""
    from ivr import tls
    from scripts import training as teaching

    own = teaching.start(settings)
    click.echo(f"the training runs: {tls.console_address(own)}/")
    click.echo(f"accounts: {own.home / 'first-accounts.txt'}; the trainer's page: /training")


@training.command()
@click.pass_obj
def stop(settings: Settings) -> None:
    """Stop it."""
    from scripts import training as teaching

    click.echo("the training is stopped" if teaching.stop(settings) else "no training runs")


@training.command()
@AS_JSON
@click.pass_obj
def status(settings: Settings, as_json: bool) -> None:
    """Whether it runs, and how the calls of the shift were served; exit code 1 if it does not."""
    from crm import training as grading
    from crm.database import Database
    from scripts import training as teaching

    number = teaching.running(settings)
    rows = []
    if number is not None:
        own = configuration.load(teaching.environment(settings))
        with Database.of(own).reading() as session:
            rows = grading.graded(session, own.home, own.service_level_s)
    if as_json:
        print_json({"pid": number, "calls": [{
            "script": one.script.id, "agent": one.agent, "passed": one.passed,
            "marks": {mark.what: mark.ok for mark in one.marks},
        } for one in rows]})
    else:
        for one in rows:
            marks = " ".join(
                f"{mark.what}{ {True: '+', False: '-', None: '?'}[mark.ok]}" for mark in one.marks
            )
            click.echo(f"{one.script.id:<22}{one.agent or '-':<12}{marks}")
        click.echo("no training runs" if number is None else f"it runs (pid {number})")
    if number is None:
        raise SystemExit(1)


@training.command()
@click.option("--calls", default=20, show_default=True, type=click.IntRange(1, 200))
@click.option("--every", default=15.0, show_default=True, type=click.FloatRange(1, 600),
              help="Seconds from one call to the next.")
@click.option("--script", "wanted", multiple=True, help="Only this citizen (may come again).")
@click.pass_obj
def shift(settings: Settings, calls: int, every: float, wanted: tuple[str, ...]) -> None:
    """Let simulated citizens call, one after another, until all have gone."""
    import asyncio

    from scripts import training as teaching

    if teaching.running(settings) is None:
        raise teaching.TrainingError("no training runs: hotline training start")
    own = configuration.load(teaching.environment(settings))
    asyncio.run(teaching.shift(own, calls, every, wanted))
    click.echo(f"{calls} citizens have called: hotline training status, or /training")
