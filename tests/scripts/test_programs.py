"""`hotline token` and `hotline webhook`."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from crm import secrets
from crm.api import tokens
from crm.database import Database
from scripts.hotline import main


@pytest.fixture
def run(sqlite: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):  # type: ignore[no-untyped-def]
    secrets.ensure(tmp_path, [])
    monkeypatch.setenv("HOTLINE_HOME", str(tmp_path))
    monkeypatch.setenv("HOTLINE_DATABASE_URL", sqlite.url.render_as_string(hide_password=False))

    def run(*words: str) -> Result:
        return CliRunner().invoke(main, words)

    return run


def test_a_key_is_shown_once_and_ends(run, sqlite: Database) -> None:  # type: ignore[no-untyped-def]
    shown = run("token", "add", "so-y-te", "--scope", "cases:read", "--expires", "2999-01-01")
    key = shown.output.strip()
    with sqlite.reading() as session:
        assert tokens.find(session, key, datetime.now(UTC)) is not None
    listed = run("token", "list").output
    assert "so-y-te" in listed
    assert "cases:read" in listed
    assert key not in listed
    assert run("token", "revoke", "so-y-te").exit_code == 0
    with sqlite.reading() as session:
        assert tokens.find(session, key, datetime.now(UTC)) is None
    for wrong in (("revoke", "nobody"), ("add", "so-y-te", "--scope", "cases:read"),
                  ("add", "x1", "--scope", "moon"),
                  ("add", "x2", "--scope", "cases:read", "--expires", "2020-01-01")):
        refused = run("token", *wrong)
        assert refused.exit_code == 1
        assert "Traceback" not in refused.output


def test_an_address_is_added_resumed_and_removed(run) -> None:  # type: ignore[no-untyped-def]
    assert "whsec_" in run("webhook", "add", "https://example.org/hook").output
    assert "https://example.org/hook" in run("webhook", "list").output
    assert "0 messages" in run("webhook", "resend", "1").output
    assert run("webhook", "remove", "1").exit_code == 0
    assert run("webhook", "list").output == ""
    assert run("webhook", "resend", "1").exit_code == 1
    assert run("webhook", "add", "http://example.org/").exit_code == 1
