"""`hotline manuals`: the manuals of every role as files."""

from __future__ import annotations

from pathlib import Path

import click


@click.group()
def manuals() -> None:
    """The manuals of every role; the console leads to them by ?."""


@manuals.command()
@click.option(
    "--output", type=click.Path(path_type=Path, file_okay=False), default=Path("manuals"),
    show_default=True, help="Where they are written.",
)
def build(output: Path) -> None:
    """Write each manual as a page of HTML and as PDF."""
    from scripts import manuals as building

    for file in building.build(output):
        click.echo(str(file))
