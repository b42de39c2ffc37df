"""`hotline drill`: what holds when the site is lost, tried out."""

from __future__ import annotations

import signal
from dataclasses import asdict

import click

from crm.settings import Settings
from scripts.commands.output import AS_JSON, print_json


@click.command()
@click.option("--callers", default=3, show_default=True, type=click.IntRange(1, 30))
@AS_JSON
@click.pass_obj
def drill(settings: Settings, callers: int, as_json: bool) -> None:
    """Rehearse the loss of the site while the hotline runs; nobody outside is rung.

    The newest backup must come back; on a second hotline beside this one everything behind Asterisk
    stands still, an agent signs in by keypad, callers are answered on a mobile, then by the
    telephone on duty. Ends with 1 where a step fails. docs/site-loss.md is the plan."""
    from scripts import drill as drilling
    from scripts.commands.applying import who

    def tell(step: drilling.Step) -> None:
        if not as_json:
            took = f" ({step.seconds:.0f} s)" if step.seconds else ""
            click.echo(f"{'ok' if step.ok else 'FAILS':<6} {step.name:<16} {step.detail}{took}")

    signal.signal(signal.SIGTERM, signal.default_int_handler)  # what was begun is put away
    steps = drilling.hold(settings, callers, who(), tell)
    if as_json:
        print_json([asdict(step) for step in steps])
    if not all(step.ok for step in steps):
        raise SystemExit(1)
