"""Sound files that were cut off."""

import os
import struct
import wave
from pathlib import Path

from ivr import recordings


def written(file: Path, seconds: float, *, closed: bool, at: float = 1_000_000) -> Path:
    """A recording as Asterisk writes it: the lengths in its header only come as it is closed."""
    sound = bytes(range(256)) * int(16_000 * seconds / 256)
    with wave.open(str(file), "wb") as wav:
        wav.setparams((1, 2, 8000, 0, "NONE", ""))
        wav.writeframes(sound)
    if not closed:
        with file.open("r+b") as raw:
            for place in (4, 40):
                raw.seek(place)
                raw.write(struct.pack("<I", 0))
    os.utime(file, (at, at))
    return file


def test_what_was_cut_off_can_be_played_and_the_rest_is_left_alone(tmp_path: Path) -> None:
    closed = written(tmp_path / "a.wav", 1, closed=True)
    cut = written(tmp_path / "b.wav", 2.56, closed=False)
    long_ago = written(tmp_path / "c.wav", 1, closed=False, at=1_000_000 - 3 * 3600)
    (tmp_path / "d.wav").write_bytes(b"RIFF")
    (tmp_path / "e.wav").write_bytes(bytes(100))
    before = closed.read_bytes(), long_ago.read_bytes()
    assert recordings.mend(tmp_path) == []  # the newest of all are no recordings
    for name in ("d.wav", "e.wav"):
        os.utime(tmp_path / name, (1_000_000, 1_000_000))
    assert recordings.mend(tmp_path) == [cut]
    with wave.open(str(cut)) as wav:
        assert wav.getnframes() == int(2.56 * 8000)
    assert (closed.read_bytes(), long_ago.read_bytes()) == before
    assert recordings.mend(tmp_path) == []
    assert recordings.mend(tmp_path / "nowhere") == []
