"""Old backups go, and never the one that is needed."""

from __future__ import annotations

import io
import tarfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from crm.clock import vietnam_day
from crm.notices.models import Notice
from crm.privacy.sealing import MAGIC, Sealing
from scripts import backup
from scripts.backup import BackupError
from scripts.hotline import main
from scripts.pruning import Keep, staying
from tests.databases import Databases

PASSPHRASE = "mười hai con giáp và một con mèo"
LAST = datetime(2026, 11, 24, 19, 30, tzinfo=UTC)  # 02:30 of the next day in Vietnam
KEEPS = st.builds(Keep, st.integers(1, 20), st.integers(0, 10), st.integers(0, 14))
MOMENTS = st.sets(st.datetimes(
    datetime(2024, 1, 1), datetime(2027, 1, 1), timezones=st.just(UTC)  # noqa: DTZ001
), min_size=1, max_size=60)


@given(MOMENTS, KEEPS)
def test_the_newest_stays_and_of_each_day_week_and_month_as_many_as_are_asked_for(
    moments: set[datetime], keep: Keep
) -> None:
    stay = staying(moments, keep)
    assert max(moments) in stay <= moments
    assert len(stay) <= keep.daily + keep.weekly + keep.monthly
    for most, part in (
        (keep.daily, lambda day: day), (keep.weekly, lambda day: day.isocalendar()[:2]),
        (keep.monthly, lambda day: (day.year, day.month)),
    ):
        had = sorted({part(vietnam_day(one)) for one in moments}, reverse=True)[:most]
        for which in had:  # each of the last has its newest
            assert max(one for one in moments if part(vietnam_day(one)) == which) in stay


@given(MOMENTS, KEEPS, st.integers(1, 40))
def test_pruning_each_night_keeps_what_pruning_once_would(
    moments: set[datetime], keep: Keep, nights: int
) -> None:
    assert staying(staying(moments, keep), keep) == staying(moments, keep)
    later = [max(moments) + timedelta(days=night) for night in range(1, nights + 1)]
    stepwise = set(moments)
    for one in later:
        stepwise = staying({*stepwise, one}, keep)
    assert stepwise == staying({*moments, *later}, keep)


def test_a_year_of_nights_leaves_days_weeks_and_months() -> None:
    nights = {LAST - timedelta(days=night) for night in range(366)}
    days = sorted((vietnam_day(one).isoformat() for one in staying(nights, Keep(3, 3, 4))),
                  reverse=True)
    assert days == ["2026-11-25", "2026-11-24", "2026-11-23", "2026-11-22", "2026-11-15",
                    "2026-10-31", "2026-09-30", "2026-08-31"]


def sealed(file: Path, passphrase: str = PASSPHRASE) -> Path:
    """A backup of nothing but a database."""
    with file.open("wb") as out, Sealing(out, passphrase) as sealing:
        with tarfile.open(fileobj=sealing, mode="w|gz") as tar:
            row = tarfile.TarInfo("database.sqlite")
            row.size = 100_000
            tar.addfile(row, io.BytesIO(bytes(100_000)))
        sealing.end()
    return file


def night(folder: Path, before: int) -> Path:
    return folder / f"hotline-{LAST - timedelta(days=before):%Y%m%dT%H%M%SZ}.backup"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Forty nights of backups, and what else lies in such a folder."""
    key = tmp_path / "passphrase"
    key.write_text(PASSPHRASE, encoding="utf-8")
    folder = tmp_path / "backups"
    folder.mkdir()
    for name, value in {
        "HOME": tmp_path / "home", "BACKUP_KEY": key, "BACKUP_FOLDER": folder,
        "ALARM_EMAILS": "truc@example.vn",
    }.items():
        monkeypatch.setenv(f"HOTLINE_{name}", str(value))
    (tmp_path / "home").mkdir()
    for before in range(1, 40):  # only the newest are opened
        night(folder, before).write_bytes(MAGIC + bytes(200))
    sealed(night(folder, 0))
    return folder


def pruned(*words: str) -> Result:
    return CliRunner().invoke(main, [
        "backup", "prune", "--keep-daily", "3", "--keep-weekly", "0", "--keep-monthly", "2", *words
    ])


def test_only_backups_go_and_a_dry_run_deletes_none(folder: Path) -> None:
    others = [
        folder / name for name in (
            "erased.jsonl", "hotline-20260101T000000Z.part", "hotline-20261399T000000Z.backup",
            "hotline-20260101T000000Z.backup.copy", "hotline-old.backup",
        )
    ]
    others.append(folder / "hotline-20260101T000000Z.backup")  # of another program
    for one in others:
        one.write_bytes(b"of somebody else")
    linked = folder / "hotline-20260102T000000Z.backup"
    linked.symlink_to(night(folder, 39))
    before = sorted(folder.iterdir())
    tried = pruned("--dry-run")
    assert tried.exit_code == 0, tried.output
    assert tried.output.count("would be deleted") == 36
    assert sorted(folder.iterdir()) == before
    told = pruned()
    assert told.exit_code == 0, told.output
    stays = [night(folder, one) for one in (25, 2, 1, 0)]  # 25: the last night of October
    assert set(folder.iterdir()) == {*stays, *others, linked}
    assert told.output.endswith(
        f"4 are kept; {night(folder, 0).name} opens to its last byte\n"
    )
    assert pruned().output.count("deleted") == 0


def test_the_newest_that_opens_stays_and_a_damaged_one_is_kept_and_alarmed(
    folder: Path, databases: Databases, monkeypatch: pytest.MonkeyPatch
) -> None:
    last = night(folder, 0)
    last.write_bytes(last.read_bytes()[:-1])
    sealed(night(folder, 1))
    with databases.new("sqlite") as database:
        monkeypatch.setenv("HOTLINE_DATABASE_URL", str(database.url))
        told = CliRunner().invoke(main, ["backup", "prune", "--keep-daily", "1",
                                         "--keep-weekly", "0", "--keep-monthly", "0"])
        assert told.exit_code == 1
        assert f"{last} cannot be read: " in told.output
        assert sorted(folder.iterdir()) == [night(folder, 1), last]
        with database.reading() as session:
            (alarm,) = session.scalars(select(Notice))
            assert (alarm.subject, last.name in alarm.body) == ("backup damaged", True)


def test_where_none_opens_none_is_deleted(folder: Path, tmp_path: Path) -> None:
    for before in range(4, 40):
        night(folder, before).unlink()
    (tmp_path / "passphrase").write_text("another passphrase of that length", encoding="utf-8")
    there = sorted(folder.iterdir())
    assert len(there) == 4
    assert pruned().exit_code == 1
    assert sorted(folder.iterdir()) == there


def test_a_folder_is_named_or_set_and_an_empty_one_is_told(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "empty").mkdir()
    told = pruned(str(tmp_path / "empty"))
    assert (told.exit_code, "there is no backup in" in told.output) == (1, True)
    monkeypatch.delenv("HOTLINE_BACKUP_FOLDER")
    for command in ("make", "list", "prune"):
        told = CliRunner().invoke(main, ["backup", command])
        assert (told.exit_code, "name a FOLDER, or set backup_folder" in told.output) == (2, True)
    assert len(list(folder.iterdir())) == 40


def test_what_opens_and_has_no_database_is_no_backup(tmp_path: Path) -> None:
    file = tmp_path / "hotline-20261124T031500Z.backup"
    with file.open("wb") as out, Sealing(out, PASSPHRASE) as sealing:
        with tarfile.open(fileobj=sealing, mode="w|gz"):
            pass
        sealing.end()
    with pytest.raises(BackupError, match="no database"):
        backup.verify(file, PASSPHRASE)
