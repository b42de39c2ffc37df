"""Recordings found by anything that is known of their calls."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta

import pytest
from sqlalchemy import event

from crm.cases import life as cases
from crm.clock import VIETNAM
from crm.database import Database
from crm.models import CallNote, Outcome, Role, User
from crm.recordings import hearing, listing
from crm.recordings.listing import SHOWN, SearchError, Wanted
from scripts.bench import pages as bench_pages
from tests.agent_console.factories import add_call
from tests.crm.cases.factory import opened
from tests.crm.recordings.sounds import NOW

ALL = Wanted(since=date(2026, 3, 1), until=date(2026, 3, 7))


def call(database: Database, number: int, at: datetime, **more: object) -> str:
    id_ = f"th1.b1-1.{number}"
    add_call(database, **{
        "id": id_, "started_at": at, "recording": f"{id_}.raw", "agent": "lan", "branch": "vaccine",
        "outcome": "answered", "talk_ms": 60_000, "caller": "0912345678", **more,
    })
    return id_


def found(database: Database, wanted: Wanted) -> list[str]:
    with database.reading() as session:
        return [one.call.id for one in listing.find(session, wanted).recorded]


def test_each_thing_that_is_known_of_a_call_finds_it(database: Database) -> None:
    day = datetime(2026, 3, 2, 9, 30, tzinfo=VIETNAM)
    plain = call(database, 1, day)
    other = call(database, 2, day + timedelta(days=1, hours=13), agent="minh", branch="testing",
                 outcome="transferred", talk_ms=200_000, caller="0987654321", satisfaction=5)
    refused = call(database, 3, day + timedelta(days=2), recording=None,
                   recording_notice="refused")
    call(database, 4, day, recording=None)  # nobody answered: neither recorded nor refused
    with database.transaction() as session:
        user = User(login="minh", name="Minh", role=Role.AGENT, password_hash="", queues=[],
                    active=True, created_at=NOW)
        session.add(user)
        session.flush()
        session.add(CallNote(call_id=other, user_id=user.id, text="Hỏi về xét nghiệm ở Đông Sơn",
                             result=None, created_at=NOW, saved_at=NOW, done=True))
        hearing.note(session, f"{plain}.raw", 1000, "nói rất chậm", "huy", NOW)
        case = opened(session, phone="0987654321")
        cases.add_call(session, case, other, by="minh", now=NOW)
        code = case.code
    assert found(database, ALL) == [refused, other, plain]
    for changed, expected in (
        ({"number": "0987654321"}, other), ({"agent": "minh"}, other),
        ({"branch": "testing"}, other), ({"code": code}, other),
        ({"outcome": Outcome.TRANSFERRED}, other), ({"satisfaction": 5}, other),
        ({"least_s": 100}, other), ({"most_s": 100, "refused": False}, plain),
        ({"words": "xet nghiem dong"}, other), ({"words": "CHẬM"}, plain),
        ({"hours": (22, 6)}, other), ({"hours": (9, 10), "refused": False}, plain),
        ({"refused": True}, refused), ({"until": date(2026, 3, 2)}, plain),
    ):
        assert found(database, replace(ALL, **changed)) == [expected], changed
    assert found(database, replace(ALL, words="xét nghiệm chậm")) == []


def test_pages_follow_each_other_without_a_call_twice_or_missing(
    sqlite: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "PORTION", 20)
    monkeypatch.setattr(listing, "MOST_READ", 60)
    day = datetime(2026, 3, 2, 9, 30, tzinfo=VIETNAM)
    made = [call(sqlite, number, day + timedelta(minutes=number // 3)) for number in range(130)]
    for wanted in (ALL, replace(ALL, hours=(10, 11))):
        seen, after, turns = [], "", 0
        while True:
            with sqlite.reading() as session:
                page = listing.find(session, wanted, after)
            seen += [one.call.id for one in page.recorded]
            assert len(page.recorded) <= SHOWN
            turns += 1
            if page.after is None:
                break
            after = page.after
        assert len(seen) == len(set(seen))
        assert turns <= 5
        expected = set(made) if wanted is ALL else {
            id_ for number, id_ in enumerate(made) if number // 3 >= 30
        }
        assert set(seen) == expected


@pytest.mark.parametrize("wrong", [
    replace(ALL, until=date(2026, 2, 1)), replace(ALL, since=date(2020, 1, 1)),
])
def test_what_cannot_be_searched_is_refused(sqlite: Database, wrong: Wanted) -> None:
    with sqlite.reading() as session, pytest.raises(SearchError):
        listing.find(session, wrong)
    for nonsense in ("x", "2026-01-01T00:00:00~a", "~"):
        with sqlite.reading() as session, pytest.raises(SearchError):
            listing.find(session, ALL, nonsense)


@pytest.mark.parametrize("wanted", [
    ALL, replace(ALL, agent="lan"), replace(ALL, number="0912345678"),
    replace(ALL, branch="testing"), replace(ALL, code="12345678"), replace(ALL, refused=True),
])
def test_a_search_goes_by_an_index_on_both_databases(database: Database, wanted: Wanted) -> None:
    statements: list[tuple[str, object]] = []

    @event.listens_for(database.engine, "before_cursor_execute")
    def _note(_c: object, _cursor: object, said: str, given: object, *_: object) -> None:
        statements.append((said, given))

    with database.reading() as session:
        listing.find(session, wanted)
    event.remove(database.engine, "before_cursor_execute", _note)
    if not database.is_sqlite:
        bench = ("SET enable_seqscan = off",)
        bench_pages._EXPLAIN_FIRST = bench
    try:
        said = next(one for one in statements if "FROM call" in one[0])
        plan = " ".join(bench_pages.plan_of(database, *said))
    finally:
        bench_pages._EXPLAIN_FIRST = ()
    assert "call_recorded" in plan or "call_caller" in plan or "case_call" in plan, plan
    assert "SCAN call\n" not in plan
    assert "Seq Scan on call" not in plan
