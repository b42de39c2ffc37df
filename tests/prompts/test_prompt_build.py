from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import subprocess
import sys
import time
import wave
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from prompts import build as building
from prompts import sound
from prompts.build import (
    BuildReport,
    PromptError,
    build,
    build_language,
    duration_ms,
    missing,
    upgrade,
)
from prompts.catalogue import Catalogue
from prompts.voices import EspeakVoice, PiperVoice, Speech, Voice, VoiceError

CATALOGUE = Catalogue.load()
ENTRY = ("greeting_main", "emergency_first", "main_menu_1", "queue_position")


def excerpt(prompts: Iterable[str] = ENTRY, sounds: Iterable[str] = ("n_5",)) -> Catalogue:
    """The catalogue with a handful of its entries."""
    return Catalogue(
        prompts={name: CATALOGUE.prompts[name] for name in prompts},
        sounds={name: CATALOGUE.sounds[name] for name in sounds},
        aliases={"digits/1a": "mốt"},
        lexicon=CATALOGUE.lexicon,
        always_accept={},
        nav_keys={},
        main_order=(),
    )


@dataclass
class FakeVoice:
    """Hums 0.2 s a syllable at its own pitch; fails or is silent where told to."""

    name: str = "fake"
    version: str = "1"
    online: bool = False
    hertz: float = 600.0
    fails: list[str] = field(default_factory=list)
    silent: tuple[str, ...] = ()
    spoken: list[str] = field(default_factory=list)

    def speak(self, text: str) -> Speech:
        if self.fails:
            raise VoiceError(self.fails.pop(0))
        self.spoken.append(text)
        time = np.arange(int(0.2 * len(text.split()) * 16000)) / 16000
        volume = 0.0 if text in self.silent else 0.3
        return Speech((volume * np.sin(2 * np.pi * self.hertz * time)).astype(np.float32), 16000)


@dataclass(frozen=True)
class Place:
    """The folders of one hotline."""

    root: Path

    def build(
        self, catalogue: Catalogue, voice: Voice, preferred: Voice | None = None
    ) -> BuildReport:
        return build(catalogue, voice, *self.folders, preferred=preferred)

    def upgrade(
        self, catalogue: Catalogue, voice: Voice, wait: Callable[[float], bool]
    ) -> BuildReport:
        return upgrade(catalogue, voice, *self.folders, wait=wait)

    @property
    def folders(self) -> tuple[Path, Path, Path]:
        return self.root / "recordings", self.root / "cache", self.root / "out"

    def file(self, name: str) -> Path:
        return self.root / "out/vi" / f"{name}.alaw"

    def pitch(self, name: str) -> float:
        """The loudest frequency of a file in hertz."""
        heard = sound.decode_alaw(self.file(name).read_bytes())
        return float(np.argmax(np.abs(np.fft.rfft(heard))) * 8000 / heard.size)

    def record(self, name: str, hertz: float = 1500.0) -> Path:
        path = self.root / "recordings" / f"{name}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        pcm = (9000 * np.sin(2 * np.pi * hertz * np.arange(24000) / 24000)).astype("<i2")
        with wave.open(str(path), "wb") as file:
            file.setparams((1, 2, 24000, pcm.size, "NONE", ""))
            file.writeframes(pcm.tobytes())
        return path


@pytest.fixture(autouse=True)
def short_music(monkeypatch: pytest.MonkeyPatch) -> None:
    """Composing a minute of music would be most of the work of most tests here."""
    monkeypatch.setattr(
        building,
        "_GENERATED",
        {**building._GENERATED, "moh_default": lambda: sound.silence(60_000)},
    )


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def never_stop(_: float) -> bool:
    return False


# ---------------------------------------------------------------- with the embedded voice


def test_the_embedded_voice_builds_sound_for_the_line(place: Place) -> None:
    catalogue = excerpt()
    report = place.build(catalogue, EspeakVoice())
    assert (report.built, report.cached, report.failed) == (len(catalogue.files()), 0, {})
    levels = {}
    for name, file in catalogue.files().items():
        heard = sound.decode_alaw(place.file(name).read_bytes())
        assert np.abs(heard).max() < 0.95, name
        assert oct(place.file(name).stat().st_mode & 0o777) == "0o644"
        if file.text:
            levels[name] = sound.active_level(heard)
            assert 150 <= duration_ms(place.file(name)) / len(file.text.split()) <= 600, name
    assert max(levels.values()) - min(levels.values()) < 1.5
    assert duration_ms(place.file("beep")) == 400
    assert duration_ms(place.file("pause")) == 250
    assert not missing(catalogue, place.root / "out", [*ENTRY, "n_5", "beep", "moh_default"])


def test_emergency_and_every_main_service_are_named_in_time(place: Place) -> None:
    services = [f"main_menu_{key}" for key in CATALOGUE.main_order if key != "9"]
    ids = ["greeting_main", "emergency_first", *services]
    assert not place.build(excerpt(ids), EspeakVoice()).failed
    ends_ms = np.cumsum([duration_ms(place.file(name)) for name in ids])
    assert ends_ms[1] <= 8000
    assert ends_ms[-1] <= 24_500  # half a second for answering and between the files


def test_many_files_are_spoken_by_several_processes(place: Place) -> None:
    catalogue = excerpt((), [f"n_{n}" for n in range(building._POOL_FROM)])
    seen: list[tuple[int, int]] = []
    report = build(
        catalogue,
        EspeakVoice(),
        *place.folders,
        progress=lambda done, total: seen.append((done, total)),
    )
    assert report.built == len(catalogue.files())
    assert seen == [(n, len(seen)) for n in range(1, len(seen) + 1)]
    assert not multiprocessing.active_children()


# ---------------------------------------------------------------- the cache


def test_a_second_build_makes_nothing(place: Place) -> None:
    voice = FakeVoice()
    first = place.build(excerpt(), voice)
    before = {path: path.stat().st_mtime_ns for path in place.root.rglob("*.alaw")}
    spoken = list(voice.spoken)
    report = place.build(excerpt(), voice)
    assert (report.built, report.cached) == (0, first.built)
    assert voice.spoken == spoken
    assert {path: path.stat().st_mtime_ns for path in place.root.rglob("*.alaw")} == before


def test_the_same_words_are_spoken_once(place: Place) -> None:
    voice = FakeVoice()
    place.build(excerpt((), ["d_1", "n_1", "n_5"]), voice)
    assert sorted(voice.spoken) == ["mốt", "một", "năm"]


def test_only_what_changed_is_built_and_what_is_gone_is_removed(place: Place) -> None:
    voice = FakeVoice()
    place.build(excerpt(), voice)
    voice.spoken.clear()
    report = place.build(excerpt(["greeting_main", "goodbye"]), voice)
    assert voice.spoken == [CATALOGUE.prompts["goodbye"].text]
    assert report.removed == 4  # emergency_first, main_menu_1 and both pieces of queue_position
    assert not place.file("queue_position.1").exists()
    assert place.file("greeting_main").exists()


def test_files_of_others_are_left_alone(place: Place) -> None:
    place.build(excerpt(), FakeVoice())
    place.file("bulletin_of_today").write_bytes(b"\xd5" * 8000)
    place.build(excerpt(["goodbye"]), FakeVoice())
    assert place.file("bulletin_of_today").exists()


def test_another_version_of_a_voice_speaks_anew(place: Place) -> None:
    place.build(excerpt(), FakeVoice(version="1"))
    newer = FakeVoice(version="2", hertz=900)
    place.build(excerpt(), newer)
    assert place.pitch("greeting_main") == pytest.approx(900, abs=5)


@pytest.mark.parametrize("damage", ["removed", "emptied", "overwritten"])
def test_a_damaged_file_is_put_right_from_the_cache(place: Place, damage: str) -> None:
    voice = FakeVoice()
    place.build(excerpt(), voice)
    good = place.file("greeting_main").read_bytes()
    if damage == "removed":
        place.file("greeting_main").unlink()
    else:
        place.file("greeting_main").write_bytes(b"" if damage == "emptied" else b"x" * len(good))
    voice.spoken.clear()
    place.build(excerpt(), voice)
    assert place.file("greeting_main").read_bytes() == good
    assert not voice.spoken


@pytest.mark.parametrize("manifest", ["{", "[]", '{"../../victim": ["k", 1, 2], "a": 3}'])
def test_a_damaged_manifest_does_no_damage(place: Place, manifest: str) -> None:
    voice = FakeVoice()
    place.build(excerpt(), voice)
    victim = place.root / "victim.alaw"
    victim.write_bytes(b"x")
    (place.root / "out/vi/manifest.json").write_text(manifest)
    report = place.build(excerpt(), voice)
    assert report.built == 0
    assert victim.exists()


# ---------------------------------------------------------------- recordings


def test_a_human_recording_comes_first(place: Place) -> None:
    place.build(excerpt(), FakeVoice())
    place.record("greeting_main")
    place.record("queue_position.2")
    voice = FakeVoice()
    report = place.build(excerpt(), voice)
    assert (report.from_recordings, report.built) == (2, 2)
    assert not voice.spoken
    assert place.pitch("greeting_main") == pytest.approx(1500, abs=5)
    place.record("greeting_main", hertz=1100)
    place.build(excerpt(), voice)
    assert place.pitch("greeting_main") == pytest.approx(1100, abs=5)


@pytest.mark.parametrize("damage", ["short", "silent", "unreadable"])
def test_for_a_damaged_recording_the_voice_speaks_and_the_report_names_it(
    place: Place, damage: str
) -> None:
    path = place.record("greeting_main", hertz=0 if damage == "silent" else 1500)
    if damage == "short":
        path.write_bytes(path.read_bytes()[:9000])
    if damage == "unreadable":
        path.unlink()
        path.symlink_to("/proc/self/mem")
    report = place.build(excerpt(), FakeVoice())
    assert "greeting_main.wav" in report.failed["greeting_main"]
    assert report.from_recordings == 0
    assert place.pitch("greeting_main") == pytest.approx(600, abs=5)


# ---------------------------------------------------------------- failures


def test_a_file_that_fails_is_named_and_missing(place: Place) -> None:
    place.build(excerpt(), FakeVoice())
    failing = FakeVoice(version="2", fails=["no words come"])
    report = place.build(excerpt(), failing)
    (name,) = report.failed
    assert report.failed[name] == "no words come"
    assert missing(excerpt(), place.root / "out", [*ENTRY, "n_5", "digits/1a"]) == [name]
    assert not place.build(excerpt(), failing).failed


def test_speech_of_an_impossible_length_is_refused(place: Place) -> None:
    class Babbler(FakeVoice):
        def speak(self, text: str) -> Speech:
            samples, rate = super().speak(text)
            return Speech(np.tile(samples, 20), rate)

    with pytest.raises(PromptError, match=r"no prompt can be spoken: fake: .* s cannot be"):
        place.build(excerpt(), Babbler())


def test_a_voice_that_says_nothing_at_all_is_one_error(place: Place) -> None:
    with pytest.raises(PromptError, match="no prompt can be spoken: out of breath"):
        place.build(excerpt(), FakeVoice(fails=["out of breath"] * 99))


def test_an_online_voice_never_holds_up_a_build(place: Place) -> None:
    with pytest.raises(ValueError, match="online"):
        place.build(excerpt(), FakeVoice(online=True))


def test_a_preferred_voice_without_its_file_is_one_error(place: Place) -> None:
    with pytest.raises(PromptError, match=r"absent\.onnx: cannot be read"):
        place.build(excerpt(), FakeVoice(), preferred=PiperVoice(place.root / "absent.onnx"))


def test_a_folder_that_cannot_be_written_is_one_error(place: Place) -> None:
    (place.root / "out").write_text("a file where a folder should be")
    with pytest.raises(PromptError, match="out/vi: prompts cannot be written"):
        place.build(excerpt(), FakeVoice())


def test_a_full_disk_is_one_error_and_leaves_no_torn_file(place: Place) -> None:
    place.build(excerpt(), FakeVoice())
    before = {path: path.read_bytes() for path in place.root.rglob("*.alaw")}
    program = """
import resource, signal, sys
sys.path.insert(0, "tests/prompts")
from pathlib import Path
from test_prompt_build import FakeVoice, Place, PromptError, excerpt
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000))
try:
    Place(Path(sys.argv[1])).build(excerpt(), FakeVoice(version="2"))
except PromptError as error:
    sys.exit(str(error))
"""
    done = subprocess.run(
        [sys.executable, "-c", program, str(place.root)],
        capture_output=True, text=True, check=False, cwd=Path(__file__).parents[2],
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "prompts cannot be written: File too large" in done.stderr
    assert {path: path.read_bytes() for path in before} == before


def test_a_build_killed_in_the_middle_is_finished_by_the_next(place: Place) -> None:
    program = """
import sys, time
sys.path.insert(0, "tests/prompts")
from pathlib import Path
from test_prompt_build import FakeVoice, Place, excerpt
class Slow(FakeVoice):
    def speak(self, text):
        time.sleep(0.2)
        return super().speak(text)
Place(Path(sys.argv[1])).build(excerpt(), Slow())
"""
    root = Path(__file__).parents[2]
    process = subprocess.Popen([sys.executable, "-c", program, str(place.root)], cwd=root)
    while process.poll() is None and len(list((place.root / "cache").rglob("*.alaw"))) < 3:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    voice = FakeVoice()
    report = place.build(excerpt(), voice)
    assert report.cached >= 1
    assert report.built >= 1
    assert report.cached + report.built == len(excerpt().files())
    assert not missing(excerpt(), place.root / "out", ENTRY)


def test_two_builds_at_once_end_alike(place: Place) -> None:
    program = """
import sys
sys.path.insert(0, "tests/prompts")
from pathlib import Path
from test_prompt_build import FakeVoice, Place, excerpt
print(Place(Path(sys.argv[1])).build(excerpt(), FakeVoice()).built)
"""
    builds = [
        subprocess.Popen(
            [sys.executable, "-c", program, str(place.root)],
            stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2],
        )
        for _ in range(2)
    ]  # fmt: skip
    built = sorted(int(process.communicate()[0]) for process in builds)
    assert built == [0, len(excerpt().files())]
    assert not missing(excerpt(), place.root / "out", ENTRY)


def test_the_helpers_of_a_killed_build_end_too(place: Place) -> None:
    program = """
import sys, multiprocessing
from pathlib import Path
from prompts.build import build
from prompts.catalogue import Catalogue
from prompts.voices import EspeakVoice
def report(done, total):
    print(*[child.pid for child in multiprocessing.active_children()], flush=True)
if __name__ == "__main__":
    folders = [Path(sys.argv[1]) / name for name in ("recordings", "cache", "out")]
    build(Catalogue.load(), EspeakVoice(), *folders, progress=report)
"""
    (place.root / "killed.py").write_text(program)
    root = Path(__file__).parents[2]
    process = subprocess.Popen(
        [sys.executable, str(place.root / "killed.py"), str(place.root)],
        stdout=subprocess.PIPE, text=True, cwd=root, env={**os.environ, "PYTHONPATH": str(root)},
    )  # fmt: skip
    assert process.stdout is not None
    helpers = [int(pid) for pid in process.stdout.readline().split()]
    assert helpers
    process.kill()
    process.wait()
    process.stdout.close()
    while any(alive(pid) for pid in helpers):
        time.sleep(0.05)


def alive(pid: int) -> bool:
    try:
        return "State:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False


# ---------------------------------------------------------------- a better voice, later


def test_a_better_voice_replaces_the_files_and_a_later_build_keeps_them(place: Place) -> None:
    plain, better = FakeVoice(), FakeVoice(name="better", online=True, hertz=900)
    place.build(excerpt(), plain)
    report = place.upgrade(excerpt(), better, never_stop)
    assert (report.built, report.failed) == (7, {})
    kept = place.build(excerpt(), plain, preferred=better)
    assert kept.built == 0
    assert place.pitch("greeting_main") == pytest.approx(900, abs=5)
    assert place.pitch("beep") == 1000


def test_without_the_preference_the_plain_voice_returns(place: Place) -> None:
    plain, better = FakeVoice(), FakeVoice(name="better", hertz=900)
    place.build(excerpt(), plain)
    place.upgrade(excerpt(), better, never_stop)
    assert place.build(excerpt(), plain).built == 0
    assert place.pitch("greeting_main") == pytest.approx(600, abs=5)


def test_an_upgrade_backs_off_twice_as_long_each_time(
    place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    place.build(excerpt(), FakeVoice())
    waits: list[float] = []
    better = FakeVoice(name="better", fails=["429"] * 4)
    with caplog.at_level(logging.WARNING):
        report = place.upgrade(excerpt(), better, lambda s: waits.append(s) or False)  # type: ignore[func-returns-value]
    assert waits[:4] == [5, 10, 20, 40]
    assert set(waits[4:]) == {0}
    assert (report.built, report.failed) == (7, {})
    assert "next try in 40 s" in caplog.text


def test_an_upgrade_that_only_fails_gives_up_and_keeps_every_file(place: Place) -> None:
    place.build(excerpt(), FakeVoice())
    before = {path: path.read_bytes() for path in place.root.rglob("vi/**/*.alaw")}
    waits: list[float] = []
    better = FakeVoice(name="better", fails=["offline"] * 99)
    report = place.upgrade(excerpt(), better, lambda s: waits.append(s) or False)  # type: ignore[func-returns-value]
    assert report.built == 0
    assert set(report.failed.values()) == {"offline"}
    assert (len(waits), waits[-1]) == (12, 600)
    assert {path: path.read_bytes() for path in before} == before


def test_an_upgrade_resumes_where_it_was_stopped(place: Place) -> None:
    place.build(excerpt(), FakeVoice())
    better = FakeVoice(name="better", online=True)
    stops = iter([False, False, True])
    assert place.upgrade(excerpt(), better, lambda _: next(stops)).built == 3
    report = place.upgrade(excerpt(), better, never_stop)
    assert (report.built, report.cached) == (4, 3)
    assert len(better.spoken) == 7


def test_a_better_voice_that_is_silent_replaces_nothing(place: Place) -> None:
    place.build(excerpt(), FakeVoice())
    text = CATALOGUE.prompts["greeting_main"].text
    better = FakeVoice(name="better", hertz=900, silent=(text,))
    report = place.upgrade(excerpt(), better, never_stop)
    assert list(report.failed) == ["greeting_main"]
    assert place.pitch("greeting_main") == pytest.approx(600, abs=5)
    assert place.pitch("emergency_first") == pytest.approx(900, abs=5)


def test_a_better_voice_leaves_human_recordings_alone(place: Place) -> None:
    place.record("greeting_main")
    place.build(excerpt(), FakeVoice())
    place.upgrade(excerpt(), FakeVoice(name="better"), never_stop)
    assert place.pitch("greeting_main") == pytest.approx(1500, abs=5)


# ---------------------------------------------------------------- checks


def test_what_a_menu_needs_and_has_not_is_named(place: Place) -> None:
    out = place.root / "out"
    assert missing(excerpt(), out, ["queue_position", "n_5", "n_5", "no_such"]) == [
        "queue_position.1",
        "queue_position.2",
        "n_5",
        "no_such",
    ]
    place.build(excerpt(), FakeVoice())
    place.file("n_5").write_bytes(b"")
    assert missing(excerpt(), out, ["queue_position", "n_5", "no_such"]) == ["n_5", "no_such"]


# ---------------------------------------------------------------- other languages


def test_another_language_is_what_has_been_recorded_in_it_and_nothing_else(place: Place) -> None:
    catalogue = excerpt([*ENTRY, "advice_contact"])
    assert catalogue.files()["advice_contact"].medical

    def built() -> dict[str, str]:
        return build_language(catalogue, "thai", *place.folders)

    def there() -> set[str]:
        return {path.stem for path in (place.root / "out/vi_thai").glob("*.alaw")}

    for name in ("lang_hint", "lang_line", "main_menu_1", "advice_contact", "no_such_prompt"):
        place.record(f"thai/{name}")
    assert built() == {}
    assert there() == {"lang_hint", "lang_line", "main_menu_1"}
    (place.root / "recordings/thai/lang_line.wav").unlink()
    (place.root / "recordings/thai/lang_hint.wav").write_bytes(b"no sound")
    assert built().keys() == {"lang_hint"}
    assert there() == {"main_menu_1"}
