"""The edge in front of several nodes: files for Kamailio, made from the settings.

Carriers know the edge's address alone. It takes calls from their addresses, at most so many a
second from each, removes the headers that only nodes may say, and gives the calls to the nodes in
turn, those that answer OPTIONS for `ready`: their switches are those of the database. A node that
says nothing is passed over; its own calls go with it, all others go on. Where none is ready, one
that lives is better than none: Asterisk keeps the switches that it was told last. Nodes call out
through the edge, by the first carrier that is up.

A node's own settings name the edge as its carrier (HOTLINE_TRUNK_SERVER, HOTLINE_TRUNK_MATCH).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

from crm.errors import HotlineError
from crm.settings import Settings
from ivr.dialplan import render

CONFIGURATION, PLACES = "kamailio.cfg", "dispatcher.list"
MODULES = "/usr/lib/x86_64-linux-gnu/kamailio/modules:/usr/lib/aarch64-linux-gnu/kamailio/modules"
CHILDREN = 4
PING_S = 2
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
    shared = [net for net in carrier_nets
              if any(IPv4Address(one.host) in IPv4Network(net) for one in nodes)]
    if shared:
        raise EdgeError(f"{shared[0]} holds a node and a carrier: nobody could tell them apart")
    return {
        CONFIGURATION: render("kamailio.cfg.j2", {
            "bind": bind, "children": CHILDREN, "ping_s": PING_S, "rate": settings.edge_rate,
            "modules": MODULES, "places": where / PLACES, "control": where / "kamailio.sock",
            "from_nodes": _from(node_nets), "from_carriers": _from(carrier_nets),
            "carriers": carriers,
            "known": list(dict.fromkeys([*node_nets, *carrier_nets])),
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
