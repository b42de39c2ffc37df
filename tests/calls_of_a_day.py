"""Calls as they happen, each on an Asterisk on paper: for the published vectors, and a whole day of
them, drawn by chance.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from crm.calls.facts import JournalEvent
from tests.journals import Asterisk, Channel

AGENTS = ("lan", "minh", "hoa", "tuan", "dung", "mai", "nam", "thu")
BRANCHES = ("vaccine", "testing", "advice", "relief", "report")
WRAPUP = "20"
MIDNIGHT = datetime.fromisoformat("2025-11-21T17:00:00+00:00")  # of 22 November in Vietnam


def seat(agent: str) -> str:
    return f"seat-{AGENTS.index(agent) + 1:03}"


@dataclass
class Line:
    """What a call needs to happen: an Asterisk, who is on duty, how long everything takes."""

    asterisk: Asterisk
    agents: tuple[str, ...] = AGENTS[:3]
    branch: str = "vaccine"
    number: str = "0912345678"
    wait_s: float = 12
    talk_s: float = 60
    score: str = ""

    def queued(self) -> Channel:
        caller = self.asterisk.queued(self.branch, self.number)
        self.asterisk.wait(self.wait_s)
        return caller

    def ring(self, caller: Channel, agent: str, seconds: float = 3) -> Channel:
        leg = self.asterisk.channel(f"PJSIP/{seat(agent)}", of=caller)
        leg.note("HL_RING", agent=agent, call=caller.id)
        self.asterisk.wait(seconds)
        return leg

    def take(self, caller: Channel, leg: Channel, agent: str) -> None:
        leg.note("ANSWER")
        leg.note("HL_ANSWER", agent=agent, seat=seat(agent), call=caller.id, wrapup=WRAPUP)

    def answered(self, agent: str, bridge: str = "q") -> tuple[Channel, Channel]:
        caller = self.queued()
        leg = self.ring(caller, agent)
        self.take(caller, leg, agent)
        leg.enter(f"{bridge}-{caller.id}")
        caller.enter(f"{bridge}-{caller.id}")
        self.asterisk.wait(self.talk_s)
        return caller, leg

    def room(self, caller: Channel, *legs: Channel) -> str:
        """All go from the queue's bridge into the room of the call."""
        for one in (caller, *legs):
            one.leave(f"q-{caller.id}")
        caller.note("HL_QUEUE_END", queue=self.branch, why="room")
        return f"room-{caller.id}"

    def over(self, caller: Channel, *legs: Channel) -> None:
        for leg in legs:
            leg.end()
        if self.score:
            self.asterisk.wait(4)
            caller.note("HL_SURVEY", score=self.score)
        caller.end()


def menu_only(line: Line) -> None:
    caller = line.asterisk.caller(line.number)
    caller.note("HL_MENU", menu="main")
    line.asterisk.wait(line.wait_s)
    caller.end()


def self_served(line: Line) -> None:
    caller = line.asterisk.caller(line.number)
    caller.note("HL_BRANCH", branch=line.branch)
    line.asterisk.wait(line.wait_s)
    caller.note("HL_SELF_SERVED", leaf="advice_symptoms")
    caller.end()


def overload(line: Line) -> None:
    caller = line.asterisk.caller(line.number)
    caller.note("HL_REJECTED", why="overload")
    line.asterisk.wait(6)
    caller.end("34")


def gave_up(line: Line) -> None:
    caller = line.queued()
    caller.note("HL_QUEUE_END", queue=line.branch, why="hangup")
    caller.end()


def gave_up_while_it_rang(line: Line) -> None:
    caller = line.queued()
    leg = line.ring(caller, line.agents[0], 2)
    caller.note("HL_QUEUE_END", queue=line.branch, why="hangup")
    caller.end()
    leg.end("26")


def simple(line: Line) -> None:
    caller, leg = line.answered(line.agents[0])
    leg.leave(f"q-{caller.id}")
    caller.leave(f"q-{caller.id}")
    leg.end()
    caller.note("HL_QUEUE_END", queue=line.branch, why="continue")
    line.over(caller)


def missed_first(line: Line) -> None:
    """The first phone rings in vain, the second is answered."""
    caller = line.queued()
    line.ring(caller, line.agents[1], 15).end("19")
    line.asterisk.wait(1.5)
    leg = line.ring(caller, line.agents[0], 4)
    line.take(caller, leg, line.agents[0])
    leg.enter("b2")
    caller.enter("b2")
    line.asterisk.wait(line.talk_s)
    line.over(caller, leg)


def told_wait(line: Line) -> None:
    caller = line.asterisk.queued(line.branch, line.number)
    caller.note("HL_WAIT", queue=line.branch, **{"from": "60", "to": "120"})
    line.asterisk.wait(line.wait_s)
    leg = line.ring(caller, line.agents[0])
    line.take(caller, leg, line.agents[0])
    leg.enter("b3")
    caller.enter("b3")
    line.asterisk.wait(line.talk_s)
    line.over(caller, leg)


def held(line: Line) -> None:
    """The agent holds the caller for twenty seconds."""
    caller, leg = line.answered(line.agents[0])
    for on in ("1", "0"):
        note = line.asterisk.channel("Local/hold@hl-hold")
        note.note("HL_HOLD", leg=leg.id, seat=seat(line.agents[0]), call=caller.id, on=on)
        note.end()
        line.asterisk.wait(20)
    line.over(caller, leg)


def blind(line: Line) -> None:
    """Led on to another agent without a word."""
    first, second = line.agents[:2]
    caller, leg = line.answered(first)
    caller.leave(f"q-{caller.id}")
    caller.note("HL_QUEUE_END", queue=line.branch, why="transfer")
    caller.note("HL_TRANSFER", call=caller.id, how="blind", to=seat(second))
    leg.end()
    other = line.ring(caller, second, 6)
    line.take(caller, other, second)
    other.enter("b4")
    caller.enter("b4")
    line.asterisk.wait(2 * line.talk_s)
    line.over(caller, other)


def blind_to_nobody(line: Line) -> None:
    """Led on to another branch, where nobody comes; the caller gives up."""
    caller, leg = line.answered(line.agents[0])
    caller.leave(f"q-{caller.id}")
    caller.note("HL_QUEUE_END", queue=line.branch, why="transfer")
    caller.note("HL_TRANSFER", call=caller.id, how="blind", to="general")
    leg.end()
    caller.note("HL_BRANCH", branch="general")
    caller.note("HL_QUEUE", queue="operator", ahead="0")
    line.asterisk.wait(line.wait_s)
    caller.note("HL_QUEUE_END", queue="operator", why="hangup")
    caller.end()


def _consult(line: Line, first: str, second: str) -> tuple[Channel, Channel, Channel, str]:
    caller, leg = line.answered(first)
    room = line.room(caller, leg)
    leg.note("HL_TRANSFER", call=caller.id, how="consult", to=seat(second))
    guest = line.asterisk.channel(f"PJSIP/{seat(second)}", of=caller)
    guest.note("HL_LEG", call=caller.id)
    guest.note("HL_RING", agent=second, call=caller.id)
    line.asterisk.wait(5)
    return caller, leg, guest, room


def attended(line: Line) -> None:
    """The agent asks a colleague while the caller hears music, then leaves the two together."""
    first, second = line.agents[:2]
    caller, leg, guest, room = _consult(line, first, second)
    line.take(caller, guest, second)
    leg.enter(room)
    guest.enter(room)
    line.asterisk.wait(25)
    caller.enter(room)
    line.asterisk.wait(0.5)
    leg.end()
    line.asterisk.wait(line.talk_s)
    line.over(caller, guest)


def consult_refused(line: Line) -> None:
    """The colleague does not answer; the agent takes the caller back."""
    first, second = line.agents[:2]
    caller, leg, guest, room = _consult(line, first, second)
    guest.end("21")
    leg.enter(room)
    caller.enter(room)
    line.asterisk.wait(line.talk_s)
    line.over(caller, leg)


def only_asked(line: Line) -> None:
    """The colleague is asked, and does not come in."""
    first, second = line.agents[:2]
    caller, leg, guest, room = _consult(line, first, second)
    line.take(caller, guest, second)
    leg.enter(room)
    guest.enter(room)
    line.asterisk.wait(25)
    guest.end()
    caller.enter(room)
    line.asterisk.wait(line.talk_s)
    line.over(caller, leg)


def conference(line: Line) -> None:
    """Three speak; the first agent leaves before the end."""
    first, second = line.agents[:2]
    caller, leg = line.answered(first)
    room = line.room(caller, leg)
    caller.enter(room)
    leg.enter(room)
    leg.note("HL_TRANSFER", call=caller.id, how="invite", to=seat(second))
    guest = line.ring(caller, second, 5)
    line.take(caller, guest, second)
    guest.enter(room)
    line.asterisk.wait(40)
    leg.end()
    line.asterisk.wait(line.talk_s)
    line.over(caller, guest)


def taken_over(line: Line) -> None:
    """Who leads the floor takes the call over: has no wrap-up, the agent has."""
    first, leads = line.agents[:2]
    caller, leg = line.answered(first)
    own = line.asterisk.channel(f"PJSIP/{seat(leads)}")
    line.asterisk.wait(3)
    own.note("ANSWER")
    own.note("HL_TAKEN", call=caller.id, by=leads, **{"from": first})
    own.note("HL_ANSWER", agent=leads, seat=seat(leads), call=caller.id, wrapup="0")
    room = line.room(caller, leg)
    leg.end()
    own.enter(room)
    caller.enter(room)
    line.asterisk.wait(line.talk_s)
    line.over(caller, own)


def outside(line: Line) -> None:
    """Led on to an agency's telephone."""
    caller, leg = line.answered(line.agents[0])
    caller.leave(f"q-{caller.id}")
    caller.note("HL_QUEUE_END", queue=line.branch, why="transfer")
    caller.note("HL_TRANSFER", call=caller.id, how="blind", to="02373852246")
    caller.note("HL_TRANSFER", call=caller.id, how="blind", to="02373852246")  # by who rings
    leg.end()
    other = line.asterisk.channel("PJSIP/carrier", of=caller)
    line.asterisk.wait(8)
    other.note("ANSWER")
    other.enter("b5")
    caller.enter("b5")
    line.asterisk.wait(line.talk_s)
    line.over(caller, other)


def doctors(line: Line) -> None:
    """The first doctor is busy, the second answers and takes it not, the third does."""
    caller = line.asterisk.caller(line.number)
    caller.note("HL_BRANCH", branch="advice")
    for doctor, seconds, end in (("an", 2, "17"), ("binh", 12, "16"), ("chi", 5, "")):
        caller.note("HL_MENU", menu=f"expert:bs.{doctor}")
        leg = line.asterisk.channel("PJSIP/carrier", of=caller)
        line.asterisk.wait(seconds)
        if end != "17":
            leg.note("ANSWER")
        if end:
            line.asterisk.wait(3)
            leg.end(end)
    leg.enter("b6")
    caller.enter("b6")
    line.asterisk.wait(line.talk_s)
    line.over(caller, leg)


def _asked_doctor(line: Line, doctor: str) -> tuple[Channel, Channel, Channel, str]:
    """The agent rings a doctor while the caller hears music."""
    caller, leg = line.answered(line.agents[0])
    room = line.room(caller, leg)
    leg.note("HL_TRANSFER", call=caller.id, how="consult", to=f"doc-{doctor}")
    guest = line.asterisk.channel("PJSIP/carrier", of=caller)
    guest.note("HL_LEG", call=caller.id)
    line.asterisk.wait(6)
    return caller, leg, guest, room


def doctor_takes_over(line: Line) -> None:
    """A doctor is asked, and the caller handed over."""
    caller, leg, guest, room = _asked_doctor(line, "bs.an")
    guest.note("ANSWER")
    leg.enter(room)
    guest.enter(room)
    line.asterisk.wait(25)
    caller.enter(room)
    line.asterisk.wait(0.5)
    leg.end()
    line.asterisk.wait(line.talk_s)
    line.over(caller, guest)


def doctor_only_asked(line: Line) -> None:
    """A doctor tells the agent what to say."""
    caller, leg, guest, room = _asked_doctor(line, "bs.an")
    guest.note("ANSWER")
    leg.enter(room)
    guest.enter(room)
    line.asterisk.wait(25)
    guest.end()
    caller.enter(room)
    line.asterisk.wait(line.talk_s)
    line.over(caller, leg)


def doctor_is_busy(line: Line) -> None:
    """The doctor who is asked speaks with somebody else."""
    caller, leg, guest, room = _asked_doctor(line, "bs.binh")
    guest.end("17")
    leg.enter(room)
    caller.enter(room)
    line.asterisk.wait(line.talk_s)
    line.over(caller, leg)


def emergency(line: Line) -> None:
    """The service does not answer for twenty seconds; an agent does."""
    caller = line.asterisk.caller(line.number)
    caller.note("HL_EMERGENCY", **{"from": "main"})
    caller.note("HL_BRANCH", branch="emergency")
    caller.note("HL_SERVICE", service="medical")
    leg = line.asterisk.channel("PJSIP/carrier", of=caller)
    line.asterisk.wait(20)
    leg.end("19")
    caller.note("HL_QUEUE", queue="emergency", ahead="0")
    leg = line.ring(caller, line.agents[0], 2)
    line.take(caller, leg, line.agents[0])
    leg.enter("b7")
    caller.enter("b7")
    line.asterisk.wait(line.talk_s)
    line.over(caller, leg)


def voicemail(line: Line) -> None:
    caller = line.queued()
    caller.note("HL_QUEUE_END", queue=line.branch, why="timeout")
    caller.note("HL_VOICEMAIL", file=f"{caller.id}.wav", ms="0")
    line.asterisk.wait(9)
    caller.note("HL_VOICEMAIL", file=f"{caller.id}.wav", ms="9000")
    caller.end()


def callback_owed(line: Line) -> Channel:
    """The caller asks to be called back."""
    caller = line.queued()
    caller.note("HL_QUEUE_END", queue=line.branch, why="callback")
    arrived = str(int(line.asterisk.now.timestamp()))
    caller.note("HL_CALLBACK", number=line.number, queue=line.branch, branch=line.branch,
                arrived=arrived)
    caller.end()
    return caller


def callback(line: Line) -> None:
    """The caller asks to be called back; the agent is rung first, then the citizen."""
    caller = callback_owed(line)
    line.asterisk.wait(60)
    agent = line.agents[0]
    leg = line.asterisk.channel(f"PJSIP/{seat(agent)}")
    leg.note("HL_LEG", call=caller.id)
    leg.note("HL_RING", agent=agent, call=caller.id)
    line.asterisk.wait(3)
    line.take(caller, leg, agent)
    leg.enter("place")
    line.asterisk.wait(2)
    citizen = line.asterisk.channel("PJSIP/carrier")
    line.asterisk.wait(6)
    citizen.note("ANSWER")
    citizen.note("HL_LEG", call=caller.id)
    citizen.note("HL_CALLBACK_TRY", call=caller.id)
    line.asterisk.wait(4)
    citizen.note("HL_CALLBACK_END", call=caller.id, number=line.number, result="done")
    leg.leave("place")
    leg.enter(f"back-{caller.id}")
    citizen.enter(f"back-{caller.id}")
    line.asterisk.wait(line.talk_s)
    leg.end()
    citizen.end()


def lost(line: Line) -> None:
    """The Asterisk that carries the call dies in the middle of the talk."""
    line.answered(line.agents[0])


def wrapup_ended(line: Line) -> None:
    """The agent is ready again before the time for the wrap-up is over."""
    caller, leg = line.answered(line.agents[0])
    line.over(caller, leg)
    line.asterisk.wait(7)
    state(line.asterisk, line.agents[0], "over")


def two_calls_bridged(line: Line) -> None:
    """Two callers come into one bridge with the agent of the first: the talk is that one's."""
    caller, leg = line.answered(line.agents[0])
    second = line.asterisk.queued("testing", "0987654321")
    second.enter(f"q-{caller.id}")
    line.asterisk.wait(15)
    leg.linkedid = second.linkedid
    second.leave(f"q-{caller.id}")
    second.note("HL_QUEUE_END", queue="testing", why="hangup")
    second.end()
    line.over(caller, leg)


def trial(line: Line) -> None:
    """A test call: the agent's time counts, the call does not."""
    caller = line.asterisk.caller(line.number, kind="test")
    caller.note("HL_QUEUE", queue=line.branch, ahead="0")
    leg = line.ring(caller, line.agents[0])
    line.take(caller, leg, line.agents[0])
    leg.enter("b8")
    caller.enter("b8")
    line.asterisk.wait(line.talk_s)
    line.over(caller, leg)


def state(asterisk: Asterisk, agent: str, told: str, reason: str = "") -> None:
    note = asterisk.channel(f"Local/{seat(agent)}@hl-state")
    note.note("HL_STATE", agent=agent, seat=seat(agent), state=told, reason=reason)
    note.end()


Scene = Callable[[Line], object]
SCENES: dict[Scene, int] = {  # how often, beside each other
    menu_only: 8, self_served: 12, overload: 3, gave_up: 10, gave_up_while_it_rang: 3, simple: 30,
    missed_first: 6, told_wait: 6, held: 4, blind: 4, blind_to_nobody: 2, attended: 4,
    consult_refused: 2, only_asked: 2, conference: 2, taken_over: 2, outside: 2, doctors: 2,
    emergency: 2, doctor_takes_over: 2, doctor_only_asked: 1, doctor_is_busy: 1, callback_owed: 1,
    voicemail: 3, callback: 4, wrapup_ended: 4, two_calls_bridged: 1, trial: 2, lost: 1,
}


def a_day(number: int, seed: int) -> list[JournalEvent]:
    """A day of so many calls with agents on their shifts, and an Asterisk that died and came back;
    the same for the same seed."""
    dice = random.Random(seed)
    events: list[JournalEvent] = []
    channels = 0

    def at(boot: str, when: datetime) -> Asterisk:
        nonlocal channels
        channels += 1000
        return Asterisk(boot=boot, at=when, channels=channels)

    dies = MIDNIGHT + timedelta(hours=13, minutes=7)
    comes_back = dies + timedelta(seconds=40)
    again = at("b2", comes_back)
    again.booted()
    events += again.events
    for agent in AGENTS:
        begins = MIDNIGHT + timedelta(hours=dice.uniform(0, 14))
        shift = at("b1" if begins < dies else "b2", max(begins, MIDNIGHT))
        for told, reason in (("ready", ""), ("paused", "lunch"), ("ready", ""), ("out", "")):
            state(shift, agent, told, reason)
            shift.wait(dice.uniform(600, 9_000))
        events += shift.events
    numbers = [f"09{dice.randrange(10**8):08}" for _ in range(number // 2)]
    scenes = dice.choices(list(SCENES), list(SCENES.values()), k=number)
    for scene in scenes:
        when = MIDNIGHT + timedelta(seconds=dice.uniform(0, 85_000))
        boot = "b1" if when < dies else "b2"
        if scene is lost:
            when, boot = dies - timedelta(seconds=dice.uniform(30, 90)), "b1"
        here = at(boot, when)
        scene(Line(
            here, tuple(dice.sample(AGENTS, 3)), dice.choice(BRANCHES), dice.choice(numbers),
            round(dice.choice([2, 8, 19, 45, 150, 400]) * dice.uniform(0.5, 1.5), 3),
            round(dice.uniform(1, 300), 3), dice.choice(["", "", "1", "2", "3", "5"]),
        ))
        events += [
            one for one in here.events if boot == "b2" or one.at < dies
        ]
    return sorted(events, key=lambda one: one.at)
