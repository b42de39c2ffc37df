"""Carriers: numbers in all written forms, and whose call it is."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm.carriers import forms
from crm.settings import Settings, SettingsError, load


def settings(tmp_path: Path, **values: str) -> Settings:
    return load({
        "HOTLINE_HOME": str(tmp_path),
        **{f"HOTLINE_{name.upper()}": value for name, value in values.items()},
    })


def test_a_number_in_any_form_means_all_its_forms() -> None:
    every = ("02371022", "842371022", "+842371022", "00842371022", "2371022")
    for one in every[:4]:
        assert forms(one) == every
    assert forms("1022") == ("1022",)


def test_whatever_form_is_set_every_form_is_answered(tmp_path: Path) -> None:
    dialled = settings(tmp_path, numbers="1022,02371022").dialled
    assert dialled == ("1022", "02371022", "842371022", "+842371022", "00842371022", "2371022")


@pytest.mark.parametrize(("form", "number", "written"), [
    ("0", "0912345678", "0912345678"), ("84", "0912345678", "84912345678"),
    ("+84", "0912345678", "+84912345678"), ("0", "+84912345678", "0912345678"),
    ("84", "+84912345678", "84912345678"), ("+84", "115", "115"), ("84", "1022", "1022"),
])
def test_each_carrier_gets_numbers_in_its_form(
    tmp_path: Path, form: str, number: str, written: str
) -> None:
    (carrier,) = settings(tmp_path, trunk_form=form).carriers
    assert carrier.written(number) == written


@given(st.sampled_from(["0", "84", "+84"]), st.from_regex(r"0[1-9][0-9]{8}", fullmatch=True))
def test_what_a_carrier_writes_is_one_of_the_forms(form: str, number: str) -> None:
    (carrier,) = load({"HOTLINE_CONFIG": "/dev/null", "HOTLINE_TRUNK_FORM": form}).carriers
    assert carrier.written(number) in forms(number)


def test_calls_are_told_apart_by_where_they_come_from(tmp_path: Path) -> None:
    both = settings(
        tmp_path, trunk_match="203.0.113.0/29", trunk_server="203.0.113.9:5060",
        trunk2_match="198.51.100.7",
    )
    first, second = both.carriers
    assert (first.name, second.name) == ("carrier", "carrier2")
    assert [one.name for one in both.outbound] == ["carrier"]
    assert first.covers("203.0.113.7")
    assert first.covers("203.0.113.9")  # the server itself
    assert not first.covers("203.0.113.8")
    assert second.covers("198.51.100.7")
    assert not second.covers("no address")


def test_with_two_carriers_the_reserve_holds_with_either_gone(tmp_path: Path) -> None:
    both = settings(
        tmp_path, trunk_channels="100", trunk2_server="198.51.100.7", trunk2_channels="30",
    )
    assert both.admitted == 90 + 26
    assert both.callback_legs == 2
    only_one_told = settings(tmp_path, trunk_channels="100", trunk2_server="198.51.100.7")
    assert only_one_told.admitted == only_one_told.capacity


def test_old_words_for_the_identity_keep_their_meaning(tmp_path: Path) -> None:
    assert settings(tmp_path, trunk_identity="yes").trunk_identity == "pai"
    assert settings(tmp_path, trunk_identity="no").trunk_identity == "none"


def test_a_second_carrier_that_lacks_something_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="trunk2_user needs trunk2_server"):
        settings(tmp_path, trunk2_user="hotline")
