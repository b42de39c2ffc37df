"""`hotline staffing`: how many agents are needed, and how well that is known."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import click

from crm.settings import Settings

_DAY = click.DateTime(formats=["%Y-%m-%d"])
_BRANCH = click.option("--branch", default="", help="Of one branch; else of all.")


@click.group()
def staffing() -> None:
    """Forecasts, agents that are needed, and past days played again."""


@staffing.command(name="plan")
@click.option("--day", type=_DAY, help="Else tomorrow.")
@_BRANCH
@click.pass_obj
def plan_(settings: Settings, day: datetime | None, branch: str) -> None:
    """The plan of a day: calls, agents needed and rostered, and what two more or fewer do."""
    from crm.clock import vietnam_day
    from crm.database import Database
    from crm.staffing import plan

    _known(branch)
    today = vietnam_day(datetime.now(UTC))
    of = day.date() if day else today + timedelta(days=1)
    with Database.of(settings).reading() as session:
        found = plan.of_day(session, settings, branch, of, today)
    errors = found.forecast.errors
    if errors.profile is not None and errors.naive is not None:
        click.echo(
            f"tried on {errors.days} days: profile errs by {errors.profile:.1%}, "
            f"last week by {errors.naive:.1%}; {found.forecast.method} is used"
        )
    else:
        click.echo(f"only {found.forecast.history} days are known: take this for a guess")
    for one in found.slots:
        if one.calls or one.rostered:
            rostered = "-" if one.rostered is None else str(one.rostered)
            levels = "  ".join(f"{more:+d}: {out.level:4.0%}" for more, out in one.outlooks.items())
            click.echo(
                f"{one.slot // 2:02d}:{one.slot % 2 * 30:02d}  {one.calls:6.1f} calls  "
                f"{one.needed:3d} needed  {rostered:>3} rostered  {levels}"
            )


@staffing.command(name="replay")
@click.option("--day", type=_DAY, help="Else yesterday.")
@_BRANCH
@click.pass_obj
def replay_(settings: Settings, day: datetime | None, branch: str) -> None:
    """Play a past day again: its service level as it was, by simulation and by formula."""
    from crm.clock import vietnam_day
    from crm.database import Database
    from crm.staffing import replay

    _known(branch)
    now = datetime.now(UTC)
    of = day.date() if day else vietnam_day(now) - timedelta(days=1)
    with Database.of(settings).reading() as session:
        found = replay.of_day(session, settings, branch, of, now)
    if found is None:
        click.echo("this day cannot be played again: too few calls, or nobody knows who was there")
        raise SystemExit(1)
    formula = "-" if found.formula is None else f"{found.formula:.1%}"
    click.echo(
        f"{of}  really {found.real.level or 0:.1%}  simulated {found.simulated:.1%} "
        f"({found.lowest:.1%} to {found.highest:.1%})  formula {formula}  "
        f"agents as of the {found.staffed}"
    )


@staffing.command()
@click.argument("calls", type=click.FloatRange(0, 20_000))
@click.argument("seconds", type=click.FloatRange(1, 7200))
@click.option("--agents", type=click.IntRange(0, 2000), help="What comes of so many.")
@click.option("--patience", type=click.FloatRange(1, 3600), help="Seconds; else endless.")
@click.pass_obj
def reckon(
    settings: Settings, calls: float, seconds: float, agents: int | None, patience: float | None
) -> None:
    """Agents for CALLS an hour that take SECONDS each."""
    from crm.staffing import erlang, plan

    rate, within = calls / 3600, settings.service_level_s
    level = min(settings.service_level_percent / 100, 0.99)
    needed = erlang.agents_for(rate, seconds, within, level, patience, plan.AT_ONCE_S)
    click.echo(f"load {rate * seconds:.1f} E, {needed} agents for {level:.0%} in {within} s")
    there = needed if agents is None else agents
    out = erlang.outlook(erlang.Queue(rate, seconds, there, patience), within, plan.AT_ONCE_S)
    click.echo(
        f"with {there}: level {out.level:.1%}, mean wait {out.wait:.1f} s, gave up "
        f"{out.abandoned:.1%}, occupancy {out.occupancy:.1%}"
    )


def _known(branch: str) -> None:
    from crm.shifts.roster import IN_BRANCHES

    if branch and branch not in IN_BRANCHES:
        raise click.UsageError(f"there is no branch {branch}; there are {', '.join(IN_BRANCHES)}")
