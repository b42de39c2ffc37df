"""The register of incidents with personal data (crm.privacy.breaches)."""

from __future__ import annotations

from datetime import datetime

from flask import Blueprint, Response, redirect, render_template, request, url_for
from werkzeug.exceptions import BadRequest, NotFound

from agent_console import words
from agent_console.asked import whole
from agent_console.door import Answer, console, needs, person, utc_now
from crm.clock import VIETNAM
from crm.privacy import breach_letter, breaches
from crm.privacy.breaches import BreachError
from crm.rights import Right

blueprint = Blueprint("breaches", __name__, url_prefix="/breaches")


@blueprint.get("")
@needs(Right.PRIVACY_SEE)
def listing() -> Answer:
    return _listing()


@blueprint.post("")
@needs(Right.PRIVACY_DO)
def enter() -> Answer:
    """Whoever sees one enters it: the clock runs from the discovery."""
    form = request.form
    try:
        at = datetime.fromisoformat(form.get("discovered", "")).replace(tzinfo=VIETNAM)
    except ValueError:
        return _listing("discovered")
    try:
        with console().database.transaction() as session:
            breaches.enter(
                session, what=form.get("what", ""), data=form.get("data", ""),
                people=form.get("people", type=whole), discovered_at=at, by=person().login,
                now=utc_now(),
            )
    except BreachError as error:
        return _listing(error.code)
    return redirect(url_for(".listing"))


@blueprint.post("/<int:breach_id>")
@needs(Right.PRIVACY_ORDER)
def change(breach_id: int) -> Answer:
    told, now = request.form.get("text", ""), utc_now()
    try:
        with console().database.transaction() as session:
            found = breaches.named(session, breach_id)
            match request.form.get("act"):
                case "measures":
                    breaches.write_measures(found, told)
                case "notified":
                    breaches.note_notified(found, told, now)
                case "close":
                    breaches.close(found, told, by=person().login, now=now)
                case _:
                    raise BadRequest()
    except BreachError as error:
        return _listing(error.code)
    return redirect(url_for(".listing"))


@blueprint.get("/<int:breach_id>/notification.pdf")
@needs(Right.PRIVACY_SEE)
def notification(breach_id: int) -> Answer:
    """The letter to the authority, to be signed."""
    from crm.reports import pdf

    with console().database.reading() as session:
        try:
            found = breaches.named(session, breach_id)
        except BreachError as error:
            raise NotFound() from error
        paper = breach_letter.letter(found, now := utc_now())
    answer = Response(pdf.render(paper, now), mimetype="application/pdf")
    answer.headers["Content-Disposition"] = f"attachment; filename=thong-bao-{breach_id}.pdf"
    return answer


def _listing(problem: str | None = None) -> Answer:
    now = utc_now()
    with console().database.reading() as session:
        found = breaches.listed(session)
        return render_template(
            "breaches.html", breaches=found, due={one.id: breaches.due_at(one) for one in found},
            now=now, problem=words.breach_problem(problem) if problem else None,
            given=request.form if problem else {},
        ), 400 if problem else 200
