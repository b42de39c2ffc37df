"""Calls from journal events: outcomes, times, legs, and rules that hold for any journal."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from crm.calls import record
from crm.calls.facts import MOST_STEPS, JournalEvent
from crm.database import Database
from crm.models import Base, Call, CallSegment, Leg, Outcome
from tests.journals import START, Asterisk, Channel

Rows = dict[str, dict[str, Any]]


@pytest.fixture
def session(sqlite: Database) -> Iterator[Session]:
    with sqlite.transaction() as opened:
        yield opened


def rows(session: Session, table: str) -> Rows:
    """All rows of a table by id."""
    columns = Base.metadata.tables[table]
    found = session.execute(select(columns).order_by(columns.c.id)).mappings()
    return {row["id"]: dict(row) for row in found}


def applied(session: Session, asterisk: Asterisk, caller: Channel) -> Call:
    """The call's row after all events of this Asterisk."""
    record.apply(session, asterisk.events)
    call = session.get(Call, caller.id, populate_existing=True)
    assert call is not None
    return call


# ---------------------------------------------------------------- one call


def test_what_the_caller_says_of_the_call_stands_with_it(session: Session) -> None:
    asterisk = Asterisk()
    caller = asterisk.queued()
    agent = asterisk.answer(caller)
    asterisk.wait(15)
    agent.end()
    caller.leave()
    caller.note("HL_SURVEY", score="4")  # no such answer
    caller.note("HL_SURVEY", score="5")
    caller.end()
    call = applied(session, asterisk, caller)
    assert (call.outcome, call.agent, call.satisfaction) == ("answered", "lan", 5)


def test_a_message_is_there_once_it_is_over_even_if_its_end_was_never_written(
    session: Session,
) -> None:
    asterisk = Asterisk()
    kept, cut = asterisk.queued(), asterisk.queued()
    for caller in (kept, cut):
        caller.note("HL_VOICEMAIL", file=f"{caller.id}.wav", ms="0")
        assert applied(session, asterisk, caller).voicemail is None  # they are speaking
    asterisk.wait(8)
    kept.note("HL_VOICEMAIL", file=f"{kept.id}.wav", ms="8000")
    call = applied(session, asterisk, kept)
    assert (call.voicemail, call.outcome) == (f"{kept.id}.wav", None)
    later = Asterisk(boot="b2", at=asterisk.now + timedelta(seconds=9))
    later.booted()
    call = applied(session, later, cut)
    assert (call.voicemail, call.outcome) == (f"{cut.id}.wav", "lost")


def test_an_answered_call_has_all_that_the_journal_tells(database: Database) -> None:
    asterisk = Asterisk()
    caller = asterisk.queued()
    agent = asterisk.answer(caller)
    agent.note("HL_RECORDING", file="th1.x-1.2.wav", call=caller.id)
    asterisk.wait(15)
    agent.leave()
    caller.leave()
    caller.end()
    agent.end()
    with database.transaction() as session:
        assert record.apply(session, asterisk.events) == record.Applied(1, 1, ("b1",))
    with database.reading() as session:
        call, leg = session.scalars(select(Call)).one(), session.scalars(select(Leg)).one()
    assert (call.node, call.boot, call.direction, call.kind) == ("th1", "b1", "in", "citizen")
    assert (call.trunk, call.recording_notice, call.hangup_cause) == ("127.0.0.2", "heard", 16)
    assert call.queued_at == START + timedelta(seconds=6.010)
    assert record.as_json(call) == {
        "id": caller.id, "direction": "in", "kind": "citizen",
        "caller": "0912345678", "dialled": "1022",
        "started_at": "2025-11-22T02:00:00.001Z", "answered_at": "2025-11-22T02:00:09.015Z",
        "ended_at": "2025-11-22T02:00:24.020Z",
        "outcome": "answered", "branch": "vaccine",
        "path": [
            {"menu": "main", "key": "3", "at": "2025-11-22T02:00:04.005Z"},
            {"menu": "vaccine", "key": "0", "at": "2025-11-22T02:00:06.007Z"},
        ],
        "queue": "vaccine", "agent": "lan", "wait_s": 3.005, "talk_s": 15.002,
        "satisfaction": None, "recording": "th1.x-1.2.wav", "case_code": None, "emergency": None,
    }
    assert (leg.call_id, leg.kind) == (caller.id, "agent")
    assert (leg.endpoint, leg.agent) == ("seat-001", "lan")
    assert (leg.answered_at, leg.talk_ms) == (START + timedelta(seconds=9.012), 15_002)
    assert leg.ended_at == START + timedelta(seconds=24.022)


def test_a_call_is_open_until_its_own_channel_ends(session: Session) -> None:
    asterisk = Asterisk()
    caller = asterisk.queued()
    call = applied(session, asterisk, caller)
    assert (call.outcome, call.ended_at, call.wait_ms, call.answered_at) == (None,) * 4

    asterisk.answer(caller)
    call = applied(session, asterisk, caller)
    assert (call.outcome, call.wait_ms, call.agent) == (None, 3005, "lan")
    assert call.answered_at == asterisk.now

    caller.note("LINKEDID_END")
    assert applied(session, asterisk, caller).outcome is None
    caller.end()
    assert applied(session, asterisk, caller).outcome == "abandoned_queue"  # 5 ms of talk


def reject(asterisk: Asterisk) -> Channel:
    caller = asterisk.caller()
    caller.note("HL_REJECTED", why="overload")
    return caller


def reach_outside(asterisk: Asterisk) -> Channel:
    caller = asterisk.caller()
    caller.note("HL_EMERGENCY", **{"from": "main"})
    caller.note("HL_OUTSIDE", target="115")
    leg = asterisk.channel("PJSIP/carrier", of=caller)
    leg.note("ANSWER")
    leg.enter()
    caller.enter()
    leg.end()
    return caller


def hear_early_media_only(asterisk: Asterisk) -> Channel:
    caller = asterisk.caller()
    caller.note("HL_OUTSIDE", target="115")
    leg = asterisk.channel("PJSIP/carrier", of=caller)
    leg.enter()
    caller.enter()
    asterisk.wait(5)
    leg.end()
    return caller


def talk(seconds: float) -> Callable[[Asterisk], Channel]:
    def act(asterisk: Asterisk) -> Channel:
        caller = asterisk.queued()
        leg = asterisk.answer(caller)
        asterisk.wait(seconds - 0.001)
        leg.leave()
        return caller

    return act


def leave_message(ms: int, *, queued: bool = False) -> Callable[[Asterisk], Channel]:
    def act(asterisk: Asterisk) -> Channel:
        caller = asterisk.queued() if queued else asterisk.caller()
        caller.note("HL_VOICEMAIL", file="th1.x-1.2.wav", ms=str(ms))
        return caller

    return act


def say(type_: str, *, after: Callable[[Asterisk], Channel] = Asterisk.caller) -> Callable[
    [Asterisk], Channel
]:
    def act(asterisk: Asterisk) -> Channel:
        caller = after(asterisk)
        caller.note(type_, leaf="advice_symptoms", number="kept", why="blocked")
        return caller

    return act


@pytest.mark.parametrize(("act", "outcome"), [
    (reject, Outcome.REJECTED),
    (say("HL_REJECTED", after=talk(9)), Outcome.REJECTED),
    (reach_outside, Outcome.TRANSFERRED),
    (hear_early_media_only, Outcome.ABANDONED_MENU),
    (talk(2.0), Outcome.ANSWERED),
    (talk(1.999), Outcome.ABANDONED_QUEUE),
    (say("HL_CALLBACK", after=talk(9)), Outcome.ANSWERED),
    (say("HL_CALLBACK", after=leave_message(9000)), Outcome.CALLBACK),
    (leave_message(2000, queued=True), Outcome.VOICEMAIL),
    (leave_message(1999, queued=True), Outcome.ABANDONED_QUEUE),
    (leave_message(1999), Outcome.ABANDONED_MENU),
    (say("HL_SELF_SERVED"), Outcome.SELF_SERVED),
    (say("HL_SELF_SERVED", after=Asterisk.queued), Outcome.SELF_SERVED),
    (say("HL_SELF_SERVED", after=leave_message(2000)), Outcome.VOICEMAIL),
    (Asterisk.queued, Outcome.ABANDONED_QUEUE),
    (Asterisk.caller, Outcome.ABANDONED_MENU),
])
def test_the_outcome_is_the_first_that_fits(
    session: Session, act: Callable[[Asterisk], Channel], outcome: Outcome
) -> None:
    asterisk = Asterisk()
    caller = act(asterisk)
    caller.end()
    assert applied(session, asterisk, caller).outcome == outcome


def test_the_second_queue_counts_the_wait_from_the_first(session: Session) -> None:
    asterisk = Asterisk()
    caller = asterisk.queued("vaccine")
    arrived = asterisk.now
    asterisk.wait(30)
    caller.note("HL_QUEUE_END", queue="vaccine", why="back")
    caller.note("HL_BRANCH", branch="general")
    caller.note("HL_QUEUE", queue="general", ahead="2")
    asterisk.wait(10)
    caller.end()
    call = applied(session, asterisk, caller)
    assert (call.branch, call.queue, call.queued_at) == ("general", "general", arrived)
    assert call.wait_ms == 40_005


def test_two_agents_in_turn_talk_in_sum_and_the_last_is_named(session: Session) -> None:
    asterisk = Asterisk()
    caller = asterisk.queued()
    first = asterisk.answer(caller)
    asterisk.wait(10)
    first.end()
    caller.leave()
    asterisk.wait(60)
    second = asterisk.answer(caller, agent="minh", seat="desk-01")
    asterisk.wait(5)
    second.end()
    caller.end()
    call = applied(session, asterisk, caller)
    assert (call.agent, call.talk_ms) == ("minh", 15_004)
    assert [leg["talk_ms"] for leg in rows(session, "leg").values()] == [10_002, 5_002]


def test_a_colleague_who_was_asked_and_never_spoke_with_the_caller_is_not_named(
    session: Session,
) -> None:
    asterisk = Asterisk()
    caller = asterisk.queued()
    first = asterisk.answer(caller)
    asterisk.wait(10)
    asked = asterisk.channel("PJSIP/seat-002", of=caller)
    asked.note("HL_ANSWER", agent="minh", seat="seat-002", call=caller.id)
    asterisk.wait(5)
    asked.end()
    first.end()
    caller.end()
    assert applied(session, asterisk, caller).agent == "lan"


def test_two_persons_at_once_talk_once(session: Session) -> None:
    asterisk = Asterisk()
    caller = asterisk.queued()
    asterisk.answer(caller)
    second = asterisk.channel("PJSIP/seat-002", of=caller)
    second.enter()
    asterisk.wait(10)
    caller.end()
    assert applied(session, asterisk, caller).talk_ms == 10_004


def test_a_caller_may_withhold_the_number(session: Session) -> None:
    asterisk = Asterisk()
    caller = asterisk.caller(number="")
    assert applied(session, asterisk, caller).caller is None


def test_a_menu_without_a_key_stands_in_the_path_with_null(session: Session) -> None:
    asterisk = Asterisk()
    caller = asterisk.caller()
    for menu, key in (("main", ""), ("main", "t"), ("main", "i"), ("vaccine", "")):
        caller.note("HL_KEY" if key else "HL_MENU", menu=menu, key=key)
    call = applied(session, asterisk, caller)
    assert [(step["menu"], step["key"]) for step in call.path] == [
        ("main", "t"), ("main", "i"), ("vaccine", None),
    ]


def test_a_path_has_an_end(session: Session) -> None:
    asterisk = Asterisk()
    caller = asterisk.caller()
    for _ in range(3 * MOST_STEPS):
        caller.note("HL_KEY", menu="main", key="9")
    assert len(applied(session, asterisk, caller).path) == MOST_STEPS


def test_a_clock_that_is_set_back_makes_no_negative_time(session: Session) -> None:
    asterisk = Asterisk()
    caller = asterisk.queued()
    asterisk.wait(-3600)
    agent = asterisk.answer(caller)
    asterisk.wait(-3600)
    agent.end()
    caller.end()
    call = applied(session, asterisk, caller)
    assert (call.wait_ms, call.talk_ms) == (0, 0)
    assert call.ended_at == call.started_at
    parts = session.scalars(select(CallSegment.ms)).all()
    assert parts
    assert min(parts) >= 0


def test_hostile_values_are_left_out_and_break_nothing(database: Database) -> None:
    asterisk = Asterisk()
    caller = asterisk.channel("PJSIP/trunk-local", context="from-trunk")
    caller.note("HL_CALL", caller="0912\x00345", dialled="9" * 99, trunk='"; DROP', kind="king")
    caller.note("HL_KEY", menu="main", key="\ud800")
    caller.note("HL_BRANCH", branch="x" * 17)
    caller.note("HL_VOICEMAIL", file="../../etc passwd", ms="9" * 40)
    caller.note("BRIDGE_ENTER", bridge_id="\n" * 200)
    caller.note("HANGUP", hangupcause="-1e9")
    caller.note("CHAN_END")
    with database.transaction() as session:
        call = applied(session, asterisk, caller)
        assert (call.caller, call.dialled, call.trunk, call.kind) == (None, None, None, "citizen")
        assert (call.branch, call.voicemail, call.hangup_cause) == (None, None, None)
        assert call.outcome == "abandoned_menu"


def test_channels_that_are_no_phones_and_ids_that_are_none_leave_no_rows(session: Session) -> None:
    asterisk = Asterisk()
    asterisk.booted()
    for name, id_ in (("PJSIP/trunk-x", "1763845445.12"), ("PJSIP/seat-001", "a b"), ("", "")):
        Channel(asterisk, f"{name}-1", id_, id_).note("CHAN_START")
    assert record.apply(session, asterisk.events) == record.Applied(0, 0, ("b1",))


# ---------------------------------------------------------------- several calls, several boots


def test_calls_that_were_bridged_together_stay_two(session: Session) -> None:
    """The younger one's linkedid changes in mid-call, and a leg it rings then carries it too."""
    asterisk = Asterisk()
    older, younger = asterisk.queued(), asterisk.queued(number="0987654321")
    older.enter("both")
    younger.enter("both")
    younger.note("LINKEDID_END")
    younger.linkedid = older.id
    asterisk.wait(5)
    older.leave("both")
    younger.leave("both")
    younger.note("HL_QUEUE", queue="general", ahead="0")
    agent = asterisk.answer(younger)
    assert agent.linkedid == older.id
    asterisk.wait(10)
    older.end()
    younger.end()
    agent.end()
    first = applied(session, asterisk, older)
    second = session.get(Call, younger.id)
    assert second is not None
    assert (first.outcome, first.agent, first.talk_ms) == ("abandoned_queue", None, 0)
    assert (second.outcome, second.agent, second.queue) == ("answered", "lan", "general")
    assert second.talk_ms == 10_004
    assert rows(session, "leg")[agent.id]["call_id"] == younger.id


def test_a_leg_whose_start_is_torn_out_still_belongs_to_its_call(session: Session) -> None:
    asterisk = Asterisk()
    caller = asterisk.queued()
    agent = asterisk.answer(caller)
    asterisk.wait(9)
    caller.end()
    asterisk.events = [
        event for event in asterisk.events
        if (event.uniqueid, event.type) not in {(agent.id, "CHAN_START"), (agent.id, "HL_ANSWER")}
    ]
    assert applied(session, asterisk, caller).outcome == "answered"


def test_a_call_whose_start_is_torn_out_is_still_recorded(session: Session) -> None:
    asterisk = Asterisk()
    caller = asterisk.queued()
    caller.end()
    del asterisk.events[0]
    call = applied(session, asterisk, caller)
    assert (call.outcome, call.started_at) == ("abandoned_queue", asterisk.events[0].at)


def test_a_new_start_of_asterisk_loses_the_calls_that_were_open(database: Database) -> None:
    old, new = Asterisk(boot="zz"), Asterisk(boot="aa", at=START + timedelta(hours=1))
    talking, ended, elsewhere = old.queued(), old.caller(), Asterisk(node="th2")
    ended.end()
    agent = old.answer(talking)
    old.wait(60)
    agent.note("ANSWER")  # the last sign of life
    stranger = elsewhere.caller()
    new.booted()
    with database.transaction() as session:
        record.apply(session, old.events + elsewhere.events)
        assert rows(session, "call")[talking.id]["outcome"] is None
        assert record.apply(session, new.events).new_boots == ("aa",)
    with database.reading() as session:
        call, leg = session.get_one(Call, talking.id), session.get_one(Leg, agent.id)
        assert (call.outcome, call.ended_at) == ("lost", old.now)
        assert (call.agent, call.talk_ms) == ("lan", 60_001)
        assert (leg.ended_at, leg.talk_ms) == (old.now, 60_001)
        assert session.get_one(Call, ended.id).outcome == "abandoned_menu"
        assert session.get_one(Call, stranger.id).outcome is None


def test_events_of_an_old_boot_that_come_again_lose_nothing(session: Session) -> None:
    old, new = Asterisk(boot="b1"), Asterisk(boot="b2")
    old.booted()
    caller = new.caller()
    record.apply(session, old.events + new.events)
    assert record.apply(session, old.events).new_boots == ()
    assert applied(session, new, caller).outcome is None


def test_a_row_whose_facts_are_gone_stands(session: Session) -> None:
    asterisk = Asterisk()
    caller = asterisk.queued()
    caller.end()
    applied(session, asterisk, caller)
    session.execute(update(Call).values(facts=None, caller=None))
    before = rows(session, "call")
    record.apply(session, asterisk.events)
    assert rows(session, "call") == before


def test_what_others_write_in_a_call_is_kept(session: Session) -> None:
    asterisk = Asterisk()
    caller = asterisk.queued()
    applied(session, asterisk, caller).case_code = "TH000001"
    session.flush()
    caller.end()
    call = applied(session, asterisk, caller)
    assert (call.case_code, call.outcome) == ("TH000001", "abandoned_queue")


# ---------------------------------------------------------------- rules for any journal


@st.composite
def journals(draw: st.DrawFn) -> list[list[JournalEvent]]:
    """One to three boots of a node: callers, agents and outside numbers do what they like."""
    boots = []
    for number in range(draw(st.integers(1, 3))):
        asterisk = Asterisk(boot=f"b{number}", at=START + timedelta(hours=number))
        asterisk.booted()
        alive: list[Channel] = []
        for _ in range(draw(st.integers(1, 25))):
            act = draw(st.sampled_from(ACTS))
            asterisk.wait(draw(st.sampled_from((0, 0.5, 3, -2))))
            act(draw, asterisk, alive)
        boots.append(asterisk.events)
    return boots


def _begin(draw: st.DrawFn, asterisk: Asterisk, alive: list[Channel]) -> None:
    alive.append(draw(st.sampled_from((asterisk.caller, asterisk.queued)))())


def _ring(draw: st.DrawFn, asterisk: Asterisk, alive: list[Channel]) -> None:
    if alive:
        name = draw(st.sampled_from(("PJSIP/seat-001", "PJSIP/desk-01", "PJSIP/carrier")))
        alive.append(asterisk.channel(name, of=draw(st.sampled_from(alive))))


def _answer(draw: st.DrawFn, asterisk: Asterisk, alive: list[Channel]) -> None:
    callers = [one for one in alive if one.name.startswith("PJSIP/trunk-")]
    if callers:
        caller = draw(st.sampled_from(callers))
        alive.append(asterisk.answer(caller, agent=draw(st.sampled_from(("lan", "minh")))))


def _note(draw: st.DrawFn, asterisk: Asterisk, alive: list[Channel]) -> None:
    if alive:
        channel = draw(st.sampled_from(alive))
        event = draw(st.sampled_from((
            "ANSWER", "HL_MENU", "HL_KEY", "HL_BRANCH", "HL_QUEUE", "HL_VOICEMAIL", "HL_CALLBACK",
            "HL_SELF_SERVED", "HL_EMERGENCY", "HL_RECORDING", "HL_REJECTED", "LINKEDID_END",
        )))
        channel.note(
            event, menu="main", key=draw(st.sampled_from("0349ti")), branch="general",
            queue="general", file=f"{channel.id}.wav", ms=draw(st.sampled_from(("10", "4000"))),
        )


def _bridge(draw: st.DrawFn, asterisk: Asterisk, alive: list[Channel]) -> None:
    if alive:
        channel, bridge = draw(st.sampled_from(alive)), draw(st.sampled_from(("br-1", "br-2")))
        draw(st.sampled_from((channel.enter, channel.leave)))(bridge)


def _merge(draw: st.DrawFn, asterisk: Asterisk, alive: list[Channel]) -> None:
    if alive:
        draw(st.sampled_from(alive)).linkedid = draw(st.sampled_from(alive)).linkedid


def _end(draw: st.DrawFn, asterisk: Asterisk, alive: list[Channel]) -> None:
    if alive:
        alive.pop(draw(st.integers(0, len(alive) - 1))).end()


ACTS = (_begin, _ring, _answer, _note, _note, _bridge, _bridge, _merge, _end)


def derived(session: Session, batches: Sequence[Sequence[JournalEvent]]) -> tuple[Rows, Rows]:
    """The rows that these batches lead to in an empty database, which is left empty."""
    with session.begin_nested() as savepoint:
        for batch in batches:
            record.apply(session, batch)
        found = rows(session, "call"), rows(session, "leg")
        savepoint.rollback()
    session.expire_all()
    return found


@settings(
    max_examples=60,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(data=st.data(), boots=journals())
def test_order_repetition_and_portions_do_not_matter(
    session: Session, data: st.DataObject, boots: list[list[JournalEvent]]
) -> None:
    straight = derived(session, [[event for boot in boots for event in boot]])

    rearranged: list[JournalEvent] = []
    for boot in boots:
        again = data.draw(st.lists(st.sampled_from(boot), max_size=5))
        rearranged += data.draw(st.permutations(boot + again))
    # something read long ago comes once more, as after a restore
    rearranged += data.draw(st.lists(st.sampled_from(rearranged), max_size=10))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(rearranged)), max_size=6)))
    edges = [0, *cuts, len(rearranged)]
    portions = [rearranged[start:end] for start, end in pairwise(edges)]
    assert derived(session, portions) == straight


@settings(
    max_examples=60,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(boots=journals())
def test_every_call_that_is_over_has_one_outcome_and_sound_times(
    session: Session, boots: list[list[JournalEvent]]
) -> None:
    events = [event for boot in boots for event in boot]
    call_rows, leg_rows = derived(session, [events])
    started = {event.uniqueid for event in events if event.is_callers}
    assert call_rows.keys() == started
    newest = f"b{len(boots) - 1}"
    for call in call_rows.values():
        assert (call["outcome"] in set(Outcome)) == (call["ended_at"] is not None)
        assert call["ended_at"] is not None or call["boot"] == newest
        assert call["talk_ms"] >= 0
        assert call["wait_ms"] is None or call["wait_ms"] >= 0
        for name in ("queued_at", "answered_at", "ended_at"):
            assert call[name] is None or call[name] >= call["started_at"]
    for leg in leg_rows.values():
        assert leg["talk_ms"] >= 0
        assert leg["ended_at"] is None or leg["ended_at"] >= leg["started_at"]


# ---------------------------------------------------------------- lists


def test_today_is_the_day_in_vietnam(session: Session) -> None:
    midnight = datetime(2025, 11, 21, 17, 0, tzinfo=UTC)
    asterisk = Asterisk()
    ids = []
    for shift in (-1, 0, 3600, 24 * 3600 - 1, 24 * 3600):
        asterisk.now = midnight + timedelta(seconds=shift, milliseconds=-1)
        ids.append(asterisk.caller().id)
    record.apply(session, asterisk.events)
    assert [call.id for call in record.today(session, START)] == ids[1:4]
    assert record.today(session, START + timedelta(days=9)) == []


def test_the_last_calls_come_oldest_first(session: Session) -> None:
    asterisk = Asterisk()
    ids = [asterisk.caller().id for _ in range(5)]
    record.apply(session, asterisk.events)
    assert [call.id for call in record.latest(session, 2)] == ids[3:]
    assert [call.id for call in record.latest(session, 99)] == ids


def test_what_agents_do_with_the_recording_stands_in_its_call(database: Database) -> None:
    asterisk = Asterisk()
    caller = asterisk.queued()
    asterisk.answer(caller)
    helper = asterisk.channel("Local/paused@hl-recording")
    helper.note("HL_REC", call=caller.id, state="paused", why="card", by="lan")
    with database.transaction() as session:
        record.apply(session, asterisk.events)
    more = asterisk.channel("Local/resumed@hl-recording")
    for call in (caller.id, "th1.b1-1.999", "x"):  # of calls that are not known nothing is made
        more.note("HL_REC", call=call, state="on", why="", by="lan")
    caller.note("CHAN_END")
    with database.transaction() as session:
        record.apply(session, asterisk.events[-5:])
        record.apply(session, asterisk.events)
    with database.reading() as session:
        (row,) = session.scalars(select(Call))
        marks = row.recording_marks or []
        assert [(one["state"], one["why"], one["by"]) for one in marks] == [
            ("paused", "card", "lan"), ("on", "", "lan"),
        ]


def test_a_call_that_an_agents_own_telephone_took_is_answered_by_that_agent(
    session: Session,
) -> None:
    asterisk = Asterisk()
    caller = asterisk.queued()
    box = asterisk.channel("PJSIP/carrier", of=caller)  # a voicemail box: nobody pressed 1
    box.note("HL_LEG", call=caller.id)
    box.note("ANSWER")
    asterisk.wait(9)
    box.end()
    leg = asterisk.channel("PJSIP/carrier", of=caller)
    leg.note("HL_LEG", call=caller.id)
    leg.note("ANSWER")
    asterisk.wait(4)
    leg.note("HL_ANSWER", agent="lan", seat="mobile", call=caller.id)
    leg.note("HL_RECORDING", file="th1.x-1.2.wav", call=caller.id)
    leg.enter("br-mobile")  # through a pair of channels: each in a bridge of its own
    caller.enter("br-caller")
    asterisk.wait(20)
    leg.leave("br-mobile")
    leg.end()
    caller.leave("br-caller")
    caller.end()
    call = applied(session, asterisk, caller)
    assert (call.outcome, call.agent, call.recording) == ("answered", "lan", "th1.x-1.2.wav")
    assert 19_500 < call.talk_ms < 20_500
    legs = rows(session, "leg")
    assert [(legs[one.id]["kind"], legs[one.id]["agent"]) for one in (box, leg)] == [
        ("outside", None), ("agent", "lan")
    ]
