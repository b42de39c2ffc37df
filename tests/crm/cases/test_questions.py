"""What an agency asks the citizen, and who hears of it and of what they answer."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import select

from crm.cases import life, promises, questions, texts
from crm.cases.life import Mover
from crm.cases.models import Case, Status
from crm.database import Database
from crm.notices.models import Notice
from tests.crm.cases.factory import NOW, at_agency, officer

PEOPLE = promises.People((), (), "https://hotline.example", timedelta(days=7))


def asked(case: Case, session: object, text: str) -> None:
    life.move(session, case, Status.NEED_INFO, by="Cán bộ", now=NOW,  # type: ignore[arg-type]
               reason=text, mover=Mover.OFFICER)


def test_the_last_question_is_heard_while_the_case_waits(database: Database) -> None:
    with database.transaction() as session:
        case = at_agency(session)
        assert questions.asked(session, case) is None
        asked(case, session, "Ở km mấy?")
        life.move(session, case, Status.IN_PROGRESS, by="x", now=NOW, mover=Mover.OFFICER)
        assert questions.asked(session, case) is None
        assert questions.spoken_texts(session) == []
        asked(case, session, "Bên trái hay bên phải?")
        assert questions.asked(session, case) == "Bên trái hay bên phải?"
        assert questions.spoken_texts(session) == ["Ở km mấy?", "Bên trái hay bên phải?"]


def test_the_citizen_gets_an_sms_and_the_officer_one_when_something_was_added(
    sqlite: Database,
) -> None:
    with sqlite.transaction() as session:
        case = at_agency(session, phone="0912345678")
        who = officer(session)
        asked(case, session, "Ở km mấy?")
        code, phone = case.code, who.phone
    follow(sqlite, code)
    with sqlite.transaction() as session:
        case = life.by_code(session, code)
        life.add_information(session, case, "Km 12", by="lan", now=NOW)
    follow(sqlite, code)
    with sqlite.reading() as session:
        told = [(one.recipient, one.body) for one in session.scalars(select(Notice))]
    assert any(to == "0912345678" and "can bo sung thong tin" in body for to, body in told)
    (added,) = (body for to, body in told if to == phone and "da bo sung" in body)
    assert "/o/" in added
    assert not any("km" in body.lower() for _, body in told)  # never what it is about


def test_by_mail_the_question_itself_is_told_but_of_a_private_case(sqlite: Database) -> None:
    with sqlite.transaction() as session:
        plain, private = at_agency(session, phone=None), at_agency(session, private=True)
        for case, there in ((plain, True), (private, False)):
            asked(case, session, "Ở km mấy?")
            body = texts.by_mail("case_need_info", case, "Ở km mấy?").body
            assert ("Ở km mấy?" in body) is there


def follow(database: Database, code: str) -> None:
    with database.transaction() as session:
        promises.follow(session, life.by_code(session, code).id, NOW, PEOPLE)
