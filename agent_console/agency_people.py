"""Agencies and their people: who handles cases, who approves answers, who is rung at night."""

from __future__ import annotations

from datetime import date

from flask import Blueprint, redirect, render_template, request, url_for
from flask_babel import gettext as _  # type: ignore[import-untyped]
from sqlalchemy.orm import Session
from werkzeug.exceptions import NotFound

from agent_console.asked import whole
from agent_console.door import Answer, console, needs, person, utc_now
from crm import users
from crm.agencies import officers
from crm.agencies import register as agencies
from crm.agencies.models import Officer, Post
from crm.agencies.officers import OfficerError
from crm.agencies.register import AgencyError
from crm.cases.models import Agency
from crm.errors import HotlineError
from crm.rights import Right

blueprint = Blueprint("agency_people", __name__, url_prefix="/agencies")
_FIELDS = ("name", "post", "phone", "email", "valid_from", "valid_to")


@blueprint.get("")
@needs(Right.AGENCIES_SEE)
def listing() -> Answer:
    """The agencies of today, with how many people each has; those without anybody stand out."""
    now = utc_now()
    with console().database.reading() as session:
        return render_template(
            "agencies.html", agencies=agencies.standing(session, now),
            people=officers.counted(session, now),
        )


@blueprint.get("/<code>")
@needs(Right.AGENCIES_SEE)
def page(code: str) -> Answer:
    with console().database.reading() as session:
        return _page(session, _agency(session, code))


@blueprint.post("/<code>/approves")
@needs(Right.AGENCIES_KEEP)
def switch_approves(code: str) -> Answer:
    with console().database.transaction() as session:
        officers.let_approve(
            session, _agency(session, code), request.form.get("approves") == "yes",
            by=person().login, now=utc_now(),
        )
    return redirect(url_for(".page", code=code))


@blueprint.post("/<code>/people")
@needs(Right.AGENCIES_KEEP)
def add(code: str) -> Answer:
    """A new person, or other particulars of one who has this post and telephone."""
    row = {name: request.form.get(name, "").strip() for name in _FIELDS} | {"agency": code}
    try:
        with console().database.transaction() as session:
            _agency(session, code)
            officers.take_in(session, [row], utc_now())
    except OfficerError as error:
        return _refused(code, error)
    return redirect(url_for(".page", code=code))


@blueprint.post("/<code>/delegations")
@needs(Right.AGENCIES_KEEP)
def delegate(code: str) -> Answer:
    try:
        days = [date.fromisoformat(request.form.get(name, "")) for name in ("from", "to")]
        with console().database.transaction() as session:
            leader, to = (_of(session, code, request.form.get(name, type=whole))
                          for name in ("leader", "stands_in"))
            officers.delegate(
                session, leader, to, days[0], days[1], by=person().login, now=utc_now()
            )
    except (OfficerError, ValueError) as error:
        return _refused(code, error)
    return redirect(url_for(".page", code=code))


@blueprint.post("/<code>/people/<int:officer_id>/account")
@needs(Right.ACCOUNTS)
def give_account(code: str, officer_id: int) -> Answer:
    password = users.generate_password()
    login = request.form.get("login", "").strip()
    try:
        with console().database.transaction() as session:
            officers.give_account(
                session, _of(session, code, officer_id), login, password, utc_now()
            )
    except (HotlineError, ValueError) as error:
        return _refused(code, error)
    with console().database.reading() as session:
        return _page(session, _agency(session, code), password=password, password_of=login)


def _refused(code: str, error: Exception) -> Answer:
    told = error.code if isinstance(error, users.UserError) else "person"
    if not isinstance(error, HotlineError):
        told = "day"
    with console().database.reading() as session:
        return _page(session, _agency(session, code), problem=told)


def _page(
    session: Session, agency: Agency, *, problem: str | None = None,
    password: str | None = None, password_of: str | None = None,
) -> Answer:
    now = utc_now()
    problems = {
        "login": _("A login has 2 to 32 of a-z, 0-9 and full stop, and starts with a letter."),
        "taken": _("This login is taken."), "name": _("A name has 1 to 80 letters."),
        "day": _("Choose the days and both persons."),
        "person": _("This is not possible: see the post, the telephone (0912345678), the e-mail"
                    " address, and that the days are not over."),
    }
    return render_template(
        "agency.html", agency=agency, people=officers.all_of(session, agency), now=now,
        posts=Post, problem=problems[problem] if problem else None, given=request.form,
        delegations=officers.delegations_of(session, agency, now), password=password,
        password_of=password_of, serves=officers.serves,
    ), 400 if problem else 200


def _agency(session: Session, code: str) -> Agency:
    try:
        return agencies.agency_named(session, code, utc_now())
    except AgencyError as error:
        raise NotFound() from error


def _of(session: Session, code: str, officer_id: int | None) -> Officer:
    """Raises OfficerError: nobody of this agency."""
    found = officers.officer_of(session, officer_id or 0)
    if found.agency.code != code:
        raise OfficerError(f"{found.name} is not of {code}")
    return found
