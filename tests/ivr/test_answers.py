"""Questions of calls: read at the edge, answered beside everything else, or not at all."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy.exc import OperationalError

from crm.setting_values import Address
from ivr.answers import FAILED, Answers
from ivr.commands import Commands, Outcome, Result
from ivr.live_events import BadEventError, parse_question
from ivr.live_facts import Asked

NOW = datetime(2026, 3, 10, 3, 0, tzinfo=UTC)
QUESTION = {
    "Event": "UserEvent", "UserEvent": "HotlineAsk", "Channel": "PJSIP/trunk-0000000a",
    "Uniqueid": "th1.b1-1.7", "Number": "2", "What": "case", "Caller": "0912345678",
    "Digits": "12345670", "Tail": "5678", "Index": "01",
}


class Told(Commands):
    """Notes what a channel would be told."""

    def __init__(self) -> None:
        super().__init__(Address("127.0.0.1", 1), "command", "secret")
        self.answers: list[tuple[str, str, str]] = []
        self.done = threading.Event()

    def answer(self, channel: str, name: str, value: str) -> Result:
        self.answers.append((channel, name, value))
        self.done.set()
        return Result(Outcome.DONE)


def asked(**other: Any) -> Asked:
    question = parse_question(QUESTION | other, "th1", NOW)
    assert question is not None
    return question


def test_a_question_is_read_with_what_is_empty_left_out() -> None:
    assert asked() == Asked(
        channel="PJSIP/trunk-0000000a", call="th1.b1-1.7", number=2, what="case",
        caller="0912345678", digits="12345670", tail="5678", index=1,
    )
    short = {key: value for key, value in QUESTION.items() if key not in {"Caller", "Tail"}}
    question = parse_question(short, "th1", NOW)
    assert question is not None
    assert (question.caller, question.tail) == ("", "")
    assert parse_question(QUESTION | {"UserEvent": "HotlineCall"}, "th1", NOW) is None


@pytest.mark.parametrize("forged", [
    {"Channel": "PJSIP/seat-001-00000001"}, {"Channel": "PJSIP/trunk-1\r\nAction: Logoff"},
    {"Uniqueid": "th2.b1-1.7"}, {"What": "everything"}, {"Digits": "1234567a"},
    {"Digits": "123456789"}, {"Tail": "56789"}, {"Number": "-1"}, {"Number": "100"},
    {"Index": ["1", "2"]},
])
def test_a_question_that_no_dialplan_asks_is_dropped(forged: dict[str, Any]) -> None:
    with pytest.raises(BadEventError):
        parse_question(QUESTION | forged, "th1", NOW)


def test_the_answer_goes_to_the_channel_under_the_number_of_the_question() -> None:
    commands = Told()
    Answers(lambda question: f"tail|{question.digits}", commands).take(asked())
    assert commands.done.wait(10)
    assert commands.answers == [("PJSIP/trunk-0000000a", "HL_ANSWER_2", "tail|12345670")]


def test_without_a_database_the_caller_is_told_at_once_that_there_is_no_answer() -> None:
    def reply(_: Asked) -> str:
        raise OperationalError("SELECT", None, Exception("the server is gone"))

    commands = Told()
    Answers(reply, commands).take(asked())
    assert commands.done.wait(10)
    assert commands.answers[0][2] == FAILED


def test_questions_beyond_all_measure_are_dropped_and_the_others_answered() -> None:
    may_answer = threading.Event()

    def reply(_: Asked) -> str:
        may_answer.wait(10)
        return "locked"

    commands = Told()
    answers = Answers(reply, commands)
    for _ in range(500):
        answers.take(asked())
    may_answer.set()
    assert commands.done.wait(10)
    answers.close()
    assert len(commands.answers) <= 200


def test_only_a_callers_channel_can_be_told_anything() -> None:
    commands = Commands(Address("127.0.0.1", 1), "command", "secret")
    for channel, name, value in (
        ("PJSIP/seat-001-00000001", "HL_ANSWER_1", "locked"),
        ("PJSIP/trunk-00000001", "HL_CALLER", "locked"),
        ("PJSIP/trunk-00000001", "HL_ANSWER_1", "found\r\nAction: Logoff"),
        ("PJSIP/trunk-00000001", "HL_ANSWER_1", "${SHELL(id)}"),
    ):
        assert commands.answer(channel, name, value).outcome is Outcome.REFUSED
