"""Tracing a number on request of an authority (crm.privacy.tracing)."""

from __future__ import annotations

from flask import Blueprint, Response, flash, redirect, render_template, request, url_for
from flask_babel import gettext as _  # type: ignore[import-untyped]

from agent_console import words
from agent_console.asked import whole
from agent_console.door import Answer, console, needs, person, utc_now
from crm.calls.rows import iso
from crm.imports import files
from crm.privacy import tracing
from crm.privacy.tracing import Refused, Traced, TracingError, What
from crm.rights import Right

blueprint = Blueprint("tracing", __name__, url_prefix="/tracing")
LISTED = 100
_COLUMNS = ("request", "by", "taken_at", "what", "id", "at", "about", "state")
_FIELDS = ("number", "reference", "requester", "basis")


@blueprint.get("")
@needs(Right.PRIVACY_SEE)
def listing() -> Answer:
    return _listing()


@blueprint.post("")
@needs(Right.PRIVACY_DO)
def ask() -> Answer:
    form = request.form
    try:
        with console().database.transaction() as session:
            tracing.ask(
                session, **{name: form.get(name, "") for name in _FIELDS},
                days=form.get("days", 0, type=whole), by=person().login, now=utc_now(),
            )
    except TracingError as error:
        return _listing(words.tracing_problem(error.code))
    flash(_("Entered. Another person must approve it before anything is shown."))
    return redirect(url_for(".listing"))


@blueprint.post("/<int:request_id>/approve")
@needs(Right.PRIVACY_DO)
def approve(request_id: int) -> Answer:
    with console().database.transaction() as session:
        refused = tracing.approve(session, request_id, by=person().login, now=utc_now())
    return _refused(refused) if refused else redirect(url_for(".listing"))


@blueprint.post("/<int:request_id>/end")
@needs(Right.PRIVACY_DO)
def end(request_id: int) -> Answer:
    with console().database.transaction() as session:
        refused = tracing.end(session, request_id, by=person().login, now=utc_now())
    return _refused(refused) if refused else redirect(url_for(".listing"))


@blueprint.post("/<int:request_id>")
@needs(Right.PRIVACY_DO)
def look(request_id: int) -> Answer:
    """A form and no link: each look is noted, and a reload asks before it is one more."""
    what = What.CSV if request.form.get("form") == "csv" else What.PAGE
    now = utc_now()
    with console().database.transaction() as session:
        found = tracing.look(session, request_id, by=person().login, now=now, what=what)
        if isinstance(found, Refused):
            refused: Refused | None = found
        else:
            refused = None
            shown = _csv(found) if what is What.CSV else render_template(
                "trace.html", found=found, now=now, most=tracing.MOST
            )
    return _refused(refused) if refused else shown


def _csv(found: Traced) -> Response:
    """The list, with who took it out, when, and for which request, in every row."""
    one, now = found.request, iso(utc_now())
    mark = {"request": f"{one.reference} · {one.requester}", "by": person().login, "taken_at": now}
    rows = [
        *(mark | {"what": "call", "id": call.id, "at": iso(call.started_at),
                  "about": call.branch or "", "state": call.outcome or ""} for call in found.calls),
        *(mark | {"what": "case", "id": case.code, "at": iso(case.opened_at),
                  "about": case.category or "", "state": case.status} for case in found.cases),
    ]
    answer = Response(files.as_csv(rows, _COLUMNS), mimetype="text/csv")
    answer.headers["Content-Disposition"] = f"attachment; filename=trace-{one.id}.csv"
    return answer


def _refused(refused: Refused) -> Answer:
    return _listing(words.tracing_refused()[refused], 403)


def _listing(problem: str | None = None, code: int = 400) -> Answer:
    now = utc_now()
    with console().database.reading() as session:
        return render_template(
            "tracing.html", requests=tracing.latest(session, LISTED), now=now,
            looks=tracing.looks(session, LISTED), problem=problem, days=tracing.DAYS,
            given=request.form if problem else {},
        ), code if problem else 200
