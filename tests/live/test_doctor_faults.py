"""Each thing that the doctor looks after is broken, and named. A check without a fault fails."""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import stat
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import delete, select

from crm import first_accounts, kept, safeguards, users
from crm import settings as configuration
from crm.branches import SERVICES
from crm.calls import emergency
from crm.cases import attachments
from crm.intake.models import Attachment
from crm.models import Drill, JournalPosition, ListenerState, User
from crm.recordings import store
from crm.recordings.models import Kind, Sound
from crm.settings import PROJECT
from ivr import doctor, provision, runtime, tls
from ivr.doctor import advisories, machine, records
from tests.crm.cases.factory import opened
from tests.crm.intake import files
from tests.ivr.patients import patient
from tests.live.running import HOTLINE, Hotline, running_hotline, wait_for


@dataclass(frozen=True)
class Fault:
    """What the doctor is to say, with which settings besides those of the hotline."""

    says: str
    settings: dict[str, str] = field(default_factory=dict)


Break = Callable[[Hotline], AbstractContextManager[Fault]]
FAULTS: dict[str, Break] = {}

AGREED = {
    "HOTLINE_TRUNK_SERVER": "127.0.0.1:9", "HOTLINE_EMERGENCY_MEDICAL": "0237000115",
    "HOTLINE_EMERGENCY_FIRE": "0237000114", "HOTLINE_EMERGENCY_POLICE": "0237000113",
    "HOTLINE_EMERGENCY_RESCUE": "0237000112",
}
# What a hotline that was just set up, on a machine without a carrier, needs to be sound
SOUND = {
    "emergency": AGREED, "alg": AGREED,
    "numbers": {"HOTLINE_HELP_LINES": "111", "HOTLINE_EMERGENCY_CHECKED":
                f"111 {datetime.now(UTC):%Y-%m-%d} Tổng đài 111"},
}
# What is as the machine is, or needs a carrier or a human voice: sound in other tests
ELSEWHERE = {"clock", "beat", "disk", "trunk", "voice", "advisories"}


def breaks(name: str) -> Callable[[Callable[[Hotline], Iterator[Fault]]], Break]:
    def register(function: Callable[[Hotline], Iterator[Fault]]) -> Break:
        manager = contextmanager(function)
        FAULTS[name] = manager
        return manager

    return register


def examine(hotline: Hotline, name: str, more: dict[str, str]) -> list[doctor.Check]:
    settings = configuration.load(hotline.environment | more)
    return doctor.examine(patient(settings), only={name})


@pytest.fixture(scope="module")
def hotline(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hotline]:
    """One on which all has been done that set-up leaves to people."""
    with running_hotline(tmp_path_factory.mktemp("doctor") / "home") as running:
        now = datetime.now(UTC)
        with running.database.transaction() as session:
            for user in session.scalars(select(User)):
                users.set_password(session, user, users.generate_password(), now)
            for service in SERVICES:
                emergency.record_drill(session, service.id, now, "with the duty officer")
        (running.home / first_accounts.FILE).unlink()
        made = running.home.parent / "hotline.backup"
        made.touch()
        safeguards.note_backup(running.home, made, now)
        safeguards.note_drill(running.home, [], now)
        yield running


def test_every_check_has_a_fault_that_it_names() -> None:
    assert {name.partition(":")[0] for name in FAULTS} == doctor.EXAMINATIONS.keys()


@pytest.mark.parametrize("name", sorted(doctor.EXAMINATIONS.keys() - ELSEWHERE))
def test_a_sound_hotline_is_found_sound(hotline: Hotline, name: str) -> None:
    def is_sound() -> bool:
        found = examine(hotline, name, SOUND.get(name, {}))
        return bool(found) and all(one.status == doctor.OK and not one.cure for one in found)

    wait_for(is_sound, f"{name} is sound: {examine(hotline, name, SOUND.get(name, {}))}")


@contextmanager
def moved(file: Path) -> Iterator[None]:
    """It is gone meanwhile."""
    aside = file.with_name(f"{file.name}.aside")
    file.rename(aside)
    yield
    aside.rename(file)


@contextmanager
def silent(*commands: str) -> Iterator[None]:
    """Asterisk is too slow to answer these."""
    ask = runtime.ask

    def slow(
        asterisk: runtime.Asterisk, home: Path, command: str, *, timeout_s: float = 15
    ) -> str | None:
        return None if command in commands else ask(asterisk, home, command, timeout_s=timeout_s)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(runtime, "ask", slow)
        yield


def wrong_menus(hotline: Hotline) -> dict[str, str]:
    folder = hotline.home.parent / "wrong-menus"
    folder.mkdir(exist_ok=True)
    (folder / "main.yml").write_text("main: [", encoding="utf-8")
    return {"HOTLINE_MENUS": str(folder)}


NO_DATABASE = {"HOTLINE_DATABASE_URL": "sqlite:////proc/none/hotline.db"}


@breaks("asterisk: none")
def _(_hotline: Hotline) -> Iterator[Fault]:
    yield Fault("/none/asterisk is no program", {"HOTLINE_ASTERISK": "/none/asterisk"})


@breaks("asterisk")
def _(hotline: Hotline) -> Iterator[Fault]:
    yield Fault("not running", {"HOTLINE_HOME": str(hotline.home.parent / "nothing")})


@breaks("asterisk: drained")
def _(hotline: Hotline) -> Iterator[Fault]:
    provision.draining(hotline.home).touch()
    soon = time.time() + 60
    os.utime(provision.draining(hotline.home), (soon, soon))
    yield Fault("takes no new calls")
    provision.draining(hotline.home).unlink()


@breaks("advisories: of its version")
def _(hotline: Hotline) -> Iterator[Fault]:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(runtime, "_version", lambda _: (22, 5, 1))
        yield Fault("Asterisk 22.5.1 stands under")


@breaks("advisories: an old list")
def _(_hotline: Hotline) -> Iterator[Fault]:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(advisories, "LIST_OF", advisories.LIST_OF - timedelta(days=400))
        yield Fault("by a list of")


@breaks("modules")
def _(hotline: Hotline) -> Iterator[Fault]:
    hotline.ask("module unload app_echo.so")
    yield Fault("app_echo")
    hotline.ask("module load app_echo.so")


@breaks("modules: not to be had")
def _(_hotline: Hotline) -> Iterator[Fault]:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(provision, "MODULES", (*provision.MODULES, "app_of_a_newer_version"))
        yield Fault("not running: app_of_a_newer_version")


@breaks("modules: slow")
def _(_hotline: Hotline) -> Iterator[Fault]:
    with silent("module show"):
        yield Fault("too slow to tell")


@breaks("configuration: menus")
def _(hotline: Hotline) -> Iterator[Fault]:
    yield Fault("main.yml", wrong_menus(hotline))


@breaks("configuration: never written")
def _(hotline: Hotline) -> Iterator[Fault]:
    with moved(hotline.home / "secrets.json"):
        yield Fault("never written")


@breaks("configuration: slow")
def _(_hotline: Hotline) -> Iterator[Fault]:
    with silent("core waitfullybooted"):
        yield Fault("too slow to tell what it runs")


@breaks("configuration: another dialplan runs")
def _(hotline: Hotline) -> Iterator[Fault]:
    hotline.ask("dialplan remove context hl-version")
    yield Fault("Asterisk has not taken the dialplan")
    hotline.ask("dialplan reload")


@breaks("configuration: queues are not loaded")
def _(hotline: Hotline) -> Iterator[Fault]:
    hotline.ask("module unload app_queue.so")
    yield Fault("does not know the queues advice")
    hotline.ask("module load app_queue.so")


@breaks("configuration: by hand")
def _(hotline: Hotline) -> Iterator[Fault]:
    queues = provision.etc(hotline.home) / "queues.conf"
    rules = queues.read_text(encoding="utf-8")
    queues.write_text(rules + "; by hand\n", encoding="utf-8")
    yield Fault("differs on disk: queues.conf")
    queues.write_text(rules, encoding="utf-8")


@breaks("capacity: files")
def _(_hotline: Hotline) -> Iterator[Fault]:
    yield Fault("open files for 20000 calls", {"HOTLINE_CAPACITY": "20000"})


@breaks("capacity: ports")
def _(_hotline: Hotline) -> Iterator[Fault]:
    yield Fault("5 pairs of audio ports", {"HOTLINE_RTP_PORTS": "10000-10010"})


@breaks("browsers: all taken")
def _(hotline: Hotline) -> Iterator[Fault]:
    bind = hotline.settings.ws_bind
    with ExitStack() as stack:
        for _ in range(hotline.settings.seats * 2 + 45):
            stack.enter_context(socket.create_connection((bind.host, bind.port), 5))
        yield Fault("the next browsers are refused")


@breaks("browsers: nearly all taken")
def _(hotline: Hotline) -> Iterator[Fault]:
    bind = hotline.settings.ws_bind
    http = (provision.etc(hotline.home) / "http.conf").read_text(encoding="utf-8")
    limit = int(http.partition("sessionlimit = ")[2].splitlines()[0])
    with ExitStack() as stack:
        for _ in range(limit * 9 // 10):
            stack.enter_context(socket.create_connection((bind.host, bind.port), 5))
        yield Fault("the next browsers are refused")


@breaks("browsers: no file")
def _(hotline: Hotline) -> Iterator[Fault]:
    with moved(provision.etc(hotline.home) / "http.conf"):
        yield Fault("http.conf: No such file")


@breaks("browsers: fewer than seats")
def _(_hotline: Hotline) -> Iterator[Fault]:
    yield Fault("66 sessions for 999 seats", {"HOTLINE_SEATS": "999"})


@breaks("ami: slow")
def _(hotline: Hotline) -> Iterator[Fault]:
    number = hotline.pid_of("asterisk")
    os.kill(number, signal.SIGSTOP)
    later = threading.Timer(1.2, os.kill, (number, signal.SIGCONT))
    later.start()
    yield Fault("answers after")
    later.join()


@breaks("ami: nobody there")
def _(_hotline: Hotline) -> Iterator[Fault]:
    yield Fault("127.0.0.1:9", {"HOTLINE_AMI_BIND": "127.0.0.1:9"})


@breaks("ami: no secrets")
def _(hotline: Hotline) -> Iterator[Fault]:
    with moved(hotline.home / "secrets.json"):
        yield Fault("no secrets yet")


@breaks("trunk: of this machine alone")
def _(_hotline: Hotline) -> Iterator[Fault]:
    yield Fault("only the local test trunk")


@breaks("trunk: Asterisk is down")
def _(hotline: Hotline) -> Iterator[Fault]:
    yield Fault("Asterisk does not run", AGREED | {
        "HOTLINE_HOME": str(hotline.home.parent / "nothing"),
    })


@breaks("trunk: not registered")
def _(_hotline: Hotline) -> Iterator[Fault]:
    yield Fault("not registered at 127.0.0.1:9", AGREED | {
        "HOTLINE_TRUNK_OPTIONS_S": "0", "HOTLINE_TRUNK_USER": "hotline",
        "HOTLINE_TRUNK_PASSWORD": "of-the-carrier",
    })


@breaks("trunk")
def _(_hotline: Hotline) -> Iterator[Fault]:
    yield Fault("does not answer OPTIONS", {"HOTLINE_TRUNK_SERVER": "127.0.0.1:9"})


@breaks("nat: a private address")
def _(_hotline: Hotline) -> Iterator[Fault]:
    yield Fault("callers would hear nothing", {
        "HOTLINE_SIP_BIND": "10.9.8.7:5060", "HOTLINE_TRUNK_MATCH": "1.2.3.4",
    })


@breaks("nat: a private address is told")
def _(_hotline: Hotline) -> Iterator[Fault]:
    yield Fault("HOTLINE_MEDIA_ADDRESS 10.9.8.7 is private", {
        "HOTLINE_SIP_BIND": "10.9.8.7:5060", "HOTLINE_TRUNK_MATCH": "1.2.3.4",
        "HOTLINE_MEDIA_ADDRESS": "10.9.8.7",
    })


@breaks("nat: the loopback")
def _(_hotline: Hotline) -> Iterator[Fault]:
    yield Fault("cannot be reached from outside", {"HOTLINE_TRUNK_MATCH": "1.2.3.4"})


@breaks("alg")
def _(_hotline: Hotline) -> Iterator[Fault]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as carrier:
        carrier.bind(("127.0.0.1", 0))

        def answer() -> None:
            """As a router would have it: another sent-by, and the branch as it was."""
            asked, came_from = carrier.recvfrom(65535)
            text = asked.decode().replace(f"UDP 127.0.0.1:{came_from[1]}", "UDP 203.0.113.9:1024")
            carrier.sendto(text.replace(
                text.splitlines()[0], "SIP/2.0 200 OK"
            ).encode(), came_from)

        thread = threading.Thread(target=answer)
        thread.start()
        yield Fault("came back with another Via", {
            "HOTLINE_TRUNK_SERVER": "{}:{}".format(*carrier.getsockname()),
        })
        thread.join()


@breaks("alg: no address")
def _(_hotline: Hotline) -> Iterator[Fault]:
    yield Fault("carrier.invalid has no address", {"HOTLINE_TRUNK_SERVER": "carrier.invalid"})


@breaks("alg: no way")
def _(_hotline: Hotline) -> Iterator[Fault]:
    yield Fault("cannot be asked", AGREED | {"HOTLINE_SIP_BIND": "192.0.2.7:5060"})


@breaks("audio: ports of others")
def _(_hotline: Hotline) -> Iterator[Fault]:
    with ExitStack() as stack:
        for port in range(45_000, 45_020):
            one = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
            one.bind(("127.0.0.1", port))
        yield Fault("1 of 21 audio ports are free", {"HOTLINE_RTP_PORTS": "45000-45020"})


@breaks("audio: nothing comes in")
def _(_hotline: Hotline) -> Iterator[Fault]:
    yield Fault("no packet from here to 192.0.2.1", {"HOTLINE_MEDIA_ADDRESS": "192.0.2.1"})


@breaks("journal: does not grow")
def _(hotline: Hotline) -> Iterator[Fault]:
    hotline.ask("module unload cel_custom.so")
    caller = subprocess.Popen(
        [*HOTLINE, "call", "1022", "--from", "0912000701", "--hold", "60"],
        env=hotline.environment, cwd=PROJECT, stdout=subprocess.DEVNULL,
    )
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(records, "WRITTEN_S", 0)
        wait_for(lambda: "!0912000701!" in hotline.ask("core show channels concise"), "a call")
        time.sleep(1.1)
        yield Fault("1 of 1 channels that are up do not stand in it")
    caller.terminate()
    caller.wait()
    hotline.ask("module load cel_custom.so")


@breaks("journal: nothing of this start")
def _(hotline: Hotline) -> Iterator[Fault]:
    file = provision.etc(hotline.home) / "asterisk.conf"
    text = file.read_text(encoding="utf-8")
    file.write_text(text.replace("systemname = th1.", "systemname = th1.x"), encoding="utf-8")
    yield Fault("has written nothing into it")
    file.write_text(text, encoding="utf-8")


@breaks("journal: nowhere")
def _(hotline: Hotline) -> Iterator[Fault]:
    yield Fault("cannot be written", {"HOTLINE_HOME": str(hotline.home.parent / "nothing")})


@breaks("database: of another version")
def _(hotline: Hotline) -> Iterator[Fault]:
    yield Fault("another schema", {
        "HOTLINE_DATABASE_URL": f"sqlite:///{hotline.home.parent}/empty.db",
    })


@breaks("database")
def _(hotline: Hotline) -> Iterator[Fault]:
    yield Fault("unable to open", {
        "HOTLINE_DATABASE_URL": f"sqlite:///{hotline.home}/none/hotline.db",
    })


@breaks("tailer")
def _(hotline: Hotline) -> Iterator[Fault]:
    hotline.signal("tailer", signal.SIGSTOP)
    with hotline.database.transaction() as session:
        position = session.get_one(JournalPosition, "th1")
        offset, position.offset = position.offset, position.offset - 10
        position.read_at = datetime.now(UTC) - timedelta(minutes=1)
    yield Fault("the journal is not being read")
    with hotline.database.transaction() as session:
        session.get_one(JournalPosition, "th1").offset = offset
    hotline.signal("tailer", signal.SIGCONT)


@breaks("listener")
def _(hotline: Hotline) -> Iterator[Fault]:
    hotline.signal("listener", signal.SIGSTOP)
    with hotline.database.transaction() as session:
        session.get_one(ListenerState, "th1").seen_at = datetime.now(UTC) - timedelta(minutes=1)
    yield Fault("not running")
    hotline.signal("listener", signal.SIGCONT)
    wait_for(lambda: hotline.listener_connected, "the listener is back")


@breaks("listener: without Asterisk")
def _(hotline: Hotline) -> Iterator[Fault]:
    hotline.signal("listener", signal.SIGSTOP)
    with hotline.database.transaction() as session:
        state = session.get_one(ListenerState, "th1")
        state.connected, state.seen_at = False, datetime.now(UTC)
    yield Fault("not connected to Asterisk")
    with hotline.database.transaction() as session:
        session.get_one(ListenerState, "th1").connected = True
    hotline.signal("listener", signal.SIGCONT)
    wait_for(lambda: hotline.listener_connected, "the listener is back")


@breaks("prompts: menus")
def _(hotline: Hotline) -> Iterator[Fault]:
    yield Fault("main.yml", wrong_menus(hotline))


@breaks("prompts")
def _(hotline: Hotline) -> Iterator[Fault]:
    prompt = provision.sounds(hotline.home) / "vi" / "greeting_main.alaw"
    speech = prompt.read_bytes()
    hotline.signal("scheduler", signal.SIGSTOP)  # it would bring it back
    prompt.unlink()
    yield Fault("greeting_main")
    prompt.write_bytes(speech)
    hotline.signal("scheduler", signal.SIGCONT)


@breaks("formats")
def _(hotline: Hotline) -> Iterator[Fault]:
    second = provision.sounds(hotline.home) / "vi" / "greeting_main.wav"
    second.write_bytes(b"RIFF")
    yield Fault("vi/greeting_main")
    second.unlink()


@breaks("voice")
def _(_hotline: Hotline) -> Iterator[Fault]:
    yield Fault("unapproved or spoken by espeak-ng", {"HOTLINE_STAGE": "production"})


@breaks("voice: damaged approvals")
def _(hotline: Hotline) -> Iterator[Fault]:
    file = hotline.settings.recordings / "approvals.jsonl"
    file.write_text("{", encoding="utf-8")
    yield Fault("approvals.jsonl")
    file.unlink()


@breaks("emergency: no number")
def _(_hotline: Hotline) -> Iterator[Fault]:
    yield Fault("113 (HOTLINE_EMERGENCY_POLICE)", AGREED | {"HOTLINE_EMERGENCY_POLICE": ""})


@breaks("emergency: no way outside")
def _(_hotline: Hotline) -> Iterator[Fault]:
    yield Fault("no carrier to ring", AGREED | {"HOTLINE_TRUNK_SERVER": ""})


@breaks("numbers: long ago")
def _(_hotline: Hotline) -> Iterator[Fault]:
    yield Fault("not tried in the last 180 days: 111", {
        "HOTLINE_HELP_LINES": "111", "HOTLINE_EMERGENCY_CHECKED": "111 2020-01-01 Tổng đài 111",
    })


@breaks("numbers: on a day that has not come")
def _(_hotline: Hotline) -> Iterator[Fault]:
    yield Fault("not tried in the last 180 days: 111", {
        "HOTLINE_HELP_LINES": "111", "HOTLINE_EMERGENCY_CHECKED": "111 2091-01-01 Tổng đài 111",
    })


@breaks("drill")
def _(hotline: Hotline) -> Iterator[Fault]:
    with hotline.database.transaction() as session:
        session.execute(delete(Drill).where(Drill.service == "fire"))
    yield Fault("no drill with 114")
    with hotline.database.transaction() as session:
        emergency.record_drill(session, "fire", datetime.now(UTC), "")


def needs_a_database(name: str, says: str) -> None:
    @breaks(f"{name}: no database")
    def _(_hotline: Hotline) -> Iterator[Fault]:
        yield Fault(says, NO_DATABASE)


needs_a_database("drill", "unable to open")
needs_a_database("notices", "cannot be counted")
needs_a_database("files", "cannot be counted")
needs_a_database("recordings", "not known")


@breaks("recordings: not as they were sealed")
def _(hotline: Hotline) -> Iterator[Fault]:
    with hotline.database.transaction() as session:
        session.add(Sound(
            kind=Kind.RECORDINGS, name="th1.old-1790000000.2.wav", call_id="th1.old-1790000000.1",
            sealed_at=datetime.now(UTC), trouble="of another key",
        ))
    yield Fault("1 are not as they were sealed")
    with hotline.database.transaction() as session:
        session.execute(delete(Sound).where(Sound.trouble.is_not(None)))


@breaks("notices")
def _(_hotline: Hotline) -> Iterator[Fault]:
    yield Fault("nobody takes SMS", {"HOTLINE_ALARM_PHONES": "0912000702"})


@breaks("files")
def _(hotline: Hotline) -> Iterator[Fault]:
    kept = attachments.take(hotline.home, "a.pdf", files.pdf())
    with hotline.database.transaction() as session:
        row = attachments.add(
            session, opened(session), kept, giver=attachments.Giver.CITIZEN, by="citizen",
            now=datetime.now(UTC),
        )
        number = row.id
    attachments.path_of(hotline.home, kept.sha256).unlink()
    yield Fault("1 files of cases are gone")
    with hotline.database.transaction() as session:
        session.execute(delete(Attachment).where(Attachment.id == number))


@breaks("recordings")
def _(hotline: Hotline) -> Iterator[Fault]:
    left = provision.recordings(hotline.home) / "th1.old-1790000000.1.wav"
    left.write_bytes(b"RIFF")
    ago = time.time() - store.ORPHAN.total_seconds() - 60
    hotline.signal("scheduler", signal.SIGSTOP)  # it would seal it
    os.utime(left, (ago, ago))
    yield Fault("is not sealed yet")
    left.unlink()
    hotline.signal("scheduler", signal.SIGCONT)


@contextmanager
def last_backup(hotline: Hotline, file: Path, at: datetime) -> Iterator[None]:
    noted = hotline.home / safeguards.BACKUP
    before = noted.read_text(encoding="utf-8")
    safeguards.note_backup(hotline.home, file, at)
    yield
    noted.write_text(before, encoding="utf-8")


@breaks("backup: old")
def _(hotline: Hotline) -> Iterator[Fault]:
    with last_backup(hotline, hotline.home, datetime.now(UTC) - timedelta(days=9)):
        yield Fault("the last one is 9 days old (2 are allowed)")


@breaks("backup: gone")
def _(hotline: Hotline) -> Iterator[Fault]:
    with last_backup(hotline, hotline.home / "gone.backup", datetime.now(UTC)):
        yield Fault("gone.backup is gone")


@breaks("backup: none")
def _(hotline: Hotline) -> Iterator[Fault]:
    with last_backup(hotline, hotline.home, datetime.now(UTC)):
        (hotline.home / safeguards.BACKUP).unlink()
        yield Fault("none was ever made")


@breaks("backup: a damaged note")
def _(hotline: Hotline) -> Iterator[Fault]:
    with last_backup(hotline, hotline.home, datetime.now(UTC)):
        (hotline.home / safeguards.BACKUP).write_text("[]", encoding="utf-8")
        yield Fault("cannot be read")


@contextmanager
def last_drill(hotline: Hotline) -> Iterator[None]:
    noted = hotline.home / safeguards.DRILL
    before = noted.read_text(encoding="utf-8")
    yield
    noted.write_text(before, encoding="utf-8")


@breaks("site: long ago")
def _(hotline: Hotline) -> Iterator[Fault]:
    with last_drill(hotline):
        safeguards.note_drill(hotline.home, [], datetime.now(UTC) - timedelta(days=190))
        yield Fault("the last drill was 190 days ago (183 are allowed)")


@breaks("site: failed")
def _(hotline: Hotline) -> Iterator[Fault]:
    with last_drill(hotline):
        safeguards.note_drill(hotline.home, ["PINs", "duty phone"], datetime.now(UTC))
        yield Fault("failed: PINs, duty phone")


@breaks("site: never")
def _(hotline: Hotline) -> Iterator[Fault]:
    with last_drill(hotline):
        (hotline.home / safeguards.DRILL).unlink()
        yield Fault("was never rehearsed")


@breaks("site: a damaged note")
def _(hotline: Hotline) -> Iterator[Fault]:
    with last_drill(hotline):
        (hotline.home / safeguards.DRILL).write_text("[]", encoding="utf-8")
        yield Fault("drill.json cannot be read")


@breaks("accounts: the first password")
def _(hotline: Hotline) -> Iterator[Fault]:
    with hotline.database.reading() as session:
        first_accounts.keep(hotline.home, [(users.named(session, "agent1"), "as-it-was")])
    (hotline.home / first_accounts.FILE).unlink()
    yield Fault("the first password still holds for agent1")
    (hotline.home / first_accounts.DIGESTS).unlink()


@breaks("accounts: the file")
def _(hotline: Hotline) -> Iterator[Fault]:
    file = hotline.home / first_accounts.FILE
    file.touch()
    yield Fault("first-accounts.txt still lies there")
    file.unlink()


@breaks("disk")
def _(_hotline: Hotline) -> Iterator[Fault]:
    with pytest.MonkeyPatch.context() as patched:  # of a disk that is not the test's to fill
        patched.setattr(machine, "DISK_WARNING", 1.01)
        yield Fault("% free")


@breaks("clock")
def _(_hotline: Hotline) -> Iterator[Fault]:
    class Libc:
        """Of a machine whose clock nobody sets."""

        def adjtimex(self, buffer: ctypes.Array[ctypes.c_char]) -> int:
            buffer[40] = bytes([machine.STA_UNSYNC])
            return 5

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(ctypes, "CDLL", lambda *_, **__: Libc())
        yield Fault("not synchronised")


@breaks("beat")
def _(_hotline: Hotline) -> Iterator[Fault]:
    class Overbooked:
        """A processor that comes back late."""

        monotonic = staticmethod(time.monotonic)

        @staticmethod
        def sleep(seconds: float) -> None:
            time.sleep(seconds + 0.03)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(machine, "time", Overbooked)
        yield Fault("speech stumbles")


@breaks("certificate")
def _(hotline: Hotline) -> Iterator[Fault]:
    outside = {"HOTLINE_CONSOLE_BIND": "192.0.2.5:8022"}
    settings = configuration.load(hotline.environment | outside)
    made = datetime.now(UTC) - tls.SERVER_LIFE + timedelta(days=9, hours=1)
    tls.ensure(settings, ["hotline.example"], made)
    yield Fault("ends in 9 days", outside)
    for file in tls.files(settings):
        file.unlink()


@breaks("certificate: none")
def _(_hotline: Hotline) -> Iterator[Fault]:
    yield Fault("No such file", {"HOTLINE_PHONE_TRANSPORT": "tls+srtp"})


def opens(name: str) -> None:
    @breaks(f"privacy: {name}")
    def _(hotline: Hotline) -> Iterator[Fault]:
        place = hotline.home / name
        made = not place.exists()
        if made:
            place.touch()
        before = stat.S_IMODE(place.stat().st_mode)
        place.chmod(before | stat.S_IROTH)
        yield Fault(f"others can read: {name}")
        place.chmod(before)
        if made:
            place.unlink()


for one in (
    "secrets.json", "first-accounts.txt", "hotline.db", "hotline.db-wal", "tls", "journal",
    "recordings", "voicemail", "attachments", "asterisk/history", "asterisk/log", "log",
    "asterisk/etc/manager.conf",
):
    opens(one)


@breaks("privacy: of the folder that nodes share")
def _(hotline: Hotline) -> Iterator[Fault]:
    shared = hotline.home.parent / "shared"
    shared.mkdir()
    kept.share(hotline.home, shared)
    (shared / "attachments").chmod(0o755)
    yield Fault("others can read: kept/attachments")
    (hotline.home / kept.LINK).unlink()


DATABASE = "postgresql://hotline@{}/hotline"


@breaks("transit: the database")
def _(_hotline: Hotline) -> Iterator[Fault]:
    yield Fault("the database at 10.0.0.8 may be spoken with in clear", {
        "HOTLINE_DATABASE_URL": DATABASE.format("10.0.0.8"),
    })


@breaks("transit: one of two databases")
def _(_hotline: Hotline) -> Iterator[Fault]:
    yield Fault("the database at db.example may be spoken with in clear", {
        "HOTLINE_DATABASE_URL": f"{DATABASE.format('')}?host=127.0.0.1:5432&host=db.example:5432"
                                "&sslmode=prefer",
    })


@breaks("transit: desk phones that are let in")
def _(_hotline: Hotline) -> Iterator[Fault]:
    yield Fault("desk phones speak in clear: of 10.9.0.0/16", {
        "HOTLINE_SIP_BIND": "10.9.8.7:5060", "HOTLINE_PHONE_NETWORKS": "10.9.0.0/16",
    })


@breaks("transit: a carrier on the Internet")
def _(_hotline: Hotline) -> Iterator[Fault]:
    yield Fault("calls cross the Internet in clear: trunk2", {
        "HOTLINE_TRUNK_MATCH": "1.2.3.4", "HOTLINE_TRUNK_TRANSPORT": "tls+srtp",
        "HOTLINE_TRUNK2_MATCH": "1.2.3.5",
    })


@breaks("transit: several nodes")
def _(hotline: Hotline) -> Iterator[Fault]:
    yield Fault("calls between nodes are in clear: th2 10.9.0.2:5060", {
        "HOTLINE_NODES": "th1 10.9.0.1:5060, th2 10.9.0.2:5060", "HOTLINE_KEPT": str(hotline.home),
        "HOTLINE_DATABASE_URL": DATABASE.format(""),
    })


@pytest.mark.parametrize("url", [
    f"{DATABASE.format('10.0.0.8')}?sslmode=require",
    f"{DATABASE.format('db.example')}?sslmode=verify-full&sslrootcert=/etc/ssl/db.crt",
    DATABASE.format("127.0.0.1"), DATABASE.format("localhost"), DATABASE.format(""),
    f"{DATABASE.format('')}?host=/run/postgresql",
])
def test_a_database_that_is_near_or_spoken_with_in_secret_is_well(
    hotline: Hotline, url: str
) -> None:
    [found] = examine(hotline, "transit", {"HOTLINE_DATABASE_URL": url})
    assert found.status == doctor.OK, found


@pytest.mark.parametrize("name", FAULTS)
def test_each_fault_is_named_with_its_cure(hotline: Hotline, name: str) -> None:
    with FAULTS[name](hotline) as fault:
        found = examine(hotline, name.partition(":")[0], fault.settings)
    named = [one for one in found if one.status != doctor.OK and fault.says in one.detail]
    assert named, f"{fault.says!r} is not in {found}"
    assert all(one.cure for one in named)


@pytest.mark.parametrize(
    "name", ["accounts: the first password", "backup: none", "site: never", "voice"]
)
def test_what_is_a_warning_in_trial_is_a_failure_in_production(hotline: Hotline, name: str) -> None:
    check = name.partition(":")[0]
    with FAULTS[name](hotline) as fault:
        [trial] = examine(hotline, check, fault.settings | {"HOTLINE_STAGE": "trial"})
        [production] = examine(hotline, check, fault.settings | {"HOTLINE_STAGE": "production"})
    assert (trial.status, production.status) == (doctor.WARNING, doctor.FAILURE)
