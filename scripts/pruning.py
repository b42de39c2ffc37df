"""Which backups stay: the newest of each of the last days, weeks and months that have one.

Deleted is only what is surely a backup of ours that stays in none of these: by its name, and by how
its file begins. The newest that opens with the passphrase to its last byte always stays; where none
does, nothing is deleted.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from crm.clock import VIETNAM
from crm.privacy.sealing import MAGIC
from scripts import backup
from scripts.backup import BackupError

_NAME = re.compile(r"hotline-(\d{8}T\d{6})Z\.backup")


@dataclass(frozen=True)
class Keep:
    """How many days, weeks and months keep a backup; those without one do not count."""

    daily: int
    weekly: int
    monthly: int


@dataclass(frozen=True)
class Pruning:
    """What is to be done with a folder. `newest` that opens, if one does; `damaged` are newer, and
    kept to be looked at."""

    newest: Path | None
    damaged: dict[Path, str]
    stays: list[Path]
    goes: list[Path]


def staying(moments: Iterable[datetime], keep: Keep) -> set[datetime]:
    """Which stay of backups that were made at these moments; the newest does in any case."""
    latest = sorted(moments, reverse=True)
    stay = set(latest[:1])
    for form, most in (("%Y-%m-%d", keep.daily), ("%G-%V", keep.weekly), ("%Y-%m", keep.monthly)):
        newest: dict[str, datetime] = {}
        for one in latest:
            newest.setdefault(one.astimezone(VIETNAM).strftime(form), one)
        stay.update(list(newest.values())[:most])
    return stay


def judge(folder: Path, passphrase: str, keep: Keep) -> Pruning:
    """What would stay and go."""
    made = dict(sorted(_recognised(folder).items(), reverse=True))
    damaged: dict[Path, str] = {}
    for file in made.values():
        try:
            backup.verify(file, passphrase)
        except BackupError as error:
            damaged[file] = str(error)
        else:
            break
    sound = {at: one for at, one in made.items() if one not in damaged}
    stay = staying(sound, keep)
    return Pruning(
        next(iter(sound.values()), None), damaged,
        sorted(one for at, one in sound.items() if at in stay),
        sorted(one for at, one in sound.items() if at not in stay),
    )


def _recognised(folder: Path) -> dict[datetime, Path]:
    found = {}
    for file in backup.listed(folder):
        name = _NAME.fullmatch(file.name)
        if name is None or file.is_symlink() or not file.is_file():
            continue
        try:
            at = datetime.strptime(name[1], "%Y%m%dT%H%M%S").replace(tzinfo=UTC)
        except ValueError:
            continue  # no such day
        with file.open("rb") as source:
            if source.read(len(MAGIC)) == MAGIC:
                found[at] = file
    return found
