"""The people of agencies: their cases, from the desk of their account or through a link to one.

Opening a link changes nothing. A code that goes to the registered telephone lets its officer in for
half a day; the link ends with the case, or when the case is handed on.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, time, timedelta

from flask import Blueprint, current_app, make_response, redirect, render_template, request, url_for
from itsdangerous import BadSignature, URLSafeTimedSerializer
from sqlalchemy.orm import Session
from werkzeug.exceptions import BadRequest, Forbidden, Gone, NotFound

from agent_console import case_intake, intake_words, words
from agent_console.asked import whole
from agent_console.door import Answer, console, long_body, needs, person, public, utc_now
from crm import areas
from crm.agencies import officers, register
from crm.agencies import view as agency_view
from crm.agencies.models import Officer
from crm.agencies.register import AgencyError
from crm.agencies.view import Act
from crm.cases import attachments, drafts, links, reading, texts
from crm.cases import life as cases
from crm.cases.attachments import AT_ONCE, LARGEST, Giver
from crm.cases.disguise import nameless
from crm.cases.life import CaseError, Mover
from crm.cases.links import CODE_LASTS, LinkError
from crm.cases.models import Case, Identity, Status
from crm.clock import VIETNAM, vietnam_day
from crm.intake import forms
from crm.notices import outbox
from crm.notices.outbox import Channel, Purpose
from crm.rights import Right

blueprint = Blueprint("officer_desk", __name__)
STAYS = timedelta(hours=12)
Deed = Callable[[Session, Case, Officer, datetime], None]


# ------------------------------------------------------------------ by an account
@blueprint.get("/agency")
@needs(Right.AGENCY_CASES)
def listing() -> Answer:
    """What the officer's agency has in hand."""
    now = utc_now()
    with console().database.reading() as session:
        officer = _signed_in(session)
        return render_template(
            "agency_cases.html", cases=agency_view.of_agency(session, officer, now),
            agency=officer.agency, now=now, units=areas.standing(vietnam_day(now)),
            listed=agency_view.LISTED,
        )


@blueprint.get("/agency/<code>")
@needs(Right.AGENCY_CASES)
def page(code: str) -> Answer:
    _note_read(lambda session: (_case(session, code), _signed_in(session)))
    with console().database.reading() as session:
        officer = _signed_in(session)
        return _page(session, _case(session, code), officer, url_for(".act", code=code))


@blueprint.post("/agency/<code>")
@needs(Right.AGENCY_CASES)
def act(code: str) -> Answer:
    def found(session: Session) -> tuple[Case, Officer]:
        return _case(session, code), _signed_in(session)

    return _done(found, url_for(".page", code=code), url_for(".listing"))


@blueprint.get("/agency/<code>/files/<int:number>")
@needs(Right.AGENCY_CASES)
def file(code: str, number: int) -> Answer:
    with console().database.reading() as session:
        return _file(session, _case(session, code), _signed_in(session), number)


@blueprint.post("/agency/<code>/files")
@needs(Right.AGENCY_CASES)
@long_body(AT_ONCE * LARGEST)
def add_files(code: str) -> Answer:
    def found(session: Session) -> tuple[Case, Officer]:
        return _case(session, code), _signed_in(session)

    return _add_files(found, url_for(".page", code=code))


# ------------------------------------------------------------------ by a link
@blueprint.get("/o/<token>")
@public
def link(token: str) -> Answer:
    if _is_in(token):
        _note_read(lambda session: _of_link(session, token))
    with console().database.reading() as session:
        case, officer = _of_link(session, token)
        if _is_in(token):
            return _page(session, case, officer, url_for(".act_by_link", token=token))
        return _door(session, token)


@blueprint.post("/o/<token>/code")
@public
def send_code(token: str) -> Answer:
    """A new code to the officer's telephone."""
    now = utc_now()
    with console().database.transaction() as session:
        case, officer = _of_link(session, token)
        try:
            code = links.new_code(links.living(session, token), now)
        except LinkError as error:
            return _door(session, token, error)
        outbox.write(
            session, channel=Channel.SMS, recipient=officer.phone, now=now, urgent=True,
            body=texts.one_time_code(code, int(CODE_LASTS.total_seconds()) // 60),
            purpose=Purpose.CODE, case_id=case.id,
        )
    with console().database.reading() as session:
        return _door(session, token)


@blueprint.post("/o/<token>/enter")
@public
def enter(token: str) -> Answer:
    problem: LinkError | None = None
    with console().database.transaction() as session:  # a miss is counted, too
        _of_link(session, token)
        try:
            links.enter(
                links.living(session, token), request.form.get("code", "").strip(), utc_now()
            )
        except LinkError as error:
            problem = error
    if problem is not None:
        with console().database.reading() as session:
            return _door(session, token, problem)
    answer = make_response(redirect(url_for(".link", token=token)))
    answer.set_cookie(
        _cookie(), _signer().dumps(token), path=url_for(".link", token=token), httponly=True,
        samesite="Lax", secure=console().secure, max_age=int(STAYS.total_seconds()),
    )
    return answer


@blueprint.post("/o/<token>")
@public
def act_by_link(token: str) -> Answer:
    if not _is_in(token):
        raise Forbidden()
    here = url_for(".link", token=token)
    return _done(lambda session: _of_link(session, token), here, here)


@blueprint.get("/o/<token>/files/<int:number>")
@public
def file_by_link(token: str, number: int) -> Answer:
    if not _is_in(token):
        raise Forbidden()
    with console().database.reading() as session:
        return _file(session, *_of_link(session, token), number)


@blueprint.post("/o/<token>/files")
@public
@long_body(AT_ONCE * LARGEST)
def add_files_by_link(token: str) -> Answer:
    if not _is_in(token):
        raise Forbidden()
    return _add_files(lambda session: _of_link(session, token), url_for(".link", token=token))


# ------------------------------------------------------------------ files
def _file(session: Session, case: Case, officer: Officer, number: int) -> Answer:
    found = attachments.one_of(session, case, number, for_agency=True)
    if found is None or not agency_view.may_see(session, case, officer, utc_now()):
        raise NotFound()
    return case_intake.served(found)


def _add_files(found: Callable[[Session], tuple[Case, Officer]], here: str) -> Answer:
    def whose(session: Session) -> tuple[Case, str]:
        case, officer = found(session)
        if not agency_view.may_see(session, case, officer, utc_now()):
            raise NotFound()
        return case, officer.name

    case_intake.add_files(whose, Giver.OFFICER)
    return redirect(here)


# ------------------------------------------------------------------ what they do
def _accept(session: Session, case: Case, officer: Officer, now: datetime) -> None:
    _move(session, case, Status.IN_PROGRESS, officer, now)


def _ask(session: Session, case: Case, officer: Officer, now: datetime) -> None:
    if not request.form.get("reason", "").strip():
        raise CaseError("say what is asked of the citizen", "reason")
    _move(session, case, Status.NEED_INFO, officer, now)


def _extend(session: Session, case: Case, officer: Officer, now: datetime) -> None:
    try:
        day = date.fromisoformat(request.form.get("due", ""))
    except ValueError as error:
        raise CaseError("the new date is no day", "date") from error
    until = datetime.combine(day + timedelta(days=1), time(), VIETNAM) - timedelta(seconds=1)
    _move(session, case, Status.EXTENDED, officer, now, due_at=until)


def _answer(session: Session, case: Case, officer: Officer, now: datetime) -> None:
    drafts.propose(session, case, request.form.get("answer", ""), officer, now)


def _give_back(session: Session, case: Case, officer: Officer, now: datetime) -> None:
    _move(session, case, Status.CLASSIFIED, officer, now)


def _hand_on(session: Session, case: Case, officer: Officer, now: datetime) -> None:
    _move(session, case, Status.ASSIGNED, officer, now, agency=request.form.get("agency", ""))


def _approve(session: Session, case: Case, officer: Officer, now: datetime) -> None:
    drafts.approve(session, case, officer, now)


def _send_back(session: Session, case: Case, officer: Officer, now: datetime) -> None:
    drafts.send_back(session, case, officer, request.form.get("reason", ""), now)


_DEEDS: dict[str, tuple[Act, Deed]] = {
    "accept": (Act.ACCEPT, _accept), "ask": (Act.ASK, _ask), "extend": (Act.EXTEND, _extend),
    "answer": (Act.ANSWER, _answer), "give_back": (Act.GIVE_BACK, _give_back),
    "hand_on": (Act.HAND_ON, _hand_on), "approve": (Act.APPROVE, _approve),
    "send_back": (Act.APPROVE, _send_back),
}


def _move(
    session: Session, case: Case, to: Status, officer: Officer, now: datetime, *,
    due_at: datetime | None = None, agency: str | None = None,
) -> None:
    cases.move(
        session, case, to, by=officer.name, now=now, reason=request.form.get("reason", ""),
        due_at=due_at, agency=agency, mover=Mover.OFFICER,
    )


def _done(
    found: Callable[[Session], tuple[Case, Officer]], here: str, afterwards: str
) -> Answer:
    """Do what was asked, unless the case has changed since the page was loaded; then back to the
    case, or away from it where it is not the agency's any more."""
    wanted = _DEEDS.get(request.form.get("act", ""))
    if wanted is None:
        raise BadRequest()
    allowed, deed = wanted
    now = utc_now()
    try:
        with console().database.transaction() as session:
            case, officer = found(session)
            seen = agency_view.view(session, case, officer, now)
            cases.unchanged_since(session, case, request.form.get("seen", type=whole))
            if allowed not in seen.acts:
                raise CaseError("this is not done with the case as it is", "move")
            deed(session, case, officer, now)
            still_theirs = agency_view.may_see(session, case, officer, now)
            code = case.code
    except (CaseError, AgencyError) as error:
        with console().database.reading() as session:
            case, officer = found(session)
            return _page(session, case, officer, here, error)
    if still_theirs:
        return redirect(here)
    if afterwards != here:
        return redirect(afterwards)
    return render_template("officer_done.html", code=code)


def _page(
    session: Session, case: Case, officer: Officer, action: str, error: Exception | None = None
) -> Answer:
    now = utc_now()
    try:
        view = agency_view.view(session, case, officer, now)
    except CaseError as refused:
        raise NotFound() from refused
    code = error.code if isinstance(error, CaseError) else "agency"
    others = [one for one in register.standing(session, now)
              if one.id not in (case.agency_id, case.about_id)]
    return render_template(
        "officer_case.html", case=view, action=action, now=now, officer=officer,
        files=attachments.of_case(session, case, for_agency=True),
        details=[(label, value if case.identity == Identity.SHOWN else nameless(value))
                 for label, value in intake_words.details(forms.of(session, case))],
        given=request.form.to_dict(), problem=words.case_problem(code) if error else None,
        area=areas.standing(vietnam_day(now)).get(case.area or ""), others=others,
        tomorrow=vietnam_day(now) + timedelta(days=1),
    ), 409 if error and code == "stale" else 400 if error else 200


def _note_read(found: Callable[[Session], tuple[Case, Officer]]) -> None:
    """That somebody of the agency reads a sealed case, where they may."""
    now = utc_now()
    with console().database.reading() as session:
        case, officer = found(session)
        if not case.sealed or not agency_view.may_see(session, case, officer, now):
            return
    with console().database.transaction() as session:
        case, officer = found(session)
        reading.note_agency(session, case, officer.name, now)


def _door(session: Session, token: str, error: LinkError | None = None) -> Answer:
    """Where the code is asked for; what the case is about is not told yet."""
    found = links.living(session, token) if error is None or error.code != "dead" else None
    if found is None:
        raise Gone(words.link_problem("dead"))
    sent = found.code_sent_at
    return render_template(
        "officer_door.html", token=token, code=found.case.code, agency=found.officer.agency.name,
        telephone=found.officer.phone[-3:], problem=words.link_problem(error.code) if error
        else None, sent=sent is not None and found.code is not None and (
            utc_now() - sent < CODE_LASTS
        ),
    ), 400 if error else 200


def _of_link(session: Session, token: str) -> tuple[Case, Officer]:
    try:
        return agency_view.of_link(session, token, utc_now())
    except LinkError as error:
        raise Gone(words.link_problem("dead")) from error


def _signed_in(session: Session) -> Officer:
    found = officers.of_login(session, person().login, utc_now())
    if found is None:
        raise Forbidden()
    return found


def _case(session: Session, code: str) -> Case:
    try:
        return cases.by_code(session, code)
    except CaseError as error:
        raise NotFound() from error


def _cookie() -> str:
    return f"{console().cookie}_link"


def _signer() -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(str(current_app.secret_key), salt="officer's link")


def _is_in(token: str) -> bool:
    """Whether this browser has shown the code of this link."""
    try:
        shown = _signer().loads(
            request.cookies.get(_cookie(), ""), max_age=int(STAYS.total_seconds())
        )
    except BadSignature:
        return False
    return bool(shown == token)
