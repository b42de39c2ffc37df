"""Nobody of any agency, in any post, learns who reported where that is hidden; and no agency sees a
case that is about itself. Walked through every third agency of the province, in the full run
through each.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask
from sqlalchemy import select
from sqlalchemy.orm import Session

from crm.agencies import register
from crm.agencies import view as agency_view
from crm.agencies.models import Officer, Post
from crm.api import webhooks
from crm.api.models import WebhookDelivery
from crm.api.tokens import Scope
from crm.cases import duty, life, links, promises, routing
from crm.cases.life import CaseError, Mover
from crm.cases.models import Agency, Identity, Status
from crm.database import Database
from crm.notices.models import Notice
from tests.agent_console.conftest import Browser
from tests.agent_console.factories import add_call
from tests.agent_console.programs import Program
from tests.agent_console.test_officer_desk import come_in
from tests.crm.cases.factory import officer, opened

NUMBER = "0912345678"
TOLD = "Tôi là Lê Văn Tám, số 0912.345.678 hoặc +84 912 345 678, nhà ngập"
WHO = re.compile(r"Tám|0?912.?345.?678|xyz-voice")
CALL = "th1.b1-1795383584.7"
PEOPLE = promises.People(("0900000001",), ("0900000002",), "https://h.example", timedelta(days=7))


def now() -> datetime:
    return datetime.now(UTC)


EVERY = pytest.mark.parametrize("every", [3, pytest.param(1, marks=pytest.mark.full)])


@pytest.fixture
def province(sqlite: Database) -> Database:
    """All agencies of today, each with an officer, a leader and a telephone on duty."""
    with sqlite.transaction() as session:
        register.take_in(session, register.read(register.PROVINCE))
        session.flush()
        routing.take_in(session, routing.read(routing.PROVINCE), now())
        for one in register.standing(session, now()):
            for post in Post:
                officer(session, post, agency=one.code)
    return sqlite


def hidden_case(session: Session, agency: Agency, identity: Identity) -> str:
    """A case at the agency that somebody reported in a call with a recording."""
    known = None if identity is Identity.ANONYMOUS else NUMBER
    case = opened(session, summary=TOLD, phone=known, identity=identity, now=now(), call_id=CALL)
    life.classify(session, case, "food", by="huy", now=now())
    life.move(session, case, Status.ASSIGNED, by="huy", now=now(), agency=agency.code,
               reason=f"gọi {NUMBER} để hỏi")
    life.add_information(session, case, TOLD, by="citizen", now=now())
    life.set_answer(session, case, f"Đã gọi {NUMBER}.", by="huy", now=now())
    promises.follow(session, case.id, now(), PEOPLE)
    return case.code


def of(session: Session, agency: Agency) -> Iterator[Officer]:
    yield from session.scalars(select(Officer).where(Officer.agency_id == agency.id))


@EVERY
@pytest.mark.parametrize("identity", [Identity.HIDDEN, Identity.ANONYMOUS])
def test_no_post_of_any_agency_learns_who_reported(
    province: Database, identity: Identity, every: int
) -> None:
    with province.transaction() as session:
        for agency in register.standing(session, now())[::every]:
            code = hidden_case(session, agency, identity)
            case = life.by_code(session, code)
            numbers = set()
            for one in of(session, agency):
                numbers.add(one.phone)
                view = agency_view.view(session, case, one, now())
                assert not WHO.search(repr(view)), (agency.code, one.post)
                assert view.phone is None
                assert not WHO.search(repr(agency_view.of_agency(session, one, now())))
            told = session.scalars(select(Notice).where(
                Notice.case_id == case.id, Notice.recipient.in_(numbers)
            )).all()
            assert told, agency.code  # they have been told, though not of whom
            assert not any(WHO.search(f"{one.subject} {one.body}") for one in told)


def test_no_page_and_no_interface_shows_who_reported(
    app: Flask, province: Database, people: None
) -> None:
    add_call(province, id=CALL, caller=NUMBER, outcome="answered", recording="xyz-voice.wav")
    with province.transaction() as session:
        webhooks.subscribe(session, url="https://agency.example/hook", by="quan", now=now())
        codes = {
            agency.code: hidden_case(session, agency, Identity.HIDDEN)
            for agency in register.standing(session, now())[::12]
        }
    program = Program(app, province, *Scope)
    for agency_code, code in codes.items():
        with province.transaction() as session:
            case = life.by_code(session, code)
            agency = register.agency_named(session, agency_code, now())
            paths = [
                f"/o/{links.hand_out(session, case, one, now())}"
                for one in of(session, agency) if one.post != Post.DUTY
            ]
        for path in paths:
            page = come_in(Browser(app.test_client()), province, path)
            assert "nhà ngập" in page
            assert not WHO.search(page), agency_code
        for path in (f"/cases/{code}", "/cases", "/calls", f"/calls/{CALL}"):
            answer = program.get(path)
            assert answer.status_code == 200
            assert not WHO.search(answer.get_data(as_text=True)), path
        for form in ("json", "xml"):
            answer = app.test_client().get(f"/open311/v2/requests.{form}")
            assert not WHO.search(answer.get_data(as_text=True))
    with province.reading() as session:
        posted = session.scalars(select(WebhookDelivery.body)).all()
        assert posted
        assert not any(WHO.search(str(one)) for one in posted)


@EVERY
def test_no_agency_gets_sees_or_hears_of_a_case_about_itself(
    province: Database, every: int
) -> None:
    with province.transaction() as session:
        for agency in register.standing(session, now())[::every]:
            case = opened(session, summary="Cán bộ thu tiền sai", now=now())
            life.classify(session, case, "officials", by="huy", now=now(), about=agency.code,
                           area=agency.area)
            suggested = life.suggested(session, case, now())
            assert suggested is not None
            assert suggested.agency.id != agency.id
            for mover in (Mover.DESK, Mover.OFFICER, Mover.SYSTEM):
                with pytest.raises(CaseError):
                    life.move(session, case, Status.ASSIGNED, by="x", now=now(),
                               agency=agency.code, reason="x", mover=mover)
            life.move(session, case, Status.ASSIGNED, by="huy", now=now(),
                       agency=suggested.agency.code)
            promises.follow(session, case.id, now(), PEOPLE)
            late = now() + timedelta(days=90)
            case.next_step_at = late
            promises.follow(session, case.id, late, PEOPLE)
            for one in of(session, agency):
                assert not agency_view.may_see(session, case, one, now())
                assert case.code not in repr(agency_view.of_agency(session, one, now()))
                assert session.scalar(select(Notice.id).where(
                    Notice.case_id == case.id, Notice.recipient == one.phone
                )) is None
            rung = {ringing.number for ringing in duty.due(session, late, 1000)}
            assert not rung & {one.phone for one in of(session, agency)}
            duty.end(session, case)
