"""Where in a recording is what stands on the clock: it holds nothing of the times in which the
caller was with nobody, and silence of those in which it was paused.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

from crm.calls.facts import EPOCH, MICROSECOND
from crm.calls.rows import Span, bridged
from crm.models import Call, RecordingState

SHORTEST_GAP_US = 1_000_000


@dataclass(frozen=True)
class Stretch:
    """A part of a recording that holds nothing, from and to in milliseconds of it: `what` is paused
    or discarded (`why` and `by` as the agent said), or away: `to_ms - from_ms` is 0 then, and
    `lasted_ms` how long the caller was with nobody."""

    from_ms: int
    to_ms: int
    what: str
    why: str = ""
    by: str = ""
    lasted_ms: int = 0


def stretches(call: Call, length_ms: int) -> list[Stretch]:
    """What of a recording of this length is missing, in order. None is known where the call's facts
    are gone."""
    spans = bridged(call.facts) if call.facts else []
    if not spans:
        return []
    found = [
        Stretch(_place(spans, end), _place(spans, end), "away", lasted_ms=(begin - end) // 1000)
        for (_, end), (begin, _) in pairwise(spans)
        if begin - end >= SHORTEST_GAP_US
    ]
    open_: dict[str, str] | None = None
    for mark in (*(call.recording_marks or ()), None):
        if open_ is not None and (mark is None or mark["state"] != open_["state"]):
            end = length_ms if mark is None else _at(spans, mark)
            found.append(Stretch(
                min(_at(spans, open_), length_ms), min(end, length_ms), open_["state"],
                open_["why"], open_["by"],
            ))
            open_ = None
        if mark is not None and mark["state"] != RecordingState.ON and open_ is None:
            open_ = mark
    return sorted(found, key=lambda one: (one.from_ms, one.to_ms))


def _at(spans: list[Span], mark: dict[str, str]) -> int:
    return _place(spans, (datetime.fromisoformat(mark["at"]) - EPOCH) // MICROSECOND)


def _place(spans: list[Span], us: int) -> int:
    """How much has been recorded until then, in milliseconds."""
    return sum(max(0, min(end, us) - begin) for begin, end in spans) // 1000
