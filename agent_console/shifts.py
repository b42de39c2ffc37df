"""The roster: a week of everybody, one's own shifts, the file it comes from, and swaps."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from datetime import date, datetime, timedelta

from flask import Blueprint, Response, flash, redirect, render_template, request, url_for
from flask_babel import gettext as _  # type: ignore[import-untyped]
from sqlalchemy.orm import Session
from werkzeug.exceptions import BadRequest, Conflict

from agent_console import shifts_words
from agent_console.door import Answer, console, long_body, needs, person, utc_now
from crm.clock import VIETNAM, vietnam_day
from crm.imports import files
from crm.models import User
from crm.rights import LEADS, Right
from crm.shifts import events, roster, swaps
from crm.shifts.models import Shift
from crm.shifts.roster import RosterError
from crm.shifts.swaps import SwapError

blueprint = Blueprint("shifts", __name__, url_prefix="/shifts")
WEEK = timedelta(days=7)
AHEAD = timedelta(days=31)  # of one's own shifts
LISTED = 40  # of what was done


@blueprint.get("")
@needs(Right.ROSTER_SEE)
def page() -> Answer:
    return _page(_monday(request.args.get("week")))


@blueprint.post("/import")
@needs(Right.ROSTER_KEEP)
@long_body(files.LARGEST + 4096)
def take_in() -> Answer:
    """A roster as CSV or XLSX: `act` is check (nothing is changed) or take."""
    sent, by, now = request.files.get("file"), person().login, utc_now()
    act = {"check": roster.dry_run, "take": roster.take_in}.get(request.form.get("act", ""))
    if act is None:
        raise BadRequest()
    try:
        rows = files.read_bytes(
            sent.read(files.LARGEST + 1) if sent else b"", roster.COLUMNS
        )
        with console().database.transaction() as session:
            done = act(session, rows, rest=_rest(), by=by, now=now)
    except files.FileError as error:
        return _page(_monday(None), [_("This file cannot be used: %(why)s", why=error)])
    except RosterError as error:
        return _page(_monday(None), [shifts_words.roster_fault(one) for one in error.faults])
    if act is roster.dry_run:
        flash(_("%(rows)s shifts, no fault; nothing was changed.", rows=done.rows))
    else:
        flash(_("%(rows)s shifts taken in: %(came)s new, %(went)s gone.", rows=done.rows,
                came=done.came, went=done.went))
    return redirect(url_for(".page"))


@blueprint.get("/roster.csv")
@needs(Right.ROSTER_SEE)
def as_file() -> Answer:
    """The week as it is taken in."""
    monday = _monday(request.args.get("week"))
    with console().database.reading() as session:
        found = roster.between(session, monday, monday + WEEK - timedelta(days=1))
        rows = [roster.as_row(one) for one in found]
    answer = Response(files.as_csv(rows, roster.COLUMNS), mimetype="text/csv")
    answer.headers["Content-Disposition"] = f'attachment; filename="ca-truc-{monday:%Y%m%d}.csv"'
    return answer


@blueprint.get("/mine")
@needs(Right.SHIFTS_OWN)
def mine() -> Answer:
    """One's own shifts, and what others offer."""
    now = utc_now()
    with console().database.reading() as session:
        found = roster.of_user(session, person().id, now, now + AHEAD)
        open_ones = swaps.open_ones(session, now)
        return render_template(
            "shifts_mine.html", shifts=found, now=now, said=shifts_words,
            offered={one.shift_id: one for one in open_ones if one.offered_by == person().id},
            taken=[one for one in open_ones if one.taken_by == person().id],
            others=[
                one for one in open_ones
                if one.state == swaps.State.OFFERED and one.offered_by != person().id
                and swaps.does_the_same(person().role, one.shift.user.role)
            ],
        )


@blueprint.post("/<int:shift_id>/offer")
@needs(Right.SHIFTS_OWN)
def offer(shift_id: int) -> Answer:
    return _swapped(lambda session, me: swaps.offer(session, shift_id, me, utc_now()))


@blueprint.post("/swaps/<int:swap_id>/withdraw")
@needs(Right.SHIFTS_OWN)
def withdraw(swap_id: int) -> Answer:
    return _swapped(lambda session, me: swaps.withdraw(session, swap_id, me, utc_now()))


@blueprint.post("/swaps/<int:swap_id>/take")
@needs(Right.SHIFTS_OWN)
def take(swap_id: int) -> Answer:
    return _swapped(lambda session, me: swaps.take(session, swap_id, me, _rest(), utc_now()))


@blueprint.post("/swaps/<int:swap_id>/decide")
@needs(Right.ROSTER_KEEP)
def decide(swap_id: int) -> Answer:
    """`decision`: approve or refuse."""
    decision = request.form.get("decision")
    if decision not in ("approve", "refuse"):
        raise BadRequest()
    return _swapped(
        lambda session, me: swaps.decide(
            session, swap_id, me, _rest(), utc_now(), approve=decision == "approve"
        ),
        ".page",
    )


def _swapped(act: Callable[[Session, User], object], back: str = ".mine") -> Answer:
    try:
        with console().database.transaction() as session:
            act(session, session.get_one(User, person().id))
    except SwapError as error:
        raise Conflict(shifts_words.swap_problem(error.code)) from error
    return redirect(url_for(back))


def _page(monday: date, faults: list[str] | None = None) -> Answer:
    now = utc_now()
    days = [monday + timedelta(days=number) for number in range(7)]
    late = timedelta(minutes=console().settings.shift_late_min)
    with console().database.reading() as session:
        found = roster.between(session, days[0], days[-1])
        cells: dict[tuple[int, date], list[Shift]] = defaultdict(list)
        for one in found:
            cells[one.user_id, _begin_day(one)].append(one)
        people = {one.user_id: one.user for one in found}.values()
        return render_template(
            "shifts.html", days=days, cells=cells, leads=LEADS,
            may_keep=person().may(Right.ROSTER_KEEP),
            people=sorted(people, key=lambda user: (user.role, user.name)),
            now=now, today=vietnam_day(now), week=WEEK, monday=monday, said=shifts_words,
            swaps=swaps.open_ones(session, now), missing=roster.missing(session, now, late),
            events=events.latest(session, LISTED), faults=faults,
            columns=",".join(roster.COLUMNS), rest=console().settings.rest_between_shifts_h,
        ), 400 if faults else 200


def _begin_day(shift: Shift) -> date:
    return shift.begins_at.astimezone(VIETNAM).date()


def _rest() -> timedelta:
    return timedelta(hours=console().settings.rest_between_shifts_h)


def _monday(written: str | None) -> date:
    if not written:
        day = vietnam_day(utc_now())
    else:
        try:
            day = datetime.strptime(written, "%Y-%m-%d").date()  # noqa: DTZ007 (a local date)
        except ValueError as error:
            raise BadRequest() from error
        if not 2020 <= day.year <= 2100:
            raise BadRequest()
    return day - timedelta(days=day.weekday())
