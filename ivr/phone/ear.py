"""Finds a prompt in what is heard on the line."""

from pathlib import Path

import numpy as np

from ivr.phone.audio import CODECS, FRAME, RATE, Samples
from ivr.phone.sdp import PCMA

WITHIN_S = 4.5
LAST_FRAMES = 75  # the last second and a half that sounds


class Ear:
    """Asterisk sends the file's own A-law bytes, 20 ms a packet: each frame of it is found again
    exactly. A third of the frames of the last second and a half, close together, is proof (no other
    prompt has a single one), and all that a busy machine, on which the line stumbles, may leave.
    """

    def __init__(self, prompt: Path) -> None:
        speech = CODECS[PCMA].decode(prompt.read_bytes())
        frames = [speech[at: at + FRAME] for at in range(0, len(speech) - FRAME + 1, FRAME)]
        sounding = [frame for frame in frames if np.abs(frame).max() > 1000]
        self._frames = [frame.tobytes() for frame in sounding[-LAST_FRAMES:]]
        self._places: set[int] = set()  # in samples

    def hears(self, samples: Samples, start: int = 0) -> bool:
        """Whether the prompt is in what was heard up to now; `samples` begin at sample `start`."""
        line = samples.tobytes()
        for frame in self._frames:
            place = line.find(frame)
            while place >= 0:
                self._places.add(start + place // 2)
                place = line.find(frame, place + len(frame))
        found, enough = sorted(self._places), len(self._frames) // 3
        return any(
            last - first < WITHIN_S * RATE
            for first, last in zip(found, found[enough:], strict=False)
        )
