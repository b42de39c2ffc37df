"""`hotline bench`: the table of what was measured."""

from collections.abc import Iterator

import pytest

from scripts.bench import targets
from scripts.bench.targets import HEAD, PARTS, SMALL, Extent, Row, shown, table
from scripts.commands.bench import NAMES

HELD = Row("quick", "≤ 2 s", "1 s", "4 s (another)", 0.25, True)


def test_the_command_offers_all_parts() -> None:
    assert set(NAMES) == PARTS.keys()


def test_a_row_says_target_measure_comparison_ratio_and_verdict() -> None:
    assert shown(HELD) == "| quick | ≤ 2 s | 1 s | 4 s (another) | 0.25 | held |  |"
    for row in (HELD, Row("slow", "≤ 2 s", "3 s", held=False, note="why"), Row("x", "", "?")):
        assert shown(row).count("|") == HEAD.splitlines()[0].count("|")
    assert "MISSED" in shown(Row("slow", "≤ 2 s", "3 s", held=False))


def test_a_part_that_breaks_is_named_and_leaves_the_others(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def breaks(_: Extent) -> Iterator[Row]:
        print("on the way")  # noqa: T201 - as the programs do
        yield HELD
        raise OSError("no\nroom")

    monkeypatch.setattr(targets, "PARTS", {"one": breaks, "two": lambda _: iter([HELD])})
    told: list[str] = []
    rows = table(["one", "two"], SMALL, told.append)
    assert [(row.what, row.held) for row in rows] == [("one", None), ("quick", True)]
    assert rows[0].note == "OSError: no room"
    assert told == [shown(row) for row in rows]
    assert capsys.readouterr().out == ""
