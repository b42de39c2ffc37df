"""When the last backup was made and where, noted in the state folder for whoever asks."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

FILE = "backup.json"


def write(home: Path, made: Path, now: datetime) -> None:
    draft = home / f"{FILE}.new"
    noted = {"at": now.astimezone(UTC).isoformat(), "file": str(made.absolute())}
    draft.write_text(json.dumps(noted), encoding="utf-8")
    draft.replace(home / FILE)


def read(home: Path) -> tuple[datetime, Path] | None:
    """None: there never was one. Raises OSError, ValueError, KeyError: the note is damaged."""
    try:
        noted = json.loads((home / FILE).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    return datetime.fromisoformat(noted["at"]), Path(noted["file"])
