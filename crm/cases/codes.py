"""Case codes: 8 digits, the last a check digit, said in two groups of four.

The first seven are drawn at random, not counted: whoever knows one code knows of no other, and how
many cases there are cannot be told from them. The check digit is Damm's (H. M. Damm, Total
anti-symmetrische Quasigruppen, 2004): it finds every single wrong digit and every two neighbours
that changed places, which are the slips of people who type what they were told.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable

DIGITS = 8
_CODE = re.compile(rf"[0-9]{{{DIGITS}}}")
_TABLE = (
    "0317598642", "7092154863", "4206871359", "1750983426", "6123045978",
    "3674209581", "5869720134", "8945362017", "9438617205", "2581436790",
)


def check_digit(digits: str) -> str:
    """The digit that makes `digits` right. Raises ValueError if there is anything but 0-9."""
    if not re.fullmatch(r"[0-9]*", digits):
        raise ValueError("a code has only the digits 0-9")
    interim = 0
    for digit in digits:
        interim = int(_TABLE[interim][int(digit)])
    return str(interim)


def is_code(text: str) -> bool:
    """Whether this can be a code at all: 8 digits, the last of which fits the others."""
    return bool(_CODE.fullmatch(text)) and check_digit(text) == "0"


def new_code(draw: Callable[[int], int] = secrets.randbelow) -> str:
    """A code by chance; `draw(n)` gives a number below n."""
    digits = f"{draw(10 ** (DIGITS - 1)):0{DIGITS - 1}d}"
    return digits + check_digit(digits)
