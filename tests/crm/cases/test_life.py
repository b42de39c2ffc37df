"""Cases: how they go on, what is kept of it, and what callers ask for by key."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import hypothesis
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm.agencies import register
from crm.agencies.register import AgencyError
from crm.calls.facts import JournalEvent
from crm.cases import life
from crm.cases.life import AT_AGENCY, MOVES, CaseError, Refusal
from crm.cases.models import CaseEvent, Identity, Status
from crm.database import Database
from tests.crm.cases.factory import (
    DISTRICT,
    HEALTH,
    NOW,
    answered,
    at_agency,
    opened,
    with_agencies,
)
from tests.databases import Databases


def wish(code: str, what: str, call: str = "th1.b1-1.1", second: int = 0) -> JournalEvent:
    return JournalEvent(
        type="HL_CASE_ASK", at=NOW + timedelta(seconds=second), num="", name="", exten="",
        context="", channel="PJSIP/trunk-00000001", app="", app_data="", uniqueid=call,
        linkedid=call, peer="",
        extra={"code": code, "what": what},
    )


def rating(code: str, score: int, call: str = "th1.b1-1.1", second: int = 0) -> JournalEvent:
    return replace(
        wish(code, "", call, second), type="HL_CASE_RATED",
        extra={"code": code, "score": str(score)},
    )


@pytest.mark.parametrize(("score", "then"), [
    (1, Status.CLOSED), (2, Status.CLOSED), (3, Status.RESOLVED),
])
def test_whoever_is_content_with_the_result_ends_the_case(
    sqlite: Database, score: int, then: Status
) -> None:
    with sqlite.transaction() as session:
        case = answered(session, "Trạm y tế đã đến nhà.")
        assert life.is_to_be_rated(case)
        life.apply(session, [rating(case.code, score), rating(case.code, 2, "th1.b1-1.2")])
        assert (case.status, case.satisfaction) == (then, score)  # the first counts
        assert not life.is_to_be_rated(case)
        life.apply(session, [rating(case.code, 1), wish(case.code, "reopen", second=9)])
        assert (case.status, case.satisfaction) == (Status.REOPENED, None)


def test_a_rating_that_is_none_or_comes_before_a_result_is_no_rating(sqlite: Database) -> None:
    with sqlite.transaction() as session:
        early, case = at_agency(session), answered(session, "Xong.")
        life.apply(session, [rating(early.code, 1), rating(case.code, 0), rating(case.code, 7)])
        assert (early.status, early.satisfaction) == (Status.ASSIGNED, None)
        assert (case.status, case.satisfaction) == (Status.RESOLVED, None)


def test_a_case_goes_to_an_agency_is_answered_and_closed_and_all_of_it_is_kept(
    database: Database,
) -> None:
    with database.transaction() as session:
        code = answered(session, "Trạm y tế đã đến nhà.").code
    with database.transaction() as session:
        case = life.by_code(session, code)
        life.move(session, case, Status.CLOSED, by="lan", now=NOW + timedelta(days=1))
    with database.reading() as session:
        case = life.by_code(session, code)
        assert life.as_json(case)["agency"] == HEALTH
        assert case.due_at == datetime(2026, 3, 27, 10, 0, tzinfo=UTC)  # 17:00, 17 days later
        assert [(one.what, one.before, one.after, one.by) for one in life.events_of(
            session, case
        )] == [
            ("opened", None, "new", "lan"), ("moved", "new", "assigned", "huong"),
            ("answered", None, None, "huong"), ("moved", "assigned", "resolved", "huong"),
            ("moved", "resolved", "closed", "lan"),
        ]


def test_a_move_that_is_not_allowed_changes_nothing_and_says_what_is(sqlite: Database) -> None:
    with sqlite.transaction() as session:
        case = opened(session)
        with_agencies(session)

        def refused(to: Status, **told: object) -> str:
            with pytest.raises((CaseError, AgencyError)) as error:
                life.move(session, case, to, by="lan", now=NOW, **told)  # type: ignore[arg-type]
            assert case.status == Status.NEW
            return str(error.value)

        assert "can become assigned, classified" in refused(Status.CLOSED)
        assert "assigned to an agency" in refused(Status.ASSIGNED)
        assert "needs its reason" in refused(Status.REJECTED)
        assert "there is no agency NONE" in refused(Status.ASSIGNED, agency="NONE")
        ended = "does not stand on that day"  # districts are no more since July 2025
        assert ended in refused(Status.ASSIGNED, agency=DISTRICT)
        life.move(session, case, Status.ASSIGNED, by="lan", now=NOW, agency=HEALTH)
        with pytest.raises(CaseError, match="with an answer"):
            life.move(session, case, Status.RESOLVED, by="lan", now=NOW)
        later = case.due_at + timedelta(days=1)
        with pytest.raises(CaseError, match="needs its reason"):
            life.move(session, case, Status.EXTENDED, by="lan", now=NOW, due_at=later)
        with pytest.raises(CaseError, match="later than"):
            life.move(
                session, case, Status.EXTENDED, by="lan", now=NOW, due_at=case.due_at,
                reason="mưa lũ",
            )
        with pytest.raises(CaseError, match="1 to 1200 letters"):
            life.set_answer(session, case, "a" * 1201, by="lan", now=NOW)


def test_from_every_status_a_case_can_come_to_its_end() -> None:
    """No dead ends: only closed cases rest, and a citizen can wake them."""
    ends = {Status.CLOSED}
    while True:
        more = ends | {status for status, to in MOVES.items() if to & ends}
        if more == ends:
            break
        ends = more
    assert ends == set(Status) == set(MOVES)


@hypothesis.settings(max_examples=25)
@given(st.lists(st.sampled_from(list(Status)), max_size=12))
def test_the_events_tell_the_whole_way_of_any_case(
    databases: Databases, wanted: list[Status]
) -> None:
    with databases.new("sqlite") as database, database.transaction() as session:
        case, other = opened(session), opened(session)
        with_agencies(session)
        life.set_answer(session, case, "Xong.", by="lan", now=NOW)
        due, extended = case.due_at, False
        for to in wanted:
            due += timedelta(days=1)
            case.duplicate_of = other  # as crm.cases.groups.join does
            try:
                life.move(
                    session, case, to, by="lan", now=NOW, reason="vì vậy",
                    agency=HEALTH if to is Status.ASSIGNED else None,
                    due_at=due if to is Status.EXTENDED else None,
                    refusal=Refusal.OUTSIDE if to is Status.REJECTED else None,
                )
            except CaseError:
                again = to is Status.EXTENDED and extended  # once only
                nobody = to in AT_AGENCY - {Status.ASSIGNED} and case.agency is None
                assert again or nobody or to not in MOVES[Status(case.status)]
            extended = extended or case.status == Status.EXTENDED
        moves = [one for one in life.events_of(session, case) if one.after]
        assert [one.before for one in moves] == [None, *(one.after for one in moves[:-1])]
        assert moves[-1].after == case.status


def test_an_anonymous_case_has_no_number_and_a_hidden_one_shows_none(sqlite: Database) -> None:
    with sqlite.transaction() as session:
        with pytest.raises(CaseError, match="anonymous"):
            opened(session, identity=Identity.ANONYMOUS)
        with pytest.raises(CaseError, match="what it is about"):
            opened(session, summary="  ")
        hidden = opened(session, identity=Identity.HIDDEN)
        assert life.as_json(hidden)["phone"] is None
        assert life.as_json(opened(session))["phone"] == "0912345678"


def test_a_wish_from_the_journal_reopens_a_case_once_however_often_it_is_read(
    database: Database,
) -> None:
    with database.transaction() as session:
        code = answered(session, "Đã xong.").code
        open_code = at_agency(session).code
    for _ in range(2):
        with database.transaction() as session:
            life.apply(session, [
                wish(code, "reopen"), wish(code, "reopen"), wish(open_code, "info"),
                wish(open_code, "reopen", call="th1.b1-1.2", second=9),
                wish("00000000", "reopen"), wish(code[::-1], "reopen"), wish(code, "delete"),
            ])
    with database.reading() as session:
        reopened, still = life.by_code(session, code), life.by_code(session, open_code)
        assert (reopened.status, still.status) == ("reopened", "assigned")
        asked = [
            (one.what, one.by, one.call_id, one.after)
            for case in (reopened, still) for one in life.events_of(session, case)
            if one.by == "citizen"
        ]
        assert asked == [
            ("reopen", "citizen", "th1.b1-1.1", "reopened"),
            ("info", "citizen", "th1.b1-1.1", None),
            ("reopen", "citizen", "th1.b1-1.2", None),
        ]
        assert session.query(CaseEvent).filter_by(by="citizen").count() == 3


def test_no_case_is_shown_for_a_code_that_is_mistyped_or_nobodys(sqlite: Database) -> None:
    with sqlite.reading() as session:
        with pytest.raises(CaseError, match="do not fit together"):
            life.by_code(session, "12345678")
        with pytest.raises(CaseError, match="there is no case"):
            life.by_code(session, "00000000")


def test_agencies_are_taken_in_once_and_changed_when_the_file_says_so(
    sqlite: Database, tmp_path: Path
) -> None:
    rows = register.read(register.PROVINCE)
    with sqlite.transaction() as session:
        assert register.take_in(session, rows).added == len(rows)
    rows[0]["name"] = "Sở Y tế tỉnh Thanh Hóa"
    with sqlite.transaction() as session:
        done = register.take_in(session, rows)
        assert (done.added, done.changed) == (0, 1)
        before = datetime(2024, 6, 1, tzinfo=UTC)
        then, today = (
            {agency.code for agency in register.standing(session, at)} for at in (before, NOW)
        )
        assert DISTRICT in then - today  # districts have ended, communes are new
        assert "UB14758" in today - then
        assert register.agency_named(session, DISTRICT, before).name.startswith("Ủy ban")


def test_a_file_of_agencies_with_faults_names_all_of_them(tmp_path: Path) -> None:
    file = tmp_path / "agencies.csv"
    file.write_text(
        "code,name,kind,level,area,valid_from,valid_to\n"
        "syt,Sở Y tế,department,province,,,\n"
        "SYT,,department,province,,2025-13-01,\n"
        "SYT,Sở Y tế,department,province,,2025-07-01,2024-07-01\n"
        "SXD,Sở Xây dựng,department\n",
        encoding="utf-8",
    )
    with pytest.raises(AgencyError) as error:
        register.read(file)
    for fault in (
        ": line 2: 'syt' is no code", ": line 3: SYT: a name", ": line 3: SYT: valid_from",
        ": line 4: SYT stands",
        ": line 4: SYT: ends before", ": line 5: has too many or too few",
    ):
        assert fault in str(error.value)
    file.write_bytes(b"\xff\xfe")
    with pytest.raises(AgencyError, match="cannot be read"):
        register.read(file)
    file.write_text("name\n", encoding="utf-8")
    with pytest.raises(AgencyError, match="first line"):
        register.read(file)
