"""Which Asterisk stands under a known advisory, and when the list itself is too old to tell."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm import settings as configuration
from ivr import doctor, runtime
from ivr.doctor.advisories import ADVISORIES, LIST_OF, LOOK_AGAIN, TESTED_WITH, judged
from tests.live.running import CACHE


@pytest.mark.parametrize(("version", "named"), [
    ((20, 5, 0), "GHSA-hxj9-xwr8-w8pq"), ((20, 9, 1), "GHSA-c4cg-9275-6w44"),
    ((21, 4, 1), "GHSA-c4cg-9275-6w44"), ((22, 4, 0), "GHSA-2grh-7mhv-fcfw"),
    ((22, 5, 1), "GHSA-64qc-9x89-rx5j"), ((22, 8), "GHSA-g88q-c2hm-q7p7"),
    ((22, 10, 0), "GHSA-8jw3-ccr9-xrmf"), ((23, 4, 0), "GHSA-g8q2-p36q-94f6"),
    ((18, 26, 4), "GHSA-vfhr-r9x9-c687"),
])
def test_a_version_under_an_advisory_is_named_with_a_way_out(
    version: tuple[int, ...], named: str
) -> None:
    found = judged(version, LIST_OF)
    assert found.status == doctor.WARNING
    assert named in found.detail
    assert "install" in found.cure


def test_the_way_out_is_the_next_of_the_same_branch() -> None:
    assert judged((20, 6, 0), LIST_OF).cure.startswith("install 20.20.1 or newer")
    assert judged((22, 8, 2), LIST_OF).cure.startswith("install 22.10.1 or newer")
    assert judged((18, 26, 4), LIST_OF).cure.startswith("install 23.4.1 or newer")


@pytest.mark.parametrize("version", [(20, 20, 1), (21, 12, 3), (22, 10, 1), (22, 11, 0), (24, 0)])
def test_a_version_with_all_corrections_is_well_as_long_as_the_list_is_fresh(
    version: tuple[int, ...],
) -> None:
    assert judged(version, LIST_OF + LOOK_AGAIN).status == doctor.OK
    old = judged(version, LIST_OF + LOOK_AGAIN + timedelta(days=1))
    assert old.status == doctor.WARNING
    assert f"by a list of {LIST_OF}" in old.detail


@given(st.integers(20, 24), st.integers(0, 30), st.integers(0, 5))
def test_a_later_version_of_a_branch_stands_under_no_more(
    branch: int, minor: int, patch: int
) -> None:
    for one in ADVISORIES:
        assert one.concerns((branch, minor, patch)) or not one.concerns((branch, minor, patch + 1))


def test_what_the_tests_run_on_is_what_is_said_to_be_tested() -> None:
    asterisk = runtime.find(
        configuration.load({"HOTLINE_CACHE": str(CACHE)}), lambda _: None, fetch=True
    )
    if not re.match(r"debian sid", asterisk.origin, re.IGNORECASE):
        pytest.skip(f"{asterisk.origin} is not what is pinned")
    assert judged(asterisk.version, LIST_OF).status == doctor.OK
    assert asterisk.version >= tuple(map(int, TESTED_WITH.split(".")))
