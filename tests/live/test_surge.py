"""More callers than can be served, and people who help on telephones of their own.

The carrier, its citizens and whoever is rung outside are one telephone of the test.
"""

from __future__ import annotations

import asyncio
import re
import signal
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from crm import surge
from crm.agencies import officers, register
from crm.broadcasts import board, life
from crm.broadcasts.models import Audience, Broadcast, Stage
from crm.cases import duty, incidents
from crm.cases import life as cases
from crm.cases.models import Status
from crm.clock import VIETNAM
from crm.imports.files import Row
from crm.notices.models import Channel, OptOut
from ivr import provision
from ivr.fairness import journal_events
from ivr.phone import Call, Phone
from prompts.said import Said
from scripts import PROCESSES, scheduler
from tests.live.people import Console, called, citizen, found_outside, until_heard
from tests.live.running import PATIENCE_S, Hotline, free_ports, running_hotline, wait_for

CARRIER = "127.0.0.7"
CENTRE = "0237000115"  # stands for 115
DOCTORS = {"bs.an": "0912000951", "bs.binh": "0912000952", "bs.chi": "0912000953"}
DUTY = "0912000961"
CHANNELS = 9  # of the carrier: 5 callers, and 4 for calls going out


@pytest.fixture(scope="module")
def carrier_port() -> int:
    return free_ports(1)[0]


@pytest.fixture(scope="module")
def hotline(carrier_port: int, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hotline]:
    with running_hotline(
        tmp_path_factory.mktemp("surge") / "home",
        HOTLINE_TRUNK_SERVER=f"{CARRIER}:{carrier_port}", HOTLINE_EMERGENCY_MEDICAL=CENTRE,
        HOTLINE_QUEUE_LIMITS="300, vaccine 0", HOTLINE_TRUNK_CHANNELS=str(CHANNELS),
        HOTLINE_EXPERTS=", ".join(" ".join(one) for one in DOCTORS.items()),
        HOTLINE_DUTY_PHONES=DUTY,
    ) as running:
        yield running


@asynccontextmanager
async def outside(hotline: Hotline, port: int) -> AsyncIterator[Phone]:
    """Everybody outside, once the hotline has found the carrier there."""
    async with Phone(CARRIER, port) as phones:
        await found_outside(hotline)
        yield phones


def since_the_emergency(hotline: Hotline) -> list[tuple[str, dict[str, str]]]:
    """What the dialplan did with the last caller who asked for help, from then on."""
    events = list(journal_events(hotline.home / "journal"))
    begun = [at for at, one in enumerate(events) if one.type == "HL_EMERGENCY"][-1:]
    return [
        (one.type, dict(one.extra)) for at in begun for one in events[at:]
        if one.uniqueid == events[at].uniqueid and one.type.startswith("HL_")
    ]


async def helped(call: Call, outside: Phone, hotline: Hotline) -> None:
    """Presses 4, and 4 again: the key leads to 115 with nothing in between, neither a menu's end
    nor a queue, and 115 hears the caller."""
    await call.press("4")
    await asyncio.sleep(1)
    await call.press("4")
    service = await outside.incoming(PATIENCE_S)
    assert service.dialled == CENTRE
    service.answer()
    call.play_tone(440)
    await asyncio.to_thread(wait_for, lambda: service.heard_tone(440), "115 hears the caller")
    await asyncio.to_thread(
        wait_for, lambda: since_the_emergency(hotline)[1:] == [
            ("HL_BRANCH", {"branch": "emergency"}),
            ("HL_KEY", {"menu": "emergency", "key": "4"}),
            ("HL_SERVICE", {"service": "medical"}), ("HL_OUTSIDE", {"target": CENTRE}),
        ], "the key alone has led there",
    )
    await service.hang_up()


async def hears_the_end(outside: Phone, hotline: Hotline, number: str) -> None:
    """Who has joined the last incident is rung at noon, for nobody is at night, and hears it."""
    noon = datetime.now(UTC).replace(hour=5) + timedelta(days=1)
    jobs = scheduler.Jobs(
        hotline.settings, hotline.database, threading.Event(), clock=lambda: noon
    )

    def shown() -> dict[str, Any]:
        last: dict[str, Any] = hotline.json("incident", "list")[-1]
        return last

    def sound() -> str | None:
        with hotline.database.reading() as session:
            return incidents.by_code(session, shown()["code"]).over_sound

    over = await asyncio.to_thread(wait_for, sound, "the words of its end are there")
    await asyncio.to_thread(jobs.tell_affected)
    rung = await outside.incoming(PATIENCE_S)
    assert rung.dialled == number
    rung.answer()
    await until_heard(rung, hotline, f"said/{over}")
    await asyncio.to_thread(wait_for, lambda: shown()["told"] == 1, "it is noted")


async def leads_to(call: Call, hotline: Hotline, keys: str) -> None:
    await until_heard(call, hotline, "greeting_main")
    for key in keys:
        await call.press(key)
        await asyncio.sleep(1.5)


def test_a_full_queue_offers_a_call_back_or_a_message_and_four_helps(
    hotline: Hotline, carrier_port: int
) -> None:
    async def message() -> None:
        async with citizen(hotline, "0912000901") as phone:
            call = await called(phone)
            await leads_to(call, hotline, "30")
            await until_heard(call, hotline, "queue_full")
            await call.press("2")
            await until_heard(call, hotline, "voicemail_start")
            call.play_tone(440)
            await asyncio.sleep(6)
            await call.hang_up()

    async def refused() -> None:
        async with citizen(hotline, "0912000902") as phone:
            call = await called(phone)
            await leads_to(call, hotline, "30")
            await until_heard(call, hotline, "overload_reject")
            assert await call.ended(PATIENCE_S)

    async def in_need() -> None:
        async with outside(hotline, carrier_port) as phones, citizen(
            hotline, "0912000903"
        ) as phone:
            call = await called(phone)
            await leads_to(call, hotline, "30")
            await until_heard(call, hotline, "queue_full")
            await helped(call, phones, hotline)

    async def all_of_them() -> None:
        await asyncio.gather(message(), refused())
        await in_need()  # by itself: a busy machine's ear must not hear too late what is offered

    asyncio.run(all_of_them())
    outcomes = [hotline.call_of(f"091200090{number}")["outcome"] for number in (1, 2, 3)]
    assert outcomes == ["voicemail", "rejected", "transferred"]


@pytest.mark.full
def test_a_limit_and_an_incident_of_a_branch_come_from_the_page_and_end_by_themselves(
    hotline: Hotline, carrier_port: int
) -> None:
    """For the next caller, without a reload; with the AstDB lost they are back; and they end with
    database and console standing still."""
    console = Console(hotline, "truongca")

    def until(seconds: float) -> str:
        return f"{datetime.now(VIETNAM) + timedelta(seconds=seconds):%Y-%m-%dT%H:%M:%S}"

    def limit(queue: str, most: int, seconds: float) -> None:
        console.submit("/surge/limits", queue=queue, most=str(most), until=until(seconds),
                       reason="Mưa lũ")

    def held(name: str) -> str:
        found = re.search(r": (\S+)$", hotline.ask(f"database get switch {name}").strip())
        return found[1] if found else ""

    def meets(number: str, *steps: tuple[str, str]) -> None:
        """Presses each key, and then hears each prompt."""
        async def scenario() -> None:
            async with citizen(hotline, number) as phone:
                call = await called(phone)
                await until_heard(call, hotline, "greeting_main")
                for key, prompt in steps:
                    if key:
                        await call.press(key)
                    await until_heard(call, hotline, prompt)
                await call.hang_up()

        asyncio.run(scenario())

    def spoken() -> str:
        with hotline.database.reading() as session:
            return incidents.prepared(session)[0].sound or ""

    # a limit: nobody may wait where many might before
    limit("operator", 0, 3600)
    meets("0912000981", ("0", "queue_full"))
    assert held("limit.operator").startswith("0.")
    # Asterisk forgets it: what is wanted comes back with the next connect
    hotline.ask("database deltree switch")
    hotline.signal("listener", signal.SIGKILL)
    wait_for(lambda: held("limit.operator").startswith("0."), "the limit is back")
    # it may be less strict than the settings, for a while, too (they say: vaccine 0)
    over = datetime.now(UTC) + timedelta(seconds=90)
    limit("vaccine", 5, 90)
    meets("0912000982", ("3", "vaccine_menu_intro"), ("0", "queue_connecting"))

    console.submit("/surge/texts", text="Kho vắc xin đang kiểm kê")
    wait_for(lambda: bool(spoken()), "the text is spoken")
    with hotline.database.reading() as session:
        number = incidents.prepared(session)[0].id
    assert console.page(f"/surge/texts/{number}.wav").startswith("RIFF")
    console.submit("/surge/incidents", text_id=str(number), branch="vaccine", until=until(3600))
    meets("0912000983", ("3", f"said/{spoken()}"), ("", "incident_join.1"),
          ("1", "incident_joined.1"), ("", "vaccine_menu_1"))
    meets("0912000984", ("", "main_menu_1"), ("5", "relief_menu_1"))  # hear nothing of it
    [code] = [one["code"] for one in hotline.json("incident", "list") if one["branch"]]
    wait_for(lambda: hotline.json("incident", "list")[-1]["joined"] == 1, "who has joined is known")
    console.submit(f"/surge/incidents/{code}", act="prolong", until=until(20))

    wait_for(lambda: datetime.now(UTC) > over, "the time of both is over", 120)
    for process in PROCESSES:
        hotline.signal(process, signal.SIGSTOP)
    try:
        meets("0912000985", ("3", "vaccine_menu_intro"), ("", "vaccine_menu_1"),
              ("0", "queue_full"))
    finally:
        for process in PROCESSES:
            hotline.signal(process, signal.SIGCONT)

    def ends() -> None:
        console.submit(f"/surge/incidents/{code}", act="end", text="Kho vắc xin đã mở lại.")
        wait_for(lambda: held("incident.vaccine") == "none", "it is told no more")

    async def is_told() -> None:
        async with outside(hotline, carrier_port) as phones:
            await asyncio.to_thread(ends)
            await hears_the_end(phones, hotline, "0912000983")

    asyncio.run(is_told())
    with hotline.database.reading() as session:
        stays = surge.holding(session, "operator", datetime.now(UTC))
    assert stays is not None
    console.submit(f"/surge/limits/{stays.id}/lift")
    wait_for(lambda: held("limit.operator") == "off", "the limit is lifted")


@pytest.mark.full
def test_above_the_limit_of_callers_four_still_helps(hotline: Hotline, carrier_port: int) -> None:
    async def scenario() -> None:
        async with AsyncExitStack() as many, outside(hotline, carrier_port) as phones:
            for number in range(CHANNELS - 4):
                phone = await many.enter_async_context(citizen(hotline, f"09120009{10 + number}"))
                await called(phone)
            last = await many.enter_async_context(citizen(hotline, "0912000919"))
            call = await called(last)
            await until_heard(call, hotline, "overload_reject")
            call = await called(last)  # and once more, not waiting for its end
            await asyncio.sleep(1)
            await helped(call, phones, hotline)

    asyncio.run(scenario())
    def of_the_last() -> list[dict[str, Any]]:
        return [one for one in hotline.calls() if one["caller"] == "0912000919" and one["outcome"]]

    wait_for(lambda: len(of_the_last()) == 2, "both calls have ended")
    assert [one["outcome"] for one in of_the_last()] == ["rejected", "rejected"]
    assert [one["emergency"] for one in of_the_last()] == [None, "reached"]
    wait_for(lambda: "0 active calls" in hotline.ask("core show channels count"), "all have ended")


@pytest.mark.full
def test_a_number_that_misused_the_line_is_warned_then_only_helped_in_an_emergency(
    hotline: Hotline, carrier_port: int
) -> None:
    number = "0912000921"

    def restrict(step: int) -> None:
        done = hotline.run(
            "nuisance", "restrict", number, "--step", str(step), "--days", "1", "--reason", "thử"
        )
        assert done.returncode == 0, done.stderr

    async def warned() -> None:
        async with citizen(hotline, number) as phone:
            call = await called(phone)
            await until_heard(call, hotline, "abuse_warning")
            await until_heard(call, hotline, "greeting_main")
            await call.hang_up()

    async def leaves_a_message() -> None:
        async with citizen(hotline, number) as phone:
            call = await called(phone)
            await until_heard(call, hotline, "blocked_number")
            await call.press("1")
            await until_heard(call, hotline, "voicemail_start")
            await call.hang_up()

    async def in_need() -> None:
        async with outside(hotline, carrier_port) as phones, citizen(hotline, number) as phone:
            call = await called(phone)
            await asyncio.sleep(2)
            await call.press("1")  # means nothing any more
            await until_heard(call, hotline, "blocked_number")
            await helped(call, phones, hotline)

    for step, scenario in ((1, warned), (2, leaves_a_message), (3, in_need)):
        restrict(step)
        asyncio.run(scenario())
    assert hotline.call_of(number)["emergency"] == "reached"
    assert hotline.run("nuisance", "lift", number, "--reason", "hết thử").returncode == 0
    assert [one["holds"] for one in hotline.json("nuisance", "list")] == [False] * 3


def test_with_everything_behind_asterisk_standing_still_four_helps(
    hotline: Hotline, carrier_port: int
) -> None:
    async def scenario() -> None:
        async with outside(hotline, carrier_port) as phones, citizen(
            hotline, "0912000931"
        ) as phone:
            call = await called(phone)
            await until_heard(call, hotline, "greeting_main")
            await helped(call, phones, hotline)

    for process in PROCESSES:
        hotline.signal(process, signal.SIGSTOP)
    try:
        asyncio.run(scenario())
    finally:
        for process in PROCESSES:
            hotline.signal(process, signal.SIGCONT)
    assert hotline.call_of("0912000931")["emergency"] == "reached"


def test_doctors_are_rung_in_turn_and_only_who_presses_one_takes_the_call(
    hotline: Hotline, carrier_port: int
) -> None:
    number = "0912000941"

    def shown(call: Call) -> str:
        assert call.invite is not None
        request = call.invite.request
        return "".join(request.get(name) or "" for name in (
            "From", "P-Asserted-Identity", "Contact", "Diversion", "Remote-Party-ID",
        ))

    async def scenario() -> None:
        async with outside(hotline, carrier_port) as phones, citizen(hotline, number) as phone:
            call = await called(phone)
            await leads_to(call, hotline, "12")
            first = await phones.incoming(PATIENCE_S)
            assert await first.ended(PATIENCE_S)  # rings out
            second = await phones.incoming(PATIENCE_S)
            second.answer()  # a voicemail box: it listens, and presses nothing
            await until_heard(call, hotline, "expert_next")
            assert await second.ended(PATIENCE_S)
            third = await phones.incoming(PATIENCE_S)
            assert [one.dialled for one in (first, second, third)] == list(DOCTORS.values())
            third.answer()
            await until_heard(third, hotline, "expert_offer")
            assert number not in shown(third)
            assert "02371022" in shown(third)
            await third.press("1")
            await until_heard(third, hotline, "expert_connected")
            call.play_tone(440)
            third.play_tone(1000)
            await asyncio.to_thread(
                wait_for, lambda: third.heard_tone(440) and call.heard_tone(1000),
                "doctor and caller hear each other", 60,
            )
            await asyncio.sleep(2.5)
            await third.hang_up()
            assert await call.ended(PATIENCE_S)

    asyncio.run(scenario())
    record = hotline.call_of(number)
    attempts = [step["menu"] for step in record["path"] if step["menu"].startswith("expert:")]
    assert attempts == [f"expert:{name}" for name in DOCTORS]
    assert (record["outcome"], record["branch"], record["recording"]) == (
        "transferred", "advice", None
    )


@pytest.mark.full
def test_the_channels_for_calls_going_out_that_are_left_are_for_emergencies(
    hotline: Hotline, carrier_port: int
) -> None:
    """Two of the four may ring doctors; a third caller is told that they are busy, and is helped
    at once when it is an emergency."""
    async def waits_for_a_doctor(many: AsyncExitStack, number: str) -> Call:
        phone = await many.enter_async_context(citizen(hotline, number))
        call = await called(phone)
        await leads_to(call, hotline, "12")
        return call

    async def scenario() -> None:
        async with AsyncExitStack() as many, outside(hotline, carrier_port) as phones:
            for number in ("0912000945", "0912000946"):
                await waits_for_a_doctor(many, number)
                doctor = await phones.incoming(PATIENCE_S)
                doctor.answer()
                await until_heard(doctor, hotline, "expert_offer")
                await doctor.press("1")
            third = await waits_for_a_doctor(many, "0912000947")
            await until_heard(third, hotline, "advice_doctor_none")
            await helped(third, phones, hotline)

    asyncio.run(scenario())
    assert hotline.call_of("0912000947")["emergency"] == "reached"


@pytest.mark.full
def test_where_no_agent_can_be_reached_the_duty_phone_rings(
    hotline: Hotline, carrier_port: int
) -> None:
    async def scenario(number: str, *, takes: bool) -> None:
        async with outside(hotline, carrier_port) as phones, citizen(hotline, number) as phone:
            call = await called(phone)
            await leads_to(call, hotline, "0")
            await until_heard(call, hotline, "queue_connecting")
            duty = await phones.incoming(PATIENCE_S)
            assert duty.dialled == DUTY
            if not takes:
                duty.reject(486)
                await until_heard(call, hotline, "queue_full")
                await call.press("2")
                await until_heard(call, hotline, "voicemail_start")
                call.play_tone(440)
                await asyncio.sleep(5)
                await call.hang_up()
                return
            duty.answer()
            await until_heard(duty, hotline, "expert_offer")
            await duty.press("1")
            call.play_tone(440)
            await asyncio.to_thread(
                wait_for, lambda: duty.heard_tone(440), "the person on duty hears the caller", 60
            )
            await asyncio.sleep(2.5)
            await call.hang_up()

    asyncio.run(scenario("0912000963", takes=True))
    asyncio.run(scenario("0912000964", takes=False))
    outcomes = [hotline.call_of(number)["outcome"] for number in ("0912000963", "0912000964")]
    assert outcomes == ["transferred", "voicemail"]
    hotline.assert_ledger_complete()


@pytest.mark.full
def test_an_incident_is_joined_by_key_one_and_its_end_is_told(
    hotline: Hotline, carrier_port: int
) -> None:
    number = "0912000971"

    def incident() -> dict[str, Any]:
        shown: dict[str, Any] = hotline.json("incident", "list")[-1]
        return shown

    def sound() -> str:
        with hotline.database.reading() as session:
            return f"said/{incidents.by_code(session, incident()['code']).sound}"

    async def joins() -> None:
        async with citizen(hotline, number) as phone:
            call = await called(phone)
            await until_heard(call, hotline, told)
            await until_heard(call, hotline, "incident_join.1")
            await call.press("1")
            await until_heard(call, hotline, "incident_joined.2")
            await until_heard(call, hotline, "main_menu_1")
            await call.hang_up()

    async def has_other_business() -> None:
        async with citizen(hotline, "0912000972") as phone:
            call = await called(phone)
            await until_heard(call, hotline, told)
            await call.press("2")
            await until_heard(call, hotline, "test_menu_intro")
            await call.hang_up()

    async def is_told() -> None:
        async with outside(hotline, carrier_port) as phones:
            await hears_the_end(phones, hotline, number)

    async def both() -> None:
        await asyncio.gather(joins(), has_other_business())

    started = hotline.run("incident", "start", "Phường Hạc Thành đang mất nước")
    assert started.returncode == 0, started.stderr
    told = sound()  # not while somebody listens: it takes a while
    try:
        asyncio.run(both())
        assert hotline.call_of(number)["outcome"] == "self_served"
        wait_for(lambda: incident()["joined"] == 1, "who has joined is known")
    finally:
        ended = hotline.run("incident", "end", incident()["code"])
    assert ended.returncode == 0, ended.stderr
    asyncio.run(is_told())
    path = hotline.call_of("0912000972")["path"]
    assert [(step["menu"], step["key"]) for step in path] == [("main", "2"), ("testing", None)]


def test_a_telephone_on_duty_says_the_code_and_key_one_takes_the_case_on(
    hotline: Hotline, carrier_port: int
) -> None:
    night = datetime.now(UTC).replace(hour=16, minute=30, second=0, microsecond=0)
    on_duty = "0987000471"
    with hotline.database.transaction() as session:
        register.take_in(session, register.read(register.PROVINCE))
        officers.take_in(session, [{
            "agency": "SYT", "name": "Trực đêm", "post": "duty", "phone": on_duty, "email": "",
            "valid_from": "", "valid_to": "",
        }], night)
        case = cases.open_case(session, summary="Nhà hết gạo", by="lan", now=night)
        cases.classify(session, case, "food", by="lan", now=night)
        cases.move(session, case, Status.ASSIGNED, by="huong", now=night, agency="SYT")
        code = case.code

    def status() -> str:
        with hotline.database.reading() as session:
            return cases.by_code(session, code).status

    async def is_rung() -> None:
        jobs = scheduler.Jobs(
            hotline.settings, hotline.database, threading.Event(), clock=lambda: night
        )
        async with outside(hotline, carrier_port) as phones:
            await asyncio.to_thread(jobs.follow_cases)
            await asyncio.to_thread(jobs.ring_duty)
            rung = await phones.incoming(PATIENCE_S)
            assert rung.dialled == on_duty
            rung.answer()
            await until_heard(rung, hotline, "duty_case.1")
            await until_heard(rung, hotline, f"d_{code[-1]}")
            await rung.press("1")
            await until_heard(rung, hotline, "duty_taken")
        await asyncio.to_thread(wait_for, lambda: status() == "in_progress", "it is in hand")

    asyncio.run(is_rung())
    with hotline.database.reading() as session:
        assert duty.due(session, night + timedelta(hours=1), 10) == []


def test_a_spoken_broadcast_is_heard_and_9_opts_out(hotline: Hotline, carrier_port: int) -> None:
    number, now = "0912000981", datetime.now(UTC)
    wanted = life.Wanted(
        "Một người", Channel.VOICE, Audience.CHOSEN, ("14797",), "", "Sở Y tế", "1/SYT",
        urgent=True, rows=[Row({"phone": number, "area": "14797"}, 2)],
    )
    with hotline.database.transaction() as session:
        broadcast = life.write(session, hotline.settings, wanted, by="lan", now=now)
        id_, broadcast.tested_at = broadcast.id, now
        life.approve(session, broadcast, by="huy", now=now)
        text = broadcast.text

    def as_it_is() -> Broadcast:
        with hotline.database.reading() as session:
            return session.get_one(Broadcast, id_)

    wait_for(lambda: as_it_is().sound_at is not None, "its sound is made")
    sound = Said(provision.sounds(hotline.home), hotline.settings.cache).sound_of(text)
    assert sound

    def start() -> None:
        with hotline.database.transaction() as session:
            life.start(
                session, hotline.settings, life.locked(session, id_), by="huy",
                now=datetime.now(UTC),
            )

    async def listens() -> None:
        async with outside(hotline, carrier_port) as phones:
            await asyncio.to_thread(start)
            rung = await phones.incoming(PATIENCE_S)
            assert rung.dialled == number
            rung.answer()
            await until_heard(rung, hotline, sound)
            await rung.press("9")
            await until_heard(rung, hotline, "goodbye")

    asyncio.run(listens())
    wait_for(lambda: as_it_is().stage == Stage.DONE, "it is over")
    with hotline.database.reading() as session:
        told = board.progress(session, as_it_is())
        assert (told.delivered, told.total) == (1, 1)
        assert session.get_one(OptOut, number).by == "key"
