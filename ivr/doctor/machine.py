"""The machine below: disk, clock, beat, certificate, and who else may read."""

from __future__ import annotations

import ctypes
import shutil
import stat
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from crm import first_accounts, kept
from crm.database import Database
from ivr import history, provision, room, tls
from ivr.doctor.check import FAILURE, OK, WARNING, Check, Patient

DISK_WARNING, DISK_FAILURE = room.AMPLE, room.LEAST  # of the disk free
CERTIFICATE_WARNING = timedelta(days=21)
BEATS, BEAT_S = 50, 0.02
BEAT_LATE_MS = 20
STA_UNSYNC = 0x40  # adjtimex(2)


def disk(patient: Patient) -> Iterator[Check]:
    home = patient.settings.home
    there = next(folder for folder in (home, *home.parents) if folder.exists())
    usage = shutil.disk_usage(there)
    free = usage.free / usage.total
    detail = f"{free:.0%} free ({usage.free // 2**30} GiB)"
    if free < DISK_WARNING:
        status = FAILURE if free < DISK_FAILURE else WARNING
        yield Check("disk", status, detail, f"make room on the disk of {home}")
    else:
        yield Check("disk", OK, detail)


def clock(_: Patient) -> Iterator[Check]:
    buffer = ctypes.create_string_buffer(208)  # struct timex
    libc = ctypes.CDLL(None, use_errno=True)
    state = libc.adjtimex(buffer)
    status = int.from_bytes(buffer.raw[40:44], "little")  # after modes, offset, freq, the errors
    shown = f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC"
    if state < 0 or status & STA_UNSYNC:
        yield Check(
            "clock", WARNING, f"{shown}, not synchronised", "run an NTP client (systemd-timesyncd)"
        )
    else:
        yield Check("clock", OK, f"{shown}, synchronised")


def beat(_: Patient) -> Iterator[Check]:
    """Whether this machine keeps the beat of telephone sound, a packet every 20 ms."""
    late_ms = []
    due = time.monotonic()
    for _beat in range(BEATS):
        due += BEAT_S
        time.sleep(max(0.0, due - time.monotonic()))
        late_ms.append((time.monotonic() - due) * 1000)
    late = sorted(late_ms)[BEATS * 9 // 10]
    detail = f"one in ten beats of 20 ms comes {late:.0f} ms late or later"
    if late > BEAT_LATE_MS:
        yield Check(
            "beat", WARNING, f"{detail}: speech stumbles, recordings have gaps",
            "give the hotline processors of its own (no shared or overbooked virtual ones)",
        )
    else:
        yield Check("beat", OK, detail)


def certificate(patient: Patient) -> Iterator[Check]:
    if not tls.spoken(patient.settings):
        yield Check("certificate", OK, "nobody is to see one")
        return
    file, key = tls.files(patient.settings)
    try:
        left = tls.expires_at(file) - datetime.now(UTC)
        key.read_bytes()
    except (OSError, ValueError) as error:
        yield Check("certificate", FAILURE, str(error), "run hotline setup, or name yours")
        return
    if left < CERTIFICATE_WARNING:
        status = FAILURE if left < timedelta(days=2) else WARNING
        ends = f"ends in {left.days} days" if left > timedelta(0) else f"ended: {file}"
        own = patient.settings.tls_certificate
        yield Check("certificate", status, ends,
                    f"bring the next one to {own}" if own else "run hotline setup")
    else:
        yield Check("certificate", OK, f"valid for {left.days} days")


def privacy(patient: Patient) -> Iterator[Check]:
    """Nobody else on the machine may read secrets, or what is kept of people."""
    home = patient.settings.home
    open_to_all = [
        path for path in (
            home / "secrets.json", home / first_accounts.FILE, home / "tls",
            *_of_sqlite(patient), provision.journal(home).parent, provision.recordings(home),
            provision.messages(home), history.folder(home),
            *(kept.folder(home, name) for name in ("recordings", "voicemail", "attachments")),
            home / "asterisk" / "log", home / "log", *provision.etc(home).glob("*.conf"),
        )
        if path.exists() and path.stat().st_mode & (stat.S_IROTH | stat.S_IWOTH)
    ]
    if open_to_all:
        names = ", ".join(str(path.relative_to(home)) if path.is_relative_to(home) else str(path)
                          for path in open_to_all)
        yield Check("privacy", FAILURE, f"others can read: {names}", "chmod o-rwx them")
    else:
        yield Check("privacy", OK, "secrets, recordings and messages are closed to others")


def _of_sqlite(patient: Patient) -> list[Path]:
    """The files of the database, where it is one of this machine's."""
    url = Database.of(patient.settings).url
    if url.get_backend_name() != "sqlite":
        return []
    file = Path(str(url.database))
    return [file, *(file.with_name(f"{file.name}-{kind}") for kind in ("wal", "shm"))]
