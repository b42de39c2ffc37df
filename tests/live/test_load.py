"""`hotline load` against a hotline that runs."""

import json
from pathlib import Path

import pytest

from tests.live.carrier import lines
from tests.live.running import Hotline, free_ports, running_hotline

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


def test_a_machine_of_somebody_else_is_not_called(hotline: Hotline) -> None:
    done = hotline.run("load", "--target", "198.51.100.7", "--duration", "1")
    assert done.returncode == 1
    assert "198.51.100.7 is another machine: say --yes-i-operate-it" in done.stderr


@pytest.mark.full
def test_another_instance_at_another_address_is_loaded_once_it_is_said_whose_it_is(
    tmp_path: Path
) -> None:
    """From a folder without a hotline of its own; what the ledger has is asked where it is. At the
    address of a network, too, this machine's callers come by the local trunk."""
    file = tmp_path / "few.yml"
    file.write_text(SCENARIO, encoding="utf-8")
    elsewhere = Hotline(tmp_path / "elsewhere")
    words = ("load", "--scenario", str(file), "--rate", "2", "--duration", "10", "--target")
    with lines(1) as places:
        [line] = places
        address = line.hotline if line.namespace else "127.0.0.1"
        target = f"{address}:{free_ports(1)[0]}"
        with running_hotline(
            tmp_path / "home", HOTLINE_SIP_BIND=target, HOTLINE_TRUNK_MATCH="127.0.0.2",
        ) as loaded:
            if line.namespace:
                refused = elsewhere.run(*words, target)
                assert "is another machine" in refused.stderr
                assert not loaded.calls()
            told = elsewhere.json(*words, target, "--yes-i-operate-it")
            assert told["failures"] == {}, json.dumps(told)
            assert told["answered"] == told["calls"] == 20 + told["redials"]
            assert told["audio"]["listened"] == told["audio"]["heard"] > 0
            assert 0 < told["setup_ms"]["p50"] <= told["setup_ms"]["p99"]
            assert (told["well"], told["ledger"]) == (True, None)
            loaded.assert_ledger_complete()
            assert len(loaded.calls()) == told["calls"]
    assert not elsewhere.home.exists()


@pytest.mark.full
def test_hundreds_of_callers_a_rush(hotline: Hotline) -> None:
    told = hotline.json("load", "--scenario", "rush", "--rate", "5", "--duration", "60")
    assert told["calls"] >= 300
    assert told["failures"] == {}
    assert told["ledger"] == {"missing": [], "double": [], "unexplained": 0}
