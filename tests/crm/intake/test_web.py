"""A report from the page, sent by two requests at once."""

from __future__ import annotations

import threading
from pathlib import Path

from crm.cases import attachments, life
from crm.cases.deadlines import GENERAL
from crm.cases.models import Identity
from crm.database import Database
from crm.intake import arrivals, web
from crm.intake.web import Report
from tests.crm.cases.factory import NOW
from tests.crm.intake import files


def report(*kept: attachments.Kept, summary: str = "Đường ngập") -> Report:
    return Report(
        "a-key", summary, "", "roads", "14758", Identity.SHOWN, public=False, phone="0912345678",
        fields=None, files=kept,
    )


def test_two_requests_at_once_make_one_case(tmp_path: Path, database: Database) -> None:
    kept = attachments.take(tmp_path, "a.png", files.picture("PNG"))
    begin, codes = threading.Barrier(4), []

    def send() -> None:
        begin.wait()
        with database.transaction() as session:
            codes.append(web.take_in(session, report(kept), NOW, GENERAL).code)

    threads = [threading.Thread(target=send) for _ in range(4)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert len(codes) == 4
    assert len(set(codes)) == 1
    with database.reading() as session:
        (case,) = life.latest(session, 9)
        assert len(attachments.of_case(session, case)) == 1
        assert len(arrivals.of_case(session, case)) == 1


def test_what_failed_leaves_no_key_behind(database: Database) -> None:
    class Stop(Exception):
        pass

    try:
        with database.transaction() as session:
            web.take_in(session, report(), NOW, GENERAL)
            raise Stop
    except Stop:
        pass
    with database.transaction() as session:
        web.take_in(session, report(), NOW, GENERAL)
    with database.reading() as session:
        assert len(life.latest(session, 9)) == 1
