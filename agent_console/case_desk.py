"""Cases: opened during a call or by hand, classified, sent to an agency, followed to their end."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import date, datetime, time, timedelta

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask_babel import gettext as _  # type: ignore[import-untyped]
from sqlalchemy import select
from sqlalchemy.orm import Session
from werkzeug.exceptions import BadRequest, NotFound

from agent_console import case_intake, places, words
from agent_console.asked import whole
from agent_console.door import Answer, console, needs, person, utc_now
from agent_console.places import PlaceError
from crm import areas, packs
from crm.agencies import register
from crm.agencies.register import AgencyError
from crm.agents import rescue
from crm.calls import history
from crm.calls.facts import CALL_ID
from crm.cases import codes, dispatch, drafts, groups, life, questions, reading
from crm.cases import links as case_links
from crm.cases import words as case_words
from crm.cases.categories import CategoryError
from crm.cases.deadlines import GENERALS
from crm.cases.life import CaseError, Refusal
from crm.cases.models import Case, Identity, Status
from crm.citizens import contacts, persons
from crm.citizens.errors import ContactError
from crm.citizens.numbers import NumberError
from crm.clock import VIETNAM, vietnam_day
from crm.intake import text
from crm.models import Call
from crm.notices import board
from crm.rights import Right

blueprint = Blueprint("case_desk", __name__, url_prefix="/cases")

LISTED = 200
RECENT_CALLS = 10


@blueprint.get("")
@needs(Right.CASES_SEE)
def listing() -> Answer:
    """What no agency has yet, then what is handled, the most urgent first; or what `q` finds: one
    case by its code, else those that have all its words."""
    asked = request.args.get("q", "").strip()
    with console().database.reading() as session:
        if codes.is_code(code := re.sub(r"\s", "", asked)):
            try:
                return redirect(url_for(".page", code=life.by_code(session, code).code))
            except CaseError:
                pass  # a telephone number within a summary, perhaps
        return render_template(
            "cases.html", asked=asked, now=utc_now(), listed=LISTED,
            found=case_words.found_by(session, asked, LISTED) if asked else [],
            waiting=[] if asked else life.to_dispatch(session, LISTED),
            handled=[] if asked else life.handled(session, LISTED),
            looks=[] if asked else dispatch.to_look_at(session, utc_now()),
        )


@blueprint.get("/new")
@needs(Right.CASES_OPEN)
def new() -> Answer:
    call_id = request.args.get("call", "")
    with console().database.reading() as session:
        call = session.get(Call, call_id) if call_id else None
        phone = (call.caller if call else None) or request.args.get("caller", "")[:20]
        return _new_form(session, {
            "call": call_id, "phone": phone, "panel": request.args.get("panel", ""),
            **_known_of(session, phone),
        })


@blueprint.post("")
@needs(Right.CASES_OPEN)
def create() -> Answer:
    form, now, by = request.form, utc_now(), person().login
    try:
        with console().database.transaction() as session:
            case = life.open_case(
                session, summary=text.clean(form.get("summary", "")), by=by, now=now,
                phone=_phone(form), identity=_identity(form), call_id=_call_id(form),
                private=case_words.is_private(form.get("category")),
                **case_intake.how_it_came(form, now),
            )
            case_intake.note_arrival(session, case, form, now)
            if form.get("category"):
                _classify(session, case, now)
            _keep_name(session, case, form.get("name", ""), now)
            code = case.code
    except (CaseError, AgencyError, CategoryError, PlaceError, ContactError) as error:
        with console().database.reading() as session:
            return _new_form(session, form.to_dict(), error)
    if form.get("panel"):  # the agent's desk stays where it is
        page_of = url_for(".page", code=code)
        return {"code": code, "shown": words.case_code(code), "page": page_of}, 201
    flash(_("The case is open. Its code, to be read to the citizen: %(code)s",
            code=words.case_code(code)))
    return redirect(url_for(".page", code=code))


@blueprint.get("/<code>")
@needs(Right.CASES_SEE)
def page(code: str) -> Answer:
    with console().database.reading() as session:
        return _page(session, _case(session, code))


@blueprint.post("/<code>/identity")
@needs(Right.CASES_IDENTITY)
def show_identity(code: str) -> Answer:
    """Who reported, where that is hidden: for a reason, which stands in the case for good."""
    try:
        with console().database.transaction() as session:
            life.note_look(session, _case(session, code), request.form.get("reason", ""),
                            by=person().login, now=utc_now())
    except CaseError as error:
        with console().database.reading() as session:
            return _page(session, _case(session, code), error)
    with console().database.reading() as session:
        return _page(session, _case(session, code), phone_shown=True)


@blueprint.post("/<code>/words")
@needs(Right.CASES_WORDS)
def read_words(code: str) -> Answer:
    """What a sealed case says: for a reason, which stands in the case for good."""
    try:
        with console().database.transaction() as session:
            reading.note(session, _case(session, code), request.form.get("reason", ""),
                              by=person().login, now=utc_now())
    except CaseError as error:
        with console().database.reading() as session:
            return _page(session, _case(session, code), error)
    return redirect(url_for(".page", code=code))


@blueprint.post("/<code>/classify")
@needs(Right.CASES_OPEN)
def classify(code: str) -> Answer:
    return _changed(code, lambda session, case: _classify(session, case, utc_now()))


@blueprint.post("/<code>/assign")
@needs(Right.CASES_DISPATCH)
def assign(code: str) -> Answer:
    return _changed(code, lambda session, case: life.move(
        session, case, Status.ASSIGNED, by=person().login, now=utc_now(),
        agency=request.form.get("agency", ""), reason=request.form.get("reason", ""),
    ))


@blueprint.post("/<code>/answer")
@needs(Right.CASES_DISPATCH)
def answer(code: str) -> Answer:
    return _changed(code, lambda session, case: life.set_answer(
        session, case, request.form.get("answer", ""), by=person().login, now=utc_now(),
    ))


@blueprint.post("/<code>/move")
@needs(Right.CASES_DISPATCH)
def move(code: str) -> Answer:
    try:
        to = Status(request.form.get("to", ""))
        day = date.fromisoformat(request.form["due"]) if request.form.get("due") else None
        refusal = Refusal(request.form["refusal"]) if request.form.get("refusal") else None
    except ValueError as error:
        raise BadRequest() from error
    return _changed(code, lambda session, case: life.move(
        session, case, to, by=person().login, now=utc_now(), reason=request.form.get("reason", ""),
        due_at=_end_of(day) if day and to is Status.EXTENDED else None,
        refusal=refusal if to is Status.REJECTED else None,
    ))


@blueprint.post("/<code>/join")
@needs(Right.CASES_DISPATCH)
def join(code: str) -> Answer:
    """The case is a double of another."""
    def act(session: Session, case: Case) -> None:
        main = life.by_code(session, re.sub(r"\s", "", request.form.get("main", "")))
        groups.join(session, case, main, by=person().login, now=utc_now())

    return _changed(code, act)


@blueprint.post("/<code>/split")
@needs(Right.CASES_OPEN)
def split(code: str) -> Answer:
    """A second trouble that was told with the first becomes a case of its own."""
    made: list[str] = []

    def act(session: Session, case: Case) -> None:
        made.append(groups.split(
            session, case, request.form.get("summary", ""), by=person().login, now=utc_now()
        ).code)

    answer = _changed(code, act)
    if made:
        flash(_("The second case is open. Its code, to be read to the citizen: %(code)s",
                code=words.case_code(made[0])))
    return answer


@blueprint.post("/<code>/call")
@needs(Right.CASES_OPEN)
def add_call(code: str) -> Answer:
    """The case was spoken of in another call."""
    def act(session: Session, case: Case) -> None:
        call_id = _call_id(request.form)
        if call_id is None or session.get(Call, call_id) is None:
            raise CaseError("there is no such call", "call")
        life.add_call(session, case, call_id, by=person().login, now=utc_now())

    return _changed(code, act)


@blueprint.post("/<code>/information")
@needs(Right.CASES_OPEN)
def add_information(code: str) -> Answer:
    """What the citizen has added, in a message or a call, is written down for the agency."""
    def act(session: Session, case: Case) -> None:
        told = text.clean(request.form.get("information", ""))
        if not told:
            raise CaseError("say what was added", "summary")
        life.add_information(session, case, told, by=person().login, now=utc_now())

    return _changed(code, act)


@blueprint.post("/<code>/public")
@needs(Right.CASES_DISPATCH)
def set_public(code: str) -> Answer:
    return _changed(code, lambda session, case: dispatch.set_public(
        session, case, request.form.get("public_text", ""), by=person().login, now=utc_now(),
    ))


@blueprint.post("/<code>/links")
@needs(Right.CASES_DISPATCH)
def links(code: str) -> Answer:
    """End one link, or have new ones sent."""
    def act(session: Session, case: Case) -> None:
        by, now = person().login, utc_now()
        if (link_id := request.form.get("end", type=whole)) is not None:
            dispatch.revoke(session, case, link_id, by=by, now=now)
        else:
            dispatch.send_again(session, case, by=by, now=now)

    return _changed(code, act)


def _changed(code: str, act: Callable[[Session, Case], None]) -> Answer:
    """Do what was asked of a case, unless it has changed since the page was loaded."""
    try:
        with console().database.transaction() as session:
            case = _case(session, code)
            life.unchanged_since(session, case, request.form.get("seen", type=whole))
            act(session, case)
    except (CaseError, AgencyError, CategoryError, PlaceError) as error:
        with console().database.reading() as session:
            return _page(session, _case(session, code), error)
    return redirect(url_for(".page", code=code))


def _classify(session: Session, case: Case, now: datetime) -> None:
    life.classify(
        session, case, request.form.get("category", ""), by=person().login, now=now,
        area=places.area_of(request.form, now), about=request.form.get("about") or None,
        general=GENERALS[console().settings.general_days],
    )


def _identity(form: Mapping[str, str]) -> Identity:
    try:
        return Identity(form.get("identity", ""))
    except ValueError as error:
        raise BadRequest() from error


def _call_id(form: Mapping[str, str]) -> str | None:
    given = form.get("call", "")
    if given and not CALL_ID.fullmatch(given):
        raise BadRequest()
    return given or None


def _known_of(session: Session, phone: str | None) -> dict[str, str]:
    """Name and commune of whoever has a number, as far as they are known."""
    try:
        number = contacts.parsed(phone or "")
    except NumberError:
        return {}
    known = contacts.citizen_of(session, number)
    area = life.last_area(session, persons.numbers_of(session, number.dialled), utc_now())
    return {"name": known.name if known else "", "place": area.name if area else ""}


def _keep_name(session: Session, case: Case, name: str, now: datetime) -> None:
    """Who calls, for the next time; not of whoever wants to stay unknown. Raises ContactError."""
    if not name.strip() or case.phone is None or case.identity != Identity.SHOWN:
        return
    number = contacts.parsed(case.phone)
    known = contacts.citizen_of(session, number)
    if known is None or known.name != " ".join(name.split()):
        contacts.keep(
            session, number, name=name, language=known.language if known else "",
            note=known.note if known else "", by=person().login, now=now,
        )


def _phone(form: Mapping[str, str]) -> str | None:
    try:
        return text.phone(form.get("phone", ""))
    except NumberError as error:
        raise CaseError(str(error), "phone") from error


def _end_of(day: date) -> datetime:
    return datetime.combine(day + timedelta(days=1), time(), VIETNAM) - timedelta(seconds=1)


def _case(session: Session, code: str) -> Case:
    try:
        return life.by_code(session, code)
    except CaseError as error:
        raise NotFound() from error


def _code_of(error: Exception) -> str:
    match error:
        case CaseError(code=code):
            return code
        case PlaceError(sides=sides):
            return "sides" if sides else "place"
        case ContactError():
            return "name"
        case AgencyError():
            return "agency"
        case _:
            return "category"


def _new_form(
    session: Session, given: Mapping[str, str], error: Exception | None = None
) -> Answer:
    template = "case_new_form.html" if given.get("panel") else "case_new.html"
    return render_template(template, given=given, **_choices(session, error)), (
        400 if error else 200
    )


def _page(
    session: Session, case: Case, error: Exception | None = None, *, phone_shown: bool = False
) -> Answer:
    now = utc_now()
    events = life.events_of(session, case)
    day = vietnam_day(now)
    at_work = Status(case.status) not in life.ENDED
    status = 409 if error is not None and _code_of(error) == "stale" else 400 if error else 200
    readable = reading.is_open_to(session, case, person().login, now)
    return render_template(
        "case.html", readable=readable, question=questions.asked(session, case), case=case,
        phone_shown=phone_shown or case.identity == Identity.SHOWN,
        events=events, seen=events[-1].id, now=now, at_work=at_work,
        units=areas.standing(day),
        suggested=life.suggested(session, case, now),
        moves=[one for one in Status if one in life.MOVES[Status(case.status)]
               and one not in (Status.ASSIGNED, Status.CLASSIFIED, Status.REOPENED,
                               Status.DUPLICATE)],
        alike=groups.alike(session, case) if at_work else [],
        doubles=groups.doubles(session, case), draft=drafts.waiting(session, case),
        links=case_links.of_case(session, case), calls=_calls(session, case),
        rescues=rescue.of_case(session, case), notices=board.of_case(session, case.id),
        split_from=case.split_from,
        may_join=Status.DUPLICATE in life.MOVES[Status(case.status)],
        with_agency=case.status in life.AT_AGENCY, refusals=life.REFUSALS,
        given=request.form.to_dict(), **_choices(session, error),
        **case_intake.shown(session, case),
    ), status


def _calls(session: Session, case: Case) -> list[tuple[Call, bool]]:
    """The calls in which it was spoken of (True), and others of its number that may be (False)."""
    spoken = life.calls_of(session, case)
    found = {one.id: one for one in session.scalars(select(Call).where(Call.id.in_(spoken)))}
    recent = history.of_callers(session, [case.phone], limit=RECENT_CALLS) if (
        case.phone) else []
    return [
        *((found[id_], True) for id_ in spoken if id_ in found),
        *((one.call, False) for one in recent if one.call.id not in spoken),
    ]


def _choices(session: Session, error: Exception | None) -> dict[str, object]:
    now = utc_now()
    sides = error.sides if isinstance(error, PlaceError) else {}
    return {
        "problem": words.case_problem(_code_of(error)) if error else None, "sides": sides,
        "categories": packs.offered(console().settings.home), "identities": Identity,
        "agencies": register.standing(session, now),
        "names": sorted({area.name for area in areas.all_areas()}),
    }
