"""Switches and days of the calendar."""

from datetime import UTC, date, datetime

import pytest

from crm import switches
from crm.cases.working_days import holidays_of
from crm.database import Database

NOW = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)


def test_a_switch_has_its_first_value_until_another_is_set(database: Database) -> None:
    with database.transaction() as session:
        assert switches.current(session)["notice"] == "none"
        switches.want(session, "notice", "disaster", by="huy", now=NOW)
        switches.want(session, "day.20270208", "closed", by="huy", now=NOW)
    with database.reading() as session:
        state = switches.current(session)
    assert (state["notice"], state["day.20270208"]) == ("disaster", "closed")
    assert list(state)[-1] == "day.20270208"


@pytest.mark.parametrize(("name", "value", "said"), [
    ("moon", "on", "there is no switch moon; there are overload, notice"),
    ("notice", "loud", "notice = loud: allowed are none, high_volume, disaster, epidemic, trial"),
    ("day.20270230", "closed", "there is no switch day.20270230"),
    ("day.2027020", "closed", "there is no switch"),
    ("day.20270208", "on", "allowed are auto, open, closed"),
    ("hours.emergency", "closed", "there is no switch hours.emergency"),
])
def test_what_is_not_allowed_is_named(
    sqlite: Database, name: str, value: str, said: str
) -> None:
    with sqlite.transaction() as session, pytest.raises(switches.SwitchError, match=said):
        switches.want(session, name, value, by="huy", now=NOW)


def test_a_day_and_its_switch() -> None:
    assert switches.day_name(date(2027, 2, 8)) == "day.20270208"
    assert switches.day_of("day.20270208") == date(2027, 2, 8)


def test_the_holidays_of_a_year_know_tet_and_the_swapped_days() -> None:
    days = holidays_of(2026)
    assert {date(2026, 2, 16), date(2026, 2, 17), date(2026, 4, 30), date(2026, 9, 2)} <= set(days)
    assert date(2026, 8, 31) in days  # for Saturday 22 August, on which people worked
    assert all(name for name in days.values())
