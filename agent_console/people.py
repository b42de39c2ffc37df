"""Signing in and out, one's own account, and the administrator's list of accounts."""

from __future__ import annotations

import logging

from flask import Blueprint, flash, make_response, redirect, render_template, request
from flask import url_for as url
from flask_babel import gettext as _  # type: ignore[import-untyped]
from sqlalchemy import select
from sqlalchemy.orm import Session
from werkzeug.exceptions import BadRequest, NotFound

from agent_console import sign_in, telephone
from agent_console.door import (
    LANGUAGE_COOKIE,
    LANGUAGES,
    Answer,
    console,
    needs,
    person,
    public,
    taken_over,
    utc_now,
)
from agent_console.ways import HOME
from crm import desk, keypad, second_factor, users
from crm.branches import ALL_QUEUES
from crm.models import Role, User
from crm.rights import OF_AGENCIES, Right
from crm.second_factor import Need

audit = logging.getLogger("hotline.audit")
blueprint = Blueprint("people", __name__)


@blueprint.get("/")
@needs(Right.OWN)
def home() -> Answer:
    return redirect(url(HOME[person().role]))


@blueprint.route("/login", methods=["GET", "POST"])
@public
def login() -> Answer:
    if request.method == "GET":
        return login_page()
    here, now = console(), utc_now()
    with here.database.transaction() as session:
        user = users.authenticate(
            session, request.form.get("login", "")[:64], request.form.get("password", ""),
            request.remote_addr or "", now,
        )
        if isinstance(user, users.Refused):
            refused = user
        else:
            refused = None
            token = sign_in.begin(
                session, user, second_factor.need_of(session, user, here.settings), now
            )
    if refused:
        code = 429 if refused is users.Refused.TOO_MANY else 401
        return login_page(refused=refused.value), code
    target = sign_in.local_path(request.form.get("next")) or url("people.home")
    return sign_in.keep(make_response(redirect(target)), token)


def login_page(
    *, refused: str | None = None, provider_problem: str | None = None, who: str = ""
) -> str:
    """The sign-in, saying why one was refused: by password, or by the identity provider."""
    provider = console().provider
    if provider and provider_problem is None and provider.is_down:
        provider_problem = "down"
    return render_template(
        "login.html", refused=refused, provider=provider, provider_problem=provider_problem,
        who=who, left=request.args.get("left") == "yes",
        taken_over=taken_over(request.cookies.get(console().cookie, "")),
    )


@blueprint.route("/sign-in/takeover", methods=["GET", "POST"])
@needs(Right.OWN)
def take_over() -> Answer:
    """An agent who is signed in elsewhere: whether to go on here. The page there is told; its phone
    is given back, unless a call is on it: that is finished there. One whose page has died goes on
    here at once: the caller whom it lost is led back to it. A telephone outside, which no page
    has, stays in the queues."""
    here, now = console(), utc_now()
    if person().needs != Need.TAKEOVER:
        return redirect(url("people.home"))
    with here.database.transaction() as session:
        user = session.get_one(User, person().id)
        others = users.others_of(session, user, person().token, now)
        in_a_call = desk.is_in_a_call(session, user.login)
        is_gone = desk.is_unreachable(session, user.login)
        if request.method == "GET" and others:
            return render_template("takeover.html", others=others, in_a_call=in_a_call)
        for other in others:
            other.revoked_at = now
        users.complete_session(session, person().token)
    has_phone = telephone.held_by(here, person().login) is not None
    if others and has_phone and not in_a_call and not is_gone:
        telephone.leave(here, person().login)
    audit.warning("%s goes on in another browser%s", person().login,
                  "; a call is finished in the first one" if in_a_call else "")
    return redirect(url("people.home"))


@blueprint.post("/logout")
@needs(Right.OWN)
def logout() -> Answer:
    here = console()
    if person().may(Right.CALLS_TAKE) and person().needs != Need.TAKEOVER:
        telephone.leave(here, person().login)
    with here.database.transaction() as session:
        users.close_session(session, person().token, utc_now())
    left = "yes" if sign_in.BY_PROVIDER in request.cookies else None
    answer = make_response(redirect(url("people.login", left=left)))
    answer.delete_cookie(here.cookie, samesite="Strict", secure=here.secure, httponly=True)
    return answer


@blueprint.get("/session")
@needs(Right.OWN)
def session_state() -> Answer:
    """Lets an open page tell a lost connection from a session that ended."""
    return {"login": person().login}, 200


@blueprint.post("/language")
@public
def switch_language() -> Answer:
    """Before the sign-in; afterwards the account keeps the language."""
    chosen = _chosen_language()
    target = sign_in.local_path(request.form.get("next")) or url("people.login")
    answer = make_response(redirect(target))
    answer.set_cookie(
        LANGUAGE_COOKIE, chosen, samesite="Strict", secure=console().secure, httponly=True,
        max_age=365 * 86400,
    )
    return answer


@blueprint.post("/account/language")
@needs(Right.OWN)
def keep_language() -> Answer:
    chosen = _chosen_language()
    with console().database.transaction() as session:
        _user(session, person().login).language = chosen
    target = sign_in.local_path(request.form.get("next")) or url("people.home")
    answer = make_response(redirect(target))
    answer.set_cookie(
        LANGUAGE_COOKIE, chosen, samesite="Strict", secure=console().secure, httponly=True,
        max_age=365 * 86400,
    )
    return answer


def _chosen_language() -> str:
    if (chosen := request.form.get("language", "")) not in LANGUAGES:
        raise BadRequest()
    return chosen


@blueprint.route("/account", methods=["GET", "POST"])
@needs(Right.OWN)
def account() -> Answer:
    """One's own password."""
    with console().database.reading() as session:
        shown = {
            "has_factor": second_factor.confirmed(session, person().id),
            "staff_number": console().settings.staff_number,
        }
    if request.method == "GET":
        return render_template("account.html", problem=None, **shown)
    now = utc_now()
    problem = None
    with console().database.transaction() as session:
        user = _user(session, person().login)
        known = users.authenticate(
            session, user.login, request.form.get("old", ""), request.remote_addr or "", now
        )
        if isinstance(known, users.Refused):
            problem = known.value
        elif request.form.get("new") != request.form.get("again"):
            problem = "differ"
        else:
            try:
                users.set_password(session, user, request.form.get("new", ""), now)
            except users.UserError as error:
                problem = error.code
    if problem:
        return render_template("account.html", problem=problem, **shown), 400
    flash(_("Your password is changed. Please sign in again."))
    return redirect(url("people.login"))


def _user(session: Session, login: str) -> User:
    try:
        return users.named(session, login)
    except users.UserError as error:
        raise NotFound() from error


@blueprint.get("/users")
@needs(Right.ACCOUNTS_SEE)
def listing() -> Answer:
    return _listing()


def _listing(
    code: int = 200, *, problem: str | None = None, password_of: str | None = None,
    password: str | None = None,
) -> Answer:
    with console().database.reading() as session:
        accounts = session.scalars(select(User).order_by(User.active.desc(), User.login)).all()
        factors = second_factor.in_use(session)
        pins = keypad.with_pin(session)
    return render_template(
        "users.html", accounts=accounts, queues=ALL_QUEUES, problem=problem, factors=factors,
        of_agencies=OF_AGENCIES, pins=pins, staff_number=console().settings.staff_number,
        password_of=password_of, password=password,
    ), code


@blueprint.post("/users")
@needs(Right.ACCOUNTS)
def create() -> Answer:
    form = request.form
    password = users.generate_password()
    try:
        with console().database.transaction() as session:
            user = users.create_user(
                session, login=form.get("login", "").strip(), name=form.get("name", ""),
                role=_role(form.get("role", "")), queues=form.getlist("queues"),
                password=password, now=utc_now(),
            )
            login = user.login
            audit.warning("%s: account %s made, role %s", person().login, login, user.role)
    except users.UserError as error:
        return _listing(400, problem=error.code)
    return _listing(201, password_of=login, password=password)


def _role(name: str) -> Role:
    """A role that is given here: those of agencies are given on their pages."""
    try:
        role = Role(name)
    except ValueError as error:
        raise BadRequest() from error
    if role in OF_AGENCIES:
        raise BadRequest()
    return role


@blueprint.post("/users/<login>/role")
@needs(Right.ACCOUNTS)
def change_role(login: str) -> Answer:
    """Nobody changes their own: an administrator is left in any case."""
    role = _role(request.form.get("role", ""))
    if login == person().login:
        return _listing(400, problem="self_role")
    telephone.leave(console(), login)
    with console().database.transaction() as session:
        user = _user(session, login)
        if user.role in OF_AGENCIES:
            raise BadRequest()
        before = users.set_role(session, user, role, utc_now())
    audit.warning("%s: role of %s from %s to %s", person().login, login, before, role)
    return redirect(url("people.listing"))


@blueprint.post("/users/<login>/queues")
@needs(Right.ACCOUNTS)
def change_queues(login: str) -> Answer:
    try:
        with console().database.transaction() as session:
            user = _user(session, login)
            users.set_queues(user, request.form.getlist("queues"))
            switches = keypad.switches_of(session, user)
    except users.UserError as error:
        return _listing(400, problem=error.code)
    telephone.tell_keypad(console(), switches)
    return redirect(url("people.listing"))


@blueprint.post("/users/<login>/password")
@needs(Right.ACCOUNTS)
def reset_password(login: str) -> Answer:
    """A new generated password, shown once; open sessions end."""
    password = users.generate_password()
    with console().database.transaction() as session:
        users.set_password(session, _user(session, login), password, utc_now())
    audit.warning("%s: new password for %s", person().login, login)
    return _listing(password_of=login, password=password)


@blueprint.post("/users/<login>/active")
@needs(Right.ACCOUNTS)
def switch_active(login: str) -> Answer:
    if login == person().login:
        return _listing(400, problem="self")
    if request.form.get("active") != "yes":
        telephone.leave(console(), login)
    with console().database.transaction() as session:
        user = _user(session, login)
        if request.form.get("active") == "yes":
            users.reactivate(user)
        else:
            users.deactivate(session, user, utc_now())
        session.flush()
        switches = keypad.switches_of(session, user)
        on = user.active
    audit.warning("%s: account %s is %s", person().login, login, "on" if on else "off")
    telephone.tell_keypad(console(), switches)
    return redirect(url("people.listing"))
