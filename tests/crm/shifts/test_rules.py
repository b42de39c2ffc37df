"""Nobody works in two places, and everybody rests between two shifts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm.shifts.rules import Span, Wrong, clash

START = datetime(2026, 1, 1, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
SPANS = st.builds(
    lambda begin, length: Span(START + begin * MINUTE, START + (begin + length) * MINUTE),
    st.integers(0, 10_000), st.integers(1, 720),
)
RESTS = st.integers(0, 900).map(lambda minutes: minutes * MINUTE)


@given(SPANS, st.lists(SPANS, max_size=6), RESTS)
def test_what_may_be_worked_leaves_every_minute_to_one_shift_and_enough_rest(
    new: Span, others: list[Span], rest: timedelta
) -> None:
    found = clash(new, others, rest)

    def minutes(span: Span, more: timedelta = timedelta()) -> set[int]:
        begin, end = span.begins_at - more - START, span.ends_at + more - START
        return set(range(int(begin / MINUTE), int(end / MINUTE)))

    together = any(minutes(new) & minutes(other) for other in others)
    too_near = any(minutes(new, rest) & minutes(other) for other in others)
    assert (found is not None) == too_near
    assert (found is not None and found.wrong is Wrong.OVERLAP) == together


@given(SPANS, SPANS, RESTS)
def test_it_does_not_matter_whose_turn_it_is_to_be_new(
    one: Span, other: Span, rest: timedelta
) -> None:
    first, second = clash(one, [other], rest), clash(other, [one], rest)
    assert (first is None) == (second is None)
    if first is not None and second is not None:
        assert (first.wrong, first.rest) == (second.wrong, second.rest)


def test_one_after_the_other_is_no_overlap_and_without_rest_allowed() -> None:
    early = Span(START, START + timedelta(hours=8))
    late = Span(START + timedelta(hours=8), START + timedelta(hours=16))
    assert clash(late, [early], timedelta()) is None
    found = clash(late, [early], timedelta(hours=12))
    assert found is not None
    assert (found.wrong, found.rest) == (Wrong.REST, timedelta())


def test_a_span_goes_forward() -> None:
    with pytest.raises(ValueError, match="begins before it ends"):
        Span(START, START)
