"""Bulletins from text to sound: spoken, checked, live."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime

from crm import bulletins
from crm.bulletins import BulletinError
from crm.database import Database
from crm.settings import Settings
from ivr import provision
from prompts import sound
from prompts.catalogue import LANGUAGE, Catalogue
from prompts.said import Said
from prompts.voices import EspeakVoice


def with_figures(text: str, figures: Sequence[str]) -> str:
    """The catalogue's bulletin sentences with their numbers, then the text. Raises BulletinError.

    `figures` are NAME=N; NAME is that of a prompt, such as new_cases of `bulletin_new_cases`.
    """
    catalogue = Catalogue.load()
    sentences = []
    for figure in figures:
        name, _, number = figure.partition("=")
        prompt = catalogue.prompts.get(f"bulletin_{name}")
        known = [
            one.removeprefix("bulletin_") for one, found in catalogue.prompts.items()
            if one.startswith("bulletin_") and found.vars == ("n",)
        ]
        if prompt is None or prompt.vars != ("n",):
            raise BulletinError(f"there is no figure {name}; there are {', '.join(known)}")
        if not re.fullmatch(r"[0-9]{1,9}", number):
            raise BulletinError(f"{figure}: a figure is NAME=N, a whole number")
        grouped = f"{int(number):,}".replace(",", ".")
        sentences.append(prompt.text.replace("{n}", grouped))
    return " ".join([*sentences, text]).strip()


def approve(settings: Settings, text: str, by: str, now: datetime) -> int:
    """Keep an approved text; its number. Raises BulletinError."""
    with Database.of(settings).transaction() as session:
        return bulletins.approve(session, text, by=by, now=now).id


def go_live(settings: Settings, number: int, by: str, now: datetime) -> float:
    """Speak and check a bulletin, then make it what callers hear; its length in seconds.

    Raises BulletinError or SaidError, and leaves what is live, when it cannot be spoken well.
    """
    database = Database.of(settings)
    with database.reading() as session:
        words = bulletins.spoken(bulletins.numbered(session, number))
    sounds = provision.sounds(settings.home)
    name = Said(sounds, settings.cache).add(words, EspeakVoice(), Catalogue.load().as_read)
    samples = sound.decode_alaw((sounds / LANGUAGE / f"{name}.alaw").read_bytes())
    sound.write_wav(settings.home / "bulletins" / f"{number}.wav", samples)
    with database.transaction() as session:
        bulletins.go_live(session, number, name.rpartition("/")[2], by=by, now=now)
    return float(samples.size / sound.RATE)
