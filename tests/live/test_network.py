"""Beyond the loopback: a carrier that is registered with, browsers on other machines."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import requests
from playwright.async_api import expect

from ivr import doctor
from ivr.phone import Call, Phone
from ivr.phone.audio import has_tone
from tests.ivr.patients import patient
from tests.live.browser import AGENT_HZ, chromium, heard_by_page, signed_in, take_calls
from tests.live.carrier import BUSY, CITIZENS, LISTENS, RINGS, Carrier, running_carrier
from tests.live.people import heard, hears_tone, until_heard, wav_samples
from tests.live.running import PATIENCE_S, Hotline, free_ports, running_hotline, wait_for

CENTRE = "0237000115"  # stands for an emergency centre; the stand-in carrier answers it


def own_address() -> str:
    """This machine's address towards others (nothing is sent), or all of them if it has none."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("198.51.100.1", 9))
        except OSError:
            return "0.0.0.0"  # noqa: S104
        address: str = probe.getsockname()[0]
        return address


@pytest.fixture(scope="module")
def carrier(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Carrier]:
    with running_carrier(tmp_path_factory.mktemp("carrier") / "home") as running:
        yield running


@pytest.fixture(scope="module")
def hotline(carrier: Carrier, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hotline]:
    console, ws = free_ports(2)
    with running_hotline(
        tmp_path_factory.mktemp("network") / "home", **carrier.trunk,
        HOTLINE_CONSOLE_BIND=f"{own_address()}:{console}",
        HOTLINE_WS_BIND=f"{own_address()}:{ws}", HOTLINE_EMERGENCY_MEDICAL=f"{BUSY},{CENTRE}",
        HOTLINE_EMERGENCY_FIRE=RINGS, HOTLINE_EMERGENCY_POLICE=LISTENS,
        HOTLINE_TRUNK_IDENTITY="no",
    ) as running:
        wait_for(lambda: "Registered" in running.ask("pjsip show registrations"), "registered")
        yield running


@asynccontextmanager
async def in_need(
    carrier: Carrier, hotline: Hotline, number: str, service: str = ""
) -> AsyncIterator[Call]:
    """A customer of the carrier's who has pressed 4, and then the key of a service or has heard
    what can be asked for."""
    async with Phone(CITIZENS, server=carrier.sip, user=number) as phone:
        call = await phone.call("1022")
        assert await call.answered(PATIENCE_S), f"{call.sip_code} {call.reason}"
        await until_heard(call, hotline, "greeting_main")
        await call.press("4")
        if service:
            await asyncio.sleep(2)
            await call.press(service)
        else:
            await until_heard(call, hotline, "emergency_menu")
        yield call
        await call.hang_up()


async def heard_by_a_service(call: Call) -> None:
    call.play_tone(440)
    await asyncio.to_thread(
        wait_for, lambda: call.heard_tone(440), "the service hears the caller", 60
    )


def test_a_registered_trunk_brings_calls_in_and_takes_an_emergency_to_the_next_who_answers(
    hotline: Hotline, carrier: Carrier
) -> None:
    async def scenario() -> None:
        async with in_need(carrier, hotline, "0912000401") as call:
            await heard_by_a_service(call)  # the first number is busy

    asyncio.run(scenario())
    call = hotline.call_of("0912000401")
    assert (call["outcome"], call["emergency"]) == ("transferred", "reached")
    assert (call["branch"], call["dialled"]) == ("emergency", "1022")

    def examined(name: str) -> doctor.Check:
        [check] = doctor.examine(patient(hotline.settings), {name})
        return check

    wait_for(lambda: examined("trunk").status == doctor.OK, "the carrier answers OPTIONS", 90)
    assert examined("certificate").status == doctor.OK
    assert "112" in examined("emergency").detail
    hotline.assert_ledger_complete()


@pytest.mark.full
def test_a_caller_from_elsewhere_hears_which_centre_it_is(
    hotline: Hotline, carrier: Carrier
) -> None:
    async def scenario() -> None:
        async with in_need(carrier, hotline, "0243000469") as call:
            await until_heard(call, hotline, "emergency_outside")
            await heard_by_a_service(call)

    asyncio.run(scenario())
    assert hotline.call_of("0243000469")["emergency"] == "reached"


def test_while_one_service_rings_a_key_redirects_to_another_who_hears_the_callers_number(
    hotline: Hotline, carrier: Carrier
) -> None:
    def fire_brigade_rings() -> bool:
        return RINGS in hotline.ask("core show channels concise")

    def told() -> bool:
        listens = carrier.heard.exists() and wav_samples(carrier.heard)
        prompts = ("whisper_emergency", "d_0", "d_9", "d_1", "d_2", "d_3")
        return listens is not False and all(heard(listens, hotline, name) for name in prompts)

    async def scenario() -> None:
        async with in_need(carrier, hotline, "0912000403", "2") as call:
            await asyncio.to_thread(wait_for, fire_brigade_rings, "114 rings")
            await call.press("2")  # changes nothing
            await call.press("3")
            call.play_tone(440)  # which also fills the buffer in which the last words lie
            await asyncio.to_thread(wait_for, told, "the service is told the number")
            await asyncio.to_thread(
                wait_for, lambda: has_tone(wav_samples(carrier.heard), 440), "and hears the caller"
            )

    asyncio.run(scenario())
    call = hotline.call_of("0912000403")
    pressed = [f"{step['menu']}.{step['key']}" for step in call["path"]]
    assert pressed == ["main.4", "emergency.2", "emergency.3"]
    assert (call["outcome"], call["emergency"]) == ("transferred", "reached")


def test_who_reaches_nobody_stands_red_on_every_screen_until_rung_back(
    hotline: Hotline, carrier: Carrier, tmp_path: Path
) -> None:
    async def scenario() -> None:
        # no number is set for 112: agents are rung, and there are none
        async with in_need(carrier, hotline, "0912000404", "5") as call:
            await until_heard(call, hotline, "emergency_fallback")
        async with chromium(tmp_path) as browser:
            agent = await signed_in(browser, hotline, "agent1")
            supervisor = await signed_in(browser, hotline, "truongca")
            for page in (agent, supervisor):
                await expect(page.locator("#unreached li")).to_contain_text("0912000404")
            await agent.locator("#unreached button", has_text="Đã gọi lại").click()
            for page in (agent, supervisor):
                await expect(page.locator("#unreached")).to_be_hidden()

    asyncio.run(scenario())
    call = hotline.call_of("0912000404")
    assert (call["emergency"], call["branch"]) == ("unreached", "emergency")
    assert hotline.json("emergency", "unreached") == []


def test_a_browser_elsewhere_is_served_with_tls_and_its_keypad_reaches_the_caller(
    hotline: Hotline, carrier: Carrier, tmp_path: Path
) -> None:
    address = str(hotline.settings.console_bind).replace("0.0.0.0", "127.0.0.1")  # noqa: S104
    authority = hotline.home / "tls" / "ca.crt"
    assert requests.get(f"https://{address}/healthz", verify=str(authority), timeout=10).ok
    with pytest.raises(requests.exceptions.SSLError):
        requests.get(f"https://{address}/healthz", timeout=10)

    async def scenario() -> None:
        async with (
            chromium(tmp_path) as browser,
            Phone(CITIZENS, server=carrier.sip, user="0912000402") as phone,
        ):
            agent = await signed_in(browser, hotline, "agent1")
            assert await agent.evaluate("isSecureContext")
            await take_calls(agent)
            call = await phone.call("1022")
            assert await call.answered(PATIENCE_S)
            await until_heard(call, hotline, "greeting_main")
            await call.press("0")
            await agent.click("#answer")
            await expect(agent.locator("body")).to_have_attribute("data-phone-state", "talking")
            call.play_tone(440)
            assert await heard_by_page(agent, 440)
            await hears_tone(call, AGENT_HZ)
            await agent.click("#keypad-toggle")
            for typed in ("1", "10", "10#"):  # one by one, so that a failure says which
                await agent.click(f"#keypad [data-key='{typed[-1]}']")
                for _ in range(60):
                    if len(call.keys_heard) >= len(typed):
                        break
                    await asyncio.sleep(0.5)
                assert call.keys_heard == typed
            await call.hang_up()

    asyncio.run(scenario())
    assert hotline.call_of("0912000402")["outcome"] == "answered"
