"""The people of agencies at their cases: through a link with a code, and by an account."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from crm.agencies import officers
from crm.agencies.models import Officer, Post
from crm.cases import drafts, life, links, promises
from crm.cases.models import Case, Identity, Status
from crm.database import Database
from crm.models import Base
from crm.notices.models import Notice
from crm.settings import Settings
from tests.accounts import PASSWORD
from tests.agent_console.conftest import Browser
from tests.crm.cases.factory import DISTRICT, HEALTH, at_agency, officer, opened, with_agencies

PEOPLE = promises.People((), (), "https://hotline.example:8022", timedelta(days=7))


def now() -> datetime:
    return datetime.now(UTC)


def handed_out(session: Session, **told: object) -> tuple[Case, Officer, str]:
    """A case at the department of health, with the link of its officer."""
    case = at_agency(session, now=now(), **told)
    who = officer(session)
    return case, who, f"/o/{links.hand_out(session, case, who, now())}"


def last_code(database: Database) -> str:
    with database.reading() as session:
        body = session.scalar(
            select(Notice.body).where(Notice.purpose == "code").order_by(Notice.id.desc())
        )
    found = re.search(r"Ma xac nhan (\d{6})", body or "")
    assert found
    return found[1]


def come_in(browser: Browser, database: Database, path: str) -> str:
    """Through the door with the code; returns the page of the case."""
    assert browser.submit(f"{path}/code").status_code == 200
    assert browser.submit(f"{path}/enter", code=last_code(database)).status_code == 302
    answer = browser.client.get(path)
    assert answer.status_code == 200
    return str(answer.get_data(as_text=True))


def seen_on(page: str) -> str:
    found = re.search(r'name="seen" value="(\d+)"', page)
    assert found
    return found[1]


def status_of(database: Database, code: str) -> str:
    with database.reading() as session:
        return life.by_code(session, code).status


def counts(database: Database) -> dict[str, int | None]:
    with database.reading() as session:
        return {
            name: session.scalar(select(func.count()).select_from(table))
            for name, table in Base.metadata.tables.items() if not name.startswith("search")
        }


@pytest.fixture
def telephone(app: Flask) -> Browser:
    """An officer's browser: nobody is signed in."""
    return Browser(app.test_client())


def test_opening_a_link_changes_nothing_and_tells_nothing_of_the_case(
    telephone: Browser, sqlite: Database
) -> None:
    with sqlite.transaction() as session:
        _case, _who, path = handed_out(session, summary="Nhà bị ngập ở thôn Đông")
    before = counts(sqlite)
    for _ in range(3):
        page = telephone.client.get(path).get_data(as_text=True)
    assert counts(sqlite) == before
    assert "ngập" not in page
    assert "0912345678" not in page


def test_the_code_opens_the_case_for_this_browser_only(
    app: Flask, telephone: Browser, sqlite: Database
) -> None:
    with sqlite.transaction() as session:
        _case, who, path = handed_out(session, summary="Nhà bị ngập ở thôn Đông")
        number = who.phone
    page = come_in(telephone, sqlite, path)
    assert "Nhà bị ngập" in page
    assert "0912345678" in page  # who called lets agencies see it
    with sqlite.reading() as session:
        assert session.scalars(select(Notice.recipient)).all() == [number]
    elsewhere = app.test_client()
    assert "ngập" not in elsewhere.get(path).get_data(as_text=True)
    assert Browser(elsewhere).submit(path, act="accept", seen=seen_on(page)).status_code == 403


def test_a_wrong_code_is_counted_and_the_last_one_ends_the_link(
    telephone: Browser, sqlite: Database
) -> None:
    with sqlite.transaction() as session:
        _case, _who, path = handed_out(session)
    telephone.submit(f"{path}/code")
    assert telephone.submit(f"{path}/code").status_code == 400  # not twice in a minute
    wrong = f"{(int(last_code(sqlite)) + 1) % 10**6:06d}"
    for _ in range(links.MOST_MISSES - 1):
        assert telephone.submit(f"{path}/enter", code=wrong).status_code == 400
    assert telephone.submit(f"{path}/enter", code=wrong).status_code == 410
    assert telephone.submit(f"{path}/enter", code=last_code(sqlite)).status_code == 410
    assert telephone.client.get(path).status_code == 410


def test_a_code_serves_once(app: Flask, telephone: Browser, sqlite: Database) -> None:
    with sqlite.transaction() as session:
        _case, _who, path = handed_out(session)
    come_in(telephone, sqlite, path)
    again = Browser(app.test_client()).submit(f"{path}/enter", code=last_code(sqlite))
    assert again.status_code == 400


def test_the_officer_takes_it_on_asks_extends_and_answers(
    telephone: Browser, sqlite: Database
) -> None:
    with sqlite.transaction() as session:
        case, _who, path = handed_out(session)
        code, until = case.code, case.due_at + timedelta(days=5)
    page = come_in(telephone, sqlite, path)

    def do(act: str, **form: object) -> int:
        page = telephone.client.get(path).get_data(as_text=True)
        return int(telephone.submit(path, act=act, seen=seen_on(page), **form).status_code)

    assert "Tiếp nhận" in page
    assert (do("accept"), status_of(sqlite, code)) == (302, "in_progress")
    assert do("ask", reason=" ") == 400
    assert (do("ask", reason="Nhà ở thôn nào?"), status_of(sqlite, code)) == (302, "need_info")
    assert do("extend", due=f"{until:%Y-%m-%d}", reason="") == 400
    assert do("extend", due="2020-01-01", reason="mưa bão") == 400
    assert do("extend", due=f"{until:%Y-%m-%d}", reason="mưa bão") == 302
    assert do("extend", due=f"{until + timedelta(9):%Y-%m-%d}", reason="nữa") == 400  # once
    assert do("answer", answer="") == 400
    assert (do("answer", answer="Đã thông cống."), status_of(sqlite, code)) == (200, "resolved")
    assert telephone.client.get(path).status_code == 410  # it dies with the case


def test_a_page_that_was_read_before_somebody_else_changed_the_case_changes_nothing(
    telephone: Browser, sqlite: Database
) -> None:
    with sqlite.transaction() as session:
        case, _who, path = handed_out(session)
        code = case.code
    stale = seen_on(come_in(telephone, sqlite, path))
    with sqlite.transaction() as session:
        life.add_information(session, life.by_code(session, code), "Nước đã rút", by="lan",
                              now=now())
    answer = telephone.submit(path, act="answer", seen=stale, answer="Đã thông cống.")
    assert answer.status_code == 409
    assert "Nước đã rút" in answer.get_data(as_text=True)
    assert "Đã thông cống." in answer.get_data(as_text=True)  # what was typed is not lost
    assert status_of(sqlite, code) == "assigned"


def test_a_link_dies_when_the_case_goes_elsewhere_and_the_desk_sees_who_gave_it_back(
    telephone: Browser, sqlite: Database
) -> None:
    with sqlite.transaction() as session:
        case, _who, path = handed_out(session)
        code = case.code
    page = come_in(telephone, sqlite, path)
    assert telephone.submit(path, act="give_back", seen=seen_on(page)).status_code == 400
    answer = telephone.submit(path, act="give_back", seen=seen_on(page), reason="việc của phường")
    assert answer.status_code == 200
    assert telephone.client.get(path).status_code == 410
    assert telephone.submit(path, act="accept", seen="1").status_code == 410
    assert status_of(sqlite, code) == "classified"


def test_a_sensitive_case_is_handed_on_by_the_desk_alone(
    telephone: Browser, sqlite: Database
) -> None:
    with sqlite.transaction() as session:
        _case, _who, path = handed_out(session, sensitive=True)
    page = come_in(telephone, sqlite, path)
    assert 'value="hand_on"' not in page
    refused = telephone.submit(
        path, act="hand_on", seen=seen_on(page), agency=DISTRICT, reason="của huyện"
    )
    assert refused.status_code == 400


def test_the_leader_approves_or_sends_back(app: Flask, sqlite: Database) -> None:
    with sqlite.transaction() as session:
        case, _who, of_officer = handed_out(session)
        assert case.agency is not None
        case.agency.approves = True
        leader = officer(session, Post.LEADER)
        of_leader = f"/o/{links.hand_out(session, case, leader, now())}"
        code = case.code
    hands, head = Browser(app.test_client()), Browser(app.test_client())
    page = come_in(hands, sqlite, of_officer)
    hands.submit(of_officer, act="answer", seen=seen_on(page), answer="Đã thông cống.")
    assert status_of(sqlite, code) == "assigned"
    page = hands.client.get(of_officer).get_data(as_text=True)
    assert "Đã thông cống." in page
    assert hands.submit(of_officer, act="approve", seen=seen_on(page)).status_code == 400
    page = come_in(head, sqlite, of_leader)
    head.submit(of_leader, act="send_back", seen=seen_on(page), reason="ghi rõ ngày")
    page = hands.client.get(of_officer).get_data(as_text=True)
    assert "ghi rõ ngày" in page
    hands.submit(of_officer, act="answer", seen=seen_on(page), answer="Thông cống ngày 20/11.")
    page = head.client.get(of_leader).get_data(as_text=True)
    assert head.submit(of_leader, act="approve", seen=seen_on(page)).status_code == 200
    assert status_of(sqlite, code) == "resolved"
    with sqlite.reading() as session:
        assert life.by_code(session, code).answer == "Thông cống ngày 20/11."
        assert drafts.waiting(session, life.by_code(session, code)) is None


def test_an_answer_of_the_agency_before_is_not_approved_by_the_next(sqlite: Database) -> None:
    with sqlite.transaction() as session:
        case, who, _path = handed_out(session)
        assert case.agency is not None
        case.agency.approves = True
        drafts.propose(session, case, "Xong.", who, now())
        assert drafts.waiting(session, case) is not None
        life.move(session, case, Status.CLASSIFIED, by="a", now=now(), reason="nhầm ngành")
        assert drafts.waiting(session, case) is None
        life.move(session, case, Status.ASSIGNED, by="a", now=now(), agency=HEALTH, reason="lại")
        assert drafts.waiting(session, case) is None


def test_a_case_that_turns_out_to_be_about_the_agency_is_taken_from_it_at_once(
    telephone: Browser, sqlite: Database
) -> None:
    with sqlite.transaction() as session:
        case, _who, path = handed_out(session)
        code = case.code
    page = come_in(telephone, sqlite, path)
    with sqlite.transaction() as session:
        case = life.by_code(session, code)
        life.classify(session, case, "prices", by="huy", now=now(), about=HEALTH)
        assert (case.status, case.agency) == (Status.CLASSIFIED, None)
    assert telephone.client.get(path).status_code == 410
    assert telephone.submit(path, act="accept", seen=seen_on(page)).status_code == 410
    with sqlite.transaction() as session:
        promises.follow(session, life.by_code(session, code).id, now(), PEOPLE)
        assert all(one.ended_at for one in links.of_case(
            session, life.by_code(session, code)
        ))


def test_by_their_account_officers_see_the_cases_of_their_agency_and_no_others(
    telephone: Browser, sqlite: Database
) -> None:
    with sqlite.transaction() as session:
        case = at_agency(session, now=now(), summary="Nhà bị ngập")
        hidden = at_agency(
            session, now=now(), summary="Tôi là Lê Văn Tám, số 0912 345 678",
            identity=Identity.HIDDEN,
        )
        other = opened(session, now=now(), summary="Chưa chuyển ai")
        who = officer(session)
        officers.give_account(session, who, "canbo", PASSWORD, now())
        codes = case.code, hidden.code, other.code
    telephone.sign_in("canbo")
    assert telephone.client.get("/").location == "/agency"
    page = telephone.client.get("/agency").get_data(as_text=True)
    assert "Nhà bị ngập" in page
    assert "Chưa chuyển ai" not in page
    assert not re.search(r"Tám|0912 345 678", page)
    assert telephone.client.get(f"/agency/{codes[2]}").status_code == 404
    assert telephone.client.get(f"/cases/{codes[0]}").status_code == 403
    page = telephone.client.get(f"/agency/{codes[1]}").get_data(as_text=True)
    assert not re.search(r"Tám|0912 ?345 ?678", page)
    assert telephone.submit(
        f"/agency/{codes[1]}", act="accept", seen=seen_on(page)
    ).status_code == 302
    with sqlite.transaction() as session:
        found = session.scalar(select(Officer).where(Officer.login == "canbo"))
        assert found is not None
        found.valid_to = (now() - timedelta(days=2)).date()
    assert telephone.client.get("/agency").status_code == 403  # left the agency


def test_an_administrator_enters_people_and_gives_them_accounts(
    admin: Browser, supervisor: Browser, sqlite: Database, settings: Settings
) -> None:
    with sqlite.transaction() as session:
        with_agencies(session)
    assert "chưa có ai" in supervisor.client.get("/agencies").get_data(as_text=True)
    added = admin.submit(
        f"/agencies/{HEALTH}/people", name="Trần Thị Hoa", post="leader", phone="0987000001"
    )
    assert added.status_code == 302
    for wrong in ({"phone": "12"}, {"post": "king"}, {"valid_from": "2026-13-01"}):
        form = {"name": "Sai", "post": "officer", "phone": "0987000002"} | wrong
        assert admin.submit(f"/agencies/{HEALTH}/people", **form).status_code == 400
    admin.submit(f"/agencies/{HEALTH}/people", name="Lê An", post="officer", phone="0987000002")
    with sqlite.reading() as session:
        people = {one.name: one.id for one in session.scalars(select(Officer))}
    assert people.keys() == {"Trần Thị Hoa", "Lê An"}
    today = now().date()
    stands_in = {
        "leader": people["Trần Thị Hoa"], "stands_in": people["Lê An"], "from": today,
        "to": today + timedelta(days=3),
    }
    assert admin.submit(f"/agencies/{HEALTH}/delegations", **stands_in).status_code == 302
    swapped = stands_in | {"leader": people["Lê An"], "stands_in": people["Trần Thị Hoa"]}
    assert admin.submit(f"/agencies/{HEALTH}/delegations", **swapped).status_code == 400
    assert admin.submit(f"/agencies/{HEALTH}/approves", approves="yes").status_code == 302
    account = f"/agencies/{HEALTH}/people/{people['Lê An']}/account"
    page = admin.submit(account, login="le.an").get_data(as_text=True)
    assert re.search(r"data-password>[a-z0-9-]{19}<", page)
    assert admin.submit(account, login="le.an2").status_code == 400  # has one
    assert supervisor.submit(account, login="le.an3").status_code == 403
    page = supervisor.client.get(f"/agencies/{HEALTH}").get_data(as_text=True)
    assert "Trần Thị Hoa" in page
    assert "le.an" in page


def test_that_an_officer_reads_a_private_case_is_noted_and_stops_nobodys_work(
    app: Flask, telephone: Browser, sqlite: Database
) -> None:
    with sqlite.transaction() as session:
        case, who, path = handed_out(session, summary="Tôi bị sốt", private=True)
        code, name = case.code, who.name
    page = come_in(telephone, sqlite, path)
    assert "Tôi bị sốt" in page
    telephone.client.get(path)
    with sqlite.reading() as session:
        events = life.events_of(session, life.by_code(session, code))
        assert [one.by for one in events if one.what == "read"] == [name]
    assert telephone.submit(path, act="accept", seen=seen_on(page)).status_code == 302
    assert status_of(sqlite, code) == "in_progress"
