"""The PIN with which an agent signs in from a telephone: one's own, and what administrators do."""

from __future__ import annotations

import logging

from flask import Blueprint, flash, redirect, render_template, request
from flask import url_for as url
from flask_babel import gettext as _  # type: ignore[import-untyped]
from werkzeug.exceptions import NotFound

from agent_console import telephone
from agent_console.door import Answer, console, needs, person, utc_now
from crm import keypad, users
from crm.keypad import KeypadError
from crm.models import Role, User
from crm.rights import Right

audit = logging.getLogger("hotline.audit")
blueprint = Blueprint("keypad", __name__)


@blueprint.route("/account/pin", methods=["GET", "POST"])
@needs(Right.CALLS_TAKE)
def own() -> Answer:
    """Choose one's own PIN; the password is asked for, as whoever finds an open page is not the
    agent."""
    here, problem = console(), None
    with here.database.transaction() as session:
        user = session.get_one(User, person().id)
        number, has_pin = keypad.number_of(user), keypad.has_pin(session, user)
        switches: dict[str, str] = {}
        if request.method == "POST":
            known = users.authenticate(
                session, user.login, request.form.get("password", ""), request.remote_addr or "",
                utc_now(),
            )
            if isinstance(known, users.Refused):
                problem = known.value
            elif request.form.get("pin") != request.form.get("again"):
                problem = "differ"
            else:
                try:
                    switches = keypad.set_pin(
                        session, user, request.form.get("pin", ""), here.secrets.staff_key,
                        by=user.login, now=utc_now(),
                    )
                except KeypadError as error:
                    problem = error.code
    if switches:
        outcome = telephone.tell_keypad(here, switches)
        audit.info("%s has set the PIN of the telephone: %s", person().login, outcome)
        flash(_("Your PIN is set.") if outcome == "done" else _(
            "Your PIN is set; the exchange does not know it yet, and will as soon as it answers."
        ))
        return redirect(url("people.account"))
    return render_template(
        "pin.html", problem=problem, number=number, has_pin=has_pin,
        staff_number=here.settings.staff_number,
    ), 400 if problem else 200


@blueprint.post("/users/<login>/pin")
@needs(Right.ACCOUNTS)
def change(login: str) -> Answer:
    """`act`: new (a generated one, shown once) or off."""
    here, pin = console(), ""
    with here.database.transaction() as session:
        try:
            user = users.named(session, login)
        except users.UserError as error:
            raise NotFound() from error
        if request.form.get("act") == "new" and user.role == Role.AGENT:
            number = keypad.number_of(user)
            pin = keypad.generate_pin(number)
            switches = keypad.set_pin(
                session, user, pin, here.secrets.staff_key, by=person().login, now=utc_now()
            )
        else:
            switches = keypad.take_away(session, user, by=person().login, now=utc_now())
    outcome = telephone.tell_keypad(here, switches)
    if not pin:
        telephone.leave_outside(here, login)
    audit.warning("%s: PIN of %s %s: %s", person().login, login, "made" if pin else "taken away",
                  outcome)
    if pin:
        return render_template("pin_made.html", login=login, number=number, pin=pin)
    flash(_("%(login)s can no longer sign in from a telephone.", login=login))
    return redirect(url("people.listing"))
