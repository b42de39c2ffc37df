"""When the last backup was made, and the last loss of the site rehearsed: noted in the state folder
for whoever asks."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

BACKUP = "backup.json"
DRILL = "drill.json"


def note_backup(home: Path, made: Path, now: datetime) -> None:
    _write(home / BACKUP, now, {"file": str(made.absolute())})


def last_backup(home: Path) -> tuple[datetime, Path] | None:
    """None: there never was one. Raises OSError, ValueError, KeyError: the note is damaged."""
    if (noted := _read(home / BACKUP)) is None:
        return None
    return datetime.fromisoformat(noted["at"]), Path(noted["file"])


def note_drill(home: Path, failed: Sequence[str], now: datetime) -> None:
    """`failed`: the steps of the plan that did not work."""
    _write(home / DRILL, now, {"failed": list(failed)})


def last_drill(home: Path) -> tuple[datetime, list[str]] | None:
    """None: there never was one. Raises OSError, ValueError, KeyError: the note is damaged."""
    if (noted := _read(home / DRILL)) is None:
        return None
    return datetime.fromisoformat(noted["at"]), [str(one) for one in noted["failed"]]


def _write(file: Path, now: datetime, noted: dict[str, Any]) -> None:
    draft = file.with_name(f"{file.name}.new")
    draft.write_text(json.dumps({"at": now.astimezone(UTC).isoformat(), **noted}), encoding="utf-8")
    draft.replace(file)


def _read(file: Path) -> dict[str, Any] | None:
    try:
        noted: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    return noted
