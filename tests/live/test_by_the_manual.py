"""A new Debian, made by debootstrap and booted by systemd in a network of its own. Whoever follows
the engineers' manual there, word for word, has the number up: two carriers, each in another
network, bring calls in and take them out, one fails, and comes back. Every block of the manual is
typed: backup and drill, changes, upgrade and the way back, the second site, training, removal."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shlex
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
from tests.live import test_runbook
from tests.live.carrier import Carrier, ip, lines, running_carrier
from tests.live.running import PATIENCE_S, wait_for

pytestmark = pytest.mark.full

STATE, SETTINGS = "var/lib/hotline1022", "etc/hotline1022/hotline.toml"
GATEWAY, SERVER, NET = "198.18.9.1", "198.18.9.2", "198.18.9.0/29"
NAMESPACE = "hl-server"
MIRROR = "http://deb.debian.org/debian"
EXAMPLE = "hotline-20261124T031500Z.backup"
CENTRE = "0237000115"  # in the place of the manual's emergency numbers: an echo of the carrier's
MAY_FAIL = {  # as the manual says
    "hotline doctor": 1, "hotline plan": 2, "hotline drill": 1, "hotline prompts check": 1,
}
NOT_TYPED = {("Install", 1): "a wheel, in the package's place: tests/scripts/test_packages.py"}
ASKS = ("hotline apply ", "hotline rollback ")
AS_ROOT = ("apt ", "runuser ", "systemctl ", "install ", "mv ", "journalctl ", "du ")


def run(*words: str, **more: Any) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(words, text=True, capture_output=True, check=False, **more)
    assert done.returncode == 0, f"{' '.join(words)}: {done.stdout[-3000:]}{done.stderr[-3000:]}"
    return done


Blocks = dict[str, list[tuple[str, str]]]


def chapters() -> Blocks:
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
            input="y\n",  # to whatever asks whether to go on
        )

    def types(self, line: str) -> str:
        """One line of the manual, by whom it says: what the hotline's user types, and root."""
        words = line.split("#", maxsplit=1)[0].strip()
        if words.startswith(AS_ROOT):
            done = self.root_types(words)
        else:
            if words.startswith(ASKS) and "--yes" not in words:  # at a terminal
                words = f"script --quiet --return --command {shlex.quote(words)} /dev/null"
            typed = shlex.quote(f"cd /{STATE} && {words}")
            done = self.root_types(f"runuser -u hotline -- bash -c {typed}")
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


class Reader:
    """Types blocks of the manual, with what is so here in the place of its examples."""

    def __init__(self, manual: Blocks, server: Server, own: dict[str, str]) -> None:
        self._manual = manual
        self._server = server
        self.own = own
        self._left = {(name, at) for name, blocks in manual.items() for at in range(len(blocks))}

    def __call__(self, name: str, *which: int) -> None:
        """A chapter, or some of its blocks."""
        examples = re.compile("|".join(map(re.escape, self.own)))
        for at in which or range(len(self._manual[name])):
            language, text = self._manual[name][at]
            self._server.follows([(language, examples.sub(lambda it: self.own[it[0]], text))])
            self._left.discard((name, at))

    def has_typed_all(self) -> None:
        assert self._left == set(NOT_TYPED)


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

        chapter = Reader(manual, server, own)
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
        the_rest(server, chapter, deb)
        chapter.has_typed_all()
    print(f"made in {made_s:.0f} s, up by the manual in {up_s:.0f} s, "  # noqa: T201
          f"failed over in {failover_s:.0f} s")


def the_rest(server: Server, chapter: Reader, deb: Path) -> None:
    """What engineers do once the number is up."""
    root = server.root
    chapter("Install", 2)
    chapter("What you need")
    chapter("The carrier", 4)
    bring_a_certificate(server)
    chapter("TLS")
    chapter("Change something in office hours", 1)
    chapter("Emergency numbers", 2)
    (server.home / "users.csv").write_text(
        "login,name,role,queues,language,active\nhoa,Lê Thị Hoa,agent,advice,vi,yes\n",
        encoding="utf-8",
    )
    chapter("First accounts")
    assert {"lan", "hoa"} <= {
        one["login"] for one in json.loads(server.types("hotline user list --json"))
    }

    (root / "etc/hotline1022/backup.key").write_text("mười hai con giáp, một con mèo")
    server.types("install -o hotline -m 600 /etc/hotline1022/backup.key /etc/hotline1022/own.key")
    server.types("mv /etc/hotline1022/own.key /etc/hotline1022/backup.key")
    server.types("install -d -o hotline -g hotline /mnt/backups")
    chapter("Backup", 0, 1, 2)
    before = len(server.calls())
    chapter.own |= {EXAMPLE: newest(root)}
    chapter("Backup", 3, 4)
    with (root / SETTINGS).open("a", encoding="utf-8") as settings:
        settings.write("ring_s = 25\n")  # its first step: what is changed
    chapter("Change something in office hours", 0)
    done = json.loads(server.types("hotline history --json"))
    chapter.own |= {"rollback 7": f"rollback {done[-2]['number']}"}
    chapter("Change something in office hours", 2, 3, 4)
    chapter("Watch it")
    for name, typed in test_runbook.chapters().items():
        for line in typed:
            if line.startswith(AS_ROOT):  # the others: tests/live/test_runbook.py
                done = server.root_types(line)
                assert done.returncode == 0, f"{name}, {line}: {done.stdout}{done.stderr}"
    bring_a_recording(server)
    chapter("The voice")
    chapter("These manuals as files")
    assert (server.home / "manuals/en/engineer.pdf").stat().st_size > 10_000
    chapter("Load")
    chapter.own |= {"--calls 20 --every 15": "--calls 2 --every 2"}
    chapter("Training")
    chapter("Secrets")

    newer(deb, root / "root")
    chapter("Upgrade, and the way back", 0)
    assert version(server) == "0.2.0"
    chapter.own |= {EXAMPLE: newest(root)}
    chapter("Upgrade, and the way back", 1)
    assert version(server) == "0.1.0"
    answers(server, "0912345679")
    assert len(server.calls()) > before
    chapter("The site is lost", 2)
    chapter("Drain and restart", 0)
    wait_for(lambda: server.root_types("systemctl is-active hotline1022").stdout == "inactive\n",
             "it has stopped, and stays so", 60)
    server.types("systemctl start hotline1022")
    answers(server, "0912345681")
    chapter("Drain and restart", 1)

    # a server on which nothing was yet
    for line in (
        "systemctl stop 'hotline1022*'", f"mv /{STATE} /{STATE}.lost",
        f"install -d -o hotline -g hotline /{STATE}",
        "runuser -u postgres -- dropdb hotline1022",
        "runuser -u postgres -- createdb --owner=hotline hotline1022",
    ):
        server.types(line)
    chapter("The site is lost", 0)
    wait_for(lambda: set(states(server).values()) == {"ok"}, "the carriers answer", 180)
    chapter("The site is lost", 1)
    answers(server, "0912345680")
    server.types("hotline ledger")

    chapter("Upgrade, and the way back", 2)
    assert not (root / "usr/bin/hotline").exists()
    assert "hotline1022" not in server.root_types("systemctl list-timers --all").stdout
    assert server.home.is_dir(), "calls, cases and keys are no package's"


def answers(server: Server, number: str) -> None:
    """Once it is up, which a unit that was started is not at once."""
    wait_for(lambda: server.root_types("runuser -u hotline -- hotline probe").returncode == 0,
             "the number answers a test call", 300)
    server.types(f'hotline call 1022 --from {number} --press "3 0" --hold 5')
    assert server.call_of(number)["path"]


def version(server: Server) -> str:
    return server.root_types("dpkg-query -W -f '${Version}' hotline1022").stdout


def newest(root: Path) -> str:
    return max(one.name for one in (root / "mnt/backups").glob("*.backup"))


def bring_a_certificate(server: Server) -> None:
    """That of the local authority, where the manual's example has the console's own."""
    for made, named in (("hotline.crt", "console.pem"), ("hotline.key", "console.key")):
        server.types(f"install -o hotline -m 600 /{STATE}/tls/{made} /etc/hotline1022/{named}")


def bring_a_recording(server: Server) -> None:
    """A sentence as somebody spoke it."""
    server.types("mkdir spoken")
    server.types("hotline prompts play greeting_main --save spoken/greeting_main.wav")


def newer(deb: Path, folder: Path) -> None:
    """The same package under the next version's number."""
    work = folder / "newer"
    run("dpkg-deb", "-R", str(deb), str(work))
    control = work / "DEBIAN/control"
    text = control.read_text(encoding="utf-8")
    control.write_text(text.replace("Version: 0.1.0", "Version: 0.2.0"), encoding="utf-8")
    run("dpkg-deb", "--root-owner-group", "-Znone", "--build", str(work), str(folder))
    shutil.rmtree(work)


def states(server: Server) -> dict[str, str]:
    told = json.loads(server.types("hotline doctor --json --only trunk"))
    return {one["name"]: one["status"] for one in told["checks"] if one["name"].startswith("trunk")}
