"""Emergency callers: who spoke with a person, who did not, and until when that is shown."""

from datetime import timedelta

import pytest

from crm.calls import emergency, record
from crm.database import Database
from tests.journals import START, Asterisk, Channel


def needs_help(asterisk: Asterisk) -> Channel:
    caller = asterisk.caller()
    caller.note("HL_MENU", menu="main")
    caller.note("HL_KEY", menu="main", key="4")
    caller.note("HL_EMERGENCY", **{"from": "main"})
    return caller


def hangs_up_at_once(asterisk: Asterisk) -> Channel:
    caller = needs_help(asterisk)
    caller.end()
    return caller


def rings_in_vain(asterisk: Asterisk) -> Channel:
    caller = needs_help(asterisk)
    leg = asterisk.channel("PJSIP/carrier", of=caller)
    asterisk.wait(20)
    leg.end(cause="19")
    caller.end()
    return caller


def talked_before_only(asterisk: Asterisk) -> Channel:
    """An agent put the caller on hold, and the caller pressed 4 there."""
    caller = asterisk.queued()
    leg = asterisk.answer(caller)
    asterisk.wait(10)
    leg.leave()
    caller.leave()
    caller.note("HL_EMERGENCY", **{"from": "hold"})
    leg.end()
    caller.end()
    return caller


def reaches_a_service(asterisk: Asterisk) -> Channel:
    caller = needs_help(asterisk)
    leg = asterisk.channel("PJSIP/carrier", of=caller)
    leg.note("ANSWER")
    leg.enter()
    caller.enter()
    asterisk.wait(30)
    leg.end()
    caller.end()
    return caller


def reaches_an_agent(asterisk: Asterisk) -> Channel:
    caller = needs_help(asterisk)
    caller.note("HL_QUEUE", queue="emergency", ahead="0")
    leg = asterisk.answer(caller)
    asterisk.wait(30)
    leg.end()
    caller.end()
    return caller


def loses_the_agent(asterisk: Asterisk) -> Channel:
    """The agent's phone is gone in mid-talk, and the caller does not wait for another."""
    caller = needs_help(asterisk)
    caller.note("HL_QUEUE", queue="emergency", ahead="0")
    leg = asterisk.answer(caller)
    asterisk.wait(30)
    leg.end(cause="44")
    asterisk.wait(3)
    caller.end()
    return caller


def loses_the_line(asterisk: Asterisk) -> Channel:
    caller = needs_help(asterisk)
    caller.note("HL_QUEUE", queue="emergency", ahead="0")
    leg = asterisk.answer(caller)
    asterisk.wait(30)
    caller.end(cause="44")
    leg.end()
    return caller


def is_with_another_agent_again(asterisk: Asterisk) -> Channel:
    caller = needs_help(asterisk)
    caller.note("HL_QUEUE", queue="emergency", ahead="0")
    leg = asterisk.answer(caller)
    asterisk.wait(30)
    caller.leave()
    leg.end(cause="44")
    again = asterisk.answer(caller)
    asterisk.wait(30)
    again.end()
    caller.end()
    return caller


@pytest.mark.parametrize("story", [loses_the_agent, loses_the_line])
def test_who_was_cut_off_in_mid_talk_stands_above_who_reached_nobody(
    story: object, database: Database
) -> None:
    asterisk = Asterisk()
    in_vain = rings_in_vain(asterisk)
    cut_off = story(asterisk)  # type: ignore[operator]
    with database.transaction() as session:
        record.apply(session, asterisk.events)
    with database.transaction() as session:
        assert [call.id for call in emergency.unreached(session)] == [cut_off.id, in_vain.id]
        assert emergency.rung_back(session, cut_off.id, "lan", START)
        session.flush()
        assert [call.id for call in emergency.unreached(session)] == [in_vain.id]


@pytest.mark.parametrize(("story", "unreached"), [
    (is_with_another_agent_again, False), (hangs_up_at_once, True), (rings_in_vain, True),
    (talked_before_only, True), (reaches_a_service, False), (reaches_an_agent, False),
])
def test_unreached_is_who_spoke_with_nobody_from_then_on(
    story: object, unreached: bool, database: Database
) -> None:
    asterisk = Asterisk()
    caller = story(asterisk)  # type: ignore[operator]
    with database.transaction() as session:
        record.apply(session, asterisk.events)
    with database.reading() as session:
        found = emergency.unreached(session)
    assert [call.id for call in found] == ([caller.id] if unreached else [])


def test_a_call_that_goes_on_is_not_unreached_yet(database: Database) -> None:
    asterisk = Asterisk()
    needs_help(asterisk)
    with database.transaction() as session:
        record.apply(session, asterisk.events)
    with database.reading() as session:
        assert emergency.unreached(session) == []


def test_once_rung_back_it_is_gone_and_stays_gone_when_the_journal_is_read_again(
    database: Database,
) -> None:
    asterisk = Asterisk()
    caller = hangs_up_at_once(asterisk)
    other = asterisk.caller("0912000001")
    other.end()
    with database.transaction() as session:
        record.apply(session, asterisk.events)
    with database.transaction() as session:
        assert emergency.rung_back(session, caller.id, "lan", START)
    with database.transaction() as session:
        assert not emergency.rung_back(session, caller.id, "minh", START)
        record.apply(session, asterisk.events)
    with database.reading() as session:
        assert emergency.unreached(session) == []
    with database.transaction() as session, pytest.raises(emergency.EmergencyError):
        emergency.rung_back(session, other.id, "lan", START)


def test_the_last_drill_with_each_service_counts(database: Database) -> None:
    with database.transaction() as session:
        emergency.record_drill(session, "medical", START, "với Trung tâm 115")
        emergency.record_drill(session, "medical", START - timedelta(days=9), "")
        with pytest.raises(emergency.EmergencyError, match="medical, fire, police, rescue"):
            emergency.record_drill(session, "dentist", START, "")
    with database.reading() as session:
        assert emergency.last_drills(session) == {"medical": START}
