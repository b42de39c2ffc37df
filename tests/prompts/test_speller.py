from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prompts.catalogue import Catalogue
from prompts.speller import LARGEST, digit_files, number_files, spell

CATALOGUE = Catalogue.load()
BELOW_A_BILLION = st.integers(0, 999_999_999)


@pytest.mark.parametrize(
    ("n", "words"),
    [
        (0, "không"),
        (4, "bốn"),
        (10, "mười"),
        (11, "mười một"),
        (14, "mười bốn"),
        (15, "mười lăm"),
        (20, "hai mươi"),
        (21, "hai mươi mốt"),
        (24, "hai mươi tư"),
        (95, "chín mươi lăm"),
        (100, "một trăm"),
        (104, "một trăm linh bốn"),
        (115, "một trăm mười lăm"),
        (1005, "một nghìn không trăm linh năm"),
        (1015, "một nghìn không trăm mười lăm"),
        (2026, "hai nghìn không trăm hai mươi sáu"),
        (10_000, "mười nghìn"),
        (1_000_005, "một triệu không trăm linh năm"),
        (1_500_000, "một triệu năm trăm nghìn"),
        (1_001_000, "một triệu không trăm linh một nghìn"),
        (3_700_000, "ba triệu bảy trăm nghìn"),
        (1_000_000_000, "một tỷ"),
    ],
)
def test_numbers_are_said_as_in_the_north(n: int, words: str) -> None:
    assert spell(n) == words


@settings(deadline=None)
@given(st.integers(0, LARGEST))
def test_the_files_say_the_words(n: int) -> None:
    assert " ".join(CATALOGUE.sounds[file] for file in number_files(n)) == spell(n)


@settings(deadline=None)
@given(BELOW_A_BILLION)
def test_no_number_below_a_billion_takes_more_than_eight_files(n: int) -> None:
    assert 1 <= len(number_files(n)) <= 8


@settings(deadline=None)
@given(BELOW_A_BILLION, BELOW_A_BILLION)
def test_two_numbers_never_sound_the_same(a: int, b: int) -> None:
    assert (spell(a) == spell(b)) == (a == b)


@pytest.mark.parametrize("n", [-1, LARGEST + 1])
def test_what_cannot_be_said_is_refused(n: int) -> None:
    for say in (spell, number_files):
        with pytest.raises(ValueError, match="only whole numbers from 0"):
            say(n)


def test_digits_are_read_one_by_one_in_the_usual_groups() -> None:
    assert digit_files("0145") == ("d_0", "d_1", "d_4", "d_5")
    phone = digit_files("0912345678")
    assert [n for n, file in enumerate(phone) if file == "pause"] == [4, 8]
    code = digit_files("12345678")
    assert [n for n, file in enumerate(code) if file == "pause"] == [4]


@settings(deadline=None)
@given(st.text(alphabet="0123456789", min_size=1, max_size=15))
def test_no_digit_is_lost_and_every_file_exists(digits: str) -> None:
    files = digit_files(digits)
    assert "".join(file[2:] for file in files if file != "pause") == digits
    assert set(files) <= CATALOGUE.files().keys()


@pytest.mark.parametrize("text", ["", "12a", "+84912345678", "1 2", "١٢"])
def test_only_digits_are_read_as_digits(text: str) -> None:
    with pytest.raises(ValueError, match="only the digits"):
        digit_files(text)
