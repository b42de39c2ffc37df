"""`hotline bench`: every target beside what is measured."""

from __future__ import annotations

from pathlib import Path

import click

from crm.errors import HotlineError

NAMES = ("menus", "start", "cost", "capacity", "records", "screen", "growth", "voice", "faults")


@click.command()
@click.option("--only", multiple=True, type=click.Choice(NAMES), help="This part; several times.")
@click.option("--whole", is_flag=True,
              help="As much as the targets are about (hours), and not a few minutes' worth.")
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path),
              help="Write the table into this Markdown file too.")
def bench(only: tuple[str, ...], whole: bool, output: Path | None) -> None:
    """Measure every target in hotlines made for it; ends with 1 where one is missed.

    It runs from the sources, with what the tests need (PostgreSQL, a browser)."""
    try:
        from scripts.bench import targets
    except ModuleNotFoundError as error:
        raise HotlineError(f"this needs the sources and what tests need: {error}") from error
    if not targets.run([*(only or NAMES)], whole=whole, output=output):
        raise SystemExit(1)
