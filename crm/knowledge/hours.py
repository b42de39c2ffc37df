"""Opening hours as people write them: "T2-T6 07:30-11:30,13:30-17:00; T7 07:30-11:30".

Days are T2 (Monday) to T7 (Saturday) and CN (Sunday), singly, from one to another, or several with
commas; "hàng ngày" is all seven and "24/7" is always. Times are those of Vietnam.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby, pairwise

from crm.clock import VIETNAM
from crm.errors import HotlineError
from crm.vietnamese import folded

DAYS = ("T2", "T3", "T4", "T5", "T6", "T7", "CN")
_SAID = ("thứ Hai", "thứ Ba", "thứ Tư", "thứ Năm", "thứ Sáu", "thứ Bảy", "Chủ nhật")
ALWAYS = "24/7"
LONGEST = 200
_DAY_MINUTES = 24 * 60
_PART = re.compile(r"(?P<days>[^\s].*?)\s*:?\s+(?P<times>[0-9]{1,2}:.*)")
_SPAN = re.compile(r"([0-9]{1,2}):([0-9]{2})-([0-9]{1,2}):([0-9]{2})")


class HoursError(HotlineError):
    """These are no opening hours; the sentence says which part is not understood."""


@dataclass(frozen=True)
class Hours:
    """For each day, Monday first, the spans that are open, as minutes from midnight."""

    week: tuple[tuple[tuple[int, int], ...], ...]

    def open_at(self, at: datetime) -> bool:
        """Whether it is open at a moment (aware)."""
        local = at.astimezone(VIETNAM)
        minute = local.hour * 60 + local.minute
        return any(begin <= minute < end for begin, end in self.week[local.weekday()])


def parse(text: str) -> Hours | None:
    """None for an empty text: not known. Raises HoursError."""
    text = " ".join(text.split())
    if not text:
        return None
    if len(text) > LONGEST:
        raise HoursError(f"opening hours have {LONGEST} letters at most")
    if text == ALWAYS:
        return Hours((((0, _DAY_MINUTES),),) * 7)
    week: list[list[tuple[int, int]]] = [[] for _ in DAYS]
    for part in text.split(";"):
        if not part.strip():
            continue
        found = _PART.fullmatch(part.strip().upper())
        if found is None:
            raise HoursError(f"{part.strip()!r} is not like T2-T6 07:30-11:30,13:30-17:00")
        spans = [_span(one.strip()) for one in found["times"].replace("–", "-").split(",")]
        for day in _days(found["days"]):
            week[day] += spans
    if not any(week):
        raise HoursError("opening hours name no day")
    return Hours(tuple(_in_order(spans, day) for day, spans in enumerate(week)))


def spoken(known: Hours) -> str:
    """Hours as they are said, days of the same hours together."""
    told = []
    for spans, days in groupby(enumerate(known.week), key=lambda one: one[1]):
        numbers = [number for number, _ in days]
        first, last = _SAID[numbers[0]], _SAID[numbers[-1]]
        if not spans:
            continue
        if len(numbers) == len(DAYS):
            when = "các ngày trong tuần"
        else:
            when = first if first == last else f"{first} đến {last}"
        times = " và ".join(
            "cả ngày" if (begin, end) == (0, _DAY_MINUTES)
            else f"từ {_clock(begin)} đến {_clock(end)}" for begin, end in spans
        )
        told.append(f"{when}, {times}")
    return "; ".join(told)


def _clock(minute: int) -> str:
    return f"{minute // 60}:{minute % 60:02d}"


def _days(text: str) -> list[int]:
    if folded(text) in ("hang ngay", "ngay"):
        return list(range(7))
    days: list[int] = []
    for one in text.replace("–", "-").replace(" ", "").split(","):
        ends = one.split("-")
        if len(ends) > 2 or any(end not in DAYS for end in ends):
            raise HoursError(f"{one!r} is no day: T2 to T7, CN")
        first, last = DAYS.index(ends[0]), DAYS.index(ends[-1])
        if last < first:
            raise HoursError(f"{one} runs backwards")
        days += range(first, last + 1)
    return days


def _span(text: str) -> tuple[int, int]:
    found = _SPAN.fullmatch(text.replace(" ", ""))
    if found is None:
        raise HoursError(f"{text!r} is no time like 07:30-11:30")
    hour, minute, last_hour, last_minute = map(int, found.groups())
    begin, end = hour * 60 + minute, last_hour * 60 + last_minute
    if minute > 59 or last_minute > 59 or not begin < end <= _DAY_MINUTES:
        raise HoursError(f"{text!r} is no time of one day")
    return begin, end


def _in_order(spans: list[tuple[int, int]], day: int) -> tuple[tuple[int, int], ...]:
    found = sorted(spans)
    if any(later[0] < earlier[1] for earlier, later in pairwise(found)):
        raise HoursError(f"the times of {DAYS[day]} overlap")
    return tuple(found)
