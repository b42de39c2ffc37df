"""Texts of hidden cases as agencies see them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm.cases.disguise import HIDDEN, nameless, without_personal


@pytest.mark.parametrize(("told", "shown"), [
    ("Tôi là Nguyễn Văn An, số 0912.345.678", "Tôi là …, số …"),
    ("Họ tên: Lê Thị Bình. CCCD 038123456789", "Họ tên: …. CCCD …"),
    ("tên là bà Trần Thị Hoa ở thôn 3", "tên là bà … ở thôn 3"),
    ("gọi +84 912 345 678 hay an@example.org", "gọi … hay …"),
    ("Ngày 17/02/2026, số nhà 12 đường Lê Lợi", "Ngày 17/02/2026, số nhà 12 đường Lê Lợi"),
    ("Tôi là người dân phường Hạc Thành", "Tôi là người dân phường Hạc Thành"),
])
def test_numbers_and_introduced_names_are_hidden(told: str, shown: str) -> None:
    assert nameless(told) == shown


@given(st.text(), st.from_regex(r"0[0-9]{9}", fullmatch=True), st.sampled_from(["", " ", ".", "-"]))
def test_no_number_is_left_however_it_is_parted(text: str, number: str, parting: str) -> None:
    written = parting.join((number[:4], number[4:7], number[7:]))
    shown = without_personal(f"nói {text} số {written} nhé")
    assert f"số {written} nhé" not in shown
    assert HIDDEN in shown
