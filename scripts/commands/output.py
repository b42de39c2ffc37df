"""What commands print for programs."""

from __future__ import annotations

import json

import click

AS_JSON = click.option("--json", "as_json", is_flag=True, help="For programs.")


def print_json(data: object) -> None:
    """One JSON document, readable for people too."""
    click.echo(json.dumps(data, ensure_ascii=False, indent=1))
