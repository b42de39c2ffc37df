"""What is wrong with the sound of a prompt: too soft, clipped, silent, of a wrong length."""

from __future__ import annotations

import numpy as np

from prompts import sound
from prompts.sound import Samples, SoundError

LEVEL_TOLERANCE_DB = 3.0
LONGEST_SILENCE_S = 2.0
CLIPPED_SHARE = 0.001  # of the samples: more is heard as crackling
SYLLABLE_S = (0.08, 0.7)  # what one syllable may take, said fast and said slowly
SLACK_S = 1.0

_FULL_SCALE = 0.999
_FRAME = sound.RATE // 50
_SILENT = 10 ** (-50 / 20)


def length_fault(text: str, seconds: float) -> str:
    """A speaker who stops early, babbles on or reads another text is found by the syllables."""
    fastest, slowest = (len(text.split()) * syllable for syllable in SYLLABLE_S)
    if fastest <= seconds <= slowest + SLACK_S:
        return ""
    return f"{seconds:.1f} s cannot be {text!r}"


def clipping_fault(samples: Samples) -> str:
    """Runs of three and more samples at full scale, before any change of loudness."""
    full = np.abs(samples) >= _FULL_SCALE
    runs = full[2:] & full[1:-1] & full[:-2]
    share = float(runs.mean()) if runs.size else 0.0
    return f"{share:.1%} of it is clipped: record it softer" if share > CLIPPED_SHARE else ""


def faults(text: str, samples: Samples) -> list[str]:
    """Everything wrong with finished speech at 8 kHz, one sentence each."""
    try:
        level = sound.active_level(samples)
    except SoundError as error:
        return [str(error)]
    found = [length_fault(text, samples.size / sound.RATE), clipping_fault(samples)]
    if abs(level - sound.SPEECH_DBFS) > LEVEL_TOLERANCE_DB:
        found.append(f"its level is {level:.1f} dBFS, not {sound.SPEECH_DBFS:g}")
    if (silence_s := _longest_silence_s(samples)) > LONGEST_SILENCE_S:
        found.append(f"it is silent for {silence_s:.1f} s")
    return [fault for fault in found if fault]


def _longest_silence_s(samples: Samples) -> float:
    frames = samples[: samples.size // _FRAME * _FRAME].reshape(-1, _FRAME)
    loud = np.flatnonzero(np.sqrt((frames**2).mean(axis=1)) > _SILENT)
    edges = np.concatenate([[-1], loud, [len(frames)]])
    return float((np.diff(edges) - 1).max()) * _FRAME / sound.RATE
