"""When somebody is reminded of a case."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm.cases.deadlines import FIELD, GENERAL, RELIEF, Clock, due
from crm.cases.life import AT_AGENCY, AT_DESK
from crm.cases.models import Status
from crm.cases.steps import Series, Situation, Step, due_steps
from crm.cases.working_days import is_working

NOON = datetime(2026, 3, 10, 5, 0, tzinfo=UTC)  # a Tuesday, 12:00 in Vietnam


def situation(status: Status, clock: Clock | None = Clock.HOURS, **told: datetime) -> Situation:
    known: dict[str, datetime | None] = {
        "dispatch_due_at": NOON + timedelta(minutes=5), "assigned_at": NOON,
        "due_at": NOON + timedelta(hours=5), "ended_at": None,
    }
    return Situation(status=status, clock=clock, **known | told)  # type: ignore[arg-type]


def walked(case: Situation, until: datetime) -> list[tuple[str, int, str]]:
    """What happens when somebody looks each time they are told to: (series, number, UTC)."""
    done: dict[Series, int] = {}
    told, now = [], NOON
    while True:
        steps, next_at = due_steps(case, done, now, is_working)
        for step in steps:
            assert step.at == now  # never late
            told.append((step.series.value, step.number, f"{now:%d %H:%M}"))
            done[step.series] = step.number
        if next_at is None or next_at > until:
            return told
        assert next_at > now
        now = next_at


def test_a_relief_case_that_nobody_sends_on_is_told_of_at_once_and_every_hour() -> None:
    told = walked(situation(Status.CLASSIFIED), NOON + timedelta(hours=2, minutes=10))
    assert told == [
        ("dispatch", 0, "10 05:05"), ("dispatch", 1, "10 05:15"), ("dispatch", 2, "10 06:05"),
        ("dispatch", 3, "10 07:05"),
    ]


def test_a_relief_case_is_reminded_of_before_its_five_hours_and_every_hour_after() -> None:
    told = walked(situation(Status.IN_PROGRESS), NOON + timedelta(hours=6, minutes=1))
    assert told == [
        ("before", 0, "10 07:30"), ("before", 1, "10 09:00"), ("overdue", 0, "10 10:00"),
        ("overdue", 1, "10 11:00"),
    ]


def test_an_agency_that_has_not_taken_it_on_hears_of_it_within_minutes() -> None:
    told = walked(situation(Status.ASSIGNED), NOON + timedelta(hours=2))
    assert [one for one in told if one[0] == "unopened"] == [
        ("unopened", 0, "10 05:10"), ("unopened", 1, "10 05:20"), ("unopened", 2, "10 06:00"),
        ("unopened", 3, "10 07:00"),
    ]


def test_what_counts_working_days_is_reminded_of_in_the_mornings_of_working_days() -> None:
    friday = datetime(2026, 3, 13, 3, 0, tzinfo=UTC)
    case = situation(
        Status.ASSIGNED, Clock.WORKING_DAYS, assigned_at=friday,
        due_at=due(FIELD, friday, is_working),
    )
    told = walked(case, friday + timedelta(days=6))
    assert told == [  # Monday, Tuesday (the last day before), Wednesday 17:00 it is due
        ("unopened", 0, "16 01:00"), ("unopened", 1, "17 01:00"), ("before", 0, "17 01:00"),
        ("unopened", 2, "18 01:00"), ("overdue", 0, "18 10:00"),
        ("unopened", 3, "19 01:00"), ("overdue", 1, "19 01:00"),
    ]


def test_after_a_long_sleep_each_series_speaks_once() -> None:
    late = NOON + timedelta(days=2)
    steps, next_at = due_steps(situation(Status.ASSIGNED), {}, late, is_working)
    assert [(step.series, step.number) for step in steps] == [
        (Series.BEFORE, 1), (Series.OVERDUE, 24), (Series.UNOPENED, 26),
    ]
    assert next_at is not None
    assert timedelta() < next_at - late <= timedelta(days=1)


def test_a_result_without_objection_closes_the_case() -> None:
    ended = NOON + timedelta(days=7)
    case = situation(Status.RESOLVED, ended_at=ended)
    assert due_steps(case, {}, NOON, is_working) == ([], ended)
    assert due_steps(case, {}, ended, is_working) == ([Step(ended, Series.CLOSE, 0)], None)


MOMENTS = st.integers(0, 365 * 24 * 60).map(
    lambda minutes: datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=minutes)
)


@pytest.mark.parametrize("status", sorted(AT_DESK | AT_AGENCY))
@given(opened=MOMENTS, waited=st.integers(0, 30 * 24), deadline=st.sampled_from(
    [RELIEF, FIELD, GENERAL, None]
))
def test_nothing_that_was_promised_is_ever_left_without_a_next_step(
    status: Status, opened: datetime, waited: int, deadline: object
) -> None:
    case = Situation(
        status=status, clock=getattr(deadline, "clock", None), assigned_at=opened,
        dispatch_due_at=opened + timedelta(minutes=5), ended_at=None,
        due_at=due(deadline or GENERAL, opened, is_working),  # type: ignore[arg-type]
    )
    now = opened + timedelta(hours=waited)
    steps, next_at = due_steps(case, {}, now, is_working)
    assert next_at is not None
    assert now < next_at <= max(now, case.due_at) + timedelta(days=12)  # Tết is the longest rest
    assert len({step.series for step in steps}) == len(steps)
