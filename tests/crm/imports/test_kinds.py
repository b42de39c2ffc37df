"""Imports and exports of each kind: all or nothing, every bad row, and back again."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from crm import areas
from crm.agencies import register
from crm.cases import routing
from crm.database import Database
from crm.imports import files, kinds
from crm.imports.files import Row
from crm.imports.kinds import COLUMNS, Kind, TakeInError
from crm.knowledge.models import Article, ContactPoint
from crm.models import Role, User
from crm.users import authenticate, create_user
from tests.crm.cases.factory import NOW, officer
from tests.crm.knowledge.factory import ARTICLE, POINT, WARD, article, point

USER = {
    "login": "mai", "name": "Mai", "role": "agent", "queues": "vaccine, operator",
    "language": "vi", "active": "yes",
}


def admin(session: Session) -> None:
    create_user(
        session, login="huy", name="Huy", role=Role.ADMIN, password="long enough", now=NOW
    )


def rows(*given: dict[str, str]) -> list[Row]:
    return [Row(one, number) for number, one in enumerate(given, start=2)]


def province(session: Session) -> None:
    """Something of every kind."""
    register.take_in(session, register.read(register.PROVINCE))
    session.flush()
    routing.take_in(session, routing.read(routing.PROVINCE), NOW)
    admin(session)
    officer(session, email="an@example.vn", valid_to="2026-12-31")
    article(session, body="=1+1\n\n- \"một\", hai;\n'=ba")
    point(session, phones="02373000000, 0912345678", note="-5 độ", valid_from="2026-01-01")


@pytest.mark.parametrize("kind", Kind)
def test_an_export_is_taken_in_again_and_changes_nothing(
    database: Database, kind: Kind, tmp_path: Path
) -> None:
    with database.transaction() as session:
        province(session)
        before = kinds.rows_of(session, kind)
        assert before
        for name, content in (
            ("t.csv", files.as_csv(before, COLUMNS[kind])),
            ("t.xlsx", files.as_xlsx(before, COLUMNS[kind])),
        ):
            (tmp_path / name).write_bytes(content)
            read = kinds.read(kind, tmp_path / name)
            assert read == before
            done = kinds.take_in(session, kind, read, by="lan", now=NOW)
            assert (done.rows, done.passwords) == (len(before), {})
            assert kinds.rows_of(session, kind) == before
        assert {one.version for one in session.scalars(select(Article))} == {1}
        assert {one.version for one in session.scalars(select(ContactPoint))} == {1}


@pytest.mark.parametrize("act", [kinds.take_in, kinds.dry_run])
def test_every_bad_row_is_listed_and_nothing_stays(database: Database, act) -> None:  # type: ignore[no-untyped-def]
    wanted = rows(
        POINT | {"code": "mot"}, POINT | {"code": "mot"},
        POINT | {"code": "hai", "kind": "x", "hours": "?"}, POINT | {"code": "ba", "area": "1"},
    )
    with pytest.raises(TakeInError) as error, database.transaction() as session:
        act(session, Kind.POINTS, wanted, by="lan", now=NOW)
    told = str(error.value).splitlines()
    assert [line.partition(":")[0] for line in told] == ["line 3", "line 4", "line 4", "line 5"]
    with database.reading() as session:
        assert session.scalar(select(ContactPoint)) is None


@pytest.mark.parametrize(("kind", "row"), [(Kind.POINTS, POINT), (Kind.USERS, USER)])
def test_a_dry_run_of_good_rows_leaves_nothing(
    database: Database, kind: Kind, row: dict[str, str]
) -> None:
    with database.transaction() as session:
        admin(session)
        before = kinds.rows_of(session, kind)
        done = kinds.dry_run(session, kind, rows(row), by="lan", now=NOW)
        assert (done.rows, done.passwords) == (1, {})
        assert kinds.rows_of(session, kind) == before


def test_an_article_of_nobody_is_a_bad_row(sqlite: Database) -> None:
    with (
        pytest.raises(TakeInError, match="line 2: there is no account 'huy'"),
        sqlite.transaction() as session,
    ):
        kinds.take_in(session, Kind.ARTICLES, rows(ARTICLE), by="lan", now=NOW)


def test_new_people_get_a_password_and_known_ones_keep_theirs(sqlite: Database) -> None:
    with sqlite.transaction() as session:
        admin(session)
        done = kinds.take_in(session, Kind.USERS, rows(USER), by="huy", now=NOW)
        password = done.passwords["mai"]
        again = kinds.take_in(
            session, Kind.USERS, rows(USER | {"name": "Mai Anh"}), by="huy", now=NOW
        )
        assert again.passwords == {}
        user = authenticate(session, "mai", password, "127.0.0.1", NOW)
        assert isinstance(user, User)
        assert (user.name, user.queues) == ("Mai Anh", ["vaccine", "operator"])
        kinds.take_in(session, Kind.USERS, rows(USER | {"active": "no"}), by="huy", now=NOW)
        assert not user.active


def test_the_last_administrator_cannot_be_switched_off_by_a_file(sqlite: Database) -> None:
    last = {"login": "huy", "name": "Huy", "role": "agent", "queues": ""}
    with sqlite.transaction() as session:
        admin(session)
        with pytest.raises(TakeInError, match="no administrator"):
            kinds.dry_run(session, Kind.USERS, rows(USER | last), by="huy", now=NOW)


def test_all_bad_rows_of_users_are_told(sqlite: Database) -> None:
    bad = rows(
        USER | {"login": "Mai"}, USER | {"role": "boss"}, USER | {"queues": "nowhere"},
        USER | {"login": "lan", "name": ""}, USER | {"login": "an", "active": "?"},
        USER | {"login": "an", "language": "fr"},
    )
    with pytest.raises(TakeInError) as error, sqlite.transaction() as session:
        kinds.take_in(session, Kind.USERS, bad, by="huy", now=NOW)
    lines = {line.partition(":")[0] for line in str(error.value).splitlines()}
    assert lines == {f"line {number}" for number in range(2, 8)}


def test_areas_that_were_taken_in_come_before_those_shipped(
    sqlite: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(areas, "_own", None)
    today = NOW.date()
    with sqlite.transaction() as session:
        given = kinds.rows_of(session, Kind.AREAS)
        renamed = rows(*(
            one | {"name": "Phường Tên Mới"} if one["code"] == WARD and not one["valid_to"] else one
            for one in given
        ))
        kinds.take_in(session, Kind.AREAS, renamed, by="huy", now=NOW)
    areas.use(tmp_path)
    assert areas.area_named(WARD, today).name == "Phường Hàm Rồng"
    areas.replace(tmp_path, renamed)
    assert areas.area_named(WARD, today).name == "Phường Tên Mới"


def test_areas_with_faults_or_without_one_in_use_are_refused(sqlite: Database) -> None:
    unit = {"code": "1", "name": "", "district": "", "valid_from": "", "valid_to": "",
            "successors": ""}
    good = unit | {"code": "14000", "name": "Xã Mẫu"}
    with sqlite.transaction() as session:
        point(session)
        for wrong, why in (
            ((unit,), "line 2: '1' is no code"), ((good, good), "line 3: 14000 stands twice"),
            ((good | {"successors": "14001"},), "line 2: there is no unit 14001"),
            ((good | {"valid_from": "2026-02-01", "valid_to": "2026-01-01"},), "ends before"),
            ((good,), f"{WARD} is left out, but in use"),
        ):
            with pytest.raises(TakeInError, match=why):
                kinds.take_in(session, Kind.AREAS, rows(*wrong), by="huy", now=NOW)
