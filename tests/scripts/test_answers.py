"""What callers are told of their cases, as the dialplan reads it."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from crm import secrets
from crm import settings as configuration
from crm.cases import life
from crm.cases.life import Mover
from crm.cases.models import Status
from crm.database import Database
from ivr.live_facts import Asked
from scripts import answers
from tests.crm.cases.factory import at_agency


@pytest.mark.parametrize("is_asked", [False, True])
def test_a_case_is_found_by_its_last_digits_also_while_it_waits_for_its_citizen(
    tmp_path: Path, is_asked: bool
) -> None:
    settings = configuration.load({"HOTLINE_HOME": str(tmp_path)})
    secrets.ensure(tmp_path, [])
    database = Database.of(settings)
    database.migrate()
    now = datetime.now(UTC)
    with database.transaction() as session:
        case = at_agency(session, phone="0912000761", now=now)
        if is_asked:
            life.move(session, case, Status.NEED_INFO, by="x", now=now, reason="Ở thôn nào?",
                      mover=Mover.OFFICER)
        code = case.code
    database.engine.dispose()
    asked = Asked("PJSIP/x", "th1.b1-1.1", 1, "case", "0912000761", code[-4:], "", 1)
    told = answers.replies(settings)(asked).split("|")
    assert told[:2] == ["found", code]
    assert ("status_need_info" in told[4]) is is_asked
