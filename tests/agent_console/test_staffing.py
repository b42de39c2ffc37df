"""The page of staffing, and the command."""

from __future__ import annotations

import re

import pytest
from click.testing import CliRunner

from crm.database import Database
from scripts.hotline import main
from tests.agent_console.conftest import Browser
from tests.agent_console.factories import weeks_of_calls


def test_the_page_is_honest_when_little_is_known(supervisor: Browser, sqlite: Database) -> None:
    page = supervisor.client.get("/staffing").get_data(as_text=True)
    assert "Chưa có ngày nào" in page
    weeks_of_calls(sqlite, 8)
    page = supervisor.client.get("/staffing").get_data(as_text=True)
    assert "Mới biết số liệu của 8 ngày" in page
    assert "WAPE" not in page


def test_the_page_shows_both_errors_and_what_two_more_would_do(
    supervisor: Browser, agent: Browser, sqlite: Database
) -> None:
    weeks_of_calls(sqlite, 40)
    page = supervisor.client.get("/staffing?branch=vaccine").get_data(as_text=True)
    assert "WAPE" in page
    assert page.count("<svg") == 2
    assert page.count("</title>") >= 3  # each drawing tells what it is
    assert re.search(r"<th>09:00</th><td>10\.0</td>", page)
    assert "không phát lại được" in page
    assert agent.client.get("/staffing").status_code == 403
    for bad in ("day=x", "day=2001-01-01", "branch=moon", "replay=2090-01-01"):
        assert supervisor.client.get(f"/staffing?{bad}").status_code == 400, bad


def test_figures_of_ones_own_are_reckoned(supervisor: Browser) -> None:
    given = "/staffing?calls=555&handling=240&agents=43"
    page = supervisor.client.get(given).get_data(as_text=True)
    assert "37.0 Erlang" in page
    assert "Cần 43 điện thoại viên" in page
    endless = supervisor.client.get("/staffing?calls=1e309&handling=nan&agents=1e309")
    assert (endless.status_code, "37.0" in endless.get_data(as_text=True)) == (200, False)
    bad = supervisor.client.get("/staffing?calls=-1&handling=240&agents=43").get_data(as_text=True)
    assert 'role="alert"' in bad
    assert 'value="-1.0"' in bad  # what was typed stays


def test_the_command_reckons_and_plans(
    sqlite: Database, monkeypatch: pytest.MonkeyPatch, tmp_path: object
) -> None:
    monkeypatch.setenv("HOTLINE_HOME", str(tmp_path))
    monkeypatch.setenv("HOTLINE_DATABASE_URL", sqlite.url.render_as_string(hide_password=False))

    def hotline(*given: str) -> str:
        return CliRunner().invoke(main, ["staffing", *given]).output

    assert "load 158.0 E, 167 agents" in hotline("reckon", "2370", "240")
    assert "only 0 days are known" in hotline("plan")
    weeks_of_calls(sqlite, 30)
    told = hotline("plan", "--branch", "vaccine")
    assert "09:00    10.0 calls" in told
    assert "+2:" in told
    assert "cannot be played again" in hotline("replay")
    assert "there is no branch moon" in hotline("plan", "--branch", "moon")
