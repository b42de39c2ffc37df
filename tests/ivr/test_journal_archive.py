"""Old segments of the journal: sealed when they are read, never lost, deleted in time."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from crm import secrets
from crm import settings as configuration
from crm.database import Database
from crm.models import Call, JournalPosition
from crm.privacy import erasure, retention, sealing
from crm.privacy.sealing import SealError
from crm.settings import Settings
from ivr import journal_archive
from ivr.journal import Tailer
from ivr.journal_reader import CURRENT
from scripts import privacy
from tests.journals import START, Asterisk, encode

KEY = "k" * 32
DAY = timedelta(days=1)


def call_at(asterisk: Asterisk, number: str) -> bytes:
    """A call, as the journal has it."""
    asterisk.events.clear()
    asterisk.caller(number).end()
    return encode(asterisk.events)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "journal").mkdir()
    secrets.ensure(tmp_path, [])
    return tmp_path


def read_on(database: Database, home: Path, asterisk: Asterisk) -> None:
    one = Tailer(database, home / "journal", "th1", lambda: asterisk.now)
    for _ in range(10):
        one.step()


def two_days(database: Database, home: Path) -> Asterisk:
    """A segment of yesterday that is read, and one of today that is."""
    asterisk = Asterisk()
    for number in ("0912345678", "0987654321"):
        with (home / "journal" / CURRENT).open("ab") as out:
            out.write(call_at(asterisk, number))
        read_on(database, home, asterisk)
        asterisk.now += DAY
        with (home / "journal" / CURRENT).open("ab") as out:
            out.write(call_at(asterisk, "0900000000"))
        read_on(database, home, asterisk)
    return asterisk


def names(home: Path) -> list[str]:
    return sorted(one.name for one in (home / "journal").iterdir() if one.name != "tailer.lock")


def settings_of(home: Path, database: Database) -> Settings:
    return configuration.load({
        "HOTLINE_HOME": str(home), "HOTLINE_NODE": "th1",
        "HOTLINE_DATABASE_URL": database.url.render_as_string(hide_password=False),
    })


def position(database: Database) -> JournalPosition | None:
    with database.reading() as session:
        return session.get(JournalPosition, "th1")


def test_on_a_quiet_line_too_a_segment_ends_after_a_day(sqlite: Database, home: Path) -> None:
    two_days(sqlite, home)
    rotated = [one for one in names(home) if one != CURRENT]
    assert len(rotated) == 2
    with sqlite.reading() as session:
        assert {one.caller for one in session.query(Call)} == {
            "0912345678", "0987654321", "0900000000"
        }


def test_a_segment_is_sealed_when_it_is_read_and_rests(sqlite: Database, home: Path) -> None:
    asterisk = two_days(sqlite, home)
    with (home / "journal" / CURRENT).open("ab") as out:  # begun, and read
        out.write(call_at(asterisk, "0900000001"))
    read_on(sqlite, home, asterisk)
    plain = {one: (home / "journal" / one).read_bytes() for one in names(home)}
    folder = home / "journal"
    assert journal_archive.seal(folder, None, KEY, asterisk.now + DAY) == []  # nothing is read yet
    early = asterisk.now - timedelta(days=2)
    assert journal_archive.seal(folder, position(sqlite), KEY, early) == []  # they do not rest yet
    done = journal_archive.seal(folder, position(sqlite), KEY, asterisk.now + DAY)
    assert done == erasure.sealed_of(home) != []
    for sealed in done:
        name = sealed.name.removesuffix(erasure.SEALED)
        assert not (folder / name).exists()
        assert b"0912345678" not in sealed.read_bytes()
        assert sealing.opened(sealed, KEY) == plain[name]
    read_on(sqlite, home, asterisk)  # reading goes on
    with sqlite.reading() as session:
        assert session.query(Call).filter_by(caller="0900000001").count() == 1


def test_what_nobody_has_read_is_not_sealed(sqlite: Database, home: Path) -> None:
    asterisk = Asterisk()
    folder = home / "journal"
    (folder / "journal-20251101T000000.csv").write_bytes(call_at(asterisk, "0912345678"))
    (folder / "journal-20251102T000000.csv").write_bytes(call_at(asterisk, "0987654321"))
    late = START + 10 * DAY
    assert journal_archive.seal(folder, position(sqlite), KEY, late) == []
    one = Tailer(sqlite, folder, "th1", lambda: asterisk.now)
    one.step()
    assert journal_archive.seal(folder, position(sqlite), KEY, late) == []  # it is being read
    for _ in range(5):
        one.step()
    sealed = journal_archive.seal(folder, position(sqlite), KEY, late)
    assert [one.name for one in sealed] == ["journal-20251101T000000.csv.sealed"]


@pytest.mark.parametrize("died", ["while it was written", "before the plain file went"])
def test_whatever_dies_the_segment_is_there_once_and_whole(
    sqlite: Database, home: Path, monkeypatch: pytest.MonkeyPatch, died: str
) -> None:
    asterisk = two_days(sqlite, home)
    before = {one: (home / "journal" / one).read_bytes() for one in names(home)}

    def dies(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        if died == "while it was written":
            patched.setattr(sealing.Sealing, "end", dies)
        else:
            patched.setattr(Path, "unlink", dies)
        with pytest.raises(KeyboardInterrupt):
            journal_archive.seal(home / "journal", position(sqlite), KEY, asterisk.now + DAY)
    journal_archive.seal(home / "journal", position(sqlite), KEY, asterisk.now + DAY)
    after = {
        one.name.removesuffix(erasure.SEALED): sealing.opened(one, KEY)
        if one.name.endswith(erasure.SEALED) else one.read_bytes()
        for one in (home / "journal").iterdir() if one.name in names(home)
        and not one.name.endswith(".part")
    }
    assert after == before


def test_an_erasure_reaches_sealed_segments_and_keeps_the_rest(
    sqlite: Database, home: Path
) -> None:
    asterisk = two_days(sqlite, home)
    sealed = journal_archive.seal(home / "journal", position(sqlite), KEY, asterisk.now + DAY)
    before = b"".join(sealing.opened(one, KEY) for one in sealed)
    assert b"0912345678" in before
    assert "0912345678" in erasure.numbers_in(home, KEY)
    erasure.erase_files(home, "0912345678", [], KEY)
    after = b"".join(sealing.opened(one, KEY) for one in sealed)
    assert after == before.replace(b"0912345678", b"x" * 10)
    with pytest.raises(SealError):
        erasure.erase_files(home, "0987654321", [], "another key")


def test_sealed_segments_go_when_their_time_is_over(sqlite: Database, home: Path) -> None:
    asterisk = two_days(sqlite, home)
    settings = settings_of(home, sqlite)
    assert privacy.seal_journal(sqlite, settings, asterisk.now + DAY)
    number = len(erasure.sealed_of(home))
    privacy.tidy(sqlite, settings, asterisk.now + 80 * DAY)
    assert len(erasure.sealed_of(home)) == number
    privacy.tidy(sqlite, settings, asterisk.now + 95 * DAY)
    assert erasure.sealed_of(home) == []
    with sqlite.reading() as session:
        (made,) = [one for one in retention.certificates(session, 9)
                   if one.kind == "journal"]
        assert (made.count, made.days) == (number, 90)
    assert names(home)  # what is written to is there
