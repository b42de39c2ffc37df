"""The packages: all is in them, and each works where no sources lie."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from crm.settings import PROJECT
from tests.live.running import CACHE, Hotline, free_ports, wait_for

ROOMS = ("agent_console", "crm", "dialplans", "docs/manuals", "ivr", "prompts", "scripts")
NOT_RUN = {  # of the sources alone
    "scripts/audit", "scripts/environment", "scripts/lock", "scripts/package", "scripts/run",
    "scripts/test",
}
LEFT_OUT = (
    ".git", ".venv", "var", "dist", "build", "node_modules", "*.egg-info", "__pycache__",
    ".*_cache",
)
BUILD = """
import sys
from setuptools import build_meta
out = sys.argv[1]  # the first build leaves other arguments behind
build_meta.build_wheel(out)
build_meta.build_sdist(out)
"""


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel and the source archive, made from a copy of the sources."""
    folder = tmp_path_factory.mktemp("packages")
    sources = folder / "sources"
    shutil.copytree(PROJECT, sources, ignore=lambda at, names: {
        *shutil.ignore_patterns(*LEFT_OUT)(at, names),
        *(("dist",) if Path(at) == PROJECT and "dist" in names else ()),
    } - ({"dist"} if Path(at).name == "static" else set()))
    subprocess.run(
        [sys.executable, "-c", BUILD, str(folder)], cwd=sources, check=True, capture_output=True,
    )
    shutil.rmtree(sources)
    return folder


@pytest.fixture(scope="module")
def unpacked(packages: Path) -> Path:
    folder = packages / "unpacked"
    with zipfile.ZipFile(next(packages.glob("*.whl"))) as wheel:
        wheel.extractall(folder)  # noqa: S202  our own
    return folder


def wanted() -> Iterator[str]:
    """Every file of the rooms that the program may want when it runs."""
    for room in ROOMS:
        for file in (PROJECT / room).rglob("*"):
            name = str(file.relative_to(PROJECT))
            if file.is_file() and "__pycache__" not in name and "/frontend/" not in name:
                yield name


def run(folder: Path, code: str, home: Path) -> str:
    """What a program prints that has this folder, and no sources, to import from."""
    home.mkdir(exist_ok=True)
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=home, capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONPATH": str(folder), "HOME": str(home)},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_the_wheel_has_every_file_of_the_program_and_nothing_else(unpacked: Path) -> None:
    there = {
        str(file.relative_to(unpacked)) for file in unpacked.rglob("*")
        if file.is_file() and ".dist-info/" not in str(file)
    }
    assert set(wanted()) - NOT_RUN - there == set()
    assert not [name for name in there if re.match(r"tests|agent_console/frontend|setup", name)]


def contents(wheel: Path) -> dict[str, int]:
    """Each file of the program, by the check sum of what is in it."""
    with zipfile.ZipFile(wheel) as archive:
        return {one.filename: one.CRC for one in archive.infolist()
                if ".dist-info/" not in one.filename}


def test_the_source_archive_builds_again_without_a_browser_s_tools(
    packages: Path, tmp_path: Path
) -> None:
    with tarfile.open(next(packages.glob("*.tar.gz"))) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
        archive.extractall(tmp_path / "sources", filter="data")
    assert {
        *wanted(), "setup.cfg", "setup.py", "pyproject.toml", "README.md", "Containerfile",
        "requirements.lock", "agent_console/frontend/package-lock.json", "tests/conftest.py",
    } - names == set()
    assert not [name for name in names if "node_modules" in name]
    [sources] = (tmp_path / "sources").iterdir()
    subprocess.run(
        [sys.executable, "-c", BUILD, str(tmp_path)], cwd=sources, check=True, capture_output=True,
        env={"PATH": str(tmp_path)},  # no npm, no node
    )
    again, first = next(tmp_path.glob("*.whl")), next(packages.glob("*.whl"))
    assert contents(again) == contents(first)


def test_a_wheel_without_the_browser_s_scripts_is_not_built(tmp_path: Path) -> None:
    for name in ("setup.py", "setup.cfg", "pyproject.toml", "README.md"):
        shutil.copy(PROJECT / name, tmp_path)
    (tmp_path / "agent_console").mkdir()
    (tmp_path / "agent_console" / "app.py").touch()
    done = subprocess.run(
        [sys.executable, "-c", BUILD, str(tmp_path)], cwd=tmp_path, capture_output=True, text=True,
        check=False,
    )
    assert done.returncode
    assert "agent_console/static/dist/agent.js is not built" in done.stderr


def test_an_unpacked_wheel_finds_its_own_files_and_writes_into_the_home_alone(
    unpacked: Path, tmp_path: Path
) -> None:
    before = {file for file in unpacked.rglob("*") if "__pycache__" not in str(file)}
    printed = run(unpacked, """
import crm.settings
from crm import settings, secrets
from crm.database import Database
from agent_console.app import create_app
from ivr import commands, provision
from scripts import setup
read = settings.load({})
assert provision.load_menus(read)
database = Database.of(read)
read.home.mkdir(parents=True)
database.migrate()
setup.first_agencies(database)
print(setup.build_frontend(print))
made = secrets.ensure(read.home, [])
client = create_app(read, database, commands.for_settings(read, made), made).test_client()
assert "Tên đăng nhập" in client.get("/login").text
assert client.get("/static/dist/agent.js").status_code == 200
print(crm.settings.__file__)
print(read.home)
import os, sys
sys.stdout.flush()
os._exit(0)
""", tmp_path / "empty")
    assert printed.splitlines() == [
        "scripts and texts came with the package", f"{unpacked}/crm/settings.py",
        f"{tmp_path}/empty/.local/state/hotline1022",
    ]
    assert {file for file in unpacked.rglob("*") if "__pycache__" not in str(file)} == before


def image_steps() -> list[list[str]]:
    """Each line of the container file: its word, and the rest."""
    text = re.sub(r"\\\n", "", (PROJECT / "Containerfile").read_text(encoding="utf-8"))
    return [line.split(maxsplit=1) for line in text.splitlines() if line and line[0] != "#"]


def test_the_container_file_installs_what_the_lock_names_and_runs_as_nobody_s_root() -> None:
    lines = image_steps()
    known = {"FROM", "RUN", "COPY", "ENV", "USER", "WORKDIR", "VOLUME", "CMD", "HEALTHCHECK"}
    assert {word for word, _ in lines} <= known
    assert lines[0][0] == "FROM"
    said = {word: rest for word, rest in lines if word != "RUN"}
    assert said["USER"] == "hotline"
    source, wheel, _ = said["COPY"].split()
    assert (PROJECT / source).is_file()
    assert wheel == "dist/hotline1022-*.whl"
    assert said["CMD"] == '["sh", "-c", "hotline setup && exec hotline up"]'
    assert "--require-hashes" in next(rest for word, rest in lines if "pip" in rest)


def pip(python: Path, *words: str) -> None:
    """Install; what lies on PYTHONPATH is not taken for installed."""
    subprocess.run(
        [str(python), "-I", "-m", "pip", "-q", "--disable-pip-version-check", "install", *words],
        check=True,
    )


@pytest.mark.full
@pytest.mark.parametrize("kind", ["*.whl", "*.tar.gz"])
def test_a_package_in_a_new_environment_answers_a_call(
    packages: Path, tmp_path: Path, kind: str
) -> None:
    """From an empty folder, the source archive without the tools of browsers."""
    python = tmp_path / "venv" / "bin" / "python"
    subprocess.run([sys.executable, "-m", "venv", str(tmp_path / "venv")], check=True)
    pip(python, "--no-deps", "--require-hashes", "-r", str(PROJECT / "requirements.lock"))
    pip(python, "--no-deps", str(next(packages.glob(kind))))
    hotline = Hotline(tmp_path / "home")
    hotline.environment.pop("PYTHONPATH", None)
    hotline.command = [str(python.with_name("hotline"))]
    hotline.folder = tmp_path / "empty"
    hotline.folder.mkdir()
    try:
        assert "0.1.0" in hotline.run("--version").stdout
        hotline.setup()
        hotline.start()
        done = hotline.run("call", "1022", "--from", "0912345678", "--press", "8", "--hold", "8")
        assert done.returncode == 0, done.stdout + done.stderr
        tried = hotline.call_of("0912345678")
        assert (bool(tried["path"]), tried["kind"]) == (True, "test")
        hotline.assert_ledger_complete()
    finally:
        hotline.stop()
    assert not list(hotline.folder.iterdir())


@pytest.mark.full
def test_the_debian_package_unpacks_to_a_program_that_runs_with_the_host_s_python(
    tmp_path: Path,
) -> None:
    subprocess.run([str(PROJECT / "scripts" / "package"), "deb"], check=True,
                   env={**os.environ, "HOTLINE_DIST": str(tmp_path / "dist")})
    deb = next((tmp_path / "dist").glob("*.deb"))
    root = tmp_path / "root"
    subprocess.run(["dpkg-deb", "-x", str(deb), str(root)], check=True)
    told = subprocess.run(["dpkg-deb", "-f", str(deb), "Depends"], check=True, capture_output=True,
                          text=True).stdout
    assert "python3 (>= 3." in told
    assert "adduser" in told
    unit = (root / "etc/systemd/system/hotline1022.service").read_text(encoding="utf-8")
    assert "WorkingDirectory=/opt/hotline1022/lib\n" in unit
    assert "ExecStart=/usr/bin/python3 -m scripts.hotline up\n" in unit
    assert "/opt/hotline1022/lib" in (root / "usr/bin/hotline").read_text(encoding="utf-8")
    hotline = Hotline(tmp_path / "home")
    hotline.environment["PYTHONPATH"] = str(root / "opt/hotline1022/lib")
    hotline.command = ["/usr/bin/python3", "-m", "scripts.hotline"]
    hotline.folder = tmp_path
    assert CACHE.is_dir()
    try:
        hotline.setup()
        hotline.start()
        done = hotline.run("call", "1022", "--from", "0912345678", "--press", "8", "--hold", "8")
        assert done.returncode == 0, done.stdout + done.stderr
        tried = hotline.call_of("0912345678")
        assert (bool(tried["path"]), tried["kind"]) == (True, "test")
    finally:
        hotline.stop()


class Image:
    """A folder of the image's Debian, in which the lines of the container file are done as an
    engine would: no layers, and the host's network, as the file says that it is run."""

    def __init__(self, root: Path, wheels: Path) -> None:
        self.root = root
        self._wheels = wheels
        self.environment = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}
        self.user, self.folder = "root", "/"

    def command(self, *words: str, **more: str) -> list[str]:
        told = {**self.environment, **more, "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": "/wheels"}
        return [
            "env", "SYSTEMD_NSPAWN_TMPFS_TMP=0",  # /tmp is the image's own
            "systemd-nspawn", "--quiet", "--register=no", "--keep-unit", "--pipe",
            f"--directory={self.root}", "--resolv-conf=copy-host", f"--user={self.user}",
            f"--chdir={self.folder}", f"--bind-ro={self._wheels}:/wheels", "--as-pid2",
            *(f"--setenv={name}={value}" for name, value in told.items()), *words,
        ]

    def within(self, pid: int, *words: str, **more: str) -> list[str]:
        """A command beside what runs in the image, as `podman exec` gives one."""
        inner = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()[0]
        told = {**self.environment, **more}
        return ["nsenter", f"--target={inner}", "--mount", "--pid", "--root", "--wd",
                "runuser", "-u", self.user, "--", "env", "-i",
                *(f"{name}={value}" for name, value in told.items()), *words]

    def step(self, word: str, rest: str, sources: Path) -> None:
        match word:
            case "RUN":
                done = subprocess.run(self.command("sh", "-c", rest), capture_output=True,
                                      text=True, check=False)
                assert done.returncode == 0, f"{rest}: {done.stdout}{done.stderr}"
            case "COPY":
                *files, there = rest.split()
                for pattern in files:
                    [file] = sources.glob(pattern)
                    shutil.copy(file, self.root / there.lstrip("/"))
            case "ENV":
                for pair in shlex.split(rest):
                    name, _, value = pair.partition("=")
                    self.environment[name] = value.replace("$PATH", self.environment["PATH"])
            case "USER":
                self.user = rest
            case "WORKDIR":
                self.folder = rest


def locked_for(python: str) -> Iterator[str]:
    """What the lock names for this version of Python; pip itself asks the one that it runs in."""
    text = (PROJECT / "requirements.lock").read_text(encoding="utf-8").replace("\\\n", " ")
    for line in re.findall(r"^\w.*$", text, re.M):
        named, *hashes = re.split(r"\s+(?=--hash)", line.strip())
        wanted = Requirement(named)
        there = {"python_version": python, "python_full_version": f"{python}.0"}
        if wanted.marker is None or wanted.marker.evaluate(there):
            yield " ".join([named.partition(";")[0].strip(), *hashes])


@pytest.mark.full
def test_the_container_file_s_lines_make_an_image_that_answers_a_call(
    packages: Path, tmp_path: Path
) -> None:
    """No engine is here: a folder made by debootstrap stands for what it begins with."""
    for tool in ("debootstrap", "systemd-nspawn"):
        assert shutil.which(tool), f"apt-get install debootstrap systemd-container: {tool}"
    steps = image_steps()
    release = re.fullmatch(r"docker\.io/library/debian:(\w+)-slim", steps[0][1])
    assert release
    wheels, sources, root = (tmp_path / name for name in ("wheels", "sources", "image"))
    subprocess.run(["debootstrap", "--variant=minbase", release[1], str(root),
                    "http://deb.debian.org/debian"], check=True, capture_output=True)
    (root / "etc/apt/apt.conf.d/90test").write_text('Acquire::Check-Valid-Until "false";\n')
    there = subprocess.run(
        ["chroot", str(root), "apt-cache", "show", "python3"], check=True, capture_output=True,
        text=True,
    ).stdout
    version = re.search(r"^Version: (3\.\d+)", there, re.M)
    assert version
    locked = tmp_path / "locked.txt"
    locked.write_text("\n".join(locked_for(version[1])), encoding="utf-8")
    subprocess.run(  # what the engine's network would give it
        [sys.executable, "-m", "pip", "-q", "download", "--no-deps", "--require-hashes",
         "--only-binary=:all:", "--python-version", version[1], "-r", str(locked), "-d",
         str(wheels)], check=True, capture_output=True,
    )
    (sources / "dist").mkdir(parents=True)
    shutil.copy(PROJECT / "requirements.lock", sources)
    shutil.copy(next(packages.glob("*.whl")), sources / "dist")
    image = Image(root, wheels)
    said = {word: rest for word, rest in steps if word != "RUN"}
    for word, rest in steps[1:]:
        image.step(word, rest, sources)
    ports = dict(zip(("CONSOLE", "SIP", "WS", "AMI"), free_ports(4), strict=True))
    own = {f"HOTLINE_{name}_BIND": f"127.0.0.1:{port}" for name, port in ports.items()}
    log = tmp_path / "image.log"
    with log.open("wb") as out:
        up = subprocess.Popen(image.command(*json.loads(said["CMD"]), **own), stdout=out,
                              stderr=out, stdin=subprocess.DEVNULL, start_new_session=True)
    health = json.loads(said["HEALTHCHECK"].partition("CMD ")[2])
    try:
        wait_for(lambda: "Hotline 1022 runs." in log.read_text(encoding="utf-8"),
                 f"it runs, see {log}", 600)
        call = ("hotline", "call", "1022", "--from", "0912345678", "--press", "8", "--hold", "8")
        for words in (call, health):
            done = subprocess.run(image.within(up.pid, *words, **own), capture_output=True,
                                  text=True, check=False)
            assert done.returncode == 0, done.stdout + done.stderr
    finally:
        up.send_signal(signal.SIGTERM)
        up.wait(120)
