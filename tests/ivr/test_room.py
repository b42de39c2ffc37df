"""As the disk fills, recordings and messages give way to the journal, and come back."""

import os
from collections import namedtuple
from pathlib import Path

import pytest

from ivr import provision
from ivr.room import Room

Usage = namedtuple("Usage", "total used free")  # as shutil.disk_usage gives it
DISK = 100 << 20


class Disk:
    """A disk on which others have left so much free."""

    def __init__(self, home: Path) -> None:
        self._ballast = home / "ballast"
        self.left = DISK

    def usage(self, _: object) -> Usage:
        taken = self._ballast.stat().st_size if self._ballast.exists() else 0
        free = max(0, self.left - taken)
        return Usage(DISK, DISK - free, free)


@pytest.fixture
def disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Disk:
    (tmp_path / "asterisk").mkdir()
    made = Disk(tmp_path)
    monkeypatch.setattr("ivr.room.shutil.disk_usage", made.usage)
    return made


def test_below_five_percent_nothing_is_recorded_until_seven_are_free(
    tmp_path: Path, disk: Disk
) -> None:
    stopped: list[int] = []
    room = Room(tmp_path, 1 << 20, lambda: stopped.append(1))
    scarce = provision.no_room(tmp_path)
    assert (room.look(), scarce.exists()) == (None, False)
    ballast = tmp_path / "ballast"
    assert ballast.stat().st_blocks * 512 >= 1 << 20, "it takes room and not only its length"
    disk.left = 5 << 20  # a mebibyte of it is the ballast
    assert "4.0% of the disk is free: no recordings" in str(room.look())
    assert (scarce.exists(), stopped, ballast.exists()) == (True, [1], True)
    disk.left = 7 << 20
    assert (room.look(), scarce.exists()) == (None, True), "it does not go to and fro"
    disk.left = 9 << 20
    assert "recordings and messages go on" in str(room.look())
    assert (scarce.exists(), stopped) == (False, [1])


def test_on_a_full_disk_the_ballast_goes_and_is_kept_again_when_a_tenth_is_free(
    tmp_path: Path, disk: Disk
) -> None:
    room = Room(tmp_path, 64 << 20, lambda: None)
    room.look()
    ballast = tmp_path / "ballast"
    assert ballast.stat().st_size == 2 << 20, "never more than 2 % of the disk"
    disk.left = 2 << 20
    assert "the ballast was released" in str(room.look())
    assert (ballast.exists(), provision.no_room(tmp_path).exists()) == (False, True)
    disk.left = 9 << 20
    room.look()
    assert not ballast.exists()
    disk.left = 20 << 20
    room.look()
    assert ballast.exists()


def test_the_journal_has_blocks_of_its_own_beyond_its_end(tmp_path: Path, disk: Disk) -> None:
    journal = provision.journal(tmp_path)
    journal.parent.mkdir()
    room = Room(tmp_path, 1 << 20, lambda: None)
    room.look()
    assert not journal.exists(), "it is Asterisk's to begin"

    def beyond() -> int:
        state = journal.stat()
        return state.st_blocks * 512 - state.st_size

    for length in (100, 900_000, 5_000_000):
        with journal.open("ab") as file:
            file.write(b"x" * (length - file.tell()))
        room.look()
        assert journal.stat().st_size == length, "whoever reads it sees none of them"
        assert beyond() >= 1 << 19


def test_a_journal_that_is_a_pipe_holds_nobody_up(tmp_path: Path, disk: Disk) -> None:
    provision.journal(tmp_path).parent.mkdir()
    os.mkfifo(provision.journal(tmp_path))
    assert Room(tmp_path, 1 << 20, lambda: None).look() is None


def test_without_a_ballast_wanted_there_is_none(tmp_path: Path, disk: Disk) -> None:
    Room(tmp_path, 0, lambda: None).look()
    assert not (tmp_path / "ballast").exists()


def test_another_supervisor_finds_how_it_stood(tmp_path: Path, disk: Disk) -> None:
    disk.left = 1 << 20
    Room(tmp_path, 0, lambda: None).look()
    disk.left = 50 << 20
    assert "go on" in str(Room(tmp_path, 0, lambda: None).look())
    assert not provision.no_room(tmp_path).exists()
