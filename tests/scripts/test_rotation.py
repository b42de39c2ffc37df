"""Secrets of a hotline that is stopped: all are made anew; desk phones' where that is asked."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import select

from crm import secrets
from crm import settings as configuration
from crm.database import Database
from crm.models import Seat
from ivr import provision
from scripts import rotation


@pytest.mark.parametrize("desks", [True, False])
def test_desk_phones_get_new_secrets_where_that_is_asked(
    tmp_path: Path, sqlite: Database, *, desks: bool
) -> None:
    settings = configuration.load({
        "HOTLINE_HOME": str(tmp_path), "HOTLINE_SEATS": "2", "HOTLINE_DESK_PHONES": "2",
        "HOTLINE_DATABASE_URL": sqlite.url.render_as_string(hide_password=False),
    })
    provision.prepare(settings, sqlite)
    before = secrets.load(tmp_path)
    done = rotation.rotate(settings, sqlite, "quan", desks=desks)
    after = secrets.load(tmp_path)
    new = {name for name in after.phones if after.phones[name] != before.phones[name]}
    assert new == {"seat-001", "seat-002"} | ({"desk-01", "desk-02"} if desks else set())
    assert set(done.left) == after.phones.keys() - new
    assert all("--desks" in why for why in done.left.values())
    assert after.ami_command != before.ami_command
    with sqlite.reading() as session:
        rows = {seat.name: seat.secret for seat in session.scalars(select(Seat))}
    assert rows == after.phones, "the console hands out what Asterisk will know"
