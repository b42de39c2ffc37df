"""A shift changes hands: offered, taken, approved; nobody takes what is taken."""

from __future__ import annotations

import threading
from datetime import timedelta

import hypothesis
import pytest
from hypothesis import strategies as st
from sqlalchemy import select

from crm.database import Database
from crm.models import Role, User
from crm.shifts import events, roster, rules, swaps
from crm.shifts.models import Shift, Swap
from crm.shifts.swaps import SwapError
from tests.accounts import hash_quickly
from tests.crm.shifts.factory import DAY, NOW, REST, shift, someone
from tests.databases import Databases


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    hash_quickly(monkeypatch)


def code(act: object, *args: object, **more: object) -> str:
    with pytest.raises(SwapError) as told:
        act(*args, **more)  # type: ignore[operator]
    return told.value.code


def test_a_swap_goes_its_way_and_every_step_stays_written(database: Database) -> None:
    with database.transaction() as session:
        lan, minh = someone(session, "lan"), someone(session, "minh")
        huy = someone(session, "huy", Role.SUPERVISOR)
        given = shift(session, lan, NOW + DAY)
        swap = swaps.offer(session, given.id, lan, NOW)
        assert [one.id for one in swaps.open_ones(session, NOW)] == [swap.id]
        swaps.take(session, swap.id, minh, REST, NOW)
        assert given.user.login == "lan"  # until a lead has approved
        swaps.decide(session, swap.id, huy, REST, NOW, approve=True)
        assert given.user.login == "minh"
        assert swaps.open_ones(session, NOW) == []
        assert [one.what for one in events.latest(session, 9)] == [
            "swap_approved", "swap_taken", "swap_offered"
        ]


def test_what_cannot_be_swapped_is_refused_by_name(sqlite: Database) -> None:
    with sqlite.transaction() as session:
        lan, minh = someone(session, "lan"), someone(session, "minh")
        hoa = someone(session, "hoa", queues=("relief",))
        huy = someone(session, "huy", Role.SUPERVISOR)
        given = shift(session, lan, NOW + DAY)
        begun = shift(session, lan, NOW - timedelta(hours=1))
        assert code(swaps.offer, session, given.id, minh, NOW) == "not_own"
        assert code(swaps.offer, session, begun.id, lan, NOW) == "begun"
        swap = swaps.offer(session, given.id, lan, NOW)
        assert code(swaps.offer, session, given.id, lan, NOW) == "offered"
        assert code(swaps.take, session, swap.id, lan, REST, NOW) == "own"
        assert code(swaps.take, session, swap.id, hoa, REST, NOW) == "branch"
        assert code(swaps.take, session, swap.id, huy, REST, NOW) == "branch"
        assert code(swaps.take, session, swap.id, minh, REST, NOW + 2 * DAY) == "begun"
        assert code(swaps.decide, session, swap.id, huy, REST, NOW, approve=True) == "gone"
        other = shift(session, minh, NOW + DAY + timedelta(hours=4))
        assert code(swaps.take, session, swap.id, minh, REST, NOW) == "overlap"
        other.begins_at, other.ends_at = NOW + DAY * 2 - timedelta(hours=9), NOW + 2 * DAY
        session.flush()
        assert code(swaps.take, session, swap.id, minh, REST, NOW) == "rest"
        swaps.take(session, swap.id, minh, timedelta(hours=7), NOW)
        assert code(swaps.decide, session, swap.id, minh, REST, NOW, approve=True) == "involved"
        # what has become wrong since it was taken is seen at the decision
        assert code(swaps.decide, session, swap.id, huy, REST, NOW, approve=True) == "rest"
        swaps.decide(session, swap.id, huy, REST, NOW, approve=False)
        assert given.user.login == "lan"
        assert code(swaps.withdraw, session, swap.id, lan, NOW) == "gone"
        again = swaps.offer(session, given.id, lan, NOW)
        assert code(swaps.withdraw, session, again.id, minh, NOW) == "not_own"
        swaps.withdraw(session, again.id, lan, NOW)
        assert code(swaps.take, session, again.id, minh, timedelta(), NOW) == "gone"


def test_two_who_take_at_once_do_not_both_have_it(database: Database) -> None:
    with database.transaction() as session:
        lan = someone(session, "lan")
        swap = swaps.offer(session, shift(session, lan, NOW + DAY).id, lan, NOW).id
        takers = [someone(session, login).id for login in ("minh", "hoa", "tam")]
    start, won, lost = threading.Barrier(3), [], []

    def take(user_id: int) -> None:
        start.wait()
        try:
            with database.transaction() as session:
                swaps.take(session, swap, session.get_one(User, user_id), REST, NOW)
            won.append(user_id)
        except SwapError as error:
            lost.append(error.code)

    threads = [threading.Thread(target=take, args=(one,)) for one in takers]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert lost == ["gone", "gone"]
    with database.reading() as session:
        assert [session.get_one(Swap, swap).taken_by] == won


STEPS = st.lists(st.tuples(
    st.sampled_from(["offer", "take", "withdraw", "approve", "refuse"]), st.integers(0, 3),
    st.integers(0, 5),
), max_size=25)


@hypothesis.settings(max_examples=25, deadline=None)
@hypothesis.given(STEPS)
def test_whatever_people_do_nobody_works_twice_or_without_rest(
    databases: Databases, steps: list[tuple[str, int, int]]
) -> None:
    with databases.new("sqlite") as database, database.transaction() as session:
        people = [someone(session, f"agent{number}") for number in range(4)]
        lead = someone(session, "lead", Role.SUPERVISOR)
        shifts = [
            shift(session, people[number % 4], NOW + DAY + number * timedelta(hours=7)).id
            for number in range(6)
        ]
        owners = 6
        for what, who, which in steps:
            swap = session.scalar(select(Swap).where(
                Swap.shift_id == shifts[which], Swap.state.in_(swaps.OPEN)
            ))
            try:
                match what:
                    case "offer":
                        swaps.offer(session, shifts[which], people[who], NOW)
                    case _ if swap is None:
                        continue
                    case "take":
                        swaps.take(session, swap.id, people[who], REST, NOW)
                    case "withdraw":
                        swaps.withdraw(session, swap.id, people[who], NOW)
                    case _:
                        swaps.decide(
                            session, swap.id, lead, REST, NOW, approve=what == "approve"
                        )
            except SwapError:
                continue
        found = session.scalars(select(Shift)).unique().all()
        assert len(found) == owners
        for one in found:
            others = [
                roster.span_of(other) for other in found
                if other.user_id == one.user_id and other.id != one.id
            ]
            assert rules.clash(roster.span_of(one), others, REST) is None
