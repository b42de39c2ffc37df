"""The messages callers have left: listen, take, do, or give back."""

from __future__ import annotations

from collections.abc import Callable

from flask import Blueprint, flash, redirect, render_template, url_for
from flask_babel import gettext as _  # type: ignore[import-untyped]
from sqlalchemy.orm import Session

from agent_console import catalogues
from agent_console.door import Answer, console, language, needs, person, utc_now
from crm.calls import messages
from crm.rights import Right

blueprint = Blueprint("messages", __name__, url_prefix="/messages")


@blueprint.get("")
@needs(Right.WORK_SEE)
def page() -> Answer:
    with console().database.reading() as session:
        found = messages.waiting(session)
    return render_template(
        "messages.html", messages=found,
        given={"texts": catalogues.script_texts(language())},
    )


@blueprint.post("/<call_id>/take")
@needs(Right.WORK_DO)
def take(call_id: str) -> Answer:
    return _done(
        lambda session: messages.take(session, call_id, person().login, utc_now()),
        _("Somebody else has taken this message."),
    )


@blueprint.post("/<call_id>/give-back")
@needs(Right.WORK_DO)
def give_back(call_id: str) -> Answer:
    return _done(
        lambda session: messages.give_back(session, call_id, person().login),
        _("You have not taken this message."),
    )


@blueprint.post("/<call_id>/finish")
@needs(Right.WORK_DO)
def finish(call_id: str) -> Answer:
    return _done(
        lambda session: messages.finish(session, call_id, person().login, utc_now()),
        _("You have not taken this message."),
    )


def _done(act: Callable[[Session], None], refusal: str) -> Answer:
    try:
        with console().database.transaction() as session:
            act(session)
    except messages.MessageError:
        flash(refusal)
    return redirect(url_for("messages.page"))
