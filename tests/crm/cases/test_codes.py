"""Case codes find the slips of those who type them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm.cases.codes import check_digit, is_code, new_code

sevens = st.text("0123456789", min_size=7, max_size=7)


def test_the_check_digit_is_damms() -> None:
    assert check_digit("572") == "4"  # the example of the literature
    assert check_digit("") == "0"


@given(sevens, st.integers(0, 7), st.integers(1, 9))
def test_one_wrong_digit_is_found(digits: str, place: int, other: int) -> None:
    code = digits + check_digit(digits)
    wrong = str((int(code[place]) + other) % 10)
    assert is_code(code)
    assert not is_code(code[:place] + wrong + code[place + 1:])


@given(sevens, st.integers(0, 6))
def test_two_neighbours_that_changed_places_are_found(digits: str, place: int) -> None:
    code = digits + check_digit(digits)
    swapped = code[:place] + code[place + 1] + code[place] + code[place + 2:]
    assert is_code(swapped) == (swapped == code)


@given(st.integers(0, 10**7 - 1))
def test_every_code_that_is_drawn_is_one(number: int) -> None:
    assert is_code(new_code(lambda _: number))


@pytest.mark.parametrize(
    "text", ["", "1234567", "123456789", "1234567a", "１２３４５６７８", "0000000\n"]
)
def test_what_is_no_code(text: str) -> None:
    assert not is_code(text)
    with pytest.raises(ValueError, match="digits"):
        check_digit("12a")
