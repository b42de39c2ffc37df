"""What Asterisk is told of a carrier: each value of a setting is a line of pjsip.conf."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from crm import secrets
from crm.settings import load
from ivr import plan, provision

Objects = dict[tuple[str, str], list[str]]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The secrets of a hotline; none of its files is written."""
    made = tmp_path_factory.mktemp("trunk")
    secrets.ensure(made, ["seat-001", "desk-01"])
    return made


def objects(home: Path, **values: str) -> Objects:
    """The objects of pjsip.conf with a first carrier, and what more is set."""
    settings = load({
        "HOTLINE_HOME": str(home), "HOTLINE_TRUNK_SERVER": "203.0.113.9:5060",
        **{f"HOTLINE_{name.upper()}": value for name, value in values.items()},
    })
    made = provision.files(
        settings, secrets.load(home), provision.load_menus(settings), version=(22, 10),
        modules=home, open_files=1024, boot="x",
    )
    return plan.pjsip_objects(made["pjsip.conf"])


def said(found: Objects, name: str, option: str, kind: str = "endpoint") -> list[str]:
    """All that an object says of an option: Asterisk takes the last, so there must be one at most.
    """
    lines = [re.fullmatch(rf"{option}\s*=\s*(.*)", line) for line in found[kind, name]]
    return [line[1] for line in lines if line]


@pytest.mark.parametrize(("timers", "of_calls_in"), [
    ("yes", "yes"), ("no", "no"), ("required", "yes"), ("always", "yes"),
])
def test_session_timers_go_out_as_they_are_set_and_are_never_demanded_of_who_calls_in(
    home: Path, timers: str, of_calls_in: str
) -> None:
    found = objects(home, trunk_timers=timers)
    assert said(found, "carrier", "timers") == [timers]
    assert said(found, "trunk", "timers") == [of_calls_in]


def test_calls_in_have_session_timers_as_soon_as_one_carrier_wants_them(home: Path) -> None:
    second = {"trunk2_server": "198.51.100.7:5060", "trunk2_match": "198.51.100.7"}
    one = objects(home, trunk_timers="no", trunk2_timers="always", **second)
    assert said(one, "carrier", "timers") == ["no"]
    assert said(one, "carrier2", "timers") == ["always"]
    assert said(one, "trunk", "timers") == ["yes"]
    none = objects(home, trunk_timers="no", trunk2_timers="no", **second)
    assert said(none, "trunk", "timers") == ["no"]


@pytest.mark.parametrize(("codecs", "line"), [
    ("alaw,ulaw", "alaw,ulaw"), ("ulaw,alaw", "ulaw,alaw"), ("alaw", "alaw"), ("ulaw", "ulaw"),
])
def test_a_call_out_offers_the_codecs_that_are_set_in_their_order_and_no_other(
    home: Path, codecs: str, line: str
) -> None:
    found = objects(home, trunk_codecs=codecs)
    assert said(found, "carrier", "allow") == [line]
    assert said(found, "trunk", "allow") == ["alaw,ulaw"]  # whoever calls in is understood
    for name in ("carrier", "trunk"):  # what Asterisk allows by itself is taken away first
        lines, allowed = found["endpoint", name], said(found, name, "allow")[0]
        assert lines.index("disallow = all") < lines.index(f"allow = {allowed}")


@pytest.mark.parametrize("dtmf", ["rfc4733", "info", "inband", "auto"])
def test_keys_go_out_as_is_set_and_are_understood_in_every_way(home: Path, dtmf: str) -> None:
    found = objects(home, trunk_dtmf=dtmf)
    assert said(found, "carrier", "dtmf_mode") == [dtmf]
    assert said(found, "trunk", "dtmf_mode") == ["auto"]


@pytest.mark.parametrize(("transport", "protocol", "uri", "sound"), [
    ("udp", "udp", "sip:203.0.113.9:5060", []),
    ("tcp", "tcp", r"sip:203.0.113.9:5060\;transport=tcp", []),
    ("tls", "tls", r"sip:203.0.113.9:5060\;transport=tls", []),
    ("tls+srtp", "tls", r"sip:203.0.113.9:5060\;transport=tls", ["sdes"]),
])
def test_a_carrier_is_reached_by_its_transport_and_its_sound_encrypted_only_where_it_is_agreed(
    home: Path, transport: str, protocol: str, uri: str, sound: list[str]
) -> None:
    found = objects(home, trunk_transport=transport)
    assert said(found, "carrier", "transport") == [protocol]
    assert said(found, "carrier", "contact", "aor") == [uri]
    assert said(found, "carrier", "media_encryption") == sound
    # at the door encryption is taken where it is offered, and never demanded
    assert said(found, "trunk", "media_encryption") == sound
    assert said(found, "trunk", "media_encryption_optimistic") == ["yes"] * len(sound)
    listening = {name for kind, name in found if kind == "transport"}
    assert listening == {"udp", "ws", protocol}
    # a call that came by TLS or TCP is not answered by UDP
    assert said(found, "trunk", "transport") == (["udp"] if protocol == "udp" else [])


def test_tls_without_srtp_checks_the_carriers_certificate_all_the_same(home: Path) -> None:
    found = objects(home, trunk_transport="tls", trunk_ca="/etc/hotline/carrier.pem",
                    sip_bind="0.0.0.0:5060")
    assert said(found, "tls", "bind", "transport") == ["0.0.0.0:5061"]
    assert said(found, "tls", "method", "transport") == ["tlsv1_2"]
    assert said(found, "tls", "verify_server", "transport") == ["yes"]
    assert said(found, "tls", "ca_list_file", "transport") == ["/etc/hotline/carrier.pem"]
    assert said(found, "carrier", "identify_by") == ["ip"]  # nobody comes in by calling himself so


@pytest.mark.parametrize(("more", "transport", "address"), [
    ({}, ["udp"], []),
    ({"phone_transport": "tls+srtp"}, ["udp"], []),
    ({"trunk_transport": "tls"}, [], ["203.0.113.1"]),
    ({"trunk_transport": "tcp", "sip_bind": "0.0.0.0:5060"}, [], ["203.0.113.2"]),
])
def test_who_calls_in_is_told_where_voices_go_even_where_this_machine_s_name_does_not_resolve(
    home: Path, more: dict[str, str], transport: list[str], address: list[str]
) -> None:
    found = objects(home, **{
        "sip_bind": "203.0.113.1:5060", "media_address": "203.0.113.2",
        "public_url": "https://1022.example.vn", **more,
    })
    assert said(found, "trunk", "transport") == transport
    assert said(found, "trunk", "media_address") == address
