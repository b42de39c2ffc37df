"""`hotline doctor` on a hotline that runs, and on one with something amiss."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from crm.calls import emergency
from ivr import doctor
from ivr.doctor import Check
from tests.ivr.patients import patient
from tests.live.running import Hotline, wait_for


def checks(hotline: Hotline, *names: str) -> dict[str, Check]:
    """What the doctor finds, by name of the check; of all of them unless some are named."""
    done = doctor.examine(patient(hotline.settings), names or doctor.EXAMINATIONS.keys())
    return {check.name: check for check in done}


NOT_AGREED = {"emergency", "drill"}  # what a hotline on one machine, without a carrier, lacks


def test_a_sound_hotline_lacks_only_its_emergency_services_and_says_what_to_do(
    hotline: Hotline,
) -> None:
    found = {one["name"]: one for one in hotline.json("doctor")["checks"]}
    assert found.keys() == doctor.EXAMINATIONS.keys() - {"alg"}  # asks a carrier's server
    assert {name for name, one in found.items() if one["status"] == "failure"} == NOT_AGREED
    # what cannot be had on a machine of its own without a carrier, or depends on the machine
    may_warn = {
        "trunk", "clock", "beat", "ami", "capacity", "disk", "voice", "numbers", "accounts",
        "backup", "site", "advisories",
    }
    assert {name for name, check in found.items() if check["status"] == "warning"} <= may_warn
    assert all(bool(check["cure"]) == (check["status"] != "ok") for check in found.values())
    shown = hotline.run("doctor")
    assert shown.returncode == 1
    assert "HOTLINE_EMERGENCY_MEDICAL" in shown.stdout


def test_prompts_nobody_has_listened_to_are_a_warning_in_trial_and_a_failure_in_production(
    hotline: Hotline,
) -> None:
    assert checks(hotline, "voice")["voice"].status == doctor.WARNING
    production = Hotline(hotline.home, HOTLINE_STAGE="production")
    found = checks(production, "voice")["voice"]
    assert found.status == doctor.FAILURE
    assert "hotline prompts approve" in found.cure


def test_a_drill_is_noted_for_ninety_days(hotline: Hotline) -> None:
    with hotline.database.transaction() as session:
        for service in ("medical", "fire", "police"):
            emergency.record_drill(session, service, datetime.now(UTC), "thử")
    assert "no drill with 112 in" in checks(hotline, "drill")["drill"].detail
    assert hotline.run("emergency", "drill", "rescue", "--note", "thử").returncode == 0
    assert checks(hotline, "drill")["drill"].status == doctor.OK
    refused = hotline.run("emergency", "drill", "dentist")
    assert refused.returncode == 1
    assert "there is no emergency service dentist" in refused.stderr


@contextmanager
def amiss(hotline: Hotline) -> Iterator[None]:
    """Recordings open to all, a prompt gone, a queue changed by hand, a listener that hangs."""
    recordings = hotline.home / "recordings"
    prompt = hotline.home / "asterisk/data/sounds/vi/greeting_main.alaw"
    queues = hotline.home / "asterisk/etc/queues.conf"
    speech, rules = prompt.read_bytes(), queues.read_text(encoding="utf-8")
    recordings.chmod(0o755)
    prompt.unlink()
    queues.write_text(rules + "; by hand\n", encoding="utf-8")
    for process in ("listener", "scheduler"):  # the scheduler would bring the prompt back
        hotline.signal(process, signal.SIGSTOP)
    try:
        yield
    finally:
        for process in ("listener", "scheduler"):
            hotline.signal(process, signal.SIGCONT)
        recordings.chmod(0o700)
        prompt.write_bytes(speech)
        queues.write_text(rules, encoding="utf-8")


def test_each_fault_is_named_with_its_cure_and_the_exit_code_says_so(hotline: Hotline) -> None:
    with amiss(hotline):
        wait_for(lambda: not hotline.listener_connected, "the listener is seen to hang")
        wait_for(
            lambda: checks(hotline, "listener")["listener"].status == doctor.FAILURE,
            "the listener is a failure",
        )
        found = checks(hotline)
        assert hotline.run("doctor").returncode == 1
    failures = {name: one for name, one in found.items() if one.status == doctor.FAILURE}
    assert failures.keys() == {
        "privacy", "prompts", "configuration", "listener", "emergency",
    }
    assert "recordings" in failures["privacy"].detail
    assert "greeting_main" in failures["prompts"].detail
    assert "queues.conf" in failures["configuration"].detail
    assert all(check.cure for check in failures.values())
    wait_for(lambda: hotline.listener_connected, "the listener is back")


def test_with_nothing_running_every_check_still_answers(hotline: Hotline) -> None:
    nothing = Hotline(hotline.home.parent / "nothing")
    found = checks(nothing)
    assert found["asterisk"].status == found["database"].status == doctor.FAILURE
    assert nothing.run("doctor").returncode == 1
