"""The menus walked as text: the honest clock, every way, and any keys at all."""

import tempfile
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ivr import menu, simulate
from ivr.menu import Hours
from ivr.provision import MENUS
from scripts.speech import DIALPLAN_PROMPTS
from tests import generated_menus

MENUS_OF_THE_HOTLINE = menu.load(MENUS)
# Every sentence takes two seconds: figures can be read off.
SENTENCE_MS = LEAD_IN_MS = 2_000
DURATIONS = dict.fromkeys([*menu.spoken(MENUS_OF_THE_HOTLINE), *DIALPLAN_PROMPTS], SENTENCE_MS)


def walk(keys: str, *, at: datetime | None = None, by_heart: bool = False) -> simulate.Walk:
    return simulate.walk(MENUS_OF_THE_HOTLINE, DURATIONS, keys, at=at, by_heart=by_heart)


def november(day: int, hour: int, minute: int) -> datetime:
    return datetime(2026, 11, day, hour, minute, tzinfo=ZoneInfo("Asia/Ho_Chi_Minh"))


def keys_of(walked: simulate.Walk) -> list[str]:
    return [f"{line.place}.{line.what}" for line in walked.lines if line.kind == "pressed"]


def said(walked: simulate.Walk) -> list[str]:
    return [line.what for line in walked.lines if line.kind == "said"]


def test_a_key_is_pressed_when_the_sentence_that_names_it_has_ended() -> None:
    walked = walk("3")
    assert said(walked)[:5] == [
        "greeting_main", "emergency_first", "main_menu_1", "main_menu_2", "main_menu_3"
    ]
    pressed = next(line for line in walked.lines if line.kind == "pressed")
    assert pressed.at_ms == LEAD_IN_MS + 5 * SENTENCE_MS


def test_who_knows_the_keys_waits_for_nothing() -> None:
    assert walk("30", by_heart=True).lines[1].at_ms == LEAD_IN_MS
    assert said(walk("30", by_heart=True)) == ["consent_recording_short"]


def test_four_is_pressed_at_once_where_no_sentence_names_it() -> None:
    walked = walk("34")
    assert keys_of(walked) == ["main.3", "vaccine.4"]
    assert walked.lines[-3].at_ms == LEAD_IN_MS + 5 * SENTENCE_MS
    assert (walked.reached, walked.branch) == ("emergency:medical", "emergency")


def test_after_four_a_key_asks_for_a_service_and_none_for_an_ambulance() -> None:
    assert said(walk("4"))[-1] == "emergency_menu"
    assert walk("4").reached == walk("44").reached == walk("41").reached == "emergency:medical"
    assert [walk(f"4{key}").reached for key in "235"] == [
        "emergency:fire", "emergency:police", "emergency:rescue"
    ]
    assert walk("4*").reached == "emergency:medical"


def test_the_third_failure_leads_to_a_person_and_the_second_names_little() -> None:
    walked = walk("#.#")
    assert keys_of(walked) == ["main.i", "main.t", "main.i"]
    assert said(walked).count("main_menu_1") == 1
    assert said(walked)[-2:] == ["input_too_many_errors", "consent_recording_short"]
    assert walked.reached == "queue:operator"


def test_the_notice_is_refused_by_star_and_heard_once_only() -> None:
    assert said(walk("0*"))[-1] == "consent_recording_declined"
    assert said(walk("05"))[-1] == "consent_recording_short"


def test_a_leaf_heard_to_its_end_serves_and_leads_on() -> None:
    walked = walk("15")
    assert [line.what for line in walked.lines if line.kind == "served"] == ["advice_care"]
    assert walked.reached == "hangup"
    assert walk("15*2").lines[-1].place != "advice_care"
    assert walk("150").reached == "queue:advice"


def test_a_closed_branch_offers_a_message_or_the_operator() -> None:
    opening = {"advice": (Hours("mon-fri", "07:00-17:00"),)}
    assert simulate.open_at(opening["advice"], november(23, 7, 0))
    assert simulate.open_at(opening["advice"], november(27, 17, 0))
    assert not simulate.open_at(opening["advice"], november(22, 12, 0))
    assert not simulate.open_at(opening["advice"], november(23, 17, 1))
    assert not simulate.open_at(opening["advice"], november(24, 12, 0))  # a holiday
    assert simulate.open_at((), november(24, 12, 0))
    assert simulate.open_at((Hours("sat-mon", "00:00-23:59"),), november(22, 12, 0))


def test_no_key_can_be_pressed_when_the_call_is_over_and_rubbish_is_named() -> None:
    with pytest.raises(ValueError, match="the call is over"):
        walk("444")
    with pytest.raises(ValueError, match="'x' is no key"):
        walk("1x")


def test_every_way_is_listed_once_and_leads_somewhere() -> None:
    ways = list(simulate.ways(MENUS_OF_THE_HOTLINE, DURATIONS))
    assert len({way.keys for way in ways}) == len(ways)
    by_keys = {"".join(way.keys): way for way in ways}
    assert by_keys["4"].reaches == "emergency:medical"
    assert by_keys["4"].named_ms == LEAD_IN_MS + 2 * SENTENCE_MS
    assert by_keys["0"].reaches == "queue:operator"
    assert by_keys["0"].reached_ms == by_keys["0"].named_ms + SENTENCE_MS  # the notice
    assert by_keys["1"].reaches == "menu:advice"
    assert by_keys["15"].reaches == "leaf:advice_care"
    assert all(way.by_heart_ms <= way.reached_ms for way in ways)


KEYS = st.text("0123456789*#.", max_size=30)


def end_of(menus: menu.Menus, keys: str) -> None:
    one = simulate.Walk(menus, DURATIONS, november(23, 12, 0))
    for key in keys:
        if one.over:
            break
        one.press(key)
    one.stay()
    assert one.reached.split(":")[0] in {"emergency", "queue", "message", "lookup", "hangup"}
    times = [line.at_ms for line in one.lines]
    assert times == sorted(times)


@given(KEYS)
def test_whatever_is_pressed_the_walk_ends_with_somebody_or_a_goodbye(keys: str) -> None:
    end_of(MENUS_OF_THE_HOTLINE, keys)


@settings(max_examples=40)
@given(st.integers(0, 1 << 30), st.lists(KEYS, min_size=1, max_size=5))
def test_so_it_does_in_any_menus_without_faults(seed: int, walks: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        generated_menus.write(Path(folder), seed)
        menus = menu.load(Path(folder))
    for keys in walks:
        end_of(menus, keys)
