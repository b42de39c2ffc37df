"""`hotline notice`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from crm.database import Database
from crm.notices.delivery import Outgoing, Undelivered
from crm.notices.models import State
from scripts.hotline import main
from tests.crm.notices.factory import PHONE, deliver, only, written


@pytest.fixture
def run(sqlite: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):  # type: ignore[no-untyped-def]
    monkeypatch.setenv("HOTLINE_HOME", str(tmp_path))
    monkeypatch.setenv("HOTLINE_DATABASE_URL", str(sqlite.url))

    def command(*words: str) -> Result:
        return CliRunner().invoke(main, ["notice", *words])

    return command


def refused(outgoing: Outgoing) -> str:
    raise Undelivered("gateway 400", final=True)


def test_what_failed_is_listed_and_sent_again(sqlite: Database, run) -> None:  # type: ignore[no-untyped-def]
    written(sqlite)
    deliver(sqlite, refused)
    shown = run("list", "--state", "failed", "--json")
    row, = json.loads(shown.output)
    assert (row["state"], row["error"]) == ("failed", "gateway 400")
    assert PHONE not in shown.output
    assert "gateway 400" in run("list").output
    assert json.loads(run("list", "--state", "sent", "--json").output) == []
    assert run("retry", "--failed").output == "1 will be sent again\n"
    assert only(sqlite).state == State.WAITING


def test_retry_needs_to_know_which(run) -> None:  # type: ignore[no-untyped-def]
    assert run("retry").exit_code == 2
    assert run("retry", "1", "--failed").exit_code == 2
    unknown = run("retry", "7")
    assert unknown.exit_code == 1
    assert "there is no notice 7" in unknown.output


def test_opting_out_by_hand(run) -> None:  # type: ignore[no-untyped-def]
    assert run("optout", "add", PHONE).exit_code == 0
    assert [row["recipient"] for row in json.loads(run("optout", "list", "--json").output)] == [
        PHONE
    ]
    assert run("optout", "remove", "+84912345678").exit_code == 0
    assert json.loads(run("optout", "list", "--json").output) == []
    assert run("optout", "remove", PHONE).exit_code == 1
