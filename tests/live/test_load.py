"""`hotline load` against a hotline that runs."""

import json
from pathlib import Path

import pytest

from tests.live.running import Hotline

SCENARIO = """
ways:
  - {weight: 2, keys: "", patience_s: 3}
  - {weight: 1, keys: "wait:1 3", patience_s: 2}
redial: {share: 0.2, after_s: 1}
"""


def test_twenty_callers_are_answered_hear_speech_and_stand_in_the_ledger_once(
    hotline: Hotline, tmp_path: Path
) -> None:
    file = tmp_path / "few.yml"
    file.write_text(SCENARIO, encoding="utf-8")
    told = hotline.json("load", "--scenario", str(file), "--rate", "2", "--duration", "10")
    assert told["failures"] == {}, json.dumps(told)
    assert told["calls"] == 20 + told["redials"] == told["answered"]
    assert told["audio"]["listened"] == told["audio"]["heard"] > 0
    assert told["ledger"] == {"missing": [], "double": [], "unexplained": 0}
    assert 0 < told["setup_ms"]["p50"] <= told["setup_ms"]["p99"]
    assert told["well"] is True
    ours = [call for call in hotline.calls() if (call["caller"] or "").startswith("01")]
    assert len(ours) == told["calls"]
    assert {call["kind"] for call in ours} == {"test"}


def test_nobody_is_rung_for_help_by_a_load_on_another_instance(
    hotline: Hotline, tmp_path: Path
) -> None:
    file = tmp_path / "life.yml"
    file.write_text('ways: [{keys: "4"}]', encoding="utf-8")
    done = hotline.run("load", "--scenario", str(file), "--target", "127.0.0.1:9")
    assert done.returncode == 1
    assert "key 4 rings emergency services" in done.stderr


@pytest.mark.full
def test_hundreds_of_callers_a_rush(hotline: Hotline) -> None:
    told = hotline.json("load", "--scenario", "rush", "--rate", "5", "--duration", "60")
    assert told["calls"] >= 300
    assert told["failures"] == {}
    assert told["ledger"] == {"missing": [], "double": [], "unexplained": 0}
