"""`hotline broadcast`: messages to many. Approving is for people who are signed in: the console."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from crm.errors import HotlineError
from crm.settings import Settings
from scripts.commands.output import AS_JSON, print_json

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from crm.broadcasts.models import Broadcast

BY = click.option("--by", required=True, metavar="LOGIN", help="Who you are in the console.")


class BroadcastCommandError(HotlineError):
    """Who asks is nobody who may."""


@click.group()
def broadcast() -> None:
    """Messages to many on request of an authority."""


@broadcast.command(name="list")
@click.option("--limit", type=click.IntRange(1, 1000), default=20, show_default=True)
@AS_JSON
@click.pass_obj
def list_(settings: Settings, limit: int, as_json: bool) -> None:
    """The last ones, the newest first."""
    from crm.broadcasts import board
    from crm.database import Database

    with Database.of(settings).reading() as session:
        rows = [board.as_json(session, one) for one in board.latest(session, limit)]
    if as_json:
        print_json(rows)
        return
    for row in rows:
        told = row["recipients"] - row["progress"]["waiting"] - row["progress"]["cancelled"]
        click.echo(
            f"{row['id']:>5}  {row['created_at'][:16]}  {row['channel']:<5}  {row['stage']:<8}  "
            f"{told:>6}/{row['recipients']:<6}  {row['title']}"
        )


@broadcast.command()
@click.argument("number", type=int)
@AS_JSON
@click.pass_obj
def show(settings: Settings, number: int, as_json: bool) -> None:
    """One of them: its text, whom it goes to, what calls come back, what became of it."""
    from crm.broadcasts import board, load, texts
    from crm.database import Database
    from crm.notices.models import Channel

    with Database.of(settings).reading() as session:
        found = _found(session, number)
        row = board.as_json(session, found)
        expected = load.expected(
            session, settings, found, found.recipients, datetime.now(UTC)
        )
        cost = texts.cost(settings, Channel(found.channel), found.text, found.recipients)
        row["load"] = {
            "agents": expected.agents, "calls_back": expected.calls,
            "fitting_per_hour": expected.fitting, "per_hour": expected.per_hour,
            "minutes": expected.minutes,
        }
        row["cost"] = {"segments": cost.segments, "total": cost.total, "dong": cost.dong}
        row["events"] = [
            {"at": one.at.isoformat(), "by": one.by, "what": one.what, "note": one.note}
            for one in board.events(session, found)
        ]
        row["invalid"] = found.invalid
        row["not_reached"] = [board.problem_line(one) for one in board.troubled(session, found)]
    if as_json:
        print_json(row)
        return
    for name, value in row.items():
        click.echo(f"{name:<12} {value}")


@broadcast.command()
@click.option("--title", required=True)
@click.option("--channel", type=click.Choice(["sms", "voice"]), default="sms", show_default=True)
@click.option("--area", "areas", multiple=True, required=True, metavar="CODE",
              help="A commune or ward of today; several by repeating it.")
@click.option("--list", "file", type=click.Path(path_type=Path),
              help="CSV or XLSX with the columns phone,area: everybody of these areas.")
@click.option("--chosen", is_flag=True,
              help="The list names chosen persons: they get the fixed sentence and no text.")
@click.option("--text", default="", help="What it says.")
@click.option("--authority", required=True, help="Who asks for it.")
@click.option("--document", required=True, help="The number of its letter or decision.")
@click.option("--delivery", type=click.Choice(["direct", "carriers"]), default="direct",
              show_default=True, help="Send it, or make files for the carriers.")
@click.option("--urgent", is_flag=True, help="In quiet hours too, whatever calls come back.")
@click.option("--per-minute", type=click.IntRange(1), help="Slower than the load allows.")
@BY
@click.pass_obj
def new(
    settings: Settings, title: str, channel: str, areas: tuple[str, ...], file: Path | None,
    chosen: bool, text: str, authority: str, document: str, delivery: str, urgent: bool,
    per_minute: int | None, by: str,
) -> None:
    """Write a draft; somebody else approves it in the console."""
    from crm.broadcasts import audience, life
    from crm.broadcasts.models import Audience, Delivery
    from crm.database import Database
    from crm.notices.models import Channel

    if chosen and file is None:
        raise click.UsageError("--chosen needs --list")
    whom = Audience.AREA
    if file is not None:
        whom = Audience.CHOSEN if chosen else Audience.LIST
    wanted = life.Wanted(
        title, Channel(channel), whom, areas, text, authority, document, Delivery(delivery),
        urgent, per_minute or settings.broadcast_per_minute,
        audience.read_list(file.read_bytes()) if file else (),
    )
    with Database.of(settings).transaction() as session:
        _may(session, by)
        made = life.write(session, settings, wanted, by=by, now=datetime.now(UTC))
        id_, count, left_out = made.id, made.recipients, made.counts
    click.echo(f"broadcast {id_}: {count} recipients; left out: " + ", ".join(
        f"{number} {name}" for name, number in left_out.items()
    ))


@broadcast.command()
@click.argument("number", type=int)
@click.option("--to", required=True, help="Your own telephone.")
@BY
@click.pass_obj
def test(settings: Settings, number: int, to: str, by: str) -> None:
    """Send it to your own telephone first."""
    from crm.broadcasts import life

    _act(settings, number, by, lambda session, found: life.test(
        session, found, to, by=by, now=datetime.now(UTC)
    ))
    click.echo(f"broadcast {number} goes to {to}")


@broadcast.command()
@click.argument("number", type=int)
@BY
@click.pass_obj
def start(settings: Settings, number: int, by: str) -> None:
    """Let an approved one go."""
    from crm.broadcasts import life

    _act(settings, number, by, lambda session, found: life.start(
        session, settings, found, by=by, now=datetime.now(UTC)
    ))
    click.echo(f"broadcast {number} is started")


@broadcast.command()
@click.argument("number", type=int)
@BY
@click.pass_obj
def pause(settings: Settings, number: int, by: str) -> None:
    """Begin nothing more for now."""
    from crm.broadcasts import life

    _act(settings, number, by, lambda session, found: life.pause(
        session, found, by=by, now=datetime.now(UTC)
    ))
    click.echo(f"broadcast {number} pauses")


@broadcast.command()
@click.argument("number", type=int)
@BY
@click.pass_obj
def resume(settings: Settings, number: int, by: str) -> None:
    """Go on."""
    from crm.broadcasts import life

    _act(settings, number, by, lambda session, found: life.resume(
        session, found, by=by, now=datetime.now(UTC)
    ))
    click.echo(f"broadcast {number} goes on")


@broadcast.command()
@click.argument("number", type=int)
@BY
@click.pass_obj
def stop(settings: Settings, number: int, by: str) -> None:
    """End it for good."""
    from crm.broadcasts import life

    _act(settings, number, by, lambda session, found: life.stop(
        session, found, by=by, now=datetime.now(UTC)
    ))
    click.echo(f"broadcast {number} is stopped")


@broadcast.command()
@click.argument("number", type=int)
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@BY
@click.pass_obj
def files(settings: Settings, number: int, folder: Path, by: str) -> None:
    """Write the carriers' files into a folder, which is noted."""
    from crm.broadcasts import handoff
    from crm.database import Database

    folder.mkdir(parents=True, exist_ok=True)
    with Database.of(settings).transaction() as session:
        _may(session, by)
        found = _found(session, number)
        for one in handoff.of(session, found):
            handoff.fetch(session, found, one.carrier, by=by, now=datetime.now(UTC))
            path = folder / f"broadcast-{number}-{one.carrier}.csv"
            path.write_bytes(one.content)
            click.echo(f"{path}: {one.rows} numbers, sha256 {one.sha256}")


def _act(
    settings: Settings, number: int, by: str, act: Callable[[Session, Broadcast], None]
) -> None:
    from crm.broadcasts import life
    from crm.database import Database

    with Database.of(settings).transaction() as session:
        _may(session, by)
        act(session, life.locked(session, number))


def _found(session: Session, number: int) -> Broadcast:
    from crm.broadcasts.errors import BroadcastError
    from crm.broadcasts.models import Broadcast

    found = session.get(Broadcast, number)
    if found is None:
        raise BroadcastError("unknown", f"there is no broadcast {number}")
    return found


def _may(session: Session, login: str) -> None:
    """Raises BroadcastCommandError: this is nobody who has to do with broadcasts."""
    from sqlalchemy import select

    from crm.models import Role, User
    from crm.rights import Right, may

    role = session.scalar(select(User.role).where(User.login == login, User.active.is_(True)))
    if role is None or not may(Role(role), Right.BROADCASTS, changing=True):
        raise BroadcastCommandError(f"{login} has no right to broadcasts")
