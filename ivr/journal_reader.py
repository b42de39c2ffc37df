"""Reading the journal: bytes to events, segments in their order.

A record is fourteen fields in double quotes, with `""` for a quote inside a field, and ends with
a newline. A caller's text may hold newlines, commas and bytes that are no UTF-8. What no caller
can write is a newline, a *single* quote, an event's name and `","` with a time after it: every
quote of theirs is doubled. So a torn record, which may leave a quote open, ends at the next such
place and takes at most one whole record with it.
"""

from __future__ import annotations

import json
import os
import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from crm.calls.facts import JournalEvent
from crm.models import JournalPosition

CURRENT = "journal.csv"
STAMP = "journal-%Y%m%dT%H%M%S.csv"  # UTC
ROTATED = f"journal-{'[0-9]' * 8}T{'[0-9]' * 6}.csv"
WINDOW = 1 << 20  # bytes read at once; no record is nearly as long
BATCH = 2_000  # events applied in one transaction

_TEXT = rb'"([^"]*+(?:""[^"]*+)*+)"'
_HEAD = rb'"([A-Z][A-Z0-9_]{0,39}+)","([0-9]{1,10}+\.[0-9]{6})",'
_RECORD = re.compile(_HEAD + b",".join([_TEXT] * 12) + b"\n")
_START = re.compile(rb"\n(?=" + _HEAD + rb")")
_LONGEST_HEAD = 64


@dataclass(frozen=True)
class Gap:
    """Bytes of a segment that are no record."""

    offset: int
    length: int
    reason: str


@dataclass
class Batch:
    """What was read from a piece of a segment; `end` is the offset after it."""

    end: int
    events: list[JournalEvent] = field(default_factory=list)
    gaps: list[Gap] = field(default_factory=list)


@dataclass(frozen=True)
class Segment:
    """One file of the journal, as it was when it was listed."""

    path: Path
    inode: int
    size: int


def segments(folder: Path) -> list[Segment]:
    """The journal's files, oldest first. Rotated ones are named by their time."""
    found = []
    for path in [*sorted(folder.glob(ROTATED)), folder / CURRENT]:
        try:
            state = path.stat()
        except FileNotFoundError:  # not begun yet, or renamed or removed a moment ago
            continue
        if stat.S_ISREG(state.st_mode):  # opening a pipe would wait for its writer
            found.append(Segment(path, state.st_ino, state.st_size))
    return found


def has_read(position: JournalPosition | None, until: Segment, folder: Path) -> bool:
    """Whether a tailer at this position has read all that stood in the journal when `until`, then
    its newest segment, was listed."""
    if position is None:
        return False
    if position.inode == until.inode:
        return position.offset >= until.size
    order = [segment.inode for segment in segments(folder)]
    if position.inode not in order:
        return False
    return until.inode not in order or order.index(position.inode) > order.index(until.inode)


def read(
    descriptor: int, offset: int, *, until: int | None = None, is_closed: bool = False,
    limit: int = BATCH,
) -> Batch:
    """Read at most `limit` events from an open segment, from `offset` up to `until` (its end).

    A last record that is not complete is left for later, unless the segment `is_closed`: nobody
    writes to it any more. Nothing to read: `end` is `offset`.
    """
    size = WINDOW if until is None else min(WINDOW, until - offset)
    data = os.pread(descriptor, size, offset)
    batch = Batch(end=offset)
    position = 0
    while position < len(data) and len(batch.events) < limit:
        if record := _RECORD.match(data, position):
            batch.events.append(_event(record))
            position = record.end()
            continue
        if start := _START.search(data, position):
            after, reason = start.end(), "a record that is torn or damaged"
        elif len(data) == WINDOW and position == 0:
            # nothing in sight, but a start may be cut in two by the window
            after, reason = WINDOW - _LONGEST_HEAD, "no record"
        elif len(data) == WINDOW or not is_closed:
            break
        else:
            after, reason = len(data), "the segment ends within a record"
        batch.gaps.append(Gap(offset + position, after - position, reason))
        position = after
    batch.end = offset + position
    return batch


def _event(record: re.Match[bytes]) -> JournalEvent:
    type_, time, _user_type, *texts, extra = record.groups()
    seconds, _, microseconds = time.partition(b".")
    num, name, exten, context, channel, app, app_data, uniqueid, linkedid, peer = map(_text, texts)
    return JournalEvent(
        type=type_.decode(),
        at=datetime.fromtimestamp(int(seconds), UTC).replace(microsecond=int(microseconds)),
        num=num, name=name, exten=exten, context=context, channel=channel, app=app,
        app_data=app_data, uniqueid=uniqueid, linkedid=linkedid, peer=peer,
        extra=_extra(_text(extra)) if extra else {},
    )


def _text(field_: bytes) -> str:
    if b'"' in field_:
        field_ = field_.replace(b'""', b'"')
    return field_.decode("utf-8", "replace")


def _extra(text: str) -> Mapping[str, str]:
    """Asterisk's own keys, or those that the dialplan wrote as `k=v|k=v`. What is neither is {}:
    the event still stands."""
    try:
        values = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    if not isinstance(values, dict):
        return {}
    if isinstance(own := values.get("extra"), str):
        values = dict(part.split("=", 1) for part in own.split("|") if "=" in part)
    # an escaped half of a surrogate pair is no text
    return {key: str(value).encode("utf-8", "replace").decode() for key, value in values.items()}
