"""Broadcasts: written by one person, approved by another, watched while they run."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable

from flask import Blueprint, Response, flash, redirect, render_template, request, url_for
from flask_babel import gettext as _  # type: ignore[import-untyped]
from sqlalchemy.orm import Session
from werkzeug.exceptions import BadRequest, NotFound

from agent_console import words
from agent_console.asked import whole
from agent_console.door import Answer, console, long_body, needs, person, utc_now
from crm import areas
from crm.broadcasts import audience, board, handoff, life, load, texts
from crm.broadcasts.errors import BroadcastError
from crm.broadcasts.models import Audience, Broadcast, Delivery, Stage
from crm.clock import vietnam_day
from crm.imports.files import LARGEST
from crm.notices import hours
from crm.notices.models import Channel
from crm.notices.numbers import masked
from crm.rights import Right

audit = logging.getLogger("hotline.audit")
blueprint = Blueprint("broadcast_desk", __name__, url_prefix="/broadcasts")
CHANNELS = (Channel.SMS, Channel.VOICE)
LIVE = (Stage.RUNNING,)


@blueprint.get("")
@needs(Right.BROADCASTS_SEE)
def listing() -> Answer:
    with console().database.reading() as session:
        found = [(one, board.progress(session, one)) for one in board.latest(session)]
    return render_template("broadcasts.html", broadcasts=found)


@blueprint.get("/new")
@needs(Right.BROADCASTS)
def new() -> Answer:
    """An empty form, or one filled in from an earlier broadcast (`from`)."""
    given: dict[str, str] = {"channel": "sms", "audience": "area", "delivery": "direct"}
    chosen: list[str] = []
    if request.args.get("from"):
        with console().database.reading() as session:
            one = _found(session, request.args.get("from", 0, type=whole))
        given = {
            "title": one.title, "channel": one.channel, "audience": one.audience,
            "delivery": one.delivery, "text": one.asked, "authority": one.authority,
            "document": one.document, "urgent": "yes" if one.urgent else "",
            "most": str(one.most_per_minute),
        }
        chosen = one.areas
    return _form(given, chosen)


@blueprint.post("")
@needs(Right.BROADCASTS)
@long_body(LARGEST + 64 * 1024)
def write() -> Answer:
    form, settings = request.form, console().settings
    file = request.files.get("file")
    try:
        channel, whom = Channel(form.get("channel", "")), Audience(form.get("audience", ""))
        delivery = Delivery(form.get("delivery", ""))
    except ValueError as error:
        raise BadRequest() from error
    most = form.get("most", "").strip()
    try:
        if most and not re.fullmatch("[0-9]{1,6}", most, re.ASCII):
            raise BroadcastError("rate", "no number")
        rows = []
        if whom is not Audience.AREA:
            rows = audience.read_list(file.read(LARGEST + 1) if file else b"")
        wanted = life.Wanted(
            form.get("title", ""), channel, whom, tuple(form.getlist("areas")),
            form.get("text", ""), form.get("authority", ""), form.get("document", ""), delivery,
            form.get("urgent") == "yes", int(most or settings.broadcast_per_minute), rows,
        )
        with console().database.transaction() as session:
            made = life.write(session, settings, wanted, by=person().login, now=utc_now())
            number = made.id
    except BroadcastError as error:
        return _form(form, form.getlist("areas"), words.broadcast_problem(error.code))
    audit.warning("%s writes broadcast %d", person().login, number)
    return redirect(url_for(".one", number=number))


@blueprint.get("/<int:number>")
@needs(Right.BROADCASTS_SEE)
def one(number: int) -> Answer:
    here, now = console(), utc_now()
    with here.database.reading() as session:
        found = _found(session, number)
        progress = board.progress(session, found)
        expected = load.expected(session, here.settings, found, found.recipients, now)
        units = areas.standing(vietnam_day(now))
        return render_template(
            "broadcast.html", one=found, progress=progress, expected=expected,
            cost=texts.cost(
                here.settings, Channel(found.channel), found.text, found.recipients
            ),
            places=[units[code].name if code in units else code for code in found.areas],
            events=board.events(session, found), troubled=board.troubled(session, found),
            files=handoff.of(session, found), masked=masked,
            own=found.created_by == person().login,
            quiet=hours.are_quiet(now, here.settings.quiet_hours) and not found.urgent,
            live=found.stage in LIVE and request.args.get("live") != "no",
        )


@blueprint.post("/<int:number>/test")
@needs(Right.BROADCASTS)
def test(number: int) -> Answer:
    to = request.form.get("to", "")
    return _act(number, "tests", _("It is on its way to your telephone."), lambda session, found: (
        life.test(session, found, to, by=person().login, now=utc_now())
    ))


@blueprint.post("/<int:number>/approve")
@needs(Right.BROADCASTS)
def approve(number: int) -> Answer:
    return _act(number, "approves", _("Approved. It can be started."), lambda session, found: (
        life.approve(session, found, by=person().login, now=utc_now())
    ))


@blueprint.post("/<int:number>/start")
@needs(Right.BROADCASTS)
def start(number: int) -> Answer:
    return _act(number, "starts", _("Started."), lambda session, found: life.start(
        session, console().settings, found, by=person().login, now=utc_now()
    ))


@blueprint.post("/<int:number>/pause")
@needs(Right.BROADCASTS)
def pause(number: int) -> Answer:
    return _act(number, "pauses", _("Paused. Nothing more is sent."), lambda session, found: (
        life.pause(session, found, by=person().login, now=utc_now())
    ))


@blueprint.post("/<int:number>/resume")
@needs(Right.BROADCASTS)
def resume(number: int) -> Answer:
    return _act(number, "resumes", _("It goes on."), lambda session, found: life.resume(
        session, found, by=person().login, now=utc_now()
    ))


@blueprint.post("/<int:number>/stop")
@needs(Right.BROADCASTS)
def stop(number: int) -> Answer:
    return _act(number, "stops", _("Stopped for good."), lambda session, found: life.stop(
        session, found, by=person().login, now=utc_now()
    ))


@blueprint.get("/<int:number>/files/<carrier>")
@needs(Right.BROADCASTS)
def file(number: int, carrier: str) -> Answer:
    """A carrier's file; who takes it is noted."""
    try:
        with console().database.transaction() as session:
            found = _found(session, number)
            made = handoff.fetch(session, found, carrier, by=person().login, now=utc_now())
    except BroadcastError as error:
        raise NotFound() from error
    audit.warning(
        "%s takes the file of %s of broadcast %s (%d numbers)", person().login, made.carrier,
        number, made.rows,
    )
    answer = Response(made.content, mimetype="text/csv")
    name = f"1022-tin-nhan-{found.id}-{made.carrier}.csv"
    answer.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return answer


def _act(
    number: int, what: str, done: str, act: Callable[[Session, Broadcast], None]
) -> Answer:
    """Do something to a broadcast, or say why it cannot be done."""
    try:
        with console().database.transaction() as session:
            id_ = _found(session, number).id
            act(session, life.locked(session, id_))  # as it is now, and stays meanwhile
    except BroadcastError as error:
        flash(words.broadcast_problem(error.code))
    else:
        audit.warning("%s %s broadcast %d", person().login, what, id_)
        flash(done)
    return redirect(url_for(".one", number=id_))


def _found(session: Session, number: int) -> Broadcast:
    found = session.get(Broadcast, number)
    if found is None:
        raise NotFound()
    return found


def _form(given: object, chosen: list[str], problem: str | None = None) -> Answer:
    units = areas.standing(vietnam_day(utc_now()))
    return render_template(
        "broadcast_new.html", given=given, chosen=chosen, problem=problem, channels=CHANNELS,
        units=sorted(units.values(), key=lambda unit: unit.name), columns=audience.COLUMNS,
        fewest=audience.FEWEST, most=console().settings.broadcast_per_minute,
        fixed={"sms": texts.CHOSEN_SMS, "voice": texts.CHOSEN_VOICE},
    ), 400 if problem else 200
