"""The pages of contact points, what is sent of them by SMS, and the open data of them."""

from __future__ import annotations

import json
from collections.abc import Mapping

from flask import Blueprint, Response, flash, redirect, render_template, request, url_for
from flask_babel import gettext as _  # type: ignore[import-untyped]
from sqlalchemy.orm import Session
from werkzeug.exceptions import BadRequest, Conflict, NotFound

from agent_console import words
from agent_console.asked import by_script, whole
from agent_console.door import Answer, console, needs, person, public, utc_now
from crm import areas, desk
from crm.clock import vietnam_day
from crm.imports import files
from crm.knowledge import points
from crm.knowledge.models import ContactPoint, PointKind
from crm.knowledge.points import PointError
from crm.notices import outbox, texts
from crm.notices.outbox import Channel, NoticeError, Purpose
from crm.notices.texts import TextError
from crm.rights import Right

blueprint = Blueprint("points", __name__)

LISTED = 300
FRESH_S = 300  # for how long programs may keep the open data without asking again


@blueprint.get("/points")
@needs(Right.KNOWLEDGE_READ)
def listing() -> Answer:
    """Contact points by words (`q`), or by kind and commune; for editors also those of the past."""
    asked, now = request.args.get("q", "").strip(), utc_now()
    kind, area = request.args.get("kind", ""), request.args.get("area") or None
    chosen = PointKind(kind) if kind in set(PointKind) else None
    with console().database.reading() as session:
        found = points.find(session, asked, now, LISTED) if asked else points.listing(
            session, now, kind=chosen, area=area, also_past=_edits(), limit=LISTED
        )
    day = vietnam_day(now)
    return render_template(
        "points.html", points=found, asked=asked, kind=chosen, area=area, listed=LISTED,
        units=areas.standing(day), today=day, edits=_edits(),
        open_now={one.id: points.open_now(one, now) for one in found},
    )


@blueprint.get("/points/new")
@needs(Right.POINTS_KEEP)
def new() -> Answer:
    return _form(None, {})


@blueprint.post("/points")
@needs(Right.POINTS_KEEP)
def create() -> Answer:
    return _save(None)


@blueprint.get("/points/<code>")
@needs(Right.POINTS_KEEP)
def edit(code: str) -> Answer:
    with console().database.reading() as session:
        point = _point(session, code)
    return _form(point, points.as_row(point))


@blueprint.post("/points/<code>")
@needs(Right.POINTS_KEEP)
def change(code: str) -> Answer:
    return _save(code)


@blueprint.post("/points/<code>/sms")
@needs(Right.POINTS_SEND)
def send(code: str) -> Answer:
    """Send a contact point to who calls, or called, this agent: {"call": its id}."""
    now = utc_now()
    if not isinstance(call_id := by_script().get("call"), str):
        raise BadRequest()
    try:
        with console().database.transaction() as session:
            point = _point(session, code)
            if not desk.was_with(session, person().login, call_id):
                raise NotFound()
            caller = desk.caller_of(session, call_id)
            if caller is None:
                raise Conflict(_("The caller's number is withheld."))
            told = texts.rendered(
                "contact_points", Channel.SMS, {"body": points.short_message(point, now)}
            )
            written = outbox.write(
                session, channel=Channel.SMS, recipient=caller, purpose=Purpose.KNOWLEDGE,
                body=told.body, personal=False, urgent=True, now=now,
                key=f"point:{point.id}:{point.version}:{call_id}",  # twice pressed, once sent
            )
    except (NoticeError, TextError) as error:
        raise Conflict(_("No SMS can be sent to this number.")) from error
    return {"sent": written is not None}, 200


@blueprint.get("/open-data/contact-points.json")
@public
def as_json() -> Answer:
    """All contact points of today for everybody, with their hours and telephones."""
    now = utc_now()
    with console().database.reading() as session:
        found = [points.as_json(one, now) for one in points.listing(session, now)]
    body = json.dumps({"contact_points": found}, ensure_ascii=False, indent=1)
    return _kept(Response(f"{body}\n", mimetype="application/json"))


@blueprint.get("/open-data/contact-points.csv")
@public
def as_csv() -> Answer:
    """The same as a table."""
    now = utc_now()
    with console().database.reading() as session:
        rows = [
            points.as_row(one) | {"area_name": points.commune(one, now)}
            for one in points.listing(session, now)
        ]
    body = files.as_csv(rows, (*points.COLUMNS, "area_name"))
    answer = Response(body, mimetype="text/csv")
    answer.headers["Content-Disposition"] = 'attachment; filename="contact-points.csv"'
    return _kept(answer)


def _kept(answer: Response) -> Answer:
    """Programs may keep it for a while, ask whether it has changed, and read it from any page."""
    answer.cache_control.public = True
    answer.cache_control.max_age = FRESH_S
    answer.headers["Access-Control-Allow-Origin"] = "*"
    answer.add_etag()
    return answer.make_conditional(request)


def _save(code: str | None) -> Answer:
    given = {name: request.form.get(name, "") for name in points.COLUMNS}
    point = None
    try:
        with console().database.transaction() as session:
            point = _point(session, code) if code else None
            given["code"] = point.code if point else ""
            points.save(
                session, points.parse(given, utc_now()), by=person().login, now=utc_now(),
                point=point, seen=request.form.get("seen", 0, type=whole) if point else None,
            )
    except PointError as error:
        with console().database.reading() as session:
            return _form(_point(session, code) if code else None, given, error)
    flash(_("Saved."))
    return redirect(url_for(".listing"))


def _form(
    point: ContactPoint | None, given: Mapping[str, str], error: PointError | None = None
) -> Answer:
    columns = [column for column, _sentence in error.faults] if error else []
    units = sorted(areas.standing(vietnam_day(utc_now())).values(), key=lambda one: one.name)
    return render_template(
        "point.html", point=point, given=given, units=units, stale="stale" in columns,
        now_stands=points.as_row(point) if point else {},
        problems=[words.point_problem(column) for column in dict.fromkeys(columns)],
    ), 409 if "stale" in columns else 400 if error else 200


def _point(session: Session, code: str) -> ContactPoint:
    found = points.by_code(session, code)
    if found is None:
        raise NotFound()
    return found


def _edits() -> bool:
    return person().may(Right.POINTS_KEEP)
