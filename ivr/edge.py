"""The edge in front of several nodes: files for Kamailio and HAProxy, made from the settings.

Carriers know the edge's address alone. It takes calls from their addresses, at most so many a
second from each, removes the headers that only nodes may say, and gives the calls to the nodes in
turn, those that answer OPTIONS for `ready`: their switches are those of the database. A node that
says nothing, or takes a call and does not answer it, is passed over; the calls it has go with it,
all others go on. Where none is ready, one that lives is better than none: Asterisk keeps the
switches that it was told last. Nodes call out through the edge, by the first carrier that is up.

Browsers reach all consoles, and the WebSocket of each node, by one address of HAProxy
(HOTLINE_EDGE_WEB), where that is set.

Desk phones of HOTLINE_PHONE_NETWORKS register with their node through the edge, each with the one
that has its number: they know one address too, and it may be another edge's tomorrow.

A node's own settings name the edge as its carrier (HOTLINE_TRUNK_SERVER, HOTLINE_TRUNK_MATCH).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

from crm.errors import HotlineError
from crm.settings import Settings
from ivr.dialplan import render
from ivr.firewall import BROWSER_RATE

CONFIGURATION, PLACES, WEB = "kamailio.cfg", "dispatcher.list", "haproxy.cfg"
MODULES = "/usr/lib/x86_64-linux-gnu/kamailio/modules:/usr/lib/aarch64-linux-gnu/kamailio/modules"
CHILDREN = 4
PING_S = 2
ANSWERED_WITHIN_S = 5  # after its "100 Trying": a node answers within ms
WRONG_SECRETS = 10  # of one name from one address, then it is shut out
SHUT_OUT_S = 600
_READY, _CARRIERS, _ALIVE = 1, 2, 3  # sets of the dispatcher


class EdgeError(HotlineError):
    """The settings make no edge. The message says what is missing."""


def files(settings: Settings, where: Path) -> Mapping[str, str]:
    """What Kamailio reads, by name, to stand in the folder `where`. Raises EdgeError."""
    bind, nodes = settings.edge_bind, settings.edge_nodes
    if bind is None or not nodes:
        raise EdgeError("an edge needs HOTLINE_EDGE_BIND, its own address, and HOTLINE_EDGE_NODES")
    carriers = [one for one in settings.carriers if one.server]
    if any(one.protocol != "udp" for one in settings.carriers):
        raise EdgeError("the edge speaks UDP with carriers: set HOTLINE_TRUNK_TRANSPORT to udp")
    node_nets = [f"{one.host}/32" for one in nodes]
    carrier_nets = [net for one in settings.carriers for net in one.permitted]
    phones = sorted(settings.edge_phones, key=lambda one: one.first, reverse=True)
    if phones and not settings.phone_networks:
        raise EdgeError("HOTLINE_EDGE_PHONES needs HOTLINE_PHONE_NETWORKS: where phones come from")
    if strange := [one for one in phones if one.sip not in nodes]:
        raise EdgeError(f"HOTLINE_EDGE_PHONES: {strange[0]} is none of HOTLINE_EDGE_NODES")
    if (settings.edge_web is None) != (not settings.edge_consoles):
        raise EdgeError("HOTLINE_EDGE_WEB and HOTLINE_EDGE_CONSOLES go together")
    shared = [net for net in carrier_nets
              if any(IPv4Address(one.host) in IPv4Network(net) for one in nodes)]
    if shared:
        raise EdgeError(f"{shared[0]} holds a node and a carrier: nobody could tell them apart")
    web = {} if settings.edge_web is None else {WEB: render("haproxy.cfg.j2", {
        "web": settings.edge_web, "where": where, "consoles": settings.edge_consoles,
        "rate": BROWSER_RATE,
        # beyond the loopback consoles and WebSockets speak TLS (ivr.tls)
        "tls": lambda place: "" if place.is_loopback else (
            f" ssl verify required ca-file {where}/nodes.pem"
        ),
    })}
    return web | {
        CONFIGURATION: render("kamailio.cfg.j2", {
            "bind": bind, "children": CHILDREN, "ping_s": PING_S,
            "answered_within_s": ANSWERED_WITHIN_S, "rate": settings.edge_rate,
            "modules": MODULES, "places": where / PLACES, "control": where / "kamailio.sock",
            "from_nodes": _from(node_nets), "from_carriers": _from(carrier_nets),
            "carriers": carriers,
            "from_phones": _from(settings.phone_networks), "phones": phones,
            "phone_nets": settings.phone_networks, "nodes": node_nets,
            "wrong_secrets": WRONG_SECRETS, "shut_out_s": SHUT_OUT_S,
            # whom carriers reach within a call, and whom nodes do
            "trunk": list(dict.fromkeys([*node_nets, *carrier_nets])),
            "known": list(dict.fromkeys([
                *node_nets, *carrier_nets, *(settings.phone_networks if phones else ())])),
        }),
        PLACES: "".join(
            f"{number} sip:{place} 0 {priority}\n"
            for number, places in (
                (_READY, [f"ready@{one}" for one in nodes]),
                (_CARRIERS, [str(one.server) for one in carriers]),
                (_ALIVE, [str(one) for one in nodes]),
            )
            for place, priority in zip(places, range(len(places), 0, -1), strict=True)
        ),
    }


def _from(nets: Iterable[str]) -> str:
    return " || ".join(f"src_ip == {net.removesuffix('/32')}" for net in dict.fromkeys(nets))
