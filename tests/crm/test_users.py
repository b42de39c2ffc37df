"""Accounts, sign-in sessions, seats and notes."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

import pytest
from argon2 import PasswordHasher
from sqlalchemy import func, select, update

from crm import desk, users
from crm.database import Database
from crm.models import Call, CallNote, LoginFailure, Role, Seat, User
from crm.users import Refused
from tests.accounts import PASSWORD, hash_quickly

NOON = datetime(2026, 5, 4, 5, 0, tzinfo=UTC)
CALL = "th1.b1-1763845445.12"


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    hash_quickly(monkeypatch)


def add_user(database: Database, login: str = "lan", role: Role = Role.AGENT) -> User:
    with database.transaction() as session:
        return users.create_user(
            session, login=login, name=login.title(), role=role, password=PASSWORD, now=NOON
        )


def add_seats(database: Database, *names: str) -> None:
    with database.transaction() as session:
        for name in names:
            kind = "desk" if name.startswith("desk") else "webrtc"
            session.add(Seat(name=name, node="th1", kind=kind, secret="s"))


def attempt(
    database: Database, login: str = "lan", password: str = PASSWORD, *,
    address: str = "10.0.0.1", now: datetime = NOON,
) -> User | Refused:
    with database.transaction() as session:
        return users.authenticate(session, login, password, address, now)


def sign_in(database: Database, user: User, now: datetime = NOON) -> str:
    with database.transaction() as session:
        return users.open_session(session, user, address="10.0.0.1", browser="b", now=now)


def is_signed_in(database: Database, token: str, now: datetime) -> bool:
    with database.reading() as session:
        return users.find_session(session, token, now) is not None


def test_the_right_password_signs_in_whatever_the_case_of_the_login(database: Database) -> None:
    add_user(database)
    found = attempt(database, " LAN ")
    assert isinstance(found, User)
    assert found.login == "lan"


@pytest.mark.parametrize("login", ["lan", "nobody", "", "x" * 500, "la\x00n"])
def test_wrong_and_unknown_get_the_same_answer(database: Database, login: str) -> None:
    add_user(database)
    assert attempt(database, login, "wrong password") is Refused.WRONG


def test_an_account_that_is_off_gets_the_same_answer_too(sqlite: Database) -> None:
    user = add_user(sqlite)
    with sqlite.transaction() as session:
        users.deactivate(session, session.merge(user), NOON)
    assert attempt(sqlite) is Refused.WRONG


def test_guessing_one_login_is_stopped_also_from_many_addresses(database: Database) -> None:
    add_user(database)
    for n in range(users.FAILURES_BY_LOGIN):
        assert attempt(database, password="wrong", address=f"10.0.0.{n}") is Refused.WRONG
    assert attempt(database) is Refused.TOO_MANY
    later = NOON + users.FAILURE_WINDOW + timedelta(seconds=1)
    assert isinstance(attempt(database, now=later), User)


def test_guessing_many_logins_from_one_address_is_stopped(sqlite: Database) -> None:
    add_user(sqlite)
    with sqlite.transaction() as session:
        for n in range(users.FAILURES_BY_ADDRESS):
            session.add(LoginFailure(login=f"x{n}", address="10.0.0.1", at=NOON))
    assert attempt(sqlite) is Refused.TOO_MANY
    assert isinstance(attempt(sqlite, address="10.0.0.2"), User)


def test_an_old_hash_is_renewed_at_sign_in(sqlite: Database) -> None:
    add_user(sqlite)
    weak = PasswordHasher(time_cost=1, memory_cost=16, parallelism=1).hash(PASSWORD)
    with sqlite.transaction() as session:
        session.execute(update(User).values(password_hash=weak))
    assert isinstance(attempt(sqlite), User)
    with sqlite.reading() as session:
        assert session.scalars(select(User.password_hash)).one() != weak
    assert isinstance(attempt(sqlite), User)


@pytest.mark.parametrize("login", ["", "l", "1lan", "Lan", "lan huy", "lan\n", "a" * 33, "làn"])
def test_an_impossible_login_is_refused(sqlite: Database, login: str) -> None:
    with sqlite.transaction() as session, pytest.raises(users.UserError) as refused:
        users.create_user(
            session, login=login, name="Lan", role=Role.AGENT, password=PASSWORD, now=NOON
        )
    assert refused.value.code == "login"


@pytest.mark.parametrize(("change", "code"), [
    ({"password": "short"}, "password"), ({"name": " "}, "name"), ({"name": "a\x00"}, "name"),
    ({"queues": ("moon",)}, "queues"),
])
def test_other_impossible_accounts(sqlite: Database, change: dict[str, str], code: str) -> None:
    good = {"login": "lan", "name": "Lan", "role": Role.AGENT, "password": PASSWORD, "now": NOON}
    with sqlite.transaction() as session, pytest.raises(users.UserError) as refused:
        users.create_user(session, **{**good, **change})  # type: ignore[arg-type]
    assert refused.value.code == code


def test_a_login_is_given_once(database: Database) -> None:
    add_user(database)
    with pytest.raises(users.UserError, match="taken"):
        add_user(database)


def test_generated_passwords_can_be_used(sqlite: Database) -> None:
    made = {users.generate_password() for _ in range(50)}
    assert len(made) == 50
    user = add_user(sqlite)
    with sqlite.transaction() as session:
        users.set_password(session, session.merge(user), made.pop(), NOON)


def test_the_table_of_sessions_opens_no_session(sqlite: Database) -> None:
    user = add_user(sqlite)
    token = sign_in(sqlite, user)
    assert is_signed_in(sqlite, token, NOON)
    assert not is_signed_in(sqlite, users.token_hash(token), NOON)


def test_a_session_ends_when_idle_and_at_the_latest_after_a_shift(database: Database) -> None:
    token = sign_in(database, add_user(database))
    at = NOON + users.IDLE_LIMIT - timedelta(seconds=1)
    assert is_signed_in(database, token, at)
    assert not is_signed_in(database, token, at + timedelta(seconds=2))
    with database.transaction() as session:
        users.mark_seen(session, token, at)
    assert is_signed_in(database, token, NOON + users.ABSOLUTE_LIMIT - timedelta(seconds=1))
    assert not is_signed_in(database, token, NOON + users.ABSOLUTE_LIMIT)


def test_signing_out_ends_one_session_and_a_new_password_all(sqlite: Database) -> None:
    user = add_user(sqlite)
    one, two = sign_in(sqlite, user), sign_in(sqlite, user)
    with sqlite.transaction() as session:
        users.close_session(session, one, NOON)
    assert [is_signed_in(sqlite, token, NOON) for token in (one, two)] == [False, True]
    with sqlite.transaction() as session:
        users.set_password(session, session.merge(user), "another good one", NOON)
    assert not is_signed_in(sqlite, two, NOON)


def test_a_person_who_was_switched_off_is_signed_out(sqlite: Database) -> None:
    user = add_user(sqlite)
    token = sign_in(sqlite, user)
    with sqlite.transaction() as session:
        users.deactivate(session, session.merge(user), NOON)
    assert not is_signed_in(sqlite, token, NOON)


def lease(database: Database, user: User, kind: desk.SeatKind, wanted: str | None = None) -> str:
    with database.transaction() as session:
        return desk.lease_seat(
            session, session.merge(user), kind, now=NOON, node="th1", wanted=wanted
        ).name


def test_everybody_gets_a_phone_of_their_own_until_none_is_left(database: Database) -> None:
    add_seats(database, "seat-001", "seat-002", "desk-01")
    lan, minh, hoa = (add_user(database, login) for login in ("lan", "minh", "hoa"))
    for user in (lan, minh, hoa):
        sign_in(database, user)
    assert lease(database, lan, desk.SeatKind.WEBRTC) == "seat-001"
    assert lease(database, minh, desk.SeatKind.WEBRTC) == "seat-002"
    assert lease(database, lan, desk.SeatKind.WEBRTC) == "seat-001"  # again: the same
    with pytest.raises(desk.NoSeat):
        lease(database, hoa, desk.SeatKind.WEBRTC)
    assert lease(database, lan, desk.SeatKind.DESK, "desk-01") == "desk-01"  # one at a time
    assert lease(database, hoa, desk.SeatKind.WEBRTC) == "seat-001"


def test_the_phone_of_somebody_who_is_signed_out_is_free(database: Database) -> None:
    add_seats(database, "seat-001")
    lan, minh = add_user(database, "lan"), add_user(database, "minh")
    token = sign_in(database, lan)
    sign_in(database, minh)
    lease(database, lan, desk.SeatKind.WEBRTC)
    with database.transaction() as session:
        users.close_session(session, token, NOON)
    assert lease(database, minh, desk.SeatKind.WEBRTC) == "seat-001"


def test_two_who_reach_for_phones_at_once_get_two(database: Database) -> None:
    add_seats(database, *(f"seat-{n:03}" for n in range(6)))
    crowd = [add_user(database, f"agent{n}") for n in range(6)]
    for user in crowd:
        sign_in(database, user)
    got: list[str] = []
    threads = [
        threading.Thread(target=lambda u=user: got.append(lease(database, u, desk.SeatKind.WEBRTC)))
        for user in crowd
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(got)) == 6


def note(
    database: Database, user: User, text: str, *, result: str | None = None,
    done: bool = False, call: str = CALL,
) -> None:
    with database.transaction() as session:
        desk.save_note(
            session, session.merge(user), call, text=text, result=result, done=done, now=NOON
        )


def test_a_note_that_comes_twice_is_one_note_and_what_is_done_stays_done(
    database: Database,
) -> None:
    lan = add_user(database)
    note(database, lan, "hỏi lịch")
    for _ in range(2):
        note(database, lan, "hỏi lịch tiêm", result="solved", done=True)
    note(database, lan, "hỏi lịch tiêm chủng", result="solved")  # a late draft
    with database.reading() as session:
        kept = session.scalars(select(CallNote)).one()
        assert (kept.text, kept.result, kept.done) == ("hỏi lịch tiêm chủng", "solved", True)
        assert session.scalar(select(func.count()).select_from(Call)) == 0  # the call comes later


def test_each_agent_has_a_note_of_their_own(sqlite: Database) -> None:
    note(sqlite, add_user(sqlite, "lan"), "một")
    note(sqlite, add_user(sqlite, "minh"), "hai")
    with sqlite.reading() as session:
        assert sorted(session.scalars(select(CallNote.text))) == ["hai", "một"]


@pytest.mark.parametrize(("call", "text"), [
    ("", "a"), ("../etc", "a"), ("th1.b1-1.2; DROP", "a"), (CALL, "a" * (desk.NOTE_LENGTH + 1)),
])
def test_impossible_notes_are_refused(sqlite: Database, call: str, text: str) -> None:
    lan = add_user(sqlite)
    with pytest.raises(ValueError, match=r"call id|characters"):
        note(sqlite, lan, text, call=call)
