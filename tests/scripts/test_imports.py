"""`hotline import` and `hotline export`, as an operator types them."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import select

from crm import areas
from crm.database import Database
from crm.imports import files
from crm.knowledge import points
from crm.knowledge.models import ContactPoint
from scripts.hotline import main
from tests.crm.knowledge.factory import POINT


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, sqlite: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(areas, "_own", None)
    monkeypatch.setenv("HOTLINE_HOME", str(tmp_path))
    monkeypatch.setenv("HOTLINE_DATABASE_URL", sqlite.url.render_as_string(hide_password=False))


def hotline(*words: object) -> Result:
    return CliRunner().invoke(main, [str(word) for word in words])


def table(file: Path, *rows: dict[str, str]) -> Path:
    file.write_bytes(files.as_csv(rows, points.COLUMNS))
    return file


def test_a_dry_run_changes_nothing_and_the_import_after_it_does(
    tmp_path: Path, sqlite: Database
) -> None:
    file = table(tmp_path / "points.csv", POINT)
    tried = hotline("import", "points", file, "--dry-run")
    assert (tried.exit_code, tried.output) == (0, "1 rows, no fault; nothing was changed\n")
    with sqlite.reading() as session:
        assert session.scalar(select(ContactPoint)) is None
    assert hotline("import", "points", file).output == "1 rows taken in\n"
    out = tmp_path / "out.xlsx"
    assert hotline("export", "points", out).output == "1 rows\n"
    (row,) = files.read(out, points.COLUMNS)
    assert row["name"] == POINT["name"]


def test_every_bad_row_is_listed_by_its_line(tmp_path: Path) -> None:
    file = table(tmp_path / "points.csv", POINT | {"kind": "x"}, POINT, POINT | {"hours": "?"})
    told = hotline("import", "points", file, "--dry-run")
    assert told.exit_code == 1
    assert "line 2: there is no kind 'x'" in told.output
    assert "line 4: '?' is not like" in told.output


def test_new_communes_hold_for_every_command_from_then_on(tmp_path: Path) -> None:
    shipped = files.read(areas.PROVINCE, areas.COLUMNS)
    new = {"code": "99999", "name": "Xã Mới", "district": "", "valid_from": "2026-01-01",
           "valid_to": "", "successors": ""}
    file = tmp_path / "more.csv"
    file.write_bytes(files.as_csv([*shipped, new], areas.COLUMNS))
    assert hotline("import", "areas", file, "--dry-run").exit_code == 0
    assert hotline("area", "find", "xa", "moi").exit_code == 1
    assert hotline("import", "areas", file).exit_code == 0
    assert "99999 Xã Mới" in hotline("area", "find", "xa", "moi").output
    assert areas.area_named("99999", datetime(2026, 3, 1, tzinfo=UTC).date()).name == "Xã Mới"


def test_a_file_of_another_kind_or_none_is_one_sentence(tmp_path: Path) -> None:
    file = table(tmp_path / "points.csv", POINT)
    for told in (
        hotline("import", "users", file), hotline("import", "points", tmp_path / "none.csv"),
    ):
        assert told.exit_code == 1
        assert told.output.startswith("hotline: ")
    assert hotline("export", "points", tmp_path / "points.pdf").exit_code == 2
