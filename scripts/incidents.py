"""Incidents from text to sound, and to the telephone."""

from __future__ import annotations

from datetime import datetime

from crm.cases import incidents
from crm.database import Database
from crm.settings import Settings
from ivr import provision
from ivr.commands import switch_now
from prompts.catalogue import Catalogue
from prompts.said import Said
from prompts.voices import EspeakVoice


def start(
    settings: Settings, text: str, by: str, now: datetime, branch: str | None = None,
    until: datetime | None = None,
) -> str:
    """Speak and check the text, then every caller, or those of a branch, hear it until then; the
    code of its case.

    Raises IncidentError or SaidError, and then nothing has changed."""
    text = incidents.checked(text)
    sound = _sound(settings, text)
    with Database.of(settings).transaction() as session:
        made = incidents.start(session, text, sound, by=by, now=now, branch=branch, until=until)
        code, switch = made.case.code, incidents.switch_of(made)
    switch_now(settings, *switch)
    return code


def end(settings: Settings, code: str, text: str | None, by: str, now: datetime) -> int:
    """End an incident; how many people will be told `text`, or that it has been mended."""
    database = Database.of(settings)
    with database.reading() as session:
        was = incidents.by_code(session, code).text
    text = incidents.checked(text) if text else incidents.mended(was)
    sound = _sound(settings, text)
    with database.transaction() as session:
        joined = incidents.end(session, code, text, sound, by=by, now=now)
        switch = incidents.switch_of(incidents.by_code(session, code))
    switch_now(settings, *switch)
    return joined


def _sound(settings: Settings, text: str) -> str:
    said = Said(provision.sounds(settings.home), settings.cache)
    return said.add(text, EspeakVoice(), Catalogue.load().as_read).rpartition("/")[2]
