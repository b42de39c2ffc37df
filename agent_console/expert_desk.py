"""What a doctor on duty sees: the calls that they took at their own telephone."""

from __future__ import annotations

from flask import Blueprint, render_template, request

from agent_console.asked import day_of
from agent_console.door import Answer, console, needs, person, utc_now
from crm.calls import history
from crm.clock import vietnam_day
from crm.rights import Right

blueprint = Blueprint("expert_desk", __name__, url_prefix="/doctor")


@blueprint.get("")
@needs(Right.CALLS_TAKEN)
def page() -> Answer:
    """Of a day. The account's login is the name in the setting `experts`; no number is shown."""
    today = vietnam_day(utc_now())
    day = day_of(request.args.get("day"), today)
    with console().database.reading() as session:
        calls = history.of_expert(session, person().login, day)
    known = any(one.id == person().login for one in console().settings.experts)
    return render_template(
        "expert_calls.html", calls=calls, day=day, today=today, known=known,
    )
