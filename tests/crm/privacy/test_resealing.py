"""Sealed fields: nothing of them shows in the database's file, and their keys are changed while
everything runs."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import StatementError

from crm import secrets
from crm.citizens import contacts
from crm.citizens.contacts import keep, of_number
from crm.database import Database
from crm.field_keys import MARK, FieldKeyError, of_home
from crm.privacy import resealing

NOW = datetime(2026, 3, 2, 3, 0, tzinfo=UTC)
NUMBER = "0912345678"


def opened(database: Database, home: Path) -> Database:
    """The same database, as a program of this hotline opens it."""
    secrets.ensure(home, [])
    return Database(
        database.url.render_as_string(hide_password=False), keys=of_home(home)
    )


def known(database: Database, name: str = "Lê Thị Hoa", number: str = NUMBER) -> None:
    with database.transaction() as session:
        keep(session, contacts.parsed(number), name=name, language="", note="nặng tai", by="lan",
             now=NOW)


def raw(database: Database, column: str = "name") -> list[str]:
    with database.reading() as session:
        return list(session.scalars(text(f"SELECT {column} FROM citizen ORDER BY id")))  # noqa: S608


def name_of(database: Database) -> str:
    with database.reading() as session:
        found = of_number(session, contacts.parsed(NUMBER)).known
        assert found is not None
        return found.name


def test_a_name_stands_sealed_and_is_read_as_it_was_written(
    database: Database, tmp_path: Path
) -> None:
    own = opened(database, tmp_path)
    known(own)
    assert all(one.startswith(MARK) for column in ("name", "note") for one in raw(own, column))
    assert name_of(own) == "Lê Thị Hoa"


def test_every_key_opens_what_it_sealed_and_the_newest_seals(
    database: Database, tmp_path: Path
) -> None:
    own = opened(database, tmp_path)
    known(own)
    (before,) = raw(own)
    assert resealing.renew(own, tmp_path, NOW) == 2  # name and note
    (after,) = raw(own)
    assert after != before
    assert name_of(own) == "Lê Thị Hoa"
    assert len(secrets.load(tmp_path).field_keys) == 2


def test_an_old_key_goes_after_a_day_and_only_when_nothing_is_left_under_it(
    database: Database, tmp_path: Path
) -> None:
    own = opened(database, tmp_path)
    known(own)
    secrets.add_field_key(tmp_path, NOW)  # broken off before the fields were sealed anew
    later = NOW + timedelta(days=2)
    assert resealing.tidy(own, tmp_path, later) == 2
    assert len(secrets.load(tmp_path).field_keys) == 2, "there was something under it"
    assert resealing.tidy(own, tmp_path, NOW + timedelta(hours=23)) == 0
    assert len(secrets.load(tmp_path).field_keys) == 2, "a day is not over"
    assert resealing.tidy(own, tmp_path, later) == 0
    assert len(secrets.load(tmp_path).field_keys) == 1
    assert name_of(own) == "Lê Thị Hoa"


def test_a_program_that_runs_uses_a_key_made_by_another(
    database: Database, tmp_path: Path
) -> None:
    console, command = opened(database, tmp_path), opened(database, tmp_path)
    known(console)
    resealing.renew(command, tmp_path, NOW)
    known(console, "Lê Thị Hoà", "0912345679")
    assert all(of_home(tmp_path).is_newest(one) for one in raw(console))
    assert name_of(console) == "Lê Thị Hoa"


def test_what_stood_there_before_fields_were_sealed_is_read_and_sealed(
    database: Database, tmp_path: Path
) -> None:
    own = opened(database, tmp_path)
    known(own)
    with own.transaction() as session:
        session.execute(text("UPDATE citizen SET name = 'Lê Văn An'"))
    assert name_of(own) == "Lê Văn An"
    assert resealing.tidy(own, tmp_path, NOW) == 1
    assert raw(own)[0].startswith(MARK)
    assert name_of(own) == "Lê Văn An"


def test_more_rows_than_one_portion_are_all_sealed_anew(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resealing, "PORTION", 3)
    own = opened(database, tmp_path)
    for digit in range(10):
        known(own, f"Người {digit}", f"091234560{digit}")
    assert resealing.renew(own, tmp_path, NOW) == 20
    assert all(of_home(tmp_path).is_newest(one) for one in raw(own))


def test_without_its_key_a_field_is_refused_not_shown_wrongly(
    database: Database, tmp_path: Path
) -> None:
    own = opened(database, tmp_path)
    known(own)
    other = opened(database, tmp_path / "other")
    with pytest.raises(FieldKeyError, match=r"secrets\.json"):
        name_of(other)
    with pytest.raises((FieldKeyError, StatementError), match="without the keys"):
        known(Database(database.url.render_as_string(hide_password=False)))


def test_the_secrets_of_before_get_a_key(tmp_path: Path) -> None:
    secrets.ensure(tmp_path, [])
    file = tmp_path / "secrets.json"
    old = json.loads(file.read_text())
    del old["field_keys"]
    file.write_text(json.dumps(old))
    assert len(secrets.ensure(tmp_path, []).field_keys) == 1
    assert secrets.load(tmp_path).console_key == old["console_key"]
