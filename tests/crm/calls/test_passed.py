"""A call that crossed nodes is one call, whichever journal is read first and in what parts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from threading import Thread

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from crm.calls import callbacks, passed, record
from crm.calls.facts import JournalEvent
from crm.database import Database
from crm.models import Boot, Call, Callback, CallSegment, Leg
from ivr import ledger
from ivr.journal import Tailer
from tests.journals import START, Asterisk, Channel, encode


@dataclass
class Crossing:
    """A caller whom th1 has answered and th2 has in a queue."""

    first: Asterisk
    second: Asterisk
    caller: Channel
    way: Channel  # from th1 to th2
    there: Channel  # the caller on th2

    def wait(self, seconds: float) -> None:
        self.first.wait(seconds)
        self.second.now = self.first.now

    def taken(self) -> Channel:
        """An agent of th2 answers and speaks with the caller."""
        self.there.note("HL_QUEUE", queue="vaccine", ahead="0")
        agent = self.second.channel("PJSIP/seat-101", of=self.there)
        self.second.wait(3)
        agent.note("ANSWER")
        agent.note("HL_ANSWER", agent="lan", seat="seat-101", call=self.caller.id, wrapup="20")
        agent.enter("br-2")
        self.there.enter("br-2")
        return agent

    def over(self) -> None:
        for one in (self.there, self.way, self.caller):
            one.end()

    @property
    def events(self) -> list[JournalEvent]:
        return [*self.first.events, *self.second.events]


def crossing(number: str = "0912345678") -> Crossing:
    first, second = Asterisk("th1"), Asterisk("th2", "c1")
    caller = first.caller(number)
    caller.note("HL_MENU", menu="main")
    caller.note("HL_KEY", menu="main", key="3")
    caller.note("HL_BRANCH", branch="vaccine")
    way = first.channel("PJSIP/node-th2", of=caller)
    second.now = first.now
    there = second.channel("PJSIP/node-th1", context="from-node")
    there.note("HL_PASSED", call=caller.id, queue="vaccine")
    for one in (caller, way):
        one.enter("br-1")
    return Crossing(first, second, caller, way, there)


@pytest.fixture
def session(sqlite: Database) -> Iterator[Session]:
    with sqlite.transaction() as opened:
        yield opened


def read(session: Session, events: Sequence[JournalEvent]) -> None:
    told = passed.resolved(session, events)
    record.apply(session, told)
    callbacks.apply(session, told)


def test_what_another_node_does_with_a_caller_stands_with_the_first_call(session: Session) -> None:
    calls = crossing()
    calls.wait(5)
    agent = calls.taken()
    calls.second.wait(30)
    agent.end()
    calls.there.leave("br-2")
    calls.there.note("HL_SURVEY", score="1")
    calls.first.now = calls.second.now
    calls.over()
    read(session, calls.events)
    call = session.scalars(select(Call)).one()
    assert (call.id, call.node, call.outcome, call.agent, call.queue, call.satisfaction) == (
        calls.caller.id, "th1", "answered", "lan", "vaccine", 1)
    assert ((call.wait_ms or 0) // 1000, call.talk_ms // 1000) == (3, 30)
    assert {(leg.id, leg.kind) for leg in session.scalars(
        select(Leg).where(Leg.call_id == calls.caller.id))} == {
        (calls.way.id, "node"), (calls.there.id, "node"), (agent.id, "agent")}
    assert [(one.what, one.agent) for one in session.scalars(
        select(CallSegment).order_by(CallSegment.number))] == [
        ("wait", None), ("offer", "lan"), ("talk", "lan"), ("wrapup", "lan")]


def rows(session: Session) -> list[object]:
    session.flush()
    kept = [
        [{name: getattr(row, name) for name in row.__mapper__.columns.keys()}  # noqa: SIM118
         for row in session.scalars(select(model).order_by(*model.__mapper__.primary_key))]
        for model in (Call, Leg, CallSegment)
    ]
    return [kept, sorted(tuple(one) for one in session.execute(select(Boot.node, Boot.name)))]


@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_any_interleaving_and_cut_of_both_journals_leads_to_the_same_rows(
    databases: object, data: st.DataObject
) -> None:
    calls = crossing()
    calls.wait(5)
    agent = calls.taken()
    calls.second.wait(30)
    agent.end()
    calls.there.leave("br-2")
    calls.first.now = calls.second.now
    calls.over()
    journals = [calls.first.events, calls.second.events]
    with databases.new("sqlite") as database, database.transaction() as session:  # type: ignore[attr-defined]
        read(session, journals[0])
        read(session, journals[1])
        once = rows(session)
        for model in (CallSegment, Leg, Call, Boot):
            session.execute(delete(model))
        session.expunge_all()
        while any(journals):
            which = data.draw(st.sampled_from([at for at in (0, 1) if journals[at]]))
            count = data.draw(st.integers(1, len(journals[which])))
            read(session, journals[which][:count])
            if data.draw(st.booleans()):
                read(session, journals[which][:count])  # once more
            journals[which] = journals[which][count:]
        assert rows(session) == once


def test_a_node_that_dies_ends_the_talk_and_not_the_call(session: Session) -> None:
    calls = crossing()
    agent = calls.taken()
    calls.second.wait(10)
    agent.note("HL_HOLD", leg=agent.id, seat="seat-101", call=calls.caller.id, on="0")
    read(session, calls.events)
    again = Asterisk("th2", "c2", calls.second.now + timedelta(seconds=20))
    again.booted()
    calls.first.now = again.now + timedelta(seconds=60)
    calls.over()
    read(session, calls.first.events)
    read(session, again.events)
    call = session.scalars(select(Call)).one()
    assert (call.outcome, call.talk_ms // 1000) == ("answered", 10)
    legs = session.scalars(select(Leg)).all()
    assert len(legs) == 3
    assert all(leg.ended_at for leg in legs)


def test_a_node_that_dies_with_its_callers_leaves_them_lost_and_nobody_elses(
    session: Session,
) -> None:
    calls = crossing()
    calls.taken()
    other = calls.second.caller("0912000002")
    read(session, calls.events)
    again = Asterisk("th1", "b2", calls.second.now + timedelta(seconds=20))
    again.booted()
    read(session, again.events)
    assert {call.id: call.outcome for call in session.scalars(select(Call))} == {
        calls.caller.id: "lost", other.id: None}


def test_a_call_back_asked_for_on_another_node_is_that_of_the_call(session: Session) -> None:
    calls = crossing()
    calls.there.note("HL_QUEUE", queue="vaccine", ahead="3")
    calls.there.note("HL_CALLBACK", number="0912345678", queue="vaccine", branch="vaccine",
                     arrived=str(int(START.timestamp())))
    calls.over()
    read(session, calls.events)
    assert session.scalars(select(Callback.id)).one() == calls.caller.id
    assert session.scalars(select(Call.outcome)).one() == "callback"


def test_what_a_caller_says_makes_no_call_of_another_node(session: Session) -> None:
    asterisk = Asterisk()
    caller = asterisk.caller()
    caller.note("HL_PASSED", call="th2.c1-1.1")  # only a node's channel may say so
    node = asterisk.channel("PJSIP/node-th2")
    node.note("HL_PASSED", call="../../etc")
    node.note("HL_QUEUE", queue="vaccine", ahead="0")
    caller.end()
    read(session, asterisk.events)
    call = session.scalars(select(Call)).one()
    assert (call.id, call.queue) == (caller.id, None)


def test_the_tailers_of_two_nodes_write_the_same_call_at_once(
    database: Database, tmp_path: Path
) -> None:
    first, second = Asterisk("th1"), Asterisk("th2", "c1")
    told = []
    for number in range(40):
        caller = first.caller(f"09120{number:05}")
        there = second.channel("PJSIP/node-th1", context="from-node")
        there.note("HL_PASSED", call=caller.id, queue="vaccine")
        there.note("HL_QUEUE", queue="vaccine", ahead="0")
        agent = second.channel("PJSIP/seat-101", of=there)
        agent.note("ANSWER")
        agent.note("HL_ANSWER", agent="lan", seat="seat-101", call=caller.id)
        agent.enter(f"br-{number}")
        there.enter(f"br-{number}")
        second.wait(4)
        agent.end()
        there.leave(f"br-{number}")
        there.end()
        first.wait(5)
        caller.end()
        told.append(caller.id)
    tailers = []
    for asterisk in (first, second):
        folder = tmp_path / asterisk.node
        folder.mkdir()
        whole = encode(asterisk.events)
        (folder / "journal.csv").write_bytes(whole[:1])
        tailers.append((Tailer(database, folder, asterisk.node, lambda: START), folder, whole))

    def follow(tailer: Tailer, folder: Path, whole: bytes) -> None:
        for end in range(0, len(whole) + 3000, 3000):
            (folder / "journal.csv").write_bytes(whole[:end])
            while tailer.step():
                pass

    threads = [Thread(target=follow, args=one) for one in tailers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with database.reading() as session:
        assert {(one.id, one.outcome, one.agent) for one in session.scalars(select(Call))} == {
            (id_, "answered", "lan") for id_ in told}
        for node in ("th1", "th2"):
            found = ledger.check(session, tmp_path / node, node)
            assert (found.unexplained, found.unread_bytes, found.open) == ((), 0, 0)


def test_a_call_of_which_only_the_other_node_has_told_is_no_fault(
    sqlite: Database, tmp_path: Path
) -> None:
    calls = crossing()
    calls.taken()
    before = Asterisk("th1", "b0", START - timedelta(hours=1))
    before.caller().end()
    (tmp_path / "th1").mkdir()
    (tmp_path / "th1" / "journal.csv").write_bytes(encode(before.events))
    tailer = Tailer(sqlite, tmp_path / "th1", "th1", lambda: START)
    while tailer.step():
        pass
    with sqlite.transaction() as session:
        read(session, calls.second.events)
    with sqlite.reading() as session:
        assert ledger.check(session, tmp_path / "th1", "th1").unexplained == ()
