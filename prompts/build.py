"""Builds the sound files of the catalogue: `<out>/vi/<name>.alaw`, one format, cached by content.

Each file is a human recording where there is one, else an engine's voice. An engine that is
online or slow never delays a start: `build` speaks with the embedded one, and `upgrade` replaces
its files one by one in the background.
"""

from __future__ import annotations

import hashlib
import json
import logging
import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from multiprocessing import connection
from pathlib import Path

from crm.branches import NAMING
from crm.errors import HotlineError
from prompts import quality, sound
from prompts.approvals import Approval, Approvals
from prompts.catalogue import (
    BEEP,
    IN_REVIEW,
    LANGUAGE,
    LEAD_IN,
    LISTENING,
    MUSIC,
    Catalogue,
    Fragment,
    Utterance,
)
from prompts.sound import Samples, SoundError
from prompts.speller import PAUSE
from prompts.store import Store, published_keys
from prompts.voices import RecordingError, Recordings, Voice, VoiceError

PAUSE_MS = 250
LISTENING_MS = 10_000
UNKNOWN = "unknown"  # made from a text, a recording or by a voice that is no more
LEAD_IN_MS = 400
LEAD_MS = 100  # before and after a recording that names a language
UNAPPROVED = ".unapproved"  # after the name of a medical text that waits for a doctor

_POOL_FROM = 40  # files; for fewer, starting other processes takes longer than the work
_COURTESY_S = 1.0  # between two requests to an online engine
_FIRST_WAIT_S, _LONGEST_WAIT_S, _ERRORS_IN_A_ROW = 5.0, 600.0, 12

_GENERATED: Mapping[str, Callable[[], Samples]] = {
    BEEP: sound.beep,
    LEAD_IN: partial(sound.silence, LEAD_IN_MS),
    LISTENING: partial(sound.silence, LISTENING_MS),
    MUSIC: sound.music,
    PAUSE: partial(sound.silence, PAUSE_MS),
}

log = logging.getLogger(__name__)


class PromptError(HotlineError):
    """The prompts cannot be built at all. One sentence for the operator."""


@dataclass(frozen=True)
class BuildReport:
    """What was done, in files. `failed` says why, by sound name."""

    built: int
    cached: int
    removed: int
    from_recordings: int
    failed: Mapping[str, str]


def build(
    catalogue: Catalogue,
    voice: Voice,
    recordings_dir: Path,
    cache_dir: Path,
    out_dir: Path,
    *,
    progress: Callable[[int, int], None] = lambda done, total: None,
    preferred: Voice | None = None,
) -> BuildReport:
    """Bring `<out_dir>/vi` in line with the catalogue; remove what the catalogue no longer has.

    `voice`, an offline one, speaks what no recording and no cached file has. `preferred` is the
    voice that `upgrade` speaks with: its cached files win; it is never asked to speak here.
    `progress(done, total)` counts the files that must be made: recordings first, then speech.
    What was approved is kept before another voice. A medical text that no doctor has approved is
    put aside as `<name>.unapproved`, and under its name callers hear that it is being reviewed.
    A file that fails is in the report and not in the folder. For a damaged recording the voice
    speaks, and the report names it too. Raises PromptError when nothing can be spoken or a folder
    cannot be written.
    """
    if voice.online:
        raise ValueError("a build must not wait for an online voice: it is for upgrade")
    approvals = Approvals.load(recordings_dir)
    with _store(cache_dir, out_dir) as store:
        files = catalogue.files().values()
        recordings = Recordings(recordings_dir)
        recorded = [
            _take(file, path) for file in files if (path := recordings.find(file.name)) is not None
        ]
        made, failed = _make(recorded, store, progress)
        usable = {take.name: take for take in recorded if take.name not in failed}
        voices = [one for one in (preferred, voice) if one is not None]
        spoken = [
            _best(file, voices, store, approvals) for file in files if file.name not in usable
        ]
        made_too, unspoken = _make(spoken, store, progress)
        if unspoken and all(take.name in unspoken for take in spoken if take.utterance.text):
            raise PromptError(f"no prompt can be spoken: {next(iter(unspoken.values()))}")
        ready = usable | {take.name: take for take in spoken if take.name not in unspoken}
        published = {
            name: key for take in ready.values()
            for name, key in _names(take, approvals, ready.get(IN_REVIEW)).items()
        }
        for name, key in published.items():
            store.publish(name, key)
        built = sum(take.key in made | made_too for take in ready.values())
        return BuildReport(
            built=built,
            cached=len(ready) - built,
            removed=store.keep_only(published),
            from_recordings=len(usable),
            failed=failed | unspoken,
        )


def build_language(
    catalogue: Catalogue, language: str, recordings_dir: Path, cache_dir: Path, out_dir: Path
) -> dict[str, str]:
    """Bring `<out_dir>/vi_<language>` in line with the recordings in that language, the folder
    `<recordings_dir>/<language>`: named like the Vietnamese ones, as many as there are, and those
    that name the language (`NAMING`). What is not there callers hear in Vietnamese.

    Medical texts are left out: a doctor approves the Vietnamese words. Returns why a recording
    cannot be used, by name. Raises PromptError.
    """
    recordings = Recordings(recordings_dir / language)
    files = [file for file in catalogue.files().values() if not file.medical]
    files += [Utterance(name, "", LEAD_MS, LEAD_MS) for name in NAMING]
    takes = [_take(file, path) for file in files if (path := recordings.find(file.name))]
    with _store(cache_dir, out_dir, f"{LANGUAGE}_{language}") as store:
        _, failed = _make(takes, store, lambda _done, _all: None)
        ready = {take.name: take.key for take in takes if take.name not in failed}
        for name, key in ready.items():
            store.publish(name, key)
        store.keep_only(ready)
    return failed


def upgrade(
    catalogue: Catalogue,
    voice: Voice,
    recordings_dir: Path,
    cache_dir: Path,
    out_dir: Path,
    *,
    wait: Callable[[float], bool],
) -> BuildReport:
    """Replace the files of a finished build, one by one, by those of a better voice.

    What somebody has listened to and approved stays. A file is replaced only when the new one has
    been checked. After a VoiceError it waits, twice as long each time (5 s to 10 min), and goes on
    with the next file; after 12 errors in a row it stops. What is done stays done, so that the
    next run resumes. `wait(seconds)` returns True when the job shall end:
    `threading.Event().wait` fits. Raises PromptError as `build` does.
    """
    recordings, approvals = Recordings(recordings_dir), Approvals.load(recordings_dir)
    todo = deque(file for file in catalogue.files().values() if file.text)
    built = cached = errors = 0
    failed: dict[str, str] = {}
    while todo and errors < _ERRORS_IN_A_ROW:
        file = todo.popleft()
        if recordings.find(file.name) is not None or _is_approved(file.name, approvals, out_dir):
            continue
        pause_s = 0.0
        try:
            spoken = _upgrade_one(_take(file, voice), approvals, cache_dir, out_dir)
        except VoiceError as error:
            todo.append(file)
            failed[file.name] = str(error)
            pause_s = min(_FIRST_WAIT_S * 2**errors, _LONGEST_WAIT_S)
            errors += 1
            log.warning("prompt %s: %s; next try in %.0f s", file.name, error, pause_s)
        except SoundError as error:
            failed[file.name] = f"{voice.name}: {error}"
            log.warning("prompt %s: %s: %s", file.name, voice.name, error)
        else:
            failed.pop(file.name, None)
            errors = 0
            built, cached = built + spoken, cached + (not spoken)
            pause_s = _COURTESY_S if voice.online and spoken else 0.0
        if wait(pause_s):
            break
    return BuildReport(built, cached, removed=0, from_recordings=0, failed=failed)


def missing(catalogue: Catalogue, out_dir: Path, names: Iterable[str]) -> list[str]:
    """The sound files that `names` (prompt ids or sound names) need and the folder has not.

    A name that the catalogue does not know is missing itself.
    """
    lacking = []
    for name in names:
        pieces = catalogue.pieces(name) if name in catalogue.prompts else (Fragment(name, ""),)
        for file in [piece.file for piece in pieces if isinstance(piece, Fragment)]:
            path = out_dir / LANGUAGE / f"{file}.alaw"
            if file not in catalogue.files() or not path.is_file() or not duration_ms(path):
                lacking.append(file)
    return list(dict.fromkeys(lacking))


@dataclass(frozen=True)
class Sounding:
    """One sound file as it stands: `source` is `recording`, a voice's name or `generated`.

    `waiting`: a medical text of which callers hear only that it is being reviewed.
    """

    name: str
    text: str
    medical: bool
    source: str
    key: str
    path: Path
    approval: Approval | None

    @property
    def waiting(self) -> bool:
        return self.medical and self.approval is None


def soundings(
    catalogue: Catalogue, voices: Sequence[Voice], recordings_dir: Path, out_dir: Path
) -> list[Sounding]:
    """Every published file of the catalogue, medical texts that wait included.

    `voices` are those that may have spoken. Raises ApprovalError.
    """
    recordings, approvals = Recordings(recordings_dir), Approvals.load(recordings_dir)
    folder = out_dir / LANGUAGE
    keys = published_keys(folder)
    found = []
    for file in catalogue.files().values():
        stored = file.name + UNAPPROVED if file.name + UNAPPROVED in keys else file.name
        if (key := keys.get(stored)) is None:
            continue
        sources = {_take(file, voice).key: voice.name for voice in voices}
        if (recording := recordings.find(file.name)) is not None:
            sources[_take(file, recording).key] = "recording"
        elif not file.text:
            sources[key] = "generated"
        found.append(Sounding(
            name=file.name, text=file.text, medical=file.medical, key=key,
            source=sources.get(key, UNKNOWN), path=folder / f"{stored}.alaw",
            approval=approvals.of(file.name, key),
        ))
    return found


def duration_ms(path: Path) -> int:
    """How long an .alaw file plays."""
    return path.stat().st_size * 1000 // sound.RATE


@dataclass(frozen=True)
class _Take:
    """One way to come by a file: from a recording or a voice (None: synthesised, not spoken)."""

    utterance: Utterance
    source: Path | Voice | None
    key: str

    @property
    def name(self) -> str:
        return self.utterance.name


def _take(file: Utterance, source: Path | Voice) -> _Take:
    """The key in the cache has all in it that makes a file sound as it does."""
    about: list[object] = [sound.PROCESSING, file.lead_ms, file.tail_ms]
    if isinstance(source, Path):
        about += ["recording", _digest(source)]
    elif not file.text:
        about += ["synthesised", file.name]
    else:
        about += ["spoken", source.name, source.version, file.text]
    key = hashlib.sha256(json.dumps(about).encode()).hexdigest()[:40]
    return _Take(file, source if isinstance(source, Path) or file.text else None, key)


def _digest(recording: Path) -> str:
    try:
        return hashlib.sha256(recording.read_bytes()).hexdigest()
    except OSError:
        return "unreadable"  # never in the cache: making it says why


def _best(
    file: Utterance, voices: Sequence[Voice], store: Store, approvals: Approvals
) -> _Take:
    """What was approved, else the first that is there; the last voice can always be asked."""
    takes = [_take(file, voice) for voice in voices]
    there = [take for take in takes if store.has(take.key)]
    approved = [take for take in there if approvals.of(take.name, take.key)]
    return next(iter([*approved, *there]), takes[-1])


def _names(take: _Take, approvals: Approvals, in_review: _Take | None) -> dict[str, str]:
    """Under which names a sound is published, with the keys of what is heard there."""
    if not take.utterance.medical or approvals.of(take.name, take.key):
        return {take.name: take.key}
    waiting = {take.name + UNAPPROVED: take.key}
    return waiting if in_review is None else waiting | {take.name: in_review.key}


def _is_approved(name: str, approvals: Approvals, out_dir: Path) -> bool:
    key = published_keys(out_dir / LANGUAGE).get(name)
    return key is not None and approvals.of(name, key) is not None


def _make(
    takes: Sequence[_Take], store: Store, progress: Callable[[int, int], None]
) -> tuple[set[str], dict[str, str]]:
    """Fill the cache with what it lacks: the keys made, and for each name that failed, why."""
    todo = {take.key: take for take in takes if not store.has(take.key)}
    reasons: dict[str, str] = {}
    for done, (key, alaw, reason) in enumerate(_results(list(todo.values())), start=1):
        if reason:
            reasons[key] = reason
        else:
            store.add(key, alaw)
        progress(done, len(todo))
    failed = {take.name: reasons[take.key] for take in takes if take.key in reasons}
    return todo.keys() - reasons.keys(), failed


def _results(takes: Sequence[_Take]) -> Iterator[tuple[str, bytes, str]]:
    if len(takes) < _POOL_FROM:
        yield from map(_attempt, takes)
        return
    # Spawned, not forked: the caller may have threads.
    with ProcessPoolExecutor(
        os.cpu_count(), multiprocessing.get_context("spawn"), initializer=_end_with_parent
    ) as pool:
        try:
            for future in as_completed([pool.submit(_attempt, take) for take in takes]):
                yield future.result()
        except BrokenProcessPool as error:
            raise PromptError("a process that speaks prompts was ended from outside") from error
        finally:
            pool.shutdown(cancel_futures=True)


def _end_with_parent() -> None:
    """A worker leaves Ctrl-C to its parent, and does not outlive a parent that was killed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()

    def watch() -> None:
        if parent is not None:
            connection.wait([parent.sentinel])
            os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _attempt(take: _Take) -> tuple[str, bytes, str]:
    """The key, and the A-law bytes or else the reason why there are none."""
    try:
        return take.key, _alaw(take), ""
    except SoundError as error:
        source = take.source if isinstance(take.source, Path) else getattr(take.source, "name", "")
        return take.key, b"", f"{source}: {error}"
    except (VoiceError, RecordingError) as error:
        return take.key, b"", str(error)


def _alaw(take: _Take) -> bytes:
    file = take.utterance
    if take.source is None:
        return sound.encode_alaw(_GENERATED[file.name]())
    if isinstance(take.source, Path):
        speech = Recordings.read(take.source)
    else:
        speech = take.source.speak(file.text)
    samples = sound.prepare_speech(*speech, file.lead_ms, file.tail_ms)
    fault = quality.length_fault(file.text, samples.size / sound.RATE)
    if fault and not isinstance(take.source, Path):
        raise SoundError(fault)
    return sound.encode_alaw(samples)


def _upgrade_one(take: _Take, approvals: Approvals, cache_dir: Path, out_dir: Path) -> bool:
    """Publish one file; True if it had to be spoken, during which the store is not locked."""
    (name,) = _names(take, approvals, None)  # what stands in for a medical text stays
    with _store(cache_dir, out_dir) as store:
        if store.has(take.key):
            store.publish(name, take.key)
            return False
    alaw = _alaw(take)
    with _store(cache_dir, out_dir) as store:
        store.add(take.key, alaw)
        store.publish(name, take.key)
    return True


@contextmanager
def _store(cache_dir: Path, out_dir: Path, language: str = LANGUAGE) -> Iterator[Store]:
    try:
        with Store.open(cache_dir / "prompts", out_dir / language) as store:
            yield store
    except VoiceError as error:
        raise PromptError(str(error)) from error
    except OSError as error:
        where = error.filename or out_dir
        raise PromptError(f"{where}: prompts cannot be written: {error.strerror}") from error
