"""The machine's clock is set back while Asterisk runs.

Two parts of it go by the time of day. The timer of the channels (res_timing_pthread) sleeps until
the clock shows again what it showed: nobody would hear a prompt meanwhile. And app_queue takes an
agent whose last call lies ahead for one who wraps up. So new channels get another timer, and the
queues forget when their agents' last calls were. Calls that are bridged need neither.
"""

from __future__ import annotations

import time
from collections.abc import Callable

NOTICED_S = 1.0  # less heals by itself before anybody is told

# of the timers that are loaded the channels take timerfd first
REMEDIES = ("module load res_timing_timerfd", "queue reset stats")


class Clock:
    """Compares the time of day with a clock that nobody can set."""

    def __init__(
        self, day: Callable[[], float] = time.time, steady: Callable[[], float] = time.monotonic
    ) -> None:
        self._day, self._steady = day, steady
        self._apart = day() - steady()

    def set_back_s(self) -> float:
        """By how much since the last look; 0: it was not."""
        before, self._apart = self._apart, self._day() - self._steady()
        back = before - self._apart
        return back if back >= NOTICED_S else 0.0
