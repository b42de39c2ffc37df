"""Key 7: callers hear what became of their cases, over real SIP and RTP."""

from __future__ import annotations

import asyncio
import re
import signal
from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from crm.cases import life, lookup
from crm.cases.life import Mover
from crm.cases.models import Identity, Status
from ivr import provision
from ivr.phone import Call
from prompts.said import Said
from tests.crm.cases.factory import answered, at_agency
from tests.live.people import Console, called, citizen, until_heard
from tests.live.running import Hotline, wait_for

QUESTION = "Nhà ông bà ở thôn nào?"
ANSWER = "Trạm y tế đã đến nhà ngày 17/02."


def now() -> datetime:
    return datetime.now(UTC)


async def until(look: Callable[[], object], what: str) -> None:
    await asyncio.to_thread(wait_for, look, what)


async def asks(call: Call, hotline: Hotline) -> None:
    """Presses 7 in the main menu."""
    await until_heard(call, hotline, "greeting_main")
    await call.press("7")


async def types(call: Call, digits: str) -> None:
    for digit in digits:
        await call.press(digit)


def status(hotline: Hotline, code: str) -> str:
    with hotline.database.reading() as session:
        return life.by_code(session, code).status


def sound_of(hotline: Hotline, text: str) -> str:
    """Waits until a saved text has become sound."""
    said = Said(provision.sounds(hotline.home), hotline.settings.cache)
    return str(wait_for(lambda: said.sound_of(text), "the text has its sound", 90))


def test_who_calls_from_the_own_telephone_hears_the_case_for_four_digits(hotline: Hotline) -> None:
    with hotline.database.transaction() as session:
        code = at_agency(session, phone="0912000701", now=now()).code
    name = sound_of(hotline, "Sở Y tế")

    async def scenario() -> None:
        async with citizen(hotline, "0912000701") as phone:
            call = await called(phone)
            await asks(call, hotline)
            await until_heard(call, hotline, "lookup_recent.2")
            await types(call, code[-4:])
            await until_heard(call, hotline, "status_assigned.1")
            await until_heard(call, hotline, name)
            await until_heard(call, hotline, "status_due.1")
            await until_heard(call, hotline, "n_17")
            await until_heard(call, hotline, "status_days_left.2")
            await until_heard(call, hotline, "lookup_add")
            await call.hang_up()

    asyncio.run(scenario())
    record = hotline.call_of("0912000701")
    assert (record["outcome"], record["branch"], record["case_code"]) == (
        "self_served", "lookup", code
    )
    assert code not in str(record["path"])


def test_a_citizen_hears_what_the_officer_asks_and_answers_by_a_message(hotline: Hotline) -> None:
    with hotline.database.transaction() as session:
        case = at_agency(session, phone="0912000761", now=now())
        life.move(
            session, case, Status.NEED_INFO, by="Cán bộ", now=now(), reason=QUESTION,
            mover=Mover.OFFICER,
        )
        code = case.code
    question = sound_of(hotline, QUESTION)

    async def scenario() -> None:
        async with citizen(hotline, "0912000761") as phone:
            call = await called(phone)
            await asks(call, hotline)
            await until_heard(call, hotline, "lookup_recent.2")
            await types(call, code[-4:])
            await until_heard(call, hotline, "status_need_info")
            await until_heard(call, hotline, "lookup_question")
            await call.press("1")
            await until_heard(call, hotline, question)
            await call.press("5")
            await until_heard(call, hotline, "lookup_tell_more")
            await until_heard(call, hotline, "beep")
            call.play_tone(440)
            await asyncio.sleep(4)
            await call.hang_up()

    asyncio.run(scenario())
    record = hotline.call_of("0912000761")
    assert (record["outcome"], record["case_code"]) == ("voicemail", code)
    desk = Console(hotline, "truongca")
    listed = desk.page("/messages")
    row = listed[listed.index(f'data-message="{record["id"]}"'):].partition("</tr>")[0]
    assert f'href="/cases/{code}"' in row
    assert QUESTION in desk.page(f"/cases/{code}")
    with hotline.database.reading() as session:
        events = life.events_of(session, life.by_code(session, code))
        assert ("info", life.CITIZEN, record["id"]) in [
            (one.what, one.by, one.call_id) for one in events
        ]


@pytest.mark.full
def test_from_another_telephone_the_whole_code_and_the_end_of_the_number_are_asked_for(
    hotline: Hotline,
) -> None:
    with hotline.database.transaction() as session:
        code = answered(
            session, ANSWER, phone="0912000711", now=now(), identity=Identity.HIDDEN
        ).code
    answer = sound_of(hotline, ANSWER)

    async def scenario() -> None:
        async with citizen(hotline, "0912000712") as phone:
            call = await called(phone)
            await asks(call, hotline)
            await until_heard(call, hotline, "lookup_enter_code")
            await types(call, code)
            await until_heard(call, hotline, "lookup_enter_phone_tail")
            await types(call, "0711")
            await until_heard(call, hotline, "status_resolved.1")
            await until_heard(call, hotline, "lookup_answer")
            await call.press("1")
            await until_heard(call, hotline, answer)
            # asked to be looked at again: kept before the reason is asked for
            await call.press("3")
            await until_heard(call, hotline, "reopen_confirm")
            await call.press("1")
            await until_heard(call, hotline, "beep")
            await until(lambda: status(hotline, code) == "reopened", "the case is open again")
            await asyncio.sleep(3)
            await call.hang_up()

    asyncio.run(scenario())
    record = hotline.call_of("0912000712")
    assert (record["outcome"], record["case_code"]) == ("voicemail", code)
    wait_for(
        lambda: hotline.call_of("0912000712")["outcome"] == "voicemail", "the reason is a message"
    )


@pytest.mark.full
def test_wrong_codes_lead_to_a_person_and_are_counted(hotline: Hotline) -> None:
    async def scenario() -> None:
        async with citizen(hotline, "0912000721") as phone:
            call = await called(phone)
            await asks(call, hotline)
            await until_heard(call, hotline, "lookup_enter_code")
            for _ in range(2):
                heard = call.heard_length
                await types(call, "0001")  # of which 0 is no key for an agent
                await until_heard(call, hotline, "lookup_not_found", after=heard)
            await types(call, "0001")
            await until_heard(call, hotline, "lookup_locked")
            await until_heard(call, hotline, "consent_recording_short")
            await call.hang_up()

    asyncio.run(scenario())
    assert hotline.call_of("0912000721")["branch"] == "lookup"
    with hotline.database.transaction() as session:
        for _ in range(lookup.MISSES_OF_CALLER):
            lookup.note_miss(session, "0912000721", None, now())

    async def again() -> None:
        async with citizen(hotline, "0912000721") as phone:
            call = await called(phone)
            await asks(call, hotline)
            await until_heard(call, hotline, "lookup_locked")
            await call.hang_up()

    asyncio.run(again())


@pytest.mark.full
def test_four_helps_while_a_code_is_asked_for_and_while_it_is_told(hotline: Hotline) -> None:
    with hotline.database.transaction() as session:
        codes = {
            number: at_agency(session, phone=number, now=now()).code
            for number in ("0912000731", "0912000732")
        }

    async def instead_of_a_code() -> None:
        async with citizen(hotline, "0912000731") as phone:
            call = await called(phone)
            await asks(call, hotline)
            await until_heard(call, hotline, "lookup_recent.2")
            await call.press("4")
            await until_heard(call, hotline, "emergency_confirm")
            await call.press("4")
            await until_heard(call, hotline, "emergency_menu")
            await call.hang_up()

    async def while_it_is_told() -> None:
        async with citizen(hotline, "0912000732") as phone:
            call = await called(phone)
            await asks(call, hotline)
            await until_heard(call, hotline, "lookup_recent.2")
            await types(call, codes["0912000732"][-4:])
            await until_heard(call, hotline, "status_assigned.1")
            await call.press("4")
            await until_heard(call, hotline, "emergency_menu")
            await call.hang_up()

    async def both() -> None:
        await asyncio.gather(instead_of_a_code(), while_it_is_told())

    asyncio.run(both())
    for number in codes:
        assert hotline.call_of(number)["branch"] == "emergency"


@pytest.mark.parametrize("process", ["listener"])
def test_with_nobody_to_answer_the_caller_is_led_to_a_person_after_one_question(
    hotline: Hotline, process: str
) -> None:
    def variables(*names: str) -> list[str]:
        """Of the caller's channel."""
        up = hotline.ask("core show channels concise").splitlines()
        [channel] = [line.partition("!")[0] for line in up if "!0912000741!" in line]
        shown = hotline.ask(f"core show channel {channel}")
        return [re.findall(rf"^\s*{name}=(.*)$", shown, re.M)[0] for name in names]

    async def scenario() -> None:
        async with citizen(hotline, "0912000741") as phone:
            call = await called(phone)
            await asks(call, hotline)
            await until_heard(call, hotline, "lookup_intro")
            await until_heard(call, hotline, "error_system")
            # the dialplan's own limit has ended the wait, and nothing was asked again
            assert await asyncio.to_thread(variables, "HL_ASKED", "HL_ANSWER") == ["1", "late"]
            await until_heard(call, hotline, "consent_recording_short")
            await call.hang_up()

    hotline.signal(process, signal.SIGSTOP)
    try:
        asyncio.run(scenario())
    finally:
        hotline.signal(process, signal.SIGCONT)
    assert hotline.call_of("0912000741")["branch"] == "lookup"
