"""The page on which a citizen asks how their case stands: the rules and the lock of key 7."""

from __future__ import annotations

import re

from flask import Blueprint, render_template, request

from agent_console.api import limits
from agent_console.door import Answer, console, public, utc_now
from crm.cases import lookup, questions
from crm.cases.models import Case

blueprint = Blueprint("lookup", __name__, url_prefix="/status")


@blueprint.get("")
@public
def form() -> Answer:
    return render_template("public/status.html", case=None, problem=None, given={})


@blueprint.post("")
@public
def look() -> Answer:
    """`code`, and `tail`: the last four digits of the telephone number the case was opened with."""
    code, tail = (re.sub(r"[\s.-]", "", request.form.get(name, "")) for name in ("code", "tail"))
    who, now = limits.stranger(), utc_now()
    told: Case | None = None
    question: str | None = None
    problem, status = None, 200
    if not re.fullmatch(r"[0-9]{8}", code) or not re.fullmatch(r"[0-9]{4}", tail):
        problem, status = "form", 400
    else:
        with console().database.reading() as session:
            found = lookup.look_up(session, who, code, tail, now)
            if isinstance(found, lookup.Found):
                question = questions.asked(session, found.cases[0])
        match found:
            case lookup.Found((first, *_)):
                told = first
            case lookup.Locked():
                problem, status = "locked", 429
            case lookup.NotFound(slip=True):
                problem, status = "slip", 404
            case lookup.NotFound():
                problem, status = "unknown", 404
                with console().database.transaction() as session:
                    lookup.note_miss(session, who, code, now)
    return render_template(
        "public/status.html", case=told, question=question, problem=problem,
        given=request.form,
    ), status
