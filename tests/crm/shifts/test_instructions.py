"""Urgent instructions: in force until read, changed, withdrawn or over."""

from __future__ import annotations

from datetime import timedelta

import pytest

from crm.database import Database
from crm.shifts import events, instructions
from crm.shifts.instructions import InstructionError
from tests.crm.shifts.factory import NOW

HOUR = timedelta(hours=1)


def test_it_is_read_once_by_each_and_anew_after_a_change(database: Database) -> None:
    with database.transaction() as session:
        first = instructions.write(session, "Chuyển mọi cuộc về bão cho 112", 4, by="huy", now=NOW)
        assert instructions.read(session, first.id, "lan", NOW)
        assert not instructions.read(session, first.id, "lan", NOW + HOUR)
        assert instructions.readers(session, [first.id]) == {first.id: {"lan": NOW}}
        second = instructions.change(
            session, first.id, "Chuyển mọi cuộc về bão cho 114", 4, by="ha", now=NOW
        )
        assert (second.series, second.version) == (first.id, 2)
        assert [one.id for one in instructions.in_force(session, NOW)] == [second.id]
        assert instructions.readers(session, [second.id]) == {}
        with pytest.raises(InstructionError, match="newer version"):
            instructions.read(session, first.id, "minh", NOW)
        with pytest.raises(InstructionError, match="newer version"):  # two supervisors at once
            instructions.change(session, first.id, "Một câu khác hẳn", 4, by="huy", now=NOW)
        assert [one.what for one in events.latest(session, 9)] == [
            "instruction_changed", "instruction_read", "instruction_written"
        ]


def test_it_ends_by_itself_or_by_hand(sqlite: Database) -> None:
    with sqlite.transaction() as session:
        made = instructions.write(session, "Hết số thứ tự hôm nay", 1, by="huy", now=NOW)
        other = instructions.write(session, "Hệ thống chậm", 1, by="huy", now=NOW)
        instructions.end(session, other.id, by="huy", now=NOW)
        assert [one.id for one in instructions.in_force(session, NOW)] == [made.id]
        assert instructions.in_force(session, NOW + HOUR) == []
        with pytest.raises(InstructionError) as told:
            instructions.read(session, made.id, "lan", NOW + HOUR)
        assert told.value.code == "over"
        with pytest.raises(InstructionError):
            instructions.end(session, other.id, by="huy", now=NOW)


@pytest.mark.parametrize(("text", "hours", "code"), [
    ("", 4, "text"), ("x" * 601, 4, "text"), ("    a    ", 4, "text"), ("đủ dài rồi", 5, "hours"),
])
def test_what_makes_no_sense_is_refused(
    sqlite: Database, text: str, hours: int, code: str
) -> None:
    with sqlite.transaction() as session:
        with pytest.raises(InstructionError) as told:
            instructions.write(session, text, hours, by="huy", now=NOW)
        assert told.value.code == code
