"""The `hotline` command."""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

import click

from crm import areas
from crm import settings as configuration
from crm.errors import HotlineError
from crm.settings import Settings
from scripts import PROCESSES
from scripts.commands import (
    applying,
    archive,
    backups,
    bench,
    bulletins,
    calls,
    cases,
    drill,
    edge,
    imports,
    incidents,
    load,
    manuals,
    menus,
    nodes,
    notices,
    nuisance,
    operations,
    packs,
    portals,
    privacy,
    programs,
    prompts,
    recordings,
    reports,
    security,
    shifts,
    staffing,
    training,
    trunk,
    users,
)
from scripts.commands import broadcasts as broadcast_commands
from scripts.commands.output import AS_JSON, print_json
from scripts.logs import configure_logging

# Each command imports what it needs: `hotline call` must not wait for the database's library.


class Hotline(click.Group):
    """Shows expected faults as one sentence, never as a traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except (HotlineError, OSError) as error:
            click.echo(f"hotline: {error}", err=True)
        except Exception as error:
            if not type(error).__module__.startswith("sqlalchemy."):
                raise
            reason = str(getattr(error, "orig", None) or error).strip().splitlines()[0]
            click.echo(f"hotline: the database cannot be used: {reason}", err=True)
        raise SystemExit(1)


@click.group(cls=Hotline, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="hotline1022", message="hotline %(version)s")
@click.pass_context
def main(context: click.Context) -> None:
    """The hotline (0237) 1022: run it, look into it, call it."""
    configure_logging()
    if not os.access(os.curdir, os.X_OK):  # root's own folder, in which `runuser` left us
        os.chdir(os.sep)
    context.obj = configuration.load()
    configure_logging(context.obj.log_format)
    areas.use(context.obj.home)
    for sentence in configuration.retired():
        click.echo(f"hotline: {sentence}", err=True)
    for name in configuration.unknown_variables():
        click.echo(f"hotline: {name} is no setting (see hotline settings): ignored", err=True)


main.add_command(applying.plan_)
main.add_command(applying.apply_)
main.add_command(applying.history)
main.add_command(applying.rollback)
main.add_command(packs.pack)
main.add_command(training.training)
main.add_command(trunk.trunk)
main.add_command(cases.case_)
main.add_command(cases.agency_)
main.add_command(cases.area_)
main.add_command(cases.route_)
main.add_command(imports.import_)
main.add_command(imports.export)
main.add_command(nuisance.nuisance)
main.add_command(nodes.nodes)
main.add_command(portals.portal)
main.add_command(bulletins.bulletin)
main.add_command(incidents.incident)
main.add_command(reports.report)
main.add_command(shifts.shift)
main.add_command(staffing.staffing)
main.add_command(notices.notice)
main.add_command(backups.backup)
main.add_command(drill.drill)
main.add_command(archive.archive)
main.add_command(privacy.journal)
main.add_command(privacy.privacy)
main.add_command(recordings.recordings)
main.add_command(broadcast_commands.broadcast)
main.add_command(programs.token)
main.add_command(programs.webhook)
main.add_command(programs.open311)
main.add_command(load.load)
main.add_command(bench.bench)
main.add_command(operations.probe)
main.add_command(operations.drain)
main.add_command(operations.install)
main.add_command(security.firewall)
main.add_command(edge.edge)
main.add_command(security.secrets_)
main.add_command(security.sbom)
main.add_command(menus.menu_)
main.add_command(prompts.prompts)
main.add_command(users.user)
main.add_command(calls.call)
main.add_command(calls.calls_)
main.add_command(calls.ledger_)
main.add_command(calls.callbacks_)
main.add_command(calls.replay)
main.add_command(calls.emergency_)
main.add_command(manuals.manuals)


@main.command()
@click.pass_obj
def setup(settings: Settings) -> None:
    """Fetch and build what is missing: Asterisk, prompts, scripts, database."""
    from scripts import setup as set_up

    set_up.run(settings, lambda line: click.echo(f"  {line}"))


@main.command(name="up")
@click.pass_obj
def up_(settings: Settings) -> None:
    """Run the whole hotline in the foreground until Ctrl-C."""
    from scripts import up

    up.run(settings)


@main.command(hidden=True)
@click.argument("name", type=click.Choice(PROCESSES))
@click.pass_obj
def process(settings: Settings, name: str) -> None:
    """One of the processes that `up` supervises."""
    if name == "listener":  # listener and gunicorn mind the signals themselves
        from ivr import listener
        from scripts import answers

        listener.main(settings, answers.replies(settings))
        return
    if name == "console":
        from agent_console import server
        from ivr import tls
        from ivr.anywhere import for_console
        from scripts.heard import Heard

        certificate, key = tls.files(settings) if tls.needed(settings) else (None, None)
        server.main(
            settings, Heard(settings), for_console, certificate=certificate, key=key)
        return
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    if name == "tailer":
        from ivr import journal

        journal.main(settings, stop)
    elif name == "broadcasts":
        from scripts import broadcasts

        broadcasts.main(settings, stop)
    else:
        from scripts import scheduler

        scheduler.main(settings, stop)


@main.command(name="settings")
@AS_JSON
@click.pass_obj
def settings_(settings: Settings, as_json: bool) -> None:
    """All settings with their values and where each comes from."""
    rows = configuration.described(settings)
    if as_json:
        print_json(rows)
        return
    for row in rows:
        source = "" if row["source"] == configuration.SOURCE_DEFAULT else f"  ({row['source']})"
        click.echo(f"{row['name']:<20} {row['value']}{source}\n{'':<20}   {row['doc']}")


@main.command()
@click.argument("name", required=False)
@click.argument("value", required=False)
@AS_JSON
@click.pass_obj
def switch(settings: Settings, name: str | None, value: str | None, as_json: bool) -> None:
    """Show the switches, or set one: hotline switch hours.vaccine closed."""
    from crm import switches
    from crm.database import Database
    from ivr.commands import switch_now

    database = Database.of(settings)
    if name is None or value is None:
        with database.reading() as session:
            state = switches.current(session)
        if as_json:
            print_json(state)
        else:
            for key, now in state.items():
                click.echo(f"{key:<16} {now:<12} ({', '.join(switches.allowed(key))})")
        return
    try:
        with database.transaction() as session:
            switches.want(session, name, value, by="cli", now=datetime.now(UTC))
    except switches.SwitchError as error:
        raise click.UsageError(str(error)) from error
    switch_now(settings, name, value)
    click.echo(f"{name} = {value}: done")


@main.command(name="doctor")
@click.option("--alarm", is_flag=True, help="Tell the engineers what fails anew; for a timer.")
@click.option("--only", multiple=True, metavar="CHECK", help="This check alone; several times.")
@AS_JSON
@click.pass_obj
def doctor_(settings: Settings, alarm: bool, only: tuple[str, ...], as_json: bool) -> None:
    """Check everything the hotline needs; each line with its cure."""
    from ivr import doctor
    from scripts import probe, speech

    if unknown := sorted(set(only) - doctor.EXAMINATIONS.keys()):
        raise click.UsageError(
            f"no check {', '.join(unknown)}; there are {', '.join(doctor.EXAMINATIONS)}"
        )
    if alarm and only:
        raise click.UsageError("--alarm is for all checks")
    checks = doctor.examine(doctor.Patient(
        settings,
        missing_prompts=lambda: speech.missing(settings),
        unready_prompts=lambda: [one.name for one in speech.unready(settings)],
    ), only or doctor.EXAMINATIONS.keys())
    if as_json:
        print_json({"checks": [asdict(check) for check in checks]})
    else:
        for check in checks:
            click.echo(check)
    if alarm:
        probe.tell_of_failures(settings, checks, datetime.now(UTC))
    if any(check.status == "failure" for check in checks):
        raise SystemExit(1)


@main.group()
def db() -> None:
    """The database."""


@db.command(name="upgrade")
@click.pass_obj
def db_upgrade(settings: Settings) -> None:
    """Bring the schema to the newest version."""
    from crm.database import Database

    Database.of(settings).migrate()
    click.echo("the schema is current")


if __name__ == "__main__":
    logging.captureWarnings(capture=True)
    sys.exit(main())
