"""People of agencies: who has which post on a day, links that let them in, answers approved."""

from datetime import date, timedelta

import pytest

from crm.agencies import officers
from crm.agencies.models import Post
from crm.agencies.officers import OfficerError
from crm.cases import drafts, life, links
from crm.cases.life import CaseError
from crm.cases.links import LinkError
from crm.cases.models import Status
from crm.database import Database
from tests.crm.cases.factory import HEALTH, NOW, at_agency, officer, with_agencies

TODAY = date(2026, 3, 10)


def test_somebody_has_a_post_from_day_to_day(sqlite: Database) -> None:
    with sqlite.transaction() as session:
        with_agencies(session)
        always = officer(session)
        officer(session, valid_to="2026-03-09")
        officer(session, valid_from="2026-03-11")
        officer(session, Post.DUTY)
        found = officers.of_agency(session, always.agency, Post.OFFICER, NOW)
        assert [one.id for one in found] == [always.id]


def test_every_bad_row_of_officers_is_told_and_none_is_taken_in(sqlite: Database) -> None:
    good = {"agency": HEALTH, "name": "Lê Lan", "post": "officer", "phone": "0912345678",
            "email": "lan@example.vn", "valid_from": "", "valid_to": ""}
    with sqlite.transaction() as session:
        with_agencies(session)
        with pytest.raises(OfficerError) as error:
            officers.take_in(session, [
                good, good | {"agency": "NOBODY"}, good | {"post": "boss", "phone": "12"},
                good | {"email": "x@y", "valid_from": "2026-02-30"},
                good | {"valid_from": "2026-02-02", "valid_to": "2026-02-01"},
            ], NOW)
        lines = str(error.value).splitlines()
        assert [line.split(":")[0] for line in lines] == [
            "line 3", "line 4", "line 4", "line 5", "line 5", "line 6"
        ]
        session.rollback()


def test_a_leader_is_stood_in_for_on_the_days_that_were_agreed(sqlite: Database) -> None:
    with sqlite.transaction() as session:
        with_agencies(session)
        leader, deputy = officer(session, Post.LEADER), officer(session)
        health = leader.agency
        assert not officers.may_approve(session, deputy, health, NOW)
        officers.delegate(
            session, leader, deputy, TODAY, TODAY + timedelta(days=1), by="huong", now=NOW
        )
        assert officers.may_approve(session, deputy, health, NOW)
        assert officers.may_approve(session, leader, health, NOW)
        assert not officers.may_approve(session, deputy, health, NOW + timedelta(days=2))
        with pytest.raises(OfficerError, match="is over"):
            officers.delegate(session, leader, deputy, TODAY, TODAY - timedelta(days=1), by="huong",
                              now=NOW)
        with pytest.raises(OfficerError, match="no leader"):
            officers.delegate(session, deputy, leader, TODAY, TODAY, by="huong", now=NOW)


def test_a_link_lets_in_with_the_code_that_was_sent_and_ends_with_the_case(
    sqlite: Database,
) -> None:
    with sqlite.transaction() as session:
        case = at_agency(session)
        token = links.hand_out(session, case, officer(session), NOW)
        link = links.living(session, token)
        assert token not in (link.token, link.code)
        code = links.new_code(link, NOW)
        assert link.opened_at is None
        with pytest.raises(LinkError, match="just now"):
            links.new_code(link, NOW + timedelta(seconds=59))
        with pytest.raises(LinkError, match="too old"):
            links.enter(link, code, NOW + timedelta(minutes=11))
        links.enter(link, code, NOW + timedelta(minutes=9))
        assert link.opened_at == NOW + timedelta(minutes=9)
        with pytest.raises(LinkError, match="too old"):  # a code is used once
            links.enter(link, code, NOW + timedelta(minutes=9))
        again = links.hand_out(session, case, link.officer, NOW)
        with pytest.raises(LinkError, match="any more"):
            links.living(session, token)
        assert links.end_all(session, case, NOW) == 1
        with pytest.raises(LinkError, match="any more"):
            links.living(session, again)


def test_a_link_dies_of_five_wrong_codes(sqlite: Database) -> None:
    with sqlite.transaction() as session:
        case = at_agency(session)
        link = links.living(session, links.hand_out(session, case, officer(session), NOW))
        code = links.new_code(link, NOW)
        wrong = "000000" if code != "000000" else "000001"
        for _ in range(4):
            with pytest.raises(LinkError, match="wrong"):
                links.enter(link, wrong, NOW)
        with pytest.raises(LinkError, match="too many"):
            links.enter(link, wrong, NOW)
        with pytest.raises(LinkError, match="any more"):
            links.still(link)


def test_where_the_leader_approves_an_answer_waits_and_may_come_back(sqlite: Database) -> None:
    with sqlite.transaction() as session:
        case = at_agency(session)
        assert case.agency is not None
        case.agency.approves = True
        writer, leader = officer(session), officer(session, Post.LEADER)
        assert not drafts.propose(session, case, "Đã sửa  đường.", writer, NOW)
        assert (case.status, case.answer) == (Status.ASSIGNED, None)
        with pytest.raises(CaseError, match="does not approve"):
            drafts.approve(session, case, writer, NOW)
        with pytest.raises(CaseError, match="needs the reason"):
            drafts.send_back(session, case, leader, " ", NOW)
        drafts.send_back(session, case, leader, "nói rõ ngày", NOW)
        with pytest.raises(CaseError, match="waits to be approved"):
            drafts.approve(session, case, leader, NOW)
        drafts.propose(session, case, "Đã sửa.", writer, NOW)
        drafts.propose(session, case, "Đã sửa đường ngày 9 tháng 3.", writer, NOW)
        drafts.approve(session, case, leader, NOW)
        assert (case.status, case.answer) == (Status.RESOLVED, "Đã sửa đường ngày 9 tháng 3.")
        told = [one.what for one in life.events_of(session, case)][2:]
        assert told == ["draft", "returned", "draft", "draft", "approved", "answered", "moved"]


def test_without_approval_or_from_the_leader_an_answer_stands_at_once(sqlite: Database) -> None:
    with sqlite.transaction() as session:
        case = at_agency(session)
        writer = officer(session)
        assert drafts.propose(session, case, "Xong.", writer, NOW)
        assert case.status == Status.RESOLVED
        with pytest.raises(CaseError, match="is not answered"):
            drafts.propose(session, case, "Xong.", writer, NOW)
        other = at_agency(session)
        assert other.agency is not None
        other.agency.approves = True
        assert drafts.propose(session, other, "Xong.", officer(session, Post.LEADER), NOW)


def test_an_officer_of_another_agency_answers_nothing(sqlite: Database) -> None:
    with sqlite.transaction() as session:
        case = at_agency(session)
        case_of_nobody = at_agency(session)
        stranger = officer(session)
        life.move(session, case_of_nobody, Status.CLASSIFIED, by="lan", now=NOW, reason="nhầm")
        assert case_of_nobody.agency is None
        for one in (case_of_nobody,):
            with pytest.raises(CaseError, match="another agency"):
                drafts.propose(session, one, "Xong.", stranger, NOW)
        assert case.agency is not None
