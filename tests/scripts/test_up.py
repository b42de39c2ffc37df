"""The supervisor of the hotline's processes."""

from __future__ import annotations

import gc
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts import up


@pytest.fixture
def nothing_frozen() -> Iterator[None]:
    yield
    gc.unfreeze()


@pytest.mark.usefixtures("nothing_frozen")
def test_a_damaged_module_is_named_and_keeps_nobody_else_from_starting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "torn_by_a_full_disk.py").write_text("def half(", encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(up, "NEEDED", ("torn_by_a_full_disk", "ivr.journal"))
    with caplog.at_level(logging.ERROR):
        up.read_what_is_needed()
    assert [one.getMessage().partition(":")[0] for one in caplog.records] == [
        "torn_by_a_full_disk cannot be read"
    ]
