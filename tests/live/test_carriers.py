"""Two carriers, each in a network of its own: both bring calls in, calls go out by the second when
the first cannot, and by the first again when it can."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from crm import models
from ivr import commands
from ivr.phone import Call, Phone, audio
from tests.live.carrier import (
    FULL,
    PASSWORD,
    TAKES,
    USER,
    Carrier,
    Line,
    lines,
    running_carrier,
)
from tests.live.people import desk_agent, until_heard
from tests.live.running import PATIENCE_S, Hotline, free_ports, running_hotline, wait_for

pytestmark = pytest.mark.full  # three Asterisks, and the seconds until a dead carrier is given up

CENTRE = "02370000115"  # stands for an emergency centre
FAR = "+842370000115"  # as the second carrier writes it


@pytest.fixture(scope="module")
def places() -> Iterator[list[Line]]:
    with lines(2) as made:
        yield made


@pytest.fixture(scope="module")
def ports() -> list[int]:
    return free_ports(2)


@pytest.fixture(scope="module")
def first(places: list[Line], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Carrier]:
    """By UDP; we register with it."""
    home = tmp_path_factory.mktemp("carrier1") / "home"
    with running_carrier(home, places[0]) as running:
        yield running


@pytest.fixture(scope="module")
def second(
    places: list[Line], ports: list[int], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Carrier]:
    """By TLS with SRTP; it knows our address, and writes numbers with +84."""
    home = tmp_path_factory.mktemp("carrier2") / "home"
    with running_carrier(
        home, places[1], transport="tls+srtp", hotline=f"{places[1].hotline}:{ports[1]}",
        dialled="+842371022", full="Answer()\n same => n,Echo()",
    ) as running:
        yield running


@pytest.fixture(scope="module")
def hotline(
    first: Carrier, second: Carrier, ports: list[int], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Hotline]:
    everywhere = "0.0.0.0" if first.line.namespace else "127.0.0.1"  # noqa: S104
    with running_hotline(
        tmp_path_factory.mktemp("carriers") / "home",
        HOTLINE_SIP_BIND=f"{everywhere}:{ports[0]}",
        HOTLINE_SIP_TLS_BIND=f"{everywhere}:{ports[1]}",
        HOTLINE_TRUNK_SERVER=str(first.settings.sip_bind), HOTLINE_TRUNK_USER=USER,
        HOTLINE_TRUNK_PASSWORD=PASSWORD, HOTLINE_TRUNK_OPTIONS_S="5",
        HOTLINE_TRUNK2_SERVER=str(second.settings.sip_tls_bind),
        HOTLINE_TRUNK2_TRANSPORT="tls+srtp", HOTLINE_TRUNK2_FORM="+84",
        HOTLINE_TRUNK2_IDENTITY="rpid", HOTLINE_TRUNK2_OPTIONS_S="5",
        HOTLINE_TRUNK_CA=str(second.settings.home / "tls" / "ca.crt"),
        HOTLINE_EMERGENCY_MEDICAL=CENTRE, HOTLINE_EMERGENCY_FIRE=FULL,
    ) as running:
        wait_for(lambda: set(reached(running)) == {"carrier", "carrier2"}, "both answer OPTIONS")
        wait_for(lambda: " Registered " in running.ask("pjsip show registrations"), "registered")
        yield running


def reached(hotline: Hotline) -> list[str]:
    shown = hotline.ask("pjsip show contacts").splitlines()
    return [line.split()[1].split("/")[0] for line in shown
            if "carrier" in line and " Avail " in line]


def trunk_of(hotline: Hotline, call: str) -> str | None:
    """The address that a call came from."""
    with hotline.database.reading() as session:
        found = session.get(models.Call, call)
        return found.trunk if found else None


@asynccontextmanager
async def caller(
    carrier: Carrier, number: str, dialled: str = "1022"
) -> AsyncIterator[Call]:
    """A customer of that carrier's who has called the hotline and hears it."""
    async with Phone(carrier.line.citizens, server=carrier.sip, user=number) as phone:
        call = await phone.call(dialled)
        assert await call.answered(PATIENCE_S), f"{call.sip_code} {call.reason}"
        yield call
        await call.hang_up()


async def needs_help(carrier: Carrier, hotline: Hotline, number: str, service: str = "1") -> None:
    async with caller(carrier, number) as call:
        await until_heard(call, hotline, "greeting_main")
        await call.press("4")
        await asyncio.sleep(2)
        await call.press(service)
        call.play_tone(440)
        await asyncio.to_thread(wait_for, lambda: call.heard_tone(440), "the service hears", 60)


def test_both_bring_calls_in_and_are_told_apart(
    hotline: Hotline, first: Carrier, second: Carrier
) -> None:
    async def scenario() -> None:
        await needs_help(first, hotline, "0912000501")
        await needs_help(second, hotline, "+84912000502")

    asyncio.run(scenario())
    for number, carrier in (("0912000501", first), ("0912000502", second)):
        call = hotline.call_of(number)
        assert (call["outcome"], call["emergency"]) == ("transferred", "reached")
        assert trunk_of(hotline, call["id"]) == carrier.line.address
    assert hotline.call_of("0912000502")["dialled"] == "+842371022"
    # both went out by the first, which shows the callers' numbers
    assert first.seen(CENTRE).startswith(f"{USER}#")
    assert "<sip:0912000502@" in first.seen(CENTRE).split("#")[1]
    assert second.seen(FAR) == ""


def test_the_reachability_sheet_is_filled_by_test_calls(
    hotline: Hotline, first: Carrier, second: Carrier
) -> None:
    """By whom each came in and what was dialled is read from the call itself."""
    made = (
        (first, "0912000561", "1022", "viettel", "inside"),
        (second, "0912000562", "1022", "vinaphone", "inside"),
        (second, "0912000563", "02371022", "vinaphone", "outside"),
    )
    for carrier, number, dialled, network, place in made:
        async def comes(carrier: Carrier, number: str, dialled: str) -> None:
            async with caller(carrier, number, dialled) as call:
                await until_heard(call, hotline, "greeting_main")

        asyncio.run(comes(carrier, number, dialled))
        hotline.call_of(number)
        entered = hotline.run(
            "trunk", "reach", "--from", number, "--network", network, "--place", place
        )
        assert entered.returncode == 0, entered.stderr
    nobody = hotline.run(
        "trunk", "reach", "--from", "0912000564", "--network", "mobifone", "--place", "inside"
    )
    assert nobody.returncode == 1
    assert "no call of 0912000564" in nobody.stderr
    rows = hotline.json("trunk", "reach")
    assert [(row["network"], row["form"], row["place"], row["carrier"], row["telephone"])
            for row in rows] == [
        ("viettel", "1022", "inside", "trunk", "561"),
        ("vinaphone", "+842371022", "inside", "trunk2", "562"),
        ("vinaphone", "02371022", "outside", "trunk2", "563"),
    ]
    table = hotline.run("trunk", "reach").stdout
    cells = {tuple(cell.strip() for cell in line.split("|")[1:3]): line.split("|")[3:5]
             for line in table.splitlines()[2:]}
    assert "yes (trunk2)" in cells["vinaphone", "02371022"][1]
    assert cells["vinaphone", "02371022"][0].strip() == "?", "nobody has tried that yet"


def test_a_carrier_that_has_no_way_for_a_call_gives_way_to_the_other(
    hotline: Hotline, first: Carrier, second: Carrier
) -> None:
    asyncio.run(needs_help(first, hotline, "0912000503", "2"))
    assert hotline.call_of("0912000503")["emergency"] == "reached"
    assert first.seen(FULL) == "tried"
    assert second.seen(f"+84{FULL[1:]}").startswith("+84912000503#")


def test_each_carrier_is_tried_out_by_a_call_that_goes_out_and_comes_in(
    hotline: Hotline, first: Carrier, second: Carrier
) -> None:
    one, two = (
        {found["what"]: (found["result"], found["detail"]) for found in report["findings"]}
        for report in hotline.json("trunk", "test")
    )
    assert one["registration"] == ("ok", f"as {USER}")
    assert two["registration"][0] == "not tried"
    for found, carrier, dialled in ((one, first, "1022"), (two, second, "+842371022")):
        assert {name for name, (result, _) in found.items() if result == "failed"} == set()
        assert found["call out"][1].startswith("ANSWER")
        assert found["call in"][1].startswith(f"from {carrier.line.address} ")
        assert found["call in"][1].endswith(f"dialled {dialled}")
        assert found["caller's number"][1] in ("02371022", "1022")
        assert found["keys (DTMF)"][0] == "ok"
        assert found["early media"][1] == "183 with SDP"
        assert found["OPTIONS"][1].startswith("answered in")
    assert (one["codec"][1], two["codec"][1]) == ("alaw", "alaw+SRTP")
    assert "P-Asserted-Identity" in one["identity sent"][1]
    assert "+842371022, Remote-Party-ID" in two["identity sent"][1]
    assert list((hotline.home / "trunk").glob("*.pcap")) == []
    test_calls = [call for call in hotline.calls() if call["kind"] == "test"]
    assert len([call for call in test_calls if call["caller"] in ("02371022", "1022")]) == 2


def test_with_the_first_carrier_dead_calls_go_by_the_second_and_come_back(
    hotline: Hotline, first: Carrier, second: Carrier
) -> None:
    first.stop()
    wait_for(lambda: reached(hotline) == ["carrier2"], "the first is given up")
    checks = {one["name"]: one["status"] for one in hotline.json("doctor")["checks"]}
    assert (checks["trunk"], checks["trunk2"]) == ("failure", "ok")
    asyncio.run(needs_help(second, hotline, "+84912000504"))
    assert hotline.call_of("0912000504")["emergency"] == "reached"
    shown, asserted, remote = second.seen(FAR).split("#")
    assert (shown, asserted) == ("+84912000504", "")
    assert "sip:+84912000504@" in remote

    async def rings_back() -> None:
        """An agent's click, as calls back and broadcasts go out: the same way."""
        async with Phone(
            "127.0.0.1", server=("127.0.0.1", hotline.sip[1]), user="desk-01",
            password=hotline.secrets.phones["desk-01"],
        ) as seat:
            await seat.register()
            ringing = commands.for_settings(hotline.settings, hotline.secrets)
            done = await asyncio.to_thread(ringing.ring_out, "PJSIP/desk-01", "0912000505")
            assert done.done, done
            call = await seat.incoming(PATIENCE_S)
            call.answer()
            call.play_tone(440)
            await asyncio.to_thread(wait_for, lambda: call.heard_tone(440), "the echo", 60)
            await call.hang_up()

    asyncio.run(rings_back())
    assert second.seen("+84912000505").startswith("+842371022#")
    first.start()
    wait_for(lambda: "carrier" in reached(hotline), "the first is there again", 90)
    asyncio.run(needs_help(second, hotline, "+84912000506"))
    assert "<sip:0912000506@" in first.seen(CENTRE).split("#")[1]
    hotline.assert_ledger_complete()


def test_a_call_back_that_was_promised_goes_by_the_second_when_the_first_has_died_meanwhile(
    hotline: Hotline, first: Carrier, second: Carrier
) -> None:
    """Asked for through the first; the place in the queue and the promise outlive it."""
    async def asks() -> None:
        async with caller(first, TAKES) as call:
            await until_heard(call, hotline, "greeting_main")
            await call.press("0")
            await until_heard(call, hotline, "queue_connecting")
            await call.press("1")
            await until_heard(call, hotline, "callback_use_this_number.2")
            await call.press("1")
            await until_heard(call, hotline, "callback_confirmed_no_time")
            assert await call.ended(PATIENCE_S)

    async def kept() -> None:
        async with desk_agent(hotline) as seat:
            rung = await seat.incoming(2 * PATIENCE_S)
            rung.answer()
            rung.play_tone(700)  # the citizen's telephone sends back what it hears
            await asyncio.to_thread(
                wait_for, lambda: audio.has_tone(rung.heard, 700), "they speak", 2 * PATIENCE_S
            )
            await asyncio.sleep(2)  # less is no conversation
            await rung.hang_up()

    wait_for(lambda: set(reached(hotline)) == {"carrier", "carrier2"}, "both answer", 120)
    asyncio.run(asks())
    assert hotline.json("callbacks")[0]["number"] == TAKES
    first.stop()
    wait_for(lambda: reached(hotline) == ["carrier2"], "the first is given up", 120)
    asyncio.run(kept())
    wait_for(lambda: not hotline.json("callbacks"), "the promise is kept")
    made = next(one for one in hotline.json("callbacks", "--all") if one["number"] == TAKES)
    assert made["result"] == "done"
    assert second.seen(TAKES) == "called"
    assert first.seen(TAKES) == ""
    first.start()
    wait_for(lambda: "carrier" in reached(hotline), "the first is there again", 120)
    hotline.assert_ledger_complete()


def test_a_wrong_secret_is_taken_back_and_calls_go_on(
    hotline: Hotline, first: Carrier, second: Carrier
) -> None:
    wait_for(lambda: " Registered " in hotline.ask("pjsip show registrations"), "registered", 120)
    before = dict(hotline.environment)

    async def scenario() -> None:
        async with caller(second, "+84912000507") as call:
            await until_heard(call, hotline, "greeting_main")
            hotline.environment |= {"HOTLINE_TRUNK_PASSWORD": "not-the-one"}
            refused = await asyncio.to_thread(hotline.run, "apply", "--yes")
            hotline.environment = before
            assert refused.returncode == 1
            assert "carrier does not take the registration" in refused.stderr
            assert "not-the-one" not in refused.stdout + refused.stderr
            call.stop_playing()
            assert not await call.ended(0)

    asyncio.run(scenario())
    assert hotline.run("plan").returncode == 0
    wait_for(lambda: " Registered " in hotline.ask("pjsip show registrations"), "registered", 120)


def test_by_tcp(places: list[Line], tmp_path: Path) -> None:
    """The same by TCP, in and out, with an address instead of a registration."""
    sip, other = free_ports(2)
    assert other
    everywhere = "0.0.0.0" if places[0].namespace else "127.0.0.1"  # noqa: S104
    line = places[1]
    with (
        running_carrier(
            tmp_path / "carrier", line, transport="tcp", hotline=f"{line.hotline}:{sip}",
            dialled="842371022",
        ) as carrier,
        running_hotline(
            tmp_path / "home", HOTLINE_SIP_BIND=f"{everywhere}:{sip}",
            HOTLINE_TRUNK_SERVER=str(carrier.settings.sip_bind), HOTLINE_TRUNK_TRANSPORT="tcp",
            HOTLINE_TRUNK_FORM="84", HOTLINE_TRUNK_OPTIONS_S="5",
            HOTLINE_EMERGENCY_MEDICAL=CENTRE,
        ) as hotline,
    ):
        wait_for(lambda: reached(hotline) == ["carrier"], "it answers OPTIONS")
        asyncio.run(needs_help(carrier, hotline, "84912000508"))
        assert hotline.call_of("0912000508")["dialled"] == "842371022"
        assert carrier.seen("842370000115").split("#")[0] == "84912000508"
