"""Reports over a period, counted again case by case."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from crm.cases import life
from crm.cases.models import Case, Status
from crm.clock import vietnam_day
from crm.reports import period, work
from tests.crm.cases.factory import HEALTH, NOW, opened, with_agencies
from tests.databases import Databases

KINDS = st.tuples(
    st.sampled_from(["food", "roads", None]), st.sampled_from(["call", "web"]),
    st.sampled_from(["open", "late", "on_time", "other"]), st.sampled_from([None, 1, 2, 3]),
)


@settings(max_examples=25, deadline=None)
@given(st.lists(KINDS, max_size=12))
def test_every_case_is_counted_once_where_it_belongs(
    databases: Databases, told: list[tuple[str | None, str, str, int | None]]
) -> None:
    with databases.new("sqlite") as database, database.transaction() as session:
        with_agencies(session)
        for category, channel, end, score in told:
            case = opened(session, channel=channel)
            case.category = category
            _end(session, case, end, score)
        day = vietnam_day(NOW)
        for by, column, place in (
            (period.By.CATEGORY, Case.category, 0), (period.By.CHANNEL, Case.channel, 1),
        ):
            found = work.of_days(session, column, day, day, NOW + timedelta(days=1))
            assert {one.value: one.received for one in found} == Counter(one[place] for one in told)
            for name in ("open", "late", "on_time", "other"):
                wanted = Counter(one[place] for one in told if one[2] == name)
                assert {one.value: getattr(one, name) for one in found if getattr(one, name)} == (
                    wanted)
            rated = [one for one in told if one[3] and one[2] in ("late", "on_time")]
            assert sum(one.rated for one in found) == len(rated)
            assert sum(one.content for one in found) == sum(one[3] in (1, 2) for one in rated)
            table = period.document(session, by, day, day, NOW).sections[0].table
            assert table is not None
            assert table.total is not None
            assert table.total[1] == len(told)


def test_agencies_stand_by_their_names_and_small_places_for_nobody(databases: Databases) -> None:
    with databases.new("sqlite") as database, database.transaction() as session:
        with_agencies(session)
        for number in range(6):
            case = opened(session)
            case.area = "14758" if number < 5 else "14797"
            if number:
                life.move(session, case, Status.ASSIGNED, by="huy", now=NOW, agency=HEALTH)
        day = vietnam_day(NOW)
        rows = period.document(session, period.By.AGENCY, day, day, NOW).sections[0].table
        assert rows is not None
        assert [row[:2] for row in rows.rows] == [("Sở Y tế", 5), ("Chưa chuyển cơ quan nào", 1)]
        rows = period.document(session, period.By.AREA, day, day, NOW).sections[0].table
        assert rows is not None
        assert [row[:2] for row in rows.rows] == [("Phường Hàm Rồng", 5), (period.FEW, 1)]


def _end(session, case: Case, end: str, score: int | None) -> None:  # type: ignore[no-untyped-def]
    if end == "open":
        return
    if end == "other":
        case.status = Status.REJECTED
        return
    case.status, case.satisfaction = Status.RESOLVED, score
    case.resolved_at = case.due_at + timedelta(hours=1 if end == "late" else -1)
