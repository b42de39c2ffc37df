"""What is written down: journal, database, notices, files, backups, drills."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from sqlalchemy.exc import SQLAlchemyError

from crm import safeguards
from crm.cases import attachments
from crm.database import Database, DatabaseError
from crm.models import JournalPosition, ListenerState
from crm.notices import board, receipts
from crm.recordings import store
from ivr import provision
from ivr.doctor.check import FAILURE, OK, WARNING, Check, Patient

LAG = timedelta(seconds=30)
SITE_DRILL_AGE = timedelta(days=183)  # twice a year, as docs/site-loss.md says
WRITTEN_S = 5  # a channel older than that stands in the journal
_NO_DATABASE = (DatabaseError, SQLAlchemyError)


def journal(patient: Patient) -> Iterator[Check]:
    yield _journal(patient)


def _journal(patient: Patient) -> Check:
    home = patient.settings.home
    file = provision.journal(home)
    try:
        with file.open("ab"):
            pass
        boot = re.search(
            r"systemname = \S+\.(\w+)",
            (provision.etc(home) / "asterisk.conf").read_text(encoding="utf-8"),
        )
        up = _channels(patient)  # before it is read: what is up by then stands in it
        segments = sorted(file.parent.glob("journal*.csv"))
        texts = [segment.read_bytes() for segment in segments]
    except OSError as error:
        return Check("journal", FAILURE, f"cannot be written: {error}", "make the folder writable")
    cure = f"look for cel_custom in {home / 'asterisk/log/messages.log'}"
    if not any(boot and f"boot={boot[1]}|".encode() in text for text in texts):
        return Check(
            "journal", FAILURE, "the running Asterisk has written nothing into it", cure
        )
    unknown = [one for one in up if not any(f'"{one}"'.encode() in text for text in texts)]
    if unknown:
        return Check(
            "journal", FAILURE, f"{len(unknown)} of {len(up)} channels that are up do not stand in "
            "it: it does not grow", cure,
        )
    return Check("journal", OK, f"{sum(map(len, texts))} bytes, {len(up)} channels that are up")


def _channels(patient: Patient) -> list[str]:
    """Unique ids of the telephones that have been up for some seconds."""
    shown = patient.ask("core show channels concise") if patient.pid else None
    fields = [line.split("!") for line in (shown or "").splitlines()]
    return [
        words[-1] for words in fields if len(words) >= 14 and words[0].startswith("PJSIP/")
        and words[-3].isdigit() and int(words[-3]) > WRITTEN_S
    ]


def database(patient: Patient) -> Iterator[Check]:
    found = Database.of(patient.settings)
    try:
        found.ping()
        current = found.schema_is_current()
    except _NO_DATABASE as error:
        yield Check("database", FAILURE, str(error).splitlines()[0], "start it; calls go on")
        return
    if current:
        kind = "SQLite" if found.is_sqlite else "PostgreSQL"
        yield Check("database", OK, f"{kind}, schema current")
    else:
        yield Check("database", FAILURE, "another schema", "run hotline db upgrade")


def tailer(patient: Patient) -> Iterator[Check]:
    settings = patient.settings
    file = provision.journal(settings.home)
    try:
        with Database.of(settings).reading() as session:
            position = session.get(JournalPosition, settings.node)
    except _NO_DATABASE:
        return  # said under database
    late = position is None and any(
        segment.stat().st_size for segment in file.parent.glob("*.csv")
    )
    if position is not None:
        behind = file.exists() and file.stat().st_ino == position.inode
        unread = file.stat().st_size - position.offset if behind else 0
        late = unread > 0 and datetime.now(UTC) - position.read_at > LAG
    if late:
        yield Check("tailer", FAILURE, "the journal is not being read", "is hotline up running?")
    else:
        yield Check("tailer", OK, "the journal is read")


def listener(patient: Patient) -> Iterator[Check]:
    settings = patient.settings
    try:
        with Database.of(settings).reading() as session:
            state = session.get(ListenerState, settings.node)
    except _NO_DATABASE:
        return
    if state is None or datetime.now(UTC) - state.seen_at > LAG:
        yield Check("listener", FAILURE, "not running", "is hotline up running?")
    elif not state.connected:
        yield Check("listener", FAILURE, "not connected to Asterisk", "see the log of hotline up")
    else:
        yield Check("listener", OK, "connected")


def notices(patient: Patient) -> Iterator[Check]:
    yield _notices(patient)


def _notices(patient: Patient) -> Check:
    settings = patient.settings
    try:
        with Database.of(settings).reading() as session:
            trouble = board.trouble(session, settings, datetime.now(UTC))
            strays = receipts.strays(session)
    except _NO_DATABASE:
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


def files(patient: Patient) -> Iterator[Check]:
    home = patient.settings.home
    try:
        with Database.of(patient.settings).reading() as session:
            lost = attachments.lost(home, session)
    except _NO_DATABASE:
        yield Check("files", FAILURE, "cannot be counted", "see database")
        return
    if lost:
        yield Check(
            "files", FAILURE, f"{lost} files of cases are gone",
            f"bring back {home / 'attachments'} from the backup",
        )
    else:
        yield Check("files", OK, "of cases are there")


def recordings(patient: Patient) -> Iterator[Check]:
    """Whether what was recorded is sealed, and was found as it was."""
    try:
        with Database.of(patient.settings).reading() as session:
            broken = store.broken(session)
    except _NO_DATABASE as error:
        reason = str(error).splitlines()[0]
        yield Check("recordings", FAILURE, f"not known: {reason}", "see the database")
        return
    since = store.waiting_since(patient.settings.home)
    if broken:
        yield Check(
            "recordings", FAILURE, f"{broken} are not as they were sealed",
            "hotline recordings verify names them; bring them back from a backup",
        )
    elif since is not None and datetime.now(UTC) - since > store.ORPHAN:
        yield Check(
            "recordings", WARNING, f"one of {since:%Y-%m-%d %H:%M} UTC is not sealed yet",
            "does the scheduler run? hotline recordings seal",
        )
    else:
        yield Check("recordings", OK, "sealed after each call")


def backup(patient: Patient) -> Iterator[Check]:
    yield _backup(patient)


def _backup(patient: Patient) -> Check:
    """`hotline backup make` notes the last one in the state folder."""
    days = patient.settings.backup_days
    cure = (
        "set backup_folder, on another disk, and enable hotline1022-backup.timer, or hotline backup"
        " make FOLDER; try a restore"
    )
    try:
        last = safeguards.last_backup(patient.settings.home)
    except (OSError, ValueError, KeyError, TypeError) as error:
        return Check("backup", FAILURE, f"{safeguards.BACKUP} cannot be read: {error}", cure)
    if last is None:
        return Check("backup", patient.late(), "none was ever made", cure)
    at, file = last
    age = datetime.now(UTC) - at
    if age > timedelta(days=days):
        return Check(
            "backup", patient.late(), f"the last one is {age.days} days old ({days} are allowed)",
            cure,
        )
    if file.parent.is_dir() and not file.exists():  # another disk need not be there all the time
        return Check("backup", FAILURE, f"{file} is gone", cure)
    return Check("backup", OK, f"the last one is of {at:%Y-%m-%d %H:%M} UTC")


def site(patient: Patient) -> Iterator[Check]:
    yield _site(patient)


def _site(patient: Patient) -> Check:
    """`hotline drill` notes when the loss of the site was rehearsed last, and what failed."""
    cure = "hotline drill, twice a year, as docs/site-loss.md says"
    try:
        last = safeguards.last_drill(patient.settings.home)
    except (OSError, ValueError, KeyError, TypeError) as error:
        return Check("site", FAILURE, f"{safeguards.DRILL} cannot be read: {error}", cure)
    if last is None:
        return Check("site", patient.late(), "the loss of the site was never rehearsed", cure)
    at, failed = last
    age = datetime.now(UTC) - at
    if failed:
        return Check(
            "site", patient.late(), f"the drill of {at:%Y-%m-%d} failed: {', '.join(failed)}",
            "put it right, then hotline drill again",
        )
    if age > SITE_DRILL_AGE:
        return Check(
            "site", patient.late(),
            f"the last drill was {age.days} days ago ({SITE_DRILL_AGE.days} are allowed)", cure,
        )
    return Check("site", OK, f"its loss was rehearsed on {at:%Y-%m-%d}")
