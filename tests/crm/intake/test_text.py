"""What people write, as it is kept."""

from __future__ import annotations

import unicodedata
from xml.etree.ElementTree import Element, tostring

import pytest
from defusedxml.ElementTree import fromstring
from hypothesis import given
from hypothesis import strategies as st

from crm.intake import text
from crm.intake.text import PhoneError


@given(st.text(), st.integers(1, 50))
def test_a_clean_text_stays_as_it_is_and_can_be_written_anywhere(given: str, longest: int) -> None:
    clean = text.clean(given, longest)
    assert len(clean) <= longest
    assert unicodedata.is_normalized("NFC", clean)
    assert text.clean(clean, longest) == clean
    top = Element("x")
    top.text = clean
    assert (fromstring(tostring(top)).text or "") == clean  # of public results, in the feed
    assert "\n" not in text.line(given)


@pytest.mark.parametrize(("written", "kept"), [
    ("0912 345 678", "0912345678"), ("+84 912.345.678", "0912345678"), ("", None), (" - ", None),
    ("84912345678", "0912345678"), ("(0237) 3852 246", "02373852246"),
    ("\uff10\uff19\uff11\uff12\uff13\uff14\uff15\uff16\uff17\uff18", "0912345678"),
])
def test_a_number_is_read_as_people_write_it(written: str, kept: str | None) -> None:
    assert text.phone(written) == kept


@pytest.mark.parametrize("written", [
    "115", "1022", "912345678", "0912", "091234567890", "+1 212 555 0100", "số của tôi",
    "0912345678; 0987654321", "\u0669\u0661\u0662\u0663\u0664\u0665\u0666\u0667\u0668\u0669",
])
def test_what_is_no_number_of_vietnam_is_refused(written: str) -> None:
    with pytest.raises(PhoneError):
        text.phone(written)
