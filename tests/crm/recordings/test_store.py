"""Sounds are sealed after their call: nothing is lost whatever dies, and what was changed does not
open."""

from __future__ import annotations

import os
import signal
import sys
import wave
from datetime import timedelta
from pathlib import Path
from threading import Event

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import event, select
from sqlalchemy.orm import Session

from crm import secrets
from crm import settings as configuration
from crm.database import Database
from crm.field_keys import of_home
from crm.models import Call
from crm.notices.models import Notice
from crm.notices.outbox import Purpose
from crm.privacy import erasure, resealing
from crm.recordings import sealed, store, waves
from crm.recordings.models import Kind, Sound
from crm.recordings.sealed import PIECE, SealedSound, SoundError
from crm.recordings.waves import PlainSound
from scripts.scheduler import Jobs
from tests.agent_console.factories import add_call
from tests.crm.recordings.sounds import (
    NOW,
    age,
    flipped,
    home_with_keys,
    names,
    put,
    tones,
)

CALL = "th1.b1-1.1"
RAW = f"{CALL}.raw"
KIND = Kind.RECORDINGS


@pytest.fixture
def own(sqlite: Database, tmp_path: Path) -> Database:
    return home_with_keys(tmp_path, sqlite)


def ended(database: Database, call: str = CALL, **more: object) -> None:
    add_call(database, **{
        "id": call, "started_at": NOW - timedelta(minutes=5), "recording": f"{call}.raw",
        "ended_at": NOW - timedelta(minutes=1), **more,
    })


def heard(home: Path, name: str = RAW, kind: Kind = KIND) -> bytes:
    with store.opened(home, kind, name) as sound:
        return sound.read()


def test_a_recording_is_sealed_with_both_sides_as_a_player_reads_them(
    own: Database, tmp_path: Path
) -> None:
    ended(own)
    put(tmp_path, RAW, tones(440, 1000, seconds=9))
    before = heard(tmp_path)
    assert store.seal_ended(own, tmp_path, NOW) == 1
    assert names(tmp_path / "recordings") == {f"{CALL}.sealed"}
    assert heard(tmp_path) == before
    (tmp_path / "heard.wav").write_bytes(before)
    with wave.open(str(tmp_path / "heard.wav")) as wav:
        assert wav.getparams()[:4] == (2, 2, 8000, 72_000)
    at_rest = (tmp_path / f"recordings/{CALL}.sealed").read_bytes()
    assert before[1000:1064] not in at_rest
    with own.reading() as session:
        row = session.scalar(select(Sound))
        assert row is not None
        assert (row.name, row.call_id, row.length_ms, row.size) == (RAW, CALL, 9000, len(before))
        left, right = waves.read_outline(row.peaks or "")
    assert len(left) == len(right) == 90  # one for each tenth of a second
    assert all(0.23 < level < 0.26 for level in left)


def test_what_goes_on_is_left_alone_and_heard_all_the_same(own: Database, tmp_path: Path) -> None:
    ended(own, ended_at=None)
    put(tmp_path, RAW, tones(440, 1000))
    fresh = put(tmp_path, "th1.b1-1.2.raw", tones(440, 1000))
    ended(own, "th1.b1-1.2")
    os.utime(fresh)  # Asterisk still writes the last of it
    assert store.seal_ended(own, tmp_path, NOW) == 0
    assert heard(tmp_path)[:4] == b"RIFF"
    # what nobody knows of any more is sealed once no call can be as long
    stranger = put(tmp_path, "th1.b0-1.9-17.wav", heard(tmp_path), "voicemail")
    age(stranger, store.ORPHAN)
    assert store.seal_ended(own, tmp_path, NOW) == 1


def test_a_recording_that_was_discarded_or_refused_is_deleted_with_a_word(
    own: Database, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    marks = [{"state": "paused", "why": "card", "by": "lan", "at": "x"},
             {"state": "discarded", "why": "private", "by": "lan", "at": "x"}]
    ended(own, recording_marks=marks)
    ended(own, "th1.b1-1.2", recording_notice="refused")
    for name in (RAW, "th1.b1-1.2.raw"):
        put(tmp_path, name, tones(440, 1000))
    assert store.seal_ended(own, tmp_path, NOW) == 2
    assert names(tmp_path / "recordings") == set()
    with own.reading() as session:
        rows = {one.name: one for one in session.scalars(select(Sound))}
    assert (rows[RAW].discarded_by, rows[RAW].discarded_why) == ("lan", "private")
    assert rows["th1.b1-1.2.raw"].discarded_why == "refused"
    assert "as lan asked (private)" in caplog.text
    with pytest.raises(store.GoneError):
        store.opened(tmp_path, KIND, RAW)


# the plain file and the new one are opened, that is opened again and read, gets its name, its
# folder is put on the disk, the row is committed, the plain file goes; in the last round none dies
STEPS = 7


@pytest.mark.parametrize("step", range(STEPS + 1))
def test_whatever_dies_in_between_leaves_the_sound_and_is_done_again(
    own: Database, tmp_path: Path, step: int
) -> None:
    ended(own)
    put(tmp_path, RAW, tones(440, 1000, seconds=5))
    before = heard(tmp_path)
    own.engine.dispose()
    child = os.fork()
    if child == 0:
        _die_at(step, tmp_path)
        store.seal_ended(own, tmp_path, NOW)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    died = os.WIFSIGNALED(status)
    assert died == (step < STEPS), "the steps are others: count them again"
    assert heard(tmp_path) == before
    store.seal_ended(own, tmp_path, NOW)
    assert heard(tmp_path) == before
    assert names(tmp_path / "recordings") == {f"{CALL}.sealed"}
    assert list(store.verify(own, tmp_path, NOW)) == [None]


def _die_at(step: int, home: Path) -> None:
    """Kill this process when it is about to do the `step`-th thing to the disk."""
    left = [step]

    def at(what: str, args: tuple[object, ...]) -> None:
        of_ours = what in ("open", "os.rename", "os.remove") and str(home / "rec") in str(args[0])
        if of_ours or what == "hotline.commit":
            if left[0] == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            left[0] -= 1

    @event.listens_for(Session, "before_commit")
    def _commit(_session: Session) -> None:
        sys.audit("hotline.commit")

    sys.addaudithook(at)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_nothing_that_was_changed_cut_or_lengthened_opens(
    own: Database, tmp_path: Path, data: st.DataObject
) -> None:
    plain = put(tmp_path, "x.raw", tones(440, 1000, seconds=5))
    file = tmp_path / "recordings/x.sealed"
    with PlainSound(plain) as source:
        digest = sealed.write(source, source.size, file, of_home(tmp_path))
    whole = file.read_bytes()
    head = len(whole) - source.size - 16 * 3
    match data.draw(st.sampled_from(("flip", "cut", "more", "swap"))):
        case "flip":  # in the first key's place nothing is lost: the second one opens
            place = data.draw(st.integers(head - 8, len(whole) - 1))
            file.write_bytes(flipped(whole, [place]))
        case "cut":
            file.write_bytes(whole[:data.draw(st.integers(0, len(whole) - 1))])
        case "more":
            file.write_bytes(whole + b"x")
        case "swap":
            first, second = whole[head:head + PIECE + 16], whole[head + PIECE + 16:][:PIECE + 16]
            file.write_bytes(whole[:head] + second + first + whole[head + 2 * (PIECE + 16):])
    with pytest.raises(SoundError), SealedSound(file, of_home(tmp_path)) as changed:
        changed.digest()
    file.write_bytes(flipped(whole, [20]))
    with SealedSound(file, of_home(tmp_path)) as mended:
        assert mended.digest() == digest


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(start=st.integers(0, 200_000), length=st.integers(0, 150_000))
def test_any_part_is_read_alone(
    own: Database, tmp_path: Path, start: int, length: int
) -> None:
    plain = put(tmp_path, "x.raw", tones(440, 1000, seconds=5))
    file = tmp_path / "recordings/x.sealed"
    if not file.exists():
        with PlainSound(plain) as source:
            sealed.write(source, source.size, file, of_home(tmp_path))
    with PlainSound(plain) as source, SealedSound(file, of_home(tmp_path)) as sound:
        assert sound.seek(start) == source.seek(start)
        assert sound.read(length) == source.read(length)


def test_verify_names_what_is_broken_gone_or_unknown(own: Database, tmp_path: Path) -> None:
    for number in range(1, 5):
        ended(own, f"th1.b1-1.{number}")
        put(tmp_path, f"th1.b1-1.{number}.raw", tones(440, 1000))
    store.seal_ended(own, tmp_path, NOW)
    folder = tmp_path / "recordings"
    changed = folder / "th1.b1-1.1.sealed"
    changed.write_bytes(flipped(changed.read_bytes(), [-20]))
    (folder / "th1.b1-1.2.sealed").unlink()
    (folder / "th1.b1-9.9.sealed").write_bytes((folder / "th1.b1-1.3.sealed").read_bytes())
    # another call's recording under this one's name opens, and is not what was sealed
    (folder / "th1.b1-1.4.sealed").write_bytes((folder / "th1.b1-1.3.sealed").read_bytes())
    put(tmp_path, "th1.b1-1.4.raw", tones(300, 400))
    found = [one for one in store.verify(own, tmp_path, NOW) if one is not None]
    assert {one.name for one in found} == {
        "th1.b1-1.1.raw", "th1.b1-1.2.raw", "th1.b1-9.9.sealed",
    }
    assert "changed" in found[0].what
    with own.reading() as session:
        assert store.broken(session) == 2


def test_each_night_goes_on_where_the_last_stopped_and_what_is_broken_alarms(
    own: Database, tmp_path: Path
) -> None:
    for number in range(1, 6):
        ended(own, f"th1.b1-1.{number}")
        put(tmp_path, f"th1.b1-1.{number}.raw", tones(440, 1000))
    store.seal_ended(own, tmp_path, NOW)
    (tmp_path / "recordings/th1.b1-1.2.sealed").unlink()
    night, stop = [NOW], Event()
    jobs = Jobs(configuration.load({
        "HOTLINE_HOME": str(tmp_path), "HOTLINE_ALARM_PHONES": "0912345678",
    }), own, stop, lambda: night[0])
    stop.set()  # a night that is over after one of them
    for read, alarms in (("1", 0), ("2", 1)):
        jobs.verify_sounds()
        assert (last_read(own), alarms_of(own)) == (f"th1.b1-1.{read}.raw", alarms)
        night[0] += timedelta(days=1)
    stop.clear()  # and one that is long enough for all, with those at the beginning
    jobs.verify_sounds()
    with own.reading() as session:
        assert set(session.scalars(select(Sound.checked_at))) == {night[0]}
        assert session.scalars(select(Sound.name).where(Sound.trouble.is_not(None))).all() == [
            "th1.b1-1.2.raw"]


def last_read(database: Database) -> str:
    with database.reading() as session:
        return store.verified_last(session)


def alarms_of(database: Database) -> int:
    with database.reading() as session:
        return len(session.scalars(
            select(Notice).where(Notice.purpose == Purpose.ALARM.value)
        ).all())


def test_the_keys_are_changed_under_them_and_an_old_one_goes_only_when_nothing_needs_it(
    own: Database, tmp_path: Path
) -> None:
    ended(own)
    put(tmp_path, RAW, tones(440, 1000))
    before = heard(tmp_path)
    store.seal_ended(own, tmp_path, NOW)
    old = secrets.load(tmp_path).field_keys
    assert resealing.renew(own, tmp_path, NOW) == 2  # the outline in the row, the file's key
    assert resealing.tidy(own, tmp_path, NOW + timedelta(days=2)) == 0
    assert old[0] not in secrets.load(tmp_path).field_keys
    assert heard(tmp_path) == before
    assert list(store.verify(own, tmp_path, NOW)) == [None]


def test_what_is_erased_while_it_is_sealed_stays_erased(
    own: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended(own, caller="0912345678")
    put(tmp_path, RAW, tones(440, 1000))
    drawn = waves.outline

    def meanwhile(sound: SealedSound) -> waves.Outline:
        assert store.remove(tmp_path, KIND, RAW) == 2  # the plain file and the half-sealed one
        return drawn(sound)

    monkeypatch.setattr(waves, "outline", meanwhile)
    assert store.seal_ended(own, tmp_path, NOW) == 0
    assert names(tmp_path / "recordings") == set()


def test_erasing_a_number_takes_its_sealed_sounds_and_no_others(
    own: Database, tmp_path: Path
) -> None:
    # the names of the second begins with that of the first
    for call, number in ((CALL, "0912345678"), (f"{CALL}1", "0987654321")):
        ended(own, call, caller=number)
        put(tmp_path, f"{call}.raw", tones(440, 1000))
    store.seal_ended(own, tmp_path, NOW)
    with own.transaction() as session:
        erasure.erase_files(
            tmp_path, "0912345678", erasure.sounds_of(session, "0912345678"), "k" * 32
        )
        erasure.erase_rows(session, "0912345678", "k" * 32, NOW)
    assert names(tmp_path / "recordings") == {f"{CALL}1.sealed"}
    with own.reading() as session:
        assert [one.name for one in session.scalars(select(Sound))] == [f"{CALL}1.raw"]
        assert session.get(Call, CALL) is not None


def test_nothing_is_sealed_while_a_backup_is_made(own: Database, tmp_path: Path) -> None:
    ended(own)
    put(tmp_path, RAW, tones(440, 1000))
    with store.held_still(tmp_path):
        assert store.seal_ended(own, tmp_path, NOW) == 0
    assert store.seal_ended(own, tmp_path, NOW) == 1
