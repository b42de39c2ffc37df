"""A month's file: lines of records, packed and sealed, with what they must add up to at its end."""

from __future__ import annotations

import gzip
import json
import os
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date
from hashlib import sha256
from pathlib import Path

from crm import kept
from crm.archive.rows import ArchiveError, Record
from crm.privacy import sealing
from crm.privacy.sealing import PIECE, Opening, SealError, Sealing

FOLDER = "archive"
_FORM = "hotline archive 1"


@dataclass
class Content:
    """What a file holds: rows by table, and the digest of each record."""

    counts: Counter[str] = field(default_factory=Counter)
    digests: dict[tuple[str, str], bytes] = field(default_factory=dict)

    def add(self, record: Record) -> None:
        if record.key in self.digests:
            raise ArchiveError(f"{record.kind} {record.id} stands in a month twice")
        self.digests[record.key] = record.digest
        for table, rows in record.rows.items():
            self.counts[table] += len(rows)

    def sum(self) -> str:
        """The same for the same rows, in whatever order."""
        return sha256(b"".join(sorted(self.digests.values()))).hexdigest()


def folder(home: Path) -> Path:
    return kept.folder(home, FOLDER)


def of_month(home: Path, month: date) -> Path:
    return folder(home) / f"calls-{month:%Y-%m}.sealed"


def write(file: Path, month: date, records: Iterable[Record], passphrase: str) -> Content:
    """Put a month's file in its place, once what is on the disk opens to all of it. Raises
    ArchiveError, OSError; what stood there stands then."""
    content = Content()
    draft = file.with_name(f"{file.name}.part")
    with open(draft, "wb", opener=_private) as out:
        with Sealing(out, passphrase) as sealed:
            with gzip.GzipFile(fileobj=sealed, mode="wb", mtime=0) as packed:
                packed.write(_line([_FORM, f"{month:%Y-%m}"]))
                for record in records:
                    content.add(record)
                    packed.write(record.line)
                packed.write(_line([dict(content.counts), content.sum()]))
            sealed.end()
        out.flush()
        os.fsync(out.fileno())
    again = check(draft, month, passphrase)
    if again != content:
        raise ArchiveError(f"{draft} does not open to what was written")
    sealing.settle(draft, file)
    return content


def read(file: Path, month: date, passphrase: str) -> Iterator[Record]:
    """Every record of a file. Raises ArchiveError where it is not what was written, in the end
    at the latest."""
    found = Content()
    try:
        with file.open("rb") as source:
            opening = Opening(source, passphrase)
            last = b""
            with gzip.GzipFile(fileobj=opening, mode="rb") as packed:
                if packed.readline() != _line([_FORM, f"{month:%Y-%m}"]):
                    raise ArchiveError(f"{file} is not the archive of {month:%Y-%m}")
                for line in packed:
                    if last:
                        record = Record.of_line(last)
                        found.add(record)
                        yield record
                    last = line
            while opening.read(PIECE):
                pass
    except (OSError, EOFError, SealError, zlib.error, ValueError, TypeError) as error:
        raise ArchiveError(f"{file} cannot be read: {error}") from error
    if last != _line([dict(found.counts), found.sum()]):
        raise ArchiveError(f"{file} does not add up to what it says at its end")


def check(file: Path, month: date, passphrase: str) -> Content:
    """Read a file to its last byte. Raises ArchiveError."""
    found = Content()
    for record in read(file, month, passphrase):
        found.add(record)
    return found


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _line(said: object) -> bytes:
    return json.dumps(said, sort_keys=True).encode() + b"\n"
