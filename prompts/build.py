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

from crm.errors import HotlineError
from prompts import sound
from prompts.catalogue import BEEP, LEAD_IN, LISTENING, MUSIC, Catalogue, Fragment, Utterance
from prompts.sound import Samples, SoundError
from prompts.speller import PAUSE
from prompts.store import Store
from prompts.voices import RecordingError, Recordings, Voice, VoiceError

LANGUAGE = "vi"
PAUSE_MS = 250
LISTENING_MS = 10_000
LEAD_IN_MS = 400

_POOL_FROM = 40  # files; for fewer, starting other processes takes longer than the work
_COURTESY_S = 1.0  # between two requests to an online engine
_FIRST_WAIT_S, _LONGEST_WAIT_S, _ERRORS_IN_A_ROW = 5.0, 600.0, 12
_SYLLABLE_S = (0.08, 0.7)  # what one syllable may take, said fast and said slowly
_SLACK_S = 1.0

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
    A file that fails is in the report and not in the folder. For a damaged recording the voice
    speaks, and the report names it too. Raises PromptError when nothing can be spoken or a folder
    cannot be written.
    """
    if voice.online:
        raise ValueError("a build must not wait for an online voice: it is for upgrade")
    with _store(cache_dir, out_dir) as store:
        files = catalogue.files().values()
        recordings = Recordings(recordings_dir)
        recorded = [
            _take(file, path) for file in files if (path := recordings.find(file.name)) is not None
        ]
        made, failed = _make(recorded, store, progress)
        usable = {take.name: take for take in recorded if take.name not in failed}
        spoken = [_best(file, voice, preferred, store) for file in files if file.name not in usable]
        made_too, unspoken = _make(spoken, store, progress)
        if unspoken and all(take.name in unspoken for take in spoken if take.utterance.text):
            raise PromptError(f"no prompt can be spoken: {next(iter(unspoken.values()))}")
        ready = usable | {take.name: take for take in spoken if take.name not in unspoken}
        for take in ready.values():
            store.publish(take.name, take.key)
        built = sum(take.key in made | made_too for take in ready.values())
        return BuildReport(
            built=built,
            cached=len(ready) - built,
            removed=store.keep_only(ready),
            from_recordings=len(usable),
            failed=failed | unspoken,
        )


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

    A file is replaced only when the new one has been checked. After a VoiceError it waits, twice
    as long each time (5 s to 10 min), and goes on with the next file; after 12 errors in a row it
    stops. What is done stays done, so that the next run resumes. `wait(seconds)` returns True when
    the job shall end: `threading.Event().wait` fits. Raises PromptError as `build` does.
    """
    recordings = Recordings(recordings_dir)
    todo = deque(file for file in catalogue.files().values() if file.text)
    built = cached = errors = 0
    failed: dict[str, str] = {}
    while todo and errors < _ERRORS_IN_A_ROW:
        file = todo.popleft()
        if recordings.find(file.name) is not None:
            continue
        pause_s = 0.0
        try:
            spoken = _upgrade_one(_take(file, voice), cache_dir, out_dir)
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


def _best(file: Utterance, voice: Voice, preferred: Voice | None, store: Store) -> _Take:
    if preferred is not None and store.has((better := _take(file, preferred)).key):
        return better
    return _take(file, voice)


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
    if not isinstance(take.source, Path):
        _check_length(file, samples.size / sound.RATE)
    return sound.encode_alaw(samples)


def _check_length(file: Utterance, seconds: float) -> None:
    """An engine that stops early or babbles on is found out by the number of syllables."""
    fastest, slowest = (len(file.text.split()) * syllable for syllable in _SYLLABLE_S)
    if not fastest <= seconds <= slowest + _SLACK_S:
        raise SoundError(f"{seconds:.1f} s cannot be {file.text!r}")


def _upgrade_one(take: _Take, cache_dir: Path, out_dir: Path) -> bool:
    """Publish one file; True if it had to be spoken, during which the store is not locked."""
    with _store(cache_dir, out_dir) as store:
        if store.has(take.key):
            store.publish(take.name, take.key)
            return False
    alaw = _alaw(take)
    with _store(cache_dir, out_dir) as store:
        store.add(take.key, alaw)
        store.publish(take.name, take.key)
    return True


@contextmanager
def _store(cache_dir: Path, out_dir: Path) -> Iterator[Store]:
    try:
        with Store.open(cache_dir / "prompts", out_dir / LANGUAGE) as store:
            yield store
    except VoiceError as error:
        raise PromptError(str(error)) from error
    except OSError as error:
        where = error.filename or out_dir
        raise PromptError(f"{where}: prompts cannot be written: {error.strerror}") from error
