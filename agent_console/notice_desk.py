"""Messages to people: what did not arrive, and what went last. For supervisors and admins."""

from __future__ import annotations

import logging

from flask import Blueprint, flash, redirect, render_template, url_for
from flask_babel import gettext as _  # type: ignore[import-untyped]
from werkzeug.exceptions import NotFound

from agent_console.door import Answer, console, needs, person, utc_now
from crm.clock import VIETNAM
from crm.notices import board
from crm.notices.numbers import masked
from crm.notices.outbox import NoticeError
from crm.notices.states import StateError
from crm.rights import Right

audit = logging.getLogger("hotline.audit")
blueprint = Blueprint("notice_desk", __name__, url_prefix="/notices")


@blueprint.get("")
@needs(Right.NOTICES_SEE)
def page() -> Answer:
    here, now = console(), utc_now()
    with here.database.reading() as session:
        return render_template(
            "notices.html", trouble=board.trouble(session, here.settings, now),
            undelivered=board.undelivered(session), latest=board.latest(session),
            masked=masked, zone=VIETNAM,
        )


@blueprint.post("/<int:notice_id>/retry")
@needs(Right.NOTICES_RETRY)
def retry(notice_id: int) -> Answer:
    try:
        with console().database.transaction() as session:
            board.retry(session, notice_id, utc_now())
    except NoticeError as error:
        raise NotFound() from error
    except StateError:
        flash(_("This message is on its way or has arrived: it is not sent again."))
    else:
        audit.warning("%s sends notice %s again", person().login, notice_id)
        flash(_("It will be sent again in a moment."))
    return redirect(url_for("notice_desk.page"))
