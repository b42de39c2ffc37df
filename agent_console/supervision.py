"""What a supervisor does in the room: listen, help, take a caller elsewhere, send an agent out."""

from __future__ import annotations

import logging
from typing import Any

from flask import Blueprint, request
from flask_babel import gettext as _  # type: ignore[import-untyped]
from sqlalchemy import select
from werkzeug.exceptions import BadRequest, Conflict

from agent_console import telephone
from agent_console.desk import shown_phone
from agent_console.door import Answer, console, needs, person
from crm import desk
from crm.branches import BY_ID
from crm.calls.rows import iso
from crm.desk import PauseReason, SeatKind
from crm.models import LiveAgent, LiveCall, LiveState, User
from crm.rights import Right

audit = logging.getLogger("hotline.audit")
blueprint = Blueprint("supervision", __name__, url_prefix="/supervisor")

HOW = ("listen", "whisper", "barge")
LONGEST_REASON = 200
LISTED = 100


@blueprint.post("/phone")
@needs(Right.FLOOR_LEAD)
def take_phone() -> Answer:
    """A phone to listen with, in no queue: {"kind": "webrtc" | "desk", "wanted": name or null}."""
    asked = _json()
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
    asked = _json()
    login, how = asked.get("agent"), asked.get("how")
    if not isinstance(login, str) or how not in HOW:
        raise BadRequest()
    safety = asked.get("safety")
    safety = " ".join(safety.split())[:LONGEST_REASON] if isinstance(safety, str) else ""
    own = telephone.held_by(console(), person().login)
    if own is None:
        raise Conflict(_("You have no phone. Please take one first."))
    agent = _live(login)
    if agent.call_id is None or agent.interface is None:
        raise Conflict(_("This agent has no call now."))
    result = console().commands.listen(
        agent.call_id, agent.interface, own.interface, how, recorded=not safety
    )
    audit.warning("%s: %s at %s in call %s%s: %s", person().login, how, login, agent.call_id,
                  f" for safety: {safety}" if safety else "", result.outcome)
    return {"outcome": telephone.told(result)}, 200


@blueprint.post("/agents/<login>")
@needs(Right.FLOOR_LEAD)
def change_agent(login: str) -> Answer:
    """{"act": pause (with "reason") | ready | out}."""
    asked, agent = _json(), _live(login)
    if agent.interface is None:
        raise Conflict(_("This agent is not in the queues."))
    match asked.get("act"):
        case "pause" if asked.get("reason") in list(PauseReason):
            outcome = telephone.told(
                console().commands.pause(agent.interface, asked["reason"])
            )
        case "ready":
            outcome = telephone.told(console().commands.pause(agent.interface, None))
        case "out":
            outcome = telephone.leave(console(), login)
        case _:
            raise BadRequest()
    audit.warning("%s: %s for %s: %s", person().login, asked["act"], login, outcome)
    return {"outcome": outcome}, 200


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
    branch = BY_ID.get(str(_json().get("branch")))
    if branch is None or branch.queue is None or branch.id == "emergency":
        raise BadRequest()
    result = console().commands.move(call_id, branch.id)
    audit.warning("%s: call %s to %s: %s", person().login, call_id, branch.id, result.outcome)
    return {"outcome": telephone.told(result)}, 200


def _live(login: str) -> LiveAgent:
    with console().database.reading() as session:
        found = session.get(LiveAgent, login)
        known = session.scalar(select(User.id).where(User.login == login))
        if found is None or known is None:
            raise Conflict(_("This agent is not in the queues."))
        return found


def _json() -> dict[str, Any]:
    asked = request.get_json(silent=True)
    if not isinstance(asked, dict):
        raise BadRequest()
    return asked
