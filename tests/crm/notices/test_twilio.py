"""Alarms, and what else is allowed, through Twilio. The stand-in answers as Twilio's public API
description says; it is no Twilio."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from crm.database import Database
from crm.notices import outbox, routes, twilio_sms
from crm.notices.delivery import Delivered
from crm.notices.models import ForeignUse, State
from crm.settings import Settings, SettingsError
from tests.crm.notices.factory import (
    NOON,
    after,
    deliver,
    only,
    settings,
    twilio_settings,
    written,
)
from tests.crm.notices.stand_ins import Reply, TwilioStandIn, running

BASIS = "Quyet dinh 12/QD-UBND ngay 01/10/2026"


def alarmed(database: Database, at: Settings, seconds: float = 0) -> int:
    with database.transaction() as session:
        return outbox.alarm(
            session, at, subject="asterisk", body="it stopped", now=after(seconds)
        )


def test_an_alarm_is_sent_once_to_the_engineers(database: Database, tmp_path: Path) -> None:
    with running(TwilioStandIn()) as server:
        at = twilio_settings(tmp_path, server.url)
        send = twilio_sms.route(at)
        assert alarmed(database, at) == 1
        assert deliver(database, send) == Delivered(sent=1, failed=0)
        assert deliver(database, send) == Delivered(sent=0, failed=0)
    message, = server.requests
    assert message.form["To"] == "+84912345678"
    assert message.form["Body"] == "1022 th1: it stopped"
    assert only(database).state == State.SENT
    assert only(database).provider_id == "SM" + "0" * 32


def test_the_same_subject_alarms_once_in_half_an_hour(database: Database, tmp_path: Path) -> None:
    at = twilio_settings(tmp_path, "")
    assert alarmed(database, at) == 1
    assert alarmed(database, at, 29 * 60) == 0
    assert alarmed(database, at, 31 * 60) == 1


@pytest.mark.parametrize("trouble", [
    Reply(500, {"message": "down"}), Reply(429, {"message": "slow down"}),
])
def test_a_passing_fault_is_tried_again_later(
    database: Database, tmp_path: Path, trouble: Reply
) -> None:
    with running(TwilioStandIn()) as server:
        at = twilio_settings(tmp_path, server.url)
        send = twilio_sms.route(at)
        server.answers.append(trouble)
        alarmed(database, at)
        assert deliver(database, send).failed == 1
        assert deliver(database, send, after(29)).sent == 0
        assert deliver(database, send, after(30)).sent == 1
    assert only(database).attempts == 2


def test_twilio_is_left_alone_as_long_as_it_asks(database: Database, tmp_path: Path) -> None:
    with running(TwilioStandIn()) as server:
        at = twilio_settings(tmp_path, server.url)
        send = twilio_sms.route(at)
        server.answers.append(Reply(429, {"message": "slow down"}, (("Retry-After", "300"),)))
        written(database, personal=False)
        written(database, personal=False)
        assert deliver(database, send) == Delivered(sent=0, failed=1)  # the second is not tried
        assert deliver(database, send, after(299)) == Delivered(sent=1, failed=0)
        assert deliver(database, send, after(300)) == Delivered(sent=1, failed=0)


def test_a_refusal_is_final(database: Database, tmp_path: Path) -> None:
    with running(TwilioStandIn()) as server:
        at = twilio_settings(tmp_path, server.url)
        send = twilio_sms.route(at)
        server.answers.append(
            Reply(400, {"code": 21211, "message": "invalid 'To' number +84912345678"})
        )
        alarmed(database, at)
        deliver(database, send)
        assert only(database).state == State.FAILED
        assert deliver(database, send, NOON + timedelta(days=1)).sent == 0
    error = only(database).error or ""
    assert "invalid 'To' number" in error
    assert "912345678" not in error  # it goes to the log too


def test_a_provider_that_cannot_be_reached_is_a_passing_fault(
    database: Database, tmp_path: Path
) -> None:
    with running(TwilioStandIn()) as server:
        url = server.url
    at = twilio_settings(tmp_path, url)
    alarmed(database, at)
    assert deliver(database, twilio_sms.route(at)).failed == 1
    assert only(database).state == State.WAITING


def test_without_a_provider_nothing_is_sent(sqlite: Database, tmp_path: Path) -> None:
    assert routes.routes(settings(tmp_path), sqlite, lambda: NOON) == {}


def test_nothing_about_a_person_reaches_twilio_by_default(
    sqlite: Database, tmp_path: Path
) -> None:
    with running(TwilioStandIn()) as server:
        at = twilio_settings(tmp_path, server.url)
        written(sqlite)  # personal unless it is said that it is not
        deliver(sqlite, twilio_sms.route(at))
        assert server.requests == []
    notice = only(sqlite)
    assert notice.state == State.FAILED  # it is seen, and sent again through another provider
    assert "foreign service" in (notice.error or "")


def test_texts_about_people_go_abroad_on_a_legal_basis_only(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="foreign_personal = twilio needs foreign_basis"):
        twilio_settings(tmp_path, "", foreign_personal="twilio")


def test_with_a_legal_basis_they_go_and_the_basis_is_kept(
    sqlite: Database, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with running(TwilioStandIn()) as server:
        allowed = twilio_settings(
            tmp_path, server.url, foreign_personal="twilio", foreign_basis=BASIS
        )
        written(sqlite)
        assert deliver(sqlite, twilio_sms.route(allowed)).sent == 1
    for at, seconds in ((allowed, 0), (allowed, 1), (twilio_settings(tmp_path, ""), 2)):
        with sqlite.transaction() as session:
            routes.note_foreign_use(session, at, after(seconds))
    with sqlite.reading() as session:
        use, = session.scalars(select(ForeignUse))
    assert (use.service, use.basis, use.since, use.until) == ("twilio", BASIS, NOON, after(2))
    assert BASIS in caplog.text
