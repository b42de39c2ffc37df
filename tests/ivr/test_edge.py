"""The edge's files: whose calls it takes, where they go, and settings that make none."""

from __future__ import annotations

from pathlib import Path

import pytest

from crm.settings import Settings, load
from ivr import edge

WHERE = Path("/etc/kamailio")


def settings(tmp_path: Path, **said: str) -> Settings:
    return load({
        "HOTLINE_HOME": str(tmp_path), "HOTLINE_EDGE_BIND": "203.0.113.1:5060",
        "HOTLINE_EDGE_NODES": "10.0.0.1:5060,10.0.0.2:5061",
        "HOTLINE_TRUNK_MATCH": "198.51.100.0/28", "HOTLINE_TRUNK_SERVER": "198.51.100.1:5060",
        "HOTLINE_TRUNK2_MATCH": "192.0.2.7", "HOTLINE_TRUNK2_SERVER": "192.0.2.7",
        **{f"HOTLINE_{name}": value for name, value in said.items()},
    })


def test_calls_go_to_nodes_in_turn_and_out_by_the_first_carrier_that_is_up(tmp_path: Path) -> None:
    assert edge.files(settings(tmp_path), WHERE)[edge.PLACES].splitlines() == [
        "1 sip:ready@10.0.0.1:5060 0 2", "1 sip:ready@10.0.0.2:5061 0 1",
        "2 sip:198.51.100.1:5060 0 2", "2 sip:192.0.2.7 0 1",
        "3 sip:10.0.0.1:5060 0 2", "3 sip:10.0.0.2:5061 0 1",
    ]


def test_it_speaks_with_carriers_and_nodes_alone(tmp_path: Path) -> None:
    text = edge.files(settings(tmp_path, EDGE_RATE="30"), WHERE)[edge.CONFIGURATION]
    assert "listen=udp:203.0.113.1:5060" in text
    assert ("if (src_ip == 198.51.100.0/28 || src_ip == 198.51.100.1 || src_ip == 192.0.2.7) "
            "route(FROM_CARRIER);") in text
    assert "if (src_ip == 10.0.0.1 || src_ip == 10.0.0.2) route(FROM_NODE);" in text
    assert '"TAILDROP", 30' in text


def test_phones_go_to_the_node_of_their_number_the_highest_first(tmp_path: Path) -> None:
    text = edge.files(settings(
        tmp_path, EDGE_PHONES="1 10.0.0.1:5060, 101 10.0.0.2:5061", PHONE_NETWORKS="10.1.0.0/16",
    ), WHERE)[edge.CONFIGURATION]
    assert "if (src_ip == 10.1.0.0/16) route(FROM_PHONE);" in text
    assert text.index('>= 101) $du = "sip:10.0.0.2:5061"') < text.index(
        'else if ($var(number) >= 1) $du = "sip:10.0.0.1:5060"')
    assert "FROM_PHONE" not in edge.files(settings(tmp_path), WHERE)[edge.CONFIGURATION]


def test_browsers_reach_consoles_and_sockets_by_one_address_where_that_is_set(
    tmp_path: Path
) -> None:
    assert edge.WEB not in edge.files(settings(tmp_path), WHERE)
    text = edge.files(settings(
        tmp_path, EDGE_WEB="203.0.113.1:443",
        EDGE_CONSOLES="th1 10.0.0.1:8022 10.0.0.1:8088, th2 127.0.0.2:8022 127.0.0.2:8088",
    ), WHERE)[edge.WEB]
    assert "bind 203.0.113.1:443 ssl crt /etc/kamailio/site.pem" in text
    assert ("server th1 10.0.0.1:8022 cookie th1 ssl verify required "
            "ca-file /etc/kamailio/nodes.pem\n") in text
    assert "server th2 127.0.0.2:8022 cookie th2\n" in text  # where there is no TLS
    assert "use_backend socket-th2 if { path /ws/th2 }" in text


@pytest.mark.parametrize(("said", "why"), [
    ({"EDGE_BIND": ""}, "HOTLINE_EDGE_BIND"),
    ({"EDGE_NODES": ""}, "HOTLINE_EDGE_NODES"),
    ({"TRUNK_TRANSPORT": "tls"}, "UDP"),
    ({"TRUNK_MATCH": "10.0.0.0/8"}, "10.0.0.0/8 holds a node and a carrier"),
    ({"EDGE_WEB": "203.0.113.1:443"}, "HOTLINE_EDGE_CONSOLES go together"),
    ({"EDGE_CONSOLES": "th1 10.0.0.1:8022 10.0.0.1:8088"}, "HOTLINE_EDGE_WEB and"),
    ({"EDGE_PHONES": "1 10.0.0.1:5060"}, "HOTLINE_PHONE_NETWORKS"),
    ({"EDGE_PHONES": "1 10.0.0.9:5060", "PHONE_NETWORKS": "10.1.0.0/16"}, "10.0.0.9:5060 is none"),
])
def test_settings_that_make_no_edge_are_told(
    tmp_path: Path, said: dict[str, str], why: str
) -> None:
    with pytest.raises(edge.EdgeError, match=why):
        edge.files(settings(tmp_path, **said), WHERE)
