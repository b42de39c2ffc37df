"""An agent's call with others, and a supervisor's acts, over HTTP."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta

import pytest
from flask import Flask

from agent_console.app import feed_of
from crm.clock import VIETNAM
from crm.database import Database
from crm.models import AgentState
from crm.setting_values import Checked, Expert
from tests.agent_console.conftest import Browser, ObedientPhones
from tests.agent_console.factories import call_id, put_live_agent, put_live_call

CALL = call_id()
WITH = f"/agent/calls/{CALL}/with"


@pytest.fixture
def at_phone(agent: Browser, phones: ObedientPhones) -> Browser:
    agent.ask("POST", "/agent/phone", {"kind": "webrtc"})
    phones.told.clear()
    return agent


@pytest.fixture
def minh(app: Flask, people: None) -> Browser:
    """A colleague at a phone of her own."""
    other = Browser(app.test_client())
    other.sign_in("minh")
    other.ask("POST", "/agent/phone", {"kind": "desk"})
    return other


def test_each_act_is_asked_of_asterisk_with_the_own_phone(
    minh: Browser, at_phone: Browser, phones: ObedientPhones, sqlite: Database
) -> None:
    put_live_call(sqlite, 1, id=CALL, state="talking", agent="lan")
    for asked in (
        {"act": "consult", "kind": "agent", "to": "minh"},
        {"act": "invite", "kind": "service", "to": "medical"},
        {"act": "transfer", "kind": "branch", "to": "vaccine"},
        {"act": "transfer", "kind": "outside", "to": "0912 345-678"},
        {"act": "together"}, {"act": "back"}, {"act": "leave"},
    ):
        assert at_phone.ask("POST", WITH, asked).get_json() == {"outcome": "done"}
    own = "PJSIP/seat-001"
    assert phones.told == [
        ("consult", CALL, own, "desk-01", "minh"), ("invite", CALL, own, "service-medical", ""),
        ("transfer", CALL, own, "branch", "vaccine", ""),
        ("transfer", CALL, own, "outside", "0912345678", ""),
        ("bring_together", CALL, own), ("take_back", CALL, own), ("hand_over", CALL, own),
    ]


@pytest.mark.parametrize(("asked", "status"), [
    ({"act": "consult", "kind": "branch", "to": "vaccine"}, 400),
    ({"act": "sing"}, 400), ({}, 400), ([], 400),
    ({"act": "consult", "kind": "outside", "to": "19001234"}, 409),
    ({"act": "consult", "kind": "outside", "to": "0084912345678"}, 409),
    ({"act": "consult", "kind": "outside", "to": "0912\r\nAction: Hangup"}, 409),
    ({"act": "consult", "kind": "agent", "to": "lan"}, 409),  # oneself
    ({"act": "consult", "kind": "agent", "to": "nobody"}, 409),
])
def test_what_cannot_be_done_is_refused_before_asterisk_is_asked(
    at_phone: Browser, phones: ObedientPhones, asked: object, status: int
) -> None:
    assert at_phone.ask("POST", WITH, asked).status_code == status
    assert phones.told == []


def test_an_agent_with_a_telephone_outside_calls_others_in_from_the_page(
    minh: Browser, agent: Browser, phones: ObedientPhones, sqlite: Database
) -> None:
    outside = "Local/0913000801@hl-mobile/n"
    put_live_call(sqlite, 1, id=CALL, state="talking", agent="lan")
    put_live_agent(sqlite, 2, state="talking", call_id=CALL, interface=outside)
    phones.told.clear()
    asked = {"act": "invite", "kind": "agent", "to": "minh"}
    assert agent.ask("POST", WITH, asked).get_json() == {"outcome": "done"}
    paused = agent.ask("POST", f"/agent/calls/{CALL}/recording", {"act": "paused", "why": "card"})
    assert paused.get_json() == {"outcome": "done"}
    assert [one[:3] for one in phones.told] == [
        ("invite", CALL, outside), ("record", CALL, outside)
    ]


def test_without_a_phone_nothing_is_done(agent: Browser) -> None:
    assert agent.ask("POST", WITH, {"act": "back"}).status_code == 409


def test_whom_a_caller_can_be_led_to(agent: Browser, sqlite: Database) -> None:
    put_live_agent(sqlite, 1, "minh", state=AgentState.READY, interface="PJSIP/desk-01")
    put_live_agent(sqlite, 1, "lan", state=AgentState.TALKING, interface="PJSIP/seat-001")
    found = agent.ask("GET", "/agent/people").get_json()
    assert [one["login"] for one in found["agents"]] == ["minh"]
    assert "emergency" not in found["branches"]
    assert found["help_lines"] == ["111", "19009095"]


def test_a_doctor_on_duty_is_asked_or_called_in(
    at_phone: Browser, app: Flask, phones: ObedientPhones
) -> None:
    """Never led on to without a word: a voicemail box might have the caller."""
    known = app.extensions["console"]
    weekday = f"{datetime.now(VIETNAM) + timedelta(days=2):%a}".lower()  # not today
    app.extensions["console"] = replace(known, settings=replace(
        known.settings, trunk_server="127.0.0.9", experts=(
            Expert("bs.an", "0912000951", "", ""),
            Expert("bs.binh", "0912000952", weekday, "00:00-23:59"),
        ),
    ))
    found = at_phone.ask("GET", "/agent/people").get_json()
    assert found["experts"] == [{"id": "bs.an", "name": "bs.an"}]
    asked = {"act": "consult", "kind": "expert", "to": "bs.an"}
    assert at_phone.ask("POST", WITH, asked).get_json() == {"outcome": "done"}
    assert at_phone.ask("POST", WITH, {**asked, "act": "invite"}).get_json() == {"outcome": "done"}
    own = "PJSIP/seat-001"
    assert phones.told == [
        ("consult", CALL, own, "doc-bs.an", ""), ("invite", CALL, own, "doc-bs.an", ""),
    ]
    assert at_phone.ask("POST", WITH, {**asked, "act": "transfer"}).status_code == 400
    for nobody in ("bs.binh", "bs.chi", ""):
        refused = at_phone.ask("POST", WITH, {**asked, "to": nobody})
        assert refused.status_code == 409
        assert refused.get_json()["error"] == "Bác sĩ này hiện không trực."
    assert len(phones.told) == 2


def test_an_emergency_number_stands_with_who_tried_it_and_when(
    agent: Browser, app: Flask
) -> None:
    known = app.extensions["console"]
    app.extensions["console"] = replace(known, settings=replace(known.settings, emergency_checked=(
        Checked("111", date(2026, 5, 4), "Chị Hoa, Sở LĐTBXH"),
    )))
    found = agent.ask("GET", "/agent/people").get_json()
    assert found["checked"] == {"111": "đã gọi thử 04/05/2026, Chị Hoa, Sở LĐTBXH"}
    assert "19009095" in found["unchecked"]  # nobody ever has


def test_a_supervisor_needs_a_phone_a_call_and_for_a_refused_recording_a_reason(
    supervisor: Browser, sqlite: Database, phones: ObedientPhones, audited: list[str]
) -> None:
    def ask(**more: str) -> int:
        answer = supervisor.ask(
            "POST", "/supervisor/listen", {"agent": "lan", "how": "listen", **more}
        )
        return int(answer.status_code)

    put_live_agent(sqlite, 1, "lan", state=AgentState.READY, interface="PJSIP/seat-002")
    assert ask() == 409
    supervisor.ask("POST", "/supervisor/phone", {"kind": "webrtc"})
    assert ask() == 409
    put_live_agent(
        sqlite, 1, "lan", state=AgentState.TALKING, interface="PJSIP/seat-002", call_id=CALL
    )
    assert ask(how="sing") == 400
    assert ask() == 200
    assert ask(safety="  người gọi dọa   tự sát ") == 200
    assert phones.told == [
        ("listen", CALL, "PJSIP/seat-002", "PJSIP/seat-001", "listen", "huy", True),
        ("listen", CALL, "PJSIP/seat-002", "PJSIP/seat-001", "listen", "huy", False),
    ]
    assert ask(how="whisper") == ask(how="barge") == 200
    assert audited == [
        f"huy: listen at lan in call {CALL}: done",
        f"huy: listen at lan in call {CALL} for safety: người gọi dọa tự sát: done",
        f"huy: whisper at lan in call {CALL}: done", f"huy: barge at lan in call {CALL}: done",
    ]


def test_a_supervisor_takes_a_call_over_and_agents_and_auditors_do_not(
    supervisor: Browser, agent: Browser, app: Flask, sqlite: Database, phones: ObedientPhones,
    audited: list[str],
) -> None:
    path, asked = "/supervisor/take-over", {"agent": "lan"}
    assert agent.ask("POST", path, asked).status_code == 403
    assert supervisor.ask("POST", path, asked).status_code == 409
    supervisor.ask("POST", "/supervisor/phone", {"kind": "webrtc"})
    phones.told.clear()
    assert supervisor.ask("POST", path, asked).status_code == 409, "nobody to take over from"
    put_live_agent(
        sqlite, 1, "lan", state=AgentState.TALKING, interface="PJSIP/seat-002", call_id=CALL
    )
    for more in ({}, {"safety": " dọa tự sát "}):
        answer = supervisor.ask("POST", path, {**asked, **more})
        assert answer.get_json() == {"outcome": "done"}
    assert phones.told == [
        ("take_over", CALL, "PJSIP/seat-002", "PJSIP/seat-001", "huy", True),
        ("take_over", CALL, "PJSIP/seat-002", "PJSIP/seat-001", "huy", False),
    ]
    assert audited == [
        f"huy: takes over at lan in call {CALL}: done",
        f"huy: takes over at lan in call {CALL} for safety: dọa tự sát: done",
    ]
    # the agent's page is told who has the caller now, the others' are not
    put_live_call(sqlite, 1, id=CALL, state="talking", agent="huy", taken_from="lan",
                  taken_by="huy")
    feed = feed_of(app)
    feed.refresh()
    assert feed.documents()["taken:lan"] == {"call": CALL, "by": "huy"}
    assert feed._live.topics["taken:lan"] == ("agent:lan",)


def test_a_supervisor_pauses_readies_and_signs_out_agents_and_moves_callers(
    supervisor: Browser, sqlite: Database, phones: ObedientPhones, audited: list[str]
) -> None:
    put_live_agent(sqlite, 1, "lan", state=AgentState.READY, interface="PJSIP/seat-002")
    put_live_call(sqlite, 1, id=CALL)
    for asked in ({"act": "pause", "reason": "lunch"}, {"act": "ready"}, {"act": "out"}):
        assert supervisor.ask("POST", "/supervisor/agents/lan", asked).status_code == 200
    assert supervisor.ask("POST", "/supervisor/agents/lan", {"act": "pause"}).status_code == 400
    assert supervisor.ask("POST", "/supervisor/agents/nobody", {"act": "out"}).status_code == 409
    (waiting,) = supervisor.ask("GET", "/supervisor/waiting").get_json()["calls"]
    assert (waiting["id"], waiting["caller"]) == (CALL, "0912345678")
    to = f"/supervisor/calls/{CALL}/branch"
    assert supervisor.ask("POST", to, {"branch": "vaccine"}).status_code == 200
    assert supervisor.ask("POST", to, {"branch": "emergency"}).status_code == 400
    assert ("pause", "PJSIP/seat-002", "lunch") in phones.told
    assert phones.told[-1] == ("move", CALL, "vaccine")
    supervisor.ask("PUT", "/supervisor/agents/lan/skills", {"skills": {"vaccine": 2}})
    assert audited == [
        "huy: pause for lan: done", "huy: ready for lan: done", "huy: out for lan: done",
        f"huy: call {CALL} to vaccine: done",
        "huy: skills of lan are {'emergency': 1, 'vaccine': 2}: done",
    ]


def test_an_agent_pauses_goes_on_and_discards_the_recording_with_a_reason(
    at_phone: Browser, phones: ObedientPhones
) -> None:
    asked = f"/agent/calls/{CALL}/recording"
    for what in (
        {"act": "paused", "why": "card"}, {"act": "resumed"}, {"act": "discarded", "why": "asked"},
    ):
        assert at_phone.ask("POST", asked, what).get_json() == {"outcome": "done"}
    assert phones.told == [
        ("record", CALL, "PJSIP/seat-001", "paused", "card", "lan"),
        ("record", CALL, "PJSIP/seat-001", "resumed", "", "lan"),
        ("record", CALL, "PJSIP/seat-001", "discarded", "asked", "lan"),
    ]
    refused: tuple[object, ...] = (
        {"act": "paused"}, {"act": "discarded", "why": "card"}, {"act": "x"}, {}, [],
    )
    for wrong in refused:
        assert at_phone.ask("POST", asked, wrong).status_code == 400
    assert len(phones.told) == 3


def test_a_lead_may_forbid_to_discard_recordings(
    app: Flask, at_phone: Browser, phones: ObedientPhones
) -> None:
    known = app.extensions["console"]
    app.extensions["console"] = replace(
        known, settings=replace(known.settings, recording_discard="no")
    )
    assert "Bỏ bản ghi" in at_phone.client.get("/agent").get_data(as_text=True)
    asked = f"/agent/calls/{CALL}/recording"
    assert at_phone.ask("POST", asked, {"act": "discarded", "why": "asked"}).status_code == 409
    assert phones.told == []
