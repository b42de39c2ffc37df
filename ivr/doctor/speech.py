"""What callers hear: prompts that are there, once each, and approved."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from crm.errors import HotlineError
from ivr import menu, provision
from ivr.doctor.check import FAILURE, OK, Check, Patient


def prompts(patient: Patient) -> Iterator[Check]:
    try:
        lacking = patient.missing_prompts()
    except menu.MenuError as error:
        yield Check("prompts", FAILURE, str(error), "correct the menu files: hotline menu check")
        return
    if lacking:
        yield Check(
            "prompts", FAILURE, f"{len(lacking)} missing: {', '.join(lacking[:5])}",
            "run hotline prompts build",
        )
    else:
        yield Check("prompts", OK, "complete")


def formats(patient: Patient) -> Iterator[Check]:
    """Asterisk takes what costs it least, and some versions open all: another may be heard than
    was approved."""
    folder = provision.sounds(patient.settings.home)
    known = Counter(
        file.relative_to(folder).with_suffix("") for file in folder.rglob("*") if file.is_file()
    )
    if twice := sorted(str(name) for name, count in known.items() if count > 1):
        yield Check(
            "formats", FAILURE, f"{len(twice)} lie in several formats: {', '.join(twice[:5])}",
            f"leave only the .alaw of each in {folder}",
        )
    else:
        yield Check("formats", OK, f"{len(known)} sounds, each in one format")


def voice(patient: Patient) -> Iterator[Check]:
    """Callers are spoken to by a voice that somebody has listened to."""
    try:
        names = patient.unready_prompts()
    except HotlineError as error:
        yield Check("voice", FAILURE, str(error), "put it right or restore it from a backup")
        return
    if names:
        yield Check(
            "voice", patient.late(),
            f"{len(names)} sounds are unapproved or spoken by espeak-ng: {', '.join(names[:5])}",
            "hotline prompts import recordings or set a better voice; then hotline prompts approve",
        )
    else:
        yield Check("voice", OK, "every prompt was listened to and approved")
