"""Pages of calls and cases, and requests that come twice, on both databases."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import func, select

from crm.api import listing, repeats, tokens
from crm.api.listing import CursorError
from crm.api.models import KeptAnswer
from crm.api.repeats import KeyReused
from crm.cases.models import CaseCall, Identity
from crm.database import Database
from tests.agent_console.factories import add_call
from tests.crm.cases.factory import NOW, opened

ANY: dict[str, Any] = {"since": None, "until": None}


def test_pages_hold_each_row_once_also_where_many_began_at_once(database: Database) -> None:
    known = {
        add_call(database, started_at=NOW + timedelta(seconds=number // 5)).id
        for number in range(12)
    }
    with database.transaction() as session:
        codes = {opened(session).code for _ in range(7)}
    with database.reading() as session:
        seen: list[str] = []
        cursor: str | None = None
        while True:
            page = listing.calls_page(
                session, limit=5, cursor=cursor, branch=None, outcome=None, **ANY
            )
            seen += [one.id for one in page.rows]
            if (cursor := page.next) is None:
                break
        assert (len(seen), set(seen)) == (12, known)
        first = listing.cases_page(session, limit=4, cursor=None, status=None, category=None,
                                   area=None, sensitive=False, **ANY)
        rest = listing.cases_page(session, limit=4, cursor=first.next, status=None,
                                  category=None, area=None, sensitive=False, **ANY)
        assert {one.code for one in [*first.rows, *rest.rows]} == codes
        assert rest.next is None


@given(st.text(alphabet="abcdefghijklmnopqrstuvwxyzABCDEFGH0123456789-_", max_size=60))
def test_what_is_no_cursor_is_one_clear_error(cursor: str) -> None:
    with pytest.raises(CursorError):
        listing._opened(cursor, int)


def test_calls_of_somebody_who_hid_are_nameless(database: Database) -> None:
    spoken, asked, other = (add_call(database) for _ in range(3))
    with database.transaction() as session:
        secret, shown = opened(session, identity=Identity.HIDDEN), opened(session)
        session.add(CaseCall(case_id=secret.id, call_id=spoken.id, at=NOW))
        session.add(CaseCall(case_id=shown.id, call_id=other.id, at=NOW))
    asked.case_code = secret.code
    with database.reading() as session:
        assert listing.nameless(session, [spoken, asked, other]) == {spoken.id, asked.id}


def test_counts_are_of_their_time(database: Database) -> None:
    add_call(database, started_at=NOW, outcome="answered")
    add_call(database, started_at=NOW)
    with database.transaction() as session:
        opened(session)
        opened(session, now=NOW - timedelta(days=2))
    with database.reading() as session:
        told = listing.counts(session, NOW - timedelta(days=1), NOW + timedelta(days=1))
    assert (told["calls"], told["cases"]) == ({"answered": 1, "none": 1}, {"new": 1})
    assert told["categories"] == {"none": 1}


def test_a_kept_answer_is_told_again_until_it_is_forgotten(database: Database) -> None:
    done = []

    def act() -> repeats.Answered:
        done.append(1)
        return 201, {"number": len(done)}

    with database.transaction() as session:
        shown = tokens.create(session, name="an", scopes=["cases:write"], by="quan", now=NOW)
        known = tokens.find(session, shown, NOW)
        assert known
        id_ = known.id

    def ask(request: str) -> repeats.Answered:
        with database.transaction() as session:
            return repeats.once(
                session, token_id=id_, key="k" * 8, request=request, now=NOW, act=act
            )

    assert ask("a") == ask("a") == (201, {"number": 1})
    with pytest.raises(KeyReused):
        ask("b")
    with database.transaction() as session:
        repeats.forget(session, NOW + repeats.KEPT + timedelta(seconds=1))
        assert session.scalar(select(func.count(KeptAnswer.id))) == 0
    assert ask("b") == (201, {"number": 2})


@pytest.mark.parametrize(("told", "code"), [
    ({"name": "X"}, "name"), ({"scopes": []}, "scopes"), ({"scopes": ["moon"]}, "scopes"),
    ({"expires_at": NOW}, "expires"), ({"name": "an"}, "taken"),
])
def test_a_token_that_makes_no_sense_is_refused(
    sqlite: Database, told: dict[str, Any], code: str
) -> None:
    good: dict[str, Any] = {"name": "binh", "scopes": ["cases:read"], "by": "quan", "now": NOW}
    with sqlite.transaction() as session:
        tokens.create(session, **good | {"name": "an"})
        with pytest.raises(tokens.TokenError) as error:
            tokens.create(session, **good | told)
    assert error.value.code == code
