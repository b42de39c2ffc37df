"""The journal: hostile and torn bytes, and a tailer that loses and doubles nothing."""

from __future__ import annotations

import logging
import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import event, select
from sqlalchemy.exc import OperationalError

from crm.calls.facts import JournalEvent
from crm.database import Database
from crm.models import Call, JournalGap, JournalPosition, Leg
from ivr.journal import GATHER_S, JournalError, Tailer
from ivr.journal_reader import WINDOW, Batch, Gap, read, segments
from tests.journals import START, Asterisk, encode

EVENT = JournalEvent(
    type="HL_KEY", at=START, num="", name="", exten="s", context="hl-menu-main",
    channel="PJSIP/trunk-local-00000001", app="", app_data="", uniqueid="th1.b1-1763845445.12",
    linkedid="th1.b1-1763845445.12", peer="", extra={"menu": "main", "key": "3"},
)
FORGED = '"\n"CHAN_END","1763845445.000001","","","","","","","","","th1.b1-1.1","","",""\n'


def parse(folder: Path, data: bytes, **how: Any) -> Batch:
    path = folder / "journal.csv"
    path.write_bytes(data)
    descriptor = os.open(path, os.O_RDONLY)
    try:
        return read(descriptor, 0, **how)
    finally:
        os.close(descriptor)


# ---------------------------------------------------------------- bytes to events


def test_a_record_of_a_real_asterisk(tmp_path: Path) -> None:
    data = (
        b'"HL_BOOT","1795383281.646375","HL_BOOT","","","boot","hl-boot",'
        b'"Local/boot@hl-boot-00000000;2","CELGenUserEvent","HL_BOOT,boot=t1|version=22.10.1",'
        b'"th1.t1-1795383281.1","th1.t1-1795383281.0","",'
        b'"{""extra"":""boot=t1|version=22.10.1""}"\n'
        b'"HANGUP","1795383281.647666","","","","boot","hl-boot","Local/boot@hl-boot-00000000;2",'
        b'"","","th1.t1-1795383281.1","th1.t1-1795383281.0","",'
        b'"{""hangupcause"":16,""hangupsource"":""dialplan/builtin"",""dialstatus"":""""}"\n'
    )
    batch = parse(tmp_path, data)
    boot, hangup = batch.events
    assert (batch.end, batch.gaps) == (len(data), [])
    assert boot == JournalEvent(
        type="HL_BOOT", at=datetime.fromtimestamp(1795383281, UTC).replace(microsecond=646375),
        num="", name="", exten="boot", context="hl-boot", channel="Local/boot@hl-boot-00000000;2",
        app="CELGenUserEvent", app_data="HL_BOOT,boot=t1|version=22.10.1",
        uniqueid="th1.t1-1795383281.1", linkedid="th1.t1-1795383281.0", peer="",
        extra={"boot": "t1", "version": "22.10.1"},
    )
    assert hangup.extra == {
        "hangupcause": "16", "hangupsource": "dialplan/builtin", "dialstatus": "",
    }


@pytest.mark.parametrize("text", [
    "Nguyễn Văn A", 'say "hi"', "a,b", "line\nline\r\n", "\x00\x07", '"', '""', FORGED, "ô" * 9999,
])
def test_a_callers_text_comes_back_as_it_was_and_forges_nothing(tmp_path: Path, text: str) -> None:
    events = [replace(EVENT, name=text), replace(EVENT, num=text), EVENT]
    batch = parse(tmp_path, encode(events))
    assert (batch.events, batch.gaps) == (events, [])


@given(texts=st.lists(st.text(max_size=40), min_size=1, max_size=8))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_text_comes_back_as_it_was(tmp_path: Path, texts: list[str]) -> None:
    events = [replace(EVENT, name=text, exten=text[::-1]) for text in texts]
    assert parse(tmp_path, encode(events)).events == events


def test_bytes_that_are_no_text_are_replaced(tmp_path: Path) -> None:
    data = encode([replace(EVENT, name="NAME")]).replace(b"NAME", b"R\xc3\xa9\xff\xed\xa0\x80")
    name = parse(tmp_path, data).events[0].name
    assert name.startswith("Ré\ufffd")
    name.encode()  # no half of a surrogate pair is in it


@pytest.mark.parametrize("extra", [
    "{", "[1]", "7", '{"extra":"a=1|b|=|c=2=3"}', '{"extra":"\\ud800=1"}', "[" * 5000,
    '{"hangupcause":' + "9" * 5000 + "}",
])
def test_an_extra_that_is_no_json_takes_nothing_from_its_event(tmp_path: Path, extra: str) -> None:
    quoted = '"' + extra.replace('"', '""') + '"\n'
    data = encode([replace(EVENT, type="HANGUP", extra={})]).removesuffix(b'""\n')
    events = parse(tmp_path, data + quoted.encode()).events
    assert [event.uniqueid for event in events] == [EVENT.uniqueid]


def test_the_last_record_waits_until_it_is_complete(tmp_path: Path) -> None:
    whole, last = encode([EVENT]), encode([replace(EVENT, name="two\nlines")])
    for length in range(len(last)):
        batch = parse(tmp_path, whole + last[:length])
        assert (len(batch.events), batch.gaps, batch.end) == (1, [], len(whole))
    assert len(parse(tmp_path, whole + last).events) == 2


def test_a_segment_that_nobody_writes_to_may_end_within_a_record(tmp_path: Path) -> None:
    whole = encode([EVENT])
    batch = parse(tmp_path, whole + whole[:50], is_closed=True)
    assert batch.gaps == [Gap(len(whole), 50, "the segment ends within a record")]
    assert batch.end == len(whole) + 50


@given(length=st.integers(0, 400), name=st.sampled_from(["", 'a"b', "x\ny", FORGED]))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_torn_record_takes_one_more_at_most(tmp_path: Path, length: int, name: str) -> None:
    """A full disk cuts a record anywhere, and the next one is joined to it."""
    torn = encode([replace(EVENT, name=name)])
    length %= len(torn)
    events = [replace(EVENT, at=START + timedelta(seconds=number)) for number in range(4)]
    first, *rest = encode(events[:1]), encode(events[1:2]), encode(events[2:])
    batch = parse(tmp_path, first + torn[:length] + b"".join(rest))
    joined = length > 0 and torn[length - 1] != ord("\n")  # a newline of the caller's saves it
    assert batch.events == (events[:1] + events[2:] if joined else events)
    lost = length + (len(rest[0]) if joined else 0)
    assert [(gap.offset, gap.length) for gap in batch.gaps] == (
        [(len(first), lost)] if lost else []
    )


def test_rubbish_of_any_length_is_passed_over_in_portions(tmp_path: Path) -> None:
    rubbish = b'"' * (WINDOW + 5) + b"\x00" * WINDOW
    path = tmp_path / "journal.csv"
    path.write_bytes(rubbish + b"\n" + encode([EVENT]))
    events, lost, offset = [], 0, 0
    with path.open("rb") as file:
        while (batch := read(file.fileno(), offset)).end > offset:
            events += batch.events
            lost += sum(gap.length for gap in batch.gaps)
            offset = batch.end
    assert (events, lost) == ([EVENT], len(rubbish) + 1)


def test_a_batch_has_a_limit(tmp_path: Path) -> None:
    data = encode([EVENT] * 5)
    batch = parse(tmp_path, data, limit=3)
    assert (len(batch.events), batch.end) == (3, len(data) * 3 // 5)


def test_segments_come_oldest_first_and_other_files_are_none(tmp_path: Path) -> None:
    names = ["journal-20251122T020000.csv", "journal-20251122T030000.csv", "journal.csv"]
    for name in [*reversed(names), "journal-old.csv", "journal.csv.bak", "tailer.lock"]:
        (tmp_path / name).touch()
    assert [segment.path.name for segment in segments(tmp_path)] == names


# ---------------------------------------------------------------- the tailer


class Desk:
    """A journal folder with a tailer on it."""

    def __init__(self, database: Database, folder: Path) -> None:
        self.database = database
        self.folder = folder
        self.now = START
        self.restart()

    def restart(self) -> None:
        """Another process: it knows nothing but the folder and the database."""
        self.tailer = Tailer(
            self.database, self.folder, "th1", lambda: self.now, rotate_bytes=2000
        )

    def write(self, events: list[JournalEvent] | bytes, name: str = "journal.csv") -> None:
        data = events if isinstance(events, bytes) else encode(events)
        with (self.folder / name).open("ab") as file:
            file.write(data)

    def read(self) -> None:
        """Until there is nothing more to read."""
        for _ in range(1000):
            if not self.tailer.step() and not self.tailer.step():
                return
        raise AssertionError("the tailer never comes to rest")

    def outcomes(self) -> dict[str, str | None]:
        with self.database.reading() as session:
            return dict(session.execute(select(Call.id, Call.outcome)).all())

    def gaps(self) -> list[tuple[str, int, int]]:
        with self.database.reading() as session:
            return list(session.execute(
                select(JournalGap.segment, JournalGap.offset, JournalGap.length)
            ))

    def rotated(self) -> list[str]:
        return [segment.path.name for segment in segments(self.folder)][:-1]


@pytest.fixture
def desk(sqlite: Database, tmp_path: Path) -> Desk:
    return Desk(sqlite, tmp_path)


def one_call(boot: str = "b1", number: int = 0) -> tuple[str, list[JournalEvent]]:
    asterisk = Asterisk(boot=boot, at=START + timedelta(minutes=number))
    for _ in range(number):
        asterisk.channel("Local/x")
    caller = asterisk.queued()
    asterisk.wait(60)
    caller.end()
    return caller.id, [event for event in asterisk.events if event.uniqueid == caller.id]


def test_what_is_written_is_in_the_rows_with_its_position(
    database: Database, tmp_path: Path
) -> None:
    desk = Desk(database, tmp_path)
    assert not desk.tailer.step()  # no file yet: it waits for it
    asterisk = Asterisk()
    caller = asterisk.queued()
    desk.write(asterisk.events)
    desk.read()
    assert desk.outcomes() == {caller.id: None}
    written = len(asterisk.events)
    caller.end()
    desk.write(asterisk.events[written:])
    desk.read()
    assert desk.outcomes() == {caller.id: "abandoned_queue"}
    segment = segments(tmp_path)[-1]
    with database.reading() as session:
        position = session.get_one(JournalPosition, "th1")
    assert (position.inode, position.offset) == (segment.inode, segment.size)
    assert desk.gaps() == []


def test_several_boots_and_nodes_in_one_journal(desk: Desk) -> None:
    first, second, other = Asterisk(boot="b1"), Asterisk(boot="b2"), Asterisk(node="th2", boot="b9")
    ids = [asterisk.queued().id for asterisk in (first, other, second)]
    desk.write(first.events + other.events + second.events)
    desk.read()
    assert [desk.outcomes()[id_] for id_ in ids] == ["lost", None, None]


def test_a_torn_record_is_named_and_the_rest_is_read(desk: Desk) -> None:
    (first, one), (second, two) = one_call(number=1), one_call(number=2)
    desk.write(encode(one) + encode(one)[:77])
    desk.read()
    assert desk.gaps() == []  # it may still be being written
    desk.write(encode(two[:1]) + encode(two))
    desk.read()
    assert desk.outcomes() == {first: "abandoned_queue", second: "abandoned_queue"}
    assert desk.gaps() == [("journal.csv", len(encode(one)), 77 + len(encode(two[:1])))]


def test_a_large_journal_is_rotated_and_followed(desk: Desk) -> None:
    ids = []
    for number in range(6):
        id_, events = one_call(number=number)
        ids.append(id_)
        desk.write(events[:3])
        desk.read()
        desk.write(events[3:])
        desk.read()
    assert len(desk.rotated()) >= 4  # the clock stands, so the names say the next seconds
    assert desk.rotated() == sorted(desk.rotated())
    assert desk.outcomes() == dict.fromkeys(ids, "abandoned_queue")
    assert desk.gaps() == []


def test_names_of_segments_stay_in_order_when_the_clock_is_set_back(desk: Desk) -> None:
    for number, hour in enumerate((5, 1, 3)):
        desk.now = START + timedelta(hours=hour)
        desk.write(one_call(number=number)[1])
        desk.read()
    desk.write(one_call(number=9)[1])
    assert [name[17:23] for name in desk.rotated()] == ["070000", "070001", "070002"]
    desk.read()
    assert len(desk.outcomes()) == 4


def test_a_record_written_while_the_journal_is_rotated_is_read(desk: Desk) -> None:
    """A writer that had the file open when it was renamed writes to it under its new name."""
    id_, events = one_call()
    with (desk.folder / "journal.csv").open("ab", buffering=0) as writer:
        writer.write(encode(events[:-1]))
        desk.read()
        renamed = [segment.path.name for segment in segments(desk.folder)]
        assert renamed == ["journal-20251122T020000.csv"]
        writer.write(encode(events[-1:]))
    desk.write(one_call(number=1)[1])
    desk.read()
    assert desk.outcomes()[id_] == "abandoned_queue"
    assert len(desk.outcomes()) == 2


def test_after_a_restart_renamed_segments_are_finished_first(desk: Desk) -> None:
    calls = [one_call(number=number) for number in range(4)]
    desk.write(calls[0][1][:4])
    desk.read()
    desk.restart()
    desk.write(calls[0][1][4:])
    (desk.folder / "journal.csv").rename(desk.folder / "journal-20251122T030000.csv")
    desk.write(calls[1][1], "journal-20251122T040000.csv")
    desk.write(encode(calls[2][1]) + b'"CHAN_', "journal-20251122T050000.csv")
    desk.write(calls[3][1])
    desk.read()
    assert desk.outcomes() == {id_: "abandoned_queue" for id_, _ in calls}
    assert desk.gaps() == [("journal-20251122T050000.csv", len(encode(calls[2][1])), 6)]


def test_a_first_start_reads_all_segments_that_are_there(desk: Desk) -> None:
    desk.write(one_call(number=0)[1], "journal-20251122T030000.csv")
    desk.write(one_call(number=1)[1])
    desk.read()
    assert len(desk.outcomes()) == 2


def test_a_segment_that_is_gone_is_named_and_nothing_else_is_missed(desk: Desk) -> None:
    desk.write(one_call(number=0)[1][:5])
    desk.read()
    desk.restart()
    (desk.folder / "journal.csv").unlink()
    desk.write(one_call(number=1)[1], "journal-20251122T030000.csv")
    desk.write(one_call(number=2)[1])
    desk.read()
    assert len(desk.outcomes()) == 3
    assert desk.gaps() == [
        ("journal-20251122T030000.csv", len(encode(one_call(number=0)[1][:5])), 0)
    ]


def test_a_folder_that_was_copied_is_read_on_from_where_it_was(desk: Desk) -> None:
    """As it comes back from a backup: every file has another inode."""
    id_, events = one_call()
    desk.write(events[:5])
    desk.read()
    desk.restart()
    journal = desk.folder / "journal.csv"
    shutil.copy(journal, desk.folder / "copy")
    (desk.folder / "copy").replace(journal)
    desk.write(events[5:])
    desk.read()
    assert desk.outcomes() == {id_: "abandoned_queue"}
    assert desk.gaps() == []


def test_another_file_under_the_same_inode_is_read_from_its_start(desk: Desk) -> None:
    desk.write(one_call(number=0)[1][:5])
    desk.read()
    desk.restart()
    (desk.folder / "journal.csv").write_bytes(b"")  # keeps its inode
    desk.write(one_call(number=1)[1])
    desk.read()
    assert len(desk.outcomes()) == 2
    assert len(desk.gaps()) == 1


def test_a_journal_that_is_removed_under_the_tailer_is_finished_and_left(desk: Desk) -> None:
    id_, events = one_call()
    with (desk.folder / "journal.csv").open("ab", buffering=0) as writer:
        writer.write(encode(events[:3]))
        desk.read()
        (desk.folder / "journal.csv").unlink()
        writer.write(encode(events[3:]))
    desk.write(one_call(number=1)[1])
    desk.read()
    assert desk.outcomes()[id_] == "abandoned_queue"
    assert len(desk.outcomes()) == 2
    assert desk.gaps() == []


def test_a_journal_that_is_cut_off_is_named_and_read_again(desk: Desk) -> None:
    id_, events = one_call()
    desk.write(events[:5])
    desk.read()
    size = len(encode(events[:5]))
    os.truncate(desk.folder / "journal.csv", 0)
    desk.read()
    desk.write(events[5:])
    desk.read()
    assert desk.outcomes() == {id_: "abandoned_queue"}
    assert desk.gaps() == [("journal.csv", 0, size)]


@pytest.fixture
def running(desk: Desk) -> Iterator[Callable[[], None]]:
    """The tailer in a thread, as its process runs it. Call it to check that it is well."""
    stop = threading.Event()
    faults: list[BaseException] = []

    def run() -> None:
        try:
            desk.tailer.run(stop)
        except BaseException as error:
            faults.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    yield lambda: None if not faults else pytest.fail(f"the tailer died: {faults[0]!r}")
    stop.set()
    thread.join(30)
    assert not thread.is_alive()
    assert faults == []


def until(met: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not met():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@contextmanager
def refused(database: Database) -> Iterator[list[int]]:
    """Every commit fails at its end, as when the server dies in the middle of it."""
    count: list[int] = []
    commit = database.engine.dialect.do_commit

    def fail(_connection: object) -> None:
        count.append(1)
        raise OperationalError("COMMIT", None, Exception("server gone\nDETAIL: 0912345678"))

    database.engine.dialect.do_commit = fail  # type: ignore[assignment, method-assign]
    try:
        yield count
    finally:
        database.engine.dialect.do_commit = commit  # type: ignore[method-assign]


def test_a_dead_database_only_delays_the_records(
    desk: Desk, running: Callable[[], None], caplog: pytest.LogCaptureFixture
) -> None:
    calls = [one_call(number=number) for number in range(5)]
    with caplog.at_level(logging.INFO, "ivr.journal"):
        desk.write(calls[0][1])
        until(lambda: len(desk.outcomes()) == 1)
        with refused(desk.database) as failures:
            for _, events in calls[1:]:
                desk.write(events)
            until(lambda: len(failures) >= 4)
            running()
            assert len(desk.outcomes()) == 1
        until(lambda: len(desk.outcomes()) == 5)
        until(lambda: "records go on" in caplog.text)
    assert desk.outcomes() == {id_: "abandoned_queue" for id_, _ in calls}
    said = [record.message for record in caplog.records if record.levelno == logging.ERROR]
    assert said == ["records wait: server gone"]


def test_records_that_come_close_together_share_a_transaction(
    desk: Desk, running: Callable[[], None]
) -> None:
    commits: list[object] = []
    event.listen(desk.database.engine, "commit", commits.append)
    began = time.monotonic()
    for number in range(40):
        desk.write(one_call(number=number)[1])
        time.sleep(0.05)
    until(lambda: len(desk.outcomes()) == 40)
    running()
    assert len(commits) <= 2 + (time.monotonic() - began) / GATHER_S


def test_only_one_tailer_follows_a_journal(desk: Desk, running: Callable[[], None]) -> None:
    desk.write(one_call()[1])
    until(lambda: len(desk.outcomes()) == 1)
    with pytest.raises(JournalError, match="another tailer already follows the journal"):
        Tailer(desk.database, desk.folder, "th1").run(threading.Event())
    running()


def test_killed_at_any_commit_it_goes_on_where_it_was(desk: Desk) -> None:
    """Each batch is tried, fails to commit, and is done by the next process."""
    asterisk = Asterisk()
    for _ in range(3):
        caller = asterisk.queued()
        agent = asterisk.answer(caller)
        asterisk.wait(5)
        caller.end()
        agent.end()
    data = encode(asterisk.events)
    for start in range(0, len(data), 700):
        desk.write(data[start:start + 700])
        desk.restart()
        with refused(desk.database), suppress(OperationalError):
            desk.read()
        desk.restart()
        desk.read()
    with desk.database.reading() as session:
        assert {call.outcome for call in session.scalars(select(Call))} == {"answered"}
        assert [leg.talk_ms for leg in session.scalars(select(Leg))] == [5002] * 3
    assert desk.gaps() == []
