"""What a supervisor does in the room: listen, help, take a caller elsewhere, send an agent out."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from flask import Blueprint
from flask_babel import gettext as _  # type: ignore[import-untyped]
from sqlalchemy import select
from sqlalchemy.orm import Session
from werkzeug.exceptions import BadRequest, Conflict, NotFound

from agent_console import telephone
from agent_console.asked import by_script
from agent_console.desk import shown_phone
from agent_console.door import Answer, console, needs, person, utc_now
from crm import desk, keypad, nodes, users
from crm.agents import assistance, rescue
from crm.branches import BY_ID
from crm.calls.rows import iso
from crm.desk import PauseReason, SeatKind
from crm.models import LiveAgent, LiveCall, LiveState, Role, User
from crm.rights import Right
from ivr.commands import Outcome, Result, is_telephone

audit = logging.getLogger("hotline.audit")
blueprint = Blueprint("supervision", __name__, url_prefix="/supervisor")

HOW = ("listen", "whisper", "barge")
LONGEST_REASON = 200
LISTED = 100


@blueprint.post("/phone")
@needs(Right.FLOOR_LEAD)
def take_phone() -> Answer:
    """A phone to listen with, in no queue: {"kind": "webrtc" | "desk", "wanted": name or null}."""
    asked = by_script()
    try:
        kind = SeatKind(asked.get("kind", ""))
        held = telephone.lease(console(), person(), kind, asked.get("wanted") or None)
    except ValueError as error:
        raise BadRequest() from error
    except desk.NoSeat as error:
        raise Conflict(_("No phone of this kind is free.")) from error
    return {"phone": shown_phone(held)}, 200


@blueprint.post("/listen")
@needs(Right.FLOOR_LEAD)
def listen() -> Answer:
    """{"agent", "how": listen | whisper | barge, "safety": the reason where the caller has refused
    the recording}. The supervisor's own phone rings, then is in the talk."""
    how = by_script().get("how")
    if how not in HOW:
        raise BadRequest()
    wanted = _wanted_call()
    return _audited(how, wanted, console().commands.listen(
        wanted.call, wanted.agents_phone, wanted.own, how, person().login,
        recorded=not wanted.safety,
    ))


@blueprint.post("/take-over")
@needs(Right.FLOOR_LEAD)
def take_over() -> Answer:
    """{"agent", "safety": as for `listen`}. The supervisor's own phone rings, if it is not in the
    talk already, then has the caller in the agent's place."""
    wanted = _wanted_call()
    with console().database.reading() as session:
        places = {nodes.of_phone(session, phone) for phone in (wanted.agents_phone, wanted.own)}
    if console().settings.nodes and len(places) > 1:
        raise Conflict(_("This call is at another node. Please take a phone at a console of it."))
    return _audited("takes over", wanted, console().commands.take_over(
        wanted.call, wanted.agents_phone, wanted.own, person().login, recorded=not wanted.safety,
    ))


@blueprint.post("/agents/<login>")
@needs(Right.FLOOR_LEAD)
def change_agent(login: str) -> Answer:
    """{"act": pause (with "reason") | ready | out}."""
    asked, agent = by_script(), _live(login)
    if agent.interface is None:
        raise Conflict(_("This agent is not in the queues."))
    match asked.get("act"):
        case "pause" if asked.get("reason") in list(PauseReason):
            result = console().commands.pause(agent.interface, asked["reason"])
        case "ready":
            result = console().commands.pause(agent.interface, None)
        case "out":
            result = telephone.leave(console(), login)
        case _:
            raise BadRequest()
    audit.warning("%s: %s for %s: %s", person().login, asked["act"], login, result.outcome)
    return {"outcome": telephone.told(result)}, 200


@blueprint.get("/agents/<login>/skills")
@needs(Right.FLOOR_SEE)
def skills(login: str) -> Answer:
    """What an agent serves, and at which level."""
    with console().database.reading() as session:
        return {"skills": users.skills(_agent(session, login))}, 200


@blueprint.put("/agents/<login>/skills")
@needs(Right.FLOOR_LEAD)
def set_skills(login: str) -> Answer:
    """{"skills": {queue: 1 first, 2 later, 3 when nobody else can}}: kept, and where the agent is
    in the queues told to Asterisk at once."""
    asked = by_script().get("skills")
    if not isinstance(asked, dict) or any(type(level) is not int for level in asked.values()):
        raise BadRequest()
    try:
        with console().database.transaction() as session:
            agent = _agent(session, login)
            users.set_skills(agent, asked)
            wanted = users.skills(agent)
            switches = keypad.switches_of(session, agent)
    except users.UserError as error:
        raise BadRequest() from error
    held, result = telephone.held_by(console(), login), Result(Outcome.DONE)
    with console().database.reading() as session:
        live = session.get(LiveAgent, login)
    telephone.tell_keypad(console(), switches)
    here = live.interface if live else None
    if here and (is_telephone(here) or (held and here == held.interface)):
        if wanted:
            result = console().commands.set_skills(here, login, wanted)
        else:
            result = telephone.leave(console(), login)
    audit.warning("%s: skills of %s are %s: %s", person().login, login, wanted, result.outcome)
    return {"outcome": telephone.told(result), "skills": wanted}, 200


@blueprint.post("/help/<int:help_id>")
@needs(Right.FLOOR_LEAD)
def see_to_help(help_id: int) -> Answer:
    """{"act": take | clear}. Two people never both take it."""
    act, me, now = by_script().get("act"), person().login, utc_now()
    try:
        with console().database.transaction() as session:
            match act:
                case "take":
                    assistance.take(session, help_id, me, now)
                case "clear":
                    assistance.clear(session, help_id, me, now)
                case _:
                    raise BadRequest()
    except assistance.HelpError as error:
        raise Conflict(
            _("%(who)s sees to it already.", who=error.by) if error.by else _("It is over.")
        ) from error
    audit.warning("%s: %s help %s", me, act, help_id)
    return {"outcome": "done"}, 200


@blueprint.post("/rescues/<call_id>/seen")
@needs(Right.FLOOR_LEAD)
def seen_rescue(call_id: str) -> Answer:
    """A supervisor knows that a service has been called into a call."""
    with console().database.transaction() as session:
        first = rescue.see(session, call_id, person().login, utc_now())
    if first:
        audit.warning("%s has seen the call for life %s", person().login, call_id)
    return {"outcome": "done"}, 200


@blueprint.get("/waiting")
@needs(Right.FLOOR_SEE)
def waiting() -> Answer:
    """The callers who wait for a person, the longest first; LISTED at most."""
    with console().database.reading() as session:
        found = session.scalars(
            select(LiveCall).where(LiveCall.state == LiveState.WAITING.value)
            .order_by(LiveCall.queued_at).limit(LISTED)
        )
        return {"calls": [{
            "id": one.id, "caller": one.caller, "branch": one.branch,
            "queued_at": iso(one.queued_at or one.since),
        } for one in found]}, 200


@blueprint.post("/calls/<call_id>/branch")
@needs(Right.FLOOR_LEAD)
def move(call_id: str) -> Answer:
    """A caller who waits goes on waiting in another branch, in the old place: {"branch": id}."""
    branch = BY_ID.get(str(by_script().get("branch")))
    if branch is None or branch.queue is None or branch.id == "emergency":
        raise BadRequest()
    result = console().commands.move(call_id, branch.id)
    audit.warning("%s: call %s to %s: %s", person().login, call_id, branch.id, result.outcome)
    return {"outcome": telephone.told(result)}, 200


@dataclass(frozen=True)
class _Wanted:
    """The call of an agent that a supervisor asks for, with the phones of both."""

    login: str
    call: str
    agents_phone: str
    own: str
    safety: str


def _wanted_call() -> _Wanted:
    asked = by_script()
    login, safety = asked.get("agent"), asked.get("safety")
    if not isinstance(login, str):
        raise BadRequest()
    own = telephone.held_by(console(), person().login)
    if own is None:
        raise Conflict(_("You have no phone. Please take one first."))
    agent = _live(login)
    if agent.call_id is None or agent.interface is None:
        raise Conflict(_("This agent has no call now."))
    return _Wanted(
        login, agent.call_id, agent.interface, own.interface,
        " ".join(safety.split())[:LONGEST_REASON] if isinstance(safety, str) else "",
    )


def _audited(how: str, wanted: _Wanted, result: Result) -> Answer:
    audit.warning("%s: %s at %s in call %s%s: %s", person().login, how, wanted.login, wanted.call,
                  f" for safety: {wanted.safety}" if wanted.safety else "", result.outcome)
    return {"outcome": telephone.told(result)}, 200


def _live(login: str) -> LiveAgent:
    with console().database.reading() as session:
        found = session.get(LiveAgent, login)
        known = session.scalar(select(User.id).where(User.login == login))
        if found is None or known is None:
            raise Conflict(_("This agent is not in the queues."))
        return found


def _agent(session: Session, login: str) -> User:
    found = session.scalar(select(User).where(
        User.login == login, User.role == Role.AGENT.value
    ))
    if found is None:
        raise NotFound()
    return found
