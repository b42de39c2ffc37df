"""The live mirror: streams of a real Asterisk, hostile ones, and snapshots."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crm.branches import QUEUES
from crm.models import AgentState, LiveState
from ivr.live import CallRow, LiveMirror
from ivr.live_agents import AgentRow
from ivr.live_events import BadEventError, parse, parse_snapshot
from ivr.live_facts import (
    Bridged,
    CallNamed,
    CallStarted,
    Channel,
    Ended,
    Event,
    Joined,
    Left,
    Member,
    MemberGone,
    Offered,
    Passed,
    Snapshot,
)
from tests.ivr.ami_stand_in import blocks, listed, message, messages, stream

NOW = datetime(2026, 11, 22, 14, 40, tzinfo=UTC)
A, B, C = (f"th1.t5k3zq-1795383584.{n}" for n in (1, 2, 3))
SEAT = "PJSIP/seat-001"


def unexpected(error: BadEventError) -> None:
    raise error


def mirror() -> LiveMirror:
    return LiveMirror({name: 0 if name == "emergency" else 8 for name in QUEUES})


def at(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def events(text: str) -> list[Event]:
    parsed = (parse(one, "th1", NOW) for one in messages(text))
    return [event for event in parsed if event]


def stories(name: str) -> dict[str, list[str]]:
    """What a recorded stream tells of each call (by its number) and of agent `lan`, in order."""
    live, told = mirror(), defaultdict[str, list[str]](list)
    live.apply(member())
    live.take()

    def tell(of: str, *words: object) -> None:
        line = " ".join(str(word) for word in words if word is not None)
        if told[of][-1:] != [line]:
            told[of].append(line)

    for event in events(stream(name)):
        live.apply(event)
        changes = live.take()
        for row in changes.calls:
            tell(row.id.rpartition(".")[2], row.state, row.position, row.agent)
        for agent in changes.agents:
            tell(agent.login, agent.state)
    return told


def member(**changes: object) -> Member:
    values: dict[str, object] = {
        "at": NOW, "queue": "vaccine", "agent": "lan", "interface": SEAT, "device": 1,
        "reason": None, "last_call": 0, "in_call": False,
    }
    return Member(**{**values, **changes})  # type: ignore[arg-type]


def apply(live: LiveMirror, *facts: Event) -> LiveMirror:
    for fact in facts:
        live.apply(fact)
    return live


def snapshot(
    channels: Iterable[Channel] = (), waiting: Iterable[Joined] = (),
    members: Iterable[Member] = (), when: datetime = NOW,
) -> Snapshot:
    return Snapshot(when, tuple(channels), tuple(waiting), tuple(members))


def alive(call: str, bridge: str = "") -> Channel:
    return Channel(call, None, bridge, timedelta(seconds=5), "0912345678")


# --- what a real Asterisk said ---


def test_a_call_waits_rings_and_talks_and_the_agent_hangs_up() -> None:
    told = stories("agent_hung_up")
    assert told["17"] == [
        "menu", "waiting 1", "ringing 1 lan", "menu", "talking lan", "menu", "ended",
    ]
    assert told["lan"] == ["ringing", "talking", "wrapup"]


def test_an_agent_who_does_not_answer_is_called_again_until_the_caller_gives_up() -> None:
    told = stories("no_answer")
    assert told["12"] == [
        "menu", "waiting 1", "ringing 1 lan", "waiting 1", "ringing 1 lan", "menu", "ended",
    ]
    assert told["lan"] == ["ringing", "ready", "ringing", "ready"]


def test_a_caller_who_gives_up_stops_the_agents_phone() -> None:
    told = stories("gave_up")
    assert told["15"] == ["menu", "waiting 1", "ringing 1 lan", "menu", "ended"]
    assert told["lan"] == ["ringing", "ready"]


def test_an_outside_number_talks_without_an_agent() -> None:
    assert stories("emergency_115")["19"] == ["menu", "talking", "menu", "ended"]


def test_callers_behind_move_up_and_keep_what_is_known_of_them() -> None:
    live = apply(mirror(), *events(stream("queue_call")))
    rows = {row.id.rpartition(".")[2]: row for row in live.calls.values()}
    assert [(row.caller, row.branch, row.queue) for row in rows.values()] == [
        ("0912345678", "vaccine", "vaccine"),
        ("0912345679", "vaccine", "vaccine"),
        ("0912345670", "vaccine", "vaccine"),
    ]
    assert rows["8"].queued_at == datetime(2026, 11, 22, 21, 39, 46, 256466, UTC)
    assert stories("queue_call")["10"] == ["menu", "waiting 2", "menu", "ended"]
    assert live.agents.rows["lan"].queues == ("advice", "vaccine")


def test_a_real_snapshot_shows_who_talks_with_whom() -> None:
    text = stream("queue_call")
    faults: list[BadEventError] = []
    found = parse_snapshot(
        messages(listed(text, "c1")), messages(listed(text, "q1")), "th1", NOW, faults.append
    )
    live = mirror()
    live.resync(found)
    assert not faults
    assert {row.id[-3:].strip("."): (row.state, row.agent) for row in live.calls.values()} == {
        "11": (LiveState.WAITING, None),
        "10": (LiveState.MENU, None),  # it joined a moment after
        "4.8": (LiveState.TALKING, "lan"),
    }
    assert live.agents.rows["lan"].state is AgentState.TALKING


def test_events_older_than_the_snapshot_do_no_harm() -> None:
    text = stream("queue_call")
    everything = list(blocks(text))
    cut = next(i for i, block in enumerate(everything) if "ActionID: q1" in block)
    before, after = "\n\n".join(everything[:cut]), "\n\n".join(everything[cut:])
    in_order = apply(mirror(), *events(text))
    found = parse_snapshot(
        messages(listed(text, "c1")), messages(listed(text, "q1")), "th1", NOW, unexpected
    )
    late = mirror()
    late.resync(found)
    apply(late, *events(before), *events(after))
    assert late.calls.keys() == in_order.calls.keys()
    assert {r.state for r in late.calls.values()} == {LiveState.ENDED}
    assert late.agents.rows["lan"].state is in_order.agents.rows["lan"].state


# --- calls ---


def test_positions_follow_who_leaves_and_who_comes_in_front() -> None:
    live = apply(
        mirror(),
        Joined(A, at(0), "vaccine", 1, None), Joined(B, at(1), "vaccine", 2, None),
        Joined(C, at(2), "vaccine", 1, None),
    )
    assert [live.calls[call].position for call in (A, B, C)] == [2, 3, 1]
    apply(live, Left(C, at(3), "vaccine"), Left(A, at(4), "vaccine"))
    assert [live.calls[call].position for call in (A, B, C)] == [None, 1, None]


def test_the_first_arrival_in_a_queue_is_kept_through_later_ones() -> None:
    live = apply(
        mirror(), Joined(A, at(0), "vaccine", 1, "0912345678"), Left(A, at(5), "vaccine"),
        Joined(A, at(9), "general", 1, "0912345678"),
    )
    row = live.calls[A]
    assert (row.queued_at, row.queue, row.since) == (at(0), "general", at(9))


def test_an_ended_call_stays_for_a_minute_and_no_late_event_wakes_it() -> None:
    live = apply(
        mirror(), CallStarted(A, at(0)), Ended(A, at(5)), Joined(A, at(6), "vaccine", 1, None)
    )
    assert live.calls[A].state is LiveState.ENDED
    assert live.next_due() == at(65)
    live.take()
    live.tick(at(65))
    assert live.take().gone_calls == (A,)


def test_nothing_is_said_twice() -> None:
    live = apply(mirror(), CallStarted(A, at(0)))
    assert [row.id for row in live.take().calls] == [A]
    apply(live, CallStarted(A, at(1)), CallNamed(A, at(1), None, None))
    assert not live.has_changes


@pytest.mark.parametrize(("facts", "pressing"), [
    ([CallStarted(A, at(0)), CallNamed(A, at(1), "0912345678", "vaccine"), Ended(A, at(5))], False),
    ([Joined(A, at(6), "vaccine", 1, None)], True),
    ([CallStarted(A, at(0)), Bridged(A, at(1), inside=True)], True),
    ([member()], True),
])
def test_screens_wait_for_agents_and_for_who_awaits_one(facts: list[Event], pressing: bool) -> None:
    live = apply(mirror(), *facts)
    assert (live.has_changes, live.is_pressing) == (True, pressing)
    live.take()
    assert not live.is_pressing


def test_that_somebody_waits_no_longer_presses_too() -> None:
    live = apply(mirror(), Joined(A, at(0), "vaccine", 1, None))
    live.take()
    assert apply(live, Ended(A, at(1))).is_pressing
    live.take()
    apply(live, Joined(B, at(2), "vaccine", 1, None))
    live.take()
    assert apply(live, Passed(B, at(3))).is_pressing


# --- agents ---


@pytest.mark.parametrize(("facts", "state"), [
    ([member()], AgentState.READY),
    ([member(reason="")], AgentState.PAUSED),
    ([member(reason="lunch", device=5)], AgentState.UNREACHABLE),
    ([member(device=4)], AgentState.UNREACHABLE),
    ([member(device=6)], AgentState.RINGING),
    ([member(device=2, reason="lunch")], AgentState.TALKING),
    ([member(last_call=int(NOW.timestamp()) - 7)], AgentState.WRAPUP),
    ([member(last_call=int(NOW.timestamp()) - 8)], AgentState.READY),
    ([member(), MemberGone(NOW, "vaccine", "lan", SEAT)], AgentState.OFFLINE),
])
def test_what_an_agent_does(facts: list[Event], state: AgentState) -> None:
    assert apply(mirror(), *facts).agents.rows["lan"].state is state


def test_an_agent_in_several_queues_is_one_row() -> None:
    live = apply(mirror(), member(queue="vaccine"), member(queue="advice", reason="lunch"))
    row = live.agents.rows["lan"]
    assert (row.queues, row.state) == (("advice", "vaccine"), AgentState.PAUSED)
    assert live.agents.pauses() == {"lan": "lunch"}


def test_wrapup_ends_by_time_alone() -> None:
    live = apply(
        mirror(), member(), Joined(A, at(0), "vaccine", 1, None),
        Offered(A, at(1), "called", "lan", "vaccine"),
        Offered(A, at(2), "connected", "lan", "vaccine"),
        Offered(A, at(9.7), "completed", "lan", "vaccine"),
    )
    row = live.agents.rows["lan"]
    assert (row.state, row.call_id, row.wrapup_until) == (AgentState.WRAPUP, None, at(17))
    assert live.next_due() == at(17)
    live.tick(at(17))
    assert (live.agents.rows["lan"].state, live.agents.rows["lan"].since) == ("ready", at(17))


def test_a_member_status_from_before_the_call_ended_does_not_end_the_wrapup() -> None:
    live = apply(
        mirror(), member(), Joined(A, at(0), "vaccine", 1, None),
        Offered(A, at(2), "connected", "lan", "vaccine"),
        Offered(A, at(9), "completed", "lan", "vaccine"), member(at=at(9.1), last_call=0),
    )
    assert live.agents.rows["lan"].state == "wrapup"
    apply(live, member(at=at(10), added=True))
    assert live.agents.rows["lan"].state == "ready"


def test_wrapup_begins_with_the_end_of_the_leg_though_the_caller_was_gone_before() -> None:
    live = apply(
        mirror(), member(), CallStarted(A, at(0)),
        Offered(A, at(2), "connected", "lan", "vaccine"),
        Ended(A, at(9)), Offered(A, at(9.2), "completed", "lan", "vaccine"),
    )
    row = live.agents.rows["lan"]
    assert (row.state, row.wrapup_until) == (AgentState.WRAPUP, at(17))
    apply(live, CallStarted(B, at(9.3)), Offered(B, at(9.3), "called", "lan", "vaccine"),
          Offered(A, at(9.4), "completed", "lan", "vaccine"))
    assert live.agents.rows["lan"].call_id == B


def test_nobody_wraps_up_after_an_emergency() -> None:
    live = apply(
        mirror(), member(), member(queue="emergency"), Joined(A, at(0), "emergency", 1, None),
        Offered(A, at(2), "connected", "lan", "emergency"),
        Offered(A, at(9), "completed", "lan", "emergency"),
    )
    assert live.agents.rows["lan"].state is AgentState.READY


def test_an_agent_long_gone_has_no_row() -> None:
    live = apply(mirror(), member(), MemberGone(at(1), "vaccine", "lan", SEAT))
    live.take()
    live.tick(at(61))
    assert live.take().gone_agents == ("lan",)


def test_signing_in_at_another_seat_leaves_the_first() -> None:
    live = apply(mirror(), member(), member(queue="advice", interface="PJSIP/desk-01"))
    row = live.agents.rows["lan"]
    assert (row.interface, row.queues) == ("PJSIP/desk-01", ("advice",))


# --- snapshots ---


def test_what_was_forged_is_gone_after_a_snapshot() -> None:
    live = apply(
        mirror(), member(agent="ghost"), CallStarted(A, at(0)), CallStarted(B, at(0)),
        Offered(B, at(1), "connected", "ghost", "vaccine"), CallStarted(C, at(0)), Ended(C, at(1)),
    )
    live.resync(snapshot([alive(B), alive(C)], members=[member()], when=at(2)))
    assert {call: live.calls[call].state for call in (A, B, C)} == {
        A: LiveState.ENDED, B: LiveState.MENU, C: LiveState.MENU,
    }
    assert live.agents.rows["ghost"].state is AgentState.OFFLINE
    assert live.agents.rows["lan"].state is AgentState.READY


def test_a_snapshot_keeps_what_it_does_not_tell() -> None:
    live = apply(
        mirror(), member(device=6), CallNamed(A, at(0), "0912345678", "vaccine"),
        Joined(A, at(1), "vaccine", 1, None), Offered(A, at(2), "called", "lan", "vaccine"),
    )
    live.take()
    live.resync(snapshot(
        [alive(A)], [Joined(A, at(1), "vaccine", 1, None)], [member(device=6)], at(3)
    ))
    assert not live.has_changes


def test_rows_of_an_earlier_run_are_continued() -> None:
    live = mirror()
    live.adopt(
        [CallRow(A, LiveState.WAITING, at(-90), at(-80), "0912345678", queued_at=at(-80)),
         CallRow(B, LiveState.TALKING, at(-90), at(-80))],
        [AgentRow("lan", AgentState.PAUSED, at(-50), "lunch")],
    )
    live.resync(snapshot(
        [alive(A)], [Joined(A, at(-10), "vaccine", 1, None)], [member(reason="lunch")]
    ))
    assert (live.calls[A].caller, live.calls[A].queued_at) == ("0912345678", at(-80))
    assert live.calls[B].state is LiveState.ENDED
    assert live.agents.rows["lan"].since == at(-50)


calls = st.sampled_from([A, B, C])
any_event = st.one_of(
    st.builds(CallStarted, calls, st.just(NOW)),
    st.builds(Joined, calls, st.just(NOW), st.sampled_from(QUEUES), st.integers(1, 4), st.none()),
    st.builds(Left, calls, st.just(NOW), st.sampled_from(QUEUES)),
    st.builds(Ended, calls, st.just(NOW)),
    st.builds(
        Offered, calls, st.just(NOW),
        st.sampled_from(["called", "connected", "completed", "missed"]),
        st.sampled_from(["lan", "minh"]), st.sampled_from(QUEUES),
    ),
    st.builds(member, queue=st.sampled_from(QUEUES), device=st.integers(0, 8)),
    st.builds(MemberGone, st.just(NOW), st.sampled_from(QUEUES), st.just("lan"), st.just(SEAT)),
)


@settings(deadline=None, max_examples=60)
@given(st.lists(any_event, max_size=30))
def test_after_any_events_a_snapshot_is_the_truth(told: list[Event]) -> None:
    found = snapshot(
        [alive(A), alive(B, "bridge"), Channel(None, SEAT, "bridge", timedelta(), None)],
        [Joined(A, at(-5), "advice", 1, None)], [member(device=2)],
    )
    live, fresh = apply(mirror(), *told), mirror()
    live.resync(found)
    fresh.resync(found)

    def essence(one: LiveMirror) -> object:
        return (
            {r.id: (r.state, r.position, r.agent) for r in one.calls.values()
             if r.state is not LiveState.ENDED},
            {r.login: (r.state, r.call_id, r.queues) for r in one.agents.rows.values()
             if r.state is not AgentState.OFFLINE},
        )

    assert essence(live) == essence(fresh)


@settings(deadline=None, max_examples=60)
@given(st.lists(any_event, max_size=30))
def test_positions_in_each_queue_are_one_two_three(told: list[Event]) -> None:
    live = apply(mirror(), *told)
    for name in QUEUES:
        places = sorted(
            row.position for row in live.calls.values() if row.queue == name and row.position
        )
        assert places == list(range(1, len(places) + 1))


# --- hostile text ---

JOIN = """Event: QueueCallerJoin
Timestamp: 1795383586.256466
Channel: PJSIP/trunk-in-00000000
CallerIDNum: 0912345678
Uniqueid: th1.t5k3zq-1795383584.8
Queue: vaccine
Position: 1
"""


@pytest.mark.parametrize(("old", "new"), [
    ("Queue: vaccine\n", ""),
    ("Queue: vaccine\n", "Queue: vaccine\nQueue: emergency\n"),
    ("Queue: vaccine", "Queue: nowhere"),
    ("Position: 1", "Position: -1"),
    ("Position: 1", "Position: 999999"),
    ("Uniqueid: th1.", "Uniqueid: th2."),
    ("Uniqueid: th1.t5k3zq-1795383584.8", "Uniqueid: 1"),
    ("Timestamp: 1795383586.256466", "Timestamp: 9999999999.0"),
    ("Timestamp: 1795383586.256466", "Timestamp: soon"),
])
def test_an_event_that_cannot_be_is_refused(old: str, new: str) -> None:
    with pytest.raises(BadEventError) as refusal:
        parse(message(JOIN.replace(old, new)), "th1", NOW)
    assert "0912345678" not in str(refusal.value)


@pytest.mark.parametrize("number", ["", "anonymous", "0912;x", "+", "1" * 16, "0912\u0085", "٠٩١٢"])
def test_a_number_that_is_none_is_not_taken(number: str) -> None:
    joined = parse(message(JOIN.replace("0912345678", number)), "th1", NOW)
    assert isinstance(joined, Joined)
    assert joined.caller is None


def test_the_number_of_a_new_channel_is_not_taken() -> None:
    live = apply(mirror(), *events(JOIN.replace("QueueCallerJoin", "Newchannel")))
    assert [row.caller for row in live.calls.values()] == [None]


def test_a_branch_must_be_one_of_ours() -> None:
    text = (
        "Event: UserEvent\nUserEvent: HotlineCall\nChannel: PJSIP/trunk-in-1\n"
        "Uniqueid: th1.b-1.1\nCaller: +84912345678\nBranch: vaccine\n"
    )
    named = parse(message(text), "th1", NOW)
    assert named == CallNamed("th1.b-1.1", NOW, "+84912345678", "vaccine")
    with pytest.raises(BadEventError):
        parse(message(text.replace("vaccine", "<script>")), "th1", NOW)


headers = st.dictionaries(
    st.sampled_from([
        "Timestamp", "Channel", "Uniqueid", "Queue", "Position", "CallerIDNum", "MemberName",
        "Interface", "Status", "Paused", "PausedReason", "LastCall", "InCall", "Penalty",
        "UserEvent", "Branch",
    ]),
    st.one_of(
        st.text(max_size=30), st.lists(st.text(max_size=5), min_size=2, max_size=3),
        st.sampled_from(["PJSIP/trunk-in-1", "th1.b-1.1", "vaccine", "1", "lan", SEAT]),
    ),
)


@settings(deadline=None, max_examples=60)
@given(
    st.sampled_from([
        "Newchannel", "UserEvent", "QueueCallerJoin", "QueueCallerLeave", "BridgeEnter", "Hangup",
        "AgentCalled", "AgentConnect", "QueueMemberStatus", "QueueMemberRemoved", "Nonsense",
    ]),
    headers,
)
def test_no_text_at_all_breaks_the_parser(name: str, values: dict[str, str | list[str]]) -> None:
    try:
        event = parse({"Event": name, **values}, "th1", NOW)
    except BadEventError:
        return
    if event:
        apply(mirror(), event)


TELEPHONE = "Local/0913000801@hl-mobile/n"


def test_a_telephone_outside_rings_before_it_talks_though_it_is_busy_at_once() -> None:
    live = apply(mirror(), member(interface=TELEPHONE), Joined(A, at(0), "vaccine", 1, None))
    apply(live, Offered(A, at(1), "called", "lan", "vaccine"),
          member(interface=TELEPHONE, at=at(1.1), device=2))
    assert live.agents.rows["lan"].state == "ringing"
    apply(live, Offered(A, at(5), "connected", "lan", "vaccine"))
    assert live.agents.rows["lan"].state == "talking"


def test_an_agent_with_a_seat_and_a_telephone_is_at_the_telephone() -> None:
    live = apply(mirror(), member(), member(interface=TELEPHONE, at=at(1), added=True))
    apply(live, member(at=at(2), device=5))  # what is told of the seat, which is lost
    row = live.agents.rows["lan"]
    assert (row.interface, row.state) == (TELEPHONE, AgentState.READY)
    both = [member(), member(interface=TELEPHONE)]
    for members in (both, both[::-1]):
        live.resync(snapshot([], members=members, when=at(3)))
        assert live.agents.rows["lan"].interface == TELEPHONE
    apply(live, member(at=at(4), added=True))  # signed in at the seat again
    assert live.agents.rows["lan"].interface == SEAT


# ---------------------------------------------------------------- callers of other nodes

FAR = "th2.t5k3zq-1795383584.9"
THERE = "PJSIP/node-th2-0000000a"


def passed_event(name: str, **headers: str) -> Event | None:
    return parse({
        "Event": name, "Channel": THERE, "Uniqueid": B, "AccountCode": FAR, **headers
    }, "th1", NOW)


def test_a_caller_whom_another_node_has_passed_on_is_known_by_the_first_call() -> None:
    live = mirror()
    assert passed_event("Newchannel", AccountCode="") is None
    for event in (
        passed_event("UserEvent", UserEvent="HotlineCall", Caller="0912345678", Branch="vaccine"),
        passed_event("QueueCallerJoin", Queue="vaccine", Position="1", CallerIDNum="0912345678"),
    ):
        assert event
        live.apply(event)
    row = live.calls[FAR]
    assert (row.caller, row.branch, row.queue, row.state) == (
        "0912345678", "vaccine", "vaccine", LiveState.WAITING)
    end = passed_event("Hangup")
    assert end
    live.apply(end)
    assert live.calls[FAR].state is LiveState.ENDED


def test_a_channel_to_another_node_is_no_call_of_this_one() -> None:
    for name in ("Newchannel", "BridgeEnter", "Hangup"):
        assert parse({"Event": name, "Channel": THERE, "Uniqueid": B}, "th1", NOW) is None
    with pytest.raises(BadEventError):
        passed_event("Hangup", AccountCode="0912345678")


def test_who_is_passed_on_is_the_other_nodes_to_tell_until_they_come_back() -> None:
    live = mirror()
    for event in (CallStarted(A, NOW), CallNamed(A, NOW, "0912345678", "vaccine")):
        live.apply(event)
    live.take()
    gone = parse({"Event": "UserEvent", "UserEvent": "HotlinePassed", "Call": A,
                  "Channel": "PJSIP/trunk-00000001", "Uniqueid": A}, "th1", NOW)
    assert gone == Passed(A, NOW)
    live.apply(gone)
    assert live.take().gone_calls == (A,)
    live.apply(Bridged(A, NOW, inside=True))
    shown = {"Event": "CoreShowChannel", "CallerIDNum": "0912345678", "Duration": "00:01:05"}
    channels = [
        {**shown, "Channel": "PJSIP/trunk-00000001", "Uniqueid": A, "BridgeId": "b-1"},
        {**shown, "Channel": THERE, "Uniqueid": B, "BridgeId": "b-1"},
    ]
    live.resync(parse_snapshot(channels, [], "th1", NOW, unexpected))
    assert live.calls == {}
    live.apply(CallNamed(A, NOW, "0912345678", "vaccine"))
    assert live.calls[A].caller == "0912345678"


def test_a_snapshot_knows_who_was_passed_on() -> None:
    live = mirror()
    channels = [{
        "Event": "CoreShowChannel", "CallerIDNum": "0912345678", "Duration": "00:01:05",
        "Channel": THERE, "Uniqueid": B, "AccountCode": FAR,
    }]
    queues = [{
        "Event": "QueueEntry", "Queue": "vaccine", "Channel": THERE, "Uniqueid": B,
        "CallerIDNum": "0912345678", "Position": "1", "Wait": "30",
    }]
    live.resync(parse_snapshot(channels, queues, "th1", NOW, unexpected))
    assert (live.calls[FAR].state, live.calls[FAR].queue) == (LiveState.WAITING, "vaccine")
