"""The listener from AMI to the database's live rows, against a stand-in for Asterisk."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.exc import OperationalError

from crm import keypad
from crm.database import Database
from crm.models import (
    Callback,
    JournalPosition,
    ListenerState,
    LiveAgent,
    LiveCall,
    Seat,
    Switch,
    User,
)
from crm.settings import PROJECT
from ivr.listener import Pace
from ivr.live import Changes
from ivr.live_events import READ
from ivr.live_store import Connection, LiveStore
from tests.ivr.ami_stand_in import AmiStandIn, stream, undated, until
from tests.ivr.listening import QUICK, add_agent, listening

MEMBER = """Event: QueueMember
Queue: {queue}
Name: {login}
Location: {interface}
LastCall: 0
InCall: 0
Status: 1
Paused: {paused}
PausedReason: {reason}
Penalty: 0
Wrapuptime: 0

"""
CHANNEL = """Event: CoreShowChannel
Channel: PJSIP/trunk-in-{n:08d}
CallerIDNum: 0912345678
Uniqueid: th1.b-1795383584.{n}
Duration: 00:00:05
BridgeId:

"""
STARTED = """Event: Newchannel
Channel: PJSIP/trunk-in-{n:08d}
Uniqueid: th1.b-1795383584.{n}

"""
NAMED = """Event: UserEvent
UserEvent: HotlineCall
Channel: PJSIP/trunk-in-{n:08d}
Uniqueid: th1.b-1795383584.{n}
Caller: 0912345678
Branch: vaccine

"""
JOINED = """Event: QueueCallerJoin
Channel: PJSIP/trunk-in-{n:08d}
CallerIDNum: 0912345678
Uniqueid: th1.b-1795383584.{n}
Queue: vaccine
Position: 1
Count: 1

"""


@pytest.fixture
def asterisk() -> Iterator[AmiStandIn]:
    with AmiStandIn() as stand_in:
        yield stand_in


def member(
    login: str, interface: str = "PJSIP/seat-001", queue: str = "vaccine", reason: str | None = None
) -> str:
    return MEMBER.format(
        login=login, interface=interface, queue=queue, paused=int(reason is not None),
        reason=reason or "",
    )


def appeared(database: Database, call_id: str) -> bool:
    return call_id in calls(database)


def calls(database: Database) -> dict[str, LiveCall]:
    with database.reading() as session:
        return {row.id.rpartition(".")[2]: row for row in session.scalars(select(LiveCall))}


def agents(database: Database) -> dict[str, LiveAgent]:
    with database.reading() as session:
        return {row.login: row for row in session.scalars(select(LiveAgent))}


def connected(database: Database) -> bool:
    with database.reading() as session:
        state = session.get(ListenerState, "th1")
        return state is not None and state.connected


def states(database: Database) -> dict[str, str]:
    return {call: row.state for call, row in calls(database).items()}


LEG = """Event: {event}
Channel: PJSIP/seat-001-0000000a
CallerIDNum: seat-001
Uniqueid: th1.b-1795383584.9
Linkedid: th1.b-1795383584.8
Duration: 00:00:05
BridgeId: {bridge}

"""


def holds(asterisk: AmiStandIn) -> list[str]:
    """What is noted of legs that hold, as the dialplan gets it."""
    return [
        one["Variable"].rpartition(",")[2] for one in asterisk.asked("Originate")
        if one["Channel"] == "Local/hold@hl-hold/n" and one["Variable"].startswith(
            "HL_LEG=th1.b-1795383584.9,HL_SEAT=seat-001,HL_CALL=th1.b-1795383584.8,"
        )
    ]


def test_what_a_phone_holds_is_noted_in_the_journal(
    asterisk: AmiStandIn, database: Database
) -> None:
    with listening(asterisk, database):
        until(lambda: connected(database))
        asterisk.say(LEG.format(event="Hold", bridge=""))
        asterisk.say(LEG.format(event="Unhold", bridge=""))
        asterisk.say(LEG.format(event="Hold", bridge="").replace("seat-001-", "trunk-in-"))
        asterisk.say(STARTED.format(n=77))
        until(lambda: appeared(database, "77") and len(holds(asterisk)) == 2)
    assert holds(asterisk) == ["HL_ON=1", "HL_ON=0"]


def test_after_a_gap_the_journal_gets_to_know_what_is_held_by_then(
    asterisk: AmiStandIn, database: Database
) -> None:
    asterisk.lists["CoreShowChannels"] = (
        LEG.format(event="CoreShowChannel", bridge="b1")
        # it still rings
        + LEG.format(event="CoreShowChannel", bridge="").replace("584.9", "584.10")
    )
    asterisk.values["CHANNEL(rtp,hold)"] = "1"
    with listening(asterisk, database):
        until(lambda: holds(asterisk) == ["HL_ON=1"])
        asterisk.values["CHANNEL(rtp,hold)"] = "0"
        asterisk.drop()
        until(lambda: holds(asterisk) == ["HL_ON=1", "HL_ON=0"])
    assert len(asterisk.asked("Getvar")) == 2


def test_a_hold_that_could_not_be_noted_is_looked_at_again(
    asterisk: AmiStandIn, database: Database
) -> None:
    asterisk.lists["CoreShowChannels"] = LEG.format(event="CoreShowChannel", bridge="b1")
    asterisk.values["CHANNEL(rtp,hold)"] = "1"
    asterisk.refused["Originate"] = "no"
    with listening(asterisk, database, replace(QUICK, resync_s=0.1)):
        until(lambda: len(holds(asterisk)) >= 2)
        asterisk.refused.clear()
        seen = len(holds(asterisk))
        until(lambda: len(holds(asterisk)) > seen)


def test_asterisk_leaves_out_nothing_that_the_listener_reads() -> None:
    told = (PROJECT / "dialplans/asterisk/manager.conf.j2").read_text(encoding="utf-8")
    [left_out] = re.findall(r"^disabledevents = (\S+)$", told, re.MULTILINE)
    assert not {*left_out.split(",")} & {*READ, "FullyBooted"}


def test_what_asterisk_says_becomes_live_rows(asterisk: AmiStandIn, database: Database) -> None:
    with listening(asterisk, database):
        until(lambda: connected(database))
        asterisk.say(undated(stream("queue_call")))
        until(lambda: states(database) == {"8": "ended", "10": "ended", "11": "ended"})
        row = calls(database)["8"]
    assert (row.caller, row.branch, row.queue) == ("0912345678", "vaccine", "vaccine")
    assert agents(database)["lan"].queues == ["advice", "vaccine"]


def test_calls_in_the_menus_are_written_together_and_with_the_first_that_awaits_an_agent(
    asterisk: AmiStandIn, database: Database
) -> None:
    with listening(asterisk, database, replace(QUICK, seen_s=60, unpressed_s=60)):
        until(lambda: connected(database))
        asterisk.say(STARTED.format(n=1) + STARTED.format(n=2))
        time.sleep(0.3)
        assert calls(database) == {}
        asterisk.say(JOINED.format(n=1))
        until(lambda: states(database) == {"1": "waiting", "2": "menu"})
    with listening(asterisk, database, replace(QUICK, seen_s=60, unpressed_s=0.1)):
        until(lambda: connected(database))
        asterisk.lists["CoreShowChannels"] += CHANNEL.format(n=3)
        asterisk.say(STARTED.format(n=3))
        until(partial(appeared, database, "3"))


def test_seq_grows_with_every_change_and_over_restarts(
    asterisk: AmiStandIn, database: Database
) -> None:
    seen = []
    for n in (1, 2):
        with listening(asterisk, database):
            until(lambda: connected(database))
            asterisk.lists["CoreShowChannels"] += CHANNEL.format(n=n)
            asterisk.say(STARTED.format(n=n))
            until(partial(appeared, database, str(n)))
            seen.append(calls(database)[str(n)].seq)
    assert seen == sorted(set(seen))


def test_a_restarted_listener_goes_on_with_what_it_knew(
    asterisk: AmiStandIn, database: Database
) -> None:
    with listening(asterisk, database):
        until(lambda: connected(database))
        asterisk.say(NAMED.format(n=1) + NAMED.format(n=2))
        until(lambda: len(calls(database)) == 2)
    assert not connected(database)
    asterisk.lists["CoreShowChannels"] = CHANNEL.format(n=1)
    with listening(asterisk, database):
        until(lambda: states(database) == {"1": "menu", "2": "ended"})
        assert calls(database)["1"].branch == "vaccine"


def test_nothing_is_believed_before_asterisk_has_started(
    asterisk: AmiStandIn, database: Database
) -> None:
    booted, asterisk.booted = asterisk.booted, ""
    with listening(asterisk, database):
        until(lambda: bool(asterisk.asked("Ping")))
        assert not asterisk.asked("QueueStatus")
        asterisk.say(booted)
        until(lambda: connected(database))


def test_a_lost_connection_comes_back_and_the_snapshot_mends_what_was_missed(
    asterisk: AmiStandIn, database: Database
) -> None:
    with listening(asterisk, database):
        until(lambda: connected(database))
        asterisk.say(STARTED.format(n=1))
        until(lambda: states(database) == {"1": "menu"})
        asterisk.lists["CoreShowChannels"] = CHANNEL.format(n=2)
        asterisk.drop()
        until(lambda: states(database) == {"1": "ended", "2": "menu"})
        until(lambda: connected(database))


def test_a_refused_login_is_tried_again(asterisk: AmiStandIn, database: Database) -> None:
    asterisk.refused["Login"] = "Authentication failed"
    with listening(asterisk, database):
        until(lambda: asterisk.accepted >= 3)
        asterisk.refused.clear()
        until(lambda: connected(database))


def test_forged_rows_are_gone_after_the_next_snapshot(
    asterisk: AmiStandIn, database: Database
) -> None:
    pace = Pace(keep_alive_s=1, resync_s=0.5)
    with listening(asterisk, database, pace):
        until(lambda: connected(database))
        asterisk.say(STARTED.format(n=9) + "Event: Shutdown\n\n")
        until(lambda: states(database) == {"9": "ended"})
        assert [one["Username"] for one in asterisk.asked("Login")].count("events") == 1


def test_a_flood_ends_the_connection_and_a_snapshot_follows(
    asterisk: AmiStandIn, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ivr.ami.INBOX_SIZE", 50)
    with listening(asterisk, database) as listener:
        until(lambda: connected(database))
        asterisk.lists["CoreShowChannels"] = CHANNEL.format(n=1)
        asterisk.say("".join(STARTED.format(n=n) for n in range(100, 300)))
        until(lambda: states(database).get("1") == "menu")
        assert listener.overflows == 1


class BreakingStore(LiveStore):
    """A store whose database can be gone."""

    broken = False
    refusals = 0

    def write(self, changes: Changes, connection: Connection | None) -> None:
        if self.broken:
            self.refusals += 1
            raise OperationalError("UPDATE ... 0912345678", {}, Exception("server closed"))
        super().write(changes, connection)


def test_without_a_database_the_state_is_kept_and_written_later(
    asterisk: AmiStandIn, database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    store = BreakingStore(database, "th1")
    with listening(asterisk, store):
        until(lambda: connected(database))
        asterisk.say(NAMED.format(n=1))
        until(lambda: states(database) == {"1": "menu"})
        store.broken = True
        asterisk.say("Event: Hangup\n" + STARTED.format(n=1).partition("\n")[2])
        asterisk.say(NAMED.format(n=2))
        until(lambda: store.refusals > 1)
        store.broken = False
        until(lambda: states(database) == {"1": "ended", "2": "menu"})
    assert "0912345678" not in caplog.text


def test_memberships_follow_the_leases(asterisk: AmiStandIn, database: Database) -> None:
    add_agent(database, "lan", "vaccine", "operator", seat="seat-001")
    add_agent(database, "minh", "advice", seat="seat-002")
    add_agent(database, "hoa", "advice")
    asterisk.lists["QueueStatus"] = (
        member("minh", "PJSIP/seat-002", "advice")
        + member("minh", "PJSIP/seat-002", "emergency")
        + member("hoa", "PJSIP/seat-003", "advice")
    )
    with listening(asterisk, database):
        until(lambda: len(asterisk.asked("Logoff")) == 3)  # the last lets calls in
    added = [(a["Interface"], a["MemberName"], a["Queue"]) for a in asterisk.asked("QueueAdd")]
    assert added == [
        ("PJSIP/seat-001", "lan", queue) for queue in ("emergency", "vaccine", "operator")
    ]
    removed = {a["Interface"] for a in asterisk.asked("QueueRemove")}
    assert removed == {"PJSIP/seat-001", "PJSIP/seat-003"}


def test_a_pause_lost_in_a_crash_is_restored(asterisk: AmiStandIn, database: Database) -> None:
    add_agent(database, "lan", "vaccine", seat="seat-001")
    asterisk.lists["QueueStatus"] = (
        member("lan", queue="emergency") + member("lan", reason="ăn trưa")
    )
    with listening(asterisk, database):
        until(lambda: "lan" in agents(database) and agents(database)["lan"].state == "paused")
        asterisk.lists["QueueStatus"] = member("lan", queue="emergency") + member("lan")
        asterisk.booted = asterisk.booted.replace("1000", "0")
        asterisk.drop()
        until(lambda: bool(asterisk.asked("QueuePause")))
        until(lambda: "vaccine" in {asked["Queue"] for asked in asterisk.asked("QueuePause")})
    asked = asterisk.asked("QueuePause")[0]
    assert (asked["Interface"], asked["Paused"], asked["Reason"]) == (
        "PJSIP/seat-001", "true", "ăn trưa"
    )


def test_a_pause_ended_while_nobody_listened_stays_ended(
    asterisk: AmiStandIn, database: Database
) -> None:
    add_agent(database, "lan", "vaccine", seat="seat-001")
    asterisk.lists["QueueStatus"] = member("lan", reason="ăn trưa")
    with listening(asterisk, database):
        until(lambda: "lan" in agents(database) and agents(database)["lan"].state == "paused")
    asterisk.lists["QueueStatus"] = member("lan")
    with listening(asterisk, database):
        until(lambda: agents(database)["lan"].state == "ready")
    assert not asterisk.asked("QueuePause")


def test_switches_are_set_after_each_connect_until_it_succeeds(
    asterisk: AmiStandIn, database: Database
) -> None:
    with database.transaction() as session:
        session.add(Switch(
            name="hours.vaccine", value="closed", set_by="an", set_at=datetime.now(UTC)
        ))
    asterisk.refused["Originate"] = "Originate failed"
    pace = Pace(keep_alive_s=1, repair_again_s=0.3)
    with listening(asterisk, database, pace):
        until(lambda: len(asterisk.asked("Originate")) >= 2)
        asterisk.refused.clear()
        asterisk.received.clear()
        until(lambda: bool(asterisk.asked("Originate")))
        time.sleep(1)
        assert len(asterisk.asked("Originate")) == 1
    assert asterisk.asked("Originate")[0]["Channel"] == "Local/hours.vaccine=closed@hl-switch/n"


def test_what_another_node_switches_is_switched_here(
    asterisk: AmiStandIn, database: Database
) -> None:
    def switched(value: str) -> None:
        with database.transaction() as session:
            session.merge(Switch(
                name="hours.vaccine", value=value, set_by="an", set_at=datetime.now(UTC)
            ))

    switched("closed")
    pace = Pace(keep_alive_s=1, elsewhere_s=0.1)
    with listening(asterisk, database, pace, of=database):
        until(lambda: len(asterisk.asked("Originate")) == 1)
        until(lambda: {"Variable": "HL_READY", "Value": "yes"}.items() <= {
            key: value for one in asterisk.asked("Setvar") for key, value in one.items()}.items())
        switched("open")
        until(lambda: len(asterisk.asked("Originate")) == 2)
        time.sleep(0.5)
    told = [one["Channel"] for one in asterisk.asked("Originate")]
    assert told == [f"Local/hours.vaccine={value}@hl-switch/n" for value in ("closed", "open")]


def promised(database: Database, number: str, *, read_until: int, journal: Path) -> None:
    """A call back stands in the rows, as far as a tailer has read this journal."""
    now = datetime.now(UTC)
    with database.transaction() as session:
        session.merge(Callback(
            id="th1.b-1795383584.7", node="th1", number=number, queue="vaccine", branch="vaccine",
            arrived_at=datetime.fromtimestamp(1_795_383_500, UTC), asked_at=now, tries=4, facts={},
        ))
        session.merge(JournalPosition(
            node="th1", inode=(journal / "journal.csv").stat().st_ino, head="", read_at=now,
            offset=read_until,
        ))


def test_a_place_that_asterisk_has_lost_is_kept_again(
    asterisk: AmiStandIn, database: Database, tmp_path: Path
) -> None:
    (tmp_path / "journal.csv").write_bytes(b"x" * 100)
    promised(database, "0912000001", read_until=100, journal=tmp_path)
    with listening(asterisk, database, journal=tmp_path):
        until(lambda: bool(asterisk.asked("Originate")))
    (asked,) = asterisk.asked("Originate")
    assert asked["Channel"] == "Local/0912000001@hl-callback-place/n"
    assert (asked["Context"], asked["Exten"]) == ("hl-callback-queue", "0912000001")
    assert set(asked["Variable"].split(",")) == {
        "__HL_CALL=th1.b-1795383584.7", "__HL_QUEUE=vaccine", "__HL_BRANCH=vaccine", "__HL_PATH=",
        "__HL_NUMBER=0912000001", "__HL_ARRIVED=1795383500", "HL_TRIES=2",
    }


def test_a_place_that_is_kept_or_of_which_more_may_stand_in_the_journal_is_left_alone(
    asterisk: AmiStandIn, sqlite: Database, tmp_path: Path
) -> None:
    (tmp_path / "journal.csv").write_bytes(b"x" * 100)
    promised(sqlite, "0912000001", read_until=99, journal=tmp_path)
    with listening(asterisk, sqlite, replace(QUICK, repair_again_s=0.1), journal=tmp_path):
        until(lambda: connected(sqlite))
        time.sleep(1)
    assert not asterisk.asked("Originate")
    promised(sqlite, "0912000001", read_until=100, journal=tmp_path)
    asterisk.lists["CoreShowChannels"] = CHANNEL.format(n=1).replace(
        "PJSIP/trunk-in-00000001", "Local/0912000001@hl-callback-place-0000001a;2"
    )
    with listening(asterisk, sqlite, journal=tmp_path):
        until(lambda: connected(sqlite))
        time.sleep(1)
    assert not asterisk.asked("Originate")


def test_screens_can_see_that_the_listener_lives(asterisk: AmiStandIn, sqlite: Database) -> None:
    def seen() -> datetime:
        with sqlite.reading() as session:
            return session.scalars(select(ListenerState.seen_at)).one()

    with listening(asterisk, sqlite, QUICK):
        until(lambda: connected(sqlite))
        first = seen()
        until(lambda: seen() > first)


def test_the_process_ends_on_sigterm_and_says_so(
    asterisk: AmiStandIn, sqlite: Database, tmp_path: Path
) -> None:
    names: dict[str, Any] = {"ami_events": "a", "ami_command": "b", "console_key": "c"}
    names["phones"] = {}
    (tmp_path / "secrets.json").write_text(json.dumps(names))
    environ = {
        **os.environ, "HOTLINE_HOME": str(tmp_path), "HOTLINE_AMI_BIND": str(asterisk.address),
        "HOTLINE_DATABASE_URL": sqlite.url.render_as_string(hide_password=False),
    }
    program = "from crm.settings import load; from ivr.listener import main; main(load(), str)"
    process = subprocess.Popen(
        [sys.executable, "-c", program], env=environ, stderr=subprocess.PIPE, text=True
    )
    try:
        until(lambda: connected(sqlite), 60)
        process.send_signal(signal.SIGTERM)
        _, log = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 0
    assert "Connected to Asterisk" in log
    assert not connected(sqlite)


def test_who_came_in_by_telephone_has_left_the_seat_and_strangers_go(
    asterisk: AmiStandIn, database: Database
) -> None:
    add_agent(database, "lan", "vaccine", seat="seat-001")
    with database.transaction() as session:
        lan = session.scalars(select(User).where(User.login == "lan")).one()
        keypad.set_pin(session, lan, "730516", "key", by="lan", now=datetime.now(UTC))
    ours, strange = (f"Local/{one}@hl-mobile/n" for one in ("0913000801", "0913000802"))
    asterisk.lists["QueueStatus"] = (
        member("lan", "PJSIP/seat-001", "emergency") + member("lan", "PJSIP/seat-001", "vaccine")
        + member("lan", ours, "emergency") + member("lan", ours, "vaccine")
        + member("minh", strange, "emergency")
    )
    with listening(asterisk, database):
        until(lambda: len(asterisk.asked("Logoff")) >= 4)  # two repairs, switches, ready
        until(lambda: "lan" in agents(database) and agents(database)["lan"].interface == ours)
    assert {a["Interface"] for a in asterisk.asked("QueueRemove")} == {"PJSIP/seat-001", strange}
    assert not asterisk.asked("QueueAdd")
    with database.reading() as session:
        assert session.scalars(select(Seat.user_id)).all() == [None]
    asked = [a["Channel"] for a in asterisk.asked("Originate")]
    told = [channel for channel in asked if "@hl-switch/" in channel]
    assert [name.partition(".")[0] for name in told] == ["Local/staff", "Local/pin"]
