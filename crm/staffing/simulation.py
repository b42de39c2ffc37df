"""A queue by the event: callers in their order, agents who come and go, patience that ends.

What the formulas assume of rates is not assumed here: every arrival, talk and patience is given.
"""

from __future__ import annotations

import heapq
import math
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

_STAFF, _ARRIVAL = range(2)  # at one moment: agents come before callers


class Caller(NamedTuple):
    """Seconds: when they come, how long they take an agent, how long they wait (at most)."""

    at: float
    handling: float
    patience: float


@dataclass(frozen=True)
class Came:
    """What became of the callers. `waited`: seconds of the answered, together."""

    offered: int
    answered: int
    in_time: int
    at_once: int  # gave up before they were kept waiting
    waited: float

    @property
    def level(self) -> float | None:
        """Answered in time, of all but those who gave up at once; None: there are none."""
        counted = self.offered - self.at_once
        return self.in_time / counted if counted else None

    @property
    def abandoned(self) -> float | None:
        return 1 - self.answered / self.offered if self.offered else None

    @property
    def wait(self) -> float | None:
        return self.waited / self.answered if self.answered else None


def run(
    callers: Iterable[Caller], staff: Sequence[tuple[float, int]], within: float, at_once: float
) -> Came:
    """`staff`: from when on (seconds, rising) how many agents are there. Whoever goes finishes the
    call first; who still waits when everything is over was not answered."""
    known = sorted(callers)
    events = sorted(
        [(at, _STAFF, agents) for at, agents in staff]
        + [(one.at, _ARRIVAL, number) for number, one in enumerate(known)]
    )
    talks: list[float] = []  # when they end, a heap
    queue: deque[Caller] = deque()
    agents = answered = in_time = gave_up_at_once = 0
    waited = 0.0

    def gave_up(one: Caller) -> None:
        nonlocal gave_up_at_once
        gave_up_at_once += one.patience <= at_once

    def served(now: float) -> None:
        nonlocal answered, in_time, waited
        while queue and len(talks) < agents:
            one = queue.popleft()
            wait = now - one.at
            if one.patience < wait:
                gave_up(one)
                continue
            answered += 1
            in_time += wait <= within
            waited += wait
            heapq.heappush(talks, now + one.handling)

    for now, kind, value in [*events, (math.inf, _STAFF, 0)]:
        while talks and talks[0] <= now:  # agents become free before callers come
            ended = heapq.heappop(talks)
            if queue:
                served(ended)
        if kind == _STAFF:
            agents = value
        else:
            queue.append(known[value])
        if queue:
            served(now)
    for one in queue:
        gave_up(one)
    return Came(len(known), answered, in_time, gave_up_at_once, waited)
