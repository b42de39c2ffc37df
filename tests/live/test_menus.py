"""The Vietnamese menus as callers meet them, over real SIP and RTP."""

import asyncio
import re
from collections import defaultdict
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
import requests
from sqlalchemy import select

from crm import switches
from crm.imports import files
from crm.knowledge import points
from crm.models import Call as CallRow
from crm.models import CallSegment
from crm.recordings.models import Kind
from ivr import menu, provision, simulate
from ivr.phone import Call, Dtmf
from ivr.phone.audio import is_sound
from tests.crm.knowledge.factory import POINT
from tests.live.people import called, citizen, desk_agent, heard, kept_samples, until_heard
from tests.live.running import PATIENCE_S, Hotline, wait_for

TYPED = "94817263"  # a code that a caller types to an agent, with a 4 in it

Scenario = Callable[[Call], Awaitable[None]]


def keys(call: dict[str, Any]) -> list[str]:
    return [f"{step['menu']}.{step['key']}" for step in call["path"] if step["key"]]


async def caller(hotline: Hotline, number: str, scenario: Scenario) -> Call:
    """One caller who does what the scenario says, then hangs up."""
    async with citizen(hotline, number) as phone:
        call = await called(phone)
        await scenario(call)
        await call.hang_up()
        return call


async def press(call: Call, hotline: Hotline, menu_prompt: str, key: str) -> None:
    """Press a key once a prompt was heard."""
    await until_heard(call, hotline, menu_prompt)
    await call.press(key)


async def until(look: Callable[[], object], what: str) -> None:
    await asyncio.to_thread(wait_for, look, what)


def newest(hotline: Hotline, number: str) -> str:
    """The id of the newest call of a number, which may still go on."""
    return str([call["id"] for call in hotline.calls() if call["caller"] == number][-1])


def has_sound(hotline: Hotline, kind: Kind, name: str) -> bool:
    # Which of two voices is in it is not asked: where the machine stands still for a tenth of a
    # second again and again, MixMonitor keeps one of them (audiohook.c); `doctor` warns of that.
    samples = kept_samples(hotline, kind, name)
    return bool(samples.size) and is_sound(samples)


def test_each_key_of_the_main_menu_leads_where_it_says(hotline: Hotline) -> None:
    leads = {  # key: (branch, the prompt it leads to)
        "1": ("advice", "advice_menu_intro"),
        "2": ("testing", "test_menu_intro"),
        "3": ("vaccine", "vaccine_reaction_danger"),
        "4": ("emergency", "emergency_menu"),
        "5": ("relief", "relief_menu_intro"),
        "6": ("report", "report_menu_intro"),
        "7": ("lookup", "lookup_intro"),
        "8": (None, "bulletin_stale"),
        "9": (None, "main_menu_1"),
        "0": ("general", "consent_recording_short"),
    }

    async def one(key: str, prompt: str) -> None:
        async def scenario(call: Call) -> None:
            await press(call, hotline, "greeting_main", key)
            await until_heard(call, hotline, prompt)

        await caller(hotline, f"09120000{ord(key)}", scenario)

    async def all_of_them() -> None:
        await asyncio.gather(*(one(key, prompt) for key, (_, prompt) in leads.items()))

    asyncio.run(all_of_them())
    for key, (branch, _) in leads.items():
        call = hotline.call_of(f"09120000{ord(key)}")
        assert (keys(call), call["branch"]) == ([f"main.{key}"], branch)
        assert all(step["at"] for step in call["path"])


# Every leaf and every way to a person: the keys, what is heard there, the branch, the outcome of a
# caller who hangs up then.
WAYS = {
    "11": (["advice_symptoms_danger", "advice_symptoms", "leaf_end"], "advice", "self_served"),
    "12": (["consent_recording_short"], "advice", "abandoned_queue"),
    "13": (["advice_contact", "leaf_end"], "advice", "self_served"),
    "15": (["advice_care", "leaf_end"], "advice", "self_served"),
    "16": (["advice_rules_none"], "advice", "abandoned_menu"),
    "21": (["consent_recording_short"], "testing", "abandoned_queue"),
    "22": (["test_home_request"], "testing", "voicemail"),
    "23": (["test_result_privacy", "consent_recording_short"], "testing", "abandoned_queue"),
    "25": (["points_none", "leaf_end"], "testing", "abandoned_menu"),
    "31": (["consent_recording_short"], "vaccine", "abandoned_queue"),
    "32": (["vaccine_register", "consent_recording_short"], "vaccine", "abandoned_queue"),
    "33": (["consent_recording_short"], "vaccine", "abandoned_queue"),
    "35": (["vaccine_app_help", "consent_recording_short"], "vaccine", "abandoned_queue"),
    "36": (["points_none", "leaf_end"], "vaccine", "abandoned_menu"),
    "51": (["relief_hungry_today", "relief_collect"], "relief", "voicemail"),
    "52": (["relief_shelter", "consent_recording_short"], "relief", "abandoned_queue"),
    "53": (["consent_recording_short"], "relief", "abandoned_queue"),
    "55": (["relief_donate", "leaf_end"], "relief", "self_served"),
    "56": (["points_none", "leaf_end"], "relief", "abandoned_menu"),
    "611": (["report_false_warning", "report_record"], "report", "voicemail"),
    "620": (["report_fake_news", "consent_recording_short"], "report", "abandoned_queue"),
    "631": (["report_price_fraud", "report_record"], "report", "voicemail"),
    "650": (["report_other", "consent_recording_short"], "report", "abandoned_queue"),
    "66": (["report_denounce_guide", "consent_recording_short"], "report", "abandoned_queue"),
    "7": (["lookup_intro", "lookup_enter_code"], "lookup", "abandoned_menu"),
}
TOGETHER = 8


@pytest.mark.parametrize("first", range(0, len(WAYS), TOGETHER))
def test_every_way_of_the_menus_leads_where_it_says(hotline: Hotline, first: int) -> None:
    ways = list(WAYS.items())[first: first + TOGETHER]

    async def one(pressed: str, prompts: list[str], outcome: str) -> None:
        async def scenario(call: Call) -> None:
            await press(call, hotline, "greeting_main", pressed[0])
            if len(pressed) > 1:
                await asyncio.sleep(2)
                await call.press(pressed[1])
            said = list(prompts)
            if len(pressed) > 2:  # a menu that says something before it asks
                await until_heard(call, hotline, said.pop(0))
                await call.press(pressed[2])
            for prompt in said:
                await until_heard(call, hotline, prompt)
            if outcome == "voicemail":
                call.play_tone(440)
                await asyncio.sleep(6)
            if outcome == "abandoned_queue":  # which is joined when the notice has ended
                await asyncio.sleep(3)

        await caller(hotline, f"0912001{pressed:0>3}", scenario)

    async def all_of_them() -> None:
        await asyncio.gather(*(
            one(pressed, prompts, outcome) for pressed, (prompts, _, outcome) in ways
        ))

    asyncio.run(all_of_them())
    for pressed, (_, branch, outcome) in ways:
        call = hotline.call_of(f"0912001{pressed:0>3}")
        assert (pressed, call["branch"], call["outcome"]) == (pressed, branch, outcome)
        assert "".join(step["key"] or "" for step in call["path"]) == pressed


def test_every_way_is_among_those_tested() -> None:
    loaded = menu.load(provision.MENUS)
    ends = {
        "".join(way.keys) for way in simulate.ways(loaded, defaultdict(int))
        if not way.reaches.startswith(("menu:", "emergency:"))
    }
    assert ends - {"0", "8"} - set(WAYS) <= {
        # a person by 0 in every branch, and the other half of each report's choice
        "10", "20", "30", "50", "60", "610", "621", "630", "651",
    }


@pytest.mark.full
def test_a_branch_repeats_goes_back_and_leads_to_its_own_queue(hotline: Hotline) -> None:
    async def scenario(call: Call) -> None:
        await press(call, hotline, "greeting_main", "6")
        await press(call, hotline, "report_menu_intro", "9")
        await asyncio.sleep(1)
        await call.press("*")
        await press(call, hotline, "main_menu_1", "2")
        await press(call, hotline, "test_menu_intro", "0")
        await until_heard(call, hotline, "queue_next")

    asyncio.run(caller(hotline, "0912000101", scenario))
    call = hotline.call_of("0912000101")
    assert keys(call) == ["main.6", "report.9", "report.*", "main.2", "testing.0"]
    assert (call["branch"], call["queue"], call["outcome"]) == (
        "testing", "testing", "abandoned_queue"
    )


@pytest.mark.full
def test_keys_that_mean_nothing_and_silence_lead_to_a_person_after_three_failures(
    hotline: Hotline,
) -> None:
    async def wrong_keys(call: Call) -> None:
        for _ in range(3):
            await asyncio.sleep(2.5)
            await call.press("#")
        await until_heard(call, hotline, "input_invalid")
        await until_heard(call, hotline, "input_too_many_errors")
        await until_heard(call, hotline, "queue_next")

    async def silence(call: Call) -> None:
        await until_heard(call, hotline, "input_no_key", 60)
        await until_heard(call, hotline, "main_menu_short", 90)
        await until_heard(call, hotline, "input_too_many_errors", 60)
        await until_heard(call, hotline, "consent_recording_short", 60)

    async def both() -> None:
        await asyncio.gather(
            caller(hotline, "0912000102", wrong_keys), caller(hotline, "0912000103", silence)
        )

    asyncio.run(both())
    assert keys(hotline.call_of("0912000102")) == ["main.i", "main.i", "main.i"]
    assert keys(hotline.call_of("0912000103")) == ["main.t", "main.t", "main.t"]
    assert hotline.call_of("0912000102")["queue"] == "operator"


@pytest.mark.full
def test_a_leaf_heard_to_its_end_serves_the_caller(hotline: Hotline) -> None:
    async def scenario(call: Call) -> None:
        await press(call, hotline, "greeting_main", "1")
        await press(call, hotline, "advice_menu_intro", "5")
        await until_heard(call, hotline, "leaf_end")

    async def leaves_early(call: Call) -> None:
        await press(call, hotline, "greeting_main", "1")
        await press(call, hotline, "advice_menu_intro", "5")
        await asyncio.sleep(1)

    async def both() -> None:
        await asyncio.gather(
            caller(hotline, "0912000104", scenario), caller(hotline, "0912000105", leaves_early)
        )

    asyncio.run(both())
    assert hotline.call_of("0912000104")["outcome"] == "self_served"
    assert hotline.call_of("0912000105")["outcome"] == "abandoned_menu"


def test_keys_are_understood_however_the_telephone_sends_them(hotline: Hotline) -> None:
    async def one(number: str, dtmf: Dtmf) -> None:
        async with citizen(hotline, number, dtmf=dtmf) as phone:
            call = await called(phone)
            await press(call, hotline, "greeting_main", "3")  # while it speaks
            await press(call, hotline, "vaccine_menu_intro", "*")
            await press(call, hotline, "main_menu_2", "7")
            await until_heard(call, hotline, "lookup_intro")
            await call.press("#")  # while digits of a code are read

    async def all_of_them() -> None:
        await asyncio.gather(*(one(f"091200019{at}", how) for at, how in enumerate(Dtmf)))

    asyncio.run(all_of_them())
    for at, _ in enumerate(Dtmf):
        call = hotline.call_of(f"091200019{at}")
        assert keys(call) == ["main.3", "vaccine.*", "main.7"]


def test_four_is_emergency_in_a_branch_a_leaf_the_notice_and_the_queue(hotline: Hotline) -> None:
    async def to_queue(call: Call) -> None:
        await press(call, hotline, "greeting_main", "0")
        await until_heard(call, hotline, "queue_next")

    async def in_branch(call: Call) -> None:
        await press(call, hotline, "greeting_main", "5")
        await press(call, hotline, "relief_menu_intro", "4")

    async def in_leaf(call: Call) -> None:
        await press(call, hotline, "greeting_main", "8")
        await asyncio.sleep(1)
        await call.press("4")

    async def in_notice(call: Call) -> None:
        await press(call, hotline, "greeting_main", "0")
        await asyncio.sleep(1.5)
        await call.press("4")

    async def in_queue(call: Call) -> None:
        await to_queue(call)
        await asyncio.sleep(1)
        await call.press("4")

    scenarios: dict[str, tuple[Scenario, list[str]]] = {
        "0912000111": (in_branch, ["main.5", "relief.4"]),
        "0912000112": (in_leaf, ["main.8", "bulletin.4"]),
        "0912000113": (in_notice, ["main.0", "notice.4"]),
        "0912000114": (in_queue, ["main.0", "queue.4"]),
    }

    def in_emergency_queue(number: str) -> bool:
        return any(
            call["queue"] == "emergency" for call in hotline.calls() if call["caller"] == number
        )

    async def all_of_them() -> None:
        async def one(number: str, scenario: Scenario) -> None:
            async def and_then(call: Call) -> None:
                await scenario(call)
                await until_heard(call, hotline, "emergency_menu")
                await until(lambda: in_emergency_queue(number), "the call is in the queue")

            await caller(hotline, number, and_then)

        await asyncio.gather(*(one(number, plan[0]) for number, plan in scenarios.items()))

    asyncio.run(all_of_them())
    for number, (_, path) in scenarios.items():
        call = hotline.call_of(number)
        assert (keys(call), call["branch"], call["queue"]) == (path, "emergency", "emergency")


def test_four_helps_a_caller_whom_an_agent_holds(hotline: Hotline) -> None:
    number = "0912000115"

    async def scenario() -> None:
        async with desk_agent(hotline) as desk, citizen(hotline, number) as phone:
            call = await called(phone)
            await press(call, hotline, "greeting_main", "0")
            rung = await desk.incoming(PATIENCE_S)
            rung.answer()
            rung.play_tone(1000)
            await until(lambda: call.heard_tone(1000), "the caller hears the agent")
            await rung.hold()
            await asyncio.sleep(2)
            await call.press("4")
            await until_heard(call, hotline, "emergency_menu")
            await call.hang_up()

    asyncio.run(scenario())
    call = hotline.call_of(number)
    assert (keys(call), call["branch"], call["outcome"]) == (
        ["main.0", "hold.4"], "emergency", "answered"
    )
    with hotline.database.reading() as session:
        parts = session.scalars(
            select(CallSegment).where(CallSegment.call_id == call["id"]).order_by(
                CallSegment.number)
        ).all()
    # what the desk phone held counts as such, up to where the caller left
    assert [one.what for one in parts if one.agent and one.what in ("talk", "hold")] == [
        "talk", "hold"
    ]
    assert next(one.ms for one in parts if one.what == "hold") >= 1900


@pytest.mark.full
def test_a_caller_whom_the_agent_has_left_is_asked_how_it_was(hotline: Hotline) -> None:
    async def served(number: str, *, asked: bool) -> None:
        async with desk_agent(hotline) as desk, citizen(hotline, number) as phone:
            call = await called(phone)
            await press(call, hotline, "greeting_main", "0")
            rung = await desk.incoming(PATIENCE_S)
            rung.answer()
            rung.play_tone(1000)
            await until(lambda: call.heard_tone(1000), "the caller hears the agent")
            await asyncio.sleep(4)  # less than two seconds are no conversation
            await rung.hang_up()
            if asked:
                await press(call, hotline, "survey_intro", "2")
                await until_heard(call, hotline, "survey_thanks")
            assert await call.ended(PATIENCE_S)

    asyncio.run(served("0912000116", asked=True))
    assert hotline.run("switch", "survey", "off").returncode == 0
    try:
        asyncio.run(served("0912000117", asked=False))
    finally:
        hotline.run("switch", "survey", "on")
    said, silent = hotline.call_of("0912000116"), hotline.call_of("0912000117")
    assert (said["outcome"], said["agent"], said["satisfaction"]) == ("answered", "agent1", 2)
    assert (silent["outcome"], silent["satisfaction"]) == ("answered", None)


def test_the_notice_heard_to_its_end_is_recorded_and_refused_with_star_is_not(
    hotline: Hotline,
) -> None:
    async def spoken_to(number: str, *, refuses: bool) -> None:
        async with desk_agent(hotline) as desk, citizen(hotline, number) as phone:
            call = await called(phone)
            await press(call, hotline, "greeting_main", "0")
            if refuses:
                await asyncio.sleep(1.5)
                await call.press("*")
                await until_heard(call, hotline, "consent_recording_declined")
            else:
                await asyncio.sleep(1.5)
                await call.press("5")  # any other key does not interrupt it
                await call.press("#")  # nor skips a part of it
                pressed = asyncio.get_running_loop().time()
                await until_heard(call, hotline, "consent_recording_short")
                assert asyncio.get_running_loop().time() - pressed > 2.5
            rung = await desk.incoming(PATIENCE_S)
            rung.answer()
            rung.play_tone(1000)
            call.play_tone(440)
            await until(lambda: rung.heard_tone(440), "the agent hears the caller")
            await until(lambda: call.heard_tone(1000), "the caller hears the agent")
            if not refuses:
                name = f"{newest(hotline, number)}.raw"
                await until(
                    lambda: has_sound(hotline, Kind.RECORDINGS, name),
                    "the recording is being written",
                )
            for key in TYPED:  # digits for the agent's ears alone
                before = rung.keys_heard
                await call.press(key)
                await until(lambda: rung.keys_heard != before, f"{key} reaches the agent")  # noqa: B023
            assert rung.keys_heard == TYPED
            await call.hang_up()
            await rung.ended(5)

    asyncio.run(spoken_to("0912000121", refuses=False))
    asyncio.run(spoken_to("0912000122", refuses=True))

    recorded, refused = hotline.call_of("0912000121"), hotline.call_of("0912000122")
    for call in (recorded, refused):
        assert (call["outcome"], call["agent"], call["queue"]) == ("answered", "agent1", "operator")
        assert call["talk_s"] > 0
        assert call["wait_s"] < 60
    assert refused["recording"] is None
    assert keys(refused) == ["main.0"]
    assert has_sound(hotline, Kind.RECORDINGS, recorded["recording"])
    assert not [file for file in (hotline.home / "recordings").iterdir()
                if refused["id"] in file.name]
    assert TYPED not in hotline.journal()
    assert '"DTMF' not in hotline.journal()


@pytest.mark.full
def test_those_who_wait_hear_how_many_are_ahead(hotline: Hotline) -> None:
    async def scenario() -> None:
        async with citizen(hotline, "0912000131") as one, citizen(hotline, "0912000132") as two:
            first = await called(one)
            await press(first, hotline, "greeting_main", "0")
            await until_heard(first, hotline, "queue_next")
            second = await called(two)
            await press(second, hotline, "greeting_main", "0")
            await until_heard(second, hotline, "queue_position.2")
            assert heard(second.heard, hotline, "n_1")
            assert not heard(second.heard, hotline, "n_2")
            assert not heard(second.heard, hotline, "queue_next")
            before = second.heard_length
            await until_heard(second, hotline, "n_1", after=before)  # told again, the same place
            await until_heard(first, hotline, "queue_comfort_1")  # within the music
            await asyncio.gather(first.hang_up(), second.hang_up())

    asyncio.run(scenario())


@pytest.mark.full
def test_the_time_to_wait_is_told_in_minutes_once_the_queue_knows_how_long_calls_take(
    hotline: Hotline,
) -> None:
    talk_s = 25  # and 2 s of wrap-up
    hotline.ask("queue reset stats operator")  # what short calls of others have taught it

    async def scenario() -> None:
        async with AsyncExitStack() as many:
            seat = await many.enter_async_context(desk_agent(hotline))

            async def waits(number: str) -> Call:
                call = await called(await many.enter_async_context(citizen(hotline, number)))
                await press(call, hotline, "greeting_main", "0")
                return call

            for seconds in (talk_s, 0):  # the second is on the line to the end
                await waits(f"091200017{seconds % 7}")
                answered = await seat.incoming(PATIENCE_S)
                answered.answer()
                await asyncio.sleep(seconds)
                if seconds:
                    await answered.hang_up()
            for number in range(2):
                before = await waits(f"09120001{80 + number}")
                await until_heard(before, hotline, "queue_wait_under_1")
            last = await waits("0912000183")
            for prompt in ("n_2", "queue_wait_range.1", "queue_wait_range.3"):
                await until_heard(last, hotline, prompt)
            await answered.hang_up()

    asyncio.run(scenario())
    told = [line for line in hotline.journal().splitlines() if '"HL_WAIT"' in line]
    assert any("from=60|to=120" in line for line in told), told


def test_out_of_hours_a_message_can_be_left_and_four_still_helps(hotline: Hotline) -> None:
    def being_written(number: str) -> bool:
        files = (hotline.home / Kind.VOICEMAIL).glob(f"{newest(hotline, number)}-*.wav")
        return any(has_sound(hotline, Kind.VOICEMAIL, file.name) for file in files)

    async def leaves_a_message(call: Call, number: str = "0912000141") -> None:
        await press(call, hotline, "greeting_main", "2")
        await press(call, hotline, "test_menu_intro", "0")
        await press(call, hotline, "after_hours", "1")
        await until_heard(call, hotline, "voicemail_start")
        await until_heard(call, hotline, "beep")
        call.play_tone(440)
        await until(lambda: being_written(number), "the message is being written")
        await asyncio.sleep(3)  # less than two seconds are no message

    async def in_need(call: Call) -> None:
        await leaves_a_message(call, "0912000142")
        await call.press("4")
        await until_heard(call, hotline, "emergency_menu")

    async def both() -> None:
        await asyncio.gather(
            caller(hotline, "0912000141", leaves_a_message), caller(hotline, "0912000142", in_need)
        )

    assert hotline.run("switch", "hours.testing", "closed").returncode == 0
    try:
        asyncio.run(both())
    finally:
        assert hotline.run("switch", "hours.testing", "auto").returncode == 0
    left, helped = hotline.call_of("0912000141"), hotline.call_of("0912000142")
    assert left["outcome"] == "voicemail"
    assert helped["branch"] == "emergency"
    assert keys(helped)[-1] == "message.4"
    for call in (left, helped):  # the message is kept up to the key
        with hotline.database.reading() as session:
            row = session.get(CallRow, call["id"])
            assert row is not None
            assert has_sound(hotline, Kind.VOICEMAIL, str(row.voicemail))


def test_a_notice_is_said_after_the_emergency_line_while_it_is_set(hotline: Hotline) -> None:
    async def scenario(call: Call) -> None:
        await until_heard(call, hotline, "emergency_first")
        await press(call, hotline, "notice_disaster", "8")
        await until_heard(call, hotline, "bulletin_stale")

    assert hotline.run("switch", "notice", "disaster").returncode == 0
    try:
        asyncio.run(caller(hotline, "0912000153", scenario))
    finally:
        assert hotline.run("switch", "notice", "none").returncode == 0
    assert keys(hotline.call_of("0912000153")) == ["main.8"]


@pytest.mark.parametrize("value", ["closed", "open", "auto"])
def test_a_day_of_the_calendar_is_set_by_hand(hotline: Hotline, value: str) -> None:
    assert hotline.run("switch", "day.20270208", value).returncode == 0
    assert f": {value}" in re.sub(r" +", " ", hotline.ask("database show switch day.20270208"))
    assert hotline.json("switch")["day.20270208"] == value


def test_above_the_capacity_callers_hear_so_and_four_still_helps(hotline: Hotline) -> None:
    async def rejected(call: Call) -> None:
        await until_heard(call, hotline, "overload_reject")
        assert await call.ended(PATIENCE_S)

    async def in_need(call: Call) -> None:
        await asyncio.sleep(2)
        await call.press("4")
        await until_heard(call, hotline, "emergency_menu")

    async def both() -> None:
        await asyncio.gather(
            caller(hotline, "0912000151", rejected), caller(hotline, "0912000152", in_need)
        )

    assert hotline.run("switch", "overload", "on").returncode == 0
    try:
        asyncio.run(both())
    finally:
        assert hotline.run("switch", "overload", "off").returncode == 0
    assert hotline.call_of("0912000151")["outcome"] == "rejected"
    assert hotline.call_of("0912000152")["branch"] == "emergency"


@pytest.mark.parametrize("dialled", ["02371022", "842371022", "+842371022"])
def test_every_written_form_of_the_number_is_answered(hotline: Hotline, dialled: str) -> None:
    number = f"09120008{len(dialled):02}"  # nobody else's: the last call of a number is looked at

    async def scenario() -> None:
        async with citizen(hotline, number) as phone:
            call = await called(phone, dialled)
            await call.hang_up()

    asyncio.run(scenario())
    assert hotline.call_of(number)["dialled"] == dialled


def test_the_ledger_explains_all_of_them(hotline: Hotline) -> None:
    wait_for(lambda: "0 active calls" in hotline.ask("core show channels count"), "all calls ended")
    hotline.assert_ledger_complete()


@pytest.mark.full
def test_the_bulletin_goes_live_without_a_reload_and_is_withdrawn_by_one_command(
    hotline: Hotline,
) -> None:
    def heard_by(number: str, prompt: str) -> None:
        async def scenario(call: Call) -> None:
            await press(call, hotline, "greeting_main", "8")
            await until_heard(call, hotline, prompt)
            await until_heard(call, hotline, "leaf_end")

        asyncio.run(caller(hotline, number, scenario))

    done = hotline.run(
        "bulletin", "publish", "Xin đeo khẩu trang.", "--figure", "new_cases=12", "--by", "Sở Y tế"
    )
    assert done.returncode == 0, done.stderr
    with hotline.database.reading() as session:
        sound = switches.wanted(session, switches.BULLETIN)

    async def waits(call: Call) -> None:
        await press(call, hotline, "greeting_main", "0")
        await until_heard(call, hotline, "queue_comfort_3")  # that key 8 plays it
        await call.press("8")
        await until_heard(call, hotline, f"said/{sound}")
        before = call.heard_length
        await until_heard(call, hotline, "queue_next", after=before)  # in the queue again

    heard_by("0912000881", f"said/{sound}")
    asyncio.run(caller(hotline, "0912000883", waits))
    waited = hotline.call_of("0912000883")
    assert (waited["outcome"], keys(waited)) == ("abandoned_queue", ["main.0", "queue.8"])
    assert hotline.call_of("0912000881")["outcome"] == "self_served"
    assert requests.get(f"{hotline.url}/bulletin.wav", timeout=10).content[:4] == b"RIFF"
    assert hotline.run("bulletin", "withdraw").returncode == 0
    heard_by("0912000882", "bulletin_stale")
    assert hotline.call_of("0912000882")["outcome"] == "abandoned_menu"


def test_callers_hear_the_contact_points_soon_after_they_are_taken_in(
    hotline: Hotline, tmp_path: Path
) -> None:
    file = tmp_path / "points.csv"
    file.write_bytes(files.as_csv([POINT], points.COLUMNS))
    assert hotline.run("import", "points", str(file)).returncode == 0

    def wanted() -> str | None:
        with hotline.database.reading() as session:
            return switches.wanted(session, "points.vaccination")

    sound = wait_for(wanted, "the list has its sound", 90)

    async def scenario(call: Call) -> None:
        await press(call, hotline, "greeting_main", "3")
        await press(call, hotline, "vaccine_menu_intro", "6")
        await until_heard(call, hotline, f"said/{sound}")
        await until_heard(call, hotline, "leaf_end")

    asyncio.run(caller(hotline, "0912000884", scenario))
    told = hotline.call_of("0912000884")
    assert (told["outcome"], keys(told)) == ("self_served", ["main.3", "vaccine.6"])
    (one,) = requests.get(f"{hotline.url}/open-data/contact-points.json", timeout=10).json()[
        "contact_points"
    ]
    assert one["name"] == POINT["name"]
    ended = POINT | {"code": one["code"], "valid_to": "2020-01-01"}
    file.write_bytes(files.as_csv([ended], points.COLUMNS))
    assert hotline.run("import", "points", str(file)).returncode == 0
    wait_for(lambda: wanted() == "none", "there is no list any more", 90)


@pytest.mark.full
def test_callers_are_told_of_the_trial_operation_while_that_is_set(hotline: Hotline) -> None:
    async def hears(number: str, prompt: str) -> None:
        async with citizen(hotline, number) as phone:
            call = await called(phone)
            await until_heard(call, hotline, prompt)
            await until_heard(call, hotline, "greeting_main")
            await call.hang_up()

    assert hotline.run("switch", "notice", "trial").returncode == 0
    try:
        asyncio.run(hears("0912000191", "notice_trial"))
    finally:
        assert hotline.run("switch", "notice", "none").returncode == 0
