"""The agent's desk: sign-in to the queues, ready and pause, the phone's secret, notes."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

from flask import Blueprint, render_template, url_for
from flask_babel import gettext as _  # type: ignore[import-untyped]
from sqlalchemy.orm import Session
from werkzeug.exceptions import BadRequest, Conflict, NotFound

from agent_console import catalogues, shifts_words, telephone, words
from agent_console.asked import by_script
from agent_console.door import (
    Answer,
    console,
    language,
    needs,
    person,
    phone_server,
    phone_socket,
    utc_now,
)
from agent_console.feed import path_text
from crm import desk
from crm.agents import rescue
from crm.agents import results as call_results
from crm.agents.models import CallResult, RescueCall
from crm.calls import history, lines
from crm.cases import life
from crm.citizens import persons
from crm.desk import PauseReason, SeatKind
from crm.knowledge import scenes
from crm.knowledge import scripts as desk_scripts
from crm.models import Call, LiveCall, User
from crm.rights import Right
from crm.shifts import roster

blueprint = Blueprint("desk", __name__, url_prefix="/agent")

SHIFT = timedelta(hours=12)
SHIFTS_AHEAD = timedelta(days=14)


@blueprint.get("")
@needs(Right.CALLS_TAKE)
def page() -> Answer:
    now = utc_now()
    with console().database.reading() as session:
        offered = [_result(one) for one in call_results.offered(session, None)]
        coming = roster.of_user(session, person().id, now, now + SHIFTS_AHEAD)
    next_shift = coming[0] if coming else None
    given = {
        "offered": offered, "scenes": words.scenes(), "canRing": True,
        "login": person().login, "queues": list(person().skills), **_phone(),
        "texts": catalogues.script_texts(language()), "branches": words.branches(),
        "places": words.places(),
        "queue_names": words.queues(), "states": words.agent_states(),
        "reasons": words.pause_reasons(), "results": words.results(), "outcomes": words.outcomes(),
        "services": words.services(), "help_lines": words.help_lines(),
        "direct": [
            {"digit": one.digit, "kind": one.kind, "to": one.to, "ready": one.ready,
             "name": words.direct(one)} for one in rescue.direct(console().settings)
        ],
        "desk_phones": telephone.free_desk_phones(console(), person()),
        "recording_pauses": words.recording_pauses(),
        "recording_discards": words.recording_discards(),
        "pause_branches": console().settings.recording_pause_branches,
        "may_discard": console().settings.recording_discard == "yes",
    }
    return render_template("agent.html", next_shift=next_shift, said=shifts_words, given=given)


@blueprint.get("/phone")
@needs(Right.CALLS_TAKE)
def phone() -> Answer:
    """How the held phone reaches Asterisk, or null, and whether it is in a call elsewhere."""
    return _phone(), 200


def _phone() -> dict[str, Any]:
    held, elsewhere = telephone.of_sign_in(console(), person())
    return {"phone": shown_phone(held) if held else None, "elsewhere": elsewhere}


def shown_phone(held: telephone.Phone) -> dict[str, Any]:
    """How a phone reaches Asterisk, for its holder's page."""
    settings = console().settings
    shown = {"seat": held.seat, "kind": held.kind.value, "secret": held.secret}
    if held.kind is SeatKind.DESK:
        server = settings.phones_edge or phone_server(settings.sip_bind)
        return {**shown, "server": str(server)}
    host = phone_server(settings.ws_bind).rpartition(":")[0]
    return {**shown, "socket": phone_socket(held.node), "uri": f"sip:{held.seat}@{host}"}


@blueprint.post("/phone")
@needs(Right.CALLS_TAKE)
def take_phone() -> Answer:
    """Lease a phone and join the queues: {"kind": "webrtc" | "desk", "wanted": name or null}."""
    asked = by_script()
    try:
        kind = SeatKind(asked.get("kind", ""))
    except ValueError as error:
        raise BadRequest() from error
    if not person().skills:
        raise Conflict(_("Your account serves no branch yet. Please ask the administrator."))
    _not_elsewhere()
    try:
        held, outcome = telephone.take(console(), person(), kind, asked.get("wanted") or None)
    except desk.NoSeat as error:
        raise Conflict(_("No phone of this kind is free.")) from error
    return {"outcome": outcome, "phone": shown_phone(held)}, 200


@blueprint.delete("/phone")
@needs(Right.CALLS_TAKE)
def leave_phone() -> Answer:
    _not_elsewhere()
    outcome = telephone.told(telephone.leave(console(), person().login))
    return {"outcome": outcome, **_phone()}, 200


def _not_elsewhere() -> None:
    if _phone()["elsewhere"]:
        raise Conflict(_("Your phone is in a call in your other browser. It comes here when that "
                         "call is over."))


@blueprint.post("/state")
@needs(Right.CALLS_TAKE)
def change_state() -> Answer:
    """Ask for ready ({"reason": null}) or pause ({"reason": one of PauseReason})."""
    reason = by_script().get("reason")
    if reason is not None and reason not in list(PauseReason):
        raise BadRequest()
    return {"outcome": telephone.told(console().commands.pause(_interface(), reason))}, 200


@blueprint.post("/wrapup/end")
@needs(Right.CALLS_TAKE)
def end_wrapup() -> Answer:
    me = person()
    outcome = console().commands.end_wrapup(_interface(), me.login, me.skills)
    return {"outcome": telephone.told(outcome)}, 200


def _interface() -> str:
    interface = telephone.interface_of(console(), person().login)
    if interface is None:
        raise Conflict(_("You have no phone. Please sign in to the queues first."))
    return interface


@blueprint.get("/calls/<call_id>")
@needs(Right.CALLS_TAKE)
def call(call_id: str) -> Answer:
    """What is known about a call that rings or rang here: number, commune, path, earlier calls,
    cases, own note."""
    with console().database.reading() as session:
        me = session.get_one(User, person().id)
        if not desk.was_with(session, me.login, call_id):
            raise NotFound()
        record, live = session.get(Call, call_id), session.get(LiveCall, call_id)
        known = [row for row in (record, live) if row is not None]
        caller = desk.caller_of(session, call_id)
        branch = next((row.branch for row in known if row.branch), None)
        note = desk.note_of(session, me, call_id)
        phones = persons.numbers_of(session, caller) if caller else []
        earlier = history.of_callers(session, phones, but=call_id) if phones else []
        now, in_call = utc_now(), life.of_call(session, call_id)
        of_call = {one.id for one in in_call}
        of_number = life.of_phones(session, phones) if phones else []
        own_cases = [*in_call, *(one for one in of_number if one.id not in of_call)]
        area = life.last_area(session, phones, now) if phones else None
        return {
            "id": call_id, "caller": caller, "branch": branch, "area": area.name if area else None,
            "path": path_text(record.path) if record else None,
            "heard": _heard(record) if record else [],
            "rescue": _rescue(session, call_id),
            "note": {
                "text": note.text, "result": note.result, "case": note.case_code or "",
                "done": note.done,
            } if note else None,
            "results": [_result(one) for one in call_results.offered(session, branch)],
            "earlier": [{
                "at": words.day_and_clock(item.call.started_at),
                "branch": words.branch(item.call.branch), "outcome": item.call.outcome,
                "notes": [
                    {"author": each.author, "text": each.text, "result": each.result}
                    for each in item.notes
                ],
            } for item in earlier],
            "cases": [{
                "code": words.case_code(one.code), "page": url_for("case_desk.page", code=one.code),
                "status": words.case_statuses()[one.status], "summary": words.told(one)[:160],
                "of_call": one.id in of_call, "ended": one.status in life.ENDED,
                "overdue": one.status not in life.ENDED and one.due_at < now,
            } for one in own_cases],
        }, 200


def _result(one: CallResult) -> dict[str, Any]:
    """What may be chosen, and what it needs: the page asks for it before it sends the note."""
    return {
        "code": one.code, "branches": one.branches, "needs_case": one.needs_case,
        "shortest_note": one.shortest_note,
    }


def _heard(record: Call) -> list[dict[str, str]]:
    """The way through the menus with the sentence that each key followed."""
    return [
        {
            "menu": words.menu(step["menu"]), "key": words.key(step["key"]),
            "said": console().heard(step["menu"], step["key"]),
        }
        for step in record.path
    ]


def _rescue(session: Session, call_id: str) -> dict[str, str] | None:
    """What stands large on the screen while a service or help line is in the call."""
    known = session.get(RescueCall, call_id)
    if known is None:
        return None
    code = rescue.case_of(session, known).code
    return {
        "number": rescue.number_of(known.to), "address": known.address,
        "case": words.case_code(code), "page": url_for("case_desk.page", code=code),
    }


@blueprint.get("/scripts")
@needs(Right.CALLS_TAKE)
def scripts() -> Answer:
    """The scripts by scene, as steps with answers; kept by the page while the console is dead."""
    with console().database.reading() as session:
        found = desk_scripts.published(session)
        return {"scripts": {scene: {
            "title": one.title, "approved": desk_scripts.is_approved(one),
            "steps": [{
                "lines": step.lines,
                "answers": [{"text": answer.text, "to": answer.to} for answer in step.answers],
            } for step in scenes.steps(one.body)],
        } for scene, one in found.items()}}, 200


@blueprint.put("/calls/<call_id>/note")
@needs(Right.CALLS_TAKE)
def save_note(call_id: str) -> Answer:
    """Keep a note: {"text", "result" or null, "case": its code, "done"}. The same save may come
    twice. What lacks something is kept, not finished, and a sentence says what."""
    asked = by_script()
    text, result, case_code = asked.get("text"), asked.get("result"), asked.get("case") or ""
    try:
        if not isinstance(text, str) or not all(
            isinstance(one, str) for one in (result or "", case_code)
        ):
            raise ValueError("text")
        with console().database.transaction() as session:
            note, fault = desk.save_note(
                session, session.get_one(User, person().id), call_id, text=text,
                result=result or None, done=asked.get("done") is True, now=utc_now(),
                case_code=re.sub(r"\s", "", case_code),
            )
            saved: dict[str, Any] = {"saved": True, "done": note.done}
    except ValueError as error:
        raise BadRequest(_("This note cannot be saved.")) from error
    return saved | ({"problem": words.note_problem(fault)} if fault else {}), 200


@blueprint.put("/calls/<call_id>/line/<leg>")
@needs(Right.CALLS_TAKE)
def save_line(call_id: str, leg: str) -> Answer:
    """Keep how well a leg was heard (crm.calls.lines). The same may come twice."""
    try:
        with console().database.transaction() as session:
            lines.keep(session, leg, call_id, person().login, by_script(), utc_now())
    except ValueError as error:
        raise BadRequest() from error
    return {"saved": True}, 200


@blueprint.get("/calls")
@needs(Right.CALLS_TAKE)
def own_calls() -> Answer:
    """One's own calls of today and of the shift, as a fragment of the page."""
    now = utc_now()
    since = min(history.day_start(now), now - SHIFT)  # a night shift goes on after midnight
    with console().database.reading() as session:
        records = history.of_agent(session, person().login, since)
    return render_template("own_calls.html", records=records, login=person().login)
