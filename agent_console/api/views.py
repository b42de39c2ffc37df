"""The operations of /api/v1, over the domain."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from agent_console.api import limits, shapes
from agent_console.api.operations import Asked, case_changes, operation
from agent_console.api.problems import Problem
from agent_console.door import console
from crm import areas
from crm.agencies import register
from crm.api import listing
from crm.api.tokens import Scope
from crm.calls.rows import iso
from crm.cases import categories, life, lookup, questions
from crm.cases.deadlines import GENERALS
from crm.cases.models import Case, CaseEvent, Identity, Status
from crm.clock import vietnam_day
from crm.models import Call
from crm.open311.mapping import STATUSES

audit = logging.getLogger("hotline.audit")


@operation("GET", "/calls", "Calls, the newest first", scope=Scope.CALLS_READ,
           query=shapes.CallsAsked, answer=shapes.Calls)
def list_calls(asked: Asked, session: Session) -> dict[str, Any]:
    page = listing.calls_page(session, **asked.query.model_dump())
    nameless = listing.nameless(session, page.rows)
    return {"next": page.next, "items": [
        listing.call_json(call, personal=Scope.CALLS_PERSONAL in asked.scopes,
                          nameless=call.id in nameless)
        for call in page.rows
    ]}


@operation("GET", "/calls/{call_id}", "One call", scope=Scope.CALLS_READ, answer=shapes.CallTold)
def read_call(asked: Asked, session: Session, call_id: str) -> dict[str, Any]:
    call = session.get(Call, call_id)
    if call is None:
        raise Problem(404, "call_unknown", "there is no such call")
    return listing.call_json(
        call, personal=Scope.CALLS_PERSONAL in asked.scopes,
        nameless=bool(listing.nameless(session, [call])),
    )


@operation("GET", "/cases", "Cases, the newest first", scope=Scope.CASES_READ,
           query=shapes.CasesAsked, answer=shapes.Cases)
def list_cases(asked: Asked, session: Session) -> dict[str, Any]:
    page = listing.cases_page(
        session, sensitive=_personal(asked), **asked.query.model_dump()
    )
    _audit(asked, page.rows)
    versions = dict(session.execute(
        select(CaseEvent.case_id, func.max(CaseEvent.id))
        .where(CaseEvent.case_id.in_([case.id for case in page.rows])).group_by(CaseEvent.case_id)
    ).all())
    return {"next": page.next, "items": [
        listing.case_json(case, versions[case.id], personal=_personal(asked))
        for case in page.rows
    ]}


@operation("POST", "/cases", "Open a case", scope=Scope.CASES_WRITE, body=shapes.CaseOpened,
           answer=shapes.CaseTold, status=201, repeats=True)
def open_case(asked: Asked, session: Session) -> dict[str, Any]:
    who = asked.body.reporter
    identity = Identity.ANONYMOUS
    if who is not None:
        identity = Identity.HIDDEN if who.hidden else Identity.SHOWN
    case = life.open_case(
        session, summary=asked.body.summary, by=asked.by, now=asked.now, channel="api",
        phone=who.phone if who else None, identity=identity,
    )
    return _told(asked, session, case, own=True)


@operation("GET", "/cases/{code}", "One case", scope=Scope.CASES_READ, answer=shapes.CaseTold)
def read_case(asked: Asked, session: Session, code: str) -> dict[str, Any]:
    return _told(asked, session, _case(asked, session, code))


@operation("POST", "/cases/{code}/classify", "Say what a case is about, and where",
           scope=Scope.CASES_WRITE, body=shapes.CaseClassified, answer=shapes.CaseTold,
           repeats=True)
def classify_case(asked: Asked, session: Session, code: str) -> dict[str, Any]:
    case = _case(asked, session, code)
    case_changes(session, case, asked.body.version)
    life.classify(
        session, case, asked.body.category, by=asked.by, now=asked.now, area=asked.body.area,
        about=asked.body.about, general=GENERALS[console().settings.general_days],
    )
    return _told(asked, session, case)


@operation("POST", "/cases/{code}/information", "Add what else became known",
           scope=Scope.CASES_WRITE, body=shapes.Information, answer=shapes.CaseTold, repeats=True)
def add_information(asked: Asked, session: Session, code: str) -> dict[str, Any]:
    case = _case(asked, session, code)
    life.add_information(session, case, asked.body.text, by=asked.by, now=asked.now)
    return _told(asked, session, case)


@operation("GET", "/reports/counts", "How many calls and cases began in a time",
           scope=Scope.REPORTS_READ, query=shapes.CountsAsked, answer=shapes.Counts)
def count(asked: Asked, session: Session) -> dict[str, Any]:
    return listing.counts(session, asked.query.since, asked.query.until)


@operation("POST", "/case-status", "How a citizen's own case stands", body=shapes.StatusAsked,
           answer=shapes.StatusTold)
def case_status(asked: Asked, session: Session) -> dict[str, Any]:
    """With the rules and the lock of key 7; the address stands for the telephone."""
    who = limits.stranger()
    found = lookup.look_up(
        session, who, asked.body.code, asked.body.phone_end, asked.now
    )
    match found:
        case lookup.Found((case, *_)):
            return {
                "code": case.code, "status": case.status,
                "status_vi": STATUSES[Status(case.status)].vi,
                "agency": case.agency.name if case.agency else None,
                "opened_at": iso(case.opened_at), "due_at": iso(case.due_at),
                "question": questions.asked(session, case), "answer": case.answer,
            }
        case lookup.Locked():
            raise Problem(429, "locked", "too many wrong codes: only a person on 1022 can help",
                          {"Retry-After": str(int(lookup.MISSES_COUNT_FOR.total_seconds()))})
        case lookup.NotFound(slip=False):
            with console().database.transaction() as other:  # counted before it is told
                lookup.note_miss(other, who, asked.body.code, asked.now)
    raise Problem(404, "case_unknown", "no case has this code and this number")


@operation("GET", "/categories", "What cases are about", answer=shapes.Categories)
def list_categories(asked: Asked, session: Session) -> dict[str, Any]:
    return {"items": [
        {"id": one.id, "vi": one.vi, "en": one.en} for one in categories.CATEGORIES
    ]}


@operation("GET", "/areas", "Communes and wards of today", query=shapes.AreasAsked,
           answer=shapes.Areas)
def list_areas(asked: Asked, session: Session) -> dict[str, Any]:
    day = vietnam_day(asked.now)
    if asked.query.name is None:
        return {"items": [
            {"code": one.code, "name": one.name, "named": one.name}
            for one in areas.standing(day).values()
        ]}
    return {"items": [
        {"code": one.code, "name": one.name, "named": match.named.name}
        for match in areas.find(asked.query.name, day) for one in match.today
    ]}


@operation("GET", "/agencies", "Agencies that stand today", answer=shapes.Agencies)
def list_agencies(asked: Asked, session: Session) -> dict[str, Any]:
    return {"items": [
        {"code": one.code, "name": one.name, "kind": one.kind, "level": one.level,
         "area": one.area}
        for one in register.standing(session, asked.now)
    ]}


def _personal(asked: Asked) -> bool:
    return Scope.CASES_PERSONAL in asked.scopes


def _audit(asked: Asked, found: Sequence[Case]) -> None:
    """A program with the right to them reads the words of sealed cases."""
    sealed = [case.code for case in found if case.sealed]
    if sealed and _personal(asked):
        audit.info("%s reads the sealed words of %s", asked.by, ", ".join(sealed))


def _case(asked: Asked, session: Session, code: str) -> Case:
    case = life.by_code(session, code)
    if case.sensitive and not _personal(asked):
        raise Problem(404, "case_unknown", "there is no such case")
    return case


def _told(
    asked: Asked, session: Session, case: Case, *, own: bool = False
) -> dict[str, Any]:
    """`own`: whoever asks has just said what stands in it."""
    _audit(asked, [] if own else [case])
    version = life.events_of(session, case)[-1].id
    return listing.case_json(case, version, personal=own or _personal(asked))
