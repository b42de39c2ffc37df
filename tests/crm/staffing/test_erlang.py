"""Erlang C and A against published figures, their limits, and a simulation."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from crm.staffing import erlang, simulation
from crm.staffing.erlang import Queue, outlook
from crm.staffing.simulation import Caller

HOUR = 3600.0
RATES = st.floats(0.0001, 0.5)
HANDLING = st.floats(20, 900)
AGENTS = st.integers(1, 80)
PATIENCE = st.floats(5, 3000)
WITHIN = st.floats(0, 120)


@pytest.mark.parametrize(("calls", "per", "handling", "agents", "within", "found"), [
    # the worked example of Erlang C that calculators are tried by: 48 E, 55 agents
    (360, 1800, 240, 55, 15, (0.239, 0.846, 8.18)),
    # 100 calls in half an hour of 180 s, 14 agents
    (100, 1800, 180, 14, 20, (0.174, 0.888, 7.84)),
])
def test_erlang_c_is_what_is_published(
    calls: int, per: int, handling: int, agents: int, within: int,
    found: tuple[float, float, float],
) -> None:
    got = outlook(Queue(calls / per, handling, agents), within)
    assert (got.waiting, got.level, got.wait) == pytest.approx(found, abs=0.005)


@pytest.mark.parametrize(("load", "agents", "blocked"), [
    (5, 10, 0.01838), (1, 1, 0.5), (1, 2, 0.2), (10, 15, 0.03650), (100, 117, 0.00981),
])
def test_erlang_b_is_what_tables_say(load: float, agents: int, blocked: float) -> None:
    assert erlang.erlang_b(load, agents) == pytest.approx(blocked, abs=0.00005)


@pytest.mark.parametrize(("calls", "in_20", "in_60"), [
    (21, 3, 3), (555, 43, 41), (2370, 167, 163),
])
def test_the_hours_of_the_province_need_as_many_agents_as_was_worked_out(
    calls: int, in_20: int, in_60: int
) -> None:
    """Quiet, epidemic and surge: 1.4, 37 and 158 Erlang of 240 s."""
    assert erlang.agents_for(calls / HOUR, 240, 20, 0.8) == in_20
    assert erlang.agents_for(calls / HOUR, 240, 60, 0.8) == in_60


@given(RATES, HANDLING, AGENTS, WITHIN)
@example(rate=0.1, handling=20, agents=3, within=5e-324)
def test_with_endless_patience_erlang_a_is_erlang_c(
    rate: float, handling: float, agents: int, within: float
) -> None:
    assume(rate * handling < agents * 0.98)
    with_patience = outlook(Queue(rate, handling, agents, 1e10), within)
    without = outlook(Queue(rate, handling, agents), within)
    for name in ("waiting", "level", "occupancy"):
        assert getattr(with_patience, name) == pytest.approx(getattr(without, name), abs=2e-4)
    assert with_patience.wait == pytest.approx(without.wait, rel=1e-3, abs=1e-6)
    assert with_patience.abandoned == pytest.approx(0, abs=1e-4)


@given(RATES, HANDLING, AGENTS, st.none() | PATIENCE, WITHIN)
def test_more_agents_never_make_it_worse(
    rate: float, handling: float, agents: int, patience: float | None, within: float
) -> None:
    fewer = outlook(Queue(rate, handling, agents, patience), within)
    more = outlook(Queue(rate, handling, agents + 1, patience), within)
    assert more.level >= fewer.level - 1e-9
    assert more.wait <= fewer.wait + 1e-9
    assert more.abandoned <= fewer.abandoned + 1e-9
    assert more.waiting <= fewer.waiting + 1e-9


@given(RATES, HANDLING, AGENTS, PATIENCE, WITHIN, st.floats(0, 5))
def test_shares_are_shares_and_what_is_served_is_what_keeps_agents_busy(
    rate: float, handling: float, agents: int, patience: float, within: float, at_once: float
) -> None:
    got = outlook(Queue(rate, handling, agents, patience), within, min(at_once, within))
    for share in (got.waiting, got.level, got.abandoned, got.occupancy):
        assert -1e-9 <= share <= 1 + 1e-9
    assert got.occupancy == pytest.approx(
        rate * handling * (1 - got.abandoned) / agents, rel=1e-6, abs=1e-9
    )
    longer = outlook(Queue(rate, handling, agents, patience), within + 10, min(at_once, within))
    assert longer.level >= got.level - 1e-9


@given(RATES, HANDLING, st.integers(1, 40), PATIENCE)
def test_who_is_counted_out_at_once_only_helps_the_level(
    rate: float, handling: float, agents: int, patience: float
) -> None:
    queue = Queue(rate, handling, agents, patience)
    assert outlook(queue, 20, 5).level >= outlook(queue, 20).level - 1e-9


@settings(max_examples=30)
@given(RATES, st.floats(60, 400), st.floats(0.3, 0.95), st.none() | PATIENCE)
def test_the_agents_that_are_found_are_the_fewest(
    rate: float, handling: float, level: float, patience: float | None
) -> None:
    agents = erlang.agents_for(rate, handling, 20, level, patience)
    assert outlook(Queue(rate, handling, agents, patience), 20).level >= level
    if agents > 1:
        assert outlook(Queue(rate, handling, agents - 1, patience), 20).level < level


def test_the_edges_are_told_and_nonsense_is_refused() -> None:
    assert outlook(Queue(0, 240, 0), 20).level == 1
    assert outlook(Queue(0.1, 240, 10), 20) == erlang.Outlook(1, 0, math.inf, 0, 1)
    assert outlook(Queue(0.1, 240, 0, 60), 20).abandoned == 1
    assert erlang.agents_for(0, 240, 20, 0.8) == 0
    for bad in ((-1, 240, 3, None), (1, 0, 3, None), (1, 240, -1, None), (1, 240, 3, 0)):
        with pytest.raises(ValueError, match="positive"):
            Queue(*bad)
    with pytest.raises(ValueError, match="share"):
        erlang.agents_for(1, 240, 20, 1)
    with pytest.raises(ValueError, match="more than"):
        erlang.agents_for(1000, 240, 20, 0.8)


@pytest.mark.parametrize(("calls", "handling", "agents", "patience"), [
    (100, 180, 12, None), (100, 180, 10, 120.0), (100, 180, 8, 60.0), (30, 300, 6, 200.0),
])
def test_a_simulation_of_the_same_queue_comes_to_the_same(
    calls: int, handling: float, agents: int, patience: float | None
) -> None:
    """20 days of callers by chance, with a seed: within four standard errors of the formula."""
    rate = calls / 1800
    expected = outlook(Queue(rate, handling, agents, patience), 20, 5)
    chance = np.random.default_rng(1022)
    levels, abandoned, waits = [], [], []
    for _day in range(20):
        at = np.cumsum(chance.exponential(1 / rate, 4000))
        endless = np.full(4000, math.inf)
        patient = endless if patience is None else chance.exponential(patience, 4000)
        came = simulation.run(
            map(Caller, at, chance.exponential(handling, 4000), patient), [(0, agents)], 20, 5
        )
        levels.append(came.level)
        abandoned.append(came.abandoned)
        waits.append(came.wait)
    for found, value, floor in (
        (levels, expected.level, 0.004), (abandoned, expected.abandoned, 0.004),
        (waits, expected.wait, 0.3),
    ):
        error = float(np.std(np.array(found, float))) / math.sqrt(len(found))
        assert np.mean(np.array(found, float)) == pytest.approx(value, abs=max(4 * error, floor))
