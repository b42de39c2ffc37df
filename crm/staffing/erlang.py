"""Erlang C and Erlang A: how a queue behaves for a load and a number of agents.

Calls come as a Poisson stream and take an exponential time; who waits either waits for ever
(Erlang C, M/M/n) or gives up after an exponential patience (Erlang A, M/M/n+M). All times are in
one unit; `load` is calls per unit times handling time, in Erlang.

A caller who finds n agents busy and j callers before him is served after j + 1 departures, the
i-th at the rate n/h + (i-1)/p, unless his own patience ends first. The sum of such times is
-ln(Beta)/θ, so that its distribution is an incomplete beta function, that is a sum of negative
binomial terms: `_reached`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

_SMALL = math.log(1e-14)  # of the largest: what is left out of an endless sum
MOST_AGENTS = 5000


@dataclass(frozen=True)
class Queue:
    """`rate` calls a unit, `handling` units each, `agents`; `patience` None: nobody gives up."""

    rate: float
    handling: float
    agents: int
    patience: float | None = None

    def __post_init__(self) -> None:
        if self.rate < 0 or self.handling <= 0 or self.agents < 0 or (
            self.patience is not None and self.patience <= 0
        ):
            raise ValueError("rates and times are positive")

    @property
    def load(self) -> float:
        return self.rate * self.handling


@dataclass(frozen=True)
class Outlook:
    """What a queue comes to. `level`: answered within the agreed time, of all but those who gave up
    at once; `wait` is the mean of those who are answered (infinite: the queue grows for ever)."""

    waiting: float  # the share that finds nobody free
    level: float
    wait: float
    abandoned: float
    occupancy: float


def erlang_b(load: float, agents: int) -> float:
    """The share that is lost where nobody can wait."""
    inverse = 1.0
    for number in range(1, agents + 1):
        inverse = 1.0 + inverse * number / load if load else math.inf
    return 1.0 / inverse


def erlang_c(load: float, agents: int) -> float:
    """The share that must wait where nobody gives up; 1 where more comes than can be served."""
    if load >= agents:
        return 1.0
    blocked = erlang_b(load, agents)
    return blocked / (1.0 - load / agents * (1.0 - blocked))


def outlook(queue: Queue, within: float, at_once: float = 0.0) -> Outlook:
    """What comes of a queue; `within` is the agreed time, `at_once` that before which whoever gives
    up was not kept waiting."""
    if queue.rate == 0:
        return Outlook(0.0, 1.0, 0.0, 0.0, 0.0)
    if queue.patience is None:
        return _without_end(queue, within)
    if queue.agents == 0:
        return Outlook(1.0, 0.0, math.inf, 1.0, 0.0)
    return _with_patience(queue, queue.patience, within, at_once)


def agents_for(
    rate: float, handling: float, within: float, level: float, patience: float | None = None,
    at_once: float = 0.0,
) -> int:
    """The fewest agents with whom a share of callers is answered in time."""
    if not 0 < level < 1:
        raise ValueError("a level is a share between 0 and 1")
    if rate == 0:
        return 0
    low, high = 0, 1
    while _level(rate, handling, high, within, patience, at_once) < level:
        if high == MOST_AGENTS:
            raise ValueError(f"more than {MOST_AGENTS} agents")
        low, high = high, min(high * 2, MOST_AGENTS)
    while high - low > 1:  # the level grows with every agent
        middle = (low + high) // 2
        if _level(rate, handling, middle, within, patience, at_once) < level:
            low = middle
        else:
            high = middle
    return high


def _level(
    rate: float, handling: float, agents: int, within: float, patience: float | None,
    at_once: float,
) -> float:
    return outlook(Queue(rate, handling, agents, patience), within, at_once).level


def _without_end(queue: Queue, within: float) -> Outlook:
    waiting, free = erlang_c(queue.load, queue.agents), queue.agents - queue.load
    if free <= 0:
        return Outlook(1.0, 0.0, math.inf, 0.0, 1.0)
    level = 1.0 - waiting * math.exp(-free * within / queue.handling)
    return Outlook(
        waiting, level, waiting * queue.handling / free, 0.0, queue.load / queue.agents
    )


def _with_patience(queue: Queue, patience: float, within: float, at_once: float) -> Outlook:
    served_rate, leaving = queue.agents / queue.handling, 1.0 / patience
    blocked = erlang_b(queue.load, queue.agents)
    if blocked == 0:  # so few that nobody ever waits
        return Outlook(0.0, 1.0, 0.0, 0.0, queue.load / queue.agents)
    shares, free = _shares(blocked, queue.rate, served_rate, leaving)
    soon = _reached(served_rate + leaving, leaving, within)
    still = _reached(served_rate, leaving, at_once)
    in_time = waiting = served = wait = at_the_end = 0.0
    mean = 0.0
    for before, share in enumerate(shares):
        # nobody's patience ends before his turn, as often as this
        lasts = served_rate / (served_rate + (before + 1) * leaving)
        mean += 1.0 / (served_rate + (before + 1) * leaving)
        waiting += share
        served += share * lasts
        wait += share * lasts * mean
        in_time += share * lasts * next(soon)
        at_the_end += share * (1.0 - next(still))
    answered = free + served
    left_at_once = max(
        0.0, waiting - math.exp(-leaving * at_once) * at_the_end
        - _served_by(shares, served_rate, leaving, at_once)
    )
    counted = 1.0 - left_at_once
    return Outlook(
        waiting=waiting, level=min(1.0, (free + in_time) / counted), wait=wait / answered,
        abandoned=max(0.0, 1.0 - answered),
        occupancy=min(1.0, queue.load * answered / queue.agents),
    )


def _served_by(
    shares: list[float], served_rate: float, leaving: float, within: float
) -> float:
    """The share that has waited and is served within a time."""
    soon = _reached(served_rate + leaving, leaving, within)
    return sum(
        share * served_rate / (served_rate + (before + 1) * leaving) * next(soon)
        for before, share in enumerate(shares)
    )


def _shares(
    blocked: float, rate: float, served_rate: float, leaving: float
) -> tuple[list[float], float]:
    """How often all agents are busy and 0, 1, 2, … callers wait; how often somebody is free.

    By logarithms, against that where nobody waits: with long patience and too few agents the
    weights outgrow every number."""
    logs, highest = [0.0], 0.0
    while logs[-1] > highest + _SMALL or rate >= served_rate + len(logs) * leaving:
        logs.append(logs[-1] + math.log(rate / (served_rate + len(logs) * leaving)))
        highest = max(highest, logs[-1])
    below = math.log((1.0 - blocked) / blocked)
    highest = max(highest, below)
    weights = [math.exp(one - highest) for one in logs]
    free = math.exp(below - highest)
    whole = free + sum(weights)
    return [one / whole for one in weights], free / whole


def _reached(first: float, step: float, within: float) -> Iterator[float]:
    """For m = 1, 2, …: the chance that m exponential times at the rates first, first + step, … are
    over within a time."""
    if math.expm1(-step * within) == 0:  # at once, or so soon that it cannot be told from it
        while True:
            yield 0.0
    shape = first / step
    term = -first * within  # logarithm of the negative binomial term
    grows = math.log(-math.expm1(-step * within))
    reached, number = 1.0, 0
    while True:
        reached -= math.exp(term)
        yield max(0.0, reached)
        number += 1
        term += grows + math.log((shape + number - 1) / number)


