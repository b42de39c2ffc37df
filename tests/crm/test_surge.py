"""Limits for a while: what the telephone is told of them, and what is kept."""

from datetime import UTC, datetime, timedelta

import pytest

from crm import surge, switches
from crm.database import Database
from crm.surge import SurgeError

NOW = datetime(2026, 11, 27, 3, 0, tzinfo=UTC)
LATER = NOW + timedelta(hours=2)


def test_a_limit_holds_until_its_time_is_over_or_another_takes_its_place(
    database: Database,
) -> None:
    def limit(most: int, until: datetime = LATER) -> int:
        return surge.limit(
            session, "vaccine", most, until=until, reason="Mưa lũ", by="huy", now=NOW, at_most=500
        ).id

    with database.transaction() as session:
        first = limit(40)
        assert switches.wanted(session, "limit.vaccine") == f"40.{int(LATER.timestamp())}"
        second = limit(5)
        assert [one.id for one in surge.in_force(session, NOW)] == [second]
        assert surge.in_force(session, LATER) == [], "by itself"
        with pytest.raises(SurgeError):
            surge.lift(session, first, by="huy", now=NOW)
        surge.lift(session, second, by="mai", now=NOW)
        assert switches.wanted(session, "limit.vaccine") == "off"
        assert [(one.id, one.lifted_by) for one in surge.latest(session, 9)] == [
            (second, "mai"), (first, "huy"),
        ]


@pytest.mark.parametrize(("queue", "most", "until", "reason", "code"), [
    ("emergency", 5, LATER, "Mưa lũ", "queue"), ("vaccine", -1, LATER, "Mưa lũ", "most"),
    ("vaccine", 501, LATER, "Mưa lũ", "most"), ("line", 0, LATER, "Mưa lũ", "most"),
    ("vaccine", 5, NOW, "Mưa lũ", "until"), ("vaccine", 5, LATER, " ", "reason"),
    ("vaccine", 5, NOW + surge.LONGEST + timedelta(seconds=1), "Mưa lũ", "until"),
])
def test_what_cannot_be_is_refused(
    sqlite: Database, queue: str, most: int, until: datetime, reason: str, code: str
) -> None:
    with sqlite.transaction() as session, pytest.raises(SurgeError) as refused:
        surge.limit(
            session, queue, most, until=until, reason=reason, by="huy", now=NOW, at_most=500
        )
    assert refused.value.code == code
