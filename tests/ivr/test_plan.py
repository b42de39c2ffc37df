"""What a change means for calls that are up, and what of it is shown."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from ivr import history, plan
from ivr.plan import Effect

NOW = datetime(2026, 11, 26, 8, 0, tzinfo=UTC)

PJSIP = """
[global]
type = global
[udp]
type = transport
bind = 0.0.0.0:5060
[phone](!)
type = endpoint
allow = alaw
[seat-001](phone)
auth = seat-001
[seat-001]
type = auth
password = s3cret-of-the-seat
"""


def effect_of(name: str, old: str, new: str, version: tuple[int, ...] = (22, 10)) -> Effect:
    return plan.compare({name: old}, {name: new}, version=version).effect


def test_nothing_has_changed() -> None:
    same = plan.compare({"pjsip.conf": PJSIP}, {"pjsip.conf": PJSIP}, version=(22, 10))
    assert (same.changes, same.effect, same.commands) == ((), Effect.NONE, ())


@pytest.mark.parametrize(("old", "new", "effect"), [
    ("allow = alaw", "allow = alaw,ulaw", Effect.NEW_CALLS),
    ("s3cret-of-the-seat", "another-secret", Effect.NEW_CALLS),
    ("0.0.0.0:5060", "0.0.0.0:5070", Effect.RESTART),
    ("[seat-001](phone)\nauth = seat-001\n", "", Effect.QUIET),
])
def test_what_a_change_of_pjsip_does_to_calls(old: str, new: str, effect: Effect) -> None:
    assert old in PJSIP
    assert effect_of("pjsip.conf", PJSIP, PJSIP.replace(old, new)) == effect


def test_an_older_asterisk_wants_a_quiet_minute_for_what_could_lock_it_up() -> None:
    changed = PJSIP.replace("allow = alaw", "allow = ulaw")
    assert effect_of("pjsip.conf", PJSIP, changed, (20, 6)) == Effect.QUIET


@pytest.mark.parametrize(("name", "old", "new", "effect"), [
    ("extensions.conf", "a", "b", Effect.NEW_CALLS),
    ("queues.conf", "a", "b", Effect.NEW_CALLS),
    ("logger.conf", "a", "b", Effect.NONE),
    ("modules.conf", "load = a.so\n", "load = a.so\nload = b.so\n", Effect.NONE),
    ("modules.conf", "load = a.so\nload = b.so\n", "load = a.so\n", Effect.RESTART),
    ("manager.conf", "port = 5038\n", "port = 5039\n", Effect.STOP),
    ("http.conf", "sessionlimit = 1\n", "sessionlimit = 2\n", Effect.NONE),
    ("http.conf", "bindport = 8088\n", "bindport = 8089\n", Effect.STOP),
    ("asterisk.conf", "maxfiles = 1\n", "maxfiles = 2\n", Effect.RESTART),
    ("asterisk.conf", "systemname = a.1\n", "systemname = b.1\n", Effect.STOP),
    ("cel_custom.conf", "a", "b", Effect.QUIET),
    ("a_new_one.conf", "", "b", Effect.RESTART),
])
def test_what_a_change_of_another_file_does(
    name: str, old: str, new: str, effect: Effect
) -> None:
    assert effect_of(name, old, new) == effect


def test_what_asterisk_does_not_run_is_loaded_again_though_no_file_differs() -> None:
    same = {"pjsip.conf": PJSIP, "queues.conf": "a", "logger.conf": "b"}
    found = plan.compare(
        same, same, version=(22, 10),
        stale={"pjsip.conf": "no desk-01", "queues.conf": "no vaccine"},
    )
    assert [(one.file, one.effect, one.diff) for one in found.changes] == [
        ("pjsip.conf", Effect.NEW_CALLS, ""), ("queues.conf", Effect.NEW_CALLS, ""),
    ]
    assert found.commands == ("module reload res_pjsip.so", "queue reload parameters")
    assert found.otherwise == ("no desk-01", "no vaccine")
    older = plan.compare(same, same, version=(20, 6), stale={"pjsip.conf": "no desk-01"})
    assert older.effect == Effect.QUIET


def test_members_and_wrap_ups_are_never_reloaded() -> None:
    found = plan.compare({"queues.conf": "a"}, {"queues.conf": "b"}, version=(22, 10))
    assert found.commands == ("queue reload parameters",)


def test_what_is_added_to_the_modules_is_loaded_and_nothing_else() -> None:
    found = plan.compare(
        {"modules.conf": "load = a.so\n"}, {"modules.conf": "load = a.so\nload = b.so\n"},
        version=(22, 10),
    )
    assert found.commands == ("module load b.so",)


def test_no_secret_is_shown() -> None:
    changed = PJSIP.replace("s3cret-of-the-seat", "another-secret")
    found = plan.compare(
        {"pjsip.conf": PJSIP, "extensions.conf": "SHA1(key-of-the-web:1)\n"},
        {"pjsip.conf": changed, "extensions.conf": "SHA1(key-of-the-web:2)\n"},
        version=(22, 10), hide=("key-of-the-web",),
    )
    shown = "".join(one.diff for one in found.changes)
    assert "-password = ***\n+password = ***\n" in shown
    for secret in ("s3cret-of-the-seat", "another-secret", "key-of-the-web"):
        assert secret not in shown


# ------------------------------------------------------------------ the history


def kept(home: Path, text: str, result: str) -> history.Record:
    return history.add(
        home, {"extensions.conf": text}, now=NOW, who="kysu", why="test", kind="apply",
        result=result, changed=("extensions.conf",),
    )


def test_the_history_tells_what_is_in_force_and_what_was_not_brought_to_its_end(
    tmp_path: Path
) -> None:
    assert history.records(tmp_path) == []
    assert history.in_force(tmp_path) is None
    first = kept(tmp_path, "one", history.IN_FORCE)
    second = kept(tmp_path, "two", history.APPLYING)
    assert (first.number, second.number) == (1, 2)
    assert history.in_force(tmp_path) == first
    assert history.unfinished(tmp_path) == second
    assert history.files(tmp_path, 1) == {"extensions.conf": "one"}
    ended = history.end(tmp_path, second, history.ROLLED_BACK, "no greeting")
    assert history.unfinished(tmp_path) is None
    assert history.records(tmp_path) == [first, ended]
    with pytest.raises(history.HistoryError, match="there is no configuration 7"):
        history.files(tmp_path, 7)


def test_a_set_is_kept_for_its_owner_alone_and_old_ones_go(tmp_path: Path) -> None:
    for number in range(history.KEPT + 5):
        kept(tmp_path, str(number), history.IN_FORCE)
    known = history.records(tmp_path)
    assert [one.number for one in known] == list(range(6, history.KEPT + 6))
    file = history.folder(tmp_path) / "0055" / "extensions.conf"
    assert file.stat().st_mode & 0o077 == 0
    assert file.parent.stat().st_mode & 0o077 == 0


def test_a_half_written_set_is_none(tmp_path: Path) -> None:
    kept(tmp_path, "one", history.IN_FORCE)
    (history.folder(tmp_path) / "0002.new").mkdir()
    (history.folder(tmp_path) / "0002.new" / "record.json").write_text("{", encoding="utf-8")
    assert len(history.records(tmp_path)) == 1
    assert kept(tmp_path, "two", history.IN_FORCE).number == 2


def test_two_at_once_one_is_refused_and_told_who_is_at_it(tmp_path: Path) -> None:
    with (
        history.alone(tmp_path, "kysu.a"),
        pytest.raises(history.HistoryError, match=r"changed by kysu\.a \(pid \d+\)"),
        history.alone(tmp_path, "kysu.b"),
    ):
        pass
    with history.alone(tmp_path, "kysu.b"):
        assert history.is_held(tmp_path)
    assert not history.is_held(tmp_path)
