"""Numbers in northern Vietnamese, as words and as the sound files that say them.

The rules are those of the catalogue's comment: a number is said in groups of three digits; an
empty hundred is said ("không trăm") as soon as a higher group was, so that 1 000 005 is
"một triệu không trăm linh năm" and cannot be heard as 1 500 000.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

LARGEST = 999_999_999_999
PAUSE = "pause"

_DIGITS = ("không", "một", "hai", "ba", "bốn", "năm", "sáu", "bảy", "tám", "chín")
_GROUPS = (
    (1_000_000_000, "u_billion", "tỷ"),
    (1_000_000, "u_million", "triệu"),
    (1_000, "u_thousand", "nghìn"),
    (1, None, None),
)
_AFTER_TENS = {1: "mốt", 4: "tư", 5: "lăm"}
_PAUSE_AFTER = {10: (4, 7), 8: (4,)}  # phone numbers 4-3-3, case codes 4-4


def spell(n: int) -> str:
    """The words of a whole number from 0 to LARGEST: 1005 is "một nghìn không trăm linh năm".

    Raises ValueError outside that range.
    """
    return " ".join(words for _, words in _said(n))


def number_files(n: int) -> tuple[str, ...]:
    """The sound files that say `n`, in order: at most 8 below a billion, 11 up to LARGEST.

    Raises ValueError outside 0..LARGEST.
    """
    return tuple(file for file, _ in _said(n))


def digit_files(digits: str) -> tuple[str, ...]:
    """The sound files that read `digits` one by one, with a pause between the usual groups.

    Ten digits are a phone number (4-3-3), eight a case code (4-4); other lengths have no pause.
    Raises ValueError if anything but the digits 0-9 is in it.
    """
    if not re.fullmatch(r"[0-9]+", digits):
        raise ValueError("only the digits 0-9 can be read out one by one")
    files: list[str] = []
    for place, digit in enumerate(digits):
        if place in _PAUSE_AFTER.get(len(digits), ()):
            files.append(PAUSE)
        files.append(f"d_{digit}")
    return tuple(files)


def _said(n: int) -> Iterator[tuple[str, str]]:
    """The sound files of `n`, each with its words."""
    if not 0 <= n <= LARGEST:
        raise ValueError(f"only whole numbers from 0 to {LARGEST} can be said, not {n}")
    if n == 0:
        yield "n_0", _DIGITS[0]
    rest, begun = n, False
    for size, unit_file, unit in _GROUPS:
        group, rest = divmod(rest, size)
        if not group:
            continue
        yield from _group(group, begun)
        if unit_file and unit:
            yield unit_file, unit
        begun = True


def _group(group: int, begun: bool) -> Iterator[tuple[str, str]]:
    """A group from 1 to 999; `begun` when a higher group was said before it."""
    hundreds, rest = divmod(group, 100)
    say_hundreds = hundreds > 0 or begun
    if say_hundreds:
        yield f"h_{hundreds}", f"{_DIGITS[hundreds]} trăm"
    if rest and rest < 10 and say_hundreds:
        yield f"l_{rest}", f"linh {_DIGITS[rest]}"
    elif rest:
        yield f"n_{rest}", _below_hundred(rest)


def _below_hundred(n: int) -> str:
    tens, units = divmod(n, 10)
    if tens == 0:
        return _DIGITS[units]
    words = ["mười"] if tens == 1 else [_DIGITS[tens], "mươi"]
    if tens == 1 and units:
        words.append("lăm" if units == 5 else _DIGITS[units])
    elif units:
        words.append(_AFTER_TENS.get(units, _DIGITS[units]))
    return " ".join(words)
