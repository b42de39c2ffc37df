"""What follows from each change of a case and from the clock, on a simulated one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from crm.agencies.models import CaseLink, DutyRound, Officer, Post
from crm.calls.facts import JournalEvent
from crm.cases import drafts, duty, life, links, promises, routing
from crm.cases.groups import join
from crm.cases.models import Case, Status
from crm.cases.promises import People
from crm.database import Database
from crm.notices.models import Notice
from tests.crm.cases.factory import HEALTH, NOW, at_agency, officer, opened, with_agencies

PEOPLE = People(("0900000001",), ("0900000002",), "https://hotline.example:8022", timedelta(days=7))
TET_EVE = datetime(2026, 2, 16, 16, 0, tzinfo=UTC)  # 23:00 in Vietnam, the last night of the year


@dataclass
class Days:
    """Time goes on, and the promises are followed each time they ask for it."""

    session: Session
    now: datetime
    told: list[tuple[str, str, str]] = field(default_factory=list)  # clock, recipient, text

    def until(self, end: datetime) -> Days:
        while True:
            for case_id in promises.waiting(self.session, self.now, 100):
                promises.follow(self.session, case_id, self.now, PEOPLE)
            self._read()
            next_at = self.session.scalar(
                select(Case.next_step_at).where(Case.next_step_at.is_not(None))
                .order_by(Case.next_step_at).limit(1)
            )
            if next_at is None or next_at > end:
                self.now = end
                return self
            self.now = max(self.now, next_at)

    def _read(self) -> None:
        for one in self.session.scalars(select(Notice).order_by(Notice.id)).all()[len(self.told):]:
            self.told.append((f"{one.created_at:%d %H:%M}", one.recipient, one.body))

    def to(self, number: str) -> list[tuple[str, str]]:
        return [(clock, text) for clock, recipient, text in self.told if recipient == number]


@pytest.fixture
def session(sqlite: Database) -> Iterator[Session]:
    with sqlite.transaction() as session:
        yield session


def test_the_citizen_and_the_officer_hear_of_each_step(session: Session) -> None:
    case = opened(session)
    with_agencies(session)
    who = officer(session)
    days = Days(session, NOW).until(NOW)
    life.move(session, case, Status.ASSIGNED, by="huong", now=NOW, agency=HEALTH)
    days.until(NOW)
    drafts.propose(session, case, "Đã sửa đường.", who, NOW)
    days.until(NOW)
    texts = [text for _, text in days.to("0912345678")]
    assert [text.split(case.code)[0] for text in texts] == [
        "1022 Thanh Hoa: Da tiep nhan phan anh ma ", "1022 Thanh Hoa: Phan anh ",
        "1022 Thanh Hoa: Phan anh ",
    ]
    assert "chuyen So Y te" in texts[1]
    assert "da co ket qua" in texts[2]
    ((_, handed),) = days.to(who.phone)
    assert "han 27/03/2026. Xem va xu ly: https://hotline.example:8022/o/" in handed
    assert "Nhà tôi" not in " ".join(text for _, _, text in days.told)
    for link in session.scalars(select(CaseLink)):
        assert link.ended_at == NOW  # with the case


def test_following_twice_tells_nobody_twice(session: Session) -> None:
    at_agency(session)
    officer(session)
    days = Days(session, NOW).until(NOW)
    before = len(days.told)
    for case in session.scalars(select(Case)):
        case.next_step_at = NOW
    days.until(NOW)
    assert len(days.told) == before > 0


def test_a_landline_and_an_anonymous_citizen_get_no_messages(session: Session) -> None:
    opened(session, phone="02373852246")
    opened(session, phone=None)
    assert Days(session, NOW).until(NOW).told == []


def test_an_agency_without_people_is_told_to_the_dispatchers(session: Session) -> None:
    case = at_agency(session)
    days = Days(session, NOW).until(NOW)
    assert any(
        "chua co can bo nhan tin" in text and case.code in text
        for _, text in days.to("0900000001")
    )


def test_food_on_the_eve_of_tet_is_sent_on_reminded_of_and_taken_up_the_ladder_in_five_hours(
    session: Session,
) -> None:
    with_agencies(session)
    who, leader = officer(session), officer(session, Post.LEADER)
    on_duty = officer(session, Post.DUTY)
    routing.take_in(session, [{"category": "food", "area": "", "agency": HEALTH}], TET_EVE)
    case = opened(session, summary="Nhà hết gạo", now=TET_EVE)
    life.classify(session, case, "food", by="lan", now=TET_EVE)
    days = Days(session, TET_EVE).until(TET_EVE + timedelta(hours=6, minutes=30))
    assert case.agency is not None
    assert (case.agency.code, case.assigned_at) == (HEALTH, TET_EVE + timedelta(minutes=5))
    assert case.due_at == TET_EVE + timedelta(hours=5)
    assert [clock for clock, _ in days.to(who.phone)] == [
        "16 16:05", "16 16:15", "16 16:25", "16 17:05", "16 18:05",  # not taken on yet
        "16 18:32", "16 19:05", "16 20:01", "16 20:05", "16 21:00", "16 21:05", "16 22:00",
        "16 22:05",
    ]
    assert [clock for clock, text in days.to(leader.phone) if "qua han" in text] == [
        "16 21:00", "16 22:00"
    ]
    assert [clock for clock, _ in days.to("0900000002")][:2] == ["16 16:25", "16 17:05"]
    # and the telephones on duty rang from the first minute
    at = TET_EVE + timedelta(minutes=5)
    rung = []
    for _ in range(5):
        rung += [(f"{at:%H:%M}", one.number) for one in duty.due(session, at, 10)]
        at += duty.BETWEEN
    assert rung == [
        ("16:05", on_duty.phone), ("16:07", on_duty.phone), ("16:09", leader.phone),
        ("16:11", leader.phone), ("16:13", on_duty.phone),
    ]


def taken(case: Case, number: str, at: datetime) -> JournalEvent:
    return JournalEvent(
        type=duty.TAKEN, at=at, num="", name="", exten="", context="hl-duty-told",
        channel="Local/x@hl-duty-told-1;1", app="", app_data="", uniqueid="th1.b1-7.1",
        linkedid="th1.b1-7.1", peer="", extra={"code": case.code, "number": number},
    )


def test_whoever_takes_it_on_by_key_has_it_and_nobody_else_is_rung(session: Session) -> None:
    night = NOW + timedelta(hours=12)
    case = opened(session, now=night)
    with_agencies(session)
    life.classify(session, case, "food", by="lan", now=night)
    on_duty = officer(session, Post.DUTY)
    life.move(session, case, Status.ASSIGNED, by="huong", now=night, agency=HEALTH)
    days = Days(session, night).until(night)
    assert [one.number for one in duty.due(session, night, 10)] == [on_duty.phone]
    at = night + timedelta(minutes=1)
    duty.apply(session, [taken(case, on_duty.phone, at), taken(case, on_duty.phone, at)])
    days.until(at)
    assert case.status == Status.IN_PROGRESS
    assert duty.due(session, night + timedelta(hours=1), 10) == []
    assert [one.what for one in life.events_of(session, case)].count("duty") == 1
    (round_,) = session.scalars(select(DutyRound))
    assert (round_.taken_by, round_.taken_at) == (on_duty.phone, at)


def test_in_office_hours_the_telephone_rings_only_where_nobody_takes_it_on(
    session: Session,
) -> None:
    case = opened(session)
    with_agencies(session)
    life.classify(session, case, "food", by="lan", now=NOW)
    officer(session), officer(session, Post.DUTY)
    life.move(session, case, Status.ASSIGNED, by="huong", now=NOW, agency=HEALTH)
    days = Days(session, NOW).until(NOW + timedelta(minutes=9))
    assert duty.due(session, NOW + timedelta(minutes=9), 10) == []
    days.until(NOW + timedelta(minutes=10))
    assert len(duty.due(session, NOW + timedelta(minutes=10), 10)) == 1


@pytest.mark.parametrize("why", ["sensitive", "had it", "not by the hour"])
def test_the_clock_sends_on_only_what_is_plain(session: Session, why: str) -> None:
    case = opened(session, sensitive=why == "sensitive")
    with_agencies(session)
    category = "roads" if why == "not by the hour" else "food"
    routing.take_in(session, [{"category": category, "area": "", "agency": HEALTH}], NOW)
    life.classify(session, case, category, by="lan", now=NOW)
    if why == "had it":
        life.move(session, case, Status.ASSIGNED, by="huong", now=NOW, agency=HEALTH)
        life.move(session, case, Status.CLASSIFIED, by="a", now=NOW, reason="không thuộc ngành")
    days = Days(session, NOW).until(NOW + timedelta(minutes=30))
    assert case.agency is None
    assert any("chua chuyen co quan nao" in text for _, text in days.to("0900000001"))


def test_everybody_whose_case_was_joined_hears_of_the_result(session: Session) -> None:
    main = at_agency(session, phone="0912345671")
    who = officer(session)
    double, late = opened(session, phone="0912345672"), opened(session, phone="0912345673")
    join(session, double, main, by="huong", now=NOW)
    drafts.propose(session, main, "Đã có điện.", who, NOW)
    days = Days(session, NOW).until(NOW)
    def results(number: str) -> int:
        return sum("da co ket qua" in text for _, text in days.to(number))

    assert (results("0912345671"), results("0912345672"), results("0912345673")) == (1, 1, 0)
    join(session, late, main, by="huong", now=NOW)
    days.until(NOW)
    assert (results("0912345671"), results("0912345672"), results("0912345673")) == (1, 1, 1)


def test_a_result_without_objection_closes_the_case_after_a_week(session: Session) -> None:
    case = at_agency(session)
    drafts.propose(session, case, "Xong.", officer(session), NOW)
    days = Days(session, NOW).until(NOW + timedelta(days=6))
    assert case.status == Status.RESOLVED
    days.until(NOW + timedelta(days=8))
    assert case.status == Status.CLOSED
    assert case.next_step_at is None


def test_a_case_that_is_handed_on_lets_its_first_officers_in_no_more(session: Session) -> None:
    case = at_agency(session)
    who = officer(session)
    days = Days(session, NOW).until(NOW)
    token = days.to(who.phone)[-1][1].rsplit("/", 1)[1]
    assert links.living(session, token).case is case
    life.move(session, case, Status.CLASSIFIED, by="a", now=NOW, reason="việc của phường")
    days.until(NOW)
    with pytest.raises(links.LinkError):
        links.living(session, token)


def test_an_answer_that_waits_goes_to_the_leader_and_back(session: Session) -> None:
    case = at_agency(session)
    assert case.agency is not None
    case.agency.approves = True
    who, leader = officer(session), officer(session, Post.LEADER)
    days = Days(session, NOW).until(NOW)
    drafts.propose(session, case, "Xong.", who, NOW)
    days.until(NOW)
    assert "cho phe duyet" in days.to(leader.phone)[-1][1]
    drafts.send_back(session, case, leader, "chưa rõ", NOW)
    days.until(NOW)
    assert "can viet lai" in days.to(who.phone)[-1][1]


def test_nobody_of_an_agency_that_a_case_is_about_hears_of_it(session: Session) -> None:
    with_agencies(session)
    who, leader = officer(session), officer(session, Post.LEADER)
    case = opened(session)
    life.classify(session, case, "officials", by="lan", now=NOW, about=HEALTH)
    days = Days(session, NOW).until(NOW + timedelta(days=40))
    assert days.to(who.phone) == days.to(leader.phone) == []
    assert session.scalar(select(Officer.id)) is not None
