"""The Asterisk that runs the hotline: found or unpacked, started, adopted, asked, stopped.

It is never installed over the host. In this order: the operator's own (`HOTLINE_ASTERISK`, or one
on PATH, version 20 or newer); the host's own Debian or Ubuntu package, unpacked into the cache;
Debian sid's package with its whole closure, libc included, which needs nothing of the host.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import resource
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from crm.errors import HotlineError
from crm.settings import Settings
from ivr import provision

MINIMUM = (20,)
KEYRINGS = (
    "/usr/share/keyrings/debian-archive-keyring.gpg",
    "/usr/share/keyrings/debian-archive-keyring.pgp",
)
ATTEMPTS, AGAIN_S = 3, 10.0  # for a mirror in the middle of its own update
OPEN_FILES_PER_CALL = 6  # about 4 were seen; recordings and messages need one more each
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
Progress = Callable[[str], None]


class RuntimeFault(HotlineError):
    """No Asterisk can be had, or it does not start. The message says what to do."""


@dataclass(frozen=True)
class Asterisk:
    """An Asterisk that can be run: its command, and where its modules and documents lie."""

    command: tuple[str, ...]
    modules: Path
    documents: Path
    version: tuple[int, ...]
    origin: str

    @property
    def version_text(self) -> str:
        return ".".join(map(str, self.version))


def find(settings: Settings, progress: Progress, *, fetch: bool) -> Asterisk:
    """The Asterisk to use; with `fetch`, unpacked if need be. Raises RuntimeFault."""
    if settings.asterisk:
        return _system(settings.asterisk, "HOTLINE_ASTERISK")
    if on_path := shutil.which("asterisk", path=f"{os.environ.get('PATH', '')}:/usr/sbin"):
        try:
            return _system(Path(on_path), "system")
        except RuntimeFault as fault:
            progress(f"{fault}; looking further")
    root = settings.cache / "asterisk" / "root"
    if (root / "origin").exists():
        return _in_root(root)
    if not fetch:
        raise RuntimeFault(f"no Asterisk is unpacked in {root}: ./scripts/run fetches it")
    return _unpacked(settings.cache / "asterisk", settings.debian_mirror, progress)


def _system(binary: Path, origin: str) -> Asterisk:
    if not os.access(binary, os.X_OK):
        raise RuntimeFault(f"{origin}: {binary} is no program; name the asterisk binary itself")
    version = _version((str(binary),))
    if version < MINIMUM:
        raise RuntimeFault(f"{origin}: {binary} is version {version[0]}; 20 or newer is needed")
    # PREFIX/sbin/asterisk has its modules below PREFIX/lib, wherever it was built for
    prefixes = dict.fromkeys((binary.parent.parent, Path("/usr"), Path("/usr/local")))
    for folder in (found for prefix in prefixes
                   for found in sorted(prefix.glob("lib*/**/asterisk/modules"))):
        if (folder / "app_queue.so").exists():
            return Asterisk((str(binary),), folder, _documents(prefixes), version, origin)
    looked = ", ".join(f"{prefix}/lib*" for prefix in prefixes)
    raise RuntimeFault(f"{origin}: the modules of {binary} were not found under {looked}")


def _documents(prefixes: Iterable[Path]) -> Path:
    """The folder of the XML documents, without which Asterisk 22 does not start."""
    places = [
        base / "documentation" for prefix in prefixes
        for base in (prefix / "share/asterisk", prefix / "var/lib/asterisk")
    ]
    places.append(Path("/var/lib/asterisk/documentation"))
    return next((place for place in places if place.exists()), places[0])


def _version(command: Sequence[str]) -> tuple[int, ...]:
    try:
        shown = subprocess.run(
            [*command, "-V"], capture_output=True, text=True, timeout=20, check=True
        ).stdout
    except (OSError, subprocess.SubprocessError) as error:
        raise RuntimeFault(f"{command[-1]} -V does not run: {error}") from error
    match = re.search(r"Asterisk (?:certified[/-])?(\d+)\.(\d+)(?:\.(\d+))?", shown)
    if not match:
        raise RuntimeFault(f"{command[-1]} -V does not tell its version: {shown.strip()!r}")
    return tuple(int(part) for part in match.groups() if part)


def _in_root(root: Path) -> Asterisk:
    loaders = [*root.glob("usr/lib*/*/ld-linux-*.so.*"), *root.glob("lib*/*/ld-linux-*.so.*"),
               *root.glob("usr/lib*/ld-linux-*.so.*"), *root.glob("lib/ld-linux-*.so.*")]
    modules = next(root.glob("usr/lib/*/asterisk/modules"))
    libraries = modules.parent.parent
    binary = str(root / "usr/sbin/asterisk")
    paths = f"{libraries}:{root / 'lib' / libraries.name}"
    if loaders:
        command: tuple[str, ...] = (str(loaders[0]), "--library-path", paths, binary)
    else:  # the host's own suite: the host's loader fits
        command = ("/usr/bin/env", f"LD_LIBRARY_PATH={paths}", binary)
    documents = root / "usr/share/asterisk/documentation"
    origin = (root / "origin").read_text(encoding="utf-8").strip()
    return Asterisk(command, modules, documents, _version(command), origin)


def _unpacked(cache: Path, mirror: str | None, progress: Progress) -> Asterisk:
    root = cache / "root"
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two set-ups at once: the second finds the work done
        if not (root / "origin").exists():
            _fetch(cache, root, mirror, progress)
    return _in_root(root)


def _fetch(cache: Path, root: Path, mirror: str | None, progress: Progress) -> None:
    for tool in ("apt-get", "dpkg"):
        if not shutil.which(tool):
            raise RuntimeFault(
                f"no Asterisk was found and {tool} is not here to fetch one: install Asterisk 20 "
                "or newer and name it in HOTLINE_ASTERISK"
            )
    suites: list[tuple[str, Path | None]] = []
    if _host_offers():
        suites.append(("the host's own package", None))
    suites.append(("Debian sid", _sid_source(cache, mirror)))
    trouble = []
    for origin, source in suites:
        draft = cache / "root.new"
        shutil.rmtree(draft, ignore_errors=True)
        try:
            progress(f"Asterisk: fetching {origin} (about 80 MB)")
            packages = _download(cache, source)
            progress(f"Asterisk: unpacking {len(packages)} packages")
            draft.mkdir(parents=True)
            for package in packages:
                _run(["dpkg", "-x", str(package), str(draft)], "dpkg")
            (draft / "origin").write_text(f"{origin}\n", encoding="utf-8")
            found = _in_root(draft)
            if found.version < MINIMUM:
                raise RuntimeFault(f"version {found.version_text} is too old")
            draft.replace(root)
            shutil.rmtree(cache / "apt", ignore_errors=True)
            return
        except (RuntimeFault, StopIteration) as fault:
            trouble.append(f"{origin}: {fault}")
    raise RuntimeFault(
        "Asterisk could not be fetched (" + "; ".join(trouble) + "). Check the network and the "
        "disk, or install Asterisk 20 or newer and name it in HOTLINE_ASTERISK"
    )


def _host_offers() -> bool:
    """Whether the host's own suites carry Asterisk 20 or newer."""
    shown = subprocess.run(
        ["apt-cache", "policy", "asterisk"], capture_output=True, text=True, check=False
    ).stdout
    match = re.search(r"Candidate: (?:\d+:)?(\d+)\.", shown)
    return bool(match and int(match[1]) >= MINIMUM[0])


def _mirror_of_host() -> str:
    """The Debian mirror this host already uses, whether or not it has its indexes at hand."""
    shown = subprocess.run(
        ["apt-get", "--print-uris", "-o", "Debug::NoLocking=1", "update"],
        capture_output=True, text=True, check=False,
    ).stdout
    if found := re.search(r"^'(https?://[^\s']+/debian)/dists/", shown, re.M):
        return found[1]
    raise RuntimeFault("this host names no Debian mirror: set HOTLINE_DEBIAN_MIRROR to one's URL")


def _sid_source(cache: Path, mirror: str | None) -> Path:
    keyring = next((name for name in KEYRINGS if Path(name).exists()), None)
    if keyring is None:
        raise RuntimeFault(
            "the keyring that signs Debian's packages is missing: install debian-archive-keyring"
        )
    mirror = mirror or _mirror_of_host()
    source = cache / "sid.list"
    source.write_text(f"deb [signed-by={keyring}] {mirror} sid main\n", encoding="utf-8")
    return source


def _download(cache: Path, source: Path | None) -> list[Path]:
    """Download the closure of the asterisk package with apt's own state in the cache."""
    apt = cache / "apt"
    shutil.rmtree(apt, ignore_errors=True)
    for folder in ("state/lists/partial", "cache/archives/partial"):
        (apt / folder).mkdir(parents=True)
    options = [
        "-o", f"Dir::State={apt / 'state'}", "-o", f"Dir::Cache={apt / 'cache'}",
        "-o", "APT::Install-Recommends=false", "-o", "Debug::NoLocking=1",
        "-o", "APT::Sandbox::User=", "-o", "Acquire::Retries=3",
    ]
    if source:  # a foreign suite: nothing of the host counts as installed
        (apt / "status").touch()
        options += [
            "-o", f"Dir::Etc::sourcelist={source}", "-o", "Dir::Etc::sourceparts=/dev/null",
            "-o", f"Dir::State::status={apt / 'status'}",
            "-o", "APT::Update::Error-Mode=any",  # else an index it has not got is a mere warning
        ]
    for left in reversed(range(ATTEMPTS)):
        try:
            _run(["apt-get", *options, "-q", "update"], "apt-get update")
            break
        except RuntimeFault:
            if not left:
                raise
            time.sleep(AGAIN_S)
    _run(["apt-get", *options, "-q", "-y", "--download-only", "install", "asterisk"], "apt-get")
    return sorted((apt / "cache/archives").glob("*.deb"))


def _run(command: list[str], name: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        lines = (done.stderr or done.stdout).strip().splitlines()
        raise RuntimeFault(f"{name}: {lines[-1] if lines else f'exit code {done.returncode}'}")


# ------------------------------------------------------------------ running it


def open_files(settings: Settings) -> int:
    """The open-file limit the capacity needs, as far as the system allows it."""
    wanted = max(16_384, settings.capacity * OPEN_FILES_PER_CALL)
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    return wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)


def is_running(asterisk: Asterisk, home: Path) -> bool:
    """Whether this hotline's Asterisk answers on its control socket."""
    return ask(asterisk, home, "core show uptime", timeout_s=10) is not None


def ask(asterisk: Asterisk, home: Path, command: str, *, timeout_s: float = 15) -> str | None:
    """One command on the control socket; None if Asterisk does not answer."""
    config = str(provision.etc(home) / "asterisk.conf")
    try:
        done = subprocess.run(
            [*asterisk.command, "-C", config, "-rx", command],
            capture_output=True, text=True, timeout=timeout_s, check=False, errors="replace",
        )
    except subprocess.TimeoutExpired:
        return None
    return _COLOUR.sub("", done.stdout) if done.returncode == 0 else None


def start(asterisk: Asterisk, settings: Settings) -> int:
    """Start Asterisk in a session of its own, so that it outlives us; wait until it is up.

    Returns its process id. Raises RuntimeFault with the last lines of its log.
    """
    home = settings.home
    documents = home / "asterisk" / "data" / "documentation"
    documents.unlink(missing_ok=True)
    documents.symlink_to(asterisk.documents)
    limit = open_files(settings)
    log = home / "asterisk" / "log" / "start.log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            [*asterisk.command, "-C", str(provision.etc(home) / "asterisk.conf"), "-f"],
            stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True,
            cwd=home / "asterisk", env={**os.environ, "TZ": "ICT-7"},
            preexec_fn=lambda: _before_asterisk(limit),  # noqa: PLW1509
        )
    deadline = time.monotonic() + 40
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        if "fully booted" in (ask(asterisk, home, "core waitfullybooted") or ""):
            return process.pid
        time.sleep(0.1)
    process.kill()
    tail = "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-5:])
    raise RuntimeFault(f"Asterisk does not start; the end of {log}:\n{tail}")


def _before_asterisk(limit: int) -> None:
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
    with contextlib.suppress(PermissionError):  # speech before everything else, where allowed
        os.setpriority(os.PRIO_PROCESS, 0, -10)


def pid(home: Path) -> int | None:
    """The process id of this hotline's Asterisk, if it is alive."""
    try:
        number = int((home / "asterisk" / "run" / "asterisk.pid").read_text(encoding="ascii"))
        words = Path(f"/proc/{number}/cmdline").read_bytes().split(b"\0")
    except (OSError, ValueError):
        return None
    # a stale file may name a process of somebody else
    return number if str(provision.etc(home) / "asterisk.conf").encode() in words else None


def stop(asterisk: Asterisk, home: Path, *, grace_s: float) -> None:
    """Stop taking calls, give those that go on `grace_s` seconds, then stop."""
    number = pid(home)
    if number is None:
        return
    ask(asterisk, home, "core stop gracefully" if grace_s else "core stop now")
    deadline = time.monotonic() + grace_s
    while pid(home) == number and time.monotonic() < deadline:
        time.sleep(0.1)
    if pid(home) == number:
        ask(asterisk, home, "core stop now")
    deadline = time.monotonic() + 5
    while pid(home) == number and time.monotonic() < deadline:
        time.sleep(0.1)
    if pid(home) == number:
        os.kill(number, signal.SIGKILL)


def port_taken(host: str, port: int, *, datagram: bool) -> str | None:
    """Why nobody can listen there, or None."""
    kind = socket.SOCK_DGRAM if datagram else socket.SOCK_STREAM
    with socket.socket(socket.AF_INET, kind) as one:
        if not datagram:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            one.bind((host, port))
        except OSError as error:
            return error.strerror
    return None


def stop_recordings(asterisk: Asterisk, home: Path) -> None:
    """End all recordings that go on; the calls go on."""
    channels = ask(asterisk, home, "core show channels concise") or ""
    for name in re.findall(r"^([^!\n]+)!", channels, re.MULTILINE):
        ask(asterisk, home, f"mixmonitor stop {name}")


def calls_now(asterisk: Asterisk, home: Path) -> int | None:
    """How many channels to people outside are up; None if Asterisk does not answer. A kept place in
    a queue is none: it is kept again after a restart."""
    channels = ask(asterisk, home, "core show channels concise")
    if channels is None:
        return None
    return len(re.findall(r"^PJSIP/(?:trunk|carrier2?)-", channels, re.MULTILINE))
