"""Notices from the outbox to the provider and back, whatever the channel."""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from crm.database import Database
from crm.notices import board, delivery, hours, optout, outbox, receipts
from crm.notices.delivery import ATTEMPTS, LEASE, Delivered, Outgoing, Route, Undelivered
from crm.notices.models import Channel, Purpose, State
from crm.notices.outbox import Attachment, NoticeError
from crm.notices.receipts import Receipt, Taken
from crm.notices.states import MOVES, StateError, move
from tests.crm.notices.factory import (
    NIGHT,
    NOON,
    PHONE,
    after,
    all_of,
    deliver,
    only,
    settings,
    written,
)

QUIET = settings(Path("/nonexistent")).quiet_hours


def taken(outgoing: Outgoing) -> str:
    return f"p{outgoing.id}"


def refused(outgoing: Outgoing) -> str:
    raise Undelivered("down", final=False)


def reported(database: Database, number: str, *, delivered: bool = True) -> Taken:
    with database.transaction() as session:
        return receipts.take(session, Receipt("stand-in", number, delivered, "expired"), NOON)


def test_what_is_written_is_sent_and_reported_as_delivered(database: Database) -> None:
    written(database, key="case:1:opened")
    assert deliver(database, taken) == Delivered(sent=1, failed=0)
    notice = only(database)
    assert (notice.state, notice.provider_id) == (State.SENT, f"p{notice.id}")
    assert reported(database, f"p{notice.id}") is Taken.NOTED
    assert only(database).state == State.DELIVERED
    assert only(database).ended_at == NOON


def test_a_transaction_that_fails_sends_nothing(database: Database) -> None:
    with suppress(RuntimeError), database.transaction() as session:
        outbox.write(session, channel=Channel.SMS, recipient=PHONE, body="x", now=NOON,
                     purpose=Purpose.CASE)
        raise RuntimeError
    assert all_of(database) == []


def test_a_key_is_written_once(database: Database) -> None:
    assert written(database, key="report:2026-11-01") is not None
    assert written(database, key="report:2026-11-01") is None
    assert written(database, key="report:2026-11-02") is not None
    assert len(all_of(database)) == 2


def test_a_key_is_written_once_by_workers_that_race(database: Database) -> None:
    start = threading.Barrier(4)
    results: list[bool] = []

    def write() -> None:
        start.wait()
        with database.transaction() as session:
            notice = outbox.write(
                session, channel=Channel.SMS, recipient=PHONE, body="x", now=NOON,
                purpose=Purpose.CASE, key="one",
            )
            time.sleep(0.05)  # the others come while this one is not committed
        results.append(notice is not None)

    threads = [threading.Thread(target=write) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) == [False, False, False, True]
    only(database)


def test_two_workers_send_each_notice_once(database: Database) -> None:
    for _ in range(20):
        written(database)
    sent: list[int] = []
    start = threading.Barrier(2)

    def send(outgoing: Outgoing) -> str:
        sent.append(outgoing.id)
        time.sleep(0.002)
        return taken(outgoing)

    def work() -> None:
        start.wait()
        deliver(database, send)

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(sent) == len(set(sent)) == 20
    assert {one.state for one in all_of(database)} == {State.SENT}


def test_a_worker_that_dies_leaves_its_notice_to_another_one(database: Database) -> None:
    class Dies(BaseException):
        pass

    def dies(outgoing: Outgoing) -> str:
        raise Dies

    written(database)
    with pytest.raises(Dies):
        deliver(database, dies)
    assert only(database).state == State.SENDING
    assert deliver(database, taken, NOON + LEASE - timedelta(seconds=1)).sent == 0
    assert deliver(database, taken, NOON + LEASE).sent == 1


def test_a_slow_worker_does_not_undo_what_another_one_did(database: Database) -> None:
    written(database)

    def slow(outgoing: Outgoing) -> str:
        assert deliver(database, taken, NOON + LEASE).sent == 1
        raise Undelivered("too late", final=True)

    deliver(database, slow)
    assert only(database).state == State.SENT


def test_pauses_grow_and_end(sqlite: Database) -> None:
    written(sqlite)
    now, pauses = NOON, []
    while only(sqlite).state == State.WAITING:
        assert deliver(sqlite, refused, now).failed == 1
        pauses.append((only(sqlite).next_attempt_at - now).total_seconds())
        now = only(sqlite).next_attempt_at
    assert pauses[:7] == [30, 60, 120, 240, 480, 960, 1800]
    assert max(pauses) == 1800
    assert (only(sqlite).state, only(sqlite).attempts) == (State.FAILED, ATTEMPTS)
    assert only(sqlite).error == "down"


def test_a_fault_in_an_adapter_stops_no_other_notice(sqlite: Database) -> None:
    written(sqlite, body="bad")
    written(sqlite, body="good")

    def send(outgoing: Outgoing) -> str:
        if outgoing.body == "bad":
            raise KeyError("a fault of ours")
        return taken(outgoing)

    assert deliver(sqlite, send) == Delivered(sent=1, failed=1)
    assert [one.state for one in all_of(sqlite)] == [State.WAITING, State.SENT]


def test_a_code_that_would_come_too_late_is_not_sent(sqlite: Database) -> None:
    written(sqlite, purpose=Purpose.CODE)
    deliver(sqlite, refused)
    assert deliver(sqlite, taken, after(15 * 60 + 1)) == Delivered(0, 0)
    assert only(sqlite).state == State.FAILED


def test_a_channel_without_a_provider_waits(sqlite: Database) -> None:
    written(sqlite, channel=Channel.ZALO, template="1")
    assert deliver(sqlite, taken) == Delivered(0, 0)
    assert only(sqlite).state == State.WAITING


def test_at_night_only_what_is_urgent_goes_and_e_mail(sqlite: Database) -> None:
    written(sqlite, NIGHT)
    written(sqlite, NIGHT, urgent=True)
    written(sqlite, NIGHT, purpose=Purpose.CODE)  # somebody waits for it
    written(sqlite, NIGHT, channel=Channel.EMAIL, recipient="a@example.vn")
    routes = dict.fromkeys(Channel, Route("stand-in", taken))
    assert delivery.deliver(sqlite, routes, lambda: NIGHT, QUIET).sent == 3
    assert [one.state == State.WAITING for one in all_of(sqlite)] == [True, False, False, False]
    assert delivery.deliver(sqlite, routes, lambda: NIGHT + timedelta(hours=8), QUIET).sent == 1


@given(st.integers(0, 366 * 86400), st.times(), st.times())
def test_quiet_hours_begin_and_end_as_set(second: int, begin: object, end: object) -> None:
    now = NOON + timedelta(seconds=second)
    quiet = (begin, end)
    assume(begin != end)
    inside = hours.are_quiet(now, quiet)  # type: ignore[arg-type]
    outside = hours.are_quiet(now, (end, begin))  # type: ignore[arg-type]
    assert inside != outside
    last = hours.last_end(now, quiet)  # type: ignore[arg-type]
    assert last is not None
    assert timedelta() <= now - last <= timedelta(days=1)
    assert not hours.are_quiet(last, quiet)  # type: ignore[arg-type]


def opted_out(database: Database) -> None:
    with database.transaction() as session:
        optout.add(session, "+84912345678", by="quan", now=NOON)
        optout.add(session, PHONE, by="quan", now=NOON)  # twice changes nothing


def test_who_opted_out_gets_only_what_they_wait_for(database: Database) -> None:
    opted_out(database)
    for purpose in Purpose:
        written(database, purpose=purpose)
    written(database, urgent=True)
    deliver(database, taken)
    held = {one.purpose for one in all_of(database) if one.state == State.SUPPRESSED}
    assert held == {"case", "reminder", "report", "broadcast", "knowledge"}
    assert all_of(database)[-1].state == State.SENT
    with database.transaction() as session:
        optout.remove(session, PHONE)
    written(database)
    assert deliver(database, taken).sent == 1


@pytest.mark.parametrize(("text", "leaves"), [
    ("STOP", True), ("Tu choi", True), (" từ chối. ", True), ("TUCHOI", True),
    ("Cảm ơn", False), ("khong stop nhe", False), ("", False),
])
def test_replies_that_opt_out(sqlite: Database, text: str, leaves: bool) -> None:
    for _ in range(2):
        with sqlite.transaction() as session:
            assert optout.take_reply(session, "84912345678", text, NOON) is leaves
    assert [one.body for one in all_of(sqlite)] == [optout.CONFIRMED] * leaves  # confirmed once
    assert deliver(sqlite, taken).sent == int(leaves)


def test_the_list_takes_what_can_be_reached_only(sqlite: Database) -> None:
    with sqlite.transaction() as session:
        with pytest.raises(optout.OptOutError):
            optout.add(session, "nobody", by="quan", now=NOON)
        with pytest.raises(optout.OptOutError):
            optout.remove(session, PHONE)


def test_reports_that_come_twice_or_late_change_nothing(database: Database) -> None:
    written(database)
    deliver(database, taken)
    number = only(database).provider_id or ""
    assert reported(database, number) is Taken.NOTED
    assert reported(database, number) is Taken.KNOWN
    assert reported(database, number, delivered=False) is Taken.KNOWN
    assert only(database).state == State.DELIVERED


def test_reports_with_unknown_ids_are_counted_once_and_forgotten(database: Database) -> None:
    assert reported(database, "x") is Taken.UNKNOWN
    assert reported(database, "x") is Taken.UNKNOWN
    with database.transaction() as session:
        assert receipts.strays(session) == 1
        receipts.forget_strays(session, NOON + timedelta(days=8))
        assert receipts.strays(session) == 0


def test_a_report_that_is_faster_than_our_own_note_is_not_lost(database: Database) -> None:
    written(database)

    def send(outgoing: Outgoing) -> str:
        reported(database, "fast", delivered=False)
        return "fast"

    deliver(database, send)
    assert (only(database).state, only(database).error) == (State.FAILED, "stand-in: expired")


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("to", State)
def test_only_the_moves_of_the_table_are_allowed(
    sqlite: Database, state: State, to: State
) -> None:
    written(sqlite)
    notice = only(sqlite)
    notice.state = state
    if to in MOVES[state]:
        move(notice, to, NOON)
        assert notice.state == to
        assert (notice.ended_at is None) == (to in (State.WAITING, State.SENDING, State.SENT))
    else:
        with pytest.raises(StateError):
            move(notice, to, NOON)


@pytest.mark.parametrize("values", [
    {"recipient": "abc"}, {"recipient": ""}, {"body": "  "}, {"purpose": "advertising"},
    {"channel": Channel.EMAIL}, {"channel": Channel.EMAIL, "recipient": "a@b.vn\nBcc: c@d.vn"},
    {"subject": "a\r\nBcc: x@example.vn"}, {"files": [Attachment("a.pdf", "application/pdf", b"")]},
    {"channel": Channel.EMAIL, "recipient": "a@b.vn",
     "files": [Attachment("../a", "application/pdf", b"")]},
    {"channel": Channel.EMAIL, "recipient": "a@b.vn", "files": [Attachment("a", "pdf", b"")]},
])
def test_what_cannot_be_sent_is_not_written(sqlite: Database, values: dict[str, Any]) -> None:
    with pytest.raises(NoticeError):
        written(sqlite, **values)
    assert all_of(sqlite) == []


def test_what_waits_too_long_and_what_failed_is_trouble(
    sqlite: Database, tmp_path: Path
) -> None:
    at = settings(tmp_path)

    def trouble(now: datetime) -> board.Trouble:
        with sqlite.reading() as session:
            return board.trouble(session, at, now)

    written(sqlite, now=NIGHT)
    assert trouble(NIGHT + timedelta(hours=2)) == board.Trouble(late=0, failed=0)  # rests
    morning = NIGHT + timedelta(hours=8)  # 7:00
    assert trouble(morning + timedelta(minutes=9)).late == 0
    assert trouble(morning + timedelta(minutes=11)).late == 1
    written(sqlite, now=NIGHT, urgent=True)
    assert trouble(NIGHT + timedelta(minutes=11)).late == 1

    def never(outgoing: Outgoing) -> str:
        raise Undelivered("no such number", final=True)

    deliver(sqlite, never, morning)
    assert trouble(morning + timedelta(hours=1)) == board.Trouble(late=0, failed=2)
    assert trouble(morning + timedelta(days=8)) == board.Trouble(late=0, failed=0)


def test_what_failed_is_sent_again_by_hand(sqlite: Database) -> None:
    def never(outgoing: Outgoing) -> str:
        raise Undelivered("no such number", final=True)

    written(sqlite)
    deliver(sqlite, never)
    number = only(sqlite).id
    with sqlite.transaction() as session:
        board.retry(session, number, after(60))
    assert deliver(sqlite, taken, after(60)).sent == 1
    with pytest.raises(StateError), sqlite.transaction() as session:
        board.retry(session, number, after(61))
    with pytest.raises(NoticeError), sqlite.transaction() as session:
        board.retry(session, 999, after(61))


def test_programs_see_no_number_and_no_text(sqlite: Database) -> None:
    written(sqlite, body="Ma 123456")
    shown = str(board.as_json(only(sqlite)))
    assert PHONE not in shown
    assert "123456" not in shown
