"""Numbers that misuse the line: step by step, for a time, with a reason."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from crm.calls import nuisance
from crm.calls.nuisance import NuisanceError
from crm.database import Database
from crm.models import Switch

NOW = datetime(2026, 3, 10, 3, 0, tzinfo=UTC)
NUMBER = "0912345678"


def restrict(session: Any, **told: Any) -> None:
    known: dict[str, Any] = {"step": 1, "days": 7, "reason": "gọi đùa", "by": "lan", "now": NOW}
    nuisance.restrict(session, told.pop("number", NUMBER), **known | told)


def test_each_step_comes_after_the_one_before_and_is_the_switch_of_the_telephone(
    database: Database,
) -> None:
    with database.transaction() as session:
        for step in (2, 3):
            with pytest.raises(NuisanceError, match="comes after"):
                restrict(session, step=step)
        restrict(session)
        restrict(session, step=2, days=30, now=NOW + timedelta(days=2))
    with database.reading() as session:
        until = NOW + timedelta(days=32)
        rows = nuisance.of_number(session, NUMBER)
        assert [(one.step, one.until) for one in rows][-1] == (2, until)
        row = session.get(Switch, f"block.{NUMBER}")
        assert row is not None
        assert row.value == f"2.{int(until.timestamp())}"


def test_a_step_long_ago_counts_no_more(sqlite: Database) -> None:
    with sqlite.transaction() as session:
        restrict(session)
        with pytest.raises(NuisanceError, match="comes after"):
            restrict(session, step=2, now=NOW + timedelta(days=200))


@pytest.mark.parametrize(("told", "why"), [
    ({"step": 4}, "a step is 1"), ({"days": 91}, "1 to 90 days"), ({"days": 0}, "1 to 90 days"),
    ({"reason": " "}, "must know the reason"), ({"number": "0912;${x}"}, "is no number"),
    ({"number": "12"}, "is no number"),
])
def test_what_is_refused_says_why_and_changes_nothing(
    sqlite: Database, told: dict[str, Any], why: str
) -> None:
    with sqlite.transaction() as session, pytest.raises(NuisanceError, match=why):
        restrict(session, **told)
    with sqlite.reading() as session:
        assert nuisance.latest(session, 9) == []


def test_it_can_be_lifted_before_its_time_and_all_of_it_is_kept(sqlite: Database) -> None:
    with sqlite.transaction() as session:
        restrict(session)
        nuisance.lift(session, NUMBER, reason="nhầm số", by="admin", now=NOW)
        with pytest.raises(NuisanceError, match="nothing holds"):
            nuisance.lift(session, NUMBER, reason="nhầm số", by="admin", now=NOW)
    with sqlite.reading() as session:
        (row,) = [nuisance.as_json(one, NOW) for one in nuisance.latest(session, 9)]
        assert (row["holds"], row["lifted_by"], row["lifted_why"]) == (False, "admin", "nhầm số")
