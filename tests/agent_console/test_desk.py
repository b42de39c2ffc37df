"""The agent's desk over HTTP: the phone, the state, the notes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import select

from agent_console.app import create_app, feed_of
from crm import desk
from crm.cases import life
from crm.citizens import persons
from crm.citizens.contacts import parsed
from crm.database import Database
from crm.desk import PauseReason
from crm.knowledge import scripts
from crm.models import CallNote, Seat, User
from crm.settings import Settings, load
from ivr.commands import Outcome
from tests.agent_console.conftest import SECRETS, Browser, ObedientPhones
from tests.agent_console.factories import add_call, call_id, put_live_call
from tests.crm.cases.factory import NOW, answered, opened

VACCINE_PATH = [
    {"menu": "main", "key": "3", "at": "2026-05-04T05:00:00.000Z"},
    {"menu": "vaccine", "key": "0", "at": "2026-05-04T05:00:05.000Z"},
]


def test_signing_in_to_the_queues_gives_a_phone(agent: Browser, phones: ObedientPhones) -> None:
    answer = agent.ask("POST", "/agent/phone", {"kind": "webrtc"}).get_json()
    assert answer == {"outcome": "done", "phone": {
        "seat": "seat-001", "kind": "webrtc", "secret": "secret of seat-001",
        "socket": "ws://127.0.0.1:8088/ws", "uri": "sip:seat-001@127.0.0.1",
    }}
    assert phones.told == [
        ("sign_in", "PJSIP/seat-001", "lan", ("emergency", "vaccine", "operator"), True),
    ]
    assert agent.ask("GET", "/agent/phone").get_json()["phone"] == answer["phone"]


def test_a_desk_phone_shows_what_to_type_into_it(agent: Browser) -> None:
    answer = agent.ask("POST", "/agent/phone", {"kind": "desk", "wanted": "desk-01"}).get_json()
    assert answer["phone"] == {
        "seat": "desk-01", "kind": "desk", "secret": "secret of desk-01",
        "server": "127.0.0.1:5060",
    }


def test_an_agent_gets_a_phone_of_the_node_that_holds_the_queues_at_any_console(
    tmp_path: Path, sqlite: Database, phones: ObedientPhones, people: None
) -> None:
    with sqlite.transaction() as session:
        for name, kind in (("seat-101", "webrtc"), ("desk-101", "desk")):
            session.add(Seat(name=name, node="th2", kind=kind, secret=f"secret of {name}"))
    made = create_app(load({
        "HOTLINE_HOME": str(tmp_path), "HOTLINE_KEPT": str(tmp_path),
        "HOTLINE_DATABASE_URL": "postgresql://hotline@db/hotline",
        "HOTLINE_NODES": "th1 10.0.0.1:5060, th2 10.0.0.2:5060",
        "HOTLINE_NODE_QUEUES": "vaccine th2, operator th2",
        "HOTLINE_NODE_SOCKETS": "th1 wss://1022.example/ws/th1, th2 wss://1022.example/ws/th2",
        "HOTLINE_PHONES_EDGE": "10.0.0.7:5060",
    }), sqlite, phones, SECRETS)
    lan = Browser(made.test_client())
    lan.sign_in("lan")
    page = lan.client.get("/agent")
    assert "connect-src 'self' wss://1022.example;" in page.headers["Content-Security-Policy"]
    assert '"desk_phones": ["desk-101"]' in page.get_data(as_text=True)
    held = lan.ask("POST", "/agent/phone", {"kind": "webrtc"}).get_json()["phone"]
    assert (held["seat"], held["socket"]) == ("seat-101", "wss://1022.example/ws/th2")
    held = lan.ask("POST", "/agent/phone", {"kind": "desk", "wanted": "desk-101"}).get_json()
    assert held["phone"]["server"] == "10.0.0.7:5060"
    feed_of(made).close()


def test_changing_the_phone_takes_the_old_one_out_of_the_queues(
    agent: Browser, phones: ObedientPhones
) -> None:
    agent.ask("POST", "/agent/phone", {"kind": "webrtc"})
    agent.ask("POST", "/agent/phone", {"kind": "desk"})
    assert ("sign_out", "PJSIP/seat-001") in phones.told


def test_without_a_free_phone_a_sentence_says_so(agent: Browser, app: Flask) -> None:
    minh = Browser(app.test_client())
    minh.sign_in("minh")
    minh.ask("POST", "/agent/phone", {"kind": "desk"})
    refused = agent.ask("POST", "/agent/phone", {"kind": "desk"})
    assert refused.status_code == 409
    assert refused.get_json()["error"] == "Không còn máy trống loại này."


@pytest.mark.parametrize("body", [None, [], {}, {"kind": "fax"}, {"kind": None}])
def test_nonsense_is_refused(agent: Browser, body: object) -> None:
    assert agent.ask("POST", "/agent/phone", body).status_code == 400


def test_ready_and_pause_are_asked_for_and_three_outcomes_come_back(
    agent: Browser, phones: ObedientPhones
) -> None:
    assert agent.ask("POST", "/agent/state", {"reason": None}).status_code == 409  # no phone yet
    agent.ask("POST", "/agent/phone", {"kind": "webrtc"})
    phones.told.clear()
    for outcome in (Outcome.DONE, Outcome.REFUSED, Outcome.UNKNOWN):
        phones.outcome = outcome
        answer = agent.ask("POST", "/agent/state", {"reason": "lunch"})
        assert answer.get_json() == {"outcome": outcome.value}
    assert agent.ask("POST", "/agent/state", {"reason": "a\r\nb"}).status_code == 400
    agent.ask("POST", "/agent/state", {"reason": None})
    agent.ask("POST", "/agent/wrapup/end")
    assert phones.told[0] == ("pause", "PJSIP/seat-001", "lunch")
    assert phones.told[3] == ("pause", "PJSIP/seat-001", None)
    assert phones.told[4][:3] == ("end_wrapup", "PJSIP/seat-001", "lan")


def test_that_the_phones_node_is_down_is_told_in_a_sentence_and_nothing_is_given_up(
    agent: Browser, phones: ObedientPhones, sqlite: Database
) -> None:
    agent.ask("POST", "/agent/phone", {"kind": "webrtc"})
    phones.outcome = Outcome.SILENT
    for method, path, body in (
        ("POST", "/agent/state", {"reason": None}), ("DELETE", "/agent/phone", None),
    ):
        answer = agent.ask(method, path, body)
        assert answer.status_code == 503
        assert "máy chủ đang giữ cuộc gọi hoặc điện thoại này" in answer.get_json()["error"]
    assert holder(sqlite) is not None


def holder(database: Database) -> int | None:
    with database.reading() as session:
        return session.get_one(Seat, "seat-001").user_id


def test_signing_out_leaves_the_queues_and_gives_the_phone_back(
    agent: Browser, phones: ObedientPhones, sqlite: Database
) -> None:
    agent.ask("POST", "/agent/phone", {"kind": "webrtc"})
    agent.submit("/logout")
    assert phones.told[-1] == ("sign_out", "PJSIP/seat-001")
    assert holder(sqlite) is None


def test_a_phone_that_may_still_ring_is_not_given_back(
    agent: Browser, phones: ObedientPhones, sqlite: Database
) -> None:
    agent.ask("POST", "/agent/phone", {"kind": "webrtc"})
    phones.outcome = Outcome.UNKNOWN
    answer = agent.ask("DELETE", "/agent/phone").get_json()
    assert answer["outcome"] == "unknown"
    assert answer["phone"]["seat"] == "seat-001"
    assert holder(sqlite) is not None


def test_the_page_of_a_call_shows_path_and_earlier_calls(agent: Browser, sqlite: Database) -> None:
    earlier = add_call(
        sqlite, agent="minh", outcome="answered", branch="testing",
        started_at=datetime.now(UTC) - timedelta(days=3),
    )
    with sqlite.transaction() as session:
        minh = session.scalars(select(User).where(User.login == "minh")).one()
        desk.save_note(
            session, minh, earlier.id, text="hẹn trả kết quả thứ Hai", result="solved", done=True,
            now=datetime.now(UTC),
        )
    current = call_id()
    put_live_call(sqlite, 1, id=current, state="ringing", agent="lan")
    add_call(sqlite, id=current, branch="vaccine", path=VACCINE_PATH)
    told = agent.ask("GET", f"/agent/calls/{current}").get_json()
    assert told["caller"] == "0912345678"
    assert told["path"] == "main.3/vaccine.0"
    (before,) = told["earlier"]
    assert (before["branch"], before["outcome"]) == ("Xét nghiệm", "answered")
    assert before["notes"] == [
        {"author": "Minh", "text": "hẹn trả kết quả thứ Hai", "result": "solved"}
    ]
    assert agent.ask("GET", f"/agent/calls/{earlier.id}").status_code == 404  # another agent's


def test_an_agent_sees_the_cases_of_the_number_that_rings(agent: Browser, sqlite: Database) -> None:
    call = add_call(sqlite, agent="lan", caller="0912345678")
    with sqlite.transaction() as session:
        done = answered(session, "Đã xong.", phone="0912345678")
        waits = opened(session, phone="0912345678", summary="Mất nước", now=NOW)
        opened(session, phone="0987654321")
    told = agent.ask("GET", f"/agent/calls/{call.id}").get_json()["cases"]
    assert [(one["page"], one["status"], one["overdue"], one["ended"]) for one in told] == [
        (f"/cases/{waits.code}", "Mới", True, False),
        (f"/cases/{done.code}", "Đã giải quyết", False, True),
    ]
    assert told[0]["summary"] == "Mất nước"


def test_an_agent_sees_the_commune_that_a_caller_last_spoke_of(
    agent: Browser, sqlite: Database
) -> None:
    """From any number of theirs, and the same as a new case is filled in with."""
    call = add_call(sqlite, agent="lan", caller="0912345678")
    place = f"/agent/calls/{call.id}"
    with sqlite.transaction() as session:
        opened(session, phone="0912345678")  # it has no place
        case = opened(session, phone="0987654321")
        life.classify(session, case, category="food", by="lan", now=NOW, area="14758")  # Hàm Rồng
    assert agent.ask("GET", place).get_json()["area"] is None
    with sqlite.transaction() as session:
        persons.join(
            session, parsed("0912345678"), parsed("0987654321"), reason="chị nói", by="lan",
            now=NOW,
        )
    assert agent.ask("GET", place).get_json()["area"] == "Phường Hàm Rồng"
    form = agent.client.get(f"/cases/new?call={call.id}").get_data(as_text=True)
    assert 'value="Phường Hàm Rồng"' in form


def test_a_note_is_saved_as_it_is_typed_once_for_each_call(
    agent: Browser, sqlite: Database
) -> None:
    path = f"/agent/calls/{call_id()}/note"
    for text in ("h", "hỏi lịch", "hỏi lịch tiêm", "hỏi lịch tiêm"):
        assert agent.ask("PUT", path, {"text": text}).get_json() == {"saved": True, "done": False}
    done = {"text": "hỏi lịch tiêm", "result": "solved", "done": True}
    for _ in range(2):
        assert agent.ask("PUT", path, done).get_json() == {"saved": True, "done": True}
    with sqlite.reading() as session:
        note = session.scalars(select(CallNote)).one()
        assert (note.text, note.result, note.done) == ("hỏi lịch tiêm", "solved", True)


@pytest.mark.parametrize(
    "body", [{}, {"text": 5}, {"text": "a", "result": "x"}, {"text": "a" * 9000}]
)
def test_a_note_that_cannot_be_is_refused_for_good(agent: Browser, body: object) -> None:
    assert agent.ask("PUT", f"/agent/calls/{call_id()}/note", body).status_code == 400


def test_ones_own_calls_of_the_shift_midnight_or_not(agent: Browser, sqlite: Database) -> None:
    mine = add_call(
        sqlite, agent="lan", outcome="answered", branch="vaccine", path=VACCINE_PATH, talk_ms=61_000
    )
    at_night = datetime.now(UTC) - timedelta(hours=11)
    add_call(sqlite, agent="lan", caller="0966000111", started_at=at_night)
    add_call(sqlite, agent="minh", caller="0987654321")
    add_call(sqlite, agent="lan", caller="0977", started_at=datetime.now(UTC) - timedelta(days=2))
    note = {"text": "<b>", "result": "solved", "done": True}
    agent.ask("PUT", f"/agent/calls/{mine.id}/note", note)
    shown = agent.client.get("/agent/calls").get_data(as_text=True)
    assert "Menu chính: 3 › Tiêm chủng: 0" in shown
    assert "1:01" in shown
    assert "0966000111" in shown
    assert "Đã giải đáp" in shown
    assert "0987654321" not in shown
    assert "0977" not in shown


def test_choices_stand_in_the_order_of_their_use(agent: Browser) -> None:
    page = agent.client.get("/agent").get_data(as_text=True)
    places = [page.index(f'"{reason.value}"') for reason in PauseReason]
    assert places == sorted(places)


def test_the_scripts_stand_on_the_desk_and_say_that_nobody_has_approved_them(
    agent: Browser, supervisor: Browser, sqlite: Database
) -> None:
    with sqlite.transaction() as session:
        scripts.take_in(session, "huy", datetime.now(UTC))
    shown = agent.ask("GET", "/agent/scripts").get_json()["scripts"]
    assert not shown["violence"]["approved"]
    first = shown["violence"]["steps"][0]
    assert [one["text"] for one in first["answers"]] == ["Có", "Không, hoặc ngập ngừng"]

    path = "/knowledge/kich-ban-violence/approval"
    assert supervisor.submit(path, seen="1", department="x").status_code == 409
    assert supervisor.submit(path, seen="7", department="Công an tỉnh").status_code == 409
    assert supervisor.submit(path, seen="1", department="Công an tỉnh").status_code == 302
    assert agent.submit(path, seen="1", department="Công an tỉnh").status_code == 403
    assert agent.ask("GET", "/agent/scripts").get_json()["scripts"]["violence"]["approved"]
    page = agent.client.get("/knowledge/kich-ban-violence").get_data(as_text=True)
    assert "Công an tỉnh" in page


def test_the_way_through_the_menus_says_what_was_heard(
    settings: Settings, people: None, sqlite: Database, phones: ObedientPhones
) -> None:
    app = create_app(settings, sqlite, phones, SECRETS, heard=lambda menu, key: f"{menu}/{key}!")
    lan = Browser(app.test_client())
    lan.sign_in("lan")
    call = add_call(sqlite, agent="lan", branch="vaccine", path=VACCINE_PATH)
    told = lan.ask("GET", f"/agent/calls/{call.id}").get_json()["heard"]
    assert told[0] == {"menu": "Menu chính", "key": "3", "said": "main/3!"}


LINE = {"samples": 12, "mean": 4.1, "worst": 2.3, "loss": 7.5, "jitter": 12.0, "round_trip": 85.0}


def test_how_well_a_leg_was_heard_stands_in_the_list_of_calls(
    agent: Browser, supervisor: Browser, sqlite: Database
) -> None:
    call = add_call(sqlite, agent="lan", outcome="answered").id
    place = f"/agent/calls/{call}/line/0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0"
    for _ in range(2):  # sent twice, as after an answer that was lost
        assert agent.ask("PUT", place, LINE).status_code == 200
    better = place.replace("0f1e", "ffff")
    assert agent.ask("PUT", better, LINE | {"worst": 4.0}).status_code == 200
    page = supervisor.client.get("/calls").get_data(as_text=True)
    assert "Kém 2.3" in page
    assert "mất gói 7.5 %" in page


@pytest.mark.parametrize("wrong", [
    {"samples": 0}, {"samples": True}, {"worst": float("nan")}, {"worst": "4"}, {"loss": -1},
    {"mean": None}, {"jitter": 1e12},
])
def test_impossible_figures_of_a_line_are_refused(agent: Browser, wrong: dict[str, object]) -> None:
    place = f"/agent/calls/{call_id()}/line/0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0"
    assert agent.ask("PUT", place, LINE | wrong).status_code == 400
    assert agent.ask("PUT", "/agent/calls/x/line/0f1e2d3c", LINE).status_code == 400
