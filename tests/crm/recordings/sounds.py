"""Sounds for tests: what Asterisk leaves of a call, and a hotline's folder with keys."""

from __future__ import annotations

import os
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from crm import secrets
from crm.database import Database
from crm.field_keys import of_home
from crm.recordings.waves import RATE

NOW = datetime(2026, 3, 2, 3, 0, tzinfo=UTC)


def home_with_keys(home: Path, database: Database) -> Database:
    """The database as a program of the hotline opens it whose folder this is."""
    secrets.ensure(home, [])
    for folder in ("recordings", "voicemail"):
        (home / folder).mkdir(exist_ok=True)
    return Database(database.url.render_as_string(hide_password=False), keys=of_home(home))


def tones(*hertz: float, seconds: float = 2.0) -> bytes:
    """Raw samples of 16 bit, a tone on each channel, as Asterisk writes them."""
    times = np.arange(int(RATE * seconds)) / RATE
    sides = [np.sin(2 * np.pi * one * times) * 8000 for one in hertz]
    return np.stack(sides, axis=1).astype("<i2").tobytes()


def put(home: Path, name: str, content: bytes, folder: str = "recordings") -> Path:
    """A sound that was last written to an hour ago."""
    file = home / folder / name
    file.write_bytes(content)
    age(file, timedelta(hours=1))
    return file


def age(file: Path, by: timedelta) -> None:
    at = (NOW - by).timestamp()
    os.utime(file, (at, at))


def names(folder: Path) -> set[str]:
    return {one.name for one in folder.iterdir()}


def flipped(content: bytes, at: Iterable[int]) -> bytes:
    changed = bytearray(content)
    for place in at:
        changed[place] ^= 1
    return bytes(changed)
