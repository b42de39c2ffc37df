"""Settings and prompts together: build them, better them, check the menus against them."""

from __future__ import annotations

import fnmatch
import threading
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path

import numpy as np

from crm.branches import LANGUAGES
from crm.cases import incidents
from crm.cases.incidents import preview
from crm.cases.models import Incident, IncidentText
from crm.database import Database
from crm.errors import HotlineError
from crm.settings import Settings
from ivr import menu, provision
from prompts import build, phrases, quality, sound
from prompts.approvals import Approval, Approvals
from prompts.build import Sounding
from prompts.catalogue import IN_REVIEW, LANGUAGE, LEAD_IN, Catalogue
from prompts.said import Said
from prompts.voices import EspeakVoice, RecordingError, Recordings, Voice, VoiceError, voice_named

# Said by the dialplan itself, besides what the menu files name.
DIALPLAN_PROMPTS = (
    "main_menu_short", "input_no_key", "input_invalid", "input_too_many_errors", "leaf_end",
    "goodbye", "consent_recording_short", "consent_recording_declined", "after_hours",
    "after_hours_options", "queue_connecting", "call_broken_off", "queue_next", "queue_position",
    "queue_wait_under_1", "queue_wait_range", "queue_wait_long", "queue_comfort_1",
    "emergency_menu", "emergency_outside", "emergency_fallback", "emergency_stay",
    "whisper_emergency", IN_REVIEW, "listening", "lead_in", "overload_reject",
    "voicemail_start", "voicemail_max", "voicemail_saved", "beep", "moh_default", "over",
    "notice_high_volume", "notice_disaster", "notice_epidemic", "notice_trial", "holiday_notice",
    "survey_intro", "survey_q1", "survey_thanks",
    "callback_offer", "callback_use_this_number", "callback_enter_number",
    "callback_number_invalid", "callback_refused_number", "callback_too_many",
    "callback_duplicate", "callback_confirmed_no_time", "callback_hello", "callback_cancelled",
    "callback_nobody", "whisper_callback",
    "lookup_intro", "lookup_enter_code", "lookup_enter_phone_tail", "lookup_locked",
    "emergency_confirm", "error_system", "reopen_confirm", "reopen_reason", "lookup_tell_more",
    "pause", "queue_full", "queue_full_message", "blocked_number", "abuse_warning",
    "advice_doctor_connecting", "advice_doctor_none", "expert_next", "expert_offer",
    "expert_connected", "staff_number", "staff_pin", "staff_wrong", "staff_locked",
    "staff_no_phone", "staff_ready", "staff_keys", "staff_left", "staff_offer", "agent_login_ok",
    "agent_paused", "incident_join", "incident_joined", "outbound_intro", "queue_comfort_3",
    "queue_timeout", "branch_closing", "voicemail_unavailable", "lang_menu", *phrases.PROMPTS,
    *(f"d_{digit}" for digit in range(10)),
    *(f"n_{number}" for number in range(100)), *(f"h_{number}" for number in range(1, 10)),
)


def note_incidents(settings: Settings, database: Database) -> None:
    """Prepared texts that have been spoken can be listened to, and chosen; the end of an incident
    is told once its words are there."""
    sounds = provision.sounds(settings.home)
    said = Said(sounds, settings.cache)
    with database.reading() as session:
        texts = {one.id: one.text for one in incidents.prepared(session)
                 if one.sound is None or not preview(settings, one.sound).is_file()}
        ends = {one.case_id: one.case.answer or "" for one in incidents.unsaid(session)}
    for id_, text in texts.items():
        if (name := said.sound_of(text)) is None:
            continue
        spoken = sound.decode_alaw((sounds / LANGUAGE / f"{name}.alaw").read_bytes())
        digest = name.rpartition("/")[2]
        sound.write_wav(preview(settings, digest), spoken)
        with database.transaction() as session:
            session.get_one(IncidentText, id_).sound = digest
    for id_, text in ends.items():
        if (name := said.sound_of(text)) is not None:
            with database.transaction() as session:
                session.get_one(Incident, id_).over_sound = name.rpartition("/")[2]


class ReviewError(HotlineError):
    """A prompt cannot be taken in or approved. Each line says why."""


def preferred(settings: Settings, catalogue: Catalogue) -> Voice | None:
    """The configured engine where it is not the embedded one."""
    if settings.voice == "espeak":
        return None
    texts = [file.text for file in catalogue.files().values() if file.text]
    return voice_named(settings.voice, texts, settings.piper_voice)


def build_all(settings: Settings, progress: Callable[[int, int], None]) -> build.BuildReport:
    """Build every prompt and number with the embedded voice (or what is better and there)."""
    catalogue = Catalogue.load()
    report = build.build(
        catalogue, EspeakVoice(), settings.recordings, settings.cache,
        provision.sounds(settings.home), progress=progress,
        preferred=preferred(settings, catalogue),
    )
    write_music(settings)
    return report


def build_languages(settings: Settings) -> dict[str, str]:
    """Bring the languages besides Vietnamese in line with what has been recorded in them; why a
    recording cannot be used, by file."""
    failed: dict[str, str] = {}
    for language in LANGUAGES:
        published = provision.sounds(settings.home) / f"{LANGUAGE}_{language.id}"
        if (settings.recordings / language.id).is_dir() or published.is_dir():
            faults = build.build_language(
                Catalogue.load(), language.id, settings.recordings, settings.cache,
                provision.sounds(settings.home),
            )
            failed |= {f"{language.id}/{name}": why for name, why in faults.items()}
    write_music(settings)
    return failed


def write_music(settings: Settings) -> None:
    """What is heard on hold, anew after prompts or settings have changed: the music, as long as
    callers wait between one announcement and the next, and what is said within it.

    In linear PCM. A translation in Debian's Asterisk throws away frames that are numbered before
    what it had last (for its concealment of lost packets), and frames from files are all numbered
    0: music in A-law goes through the one by which recordings and supervisors hear what a caller
    hears, and then half of all phones, by the number that their packets happen to begin with,
    would be missing there for up to eleven minutes. Linear sound goes by it.
    """
    home, heard = settings.home, provision.sounds(settings.home)
    music = _said(heard / LANGUAGE / f"{provision.MUSIC}.alaw")
    on_hold = {provision.hold_sound(home, LANGUAGE, provision.MUSIC): music}
    for seconds in {settings.callback_offer_s, provision.EMERGENCY_STAY_S}:
        on_hold[provision.hold_music(home, seconds)] = np.resize(music, seconds * sound.RATE)
    for folder in (LANGUAGE, *(f"{LANGUAGE}_{one.id}" for one in LANGUAGES)):
        for name in provision.WITHIN_MUSIC:
            if (file := heard / folder / f"{name}.alaw").exists():
                on_hold[provision.hold_sound(home, folder, name)] = _said(file)
    for path, samples in on_hold.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        sound.write_wav(path.with_suffix(".wav"), samples)


def _said(file: Path) -> sound.Samples:
    return sound.decode_alaw(file.read_bytes())


def upgrade(settings: Settings, stop: threading.Event) -> build.BuildReport | None:
    """Replace embedded speech by the configured engine's until all is done or told to stop."""
    catalogue = Catalogue.load()
    voice = preferred(settings, catalogue)
    if voice is None:
        return None
    report = build.upgrade(
        catalogue, voice, settings.recordings, settings.cache, provision.sounds(settings.home),
        wait=stop.wait,
    )
    write_music(settings)
    return report


def sound_files(settings: Settings) -> list[Path]:
    """Where each sound of the catalogue is to be."""
    folder = provision.sounds(settings.home) / LANGUAGE
    return [folder / f"{name}.alaw" for name in Catalogue.load().files()]


def missing(settings: Settings) -> list[str]:
    """Sound files that menus and dialplan use and that are not there."""
    names = [*menu.spoken(provision.load_menus(settings)), *DIALPLAN_PROMPTS]
    return build.missing(Catalogue.load(), provision.sounds(settings.home), names)


def soundings(settings: Settings) -> list[Sounding]:
    """Every sound file that callers may hear, by whom it is spoken and who approved it."""
    catalogue = Catalogue.load()
    try:
        better = preferred(settings, catalogue)
        voices = [EspeakVoice(), *([better] if better is not None else [])]
        return build.soundings(
            catalogue, voices, settings.recordings, provision.sounds(settings.home)
        )
    except VoiceError as error:
        raise ReviewError(str(error)) from error


def unready(settings: Settings) -> list[Sounding]:
    """What callers hear by the embedded voice or unapproved; medical texts that wait first."""
    sounds = Catalogue.load().sounds
    names = {*menu.spoken(provision.load_menus(settings)), *DIALPLAN_PROMPTS}
    found = [
        one for one in soundings(settings)
        if one.text and (one.name.split(".")[0] in names or one.name in sounds)
        and (one.source == EspeakVoice.name or one.approval is None)
    ]
    return sorted(found, key=lambda one: not one.waiting)


def sound_faults(settings: Settings) -> dict[str, list[str]]:
    """What is wrong with the built files, by name: loudness, clipping, silence, length."""
    found = {
        one.name: quality.faults(one.text, sound.decode_alaw(one.path.read_bytes()))
        for one in soundings(settings) if one.text
    }
    return {name: faults for name, faults in found.items() if faults}


def import_recording(settings: Settings, file: Path, name: str) -> float:
    """Take a human recording in under a sound name; its length in seconds as callers hear it.

    Raises ReviewError, and leaves what was there, when the sound cannot be that text.
    """
    wanted = Catalogue.load().files().get(name)
    if wanted is None or not wanted.text:
        raise ReviewError(f"{name}: there is no such prompt (see hotline prompts list)")
    try:
        speech = Recordings.read_any(file)
        line = sound.prepare_speech(*speech, wanted.lead_ms, wanted.tail_ms)
        faults = quality.faults(wanted.text, line)
        if fault := quality.clipping_fault(speech.samples):
            faults.append(fault)
        if faults:
            raise ReviewError("\n".join(f"{file}: {fault}" for fault in faults))
        Recordings(settings.recordings).keep(name, speech)
    except sound.SoundError as error:
        raise ReviewError(f"{file}: {error}") from error
    except RecordingError as error:
        raise ReviewError(str(error)) from error
    return line.size / sound.RATE


def approve(
    settings: Settings, patterns: Sequence[str], by: str, doctor: str, now: datetime
) -> list[str]:
    """Note that somebody has listened to these files and found them right; their names.

    Patterns are those of a shell. Raises ReviewError, and approves none, when a pattern fits
    nothing or a medical text has no doctor to answer for it.
    """
    standing = [one for one in soundings(settings) if one.text]
    chosen: dict[str, Sounding] = {}
    faults = []
    for pattern in patterns:
        fitting = {one.name: one for one in standing if fnmatch.fnmatchcase(one.name, pattern)}
        if not fitting:
            faults.append(f"{pattern}: no built prompt is named so")
        chosen |= fitting
    if not doctor:
        faults += [
            f"{one.name}: is a medical text: name the doctor who answers for it (--doctor)"
            for one in chosen.values() if one.medical
        ]
    if faults:
        raise ReviewError("\n".join(faults))
    Approvals.load(settings.recordings).add(
        Approval(one.name, one.key, by, doctor if one.medical else "", now)
        for one in chosen.values()
    )
    return list(chosen)


def say_saved_texts(
    settings: Settings, texts: Sequence[str], stop: threading.Event
) -> dict[str, str]:
    """Make sound of the names and answers that people have saved; why some cannot be said."""
    said = Said(provision.sounds(settings.home), settings.cache)
    return said.make(texts, EspeakVoice(), Catalogue.load().as_read, stop.wait)


def unused(settings: Settings) -> list[str]:
    """Catalogue prompts that neither menus nor dialplan use yet."""
    used = {*menu.spoken(provision.load_menus(settings)), *DIALPLAN_PROMPTS}
    return [name for name in Catalogue.load().prompts if name not in used]


def menu_faults(settings: Settings, menus: menu.Menus) -> list[menu.Fault]:
    """What is wrong between the menus and the prompts, with durations where they are built."""
    interruptible = {
        prompt.id: prompt.barge_in
        for prompt in Catalogue.load().prompts.values() if not prompt.vars
    }
    return menu.prompt_faults(menus, interruptible, durations_ms(settings))


def durations_ms(settings: Settings) -> dict[str, int]:
    """How long each built prompt of a fixed text plays."""
    folder = provision.sounds(settings.home) / LANGUAGE
    fixed = [name for name, prompt in Catalogue.load().prompts.items() if not prompt.vars]
    return {
        name: build.duration_ms(path)
        for name in (LEAD_IN, *fixed)
        if (path := folder / f"{name}.alaw").exists()
    }
