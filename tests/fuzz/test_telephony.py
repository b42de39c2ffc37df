"""What Asterisk hands on of callers' words: the manager's stream and the journal."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from crm.calls import facts
from crm.database import Database
from crm.models import Call, JournalPosition, Outcome
from ivr.ami import _Protocol
from ivr.journal import Tailer
from ivr.journal_reader import read
from ivr.live_events import BadEventError, parse
from tests.fuzz.strategies import FEW_AND_MANY, mutated, text
from tests.journals import Asterisk, encode

OTHER_KINDS = (
    "HL_CALLBACK", "HL_CALLBACK_TRY", "HL_CALLBACK_END", "HL_STATE", "HL_CASE", "HL_CASE_ASK",
    "HL_CASE_RATED", "HL_INCIDENT", "HL_TOLD", "HL_DUTY_TAKEN", "HL_OPT_OUT", "HL_STAFF", "HL_BOOT",
)
NAMES = (
    "caller", "dialled", "trunk", "kind", "menu", "key", "branch", "queue", "file", "ms", "agent",
    "call", "wrapup", "number", "arrived", "result", "score", "state", "why", "by", "ahead", "on",
    "service", "code", "text", "from", "to", "boot", "bridge_id", "what", "id", "hangupcause",
)
RECORDED = b"".join(
    file.read_bytes() for file in sorted((Path(__file__).parents[1] / "ivr/ami").glob("*.txt"))
)
GOOD = b"\r\n\r\nEvent: Hangup\r\nUniqueid: th1.b-1.1\r\nChannel: PJSIP/trunk-1\r\n\r\n"


def heard(data: bytes, chunk: int) -> list[Any]:
    """The events that reach the listener of what came in pieces."""
    inbox: list[Any] = []
    link = SimpleNamespace(heard=inbox.append, faults=0)
    protocol = _Protocol(link)  # type: ignore[arg-type]
    protocol.connection_made(None)
    protocol.factory = link
    for start in range(0, len(data), chunk):
        protocol.data_received(data[start:start + chunk])
    return inbox


@FEW_AND_MANY
def test_whatever_the_manager_sends_the_next_event_is_heard(examples: int) -> None:
    start = RECORDED[:6000]

    @settings(max_examples=examples)
    @given(data=mutated(start) | st.binary(max_size=300), chunk=st.integers(1, 4000))
    @example(data=b"Event\r\n: \r\n:\r\n\r\n", chunk=3)
    @example(data=b"Response: Goodbye\r\nActionID: \r\n\r\n", chunk=7)
    def holds(data: bytes, chunk: int) -> None:
        events = heard(data + GOOD, chunk)
        assert events, "the last event is heard"
        assert events[-1]["Event"] == "Hangup"
        for event in events:
            try:
                parse(event, "th1", datetime.now(UTC))
            except BadEventError:
                continue

    holds()


def journal_of_calls() -> bytes:
    asterisk = Asterisk()
    asterisk.booted()
    for number in range(3):
        caller = asterisk.queued(number=f"091234567{number}")
        caller.note("HL_END", status="done")
        caller.note("CHAN_END")
    return encode(asterisk.events)


@FEW_AND_MANY
def test_a_damaged_journal_is_read_to_its_end(examples: int) -> None:
    whole = journal_of_calls()

    @settings(max_examples=examples, suppress_health_check=[HealthCheck.too_slow])
    @given(data=mutated(whole) | st.binary(max_size=400))
    def holds(data: bytes) -> None:
        with tempfile.TemporaryFile() as file:
            file.write(data)
            file.flush()
            offset, covered = 0, 0
            while offset < len(data):
                batch = read(file.fileno(), offset, until=len(data), is_closed=True)
                assert batch.end > offset, "it goes on"
                covered += sum(gap.length for gap in batch.gaps)
                offset = batch.end
            assert 0 <= covered <= len(data)

    holds()


@FEW_AND_MANY
def test_no_fact_of_a_caller_stops_the_tailer(database: Database, examples: int) -> None:
    """Whatever stands in a record, it is read, the ones after it too, and the call has an outcome:
    a record that cannot be stored would stop all records for ever."""
    kinds = sorted({*facts._NOTES, *OTHER_KINDS})
    extras = st.dictionaries(st.sampled_from(NAMES), text, max_size=6)
    event = st.tuples(st.sampled_from(kinds), text, text, extras, text)
    number = [0]

    @settings(max_examples=examples, suppress_health_check=[
        HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
    @given(told=st.lists(event, min_size=1, max_size=8))
    def holds(told: list[tuple[str, str, str, dict[str, str], str]]) -> None:
        number[0] += 1
        asterisk = Asterisk(boot=f"f{number[0]}")
        caller = asterisk.caller()
        for kind, num, name, extra, exten in told:
            caller.note(kind, **extra)
            asterisk.events[-1] = replace(
                asterisk.events[-1], num=num.encode("utf-8", "replace").decode(),
                name=name.encode("utf-8", "replace").decode(),
                exten=exten.encode("utf-8", "replace").decode(),
            )
        caller.note("CHAN_END")
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "journal.csv").write_bytes(encode(asterisk.events))
            tailer = Tailer(database, Path(folder), "th1")
            while tailer.step() or tailer.step():
                pass
        with database.transaction() as session:
            row = session.get(Call, caller.id)
            assert row is not None
            assert row.outcome in set(Outcome)
            session.delete(session.get(JournalPosition, "th1"))

    holds()
