"""Bulletins from text to sound."""

import pytest

from crm.bulletins import BulletinError
from prompts.said import speakable
from scripts.bulletin import with_figures


def test_figures_are_the_catalogues_sentences_and_are_said_as_numbers() -> None:
    text = with_figures("Xin đeo khẩu trang.", ["new_cases=12", "total=1200345"])
    assert text == (
        "Trong ngày ghi nhận 12 ca mắc mới. Tổng số ca mắc là 1.200.345. Xin đeo khẩu trang."
    )
    assert "một triệu hai trăm nghìn ba trăm bốn mươi lăm" in speakable(text)


@pytest.mark.parametrize(("figure", "why"), [
    ("deths=3", "there is no figure deths; there are .*new_cases"), ("total=many", "whole number"),
    ("total", "whole number"), ("area=3", "there is no figure area"),
])
def test_a_wrong_figure_says_what_there_is(figure: str, why: str) -> None:
    with pytest.raises(BulletinError, match=why):
        with_figures("", [figure])
