"""Limits for a while, and incidents, from the supervisor's page."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask
from sqlalchemy import select

from agent_console.app import feed_of
from crm import surge, switches
from crm.cases import incidents
from crm.cases.models import IncidentText
from crm.clock import VIETNAM
from crm.database import Database
from crm.models import SurgeLimit
from crm.settings import Settings
from ivr.commands import Outcome
from tests.agent_console.conftest import Browser, ObedientPhones

SOUND = "a" * 20
TEXT = "Phường Sầm Sơn đang mất nước"


def written(hours: float) -> str:
    """A time from now, as the browser's field has it."""
    return f"{datetime.now(VIETNAM) + timedelta(hours=hours):%Y-%m-%dT%H:%M}"


def page(browser: Browser) -> str:
    return str(browser.client.get("/surge").get_data(as_text=True))


def shown(app: Flask) -> dict[str, list[dict[str, object]]]:
    feed = feed_of(app)
    feed._due["in_force"] = 0.0
    feed.refresh()
    return dict(feed.documents()["in_force"])


def set_limit(browser: Browser, **form: object) -> int:
    wanted = {"queue": "vaccine", "most": "12", "until": written(2), "reason": "Mưa lũ", **form}
    return int(browser.submit("/surge/limits", **wanted).status_code)


def test_a_supervisor_limits_a_queue_for_a_while_and_lifts_that(
    app: Flask, supervisor: Browser, sqlite: Database, phones: ObedientPhones, audited: list[str]
) -> None:
    assert set_limit(supervisor) == 302
    with sqlite.reading() as session:
        [first] = surge.in_force(session, datetime.now(UTC))
        value = switches.wanted(session, "limit.vaccine")
    assert value == f"12.{int(first.until.timestamp())}"
    assert phones.told[-1] == ("set_switch", "limit.vaccine", value)
    assert "Mưa lũ" in page(supervisor)
    [on_board] = shown(app)["limits"]
    assert (on_board["queue"], on_board["most"], on_board["by"]) == ("vaccine", 12, "huy")

    assert set_limit(supervisor, most="5", reason="Đông hơn") == 302  # takes its place
    [second] = shown(app)["limits"]
    assert second["most"] == 5
    with sqlite.reading() as session:
        number = surge.in_force(session, datetime.now(UTC))[0].id
    assert supervisor.submit(f"/surge/limits/{number}/lift").status_code == 302
    assert phones.told[-1] == ("set_switch", "limit.vaccine", "off")
    assert shown(app)["limits"] == []
    assert supervisor.submit(f"/surge/limits/{number}/lift").status_code == 400, "no more there"
    assert [line.partition(" until")[0] for line in audited] == [
        "huy: at most 12 in vaccine", "huy: at most 5 in vaccine",
        "huy: the limit of vaccine is lifted",
    ]
    with sqlite.reading() as session:
        assert len(session.scalars(select(SurgeLimit)).all()) == 2, "both are kept"


@pytest.mark.parametrize("wrong", [
    {"most": ""}, {"most": "-1"}, {"most": "nhiều"}, {"most": "99999"}, {"queue": "emergency"},
    {"queue": "moon"}, {"until": ""}, {"until": written(-1)}, {"until": written(24 * 8)},
    {"until": "tomorrow"}, {"reason": "  "}, {"queue": "line", "most": "0"},
])
def test_a_limit_that_cannot_be_says_why_and_loses_nothing(
    supervisor: Browser, sqlite: Database, phones: ObedientPhones, wrong: dict[str, str]
) -> None:
    form = {"queue": "vaccine", "most": "12", "until": written(2), "reason": "Mưa lũ", **wrong}
    answer = supervisor.submit("/surge/limits", **form)
    assert answer.status_code == 400
    told = answer.get_data(as_text=True)
    assert 'role="alert"' in told
    assert f'name="reason" maxlength="300" required value="{form["reason"]}"' in told
    with sqlite.reading() as session:
        assert surge.in_force(session, datetime.now(UTC)) == []
    assert phones.told == []


def test_what_asterisk_did_not_take_is_wanted_all_the_same(
    supervisor: Browser, sqlite: Database, phones: ObedientPhones
) -> None:
    phones.outcome = Outcome.UNKNOWN
    assert set_limit(supervisor, queue="line", most="40") == 302
    with sqlite.reading() as session:
        assert (switches.wanted(session, "limit.line") or "").startswith("40.")
    assert "Asterisk chưa trả lời" in page(supervisor)


def prepared(supervisor: Browser, database: Database, settings: Settings) -> int:
    """A text that the scheduler has spoken."""
    supervisor.submit("/surge/texts", text=f"  {TEXT} ")
    with database.transaction() as session:
        made = next(one for one in incidents.prepared(session) if one.text == TEXT)
        made.sound = SOUND
        number = made.id
    file = incidents.preview(settings, SOUND)
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(b"RIFF")
    return number


def test_an_incident_is_prepared_heard_told_prolonged_and_ended(
    app: Flask, supervisor: Browser, sqlite: Database, settings: Settings, phones: ObedientPhones,
    audited: list[str],
) -> None:
    supervisor.submit("/surge/texts", text=TEXT)
    with sqlite.reading() as session:
        number = incidents.prepared(session)[0].id
    assert supervisor.client.get(f"/surge/texts/{number}.wav").status_code == 404
    early = supervisor.submit("/surge/incidents", text_id=number, branch="", until="")
    assert early.status_code == 400, "nobody has spoken it"
    assert prepared(supervisor, sqlite, settings) == number, "the same text is the same"
    assert supervisor.ask("GET", "/surge/texts").get_json() == {"spoken": [number]}
    assert supervisor.client.get(f"/surge/texts/{number}.wav").data == b"RIFF"

    until = written(3)
    begun = supervisor.submit("/surge/incidents", text_id=number, branch="vaccine", until=until)
    assert begun.status_code == 302
    with sqlite.reading() as session:
        [one] = incidents.still_on(session)
        code, ends = one.case.code, int((one.until or datetime.now(UTC)).timestamp())
    assert phones.told[-1] == ("set_switch", "incident.vaccine", f"{code}.{SOUND}.{ends}")
    [on_board] = shown(app)["incidents"]
    assert (on_board["code"], on_board["branch"], on_board["told"]) == (code, "vaccine", True)
    again = supervisor.submit("/surge/incidents", text_id=number, branch="vaccine", until="")
    assert again.status_code == 400, "one in a place"
    assert supervisor.submit(
        "/surge/incidents", text_id=number, branch="", until="").status_code == 302
    assert ("set_switch", "incident") in [one[:2] for one in phones.told]

    path = f"/surge/incidents/{code}"
    assert supervisor.submit(path, act="prolong", until="").status_code == 302
    assert phones.told[-1] == ("set_switch", "incident.vaccine", f"{code}.{SOUND}")
    assert supervisor.submit(path, act="end", text=" ").status_code == 400
    assert supervisor.submit(path, act="end", text="Nước đã có lại.").status_code == 302
    assert phones.told[-1] == ("set_switch", "incident.vaccine", "none")
    assert supervisor.submit(path, act="end", text="Nước đã có lại.").status_code == 400, "over"
    assert audited[2:] == [
        f"huy: incident {code} is on for vaccine until "
        f"{datetime.fromisoformat(until):%d/%m/%Y %H:%M}",
        *(line for line in audited if "is on for all" in line),
        f"huy: prolong incident {code}", f"huy: end incident {code}",
    ]
    assert supervisor.submit(f"/surge/texts/{number}/remove").status_code == 302
    with sqlite.reading() as session:
        assert TEXT not in [one.text for one in incidents.prepared(session)]


@pytest.mark.parametrize("number", ["", "+84912345678", "99999999999", "9" * 30, "one", "1"])
def test_a_text_that_is_not_there_is_told_nobody(
    supervisor: Browser, sqlite: Database, number: str
) -> None:
    answer = supervisor.submit("/surge/incidents", text_id=number, branch="", until="")
    assert answer.status_code == 400
    with sqlite.reading() as session:
        assert list(incidents.still_on(session)) == []


@pytest.mark.parametrize("text", ["", "   ", "a" * (incidents.LONGEST + 1)])
def test_a_text_that_is_empty_or_too_long_is_given_back(supervisor: Browser, text: str) -> None:
    answer = supervisor.submit("/surge/texts", text=text)
    assert answer.status_code == 400
    assert text in answer.get_data(as_text=True)


def test_agents_see_and_change_none_of_it(
    agent: Browser, sqlite: Database, phones: ObedientPhones
) -> None:
    assert agent.client.get("/surge").status_code == 403
    for path in ("/surge/limits", "/surge/texts", "/surge/incidents", "/surge/limits/1/lift",
                 "/surge/texts/1/remove", "/surge/incidents/12345676"):
        assert agent.submit(path).status_code == 403, path
    assert phones.told == []
    with sqlite.reading() as session:
        own = select(IncidentText).where(IncidentText.added_by == "lan")
        assert session.scalar(own) is None
