"""`hotline case` and `hotline agency`: cases and agencies from the command line."""

from __future__ import annotations

import getpass
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from crm.clock import VIETNAM
from crm.settings import Settings
from scripts.commands.output import AS_JSON, print_json

if TYPE_CHECKING:
    from crm.cases.models import Case

_DAY = click.DateTime(["%Y-%m-%d"])
_WHERE = click.option("--area", help="Code of the commune or ward (hotline area find NAME).")
_ABOUT = click.option("--about", help="Code of the agency that it, or its staff, is about.")


@click.group(name="case")
def case_() -> None:
    """Cases: what was promised to citizens."""


@case_.command(name="open")
@click.argument("summary")
@click.option("--phone", help="The citizen's number, as calls show it: 0912345678.")
@click.option("--identity", type=click.Choice(["shown", "hidden", "anonymous"]), default="shown")
@click.option("--sensitive", is_flag=True, help="Never told by the calling number alone.")
@click.option("--due", type=_DAY, help="Last day; by what it is about unless given.")
@click.option("--category", help="What it is about: classifies it at once.")
@_WHERE
@_ABOUT
@click.pass_obj
def case_open(
    settings: Settings, summary: str, phone: str | None, identity: str, sensitive: bool,
    due: datetime | None, category: str | None, area: str | None, about: str | None,
) -> None:
    """Open a case by hand (a letter, the counter); prints its code."""
    from crm.cases import life
    from crm.cases import words as case_words
    from crm.cases.deadlines import GENERALS
    from crm.cases.models import Identity
    from crm.database import Database

    if category is None and (area or about):
        raise click.UsageError("--area and --about go with --category")
    by, now = getpass.getuser(), datetime.now(UTC)
    with Database.of(settings).transaction() as session:
        made = life.open_case(
            session, summary=summary, by=by, now=now, phone=phone,
            identity=Identity(identity), sensitive=sensitive, due_at=_end_of(due),
            private=case_words.is_private(category),
        )
        if category is not None:
            life.classify(
                session, made, category, by=by, now=now, area=area, about=about,
                general=GENERALS[settings.general_days],
            )
        click.echo(made.code)


@case_.command(name="classify")
@click.argument("code")
@click.argument("category")
@_WHERE
@_ABOUT
@click.pass_obj
def case_classify(
    settings: Settings, code: str, category: str, area: str | None, about: str | None
) -> None:
    """Say what a case is about, and where: sets its deadline, and prints whom it should go to."""
    from crm.cases import life
    from crm.cases.deadlines import GENERALS
    from crm.database import Database

    now = datetime.now(UTC)
    with Database.of(settings).transaction() as session:
        case = life.by_code(session, code)
        life.classify(
            session, case, category, by=getpass.getuser(), now=now, area=area, about=about,
            general=GENERALS[settings.general_days],
        )
        found = life.suggested(session, case, now)
        due = case.due_at.astimezone(VIETNAM)
        click.echo(f"due {due:%Y-%m-%d %H:%M}")
        if found is None:
            click.echo("no agency has such cases (see hotline route gaps)")
        else:
            click.echo(f"goes to {found.agency.code}  {found.agency.name} ({found.why})")


@case_.command(name="list")
@click.option("--limit", default=50, show_default=True)
@AS_JSON
@click.pass_obj
def case_list(settings: Settings, limit: int, as_json: bool) -> None:
    """The last cases, oldest first."""
    from crm.cases import life
    from crm.database import Database

    with Database.of(settings).reading() as session:
        rows = [_masked(one, life.as_json(one)) for one in life.latest(session, limit)]
    if as_json:
        print_json(rows)
        return
    for row in rows:
        click.echo(
            f"{row['code']}  {row['status']:<11}  {row['agency'] or '-':<8}  "
            f"{_local_day(row['due_at'])}  {(row['summary'] or '(sealed)')[:60]}"
        )


def _masked(case: Case, told: dict[str, Any]) -> dict[str, Any]:
    """Without the words of a sealed case."""
    return told | {"summary": None, "answer": None} if case.sealed else told


@case_.command(name="show")
@click.argument("code")
@click.option("--reason", default="", help="Why you read the words of a sealed case; it is noted.")
@AS_JSON
@click.pass_obj
def case_show(settings: Settings, code: str, reason: str, as_json: bool) -> None:
    """One case with all that has happened to it."""
    from crm.calls.rows import iso
    from crm.cases import life, reading
    from crm.database import Database

    database = Database.of(settings)
    if reason:
        with database.transaction() as session:
            reading.note(session, life.by_code(session, code), reason,
                         by=getpass.getuser(), now=datetime.now(UTC))
    with database.reading() as session:
        found = life.by_code(session, code)
        masks = found.sealed and not reason
        shown: dict[str, Any] = _masked(found, life.as_json(found)) if masks else (
            life.as_json(found))
        shown["calls"] = life.calls_of(session, found)
        shown["events"] = [
            {"at": iso(one.at), "by": one.by, "what": one.what, "before": one.before,
             "after": one.after, "note": None if masks else one.note, "call": one.call_id}
            for one in life.events_of(session, found)
        ]
    if as_json:
        print_json(shown)
        return
    for name, value in shown.items():
        if name != "events":
            click.echo(f"{name:<12} {'-' if value is None else value}")
    for one in shown["events"]:
        moved = f" {one['before'] or ''} → {one['after']}" if one["after"] else ""
        click.echo(f"  {one['at']}  {one['by']:<10} {one['what']}{moved}  {one['note'] or ''}")


@case_.command(name="move")
@click.argument("code")
@click.argument("status")
@click.option("--agency", help="Whom it goes to, with assigned.")
@click.option("--due", type=_DAY, help="The new last day, with extended.")
@click.option("--refusal", help="Why it is not taken on, with rejected: outside, unclear, …")
@click.option("--reason", default="", help="Why, in words.")
@click.pass_obj
def case_move(
    settings: Settings, code: str, status: str, agency: str | None, due: datetime | None,
    refusal: str | None, reason: str,
) -> None:
    """Move a case on: classified, assigned, in_progress, need_info, extended, resolved, …"""
    from crm.cases import life
    from crm.cases.models import Status
    from crm.database import Database

    if status not in set(Status):
        raise click.UsageError(f"{status} is no status: {', '.join(Status)}")
    if refusal is not None and refusal not in set(life.Refusal):
        raise click.UsageError(f"{refusal} is no reason: {', '.join(life.Refusal)}")
    with Database.of(settings).transaction() as session:
        life.move(
            session, life.by_code(session, code), Status(status), by=getpass.getuser(),
            now=datetime.now(UTC), reason=reason, agency=agency, due_at=_end_of(due),
            refusal=life.Refusal(refusal) if refusal else None,
        )


@case_.command(name="answer")
@click.argument("code")
@click.argument("text")
@click.pass_obj
def case_answer(settings: Settings, code: str, text: str) -> None:
    """The approved answer: callers hear it once the case is resolved and it has become sound."""
    from crm.cases import life
    from crm.database import Database

    with Database.of(settings).transaction() as session:
        found = life.by_code(session, code)
        life.set_answer(session, found, text, by=getpass.getuser(), now=datetime.now(UTC))


@case_.command(name="verify")
@AS_JSON
@click.pass_obj
def case_verify(settings: Settings, as_json: bool) -> None:
    """Whether what happened to cases stands as it was written; exit code 1 if not."""
    from crm import audit
    from crm.database import Database

    with Database.of(settings).reading() as session:
        found = audit.verify(session)
    if as_json:
        print_json({"events": found.events, "erased": found.erased, "head": found.head,
               "broken": found.broken})
    elif found.broken is None:
        click.echo(f"{found.events} events stand as written ({found.erased} notes erased)")
        click.echo(f"head {found.head}")
    elif found.broken:
        click.echo(f"event {found.broken} does not follow from the {found.events} before it")
    else:
        click.echo(f"events are missing after the last of {found.events}")
    if found.broken is not None:
        raise SystemExit(1)


@click.group(name="agency")
def agency_() -> None:
    """Agencies: who handles cases."""


@agency_.command(name="import")
@click.argument("file", required=False, type=click.Path(path_type=Path))
@click.pass_obj
def agency_import(settings: Settings, file: Path | None) -> None:
    """Take agencies in (see hotline import); without a file, the province's own as a beginning."""
    from crm.agencies import register
    from crm.imports.kinds import Kind
    from scripts.commands.imports import bring_in

    bring_in(settings, Kind.AGENCIES, file or register.PROVINCE, dry=False)


@agency_.command(name="list")
@AS_JSON
@click.pass_obj
def agency_list(settings: Settings, as_json: bool) -> None:
    """The agencies of today."""
    from crm.agencies import register
    from crm.database import Database

    with Database.of(settings).reading() as session:
        rows = [
            {"code": one.code, "name": one.name, "kind": one.kind, "level": one.level,
             "area": one.area}
            for one in register.standing(session, datetime.now(UTC))
        ]
    if as_json:
        print_json(rows)
        return
    for row in rows:
        click.echo(f"{row['code']:<10} {row['level']:<9} {row['name']}")


@click.group(name="area")
def area_() -> None:
    """Communes and wards, of today and before."""


@area_.command(name="find")
@click.argument("words", nargs=-1, required=True, metavar="NAME")
@AS_JSON
def area_find(words: tuple[str, ...], as_json: bool) -> None:
    """Communes and wards by a name of today or before, with those of today."""
    from crm import areas
    from crm.clock import vietnam_day

    name = " ".join(words)
    found = areas.find(name, vietnam_day(datetime.now(UTC)))
    if as_json:
        print_json([
            {"code": one.named.code, "name": one.named.name, "district": one.named.district or None,
             "until": one.named.valid_to.isoformat() if one.named.valid_to else None,
             "today": [{"code": area.code, "name": area.name} for area in one.today]}
            for one in found
        ])
        return
    for one in found:
        today = "  or  ".join(f"{area.code} {area.name}" for area in one.today)
        if one.named.valid_to is None:
            click.echo(today)
        else:
            place = f"{one.named.name} ({one.named.district}, until {one.named.valid_to})"
            click.echo(f"{place} → {today or 'not noted: ask what it is called today'}")
    if not found:
        raise click.ClickException(f"no commune or ward is called {name}")


@click.group(name="route")
def route_() -> None:
    """Routes: which agency a case goes to."""


@route_.command(name="import")
@click.argument("file", required=False, type=click.Path(path_type=Path))
@click.pass_obj
def route_import(settings: Settings, file: Path | None) -> None:
    """Replace all routes (see hotline import); without a file, by those that come with this."""
    from crm.cases import routing
    from crm.imports.kinds import Kind
    from scripts.commands.imports import bring_in

    bring_in(settings, Kind.ROUTES, file or routing.PROVINCE, dry=False)


@route_.command(name="gaps")
@AS_JSON
@click.pass_obj
def route_gaps(settings: Settings, as_json: bool) -> None:
    """Kinds of cases and communes that reach nobody, or only the fallback; exit code 1 if any."""
    from crm.areas import standing
    from crm.cases import routing
    from crm.clock import vietnam_day
    from crm.database import Database

    now = datetime.now(UTC)
    names = standing(vietnam_day(now))
    with Database.of(settings).reading() as session:
        rows = [
            {"category": gap.category, "area": gap.area, "name": names[gap.area].name,
             "reaches": gap.reaches}
            for gap in routing.gaps(session, now)
        ]
    if as_json:
        print_json(rows)
    else:
        for row in rows:
            reaches = f"only {row['reaches']}" if row["reaches"] else "nobody"
            click.echo(f"{row['category']:<14} {row['area']} {row['name']}: {reaches}")
        click.echo(f"{len(rows)} gaps")
    if rows:
        raise SystemExit(1)


def _end_of(day: datetime | None) -> datetime | None:
    """A deadline is kept until its day ends in Vietnam."""
    if day is None:
        return None
    return datetime.combine(day.date() + timedelta(days=1), time(), VIETNAM) - timedelta(seconds=1)


def _local_day(at: str) -> str:
    return f"{datetime.fromisoformat(at).astimezone(VIETNAM):%Y-%m-%d}"
