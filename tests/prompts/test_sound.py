from __future__ import annotations

import numpy as np
import pytest

from prompts import sound
from prompts.sound import Samples, SoundError

# G.711, table 1a: the values at the ends of the segments, scaled to 16 bits, and their bytes.
ALAW = [
    (0, 0xD5), (8, 0xD5), (16, 0xD4), (248, 0xDA), (504, 0xCA), (512, 0xF5), (1008, 0xFA),
    (1024, 0xE5), (2016, 0xEA), (4032, 0x9A), (8064, 0x8A), (16128, 0xBA), (32256, 0xAA),
    (32767, 0xAA), (-1, 0x55), (-16, 0x55), (-17, 0x54), (-1024, 0x7A), (-32768, 0x2A),
]  # fmt: skip


def tone(hertz: float, seconds: float, rate: int = 8000, peak: float = 0.5) -> Samples:
    time = np.arange(int(seconds * rate)) / rate
    return (peak * np.sin(2 * np.pi * hertz * time)).astype(np.float32)


@pytest.mark.parametrize(("pcm", "code"), ALAW)
def test_alaw_is_that_of_g711(pcm: int, code: int) -> None:
    assert sound.encode_alaw(np.array([pcm / 32768], dtype=np.float32)) == bytes([code])


def test_every_alaw_byte_survives_decoding_and_encoding() -> None:
    every = bytes(range(256))
    assert sound.encode_alaw(sound.decode_alaw(every)) == every
    assert len(np.unique(sound.decode_alaw(every))) == 256


def test_alaw_keeps_small_and_large_signals_within_its_error() -> None:
    ramp = np.linspace(-0.98, 0.98, 10_001, dtype=np.float32)
    heard = sound.decode_alaw(sound.encode_alaw(ramp))
    half_a_step = np.maximum(np.abs(ramp) / 32, 8 / 32768)
    assert np.all(np.abs(heard - ramp) <= half_a_step + 0.5 / 32768)  # and rounding to 16 bits


def test_beyond_full_scale_is_clipped_not_wrapped() -> None:
    loud = np.array([3.0, -3.0], dtype=np.float32)
    assert sound.encode_alaw(loud) == bytes([0xAA, 0x2A])


def test_silence_around_a_word_is_exactly_what_is_asked_for() -> None:
    rate = 22050
    quiet = np.zeros(rate, dtype=np.float32)
    heard = sound.prepare_speech(
        np.concatenate([quiet, tone(700, 0.5, rate, peak=0.03), quiet]), rate, 150, 40
    )
    assert not heard[:1200].any()
    assert not heard[-320:].any()
    assert heard.size == pytest.approx(1200 + 0.5 * 8000 + 320, abs=0.07 * 8000)


@pytest.mark.parametrize("peak", [0.004, 0.05, 0.9])
def test_soft_and_loud_speakers_come_out_alike(peak: float) -> None:
    speech = tone(700, 1.0, peak=peak) * np.repeat([1.0, 0.3, 0.9, 0.05], 2000).astype(np.float32)
    heard = sound.prepare_speech(speech, 8000, 150, 150)
    assert sound.active_level(heard) == pytest.approx(sound.SPEECH_DBFS, abs=0.2)


def test_pauses_do_not_count_as_speech() -> None:
    word = tone(700, 0.5)
    spaced = np.concatenate([word, sound.silence(3000), word])
    assert sound.active_level(spaced) == pytest.approx(sound.active_level(word), abs=0.1)


def test_a_click_is_turned_down_without_clipping() -> None:
    speech = tone(700, 1.0, peak=0.05)
    speech[4000:4004] = 0.99
    heard = sound.prepare_speech(speech, 8000, 0, 0)
    assert np.abs(heard).max() <= sound.CEILING
    assert sound.active_level(heard) == pytest.approx(sound.SPEECH_DBFS, abs=0.5)


def test_what_a_telephone_cannot_carry_is_taken_out() -> None:
    rate = 48000
    voice, hum, hiss = tone(1000, 1, rate), tone(50, 1, rate), tone(3900, 1, rate)
    heard = sound.prepare_speech(voice + hum + hiss, rate, 0, 0)
    spectrum = np.abs(np.fft.rfft(heard[1000:7000]))
    at = np.fft.rfftfreq(6000, 1 / 8000)
    kept = spectrum[np.argmin(np.abs(at - 1000))]
    for hertz in (50, 3900):
        assert spectrum[np.argmin(np.abs(at - hertz))] < 0.03 * kept


@pytest.mark.parametrize(
    "samples",
    [np.zeros(8000), np.zeros(0), np.full(8000, np.nan), np.full(800, 1e-5), np.zeros((10, 2))],
)
def test_silence_is_an_error(samples: Samples) -> None:
    with pytest.raises(SoundError):
        sound.prepare_speech(samples.astype(np.float32), 8000, 0, 0)


def test_the_beep_is_one_kilohertz_for_400_ms() -> None:
    beep = sound.beep()
    assert beep.size == 3200
    assert np.argmax(np.abs(np.fft.rfft(beep))) * 8000 / beep.size == 1000


def test_the_music_loops_without_a_click_and_is_softer_than_speech() -> None:
    music = sound.music()
    assert music.size == 60 * 8000
    steps = np.abs(np.diff(np.concatenate([music, music[:1]])))
    assert steps[-1] <= np.percentile(steps, 99)
    assert sound.active_level(music) <= sound.SPEECH_DBFS - 6
    seconds = np.sqrt((music.reshape(60, -1) ** 2).mean(axis=1))
    assert seconds.min() > 0.3 * seconds.max()  # no hole, no burst
