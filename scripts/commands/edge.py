"""`hotline edge`: what several nodes have in front of them."""

from __future__ import annotations

from pathlib import Path

import click

from crm.settings import Settings


@click.command()
@click.argument("where", type=click.Path(file_okay=False, path_type=Path))
@click.pass_obj
def edge(settings: Settings, where: Path) -> None:
    """Write Kamailio's files, and HAProxy's where HOTLINE_EDGE_WEB is set, into the folder WHERE
    (as /etc/kamailio), made from the settings.

    Kamailio reads kamailio.cfg when it starts, and the nodes (dispatcher.list) anew by
    `kamcmd dispatcher.reload`. A node whose settings name the edge as its carrier needs no more.
    """
    from ivr import edge as made

    where = where.absolute()
    where.mkdir(parents=True, exist_ok=True)
    for name, text in made.files(settings, where).items():
        place = where / name
        place.with_suffix(".new").write_text(text, encoding="utf-8")
        place.with_suffix(".new").replace(place)
        click.echo(f"written: {place}")
