"""Commands to Asterisk: what is sent, the three outcomes, and values that are never sent."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from crm.branches import ALL_QUEUES
from crm.setting_values import Address
from ivr.commands import Commands, Outcome, RecordingAct, Result
from tests.ivr.ami_stand_in import AmiStandIn

SEAT = "PJSIP/seat-001"
PAUSED = """Event: QueueMember
Queue: vaccine
Name: lan
Location: PJSIP/seat-001
Paused: 1
PausedReason: ăn trưa

"""


def member(queue: str, paused: str = "") -> str:
    """The phone SEAT in a queue, as QueueStatus lists it."""
    return (
        f"Event: QueueMember\nQueue: {queue}\nName: lan\nLocation: {SEAT}\n"
        f"Paused: {int(bool(paused))}\nPausedReason: {paused}\n\n"
    )


@pytest.fixture
def asterisk() -> Iterator[AmiStandIn]:
    with AmiStandIn() as stand_in:
        yield stand_in


@pytest.fixture
def commands(asterisk: AmiStandIn) -> Commands:
    return Commands(asterisk.address, "command", "secret", timeout_s=3)


def sent(asterisk: AmiStandIn) -> list[str]:
    """The actions of the last session in short: name and what it is about."""
    return [
        " ".join(
            values[key] for key in ("Action", "Queue", "Paused", "Reason") if values.get(key)
        )
        for values in asterisk.received if values["Action"] not in ("Setvar", "Originate")
    ]


def noted(asterisk: AmiStandIn) -> list[tuple[str, str]]:
    """What goes into the journal of agents: whose phone, and what."""
    return [(one["Channel"], one["Variable"]) for one in asterisk.asked("Originate")]


def test_signing_in_leaves_every_queue_and_joins_the_wanted_ones(
    asterisk: AmiStandIn, commands: Commands
) -> None:
    asterisk.refused["QueueRemove"] = "Unable to remove interface: Not there"
    assert commands.sign_in(SEAT, "lan", {"vaccine": 1, "advice": 1}, paused=False).done
    assert sent(asterisk) == [
        "Login", *(f"QueueRemove {name}" for name in ALL_QUEUES),
        "QueueAdd vaccine false", "QueueAdd advice false", "Logoff",
    ]
    assert asterisk.asked("Login")[0]["Events"] == "off"
    added = asterisk.asked("QueueAdd")[0]
    assert (added["Interface"], added["MemberName"]) == (SEAT, "lan")
    assert noted(asterisk) == [
        ("Local/seat-001@hl-state/n", "HL_STATE=ready,HL_LOGIN=lan,HL_REASON="),
    ]


def test_signing_in_paused(asterisk: AmiStandIn, commands: Commands) -> None:
    assert commands.sign_in(SEAT, "lan", {"vaccine": 1}, paused=True, reason="họp").done
    assert "QueueAdd vaccine true họp" in sent(asterisk)


def test_signing_out_leaves_every_queue(asterisk: AmiStandIn, commands: Commands) -> None:
    assert commands.sign_out("PJSIP/desk-01").done
    assert [values["Queue"] for values in asterisk.asked("QueueRemove")] == list(ALL_QUEUES)


@pytest.mark.parametrize("reason", ["ăn trưa", ""])
def test_a_pause_never_keeps_emergencies_away(
    asterisk: AmiStandIn, commands: Commands, reason: str
) -> None:
    assert commands.pause(SEAT, reason).done
    paused = {values["Queue"]: values["Reason"] for values in asterisk.asked("QueuePause")}
    assert paused == dict.fromkeys(set(ALL_QUEUES) - {"emergency"}, reason)
    skills = {"emergency": 1, "vaccine": 1}
    assert commands.sign_in(SEAT, "lan", skills, paused=True, reason=reason).done
    assert {values["Queue"]: values["Paused"] for values in asterisk.asked("QueueAdd")} == {
        "emergency": "false", "vaccine": "true",
    }


def test_coming_back_ends_the_pause_in_every_queue(
    asterisk: AmiStandIn, commands: Commands
) -> None:
    assert commands.pause(SEAT, None).done
    assert sent(asterisk)[1:-1] == ["QueuePause false"]


def test_a_phone_in_no_queue_cannot_be_paused(asterisk: AmiStandIn, commands: Commands) -> None:
    asterisk.refused["QueuePause"] = "Interface not found"
    assert commands.pause(SEAT, "ăn trưa") == Result(Outcome.REFUSED, "the phone is in no queue")
    assert noted(asterisk) == []


def test_what_agents_tell_the_queues_is_noted_for_the_reports(
    asterisk: AmiStandIn, commands: Commands
) -> None:
    commands.pause(SEAT, "lunch")
    commands.pause(SEAT, "ăn trưa")
    commands.pause(SEAT, None)
    commands.end_wrapup(SEAT, "lan", {"vaccine": 1})
    commands.sign_out("PJSIP/desk-01")
    assert [told for _, told in noted(asterisk)] == [
        "HL_STATE=paused,HL_LOGIN=,HL_REASON=lunch", "HL_STATE=paused,HL_LOGIN=,HL_REASON=other",
        "HL_STATE=ready,HL_LOGIN=,HL_REASON=", "HL_STATE=over,HL_LOGIN=,HL_REASON=",
        "HL_STATE=out,HL_LOGIN=,HL_REASON=",
    ]
    asterisk.refused["QueueAdd"] = "Unable to add interface to queue: No such queue"
    assert not commands.sign_in(SEAT, "lan", {"vaccine": 1}, paused=False).done
    assert len(noted(asterisk)) == 5


def test_ending_wrapup_keeps_a_pause(asterisk: AmiStandIn, commands: Commands) -> None:
    asterisk.lists["QueueStatus"] = PAUSED + PAUSED.replace("seat-001", "seat-002").replace(
        "vaccine", "advice"
    )
    assert commands.end_wrapup(SEAT, "lan", {"vaccine": 1, "advice": 1}).done
    assert sent(asterisk)[2:-1] == [
        "QueueRemove vaccine", "QueueAdd vaccine true ăn trưa",
        "QueueRemove advice", "QueueAdd advice false",
    ]


def test_a_pause_that_is_asked_for_while_a_wrapup_ends_comes_before_or_after(
    asterisk: AmiStandIn, commands: Commands
) -> None:
    with ThreadPoolExecutor() as both:
        for _ in range(10):
            both.submit(commands.end_wrapup, SEAT, "lan", {"vaccine": 1, "advice": 1})
            both.submit(commands.pause, SEAT, "rest")
    acts = "".join({"QueueStatus": "(", "QueueRemove": "-", "QueueAdd": "+", "QueuePause": "p"}
                   .get(one["Action"], "") for one in asterisk.received)
    assert acts.replace("(-+-+", "").strip("p") == "", acts


def test_switches_are_set_in_one_session(asterisk: AmiStandIn, commands: Commands) -> None:
    assert commands.set_switches({"hours.vaccine": "closed", "bulletin": "v-2"}).done
    assert [values["Channel"] for values in asterisk.asked("Originate")] == [
        "Local/hours.vaccine=closed@hl-switch/n", "Local/bulletin=v-2@hl-switch/n",
    ]
    assert asterisk.accepted == 1


def test_one_refusal_is_told_and_the_rest_is_done(
    asterisk: AmiStandIn, commands: Commands
) -> None:
    asterisk.refused["QueueAdd"] = "Unable to add interface to queue: No such queue"
    result = commands.sign_in(SEAT, "lan", {"vaccine": 1, "advice": 1}, paused=False)
    assert result == Result(Outcome.REFUSED, "Unable to add interface to queue: No such queue")
    assert len(asterisk.asked("QueueAdd")) == 2


def test_a_refused_login_is_refused(asterisk: AmiStandIn, commands: Commands) -> None:
    asterisk.refused["Login"] = "Authentication failed"
    assert commands.ping().outcome is Outcome.REFUSED
    assert not asterisk.asked("Ping")


def test_nobody_there_is_refused() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        address = Address(*closed.getsockname())
    result = Commands(address, "command", "secret").pause(SEAT, None)
    assert result.outcome is Outcome.REFUSED
    assert "cannot be reached" in result.message


def test_no_answer_is_unknown_and_not_tried_again(asterisk: AmiStandIn) -> None:
    asterisk.ignored.add("QueuePause")
    result = Commands(asterisk.address, "command", "secret", timeout_s=0.3).pause(SEAT, "họp")
    assert result == Result(Outcome.UNKNOWN, "no answer to QueuePause")
    assert len(asterisk.asked("QueuePause")) == 1


@pytest.mark.parametrize("bad", [
    "lan\r\nAction: Originate", "lan\x00", "lan\x7f", "lan\x85", "lan\u2028", "lan\u2029",
    "", "Lan", "lan;0", "lan|x", "x" * 33,
])
def test_a_bad_login_is_never_sent(asterisk: AmiStandIn, commands: Commands, bad: str) -> None:
    assert commands.sign_in(SEAT, bad, {"vaccine": 1}, paused=False).outcome is Outcome.REFUSED
    assert commands.end_wrapup(SEAT, bad, {"vaccine": 1}).outcome is Outcome.REFUSED
    assert asterisk.accepted == 0


@pytest.mark.parametrize("bad", [
    "họp\r\nAction: Originate", "a\nb", "a\x85b", "a;b", "a|b", "a^b", "a,b", "x" * 41,
])
def test_a_bad_reason_is_never_sent(asterisk: AmiStandIn, commands: Commands, bad: str) -> None:
    assert commands.pause(SEAT, bad).outcome is Outcome.REFUSED
    signed_in = commands.sign_in(SEAT, "lan", {"vaccine": 1}, paused=True, reason=bad)
    assert signed_in.outcome is Outcome.REFUSED
    assert asterisk.accepted == 0


@pytest.mark.parametrize("bad", [
    "Local/1@x", "PJSIP/carrier-1", "PJSIP/seat-001,x", "PJSIP/seat-1\n",
])
def test_a_bad_phone_is_never_sent(asterisk: AmiStandIn, commands: Commands, bad: str) -> None:
    for result in (
        commands.sign_in(bad, "lan", {"vaccine": 1}, paused=False), commands.sign_out(bad),
        commands.pause(bad, None), commands.end_wrapup(bad, "lan", {"vaccine": 1}),
    ):
        assert result.outcome is Outcome.REFUSED
    assert asterisk.accepted == 0


@pytest.mark.parametrize(("name", "value"), [
    ("hours.vaccine", "closed,1"), ("hours.vaccine", "a@from-trunk"), ("hours/x", "open"),
    ("hours", "a|b"), ("hours", "a^b"), ("hours", ""), ("hours", "a b"), ("hours", "a\n"),
])
def test_a_bad_switch_is_never_sent(
    asterisk: AmiStandIn, commands: Commands, name: str, value: str
) -> None:
    good_and_bad = {"bulletin": "v-2", name: value}
    assert commands.set_switches(good_and_bad).outcome is Outcome.REFUSED
    assert commands.set_switch(name, value).outcome is Outcome.REFUSED
    assert asterisk.accepted == 0


def test_an_unknown_queue_is_never_sent(asterisk: AmiStandIn, commands: Commands) -> None:
    assert commands.sign_in(SEAT, "lan", {"nowhere": 1}, paused=False) == Result(
        Outcome.REFUSED, "there is no such queue"
    )
    assert asterisk.accepted == 0


def test_one_of_many_is_rung_in_a_context_of_its_own(
    asterisk: AmiStandIn, commands: Commands
) -> None:
    told = "0912345678", "0" * 20, "th1.notice-7.1"
    assert commands.tell_broadcast(*told).done
    assert commands.tell(*told).done
    first, second = asterisk.asked("Originate")
    assert (first["Channel"], first["Context"]) == (
        "Local/0912345678@hl-broadcast/n", "hl-broadcast-told"
    )
    assert (second["Channel"], second["Context"]) == ("Local/0912345678@hl-tell/n", "hl-told")
    assert first["Variable"] == second["Variable"]
    assert commands.tell_broadcast("0912345678@x", *told[1:]).outcome is Outcome.REFUSED


def test_whoever_ends_or_begins_a_pause_takes_the_wrapup_that_is_one_away(
    asterisk: AmiStandIn, commands: Commands
) -> None:
    assert commands.pause(SEAT, None).done
    assert commands.pause(SEAT, "họp").done
    assert commands.end_wrapup(SEAT, "lan", {"vaccine": 1}).done
    assert [one["Variable"] for one in asterisk.asked("Setvar")] == ["HL_WRAPUP_seat-001"] * 3


CALL, AGENT = "th1.b1-1.1", "PJSIP/seat-001-0000002a"


def test_with_an_agent_outside_that_half_of_the_pair_is_led_with_which_the_caller_speaks(
    asterisk: AmiStandIn, commands: Commands
) -> None:
    outside, half = "Local/0913000801@hl-mobile/n", "Local/0913000801@hl-mobile-0000002a;1"
    asterisk.values["SHARED(HL_AGENT)"] = half
    assert commands.invite(CALL, outside, "seat-002", "minh").done
    assert asterisk.asked("Redirect")[0]["ExtraChannel"] == half
    assert commands.listen(CALL, outside, SEAT, "listen", "huy", recorded=True).done
    assert f"HL_SPIED={half}," in asterisk.asked("Originate")[0]["Variable"]
    other = "Local/0913000802@hl-mobile/n"
    assert commands.invite(CALL, other, "seat-002", "minh").outcome is Outcome.REFUSED
    asterisk.values["SHARED(HL_AGENT)"] = half.replace(";1", ";2")  # that to the carrier
    assert commands.invite(CALL, outside, "seat-002", "minh").outcome is Outcome.REFUSED


def test_caller_and_agent_go_into_the_room_at_once(
    asterisk: AmiStandIn, commands: Commands
) -> None:
    asterisk.values["SHARED(HL_AGENT)"] = AGENT
    assert commands.consult(CALL, SEAT, "0912345678").done
    (redirect,) = asterisk.asked("Redirect")
    assert {name: redirect[name] for name in redirect if name not in ("Action", "ActionID")} == {
        "Channel": CALL, "Context": "hl-room", "Exten": "aside", "Priority": "1",
        "ExtraChannel": AGENT, "ExtraContext": "hl-room-agent", "ExtraExten": "consult",
        "ExtraPriority": "1",
    }


def test_a_caller_who_is_in_the_room_stays_there(
    asterisk: AmiStandIn, commands: Commands
) -> None:
    asterisk.values |= {"SHARED(HL_AGENT)": AGENT, f"CONFBRIDGE_INFO(parties,{CALL})": "2"}
    assert commands.invite(CALL, SEAT, "0912345678").done
    (redirect,) = asterisk.asked("Redirect")
    assert (redirect["Channel"], redirect["Exten"]) == (AGENT, "invite")
    assert "ExtraChannel" not in redirect
    assert commands.hand_over(CALL, SEAT).done
    assert len(asterisk.asked("Redirect")) == 1
    # aside meanwhile, or alone with whoever was left behind: both come in
    for aside in ("yes", "taken"):
        asterisk.values["SHARED(HL_ASIDE)"] = aside
        assert commands.invite(CALL, SEAT, "0912345678").done
    asterisk.values |= {"SHARED(HL_ASIDE)": "", f"CONFBRIDGE_INFO(parties,{CALL})": "1"}
    assert commands.invite(CALL, SEAT, "0912345678").done
    assert [one["Channel"] for one in asterisk.asked("Redirect")[1:]] == [CALL, CALL, CALL]


@pytest.mark.parametrize("with_", ["", "PJSIP/seat-002-0000002a", "PJSIP/seat-0011-0000002a", "x"])
def test_a_call_that_is_with_somebody_else_is_not_touched(
    asterisk: AmiStandIn, commands: Commands, with_: str
) -> None:
    asterisk.values["SHARED(HL_AGENT)"] = with_
    assert commands.transfer(CALL, SEAT, "branch", "vaccine").outcome is Outcome.REFUSED
    assert commands.hand_over(CALL, SEAT).outcome is Outcome.REFUSED
    own = "PJSIP/seat-003"
    assert commands.listen(CALL, SEAT, own, "listen", "huy", recorded=True).outcome is (
        Outcome.REFUSED
    )
    assert commands.take_over(CALL, SEAT, own, "huy", recorded=True).outcome is Outcome.REFUSED
    assert not asterisk.asked("Redirect")
    assert not asterisk.asked("Hangup")
    assert not asterisk.asked("Originate")


def test_who_refused_the_recording_is_not_listened_to(
    asterisk: AmiStandIn, commands: Commands
) -> None:
    asterisk.values |= {"SHARED(HL_AGENT)": AGENT, "HL_NOTICE": "refused"}
    own = "PJSIP/seat-003"
    def outcome(how: str, *, recorded: bool) -> Outcome:
        if how == "takeover":
            return commands.take_over(CALL, SEAT, own, "huy", recorded=recorded).outcome
        return commands.listen(CALL, SEAT, own, how, "huy", recorded=recorded).outcome

    for how in ("listen", "takeover"):
        assert outcome(how, recorded=True) is Outcome.REFUSED
        assert outcome(how, recorded=False) is Outcome.DONE
    assert outcome("sing", recorded=False) is Outcome.REFUSED
    heard, taken = asterisk.asked("Originate")
    assert (heard["Channel"], heard["Context"]) == (own, "hl-spy")
    assert (taken["Channel"], taken["Context"]) == (own, "hl-takeover")
    assert f"HL_CALL={CALL}," in heard["Variable"]
    assert "HL_BY=huy," in taken["Variable"]


def test_who_listens_already_takes_over_without_being_rung_again(
    asterisk: AmiStandIn, commands: Commands
) -> None:
    here = "PJSIP/seat-003-0000002b"
    asterisk.values |= {"SHARED(HL_AGENT)": AGENT, "SHARED(HL_SPY_seat-003)": here}
    assert commands.take_over(CALL, SEAT, "PJSIP/seat-003", "huy", recorded=True).done
    (redirect,) = asterisk.asked("Redirect")
    assert (redirect["Channel"], redirect["Context"]) == (here, "hl-takeover")
    told = {one["Variable"]: one["Value"] for one in asterisk.asked("Setvar")}
    assert told == {"HL_SPIED": AGENT, "HL_CALL": CALL, "HL_CHANNEL": CALL, "HL_BY": "huy"}
    assert not asterisk.asked("Originate")
    outside = commands.take_over(CALL, SEAT, "Local/0913000801@hl-mobile/n", "huy", recorded=True)
    assert outside.outcome is Outcome.REFUSED


def test_only_who_waits_is_moved(asterisk: AmiStandIn, commands: Commands) -> None:
    for queue, done in (("", False), ("emergency", False), ("operator", True)):
        asterisk.values["HL_IN_QUEUE"] = queue
        assert commands.move(CALL, "vaccine").done is done


def test_each_queue_is_joined_at_the_level_of_the_skill(
    asterisk: AmiStandIn, commands: Commands
) -> None:
    assert commands.sign_in(SEAT, "lan", {"vaccine": 1, "advice": 3}, paused=False).done
    assert {one["Queue"]: one["Penalty"] for one in asterisk.asked("QueueAdd")} == {
        "vaccine": "0", "advice": "2",
    }
    for level in (0, 4, -1):
        refused = commands.sign_in(SEAT, "lan", {"vaccine": level}, paused=False)
        assert refused == Result(Outcome.REFUSED, "there is no such level")


def test_skills_change_without_a_sign_out_and_a_new_queue_is_paused_as_the_others(
    asterisk: AmiStandIn, commands: Commands
) -> None:
    asterisk.lists["QueueStatus"] = (
        member("vaccine", "lunch") + member("relief") + member("emergency")
    )
    assert commands.set_skills(SEAT, "lan", {"emergency": 1, "vaccine": 2, "advice": 3}).done
    changed = [(one["Queue"], one["Penalty"]) for one in asterisk.asked("QueuePenalty")]
    assert sorted(changed) == [("emergency", "0"), ("vaccine", "1")]
    assert [one["Queue"] for one in asterisk.asked("QueueRemove")] == ["relief"]
    added = asterisk.asked("QueueAdd")
    assert [(one["Queue"], one["Penalty"], one["Paused"], one["Reason"]) for one in added] == [
        ("advice", "2", "true", "lunch"),
    ]


def test_a_recording_is_paused_first_and_told_then(
    asterisk: AmiStandIn, commands: Commands
) -> None:
    asterisk.values |= {"SHARED(HL_AGENT)": AGENT, "HL_RECORDING": f"{CALL}.raw"}
    assert commands.record(CALL, SEAT, RecordingAct.PAUSED, "card", "lan").done
    assert [one["Action"] for one in asterisk.received if one["Action"] != "Getvar"] == [
        "Login", "MixMonitorMute", "Setvar", "Originate", "Logoff",
    ]
    (mute,), (told,) = asterisk.asked("MixMonitorMute"), asterisk.asked("Originate")
    (kept,) = asterisk.asked("Setvar")  # the next agent finds it so
    assert (kept["Channel"], kept["Variable"], kept["Value"]) == (CALL, "HL_KEPT", "paused")
    assert (mute["Channel"], mute["Direction"], mute["State"]) == (CALL, "both", "1")
    assert told["Channel"] == "Local/paused@hl-recording/n"
    assert told["Variable"] == f"__HL_CALL={CALL},__HL_WHY=card,__HL_BY=lan"
    assert commands.record(CALL, SEAT, RecordingAct.RESUMED, "", "lan").done
    assert asterisk.asked("MixMonitorMute")[-1]["State"] == "0"
    assert asterisk.asked("Setvar")[-1]["Value"] == ""


def test_what_could_not_be_paused_is_not_told_as_paused(
    asterisk: AmiStandIn, commands: Commands
) -> None:
    asterisk.values["SHARED(HL_AGENT)"] = AGENT  # and nothing is recorded
    assert commands.record(CALL, SEAT, RecordingAct.PAUSED, "", "lan").outcome is Outcome.REFUSED
    asterisk.values["HL_RECORDING"] = f"{CALL}.raw"
    asterisk.refused["MixMonitorMute"] = "Cannot set mute flag"
    assert commands.record(CALL, SEAT, RecordingAct.PAUSED, "", "lan").outcome is Outcome.REFUSED
    assert commands.record(
        CALL, "PJSIP/seat-002", RecordingAct.PAUSED, "", "lan"
    ).outcome is Outcome.REFUSED
    assert not asterisk.asked("Originate")
