"""What callers hear: the sentence that names a key of a menu, from the menus and the catalogue."""

from __future__ import annotations

import logging
import time

from crm.settings import Settings
from ivr import provision
from ivr.menu import MenuError, Menus
from prompts.catalogue import Catalogue

log = logging.getLogger(__name__)

AGAIN_S = 60.0  # `hotline apply` may have changed the menus


class Heard:
    """Asked by the console for each step of a call's path."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._prompts = Catalogue.load().prompts
        self._menus: Menus | None = None
        self._due = 0.0  # monotonic

    def __call__(self, menu: str, key: str | None) -> str:
        """The sentence after which a key is pressed; of a leaf what it says; empty: not known."""
        menus = self._known()
        if menus is None:
            return ""
        if (leaf := menus.leaves.get(menu)) is not None:
            return self._said(*leaf.say)
        if (found := menus.menus.get(menu)) is None:
            return ""
        option = next((one for one in found.options if one.key == key), None)
        return self._said(option.say) if option and option.say else ""

    def _known(self) -> Menus | None:
        if time.monotonic() >= self._due:
            self._due = time.monotonic() + AGAIN_S
            try:
                self._menus = provision.load_menus(self._settings)
            except (MenuError, OSError) as error:  # being edited: those of before hold
                log.warning("The menus cannot be read: %s", str(error).splitlines()[0])
        return self._menus

    def _said(self, *names: str) -> str:
        return " ".join(self._prompts[name].text for name in names if name in self._prompts)
