"""Sound at 8 kHz: G.711 both ways, tones made and found, speech measured, WAV written."""

import wave
from pathlib import Path

import numpy as np
import numpy.typing as npt

RATE = 8000  # samples a second
FRAME = 160  # samples in one RTP packet of 20 ms

Samples = npt.NDArray[np.int16]

_SPEECH_RMS = 250.0  # about -42 dBFS: above line noise, below the quietest prompt
_TONE_FRAME = 400  # 50 ms: bins 20 Hz apart
_TONE_SHARE = 0.6  # of a frame's energy that must lie in the tone's bin


def _alaw_levels() -> Samples:
    code = np.arange(256) ^ 0x55
    exponent, mantissa = (code >> 4) & 7, code & 15
    size = np.where(
        exponent == 0, (mantissa << 4) + 8, ((mantissa << 4) + 0x108) << np.maximum(exponent - 1, 0)
    )
    return np.where(code & 0x80, size, -size).astype(np.int16)


def _ulaw_levels() -> Samples:
    code = ~np.arange(256) & 0xFF
    size = (((code & 15) << 3) + 0x84 << ((code >> 4) & 7)) - 0x84
    return np.where(code & 0x80, -size, size).astype(np.int16)


class Codec:
    """One G.711 law, from its 256 output levels: encoding picks the nearest level."""

    def __init__(self, levels: Samples) -> None:
        self._levels = levels
        order = levels.argsort(kind="stable")
        ordered = levels[order].astype(np.int32)
        self._codes = order.astype(np.uint8)
        self._borders = (ordered[1:] + ordered[:-1]) / 2

    def decode(self, payload: bytes) -> Samples:
        return self._levels[np.frombuffer(payload, np.uint8)]

    def encode(self, samples: npt.ArrayLike) -> bytes:
        # side="right": a tie at zero takes the positive code, which is the idle one.
        nearest = np.searchsorted(self._borders, np.asarray(samples), side="right")
        return self._codes[nearest].tobytes()


CODECS = {8: Codec(_alaw_levels()), 0: Codec(_ulaw_levels())}


def tone(hz: float, seconds: float = 1.0, amplitude: float = 0.3) -> Samples:
    """A sine; whole hertz over whole seconds can be repeated without a click."""
    t = np.arange(round(seconds * RATE)) / RATE
    return np.rint(np.sin(2 * np.pi * hz * t) * amplitude * 32767).astype(np.int16)


_DTMF_ROWS, _DTMF_COLUMNS = (697, 770, 852, 941), (1209, 1336, 1477, 1633)
_DTMF_PAD = ("123A", "456B", "789C", "*0#D")


def key_tone(key: str, seconds: float) -> Samples:
    """The two tones of a telephone's key (ITU-T Q.23). ValueError: there is no such key."""
    for line, low in zip(_DTMF_PAD, _DTMF_ROWS, strict=True):
        if len(key) == 1 and key in line:
            high = _DTMF_COLUMNS[line.index(key)]
            return tone(low, seconds, 0.25) + tone(high, seconds, 0.25)
    raise ValueError(f"no key {key!r}")


def has_tone(samples: Samples, hz: float, at_least_s: float = 0.2) -> bool:
    """Whether a tone stands out for so long in all (Goertzel's one-bin transform by frames)."""
    frames = _frames(samples, _TONE_FRAME)
    wave_of_tone = np.exp(-2j * np.pi * hz * np.arange(_TONE_FRAME) / RATE)
    # A full-scale sine gives |bin|^2 = (N/2)^2 A^2 against an energy of N A^2 / 2.
    in_tone = np.abs(frames @ wave_of_tone) ** 2 * 2 / _TONE_FRAME
    energy = (frames**2).sum(axis=1)
    loud = energy > _TONE_FRAME * _SPEECH_RMS**2
    return int((loud & (in_tone > _TONE_SHARE * energy)).sum()) * _TONE_FRAME >= at_least_s * RATE


def speech_s(samples: Samples) -> float:
    """Seconds that are not silence (speech, music or tones)."""
    frames = _frames(samples, FRAME)
    loud = int(((frames**2).mean(axis=1) > _SPEECH_RMS**2).sum())
    return loud * FRAME / RATE


def is_sound(samples: Samples) -> bool:
    """Whether these samples, as a whole, are not silence."""
    return bool(np.mean(samples.astype(np.float64) ** 2) > _SPEECH_RMS**2)


def write_wav(path: Path, samples: Samples) -> None:
    """8 kHz, 16 bit, one channel."""
    with path.open("wb") as file, wave.open(file, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(RATE)
        out.writeframes(samples.astype("<i2").tobytes())


def _frames(samples: Samples, size: int) -> npt.NDArray[np.float64]:
    count = len(samples) // size
    return samples[: count * size].reshape(count, size).astype(np.float64)
