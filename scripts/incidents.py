"""Incidents from text to sound, and to the telephone."""

from __future__ import annotations

from datetime import datetime

from crm import switches
from crm.cases import incidents
from crm.cases.incidents import IncidentError
from crm.database import Database
from crm.settings import Settings
from ivr import provision
from ivr.commands import switch_now
from prompts.catalogue import Catalogue
from prompts.said import Said
from prompts.voices import EspeakVoice


def start(settings: Settings, text: str, by: str, now: datetime) -> str:
    """Speak and check the text, then every caller hears it; the code of its case.

    Raises IncidentError or SaidError, and then nothing has changed."""
    text = _checked(text)
    sound = _sound(settings, text)
    with Database.of(settings).transaction() as session:
        code = incidents.start(session, text, sound, by=by, now=now).case.code
    switch_now(settings, switches.INCIDENT, f"{code}.{sound}")
    return code


def end(settings: Settings, code: str, text: str | None, by: str, now: datetime) -> int:
    """End an incident; how many people will be told `text`, or that it has been mended."""
    database = Database.of(settings)
    with database.reading() as session:
        was = incidents.by_code(session, code).text
    closed = Catalogue.load().prompts["incident_closed"].text
    text = _checked(text) if text else closed.replace("{body}", was.rstrip(" ."))
    sound = _sound(settings, text)
    with database.transaction() as session:
        joined = incidents.end(session, code, text, sound, by=by, now=now)
    switch_now(settings, switches.INCIDENT, "none")
    return joined


def _checked(text: str) -> str:
    text = " ".join(text.split())
    if not text or len(text) > incidents.LONGEST:
        raise IncidentError(f"what callers are told has 1 to {incidents.LONGEST} letters")
    return text


def _sound(settings: Settings, text: str) -> str:
    said = Said(provision.sounds(settings.home), settings.cache)
    return said.add(text, EspeakVoice(), Catalogue.load().as_read).rpartition("/")[2]
