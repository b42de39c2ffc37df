"""Names and answers that people saved, as sound."""

from pathlib import Path

import numpy as np
import pytest

from prompts.said import Said, speakable
from prompts.voices import EspeakVoice, Speech

ANSWER = "Trạm y tế đã đến nhà ngày 17/02. Hỗ trợ 1.200.000 đồng. Hỏi thêm: 0237 385 1022."


class Mute:
    """A voice that says nothing that could be heard."""

    name, version, online = "mute", "1", False

    def speak(self, text: str) -> Speech:
        return Speech(np.zeros(8000, np.float32), 8000)


def plain(text: str) -> str:
    return text


def test_a_text_becomes_sound_once_and_goes_when_nobody_wants_it(tmp_path: Path) -> None:
    said = Said(tmp_path / "sounds", tmp_path / "cache")
    assert said.sound_of("Sở Y tế") is None
    assert said.make(["Sở Y tế", ANSWER, " "], EspeakVoice(), plain) == {}
    name = said.sound_of(ANSWER)
    assert name is not None
    file = tmp_path / "sounds/vi" / f"{name}.alaw"
    assert 8 < file.stat().st_size / 8000 < 40
    made = file.stat().st_mtime_ns
    said.make([ANSWER], EspeakVoice(), plain)
    assert file.stat().st_mtime_ns == made
    assert said.sound_of("Sở Y tế") is None
    assert said.sound_of(ANSWER + " ") is None  # another text


def test_of_a_forgotten_text_nothing_stays_and_of_others_all(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    said, other = Said(tmp_path / "sounds", cache), Said(tmp_path / "other", cache)
    for one in (said, other):
        one.make(["Sở Y tế", ANSWER], EspeakVoice(), plain)
    said.make(["Sở Y tế"], Mute(), plain)
    assert [file.stem for file in (cache / "prompts").glob("*.alaw")] == [
        f"said-{str(said.sound_of('Sở Y tế')).rpartition('/')[2]}"
    ]
    assert other.sound_of(ANSWER) is not None  # it has not forgotten it, and keeps its own
    assert said.make([ANSWER], EspeakVoice(), plain) == {}
    assert said.sound_of(ANSWER) is not None


def test_what_the_cache_has_is_spoken_by_nobody_again(tmp_path: Path) -> None:
    Said(tmp_path / "sounds", tmp_path / "cache").make(["Sở Y tế", ANSWER], EspeakVoice(), plain)
    other = Said(tmp_path / "other", tmp_path / "cache")
    assert other.make(["Sở Y tế"], Mute(), plain) == {}
    assert other.add(ANSWER, Mute(), plain) == other.sound_of(ANSWER)
    assert len(list((tmp_path / "other").rglob("*.alaw"))) == 2


def test_what_cannot_be_heard_is_never_there(tmp_path: Path) -> None:
    said = Said(tmp_path / "sounds", tmp_path / "cache")
    failed = said.make(["Sở Y tế", "Sở Xây dựng"], Mute(), plain)
    assert failed.keys() == {"Sở Y tế", "Sở Xây dựng"}
    assert said.sound_of("Sở Y tế") is None


@pytest.mark.parametrize(("text", "spoken"), [
    ("ngày 04/04/2026", "ngày mùng bốn tháng tư năm hai nghìn không trăm hai mươi sáu"),
    ("ngày 17/2", "ngày mười bảy tháng hai"),
    ("lúc 7h30", "lúc bảy giờ ba mươi phút"), ("lúc 14:00", "lúc mười bốn giờ"),
    ("1.200.000 đồng", "một triệu hai trăm nghìn đồng"),
    ("gọi 0912345678", "gọi không chín một hai ba bốn năm sáu bảy tám"),
    ("25 người", "hai mươi lăm người"),
    ("45/90", "bốn mươi lăm / chín mươi"),
])
def test_figures_are_said_as_in_vietnam(text: str, spoken: str) -> None:
    assert speakable(text) == spoken
