"""The whole of docs/cluster.md, for tests: an edge, three nodes, a database with a hot standby."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Collection, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from crm.database import Database
from crm.settings import load
from ivr import edge
from tests.live.running import HOTLINE, Hotline
from tests.postgres import FOLLOWED, Server

BRIDGE, CARRIER, EDGE = "hlclbr", "10.77.22.254", "10.77.22.7"
NAMES = {"th1": "10.77.22.1", "th2": "10.77.22.2", "th3": "10.77.22.3"}


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)


@contextmanager
def network() -> Iterator[None]:
    """A network of its own for each machine, and this test beside the carrier."""
    made = ["edge", *NAMES]
    with ExitStack() as stack:
        ip("link", "add", BRIDGE, "type", "bridge")
        stack.callback(ip, "link", "del", BRIDGE)
        ip("addr", "add", f"{CARRIER}/24", "dev", BRIDGE)
        ip("link", "set", BRIDGE, "up")
        for name, address in zip(made, [EDGE, *NAMES.values()], strict=True):
            ip("netns", "add", f"hlcl-{name}")
            stack.callback(ip, "netns", "del", f"hlcl-{name}")
            ip("link", "add", f"hlcl-{name}", "type", "veth", "peer", "name", "hlclin")
            ip("link", "set", "hlclin", "netns", f"hlcl-{name}")
            ip("link", "set", f"hlcl-{name}", "master", BRIDGE, "up")
            within = ("-n", f"hlcl-{name}")
            ip(*within, "addr", "add", f"{address}/24", "dev", "hlclin")
            ip(*within, "link", "set", "hlclin", "up")
            ip(*within, "link", "set", "lo", "up")
        yield


class Kamailio:
    """The edge, before these nodes."""

    def __init__(self, where: Path, nodes: Collection[str] = tuple(NAMES)) -> None:
        self._where = where
        settings = load({
            "HOTLINE_HOME": str(where), "HOTLINE_EDGE_BIND": f"{EDGE}:5060",
            "HOTLINE_EDGE_NODES": ",".join(f"{NAMES[one]}:5060" for one in nodes),
            "HOTLINE_TRUNK_MATCH": CARRIER, "HOTLINE_TRUNK_SERVER": f"{CARRIER}:5999",
        })
        where.mkdir(exist_ok=True)
        for name, text in edge.files(settings, where).items():
            (where / name).write_text(text, encoding="utf-8")

    def start(self) -> None:
        with (self._where / "log").open("ab") as log:
            self._running = subprocess.Popen(
                ["ip", "netns", "exec", "hlcl-edge", "kamailio", "-f",
                 str(self._where / edge.CONFIGURATION), "-Y", str(self._where), "-DD", "-E"],
                stdout=log, stderr=log, start_new_session=True,
            )

    def stop(self) -> None:
        self._running.terminate()
        try:
            self._running.wait(20)
        except subprocess.TimeoutExpired:
            # told to end while it starts, it forgets children and waits for them
            os.killpg(self._running.pid, signal.SIGKILL)
            self._running.wait()


@dataclass
class Cluster:
    nodes: dict[str, Hotline]
    kamailio: Kamailio
    primary: Server
    standby: Server
    database: Database


@contextmanager
def running_cluster(tmp_path: Path) -> Iterator[Cluster]:
    """All of it, each machine in a network namespace of its own. Needs root."""
    shared = tmp_path / "shared"
    shared.mkdir()
    with ExitStack() as stack:
        stack.enter_context(network())
        primary = stack.enter_context(Server(settings=FOLLOWED))
        Database(primary.url).migrate()
        standby = stack.enter_context(Server(settings=FOLLOWED, follows=primary))
        url = (f"postgresql://hotline@/postgres?host={primary.folder},{standby.folder}"
               "&target_session_attrs=read-write")
        nodes: dict[str, Hotline] = {}
        for at, (name, address) in enumerate(NAMES.items()):
            home = tmp_path / name / "home"
            node = Hotline(
                home, HOTLINE_NODE=name, HOTLINE_DATABASE_URL=url, HOTLINE_KEPT=str(shared),
                HOTLINE_NODES=", ".join(f"{one} {at}:5060" for one, at in NAMES.items()),
                HOTLINE_NODE_QUEUES="vaccine th2, testing th3", HOTLINE_SIP_BIND=f"{address}:5060",
                HOTLINE_PHONES_FROM=str(100 * at + 1), HOTLINE_SEATS="2", HOTLINE_DESK_PHONES="1",
                HOTLINE_TRUNK_SERVER=f"{EDGE}:5060", HOTLINE_TRUNK_MATCH=EDGE,
                HOTLINE_TRUNK_OPTIONS_S="2",
            )
            node.command = ["ip", "netns", "exec", f"hlcl-{name}", *HOTLINE]
            home.mkdir(parents=True)
            if nodes:
                shutil.copy(nodes["th1"].home / "secrets.json", home)
            node.setup()
            stack.callback(node.stop)
            node.start(180)
            nodes[name] = node
        kamailio = Kamailio(tmp_path / "kamailio")
        kamailio.start()
        stack.callback(kamailio.stop)
        yield Cluster(nodes, kamailio, primary, standby, Database(url))
