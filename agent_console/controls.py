"""The switches of the running hotline, and the days of the calendar."""

from __future__ import annotations

import logging
from datetime import date, timedelta

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask_babel import gettext as _  # type: ignore[import-untyped]

from agent_console.door import Answer, console, needs, person, utc_now
from agent_console.telephone import told
from crm import switches
from crm.cases.working_days import holidays_of
from crm.clock import VIETNAM
from crm.rights import Right

audit = logging.getLogger("hotline.audit")
blueprint = Blueprint("controls", __name__, url_prefix="/controls")
AHEAD = timedelta(days=366)


@blueprint.get("")
@needs(Right.CONTROLS_SEE)
def page() -> Answer:
    with console().database.reading() as session:
        state = switches.current(session)
    today = utc_now().astimezone(VIETNAM).date()
    return render_template(
        "controls.html", today=today,
        switches={name: state[name] for name in switches.KNOWN},
        allowed=switches.allowed, days=_days(today, state), day_values=switches.DAY_VALUES,
    )


def _days(today: date, state: dict[str, str]) -> list[tuple[date, str, str]]:
    """The holidays of the coming year and the days set by hand: day, name, value."""
    named = holidays_of(today.year) | holidays_of((today + AHEAD).year)
    by_hand = {switches.day_of(name): value for name, value in state.items()}
    days = {day for day in by_hand if day is not None} | set(named)
    return [
        (day, named.get(day, ""), by_hand.get(day, "auto"))
        for day in sorted(days) if today <= day <= today + AHEAD
    ]


@blueprint.post("")
@needs(Right.CONTROLS_SET)
def change() -> Answer:
    """Set a switch: `name` and `value`; a day of the calendar by `day` (YYYY-MM-DD)."""
    try:
        name = request.form.get("name") or switches.day_name(
            date.fromisoformat(request.form.get("day", ""))
        )
        value = request.form.get("value", "")
        with console().database.transaction() as session:
            switches.want(session, name, value, by=person().login, now=utc_now())
    except (ValueError, switches.SwitchError):
        flash(_("There is no such switch."))
        return redirect(url_for("controls.page"))
    audit.warning("%s sets the switch %s to %s", person().login, name, value)
    outcome = told(console().commands.set_switch(name, value))
    flash({
        "done": _("Done."),
        "refused": _("Asterisk refused. It gets the switch when it is connected again."),
        "unknown": _("No answer from Asterisk yet. It gets the switch when it is connected again."),
    }[outcome])
    return redirect(url_for("controls.page"))
