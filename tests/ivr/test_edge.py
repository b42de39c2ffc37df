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


@pytest.mark.parametrize(("said", "why"), [
    ({"EDGE_BIND": ""}, "HOTLINE_EDGE_BIND"),
    ({"EDGE_NODES": ""}, "HOTLINE_EDGE_NODES"),
    ({"TRUNK_TRANSPORT": "tls"}, "UDP"),
    ({"TRUNK_MATCH": "10.0.0.0/8"}, "10.0.0.0/8 holds a node and a carrier"),
])
def test_settings_that_make_no_edge_are_told(
    tmp_path: Path, said: dict[str, str], why: str
) -> None:
    with pytest.raises(edge.EdgeError, match=why):
        edge.files(settings(tmp_path, **said), WHERE)
