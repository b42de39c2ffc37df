"""The rules of the desk: how long pauses may be, which results of calls there are."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask_babel import gettext as _  # type: ignore[import-untyped]

from agent_console import words
from agent_console.door import Answer, console, needs, person, utc_now
from crm.agents import pauses, results
from crm.agents.pauses import PauseLimitError
from crm.agents.results import ResultError
from crm.branches import BRANCHES
from crm.desk import PauseReason
from crm.rights import Right

audit = logging.getLogger("hotline.audit")
blueprint = Blueprint("desk_rules", __name__, url_prefix="/desk-rules")


@blueprint.get("")
@needs(Right.DESK_RULES_SEE)
def page() -> Answer:
    return _page()


def _page(problem: str | None = None, given: Mapping[str, str] | None = None) -> Answer:
    with console().database.reading() as session:
        return render_template(
            "desk_rules.html", limits=pauses.limits(session), reasons=words.pause_reasons(),
            results=results.everything(session), branches=[one.id for one in BRANCHES],
            problem=problem, given=given or {}, longest=pauses.LONGEST_MIN,
        ), 400 if problem else 200


@blueprint.post("/pauses")
@needs(Right.DESK_RULES)
def set_pauses() -> Answer:
    """Minutes at once and a day of each reason; an empty field is no limit."""
    form = request.form
    try:
        wanted = {
            reason: (_minutes(form, f"{reason}_at_once"), _minutes(form, f"{reason}_per_day"))
            for reason in PauseReason
        }
        with console().database.transaction() as session:
            changed = pauses.set_limits(session, wanted, by=person().login, now=utc_now())
    except (ValueError, PauseLimitError):
        return _page(str(_("A limit has 1 to %(most)s minutes, or is left empty.",
                           most=pauses.LONGEST_MIN)), form)
    audit.warning("%s: limits of pauses changed: %s", person().login, ", ".join(changed) or "none")
    flash(_("Saved."))
    return redirect(url_for(".page"))


@blueprint.post("/results")
@needs(Right.DESK_RULES)
def keep_result() -> Answer:
    """Add a result, or change the one with this code."""
    form = request.form
    try:
        with console().database.transaction() as session:
            results.keep(
                session, form.get("code", "").strip(), vi=form.get("vi", ""),
                en=form.get("en", ""), branches=form.getlist("branches"),
                needs_case="needs_case" in form, active="active" in form,
                shortest_note=_number(form, "shortest_note"), position=_number(form, "position"),
                by=person().login, now=utc_now(),
            )
    except ResultError as error:
        return _page(words.result_problem(error.code), form)
    audit.warning("%s: result %s changed", person().login, form.get("code"))
    flash(_("Saved."))
    return redirect(url_for(".page"))


def _minutes(form: Mapping[str, str], name: str) -> int | None:
    written = form.get(name, "").strip()
    return int(written) if written else None


def _number(form: Mapping[str, str], name: str) -> int:
    written = form.get(name, "").strip()
    if not written.isascii() or not written.isdecimal() or len(written) > 4:
        raise ResultError(f"{name} is no number", "note")
    return int(written)
