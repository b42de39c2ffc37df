"""Sending a broadcast: at most once each, at the rate of the load, never to whom has opted out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from itertools import count
from pathlib import Path
from threading import Barrier, Lock, Thread

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.orm import Session

from crm.broadcasts import board, life, load, sending
from crm.broadcasts.errors import BroadcastError
from crm.broadcasts.models import Broadcast, Stage
from crm.calls.facts import JournalEvent
from crm.database import Database
from crm.models import Leg
from crm.notices import delivery, optout, receipts, voice
from crm.notices.delivery import Outgoing, Route, Undelivered
from crm.notices.models import Channel, Notice, OptOut, State
from crm.notices.receipts import Receipt, Taken
from crm.settings import Settings
from tests.crm.broadcasts import factory
from tests.crm.broadcasts.factory import notices, stage_of, started
from tests.crm.broadcasts.past import with_calls
from tests.crm.cases.test_incidents import event
from tests.crm.notices.factory import NIGHT, NOON, after, all_of


class Gateway:
    """Takes what it is given and counts it; `fails` raises for some."""

    def __init__(self, fails: Callable[[Outgoing], None] = lambda outgoing: None) -> None:
        self.taken: Counter[int] = Counter()
        self._fails = fails
        self._lock = Lock()

    def send(self, outgoing: Outgoing) -> str:
        self._fails(outgoing)
        with self._lock:
            self.taken[outgoing.id] += 1
        return f"m{outgoing.id}"

    def ring(self, outgoing: Outgoing) -> str:
        self.send(outgoing)
        return voice.call_of("th1", outgoing)


@pytest.fixture
def executor() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(16) as made:
        yield made


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return factory.settings(tmp_path)


class Sender:
    """Turns of one worker after the other, by a clock that stands where it is put."""

    def __init__(
        self, database: Database, settings: Settings, executor: ThreadPoolExecutor
    ) -> None:
        self.now = NOON + timedelta(seconds=10)
        self._database, self._settings, self._executor = database, settings, executor

    def turn(self, id_: int, gateway: Gateway, channel: Channel = Channel.SMS) -> int:
        route = Route("gateway", gateway.send)
        if channel is Channel.VOICE:
            route = Route("voice", gateway.ring)
        return sending.turn(
            self._database, self._settings, {channel: route}, self._executor, lambda: self.now, id_
        )

    def all(self, id_: int, gateway: Gateway) -> int:
        """Until nothing may go, a second after the other; how many went."""
        count = 0
        while went := self.turn(id_, gateway):
            count += went
            self.now += timedelta(seconds=1)
        return count

    def tend(self, id_: int) -> None:
        with self._database.transaction() as session:
            sending.tend(session, self._settings, id_, self.now)


@pytest.fixture
def sender(database: Database, settings: Settings, executor: ThreadPoolExecutor) -> Sender:
    return Sender(database, settings, executor)


def killed_worker(
    database: Database, settings: Settings, id_: int, now: datetime
) -> list[Outgoing]:
    """What a worker held when it died: claimed, and never noted."""
    with database.transaction() as session:
        claimed = sending._claim(
            session, settings, {Channel.SMS: Route("gateway", lambda outgoing: "")}, id_, now
        )
    assert claimed is not None
    return claimed[1]


def test_everybody_gets_it_once_and_it_ends(
    database: Database, settings: Settings, sender: Sender
) -> None:
    id_, gateway = started(database, settings, 60), Gateway()
    assert sender.all(id_, gateway) == 60
    assert set(gateway.taken.values()) == {1}
    assert len(gateway.taken) == 60
    sender.tend(id_)
    assert stage_of(database, id_) is Stage.DONE
    assert {one.provider_id for one in notices(database, id_, State.SENT)} == {
        f"m{number}" for number in gateway.taken
    }
    with database.reading() as session:
        assert sending.at_work(session) == []


def test_what_is_not_approved_goes_to_nobody(
    database: Database, settings: Settings, sender: Sender
) -> None:
    id_, gateway = factory.written(database, settings), Gateway()
    approved = factory.approved(database, settings)
    assert sender.all(id_, gateway) == sender.all(approved, gateway) == 0
    with database.transaction() as session, pytest.raises(BroadcastError):
        life.start(session, settings, life.locked(session, id_), by="huy", now=NOON)
    # nor by the sender of single notices, which sends the test alone
    one_by_one = delivery.deliver(
        database, {Channel.SMS: Route("gateway", gateway.send)}, lambda: NOON
    )
    assert one_by_one.sent == 1
    assert {one.state for one in notices(database, id_)} == {State.HELD}


def test_what_a_killed_worker_held_is_unknown_and_never_sent_again(
    database: Database, settings: Settings, sender: Sender
) -> None:
    id_, gateway = started(database, settings, 50), Gateway()
    held = {one.id for one in killed_worker(database, settings, id_, sender.now)}
    assert held
    sender.all(id_, gateway)
    assert len(gateway.taken) == 50 - len(held)
    sender.tend(id_)
    assert stage_of(database, id_) is Stage.RUNNING  # they may still be on their way
    sender.now += sending.LEASE
    sender.tend(id_)
    sender.all(id_, gateway)
    assert not held & set(gateway.taken)
    assert {one.id for one in notices(database, id_, State.UNKNOWN)} == held
    assert stage_of(database, id_) is Stage.DONE
    with database.reading() as session:
        found = board.progress(session, session.get_one(Broadcast, id_))
    assert (found.unknown, found.sent, found.total) == (len(held), 50 - len(held), 50)


def test_what_is_unknown_becomes_what_its_provider_reports(
    database: Database, settings: Settings, sender: Sender
) -> None:
    id_ = started(database, settings, 50)
    held = killed_worker(database, settings, id_, sender.now)
    first, second, third = (one.id for one in held[:3])

    def reported(number: int, delivered: bool, reference: int, provider: str = "gateway") -> Taken:
        with database.transaction() as session:
            told = Receipt(provider, f"m{number}", delivered, "", reference)
            return receipts.take(session, told, sender.now)

    assert reported(first, True, first) is Taken.NOTED  # before anybody knows of the death
    sender.now += sending.LEASE
    sender.tend(id_)
    assert reported(second, True, second) is Taken.NOTED
    assert reported(third, False, third) is Taken.NOTED
    assert reported(second, False, second) is Taken.KNOWN  # the first word counts
    assert reported(99, True, held[3].id, provider="twilio") is Taken.UNKNOWN  # not their message
    states = {one.id: one.state for one in notices(database, id_)}
    assert [states[one] for one in (first, second, third, held[3].id)] == [
        State.DELIVERED, State.DELIVERED, State.FAILED, State.UNKNOWN
    ]


def test_a_worker_that_was_very_slow_is_believed(
    database: Database, settings: Settings, sender: Sender
) -> None:
    id_ = started(database, settings, 50)
    held = killed_worker(database, settings, id_, sender.now)
    sender.now += sending.LEASE
    sender.tend(id_)
    fates = {
        one.id: sending._Fate(one, provider_id=f"m{one.id}") for one in held[:-1]
    } | {held[-1].id: sending._Fate(held[-1], error=Undelivered("too late", final=True))}
    with database.transaction() as session:
        sending._note(session, id_, fates, sender.now)
    assert {one.id for one in notices(database, id_, State.SENT)} == {one.id for one in held[:-1]}
    assert [one.id for one in notices(database, id_, State.UNKNOWN)] == [held[-1].id]


def test_what_a_provider_may_have_taken_is_not_sent_again(
    database: Database, settings: Settings, sender: Sender
) -> None:
    def unsure(outgoing: Outgoing) -> None:
        raise Undelivered("the gateway 502 for 84912000001", final=False, unsure=True)

    id_, gateway = started(database, settings, 50), Gateway()
    sender.turn(id_, Gateway(unsure))
    unknown = notices(database, id_, State.UNKNOWN)
    assert unknown
    assert "84912000001" not in (unknown[0].error or "")
    sender.now += timedelta(hours=1)
    sender.all(id_, gateway)
    assert not {one.id for one in unknown} & set(gateway.taken)


def test_what_was_certainly_not_taken_is_tried_again(
    database: Database, settings: Settings, sender: Sender
) -> None:
    def refused(outgoing: Outgoing) -> None:
        raise Undelivered("connection refused", final=False, throttled=True)

    id_, gateway = started(database, settings, 50), Gateway()
    sender.turn(id_, Gateway(refused))
    assert sender.turn(id_, gateway) == 0  # the provider takes nothing for a while
    sender.now += timedelta(seconds=60)
    sender.all(id_, gateway)
    assert len(gateway.taken) == 50


def test_who_opts_out_meanwhile_gets_nothing(
    database: Database, settings: Settings, sender: Sender
) -> None:
    id_, gateway = started(database, settings, 60), Gateway()
    sender.turn(id_, gateway)
    leaver = notices(database, id_)[40]
    with database.transaction() as session:
        assert optout.take_reply(session, f"+84{leaver.recipient[1:]}", "TUCHOI", sender.now)
    sender.all(id_, gateway)
    assert leaver.id not in gateway.taken
    assert [one.id for one in notices(database, id_, State.SUPPRESSED)] == [leaver.id]


def test_a_pause_begins_nothing_more_and_a_stop_ends_it(
    database: Database, settings: Settings, sender: Sender
) -> None:
    id_, gateway = started(database, settings, 60), Gateway()
    first = sender.turn(id_, gateway)
    for act, stage in ((life.pause, Stage.PAUSED), (life.resume, Stage.RUNNING)):
        with database.transaction() as session:
            act(session, life.locked(session, id_), by="huy", now=sender.now)
        assert stage_of(database, id_) is stage
        if stage is Stage.PAUSED:
            assert sender.turn(id_, gateway) == 0
    second = sender.turn(id_, gateway)
    assert second >= 1
    with database.transaction() as session:
        life.stop(session, life.locked(session, id_), by="huy", now=sender.now)
    assert sender.turn(id_, gateway) == 0
    assert len(notices(database, id_, State.CANCELLED)) == 60 - first - second
    with database.transaction() as session, pytest.raises(BroadcastError):
        life.resume(session, life.locked(session, id_), by="huy", now=sender.now)


def test_at_night_only_what_is_urgent_goes(
    database: Database, settings: Settings, sender: Sender
) -> None:
    factory.agents(database, 100)
    calm = started(database, settings, 50, urgent=False)
    urgent = started(database, settings, 50)
    sender.now, gateway = NIGHT, Gateway()
    assert sender.turn(calm, gateway) == 0
    assert sender.turn(urgent, gateway) > 0
    sender.now = NIGHT + timedelta(hours=9)
    assert sender.turn(calm, gateway) > 0


def test_the_rate_is_that_of_the_calls_that_agents_can_take(
    sqlite: Database, settings: Settings, executor: ThreadPoolExecutor
) -> None:
    sender = Sender(sqlite, settings, executor)
    id_, gateway = started(sqlite, settings, 300, urgent=False), Gateway()
    assert sender.turn(id_, gateway) == 0  # nobody is there to take a call
    factory.agents(sqlite, 13)
    # 13 agents × 3600 s ÷ 260 s a call × 50 % ÷ 5 % who call back = 1800 messages an hour
    sender.now += load.RATED_FOR
    begin = sender.now
    while sender.now < begin + timedelta(minutes=2):
        sender.turn(id_, gateway)
        sender.now += timedelta(seconds=0.5)
    assert 58 <= len(gateway.taken) <= 64  # 30 a minute


@given(
    per_hour=st.integers(1, 200_000),
    steps=st.lists(st.tuples(st.integers(0, 20_000), st.integers(1, 40)), max_size=60),
)
def test_no_pattern_of_waking_exceeds_the_rate(
    per_hour: int, steps: list[tuple[int, int]]
) -> None:
    now, sent, settings = NOON, 0, factory.settings(Path("/nowhere"))
    broadcast = Broadcast(per_hour=per_hour, rated_at=NOON + timedelta(hours=1))
    for milliseconds, wanted in steps:
        now += timedelta(milliseconds=milliseconds)
        with Session() as nowhere:
            count = load.allowed(nowhere, settings, broadcast, now, wanted)
        load.gone(broadcast, count, now)
        sent += count
        most = (now - NOON + load.BURST) / timedelta(hours=1) * per_hour
        assert sent <= most + 1.001


def test_two_broadcasts_share_what_the_hotline_can_take(
    sqlite: Database, settings: Settings
) -> None:
    factory.agents(sqlite, 13)
    one = started(sqlite, settings, 50, urgent=False)
    with sqlite.reading() as session:
        alone = load.expected(session, settings, session.get_one(Broadcast, one), 50, NOON)
    started(sqlite, settings, 50, urgent=False)
    with sqlite.reading() as session:
        both = load.expected(session, settings, session.get_one(Broadcast, one), 50, NOON)
    assert (alone.per_hour, both.per_hour) == (1800, 900)
    assert (alone.calls, alone.minutes, alone.measured) == (2, 2, False)


def test_many_workers_send_nothing_twice(database: Database, settings: Settings) -> None:
    id_, gateway, together = started(database, settings, 300), Gateway(), Barrier(4)
    shared = {Channel.SMS: Route("gateway", gateway.send)}
    faults: list[BaseException] = []

    def work() -> None:
        try:
            with ThreadPoolExecutor(8) as executor:
                together.wait(10)
                seconds = count(10)
                while len(gateway.taken) < 300:
                    sending.turn(
                        database, settings, shared, executor, lambda: after(next(seconds)), id_
                    )
        except BaseException as error:
            faults.append(error)

    workers = [Thread(target=work) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    assert faults == []
    assert (len(gateway.taken), max(gateway.taken.values())) == (300, 1)


def test_where_most_are_refused_a_person_looks_first(
    database: Database, settings: Settings, sender: Sender
) -> None:
    def refused(outgoing: Outgoing) -> None:
        raise Undelivered("the gateway 400", final=True)

    id_ = started(database, settings, 60)
    for _ in range(2):
        sender.turn(id_, Gateway(refused))
        sender.tend(id_)
    assert stage_of(database, id_) is Stage.PAUSED
    assert "pauses: 32 of 32" in all_of(database)[-1].body  # to the engineers
    with database.transaction() as session:
        life.resume(session, life.locked(session, id_), by="huy", now=sender.now)
    gateway = Gateway()
    sender.turn(id_, gateway)
    sender.tend(id_)
    assert stage_of(database, id_) is Stage.RUNNING  # who has looked decides
    sender.all(id_, gateway)
    assert len(gateway.taken) == 28


def heard(database: Database, call: str, what: str = "HL_TOLD") -> None:
    told: JournalEvent = event(what, "", "0912000000", "x", NOON, call=call)
    with database.transaction() as session:
        voice.apply(session, [told])


@pytest.fixture
def spoken(sqlite: Database, tmp_path: Path) -> tuple[Settings, int]:
    """A spoken one that runs, on two channels."""
    settings = factory.settings(tmp_path, trunk_server="127.0.0.1", broadcast_channels="2")
    id_ = factory.approved(sqlite, settings, 60, channel=Channel.VOICE)
    with sqlite.transaction() as session:
        broadcast = life.locked(session, id_)
        with pytest.raises(BroadcastError, match="sound"):
            life.start(session, settings, broadcast, by="lan", now=NOON)
        board.note_sound(session, id_, NOON)
    with sqlite.transaction() as session:
        life.start(session, settings, life.locked(session, id_), by="lan", now=NOON)
    return settings, id_


def test_calls_never_take_more_channels_than_they_may(
    sqlite: Database, spoken: tuple[Settings, int], executor: ThreadPoolExecutor
) -> None:
    settings, id_ = spoken
    sender, rung = Sender(sqlite, settings, executor), Gateway()
    assert sum(sender.turn(id_, rung, Channel.VOICE) for _ in range(3)) == 2
    sender.now += timedelta(seconds=5)
    assert sender.turn(id_, rung, Channel.VOICE) == 0
    first = notices(sqlite, id_)[0]
    with sqlite.transaction() as session:  # the journal tells that its call is over
        session.add(Leg(
            id="th1.b1-7.1", call_id=first.provider_id or "", kind="outside", endpoint="carrier",
            started_at=NOON, ended_at=sender.now,
        ))
    assert sender.turn(id_, rung, Channel.VOICE) == 1


def test_who_does_not_listen_is_rung_again_and_who_presses_9_never(
    sqlite: Database, spoken: tuple[Settings, int], executor: ThreadPoolExecutor
) -> None:
    settings, id_ = spoken
    sender, rung = Sender(sqlite, settings, executor), Gateway()
    while sender.turn(id_, rung, Channel.VOICE):
        pass
    first, second, *_ = notices(sqlite, id_)
    assert first.provider_id == f"th1.notice-{first.id}.1"
    heard(sqlite, first.provider_id)
    heard(sqlite, first.provider_id, "HL_OPT_OUT")
    assert notices(sqlite, id_)[0].state == State.DELIVERED
    with sqlite.reading() as session:
        assert session.get_one(OptOut, first.recipient).by == "key"
    sender.now += voice.HEARD_WITHIN + timedelta(minutes=1)
    sender.tend(id_)
    assert notices(sqlite, id_)[1].state == State.WAITING
    with sqlite.transaction() as session:
        session.get_one(Notice, second.id).state = State.SENT
        session.get_one(Notice, second.id).attempts = settings.broadcast_tries
    sender.tend(id_)
    assert notices(sqlite, id_)[1].state == State.FAILED


def test_the_past_tells_how_many_call_back(sqlite: Database, settings: Settings) -> None:
    id_ = with_calls(sqlite, settings, recipients=200, callers=30)
    with sqlite.transaction() as session:
        assert load.count_back(session, after(3600)) == 0  # its day is not over
        assert load.count_back(session, NOON + timedelta(days=2)) == 1
        assert session.get_one(Broadcast, id_).called_back == 30
        found = load.expected(session, settings, session.get_one(Broadcast, id_), 100, NOON)
    assert (found.measured, found.back, found.calls) == (True, 0.15, 15)
