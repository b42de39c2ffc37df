"""Settings and prompts together: build them, better them, check the menus against them."""

from __future__ import annotations

import threading
from collections.abc import Callable

from crm.settings import Settings
from ivr import menu, provision
from prompts import build
from prompts.catalogue import LEAD_IN, Catalogue
from prompts.voices import EspeakVoice, Voice, voice_named

# Said by the dialplan itself, besides what the menu files name.
DIALPLAN_PROMPTS = (
    "main_menu_short", "input_no_key", "input_invalid", "input_too_many_errors", "leaf_end",
    "goodbye", "consent_recording_short", "consent_recording_declined", "after_hours",
    "after_hours_options", "queue_connecting", "queue_next", "queue_position",
    "queue_wait_under_1", "queue_wait_range", "queue_wait_long", "queue_comfort_1",
    "emergency_menu", "emergency_outside", "emergency_fallback", "emergency_stay",
    "whisper_emergency", "listening", "lead_in", "overload_reject",
    "voicemail_start", "voicemail_max", "voicemail_saved", "beep", "moh_default", "over",
    "notice_high_volume", "notice_disaster", "notice_trial", "holiday_notice",
    "survey_intro", "survey_q1", "survey_thanks",
    "callback_offer", "callback_use_this_number", "callback_enter_number",
    "callback_number_invalid", "callback_refused_number", "callback_too_many",
    "callback_duplicate", "callback_confirmed_no_time", "callback_hello", "callback_cancelled",
    "callback_nobody", "whisper_callback",
    *(f"d_{digit}" for digit in range(10)),
    *(f"n_{number}" for number in range(100)), *(f"h_{number}" for number in range(1, 10)),
)


def preferred(settings: Settings, catalogue: Catalogue) -> Voice | None:
    """The configured engine where it is not the embedded one."""
    if settings.voice == "espeak":
        return None
    texts = [file.text for file in catalogue.files().values() if file.text]
    return voice_named(settings.voice, texts, settings.piper_voice)


def build_all(settings: Settings, progress: Callable[[int, int], None]) -> build.BuildReport:
    """Build every prompt and number with the embedded voice (or what is better and there)."""
    catalogue = Catalogue.load()
    return build.build(
        catalogue, EspeakVoice(), settings.recordings, settings.cache,
        provision.sounds(settings.home), progress=progress,
        preferred=preferred(settings, catalogue),
    )


def upgrade(settings: Settings, stop: threading.Event) -> build.BuildReport | None:
    """Replace embedded speech by the configured engine's until all is done or told to stop."""
    catalogue = Catalogue.load()
    voice = preferred(settings, catalogue)
    if voice is None:
        return None
    return build.upgrade(
        catalogue, voice, settings.recordings, settings.cache, provision.sounds(settings.home),
        wait=stop.wait,
    )


def missing(settings: Settings) -> list[str]:
    """Sound files that menus and dialplan use and that are not there."""
    names = [*menu.spoken(provision.load_menus()), *DIALPLAN_PROMPTS]
    return build.missing(Catalogue.load(), provision.sounds(settings.home), names)


def unused() -> list[str]:
    """Catalogue prompts that neither menus nor dialplan use yet."""
    used = {*menu.spoken(provision.load_menus()), *DIALPLAN_PROMPTS}
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
    folder = provision.sounds(settings.home) / build.LANGUAGE
    fixed = [name for name, prompt in Catalogue.load().prompts.items() if not prompt.vars]
    return {
        name: build.duration_ms(path)
        for name in (LEAD_IN, *fixed)
        if (path := folder / f"{name}.alaw").exists()
    }
