"""Asterisk comes from a mirror that may be in the middle of its own update."""

from __future__ import annotations

import hashlib
import subprocess
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from ivr import runtime

INDEX = "/dists/sid/main/binary-amd64/Packages"


class Mirror(ThreadingHTTPServer):
    """One of a single package; the index of packages answers 503 so many times."""

    refusals = 0


class Pages(SimpleHTTPRequestHandler):
    def do_GET(self) -> None:
        assert isinstance(self.server, Mirror)
        if INDEX in self.path and self.server.refusals > 0:
            self.server.refusals -= 1
            self.send_error(503)
        else:
            super().do_GET()

    def log_message(self, format: str, *args: object) -> None:
        pass


def package(folder: Path) -> Path:
    control = folder / "tree" / "DEBIAN" / "control"
    control.parent.mkdir(parents=True)
    control.write_text(
        "Package: asterisk\nVersion: 1:22.9-1\nArchitecture: amd64\nMaintainer: nobody\n"
        "Description: in its place\n"
    )
    made = folder / "mirror" / "asterisk_22.9-1_amd64.deb"
    made.parent.mkdir()
    subprocess.run(["dpkg-deb", "--build", folder / "tree", made], check=True, capture_output=True)
    return made


def digests(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@pytest.fixture
def mirror(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Mirror]:
    monkeypatch.setattr(runtime, "AGAIN_S", 0.1)
    (tmp_path / "apt.conf").write_text('Acquire::Retries::Delay "false";\n')
    monkeypatch.setenv("APT_CONFIG", str(tmp_path / "apt.conf"))
    deb = package(tmp_path)
    root = deb.parent
    shown = subprocess.run(
        ["dpkg-deb", "--field", deb], check=True, capture_output=True, text=True
    ).stdout
    index = root / INDEX.strip("/")
    index.parent.mkdir(parents=True)
    index.write_text(
        f"{shown}Filename: {deb.name}\nSize: {deb.stat().st_size}\n"
        f"SHA256: {digests(deb.read_bytes())}\n\n"
    )
    listed = index.read_bytes()
    (root / "dists/sid/Release").write_text(
        "Suite: sid\nCodename: sid\nComponents: main\nArchitectures: amd64\n"
        "Date: Fri, 27 Nov 2026 10:00:00 UTC\n"
        f"SHA256:\n {digests(listed)} {len(listed)} main/binary-amd64/Packages\n"
    )
    with Mirror(("127.0.0.1", 0), partial(Pages, directory=str(root))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def source(mirror: Mirror, tmp_path: Path) -> Path:
    made = tmp_path / "sid.list"
    made.write_text(f"deb [trusted=yes] http://127.0.0.1:{mirror.server_port} sid main\n")
    return made


def test_an_index_that_cannot_be_had_at_first_is_asked_for_again(
    mirror: Mirror, tmp_path: Path
) -> None:
    mirror.refusals = 5  # more than apt asks in one attempt
    [package] = runtime._download(tmp_path / "cache", source(mirror, tmp_path))
    assert package.name.startswith("asterisk_")


def test_an_index_that_cannot_be_had_at_all_is_named_as_the_cause(
    mirror: Mirror, tmp_path: Path
) -> None:
    mirror.refusals = 1000
    with pytest.raises(runtime.RuntimeFault, match="apt-get update"):
        runtime._download(tmp_path / "cache", source(mirror, tmp_path))


def test_the_mirror_of_this_host_is_known_without_its_indexes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in a small image, which throws them away."""
    (tmp_path / "sources.list").write_text(
        "deb [trusted=yes] http://deb.example.org/debian-security sid-security main\n"
        "deb [trusted=yes] http://deb.example.org/debian sid main\n"
    )
    (tmp_path / "state/lists/partial").mkdir(parents=True)
    (tmp_path / "apt.conf").write_text(
        f'Dir::Etc::sourcelist "{tmp_path}/sources.list"; Dir::Etc::sourceparts "/dev/null";\n'
        f'Dir::State "{tmp_path}/state"; Dir::State::status "/var/lib/dpkg/status";\n'
    )
    monkeypatch.setenv("APT_CONFIG", str(tmp_path / "apt.conf"))
    assert runtime._mirror_of_host() == "http://deb.example.org/debian"
