"""Names and answers as audio: texts that people have saved and that callers may hear.

The name of a sound is a digest of its text, so that what is there always says just that text, and
a changed text is a sound that is not there yet. Only what has been made and checked is there:
whoever wants to say something asks `sound_of` first, and says general words meanwhile.
"""

from __future__ import annotations

import hashlib
import logging
import re
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from crm.errors import HotlineError
from prompts.catalogue import LANGUAGE
from prompts.speller import LARGEST, spell

if TYPE_CHECKING:
    from prompts.voices import Voice

FOLDER = "said"  # within the sounds of the language
VERSION = 1  # of how texts are turned into sound: another one makes them all again
_PAD_MS = 60
_MONEY = re.compile(r"\b[0-9]{1,3}(?:\.[0-9]{3})+\b")
_DAY = re.compile(r"\b([0-9]{1,2})[/-]([0-9]{1,2})(?:[/-]([0-9]{4}))?\b")
_HOUR = re.compile(r"\b([0-9]{1,2})[:hg]([0-9]{2})\b")
_DIGITS = re.compile(r"[0-9]+")
_SENTENCE = re.compile(r"(?<=[.!?;:])\s+")

log = logging.getLogger(__name__)


class SaidError(HotlineError):
    """A text cannot be said: the voice refuses, or what it says fails a check."""


class Said:
    """The sounds of saved texts in one hotline's folder."""

    def __init__(self, sounds: Path, cache: Path) -> None:
        self._folder = sounds / LANGUAGE / FOLDER
        self._cache = cache / "prompts"

    def sound_of(self, text: str) -> str | None:
        """What Asterisk plays to say this text; None while there is no such sound."""
        name = _name(text)
        return f"{FOLDER}/{name}" if (self._folder / f"{name}.alaw").is_file() else None

    def make(
        self, texts: Iterable[str], voice: Voice, as_read: Callable[[str], str],
        rest: Callable[[float], bool] = lambda seconds: False,
    ) -> dict[str, str]:
        """Make what is not there, and remove what none of `texts` asks for, from the cache too: it
        may be about a person. `as_read` writes words as the voice must read them. After each it
        rests as long as it took, callers come first; `rest(seconds)` returns True when the work
        shall end: `threading.Event().wait` fits.

        Returns why a text could not be made; those are tried again with the next call.
        """
        from prompts.store import Store

        wanted = {_name(text): text for text in texts if text.strip()}
        failed: dict[str, str] = {}
        self._take_cached(wanted)
        for text in wanted.values():
            begun = time.monotonic()
            try:
                self.add(text, voice, as_read)
            except SaidError as error:
                failed[text] = str(error)
                log.warning("a text of %d letters cannot be said: %s", len(text), error)
            if rest(time.monotonic() - begun):
                return failed
        with Store.open(self._cache, self._folder) as store:
            store.keep_only(wanted, and_cached=True)
        return failed

    def add(self, text: str, voice: Voice, as_read: Callable[[str], str]) -> str:
        """The sound of a text, made if it is not there. Raises SaidError."""
        # the listener, which only asks what is there, does without the libraries for sound
        from prompts.sound import SoundError
        from prompts.store import Store
        from prompts.voices import VoiceError

        self._take_cached([_name(text)])
        if (there := self.sound_of(text)) is not None:
            return there
        try:
            alaw = _speech(voice, as_read(speakable(text)))
        except (VoiceError, SoundError) as error:
            raise SaidError(str(error)) from error
        name = _name(text)
        with Store.open(self._cache, self._folder) as store:
            store.add(_key(name), alaw)
            store.publish(name, _key(name))
        return f"{FOLDER}/{name}"

    def _take_cached(self, names: Iterable[str]) -> None:
        """What was made before, by this hotline or another with this cache, is not made again."""
        from prompts.store import Store

        lacking = [name for name in names if not (self._folder / f"{name}.alaw").is_file()]
        if not lacking:
            return
        with Store.open(self._cache, self._folder) as store:
            for name in lacking:
                if store.has(_key(name)):
                    with suppress(FileNotFoundError):  # another hotline has forgotten it just now
                        store.publish(name, _key(name))


def speakable(text: str) -> str:
    """Figures as northern Vietnamese says them: days, times, amounts, codes and numbers.

    "17/02/2026" is a day, "7h30" a time, "1.200.000" an amount; a number that begins with 0 or has
    more than seven digits is read digit by digit.
    """
    text = _DAY.sub(_day, text)
    text = _HOUR.sub(_hour, text)
    text = _MONEY.sub(lambda match: spell(int(match[0].replace(".", ""))), text)
    return " ".join(_DIGITS.sub(_number, text).split())


def _day(match: re.Match[str]) -> str:
    day, month, year = int(match[1]), int(match[2]), match[3]
    if not (1 <= day <= 31 and 1 <= month <= 12):
        return match[0]
    words = " ".join([
        *(["mùng"] if day <= 10 else []), spell(day), "tháng", "tư" if month == 4 else spell(month)
    ])
    return f"{words} năm {spell(int(year))}" if year else words


def _hour(match: re.Match[str]) -> str:
    hour, minute = int(match[1]), int(match[2])
    if hour > 24 or minute > 59:
        return match[0]
    return f"{spell(hour)} giờ {spell(minute)} phút" if minute else f"{spell(hour)} giờ"


def _number(match: re.Match[str]) -> str:
    digits = match[0]
    if len(digits) > 7 or (digits.startswith("0") and len(digits) > 1) or int(digits) > LARGEST:
        return " " + " ".join(spell(int(digit)) for digit in digits) + " "
    return f" {spell(int(digits))} "


def _speech(voice: Voice, text: str) -> bytes:
    """Sentence by sentence: an engine breathes, and a long text is checked in its parts."""
    from prompts import quality, sound

    parts = []
    for sentence in _SENTENCE.split(text):
        samples = sound.prepare_speech(*voice.speak(sentence), _PAD_MS, _PAD_MS)
        if found := quality.faults(sentence, samples):
            raise sound.SoundError("; ".join(found))
        parts.append(sound.encode_alaw(samples))
    return sound.encode_alaw(sound.silence(150)).join(parts)


def _key(name: str) -> str:
    """Of a sound in the cache."""
    return f"said-{name}"


def _name(text: str) -> str:
    return hashlib.sha256(f"{VERSION}:{text}".encode()).hexdigest()[:20]
