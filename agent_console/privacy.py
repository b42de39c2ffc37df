"""What people ask about their data: entered by one person, decided by another, done by the
scheduler; and what is held by order.
"""

from __future__ import annotations

from datetime import date, datetime, time, timedelta

from flask import Blueprint, flash, redirect, render_template, request, send_file, url_for
from flask_babel import gettext as _  # type: ignore[import-untyped]
from sqlalchemy import select
from werkzeug.exceptions import BadRequest, NotFound

from agent_console import words
from agent_console.door import Answer, console, needs, person, utc_now
from crm import secrets
from crm.clock import VIETNAM
from crm.privacy import requests
from crm.privacy.models import LegalHold
from crm.privacy.requests import EXPORTS, Kind, RequestError, State
from crm.rights import Right

blueprint = Blueprint("privacy", __name__, url_prefix="/privacy")


@blueprint.get("")
@needs(Right.PRIVACY_SEE)
def listing() -> Answer:
    return _listing()


@blueprint.post("")
@needs(Right.PRIVACY_DO)
def enter() -> Answer:
    form, here = request.form, console()
    try:
        with here.database.transaction() as session:
            requests.enter(
                session, kind=form.get("kind", ""), number=form.get("number", ""),
                requester=form.get("requester", ""), checked=form.get("checked", ""),
                secret=secrets.load(here.settings.home).privacy_key, by=person().login,
                now=utc_now(),
            )
    except RequestError as error:
        return _listing(error.code)
    flash(_("Entered. Tell whoever asks within two working days; another person decides."))
    return redirect(url_for(".listing"))


@blueprint.post("/<int:request_id>")
@needs(Right.PRIVACY_DO)
def decide(request_id: int) -> Answer:
    form, by, now = request.form, person().login, utc_now()
    act, ground = form.get("act", ""), form.get("ground", "")
    try:
        with console().database.transaction() as session:
            found = requests.named(session, request_id)
            match act:
                case "agree":
                    requests.agree(session, found, by=by, now=now)
                case "refuse":
                    requests.refuse(found, ground, by=by, now=now)
                case "extend":
                    requests.extend(found, ground)
                case "done":
                    requests.corrected(found, by=by, now=now)
                case _:
                    raise BadRequest()
    except RequestError as error:
        return _listing(error.code)
    return redirect(url_for(".listing"))


@blueprint.get("/<int:request_id>/export")
@needs(Right.PRIVACY_DO)
def export(request_id: int) -> Answer:
    """What somebody asked to see, to be handed over."""
    with console().database.reading() as session:
        try:
            found = requests.named(session, request_id)
        except RequestError as error:
            raise NotFound() from error
    file = console().settings.home / EXPORTS / f"{found.id}.json"
    if found.state != State.DONE or not file.is_file():
        raise NotFound()
    return send_file(file, as_attachment=True, download_name=f"1022-{found.id}.json")


@blueprint.post("/holds")
@needs(Right.PRIVACY_ORDER)
def hold() -> Answer:
    form, now = request.form, utc_now()
    try:
        until = datetime.combine(date.fromisoformat(form.get("until", "")), time(), VIETNAM)
        with console().database.transaction() as session:
            requests.hold(session, form.get("number", ""), form.get("reason", ""),
                          until + timedelta(days=1), by=person().login, now=now)
    except ValueError:
        return _listing("until")
    except RequestError as error:
        return _listing(error.code)
    return redirect(url_for(".listing"))


@blueprint.post("/holds/<int:hold_id>/end")
@needs(Right.PRIVACY_ORDER)
def end_hold(hold_id: int) -> Answer:
    with console().database.transaction() as session:
        found = session.get(LegalHold, hold_id)
        if found is None:
            raise NotFound()
        found.ended_at = found.ended_at or utc_now()
    return redirect(url_for(".listing"))


def _listing(problem: str | None = None) -> Answer:
    now = utc_now()
    with console().database.reading() as session:
        holds = session.scalars(select(LegalHold).where(
            LegalHold.ended_at.is_(None), LegalHold.until > now
        ).order_by(LegalHold.until)).all()
        return render_template(
            "privacy.html", requests=requests.listed(session), holds=holds, kinds=Kind, now=now,
            problem=words.privacy_problem(problem) if problem else None,
            given=request.form if problem else {},
        ), 400 if problem else 200
