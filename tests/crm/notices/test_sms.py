"""How long an SMS is, and what stripping accents leaves."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm.notices import sms

GSM = st.text(st.sampled_from(sorted((set(sms.BASIC) - {"\x1b"}) | set(sms.EXTENSION))))
ANY = st.text(st.characters(codec="utf-8"), max_size=400)


@pytest.mark.parametrize(("text", "coding", "units", "segments"), [
    ("", "gsm", 0, 1), ("a" * 160, "gsm", 160, 1), ("a" * 161, "gsm", 161, 2),
    ("a" * 306, "gsm", 306, 2), ("a" * 307, "gsm", 307, 3),
    ("€" * 80, "gsm", 160, 1), ("€" * 81, "gsm", 162, 2),
    ("a" * 152 + "€" + "a" * 10, "gsm", 164, 2),
    ("đ" * 70, "ucs2", 70, 1), ("đ" * 71, "ucs2", 71, 2), ("đ" * 135, "ucs2", 135, 3),
    ("😀" * 35, "ucs2", 70, 1), ("😀" * 36, "ucs2", 72, 2),
])
def test_sizes_by_the_specification(text: str, coding: str, units: int, segments: int) -> None:
    assert sms.size(text) == sms.Size(coding, units, segments)


def test_an_escape_sequence_is_not_cut_in_two() -> None:
    first, second = sms.parts("a" * 152 + "€" + "a" * 10)
    assert (len(first), second[0]) == (152, "€")


@given(ANY | GSM)
def test_parts_together_are_the_text_and_each_fits(text: str) -> None:
    size, parts = sms.size(text), sms.parts(text)
    assert "".join(parts) == text
    assert len(parts) == size.segments
    octets = [len(sms.encoded(part, size.coding)) for part in parts]
    one, more = (160, 153) if size.coding == "gsm" else (140, 134)
    assert max(octets) <= (one if len(parts) == 1 else more)
    assert sum(octets) == size.units * (1 if size.coding == "gsm" else 2)
    if len(parts) > 1:  # none could have taken the next letter
        for octet, following in zip(octets, parts[1:], strict=False):
            assert octet + len(sms.encoded(following[0], size.coding)) > more


@given(GSM)
def test_gsm_letters_have_codes_of_seven_bits(text: str) -> None:
    assert sms.is_gsm(text)
    assert max(sms.encoded(text, "gsm"), default=0) < 0x80


@pytest.mark.parametrize(("text", "plain"), [
    ("Đã tiếp nhận phản ánh, mã 48302915.", "Da tiep nhan phan anh, ma 48302915."),
    ("HƯỚNG DẪN – “Quý vị”…", 'HUONG DAN - "Quy vi"...'),
    ("Hòa, hoà, Hoa\u0300", "Hoa, hoa, Hoa"),
])
def test_accents_go_and_capitals_stay(text: str, plain: str) -> None:
    assert sms.plain(text) == plain


VIETNAMESE = (
    "aăâbcdđeêghiklmnoôơpqrstuưvxyáàảãạấầẩẫậắằẳẵặéèẻẽẹếềểễệíìỉĩị"
    "óòỏõọốồổỗộớờởỡợúùủũụứừửữựýỳỷỹỵ"
)


@given(st.text(st.sampled_from(VIETNAMESE + VIETNAMESE.upper() + " .,:0123456789")))
def test_vietnamese_without_accents_is_gsm_and_as_long(text: str) -> None:
    assert sms.is_gsm(sms.plain(text))
    assert len(sms.plain(text)) == len(text)
