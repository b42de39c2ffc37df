"""What is watched: every figure an alarm speaks of exists, and every alarm is explained."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, Never

import pytest
import yaml
from flask import Flask

from agent_console.app import feed_of
from crm.database import Database, DatabaseError
from crm.settings import PROJECT
from tests.agent_console.factories import add_call, put_listener, put_live_agent, put_live_call
from tests.live.running import wait_for

MONITORING = PROJECT / "scripts" / "monitoring"
FIGURE = re.compile(r"hotline_[a-z_]+")
RULES: list[dict[str, Any]] = [
    rule for group in yaml.safe_load((MONITORING / "alerts.yml").read_text("utf-8"))["groups"]
    for rule in group["rules"]
]


@pytest.fixture
def figures(app: Flask, sqlite: Database, tmp_path: Path) -> dict[str, str]:
    """The figures of a console at work: name → the first line of it."""
    (tmp_path / "probe.json").write_text('{"call": {"failures": 2, "killed_at": ""}}', "utf-8")
    (tmp_path / "doctor.json").write_text('{"disk": {"failures": 1, "killed_at": ""}}', "utf-8")
    add_call(sqlite, outcome="answered", branch="vaccine", wait_ms=1000)
    put_live_call(sqlite, 1)
    put_live_agent(sqlite, 2)
    put_listener(sqlite, 3)
    feed = feed_of(app)
    feed.start()
    wait_for(lambda: "listener:th1" in feed.documents(), "the feed has read everything")
    text = app.test_client().get("/metrics").get_data(as_text=True)
    shown: dict[str, str] = {}
    for line in text.splitlines():
        if not line.startswith("#"):
            shown.setdefault(FIGURE.findall(line)[0], line)
    return shown


def test_alarms_and_board_speak_of_figures_that_there_are(figures: dict[str, str]) -> None:
    asked = {name for rule in RULES for name in FIGURE.findall(rule["expr"])}
    board = json.loads((MONITORING / "grafana.json").read_text("utf-8"))
    asked |= {
        name for panel in board["panels"] for target in panel["targets"]
        for name in FIGURE.findall(target["expr"])
    }
    # a node's journal has a figure only once its tailer has begun
    assert asked - figures.keys() <= {"hotline_journal_read_age_seconds"}
    assert figures["hotline_probe_failures"] == 'hotline_probe_failures{part="call"} 2.0'
    assert figures["hotline_doctor_failing"] == 'hotline_doctor_failing{check="disk"} 1.0'


def test_every_alarm_has_a_chapter_in_the_runbook_and_no_chapter_is_left_over() -> None:
    runbook = (PROJECT / "docs" / "runbook.md").read_text(encoding="utf-8")
    assert re.findall(r"^## (\w+)$", runbook, re.MULTILINE) == [rule["alert"] for rule in RULES]
    assert all(rule["labels"]["severity"] in ("page", "ticket") for rule in RULES)


def test_with_the_database_gone_the_figures_say_so(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(_database: Database) -> Never:
        raise DatabaseError("gone")

    monkeypatch.setattr(Database, "reading", gone)
    text = app.test_client().get("/metrics").get_data(as_text=True)
    assert "hotline_database_up 0.0" in text
    assert "hotline_disk_free_ratio" in text
    assert "hotline_calls_today" not in text
