"""A real Kamailio before two nodes: calls go to those that are there, strangers hear nothing."""

from __future__ import annotations

import asyncio
import re
import signal
import socket
import subprocess
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from crm.settings import PROJECT, load
from ivr import edge, provision
from ivr.phone import Call, Phone
from tests.live.people import called, until_heard
from tests.live.running import HOTLINE, PATIENCE_S, Hotline, free_ports, running_hotline, wait_for

pytestmark = pytest.mark.full  # two hotlines, and the seconds until a silent node is given up

CARRIER, OTHER_CARRIER, STRANGER = "127.0.0.2", "127.0.0.4", "127.0.0.9"
EDGE = "127.0.0.3"
RATE = 5


@dataclass
class Place:
    """The edge, its nodes, and where the stand-in of a carrier listens."""

    nodes: list[Hotline]
    address: tuple[str, int]
    carrier: tuple[str, int]

    def calls(self, number: str) -> list[Hotline]:
        """The nodes that know a call of this number."""
        return [one for one in self.nodes if number in one.ask("core show channels verbose")]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("edge")
    port, carrier_port = free_ports(2)
    said = {
        "HOTLINE_TRUNK_SERVER": f"{EDGE}:{port}", "HOTLINE_TRUNK_MATCH": EDGE,
        "HOTLINE_TRUNK_OPTIONS_S": "2",
    }
    with (
        running_hotline(folder / "first" / "home", HOTLINE_NODE="th1", **said) as first,
        running_hotline(folder / "second" / "home", HOTLINE_NODE="th2", **said) as second,
        running_edge(
            folder / "kamailio", f"{EDGE}:{port}",
            [str(one.settings.sip_bind) for one in (first, second)], carrier_port,
        ),
    ):
        found = Place([first, second], (EDGE, port), (OTHER_CARRIER, carrier_port))
        wait_for(lambda: asks(found) == 200, "the edge has a node that is up")
        yield found


@contextmanager
def running_edge(
    where: Path, bind: str, nodes: list[str], carrier_port: int
) -> Iterator[None]:
    settings = load({
        "HOTLINE_HOME": str(where), "HOTLINE_EDGE_BIND": bind, "HOTLINE_EDGE_RATE": str(RATE),
        "HOTLINE_EDGE_NODES": ",".join(nodes),
        "HOTLINE_TRUNK_MATCH": CARRIER,
        "HOTLINE_TRUNK_SERVER": f"{OTHER_CARRIER}:{carrier_port}",
    })
    where.mkdir()
    for name, text in edge.files(settings, where).items():
        (where / name).write_text(text, encoding="utf-8")
    kamailio = ["kamailio", "-f", str(where / edge.CONFIGURATION), "-Y", str(where)]
    with (where / "log").open("wb") as log:
        running = subprocess.Popen([*kamailio, "-DD", "-E"], stdout=log, stderr=log)
        try:
            yield
        finally:
            running.terminate()
            running.wait(20)


def is_idle(node: Hotline) -> bool:
    return "PJSIP/trunk-" not in node.ask("core show channels concise")


def asks(place: Place, address: str = CARRIER) -> int | None:
    """What the edge says to an OPTIONS; None: nothing."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as line:
        line.bind((address, 0))
        line.settimeout(1)
        me = "{}:{}".format(*line.getsockname())
        lines = (
            f"OPTIONS sip:{EDGE}:{place.address[1]} SIP/2.0",
            f"Via: SIP/2.0/UDP {me};branch=z9hG4bK{uuid.uuid4().hex}", "Max-Forwards: 20",
            f"From: <sip:carrier@{me}>;tag=1", f"To: <sip:{EDGE}>", f"Call-ID: {uuid.uuid4().hex}",
            "CSeq: 1 OPTIONS", "Content-Length: 0", "", "",
        )
        line.sendto("\r\n".join(lines).encode(), place.address)
        with suppress(TimeoutError):
            return int(line.recv(4096).split()[1])
    return None


async def rings(place: Place, phone: Phone, number: str, **headers: str) -> Call:
    call = await phone.call("1022", caller=number, headers=headers)
    assert await call.answered(PATIENCE_S), f"{call.sip_code} {call.reason}"
    return call


def test_calls_go_to_the_nodes_in_turn_and_end_on_both_sides(place: Place) -> None:
    async def scenario() -> None:
        async with Phone(CARRIER, server=place.address, user="0912000901") as phone:
            calls = [await called(phone) for _ in range(4)]
            for call in calls:
                await until_heard(call, place.nodes[0], "greeting_main")
            for node in place.nodes:
                assert node.ask("core show channels concise").count("PJSIP/trunk-") == 2
            for call in calls:
                await call.hang_up()

    asyncio.run(scenario())
    for node in place.nodes:
        wait_for(partial(is_idle, node), "both calls are over")
        node.assert_ledger_complete()


def test_what_only_nodes_may_say_is_taken_from_a_call(place: Place) -> None:
    number = "0912000902"

    async def scenario() -> None:
        async with Phone(CARRIER, server=place.address, user=number) as phone:
            call = await rings(place, phone, number, **{"X-Hotline-Test": "1"})
            await call.hang_up()

    asyncio.run(scenario())
    kinds = [one["kind"] for node in place.nodes for one in node.json("calls")
             if one["caller"] == number]
    assert kinds == ["citizen"]


def test_strangers_hear_nothing(place: Place) -> None:
    assert asks(place, STRANGER) is None

    async def scenario() -> None:
        async with Phone(STRANGER, server=place.address, user="0912000903", t1_s=0.1) as phone:
            call = await phone.call("1022", timeout_s=3)
            assert not await call.answered(5)
            assert call.sip_code in (None, 408)

    asyncio.run(scenario())
    assert place.calls("0912000903") == []


def test_a_node_that_is_silent_is_passed_over_and_comes_back(place: Place) -> None:
    async def scenario() -> None:
        async with Phone(CARRIER, server=place.address, user="0912000904") as phone:
            before = [await called(phone) for _ in range(2)]
            stuck, well = place.nodes
            stuck.signal("asterisk", signal.SIGSTOP)
            try:
                new = [await called(phone) for _ in range(3)]
                for call in new:
                    await until_heard(call, well, "greeting_main")
            finally:
                stuck.signal("asterisk", signal.SIGCONT)
            for call in (*before, *new):
                await call.hang_up()
            await comes_back(stuck, phone)

    asyncio.run(scenario())


@contextmanager
def trying() -> Iterator[tuple[str, list[str]]]:
    """A node that dies while calls come: it is well, says 100 to a call, and nothing more. Where it
    listens, and who has called."""
    came: list[str] = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as line:
        line.bind(("127.0.0.1", 0))

        def hears() -> None:
            while (heard := line.recvfrom(8192))[0] != b"over":
                text, sender = heard[0].decode(), heard[1]
                head = [one for one in text.split("\r\n")
                        if re.match(r"(Via|From|To|Call-ID|CSeq):", one)]
                if text.startswith("INVITE"):
                    came.append(text)
                elif not text.startswith("OPTIONS"):
                    continue
                status = "100 Trying" if text.startswith("INVITE") else "200 OK"
                lines = (f"SIP/2.0 {status}", *head, "Content-Length: 0", "", "")
                line.sendto("\r\n".join(lines).encode(), sender)

        listening = threading.Thread(target=hears)
        listening.start()
        yield "{}:{}".format(*line.getsockname()), came
        line.sendto(b"over", line.getsockname())
        listening.join()


def test_who_came_to_a_node_that_died_at_once_is_answered_by_another(
    place: Place, tmp_path: Path
) -> None:
    well = place.nodes[0]
    [port] = free_ports(1)
    another = Place([well], (EDGE, port), place.carrier)

    async def scenario() -> None:
        async with Phone(CARRIER, server=another.address, user="0912000908") as phone:
            for call in [await called(phone) for _ in range(2)]:
                await until_heard(call, well, "greeting_main")
                await call.hang_up()

    with trying() as (dying, came), running_edge(
        tmp_path / "kamailio", f"{EDGE}:{port}", [dying, str(well.settings.sip_bind)],
        place.carrier[1],
    ):
        wait_for(lambda: asks(another) == 200, "the edge has nodes that are up")
        asyncio.run(scenario())
        assert came, "one of the calls was led to it first"


def test_a_node_that_is_drained_keeps_its_call_and_no_caller_is_refused(place: Place) -> None:
    async def scenario() -> None:
        async with Phone(CARRIER, server=place.address, user="0912000907") as phone:
            for node in place.nodes:  # what a silent node was sent, it may answer when it is back
                await asyncio.to_thread(wait_for, partial(is_idle, node), "no call is left")
            staying = await called(phone)
            drained, other = sorted(place.nodes, key=is_idle)
            draining = drain(drained)
            wait_for(lambda: provision.is_draining(drained.home), "it is being drained")
            new = [await called(phone) for _ in range(4)]  # at first the edge hears of it by a 503
            for call in new:
                await until_heard(call, other, "greeting_main")
            assert drained.ask("core show channels concise").count("PJSIP/trunk-") == 1
            assert not await staying.ended(0)
            assert draining.poll() is None
            await staying.hang_up()
            out, err = await asyncio.to_thread(draining.communicate, timeout=PATIENCE_S)
            assert draining.returncode == 0, out + err
            for call in new:
                assert not await call.ended(0)
                await call.hang_up()
            assert drained.run("drain", "--end").returncode == 0
            await comes_back(drained, phone)

    asyncio.run(scenario())
    for node in place.nodes:
        wait_for(partial(is_idle, node), "its calls are over")
        node.assert_ledger_complete()


def drain(node: Hotline) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*HOTLINE, "drain", "--why", "another disk", "--stay"], env=node.environment, cwd=PROJECT,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )


async def comes_back(node: Hotline, phone: Phone) -> None:
    """Calls come to the node again."""
    for _ in range(60):
        call = await called(phone)
        back = not is_idle(node)
        await call.hang_up()
        if back:
            return
        await asyncio.sleep(0.5)
    raise AssertionError("the node has not come back")


def test_a_flood_from_one_address_hurts_no_other(place: Place) -> None:
    async def scenario() -> None:
        async with (
            Phone(CARRIER, server=place.address, user="0912000905") as many,
            Phone(OTHER_CARRIER, server=place.address, user="0912000906") as good,
        ):
            began = time.monotonic()
            flood = [await many.call("1022") for _ in range(10 * RATE)]
            lasted_s = time.monotonic() - began
            call = await called(good)
            await until_heard(call, place.nodes[0], "greeting_main")
            answers = [await one.answered(PATIENCE_S) for one in flood]
            assert answers.count(True) <= (2 + lasted_s) * RATE
            assert {one.sip_code for one, well in zip(flood, answers, strict=True) if not well} == {
                503}
            for one in (call, *flood):
                if not await one.ended(0):
                    await one.hang_up()

    asyncio.run(scenario())


def test_nodes_call_out_through_the_edge_once_a_carrier_is_up(place: Place) -> None:
    async def scenario() -> None:
        async with Phone(*place.carrier, server=place.address, user="carrier") as carrier:
            for node in place.nodes:
                rung = await rung_from(node, carrier)
                rung.answer()
                assert await rung.ended(PATIENCE_S)

    asyncio.run(scenario())


async def rung_from(node: Hotline, carrier: Phone) -> Call:
    """A call of the node; the first ones may come before the edge has heard of the carrier."""
    for _ in range(15):
        await asyncio.to_thread(
            node.ask, "channel originate PJSIP/0237000115@carrier application Wait 2"
        )
        with suppress(TimeoutError):
            return await carrier.incoming(3)
    raise AssertionError("the carrier is not rung")


def test_a_carrier_is_told_when_no_node_is_up(place: Place) -> None:
    pids = [node.signal("asterisk", signal.SIGSTOP) for node in place.nodes]
    assert all(pids)
    try:
        wait_for(lambda: asks(place) == 503, "the edge says that nobody is there", 60)
    finally:
        for node in place.nodes:
            node.signal("asterisk", signal.SIGCONT)
    wait_for(lambda: asks(place) == 200, "it is well again", 60)
