"""`hotline prompts` as the person uses it who records and the one who listens."""

from __future__ import annotations

import json
import wave
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

from prompts.voices import EspeakVoice
from scripts.hotline import main
from tests.live.running import CACHE


class Person:
    """Somebody at the command line of one hotline."""

    def __init__(self, home: Path) -> None:
        self.home = home

    def prompts(self, *words: str | Path) -> Result:
        """The command in this process: a hotline of its own for each word would take minutes."""
        environment = {"HOTLINE_HOME": str(self.home), "HOTLINE_CACHE": str(CACHE)}
        runner = CliRunner(env=environment, mix_stderr=False)
        return runner.invoke(main, ["prompts", *map(str, words)])

    def listed(self, name: str) -> dict[str, Any]:
        rows = json.loads(self.prompts("list", "--json").stdout)
        (found,) = [row for row in rows if row["name"] == name]
        return dict(found)


@pytest.fixture(scope="module")
def person(tmp_path_factory: pytest.TempPathFactory) -> Person:
    someone = Person(tmp_path_factory.mktemp("prompts") / "home")
    built = someone.prompts("build")
    assert built.exit_code == 0, built.stderr
    return someone


def recorded(path: Path, text: str, *, gain: float = 1.0, rate: int = 22050) -> Path:
    """What a person would have read aloud, spoken by the embedded voice."""
    speech = EspeakVoice().speak(text)
    assert speech.rate == rate
    pcm = np.clip(speech.samples * gain, -1, 1) * 32767
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, rate, pcm.size, "NONE", ""))
        file.writeframes(pcm.astype("<i2").tobytes())
    return path


def test_a_recording_is_taken_in_heard_approved_and_kept_when_another_comes(
    person: Person, tmp_path: Path
) -> None:
    text = person.listed("goodbye")["text"]
    done = person.prompts("import", recorded(tmp_path / "goodbye.wav", text))
    assert done.exit_code == 0, done.stderr
    row = person.listed("goodbye")
    assert (row["source"], row["approved_by"]) == ("recording", None)

    done = person.prompts("approve", "goodbye", "--by", "Lan")
    assert done.exit_code == 0, done.stderr
    assert person.listed("goodbye")["approved_by"] == "Lan"

    again = recorded(tmp_path / "second.wav", text, gain=0.5)
    assert person.prompts("import", again, "--name", "goodbye").exit_code == 0
    assert person.listed("goodbye")["approved_by"] is None  # nobody has heard this one
    assert len(list((person.home / "recordings-vi/earlier").glob("goodbye-*.wav"))) == 1


@pytest.mark.parametrize(("name", "text", "gain", "fault"), [
    ("goodbye", "một", 1.0, "s cannot be"),
    ("goodbye", "Cảm ơn quý vị đã gọi đến tổng đài.", 40.0, "clipped: record it softer"),
    ("no_such_prompt", "một", 1.0, "no_such_prompt: there is no such prompt"),
    ("beep", "một", 1.0, "beep: there is no such prompt"),
])  # fmt: skip
def test_a_wrong_recording_is_refused_and_what_was_there_stays(
    person: Person, tmp_path: Path, name: str, text: str, gain: float, fault: str
) -> None:
    before = person.listed("goodbye")["version"]
    done = person.prompts("import", recorded(tmp_path / f"{name}.wav", text, gain=gain))
    assert done.exit_code == 1
    assert fault in done.stderr
    assert person.listed("goodbye")["version"] == before


def test_a_file_of_an_unknown_kind_is_read_by_ffmpeg_or_refused_in_words(
    person: Person, tmp_path: Path
) -> None:
    (tmp_path / "goodbye.m4a").write_bytes(b"not a sound at all" * 100)
    done = person.prompts("import", tmp_path / "goodbye.m4a")
    assert done.exit_code == 1
    assert "goodbye.m4a: " in done.stderr
    assert "Traceback" not in done.stderr


def test_a_medical_text_needs_a_doctors_name_and_is_played_from_then_on(person: Person) -> None:
    assert person.listed("advice_care")["waiting"]
    refused = person.prompts("approve", "advice_care", "nav_*", "--by", "Lan")
    assert refused.exit_code == 1
    assert "advice_care: is a medical text: name the doctor" in refused.stderr
    assert person.listed("nav_agent")["approved_by"] is None  # all or none
    nobody = person.prompts("approve", "nothing_*", "--by", "Lan")
    assert "nothing_*: no built prompt is named so" in nobody.stderr

    done = person.prompts("approve", "advice_care", "nav_*", "--by", "Lan", "--doctor", "BS Minh")
    assert done.exit_code == 0, done.stderr
    row = person.listed("advice_care")
    assert (row["waiting"], row["approved_by"], row["doctor"]) == (False, "Lan", "BS Minh")
    assert (person.listed("nav_agent")["doctor"]) is None
    unready = json.loads(person.prompts("list", "--unready", "--json").stdout)
    assert "greeting_main" in [row["name"] for row in unready]


def test_a_prompt_is_played_into_a_file(person: Person, tmp_path: Path) -> None:
    done = person.prompts("play", "advice_contact", "--save", tmp_path / "heard.wav")
    assert done.exit_code == 0, done.stderr
    assert "tiếp xúc gần" in done.stdout
    with wave.open(str(tmp_path / "heard.wav")) as file:
        assert file.getframerate() == 8000
        assert 4 < file.getnframes() / 8000 < 15
    assert person.prompts("play", "nonsense").exit_code == 2


def test_every_built_prompt_sounds_right(person: Person) -> None:
    checked = json.loads(person.prompts("check", "--json").stdout)
    assert (checked["missing"], checked["faults"]) == ([], {})
    damaged = person.home / "asterisk/data/sounds"
    (file,) = damaged.rglob("greeting_main.alaw")
    file.write_bytes(b"\xd5" * file.stat().st_size)  # silence
    person.prompts("build")
    assert json.loads(person.prompts("check", "--json").stdout)["faults"] == {}
