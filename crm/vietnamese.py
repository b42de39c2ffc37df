"""Vietnamese text as people type it."""

from __future__ import annotations

import unicodedata


def folded(text: str) -> str:
    """A text without accents, case, punctuation and doubled blanks, so that "đau họng", "dau hong"
    and "hoà", "hòa" are found alike, in whatever Unicode form they come."""
    plain = unicodedata.normalize("NFD", text.lower().replace("đ", "d"))
    letters = (letter for letter in plain if not unicodedata.combining(letter))
    return " ".join("".join(one if one.isalnum() else " " for one in letters).split())
