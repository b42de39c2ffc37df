"""What may be heard of a case on the telephone, and by whom."""

from datetime import timedelta

import pytest

from crm.cases import lookup
from crm.cases.lookup import (
    ADDRESS,
    MISSES_OF_ADDRESS,
    MISSES_OF_CALLER,
    MISSES_OF_CODE,
    MISSES_OF_WITHHELD,
    Found,
    Locked,
    NotFound,
    TailNeeded,
    count,
    look_up,
    note_miss,
)
from crm.cases.models import Identity
from crm.database import Database
from tests.crm.cases.factory import NOW, opened

OWN, OTHER = "0912345678", "0987654321"


def test_the_calling_number_gives_the_count_and_the_last_four_digits_the_content(
    database: Database,
) -> None:
    with database.transaction() as session:
        code = opened(session, phone=OWN).code
        opened(session, phone=OTHER)
    with database.reading() as session:
        assert (count(session, OWN), count(session, None), count(session, "")) == (1, 0, 0)
        found = look_up(session, OWN, code[-4:], "", NOW)
        assert isinstance(found, Found)
        assert [case.code for case in found.cases] == [code]
        assert look_up(session, OTHER, code[-4:], "", NOW) == NotFound()
        assert look_up(session, None, code[-4:], "", NOW) == NotFound()


def test_from_any_telephone_the_whole_code_needs_the_end_of_the_number_too(
    database: Database,
) -> None:
    with database.transaction() as session:
        code = opened(session, phone=OWN).code
    with database.reading() as session:
        for caller in (None, OTHER, OWN):
            assert look_up(session, caller, code, "", NOW) == TailNeeded()
            assert isinstance(look_up(session, caller, code, "5678", NOW), Found)
            assert look_up(session, caller, code, "4321", NOW) == NotFound(code=code)
        assert look_up(session, None, "00000000", "", NOW) == TailNeeded()  # there is none
        assert look_up(session, None, "00000000", "5678", NOW) == NotFound()
        assert look_up(session, None, code[:-1], "5678", NOW) == NotFound(slip=True)
        wrong = code[:-1] + str((int(code[-1]) + 1) % 10)
        assert look_up(session, None, wrong, "5678", NOW) == NotFound(slip=True)


@pytest.mark.parametrize("told", [{"identity": Identity.HIDDEN}, {"sensitive": True}])
def test_a_hidden_or_sensitive_case_is_never_told_by_the_number(
    sqlite: Database, told: dict[str, object]
) -> None:
    with sqlite.transaction() as session:
        code = opened(session, phone=OWN, **told).code
        assert count(session, OWN) == 0
        assert look_up(session, OWN, code[-4:], "", NOW) == NotFound()
        assert isinstance(look_up(session, OWN, code, OWN[-4:], NOW), Found)


def test_an_anonymous_case_is_told_to_nobody_on_the_telephone(sqlite: Database) -> None:
    with sqlite.transaction() as session:
        code = opened(session, phone=None, identity=Identity.ANONYMOUS).code
        assert look_up(session, None, code, "0000", NOW) == NotFound(code=code)


def test_who_guesses_is_locked_out_for_a_day_and_nobody_else_is(sqlite: Database) -> None:
    with sqlite.transaction() as session:
        code = opened(session, phone=OWN).code
        for _ in range(MISSES_OF_CALLER):
            assert isinstance(look_up(session, OTHER, code, OWN[-4:], NOW), Found)
            note_miss(session, OTHER, None, NOW)
        assert look_up(session, OTHER, code, OWN[-4:], NOW) == Locked()
        assert isinstance(look_up(session, OWN, code, OWN[-4:], NOW), Found)
        tomorrow = NOW + timedelta(days=1, seconds=1)
        assert isinstance(look_up(session, OTHER, code, OWN[-4:], tomorrow), Found)
        lookup.forget_misses(session, tomorrow)
        assert not lookup.is_locked(session, OTHER, NOW)


def test_guesses_at_one_code_from_many_telephones_lock_the_code(sqlite: Database) -> None:
    with sqlite.transaction() as session:
        code, another = opened(session, phone=OWN).code, opened(session, phone=OWN).code
        for number in range(MISSES_OF_CODE):
            note_miss(session, f"09120000{number:02}", code, NOW)
        assert look_up(session, OTHER, code, OWN[-4:], NOW) == Locked()
        assert isinstance(look_up(session, OTHER, another, OWN[-4:], NOW), Found)


def test_withheld_numbers_are_counted_together(sqlite: Database) -> None:
    with sqlite.transaction() as session:
        for _ in range(MISSES_OF_WITHHELD):
            note_miss(session, None, None, NOW)
        assert lookup.is_locked(session, None, NOW)
        assert lookup.is_locked(session, "", NOW)
        assert not lookup.is_locked(session, OWN, NOW)


def test_an_address_that_many_share_is_locked_for_the_code_alone_and_slowly_for_all(
    sqlite: Database,
) -> None:
    shared = f"{ADDRESS}0123456789abcdef"
    with sqlite.transaction() as session:
        code, neighbours = opened(session, phone=OWN).code, opened(session, phone=OTHER).code
        for _ in range(MISSES_OF_CALLER):
            note_miss(session, shared, code, NOW)
        assert look_up(session, shared, code, OWN[-4:], NOW) == Locked()
        assert isinstance(look_up(session, shared, neighbours, OTHER[-4:], NOW), Found)
        for number in range(MISSES_OF_ADDRESS - MISSES_OF_CALLER):
            note_miss(session, shared, f"{number:08}", NOW)
        assert look_up(session, shared, neighbours, OTHER[-4:], NOW) == Locked()
        assert isinstance(look_up(session, None, neighbours, OTHER[-4:], NOW), Found)


def test_a_code_that_is_nobodys_locks_an_address_as_one_that_is_somebodys(
    sqlite: Database,
) -> None:
    shared, nobodys = f"{ADDRESS}0123456789abcdef", "00000000"
    with sqlite.transaction() as session:
        for _ in range(MISSES_OF_CALLER):
            assert look_up(session, shared, nobodys, "5678", NOW) == NotFound()
            note_miss(session, shared, nobodys, NOW)
        assert look_up(session, shared, nobodys, "5678", NOW) == Locked()
