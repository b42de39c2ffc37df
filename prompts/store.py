"""Where sound files are kept: a cache by content, and the folder that Asterisk plays from."""

from __future__ import annotations

import fcntl
import json
import os
import re
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

_MANIFEST = "manifest.json"
_UNFINISHED = ".unfinished."
_NAME = re.compile(r"(digits/)?[a-z0-9][a-z0-9_.-]*")

_Stamp = tuple[int, int]  # size, time of writing in ns


class Store:
    """The cache `<cache>/<key>.alaw` and the published files `<out>/<name>.alaw`.

    A manifest beside the published files has the key and the stamp of each, so that a file that
    is in place is known without reading it, and one that no name asks for can be removed.
    """

    def __init__(self, cache: Path, out: Path) -> None:
        self._cache = cache
        self._out = out
        self._published = _read_manifest(out)
        self._changed = False

    @classmethod
    @contextmanager
    def open(cls, cache: Path, out: Path) -> Iterator[Store]:
        """The store, for one process at a time: others wait. The cache may be other hotlines' too,
        and is waited for by nobody: what it has under a key is the same. Raises OSError."""
        with _locked(out):
            cache.mkdir(parents=True, exist_ok=True)
            for folder in (cache, out):
                _clear(folder)
            store = cls(cache, out)
            try:
                yield store
            finally:
                store._write_manifest()

    def has(self, key: str) -> bool:
        return _stamp(self._cached(key)) > (0, 0)

    def add(self, key: str, alaw: bytes) -> None:
        _write(self._cache, self._cached(key), alaw)

    def publish(self, name: str, key: str) -> None:
        """Copy a cached file to its name, unless that is what is there already."""
        path = self._out / f"{name}.alaw"
        if self._published.get(name) == (key, _stamp(path)):
            return
        path.parent.mkdir(exist_ok=True)
        _write(self._out, path, self._cached(key).read_bytes())
        self._published[name] = (key, _stamp(path))
        self._changed = True

    def keep_only(self, names: Iterable[str], *, and_cached: bool = False) -> int:
        """Remove what was published under other names, from the cache too where nothing of it may
        stay; say how many files that were."""
        gone = self._published.keys() - set(names)
        for name in gone:
            if and_cached:  # first: whoever dies here does it again
                self._cached(self._published[name][0]).unlink(missing_ok=True)
            (self._out / f"{name}.alaw").unlink(missing_ok=True)
            del self._published[name]
            self._changed = True
        return len(gone)

    def _cached(self, key: str) -> Path:
        return self._cache / f"{key}.alaw"

    def _write_manifest(self) -> None:
        if self._changed:
            entries = {name: [key, *stamp] for name, (key, stamp) in self._published.items()}
            _write(self._out, self._out / _MANIFEST, json.dumps(entries).encode())


def published_keys(out: Path) -> dict[str, str]:
    """What is published in a folder: the key of each name whose file is as it was written."""
    return {
        name: key for name, (key, stamp) in _read_manifest(out).items()
        if stamp == _stamp(out / f"{name}.alaw")
    }


def _read_manifest(out: Path) -> dict[str, tuple[str, _Stamp]]:
    """What was published. A lost or damaged manifest costs one copy of each file."""
    try:
        entries = json.loads((out / _MANIFEST).read_bytes())
        return {
            name: (str(key), (int(size), int(written)))
            for name, (key, size, written) in entries.items()
            if _NAME.fullmatch(name)
        }
    except (FileNotFoundError, ValueError, TypeError, AttributeError):
        return {}


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # let go by the system if this process dies
        yield


def _stamp(path: Path) -> _Stamp:
    try:
        status = path.stat()
    except FileNotFoundError:
        return (0, 0)
    return (status.st_size, status.st_mtime_ns) if status.st_size else (0, 0)


def _write(folder: Path, path: Path, data: bytes) -> None:
    """Write a file so that it is seen whole or not at all."""
    unfinished = folder / f"{_UNFINISHED}{os.getpid()}.{threading.get_ident()}"
    try:
        unfinished.write_bytes(data)
        unfinished.chmod(0o644)
        os.replace(unfinished, path)
    except OSError:
        unfinished.unlink(missing_ok=True)  # on a full disk every block counts
        raise


def _clear(folder: Path) -> None:
    """Remove what those who are no more have not finished."""
    for left in folder.glob(f"{_UNFINISHED}*"):
        pid = left.name.removeprefix(_UNFINISHED).partition(".")[0]
        if not (pid.isdigit() and Path("/proc", pid).exists()):
            left.unlink(missing_ok=True)
