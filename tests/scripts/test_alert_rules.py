"""The alarm rules, as Prometheus itself reads them: each is silent while all is well, comes when
its figure says so, and not before its time."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

from crm.settings import PROJECT

RULES = PROJECT / "scripts" / "monitoring" / "alerts.yml"
AT = {"instance": "th1", "job": "hotline1022"}


class Sick(NamedTuple):
    """Series by name and labels, well and then not; minutes until it is alarmed."""

    series: dict[str, tuple[float, float]]
    after_min: int = 1


def one(name: str, well: float, sick: float, after_min: int = 1) -> Sick:
    return Sick({name: (well, sick)}, after_min)


CASES = {
    "HotlineDown": one("up", 1, 0),
    "NumberNotAnswered": one('hotline_probe_failures{part="call"}', 0, 1, 0),
    # a time that stands still: minute 60 is 3600 s
    "ProbeSilent": Sick({"hotline_probe_at_seconds": (3600, 3600)}, 5),
    "EmergencyUnreached": one("hotline_emergencies_unreached", 0, 1),
    "DatabaseDown": one("hotline_database_up", 1, 0),
    "ListenerGone": one('hotline_listener_connected{node="th1"}', 1, 0),
    "JournalNotRead": one('hotline_journal_read_age_seconds{node="th1"}', 1, 61),
    "JournalTorn": one('hotline_journal_gaps{node="th1"}', 3, 4, 0),
    "DiskFilling": one("hotline_disk_free_ratio", 0.5, 0.09, 5),
    "CallersWaitLong": one('hotline_longest_wait_seconds{queue="vaccine"}', 30, 301, 2),
    "NobodyTakesCalls": Sick({
        'hotline_waiting{queue="vaccine"}': (2, 2), 'hotline_agents{state="ready"}': (1, 0),
        'hotline_agents{state="paused"}': (3, 3),
    }),
    "ServiceLevelLow": Sick({
        'hotline_answered_in_time_today{branch="vaccine"}': (90, 79),
        'hotline_offered_today{branch="vaccine"}': (100, 100),
    }, 15),
    "MessagesUnheard": one("hotline_messages_untaken", 20, 21, 30),
    "CallbacksPileUp": one("hotline_callbacks_owed", 50, 51, 30),
    "CasesUndispatched": one("hotline_cases_undispatched", 0, 1, 10),
    "CasesOverdue": one("hotline_cases_overdue", 0, 1, 60),
    "NoticesNotSent": one("hotline_notices_late", 0, 1, 10),
    "DoctorFails": one('hotline_doctor_failing{check="disk"}', 0, 1, 0),
}
TURNS_AT = 60  # minutes in which all is well


def labelled(series: str) -> str:
    name, _, labels = series.partition("{")
    own = ",".join(f'{key}="{value}"' for key, value in AT.items())
    return f"{name}{{{own}{',' + labels[:-1] if labels else ''}}}"


def alarms(name: str, minute: int, *, expected: bool) -> dict[str, Any]:
    """Whether it stands at that minute; its labels are not compared by hand."""
    query = f'count(ALERTS{{alertname="{name}",alertstate="firing"}}) or vector(0)'
    return {"expr": query, "eval_time": f"{minute}m",
            "exp_samples": [{"labels": "{}", "value": int(expected)}]}


def a_test(name: str, case: Sick) -> dict[str, Any]:
    turns = TURNS_AT + 1
    return {
        "interval": "1m",
        "input_series": [
            {"series": labelled(series), "values": f"{well}x{TURNS_AT} {sick}x{180}"}
            for series, (well, sick) in case.series.items()
        ],
        "promql_expr_test": [
            alarms(name, TURNS_AT, expected=False),
            *([alarms(name, turns + case.after_min - 1, expected=False)] if case.after_min else []),
            alarms(name, turns + case.after_min, expected=True),
        ],
    }


@pytest.fixture(scope="module")
def promtool(tmp_path_factory: pytest.TempPathFactory) -> str:
    """This machine's, or that of Debian's package, unpacked and not installed."""
    if found := shutil.which("promtool"):
        return found
    folder = tmp_path_factory.mktemp("prometheus")
    subprocess.run(["apt-get", "download", "prometheus"], cwd=folder, check=True,
                   capture_output=True)
    [package] = folder.glob("*.deb")
    subprocess.run(["dpkg-deb", "-x", str(package), str(folder)], check=True)
    return str(folder / "usr" / "bin" / "promtool")


def test_every_rule_has_a_case() -> None:
    groups = yaml.safe_load(RULES.read_text(encoding="utf-8"))["groups"]
    assert [rule["alert"] for group in groups for rule in group["rules"]] == list(CASES)


@pytest.mark.full
def test_prometheus_takes_the_rules_and_alarms_when_it_should(
    promtool: str, tmp_path: Path
) -> None:
    checked = subprocess.run([promtool, "check", "rules", str(RULES)], capture_output=True,
                             text=True, check=False)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert f"{len(CASES)} rules found" in checked.stdout
    file = tmp_path / "tests.yml"
    file.write_text(yaml.safe_dump({
        "rule_files": [str(RULES)], "evaluation_interval": "1m",
        "tests": [a_test(name, case) for name, case in CASES.items()],
    }), encoding="utf-8")
    done = subprocess.run([promtool, "test", "rules", str(file)], capture_output=True, text=True,
                          check=False)
    assert done.returncode == 0, done.stdout + done.stderr
