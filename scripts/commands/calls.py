"""`hotline call`, and commands that look into calls and what is owed to callers."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from crm.clock import VIETNAM
from crm.settings import Settings
from scripts.commands.output import AS_JSON, print_json

if TYPE_CHECKING:
    from crm.models import Call


@click.command()
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
    """Call the hotline like a citizen, over real SIP and RTP. From this machine it is a test: in
    the ledger, in no report."""
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
        print_json(report.as_dict())
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


@click.command(name="calls")
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
        print_json([record.as_json(one) for one in found])
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


@click.command(name="ledger")
@AS_JSON
@click.pass_obj
def ledger_(settings: Settings, as_json: bool) -> None:
    """Every call of the journal against the records; fails if one is unexplained."""
    from crm.archive.months import Archive
    from crm.database import Database
    from ivr import ledger, provision

    folder = provision.journal(settings.home).parent
    database = Database.of(settings)
    with database.reading() as session:
        result = ledger.check(
            session, folder, settings.node, Archive(database, settings.home).holding
        )
    if as_json:
        print_json(result.as_dict())
    else:
        for line in result.lines():
            click.echo(line)
    if result.unexplained:
        raise SystemExit(1)


@click.command(name="callbacks")
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
        print_json(rows)
        return
    for row in rows:
        click.echo(
            f"{row['arrived_at']}  {row['number']}  {row['queue']}  {row['tries']} tries  "
            f"{row['result'] or 'open'}"
        )


@click.command()
@AS_JSON
@click.pass_obj
def replay(settings: Settings, as_json: bool) -> None:
    """Replay the journal: was anybody who waited overtaken? Exit code 1 if so."""
    from ivr import fairness

    found = fairness.replay(fairness.journal_events(settings.home / "journal"))
    if as_json:
        print_json({
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


@click.group(name="emergency")
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
        print_json(found)
    for call in () if as_json else found:
        click.echo(f"{call['started_at']}  {call['caller'] or 'number withheld'}  {call['id']}")
    if found:
        raise SystemExit(1)
