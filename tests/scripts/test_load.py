"""`hotline load`: scenarios, bounds, and what is told of the calls; the calls are in tests/live."""

from pathlib import Path

import pytest

from crm import settings as configuration
from scripts import load
from scripts.load import LoadError, Outcome, Placed, Plan

LOCAL = ("127.0.0.1", 5060)


def placed(caller: str, setup_ms: int | None, code: int | None = 200, heard_s: float | None = 3.0,
           again: bool = False) -> Placed:
    return Placed(caller, code, "", setup_ms, heard_s, cut_off=False, again=again)


def outcome(*calls: Placed) -> Outcome:
    return Outcome(list(calls), missing=[], double=[], unexplained=0)


@pytest.mark.parametrize("name", sorted(one.stem for one in load.SCENARIOS.glob("*.yml")))
def test_what_comes_with_the_hotline_calls_nobody_for_help(name: str) -> None:
    assert not load.scenario(name).calls_for_life


@pytest.mark.parametrize(("text", "told"), [
    ("ways: []", "ways"),
    ("ways: [{keys: '3 x'}]", "wait:2.5"),
    ("ways: [{keys: '3', patience_s: 6000}]", "patience_s"),
    ("ways: [{keys: '3', patiens: 3}]", "patiens"),
    ("ways: [{keys: '3'}]\nnumber: sip:1022@evil", "number"),
    ("ways: [", "no YAML"), ("[" * 5000, "no YAML"),
    ("", "Input should be"),
])
def test_a_scenario_that_makes_no_sense_is_refused_with_a_sentence(
    tmp_path: Path, text: str, told: str
) -> None:
    file = tmp_path / "mine.yml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(LoadError, match=told):
        load.scenario(str(file))


def test_an_unknown_scenario_names_those_there_are() -> None:
    with pytest.raises(LoadError, match="everyday, rush, short"):
        load.scenario("storm")


@pytest.mark.parametrize("host", ["198.51.100.7", "198.51.100.7:5060"])
def test_another_machine_is_called_only_by_whoever_operates_it(host: str) -> None:
    settings = configuration.load({})
    with pytest.raises(LoadError, match="--yes-i-operate-it"):
        load.target(settings, host, operated=False)
    assert load.target(settings, host, operated=True) == ("198.51.100.7", 5060)


def test_this_machine_may_be_called_freely() -> None:
    settings = configuration.load({"HOTLINE_SIP_BIND": "0.0.0.0:5099"})
    assert load.target(settings, None, operated=False) == ("127.0.0.1", 5099)
    assert load.target(settings, "127.0.0.1:5077", operated=False) == ("127.0.0.1", 5077)
    with pytest.raises(LoadError, match="HOST:PORT"):
        load.target(settings, "127.0.0.1:0", operated=False)


@pytest.mark.parametrize(("rate", "duration_s", "told"), [
    (0, 10, "rate"), (51, 10, "rate"), (float("nan"), 10, "rate"), (1, 0, "duration"),
    (1, 4000, "duration"), (50, 3600, "too many"),
])
def test_a_load_is_bounded(rate: float, duration_s: float, told: str) -> None:
    plan = Plan(load.scenario("short"), LOCAL, "127.0.0.2", rate, duration_s)
    with pytest.raises(LoadError, match=told):
        plan.check()


def test_percentiles_are_those_of_calls_that_were_answered() -> None:
    found = outcome(*(placed(f"{n}", n) for n in range(1, 101)), placed("x", None, 503))
    assert [found.setup_ms(p) for p in (50, 95, 99)] == [50, 95, 99]
    assert found.failures == {"503": 1}
    assert not found.well
    assert "503: 1" in "\n".join(found.lines())


def test_a_caller_who_heard_nothing_or_is_not_in_the_ledger_is_a_fault() -> None:
    assert outcome(placed("1", 10)).well
    assert outcome(placed("1", 10, heard_s=None)).well  # did not listen
    assert not outcome(placed("1", 10, heard_s=0.2)).well
    lost = outcome(placed("1", 10))
    lost.missing = ["1"]
    assert not lost.well
    assert "the call of 1 is missing" in "\n".join(lost.lines())
    assert not Outcome().well  # nobody called
