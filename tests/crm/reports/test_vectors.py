"""The published vectors: the hotline's own count and a naive one both tell what they expect."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ivr.journal import Tailer
from tests import naive_count
from tests.calls_of_a_day import MIDNIGHT
from tests.databases import Databases
from tests.vectors import AGREED_S, FOLDER, LATER, PUBLISHED, told

NAMES = [scene.__name__ for scene in PUBLISHED]


@pytest.mark.parametrize("name", NAMES)
def test_a_vector(databases: Databases, tmp_path: Path, name: str) -> None:
    journal = (FOLDER / f"{name}.csv").read_bytes()
    expected = json.loads((FOLDER / f"{name}.json").read_text())
    (tmp_path / "journal.csv").write_bytes(journal)
    with databases.new("sqlite") as database:
        tailer = Tailer(database, tmp_path, "th1", clock=lambda: LATER)
        while tailer.step():
            pass
        with database.reading() as session:
            found = told(session)
    assert found == {key: expected[key] for key in found}
    midnight, later = (int(at.timestamp()) * 10**6 for at in (MIDNIGHT, LATER))
    naive = naive_count.count(journal.decode(), "2025-11-22", midnight, later, AGREED_S)
    assert naive == {
        (by, key): one for by, keys in expected["figures"].items() for key, one in keys.items()
        if one
    }


def test_every_published_file_is_passed() -> None:
    assert {file.stem for file in FOLDER.glob("*.csv")} == set(NAMES)
