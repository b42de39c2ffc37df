"""An agent's call with others: somebody asked meanwhile, called in, or taking over."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from typing import Any

from flask import Blueprint
from flask_babel import gettext as _  # type: ignore[import-untyped]
from sqlalchemy import select
from sqlalchemy.orm import Session
from werkzeug.exceptions import BadRequest, Conflict, NotFound

from agent_console import telephone, words
from agent_console.asked import by_script
from agent_console.door import Answer, console, needs, person, utc_now
from crm import desk, nodes, users
from crm.agents import assistance, rescue
from crm.branches import BRANCHES, SERVICES
from crm.calls import out
from crm.calls.out import Limit
from crm.clock import VIETNAM, vietnam_day
from crm.models import AgentState, LiveAgent, User
from crm.recordings.models import DISCARDS, PAUSES
from crm.rights import Right
from crm.setting_values import Expert
from ivr.commands import RecordingAct, Result

log = logging.getLogger("hotline.audit")
blueprint = Blueprint("call_desk", __name__, url_prefix="/agent")


@blueprint.get("/people")
@needs(Right.CALLS_TAKE)
def people() -> Answer:
    """Whom a caller can be led to: branches, agents who are there, doctors on duty, services, help
    lines."""
    with console().database.reading() as session:
        rows = session.execute(
            select(LiveAgent, User.name).join(User, User.login == LiveAgent.login)
            .where(LiveAgent.login != person().login, LiveAgent.state != AgentState.OFFLINE)
            .order_by(User.name)
        )
        agents = [
            {
                "login": agent.login, "name": name, "state": agent.state, "queues": agent.queues,
                "phone": (agent.interface or "").removeprefix("PJSIP/"),
            }
            for agent, name in rows
        ]
        doctors = [one.id for one in _on_duty()]
        names = users.names_of(session, doctors)
    targets = console().settings.emergency_targets
    return {
        "agents": agents,
        "experts": [{"id": one, "name": names.get(one, one)} for one in doctors],
        "branches": [one.id for one in BRANCHES if one.queue and one.id != "emergency"],
        "services": [
            {"id": one.id, "number": one.number} for one in SERVICES if targets.get(one.id)
        ],
        "help_lines": list(console().settings.help_lines),
        "checked": {
            one.number: _("tried on %(day)s, %(owner)s", day=words.day(one.on), owner=one.owner)
            for one in console().settings.emergency_checked
        },
        "unchecked": console().settings.unchecked(vietnam_day(utc_now())),
        "outside": bool(console().settings.outbound),
    }, 200


@blueprint.post("/calls/<call_id>/with")
@needs(Right.CALLS_TAKE)
def with_others(call_id: str) -> Answer:
    """{"act": consult | invite | transfer, "kind": branch | agent | expert | service | outside,
    "to": …}, or {"act": together | back | leave}."""
    asked = by_script()
    interface = telephone.interface_of(console(), person().login)
    if interface is None:
        raise Conflict(_("You have no phone. Please sign in to the queues first."))
    act, commands = asked.get("act"), console().commands
    match act:
        case "together":
            result = commands.bring_together(call_id, interface)
        case "back":
            result = commands.take_back(call_id, interface)
        case "leave":
            result = commands.hand_over(call_id, interface)
        case _:
            if _for_life(asked):
                _begin_rescue(call_id, asked)
            result = _asked(call_id, interface, asked)
    log.info("%s: %s %s in call %s: %s", person().login, act, asked.get("kind", ""), call_id,
             result.outcome)
    return {"outcome": telephone.told(result)}, 200


@blueprint.post("/calls/<call_id>/recording")
@needs(Right.CALLS_TAKE)
def record(call_id: str) -> Answer:
    """{"act": paused (with "why" of PAUSES) | resumed | discarded (with "why" of DISCARDS)}."""
    asked = by_script()
    try:
        act = RecordingAct(asked.get("act", ""))
    except ValueError as error:
        raise BadRequest() from error
    reasons: tuple[str, ...] = {RecordingAct.PAUSED: PAUSES, RecordingAct.DISCARDED: DISCARDS}.get(
        act, ("",)
    )
    why = asked.get("why", "")
    if why not in reasons:
        raise BadRequest()
    if act is RecordingAct.DISCARDED and console().settings.recording_discard == "no":
        raise Conflict(_("Recordings may not be discarded here. Please pause it."))
    interface = telephone.interface_of(console(), person().login)
    if interface is None:
        raise Conflict(_("You have no phone. Please sign in to the queues first."))
    result = console().commands.record(call_id, interface, act, why, person().login)
    log.warning("%s: recording of call %s %s (%s): %s", person().login, call_id, act, why,
                result.outcome)
    return {"outcome": telephone.told(result)}, 200


def _asked(call_id: str, interface: str, asked: dict[str, Any]) -> Result:
    act, kind, to = asked.get("act"), asked.get("kind"), asked.get("to")
    if not isinstance(to, str) or not isinstance(kind, str):
        raise BadRequest()
    login = ""
    if kind == "agent":
        to, login = _seat_of(to, interface), to
    elif kind == "expert":
        if to not in [one.id for one in _on_duty()]:
            raise Conflict(_("This doctor is not on duty now."))
        to = f"doc-{to}"
    elif kind == "service":
        to = f"service-{to}"
    elif kind == "outside":
        to = re.sub(r"[\s.()-]", "", to)
        if not re.fullmatch(r"[0-9]{3,15}", to):
            raise Conflict(_("This is no telephone number."))
        with console().database.transaction() as session:
            note_ring(session, to)
    commands = console().commands
    match act:
        case "consult" if kind != "branch":
            return commands.consult(call_id, interface, to, login)
        case "invite" if kind != "branch":
            return commands.invite(call_id, interface, to, login)
        case "transfer" if kind != "expert":  # a voicemail box might have the caller
            where = kind if kind in ("branch", "agent") else "outside"
            return commands.transfer(call_id, interface, where, to, login)
    raise BadRequest()


def _for_life(asked: Mapping[str, Any]) -> bool:
    """Whether an emergency service or a help line is called into the call."""
    if asked.get("act") not in ("consult", "invite"):
        return False
    lines = console().settings.help_lines
    return asked.get("kind") == "service" or asked.get("to") in lines


def _begin_rescue(call_id: str, asked: Mapping[str, Any]) -> None:
    """The case and the alarm, before anybody is rung; only of the agent's own call."""
    me, to = person().login, str(asked.get("to"))
    services = {one.id for one in SERVICES}
    if asked.get("kind") == "service" and to not in services:
        raise BadRequest()
    with console().database.transaction() as session:
        if not desk.was_with(session, me, call_id):
            raise NotFound()
        rescue.begin(
            session, call_id, agent=me, to=f"service-{to}" if to in services else to,
            caller=desk.caller_of(session, call_id), now=utc_now(),
        )
    log.warning("%s calls %s into call %s", me, to, call_id)


@blueprint.put("/calls/<call_id>/address")
@needs(Right.CALLS_TAKE)
def keep_address(call_id: str) -> Answer:
    """Where help is to come to, as it is typed: {"address"}."""
    asked = by_script()
    if not isinstance(address := asked.get("address"), str):
        raise BadRequest()
    with console().database.transaction() as session:
        if not desk.was_with(session, person().login, call_id):
            raise NotFound()
        rescue.set_address(session, call_id, address)
    return {"saved": True}, 200


@blueprint.post("/help")
@needs(Right.CALLS_TAKE)
def ask_for_help() -> Answer:
    """Help is needed now, or ({"needed": false}) no longer. The call goes on."""
    asked, me, now = by_script(), person().login, utc_now()
    if not isinstance(wanted := asked.get("needed"), bool):
        raise BadRequest()
    with console().database.transaction() as session:
        live = session.get(LiveAgent, me)
        if wanted:
            assistance.ask(session, me, live.call_id if live else None, now)
        elif (known := assistance.of_agent(session, me)) is not None:
            assistance.clear(session, known.id, me, now)
    log.warning("%s %s help", me, "needs" if wanted else "does not need")
    return {"needed": wanted}, 200


def note_ring(session: Session, number: str, call: str | None = None) -> None:
    """Write down that this person rings a number outside. Raises Conflict: it may not be rung, or
    too many were."""
    settings = console().settings
    if not out.may_be_rung(settings, number):
        raise Conflict(_("This number may not be rung from here."))
    try:
        out.note(session, settings, number, person().login, utc_now(), call)
    except out.TooManyError as error:
        log.warning("%s may ring nobody: %s", person().login, error)
        until = words.day_and_clock(error.until)
        raise Conflict(
            _("You have rung as many numbers as may be rung in an hour. The next can be rung from "
              "%(time)s on.", time=until)
            if error.limit is Limit.HOUR else
            _("All agents together have rung as many numbers as may be rung in a day. The next can "
              "be rung from %(time)s on.", time=until)
            if error.limit is Limit.TOGETHER else
            _("You have rung as many numbers as may be rung in a day. The next can be rung from "
              "%(time)s on.", time=until)
        ) from error


def _on_duty() -> list[Expert]:
    """The doctors who can be rung now."""
    settings, at = console().settings, utc_now().astimezone(VIETNAM)
    return [one for one in settings.experts if settings.outbound and one.is_on_duty(at)]


def _seat_of(login: str, interface: str) -> str:
    with console().database.reading() as session:
        user = session.scalar(select(User).where(User.login == login))
        seat = desk.seat_of(session, user) if user else None
        if seat is None or login == person().login:
            raise Conflict(_("This agent is not there any more."))
        if seat.node != (nodes.of_phone(session, interface) or seat.node):
            raise Conflict(_("This agent's phone is at another node. Please lead the caller to a "
                             "branch that the agent serves."))
        return seat.name
