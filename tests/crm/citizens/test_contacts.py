"""One contact for each number."""

from __future__ import annotations

from datetime import timedelta

import pytest

from crm.citizens import contacts
from crm.citizens.errors import ContactError
from crm.citizens.numbers import NumberError
from crm.database import Database
from tests.agent_console.factories import add_call
from tests.crm.cases.factory import NOW, opened


def test_a_number_has_its_calls_its_cases_and_what_is_known_of_it(database: Database) -> None:
    add_call(database, caller="0912345678")
    add_call(database, caller="0987654321")
    with database.transaction() as session:
        code = opened(session, phone="0912345678").code
        number = contacts.parsed("+84 912 345 678")
        contacts.keep(session, number, name="  Cô  Hoa ", language="muong", note="Nghe kém",
                      by="lan", now=NOW)
    with database.reading() as session:
        found = contacts.of_number(session, contacts.parsed("0912.345.678"))
        assert found.known is not None
        assert (found.known.name, found.known.language) == ("Cô Hoa", "muong")
        assert [one.code for one in found.cases] == [code]
        assert (found.call_count, found.case_count) == (1, 1)
        assert [one.call.caller for one in found.calls] == ["0912345678"]
        assert contacts.of_number(session, contacts.parsed("0912345679")).known is None


def test_what_two_people_write_at_once_is_not_lost(sqlite: Database) -> None:
    number = contacts.parsed("0912345678")
    with sqlite.transaction() as session:
        first = contacts.keep(session, number, name="Hoa", language="", note="", by="lan", now=NOW)
        seen = first.changed_at
        contacts.keep(session, number, name="Hoa", language="", note="mới", by="minh",
                      now=NOW + timedelta(seconds=9), seen=seen)
        with pytest.raises(ContactError) as stale:
            contacts.keep(session, number, name="", language="", note="cũ", by="lan", now=NOW,
                          seen=seen)
        assert stale.value.code == "stale"


@pytest.mark.parametrize(("told", "code"), [
    ({"name": "x" * 81}, "name"), ({"name": "a\u0000"}, "name"), ({"note": "x" * 501}, "note"),
    ({"language": "klingon"}, "language"),
])
def test_what_cannot_be_kept_is_refused(
    sqlite: Database, told: dict[str, str], code: str
) -> None:
    with sqlite.transaction() as session, pytest.raises(ContactError) as refused:
        contacts.keep(session, contacts.parsed("0912345678"), **{  # type: ignore[arg-type]
            "name": "", "language": "", "note": "", "by": "lan", "now": NOW} | told)
    assert refused.value.code == code


@pytest.mark.parametrize("written", ["115", "1022", "842371022", ""])
def test_short_numbers_and_our_own_are_nobodys(written: str) -> None:
    with pytest.raises(NumberError):
        contacts.parsed(written)
