"""The supervisor's board, the list of calls, and what was recorded of them."""

from __future__ import annotations

import logging

from flask import Blueprint, render_template, request
from sqlalchemy import select
from werkzeug.exceptions import BadRequest, NotFound

from agent_console import catalogues, telephone, words
from agent_console.asked import day_of
from agent_console.desk import shown_phone
from agent_console.door import Answer, console, language, needs, person, utc_now
from crm.archive import months
from crm.branches import BRANCHES
from crm.calls import emergency, history
from crm.models import Outcome, Role, User
from crm.reports.glossary import RATE
from crm.rights import Right

log = logging.getLogger(__name__)
audit = logging.getLogger("hotline.audit")
blueprint = Blueprint("board", __name__)
LIMIT = 200


@blueprint.post("/unreached/<call_id>/rung-back")
@needs(Right.EMERGENCY_RUNG_BACK)
def rung_back(call_id: str) -> Answer:
    """Say that the caller of an emergency call that reached nobody has been rung back."""
    try:
        with console().database.transaction() as session:
            first = emergency.rung_back(session, call_id, person().login, utc_now())
    except emergency.EmergencyError as error:
        raise NotFound() from error
    if first:
        audit.warning("%s has rung back the emergency caller of %s", person().login, call_id)
    return {"done": True}, 200


@blueprint.get("/supervisor")
@needs(Right.FLOOR_SEE)
def page() -> Answer:
    with console().database.reading() as session:
        agents = session.scalars(select(User).where(User.role == Role.AGENT.value))
        names = {agent.login: agent.name for agent in agents}
    shown = [branch.id for branch in BRANCHES]
    said = "means_vi" if language() == "vi" else "means_en"
    definitions = [(getattr(RATE[name], language()), getattr(RATE[name], said))
                   for name in ("service_level", "reached", "abandoned")]
    held = telephone.held_by(console(), person().login)
    return render_template(
        "supervisor.html", branches=shown, definitions=definitions,
        service_level_s=console().settings.service_level_s,
        service_level_percent=console().settings.service_level_percent,
        given={
            "service_level_percent": console().settings.service_level_percent,
            "login": person().login, "texts": catalogues.script_texts(language()),
            "branches": words.branches(),
            "queues": words.queues(),
            "queue_of": {branch.id: branch.queue for branch in BRANCHES}, "names": names,
            "states": words.agent_states(), "reasons": words.pause_reasons(),
            "phone": held and shown_phone(held), "leads": person().may(Right.FLOOR_LEAD),
            "movable": [one.id for one in BRANCHES if one.queue and one.id != "emergency"],
            "lines": {"kinds": words.lines(), "services": words.services(),
                      "help_lines": words.help_lines()},
            "shown": shown,
            "service_level_s": console().settings.service_level_s,
        },
    )


@blueprint.get("/calls")
@needs(Right.CALLS_SEE)
def calls() -> Answer:
    day = day_of(request.args.get("day"))
    branch = request.args.get("branch") or None
    try:
        outcome = Outcome(request.args["outcome"]) if request.args.get("outcome") else None
    except ValueError as error:
        raise BadRequest() from error
    with console().database.reading() as session:
        records = history.of_day(session, day, branch=branch, outcome=outcome, limit=LIMIT)
        archived = months.left_with(session, day)
    return render_template(
        "calls.html", records=records, day=day, branch=branch, outcome=outcome,
        branches=words.branches(), outcomes=words.outcomes(), limit=LIMIT, archived=archived,
        given={"texts": catalogues.script_texts(language())},
    )
