"""`hotline doctor`: what the hotline needs, checked one by one, each with its cure."""

from __future__ import annotations

import ctypes
import re
import shutil
import stat
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError

from crm import secrets
from crm.branches import SERVICES
from crm.calls import emergency
from crm.carriers import Carrier
from crm.cases import attachments
from crm.clock import vietnam_day
from crm.database import Database, DatabaseError
from crm.errors import HotlineError
from crm.models import JournalPosition, ListenerState
from crm.notices import board, receipts
from crm.recordings import store
from crm.settings import Settings
from ivr import commands, menu, proof, provision, runtime, tls

OK, WARNING, FAILURE = "ok", "warning", "failure"
DISK_WARNING, DISK_FAILURE = 0.10, 0.05  # of the disk free
LAG = timedelta(seconds=30)
DRILL_AGE = timedelta(days=90)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
CERTIFICATE_WARNING = timedelta(days=21)
BEATS, BEAT_S = 50, 0.02
BEAT_LATE_MS = 20
STA_UNSYNC = 0x40  # adjtimex(2)


@dataclass(frozen=True)
class Check:
    """One line of the doctor. `status`: ok, warning or failure; `cure` is empty when ok."""

    name: str
    status: str
    detail: str
    cure: str = ""

    def __str__(self) -> str:
        line = f"{self.status.upper():<8} {self.name:<14} {self.detail}"
        return f"{line}\n{'':<24}→ {self.cure}" if self.cure else line


def examine(
    settings: Settings,
    *,
    missing_prompts: Callable[[], list[str]],
    unready_prompts: Callable[[], list[str]],
) -> list[Check]:
    """All checks. Every one answers, whatever else is broken.

    `unready_prompts` are those spoken by the embedded voice or approved by nobody.
    """
    found = list(_asterisk(settings))
    found.append(_ami(settings))
    running = found[0].status == OK
    found += [_trunk(settings, one, running=running) for one in settings.carriers]
    found.append(_journal(settings))
    found += _database(settings)
    found.append(_prompts(missing_prompts))
    found.append(_voice(settings, unready_prompts))
    found += _emergency(settings)
    found.append(_notices(settings))
    found.append(_files(settings))
    found.append(_sounds(settings))
    found.append(_disk(settings.home))
    found.append(_clock())
    found.append(_beat())
    found.append(_certificate(settings))
    found.append(_private(settings.home))
    return found


def _asterisk(settings: Settings) -> Iterator[Check]:
    try:
        asterisk = runtime.find(settings, lambda _: None, fetch=False)
    except runtime.RuntimeFault as fault:
        yield Check("asterisk", FAILURE, str(fault), "run ./scripts/run")
        return
    number = runtime.pid(settings.home)
    if number is None or not runtime.is_running(asterisk, settings.home):
        yield Check(
            "asterisk", FAILURE, f"version {asterisk.version_text}, not running",
            "start it with ./scripts/run or hotline up",
        )
        return
    yield Check(
        "asterisk", OK, f"version {asterisk.version_text} ({asterisk.origin}), pid {number}"
    )
    shown = runtime.ask(asterisk, settings.home, "module show")
    if shown is None:  # it answered a moment ago: that it is slow says nothing of its modules
        yield Check(
            "modules", WARNING, "Asterisk was too slow to tell", "run hotline doctor once more"
        )
    else:
        yield _modules(settings, asterisk, shown)
    yield _configuration(settings, asterisk)
    yield _open_files(settings, number)


def _modules(settings: Settings, asterisk: runtime.Asterisk, shown: str) -> Check:
    running = set(re.findall(r"^(\w+)\.so .*Running", shown, re.MULTILINE))
    wanted = {name for name in provision.MODULES if (asterisk.modules / f"{name}.so").exists()}
    needed = set(provision.MODULES) - wanted - provision.NOT_IN_EVERY_VERSION
    if lacking := sorted((wanted - running) | needed):
        return Check(
            "modules", FAILURE, f"not running: {', '.join(lacking)}",
            f"look into {settings.home / 'asterisk/log/messages.log'}",
        )
    return Check("modules", OK, f"{len(wanted)} running")


def _configuration(settings: Settings, asterisk: runtime.Asterisk) -> Check:
    cure = "hotline plan shows it, hotline apply brings it in"
    try:
        wanted = provision.files(
            settings, secrets.load(settings.home), provision.load_menus(settings),
            version=asterisk.version, modules=asterisk.modules,
            open_files=runtime.open_files(settings), boot="",
        )
    except menu.MenuError as error:
        return Check("configuration", FAILURE, str(error), "correct the menu files")
    except FileNotFoundError:
        return Check("configuration", FAILURE, "never written", cure)
    folder = provision.etc(settings.home)
    changed = [
        name for name, text in wanted.items() if name != "asterisk.conf"
        and (not (folder / name).exists() or (folder / name).read_text(encoding="utf-8") != text)
    ]
    if changed:
        return Check("configuration", FAILURE, f"differs on disk: {', '.join(changed)}", cure)
    marker = re.search(r"^HL_MARKER=(\w+)$", wanted["extensions.conf"], re.MULTILINE)
    running = runtime.ask(asterisk, settings.home, "dialplan show globals")
    if running is None:
        return Check(
            "configuration", WARNING, "Asterisk was too slow to tell which dialplan runs",
            "run hotline doctor once more",
        )
    if marker is None or f"HL_MARKER={marker[1]}" not in running:
        return Check("configuration", FAILURE, "another dialplan runs than lies on disk", cure)
    return Check("configuration", OK, f"in place, dialplan {marker[1]}")


def _open_files(settings: Settings, number: int) -> Check:
    limits = Path(f"/proc/{number}/limits").read_text(encoding="ascii")
    match = re.search(r"Max open files\s+(\d+)", limits)
    held = int(match[1]) if match else 0
    needed = settings.capacity * runtime.OPEN_FILES_PER_CALL
    ports = (settings.rtp_ports[1] - settings.rtp_ports[0]) // 2
    if held < needed:
        return Check(
            "capacity", WARNING, f"{held} open files for {settings.capacity} calls",
            f"raise the limit of open files to {needed} (ulimit -Hn, LimitNOFILE=)",
        )
    if ports < settings.capacity * 2:
        return Check(
            "capacity", WARNING, f"{ports} pairs of audio ports for {settings.capacity} calls",
            "widen HOTLINE_RTP_PORTS: two pairs a call",
        )
    return Check("capacity", OK, f"{settings.capacity} calls, {held} files, {ports} port pairs")


def _ami(settings: Settings) -> Check:
    cure = "is Asterisk running? Does another program use HOTLINE_AMI_BIND?"
    try:
        result = commands.for_settings(settings, secrets.load(settings.home)).ping()
    except FileNotFoundError:
        return Check("ami", FAILURE, "no secrets yet", "run ./scripts/run")
    if not result.done:
        return Check("ami", FAILURE, f"{settings.ami_bind}: {result}", cure)
    return Check("ami", OK, f"{settings.ami_bind} answers")


def _trunk(settings: Settings, carrier: Carrier, *, running: bool) -> Check:
    name, variable = carrier.setting, f"HOTLINE_{carrier.setting.upper()}"
    if not carrier.server:
        if all(net.startswith("127.") for net in carrier.match):
            return Check(
                name, WARNING, "only the local test trunk",
                f"set {variable}_MATCH (and {variable}_SERVER) to the carrier's addresses",
            )
        return Check(name, OK, f"calls are taken from {', '.join(carrier.match)}")
    if not running:
        return Check(name, FAILURE, "Asterisk does not run", "start it")
    asterisk = runtime.find(settings, lambda _: None, fetch=False)
    state = proof.look(partial(runtime.ask, asterisk, settings.home))
    if carrier.options_s and carrier.name not in state.reached:
        return Check(
            name, FAILURE, f"{carrier.server} does not answer OPTIONS",
            "check the address, the network and that the carrier allows this host",
        )
    if carrier.user and carrier.name not in state.registered:
        return Check(
            name, FAILURE, f"not registered at {carrier.server}",
            f"check {variable}_USER and {variable}_PASSWORD with the carrier",
        )
    return Check(name, OK, f"{carrier.server} answers")


def _journal(settings: Settings) -> Check:
    file = provision.journal(settings.home)
    try:
        with file.open("ab"):
            pass
        boot = re.search(
            r"systemname = \S+\.(\w+)",
            (provision.etc(settings.home) / "asterisk.conf").read_text(encoding="utf-8"),
        )
        segments = sorted(file.parent.glob("journal*.csv"))
        marks = [segment for segment in segments
                 if boot and f"boot={boot[1]}|".encode() in segment.read_bytes()]
    except OSError as error:
        return Check("journal", FAILURE, f"cannot be written: {error}", "make the folder writable")
    if not marks:
        return Check(
            "journal", FAILURE, "the running Asterisk has written nothing into it",
            f"look for cel_custom in {settings.home / 'asterisk/log/messages.log'}",
        )
    return Check("journal", OK, f"{sum(part.stat().st_size for part in segments)} bytes")


def _database(settings: Settings) -> Iterator[Check]:
    database = Database.of(settings)
    kind = "SQLite" if database.is_sqlite else "PostgreSQL"
    try:
        database.ping()
        if not database.schema_is_current():
            yield Check("database", FAILURE, "another schema", "run hotline db upgrade")
            return
        with database.reading() as session:
            position = session.get(JournalPosition, settings.node)
            listener = session.get(ListenerState, settings.node)
    except (DatabaseError, SQLAlchemyError) as error:
        yield Check("database", FAILURE, str(error).splitlines()[0], "start it; calls go on")
        return
    yield Check("database", OK, f"{kind}, schema current")
    segments = provision.journal(settings.home).parent.glob("*.csv")
    size = sum(segment.stat().st_size for segment in segments)
    late = position is None and size > 0
    if position is not None:
        file = provision.journal(settings.home)
        behind = file.exists() and file.stat().st_ino == position.inode
        unread = file.stat().st_size - position.offset if behind else 0
        late = unread > 0 and datetime.now(UTC) - position.read_at > LAG
    if late:
        yield Check("tailer", FAILURE, "the journal is not being read", "is hotline up running?")
    else:
        yield Check("tailer", OK, "the journal is read")
    if listener is None or datetime.now(UTC) - listener.seen_at > LAG:
        yield Check("listener", FAILURE, "not running", "is hotline up running?")
    elif not listener.connected:
        yield Check("listener", FAILURE, "not connected to Asterisk", "see the log of hotline up")
    else:
        yield Check("listener", OK, "connected")


def _notices(settings: Settings) -> Check:
    database = Database.of(settings)
    try:
        with database.reading() as session:
            trouble = board.trouble(session, settings, datetime.now(UTC))
            strays = receipts.strays(session)
    except (DatabaseError, SQLAlchemyError):
        return Check("notices", FAILURE, "cannot be counted", "see database")
    cure = "see hotline notice list --state failed, hotline notice retry"
    if trouble.late:
        return Check(
            "notices", FAILURE, f"{trouble.late} wait for more than 10 minutes",
            "is hotline up running, and is a provider set for the channel (sms_provider)? " + cure,
        )
    if trouble.failed:
        return Check("notices", WARNING, f"{trouble.failed} failed in the last week", cure)
    if settings.alarm_phones and settings.sms_provider == "none":
        return Check(
            "notices", WARNING, "alarm_phones is set, and nobody takes SMS", "set sms_provider"
        )
    return Check("notices", OK, f"delivered; {strays} reports of the week fit none")


def _files(settings: Settings) -> Check:
    try:
        with Database.of(settings).reading() as session:
            lost = attachments.lost(settings.home, session)
    except (DatabaseError, SQLAlchemyError):
        return Check("files", FAILURE, "cannot be counted", "see database")
    if lost:
        return Check(
            "files", FAILURE, f"{lost} files of cases are gone",
            f"bring back {settings.home / 'attachments'} from the backup",
        )
    return Check("files", OK, "of cases are there")


def _prompts(missing: Callable[[], list[str]]) -> Check:
    try:
        lacking = missing()
    except menu.MenuError as error:
        return Check("prompts", FAILURE, str(error), "correct the menu files: hotline menu check")
    if lacking:
        return Check(
            "prompts", FAILURE, f"{len(lacking)} missing: {', '.join(lacking[:5])}",
            "run hotline prompts build",
        )
    return Check("prompts", OK, "complete")


def _voice(settings: Settings, unready: Callable[[], list[str]]) -> Check:
    """Callers are spoken to by a voice that somebody has listened to."""
    try:
        names = unready()
    except HotlineError as error:
        return Check("voice", FAILURE, str(error), "put it right or restore it from a backup")
    if not names:
        return Check("voice", OK, "every prompt was listened to and approved")
    return Check(
        "voice", FAILURE if settings.stage == "production" else WARNING,
        f"{len(names)} sounds are unapproved or spoken by espeak-ng: {', '.join(names[:5])}",
        "hotline prompts import recordings or set a better voice; then hotline prompts approve",
    )


def _emergency(settings: Settings) -> Iterator[Check]:
    """Key 4 leads outside, and it was tried with those who answer there."""
    empty = [
        f"{service.number} (HOTLINE_EMERGENCY_{service.id.upper()})" for service in SERVICES
        if not settings.emergency_targets[service.id]
    ]
    if empty:
        yield Check(
            "emergency", FAILURE, f"no number is set for {', '.join(empty)}",
            "agree with each service which number to ring, and set it; till then agents are rung",
        )
    elif not settings.outbound:
        yield Check(
            "emergency", FAILURE, "there is no carrier to ring anybody outside",
            "set HOTLINE_TRUNK_SERVER",
        )
    else:
        count = sum(map(len, settings.emergency_targets.values()))
        yield Check("emergency", OK, f"{count} numbers for {len(SERVICES)} services")
    if unchecked := settings.unchecked(vietnam_day(datetime.now(UTC))):
        yield Check(
            "numbers", WARNING,
            f"not tried in the last {settings.emergency_check_days} days: {', '.join(unchecked)}",
            "agree on a trial, ring them, and note day and owner in HOTLINE_EMERGENCY_CHECKED",
        )
    else:
        yield Check("numbers", OK, "emergency numbers and help lines were tried, each by its owner")
    try:
        with Database.of(settings).reading() as session:
            drills = emergency.last_drills(session)
    except (DatabaseError, SQLAlchemyError) as error:
        yield Check("drill", FAILURE, str(error).splitlines()[0], "the database must answer first")
        return
    oldest = datetime.now(UTC) - DRILL_AGE
    stale = [one.number for one in SERVICES if drills.get(one.id, EPOCH) < oldest]
    if stale:
        yield Check(
            "drill", FAILURE,
            f"no drill with {', '.join(stale)} in the last {DRILL_AGE.days} days",
            "agree on one, press 4, and note it: hotline emergency drill SERVICE",
        )
    else:
        yield Check("drill", OK, f"the last with each service is under {DRILL_AGE.days} days old")


def _sounds(settings: Settings) -> Check:
    """Whether what was recorded is sealed, and was found as it was."""
    try:
        with Database.of(settings).reading() as session:
            broken = store.broken(session)
    except (SQLAlchemyError, DatabaseError) as error:
        return Check("recordings", FAILURE, f"not known: {error}", "see the database")
    if broken:
        return Check(
            "recordings", FAILURE, f"{broken} are not as they were sealed",
            "hotline recordings verify names them; bring them back from a backup",
        )
    since = store.waiting_since(settings.home)
    if since is not None and datetime.now(UTC) - since > store.ORPHAN:
        return Check(
            "recordings", WARNING, f"one of {since:%Y-%m-%d %H:%M} UTC is not sealed yet",
            "does the scheduler run? hotline recordings seal",
        )
    return Check("recordings", OK, "sealed after each call")


def _disk(home: Path) -> Check:
    there = next(folder for folder in (home, *home.parents) if folder.exists())
    usage = shutil.disk_usage(there)
    free = usage.free / usage.total
    detail = f"{free:.0%} free ({usage.free // 2**30} GiB)"
    if free < DISK_WARNING:
        status = FAILURE if free < DISK_FAILURE else WARNING
        return Check("disk", status, detail, f"make room on the disk of {home}")
    return Check("disk", OK, detail)


def _clock() -> Check:
    buffer = ctypes.create_string_buffer(208)  # struct timex
    libc = ctypes.CDLL(None, use_errno=True)
    state = libc.adjtimex(buffer)
    status = int.from_bytes(buffer.raw[40:44], "little")  # after modes, offset, freq, the errors
    shown = f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC"
    if state < 0 or status & STA_UNSYNC:
        return Check(
            "clock", WARNING, f"{shown}, not synchronised", "run an NTP client (systemd-timesyncd)"
        )
    return Check("clock", OK, f"{shown}, synchronised")


def _beat() -> Check:
    """Whether this machine keeps the beat of telephone sound, a packet every 20 ms."""
    late_ms = []
    due = time.monotonic()
    for _ in range(BEATS):
        due += BEAT_S
        time.sleep(max(0.0, due - time.monotonic()))
        late_ms.append((time.monotonic() - due) * 1000)
    late = sorted(late_ms)[BEATS * 9 // 10]
    detail = f"one in ten beats of 20 ms comes {late:.0f} ms late or later"
    if late > BEAT_LATE_MS:
        return Check(
            "beat", WARNING, f"{detail}: speech stumbles, recordings have gaps",
            "give the hotline processors of its own (no shared or overbooked virtual ones)",
        )
    return Check("beat", OK, detail)


def _certificate(settings: Settings) -> Check:
    if not tls.needed(settings):
        return Check("certificate", OK, "not needed on the loopback")
    certificate, key = tls.files(settings)
    try:
        left = tls.expires_at(certificate) - datetime.now(UTC)
        key.read_bytes()
    except (OSError, ValueError) as error:
        return Check("certificate", FAILURE, str(error), "run hotline setup, or name yours")
    if left < CERTIFICATE_WARNING:
        status = FAILURE if left < timedelta(days=2) else WARNING
        return Check("certificate", status, f"ends in {left.days} days", "run hotline setup")
    return Check("certificate", OK, f"valid for {left.days} days")


def _private(home: Path) -> Check:
    """Nobody else on the machine may read secrets, recordings and messages."""
    open_to_all = [
        path for path in (
            home / "secrets.json", home / "recordings", home / "voicemail", home / "tls",
            *provision.etc(home).glob("*.conf"),
        )
        if path.exists() and path.stat().st_mode & (stat.S_IROTH | stat.S_IWOTH)
    ]
    if open_to_all:
        names = ", ".join(path.name for path in open_to_all)
        return Check("privacy", FAILURE, f"others can read: {names}", "chmod o-rwx them")
    return Check("privacy", OK, "secrets, recordings and messages are closed to others")

