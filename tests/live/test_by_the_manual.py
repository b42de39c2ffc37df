"""A new Debian, made by debootstrap and booted by systemd in a network of its own. Whoever follows
the engineers' manual there, word for word, has the number up: two carriers, each in another
network, bring calls in and take them out, one fails, and comes back."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from agent_console import manuals
from crm.settings import PROJECT
from ivr.phone import Phone
from ivr.phone.ear import Ear
from tests.live.carrier import Carrier, ip, lines, running_carrier
from tests.live.running import PATIENCE_S, wait_for

pytestmark = pytest.mark.full

STATE, SETTINGS = "var/lib/hotline1022", "etc/hotline1022/hotline.toml"
GATEWAY, SERVER, NET = "198.18.9.1", "198.18.9.2", "198.18.9.0/29"
NAMESPACE = "hl-server"
MIRROR = "http://deb.debian.org/debian"
CENTRE = "0237000115"  # in the place of the manual's emergency numbers: an echo of the carrier's
MAY_FAIL = {"hotline doctor": 1, "hotline plan": 2}  # as the manual says


def run(*words: str, **more: Any) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(words, text=True, capture_output=True, check=False, **more)
    assert done.returncode == 0, f"{' '.join(words)}: {done.stdout[-3000:]}{done.stderr[-3000:]}"
    return done


def chapters() -> dict[str, list[tuple[str, str]]]:
    """The blocks of the engineers' manual, by chapter: language, text."""
    text = manuals.BY_NAME["engineer"].file.read_text(encoding="utf-8")
    found = {}
    for part in re.split(r"^## ", text, flags=re.M)[1:]:
        title, _, rest = part.partition("\n")
        found[title] = re.findall(r"^```(\w*)\n(.*?)^```$", rest, re.M | re.S)
    return found


@contextmanager
def network() -> Iterator[None]:
    """A network for the server, led on to the carriers and, for its packages, outside."""
    forwards = Path("/proc/sys/net/ipv4/ip_forward")
    before = forwards.read_text()
    ip("netns", "add", NAMESPACE)
    try:
        ip("link", "add", "hl-gate", "type", "veth", "peer", "name", "hl-inner")
        ip("link", "set", "hl-inner", "netns", NAMESPACE)
        ip("addr", "add", f"{GATEWAY}/29", "dev", "hl-gate")
        ip("link", "set", "hl-gate", "up")
        ip("-n", NAMESPACE, "addr", "add", f"{SERVER}/29", "dev", "hl-inner")
        for name in ("hl-inner", "lo"):
            ip("-n", NAMESPACE, "link", "set", name, "up")
        ip("-n", NAMESPACE, "route", "add", "default", "via", GATEWAY)
        forwards.write_text("1")
        run("nft", "-f", "-", input=f"""table ip hotline_test_gate {{
            chain post {{
                type nat hook postrouting priority srcnat; policy accept;
                ip saddr {NET} ip daddr != 198.18.0.0/16 masquerade
            }}
        }}""")
        yield
    finally:
        subprocess.run(["nft", "delete", "table", "ip", "hotline_test_gate"], check=False)
        forwards.write_text(before)
        ip("netns", "del", NAMESPACE)


class Server:
    """The new machine, and somebody who types on it what the manual says."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.home = root / STATE
        self._machine: subprocess.Popen[bytes] | None = None
        self._init = 0

    def boot(self, log: Path) -> None:
        with log.open("wb") as out:
            self._machine = subprocess.Popen(
                ["systemd-nspawn", "--quiet", "--boot", "--register=no", "--keep-unit",
                 "--capability=CAP_NET_ADMIN",  # of its own network: the firewall
                 f"--directory={self.root}", "--resolv-conf=copy-host",
                 f"--network-namespace-path=/run/netns/{NAMESPACE}"],
                stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True,
            )
        children = Path(f"/proc/{self._machine.pid}/task/{self._machine.pid}/children")

        def booted() -> bool:
            found = children.read_text().split()
            if found:
                self._init = int(found[0])
            told = self.root_types("systemctl is-system-running").stdout.strip() if found else ""
            return told in ("running", "degraded")

        wait_for(booted, f"the new machine is up, see {log}", 180)

    def shut_down(self) -> None:
        if self._machine is not None and self._machine.poll() is None:
            self.root_types("systemctl poweroff")
            try:
                self._machine.wait(90)
            except subprocess.TimeoutExpired:
                self._machine.kill()
                self._machine.wait()

    def root_types(self, line: str, timeout_s: float = 1200) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["nsenter", "--target", str(self._init), "--all", "env", "-i", "HOME=/root",
             "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "DEBIAN_FRONTEND=noninteractive", "TERM=dumb",
             "bash", "-c", f"cd /root && {line}"],
            text=True, capture_output=True, check=False, timeout=timeout_s,
            stdin=subprocess.DEVNULL,
        )

    def types(self, line: str) -> str:
        """One line of the manual, by whom it says: what the hotline's user types, and root."""
        words = line.split("#", maxsplit=1)[0].strip()
        if words.startswith("hotline "):
            done = self.root_types(f"cd /{STATE} && runuser -u hotline -- {words}")
        else:
            done = self.root_types(words)
        allowed = next((code for known, code in MAY_FAIL.items() if words.startswith(known)), 0)
        told = f"{words}: {done.stdout[-3000:]}{done.stderr[-3000:]}"
        assert done.returncode in (0, allowed), told
        return done.stdout

    def follows(self, blocks: list[tuple[str, str]]) -> None:
        """Types every line of these blocks; what is TOML goes into the file of settings."""
        for language, text in blocks:
            if language == "toml":
                with (self.root / SETTINGS).open("a", encoding="utf-8") as settings:
                    settings.write(text)
            else:
                for line in text.splitlines():
                    self.types(line)

    def calls(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads(self.types("hotline calls --limit 100 --json"))
        return found

    def call_of(self, number: str) -> dict[str, Any]:
        def ended() -> dict[str, Any] | None:
            mine = [call for call in self.calls() if call["caller"] == number]
            return mine[-1] if mine and mine[-1]["outcome"] else None

        found = wait_for(ended, f"the call of {number} has an outcome", 120)
        assert found is not None
        return found


def with_own(blocks: list[tuple[str, str]], own: dict[str, str]) -> list[tuple[str, str]]:
    """Blocks with this network's addresses in the place of the manual's examples."""
    examples = re.compile("|".join(map(re.escape, own)))
    return [(language, examples.sub(lambda found: own[found[0]], text))
            for language, text in blocks]


async def needs_help(server: Server, carrier: Carrier, number: str) -> None:
    """Calls by this carrier, hears the greeting, and is led to the emergency service."""
    async with Phone(carrier.line.citizens, server=carrier.sip, user=number) as phone:
        call = await phone.call("1022")
        assert await call.answered(PATIENCE_S), f"{call.sip_code} {call.reason}"
        ear = Ear(server.home / "asterisk/data/sounds/vi/greeting_main.alaw")
        await asyncio.to_thread(wait_for, lambda: ear.hears(call.heard), "the greeting", 120)
        await call.press("4")
        await asyncio.sleep(2)
        await call.press("1")
        call.play_tone(440)
        await asyncio.to_thread(wait_for, lambda: call.heard_tone(440), "the service hears", 90)
        await call.hang_up()


def test_in_a_new_debian_the_manual_alone_brings_the_number_up(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    folder = tmp_path_factory.mktemp("manual")  # its path is part of the names of sockets: short
    for tool in ("debootstrap", "systemd-nspawn", "nft"):
        assert shutil.which(tool), f"apt-get install debootstrap systemd-container nftables: {tool}"
    began = time.monotonic()
    run(str(PROJECT / "scripts/package"), "deb", cwd=PROJECT,
        env={**os.environ, "HOTLINE_DIST": str(folder / "dist")})
    deb = next((folder / "dist").glob("*.deb"))
    root = folder / "debian"
    run("debootstrap", "--variant=minbase", "--include=systemd-sysv,dbus,ca-certificates",
        "bookworm", str(root), MIRROR)
    shutil.copy(deb, root / "root")
    (root / "etc/apt/apt.conf.d/90test").write_text(  # says yes; a mirror may have stood still
        'APT::Get::Assume-Yes "true";\nAcquire::Check-Valid-Until "false";\n'
    )
    made_s = time.monotonic() - began

    manual = chapters()
    server = Server(root)
    with ExitStack() as stack:
        stack.enter_context(network())
        places = stack.enter_context(lines(2))
        for place in places:
            assert place.namespace, "this needs network namespaces"
            ip("-n", place.namespace, "route", "add", NET, "via", place.hotline)
        first, second = (stack.enter_context(running_carrier(
            folder / f"carrier{number}" / "home", place, hotline=f"{SERVER}:5060",
        )) for number, place in enumerate(places, 1))
        own = {
            "203.0.113.10": SERVER, "198.51.100.20:5060": str(first.settings.sip_bind),
            "198.51.100.40:5060": str(second.settings.sip_bind),
            "198.51.100.20": places[0].address, "198.51.100.40": places[1].address,
            **{f'"023711{number}"': f'"{CENTRE}"' for number in (2, 3, 4, 5)},
        }
        server.boot(folder / "boot.log")
        stack.callback(server.shut_down)
        began = time.monotonic()

        def chapter(name: str, *which: int) -> None:
            blocks = manual[name]
            server.follows(with_own([blocks[at] for at in which] if which else blocks, own))

        chapter("Install", 0)  # by the Debian package; the wheel's way is tests/scripts'
        assert "hotline" in (root / "etc/passwd").read_text(), "the package has made its user"
        chapter("Settings")
        chapter("Set up and start")
        up_s = time.monotonic() - began
        status = server.root_types("systemctl is-active hotline1022 hotline1022-probe.timer")
        assert status.stdout.split() == ["active", "active"]
        tried = server.call_of("0912345678")
        assert (tried["branch"], tried["kind"]) == ("vaccine", "test")
        chapter("The carrier", 0, 1, 2)
        wait_for(lambda: set(states(server).values()) == {"ok"}, "the carriers answer", 120)
        chapter("The carrier", 3)
        chapter("Emergency numbers", 0, 1)
        chapter("Firewall")

        asyncio.run(needs_help(server, first, "0912000971"))
        assert server.call_of("0912000971")["emergency"] == "reached"
        asyncio.run(needs_help(server, second, "0912000972"))
        assert server.call_of("0912000972")["emergency"] == "reached"
        assert "0912000972" in first.seen(CENTRE), "both went out by the first"
        assert second.seen(CENTRE) == ""

        first.stop()
        time_gone = time.monotonic()
        wait_for(lambda: states(server) == {"trunk": "failure", "trunk2": "ok"},
                 "the first is given up", 180)
        asyncio.run(needs_help(server, second, "0912000973"))
        assert server.call_of("0912000973")["emergency"] == "reached"
        assert "0912000973" in second.seen(CENTRE)
        failover_s = time.monotonic() - time_gone
        first.start()
        wait_for(lambda: states(server)["trunk"] == "ok", "the first is back", 180)
        asyncio.run(needs_help(server, first, "0912000974"))
        assert server.call_of("0912000974")["emergency"] == "reached"
        assert "0912000974" in first.seen(CENTRE)
        server.types("hotline ledger")
    print(f"made in {made_s:.0f} s, up by the manual in {up_s:.0f} s, "  # noqa: T201
          f"failed over in {failover_s:.0f} s")


def states(server: Server) -> dict[str, str]:
    told = json.loads(server.types("hotline doctor --json --only trunk"))
    return {one["name"]: one["status"] for one in told["checks"] if one["name"].startswith("trunk")}
