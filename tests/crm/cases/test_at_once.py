"""Two people at once: the second is told, and nothing of the first is lost."""

from __future__ import annotations

import threading

from crm.cases import life
from crm.cases.life import CaseError
from crm.cases.models import Status
from crm.database import Database
from tests.crm.cases.factory import HEALTH, NOW, opened, with_agencies


def test_of_two_who_send_a_case_on_at_the_same_moment_one_is_told_that_it_has_changed(
    database: Database,
) -> None:
    with database.transaction() as session:
        with_agencies(session)
        code = opened(session).code
        seen = life.events_of(session, life.by_code(session, code))[-1].id
    both, told = threading.Barrier(2), []

    def send(login: str) -> None:
        if not database.is_sqlite:  # there the second cannot even begin
            both.wait(10)
        try:
            with database.transaction() as session:
                case = life.by_code(session, code)
                if not database.is_sqlite:
                    both.wait(10)  # both have read the case as it was
                life.unchanged_since(session, case, seen)
                life.move(session, case, Status.ASSIGNED, by=login, now=NOW, agency=HEALTH)
                told.append("done")
        except CaseError as error:
            told.append(error.code)

    people = [threading.Thread(target=send, args=(login,)) for login in ("huy", "huong")]
    for one in people:
        one.start()
    for one in people:
        one.join(30)
    assert sorted(told) == ["done", "stale"]
    with database.reading() as session:
        assert life.agencies_of(session, life.by_code(session, code)) == [HEALTH]
