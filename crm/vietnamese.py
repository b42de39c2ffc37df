"""Vietnamese text as people type it."""

from __future__ import annotations

import unicodedata


def folded(text: str) -> str:
    """A text without accents, case, punctuation and doubled blanks, so that "đau họng", "dau hong"
    and "hoà", "hòa" are found alike, in whatever Unicode form they come."""
    plain = unicodedata.normalize("NFD", text.lower().replace("đ", "d"))
    letters = (letter for letter in plain if not unicodedata.combining(letter))
    return " ".join("".join(one if one.isalnum() else " " for one in letters).split())


_TONES = {"\u0300": "ˋ", "\u0301": "ˊ", "\u0309": "ˀ", "\u0303": "ː", "\u0323": "ˑ"}  # as letters


def accented(text: str) -> str:
    """A text like `folded`, but with its accents: each word's tone stands behind it, so that "hoà"
    and "hòa" are one word, and "hoa" is another."""
    words = []
    for word in unicodedata.normalize("NFC", text.lower()).split():
        plain, tone = "", ""
        for letter in unicodedata.normalize("NFD", word):
            if letter in _TONES:
                tone = _TONES[letter]
            else:
                plain += letter
        plain = unicodedata.normalize("NFC", plain)
        parts = "".join(one if one.isalnum() else " " for one in plain).split()
        words += [part + (tone if len(parts) == 1 else "") for part in parts]
    return " ".join(words)
