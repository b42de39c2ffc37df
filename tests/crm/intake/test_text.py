"""What people write, as it is kept."""

from __future__ import annotations

import unicodedata
from xml.etree.ElementTree import Element, tostring

import pytest
from defusedxml.ElementTree import fromstring
from hypothesis import given
from hypothesis import strategies as st

from crm.citizens.numbers import NumberError
from crm.intake import text


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
    ("0912 345 678", "0912345678"), ("+84 912.345.678", "0912345678"), ("", None), (" ", None),
])
def test_a_number_is_read_as_everywhere_and_may_be_left_out(
    written: str, kept: str | None
) -> None:
    assert text.phone(written) == kept


@pytest.mark.parametrize("written", ["115", "1022", "0912", "số của tôi", "0912345678; 0987654321"])
def test_what_is_nobodys_number_is_refused(written: str) -> None:
    with pytest.raises(NumberError):
        text.phone(written)
