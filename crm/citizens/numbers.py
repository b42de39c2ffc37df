"""Telephone numbers as people write them and networks send them.

The country's own short numbers come before the library: to it 842371022, which is this hotline, is
a mobile, and 1022 is nothing. Numbers are kept as they are dialled at home: 0912345678.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from enum import StrEnum

import phonenumbers
from phonenumbers import NumberParseException, PhoneNumberType

from crm.errors import HotlineError

LONGEST = 40  # of what is looked at at all
_OWN = re.compile(r"(?:0|\+?84|0084)?2371022|1022")
_SHORT = re.compile(r"11[0-9]{1,4}|1[0-9]{2,3}")  # 111, 115, 18001-like ones are below
_SERVICE = re.compile(r"1[89]00[0-9]{4,6}")
_MOBILE = frozenset({PhoneNumberType.MOBILE, PhoneNumberType.FIXED_LINE_OR_MOBILE})
_OLD_MOBILE = {  # of eleven digits, until 2018
    **{f"016{digit}": f"03{digit}" for digit in "23456789"},
    "0120": "070", "0121": "079", "0122": "077", "0126": "076", "0128": "078",
    "0123": "083", "0124": "084", "0125": "085", "0127": "081", "0129": "082",
    "0186": "056", "0188": "058", "0199": "059",
}
_WITHHELD = frozenset({"", "anonymous", "private", "unavailable", "restricted", "unknown"})


class NumberError(HotlineError):
    """What was written is no telephone number."""


class Kind(StrEnum):
    """What answers at a number."""

    MOBILE = "mobile"
    FIXED = "fixed"
    SHORT = "short"  # 111, 115, 1800...
    OWN = "own"  # this hotline
    FOREIGN = "foreign"
    POSSIBLE = "possible"  # of no known network; networks are opened before tables know them


@dataclass(frozen=True)
class Number:
    """`dialled`: as from a telephone in Vietnam. `e164`: None for short numbers."""

    dialled: str
    e164: str | None
    kind: Kind

    @property
    def can_be_called_back(self) -> bool:
        return self.kind in (Kind.MOBILE, Kind.FIXED, Kind.POSSIBLE)

    @property
    def takes_sms(self) -> bool:
        return self.kind is Kind.MOBILE


def parse(written: str) -> Number:
    """Raises NumberError."""
    text = unicodedata.normalize("NFKC", written[:LONGEST + 1]).strip()
    digits = re.sub(r"[\s.\-()/]", "", text)
    if len(text) > LONGEST or not re.fullmatch(r"\+?[0-9]{3,16}", digits):
        raise NumberError(f"{written[:LONGEST]!r} is no telephone number")
    if _OWN.fullmatch(digits):
        return Number("02371022", "+842371022", Kind.OWN)
    if _SERVICE.fullmatch(digits):
        return Number(digits, f"+84{digits}", Kind.SHORT)
    if _SHORT.fullmatch(digits):
        return Number(digits, None, Kind.SHORT)
    home = _at_home(digits)
    if home[:4] in _OLD_MOBILE and len(home) == 11:
        home = _OLD_MOBILE[home[:4]] + home[4:]
    return _known(home)


def is_withheld(written: str | None) -> bool:
    """Whether a caller shows no number."""
    return (written or "").strip().lower() in _WITHHELD


def _at_home(digits: str) -> str:
    """0912345678 for what begins with the country's own prefix."""
    for prefix in ("+84", "0084"):
        if digits.startswith(prefix):
            return "0" + digits.removeprefix(prefix).removeprefix("0")
    if digits.startswith("84") and len(digits) in (11, 12):
        return "0" + digits[2:]
    if digits.startswith("00"):
        return "+" + digits[2:]
    return digits


def _known(number: str) -> Number:
    try:
        found = phonenumbers.parse(number, "VN")
    except NumberParseException as error:
        raise NumberError(f"{number} is no telephone number") from error
    if not phonenumbers.is_possible_number(found):
        raise NumberError(f"{number} is no telephone number: it is too short or too long")
    e164 = phonenumbers.format_number(found, phonenumbers.PhoneNumberFormat.E164)
    if found.country_code != 84:
        return Number(f"00{e164[1:]}", e164, Kind.FOREIGN)
    kind = phonenumbers.number_type(found)
    return Number(
        f"0{found.national_number}", e164,
        Kind.MOBILE if kind in _MOBILE else
        Kind.FIXED if kind == PhoneNumberType.FIXED_LINE else Kind.POSSIBLE,
    )
