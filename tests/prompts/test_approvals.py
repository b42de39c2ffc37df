"""Approved sounds: what was listened to stays, and no medical text is played without a doctor."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from prompts.approvals import APPROVALS_FILE, Approval, ApprovalError, Approvals
from prompts.build import UNAPPROVED, soundings
from prompts.catalogue import IN_REVIEW, Catalogue
from prompts.voices import Voice
from tests.prompts.test_prompt_build import FakeVoice, Place, excerpt

NOW = datetime(2026, 3, 2, 1, 30, tzinfo=UTC)
MEDICAL = "advice_symptoms"


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def catalogue() -> Catalogue:
    return excerpt(("greeting_main", MEDICAL, IN_REVIEW), ())


def approve(place: Place, name: str, *voices: Voice, doctor: str = "") -> None:
    """Somebody has heard what stands under a name now."""
    recordings, _, out = place.folders
    standing = {one.name: one for one in soundings(catalogue(), voices, recordings, out)}
    Approvals.load(recordings).add(
        [Approval(name, standing[name].key, "Lan", doctor, NOW)]
    )


def test_a_medical_text_is_played_only_when_it_was_approved(place: Place) -> None:
    low, high = 500.0, 900.0  # the stand-in and the text are told apart by their length
    voice = FakeVoice(hertz=low)
    place.build(catalogue(), voice)
    assert place.file(MEDICAL).read_bytes() == place.file(IN_REVIEW).read_bytes()
    waiting = place.file(MEDICAL + UNAPPROVED).read_bytes()
    assert len(waiting) > len(place.file(MEDICAL).read_bytes())

    approve(place, MEDICAL, voice, doctor="BS Minh")
    place.build(catalogue(), voice)
    assert place.file(MEDICAL).read_bytes() == waiting
    assert not place.file(MEDICAL + UNAPPROVED).exists()

    # another voice does not take the place of what the doctor heard
    place.upgrade(catalogue(), FakeVoice("better", hertz=high), lambda _: False)
    assert place.file(MEDICAL).read_bytes() == waiting
    assert place.pitch("greeting_main") == pytest.approx(high, abs=20)
    place.build(catalogue(), voice, preferred=FakeVoice("better", hertz=high))
    assert place.file(MEDICAL).read_bytes() == waiting


def test_a_changed_medical_text_waits_again(place: Place) -> None:
    voice = FakeVoice()
    place.build(catalogue(), voice)
    approve(place, MEDICAL, voice, doctor="BS Minh")
    before = catalogue()
    changed = replace(before, prompts={
        **before.prompts, MEDICAL: replace(before.prompts[MEDICAL], text="Xin uống nhiều nước."),
    })
    place.build(changed, voice)
    assert place.file(MEDICAL).read_bytes() == place.file(IN_REVIEW).read_bytes()


def test_a_better_voice_waits_for_the_doctor_too(place: Place) -> None:
    place.build(catalogue(), FakeVoice())
    place.upgrade(catalogue(), FakeVoice("better", hertz=900.0), lambda _: False)
    assert place.pitch(MEDICAL + UNAPPROVED) == pytest.approx(900, abs=20)
    assert place.pitch(MEDICAL) != pytest.approx(900, abs=20)


def test_a_new_recording_is_heard_and_is_not_approved_by_itself(place: Place) -> None:
    voice = FakeVoice()
    place.build(catalogue(), voice)
    approve(place, "greeting_main", voice)
    place.record("greeting_main")
    place.build(catalogue(), voice)
    recordings, _, out = place.folders
    standing = {one.name: one for one in soundings(catalogue(), [voice], recordings, out)}
    assert (standing["greeting_main"].source, standing["greeting_main"].approval) == (
        "recording", None,
    )
    assert (standing[MEDICAL].source, standing[MEDICAL].waiting) == ("fake", True)


def test_approvals_outlive_the_process_and_are_written_whole(tmp_path: Path) -> None:
    first = Approval("n_5", "k" * 40, "Lan", "", NOW)
    Approvals.load(tmp_path / "absent").add([first])
    second = Approval(MEDICAL, "m" * 40, "Hà", "BS Minh", NOW)
    Approvals.load(tmp_path / "absent").add([second])
    read = Approvals.load(tmp_path / "absent")
    assert read.of("n_5", "k" * 40) == first
    assert read.of(MEDICAL, "m" * 40) == second
    assert read.of(MEDICAL, "k" * 40) is None


@pytest.mark.parametrize("damage", [
    "{", "[]", "null", '{"name": "n_5"}', '{"name": 5, "key": "k", "by": "L", "doctor": "",'
    ' "at": "2026-03-02T01:30:00+00:00"}', "\x00",
])  # fmt: skip
def test_a_damaged_file_is_named_with_its_line_and_never_guessed(
    tmp_path: Path, damage: str
) -> None:
    Approvals.load(tmp_path).add([Approval("n_5", "k" * 40, "Lan", "", NOW)])
    with (tmp_path / APPROVALS_FILE).open("a", encoding="utf-8") as file:
        file.write(damage + "\n")
    with pytest.raises(ApprovalError, match=rf"{APPROVALS_FILE}:2: is no approval"):
        Approvals.load(tmp_path)
