"""Deadlines: hours run through nights and Tết, days are those that offices work."""

from datetime import UTC, date, datetime, time, timedelta

from hypothesis import given
from hypothesis import strategies as st

from crm import switches
from crm.cases import deadlines
from crm.cases.deadlines import FIELD, GENERAL, GENERALS, RELIEF, URGENT, Clock, Deadline, due
from crm.cases.working_days import is_working
from crm.clock import VIETNAM, vietnam_day
from crm.database import Database

MOMENTS = st.integers(0, 3 * 365 * 86_400).map(
    lambda second: datetime(2025, 1, 1, tzinfo=UTC) + timedelta(seconds=second)
)
DAYS = st.builds(
    Deadline, st.just("any"), st.sampled_from([Clock.WORKING_DAYS, Clock.DAYS]), st.integers(1, 30)
)


def vietnam(*when: int) -> datetime:
    return datetime(*when, tzinfo=VIETNAM)  # type: ignore[misc,arg-type]


def test_relief_on_tet_eve_is_due_within_five_hours() -> None:
    opened = vietnam(2026, 2, 16, 23, 0)  # the last evening of the lunar year
    assert due(RELIEF, opened, is_working) == vietnam(2026, 2, 17, 4, 0)


def test_an_urgent_case_before_tet_waits_for_the_first_working_day() -> None:
    opened = vietnam(2026, 2, 13, 9, 0)  # the last Friday before it
    assert due(URGENT, opened, is_working) == vietnam(2026, 2, 23, 17, 0)


def test_the_day_of_opening_is_not_counted_and_weekends_are_no_working_days() -> None:
    opened = vietnam(2026, 3, 12, 8, 0)  # a Thursday
    assert due(FIELD, opened, is_working) == vietnam(2026, 3, 17, 17, 0)
    assert due(FIELD, vietnam(2026, 3, 14, 8, 0), is_working) == vietnam(2026, 3, 18, 17, 0)


def test_calendar_days_that_end_on_a_sunday_end_with_monday() -> None:
    opened = vietnam(2026, 3, 12, 8, 0)  # 17 days later is Sunday the 29th
    assert due(GENERAL, opened, is_working) == vietnam(2026, 3, 30, 17, 0)
    assert due(GENERALS["working"], opened, is_working) == vietnam(2026, 4, 6, 17, 0)


def test_a_saturday_that_was_swapped_for_a_holiday_is_worked() -> None:
    assert is_working(date(2025, 4, 26))
    assert not is_working(date(2025, 5, 2))


def test_a_day_that_was_set_by_hand_counts_as_set(sqlite: Database) -> None:
    flood = date(2026, 3, 13)
    with sqlite.transaction() as session:
        name = switches.day_name(flood)
        switches.want(session, name, "closed", by="lan", now=datetime.now(UTC))
        works = deadlines.working_days(session)
    assert not works(flood)
    assert works(date(2026, 3, 12))
    assert due(URGENT, vietnam(2026, 3, 12, 8, 0), works) == vietnam(2026, 3, 16, 17, 0)


@given(DAYS, MOMENTS)
def test_days_end_with_the_office_hours_of_a_working_day_that_lies_ahead(
    deadline: Deadline, opened: datetime
) -> None:
    end = due(deadline, opened, is_working)
    assert end.tzinfo == UTC
    assert end.astimezone(VIETNAM).time() == time(17, 0)
    assert is_working(vietnam_day(end))
    assert (vietnam_day(end) - vietnam_day(opened)).days >= deadline.amount


@given(DAYS, MOMENTS, st.timedeltas(timedelta(0), timedelta(days=40)))
def test_who_comes_later_is_never_due_sooner_and_more_days_are_never_fewer(
    deadline: Deadline, opened: datetime, later: timedelta
) -> None:
    assert due(deadline, opened, is_working) <= due(deadline, opened + later, is_working)
    longer = Deadline("any", deadline.clock, deadline.amount + 1)
    assert due(deadline, opened, is_working) <= due(longer, opened, is_working)


@given(st.integers(1, 200), MOMENTS)
def test_hours_are_hours(hours: int, opened: datetime) -> None:
    assert due(Deadline("any", Clock.HOURS, hours), opened, is_working) - opened == timedelta(
        hours=hours
    )
