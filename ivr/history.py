"""Every configuration that was in force, in a folder that needs no database.

`asterisk/history/NNNN` holds one whole set of files and `record.json`: when, who, why, and what
became of it. A set is first written whole, then stands as `applying` while it is brought in, then
as `in force` or as what else it came to. Whoever is killed in between leaves `applying` behind, and
the next one finds the set that was in force before, whole.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path

from crm.errors import HotlineError

KEPT = 50
APPLYING, IN_FORCE, ROLLED_BACK, INTERRUPTED = "applying", "in force", "rolled back", "interrupted"


class HistoryError(HotlineError):
    """The history cannot give or take what is asked. The message says why."""


@dataclass(frozen=True)
class Record:
    """One set of files: who brought it in, and what became of it."""

    number: int
    at: str  # ISO 8601, UTC
    who: str
    why: str
    kind: str  # start | found | apply | rollback
    result: str
    changed: tuple[str, ...]
    detail: str = ""


def folder(home: Path) -> Path:
    return home / "asterisk" / "history"


@contextmanager
def alone(home: Path, who: str) -> Iterator[None]:
    """Hold the configuration: a second one who would change it is refused and told who does."""
    folder(home).mkdir(parents=True, exist_ok=True, mode=0o700)
    with (folder(home) / "lock").open("a+", encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            lock.seek(0)
            raise HistoryError(
                f"the configuration is being changed by {lock.read().strip() or 'somebody else'}: "
                "wait until that is done"
            ) from error
        lock.seek(0)
        lock.truncate()
        lock.write(f"{who} (pid {os.getpid()})\n")
        lock.flush()
        yield


def is_held(home: Path) -> bool:
    """Whether somebody changes the configuration at this moment."""
    try:
        with alone(home, "a look"):
            return False
    except HistoryError:
        return True


def records(home: Path) -> list[Record]:
    """All that are kept, the oldest first."""
    found = []
    for file in sorted(folder(home).glob("[0-9]*/record.json")):
        if not file.parent.name.isdigit():
            continue  # a draft
        row = json.loads(file.read_text(encoding="utf-8"))
        found.append(Record(**row | {"changed": tuple(row["changed"])}))
    return sorted(found, key=lambda one: one.number)


def in_force(home: Path) -> Record | None:
    """The newest set that came into force."""
    return next((one for one in reversed(records(home)) if one.result == IN_FORCE), None)


def unfinished(home: Path) -> Record | None:
    """The set that somebody was bringing in and did not end; ask while holding `alone`."""
    return next((one for one in records(home) if one.result == APPLYING), None)


def files(home: Path, number: int) -> dict[str, str]:
    """A set of files. Raises HistoryError if it is not kept."""
    place = folder(home) / f"{number:04}"
    if not (place / "record.json").exists():
        raise HistoryError(f"there is no configuration {number}: see hotline history")
    return {file.name: file.read_text(encoding="utf-8") for file in sorted(place.glob("*.conf"))}


def add(
    home: Path, wanted: Mapping[str, str], *, now: datetime, who: str, why: str, kind: str,
    result: str, changed: tuple[str, ...],
) -> Record:
    """Keep one more set: it is there whole, or not at all."""
    known = records(home)
    record = Record(
        known[-1].number + 1 if known else 1, now.isoformat(timespec="seconds"), who, why, kind,
        result, changed,
    )
    place = folder(home) / f"{record.number:04}"
    draft = place.with_suffix(".new")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True, mode=0o700)
    for name, text in wanted.items():
        _write(draft / name, text)
    _write(draft / "record.json", json.dumps(asdict(record), ensure_ascii=False, indent=1))
    draft.rename(place)
    for old in known[: max(0, len(known) + 1 - KEPT)]:
        if old.result != APPLYING and old.number != getattr(in_force(home), "number", 0):
            shutil.rmtree(folder(home) / f"{old.number:04}")
    return record


def end(home: Path, record: Record, result: str, detail: str = "") -> Record:
    """Note what became of a set."""
    ended = replace(record, result=result, detail=detail)
    file = folder(home) / f"{record.number:04}" / "record.json"
    draft = file.with_suffix(".new")
    _write(draft, json.dumps(asdict(ended), ensure_ascii=False, indent=1))
    draft.replace(file)
    return ended


def _write(file: Path, text: str) -> None:
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as out:
        out.write(text)
        out.flush()
        os.fsync(descriptor)
