"""People with several telephones: joined, parted again, and nothing lost by either."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from crm.citizens import contacts, persons
from crm.citizens.errors import ContactError
from crm.citizens.models import Citizen, CitizenEvent
from crm.database import Database
from crm.privacy import erasure
from tests.agent_console.factories import add_call
from tests.crm.cases.factory import NOW, opened

OWN, WIFES, OFFICE = (contacts.parsed(one) for one in ("0912345678", "0987654321", "02373852246"))
SAID: dict[str, Any] = {"reason": "Tự nói khi gọi", "by": "lan", "now": NOW}


def test_calls_and_cases_of_both_numbers_stand_on_one_page_and_part_again(
    database: Database,
) -> None:
    add_call(database, caller=OWN.dialled)
    add_call(database, caller=WIFES.dialled)
    with database.transaction() as session:
        opened(session, phone=WIFES.dialled)
        contacts.keep(session, WIFES, name="Cô Hoa", language="", note="", by="lan", now=NOW)
        persons.join(session, OWN, WIFES, **SAID)
        for number in (OWN, WIFES):
            found = contacts.of_number(session, number)
            assert (found.call_count, found.case_count, len(found.calls)) == (2, 1, 2)
            assert found.numbers[0] == number.dialled
        assert [one.name for one in contacts.of_number(session, OWN).others] == ["Cô Hoa"]
        persons.part(session, OWN, reason="Nhầm người", by="huy", now=NOW)
        found = contacts.of_number(session, OWN)
        assert (found.call_count, found.case_count, found.others) == (1, 0, ())
        known = contacts.of_number(session, WIFES).known
        assert known is not None
        assert (known.name, known.person) == ("Cô Hoa", None)
        for number in (OWN, WIFES):
            assert [(one.what, one.by, one.reason) for one in
                    persons.history(session, number.dialled)] == [
                ("parted", "huy", "Nhầm người"), ("joined", "lan", "Tự nói khi gọi"),
            ]


def twice(session: Session) -> None:
    persons.join(session, OWN, WIFES, **SAID)
    persons.join(session, WIFES, OWN, **SAID)


@pytest.mark.parametrize(("act", "code"), [
    (lambda session: persons.join(session, OWN, OWN, **SAID), "same"),
    (lambda session: persons.join(session, OWN, WIFES, **SAID | {"reason": " x "}), "reason"),
    (lambda session: persons.part(session, OWN, **SAID), "alone"),
    (twice, "together"),
])
def test_what_is_refused(sqlite: Database, act: object, code: str) -> None:
    with sqlite.transaction() as session, pytest.raises(ContactError) as refused:
        act(session)  # type: ignore[operator]
    assert refused.value.code == code


def test_of_three_one_parts_and_two_stay_and_an_erased_one_leaves_nothing(
    database: Database,
) -> None:
    with database.transaction() as session:
        persons.join(session, OWN, WIFES, **SAID)
        persons.join(session, OFFICE, WIFES, **SAID)
        assert len(persons.numbers_of(session, OWN.dialled)) == 3
        persons.part(session, OWN, **SAID)
        assert persons.numbers_of(session, OWN.dialled) == [OWN.dialled]
        assert persons.numbers_of(session, WIFES.dialled) == [WIFES.dialled, OFFICE.dialled]
    with database.transaction() as session:
        erasure.erase_rows(session, WIFES.dialled, "key", NOW)
        assert persons.numbers_of(session, OFFICE.dialled) == [OFFICE.dialled]
        left = session.scalars(select(CitizenEvent)).all()
        assert all(WIFES.dialled not in (one.phone, one.other) for one in left)


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 4), st.integers(0, 4)), max_size=12))
def test_whatever_is_joined_and_parted_numbers_are_together_or_not_for_all_of_them(
    sqlite_shared: Database, acts: list[tuple[bool, int, int]]
) -> None:
    numbers = [contacts.parsed(f"091234567{digit}") for digit in range(5)]
    together = {one.dialled: {one.dialled} for one in numbers}
    with sqlite_shared.transaction() as session:
        session.execute(delete(Citizen))
        for joins, left, right in acts:
            one, two = numbers[left], numbers[right]
            try:
                if joins:
                    persons.join(session, one, two, **SAID)
                    both = together[one.dialled] | together[two.dialled]
                    together |= dict.fromkeys(both, both)
                else:
                    persons.part(session, one, **SAID)
                    rest = together[one.dialled] - {one.dialled}
                    together |= dict.fromkeys(rest, rest) | {one.dialled: {one.dialled}}
            except ContactError:
                pass
            for number in numbers:
                found = persons.numbers_of(session, number.dialled)
                assert set(found) == together[number.dialled]


@pytest.fixture(scope="module")
def sqlite_shared(databases: object) -> object:
    with databases.new("sqlite") as made:  # type: ignore[attr-defined]
        yield made


def test_the_history_of_a_number_is_read_to_its_beginning_page_by_page(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(contacts, "LISTED", 2)
    ids = [add_call(database, caller=OWN.dialled, started_at=NOW - timedelta(days=n)).id
           for n in range(5)]
    with database.transaction() as session:
        codes = [opened(session, phone=OWN.dialled, now=NOW - timedelta(days=n)).code
                 for n in range(3)]
        seen = [contacts.of_number(session, OWN, calls_page=page, cases_page=page)
                for page in (1, 2, 3)]
        assert [one.call.id for found in seen for one in found.calls] == ids
        assert [one.code for found in seen for one in found.cases] == codes
        assert contacts.pages(seen[0].call_count) == 3
        assert contacts.of_number(session, OWN, calls_page=-4).calls == seen[0].calls
