"""Desk phones by SIP over TLS with SRTP. The phone is another Asterisk: it trusts the hotline's
authority and nobody else, and takes no call that is not encrypted."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from crm import settings as configuration
from ivr import doctor, provision
from ivr.phone import Phone
from tests.ivr.patients import patient
from tests.live.carrier import LOOPBACK, Carrier, prepared
from tests.live.people import Console, called, citizen, hears_tone, until_heard
from tests.live.running import CACHE, PATIENCE_S, Hotline, free_ports, running_hotline, wait_for

pytestmark = pytest.mark.full

DESK = "127.0.0.6"
PJSIP = f"""
[tls]
type = transport
protocol = tls
bind = {DESK}:{{port}}
method = tlsv1_2
ca_list_file = {{authority}}
verify_server = yes
[desk-01]
type = auth
auth_type = userpass
username = desk-01
password = {{secret}}
[desk-01]
type = registration
transport = tls
outbound_auth = desk-01
server_uri = sip:{{server}}\\;transport=tls
client_uri = sip:desk-01@{{server}}\\;transport=tls
contact_user = desk-01
retry_interval = 5
[hotline]
type = endpoint
transport = tls
context = rings
disallow = all
allow = alaw
media_encryption = sdes
[hotline]
type = identify
endpoint = hotline
match = 127.0.0.1
"""
# whoever is put through hears himself
DIALPLAN = "[rings]\nexten => _.,1,Answer()\n same => n,Echo()\n"


@contextmanager
def desk_phone(hotline: Hotline, home: Path, authority: Path) -> Iterator[Carrier]:
    sip, ami, ws, secure = free_ports(4)
    settings = configuration.load({
        "HOTLINE_HOME": str(home), "HOTLINE_CACHE": str(CACHE), "HOTLINE_NODE": "desk",
        "HOTLINE_SIP_BIND": f"{DESK}:{sip}", "HOTLINE_AMI_BIND": f"127.0.0.1:{ami}",
        "HOTLINE_WS_BIND": f"127.0.0.1:{ws}", "HOTLINE_RTP_PORTS": "20102-20200",
    })
    asterisk, wanted = prepared(settings, LOOPBACK)
    provision.write(home, wanted | {
        "pjsip.conf": PJSIP.format(
            port=secure, authority=authority, secret=hotline.secrets.phones["desk-01"],
            server=hotline.settings.sip_tls,
        ),
        "extensions.conf": DIALPLAN, "queues.conf": "[general]\n",
        "cli.conf": "", "cel.conf": "[general]\nenable = no\n",
    })
    phone = Carrier(asterisk, settings, LOOPBACK)
    phone.start()
    try:
        yield phone
    finally:
        phone.stop()


@pytest.fixture(scope="module")
def hotline(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hotline]:
    [port] = free_ports(1)
    with running_hotline(
        tmp_path_factory.mktemp("secret") / "home", HOTLINE_PHONE_TRANSPORT="tls+srtp",
        HOTLINE_SIP_TLS_BIND=f"127.0.0.1:{port}",
    ) as running:
        yield running


def registered(hotline: Hotline, name: str) -> str:
    """Where this phone is reached, as it has said itself."""
    shown = hotline.ask("database show registrar")
    found = re.search(rf'^/registrar/contact/{name};.*"uri":"([^"]+)"', shown, re.M)
    return found[1] if found else ""


def test_a_desk_phone_by_tls_takes_a_caller_and_both_are_heard(
    hotline: Hotline, tmp_path: Path
) -> None:
    with desk_phone(hotline, tmp_path / "desk", hotline.home / "tls" / "ca.crt"):
        wait_for(lambda: registered(hotline, "desk-01"), "the phone is registered")
        assert "transport=tls" in registered(hotline, "desk-01").lower()
        console = Console(hotline, "agent1")
        console.ask("POST", "/agent/phone", {"kind": "desk", "wanted": "desk-01"})
        assert console.ask("POST", "/agent/state", {"reason": None})["outcome"] == "done"
        wait_for(lambda: "PJSIP/desk-01" in hotline.ask("queue show operator"), "in the queue")

        async def scenario() -> None:
            async with citizen(hotline, "0912000951") as phone:
                call = await called(phone)
                await until_heard(call, hotline, "greeting_main")
                await call.press("0")
                call.play_tone(440)
                await hears_tone(call, 440)
                await asyncio.sleep(3)  # less is no conversation
                await call.hang_up()

        asyncio.run(scenario())
        console.ask("DELETE", "/agent/phone")
    done = hotline.call_of("0912000951")
    assert (done["outcome"], done["agent"]) == ("answered", "agent1")
    [leg] = hotline.legs(done["id"])
    assert leg.endpoint == "desk-01"


def test_a_phone_that_trusts_another_authority_does_not_register(
    hotline: Hotline, tmp_path: Path
) -> None:
    with desk_phone(hotline, tmp_path / "desk", Path("/etc/ssl/certs/ca-certificates.crt")) as it:
        wait_for(
            lambda: " Rejected " in it.ask("pjsip show registrations")
            or "Unregistered" in it.ask("pjsip show registrations"), "it was tried"
        )
        log = it.settings.home / "asterisk" / "log" / "messages.log"
        wait_for(lambda: "certificate" in log.read_text(encoding="utf-8").lower(), "it says why")
        assert not registered(hotline, "desk-01")


def test_a_phone_in_clear_gets_no_call_through_and_is_named_by_the_doctor(
    hotline: Hotline,
) -> None:
    address = provision.outward_address()
    if not address:
        pytest.skip("this machine has no address but the loopback")

    async def scenario() -> int | None:
        async with Phone(
            address, server=hotline.sip, user="desk-02",
            password=hotline.secrets.phones["desk-02"],
        ) as phone:
            await phone.register()
            found = doctor.examine(patient(hotline.settings), only={"transit"})
            assert [one.status for one in found] == [doctor.WARNING]
            assert f"desk phones speak in clear: desk-02 at {address}" in found[0].detail
            call = await phone.call("*43", timeout_s=PATIENCE_S)
            assert not await call.answered(PATIENCE_S)
            await phone.unregister()
            return call.sip_code

    assert asyncio.run(scenario()) == 488
    [found] = doctor.examine(patient(hotline.settings), only={"transit"})
    assert found.status == doctor.OK
