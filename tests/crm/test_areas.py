"""Communes and wards: by any name that people use, on the day it is about."""

import unicodedata
from datetime import date
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm import areas
from crm.areas import AreaError, all_areas, area_named, find, standing
from crm.vietnamese import folded

TODAY = date(2026, 3, 10)
SPLIT = {  # by the decision of 2025, ten old communes lie in more than one of today
    "Phường Đông Thọ", "Phường An Hưng", "Thị trấn Sơn Lư", "Thị trấn Hà Trung", "Xã Hà Bình",
    "Xã Thiệu Long", "Xã Luận Khê", "Thị trấn Thiệu Hóa", "Xã Yên Thọ", "Xã Thanh Tân",
}


def test_547_communes_became_166_and_each_leads_to_one_of_them() -> None:
    before, after = standing(date(2025, 6, 30)), standing(date(2025, 7, 1))
    assert (len(before), len(after)) == (547, 166)
    assert standing(TODAY) == after
    for area in before.values():
        assert set(area.successors) <= after.keys(), area
        assert area.successors, area
    assert {area.name for area in before.values() if len(area.successors) > 1} == SPLIT


def test_of_a_day_each_code_names_one_unit() -> None:
    for day in (date(2024, 12, 31), date(2025, 1, 1), date(2025, 6, 30), TODAY):
        codes = [area.code for area in all_areas() if area.stands(day)]
        assert len(codes) == len(set(codes)), day


def test_an_old_name_leads_to_the_wards_of_today_and_a_split_one_to_each_side() -> None:
    (found,) = find("phuong dong tho", TODAY)
    assert found.named.district == "Thành phố Thanh Hóa"
    assert [area.name for area in found.today] == ["Phường Hạc Thành", "Phường Hàm Rồng"]
    ham_rong = find("Hàm Rồng", TODAY)
    assert [one.named.valid_to for one in ham_rong] == [None, date(2025, 6, 30)]  # today's first
    assert {area.code for one in ham_rong for area in one.today} == {"14758"}


def test_a_unit_whose_way_is_not_noted_is_found_and_leads_nowhere() -> None:
    (found,) = find("thach dong", TODAY)
    assert (found.named.valid_to, found.today) == (date(2024, 12, 31), ())


@given(st.sampled_from(all_areas()), st.sampled_from(["NFC", "NFD"]), st.booleans())
def test_every_unit_is_found_by_its_name_however_it_is_typed(
    area: areas.Area, form: Literal["NFC", "NFD"], accents: bool
) -> None:
    typed = area.name if accents else folded(area.name)
    found = find(unicodedata.normalize(form, typed).upper(), TODAY, limit=100)
    assert area in {one.named for one in found}


def test_a_code_of_another_day_is_refused() -> None:
    assert area_named("14758", TODAY).name == "Phường Hàm Rồng"
    assert area_named("14758", date(2025, 6, 1)).name == "Phường Đông Thọ"
    with pytest.raises(AreaError, match="no commune or ward 14755"):
        area_named("14755", TODAY)
    assert not find(" ", TODAY)
