"""Three real nodes on one PostgreSQL: queues kept by one node each, one call in one ledger."""

from __future__ import annotations

import asyncio
import re
import shutil
import signal
import socket
import ssl
import subprocess
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from hashlib import md5
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import requests
from sqlalchemy import select

from crm.models import Callback, LiveAgent, LiveCall
from crm.recordings.models import Kind
from crm.settings import load
from ivr import edge, tls
from ivr.phone import Call, Phone
from ivr.phone.audio import RATE
from tests.live.people import (
    Console,
    called,
    citizen,
    desk_agent,
    hears_tone,
    kept_samples,
    until_heard,
)
from tests.live.running import PATIENCE_S, Hotline, free_ports, wait_for
from tests.postgres import Server

pytestmark = pytest.mark.full  # three hotlines

NAMES = ("th1", "th2", "th3")
ADDRESSES = ("127.0.1.1", "127.0.1.2", "127.0.1.3")
PLACE = "@hl-callback-place"  # of who is to be called back
EDGE, AT_THE_DESK = "127.0.1.7", "127.0.9.1"


@dataclass
class Cluster:
    """th1 holds all queues but vaccine and emergency, which th2 holds."""

    nodes: list[Hotline]
    database: Server
    shared: Path
    edge: tuple[str, int]  # where desk phones register

    def of(self, name: str) -> Hotline:
        return self.nodes[NAMES.index(name)]

    def call_of(self, number: str, timeout_s: float = PATIENCE_S) -> dict[str, Any]:
        """The one call of a number in the ledger of all nodes, once it is over."""
        found = self.nodes[0].call_of(number, timeout_s)
        assert [one["caller"] for one in self.nodes[0].calls()].count(number) == 1
        return found

    def assert_ledgers_complete(self) -> None:
        for node in self.nodes:
            node.assert_ledger_complete()


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    folder = tmp_path_factory.mktemp("nodes")
    ports = [free_ports(4) for _ in NAMES]
    sip = [f"{address}:{of[1]}" for address, of in zip(ADDRESSES, ports, strict=True)]
    shared = folder / "shared"
    shared.mkdir()
    (port,) = free_ports(1)
    with ExitStack() as stack:
        stack.enter_context(phones_edge(folder / "edge", port, sip))
        server = stack.enter_context(Server())
        nodes: list[Hotline] = []
        for at, name in enumerate(NAMES):
            home = folder / name / "home"
            node = Hotline(
                home, HOTLINE_NODE=name, HOTLINE_DATABASE_URL=server.url,
                HOTLINE_NODES=", ".join(map(" ".join, zip(NAMES, sip, strict=True))),
                HOTLINE_NODE_QUEUES="vaccine th2, emergency th2",
                HOTLINE_KEPT=str(shared), HOTLINE_PHONES_FROM=str(100 * at + 1),
                HOTLINE_SIP_BIND=sip[at],
                HOTLINE_TRUNK_SERVER="127.0.0.4:5999", HOTLINE_TRUNK_OPTIONS_S="0",
                HOTLINE_TRUNK_MATCH="127.0.0.2", HOTLINE_PHONES_EDGE=f"{EDGE}:{port}",
                HOTLINE_SEATS="4", HOTLINE_DESK_PHONES="2",
                HOTLINE_RTP_PORTS=f"{20000 + 2000 * at}-{21999 + 2000 * at}",
            )
            home.mkdir(parents=True)
            if nodes:  # one set of secrets for all
                shutil.copy(nodes[0].home / "secrets.json", home)
            node.setup()
            if nodes:
                shutil.copy(nodes[0].home / "first-accounts.txt", home)
            stack.callback(node.stop)
            node.start()
            nodes.append(node)
        yield Cluster(nodes, server, shared, (EDGE, port))


@contextmanager
def phones_edge(where: Path, port: int, sip: list[str]) -> Iterator[None]:
    """A Kamailio before the nodes, for their desk phones."""
    settings = load({
        "HOTLINE_HOME": str(where), "HOTLINE_EDGE_BIND": f"{EDGE}:{port}",
        "HOTLINE_EDGE_NODES": ",".join(sip),
        "HOTLINE_EDGE_PHONES": ", ".join(f"{100 * at + 1} {one}" for at, one in enumerate(sip)),
        "HOTLINE_PHONE_NETWORKS": "127.0.9.0/24", "HOTLINE_TRUNK_MATCH": "127.0.8.1",
    })
    where.mkdir()
    for name, text in edge.files(settings, where).items():
        (where / name).write_text(text, encoding="utf-8")
    with (where / "log").open("wb") as log:
        running = subprocess.Popen(
            ["kamailio", "-f", str(where / edge.CONFIGURATION), "-Y", str(where), "-DD", "-E"],
            stdout=log, stderr=log,
        )
        try:
            yield
        finally:
            running.terminate()
            running.wait(20)


async def chooses(call: Call, node: Hotline, key: str = "3", intro: str = "vaccine_menu_intro",
                  *, after: int = 0) -> None:
    await until_heard(call, node, "greeting_main", after=after)
    await call.press(key)
    await until_heard(call, node, intro)
    await call.press("0")


async def soon(look: Callable[[], Any], what: str, timeout_s: float = PATIENCE_S) -> Any:
    return await asyncio.to_thread(wait_for, look, what, timeout_s)


def live(cluster: Cluster, caller: str) -> LiveCall | None:
    with cluster.nodes[0].database.reading() as session:
        return session.scalar(select(LiveCall).where(
            LiveCall.caller == caller, LiveCall.state != "ended"))


def keeps_place(node: Hotline, wanted: bool = True) -> bool:
    """Whether who is to be called back has a place in the queue of a node, or has none."""
    return (PLACE in node.ask("queue show vaccine")) is wanted


def says_ready(node: Hotline) -> int | None:
    """What the node says to an edge that asks whether it takes calls."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as line:
        line.bind(("127.0.0.2", 0))
        line.settimeout(2)
        me = "{}:{}".format(*line.getsockname())
        lines = (
            f"OPTIONS sip:ready@{node.settings.sip_bind} SIP/2.0",
            f"Via: SIP/2.0/UDP {me};branch=z9hG4bK{uuid.uuid4().hex}", "Max-Forwards: 20",
            f"From: <sip:edge@{me}>;tag=1", f"To: <sip:ready@{node.settings.sip_bind}>",
            f"Call-ID: {uuid.uuid4().hex}", "CSeq: 1 OPTIONS", "Content-Length: 0", "", "",
        )
        line.sendto("\r\n".join(lines).encode(), node.sip)
        with suppress(TimeoutError):
            return int(line.recv(4096).split()[1])
    return None


def test_a_caller_is_led_to_the_node_that_holds_the_queue_and_stays_one_call(
    cluster: Cluster,
) -> None:
    first, second = cluster.of("th1"), cluster.of("th2")

    async def scenario() -> None:
        async with (
            desk_agent(second, "agent1", phone_name="desk-101", queue="vaccine",
                       address=ADDRESSES[1]) as seat,
            citizen(first, "0912000601") as phone,
        ):
            call = await called(phone)
            await chooses(call, first)
            rung = await seat.incoming(PATIENCE_S)
            assert (rung.invite_header("X-Hotline-Call") or "").startswith("th1.")
            assert rung.invite_header("X-Hotline-Caller") == "0912000601"
            row = await soon(lambda: live(cluster, "0912000601"), "the call is live")
            assert (row.node, row.queue) == ("th2", "vaccine")
            rung.answer()
            row = await soon(
                lambda: (one := live(cluster, "0912000601")) and one.state == "talking" and one,
                "they speak")
            assert (row.node, row.agent) == ("th2", "agent1")
            await asyncio.sleep(3)
            await call.hang_up()
            assert await rung.ended(PATIENCE_S)

    asyncio.run(scenario())
    call = cluster.call_of("0912000601")
    assert (call["outcome"], call["agent"], call["queue"], call["branch"]) == (
        "answered", "agent1", "vaccine", "vaccine")
    assert call["talk_s"] > 3
    assert call["id"].startswith("th1.")
    assert [step["key"] for step in call["path"] if step["key"]] == ["3", "0"]
    assert sorted(leg.kind for leg in first.every_leg(call["id"])) == ["agent", "node", "node"]
    assert call["recording"].startswith(call["id"])
    cluster.assert_ledgers_complete()
    # th2 has recorded it; every node plays it once it is sealed, th2 or not
    sealed = cluster.shared / "recordings" / f"{Path(call['recording']).stem}.sealed"
    wait_for(sealed.exists, "it is sealed")
    wait_for(lambda: not (second.home / "recordings" / call["recording"]).exists(), "moved")
    assert not list((first.home / "recordings").glob("*.sealed"))
    assert len(kept_samples(first, Kind.RECORDINGS, call["recording"])) > 2 * 3 * RATE


@pytest.mark.parametrize(("at", "number"), [
    ("th2", "0912000602"), ("th1", "0912000611"), ("th3", "0912000612"),
])
def test_every_console_acts_on_a_caller_who_waits_at_the_queues_node(
    cluster: Cluster, at: str, number: str
) -> None:
    first = cluster.of("th1")

    async def scenario() -> None:
        supervisor = await asyncio.to_thread(Console, cluster.of(at), "truongca")
        async with citizen(first, number) as phone:
            call = await called(phone)
            await chooses(call, first)
            row = await soon(
                lambda: (one := live(cluster, number)) and one.state == "waiting" and one,
                "the caller waits")
            assert row.node == "th2"
            moved = await asyncio.to_thread(
                supervisor.ask, "POST", f"/supervisor/calls/{row.id}/branch", {"branch": "testing"})
            assert moved["outcome"] == "done"
            # and back by a node: th1 holds that queue
            row = await soon(
                lambda: (one := live(cluster, number)) and one.queue == "testing" and one,
                "the caller waits for another branch")
            assert row.node == "th1"
            await call.hang_up()

    asyncio.run(scenario())
    call = cluster.call_of(number)
    assert (call["outcome"], call["queue"]) == ("abandoned_queue", "testing")
    cluster.assert_ledgers_complete()


def test_an_agents_phone_registers_through_the_edge_and_takes_calls_of_its_nodes_queue(
    cluster: Cluster,
) -> None:
    first, second = cluster.of("th1"), cluster.of("th2")

    def members(node: Hotline) -> bool:
        return "PJSIP/desk-102" in node.ask("queue show")

    async def scenario() -> None:
        # signed in at th1's console: the phone says which node it is
        agent = await asyncio.to_thread(Console, first, "agent1")
        desk_phone = Phone(AT_THE_DESK, server=cluster.edge, user="desk-102",
                           password=second.secrets.phones["desk-102"])
        async with desk_phone, citizen(first, "0912000613") as phone:
            await desk_phone.register()
            contact = second.ask("pjsip show contacts")
            assert "desk-102" in contact
            echo = await desk_phone.call("*43")
            assert await echo.answered(PATIENCE_S), f"{echo.sip_code} {echo.reason}"
            echo.play_tone(1300)
            await hears_tone(echo, 1300)
            await echo.hang_up()

            held = await asyncio.to_thread(
                agent.ask, "POST", "/agent/phone", {"kind": "desk", "wanted": "desk-102"})
            assert held["outcome"] == "done"
            ready = await asyncio.to_thread(agent.ask, "POST", "/agent/state", {"reason": None})
            assert ready["outcome"] == "done"
            assert [members(node) for node in cluster.nodes] == [False, True, False]
            call = await called(phone)
            await chooses(call, first)
            rung = await desk_phone.incoming(PATIENCE_S)
            assert rung.invite_header("X-Hotline-Caller") == "0912000613"
            rung.answer()
            call.play_tone(700)
            await hears_tone(rung, 700)
            rung.play_tone(1100)
            await hears_tone(call, 1100)
            await rung.hold()  # in the call the phone's own words go through the edge, too
            await asyncio.sleep(1)
            await rung.resume()
            await asyncio.sleep(2)
            await call.hang_up()
            assert await rung.ended(PATIENCE_S)
            left = await asyncio.to_thread(agent.ask, "DELETE", "/agent/phone")
            assert left["outcome"] == "done"
            assert not any(members(node) for node in cluster.nodes)

    asyncio.run(scenario())
    call = cluster.call_of("0912000613")
    assert (call["outcome"], call["agent"], call["queue"]) == ("answered", "agent1", "vaccine")
    assert call["talk_s"] > 2
    cluster.assert_ledgers_complete()


def test_a_supervisor_at_one_node_hears_and_leads_an_agent_of_another(cluster: Cluster) -> None:
    first, second = cluster.of("th1"), cluster.of("th2")

    async def scenario() -> None:
        supervisor = await asyncio.to_thread(Console, first, "truongca")
        ear_phone = Phone(ADDRESSES[0], server=first.sip, user="desk-01",
                          password=first.secrets.phones["desk-01"])

        async def acts(method: str, path: str, **body: object) -> Any:
            return await asyncio.to_thread(supervisor.ask, method, f"/supervisor/{path}", body)

        def state() -> str | None:
            with first.database.reading() as session:
                agent = session.get(LiveAgent, "agent1")
                return agent.state if agent else None

        def is_now(wanted: tuple[str | None, ...]) -> bool:
            return state() in wanted

        async with (
            desk_agent(second, "agent1", phone_name="desk-101", queue="vaccine",
                       address=ADDRESSES[1]) as seat,
            ear_phone, citizen(first, "0912000610") as phone,
        ):
            await ear_phone.register()
            held = await acts("POST", "phone", kind="desk", wanted="desk-01")
            assert held["phone"]["seat"] == "desk-01"
            call = await called(phone)
            await chooses(call, first)
            rung = await seat.incoming(PATIENCE_S)
            rung.answer()
            await soon(lambda: state() == "talking", "they speak")

            await acts("POST", "listen", agent="agent1", how="listen")
            spy = await ear_phone.incoming(PATIENCE_S)
            assert spy.invite_header("X-Hotline-Listen") == "listen"
            spy.answer()
            call.play_tone(700)
            await hears_tone(spy, 700)
            call.stop_playing()
            rung.play_tone(1100)
            await hears_tone(spy, 1100)
            rung.stop_playing()
            await spy.hang_up()

            await acts("POST", "listen", agent="agent1", how="barge")
            spy = await ear_phone.incoming(PATIENCE_S)
            spy.answer()
            await asyncio.sleep(1)
            spy.play_tone(900)
            await hears_tone(call, 900)
            await hears_tone(rung, 900)
            await spy.hang_up()
            await call.hang_up()
            assert await rung.ended(PATIENCE_S)

            led: list[tuple[dict[str, str], tuple[str | None, ...]]] = [
                ({"act": "pause", "reason": "rest"}, ("paused",)), ({"act": "ready"}, ("ready",)),
                ({"act": "out"}, ("offline", None)),
            ]
            for act, then in led:
                answer = await acts("POST", "agents/agent1", **act)
                assert answer["outcome"] == "done", act
                await soon(partial(is_now, then), f"the agent is {then}")
            assert "PJSIP/desk-101" not in second.ask("queue show vaccine")

    asyncio.run(scenario())
    call = cluster.call_of("0912000610")
    assert (call["outcome"], call["agent"]) == ("answered", "agent1")
    cluster.assert_ledgers_complete()


@contextmanager
def one_address(cluster: Cluster, where: Path) -> Iterator[str]:
    """A HAProxy before all consoles and WebSockets: HOST:PORT."""
    (port,) = free_ports(1)
    settings = load({
        "HOTLINE_HOME": str(where), "HOTLINE_EDGE_BIND": f"{EDGE}:5060",
        "HOTLINE_EDGE_NODES": ",".join(str(one.settings.sip_bind) for one in cluster.nodes),
        "HOTLINE_TRUNK_MATCH": "127.0.8.1", "HOTLINE_EDGE_WEB": f"{EDGE}:{port}",
        "HOTLINE_EDGE_CONSOLES": ", ".join(
            f"{one.settings.node} {one.settings.console_bind} {one.settings.ws_bind}"
            for one in cluster.nodes),
        "HOTLINE_CONSOLE_BIND": "0.0.0.0:8022",  # for a certificate
    })
    (where / "tls").mkdir(parents=True)
    tls.ensure(settings, [EDGE], datetime.now(UTC))
    (where / "site.pem").write_bytes(b"".join(one.read_bytes() for one in tls.files(settings)))
    (where / edge.WEB).write_text(edge.files(settings, where)[edge.WEB], encoding="utf-8")
    with (where / "log").open("wb") as log:
        running = subprocess.Popen(
            ["haproxy", "-db", "-f", str(where / edge.WEB)], stdout=log, stderr=log)
        try:
            yield f"{EDGE}:{port}"
        finally:
            running.terminate()
            running.wait(20)


def registered(address: str, trusted: Path, node: str, seat: str, secret: str) -> str:
    """What a browser's phone is told that registers at /ws/NODE: the status of SIP."""
    host, _, port = address.partition(":")
    context = ssl.create_default_context(cafile=str(trusted))
    with (
        socket.create_connection((host, int(port)), 10) as plain,
        context.wrap_socket(plain, server_hostname=host) as line,
    ):
        line.settimeout(10)
        line.sendall("\r\n".join((
            f"GET /ws/{node} HTTP/1.1", f"Host: {address}", "Upgrade: websocket",
            "Connection: Upgrade", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
            "Sec-WebSocket-Version: 13", "Sec-WebSocket-Protocol: sip", "", "",
        )).encode())
        head = line.recv(4096).decode()
        if " 101 " not in head:
            return head.split()[1]

        def asks(cseq: int, *more: str) -> str:
            text = "\r\n".join((
                f"REGISTER sip:{host} SIP/2.0",
                f"Via: SIP/2.0/WSS x.invalid;branch=z9hG4bK{uuid.uuid4().hex}", "Max-Forwards: 70",
                f"From: <sip:{seat}@{host}>;tag=1", f"To: <sip:{seat}@{host}>", "Call-ID: 1@x",
                f"CSeq: {cseq} REGISTER", f"Contact: <sip:{seat}@x.invalid;transport=ws>",
                "Expires: 60", *more, "Content-Length: 0", "", "",
            )).encode()
            mask = b"\x00" * 4
            line.sendall(b"\x81\xfe" + len(text).to_bytes(2, "big") + mask + text)
            heard = ""
            # whoever has just registered is asked by OPTIONS, before the answer at times
            while not (found := re.search(r"SIP/2\.0 \d{3} .*?\r\n\r\n", heard, re.DOTALL)):
                got = line.recv(8192)
                assert got, f"the connection ended after {heard!r}"
                heard += got.decode("utf-8", "replace")
            return found[0]

        challenge = asks(1)
        said = dict(re.findall(r'(\w+)="([^"]*)"', challenge))

        def digest(*words: str) -> str:
            return md5(":".join(words).encode(), usedforsecurity=False).hexdigest()

        proof = digest(
            digest(seat, said["realm"], secret), said["nonce"], "00000001", "1", "auth",
            digest("REGISTER", f"sip:{host}"))
        answer = asks(2, (
            f'Authorization: Digest username="{seat}",realm="{said["realm"]}",qop=auth,cnonce="1",'
            f'nonce="{said["nonce"]}",uri="sip:{host}",nc=00000001,response="{proof}",'
            f'opaque="{said.get("opaque", "")}",algorithm=MD5'))
        return answer.split()[1]


def test_browsers_reach_every_console_and_each_phones_node_by_one_address(
    cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    where = tmp_path / "web"
    with one_address(cluster, where) as address:
        trusted = where / "tls" / "ca.crt"
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(trusted))
        door = cast(Hotline, SimpleNamespace(
            url=f"https://{address}", password=cluster.of("th1").password))

        def in_now() -> Console | None:
            with suppress(requests.ConnectionError, AssertionError):
                return Console(door, "truongca")
            return None

        supervisor = wait_for(in_now, "somebody is let in")
        assert supervisor is not None
        served = supervisor.cookies["node"]
        assert supervisor.ask("GET", "/supervisor/waiting") == {"calls": []}
        stopped = cluster.of(served)
        stopped.signal("console", signal.SIGSTOP)
        try:
            def elsewhere() -> bool:
                with suppress(requests.RequestException):
                    supervisor.ask("GET", "/supervisor/waiting")
                return supervisor.cookies["node"] != served

            wait_for(elsewhere, "another console goes on with the same sign-in")
        finally:
            stopped.signal("console", signal.SIGCONT)
        secret = cluster.of("th3").secrets.phones["seat-201"]
        assert registered(address, trusted, "th3", "seat-201", secret) == "200"
        assert registered(address, trusted, "th2", "seat-201", secret) == "401"
        assert registered(address, trusted, "th9", "seat-201", secret) in ("404", "302")
        assert requests.get(f"https://{address}/metrics", timeout=10).status_code == 404


def test_the_time_of_arrival_counts_on_every_node(cluster: Cluster) -> None:
    first, second = cluster.of("th1"), cluster.of("th2")

    async def scenario() -> None:
        async with (
            citizen(first, "0912000603") as early, citizen(second, "0912000604") as late,
        ):
            one = await called(early)
            await chooses(one, first, "2", "test_menu_intro")  # held by th1
            await until_heard(one, first, "queue_next")
            other = await called(late)
            await chooses(other, second)
            await soon(lambda: "PJSIP/trunk-" in second.ask("queue show vaccine"), "one waits")
            at = one.heard_length
            await one.press("*")
            await until_heard(one, first, "main_menu_1", after=at)
            await one.press("3")
            await until_heard(one, first, "vaccine_menu_intro", after=at)
            await one.press("0")
            await soon(lambda: "PJSIP/node-th1" in second.ask("queue show vaccine"), "both wait")
            async with desk_agent(second, "agent1", phone_name="desk-101", queue="vaccine",
                                  address=ADDRESSES[1]) as seat:
                rung = await seat.incoming(PATIENCE_S)
                assert rung.invite_header("X-Hotline-Caller") == "0912000603"
                await one.hang_up()
                await other.hang_up()

    asyncio.run(scenario())
    cluster.call_of("0912000603")
    cluster.call_of("0912000604")
    cluster.assert_ledgers_complete()


def test_an_emergency_goes_where_the_agents_are_and_before_everybody(cluster: Cluster) -> None:
    second, third = cluster.of("th2"), cluster.of("th3")

    async def scenario() -> None:
        async with (
            citizen(second, "0912000605") as waiting, citizen(third, "0912000606") as ill,
        ):
            one = await called(waiting)
            await chooses(one, second)
            await soon(lambda: "PJSIP/trunk-" in second.ask("queue show vaccine"), "one waits")
            help_ = await called(ill)
            await until_heard(help_, third, "greeting_main")
            await help_.press("4")
            await soon(lambda: "PJSIP/node-th3" in second.ask("queue show emergency"), "passed on")
            async with desk_agent(second, "agent1", phone_name="desk-101", queue="vaccine",
                                  address=ADDRESSES[1]) as seat:
                rung = await seat.incoming(PATIENCE_S)
                assert rung.invite_header("X-Hotline-Caller") == "0912000606"
                assert rung.invite_header("X-Hotline-Branch") == "emergency"
                rung.answer()
                await asyncio.sleep(3)
                await help_.hang_up()
                await one.hang_up()

    asyncio.run(scenario())
    call = cluster.call_of("0912000606")
    assert (call["outcome"], call["emergency"], call["recording"]) == ("answered", "reached", None)
    cluster.call_of("0912000605")
    cluster.assert_ledgers_complete()


def test_a_switch_of_one_node_is_every_nodes(cluster: Cluster) -> None:
    first, third = cluster.of("th1"), cluster.of("th3")
    def told(value: str) -> bool:
        return value in third.ask("database show switch hours.testing")

    for value in ("closed", "auto"):
        assert first.run("switch", "hours.testing", value).returncode == 0
        wait_for(partial(told, value), f"th3 knows: {value}")


def test_a_node_takes_calls_once_its_switches_are_those_of_the_database(cluster: Cluster) -> None:
    third = cluster.of("th3")
    wait_for(lambda: says_ready(third) == 200, "it is ready")
    third.signal("listener", signal.SIGSTOP)
    try:
        third.signal("asterisk", signal.SIGKILL)
        wait_for(lambda: says_ready(third) == 404, "it lives, and is not ready", 120)
        assert cluster.of("th1").run("switch", "notice", "disaster").returncode == 0
        assert says_ready(third) == 404
    finally:
        third.signal("listener", signal.SIGCONT)
    wait_for(lambda: says_ready(third) == 200, "it is ready", 120)
    assert "disaster" in third.ask("database show switch notice")
    assert cluster.of("th1").run("switch", "notice", "none").returncode == 0


def test_a_node_that_dies_loses_nobody_who_waits_and_its_queues_move_by_one_command(
    cluster: Cluster,
) -> None:
    first, second, third = cluster.nodes

    async def scenario() -> None:
        async with (
            citizen(first, "0912000607") as waiting, citizen(first, "0912000608") as later,
            citizen(third, "0912000609") as last,
        ):
            one = await called(waiting)
            await chooses(one, first)
            await soon(lambda: "PJSIP/node-th1" in second.ask("queue show vaccine"), "one waits")
            supervisor = await asyncio.to_thread(Console, first, "truongca")
            row = await soon(lambda: live(cluster, "0912000607"), "it is shown")
            second.kill_supervisor()
            second.signal("asterisk", signal.SIGKILL)
            with pytest.raises(requests.HTTPError) as silent:
                await asyncio.to_thread(
                    supervisor.ask, "POST", f"/supervisor/calls/{row.id}/branch",
                    {"branch": "testing"})
            assert silent.value.response.status_code == 503
            assert "không trả lời" in silent.value.response.text
            # who waited there is told so by the node that had answered
            await until_heard(one, first, "queue_full")
            await one.press("1")
            await until_heard(one, first, "callback_use_this_number.1")
            await one.press("1")
            await until_heard(one, first, "callback_confirmed_no_time")
            other = await called(later)
            await chooses(other, first)
            await until_heard(other, first, "queue_full")
            await other.press("2")
            await until_heard(other, first, "voicemail_start")
            await asyncio.sleep(4)
            await other.press("#")
            await other.hang_up()
            moved = await asyncio.to_thread(
                first.run, "nodes", "move", "th2", "th3", "--why", "th2 is dead")
            assert moved.returncode == 0, moved.stdout + moved.stderr
            async with desk_agent(third, "agent2", phone_name="desk-201", queue="vaccine",
                                  address=ADDRESSES[2]) as seat:
                # the place of the call back is kept by the node that holds the queue now
                rung = await seat.incoming(2 * PATIENCE_S)
                assert rung.invite_header("X-Hotline-Caller") == "0912000607"
                rung.reject()
            # moved while both nodes live it is nobody's twice: the place goes along, and back
            for source, target in ((third, first), (first, third)):
                done = await asyncio.to_thread(
                    first.run, "nodes", "move", source.settings.node, target.settings.node,
                    "--why", "a drill")
                assert done.returncode == 0, done.stdout + done.stderr
                await soon(partial(keeps_place, target), "is kept there")
                await soon(partial(keeps_place, source, False), "has gone")
                assert keeps_place(target)
            more = await called(last)
            await chooses(more, third)
            await soon(lambda: "PJSIP/trunk-" in third.ask("queue show vaccine"), "waits at th3")
            await more.hang_up()

    asyncio.run(scenario())
    listed = {one["name"]: one["queues"] for one in first.json("nodes", "list")}
    assert listed["th2"] == []
    assert {"vaccine", "emergency"} <= set(listed["th3"])
    # its journal is read when it is back
    second.start()
    outcomes = {number: cluster.call_of(number)["outcome"] for number in (
        "0912000607", "0912000608", "0912000609")}
    assert outcomes == {
        "0912000607": "callback", "0912000608": "voicemail", "0912000609": "abandoned_queue"}
    with first.database.reading() as session:
        assert session.scalars(select(Callback.queue).where(
            Callback.number == "0912000607")).all() == ["vaccine"]
    cluster.assert_ledgers_complete()
