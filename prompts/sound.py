"""Sound for a telephone line: 8 kHz, mono, even loudness, A-law (ITU-T G.711).

Samples are float32 arrays in which 1.0 is full scale. Levels are in dBFS: 0 dBFS is a constant
signal at full scale, so that a sine at full scale has -3 dBFS.
"""

from __future__ import annotations

import wave
from functools import cache
from pathlib import Path

import numpy as np
import soxr  # type: ignore[import-untyped]
from numpy.typing import NDArray

Samples = NDArray[np.float32]

RATE = 8000
PROCESSING = "1"  # goes into the cache key: count up when the same input sounds different

SPEECH_DBFS = -20.0
MUSIC_DBFS = -30.0
CEILING = 10 ** (-1.5 / 20)  # the loudest peak that speech may reach
BAND_HZ = (200.0, 3400.0)

_FRAME = RATE // 100  # 10 ms
_EDGE_BELOW_SPEECH_DB = 38.0
_P56_MARGIN_DB = 15.9
_SILENCE_DBFS = -60.0


class SoundError(Exception):
    """A sound cannot be used: it is silent, or not a sound at all."""


def prepare_speech(samples: Samples, rate: int, lead_ms: int, tail_ms: int) -> Samples:
    """Speech at any rate, made ready for the line with exactly so much silence around it.

    Raises SoundError when there is nothing to be heard in it.
    """
    if samples.ndim != 1 or not samples.size or not np.all(np.isfinite(samples)):
        raise SoundError("it is empty or damaged")
    line = np.asarray(soxr.resample(samples, rate, RATE, quality="VHQ"), dtype=np.float32)
    line = _limit(_to_level(_fade(_trim(_band_limit(line))), SPEECH_DBFS))
    line = np.clip(_to_level(line, SPEECH_DBFS), -CEILING, CEILING)
    return np.concatenate([silence(lead_ms), line, silence(tail_ms)])


def active_level(samples: Samples) -> float:
    """The level in dBFS of speech at 8 kHz while there is speech: ITU-T P.56, simplified.

    Frames of 10 ms count as speech down to 15.9 dB below the level itself.
    Raises SoundError for silence.
    """
    power = _frame_power(samples)
    power = power[power > _power(_SILENCE_DBFS)]
    if not power.size:
        raise SoundError("nothing is heard in it")
    active = float(power.mean())
    for _ in range(20):
        wider = float(power[power >= active * _power(-_P56_MARGIN_DB)].mean())
        if abs(wider - active) < 1e-4 * active:
            break
        active = wider
    return 10 * float(np.log10(active))


def silence(ms: int) -> Samples:
    return np.zeros(RATE * ms // 1000, dtype=np.float32)


def beep() -> Samples:
    """1 kHz for 400 ms, with soft edges, as loud as speech."""
    time = np.arange(RATE * 400 // 1000) / RATE
    tone = np.sin(2 * np.pi * 1000 * time) * np.sqrt(2) * 10 ** (SPEECH_DBFS / 20)
    return _fade(tone.astype(np.float32))


def music() -> Samples:
    """One minute of music on hold: soft chords under slow bells, composed for this project.

    Notes that ring past the end ring on at the beginning, so that it loops without a seam.
    """
    chords = ((0, 4, 7, 11), (-3, 0, 4, 7), (-7, -3, 0, 4), (-5, -1, 2, 4)) * 2
    bar = 60.0 / len(chords)
    steps = {step for chord in chords for step in chord}
    pads = {step: _pad(_pitch(step), bar) for step in steps}
    bells = {step: 0.5 * _bell(_pitch(step + 12)) for step in steps}
    loop = np.zeros(60 * RATE, dtype=np.float64)
    tune = np.random.default_rng(1022)
    for number, chord in enumerate(chords):
        for step in chord:
            _ring(loop, number * bar, pads[step])
        for beat, step in enumerate(tune.permutation(chord * 2)):
            _ring(loop, (number + beat / 8) * bar, bells[int(step)])
    return _to_level(loop.astype(np.float32), MUSIC_DBFS)


def encode_alaw(samples: Samples) -> bytes:
    """A-law bytes, one a sample. What is beyond full scale is clipped."""
    pcm = np.clip(np.rint(samples * 32768.0), -32768, 32767).astype(np.int32)
    magnitude = np.where(pcm < 0, ~(pcm >> 3), pcm >> 3)
    segment = np.searchsorted(_SEGMENT_ENDS, magnitude)
    code = segment << 4 | (magnitude >> np.maximum(segment, 1)) & 0x0F
    signed: NDArray[np.uint8] = (code ^ np.where(pcm < 0, 0x55, 0xD5)).astype(np.uint8)
    return signed.tobytes()


def decode_alaw(data: bytes) -> Samples:
    return _alaw_values()[np.frombuffer(data, dtype=np.uint8)]


_SEGMENT_ENDS = np.array([(0x20 << n) - 1 for n in range(7)])


def write_wav(path: Path, samples: Samples) -> None:
    """For loudspeakers and the web: 16 bit, 8 kHz, as the telephone has it."""
    path.parent.mkdir(exist_ok=True)
    draft = path.with_suffix(".new")
    with wave.open(str(draft), "wb") as file:
        file.setparams((1, 2, RATE, samples.size, "NONE", ""))
        pcm = np.clip(np.rint(samples * 32767), -32768, 32767).astype("<i2")
        file.writeframes(pcm.tobytes())
    draft.replace(path)


@cache
def _alaw_values() -> Samples:
    code = np.arange(256) ^ 0x55
    segment = code >> 4 & 7
    mantissa = ((code & 0x0F) << 4) + np.where(segment, 0x108, 8)
    value = mantissa << np.maximum(segment - 1, 0)
    return np.asarray(np.where(code & 0x80, value, -value) / 32768.0, dtype=np.float32)


def _power(db: float) -> float:
    return float(10 ** (db / 10))


def _frame_power(samples: Samples) -> NDArray[np.float64]:
    """Mean power of each whole frame of 10 ms (of the rest too when there is no whole one)."""
    frames = samples[: samples.size // _FRAME * _FRAME] if samples.size >= _FRAME else samples
    squared = frames.astype(np.float64) ** 2
    return np.asarray(squared.reshape(-1, min(_FRAME, max(frames.size, 1))).mean(axis=1))


@cache
def _band_filter() -> Samples:
    """A windowed-sinc band-pass of linear phase, 32 ms long."""
    n = np.arange(-128, 129)
    low, high = (2 * cut / RATE for cut in BAND_HZ)
    taps = (high * np.sinc(high * n) - low * np.sinc(low * n)) * np.hamming(n.size)
    return np.asarray(taps, dtype=np.float32)


def _band_limit(samples: Samples) -> Samples:
    half = _band_filter().size // 2
    return np.convolve(samples, _band_filter())[half : half + samples.size].astype(np.float32)


def _trim(samples: Samples) -> Samples:
    """Cut the silence off both ends, keeping 20 ms: the first consonants are soft."""
    threshold = _power(active_level(samples) - _EDGE_BELOW_SPEECH_DB)
    heard = np.flatnonzero(_frame_power(samples) > threshold)
    first, last = heard[0], heard[-1]
    return samples[max(0, first - 2) * _FRAME : (last + 3) * _FRAME]


def _to_level(samples: Samples, dbfs: float) -> Samples:
    gain = 10 ** ((dbfs - active_level(samples)) / 20)
    return (samples * gain).astype(np.float32)


def _limit(samples: Samples) -> Samples:
    """Turn down, smoothly, what would pass the ceiling, 2 dB in hand for the last levelling."""
    reach = RATE * 5 // 1000
    ceiling = CEILING * 10 ** (-2 / 20)
    wanted = np.minimum(1.0, ceiling / np.maximum(np.abs(samples), 1e-9))
    padded = np.pad(wanted, 2 * reach, mode="edge")
    lowest = np.lib.stride_tricks.sliding_window_view(padded, 2 * reach + 1).min(axis=1)
    window = np.hanning(2 * reach + 3)[1:-1]
    gain = np.convolve(lowest, window / window.sum(), mode="valid")
    return (samples * gain).astype(np.float32)


def _fade(samples: Samples, ms: int = 8) -> Samples:
    ramp = np.sin(np.linspace(0, np.pi / 2, min(RATE * ms // 1000, samples.size))) ** 2
    faded = samples.copy()
    faded[: ramp.size] *= ramp
    faded[samples.size - ramp.size :] *= ramp[::-1]
    return faded


def _pitch(semitones: int) -> float:
    """Hertz, counted from the middle C."""
    return float(261.63 * 2 ** (semitones / 12))


def _pad(hertz: float, bar_s: float, blend_s: float = 3.0) -> NDArray[np.float64]:
    """A soft tone of two voices slightly apart that blends into the next bar's."""
    time = np.arange(int((bar_s + blend_s) * RATE)) / RATE
    rise = np.minimum(1.0, np.minimum(time, time[-1] - time) / blend_s)
    voices = [
        weight * np.sin(2 * np.pi * hertz * partial * detune * time)
        for partial, weight in ((1, 1.0), (2, 0.3), (3, 0.08))
        for detune in (0.9985, 1.0015)
    ]
    return np.asarray(np.sin(np.pi / 2 * rise) * sum(voices))


def _bell(hertz: float) -> NDArray[np.float64]:
    time = np.arange(int(2.5 * RATE)) / RATE
    strike = (1 - np.exp(-time / 0.01)) * np.exp(-time / 0.55) * (1 - time / 2.5)
    return np.asarray(strike * (np.sin(2 * np.pi * hertz * time)))


def _ring(loop: NDArray[np.float64], start_s: float, note: NDArray[np.float64]) -> None:
    places = (int(start_s * RATE) + np.arange(note.size)) % loop.size
    loop[places] += note
