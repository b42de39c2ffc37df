"""How many agents are needed: the forecast of a day, what two more or fewer would do, and a past
day over again."""

from __future__ import annotations

import math
from datetime import date, timedelta

from flask import Blueprint, render_template, request
from werkzeug.exceptions import BadRequest

from agent_console import words
from agent_console.asked import day_of
from agent_console.door import Answer, console, needs, utc_now
from crm.clock import vietnam_day
from crm.rights import Right
from crm.shifts.roster import IN_BRANCHES
from crm.staffing import erlang, forecast, plan, replay

blueprint = Blueprint("staffing", __name__, url_prefix="/staffing")
AHEAD = timedelta(days=forecast.WEEK.days)  # how far a forecast goes
BACK = timedelta(days=366)


@blueprint.get("")
@needs(Right.STAFFING_SEE)
def page() -> Answer:
    """`day` (tomorrow), `branch` (all), `replay`: the past day that is played again (yesterday)."""
    now = utc_now()
    today = vietnam_day(now)
    day = _day("day", today + timedelta(days=1), today - BACK, today + AHEAD)
    past = _day("replay", today - timedelta(days=1), today - BACK, today - timedelta(days=1))
    branch = request.args.get("branch", "")
    if branch and branch not in IN_BRANCHES:
        raise BadRequest()
    with console().database.reading() as session:
        found = plan.of_day(session, console().settings, branch, day, today)
        played = replay.of_day(session, console().settings, branch, past, now)
    return render_template(
        "staffing.html", plan=found, played=played, past=past, today=today, ahead=today + AHEAD,
        branch=branch, branches={one: words.branch(one) for one in IN_BRANCHES},
        level={more: plan.level(found.slots, more) for more in (-plan.MORE, 0, plan.MORE)},
        more=plan.MORE, Method=forecast.Method, enough=forecast.ENOUGH, fewest=replay.FEWEST,
        clock=_clock, tried=_tried(),
    )


def _tried() -> dict[str, object] | None:
    """What a queue comes to that somebody types: `calls` an hour, `handling` seconds, `agents`,
    `patience` seconds or none."""
    if "calls" not in request.args:
        return None
    given = {name: request.args.get(name, type=_finite) for name in (
        "calls", "handling", "agents", "patience"
    )}
    calls, handling, agents = given["calls"], given["handling"], given["agents"]
    if (
        calls is None or handling is None or agents is None or not 0 <= calls <= 20_000
        or not 1 <= handling <= 7200 or not 0 <= agents <= 2000
    ):
        return {"problem": True, **given}
    patience = given["patience"]
    if patience is not None and not 1 <= patience <= plan.LONGEST_PATIENCE_S:
        return {"problem": True, **given}
    settings = console().settings
    rate = calls / 3600
    return {
        "problem": False, **given,
        "load": rate * handling,
        "needed": erlang.agents_for(
            rate, handling, settings.service_level_s,
            min(settings.service_level_percent / 100, 0.99),
        ) if calls * handling < 3600 * 2000 else None,
        "outlook": erlang.outlook(
            erlang.Queue(rate, handling, int(agents), patience), settings.service_level_s,
            plan.AT_ONCE_S,
        ),
    }


def _finite(written: str) -> float:
    """Raises ValueError: it is no number, or one without end."""
    if not math.isfinite(number := float(written)):
        raise ValueError("no number")
    return number


def _clock(slot: int) -> str:
    return f"{slot // 2:02d}:{slot % 2 * 30:02d}"


def _day(name: str, otherwise: date, first: date, last: date) -> date:
    day = day_of(request.args.get(name), otherwise)
    if not first <= day <= last:
        raise BadRequest()
    return day
