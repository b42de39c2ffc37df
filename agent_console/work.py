"""What waits to be done: emergencies, callers who reached nobody, messages, calls back, cases."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import timedelta

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask_babel import gettext as _  # type: ignore[import-untyped]
from sqlalchemy.orm import Session
from werkzeug.exceptions import BadRequest, Conflict

from agent_console import telephone, words
from agent_console.call_desk import may_be_rung
from agent_console.door import Answer, console, needs, person, utc_now
from crm.calls import callbacks, emergency, messages
from crm.calls import missed as missed_callers
from crm.calls.missed import MissedError, Result
from crm.cases import life
from crm.citizens import contacts, numbers
from crm.notices.numbers import masked
from crm.rights import Right

log = logging.getLogger("hotline.audit")
blueprint = Blueprint("work", __name__, url_prefix="/work")

DUE_SOON = timedelta(hours=24)
LISTED = 50


@blueprint.get("")
@needs(Right.WORK_SEE)
def page() -> Answer:
    now = utc_now()
    with console().database.reading() as session:
        return render_template(
            "work.html", unreached=emergency.unreached(session),
            missed=missed_callers.waiting(
                session, now, timedelta(hours=console().settings.missed_for_h)
            ),
            untaken=messages.untaken(session), owed=callbacks.still_open(session)[:LISTED],
            at_desk=life.to_dispatch(session, LISTED),
            due=[one for one in life.handled(session, LISTED) if one.due_at < now + DUE_SOON],
            now=now, results=words.missed_results(), has_phone=_phone() is not None,
        )


@blueprint.post("/missed/<number>/<act>")
@needs(Right.WORK_DO)
def missed(number: str, act: str) -> Answer:
    """take | give-back | finish (with `result`)."""
    login = person().login

    def change(session: Session) -> None:
        match act:
            case "take":
                missed_callers.take(session, number, login, utc_now())
            case "give-back":
                missed_callers.give_back(session, number, login)
            case "finish":
                missed_callers.finish(
                    session, number, login, Result(request.form.get("result", "")), utc_now()
                )
            case _:
                raise ValueError(act)

    return _done(change)


@blueprint.post("/ring")
@needs(Right.WORK_DO)
def ring() -> Answer:
    """Ring a number from one's own phone: `number`, and `call`, the call in vain, if it is one."""
    held, login = _phone(), person().login
    if held is None:
        raise Conflict(_("You have no phone. Please sign in to the queues first."))
    try:
        number = contacts.parsed(request.form.get("number", "")).dialled
    except numbers.NumberError as error:
        raise Conflict(_("This is no telephone number.")) from error
    if not may_be_rung(console().settings, number):
        raise Conflict(_("This number may not be rung from here."))
    call = request.form.get("call", "")

    def note(session: Session) -> None:
        missed_callers.note_ring(
            session, number, login, call or None, utc_now(), console().settings.calls_out
        )
        if call:
            missed_callers.take(session, number, login, utc_now())

    answer = _done(note)
    outcome = telephone.told(console().commands.ring_out(held.interface, number, call))
    log.info("%s rings %s: %s", login, masked(number), outcome)
    flash({
        "done": _("Your phone rings; then the number is rung."),
        "refused": _("Asterisk refused. Please try again."),
        "unknown": _("No answer from Asterisk yet. The screen changes when it comes."),
    }[outcome])
    return answer


def _phone() -> telephone.Phone | None:
    return telephone.held_by(console(), person().login)


def _done(act: Callable[[Session], None]) -> Answer:
    try:
        with console().database.transaction() as session:
            act(session)
    except ValueError as error:
        raise BadRequest() from error
    except MissedError as error:
        if error.by:
            raise Conflict(_("%(who)s has this caller now.", who=error.by)) from error
        raise Conflict(_("This cannot be done: it is not yours, or too many calls out today.")) \
            from error
    return redirect(url_for("work.page"))
