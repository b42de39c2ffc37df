"""What waits to be done: emergencies, callers who reached nobody, messages, calls back, cases."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import timedelta

from flask import Blueprint, flash, g, redirect, render_template, request, url_for
from flask_babel import gettext as _  # type: ignore[import-untyped]
from sqlalchemy.orm import Session
from werkzeug.exceptions import BadRequest, Conflict

from agent_console import sign_in, telephone, words
from agent_console.asked import by_script
from agent_console.call_desk import note_ring
from agent_console.door import Answer, console, needs, person, utc_now
from crm.agents import results as call_results
from crm.calls import callbacks, emergency, messages
from crm.calls import missed as missed_callers
from crm.calls.missed import MissedError, Result
from crm.cases import life
from crm.citizens import contacts, numbers
from crm.clock import vietnam_day
from crm.notices import outbox, texts
from crm.notices.numbers import masked
from crm.notices.outbox import Channel, NoticeError, Purpose
from crm.rights import Right

log = logging.getLogger("hotline.audit")
blueprint = Blueprint("work", __name__, url_prefix="/work")

DUE_SOON = timedelta(hours=24)
LISTED = 50
UNFINISHED_FOR = timedelta(days=3)


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
            unfinished=call_results.unfinished(
                session, now - UNFINISHED_FOR,
                person().login if person().may(Right.CALLS_TAKE) else None,
            ),
            mine=life.opened_by(session, person().login, LISTED),
            now=now, results=words.missed_results(),
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


@blueprint.post("/missed/<number>/sms")
@needs(Right.WORK_DO)
def write_to_missed(number: str) -> Answer:
    """Write to a caller who reached nobody that the hotline will ring back, or has tried to; once a
    day for each."""
    now = utc_now()
    try:
        with console().database.transaction() as session:
            waiting = missed_callers.waiting(
                session, now, timedelta(hours=console().settings.missed_for_h)
            )
            one = next((one for one in waiting if one.number == number), None)
            if one is None:
                raise Conflict(_("This number is not among those who wait."))
            text = "callback_missed" if one.tries else "missed_call"
            written = outbox.write(
                session, channel=Channel.SMS, recipient=number, purpose=Purpose.KNOWLEDGE,
                body=texts.rendered(text, Channel.SMS, {}).body, personal=True,
                now=now, key=f"missed:{number}:{vietnam_day(now):%Y%m%d}",
            )
    except NoticeError as error:
        raise Conflict(_("No SMS can be sent to this number.")) from error
    log.info("%s writes to %s: %s", person().login, masked(number), bool(written))
    flash(_("The SMS is on its way.") if written else _("It was sent today already."))
    return redirect(url_for(".page"))


@blueprint.post("/ring")
@needs(Right.WORK_DO)
def ring() -> Answer:
    """Ring a number from one's own phone: `number`, and `call`, if it belongs to one: nobody else
    rings that caller meanwhile. A script is told the outcome, a form is led back to `next`."""
    form = by_script() if request.is_json else request.form
    held, login = _phone(), person().login
    if held is None:
        raise Conflict(_("You have no phone. Please sign in to the queues first."))
    try:
        number = contacts.parsed(str(form.get("number", ""))).dialled
    except numbers.NumberError as error:
        raise Conflict(_("This is no telephone number.")) from error
    call = str(form.get("call", ""))

    def note(session: Session) -> None:
        note_ring(session, number, call or None)
        if call:
            missed_callers.take(session, number, login, utc_now())

    _done(note)
    result = console().commands.ring_out(held.interface, number, call)
    log.info("%s rings %s: %s", login, masked(number), result.outcome)
    outcome = telephone.told(result)
    if request.is_json:
        return {"outcome": outcome}, 200
    flash({
        "done": _("Your phone rings; then the number is rung."),
        "refused": _("Asterisk refused. Please try again."),
        "unknown": _("No answer from Asterisk yet. The screen changes when it comes."),
    }[outcome])
    return redirect(sign_in.local_path(form.get("next")) or url_for(".page"))


@blueprint.app_template_global()
def has_phone() -> bool:
    """Whether whoever looks at the page could ring somebody from it."""
    if "has_phone" not in g:
        g.has_phone = _phone() is not None
    return bool(g.has_phone)


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
        raise Conflict(_("This cannot be done: it is not yours.")) from error
    return redirect(url_for("work.page"))
