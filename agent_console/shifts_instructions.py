"""Urgent instructions: written by supervisors, read by everybody at the desks."""

from __future__ import annotations

from flask import Blueprint, redirect, render_template, request, url_for
from sqlalchemy import select
from werkzeug.exceptions import Conflict

from agent_console import shifts_words, words
from agent_console.asked import whole
from agent_console.door import Answer, console, needs, person, utc_now
from crm.models import Role, User
from crm.rights import Right
from crm.shifts import instructions
from crm.shifts.instructions import InstructionError

blueprint = Blueprint("instructions", __name__, url_prefix="/instructions")
LISTED = 50


@blueprint.get("")
@needs(Right.INSTRUCTIONS_SEE)
def listing() -> Answer:
    return _listing()


@blueprint.post("")
@needs(Right.INSTRUCTIONS_GIVE)
def write() -> Answer:
    """A new one, or a version in the place of one (`instead`): `text`, `hours`."""
    form, by, now = request.form, person().login, utc_now()
    text, hours = form.get("text", ""), form.get("hours", 0, type=whole)
    instead = form.get("instead", type=whole)
    try:
        with console().database.transaction() as session:
            if instead is None:
                instructions.write(session, text, hours, by=by, now=now)
            else:
                instructions.change(session, instead, text, hours, by=by, now=now)
    except InstructionError as error:
        return _listing(error.code)
    return redirect(url_for(".listing"))


@blueprint.post("/<int:instruction_id>/end")
@needs(Right.INSTRUCTIONS_GIVE)
def end(instruction_id: int) -> Answer:
    try:
        with console().database.transaction() as session:
            instructions.end(session, instruction_id, by=person().login, now=utc_now())
    except InstructionError as error:
        return _listing(error.code)
    return redirect(url_for(".listing"))


@blueprint.post("/<int:instruction_id>/read")
@needs(Right.INSTRUCTIONS_READ)
def read(instruction_id: int) -> Answer:
    """Say that one has read it. The same may come twice."""
    try:
        with console().database.transaction() as session:
            instructions.read(session, instruction_id, person().login, utc_now())
    except InstructionError as error:
        raise Conflict(shifts_words.instruction_problem(error.code)) from error
    return {"read": True}, 200


def _listing(problem: str | None = None) -> Answer:
    now = utc_now()
    with console().database.reading() as session:
        found = instructions.latest(session, LISTED)
        agents = session.scalars(
            select(User.login).where(User.role == Role.AGENT, User.active.is_(True))
        )
        return render_template(
            "instructions.html", found=found, now=now, hours=instructions.HOURS,
            may_give=person().may(Right.INSTRUCTIONS_GIVE),
            in_force={one.id for one in instructions.in_force(session, now)},
            readers=instructions.readers(session, [one.id for one in found]),
            agents=sorted(agents), names=words.names_of(session), longest=instructions.LONGEST,
            problem=shifts_words.instruction_problem(problem) if problem else None,
            given=request.form if problem else {},
        ), 409 if problem == "over" else 400 if problem else 200

