"""How long an SMS is: GSM 03.38 letters (7 bits) or UCS-2, in parts; and accents taken off.

Sources: 3GPP TS 23.038 (default alphabet and its extension table), TS 23.040 (parts: a header of
6 octets leaves 153 of 160 letters of 7 bits, 67 of 70 of 16 bits).
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass

from crm.notices.delivery import Undelivered
from crm.settings import Settings

BASIC = (
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞ\x1bÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
EXTENSION = {
    "\f": 0x0A, "^": 0x14, "{": 0x28, "}": 0x29, "\\": 0x2F, "[": 0x3C, "~": 0x3D, "]": 0x3E,
    "|": 0x40, "€": 0x65,
}
ESCAPE = 0x1B
_CODES = {letter: code for code, letter in enumerate(BASIC) if code != ESCAPE}
GSM_ONE, GSM_PART = 160, 153  # septets
UCS_ONE, UCS_PART = 70, 67  # 16-bit units
_TYPED = str.maketrans({
    "“": '"', "”": '"', "‘": "'", "’": "'", "–": "-", "—": "-", "…": "...", "\u00a0": " ",
    "đ": "d", "Đ": "D", "•": "-", "₫": "d", "\t": " ",
})


@dataclass(frozen=True)
class Size:
    """What a text takes: its alphabet, its units (septets or 16-bit units), its parts."""

    coding: str  # gsm | ucs2
    units: int
    segments: int


def plain(text: str) -> str:
    """A text without Vietnamese accents; capitals and punctuation stay. For SMS in one part."""
    decomposed = unicodedata.normalize("NFD", text.translate(_TYPED))
    return unicodedata.normalize(
        "NFC", "".join(one for one in decomposed if not unicodedata.combining(one))
    )


def fitting(text: str, settings: Settings) -> str:
    """A text as it is sent. Raises Undelivered when it is longer than SMS may be."""
    sent = unicodedata.normalize("NFC", text)
    if settings.sms_accents == "strip":
        sent = plain(sent)
    needed = size(sent).segments
    if needed > settings.sms_segments:
        raise Undelivered(
            f"the text takes {needed} parts, SMS may have {settings.sms_segments}", final=True
        )
    return sent


def is_gsm(text: str) -> bool:
    return all(letter in _CODES or letter in EXTENSION for letter in text)


def size(text: str) -> Size:
    """How a text is sent, and in how many parts."""
    found = parts(text)
    if is_gsm(text):
        return Size("gsm", sum(map(_septets, text)), len(found))
    return Size("ucs2", sum(map(_units, text)), len(found))


def parts(text: str) -> list[str]:
    """The text cut into the parts in which it is sent. An escape sequence (€, [) and a surrogate
    pair (an emoji) are never cut, so a part may stay a unit short."""
    weigh, one, part = (
        (_septets, GSM_ONE, GSM_PART) if is_gsm(text) else (_units, UCS_ONE, UCS_PART)
    )
    if sum(map(weigh, text)) <= one:
        return [text]
    found, current, used = [], "", 0
    for letter in text:
        if used + weigh(letter) > part:
            found.append(current)
            current, used = "", 0
        current += letter
        used += weigh(letter)
    return [*found, current]


def encoded(text: str, coding: str) -> bytes:
    """Octets of a text or part: unpacked GSM septets (as SMPP takes them), or UCS-2."""
    if coding == "ucs2":
        return text.encode("utf-16-be")
    octets = bytearray()
    for letter in text:
        if letter in EXTENSION:
            octets += bytes((ESCAPE, EXTENSION[letter]))
        else:
            octets.append(_CODES[letter])
    return bytes(octets)


def _septets(letter: str) -> int:
    return 2 if letter in EXTENSION else 1


def _units(letter: str) -> int:
    return 2 if ord(letter) > 0xFFFF else 1
