"""`hotline report`: figures for whoever runs the hotline."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import click

from crm.settings import Settings
from scripts.commands.output import AS_JSON, print_json


@click.group()
def report() -> None:
    """Reports: the daily one, and figures for whoever runs the hotline."""


@report.command()
@click.option("--days", default=1, show_default=True, help="How far back.")
@AS_JSON
@click.pass_obj
def waiting(settings: Settings, days: int, as_json: bool) -> None:
    """How right the waiting times were that callers were told."""
    from crm.calls import waits
    from crm.database import Database

    now = datetime.now(UTC)
    with Database.of(settings).reading() as session:
        rows = waits.as_json(waits.accuracy(session, now - timedelta(days=days), now))
    if as_json:
        print_json(rows)
        return
    for row in rows:
        click.echo(
            f"{row['queue']:<10} {row['within']} of {row['waits']} waits within what was told "
            f"({row['share']:.0%}), off by {row['off_by_s']} s on average"
        )
    if not rows:
        click.echo("nobody who was told a waiting time has reached a person in that time")


@report.command()
@click.option("--date", "day", type=click.DateTime(["%Y-%m-%d"]), help="Its day (default: today).")
@click.option("--output", default=".", show_default=True, help="Where the files are written.",
              type=click.Path(file_okay=False, path_type=Path))
@click.option("--sent", is_flag=True, help="As it was sent at 17:00, and not of the whole day.")
@click.pass_obj
def daily(settings: Settings, day: datetime | None, output: Path, sent: bool) -> None:
    """Write the report of a day as PDF and XLSX: of the whole day, or until now."""
    from crm.clock import vietnam_day
    from crm.database import Database
    from crm.errors import HotlineError
    from crm.reports import daily as work
    from crm.reports import pdf, schedule, template, xlsx
    from crm.reports.spans import begin

    now = datetime.now(UTC)
    of: date = day.date() if day else vietnam_day(now)
    with Database.of(settings).reading() as session:
        if sent:
            issue = schedule.issues(session, of, of).get(of)
            if issue is None:
                raise HotlineError(f"the report of {of} has not been sent")
            content = {"pdf": issue.pdf, "xlsx": issue.xlsx}
        else:
            until = min(begin(of + timedelta(days=1)), max(now, begin(of)))
            figures = work.gather(session, of, until)
            paper = work.document(figures, template.load(settings.home))
            content = {"pdf": pdf.render(paper, now), "xlsx": xlsx.render(paper)}
    output.mkdir(parents=True, exist_ok=True)
    for kind, data in content.items():
        file = output / f"bao-cao-1022-{of:%Y%m%d}.{kind}"
        file.write_bytes(data)
        click.echo(str(file))


@report.command()
@click.option("--day", type=click.DateTime(["%Y-%m-%d"]), help="One day (default: yesterday).")
@click.option("--all", "all_days", is_flag=True, help="All that the journal still has.")
@click.option("--check", is_flag=True, help="Only compare: change nothing.")
@click.option("--node", "others", type=(str, click.Path(path_type=Path, exists=True)),
              multiple=True, metavar="NAME FOLDER",
              help="Of several nodes: another one, and its state folder or a copy of its journal/.")
@click.pass_obj
def recompute(
    settings: Settings, day: datetime | None, all_days: bool, check: bool,
    others: tuple[tuple[str, Path], ...],
) -> None:
    """Count calls, their segments and the measures of days anew from the journal, and put right
    what differs. Exit code 1: something differs, and still does."""
    import tempfile

    from crm import secrets
    from crm.archive import months
    from crm.clock import vietnam_day
    from crm.database import Database
    from crm.errors import HotlineError
    from ivr import recompute as work

    homes = {settings.node: settings.home} | dict(others)
    missing = [one.name for one in settings.other_nodes if one.name not in homes]
    if missing or len(homes) > 1 + len(settings.other_nodes):
        raise HotlineError(
            "calls that crossed nodes stand in several journals: name each other node once, as in "
            "--node " + " --node ".join(f"{name} FOLDER" for name in missing or homes)
            + ", with its state folder or a copy that has its journal/"
        )
    now = datetime.now(UTC)
    database = Database.of(settings, patience_s=600)
    key = secrets.load(settings.home).journal_key
    with tempfile.TemporaryDirectory(dir=settings.home, prefix="recompute-") as folder:
        scratch = Database(f"sqlite:///{Path(folder) / 'calls.db'}", patience_s=600)
        with database.reading() as session:
            first = work.rebuild(session, scratch, homes, key)
        if first is None:
            click.echo("the journal is empty")
            return
        wanted = day.date() if day else vietnam_day(now) - timedelta(days=1)
        days = work.days_of(first, now) if all_days else [wanted]
        with database.reading() as session:
            archived = [one for one in days if months.left_with(session, one)]
        days = [one for one in days if one not in archived]
        opened = database.reading if check else database.transaction
        with opened() as session, scratch.transaction() as again:
            found = list(work.compare(
                session, again, first, days, settings.service_level_s, mend=not check
            ))
        scratch.engine.dispose()
    for one in found:
        click.echo(str(one))
    for month in sorted({one.strftime("%Y-%m") for one in archived}):
        click.echo(f"{month} is archived: hotline archive restore {month} brings it back")
    click.echo(f"{len(days)} days, {len(found)} differences{'' if check else ', put right'}")
    if found and check:
        raise SystemExit(1)


@report.group()
def template() -> None:
    """The template of the daily report, which the operator may replace."""


@template.command()
@click.argument("file", required=False, type=click.Path(exists=True, path_type=Path))
@click.pass_obj
def check(settings: Settings, file: Path | None) -> None:
    """Say all that is wrong with a template (default: the one that is in use)."""
    from crm.reports import template as work

    used = work.read(file) if file else work.load(settings.home)
    click.echo(f"the template can be used: {', '.join(used.order)}")


@template.command()
@click.pass_obj
def copy(settings: Settings) -> None:
    """Put the shipped template where the operator's own stands, to be changed."""
    from crm.errors import HotlineError
    from crm.reports import template as work

    own = settings.home / "templates" / work.NAME
    if own.exists():
        raise HotlineError(f"{own} is there already")
    own.parent.mkdir(parents=True, exist_ok=True)
    own.write_bytes(work.SHIPPED.read_bytes())
    click.echo(str(own))
