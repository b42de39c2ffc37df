"""What people read for the values that programs keep: states, outcomes, reasons, paths."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, datetime
from typing import Any, cast

from flask import g
from flask_babel import get_locale  # type: ignore[import-untyped]
from flask_babel import gettext as _
from sqlalchemy import select
from sqlalchemy.orm import Session

from agent_console.door import console
from crm.agents import rescue
from crm.agents import results as call_results
from crm.branches import BRANCHES, BY_ID, HELP_LINES, SERVICES
from crm.calls import lines as line_quality
from crm.cases.categories import CATEGORIES
from crm.cases.dispatch import Why
from crm.cases.models import Case, Identity, Status
from crm.clock import VIETNAM
from crm.desk import PauseReason
from crm.knowledge.models import PointKind, State
from crm.knowledge.scenes import SCENES
from crm.models import AgentState, Outcome, Role, User
from crm.notices.models import Purpose
from crm.reports.document import grouped
from crm.reports.health import Doubt


def branch(branch_id: str | None) -> str:
    """A branch's name in the reader's language."""
    if branch_id is None:
        return ""
    known = BY_ID.get(branch_id)
    if known is None:
        return branch_id
    return known.en if str(get_locale()) == "en" else known.vi


def branches() -> dict[str, str]:
    return {branch_id: branch(branch_id) for branch_id in BY_ID}


def queues() -> dict[str, str]:
    """Each queue by the name of the line that its agents are for."""
    names = {item.queue: branch(item.id) for item in BRANCHES if item.queue}
    return names | {
        "muong": _("Speaks Mường"), "thai": _("Speaks Thái"), "hmong": _("Speaks Hmong"),
    }


def roles() -> dict[str, str]:
    return {
        Role.AGENT.value: _("Agent"), Role.LEAD.value: _("Team lead"),
        Role.DISPATCHER.value: _("Dispatcher"), Role.SUPERVISOR.value: _("Supervisor"),
        Role.ADMIN.value: _("Administrator"), Role.AUDITOR.value: _("Auditor"),
        Role.HEALTH.value: _("Health department's officer"),
        Role.OFFICER.value: _("Agency's officer"), Role.LEADER.value: _("Agency's leader"),
        Role.EXPERT.value: _("Doctor on duty"),
    }


def names_of(session: Session) -> dict[str, str]:
    """People's names by their logins."""
    return {one.login: one.name for one in session.execute(select(User.login, User.name))}


def missed_results() -> dict[str, str]:
    """What came of ringing a caller back."""
    return {
        "helped": _("Helped"), "no_answer": _("No answer, again later"),
        "not_needed": _("Needs nothing more"), "wrong": _("Wrong number"),
    }


def services() -> dict[str, str]:
    """Emergency services by id."""
    vietnamese = str(get_locale()) == "vi"
    names = {
        "medical": _("Medical emergency"), "fire": _("Fire"), "police": _("Police"),
        "rescue": _("Disaster, rescue"),
    }
    return {one.id: one.vi if vietnamese else names[one.id] for one in SERVICES}


def help_lines() -> dict[str, str]:
    """What help lines are for, by number, where it is known."""
    vietnamese = str(get_locale()) == "vi"
    return {number: one.vi if vietnamese else one.en for number, one in HELP_LINES.items()}


def direct(one: rescue.Direct) -> str:
    """A service or help line that one key calls in, such as "115 Medical emergency"."""
    name = services().get(one.to) if one.kind == "service" else help_lines().get(one.to)
    return " ".join(part for part in (one.number, name) if part)


def agent_states() -> dict[str, str]:
    return {
        AgentState.READY.value: _("Ready"), AgentState.PAUSED.value: _("Paused"),
        AgentState.RINGING.value: _("Ringing"), AgentState.TALKING.value: _("Talking"),
        AgentState.WRAPUP.value: _("Wrap-up"),
        AgentState.UNREACHABLE.value: _("Phone unreachable"),
        AgentState.OFFLINE.value: _("Not in the queues"),
    }


def pause_reasons() -> dict[str, str]:
    return {
        PauseReason.REST.value: _("Short break"), PauseReason.LUNCH.value: _("Lunch"),
        PauseReason.TRAINING.value: _("Training"), PauseReason.PRIVATE.value: _("Private matter"),
        PauseReason.OTHER_WORK.value: _("Other work"),
    }


def score(points: int) -> str:
    """A score of crm.quality.cards.WHOLE: 87.5 %."""
    return f"{points / 100:.1f} %"


def recording_pauses() -> dict[str, str]:
    """Why an agent pauses a recording (crm.recordings.models.PAUSES)."""
    return {
        "card": _("Card or bank details"), "health": _("About somebody's health"),
        "asked": _("The caller asks for it"), "typed": _("Private details are typed"),
    }


def recording_discards() -> dict[str, str]:
    """Why a recording is deleted after the call (crm.recordings.models.DISCARDS)."""
    return {
        "asked": _("The caller asks for it"), "private": _("A private talk, no service"),
        "mistaken": _("Another person was recorded by mistake"),
        "refused": _("The caller refused the recording"),
    }


def lines() -> dict[str, str]:
    """Kinds of telephones outside."""
    return {
        "expert": _("Doctor"), "duty": _("Phone on duty"), "service": _("Emergency service"),
        "line": _("Number"), "mobile": _("Mobile phone"),
    }


def results() -> dict[str, str]:
    """The results of calls by code, also those that are used no more."""
    if "results" not in g:
        english = str(get_locale()) == "en"
        with console().database.reading() as session:
            g.results = {
                one.code: one.en if english else one.vi
                for one in call_results.everything(session)
            }
    return cast("dict[str, str]", g.results)


def note_problem(code: str) -> str:
    """Why a note is not finished (crm.agents.results.fault)."""
    sentences: dict[str, str] = {
        "result": _("Please choose a result first."),
        "branch": _("This result is not one of this branch: please choose another."),
        "note": _("This result needs a longer note."),
        "case": _("This result needs the code of the case."),
    }
    return sentences[code]


def result_problem(code: str) -> str:
    """Why a result is not kept (crm.agents.results.ResultError)."""
    sentences: dict[str, str] = {
        "code": _("A code has 2 to 24 of a-z and _."), "name": _("A name has 1 to 60 letters."),
        "branch": _("There is no such branch."),
        "note": _("A note has 0 to 500 letters at least; the place is a number up to 999."),
    }
    return sentences[code]


def outcomes() -> dict[str, str]:
    return {
        Outcome.ANSWERED.value: _("Spoke with a person"),
        Outcome.TRANSFERRED.value: _("Transferred outside"),
        Outcome.CALLBACK.value: _("Callback asked for"),
        Outcome.VOICEMAIL.value: _("Left a message"),
        Outcome.SELF_SERVED.value: _("Served by the menu"),
        Outcome.ABANDONED_QUEUE.value: _("Gave up waiting"),
        Outcome.ABANDONED_MENU.value: _("Hung up in the menu"),
        Outcome.REJECTED.value: _("Refused (overload or blocked)"),
        Outcome.LOST.value: _("Cut by a fault"),
    }


def switch(name: str) -> str:
    """What a switch does."""
    if name.startswith("hours."):
        return str(_("Opening hours: %(branch)s", branch=branch(name.removeprefix("hours."))))
    if name.startswith("wait."):
        queue = queues()[name.removeprefix("wait.")]
        return str(_("Waiting time is told: %(queue)s", queue=queue))
    return str({
        "overload": _("New calls hear that the hotline is overloaded (emergency still works)"),
        "notice": _("Said at the beginning of every call"),
        "survey": _("Callers are asked how it was"),
    }[name])


def switch_value(value: str) -> str:
    return str({
        "on": _("Switched on"), "off": _("Switched off"), "auto": _("By the calendar"),
        "open": _("Open"), "closed": _("Closed"), "none": _("Nothing"),
        "high_volume": _("Many calls, long waits"),
        "disaster": _("Disaster: key 4 for rescue"), "epidemic": _("Epidemic: please be patient"),
        "trial": _("Trial operation"),
    }[value])


def category(id_: str | None) -> str:
    """What a case is about, in the reader's language."""
    found = next((one for one in CATEGORIES if one.id == id_), None)
    if found is None:
        return ""
    return found.en if str(get_locale()) == "en" else found.vi


def case_code(code: str) -> str:
    """As it is read out: in two groups of four."""
    return f"{code[:4]} {code[4:]}"


def case_statuses() -> dict[str, str]:
    return {
        Status.NEW.value: _("New"), Status.CLASSIFIED.value: _("Classified"),
        Status.ASSIGNED.value: _("With the agency"), Status.IN_PROGRESS.value: _("In progress"),
        Status.NEED_INFO.value: _("Needs information"), Status.EXTENDED.value: _("Extended"),
        Status.RESOLVED.value: _("Resolved"), Status.CLOSED.value: _("Closed"),
        Status.REJECTED.value: _("Refused"), Status.DUPLICATE.value: _("Duplicate"),
        Status.REOPENED.value: _("Reopened"),
    }


def identities() -> dict[str, str]:
    return {
        Identity.SHOWN.value: _("Agencies see who reports"),
        Identity.HIDDEN.value: _("Hidden from agencies"),
        Identity.ANONYMOUS.value: _("Anonymous: no number is kept"),
    }


def case_events() -> dict[str, str]:
    return {
        "opened": _("Opened"), "classified": _("Classified"), "moved": _("Moved on"),
        "answered": _("Answer set"), "reopen": _("The citizen asked to look again"),
        "info": _("The citizen has added something"), "attached": _("File added"),
        "released": _("File released to the agency"), "details": _("Details filled in"),
        "unconfirmed": _("Unconfirmed information"), "referred": _("Referred"),
        "portal": _("State at the portal"),
        "draft": _("Answer written, to be approved"), "approved": _("Answer approved"),
        "returned": _("Answer sent back"), "joined": _("Joined with another case"),
        "split": _("A second case made of it"), "call": _("Spoken of in a call"),
        "reminded": _("Reminded"), "duty": _("Taken on by the telephone on duty"),
        "rated": _("The citizen's judgement"), "public": _("Text for everybody set"),
        "looked": _("Identity looked at"), "read": _("Sealed words read"),
        "revoked": _("Link revoked"),
        "sent_again": _("Link sent again"),
    }


def link_problem(code: str) -> str:
    """Why a link or its code is not taken (the codes of crm.cases.links.LinkError)."""
    sentences: dict[str, str] = {
        "dead": _("This link leads nowhere any more: the case is done, or is with another agency."
                  " A new link comes by SMS, or from the hotline."),
        "wrong": _("The code is not right."),
        "late": _("The code is too old: have another one sent."),
        "soon": _("A code was sent just now: please wait a minute."),
    }
    return sentences[code]


def looks() -> dict[str, str]:
    """Why the desk should look at a case (crm.cases.dispatch.Why)."""
    return {
        Why.RETURNED.value: _("given back by the agency"),
        Why.UNDELIVERED.value: _("a message to the agency failed"),
        Why.UNOPENED.value: _("nobody of the agency has opened it"),
        Why.DISPLEASED.value: _("the citizen is not satisfied"),
    }


def contact_problem(code: str) -> str:
    """Why a number or what is known of whoever has it is not taken."""
    sentences: dict[str, str] = {
        "number": _("This is nobody's telephone number: write it like 0912345678 or 02373852246."),
        "name": _("A name has 80 letters at most."), "note": _("A note has 500 letters at most."),
        "language": _("There is no such language."),
        "purpose": _("Choose what was said, and about what."),
        "channel": _("Choose what was said, and how."),
        "evidence": _("Write how it can be shown: the call, the form, the letter."),
        "same": _("This is the same number."), "reason": _("Write how you know it."),
        "together": _("These numbers are one person's already."),
        "alone": _("This number belongs to no other."),
        "many": _("One person has ten numbers at most."),
        "stale": _("Somebody else has changed this meanwhile: see what it says now."),
    }
    return sentences[code]


def consent_purposes() -> dict[str, str]:
    return {"record": _("recordings of calls"), "publish": _("results in public"),
            "contact": _("being rung or written to")}


def consent_said() -> dict[str, str]:
    return {"given": _("agrees"), "refused": _("does not agree"), "ended": _("agrees no more")}


def consent_standing() -> dict[str, str]:
    """What stands in the list: what can be written down, and what follows from a call."""
    return consent_said() | {"unheard": _("did not hear the notice to its end; not recorded")}


def consent_channels() -> dict[str, str]:
    return {"web": _("on the web"), "call": _("by telephone"), "counter": _("at the counter"),
            "letter": _("by letter")}


def tracing_problem(code: str) -> str:
    """Why a request to trace a number is not entered (crm.privacy.tracing.TracingError)."""
    sentences: dict[str, str] = {
        "number": _("This is nobody's telephone number: write it like 0912345678 or 02373852246."),
        "reference": _("Write the number of the authority's letter."),
        "requester": _("Write who asks, and of which authority."),
        "basis": _("Write by which law and for what it is asked."),
        "days": _("A request is open for 1 to 30 days."),
    }
    return sentences[code]


def tracing_refused() -> dict[str, str]:
    """Why nothing is shown or approved (crm.privacy.tracing.Refused)."""
    return {
        "unknown": _("There is no such request."),
        "unapproved": _("Nobody has approved this request yet."),
        "same": _("Another person than who entered it must approve a request."),
        "done": _("This request is approved already."), "expired": _("This request has expired."),
        "ended": _("This request has been ended."),
    }


def tracing_deeds() -> dict[str, str]:
    return {
        "asked": _("entered"), "approved": _("approved"), "page": _("looked"),
        "csv": _("took the list out"), "ended": _("ended it"),
    }


def privacy_kinds() -> dict[str, str]:
    return {"see": _("see the data"), "correct": _("correct the data"),
            "erase": _("erase the data")}


def told(case: Case) -> str:
    """What a case says, in a list that anybody of the desk sees."""
    return _("Sealed") if case.sealed else case.summary


def reading_reasons() -> list[str]:
    """Why the words of a sealed case are read, most often."""
    return [_("To send it to the agency"), _("The citizen is on the line"),
            _("To check the agency's answer")]


def privacy_states() -> dict[str, str]:
    return {"open": _("to be decided"), "agreed": _("agreed, being done"),
            "refused": _("refused"), "done": _("done")}


def breach_problem(code: str) -> str:
    """Why what was written of an incident is not taken (crm.privacy.breaches.BreachError)."""
    sentences: dict[str, str] = {
        "what": _("Say what has happened, in 10 letters or more."),
        "data": _("Say which data, of whom."), "people": _("How many people is no number below 0."),
        "discovered": _("Say when it was discovered: in the last year, not in the future."),
        "measures": _("Write first what is done about it."),
        "number": _("Write the number of the letter."), "outcome": _("Write how it ended."),
        "told": _("The authority is told first, and once."),
        "closed": _("This incident is closed."), "unknown": _("There is no such incident."),
    }
    return sentences[code]


def privacy_problem(code: str) -> str:
    """Why a request about personal data is not taken (crm.privacy.requests.RequestError)."""
    sentences: dict[str, str] = {
        "number": _("This is nobody's telephone number: write it like 0912345678 or 02373852246."),
        "kind": _("Choose what is asked."), "requester": _("Say who asks."),
        "checked": _("Say how it was made sure who asks."),
        "same": _("Another person than who entered it decides."),
        "decided": _("This request is decided already."),
        "ground": _("A refusal needs its ground in law."),
        "once": _("A request is extended once only."), "reason": _("Say why."),
        "held": _("This number is held by order: nothing of it is erased."),
        "until": _("Choose a day that is not over."), "unknown": _("There is no such request."),
    }
    return sentences[code]


def actor(by: str) -> str:
    """Who did something to a case: a login, a name, or none of the hotline's people."""
    return {"citizen": str(_("the citizen")), "system": str(_("automatically"))}.get(by, by)


def case_scores() -> dict[int, str]:
    """What citizens think of a result (crm.cases.life.SCORES)."""
    return {1: _("satisfied"), 2: _("acceptable"), 3: _("not satisfied")}


def notice_purposes() -> dict[str, str]:
    return {
        Purpose.CASE.value: _("to the citizen"), Purpose.LINK.value: _("link to the officer"),
        Purpose.REMINDER.value: _("reminder"), Purpose.CODE.value: _("one-time code"),
    }


def suggested_why(why: str) -> str:
    reasons: dict[str, str] = {
        "area": _("the route of this commune"), "committee": _("the commune's own committee"),
        "category": _("what it is about"), "fallback": _("no closer route is set"),
        "above": _("one level above the agency it is about"),
    }
    return reasons[why]


def case_problem(code: str) -> str:
    """Why something cannot be done with a case (codes of crm.cases.life.CaseError and of forms)."""
    sentences: dict[str, str] = {
        "summary": _("Say what the case is about."),
        "name": _("A name has 80 letters at most."),
        "anonymous": _("An anonymous case keeps no number: leave it out, or hide the identity."),
        "phone": _("A telephone number has 10 or 11 digits and begins with 0."),
        "ended": _("The case has ended: it must be reopened first."),
        "mover": _("Only the hotline's desk does this."),
        "same": _("A case is not joined with itself."),
        "call": _("There is no such call."),
        "private": _("The citizen has not let the result be public."),
        "unknown": _("There is no such case."),
        "move": _("The case cannot go there from where it is."),
        "agency": _("Choose an agency that stands today."),
        "date": _("An extension needs a date that is later than the one it has."),
        "reason": _("Say why."),
        "once": _("A case is extended once only."),
        "answer": _("A case is resolved with an answer for the citizen: set it first."),
        "about": _("A case never goes to the agency that it is about."),
        "stale": _("Somebody else has changed this case meanwhile: see below, then try again."),
        "place": _("There is no such commune or ward."),
        "sides": _("There are several: choose one."),
        "category": _("Choose what it is about."),
        "received": _("It was received on a day before now, and within a year."),
        "reference": _("There is a case under this reference already."),
        "personal": _("A public result has no telephone or identity numbers."),
    }
    return sentences.get(code) or str(_("Something went wrong on the server."))


def health_figures() -> dict[str, str]:
    return {
        "new_cases": _("New cases"), "recovered": _("Recovered"),
        "deaths": _("Deaths (in all)"), "under_treatment": _("Under treatment"),
        "tests": _("Tests"), "doses": _("Doses"),
    }


def report_problem(code: str) -> str:
    """Why figures or files are not taken (the codes of crm.reports.health and upload)."""
    sentences: dict[str, str] = {
        "day": _("Figures can be entered for today and the 31 days before."),
        "empty": _("There are no figures."),
        "area": _("There is no such commune or ward."),
        "twice": _("A commune or ward stands there twice."),
        "number": _("A figure is a whole number, 0 or more."),
        "source": _("Say where the figures come from."),
        "doubts": _("Some figures look wrong. Correct them, or confirm that they are right."),
        "unknown": _("There are no figures."),
        "stale": _("Somebody else has entered newer figures: look at them first."),
        "same": _("Figures are approved by another person than who entered them."),
        "done": _("These figures are approved already."),
        "file": _("This is no XLSX file."),
        "large": _("The file is too large."),
        "program": _("The file has programs or other files in it."),
        "sheet": _("The file has no sheet “Số liệu”: fill in the empty file from here."),
        "headings": _("The first row is not that of the empty file from here."),
        "rows": _("The sheet has too many rows."),
        "cells": _("Nothing is taken: these cells are wrong."),
    }
    return sentences.get(code) or str(_("Something went wrong on the server."))


def bad_cell(code: str) -> str:
    return str({
        "formula": _("a formula, not a number"), "number": _("no whole number, 0 or more"),
        "area": _("no commune or ward of this name and code"),
        "twice": _("stands there twice"),
    }[code])


def doubt(one: Doubt, place: str) -> str:
    """What looks wrong with a figure."""
    told = {"place": place, "figure": health_figures()[one.figure], "before": grouped(one.before),
            "now": grouped(one.now)}
    if one.what == "fall":
        return str(
            _("%(place)s, %(figure)s: %(now)s, fewer than %(before)s the day before", **told)
        )
    return str(_("%(place)s, %(figure)s: %(now)s, and %(before)s the day before", **told))


def point_kinds() -> dict[str, str]:
    return {
        PointKind.TEST.value: _("Testing"), PointKind.VACCINATION.value: _("Vaccination"),
        PointKind.CARE.value: _("Medical care"), PointKind.QUARANTINE.value: _("Quarantine"),
        PointKind.RELIEF.value: _("Relief"),
    }


def article_states() -> dict[str, str]:
    return {
        State.DRAFT.value: _("Draft"), State.PUBLISHED.value: _("Published"),
        State.WITHDRAWN.value: _("Withdrawn"),
    }


def scenes() -> dict[str, str]:
    """What scripts are for, by the scene's id."""
    english = str(get_locale()) == "en"
    return {one.id: one.en if english else one.vi for one in SCENES}


def article_fields() -> dict[str, str]:
    return {
        "category": _("Category"), "title": _("Title"), "body": _("Text"), "owner": _("Owner"),
        "review_on": _("To be reviewed on"), "state": _("State"), "scene": _("Script for"),
    }


def article_problem(column: str) -> str:
    """What is wrong with a field of an article."""
    sentences: dict[str, str] = {
        "code": _("Somebody else is changing this article: try again."),
        "category": _("Choose a category."), "title": _("A title has 1 to 200 letters."),
        "body": _("An article has 1 to 20,000 letters."),
        "owner": _("Choose who keeps the article right."),
        "review_on": _("Set the day on which it is reviewed."), "state": _("Choose a state."),
        "scene": _("Choose what the script is for."),
        "steps": _("A script is made of steps with an empty line between them. A step says"
                   " something first; an answer leads to a step that there is: - Yes > name"),
    }
    return sentences[column]


def point_problem(column: str) -> str:
    """What is wrong with a field of a contact point."""
    sentences: dict[str, str] = {
        "code": _("Somebody else is adding this contact point: try again."),
        "kind": _("Choose what the contact point is for."),
        "name": _("A name has 1 to 160 letters."), "address": _("An address has 1 to 240 letters."),
        "area": _("Choose a commune or ward of today."), "note": _("A note has 500 letters."),
        "hours": _("Hours are written like this: T2-T6 07:30-11:30,13:30-17:00; T7 07:30-11:30"),
        "phones": _("Up to 5 telephone numbers, separated by commas: 02373852432"),
        "valid_from": _("Valid from: this is no day."),
        "valid_to": _("Valid to: this is no day, or it is before the first one."),
        "stale": _("Somebody else has changed this contact point meanwhile: see below what it says "
                   "now, then save again."),
    }
    return sentences[column]


def satisfaction(score: int | None) -> str:
    """What the caller said of the call by key."""
    names = {
        None: "", 1: _("Very satisfied"), 2: _("Satisfied"), 3: _("Fair"), 5: _("Not satisfied"),
    }
    return str(names.get(score, ""))


def line(score: float) -> str:
    """How well agent and caller could hear each other, and the score of it."""
    names = {"good": _("Good"), "fair": _("Fair"), "bad": _("Bad")}
    return f"{names[line_quality.verdict(score)]} {score:.1f}"


def menu(menu_id: str) -> str:
    """A menu's name: the main menu, or the branch it belongs to (report_other: report)."""
    if menu_id == "main":
        return str(_("Main menu"))
    kind, _colon, whose = menu_id.partition(":")  # expert:bs.an
    if whose:
        return f"{places().get(kind, kind)} {whose}"
    of = menu_id.partition("_")[0]
    return branch(of) if of in BY_ID else places().get(menu_id, menu_id.replace("_", " "))


def places() -> dict[str, str]:
    """Where a key can be pressed besides the menus."""
    return {
        "closed": _("Out of hours"), "notice": _("Recording notice"), "queue": _("Waiting"),
        "waited": _("Longest wait is over"), "hold": _("On hold"), "message": _("Message"),
        "survey": _("Question after the call"), "callback": _("Call back asked for"),
        "case": _("Status of a case"), "reopen": _("Asks to look at it again"),
        "experts": _("Doctors"), "expert": _("Doctor"), "duty": _("Person on duty"),
        "full": _("Queue is full"), "blocked": _("Restricted number"),
        "incident": _("Incident"), "language": _("Choice of a language"),
    }


def key(pressed: str | None) -> str:
    return str({None: "…", "t": _("no key"), "i": _("wrong key")}.get(pressed, pressed))


def path(steps: Iterable[Mapping[str, Any]]) -> str:
    """A call's path as a reader says it: Main menu: 3 › Vaccination: 0."""
    return " › ".join(f"{menu(step['menu'])}: {key(step['key'])}" for step in steps)


def day(date_: date | None) -> str:
    return date_.strftime("%d/%m/%Y") if date_ else ""


def clock(moment: datetime | None) -> str:
    return moment.astimezone(VIETNAM).strftime("%H:%M:%S") if moment else ""


def day_and_clock(moment: datetime | None) -> str:
    return moment.astimezone(VIETNAM).strftime("%d/%m/%Y %H:%M") if moment else ""


def duration(milliseconds: int | None) -> str:
    """Minutes and seconds: 2:05."""
    if milliseconds is None:
        return ""
    minutes, seconds = divmod(round(milliseconds / 1000), 60)
    return f"{minutes}:{seconds:02d}"


def notice_channel(channel: str) -> str:
    return str({
        "sms": _("SMS"), "email": _("E-mail"), "zalo": "Zalo", "voice": _("Voice call"),
    }[channel])


def notice_purpose(purpose: str) -> str:
    return str({
        "alarm": _("Alarm"), "case": _("Case"), "reminder": _("Reminder"), "link": _("Link"),
        "code": _("One-time code"), "report": _("Report"), "broadcast": _("Broadcast"),
        "knowledge": _("Guidance"),
    }[purpose])


def notice_state(state: str) -> str:
    """Where a message is; the nouns are those of the page."""
    return str({
        "waiting": _("Waiting to be sent"), "sending": _("Being sent"), "sent": _("Sent"),
        "delivered": _("Delivered"), "failed": _("Not delivered"),
        "suppressed": _("Held back: recipient opted out"),
        "unknown": _("Not known whether it went"),
    }[state])


def percent(part: float) -> str:
    """0.045 as 4,5."""
    return f"{part * 100:.1f}".rstrip("0").rstrip(".").replace(".", ",")


def minutes_long(minutes: int) -> str:
    """How long something takes."""
    if minutes < 120:
        return str(_("%(minutes)s minutes", minutes=minutes))
    return str(_("%(hours)s hours", hours=-(-minutes // 60)))


def broadcast_stage(stage: str) -> str:
    """Where a broadcast is."""
    return str({
        "draft": _("draft"), "approved": _("approved"), "running": _("being sent"),
        "paused": _("paused"), "stopped": _("stopped"), "done": _("finished"),
    }[stage])


def broadcast_audience(audience: str) -> str:
    """Who is written to."""
    return str({
        "area": _("Whom the hotline knows in these communes"),
        "list": _("Everybody on the authority's list for these communes"),
        "chosen": _("Chosen persons"),
    }[audience])


def broadcast_event(what: str) -> str:
    """Something that was done to a broadcast."""
    return str({
        "written": _("written"), "tested": _("sent to a telephone for testing"),
        "approved": _("approved"), "started": _("started"), "paused": _("paused"),
        "resumed": _("resumed"), "stopped": _("stopped"), "ended": _("everything is sent"),
        "files": _("files for the carriers made"), "fetched": _("file of a carrier taken"),
    }[what])


def broadcast_fault(why: str) -> str:
    """Why a row of a list cannot be used."""
    return str({
        "number": _("no Vietnamese number that can get it"),
        "area": _("not in the communes of this broadcast"), "row": _("the row is damaged"),
    }[why])


def broadcast_problem(code: str) -> str:
    """Why a broadcast is refused (crm.broadcasts.errors)."""
    return str({
        "text": _("The text is too short, or has signs that nobody sees."),
        "link": _("Only links to addresses of authorities (.gov.vn) may be sent."),
        "long": _("The text is too long for what is set."),
        "chosen_text": _(
            "Chosen persons are never told why: they get the fixed sentence. Leave the text empty."
        ),
        "chosen_area": _("Chosen persons are asked to call by the health station of one commune: "
                         "choose that one."),
        "chosen_files": _("A list of chosen persons is given to nobody: the hotline sends it."),
        "channel": _("This cannot be sent in this way: carriers are handed SMS only."),
        "areas": _("Choose at least one commune or ward."),
        "few": _("A list of so few people is one of chosen persons: they get the fixed sentence."),
        "file": _("The list cannot be read. It is a CSV (UTF-8) or XLSX file with the columns "
                  "phone and area in its first line."),
        "paper": _("Title, authority and the number of its document are needed."),
        "rate": _("So many messages a minute cannot be sent."),
        "nobody": _("There is nobody to whom it could go."),
        "number": _("This is no Vietnamese number that can get it."),
        "author": _("Another person than its author approves a broadcast."),
        "untested": _("Send it to your own telephone first."),
        "unapproved": _("A second person has not approved it."),
        "provider": _("Nobody is set who could send it. Please ask the engineers."),
        "sound": _("Its text is being made into sound. Please try again in a moment."),
        "stage": _("This cannot be done any more, or not yet."),
        "files": _("Its files have been made already."),
        "unknown": _("There is no such broadcast."),
    }[code])


def training_marks() -> dict[str, str]:
    """What is graded of a simulated citizen's call (crm.training.Mark)."""
    return {
        "answered": _("Answered in time"), "greeting": _("Greeting"), "closing": _("Closing"),
        "hold": _("On hold"), "result": _("Result entered"), "case": _("Case opened"),
        "kind": _("What it is about"), "commune": _("Commune or ward"), "address": _("Address"),
    }
