"""`hotline broadcast`."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from crm import users
from crm.broadcasts import life
from crm.database import Database
from crm.imports import files
from crm.models import Role
from scripts.hotline import main
from tests.accounts import PASSWORD, hash_quickly
from tests.crm.broadcasts.factory import AREA, TEXT, rows, stage_of

Run = Callable[..., Result]


@pytest.fixture
def run(sqlite: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    for name, value in {
        "HOME": str(tmp_path), "DATABASE_URL": str(sqlite.url), "SMS_PROVIDER": "gateway",
        "SMS_SENDER": "TD1022", "SMS_GATEWAY_URL": "http://127.0.0.1:9/send",
    }.items():
        monkeypatch.setenv(f"HOTLINE_{name}", value)
    hash_quickly(monkeypatch)
    with sqlite.transaction() as session:
        for login, role in (("lan", Role.AGENT), ("huy", Role.SUPERVISOR)):
            users.create_user(
                session, login=login, name=login, role=role, password=PASSWORD,
                now=datetime.now(UTC), queues=(),
            )

    def command(*words: str) -> Result:
        return CliRunner().invoke(main, ["broadcast", *words])

    return command


def new(run: Run, folder: Path, *words: str, by: str = "huy", count: int = 60) -> Result:
    table = folder / "list.csv"
    table.write_bytes(files.as_csv(rows(count), ("phone", "area")))
    return run(
        "new", "--title", "Xét nghiệm", "--area", AREA, "--list", str(table), "--authority",
        "Sở Y tế", "--document", "123/SYT", "--by", by, *words,
    )


def test_it_is_written_tested_and_led_but_not_approved(
    sqlite: Database, run: Run, tmp_path: Path
) -> None:
    assert "no right to broadcasts" in new(run, tmp_path, "--text", TEXT, by="lan").output
    assert "chosen persons" in new(run, tmp_path, "--text", TEXT, "--chosen", count=3).output
    made = new(run, tmp_path, "--text", TEXT)
    assert made.output.startswith("broadcast 1: 60 recipients; left out: 0 duplicates"), made.output
    assert run("approve", "1", "--by", "huy").exit_code == 2  # there is no such command
    assert "it is draft, not approved" in run("start", "1", "--by", "huy").output
    assert run("test", "1", "--to", "0987654321", "--by", "huy").exit_code == 0
    with sqlite.transaction() as session:
        life.approve(session, life.locked(session, 1), by="quan", now=datetime.now(UTC))
    for act, stage in (("start", "running"), ("pause", "paused"), ("resume", "running"),
                       ("stop", "stopped")):
        assert run(act, "1", "--by", "huy").exit_code == 0
        assert stage_of(sqlite, 1) == stage
    row, = json.loads(run("list", "--json").output)
    assert (row["stage"], row["progress"]["cancelled"]) == ("stopped", 60)
    shown = json.loads(run("show", "1", "--json").output)
    assert [one["what"] for one in shown["events"]] == [
        "written", "tested", "approved", "started", "paused", "resumed", "stopped"
    ]
    assert shown["cost"]["total"] == 60
    assert "0912000001" not in run("show", "1").output
    assert run("show", "9").exit_code == 1


def test_files_of_the_carriers_are_written(
    sqlite: Database, run: Run, tmp_path: Path
) -> None:
    assert new(run, tmp_path, "--text", TEXT, "--delivery", "carriers").exit_code == 0
    with sqlite.transaction() as session:
        life.approve(session, life.locked(session, 1), by="quan", now=datetime.now(UTC))
    assert run("start", "1", "--by", "huy").exit_code == 0
    told = run("files", "1", str(tmp_path / "out"), "--by", "huy").output
    content = (tmp_path / "out" / "broadcast-1-vinaphone.csv").read_bytes()
    assert hashlib.sha256(content).hexdigest() in told
    shown = json.loads(run("show", "1", "--json").output)
    assert shown["events"][-1]["what"] == "fetched"
