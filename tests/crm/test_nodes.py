"""Which node holds which queue, and phones that belong to one node."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from pathlib import Path

import pytest

from crm import desk, nodes
from crm.branches import QUEUES
from crm.database import Database
from crm.kept import folder, share
from crm.models import Seat, User
from crm.settings import Settings, SettingsError, load
from ivr.provision import ProvisionError, _sync_phones

NOW = datetime(2026, 11, 27, 3, 0, tzinfo=UTC)


def settings(tmp_path: Path, **said: str) -> Settings:
    return load({
        "HOTLINE_HOME": str(tmp_path), "HOTLINE_NODES": "th1 10.0.0.1:5060, th2 10.0.0.2:5060",
        "HOTLINE_DATABASE_URL": "postgresql://hotline@db/hotline", "HOTLINE_KEPT": "/mnt/hotline",
        "HOTLINE_NODE_QUEUES": "vaccine th2, relief th2",
        **{f"HOTLINE_{name}": value for name, value in said.items()},
    })


def test_a_queue_is_held_by_the_node_of_the_settings_until_it_is_moved(
    sqlite: Database, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "hotline.audit")
    here = settings(tmp_path)
    with sqlite.transaction() as session:
        assert nodes.held_by(session, here, "th2") == ("vaccine", "relief")
        assert set(nodes.held_by(session, here, "th1")) == set(QUEUES) - {"vaccine", "relief"}
        changed = nodes.move(session, here, "th2", "th1", by="huy", why="a fan", now=NOW)
    assert changed == {"node.vaccine": "th1", "node.relief": "th1"}
    assert "from th2 to th1 by huy: vaccine, relief (a fan)" in caplog.text
    with sqlite.reading() as session:
        assert nodes.held_by(session, here, "th2") == ()
        assert [(one.name, one.connected, len(one.queues))
                for one in nodes.states(session, here)] == [
            ("th1", False, len(QUEUES)), ("th2", False, 0)]


@pytest.mark.parametrize(("source", "target", "said"), [
    ("th9", "th1", "there is no node th9; there are th1, th2"),
    ("th1", "th9", "there is no node th9"),
    ("th1", "th1", "th1 holds them already"),
])
def test_what_cannot_be_moved_is_told(
    sqlite: Database, tmp_path: Path, source: str, target: str, said: str
) -> None:
    with sqlite.transaction() as session, pytest.raises(nodes.NodeError, match=said):
        nodes.move(session, settings(tmp_path), source, target, by="huy", why="", now=NOW)


@pytest.mark.parametrize(("said", "why"), [
    ({"NODE": "th9"}, "nodes must name this node, th9, too"),
    ({"NODES": "th1 10.0.0.1:5060, th1 10.0.0.2:5060"}, "a name stands there twice"),
    ({"NODE_QUEUES": "vaccine th9"}, "vaccine th9: there is no such node"),
    ({"NODE_SOCKETS": "th9 wss://1022.example/ws/th9"}, "node_sockets: th9 .*no such node"),
    ({"PHONES_EDGE": "10.0.0.7:5060", "PHONE_TRANSPORT": "tls+srtp"}, "the edge takes .* by UDP"),
    ({"NODE_SOCKETS": "th2 ws://1022.example/ws"}, "must be NAME wss://HOST/PATH"),
    ({"DATABASE_URL": "sqlite:////tmp/x.db"}, "several nodes share a PostgreSQL"),
    ({"KEPT": ""}, "several nodes share a folder"),
    ({"NODES": "th1"}, "must be IPV4ADDRESS:PORT"),
    ({"NODE_QUEUES": "moon th1"}, "must be QUEUE NODE"),
])
def test_settings_that_make_no_cluster_are_told(
    tmp_path: Path, said: dict[str, str], why: str
) -> None:
    with pytest.raises(SettingsError, match=why):
        settings(tmp_path, **said)


@pytest.mark.parametrize(("node", "queues", "served"), [
    ("th1", ("vaccine", "relief", "testing"), ["th1", "th2"]),
    ("th2", ("vaccine", "testing", "operator"), ["th2", "th1"]),
    ("th1", ("vaccine", "emergency"), ["th2"]),
    ("th1", ("emergency",), []), ("th1", (), []),
])
def test_agents_have_phones_of_the_nodes_that_hold_their_queues(
    sqlite: Database, tmp_path: Path, node: str, queues: tuple[str, ...], served: list[str]
) -> None:
    with sqlite.reading() as session:
        assert nodes.serving(session, settings(tmp_path, NODE=node), queues) == served


def test_a_phone_is_one_nodes(sqlite: Database) -> None:
    _sync_phones(sqlite, "old", {"seat-001": "x", "desk-01": "x"}, alone=True)
    _sync_phones(sqlite, "th1", {"seat-001": "x", "desk-01": "x"}, alone=True)  # renamed
    _sync_phones(sqlite, "th2", {"seat-101": "x"}, alone=False)
    with pytest.raises(ProvisionError, match="seat-001 is a phone of the node th1"):
        _sync_phones(sqlite, "th2", {"seat-001": "x"}, alone=False)
    with sqlite.transaction() as session:
        user = User(login="lan", name="Lan", role="agent", password_hash="x", created_at=NOW)
        session.add(user)
        session.flush()
        seats = {node: desk.lease_seat(
            session, user, desk.SeatKind.WEBRTC, now=NOW, node=node
        ).name for node in ("th1", "th2")}
        assert seats == {"th1": "seat-001", "th2": "seat-101"}
        assert session.get_one(Seat, "seat-001").user_id is None  # of one node at a time


def test_what_is_kept_lies_in_the_shared_folder_or_nowhere(tmp_path: Path) -> None:
    home, shared = tmp_path / "home", tmp_path / "mount" / "hotline"
    home.mkdir()
    assert folder(home, "recordings") == home / "recordings"
    with pytest.raises(OSError, match="hotline"):
        share(home, shared)  # not mounted
    shared.mkdir(parents=True)
    for _ in range(2):
        share(home, shared)
    (folder(home, "recordings") / "x.sealed").write_bytes(b"x")
    assert (shared / "recordings" / "x.sealed").exists()
    shared.rename(tmp_path / "gone")
    assert not folder(home, "recordings").exists()
