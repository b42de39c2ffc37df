"""Sound files that Asterisk was writing when it died."""

from __future__ import annotations

import logging
import struct
from pathlib import Path

log = logging.getLogger(__name__)

LONGEST_CALL_S = 2 * 3600  # the dialplan ends calls then (TIMEOUT(absolute))
HEADER = 44  # bytes, of a WAV as Asterisk's format_wav writes it


def mend(folder: Path) -> list[Path]:
    """Give files that were cut off the lengths which Asterisk writes only as it closes them, so
    that they can be played; returns those. Nobody may be writing in the folder meanwhile."""
    written = [(file.stat().st_mtime, file) for file in folder.glob("*.wav")]
    newest = max((when for when, _ in written), default=0.0)
    # whatever was open when Asterisk died has been written to in the length of a call before
    recent = sorted(file for when, file in written if when >= newest - LONGEST_CALL_S)
    return [file for file in recent if _mend(file)]


def _mend(file: Path) -> bool:
    size = file.stat().st_size
    with file.open("r+b") as wav:
        header = wav.read(HEADER)
        if len(header) < HEADER or header[:4] != b"RIFF" or header[36:40] != b"data":
            return False
        if struct.unpack("<I", header[40:44])[0] == size - HEADER:
            return False
        wav.seek(4)
        wav.write(struct.pack("<I", size - 8))
        wav.seek(40)
        wav.write(struct.pack("<I", size - HEADER))
    log.warning("%s was cut off: %d bytes of sound were kept", file.name, size - HEADER)
    return True
