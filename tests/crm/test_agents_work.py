"""Pauses with their limits, help that is asked for, calls for life, and skills."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select

from crm import users
from crm.agents import assistance, pauses, rescue
from crm.agents.assistance import HelpError
from crm.agents.models import PauseSpell
from crm.agents.pauses import Standing
from crm.calls import record
from crm.cases.models import Case, CaseCall
from crm.database import Database
from crm.desk import PauseReason
from crm.models import Role, User
from crm.users import UserError
from tests.agent_console.factories import add_call, call_id
from tests.journals import Asterisk

NOW = datetime(2026, 5, 4, 5, tzinfo=UTC)  # noon in Thanh Hóa


def minutes(number: float) -> timedelta:
    return timedelta(minutes=number)


def test_the_time_of_a_days_pauses_of_a_reason_counts_together(database: Database) -> None:
    with database.transaction() as session:
        pauses.note(session, "lan", "rest", NOW)
        pauses.note(session, "lan", "rest", NOW + minutes(3))  # the same pause, told again
        pauses.note(session, "lan", "lunch", NOW + minutes(10))
        pauses.note(session, "lan", None, NOW + minutes(40))
        pauses.note(session, "lan", "rest", NOW + minutes(60))
        pauses.note(session, "minh", "lunch", NOW + minutes(61))
    with database.reading() as session:
        assert pauses.standing(session, NOW + minutes(65)) == {
            "lan": Standing("rest", NOW + minutes(60), 600),
            "minh": Standing("lunch", NOW + minutes(61), 0),
        }
        # of another day nothing counts
        assert pauses.standing(session, NOW + timedelta(days=1))["lan"].before_s == 0
        assert len(session.scalars(select(PauseSpell)).all()) == 4


def test_a_pause_of_somebody_who_left_while_nobody_listened_has_ended(database: Database) -> None:
    with database.transaction() as session:
        pauses.note(session, "lan", "rest", NOW)
        pauses.close_abandoned(session, NOW + minutes(5))
    with database.reading() as session:
        assert pauses.standing(session, NOW + minutes(6)) == {}


def test_limits_are_set_by_reason_and_only_what_changed_is_told(database: Database) -> None:
    with database.transaction() as session:
        assert pauses.limits(session)["rest"].at_once_min == 15  # as they come
        assert list(pauses.limits(session)) == list(PauseReason)
        changed = pauses.set_limits(session, {
            PauseReason.REST: (10, 30), PauseReason.LUNCH: (60, 60),
            PauseReason.TRAINING: (None, None),
        }, by="huy", now=NOW)
        assert changed == ["rest"]
        with pytest.raises(pauses.PauseLimitError):
            pauses.set_limits(session, {PauseReason.REST: (0, None)}, by="huy", now=NOW)


def test_help_is_asked_for_once_and_taken_by_one(database: Database) -> None:
    with database.transaction() as session:
        asked = assistance.ask(session, "lan", None, NOW)
        assert assistance.ask(session, "lan", None, NOW).id == asked.id
        assistance.take(session, asked.id, "huy", NOW)
        assistance.take(session, asked.id, "huy", NOW)  # pressed twice
        with pytest.raises(HelpError) as refused:
            assistance.take(session, asked.id, "mai", NOW)
        assert refused.value.by == "huy"
        assistance.clear(session, asked.id, "huy", NOW + minutes(2))
        assert assistance.waiting(session) == []
        with pytest.raises(HelpError):
            assistance.take(session, asked.id, "mai", NOW)
        assert assistance.ask(session, "lan", None, NOW + minutes(9)).id != asked.id


def test_of_supervisors_who_take_the_same_call_for_help_at_once_one_has_it(
    database: Database,
) -> None:
    with database.transaction() as session:
        asked = assistance.ask(session, "lan", None, NOW).id
    supervisors = ("huy", "mai", "nam", "truongca")
    together = threading.Barrier(len(supervisors))

    def takes(who: str) -> str:
        """Who has it, as far as this supervisor is told."""
        together.wait()
        try:
            with database.transaction() as session:
                assistance.take(session, asked, who, NOW)
        except HelpError as error:
            return error.by
        return who

    with ThreadPoolExecutor(len(supervisors)) as room:
        told = set(room.map(takes, supervisors))
    with database.reading() as session:
        assert told == {one.taken_by for one in assistance.waiting(session)}


def test_an_agent_outside_asks_by_a_key_as_long_as_the_call_goes_on(database: Database) -> None:
    asterisk = Asterisk()
    caller, over = asterisk.queued(), asterisk.queued()
    leg = asterisk.channel("PJSIP/carrier", of=caller)
    leg.note("HL_HELP", agent="lan", call=caller.id)
    caller.note("HL_HELP", agent="minh", call=caller.id)  # on no agent's leg
    asterisk.channel("PJSIP/carrier", of=over).note("HL_HELP", agent="nam", call=over.id)
    over.end()
    for _ in range(2):  # the journal may be read again
        with database.transaction() as session:
            record.apply(session, asterisk.events)
            assistance.apply(session, asterisk.events)
    with database.reading() as session:
        assert [(one.agent, one.call_id) for one in assistance.waiting(session)] == [
            ("lan", caller.id)
        ]


def test_who_takes_the_call_over_has_helped(database: Database) -> None:
    asterisk = Asterisk()
    caller = asterisk.queued()
    with database.transaction() as session:
        for agent in ("lan", "minh"):
            assistance.ask(session, agent, caller.id, asterisk.now)
    own = asterisk.channel("PJSIP/desk-03", of=caller)
    own.note("HL_TAKEN", call=caller.id, by="huy", **{"from": "lan"})
    caller.note("HL_TAKEN", call=caller.id, by="huy", **{"from": "minh"})  # on no phone of ours
    for _ in range(2):
        with database.transaction() as session:
            assistance.apply(session, asterisk.events)
    with database.reading() as session:
        assert [one.agent for one in assistance.waiting(session)] == ["minh"]


def test_a_call_for_life_opens_one_urgent_case_however_often_it_is_pressed(
    database: Database,
) -> None:
    call = call_id()
    add_call(database, id=call, caller="0912345678")
    for to in ("service-medical", "service-medical", "service-police"):
        with database.transaction() as session:
            rescue.begin(
                session, call, agent="lan", to=to, caller="0912345678", now=NOW
            )
    with database.transaction() as session:
        case = session.scalars(select(Case)).one()
        assert (case.category, case.phone, case.channel) == ("danger", "0912345678", "call")
        assert "115" in case.summary
        assert session.scalars(select(CaseCall.call_id)).all() == [call]
        rescue.set_address(session, call, "số 5 ngõ 12,\n phường Hạc Thành ")
        [(standing, _case)] = rescue.unseen(session)
        assert rescue.number_of(standing.to) == "113"
        assert standing.address == "số 5 ngõ 12, phường Hạc Thành"
        assert rescue.see(session, call, "huy", NOW)
        assert not rescue.see(session, call, "mai", NOW)
        assert rescue.unseen(session) == []


def test_an_agent_serves_each_queue_at_a_level_and_emergencies_first(database: Database) -> None:
    with database.transaction() as session:
        user = users.create_user(
            session, login="lan", name="Lan", role=Role.AGENT, password="x" * 12, now=NOW,
            queues=("vaccine", "operator"),
        )
        assert users.skills(user) == {"emergency": 1, "vaccine": 1, "operator": 1}
        users.set_skills(user, {"vaccine": 2, "relief": 3, "emergency": 3})
    with database.reading() as session:
        user = session.scalars(select(User)).one()
        assert users.skills(user) == {"emergency": 1, "vaccine": 2, "relief": 3}
        for bad in ({"vaccine": 0}, {"vaccine": 4}, {"nowhere": 1}):
            with pytest.raises(UserError):
                users.set_skills(user, bad)
