"""What is clicked at one node's console is done by the node that has the call or the phone."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import cast

import pytest
from sqlalchemy import select

from crm import nodes
from crm.database import Database
from crm.models import LiveAgent, LiveCall, NodeRequest, Seat
from ivr.anywhere import Anywhere, Requests
from ivr.commands import Commands, Outcome, RecordingAct, Result
from ivr.listener import Pace
from tests.ivr.ami_stand_in import AmiStandIn
from tests.ivr.listening import listening

NOW = datetime.now(UTC)
CALL = "th1.b-1795383584.7"  # answered by th1, and now at th2, whose agent it is with
MOBILE = "Local/0912000001@hl-mobile/n"


class Told(Commands):
    """Commands that are written down, and done."""

    def __init__(self) -> None:
        self.done: list[tuple[str, object]] = []

    def pause(self, interface: str, reason: str | None) -> Result:
        self.done.append((interface, reason))
        return Result(Outcome.DONE)

    def move(self, call: str, branch: str) -> Result:
        self.done.append((call, branch))
        return Result(Outcome.REFUSED, "this call does not wait")

    def listen(
        self, call: str, agent: str, own: str, how: str, by: str, *, recorded: bool
    ) -> Result:
        self.done.append((own, how))
        return Result(Outcome.DONE)

    def record(
        self, call: str, interface: str, act: RecordingAct, why: str, by: str
    ) -> Result:
        self.done.append((interface, act))
        return Result(Outcome.DONE)

    def set_switches(self, switches: object) -> Result:
        self.done.append(("switches", switches))
        return Result(Outcome.DONE)


@pytest.fixture
def shared(sqlite: Database) -> Database:
    with sqlite.transaction() as session:
        for number, node in ((1, "th1"), (101, "th2"), (201, "th3")):
            session.add(Seat(name=f"seat-{number:03}", node=node, kind="webrtc", secret="-"))
        session.add(LiveCall(
            id=CALL, node="th2", seq=1, state="waiting", started_at=NOW, since=NOW))
        session.add(LiveAgent(login="lan", node="th2", seq=1, state="ready", since=NOW, queues=[],
                              interface=MOBILE))
    return sqlite


@contextmanager
def served(database: Database, node: str, commands: Commands) -> Iterator[None]:
    """The part of that node's listener that does what others ask."""
    stop, requests = threading.Event(), Requests(database, node, commands)

    def work() -> None:
        while not stop.wait(0.02):
            for request in requests.take():
                requests.carry_out(request)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def at_th1(database: Database, own: Commands) -> Commands:
    return cast(Commands, Anywhere(own, database, "th1"))


def test_each_command_is_done_where_its_call_or_phone_is(shared: Database) -> None:
    here, there = Told(), Told()
    commands = at_th1(shared, here)
    with served(shared, "th2", there):
        assert commands.pause("PJSIP/seat-001", None).done
        assert commands.pause("PJSIP/seat-101", "lunch").done
        assert commands.pause(MOBILE, None).done
        assert commands.record(CALL, "PJSIP/seat-101", RecordingAct.PAUSED, "id", "lan").done
        moved = commands.move(CALL, "testing")
        assert commands.set_switches({"notice": "none"}).done
    assert (moved.outcome, moved.message) == (Outcome.REFUSED, "this call does not wait")
    assert here.done == [("PJSIP/seat-001", None), ("switches", {"notice": "none"})]
    assert there.done == [
        ("PJSIP/seat-101", "lunch"), (MOBILE, None),
        ("PJSIP/seat-101", RecordingAct.PAUSED), (CALL, "testing"),
    ]
    assert isinstance(there.done[2][1], RecordingAct)
    with shared.reading() as session:
        assert session.scalars(select(NodeRequest)).all() == []


@pytest.mark.parametrize(("own", "rung"), [
    ("PJSIP/seat-001", "PJSIP/seat-001@node-th1"),
    ("PJSIP/seat-101", "PJSIP/seat-101"),
    ("PJSIP/seat-201", "PJSIP/seat-201@node-th3"),
])
def test_a_supervisor_listens_with_a_phone_of_any_node(
    shared: Database, own: str, rung: str
) -> None:
    there = Told()
    with served(shared, "th2", there):
        assert at_th1(shared, Told()).listen(
            CALL, "PJSIP/seat-101", own, "whisper", "huy", recorded=True).done
    assert there.done == [(rung, "whisper")]


def test_a_node_that_does_not_answer_does_nothing_afterwards_either(
    shared: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nodes, "TAKEN_WITHIN", timedelta(seconds=0.2))
    there = Told()
    result = at_th1(shared, Told()).pause("PJSIP/seat-101", "lunch")
    assert (result.outcome, result.message) == (Outcome.SILENT, "the node th2 does not answer")
    assert Requests(shared, "th2", there).take() == []
    assert there.done == []


def test_what_was_taken_and_not_answered_is_unknown(
    shared: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ivr.anywhere.ANSWERED_WITHIN_S", 0.4)
    monkeypatch.setattr(nodes, "TAKEN_WITHIN", timedelta(seconds=0.2))
    requests, taken = Requests(shared, "th2", Told()), threading.Event()

    def take() -> None:
        while not requests.take():
            pass
        taken.set()  # and dies

    thread = threading.Thread(target=take)
    thread.start()
    result = at_th1(shared, Told()).pause("PJSIP/seat-101", "lunch")
    thread.join()
    assert result.outcome is Outcome.UNKNOWN


def test_a_request_is_taken_once_or_taken_back(shared: Database) -> None:
    with shared.transaction() as session:
        first = nodes.ask(session, "th2", "pause", {"interface": MOBILE, "reason": None}, NOW)
        old = nodes.ask(session, "th2", "pause", {}, NOW - timedelta(seconds=10))
        other = nodes.ask(session, "th3", "pause", {}, NOW)
    with shared.transaction() as session:
        assert [one.id for one in nodes.take(session, "th2", NOW)] == [first]
        assert nodes.take(session, "th2", NOW) == []
        assert not nodes.take_back(session, first)
        assert nodes.take_back(session, other)
        assert nodes.take(session, "th3", NOW) == []
        nodes.answer(session, first, "done", "x" * 300)
        assert nodes.answered(session, first) == ("done", "x" * 200)
        later = NOW + nodes.FORGOTTEN_AFTER + timedelta(seconds=1)
        nodes.take(session, "th2", later)
    with shared.reading() as session:
        assert {one.id for one in session.scalars(select(NodeRequest))} & {first, old} == set()


@pytest.mark.parametrize(("act", "arguments"), [
    ("set_switches", {"switches": {"overload": "on"}}), ("_run", {}), ("ping", {}),
    ("pause", {"interface": MOBILE}), ("pause", {"interface": MOBILE, "reason": None, "more": 1}),
    ("record", {"call": CALL, "interface": MOBILE, "act": "burnt", "why": "", "by": "lan"}),
])
def test_nothing_else_is_done_for_another_node(
    shared: Database, act: str, arguments: dict[str, object]
) -> None:
    there = Told()
    requests = Requests(shared, "th2", there)
    with shared.transaction() as session:
        asked = nodes.ask(session, "th2", act, arguments, datetime.now(UTC))
    for request in requests.take():
        requests.carry_out(request)
    with shared.reading() as session:
        found = nodes.answered(session, asked)
    assert found is not None
    assert found[0] == Outcome.REFUSED
    assert there.done == []


def test_the_listener_tells_asterisk_what_another_node_asks(shared: Database) -> None:
    with AmiStandIn() as asterisk, listening(
        asterisk, shared, Pace(requests_s=0.02), of=shared
    ):
        asked = cast(Commands, Anywhere(Told(), shared, "th2"))
        result = asked.sign_out("PJSIP/seat-001")
        assert result.done, result.message
        assert {one["Interface"] for one in asterisk.asked("QueueRemove")} == {"PJSIP/seat-001"}
