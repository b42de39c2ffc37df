"""What callers heard before they pressed a key."""

from __future__ import annotations

from pathlib import Path

from crm import settings
from scripts.heard import Heard


def test_the_sentence_of_a_key_is_that_of_the_catalogue(tmp_path: Path) -> None:
    heard = Heard(settings.load({"HOTLINE_HOME": str(tmp_path)}))
    assert heard("main", "3") == "Tiêm chủng, phím ba."
    assert heard("main", None) == heard("main", "t") == heard("nowhere", "1") == ""
    assert heard("advice_care", None).endswith(".")  # a leaf: what it says
