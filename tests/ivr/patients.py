"""What the doctor examines in tests."""

from __future__ import annotations

from crm.settings import Settings
from ivr.doctor import Patient
from scripts import speech


def patient(settings: Settings) -> Patient:
    """A hotline with these settings."""
    return Patient(
        settings, lambda: speech.missing(settings),
        lambda: [one.name for one in speech.unready(settings)],
    )
