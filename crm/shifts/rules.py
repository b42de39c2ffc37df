"""What a roster may ask of a person: nobody in two places, and rest before the next shift.

The Labour Code (45/2019/QH14) gives whoever works in shifts at least 12 hours before the next shift
(Art. 110), and no day more than 12 hours of work, overtime included (Art. 107).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

LONGEST = timedelta(hours=12)


class Wrong(StrEnum):
    """Why a span cannot be worked."""

    OVERLAP = "overlap"
    REST = "rest"


@dataclass(frozen=True, order=True)
class Span:
    """From one moment to before another, aware."""

    begins_at: datetime
    ends_at: datetime

    def __post_init__(self) -> None:
        if self.begins_at >= self.ends_at:
            raise ValueError("a span begins before it ends")


@dataclass(frozen=True)
class Clash:
    """`other` stands in the way; `rest` is what would be left between the two."""

    wrong: Wrong
    other: Span
    rest: timedelta


def clash(new: Span, others: Iterable[Span], rest: timedelta) -> Clash | None:
    """The worst that stands in the way of a new span; None: it can be worked."""
    found = [
        Clash(Wrong.OVERLAP if between < timedelta() else Wrong.REST, other, between)
        for other in others if (between := _between(new, other)) < rest or between < timedelta()
    ]
    return min(found, key=lambda one: one.rest, default=None)


def _between(one: Span, other: Span) -> timedelta:
    """The time between two spans; negative where they overlap."""
    return max(one.begins_at, other.begins_at) - min(one.ends_at, other.ends_at)
