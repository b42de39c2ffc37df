"""The page on which a citizen writes a case. Nothing that was typed or added is lost when something
is wrong with it, and a page that is sent twice makes one case."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import cast

from flask import Blueprint, current_app, redirect, render_template, request, session, url_for
from flask_babel import gettext as _  # type: ignore[import-untyped]
from itsdangerous import BadData, URLSafeTimedSerializer
from werkzeug.datastructures import FileStorage

from agent_console import intake_words, places, words
from agent_console.door import Answer, console, long_body, public, utc_now
from agent_console.places import PlaceError
from crm import areas
from crm.cases import attachments, life
from crm.cases.attachments import AT_ONCE, AttachmentError, Kept, Kind
from crm.cases.categories import CategoryError
from crm.cases.deadlines import GENERALS
from crm.cases.life import CaseError
from crm.cases.models import Case, Identity
from crm.citizens.numbers import NumberError
from crm.intake import forms, text, web
from crm.intake.forms import FieldError
from crm.intake.web import Report

blueprint = Blueprint("report", __name__, url_prefix="/report")
LONGEST_POST = 3 * attachments.LARGEST
SHORTEST_KEY = 16
TRAP = "homepage"  # a field that people do not see
_KEPT_S = attachments.STRAYS_KEPT.total_seconds() / 2  # what a faulty page brought along


class _Faults(Exception):
    """What is wrong with a page that was sent: sentences by the name of the field."""

    def __init__(self, sentences: Mapping[str, str], sides: Mapping[str, areas.Area]) -> None:
        self.sentences, self.sides = sentences, sides


@blueprint.get("")
@public
def form() -> Answer:
    """An empty form; `about`: a category, with its own fields."""
    about = request.args.get("about", "")
    known = about if about in {one.id for one in web.CHOICES} else ""
    return _form({"key": secrets.token_urlsafe(18), "category": known, "identity": "shown"}, [])


@blueprint.post("")
@public
@long_body(LONGEST_POST)
def send() -> Answer:
    """Take a case in, or show what is wrong with it."""
    files, file_faults = _files()
    try:
        report = _parsed(request.form, files, file_faults)
        with console().database.transaction() as opened:
            case = web.take_in(
                opened, report, utc_now(), GENERALS[console().settings.general_days]
            )
    except _Faults as faults:
        return _form(request.form, files, faults.sentences, faults.sides)
    except AttachmentError as error:
        told = {"files": intake_words.file_problem(error.code, error.name)}
        return _form(request.form, files, told)
    except CaseError as error:
        return _form(request.form, files, {error.code: words.case_problem(error.code)})
    except CategoryError:
        return _form(request.form, files, {"category": words.case_problem("category")})
    session["report"] = case.code
    return redirect(url_for(".done"))


@blueprint.get("/done")
@public
def done() -> Answer:
    """The code of the case that this browser has just sent."""
    code = session.get("report")
    if not code:
        return redirect(url_for(".form"))
    with console().database.reading() as opened:
        case = life.by_code(opened, code)
        return render_template("public/report_done.html", case=case, mail=_told_by_sms(case))


def _told_by_sms(case: Case) -> bool:
    return bool(case.phone and case.phone.startswith(("03", "05", "07", "08", "09")))


def _parsed(form: Mapping[str, str], files: list[Kept], faults: dict[str, str]) -> Report:
    """Raises _Faults: all of them at once."""
    now = utc_now()
    told = dict(faults)
    sides: Mapping[str, areas.Area] = {}
    category, area, phone, fields = form.get("category") or None, None, None, None
    summary = text.clean(form.get("summary", ""), text.LONGEST + 1)
    if not summary:
        told["summary"] = words.case_problem("summary")
    elif len(summary) > text.LONGEST:
        told["summary"] = _("The text is too long: %(num)s letters at most.", num=text.LONGEST)
    if category is not None and category not in {one.id for one in web.CHOICES}:
        told["category"] = words.case_problem("category")
    try:
        area = places.area_of(form, now)
    except PlaceError as error:
        sides = error.sides
        told["place"] = words.case_problem("sides" if sides else "place")
    try:
        phone = text.phone(form.get("phone", ""))
    except NumberError:
        told["phone"] = words.case_problem("phone")
    try:
        identity = Identity(form.get("identity", ""))
    except ValueError:
        identity = Identity.SHOWN
        told["identity"] = _("Choose whether agencies may know who you are.")
    if identity is Identity.ANONYMOUS and phone:
        told["phone"] = words.case_problem("anonymous")
    try:
        fields = forms.parse(
            category or "", form, now, screenshot=any(one.kind in attachments.PICTURES
                                                      for one in files),
        )
    except FieldError as error:
        told[error.code] = intake_words.field_problem(error.code)
    if form.get("consent") != web.CONSENT:
        told["consent"] = _("Without your consent the hotline cannot keep what you write. You can "
                            "call 1022 instead.")
    if form.get(TRAP):
        told["trap"] = _("Something filled in a field that is not shown. Please send again.")
    if len(form.get("key", "")) < SHORTEST_KEY:
        told["trap"] = _("This form has expired. Please send again.")
    if told:
        raise _Faults(told, sides)
    return Report(
        form["key"][:64], summary, text.line(form.get("spot", "")), category, area, identity,
        form.get("public") == "yes" and identity is not Identity.HIDDEN, phone, fields, files,
    )


def _files() -> tuple[list[Kept], dict[str, str]]:
    """The files that came, and those that came before with a page that had a fault. What is wrong
    with one keeps no other from being taken."""
    kept = list(_brought_before())
    fault = {}
    for given in request.files.getlist("files"):
        if not given.filename:
            continue
        try:
            kept.append(_taken(given, len(kept)))
        except AttachmentError as error:
            fault["files"] = intake_words.file_problem(error.code, error.name)
    return kept, fault


def _taken(given: FileStorage, before: int) -> Kept:
    name = attachments.shown_name(given.filename or "")
    if before >= AT_ONCE:
        raise AttachmentError(f"{AT_ONCE} files at most", "many", name)
    content = given.stream.read(attachments.LARGEST + 1)
    return attachments.take(console().settings.home, name, content)


def _brought_before() -> Iterator[Kept]:
    for signed in request.form.getlist("kept")[:AT_ONCE]:
        try:
            told = _signer().loads(signed, max_age=int(_KEPT_S))
        except BadData:
            continue  # too old, or not from here
        yield Kept(**told | {"kind": Kind(told["kind"])})


def _signer() -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(cast(str, current_app.secret_key), salt="kept file")


def _form(
    given: Mapping[str, str], files: list[Kept], faults: Mapping[str, str] | None = None,
    sides: Mapping[str, areas.Area] | None = None,
) -> Answer:
    told = dict(given)
    if faults and "trap" in faults:
        told["key"] = secrets.token_urlsafe(18)
    return render_template(
        "public/report.html", given=told, faults=faults or {}, sides=sides or {},
        files=[(one, _signer().dumps(asdict(one))) for one in files], trap=TRAP,
        choices=web.CHOICES, consent=web.CONSENT, consent_text=web.CONSENT_TEXT,
        longest=text.LONGEST, names=sorted({area.name for area in areas.all_areas()}),
        at_once=AT_ONCE,
    ), 400 if faults else 200
