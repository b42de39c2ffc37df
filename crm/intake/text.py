"""What people write, as it is kept: one Unicode form, nothing that is not seen, not too long."""

from __future__ import annotations

import re
import unicodedata

from crm.citizens import contacts

LONGEST = 8000  # letters of what a case is about
LINE = 200
_UNSEEN = frozenset(("Cc", "Cf", "Cs", "Co"))


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
    """The number of what people write, as it is dialled at home; None of nothing. Raises
    crm.citizens.numbers.NumberError."""
    return contacts.parsed(text).dialled if text.strip() else None
