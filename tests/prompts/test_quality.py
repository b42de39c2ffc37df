"""What is wrong with a sound is measured and named."""

from __future__ import annotations

import numpy as np
import pytest

from prompts import sound
from prompts.quality import clipping_fault, faults
from prompts.sound import Samples

TEXT = "một hai ba bốn năm"


def speech(seconds: float, level_dbfs: float = sound.SPEECH_DBFS) -> Samples:
    """A hum in the place of a voice, as loud as prompts are."""
    time = np.arange(int(seconds * sound.RATE)) / sound.RATE
    hum = np.sin(2 * np.pi * 600 * time) * np.sqrt(2) * 10 ** (level_dbfs / 20)
    return np.asarray(hum, dtype=np.float32)


def test_good_speech_has_no_fault() -> None:
    assert faults(TEXT, speech(2)) == []


@pytest.mark.parametrize(("samples", "fault"), [
    (speech(2, -30), "its level is -30.0 dBFS, not -20"),
    (speech(0.2), "0.2 s cannot be"),
    (speech(9), "9.0 s cannot be"),
    (np.concatenate([speech(1), sound.silence(2500), speech(0.5)]), "it is silent for 2.5 s"),
    (sound.silence(2000), "nothing is heard in it"),
    (np.clip(speech(2, 10), -1, 1), "is clipped: record it softer"),
])  # fmt: skip
def test_each_fault_is_named(samples: Samples, fault: str) -> None:
    assert any(fault in found for found in faults(TEXT, samples))


def test_a_single_peak_is_no_clipping() -> None:
    samples = speech(2)
    samples[8000:8002] = 1.0
    assert clipping_fault(samples) == ""
