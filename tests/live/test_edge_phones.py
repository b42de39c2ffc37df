"""A real Kamailio between desk phones and nodes: what it lets through, and what it takes away.
Phones and nodes are plain sockets here; real ones meet in tests/live/test_nodes.py."""

from __future__ import annotations

import socket
import subprocess
import time
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from crm.settings import load
from ivr import edge
from tests.live.running import free_ports, wait_for

pytestmark = pytest.mark.full  # Kamailio, and the seconds until a silent node is given up

EDGE, NODES = "127.0.1.7", ("127.0.1.1", "127.0.1.2")
CARRIER, PHONE, OTHER_PHONE, STRANGER = "127.0.0.5", "127.0.9.1", "127.0.9.2", "127.0.7.1"


class Place:
    """The edge, a socket for each node, and sockets of whoever comes."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        port, nodes_port = free_ports(2)
        self.edge = (EDGE, port)
        self.stack = stack
        self.nodes = [self.line(host, nodes_port) for host in NODES]
        settings = load({
            "HOTLINE_HOME": str(folder / "home"), "HOTLINE_EDGE_BIND": f"{EDGE}:{port}",
            "HOTLINE_EDGE_NODES": ",".join(f"{host}:{nodes_port}" for host in NODES),
            "HOTLINE_EDGE_PHONES": f"1 {NODES[0]}:{nodes_port}, 101 {NODES[1]}:{nodes_port}",
            "HOTLINE_PHONE_NETWORKS": "127.0.9.0/24", "HOTLINE_TRUNK_MATCH": CARRIER,
            "HOTLINE_EDGE_RATE": "1000",
        })
        for name, text in edge.files(settings, folder).items():
            (folder / name).write_text(text, encoding="utf-8")
        log = stack.enter_context((folder / "log").open("wb"))
        running = subprocess.Popen(
            ["kamailio", "-f", str(folder / edge.CONFIGURATION), "-Y", str(folder), "-DD", "-E"],
            stdout=log, stderr=log,
        )
        stack.callback(running.wait, 20)
        stack.callback(running.terminate)

    def line(self, host: str, port: int = 0) -> socket.socket:
        made = self.stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        made.bind((host, port))
        made.settimeout(5)
        return made

    def send(
        self, line: socket.socket, method: str, uri: str, name: str, *more: str,
        branch: str = "", call: str = "", to_tag: str = "", cseq: int = 1,
    ) -> None:
        to = name if method == "REGISTER" else "x"
        text = "\r\n".join((
            f"{method} {uri} SIP/2.0",
            f"Via: SIP/2.0/UDP 10.9.9.9:5060;branch=z9hG4bK{branch or uuid.uuid4().hex};rport",
            "Max-Forwards: 20", f"From: <sip:{name}@{EDGE}>;tag=1",
            f"To: <sip:{to}@{EDGE}>{f';tag={to_tag}' if to_tag else ''}",
            f"Call-ID: {call or uuid.uuid4().hex}", f"CSeq: {cseq} {method}",
            f"Contact: <sip:{name}@10.9.9.9:5060>",  # as behind a router
            *more, "Content-Length: 0", "", "",
        ))
        line.sendto(text.encode(), self.edge)

    def heard(self, line: socket.socket) -> str:
        """The next message, within the time of the socket; the edge's own OPTIONS are answered
        meanwhile."""
        until = time.monotonic() + (line.gettimeout() or 0)
        while time.monotonic() < until:
            text = line.recv(8192).decode()
            if not text.startswith("OPTIONS") or "From: <sip:edge@" not in text:
                return text
            line.sendto(reply(text, "200 OK").encode(), self.edge)
        raise TimeoutError

    def code(self, line: socket.socket) -> int:
        while (code := int(self.heard(line).split()[1])) == 100:
            pass
        return code


def reply(request: str, status: str, *more: str) -> str:
    head = [one for one in request.split("\r\n")
            if one.split(":")[0] in ("Via", "From", "To", "Call-ID", "CSeq", "Record-Route")]
    tagged = [f"{one};tag=2" if one.startswith("To:") and "tag=" not in one else one
              for one in head]
    return "\r\n".join((f"SIP/2.0 {status}", *tagged, *more, "Content-Length: 0", "", ""))


def value(message: str, name: str) -> str:
    return next((one.partition(":")[2].strip() for one in message.split("\r\n")
                 if one.lower().startswith(f"{name.lower()}:")), "")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with ExitStack() as stack:
        made = Place(tmp_path_factory.mktemp("edge"), stack)
        phone = made.line(PHONE)
        phone.settimeout(0.2)

        def is_up() -> bool:
            made.send(phone, "OPTIONS", f"sip:{EDGE}:{made.edge[1]}", "desk-01")
            with suppress(TimeoutError):
                return "200 OK" in phone.recv(4096).decode()
            return False

        wait_for(is_up, "the edge answers")
        yield made


@pytest.mark.parametrize(("name", "node"), [("desk-01", 0), ("desk-100", 0), ("desk-101", 1)])
def test_a_phone_registers_with_the_node_of_its_number_and_is_reached_where_it_was_heard(
    place: Place, name: str, node: int
) -> None:
    phone, its = place.line(PHONE), place.nodes[node]
    place.send(phone, "REGISTER", f"sip:{EDGE}", name, "X-Hotline-Test: 1",
               "Path: <sip:evil@198.51.100.9;lr>", "Route: <sip:198.51.100.9;lr>")
    asked = place.heard(its)
    assert asked.startswith("REGISTER ")
    path = value(asked, "Path")
    assert asked.count("Path:") == 1
    assert "X-Hotline" not in asked
    assert "198.51.100.9" not in asked
    assert value(asked, "Supported") == "path"
    its.sendto(reply(asked, "200 OK", f"Path: {path}").encode(), place.edge)
    assert place.code(phone) == 200

    # the node's call goes by the Path, to where the phone was heard, whatever its Contact says
    place.send(its, "INVITE", f"sip:{name}@10.9.9.9:5060", "1022", f"Route: {path}",
               "X-Hotline-Caller: 0912000001")
    rung = place.heard(phone)
    assert rung.startswith(f"INVITE sip:{name}@10.9.9.9:5060 ")
    assert value(rung, "X-Hotline-Caller") == "0912000001"
    assert "Route: <" not in rung.replace("Record-Route: <", "")
    answer = reply(rung, "200 OK", f"Contact: <sip:{name}@10.9.9.9:5060>")
    phone.sendto(answer.encode(), place.edge)
    while (told := place.heard(its)).startswith("SIP/2.0 100"):
        pass
    # and so does what belongs to the call
    contact = value(told, "Contact").strip("<>")
    assert f"alias={PHONE}~{phone.getsockname()[1]}~1" in contact
    route = f"Route: {value(told, 'Record-Route')}"
    # Asterisk's BYE names the Path once more
    for cseq, method, routes in (
        (2, "UPDATE", [route]), (3, "BYE", [route, f"Route: {path}"]),
    ):
        place.send(its, method, contact, "1022", *routes, call=value(told, "Call-ID"), to_tag="2",
                   cseq=cseq)
        assert place.heard(phone).startswith(f"{method} ")


def test_a_phone_calls_its_node_and_says_nothing_that_nodes_say(place: Place) -> None:
    phone, its = place.line(PHONE), place.nodes[1]
    place.send(phone, "INVITE", f"sip:*43@{EDGE}", "desk-101", "X-Hotline-Call: th1.x-1.1",
               "Referred-By: <sip:a@b>", "Route: <sip:198.51.100.9;lr>")
    rung = place.heard(its)
    assert rung.startswith("INVITE sip:*43@")
    for word in ("X-Hotline", "Referred-By", "198.51.100.9"):
        assert word not in rung
    its.sendto(reply(rung, "486 Busy Here").encode(), place.edge)
    assert place.code(phone) == 486


@pytest.mark.parametrize(("method", "name"), [
    ("REGISTER", "node-th1"), ("REGISTER", "seat-001"), ("INVITE", "0912345678"),
    ("REGISTER", "desk-1x"), ("INVITE", "trunk"), ("SUBSCRIBE", "desk-01"), ("MESSAGE", "desk-01"),
])
def test_who_is_no_desk_phone_gets_no_further(place: Place, method: str, name: str) -> None:
    phone = place.line(PHONE)
    place.send(phone, method, f"sip:1022@{EDGE}", name)
    assert place.code(phone) in (403, 405)


def test_a_phone_reaches_no_phone_and_no_carrier_within_a_call(place: Place) -> None:
    phone, other = place.line(PHONE), place.line(OTHER_PHONE)
    host, port = other.getsockname()
    for target in (f"{host}:{port}", CARRIER, "198.51.100.9"):
        place.send(phone, "BYE", f"sip:x@{target}", "desk-01",
                   f"Route: <sip:{EDGE}:{place.edge[1]};lr>", to_tag="9")
        assert place.code(phone) == 403


def test_a_carrier_reaches_no_phone(place: Place) -> None:
    carrier, phone = place.line(CARRIER), place.line(PHONE)
    host, port = phone.getsockname()
    place.send(carrier, "BYE", f"sip:x@{host}:{port}", "0912345678",
               f"Route: <sip:{EDGE}:{place.edge[1]};lr>", to_tag="9")
    assert place.code(carrier) == 403
    place.send(carrier, "REGISTER", f"sip:{EDGE}", "desk-01")
    assert place.code(carrier) == 405


def test_a_node_leads_nothing_but_its_phones_by_a_route(place: Place) -> None:
    its = place.nodes[0]
    place.send(its, "INVITE", "sip:x@198.51.100.9", "1022",
               f"Route: <sip:{EDGE}:{place.edge[1]};lr;received=sip:198.51.100.9:5060>")
    assert place.code(its) == 403
    place.send(its, "BYE", "sip:x@198.51.100.9", "1022",
               f"Route: <sip:{EDGE}:{place.edge[1]};lr;received=sip:{PHONE}:5060>", to_tag="9")
    assert place.code(its) == 403


def test_strangers_hear_nothing(place: Place) -> None:
    stranger = place.line(STRANGER)
    stranger.settimeout(1)
    place.send(stranger, "REGISTER", f"sip:{EDGE}", "desk-01")
    with pytest.raises(TimeoutError):
        stranger.recv(4096)


def test_whoever_tries_secrets_is_shut_out_and_nobody_else(place: Place) -> None:
    guesser, good, its = place.line(PHONE), place.line(PHONE), place.nodes[0]
    challenge = 'WWW-Authenticate: Digest realm="asterisk",nonce="1",algorithm=md5'
    proof = 'Authorization: Digest username="desk-02",nonce="1",uri="sip:x",response="0"'

    def tries(line: socket.socket, name: str, *more: str, status: str = "401 Unauthorized",
              stale: str = "") -> int:
        place.send(line, "REGISTER", f"sip:{EDGE}", name, *more)
        its.settimeout(1)
        with suppress(TimeoutError):
            while not (asked := place.heard(its)).startswith("REGISTER"):
                pass  # an answer to what an earlier test has sent
            its.sendto(reply(asked, status, challenge + stale).encode(), place.edge)
        its.settimeout(5)
        return place.code(line)

    for _ in range(edge.WRONG_SECRETS + 2):  # every phone begins so, and renews an old challenge so
        assert tries(good, "desk-02") == 401
        assert tries(good, "desk-02", proof, stale=",stale=true") == 401
    for _ in range(edge.WRONG_SECRETS - 1):
        assert tries(guesser, "desk-02", proof) == 401
    assert tries(good, "desk-02", proof, status="200 OK") == 200  # the count begins anew
    for _ in range(edge.WRONG_SECRETS):
        assert tries(guesser, "desk-02", proof) == 401
    assert tries(guesser, "desk-02", proof) == 403
    # another phone of the same office, and the same one from elsewhere
    assert tries(good, "desk-03", proof, status="200 OK") == 200
    assert tries(place.line(OTHER_PHONE), "desk-02", proof, status="200 OK") == 200


def test_a_phone_is_told_that_its_node_is_down_and_registers_when_it_is_back(place: Place) -> None:
    phone, its = place.line(PHONE), place.nodes[1]
    phone.settimeout(10)
    place.send(phone, "REGISTER", f"sip:{EDGE}", "desk-101")
    while (told := place.heard(phone)).startswith("SIP/2.0 100"):
        pass
    assert told.startswith("SIP/2.0 503 The node of this phone is down")
    assert value(told, "Retry-After") == "30"
    its.settimeout(0.3)
    with suppress(TimeoutError):
        while True:
            place.heard(its)  # what it has not answered
    its.settimeout(5)
    place.send(phone, "REGISTER", f"sip:{EDGE}", "desk-101")
    while "REGISTER" not in (asked := place.heard(its)).split("\r\n")[0]:
        pass
    its.sendto(reply(asked, "200 OK").encode(), place.edge)
    assert place.code(phone) == 200
