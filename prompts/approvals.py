"""Who listened to which version of a sound file and found it right."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

from crm.errors import HotlineError

APPROVALS_FILE = "approvals.jsonl"


class ApprovalError(HotlineError):
    """The file of approvals cannot be read or written. One sentence for the operator."""


@dataclass(frozen=True)
class Approval:
    """`key` is the version that was heard: another voice or another text needs another approval.

    `doctor` names who answers for a medical text, empty for others. `at` is UTC.
    """

    name: str
    key: str
    by: str
    doctor: str
    at: datetime


class Approvals:
    """The approvals that stand beside the recordings, so that both move to another server."""

    def __init__(self, folder: Path, entries: Iterable[Approval] = ()) -> None:
        self._path = folder / APPROVALS_FILE
        self._entries = {(one.name, one.key): one for one in entries}

    @classmethod
    def load(cls, folder: Path) -> Approvals:
        """Raises ApprovalError for a file that is damaged: approvals are never guessed."""
        path = folder / APPROVALS_FILE
        try:
            lines = path.read_text(encoding="utf-8").splitlines()
        except FileNotFoundError:
            return cls(folder)
        except (OSError, UnicodeDecodeError) as error:
            raise ApprovalError(f"{path}: cannot be read: {error}") from error
        entries = []
        for number, line in enumerate(lines, start=1):
            try:
                entries.append(_approval(json.loads(line)))
            except (ValueError, TypeError, KeyError) as error:
                raise ApprovalError(f"{path}:{number}: is no approval") from error
        return cls(folder, entries)

    def of(self, name: str, key: str) -> Approval | None:
        return self._entries.get((name, key))

    def add(self, approvals: Iterable[Approval]) -> None:
        """Keep them on disk, all or none. Raises ApprovalError."""
        entries = self._entries | {(one.name, one.key): one for one in approvals}
        lines = [
            json.dumps(asdict(one) | {"at": one.at.isoformat()}, ensure_ascii=False)
            for one in entries.values()
        ]
        unfinished = self._path.with_suffix(".unfinished")
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with unfinished.open("w", encoding="utf-8") as file:
                file.write("\n".join(lines) + "\n")
                file.flush()
                os.fsync(file.fileno())
            unfinished.replace(self._path)
        except OSError as error:
            unfinished.unlink(missing_ok=True)
            raise ApprovalError(f"{self._path}: cannot be written: {error.strerror}") from error
        self._entries = entries


def _approval(fields: dict[str, str]) -> Approval:
    name, key, by, doctor = (fields[field] for field in ("name", "key", "by", "doctor"))
    if not all(isinstance(value, str) for value in (name, key, by, doctor)):
        raise TypeError("a field is no text")
    return Approval(name, key, by, doctor, datetime.fromisoformat(fields["at"]))
