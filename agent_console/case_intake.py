"""What belongs to a case besides its text: files, fields of its category, how it came, and what of
its result everybody may read."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from flask import Blueprint, flash, redirect, request, send_file, url_for
from sqlalchemy.orm import Session
from werkzeug.exceptions import BadRequest, NotFound

from agent_console import intake_words, words
from agent_console.door import Answer, console, long_body, needs, person, utc_now
from crm.agencies.register import AgencyError
from crm.cases import attachments, life, reading
from crm.cases.attachments import AT_ONCE, AttachmentError, Giver
from crm.cases.life import CaseError
from crm.cases.models import Case
from crm.clock import VIETNAM
from crm.intake import arrivals, forms, hand
from crm.intake.forms import FieldError
from crm.intake.hand import Channel
from crm.intake.models import Attachment
from crm.rights import Right

blueprint = Blueprint("case_intake", __name__, url_prefix="/cases/<code>")
SANDBOX = "default-src 'none'; sandbox"


@blueprint.post("/files")
@needs(Right.CASES_OPEN)
@long_body(AT_ONCE * attachments.LARGEST)
def upload(code: str) -> Answer:
    add_files(lambda session: (_case(session, code), person().login), Giver.DESK)
    return _back(code, "files")


def add_files(whose: Callable[[Session], tuple[Case, str]], giver: Giver) -> None:
    """Add the `files` of this request to a case; `whose`: the case, and who adds them. What is
    wrong with one keeps no other from being added, and is told on the next page."""
    with console().database.reading() as session:
        whose(session)  # before anything is kept
    given = [one for one in request.files.getlist("files") if one.filename]
    for number, one in enumerate(given):
        name = attachments.shown_name(one.filename or "")
        try:
            if number >= AT_ONCE:
                raise AttachmentError(f"{AT_ONCE} files at most", "many", name)
            content = one.stream.read(attachments.LARGEST + 1)
            kept = attachments.take(console().settings.home, name, content)
            with console().database.transaction() as session:
                case, by = whose(session)
                attachments.add(session, case, kept, giver=giver, by=by, now=utc_now())
        except AttachmentError as error:
            flash(intake_words.file_problem(error.code, error.name))


@blueprint.get("/files/<int:number>")
@needs(Right.CASES_SEE)
def download(code: str, number: int) -> Answer:
    with console().database.reading() as session:
        case = _case(session, code)
        if not reading.is_open_to(session, case, person().login, utc_now()):
            return _back(code, "words")  # where the reason is asked for
        found = attachments.one_of(session, case, number)
    if found is None:
        raise NotFound()
    return served(found)


def served(attachment: Attachment) -> Answer:
    """A file as a browser gets it: to be kept, never shown by it or run in the name of this site.
    """
    try:
        content = attachments.read(console().settings.home, attachment)
    except AttachmentError as error:
        raise NotFound(intake_words.file_problem(error.code, error.name)) from error
    answer = send_file(
        io.BytesIO(content), mimetype="application/octet-stream", as_attachment=True,
        download_name=attachment.name,
    )
    answer.headers["Content-Security-Policy"] = SANDBOX
    return answer


@blueprint.post("/files/<int:number>/release")
@needs(Right.CASES_DISPATCH)
def release(code: str, number: int) -> Answer:
    with console().database.transaction() as session:
        found = attachments.one_of(session, _case(session, code), number)
        if found is None:
            raise NotFound()
        attachments.release(session, found, by=person().login, now=utc_now())
    return _back(code, "files")


@blueprint.post("/details")
@needs(Right.CASES_OPEN)
def details(code: str) -> Answer:
    """The fields that the case's category has."""
    now = utc_now()
    try:
        with console().database.transaction() as session:
            case = _case(session, code)
            pictures = [one for one in attachments.of_case(session, case)
                        if one.kind in attachments.PICTURES]
            fields = forms.parse(
                case.category or "", request.form, now, screenshot=bool(pictures)
            )
            if fields is None:
                raise BadRequest()
            forms.put(session, case, fields, by=person().login, now=now)
    except FieldError as error:
        flash(intake_words.field_problem(error.code))
    return _back(code, "details")


@blueprint.post("/referral")
@needs(Right.CASES_DISPATCH)
def referral(code: str) -> Answer:
    """A report of false news was handed on to `agency`, under `number`."""
    try:
        with console().database.transaction() as session:
            forms.refer(
                session, _case(session, code), request.form.get("agency", ""),
                request.form.get("number", ""), by=person().login, now=utc_now(),
            )
    except (AgencyError, CaseError) as error:
        flash(words.case_problem("agency" if isinstance(error, AgencyError) else error.code))
    return _back(code, "details")


def how_it_came(form: Mapping[str, str], now: datetime) -> dict[str, Any]:
    """`channel` and `received_at` of a case that is opened at the desk. Raises CaseError."""
    if form.get("call"):
        return {"channel": "call"}
    received = _received(form)
    hand.check_received(received, now)
    return {"channel": _channel(form).value, "received_at": received}


def note_arrival(session: Session, case: Case, form: Mapping[str, str], now: datetime) -> None:
    """Keep the outside reference of a case. Raises CaseError."""
    if not form.get("call"):
        hand.note_arrival(
            session, case, _channel(form), form.get("reference", ""), _received(form), now
        )


def shown(session: Session, case: Case) -> dict[str, Any]:
    """What the page of a case shows of all this."""
    return {
        "files": attachments.of_case(session, case), "arrivals": arrivals.of_case(session, case),
        "forms": forms.FORMS, "details": forms.as_form(forms.of(session, case)),
        "health_app": console().settings.health_app_url,
    }


def _channel(form: Mapping[str, str]) -> Channel:
    try:
        return Channel(form.get("channel") or Channel.HAND)
    except ValueError as error:
        raise BadRequest() from error


def _received(form: Mapping[str, str]) -> datetime | None:
    if not form.get("received"):
        return None
    try:
        told = datetime.fromisoformat(form["received"])
    except ValueError as error:
        raise CaseError("the time of receipt is none", "received") from error
    return told.replace(tzinfo=VIETNAM) if told.tzinfo is None else told


def _case(session: Session, code: str) -> Case:
    try:
        return life.by_code(session, code)
    except CaseError as error:
        raise NotFound() from error


def _back(code: str, part: str) -> Answer:
    return redirect(url_for("case_desk.page", code=code, _anchor=part))
