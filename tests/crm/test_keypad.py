"""PINs of agents who sign in from a telephone, and what Asterisk is told of them."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import UTC, datetime
from hashlib import sha1

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.orm import Session

from crm import keypad, users
from crm.branches import ALL_QUEUES
from crm.database import Database
from crm.keypad import KeypadError
from crm.models import Role, User
from ivr.commands import _SWITCH, _SWITCH_VALUE
from tests.accounts import PASSWORD, hash_quickly
from tests.journals import Asterisk

NOW = datetime(2026, 5, 4, 5, 0, tzinfo=UTC)
KEY = "k" * 48


@pytest.fixture
def session(database: Database, monkeypatch: pytest.MonkeyPatch) -> Iterator[Session]:
    hash_quickly(monkeypatch)
    with database.transaction() as opened:
        yield opened


@pytest.fixture
def lan(session: Session) -> User:
    return users.create_user(
        session, login="lan.anh.nguyen.thi.thanh.hoa.32", name="Lan", role=Role.AGENT,
        password=PASSWORD, now=NOW, queues=("vaccine", "operator"),
    )


def test_a_level_goes_with_its_queue(session: Session, lan: User) -> None:
    users.set_skills(lan, {"vaccine": 3, "operator": 1})
    told = put(session, lan)[f"staff.{keypad.number_of(lan)}"]
    assert told.partition(".")[0] == "".join(
        {"emergency": "1", "vaccine": "3", "operator": "1"}.get(queue, "0") for queue in ALL_QUEUES
    )


def put(session: Session, user: User, pin: str = "730516") -> dict[str, str]:
    return keypad.set_pin(session, user, pin, KEY, by=user.login, now=NOW)


def test_asterisk_is_told_whom_a_number_lets_in_and_for_what(session: Session, lan: User) -> None:
    number = keypad.number_of(lan)
    told = put(session, lan)
    mask, _, login = told[f"staff.{number}"].partition(".")
    assert login == lan.login
    assert [queue for queue, bit in zip(ALL_QUEUES, mask, strict=True) if bit == "1"] == [
        "emergency", "vaccine", "operator"
    ]
    digest = sha1(f"{KEY}:{number}:730516".encode(), usedforsecurity=False)
    assert told[f"pin.{number}"] == digest.hexdigest()
    assert keypad.switches(session) == told
    for name, value in told.items():  # the longest login there is fits into an extension
        assert _SWITCH.fullmatch(name)
        assert _SWITCH_VALUE.fullmatch(value)
        assert len(f"{name}={value}") < 80


def test_whoever_may_no_more_is_told_to_asterisk_as_off(session: Session, lan: User) -> None:
    number = keypad.number_of(lan)
    off = {f"staff.{number}": "off", f"pin.{number}": "off"}
    assert keypad.switches(session) == {}  # nobody has a PIN
    put(session, lan)
    assert keypad.with_pin(session) == {lan.login}
    users.deactivate(session, lan, NOW)
    session.flush()
    assert (keypad.switches(session), keypad.with_pin(session)) == (off, set())
    users.reactivate(lan)
    assert keypad.switches(session) != off
    assert keypad.take_away(session, lan, by="quan", now=NOW) == off
    assert not keypad.has_pin(session, lan)


@pytest.mark.parametrize(("pin", "code"), [
    ("73051", "form"), ("730516123", "form"), ("73o516", "form"), ("٧٣٠٥١٦", "form"), ("", "form"),
    ("111111", "easy"), ("121212", "easy"), ("123456", "easy"), ("987654", "easy"),
    ("890123", "easy"),
])
def test_a_pin_that_is_none_or_guessed_at_once_is_refused(
    session: Session, lan: User, pin: str, code: str
) -> None:
    with pytest.raises(KeypadError) as refused:
        put(session, lan, pin)
    assert refused.value.code == code
    assert not keypad.has_pin(session, lan)


def test_ones_own_number_is_no_pin(session: Session, lan: User) -> None:
    with pytest.raises(KeypadError):
        put(session, lan, f"7{keypad.number_of(lan)}5")


@given(st.integers(1000, 99_999))
def test_a_generated_pin_can_be_used(number: int) -> None:
    pin = keypad.generate_pin(str(number))
    assert len(pin) == 6
    assert not keypad.is_easy(pin)
    assert str(number) not in pin


def test_what_was_done_by_keypad_stands_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    asterisk = Asterisk()
    caller = asterisk.caller("0913000801", kind="staff")
    caller.note("HL_STAFF", act="wrong", number="1003")
    asterisk.channel("PJSIP/seat-001").note("HL_STAFF", act="in", number="1003")  # nobody's
    with caplog.at_level(logging.INFO, logger="hotline.audit"):
        keypad.audit(asterisk.events)
    assert [record.getMessage() for record in caplog.records] == [
        f"by keypad, number 1003: wrong in call {caller.id}"
    ]
