"""Numbers as people write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm.citizens.numbers import Kind, NumberError, is_withheld, parse


@pytest.mark.parametrize("written", [
    "1022", "02371022", "(0237) 1022", "+842371022", "842371022", "00842371022", "0237-1022",
])
def test_this_hotline_is_known_in_every_form(written: str) -> None:
    number = parse(written)
    assert (number.dialled, number.e164, number.kind) == ("02371022", "+842371022", Kind.OWN)
    assert not number.can_be_called_back


@pytest.mark.parametrize(("written", "dialled", "kind"), [
    ("0912 345 678", "0912345678", Kind.MOBILE), ("+84 912.345.678", "0912345678", Kind.MOBILE),
    ("84912345678", "0912345678", Kind.MOBILE), ("0084912345678", "0912345678", Kind.MOBILE),
    ("+84 (0)912345678", "0912345678", Kind.MOBILE), ("0 9 1 2 3 4 5 6 7 8", "0912345678",
                                                     Kind.MOBILE),
    ("0912345678", "0912345678", Kind.MOBILE),  # full-width digits
    ("01623456789", "0323456789", Kind.MOBILE), ("01203456789", "0703456789", Kind.MOBILE),
    ("0237 3852 246", "02373852246", Kind.FIXED), ("115", "115", Kind.SHORT),
    ("19009095", "19009095", Kind.SHORT), ("18001119", "18001119", Kind.SHORT),
    ("0801234567", "0801234567", Kind.POSSIBLE), ("+1 212 555 0123", "0012125550123",
                                                  Kind.FOREIGN),
])
def test_numbers_are_kept_as_they_are_dialled_at_home(
    written: str, dialled: str, kind: Kind
) -> None:
    number = parse(written)
    assert (number.dialled, number.kind) == (dialled, kind)


@pytest.mark.parametrize("written", [
    "", "anonymous", "không có", "09", "0912345678901234567", "09123456789x", "+", "0912;345678",
    "0912345678\nBcc: x", "1" * 1000,
])
def test_what_is_no_number_is_said_to_be_none(written: str) -> None:
    with pytest.raises(NumberError):
        parse(written)


def test_withheld_numbers() -> None:
    assert is_withheld(None)
    assert is_withheld(" Anonymous ")
    assert not is_withheld("0912345678")


@given(st.text(max_size=60))
def test_any_text_is_a_number_or_a_clear_error(text: str) -> None:
    try:
        number = parse(text)
    except NumberError:
        return
    assert number.dialled.isascii()
    assert number.dialled.isdigit()
    assert parse(number.dialled) == number  # what is kept is read alike


@given(st.from_regex(r"09[0-9]{8}", fullmatch=True), st.sampled_from(["", " ", ".", "-"]))
def test_every_way_of_writing_a_mobile_is_one_number(number: str, parting: str) -> None:
    written = [number, f"+84{number[1:]}", f"84{number[1:]}", f"0084{number[1:]}"]
    found = {parse(parting.join((one[:4], one[4:7], one[7:]))) for one in written}
    assert len(found) == 1
