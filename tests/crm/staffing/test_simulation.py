"""A queue by the event, worked out by hand; and what holds for any day."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from crm.staffing import simulation
from crm.staffing.simulation import Caller

CALLERS = st.lists(st.builds(
    Caller, st.floats(0, 3600), st.floats(1, 600), st.floats(0, 600)
), max_size=60)
STAFF = st.lists(st.integers(0, 6), min_size=1, max_size=6).map(
    lambda numbers: [(600.0 * place, number) for place, number in enumerate(numbers)]
)


def test_a_small_day_by_hand() -> None:
    callers = [
        Caller(0, 100, 999), Caller(10, 50, 999), Caller(20, 50, 30), Caller(30, 50, 2),
        Caller(200, 10, 999),
    ]
    came = simulation.run(callers, [(0, 1)], within=20, at_once=5)
    # 0: at once; 10: from 100, waited 90; 20 gave up at 50, 30 at once; 200: at once
    assert (came.offered, came.answered, came.in_time, came.at_once) == (5, 3, 2, 1)
    assert came.waited == 90
    assert came.level == 2 / 4


def test_an_agent_who_goes_finishes_the_call_and_one_who_comes_takes_the_first() -> None:
    callers = [Caller(0, 100, 999), Caller(10, 100, 999), Caller(20, 100, 999)]
    came = simulation.run(callers, [(0, 1), (50, 0), (300, 1)], within=20, at_once=5)
    assert came.waited == 0 + 290 + 380
    assert simulation.run(callers, [(0, 0)], within=20, at_once=5).answered == 0


@given(CALLERS, STAFF)
def test_everybody_is_answered_or_not_and_more_agents_answer_no_fewer_in_time(
    callers: list[Caller], staff: list[tuple[float, int]]
) -> None:
    came = simulation.run(callers, staff, 20, 5)
    assert came.offered == len(callers)
    assert 0 <= came.in_time <= came.answered <= came.offered
    assert came.at_once <= came.offered - came.answered
    endless = simulation.run(callers, [(0, len(callers) + 1)], 20, 5)
    assert endless.answered == endless.in_time == len(callers)
    assert came.in_time <= endless.in_time
