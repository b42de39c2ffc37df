"""The replay finds who was overtaken, and nobody else."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from crm.calls.facts import JournalEvent
from ivr.fairness import replay

START = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)


def event(
    type_: str, second: float, uniqueid: str, *, linkedid: str = "", **extra: object
) -> JournalEvent:
    is_leg = bool(linkedid)
    return JournalEvent(
        type=type_, at=START + timedelta(seconds=second), num="", name="", exten="", context="",
        channel="PJSIP/desk-01-00000001" if is_leg else "PJSIP/trunk-00000001", app="",
        app_data="", uniqueid=uniqueid, linkedid=linkedid or uniqueid, peer="",
        extra={key: str(value) for key, value in extra.items()},
    )


def joins(call: str, second: float, arrived: int | None = None) -> JournalEvent:
    at = int(START.timestamp()) + (int(second) if arrived is None else arrived)
    return event("HL_QUEUE", second, call, queue="operator", arrived=at)


def served(call: str, second: float) -> list[JournalEvent]:
    leg = f"{call}-leg"
    return [
        event("CHAN_START", second, leg, linkedid=call),
        event("HL_ANSWER", second + 1, leg, linkedid=call),
        event("HL_QUEUE_END", second + 2, call, queue="operator", why="done"),
        event("CHAN_END", second + 2, leg, linkedid=call),
    ]


@given(st.lists(st.integers(0, 50), min_size=1, max_size=12))
def test_nobody_is_overtaken_where_the_first_is_served_first(gaps: list[int]) -> None:
    seconds = [sum(gaps[: at + 1]) for at in range(len(gaps))]
    calls = [joins(f"call{at}", second) for at, second in enumerate(seconds)]
    answers = [one for at in range(len(gaps)) for one in served(f"call{at}", 1000 + 10 * at)]
    found = replay([*calls, *answers])
    assert (found.answered, found.overtaken) == (len(gaps), ())


@given(st.integers(1, 300), st.integers(4, 300))
def test_a_later_arrival_that_is_served_first_overtakes(apart: int, wait: int) -> None:
    found = replay([joins("one", 0), joins("two", apart), *served("two", apart + wait)])
    assert [(one.call, one.by, one.seconds) for one in found.overtaken] == [("one", "two", apart)]


def test_a_kept_place_counts_from_the_first_arrival() -> None:
    kept = joins("place", 100, arrived=0)
    assert not replay([joins("live", 50), kept, *served("place", 200)]).overtaken
    assert replay([joins("live", 50), kept, *served("live", 200)]).overtaken


def test_who_is_being_rung_or_is_in_another_queue_is_not_overtaken() -> None:
    rung = event("CHAN_START", 20, "x", linkedid="one")
    given_up = event("CHAN_END", 29, "x", linkedid="one")
    both = [joins("one", 0), joins("two", 10)]
    assert not replay([*both, rung, *served("two", 25)]).overtaken
    assert not replay([*both, rung, given_up, *served("two", 30)]).overtaken
    assert replay([*both, rung, given_up, *served("two", 40)]).overtaken
    elsewhere = event("HL_QUEUE", 0, "one", queue="vaccine", arrived=0)
    assert not replay([elsewhere, joins("two", 10), *served("two", 40)]).overtaken


def test_who_has_hung_up_or_was_lost_with_asterisk_waits_no_more() -> None:
    both = [joins("one", 0), joins("two", 10)]
    gone = event("CHAN_END", 15, "one")
    assert not replay([*both, gone, *served("two", 40)]).overtaken
    restarted = [event("HL_BOOT", 15, "boot"), joins("two", 20)]
    assert not replay([*both, *restarted, *served("two", 40)]).overtaken


def test_who_is_still_told_of_the_wait_has_not_joined() -> None:
    at = int(START.timestamp())
    told = event("HL_QUEUE", 0, "told", queue="operator", arrived=at, said="yes")
    other = [joins("other", 4), *served("other", 8)]
    assert not replay([told, *other]).overtaken
    joined = event("HL_JOIN", 2, "told", queue="operator")
    assert replay([told, joined, *other]).overtaken


def test_who_is_rung_or_leaves_a_moment_later_is_not_overtaken() -> None:
    both = [joins("one", 0), joins("two", 1)]
    assert not replay([*both, *served("two", 40), *served("one", 42)]).overtaken
    assert replay([*both, *served("two", 40), *served("one", 44)]).overtaken
    by_key = event("HL_QUEUE_END", 41, "one", queue="operator", why="callback")
    assert not replay([*both, *served("two", 40), by_key]).overtaken


def test_a_citizen_called_back_is_rung_for_under_the_id_of_the_kept_place() -> None:
    place = joins("place", 0)
    at = int(START.timestamp())
    citizen = event("HL_QUEUE", 100, "citizen", linkedid="place", queue="operator", arrived=at)
    gone = event("HL_QUEUE_END", 99, "place", queue="operator", why="alone")
    rung = event("CHAN_START", 110, "leg", linkedid="place")
    found = replay([place, gone, joins("two", 50), citizen, rung, *served("two", 120)])
    assert not found.overtaken


def test_a_phone_that_is_taken_by_one_who_comes_back_from_before_both_is_no_overtaking() -> None:
    both = [joins("one", 50), joins("two", 51)]
    back = joins("back", 101, arrived=10)
    late = joins("late", 101, arrived=200)
    assert not replay([*both, *served("two", 100), back, *served("back", 101)]).overtaken
    assert replay([*both, *served("two", 100), late, *served("one", 110)]).overtaken
    before = joins("back", 90, arrived=10)  # it was there when the first phone rang
    assert replay([*both, before, *served("two", 100), *served("back", 101)]).overtaken
