"""The `hotline` command."""

from __future__ import annotations

import json
import logging
import signal
import sys
import threading
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from crm import areas
from crm import settings as configuration
from crm.branches import QUEUES
from crm.clock import VIETNAM
from crm.errors import HotlineError
from crm.settings import Settings
from scripts import PROCESSES
from scripts.commands import (
    applying,
    backups,
    bulletins,
    cases,
    imports,
    incidents,
    load,
    notices,
    nuisance,
    operations,
    portals,
    privacy,
    programs,
    recordings,
    reports,
    shifts,
    staffing,
    trunk,
)
from scripts.commands import broadcasts as broadcast_commands
from scripts.logs import configure_logging

if TYPE_CHECKING:
    from crm.models import Call

# Each command imports what it needs: `hotline call` must not wait for the database's library.
AS_JSON = click.option("--json", "as_json", is_flag=True, help="For programs.")

ROLES = (
    "agent", "lead", "dispatcher", "supervisor", "admin", "auditor", "health", "expert",
)  # those of agencies get theirs in the console


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
@click.pass_context
def main(context: click.Context) -> None:
    """The hotline (0237) 1022: run it, look into it, call it."""
    configure_logging()
    context.obj = configuration.load()
    areas.use(context.obj.home)
    for name in configuration.unknown_variables():
        click.echo(f"hotline: {name} is no setting (see hotline settings): ignored", err=True)


main.add_command(applying.plan_)
main.add_command(applying.apply_)
main.add_command(applying.history)
main.add_command(applying.rollback)
main.add_command(trunk.trunk)
main.add_command(cases.case_)
main.add_command(cases.agency_)
main.add_command(cases.area_)
main.add_command(cases.route_)
main.add_command(imports.import_)
main.add_command(imports.export)
main.add_command(nuisance.nuisance)
main.add_command(portals.portal)
main.add_command(bulletins.bulletin)
main.add_command(incidents.incident)
main.add_command(reports.report)
main.add_command(shifts.shift)
main.add_command(staffing.staffing)
main.add_command(notices.notice)
main.add_command(backups.backup)
main.add_command(privacy.journal)
main.add_command(privacy.privacy)
main.add_command(recordings.recordings)
main.add_command(broadcast_commands.broadcast)
main.add_command(programs.token)
main.add_command(programs.webhook)
main.add_command(programs.open311)
main.add_command(load.load)
main.add_command(operations.probe)
main.add_command(operations.install)


def _json(data: object) -> None:
    click.echo(json.dumps(data, ensure_ascii=False, indent=1))


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
        from scripts.heard import Heard

        certificate, key = tls.files(settings) if tls.needed(settings) else (None, None)
        server.main(settings, Heard(settings), certificate=certificate, key=key)
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


@main.command()
@click.argument("number")
@click.option("--from", "from_number", default="0912345678", show_default=True,
              help="The caller's number.")
@click.option("--press", default="", help='Keys, one after another: "3 0", "wait:2 4".')
@click.option("--hold", default=5.0, show_default=True, help="Seconds on the line after that.")
@click.option("--save", type=click.Path(path_type=Path), help="Write what was heard (WAV).")
@click.option("--dtmf", type=click.Choice(["rfc4733", "info", "inband"]), default="rfc4733",
              show_default=True, help="How the keys are sent.")
@click.option("--from-ip", default="127.0.0.2", show_default=True, help="Address to call from.")
@AS_JSON
@click.pass_obj
def call(
    settings: Settings, number: str, from_number: str, press: str, hold: float,
    save: Path | None, dtmf: str, from_ip: str, as_json: bool,
) -> None:
    """Call the hotline like a citizen, over real SIP and RTP."""
    import asyncio

    from ivr.phone import Dtmf, citizen

    server = (settings.sip_bind.host, settings.sip_bind.port)
    if server[0] == "0.0.0.0":  # noqa: S104
        server = ("127.0.0.1", server[1])
    try:
        report = asyncio.run(citizen.dial(
            number, server=server, from_number=from_number, press=press, hold_s=hold, save=save,
            from_ip=from_ip, dtmf=Dtmf(dtmf),
        ))
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    if as_json:
        _json(report.as_dict())
    elif report.answered:
        click.echo(f"answered after {report.setup_ms} ms, {report.duration_s:.1f} s on the line, "
                   f"ended by the {report.ended_by}")
        keys = ", ".join(f"{one.key} at {one.at_ms / 1000:.1f} s" for one in report.pressed)
        click.echo(f"pressed: {keys or 'nothing'}")
        saved = f", saved in {report.saved}" if report.saved else ""
        click.echo(f"heard: {report.heard_speech_s:.1f} s of sound, {report.rtp.received} packets, "
                   f"{report.rtp.lost} lost{saved}")
    else:
        click.echo(f"not answered: {report.sip_code or ''} {report.reason}")
    if not report.answered:
        raise SystemExit(1)


@main.command(name="calls")
@click.option("--limit", type=click.IntRange(1, 100_000), help="The last N instead of today's.")
@AS_JSON
@click.pass_obj
def calls_(settings: Settings, limit: int | None, as_json: bool) -> None:
    """Today's calls, or the last N."""
    from crm.calls import record
    from crm.database import Database

    with Database.of(settings).reading() as session:
        found = record.latest(session, limit) if limit else record.today(session, datetime.now(UTC))
    if as_json:
        _json([record.as_json(one) for one in found])
        return
    for one in found:
        click.echo(_line(one))
    click.echo(f"{len(found)} calls")


def _line(one: Call) -> str:
    path = " ".join(f"{step['menu']}.{step['key']}" for step in one.path if step.get("key"))
    return (
        f"{one.started_at.astimezone(VIETNAM):%d/%m %H:%M:%S}  {one.caller or 'withheld':<13}"
        f" {one.outcome or 'open':<16}{one.branch or '-':<10}{one.agent or '-':<10}"
        f"{(one.wait_ms or 0) / 1000:>6.1f} s wait {one.talk_ms / 1000:>6.1f} s talk  {path}"
    )


@main.command(name="ledger")
@AS_JSON
@click.pass_obj
def ledger_(settings: Settings, as_json: bool) -> None:
    """Every call of the journal against the records; fails if one is unexplained."""
    from crm.database import Database
    from ivr import ledger, provision

    folder = provision.journal(settings.home).parent
    with Database.of(settings).reading() as session:
        result = ledger.check(session, folder, settings.node)
    if as_json:
        _json(result.as_dict())
    else:
        for line in result.lines():
            click.echo(line)
    if result.unexplained:
        raise SystemExit(1)


@main.command(name="settings")
@AS_JSON
@click.pass_obj
def settings_(settings: Settings, as_json: bool) -> None:
    """All settings with their values and where each comes from."""
    rows = configuration.described(settings)
    if as_json:
        _json(rows)
        return
    for row in rows:
        source = "" if row["source"] == configuration.SOURCE_DEFAULT else f"  ({row['source']})"
        click.echo(f"{row['name']:<20} {row['value']}{source}\n{'':<20}   {row['doc']}")


@main.group(name="menu")
def menu_() -> None:
    """The menus of dialplans/menus."""


@menu_.command(name="check")
@click.option("--folder", type=click.Path(path_type=Path, file_okay=False),
              help="Other menus than those of the setting.")
@AS_JSON
@click.pass_obj
def menu_check(settings: Settings, folder: Path | None, as_json: bool) -> None:
    """Name every fault with its file, menu and line."""
    from ivr import menu
    from scripts import speech

    try:
        menus = menu.load(folder or settings.menus)
        faults = speech.menu_faults(settings, menus)
    except menu.MenuError as error:
        faults = error.faults
    if as_json:
        _json([asdict(fault) for fault in faults])
    elif faults:
        click.echo("\n".join(map(str, faults)), err=True)
    else:
        click.echo(f"{len(menus.menus)} menus and {len(menus.leaves)} leaves, no fault")
    if faults:
        raise SystemExit(1)


@menu_.command(name="simulate")
@click.argument("keys", default="")
@click.option("--at", type=click.DateTime(["%Y-%m-%dT%H:%M"]),
              help="Moment of the call in Vietnam, for the opening hours (default: all open).")
@click.option("--all", "every", is_flag=True, help="List every way through the menus.")
@AS_JSON
@click.pass_obj
def menu_simulate(
    settings: Settings, keys: str, at: datetime | None, every: bool, as_json: bool
) -> None:
    """Walk the menus as text: what a caller who presses KEYS hears, and when.

    The caller presses after the sentence that names the key has ended; a . lets a menu run out.
    Example: hotline menu simulate "3 0"
    """
    from ivr import provision, simulate
    from prompts.catalogue import Catalogue
    from scripts import speech

    menus, durations = provision.load_menus(settings), speech.durations_ms(settings)
    if lacking := speech.missing(settings):
        raise click.ClickException(f"{len(lacking)} prompts are not built: hotline prompts build")
    if every:
        ways = list(simulate.ways(menus, durations))
        if as_json:
            _json([asdict(way) for way in ways])
            return
        click.echo(f"{'keys':<8}{'named s':>9}{'there s':>9}{'by heart s':>12}  reaches")
        for way in ways:
            named, there, by_heart = (
                ms / 1000 for ms in (way.named_ms, way.reached_ms, way.by_heart_ms)
            )
            click.echo(f"{' '.join(way.keys):<8}{named:>9.1f}{there:>9.1f}{by_heart:>12.1f}"
                       f"  {way.reaches}")
        return
    try:
        walked = simulate.walk(menus, durations, keys, at=at)
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    if as_json:
        _json({"branch": walked.branch, "reached": walked.reached,
               "lines": [asdict(line) for line in walked.lines]})
        return
    texts = Catalogue.load().prompts
    shown = {"said": lambda line: texts[line.what].text,
             "pressed": lambda line: f"[{line.place}: {line.what}]",
             "served": lambda line: f"({line.what} was heard to its end)",
             "reached": lambda line: f"=> {line.what}"}
    for line in walked.lines:
        click.echo(f"{line.at_ms / 1000:>7.1f}  {shown[line.kind](line)}")


@main.group(name="emergency")
def emergency_() -> None:
    """Emergency calls and drills."""


@emergency_.command(name="drill")
@click.argument("service")
@click.option("--note", default="", help="With whom it was agreed, and how it went.")
@click.pass_obj
def emergency_drill(settings: Settings, service: str, note: str) -> None:
    """Note that key 4 was tried today with SERVICE: medical, fire, police or rescue."""
    from crm.calls import emergency
    from crm.database import Database

    now = datetime.now(UTC)
    with Database.of(settings).transaction() as session:
        emergency.record_drill(session, service, now, note)
    click.echo(f"drill with {service} noted, {now.astimezone(VIETNAM):%d/%m/%Y %H:%M}")


@emergency_.command(name="unreached")
@AS_JSON
@click.pass_obj
def emergency_unreached(settings: Settings, as_json: bool) -> None:
    """Emergency callers who spoke with nobody and were not rung back yet; exit code 1 if any."""
    from crm.calls import emergency, record
    from crm.database import Database

    with Database.of(settings).reading() as session:
        found = [record.as_json(call) for call in emergency.unreached(session)]
    if as_json:
        _json(found)
    for call in () if as_json else found:
        click.echo(f"{call['started_at']}  {call['caller'] or 'number withheld'}  {call['id']}")
    if found:
        raise SystemExit(1)


@main.command()
@AS_JSON
@click.pass_obj
def replay(settings: Settings, as_json: bool) -> None:
    """Replay the journal: was anybody who waited overtaken? Exit code 1 if so."""
    from ivr import fairness

    found = fairness.replay(fairness.journal_events(settings.home / "journal"))
    if as_json:
        _json({
            "answered": found.answered,
            "overtaken": [
                {**asdict(one), "at": one.at.isoformat()} for one in found.overtaken
            ],
        })
    else:
        for one in found.overtaken:
            click.echo(f"{one.at:%Y-%m-%d %H:%M:%S} UTC  {one.queue}: {one.call} arrived "
                       f"{one.seconds} s before {one.by}, which was answered first")
        click.echo(f"{found.answered} answers, {len(found.overtaken)} overtook somebody")
    if found.overtaken:
        raise SystemExit(1)


@main.command(name="callbacks")
@click.option("--all", "past", is_flag=True, help="The last 1000, kept ones too")
@AS_JSON
@click.pass_obj
def callbacks_(settings: Settings, past: bool, as_json: bool) -> None:
    """Calls back that were promised and are still open, the earliest arrival first."""
    from crm.calls import callbacks
    from crm.database import Database

    with Database.of(settings).reading() as session:
        found = callbacks.latest(session, 1000) if past else callbacks.still_open(session)
        rows = [callbacks.as_json(one) for one in found]
    if as_json:
        _json(rows)
        return
    for row in rows:
        click.echo(
            f"{row['arrived_at']}  {row['number']}  {row['queue']}  {row['tries']} tries  "
            f"{row['result'] or 'open'}"
        )


@main.group()
def prompts() -> None:
    """The prompts."""


@prompts.command(name="build")
@click.pass_obj
def prompts_build(settings: Settings) -> None:
    """Build what is missing or changed, human recordings first."""
    from scripts import setup as set_up

    set_up.build_prompts(settings, click.echo)


@prompts.command(name="check")
@AS_JSON
@click.pass_obj
def prompts_check(settings: Settings, as_json: bool) -> None:
    """Fail if a prompt that is used is not there or sounds wrong; list those nobody uses."""
    from scripts import speech

    lacking, unused = speech.missing(settings), speech.unused(settings)
    faults = speech.sound_faults(settings)
    if as_json:
        _json({"missing": lacking, "unused": unused, "faults": faults})
    else:
        for name in lacking:
            click.echo(f"missing: {name}", err=True)
        for name, why in faults.items():
            click.echo(f"{name}: {'; '.join(why)}", err=True)
        click.echo(f"{len(lacking)} missing, {len(unused)} in the catalogue but not used yet: "
                   + ", ".join(unused))
    if lacking or faults:
        raise SystemExit(1)


@prompts.command(name="list")
@click.option("--unready", is_flag=True, help="Used ones that are unapproved or by espeak-ng.")
@AS_JSON
@click.pass_obj
def prompts_list(settings: Settings, unready: bool, as_json: bool) -> None:
    """Every sound file: who speaks it, how long it is, who approved it, and its words."""
    from prompts.build import duration_ms
    from scripts import speech

    standing = speech.unready(settings) if unready else speech.soundings(settings)
    rows: list[dict[str, Any]] = [
        {
            "name": one.name, "source": one.source, "ms": duration_ms(one.path),
            "medical": one.medical, "waiting": one.waiting, "text": one.text,
            "version": one.key[:12],
            "approved_by": one.approval.by if one.approval else None,
            "doctor": one.approval.doctor or None if one.approval else None,
            "approved_at": one.approval.at.isoformat() if one.approval else None,
        }
        for one in standing
    ]
    if as_json:
        _json(rows)
        return
    for row in rows:
        if row["waiting"]:
            state = "NOT PLAYED: medical"
        else:
            state = f"approved: {row['approved_by']}" if row["approved_by"] else "unapproved"
        click.echo(
            f"{row['name']:<30} {row['source']:<10} {row['ms'] / 1000:5.1f} s  {state:<20} "
            f"{row['text']}"
        )


@prompts.command(name="play")
@click.argument("name")
@click.option("--save", type=click.Path(path_type=Path), help="Write a WAV file; play nothing.")
@click.pass_obj
def prompts_play(settings: Settings, name: str, save: Path | None) -> None:
    """Play one sound file as the telephone line carries it, a medical text that waits included."""
    import shutil
    import subprocess
    import tempfile

    from ivr.phone.audio import write_wav
    from prompts import sound
    from scripts import speech

    one = next((one for one in speech.soundings(settings) if one.name == name), None)
    if one is None:
        raise click.UsageError(f"{name}: no built prompt is named so (see hotline prompts list)")
    click.echo(f"{one.text}  ({one.source}, version {one.key[:12]})")
    samples = sound.decode_alaw(one.path.read_bytes())
    pcm = (samples * 32767).astype("int16")
    if save is not None:
        write_wav(save, pcm)
        return
    player = shutil.which("aplay") or shutil.which("paplay") or shutil.which("play")
    if player is None:
        raise click.ClickException("this machine has no player (aplay): use --save FILE.wav")
    with tempfile.TemporaryDirectory() as folder:
        write_wav(Path(folder) / "prompt.wav", pcm)
        played = subprocess.run([player, str(Path(folder) / "prompt.wav")], check=False)
    if played.returncode:
        raise click.ClickException(f"{player} could not play it: use --save FILE.wav")


@prompts.command(name="import")
@click.argument("files", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--name", help="The prompt, where one file is not named after it.")
@click.pass_obj
def prompts_import(settings: Settings, files: tuple[Path, ...], name: str | None) -> None:
    """Take human recordings in, checked and converted; each is heard from the next call on.

    A file is named after its prompt (greeting_main.wav), or there is one file and --name.
    """
    from scripts import setup as set_up
    from scripts import speech

    if name is not None and len(files) > 1:
        raise click.UsageError("--name is for one file")
    refused = 0
    for file in files:
        try:
            seconds = speech.import_recording(settings, file, name or file.stem)
        except speech.ReviewError as error:
            click.echo(str(error), err=True)
            refused += 1
        else:
            click.echo(f"{name or file.stem}: {seconds:.1f} s; approve it when you have heard it")
    set_up.build_prompts(settings, click.echo)
    if refused:
        raise SystemExit(1)


@prompts.command(name="approve")
@click.argument("patterns", nargs=-1, required=True)
@click.option("--by", required=True, help="Who has listened to them.")
@click.option("--doctor", default="", help="Who answers for medical texts.")
@click.pass_obj
def prompts_approve(settings: Settings, patterns: tuple[str, ...], by: str, doctor: str) -> None:
    """Note who listened to prompts ('n_*' fits many); medical texts are played from then on."""
    from scripts import setup as set_up
    from scripts import speech

    names = speech.approve(settings, patterns, by.strip(), doctor.strip(), datetime.now(UTC))
    set_up.build_prompts(settings, click.echo)
    click.echo(f"{len(names)} approved by {by}: {', '.join(names[:10])}")


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
            _json(state)
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
@AS_JSON
@click.pass_obj
def doctor_(settings: Settings, alarm: bool, as_json: bool) -> None:
    """Check everything the hotline needs; each line with its cure."""
    from ivr import doctor
    from scripts import probe, speech

    checks = doctor.examine(
        settings,
        missing_prompts=lambda: speech.missing(settings),
        unready_prompts=lambda: [one.name for one in speech.unready(settings)],
    )
    if as_json:
        _json({"checks": [asdict(check) for check in checks]})
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


@main.group()
def user() -> None:
    """Accounts of agents, supervisors and admins."""


@user.command(name="add")
@click.argument("login")
@click.option("--name", required=True, help="The person's name as others see it.")
@click.option("--role", type=click.Choice(ROLES), default="agent")
@click.option("--queues", default=",".join(QUEUES), help="Queues an agent serves.")
@click.pass_obj
def user_add(settings: Settings, login: str, name: str, role: str, queues: str) -> None:
    """Make an account; its password is generated and shown once."""
    from crm import users
    from crm.database import Database
    from crm.models import Role

    password = users.generate_password()
    with Database.of(settings).transaction() as session:
        users.create_user(
            session, login=login, name=name, role=Role(role), password=password,
            now=datetime.now(UTC),
            queues=[part for part in queues.split(",") if part] if role == "agent" else (),
        )
    click.echo(f"{login}  {password}")


@user.command(name="password")
@click.argument("login")
@click.pass_obj
def user_password(settings: Settings, login: str) -> None:
    """Give an account a new generated password; it is signed out everywhere."""
    from sqlalchemy import select

    from crm import users
    from crm.database import Database
    from crm.models import User

    password = users.generate_password()
    with Database.of(settings).transaction() as session:
        found = session.scalar(select(User).where(User.login == login))
        if found is None:
            raise click.UsageError(f"there is no account {login}")
        users.set_password(session, found, password, datetime.now(UTC))
    click.echo(f"{login}  {password}")


@user.command(name="factor-reset")
@click.argument("login")
@click.pass_obj
def user_factor_reset(settings: Settings, login: str) -> None:
    """Take an account's second factor away, when phone and recovery codes are lost; it is signed
    out everywhere."""
    from crm import second_factor, users
    from crm.database import Database

    with Database.of(settings).transaction() as session:
        done = second_factor.reset(session, users.named(session, login), datetime.now(UTC))
    click.echo("taken away" if done else f"{login} has no second factor")


@user.command(name="rights")
def user_rights() -> None:
    """What each role may do."""
    from crm import rights

    for line in rights.published():
        click.echo(line)


@user.command(name="list")
@AS_JSON
@click.pass_obj
def user_list(settings: Settings, as_json: bool) -> None:
    """All accounts."""
    from sqlalchemy import select

    from crm.database import Database
    from crm.models import User

    with Database.of(settings).reading() as session:
        found = list(session.scalars(select(User).order_by(User.login)))
    rows = [
        {"login": one.login, "name": one.name, "role": one.role, "active": one.active}
        for one in found
    ]
    if as_json:
        _json(rows)
    else:
        for row in rows:
            click.echo(f"{row['login']:<16} {row['role']:<12} {row['name']}"
                       + ("" if row["active"] else "  (off)"))


if __name__ == "__main__":
    logging.captureWarnings(capture=True)
    sys.exit(main())
