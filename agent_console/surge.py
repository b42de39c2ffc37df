"""More callers than can be served, and what they are told of trouble: limits and incidents."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import datetime, timedelta

from flask import Blueprint, flash, redirect, render_template, request, send_file, url_for
from flask_babel import gettext as _  # type: ignore[import-untyped]
from sqlalchemy import func, select
from werkzeug.exceptions import BadRequest, NotFound

from agent_console import catalogues, words
from agent_console.asked import whole
from agent_console.door import Answer, console, language, needs, person, utc_now
from agent_console.telephone import told
from crm import surge, switches
from crm.branches import TOLD_BRANCHES
from crm.cases import incidents
from crm.cases.incidents import IncidentError
from crm.clock import VIETNAM
from crm.models import LiveCall, LiveState
from crm.rights import Right
from crm.surge import SurgeError

audit = logging.getLogger("hotline.audit")
blueprint = Blueprint("surge", __name__, url_prefix="/surge")
LISTED = 20
FOR = timedelta(hours=4)  # what is offered as the end


@blueprint.get("")
@needs(Right.CONTROLS_SEE)
def page() -> Answer:
    return _page()


@blueprint.post("/limits")
@needs(Right.CONTROLS_SET)
def limit() -> Answer:
    """How many may wait in `queue` (or call at once): `most`, `until`, for a `reason`."""
    form, now = request.form, utc_now()
    queue = form.get("queue", "")
    try:
        most, until = int(form.get("most", "")), _until(form)
        if until is None:
            raise SurgeError("a limit ends", "until")
        with console().database.transaction() as session:
            made = surge.limit(
                session, queue, most, until=until, reason=form.get("reason", ""),
                by=person().login, now=now, at_most=_at_most(queue),
            )
            switch, reason = surge.switch_of(made), made.reason
    except ValueError:
        return _page(_limit_problem("most", queue), form)
    except SurgeError as error:
        return _page(_limit_problem(error.code, queue), form)
    audit.warning("%s: at most %s in %s until %s: %s", person().login, most, queue,
                  words.day_and_clock(until), reason)
    return _tell(switch)


@blueprint.post("/limits/<int:number>/lift")
@needs(Right.CONTROLS_SET)
def lift(number: int) -> Answer:
    try:
        with console().database.transaction() as session:
            found = surge.lift(session, number, by=person().login, now=utc_now())
            switch, queue = surge.switch_of(found), found.queue
    except SurgeError as error:
        return _page(_limit_problem(error.code, ""))
    audit.warning("%s: the limit of %s is lifted", person().login, queue)
    return _tell(switch)


@blueprint.post("/texts")
@needs(Right.CONTROLS_SET)
def prepare() -> Answer:
    """A text for incidents: spoken in a moment, then it can be listened to and chosen."""
    try:
        with console().database.transaction() as session:
            number = incidents.prepare(
                session, request.form.get("text", ""), by=person().login, now=utc_now()
            ).id
    except IncidentError as error:
        return _page(_incident_problem(error.code), request.form)
    audit.warning("%s: a text for incidents is prepared: %s", person().login, number)
    return redirect(url_for(".page", text=number, _anchor="start"))


@blueprint.post("/texts/<int:number>/remove")
@needs(Right.CONTROLS_SET)
def remove(number: int) -> Answer:
    try:
        with console().database.transaction() as session:
            found = incidents.text_of(session, number)
            found.removed_at = utc_now()
        if found.sound:
            incidents.preview(console().settings, found.sound).unlink(missing_ok=True)
    except IncidentError as error:
        return _page(_incident_problem(error.code))
    audit.warning("%s: the text %s for incidents is removed", person().login, number)
    return redirect(url_for(".page"))


@blueprint.get("/texts")
@needs(Right.CONTROLS_SEE)
def texts() -> Answer:
    """Which prepared texts have been spoken, for the page that waits for it."""
    with console().database.reading() as session:
        return {"spoken": [one.id for one in incidents.prepared(session) if one.sound]}, 200


@blueprint.get("/texts/<int:number>.wav")
@needs(Right.CONTROLS_SEE)
def listen(number: int) -> Answer:
    """A prepared text as callers hear it."""
    try:
        with console().database.reading() as session:
            sound = incidents.text_of(session, number).sound
    except IncidentError as error:
        raise NotFound() from error
    file = incidents.preview(console().settings, sound) if sound else None
    if file is None or not file.is_file():
        raise NotFound()
    return send_file(file, mimetype="audio/wav", max_age=60)


@blueprint.post("/incidents")
@needs(Right.CONTROLS_SET)
def start() -> Answer:
    """From now on the callers of `branch` (none: all) hear the prepared `text`, `until` then."""
    form, branch = request.form, request.form.get("branch") or None
    try:
        number, until = form.get("text_id", 0, type=whole), _until(form)
        with console().database.transaction() as session:
            made = incidents.start_prepared(
                session, number, branch=branch, until=until, by=person().login, now=utc_now()
            )
            code, switch = made.case.code, incidents.switch_of(made)
    except SurgeError as error:
        return _page(_incident_problem(error.code), form)
    except IncidentError as error:
        return _page(_incident_problem(error.code), form)
    audit.warning("%s: incident %s is on for %s until %s", person().login, code,
                  branch or "all", words.day_and_clock(until) or "it is ended")
    return _tell(switch)


@blueprint.post("/incidents/<code>")
@needs(Right.CONTROLS_SET)
def change(code: str) -> Answer:
    """`act` prolong (`until`) | end (`text`: what those who joined are told)."""
    form, now, act = request.form, utc_now(), request.form.get("act")
    try:
        with console().database.transaction() as session:
            match act:
                case "prolong":
                    found = incidents.prolong(
                        session, code, _until(form), by=person().login, now=now
                    )
                case "end":
                    text = incidents.checked(form.get("text", ""))
                    incidents.end(session, code, text, None, by=person().login, now=now)
                    found = incidents.by_code(session, code)
                case _:
                    raise BadRequest()
            switch = incidents.switch_of(found)
    except (SurgeError, IncidentError) as error:
        return _page(_incident_problem(error.code), form)
    audit.warning("%s: %s incident %s", person().login, act, code)
    return _tell(switch)


def _page(problem: str = "", given: Mapping[str, str] | None = None) -> Answer:
    now = utc_now()
    with console().database.reading() as session:
        waiting = dict(session.execute(
            select(LiveCall.queue, func.count()).where(LiveCall.state == LiveState.WAITING.value)
            .group_by(LiveCall.queue)
        ).all())
        page = render_template(
            "surge.html", problem=problem, given=given or {}, now=now,
            queues=[(queue, waiting.get(queue, 0), _by_settings(queue))
                    for queue in switches.LIMITED],
            holding={one.queue: one for one in surge.in_force(session, now)},
            past=[one for one in surge.latest(session, LISTED) if not surge.holds(one, now)],
            incidents=[(one, incidents.as_json(session, one), incidents.is_told(one, now))
                       for one in incidents.still_on(session)],
            over=[incidents.as_json(session, one)
                  for one in reversed(incidents.latest(session, LISTED)) if one.over_at],
            texts=incidents.prepared(session), branches=TOLD_BRANCHES,
            longest=incidents.LONGEST, mended=incidents.mended,
            chosen=request.args.get("text", type=whole),
            offered=f"{(now + FOR).astimezone(VIETNAM):%Y-%m-%dT%H:%M}",
            last=f"{(now + surge.LONGEST).astimezone(VIETNAM):%Y-%m-%dT%H:%M}",
            script={"texts": catalogues.script_texts(language())},
        )
    return page, 400 if problem else 200


def _by_settings(queue: str) -> int:
    settings = console().settings
    return settings.admitted if queue == surge.LINE else settings.queue_limit(queue)


def _at_most(queue: str) -> int:
    settings = console().settings
    return settings.admitted if queue == surge.LINE else settings.capacity


def _until(form: Mapping[str, str]) -> datetime | None:
    """A time of Vietnam, as the browser's field has it. Raises SurgeError."""
    if not (written := form.get("until", "").strip()):
        return None
    try:
        return datetime.fromisoformat(written).replace(tzinfo=VIETNAM)
    except ValueError as error:
        raise SurgeError("no time", "until") from error


def _tell(switch: tuple[str, str]) -> Answer:
    flash({
        "done": _("Done."),
        "refused": _("Asterisk refused. It gets the switch when it is connected again."),
        "unknown": _("No answer from Asterisk yet. It gets the switch when it is connected again."),
    }[told(console().commands.set_switch(*switch))])
    return redirect(url_for(".page"))


def _limit_problem(code: str, queue: str) -> str:
    return str({
        "queue": _("There is no limit for this."),
        "most": _("How many: a whole number, at most %(most)s.", most=_at_most(queue)),
        "until": _("The end is missing, is over already, or is more than a week away."),
        "reason": _("Please write the reason: whoever comes after must know it."),
        "none": _("This limit does not hold any more."),
    }[code])


def _incident_problem(code: str) -> str:
    return str({
        "text": _("What callers are told has 1 to %(longest)s letters.",
                  longest=incidents.LONGEST),
        "branch": _("There is no such branch."),
        "until": _("The end is over already, or is more than a week away."),
        "on": _("An incident is told there already. Please end it first."),
        "none": _("This text or incident is not there any more."),
        "over": _("This incident is over already."),
        "silent": _("The text is being spoken. Please try again in a few seconds."),
        "many": _("There are %(most)s texts. Please remove one first.",
                  most=incidents.MOST_TEXTS),
    }[code])
