"""Asterisk's own logs, into which it writes numbers in full: they are masked in their place.

The signs are as many as the digits were, so that neither Asterisk, which appends, nor whoever reads
on from a place notices. Masked are whole lines, a moment after they were written.
"""

from __future__ import annotations

import re
from pathlib import Path

from scripts.logs import PHONE

FOLDER = Path("asterisk/log")
SIGN = b"x"
PORTION = 4_000_000  # bytes
_PHONE = re.compile(PHONE.pattern.encode(), re.ASCII)


class AsteriskLogs:
    """The files of one state folder, and how far each has been read."""

    def __init__(self, home: Path) -> None:
        self._folder = home / FOLDER
        self._read: dict[int, int] = {}  # by inode: rotation gives the name to another file

    def mask(self) -> int:
        """Mask what has been written since the last time; how many numbers. At first whole files.

        Raises OSError.
        """
        read: dict[int, int] = {}
        masked = 0
        for file in sorted(self._folder.glob("*")):
            if file.suffix == ".gz" or not file.is_file() or file.is_symlink():
                continue
            try:
                inode, before = file.stat().st_ino, self._read.get(file.stat().st_ino, 0)
                read[inode], found = _mask(file, before)
            except FileNotFoundError:  # rotated away
                continue
            masked += found
        self._read = read
        return masked


def _mask(file: Path, start: int) -> tuple[int, int]:
    """From a place on: how far whole lines go, and how many numbers stood in them."""
    masked = 0
    with file.open("r+b", buffering=0) as opened:
        if opened.seek(0, 2) < start:
            start = 0  # emptied in its place
        opened.seek(start)
        while text := opened.read(PORTION):
            whole = text.rfind(b"\n") + 1 or (len(text) if len(text) == PORTION else 0)
            if not whole:
                break
            for found in _PHONE.finditer(text, 0, whole):
                opened.seek(start + found.end(1))
                opened.write(SIGN * (found.start(2) - found.end(1)))
                masked += 1
            start += whole
            opened.seek(start)
    return start, masked
