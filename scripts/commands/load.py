"""`hotline load`: real callers against an instance."""

from __future__ import annotations

from datetime import UTC, datetime

import click

from crm.settings import Settings
from scripts.commands.output import AS_JSON, print_json


@click.command()
@click.option("--scenario", "name", default="everyday", show_default=True,
              help="everyday, rush, short, or a YAML file.")
@click.option("--rate", default=1.0, show_default=True, help="New callers a second (at most 50).")
@click.option("--duration", default=30.0, show_default=True,
              help="Seconds in which callers come (at most 3600).")
@click.option("--target", metavar="HOST[:PORT]", help="Another instance than this one.")
@click.option("--yes-i-operate-it", "operated", is_flag=True,
              help="It is another machine, and yours to load.")
@click.option("--as-citizens", is_flag=True,
              help="Not marked as tests: reports count them. Off this machine no mark is believed.")
@AS_JSON
@click.pass_obj
def load(
    settings: Settings, name: str, rate: float, duration: float, target: str | None,
    operated: bool, as_citizens: bool, as_json: bool,
) -> None:
    """Let callers come over real SIP and RTP; tell set-up times, failures, sound and ledger.

    Ends with 1 where a call failed, was not heard or is not in the ledger exactly once."""
    import asyncio

    from scripts import load as loading

    scenario = loading.scenario(name)
    whither = loading.target(settings, target, operated=operated)
    if scenario.calls_for_life and (target is not None or settings.outbound):
        raise loading.LoadError(
            "key 4 rings emergency services: it is pressed only on an instance of this machine "
            "without a carrier"
        )
    own = loading.own_address(whither)
    if own != loading.LOCAL and not as_citizens:
        click.echo("hotline: another machine takes these calls for those of citizens", err=True)
    plan = loading.Plan(
        scenario, whither, own, rate, duration, marked=not as_citizens,
        seed=int(datetime.now(UTC).timestamp()),
    )
    began = datetime.now(UTC)

    async def whole() -> loading.Outcome:
        outcome = await loading.drive(plan)
        if target is None:
            await loading.compare(settings, outcome, began)
        return outcome

    outcome = asyncio.run(whole())
    if as_json:
        print_json(outcome.as_dict())
    else:
        click.echo("\n".join(outcome.lines()))
    if not outcome.well:
        raise SystemExit(1)
