"""Codes of articles and contact points: short names for files and addresses of pages."""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import count

from crm.vietnamese import folded

CODE = re.compile(r"[a-z0-9][a-z0-9-]{1,59}")
_LONGEST_NAME = 50


def code_for(name: str, taken: Callable[[str], bool]) -> str:
    """A code that nothing has yet, from the words of a name: dau-hong, dau-hong-2."""
    plain = "-".join(re.findall(r"[a-z0-9]+", folded(name)))[:_LONGEST_NAME].strip("-")
    base = plain if len(plain) > 1 else f"x-{plain}".rstrip("-") + ("" if plain else "0")
    return next(
        code for number in count(1)
        if not taken(code := base if number == 1 else f"{base}-{number}")
    )
