"""Menus that were edited, brought into the running Asterisk."""

from __future__ import annotations

import re

from crm import secrets
from crm.errors import HotlineError
from crm.settings import Settings
from ivr import menu, provision, runtime
from scripts import speech

_DIALPLAN = "extensions.conf"


class ApplyError(HotlineError):
    """The dialplan is not in force; what was before is, or the message says what to do."""


def menus(settings: Settings) -> str:
    """What was done, in a sentence. Callers who are in a menu hear it to its end and go on in the
    new one. Raises menu.MenuError: nothing was changed; ApplyError: the old dialplan is back."""
    wanted = provision.load_menus(settings)
    if faults := speech.menu_faults(settings, wanted):
        raise menu.MenuError(faults)
    asterisk = runtime.find(settings, lambda _: None, fetch=False)
    compiled = provision.files(
        settings, secrets.load(settings.home), wanted, version=asterisk.version,
        modules=asterisk.modules, open_files=runtime.open_files(settings), boot="",
    )[_DIALPLAN]
    before = (provision.etc(settings.home) / _DIALPLAN).read_text(encoding="utf-8")
    if runtime.ask(asterisk, settings.home, "core show uptime") is None:
        raise ApplyError("the hotline does not run: it takes the menus in when it starts")
    if compiled == before and _is_in_force(settings, asterisk, compiled):
        return "nothing has changed"
    for text in (compiled, before):
        provision.write(settings.home, {_DIALPLAN: text})
        runtime.ask(asterisk, settings.home, "dialplan reload")
        if _is_in_force(settings, asterisk, text):
            break
    else:
        raise ApplyError(f"Asterisk takes no dialplan: see {settings.home}/asterisk/log")
    if text is not compiled:
        raise ApplyError("Asterisk has refused the new dialplan, and has the old one again")
    return f"{len(wanted.menus)} menus are in force"


def _is_in_force(settings: Settings, asterisk: runtime.Asterisk, text: str) -> bool:
    marker = re.search(r"^HL_MARKER=(\w+)$", text, re.MULTILINE)
    running = runtime.ask(asterisk, settings.home, "dialplan show globals") or ""
    return marker is not None and f"HL_MARKER={marker[1]}" in running
