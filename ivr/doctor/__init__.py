"""`hotline doctor`: what the hotline needs, checked one by one, each with its cure."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from ivr.doctor import (
    accounts,
    advisories,
    emergency,
    machine,
    network,
    records,
    speech,
    telephony,
    transit,
)
from ivr.doctor.check import FAILURE, OK, WARNING, Check, Examination, Patient

__all__ = ["EXAMINATIONS", "FAILURE", "OK", "WARNING", "Check", "Patient", "examine"]

# By the name of the line that each gives (those of carriers give one for each carrier that is set).
EXAMINATIONS: Mapping[str, Examination] = {
    "asterisk": telephony.asterisk,
    "advisories": advisories.advisories,
    "modules": telephony.modules,
    "configuration": telephony.configuration,
    "capacity": telephony.capacity,
    "browsers": telephony.browsers,
    "ami": telephony.ami,
    "trunk": telephony.trunk,
    "nat": network.nat,
    "alg": network.alg,
    "audio": network.audio,
    "journal": records.journal,
    "database": records.database,
    "tailer": records.tailer,
    "listener": records.listener,
    "prompts": speech.prompts,
    "formats": speech.formats,
    "voice": speech.voice,
    "emergency": emergency.targets,
    "numbers": emergency.numbers,
    "drill": emergency.drill,
    "notices": records.notices,
    "files": records.files,
    "recordings": records.recordings,
    "backup": records.backup,
    "site": records.site,
    "accounts": accounts.first,
    "disk": machine.disk,
    "clock": machine.clock,
    "beat": machine.beat,
    "certificate": machine.certificate,
    "privacy": machine.privacy,
    "transit": transit.transit,
}


def examine(patient: Patient, only: Collection[str] = EXAMINATIONS.keys()) -> list[Check]:
    """All checks, or some. Every one answers, whatever else is broken; those of a running Asterisk
    are left out where none runs."""
    return [
        check for name, examination in EXAMINATIONS.items() if name in only
        for check in examination(patient)
    ]
