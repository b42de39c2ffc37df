"""The rules in a network of their own: a carrier always gets through, a stranger never, and nobody
is shut out by what somebody else wrote."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from crm import settings as configuration
from crm import users
from crm.database import Database
from crm.models import LoginFailure
from crm.settings import Settings
from ivr import firewall

NOW = datetime(2026, 11, 26, 8, 0, tzinfo=UTC)
HOTLINE, CARRIER, DESK, OFFICE, STRANGER = (f"198.18.9.{number}" for number in (1, 2, 3, 4, 5))
SIP, RTP, CONSOLE, SOCKET, AMI, SSH = 5060, 10_500, 8022, 8088, 5038, 22

# Answers every packet and every connection with what came, until told to stop
ECHO = """
import selectors, socket
found = selectors.DefaultSelector()
for port in (%(udp)s):
    one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    one.bind(("0.0.0.0", port))
    one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)  # else 256 lie in it, no more
    found.register(one, selectors.EVENT_READ, "datagram")
for port in (%(tcp)s):
    found.register(socket.create_server(("0.0.0.0", port)), selectors.EVENT_READ, "server")
print("ready", flush=True)
while True:
    for key, _ in found.select():
        if key.data == "server":
            found.register(key.fileobj.accept()[0], selectors.EVENT_READ, "stream")
        elif key.data == "stream":
            data = key.fileobj.recv(100)
            key.fileobj.sendall(data) if data else found.unregister(key.fileobj)
        else:
            key.fileobj.sendto(*key.fileobj.recvfrom(2000))
"""
# Reads lines "PROTOCOL FROM PORT COUNT", sends so many, says how many came back
ASK = f"""
import socket, sys
kept = []
for line in sys.stdin:
    kind, own, port, count = line.split()
    back = 0
    if kind == "again":
        kept[-1].sendall(b"x")
        back = len(kept[-1].recv(1))
    elif kind == "udp":
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
            one.bind((own, 0))
            one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
            one.settimeout(0.4)
            for _ in range(int(count)):
                one.sendto(b"OPTIONS", ("{HOTLINE}", int(port)))
            try:
                while back < int(count):
                    one.recv(100)
                    back += 1
            except TimeoutError:
                pass
    else:
        for _ in range(int(count)):
            try:
                one = socket.create_connection(("{HOTLINE}", int(port)), 0.4, (own, 0))
                one.sendall(b"x")
                back += len(one.recv(1))
                kept.append(one)
            except OSError:
                pass
    print(back, flush=True)
"""


@dataclass
class Outside:
    """The hotline's network, and a process in the one beyond it."""

    within: list[str]  # the command that leads into the hotline's
    asking: subprocess.Popen[str]

    def ask(self, kind: str, own: str, port: int, count: int = 1) -> int:
        """How many of so many came back, sent from one of its addresses."""
        assert self.asking.stdin
        assert self.asking.stdout
        self.asking.stdin.write(f"{kind} {own} {port} {count}\n")
        self.asking.stdin.flush()
        return int(self.asking.stdout.readline())

    def load(self, script: str) -> None:
        firewall.load(script, within=self.within)


@pytest.fixture(scope="module")
def outside() -> Iterator[Outside]:
    """Two networks with a cable between them, made without root where the kernel lets us."""
    with ExitStack() as stack:
        ours = stack.enter_context(_held(["unshare", "--user", "--map-root-user", "--net"]))
        within = ["nsenter", "-t", str(ours), "-U", "-n", "--preserve-credentials"]
        beyond = stack.enter_context(_held([*within, "unshare", "--net"]))
        there = ["nsenter", "-t", str(beyond), "-U", "-n", "--preserve-credentials"]
        for command in (
            f"link add hl0 type veth peer name hl1 netns {beyond}",
            f"addr add {HOTLINE}/29 dev hl0", "link set hl0 up", "link set lo up",
        ):
            subprocess.run([*within, "ip", *command.split()], check=True, timeout=30)
        for command in (
            *(f"addr add {one}/29 dev hl1" for one in (CARRIER, DESK, OFFICE, STRANGER)),
            "link set hl1 up",
        ):
            subprocess.run([*there, "ip", *command.split()], check=True, timeout=30)
        echo = ECHO % {"udp": f"{SIP}, {RTP}", "tcp": f"{CONSOLE}, {SOCKET}, {AMI}, {SSH}"}
        serving = stack.enter_context(_process([*within, sys.executable, "-c", echo]))
        assert serving.stdout
        assert serving.stdout.readline() == "ready\n"
        yield Outside(within, stack.enter_context(
            _process([*there, sys.executable, "-u", "-c", ASK])
        ))


@contextmanager
def _process(command: list[str]) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


@contextmanager
def _held(command: list[str]) -> Iterator[int]:
    """A process that holds a network open; its number."""
    with _process([*command, "sh", "-c", "echo $$; exec cat"]) as process:
        assert process.stdout
        yield int(process.stdout.readline())


def settings(home: Path, **more: str) -> Settings:
    return configuration.load({
        "HOTLINE_HOME": str(home), "HOTLINE_SIP_BIND": f"{HOTLINE}:{SIP}",
        "HOTLINE_CONSOLE_BIND": f"{HOTLINE}:{CONSOLE}", "HOTLINE_WS_BIND": f"{HOTLINE}:{SOCKET}",
        "HOTLINE_TRUNK_MATCH": f"127.0.0.2,{CARRIER}", "HOTLINE_PHONE_NETWORKS": DESK,
        **{f"HOTLINE_{name.upper()}": value for name, value in more.items()},
    })


def failed(database: Database, address: str, count: int) -> None:
    with database.transaction() as session:
        for number in range(count):
            session.add(LoginFailure(
                login="admin", address=address, at=NOW - timedelta(seconds=number)
            ))


def banned(database: Database, of: Settings, now: datetime = NOW) -> dict[str, int]:
    with database.reading() as session:
        return firewall.bans(session, of, now)


def test_each_port_is_open_to_whom_it_is_for(outside: Outside, tmp_path: Path) -> None:
    outside.load(firewall.rules(settings(tmp_path)))
    assert outside.ask("udp", CARRIER, SIP) == 1
    assert outside.ask("udp", DESK, SIP) == 1
    assert outside.ask("udp", STRANGER, SIP) == 0
    assert outside.ask("udp", STRANGER, RTP) == 1, "audio comes from any browser"
    assert outside.ask("tcp", OFFICE, CONSOLE) == outside.ask("tcp", OFFICE, SOCKET) == 1
    assert outside.ask("tcp", CARRIER, AMI) == 0
    assert outside.ask("tcp", STRANGER, SSH) == 1, "what is not the hotline's is not judged"


def test_console_and_socket_are_for_the_networks_that_are_named(
    outside: Outside, tmp_path: Path
) -> None:
    outside.load(firewall.rules(settings(tmp_path, console_networks=OFFICE)))
    assert outside.ask("tcp", OFFICE, CONSOLE) == 1
    assert outside.ask("tcp", STRANGER, CONSOLE) == outside.ask("tcp", STRANGER, SOCKET) == 0


def test_a_flood_under_the_carriers_address_shuts_nobody_out(
    outside: Outside, tmp_path: Path
) -> None:
    outside.load(firewall.rules(settings(tmp_path)))
    assert outside.ask("udp", CARRIER, SIP, 400) > 300, "it may send as much as it likes"
    assert outside.ask("udp", DESK, SIP, 400) < 300, "one phone may not"
    assert outside.ask("udp", CARRIER, SIP) == 1
    assert outside.ask("tcp", DESK, CONSOLE) == 1, "whose address was forged works on"


def test_one_address_does_not_take_all_connections_and_the_others_come_through(
    outside: Outside, tmp_path: Path
) -> None:
    outside.load(firewall.rules(settings(tmp_path)))
    burst = firewall.BROWSER_RATE * 10
    assert burst <= outside.ask("tcp", STRANGER, SOCKET, burst + 60) < burst + 60
    assert outside.ask("again", STRANGER, SOCKET) == 1, "what was let in goes on"
    assert outside.ask("tcp", OFFICE, SOCKET) == outside.ask("tcp", CARRIER, SOCKET) == 1


def test_who_fails_to_sign_in_too_often_is_shut_out_for_a_while_and_keeps_what_goes_on(
    outside: Outside, tmp_path: Path, sqlite: Database
) -> None:
    here = settings(tmp_path)
    outside.load(firewall.rules(here) + firewall.ban_script(banned(sqlite, here)))
    assert outside.ask("tcp", STRANGER, SOCKET) == 1
    failed(sqlite, STRANGER, users.FAILURES_BY_ADDRESS)
    failed(sqlite, OFFICE, users.FAILURES_BY_ADDRESS - 1)
    assert banned(sqlite, here) == {STRANGER: users.FAILURE_WINDOW.total_seconds()}
    outside.load(firewall.ban_script(banned(sqlite, here)))
    assert outside.ask("again", STRANGER, SOCKET) == 1, "a call that goes on is not cut"
    assert outside.ask("tcp", STRANGER, SOCKET) == outside.ask("tcp", STRANGER, CONSOLE) == 0
    assert outside.ask("tcp", OFFICE, CONSOLE) == 1
    later = NOW + users.FAILURE_WINDOW
    outside.load(firewall.ban_script(banned(sqlite, here, later)))
    assert outside.ask("tcp", STRANGER, CONSOLE) == 1


def test_no_carrier_is_ever_banned_whatever_it_is_said_to_have_done(
    outside: Outside, tmp_path: Path, sqlite: Database
) -> None:
    here = settings(tmp_path)
    for address in (CARRIER, "127.0.0.1", "127.0.0.2", "not an address", "::1"):
        failed(sqlite, address, 3 * users.FAILURES_BY_ADDRESS)
    assert banned(sqlite, here) == {}
    # and if it were, by hand: it is looked at first
    outside.load(firewall.rules(here) + firewall.ban_script({CARRIER: 60}))
    assert outside.ask("udp", CARRIER, SIP) == 1


def test_forged_lines_of_logs_ban_nobody(tmp_path: Path, sqlite: Database) -> None:
    log = tmp_path / "asterisk" / "log"
    log.mkdir(parents=True)
    forged = (
        f'[2026-11-26 15:00:00.000] SECURITY[1] res_security_log.c: SecurityEvent="InvalidPassword"'
        f',AccountID="seat-001",RemoteAddress="IPV4/UDP/{OFFICE}/5060"\n'
    )
    for name in ("security.log", "messages.log"):
        (log / name).write_text(forged * 500, encoding="utf-8")
    assert banned(sqlite, settings(tmp_path)) == {}


def test_rules_of_two_carriers_by_tls_and_tcp_load(outside: Outside, tmp_path: Path) -> None:
    outside.load(firewall.rules(settings(
        tmp_path, trunk_transport="tls+srtp", trunk_match="198.18.8.0/24,198.18.8.7",
        trunk2_transport="tcp", trunk2_match=CARRIER, phone_networks="", console_networks="",
    )))
    assert outside.ask("udp", CARRIER, SIP) == 1


def test_what_nft_refuses_is_one_sentence(outside: Outside) -> None:
    with pytest.raises(firewall.FirewallError, match=r"nft: .*syntax error"):
        outside.load("table inet hotline1022 { nonsense }\n")
