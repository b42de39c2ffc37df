"""A clock that is set back is noticed once; one that is set on, or a little, is not."""

from __future__ import annotations

from dataclasses import dataclass

from ivr.set_back import Clock


@dataclass
class Times:
    day: float = 1_800_000_000.0
    steady: float = 50.0

    def pass_(self, seconds: float, *, set_by: float = 0.0) -> None:
        self.steady += seconds
        self.day += seconds + set_by


def test_a_clock_set_back_is_noticed_once() -> None:
    times = Times()
    clock = Clock(lambda: times.day, lambda: times.steady)
    times.pass_(0.5)
    assert clock.set_back_s() == 0
    times.pass_(0.5, set_by=-7200)
    assert abs(clock.set_back_s() - 7200) < 1e-3
    times.pass_(0.5)
    assert clock.set_back_s() == 0


def test_a_clock_that_is_set_on_or_a_little_is_left_alone() -> None:
    times = Times()
    clock = Clock(lambda: times.day, lambda: times.steady)
    for set_by in (3600, 0.2, -0.2, -0.9):
        times.pass_(0.5, set_by=set_by)
        assert clock.set_back_s() == 0
    times.pass_(0.5, set_by=-3600)
    assert clock.set_back_s() > 3599, "back to what it was is back"
