"""The WAV of what Asterisk has written, and the outline that a player draws of it.

Recordings of calls come raw, 8 kHz, 16 bit, two samples at a time: the caller (left), whoever spoke
with them (right). Voice messages, and recordings of before, are WAV files of one channel.
"""

from __future__ import annotations

import base64
import io
import struct
from dataclasses import dataclass
from pathlib import Path

from crm.recordings.reading import Sound

RATE, SAMPLE = 8000, 2
HEADER = 44
RAW = ".raw"
OUTLINE = 500  # places of an outline
_MOST = 255


class PlainSound(Sound):
    """A file of Asterisk's as the WAV that it is, or (raw) becomes by a header."""

    def __init__(self, file: Path) -> None:
        self._file = file.open("rb")
        length = self._file.seek(0, io.SEEK_END)
        self._head = b""
        if file.suffix == RAW:
            data = length // (2 * SAMPLE) * 2 * SAMPLE
            self._head = _header(data, channels=2)
            length = data
        self.size = len(self._head) + length

    def read(self, size: int = -1) -> bytes:
        # what is written to it meanwhile belongs to the next who opens it
        left = max(0, self.size - self._at)
        wanted = left if size < 0 else min(size, left)
        found = self._head[self._at:self._at + wanted]
        if len(found) < wanted:
            self._file.seek(self._at + len(found) - len(self._head))
            found += self._file.read(wanted - len(found))
        self._at += len(found)
        return found

    def close(self) -> None:
        self._file.close()
        super().close()


@dataclass(frozen=True)
class Outline:
    """How loud each channel is, at places that divide the sound evenly: 0..255."""

    channels: int
    length_ms: int
    loud: tuple[bytes, ...]  # of each channel

    def written(self) -> str:
        return ":".join(base64.b64encode(one).decode() for one in self.loud)


def read_outline(written: str) -> list[list[float]]:
    """Each channel's loudness, 0..1."""
    return [[level / _MOST for level in base64.b64decode(one)] for one in written.split(":")]


def outline(sound: io.RawIOBase) -> Outline:
    """Of a WAV, whose beginning is read from the place where it stands."""
    import numpy as np

    head = sound.read(HEADER) or b""
    channels = struct.unpack("<H", head[22:24])[0] if len(head) == HEADER else 1
    channels = channels if channels in (1, 2) else 1
    # seconds first, so that two hours take no more room than one minute
    seconds: list[np.ndarray] = []
    samples = 0
    block = RATE * SAMPLE * channels // 10
    while part := sound.read(block):
        part = part[:len(part) // (SAMPLE * channels) * SAMPLE * channels]
        both = np.abs(np.frombuffer(part, "<i2").astype(np.int32)).reshape(-1, channels)
        samples += len(both)
        if len(both):
            seconds.append(both.max(axis=0))
    if not seconds:
        return Outline(channels, 0, tuple(b"" for _ in range(channels)))
    levels = np.array(seconds)
    groups = np.array_split(levels, min(OUTLINE, len(levels)))
    highest = np.array([group.max(axis=0) for group in groups])
    scaled = np.minimum(_MOST, highest * _MOST // 32767).astype(np.uint8)
    return Outline(
        channels, samples * 1000 // RATE, tuple(scaled[:, one].tobytes() for one in range(channels))
    )


def _header(data: int, channels: int) -> bytes:
    block = channels * SAMPLE
    return struct.pack(
        "<4sI4s4sIHHIIHH4sI", b"RIFF", data + HEADER - 8, b"WAVE", b"fmt ", 16, 1, channels, RATE,
        RATE * block, block, 8 * SAMPLE, b"data", data,
    )
