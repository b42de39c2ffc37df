"""Whom a case goes to: by what it is about and where, and never to whom it is about."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy.orm import Session

from crm.agencies import register
from crm.areas import AreaError, standing
from crm.cases import life, routing
from crm.cases.categories import CATEGORIES, CategoryError
from crm.cases.life import CaseError
from crm.cases.models import Agency, Case, Status
from crm.cases.routing import RouteError, suggest
from crm.clock import VIETNAM, vietnam_day
from crm.database import Database
from tests.crm.cases.factory import NOW, opened

WARD, ITS_COMMITTEE = "14758", "UB14758"  # Phường Hàm Rồng


def province(session: Session) -> None:
    register.take_in(session, register.read(register.PROVINCE))
    session.flush()
    routing.take_in(session, routing.read(routing.PROVINCE), NOW)


def classified(session: Session, category: str, area: str | None = WARD, **told: str) -> Case:
    case = opened(session)
    life.classify(session, case, category, area=area, by="lan", now=NOW, **told)  # type: ignore[arg-type]
    return case


def agency(session: Session, code: str) -> Agency:
    return register.agency_named(session, code, NOW)


def test_every_kind_of_case_in_every_commune_reaches_an_agency_of_its_own(
    database: Database,
) -> None:
    with database.transaction() as session:
        province(session)
        assert routing.gaps(session, NOW) == []


def test_the_closest_route_counts(sqlite: Database) -> None:
    def goes_to(category: str, area: str | None) -> tuple[str, str] | None:
        found = suggest(session, category, area, NOW)
        return (found.agency.code, found.why) if found else None

    with sqlite.transaction() as session:
        province(session)
        assert goes_to("food", WARD) == (ITS_COMMITTEE, "committee")
        assert goes_to("roads", WARD) == ("SXD", "category")
        assert goes_to("food", None) == ("VPUB", "fallback")  # where is not known
        more = {"category": "roads", "area": WARD, "agency": ITS_COMMITTEE}
        routing.take_in(session, [*routing.read(routing.PROVINCE), more], NOW)
        assert goes_to("roads", WARD) == (ITS_COMMITTEE, "area")
        assert goes_to("roads", "14797") == ("SXD", "category")


def test_what_has_no_route_is_a_gap(sqlite: Database) -> None:
    with sqlite.transaction() as session:
        province(session)
        rows = [row for row in routing.read(routing.PROVINCE) if row["category"] != "roads"]
        routing.take_in(session, rows, NOW)
        found = routing.gaps(session, NOW)
        assert {(gap.category, gap.reaches) for gap in found} == {("roads", "VPUB")}
        assert len(found) == 166
        routing.take_in(session, [row for row in rows if row["category"] != "*"], NOW)
        assert {gap.reaches for gap in routing.gaps(session, NOW)} == {None}


@pytest.mark.parametrize("category", [one.id for one in CATEGORIES])
def test_a_case_about_an_agency_never_goes_to_it(category: str, sqlite: Database) -> None:
    with sqlite.transaction() as session:
        province(session)
        for code in (ITS_COMMITTEE, "SXD", "SYT", "CDC", "CAT", "TTT", "VPUB"):
            found = suggest(session, category, WARD, NOW, about=agency(session, code))
            assert found
            assert found.agency.code != code


def test_nobody_can_assign_a_case_to_the_agency_it_is_about(sqlite: Database) -> None:
    with sqlite.transaction() as session:
        province(session)
        case = classified(session, "officials", about=ITS_COMMITTEE)
        assert case.sensitive  # never told by number alone
        with pytest.raises(CaseError, match="is not handled by UB14758"):
            life.move(
                session, case, Status.ASSIGNED, by="lan", now=NOW, agency=ITS_COMMITTEE
            )
        found = life.suggested(session, case, NOW)
        assert found
        assert found.agency.code == "TTT"


def test_what_a_case_is_about_sets_by_when_it_is_due(database: Database) -> None:
    tet_eve = datetime(2026, 2, 16, 23, 0, tzinfo=VIETNAM).astimezone(UTC)
    with database.transaction() as session:
        province(session)
        case = opened(session, now=tet_eve)
        assert case.dispatch_due_at == tet_eve + timedelta(minutes=5)
        life.classify(
            session, case, "food", area=WARD, by="lan", now=tet_eve + timedelta(minutes=2)
        )
        assert (case.status, case.due_at) == (Status.CLASSIFIED, tet_eve + timedelta(hours=5))
        life.classify(session, case, "other", area=WARD, by="lan", now=tet_eve)
        assert case.due_at == datetime(2026, 3, 5, 17, 0, tzinfo=VIETNAM)
        life.classify(session, case, "food", area=WARD, by="lan", now=tet_eve)
        life.move(session, case, Status.ASSIGNED, by="lan", now=tet_eve, agency=ITS_COMMITTEE)
        life.classify(session, case, "other", area=WARD, by="lan", now=tet_eve)
        assert case.due_at == tet_eve + timedelta(hours=5)  # a promise is not put off


def test_what_is_unknown_is_refused_and_changes_nothing(sqlite: Database) -> None:
    with sqlite.transaction() as session:
        province(session)
        case = opened(session)
        for told, error in (
            ({"category": "roda"}, CategoryError),
            ({"category": "roads", "area": "14755"}, AreaError),
            ({"category": "roads", "about": "NONE"}, register.AgencyError),
        ):
            with pytest.raises(error):
                life.classify(session, case, by="lan", now=NOW, **told)  # type: ignore[arg-type]
        assert (case.category, case.status) == (None, Status.NEW)
        with pytest.raises(RouteError) as faults:
            routing.take_in(session, [
                {"category": "roda", "area": "", "agency": "SXD"},
                {"category": "roads", "area": "14755", "agency": "UBH01"},
                {"category": "roads", "area": "14755", "agency": "SXD"},
            ], NOW)
        assert [line.split(":")[0] for line in str(faults.value).splitlines()] == [
            "line 2", "line 3", "line 3", "line 4", "line 4",
        ]


def test_names_of_communes_are_among_what_is_made_sound(sqlite: Database) -> None:
    with sqlite.transaction() as session:
        texts = set(life.spoken_texts(session, NOW))
    assert {area.name for area in standing(vietnam_day(NOW)).values()} <= texts
