"""Backups: everything that a hotline cannot make anew, in one sealed file.

    make(settings, folder, passphrase, now)      -> folder/hotline-20261124T031500Z.backup
    verify(file, passphrase)                     whether it opens to its last byte
    restore(file, settings, passphrase, erased)  into a state folder that is empty

The file is a gzipped tar, sealed as crm.privacy.sealing does: the state folder, and below `outside`
what settings have lie elsewhere (the settings file itself, menus, recorded prompts), by its path.

Beside the backups stands `erased.jsonl`: the keyed hashes of numbers that were erased. A backup
that comes back loses them again before anybody sees it.
"""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import stat
import subprocess
import tarfile
import tempfile
import zlib
from collections.abc import Iterable
from contextlib import closing, suppress
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import URL, inspect

from crm import field_keys, kept, safeguards, secrets
from crm.archive import people
from crm.archive.months import Archive
from crm.calls.rows import iso
from crm.database import Database
from crm.errors import HotlineError
from crm.privacy import erasure
from crm.privacy.sealing import PIECE, Opening, SealError, Sealing
from crm.recordings import store
from crm.settings import MENUS, Settings, settings_file
from ivr.journal import Tailer

SHORTEST = 20  # letters of a passphrase
KEPT = (
    "journal", "archive", "recordings", "voicemail", "attachments", "bulletins", "templates",
    "recordings-vi", "tls", "areas.csv", "hotline.toml", "secrets.json",
    "pack", "asterisk/history",
)
# Of AstDB what nothing else has: who wants no call back any more. The rest is told to Asterisk anew
# from database and journal, or ends by itself.
ASTDB = Path("asterisk/lib/astdb.sqlite3")
ASTDB_KEPT = ("callback_refused",)
OUTSIDE = Path("outside")
ERASED = "erased.jsonl"
LOOKS = 5  # for what has come while it was packed
_SQLITE, _DUMP = "database.sqlite", "database.dump"


class BackupError(HotlineError):
    """A backup cannot be made, opened or brought back; the message says why and what to do."""


def passphrase_of(settings: Settings) -> str:
    """Raises BackupError: there is none, or one that can be guessed."""
    if settings.backup_key is None:
        raise BackupError(
            f"set backup_key to a file with a passphrase of {SHORTEST} letters or more, and keep a"
            " copy of it where the backups are not"
        )
    try:
        found = settings.backup_key.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise BackupError(f"backup_key: {error}") from error
    if len(found) < SHORTEST:
        raise BackupError(f"{settings.backup_key}: a passphrase has {SHORTEST} letters or more")
    return found


def make(settings: Settings, folder: Path, passphrase: str, now: datetime) -> Path:
    """A backup in this folder, made while the hotline runs. Raises BackupError, and leaves nothing
    that looks like one."""
    target = folder / f"hotline-{now.astimezone(UTC):%Y%m%dT%H%M%SZ}.backup"
    draft = target.with_suffix(".part")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # rows and files of sounds as they are at one moment: a sound is in one of its two forms
        with (
            tempfile.TemporaryDirectory(dir=folder, prefix="making-") as work,
            store.held_still(settings.home),
        ):
            database = _dumped(Database.of(settings), Path(work))
            astdb = _of_astdb(settings.home / ASTDB, Path(work))
            with draft.open("wb") as out, Sealing(out, passphrase) as sealed:
                with tarfile.open(fileobj=sealed, mode="w|gz") as tar:
                    tar.add(database, database.name)
                    if astdb is not None:
                        tar.add(astdb, str(ASTDB))
                    for name, place in [*_places(settings).items(), *_shared(settings.home)]:
                        _pack(tar, place, name)
                sealed.end()
                out.flush()
                os.fsync(out.fileno())
        note_erased(settings, folder)
        draft.replace(target)
        safeguards.note_backup(settings.home, target, now)
    except (OSError, sqlite3.Error) as error:
        draft.unlink(missing_ok=True)
        raise BackupError(f"no backup was made: {error}") from error
    return target


def note_erased(settings: Settings, folder: Path) -> None:
    """Write down beside the backups which numbers were erased; those known there stay."""
    with Database.of(settings).reading() as session:
        known = {key: iso(at) for key, at in erasure.erased(session).items()}
    known = _erased_in(folder / ERASED) | known
    draft = folder / f"{ERASED}.new"
    draft.write_text("".join(
        f"{json.dumps({'key': key, 'at': at})}\n" for key, at in sorted(known.items())
    ), encoding="utf-8")
    draft.replace(folder / ERASED)


def verify(file: Path, passphrase: str) -> None:
    """Read a backup to its last byte. Raises BackupError: it is damaged, or of another key."""
    try:
        with file.open("rb") as source:
            sealed = Opening(source, passphrase)
            with tarfile.open(fileobj=sealed, mode="r|gz") as tar:
                names = {one.name for one in tar}
            while sealed.read(PIECE):
                pass
    except (OSError, tarfile.TarError, EOFError, SealError, zlib.error) as error:
        raise BackupError(f"{file} cannot be read: {error}") from error
    if not names & {_SQLITE, _DUMP}:
        raise BackupError(f"{file} has no database")


def restore(file: Path, settings: Settings, passphrase: str, erased: Path | None = None) -> int:
    """Bring a backup back into a state folder that is empty, without the numbers that were erased
    since; how many were. `erased` stands beside the backup unless it is named. Raises BackupError:
    nothing is changed then."""
    if settings.home.exists() and any(settings.home.iterdir()):
        raise BackupError(f"{settings.home} is not empty: a backup is brought back into a new one")
    keys = _erased_in(erased or file.parent / ERASED)
    made = not settings.home.exists()
    settings.home.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        # within the folder: what lies beside it may belong to root
        with tempfile.TemporaryDirectory(dir=settings.home, prefix=".restoring-") as work:
            new = Path(work) / "home"
            again = _unpacked(file, settings, passphrase, new, keys)
            # secrets last: on a folder without them no hotline starts
            for one in sorted(new.iterdir(), key=lambda one: one.name == "secrets.json"):
                one.replace(settings.home / one.name)
    except BaseException:
        if made and not any(settings.home.iterdir()):
            settings.home.rmdir()
        raise
    return again


def _unpacked(
    file: Path, settings: Settings, passphrase: str, new: Path, keys: dict[str, str]
) -> int:
    """The backup in a folder of its own, and its database where it is wanted; how many numbers
    were erased in both."""
    try:
        with (
            file.open("rb") as source,
            tarfile.open(fileobj=Opening(source, passphrase), mode="r|gz") as tar,
        ):
            _unpack(tar, new)
    except (OSError, tarfile.TarError, EOFError, SealError) as error:
        raise BackupError(f"{file} cannot be read: {error}") from error
    database = _brought_back(settings, new)
    database.migrate()
    # what was written to the journal after the rows had been copied
    Tailer(database, new / "journal", settings.node).catch_up()
    again = _erase_again(database, new, keys)
    database.engine.dispose()
    return again


def _unpack(tar: tarfile.TarFile, folder: Path) -> None:
    """Files and folders alone, below that folder. By hand: Debian 12's Python has no filter for
    it. Raises BackupError."""
    for member in tar:
        place = folder / member.name
        within = Path(os.path.normpath(place)).is_relative_to(folder)
        if not within or not (member.isfile() or member.isdir()):
            raise BackupError(f"the backup has something strange in it: {member.name}")
        (place if member.isdir() else place.parent).mkdir(parents=True, exist_ok=True)
        if (content := tar.extractfile(member)) is not None:
            with place.open("wb") as out:
                shutil.copyfileobj(content, out)
            place.chmod(member.mode & 0o755)
            os.utime(place, (member.mtime, member.mtime))


def _erase_again(database: Database, home: Path, keys: dict[str, str]) -> int:
    """Erase every number of the backup whose key is known."""
    own = secrets.load(home)
    secret = own.privacy_key
    archive = Archive(database, home)
    with database.reading() as session:
        candidates = erasure.numbers_of(session) | erasure.numbers_in(home, own.journal_key)
        candidates |= people.numbers(archive)
        keys = {key: iso(at) for key, at in erasure.erased(session).items()} | keys
    found = [one for one in candidates if erasure.key_of(secret, one) in keys]
    for phone in found:
        with database.transaction() as session:
            erasure.erase_files(
                home, phone, erasure.sounds_of(session, phone), own.journal_key
            )
            at = datetime.fromisoformat(keys[erasure.key_of(secret, phone)])
            erasure.erase_rows(session, phone, secret, at, people.calls_of(archive, phone))
        with archive.alone() as is_ours:
            people.erase(archive, phone, is_ours)
    if found:
        erasure.scrub(database)
    return len(found)


def _erased_in(file: Path) -> dict[str, str]:
    """When which number was erased, by its key. Raises BackupError where the file is damaged: what
    was erased must not come back."""
    if not file.exists():
        return {}
    try:
        lines = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
        return {str(line["key"]): str(line["at"]) for line in lines}
    except (ValueError, KeyError, TypeError, OSError) as error:
        raise BackupError(f"{file}: {error}") from error


def _dumped(database: Database, folder: Path) -> Path:
    """The database as it is at one moment."""
    if database.is_sqlite:
        target = folder / _SQLITE
        source = sqlite3.connect(str(database.url.database), timeout=60)
        copy = sqlite3.connect(target)
        try:
            source.backup(copy, pages=4096, sleep=0.01)
        finally:
            copy.close()
            source.close()
        return target
    target = folder / _DUMP
    _run("pg_dump", "--format=custom", "--no-owner", f"--file={target}", _plain(database.url))
    return target


def _of_astdb(source: Path, folder: Path) -> Path | None:
    """The families that are kept, as a database that Asterisk opens; None: it has none yet."""
    if not source.exists():
        return None
    target = folder / source.name
    with (
        closing(sqlite3.connect(f"{source.as_uri()}?mode=ro", uri=True, timeout=30)) as asterisks,
        closing(sqlite3.connect(target)) as ours,
    ):
        rows = [
            row for family in ASTDB_KEPT for row in asterisks.execute(
                "SELECT key, value FROM astdb WHERE key GLOB ?", (f"/{family}/*",)
            )
        ]
        with ours:
            ours.execute(
                "CREATE TABLE astdb (key VARCHAR(256), value VARCHAR(256), PRIMARY KEY (key))"
            )
            ours.executemany("INSERT INTO astdb VALUES (?, ?)", rows)
    return target


def _brought_back(settings: Settings, home: Path) -> Database:
    """The backup's database where the settings want it."""
    keys = field_keys.of_home(home)
    wanted = Database(settings.database_url, keys=keys)
    if wanted.is_sqlite != (home / _SQLITE).exists():
        kind = "SQLite" if (home / _SQLITE).exists() else "PostgreSQL"
        raise BackupError(f"this backup is of {kind}: set database_url to one")
    if wanted.is_sqlite:
        place = Path(str(wanted.url.database))
        inside = place.is_relative_to(settings.home)
        if not inside and place.exists():
            raise BackupError(f"{place} is there already: move it away first")
        target = home / place.relative_to(settings.home) if inside else place
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(home / _SQLITE, target)
        return Database(f"sqlite:///{target}", keys=keys)
    if inspect(wanted.engine).get_table_names():
        raise BackupError("the database of database_url is not empty: name a new one")
    _run("pg_restore", "--no-owner", "--single-transaction", "--exit-on-error",
         f"--dbname={_plain(wanted.url)}", str(home / _DUMP))
    (home / _DUMP).unlink()
    return wanted


def _plain(url: URL) -> str:
    return url.set(drivername="postgresql").render_as_string(hide_password=False)


def _run(program: str, *words: str) -> None:
    found = shutil.which(program)
    if found is None:
        raise BackupError(f"{program} is not on PATH: install the PostgreSQL client")
    done = subprocess.run([found, *words], capture_output=True, text=True, check=False)
    if done.returncode:
        raise BackupError(f"{program}: {done.stderr.strip()[:500]}")


def _places(settings: Settings) -> dict[Path, Path]:
    """What is packed, by its name in the backup."""
    home = settings.home
    places = {Path(name): home / name for name in KEPT}
    for place in (settings_file(home), settings.menus, settings.recordings):
        if place.is_relative_to(home):
            places[place.relative_to(home)] = place
        elif place != MENUS:
            places[OUTSIDE / place.relative_to("/")] = place.resolve()
    return places


def _shared(home: Path) -> list[tuple[Path, Path]]:
    """What several nodes keep in one folder (HOTLINE_KEPT) stands beside what is this node's."""
    if not (home / kept.LINK).is_symlink():
        return []
    return [(Path(name), kept.folder(home, name)) for name in kept.NAMES]


def outside(home: Path) -> list[tuple[Path, Path]]:
    """What a backup brought back from outside the state folder: each file, and where it lay."""
    folder = home / OUTSIDE
    found = (one for one in sorted(folder.rglob("*")) if one.is_file())
    return [(one, "/" / one.relative_to(folder)) for one in found]


def _pack(tar: tarfile.TarFile, place: Path, name: Path) -> None:
    """A file or folder in which others write and delete. What goes meanwhile is left out, and what
    has come in its place is looked for: the journal's segments are renamed, and sealed."""
    seen: set[Path] = set()
    for _ in range(LOOKS):
        found = {place, *place.rglob("*")} - seen
        if not found:
            break
        for one in sorted(found):
            with suppress(FileNotFoundError):
                _add(tar, one, str(name / one.relative_to(place)))
        seen |= found


def _add(tar: tarfile.TarFile, place: Path, name: str) -> None:
    mode = place.lstat().st_mode
    if stat.S_ISDIR(mode):
        tar.add(place, name, recursive=False)
    elif stat.S_ISREG(mode):
        with place.open("rb") as content:  # as long as it is now: it may be growing
            tar.addfile(tar.gettarinfo(arcname=name, fileobj=content), content)


def listed(folder: Path) -> Iterable[Path]:
    """The backups of a folder, oldest first."""
    return sorted(folder.glob("hotline-*.backup"))
