"""What people write, as it is kept: one Unicode form, nothing that is not seen, not too long."""

from __future__ import annotations

import re
import unicodedata

from crm.errors import HotlineError
from crm.notices import numbers

LONGEST = 8000  # letters of what a case is about
LINE = 200
_UNSEEN = frozenset(("Cc", "Cf", "Cs", "Co"))
_PHONE = re.compile(r"0[0-9]{9,10}")


class PhoneError(HotlineError):
    """This is no telephone number of Vietnam."""


def clean(text: str, longest: int = LONGEST) -> str:
    """Several lines, in Unicode's NFC, at most `longest` letters; signs that are not seen, or turn
    the text around, are left out."""
    text = unicodedata.normalize("NFC", text[:4 * longest].replace("\r\n", "\n"))
    text = "".join(
        one for one in text.replace("\t", " ")
        if one == "\n" or not (unicodedata.category(one) in _UNSEEN or ord(one) & 0xFFFE == 0xFFFE)
    )
    return re.sub(r"\n{3,}", "\n\n", text).strip()[:longest].strip()


def line(text: str, longest: int = LINE) -> str:
    """The same in one line."""
    return " ".join(clean(text, longest).split())


def phone(text: str) -> str | None:
    """0912345678 of what people write: 0912 345 678, +84 912.345.678; None of nothing. Raises
    PhoneError."""
    digits = re.sub(r"[\s.()\u00a0-]", "", unicodedata.normalize("NFKC", text))
    if not digits:
        return None
    digits = numbers.domestic(digits)
    if not _PHONE.fullmatch(digits):
        raise PhoneError("a telephone number has 10 or 11 digits and begins with 0")
    return digits
