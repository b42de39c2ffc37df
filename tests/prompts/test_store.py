"""Where sounds are kept: one cache for several hotlines, and nothing half-written."""

from __future__ import annotations

from pathlib import Path

from prompts.store import Store, published_keys


def test_no_hotline_waits_for_another_that_uses_the_same_cache(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    with (
        Store.open(cache, tmp_path / "one") as stuck,  # its process may be stopped for long
        Store.open(cache, tmp_path / "other") as store,
    ):
        stuck.add("key", b"sound")
        assert store.has("key")
        store.add("key", b"sound")
        store.publish("greeting", "key")
    assert published_keys(tmp_path / "other") == {"greeting": "key"}


def test_what_a_killed_process_has_not_finished_is_removed(tmp_path: Path) -> None:
    cache, out = tmp_path / "cache", tmp_path / "out"
    gone = 2**22 + 1  # no process has this number
    for folder in (cache, out):
        folder.mkdir()
        (folder / f".unfinished.{gone}.1").write_bytes(b"half")
    (cache / ".unfinished.1.1").write_bytes(b"another is at it")
    with Store.open(cache, out):
        assert [one.name for one in cache.iterdir()] == [".unfinished.1.1"]
        assert not list(out.glob(".unfinished*"))
