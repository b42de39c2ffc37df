"""The second step of a sign-in, and one's own second factor."""

from __future__ import annotations

import logging

import segno
from flask import Blueprint, flash, redirect, render_template, request
from flask import url_for as url
from flask_babel import gettext as _  # type: ignore[import-untyped]
from werkzeug.exceptions import NotFound

from agent_console import sign_in
from agent_console.door import Answer, console, needs, person, utc_now
from crm import second_factor, users
from crm.models import User
from crm.rights import Right
from crm.second_factor import FactorError, Need

audit = logging.getLogger("hotline.audit")
blueprint = Blueprint("second_factor", __name__)


@blueprint.route("/sign-in/code", methods=["GET", "POST"])
@needs(Right.OWN)
def code() -> Answer:
    """The code that is asked for after the password."""
    if person().needs != Need.CODE:
        return redirect(url("people.home"))
    if request.method == "GET":
        return render_template("second_code.html", problem=None)
    problem, now = None, utc_now()
    with console().database.transaction() as session:
        user = session.get_one(User, person().id)
        try:
            second_factor.check(
                session, user, request.form.get("code", "")[:64], request.remote_addr or "", now
            )
        except FactorError as error:
            problem = error.code
        else:
            sign_in.complete(session, user, person().token, now)
    if problem:
        return render_template("second_code.html", problem=problem), 401
    return redirect(url("people.home"))


@blueprint.route("/account/factor", methods=["GET", "POST"])
@needs(Right.OWN)
def factor() -> Answer:
    """Set an authenticator app up: its picture, then a code that it shows."""
    now, problem, codes = utc_now(), None, None
    with console().database.transaction() as session:
        user = session.get_one(User, person().id)
        if second_factor.confirmed(session, user.id):
            return redirect(url("people.account"))
        secret = second_factor.begin(session, user, now)
        if request.method == "POST":
            try:
                codes = second_factor.confirm(
                    session, user, request.form.get("code", "")[:64], request.remote_addr or "",
                    now,
                )
            except FactorError as error:
                problem = error.code
            else:
                if person().needs:
                    sign_in.complete(session, user, person().token, now)
    if codes:
        audit.warning("%s has set up a second factor", person().login)
        return render_template("factor_codes.html", codes=codes)
    picture = segno.make(second_factor.uri_of(secret, person().login), error="m")
    return render_template(
        "factor.html", secret=secret, problem=problem, picture=picture.svg_data_uri(scale=5),
        must=person().needs == Need.ENROL,
    ), 400 if problem else 200


@blueprint.post("/users/<login>/factor/reset")
@needs(Right.ACCOUNTS)
def reset(login: str) -> Answer:
    """For whoever has lost the app and the recovery codes."""
    with console().database.transaction() as session:
        try:
            user = users.named(session, login)
        except users.UserError as error:
            raise NotFound() from error
        done = second_factor.reset(session, user, utc_now())
    audit.warning("%s takes the second factor of %s away: %s", person().login, login, done)
    flash(_("The second factor of %(login)s is taken away; they are signed out.", login=login))
    return redirect(url("people.listing"))
