"""Whoever has a number: what is known of them, their calls and cases.

A number never stands in an address: pages are found by a call, by a case, or by a form.
"""

from __future__ import annotations

from datetime import datetime

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask_babel import gettext as _  # type: ignore[import-untyped]
from sqlalchemy.orm import Session
from werkzeug.exceptions import BadRequest, NotFound

from agent_console import words
from agent_console.door import Answer, console, needs, person, utc_now
from crm.branches import LANGUAGES
from crm.cases import life
from crm.cases.life import CaseError
from crm.cases.models import Identity
from crm.citizens import contacts, persons
from crm.citizens.errors import ContactError
from crm.citizens.numbers import Number, NumberError
from crm.models import Call
from crm.privacy import consents
from crm.privacy.consents import ConsentError, Ground
from crm.rights import Right

blueprint = Blueprint("citizens", __name__, url_prefix="/citizens")


@blueprint.get("")
@needs(Right.CITIZENS_FIND)
def search() -> Answer:
    return render_template("citizens.html", written="", problem=None)


@blueprint.post("")
@needs(Right.CITIZENS_FIND)
def find() -> Answer:
    written = request.form.get("number", "")
    try:
        number = contacts.parsed(written)
    except NumberError:
        return render_template(
            "citizens.html", written=written[:40], problem=words.contact_problem("number")
        ), 400
    with console().database.reading() as session:
        return _page(
            session, number, calls_page=request.form.get("calls_page", 1, int),
            cases_page=request.form.get("cases_page", 1, int),
        )


@blueprint.get("/call/<call_id>")
@needs(Right.CITIZENS_SEE)
def of_call(call_id: str) -> Answer:
    with console().database.reading() as session:
        call = session.get(Call, call_id)
        return _page(session, _number(call.caller if call else None))


@blueprint.get("/case/<code>")
@needs(Right.CITIZENS_SEE)
def of_case(code: str) -> Answer:
    with console().database.reading() as session:
        try:
            case = life.by_code(session, code)
        except CaseError as error:
            raise NotFound() from error
        if case.identity != Identity.SHOWN:
            raise NotFound()  # the case's page asks for the reason
        return _page(session, _number(case.phone))


@blueprint.post("/known")
@needs(Right.CITIZENS_KEEP)
def keep() -> Answer:
    """What is known of whoever has a number."""
    form = request.form
    number = _number(form.get("number"))
    try:
        seen = datetime.fromisoformat(form["seen"]) if form.get("seen") else None
    except ValueError as error:
        raise BadRequest() from error
    try:
        with console().database.transaction() as session:
            contacts.keep(
                session, number, name=form.get("name", ""), language=form.get("language", ""),
                note=form.get("note", ""), by=person().login, now=utc_now(), seen=seen,
            )
    except ContactError as error:
        with console().database.reading() as session:
            return _page(session, number, error.code)
    flash(_("Saved."))
    with console().database.reading() as session:
        return _page(session, number)


@blueprint.post("/persons")
@needs(Right.CITIZENS_KEEP)
def persons_of() -> Answer:
    """Say that another number is the same person's, or that this one is somebody else's."""
    form = request.form
    number, by, now = _number(form.get("number")), person().login, utc_now()
    try:
        with console().database.transaction() as session:
            match form.get("act"):
                case "join":
                    other = contacts.parsed(form.get("other", ""))
                    persons.join(session, number, other, reason=form.get("reason", ""), by=by,
                                 now=now)
                case "part":
                    persons.part(session, number, reason=form.get("reason", ""), by=by, now=now)
                case _:
                    raise BadRequest()
    except (ContactError, NumberError) as error:
        code = error.code if isinstance(error, ContactError) else "number"
        with console().database.reading() as session:
            return _page(session, number, code)
    flash(_("Saved."))
    with console().database.reading() as session:
        return _page(session, number)


@blueprint.post("/consents")
@needs(Right.CITIZENS_KEEP)
def consent() -> Answer:
    """What somebody said about a use of their data."""
    form = request.form
    number = _number(form.get("number"))
    try:
        with console().database.transaction() as session:
            consents.write_down(
                session, number.dialled, form.get("purpose", ""), form.get("said", ""),
                version="desk", channel=form.get("channel", ""), evidence=form.get("evidence", ""),
                by=person().login, now=utc_now(),
            )
    except ConsentError as error:
        with console().database.reading() as session:
            return _page(session, number, error.code)
    with console().database.reading() as session:
        return _page(session, number)


@blueprint.get("/consents")
@blueprint.get("/persons")
@blueprint.get("/known")
@needs(Right.CITIZENS_SEE)
def kept() -> Answer:
    """A reload of what is only reached by a form."""
    return redirect(url_for(".search"))


def _page(
    session: Session, number: Number, problem: str | None = None, *, calls_page: int = 1,
    cases_page: int = 1,
) -> Answer:
    contact = contacts.of_number(session, number, calls_page=calls_page, cases_page=cases_page)
    return render_template(
        "citizen.html", contact=contact, languages=LANGUAGES,
        pages={"calls_page": (calls_page, contacts.pages(contact.call_count)),
               "cases_page": (cases_page, contacts.pages(contact.case_count))},
        joined=persons.history(session, number.dialled),
        purposes=[one for one in consents.Purpose
                  if consents.GROUNDS[one] is Ground.CONSENT],
        channels=consents.CHANNELS, now=utc_now(),
        given=request.form if problem else None,
        problem=words.contact_problem(problem) if problem else None, ended=life.ENDED,
    ), 409 if problem == "stale" else 400 if problem else 200


def _number(written: str | None) -> Number:
    try:
        return contacts.parsed(written or "")
    except NumberError as error:
        raise NotFound() from error
