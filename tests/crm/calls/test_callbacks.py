"""Promises to call back: rows from the journal, in whatever portions it is read."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from random import Random

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.orm import Session

from crm.calls import callbacks
from crm.calls.facts import JournalEvent
from crm.database import Database

START = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)
ARRIVED = int(START.timestamp()) - 60
ONE_DATABASE = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


def event(type_: str, second: float, uniqueid: str, **extra: object) -> JournalEvent:
    return JournalEvent(
        type=type_, at=START + timedelta(seconds=second), num="", name="", exten="", context="",
        channel="", app="", app_data="", uniqueid=uniqueid, linkedid=uniqueid, peer="",
        extra={key: str(value) for key, value in extra.items()},
    )


def asked(call: str, second: float, number: str, **extra: object) -> JournalEvent:
    told = {"number": number, "queue": "operator", "branch": "general", "arrived": ARRIVED}
    return event("HL_CALLBACK", second, call, **told | extra)


def tried(call: str, second: float) -> JournalEvent:
    return event("HL_CALLBACK_TRY", second, "th1.b1-1.9", call=call)


def ended(call: str, second: float, result: str) -> JournalEvent:
    return event("HL_CALLBACK_END", second, "th1.b1-1.9", call=call, result=result)


def test_a_request_is_open_until_it_is_kept(database: Database) -> None:
    one, two = "th1.b1-1.1", "th1.b1-1.2"
    with database.transaction() as session:
        callbacks.apply(session, [
            asked(two, 20, "0912000002"), asked(one, 10, "0912000001", arrived=ARRIVED - 60),
        ])
        callbacks.apply(session, [tried(one, 30), tried(one, 60)])
    with database.reading() as session:
        first, second = callbacks.still_open(session, "th1")
        assert (first.id, first.tries, second.id) == (one, 2, two)
        assert first.tried_at == START + timedelta(seconds=60)
        assert callbacks.still_open(session, "th2") == []
    with database.transaction() as session:
        callbacks.apply(session, [ended(one, 90, "done")])
    with database.reading() as session:
        assert [request.id for request in callbacks.still_open(session)] == [two]
        assert callbacks.as_json(callbacks.latest(session, 9)[0])["result"] == "done"


def test_who_was_reached_asks_for_nothing_that_was_asked_before(database: Database) -> None:
    one, two, three = (f"th1.b1-1.{number}" for number in (1, 2, 3))
    with database.transaction() as session:
        callbacks.apply(session, [
            asked(one, 10, "0912000001"), asked(two, 20, "0912000001"), ended(two, 90, "refused"),
            asked(three, 100, "0912000001"),
        ])
    with database.reading() as session:
        assert [request.id for request in callbacks.still_open(session)] == [three]


def test_what_the_dialplan_cannot_have_written_is_no_request(database: Database) -> None:
    bad = [
        asked("th1.b1-1.1", 1, "0912;drop"), asked("th1.b1-1.2", 1, "0912000001", queue="x"),
        asked("th1.b1-1.3", 1, "0912000001", arrived="soon"), asked("nobody", 1, "0912000001"),
        asked("th1.b1-1.4", 1, "0912000001", again=1), ended("th1.b1-1.5", 2, "eaten"),
    ]
    with database.transaction() as session:
        callbacks.apply(session, bad)
    with database.reading() as session:
        assert callbacks.still_open(session) == callbacks.latest(session, 9) == []


STORY = [
    asked("th1.b1-1.1", 10, "0912000001"), tried("th1.b1-1.1", 30), tried("th1.b1-1.1", 90),
    ended("th1.b1-1.1", 95, "done"), asked("th1.b1-1.2", 40, "0912000002"),
    tried("th1.b1-1.2", 50),
]


@contextmanager
def read(database: Database, portions: Iterable[Sequence[JournalEvent]]) -> Iterator[Session]:
    """A session that knows them, and forgets them again."""
    with database.transaction() as session:
        for portion in portions:
            callbacks.apply(session, portion)
        yield session
        session.rollback()


@ONE_DATABASE
@given(st.permutations(STORY), st.integers(0, len(STORY)), st.lists(st.sampled_from(STORY)))
def test_order_portions_and_repetition_change_nothing(
    sqlite: Database, story: list[JournalEvent], cut: int, again: list[JournalEvent]
) -> None:
    with read(sqlite, (story[:cut], story[cut:], again)) as session:
        (request,) = callbacks.still_open(session)
        assert (request.id, request.tries) == ("th1.b1-1.2", 1)
        kept = callbacks.latest(session, 9)[0]
        assert (kept.result, kept.tries) == ("done", 2)


ACTS = st.lists(st.tuples(
    st.sampled_from(("0912000001", "0912000002", "0912000003")), st.integers(0, 50), st.booleans()
), max_size=14)


@ONE_DATABASE
@given(ACTS, st.randoms())
def test_who_called_first_is_rung_first_and_who_was_reached_is_not_rung_again(
    sqlite: Database, acts: list[tuple[str, int, bool]], chance: Random
) -> None:
    """Citizens ask, each having waited for so long, or are reached; it is read in any order."""
    events, owed = [], dict[str, tuple[int, str]]()  # by call: when it came, whose it is
    for second, (number, waited, is_reached) in enumerate(acts):
        mine = [call for call in owed if owed[call][1] == number]
        if is_reached and mine:
            events.append(ended(chance.choice(mine), second, "done"))
            owed = {call: whose for call, whose in owed.items() if call not in mine}
        elif not is_reached:
            call = f"th1.b1-1.{second:03}"
            events.append(asked(call, second, number, arrived=ARRIVED - waited))
            owed[call] = -waited, number
    chance.shuffle(events)
    with read(sqlite, [events]) as session:
        found = [request.id for request in callbacks.still_open(session)]
    assert found == sorted(owed, key=lambda call: (owed[call][0], call))
