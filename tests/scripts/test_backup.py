"""Backups come back whole or not at all, and without who was erased."""

from __future__ import annotations

import gzip
import io
import json
import shutil
import sqlite3
import subprocess
import tarfile
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from crm import kept, secrets
from crm import settings as configuration
from crm.database import Database
from crm.privacy import erasure, requests, sealing
from crm.privacy.requests import Kind
from crm.recordings import store
from crm.recordings.models import Kind as Sounds
from crm.settings import Settings
from ivr import history
from scripts import backup, privacy
from scripts.backup import BackupError
from scripts.commands.recordings import recordings
from scripts.hotline import main
from tests.agent_console.factories import add_call
from tests.crm.privacy.test_erasure import NUMBER, OTHER, SAID, with_everything
from tests.crm.recordings import sounds
from tests.databases import BARE, KINDS, Databases

NOW = datetime(2026, 11, 24, 3, 15, tzinfo=UTC)
RAW, WAV = "th1.b1-7.1.raw", "th1.b1-7.2.wav"
PASSPHRASE = "mười hai con giáp và một con mèo"
TOLD = (NUMBER, NUMBER[1:], "Tám", "thôn Đông", "voice of Tam")


def settings_of(home: Path, database: Database) -> Settings:
    return configuration.load({
        "HOTLINE_HOME": str(home),
        "HOTLINE_DATABASE_URL": database.url.render_as_string(hide_password=False),
    })


@pytest.fixture(params=KINDS)
def hotline(
    request: pytest.FixtureRequest, databases: Databases, tmp_path: Path
) -> Iterator[Settings]:
    """A state folder with a citizen in every place, and a second one."""
    home = tmp_path / "home"
    home.mkdir()
    secrets.ensure(home, [])
    with databases.new(request.param) as database:
        if database.is_sqlite:
            shutil.copy(str(database.url.database), home / "hotline.db")
            own = Database.of(settings_of(home, Database(f"sqlite:///{home / 'hotline.db'}")))
        else:
            own = Database.of(settings_of(home, database))
        with_everything(own, home)
        yield settings_of(home, own)
        own.engine.dispose()


@pytest.fixture
def again(hotline: Settings, databases: Databases, tmp_path: Path) -> Iterator[Settings]:
    """Where a backup can come back to; on a server, a new database."""
    home = tmp_path / "again" / "home"
    if Database.of(hotline).is_sqlite:
        yield settings_of(home, Database(f"sqlite:///{home / 'hotline.db'}"))
    else:
        with databases.new("postgresql", BARE) as new:
            yield settings_of(home, new)


def found_in(settings: Settings) -> set[str]:
    """Which of TOLD stand anywhere in the state folder, or in what the database server has."""
    database = Database.of(settings)
    if database.is_sqlite:
        everything = b""
    else:
        url = database.url.set(drivername="postgresql").render_as_string(hide_password=False)
        everything = subprocess.run(["pg_dump", url], capture_output=True, check=True).stdout
    database.engine.dispose()
    for file in settings.home.rglob("*"):
        if file.is_file():
            everything += file.read_bytes()
    texts = [everything.decode(code, errors="replace").lower() for code in ("utf-8", "utf-16-le")]
    return {one for one in TOLD if any(one.lower() in text for text in texts)}


def erase(settings: Settings) -> None:
    """As people do it: entered by one, agreed to by another, done by the scheduler."""
    database = Database.of(settings)
    with database.transaction() as session:
        request = requests.enter(
            session, kind=Kind.ERASE, number=NUMBER, requester="Lê Văn Tám", by="quan", now=NOW,
            checked="gọi lại số đó", secret=secrets.load(settings.home).privacy_key,
        )
        requests.agree(session, request, by="huy", now=NOW)
    assert privacy.fulfil(database, settings, NOW) == 1
    assert privacy.fulfil(database, settings, NOW) == 0
    database.engine.dispose()


def test_after_an_erasure_nothing_is_found_in_the_state_folder_nor_in_a_backup_that_comes_back(
    hotline: Settings, again: Settings, tmp_path: Path
) -> None:
    before = backup.make(hotline, tmp_path / "backups", PASSPHRASE, NOW)
    assert found_in(hotline) == set(TOLD)
    erase(hotline)
    assert found_in(hotline) == set()
    backup.note_erased(hotline, tmp_path / "backups")
    assert backup.restore(before, again, PASSPHRASE) == 1
    assert found_in(again) == set()
    with Database.of(again).reading() as session:
        assert OTHER in erasure.numbers_of(session)  # the others are there
    assert (again.home / "recordings/th1.b1-1.2.wav").read_bytes() == b"another voice"


def test_a_backup_brings_everything_back(
    hotline: Settings, again: Settings, tmp_path: Path
) -> None:
    made = backup.make(hotline, tmp_path / "backups", PASSPHRASE, NOW)
    assert made.name == "hotline-20261124T031500Z.backup"
    assert SAID.encode() not in made.read_bytes()
    assert list(backup.listed(tmp_path / "backups")) == [made]
    backup.verify(made, PASSPHRASE)
    assert backup.restore(made, again, PASSPHRASE) == 0
    assert found_in(again) == set(TOLD)
    assert secrets.load(again.home) == secrets.load(hotline.home)


def astdb(home: Path, *rows: tuple[str, str]) -> Path:
    """Asterisk's own small database, as it makes it."""
    file = home / backup.ASTDB
    file.parent.mkdir(parents=True)
    with closing(sqlite3.connect(file)) as made, made:
        made.execute("CREATE TABLE IF NOT EXISTS astdb(key VARCHAR(256), value VARCHAR(256), "
                     "PRIMARY KEY(key))")
        made.executemany("INSERT INTO astdb VALUES (?, ?)", rows)
    return file


def rows_of(home: Path) -> list[tuple[str, str]]:
    with closing(sqlite3.connect(home / backup.ASTDB)) as there:
        return there.execute("SELECT key, value FROM astdb ORDER BY key").fetchall()


def test_who_wants_no_call_back_is_known_after_a_restore_and_nothing_else_of_asterisk_is(
    hotline: Settings, again: Settings, tmp_path: Path
) -> None:
    astdb(
        hotline.home, ("/callback_refused/0912000998", "1763845445"),
        (f"/callback_refused/{NUMBER}", "1763845445"), ("/switch/overload", "on"),
        ("/mobile/0912000997", "lan"), ("/registrar/contact/desk-01;@x", "{}"),
    )
    folder = tmp_path / "backups"
    made = backup.make(hotline, folder, PASSPHRASE, NOW)
    erase(hotline)
    backup.note_erased(hotline, folder)
    backup.restore(made, again, PASSPHRASE)
    assert rows_of(again.home) == [("/callback_refused/0912000998", "1763845445")]


def test_an_erased_number_that_only_asterisk_knew_does_not_come_back(
    hotline: Settings, again: Settings, tmp_path: Path
) -> None:
    """Its rows were too old and deleted before."""
    unknown = "0912000996"
    astdb(hotline.home, (f"/callback_refused/{unknown}", "1763845445"))
    made = backup.make(hotline, tmp_path / "backups", PASSPHRASE, NOW)
    key = erasure.key_of(secrets.load(hotline.home).privacy_key, unknown)
    (tmp_path / "backups" / backup.ERASED).write_text(
        json.dumps({"key": key, "at": "2026-11-25T00:00:00Z"}) + "\n", encoding="utf-8"
    )
    assert backup.restore(made, again, PASSPHRASE) == 1
    assert rows_of(again.home) == []


def test_a_damaged_astdb_makes_no_backup_that_looks_whole(
    hotline: Settings, tmp_path: Path
) -> None:
    astdb(hotline.home).write_bytes(b"no database")
    with pytest.raises(BackupError, match="no backup was made: file is not a database"):
        backup.make(hotline, tmp_path / "backups", PASSPHRASE, NOW)
    assert list(backup.listed(tmp_path / "backups")) == []


def test_what_several_nodes_keep_in_one_folder_is_in_a_backup_of_each(
    hotline: Settings, again: Settings, tmp_path: Path
) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    kept.share(hotline.home, shared)
    for name in kept.NAMES:
        (shared / name / "of-another-node.sealed").write_bytes(b"sealed")
    made = backup.make(hotline, tmp_path / "backups", PASSPHRASE, NOW)
    backup.restore(made, again, PASSPHRASE)
    for name in kept.NAMES:
        assert (again.home / name / "of-another-node.sealed").read_bytes() == b"sealed"
    assert (again.home / "recordings/th1.b1-1.2.wav").read_bytes() == b"another voice"


def test_sealed_recordings_and_messages_come_back_as_they_were_sealed(
    hotline: Settings, again: Settings, tmp_path: Path
) -> None:
    own = Database.of(hotline)
    for call, column, name in (("th1.b1-7.1", "recording", RAW), ("th1.b1-7.2", "voicemail", WAV)):
        add_call(own, id=call, started_at=NOW - timedelta(hours=5),
                 ended_at=NOW - timedelta(hours=4), **{column: name})
    sounds.put(hotline.home, RAW, sounds.tones(440, 1000, seconds=40))
    with store.opened(hotline.home, Sounds.RECORDINGS, RAW) as plain:
        said = plain.read()
    sounds.put(hotline.home, WAV, said, folder="voicemail")
    assert store.seal_ended(own, hotline.home, NOW) == 2
    own.engine.dispose()
    made = backup.make(hotline, tmp_path / "backups", PASSPHRASE, NOW)
    assert backup.restore(made, again, PASSPHRASE) == 0
    for kind, name in ((Sounds.RECORDINGS, RAW), (Sounds.VOICEMAIL, WAV)):
        assert not (again.home / kind / name).exists()
        with store.opened(again.home, kind, name) as sound:
            assert sound.read() == said
    told = verified(again)
    assert (told.exit_code, told.output) == (0, "2 are as they were sealed\n")
    harmed = again.home / Sounds.VOICEMAIL / "th1.b1-7.2.sealed"
    harmed.write_bytes(harmed.read_bytes()[:-1])
    told = verified(again)
    assert told.exit_code == 1
    assert told.output.startswith(f"{WAV}: ")


def verified(settings: Settings) -> Result:
    return CliRunner().invoke(recordings, ["verify"], obj=settings)


def sealed(hotline: Settings, tmp_path: Path) -> Path:
    (hotline.home / "recordings/long.wav").write_bytes(bytes(range(256)) * 12_000)  # 3 pieces
    return backup.make(hotline, tmp_path / "backups", PASSPHRASE, NOW)


@pytest.mark.parametrize("hotline", ["sqlite"], indirect=True)
@pytest.mark.parametrize("harm", ["cut", "changed", "longer", "other", "key"])
def test_what_was_harmed_does_not_come_back_by_half(
    hotline: Settings, again: Settings, tmp_path: Path, harm: str
) -> None:
    made = sealed(hotline, tmp_path)
    data = bytearray(made.read_bytes())
    if harm == "changed":
        data[len(data) // 2] ^= 1
    made.write_bytes(bytes({
        "cut": data[:-200], "other": b"PK" + data, "longer": data[:40] + data[44:],
    }.get(harm, data)))
    with pytest.raises(BackupError):
        backup.restore(made, again, PASSPHRASE if harm != "key" else "another passphrase here")
    with pytest.raises(BackupError):
        backup.verify(made, PASSPHRASE if harm != "key" else "another passphrase here")
    assert not again.home.exists()
    assert list(again.home.parent.iterdir()) == []


@pytest.mark.parametrize("hotline", ["sqlite"], indirect=True)
def test_a_folder_that_is_not_empty_is_left_alone(hotline: Settings, tmp_path: Path) -> None:
    made = sealed(hotline, tmp_path)
    with pytest.raises(BackupError, match="not empty"):
        backup.restore(made, hotline, PASSPHRASE)
    assert found_in(hotline) == set(TOLD)


@pytest.mark.parametrize("hotline", ["sqlite"], indirect=True)
def test_a_damaged_list_of_the_erased_brings_nobody_back(
    hotline: Settings, again: Settings, tmp_path: Path
) -> None:
    made = sealed(hotline, tmp_path)
    (made.parent / backup.ERASED).write_text('{"key": ')
    with pytest.raises(BackupError, match="erased"):
        backup.restore(made, again, PASSPHRASE)


@pytest.mark.parametrize("hotline", ["sqlite"], indirect=True)
def test_what_is_deleted_or_renamed_while_it_is_packed_stops_no_backup_and_loses_nothing(
    hotline: Settings, again: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Retention deletes a recording, and the journal is rotated, sealed and begun anew."""
    journal, old = hotline.home / "journal" / "journal.csv", hotline.home / "recordings" / "old.raw"
    rotated = journal.with_name("journal-20261124T031500.csv")
    written = journal.read_bytes()
    old.write_bytes(b"a year old")
    real = backup._dumped

    def meanwhile(database: Database, folder: Path) -> Path:
        dumped = real(database, folder)
        listed = Path.rglob

        def then(self: Path, pattern: str) -> Iterator[Path]:
            """What happens between the look and the packing."""
            yield from listed(self, pattern)
            if self == old.parent:
                old.unlink(missing_ok=True)
            elif self == journal.parent and not rotated.exists():
                journal.rename(rotated)
                journal.write_bytes(b"anew")

        monkeypatch.setattr(Path, "rglob", then)
        return dumped

    monkeypatch.setattr(backup, "_dumped", meanwhile)
    made = backup.make(hotline, tmp_path / "backups", PASSPHRASE, NOW)
    monkeypatch.undo()
    assert backup.restore(made, again, PASSPHRASE) == 0
    assert not (again.home / "recordings" / "old.raw").exists()
    assert (again.home / "journal" / rotated.name).read_bytes() == written
    assert (again.home / "journal" / journal.name).read_bytes() == b"anew"


@pytest.mark.parametrize("hotline", ["sqlite"], indirect=True)
def test_settings_and_menus_elsewhere_come_along_and_are_written_over_nothing(
    hotline: Settings, again: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    etc = tmp_path / "etc"
    (etc / "menus").mkdir(parents=True)
    (etc / "menus" / "main.yml").write_text("menu: of ours", encoding="utf-8")
    (etc / "menus" / "night.yml").write_text("menu: at night", encoding="utf-8")
    key = etc / "passphrase"
    key.write_text(PASSPHRASE, encoding="utf-8")
    config = etc / "hotline.toml"
    config.write_text(f'menus = "{etc}/menus"\nbackup_key = "{key}"\n', encoding="utf-8")
    monkeypatch.setenv("HOTLINE_CONFIG", str(config))
    monkeypatch.setenv("HOTLINE_HOME", str(hotline.home))
    made = backup.make(configuration.load(), tmp_path / "backups", PASSPHRASE, NOW)
    packed = config.read_bytes()
    config.write_text(f'capacity = 7\nbackup_key = "{key}"\n', encoding="utf-8")
    (etc / "menus" / "night.yml").unlink()

    monkeypatch.setenv("HOTLINE_HOME", str(again.home))
    told = CliRunner().invoke(main, ["backup", "restore", str(made)])
    assert told.exit_code == 0, told.output
    kept = again.home / "outside" / etc.relative_to("/")
    assert told.output.splitlines()[1:] == [
        f"{config}: the backup's is {kept}/hotline.toml; nothing was written there, compare them",
        f"{etc}/menus/main.yml: as in the backup",
        f"{etc}/menus/night.yml: the backup's is {kept}/menus/night.yml;"
        " nothing was written there, compare them",
    ]
    assert (kept / "hotline.toml").read_bytes() == packed
    assert config.read_text(encoding="utf-8").startswith("capacity = 7")
    assert not (etc / "menus" / "night.yml").exists()
    assert not (kept / "passphrase").exists()  # a backup that bears its own key is not sealed


@pytest.mark.parametrize("hotline", ["sqlite"], indirect=True)
def test_settings_menus_and_what_was_in_force_come_back_into_the_state_folder(
    hotline: Settings, again: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (hotline.home / "own").mkdir()
    (hotline.home / "own" / "main.yml").write_text("menu: of ours", encoding="utf-8")
    config = hotline.home / "own.toml"
    config.write_text(f'menus = "{hotline.home}/own"\n', encoding="utf-8")
    record = history.add(
        hotline.home, {"queues.conf": "[general]\n"}, now=NOW, who="lan", why="new hours",
        kind="apply", result=history.IN_FORCE, changed=("queues.conf",),
    )
    monkeypatch.setenv("HOTLINE_CONFIG", str(config))
    monkeypatch.setenv("HOTLINE_HOME", str(hotline.home))
    made = backup.make(configuration.load(), tmp_path / "backups", PASSPHRASE, NOW)
    backup.restore(made, again, PASSPHRASE)
    assert (again.home / "own" / "main.yml").read_text(encoding="utf-8") == "menu: of ours"
    assert (again.home / "own.toml").read_bytes() == config.read_bytes()
    assert history.records(again.home) == [record]
    assert history.files(again.home, record.number) == {"queues.conf": "[general]\n"}
    assert backup.outside(again.home) == []


@pytest.mark.parametrize("hotline", ["sqlite"], indirect=True)
def test_no_half_backup_looks_whole(
    hotline: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(sealing.Sealing, "end", full)
    with pytest.raises(BackupError, match="No space left"):
        backup.make(hotline, tmp_path / "backups", PASSPHRASE, NOW)
    assert list((tmp_path / "backups").iterdir()) == []


def test_a_passphrase_is_wanted_and_long(tmp_path: Path) -> None:
    key = tmp_path / "key"
    for written in (None, "short", "   \n"):
        if written is not None:
            key.write_text(written)
        told = configuration.load({"HOTLINE_HOME": str(tmp_path), "HOTLINE_BACKUP_KEY": str(key)})
        with pytest.raises(BackupError):
            backup.passphrase_of(told)
    with pytest.raises(BackupError, match="set backup_key"):
        backup.passphrase_of(configuration.load({"HOTLINE_HOME": str(tmp_path)}))
    key.write_text(f"{PASSPHRASE}\n", encoding="utf-8")
    assert backup.passphrase_of(told) == PASSPHRASE


@pytest.mark.parametrize(("name", "kind"), [
    ("../beside", tarfile.REGTYPE), ("/etc/motd", tarfile.REGTYPE), ("link", tarfile.SYMTYPE),
])
def test_what_leads_out_of_the_folder_is_not_unpacked(
    tmp_path: Path, name: str, kind: bytes
) -> None:
    strange = tarfile.TarInfo(name)
    strange.type, strange.linkname = kind, "/etc/shadow"
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        tar.addfile(strange, io.BytesIO())
    packed.seek(0)
    settings = configuration.load({"HOTLINE_HOME": str(tmp_path / "home")})
    file = tmp_path / "strange.backup"
    with file.open("wb") as out, sealing.Sealing(out, PASSPHRASE) as sealed:
        sealed.write(gzip.compress(packed.getvalue()))
        sealed.end()
    with pytest.raises(BackupError, match="something strange"):
        backup.restore(file, settings, PASSPHRASE)
    assert not settings.home.exists()
    assert [one.name for one in tmp_path.iterdir()] == ["strange.backup"]
