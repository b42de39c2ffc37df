"""Texts without what says who somebody is.

Of a case whose identity is hidden the handling agency sees its texts only like this. Numbers and
addresses are found wherever they stand; a name only where the text introduces it as one. The desk
is told to write none.
"""

from __future__ import annotations

import re
import unicodedata

HIDDEN = "…"
_NUMBERS = re.compile(r"(?<![\w])\+?\d(?:[\s.\-()]{0,2}\d){7,14}|[^\s@]+@[^\s@]+\.[^\s@]+")
_UPPER = "A-ZĐÀÁẢÃẠĂẰẮẲẴẶÂẦẤẨẪẬÈÉẺẼẸÊỀẾỂỄỆÌÍỈĨỊÒÓỎÕỌÔỒỐỔỖỘƠỜỚỞỠỢÙÚỦŨỤƯỪỨỬỮỰỲÝỶỸỴ"
_INTRODUCED = re.compile(
    r"((?i:tôi là|tên là|tôi tên|tên tôi là|họ và tên|họ tên|người báo|người phản ánh)"
    rf"\s*:?\s+(?i:(?:ông|bà|anh|chị|cháu|em)\s+)?)((?:[{_UPPER}][^\W\d_]*(?:\s+|$|(?=\W))){{1,5}})"
)


def without_personal(text: str) -> str:
    """A text without telephone numbers, numbers of papers and e-mail addresses."""
    return _NUMBERS.sub(HIDDEN, unicodedata.normalize("NFC", text))


def nameless(text: str) -> str:
    """A text without these, and without names where somebody introduces themselves."""
    return _INTRODUCED.sub(
        lambda found: found[1] + HIDDEN + found[2][len(found[2].rstrip()):], without_personal(text)
    )
