"""What goes to the carriers and comes from them: worksheet, reachability sheet, report."""

from __future__ import annotations

import json
import struct
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner

from crm.database import Database
from crm.settings import load
from scripts.hotline import main
from scripts.trunk import questions, reach, trial

NOW = datetime(2026, 11, 26, 8, 0, tzinfo=UTC)


def run(home: Path, *words: str, **settings: str) -> tuple[int, str]:
    variables = {f"HOTLINE_{name.upper()}": value for name, value in settings.items()}
    done = CliRunner().invoke(main, list(words), env={"HOTLINE_HOME": str(home), **variables})
    return done.exit_code, done.output


def test_the_worksheet_asks_each_carrier_in_both_languages_and_shows_what_is_set(
    tmp_path: Path
) -> None:
    code, sheet = run(
        tmp_path, "trunk", "questions", trunk_server="203.0.113.2:5060", trunk_user="thanhhoa",
        trunk_password="not-to-be-shown", trunk2_server="sbc.example.vn",
        trunk2_transport="tls+srtp", trunk2_form="+84", trunk2_channels="60",
    )
    assert code == 0
    assert "not-to-be-shown" not in sheet
    first, second = sheet.split("\n## ")[1:]
    for part in (first, second):
        assert part.count("\n| ") == len(questions.QUESTIONS) + 1
        assert "Người dân gọi có miễn phí" in part
        assert "Is the line free" in part
    assert "REGISTER (thanhhoa) (TRUNK_USER)" in first
    assert "TLS+SRTP (TRUNK2_TRANSPORT" in second
    assert "+84… (TRUNK2_FORM)" in second
    assert "60 (6 kept for calls out)" in second


def tried(home: Path, network: str, form: str, place: str, *, reached: bool, at: str) -> None:
    reach.enter(home, reach.Try(at, network, form, place, reached, "678", "trunk", "kysu"))


def test_the_reachability_sheet_shows_the_newest_try_of_each_way(tmp_path: Path) -> None:
    tried(tmp_path, "viettel", "1022", "inside", reached=False, at="2026-11-25T03:00:00+00:00")
    tried(tmp_path, "viettel", "1022", "inside", reached=True, at="2026-11-26T03:00:00+00:00")
    tried(tmp_path, "mobifone", "02371022", "outside", reached=False,
          at="2026-11-26T03:00:00+00:00")
    assert reach.table(reach.tries(tmp_path)).splitlines()[2:] == [
        "| mobifone | 02371022 | ? | KHÔNG · NO 26/11/2026 |",
        "| mobifone | 1022 | ? | ? |",
        "| viettel | 02371022 | ? | ? |",
        "| viettel | 1022 | được · yes (trunk) 26/11/2026 | ? |",
    ]
    with pytest.raises(reach.ReachError, match="inside or outside"):
        tried(tmp_path, "viettel", "1022", "hà nội", reached=True, at="2026-11-26T03:00:00+00:00")


def test_a_failed_call_is_entered_by_hand_and_shows_no_whole_number(tmp_path: Path) -> None:
    entered = ("--from", "0912000678", "--network", "vinaphone", "--place", "outside", "--failed")
    code, said = run(tmp_path, "trunk", "reach", *entered)
    assert (code, "--dialled" in said) == (2, True)
    assert run(tmp_path, "trunk", "reach", *entered, "--dialled", "1022")[0] == 0
    (row,) = json.loads(run(tmp_path, "trunk", "reach", "--json")[1])
    assert (row["reached"], row["form"], row["telephone"]) == (False, "1022", "678")
    assert "0912000678" not in reach.sheet(tmp_path).read_text(encoding="utf-8")


def test_a_call_that_did_not_come_is_not_entered_as_one_that_did(tmp_path: Path) -> None:
    settings = load({"HOTLINE_HOME": str(tmp_path)})
    Database.of(settings).migrate()
    with pytest.raises(reach.ReachError, match="no call of 0912000678 came"):
        reach.found(settings, telephone="0912000678", network="viettel", place="inside",
                    by="kysu", note="", now=NOW)


@pytest.mark.parametrize("number", ["115", "02373000115", "x"])
def test_no_emergency_service_and_no_nonsense_is_ever_rung_for_a_test(
    tmp_path: Path, number: str
) -> None:
    code, said = run(tmp_path, "trunk", "test", "--number", number,
                     trunk_server="203.0.113.2", emergency_medical="02373000115")
    assert code == 2
    assert "no number" in said or "never rung" in said


def test_messages_are_read_from_what_asterisk_writes() -> None:
    texts = ["INVITE sip:1022@203.0.113.2 SIP/2.0\r\nCall-ID: a\r\n", "SIP/2.0 183 Progress\r\n"]
    capture = b"\0" * 24
    for text in texts:
        packet = b"\0" * 42 + text.encode()
        capture += struct.pack("=IIII", 0, 0, len(packet), len(packet)) + packet
    assert list(trial._messages(capture + b"\0" * 20)) == texts


def test_the_report_is_handed_over_in_three_forms() -> None:
    report = trial.Report(2, "sbc.example.vn", "02371022", NOW.isoformat(), (
        trial.Finding("call out", trial.OK, "ANSWER"), trial.Finding("codec", trial.FAILED, "—"),
    ))
    assert not report.passed
    assert "| call out | ok | ANSWER |" in trial.as_markdown(report)
    assert json.loads(trial.as_json(report))["findings"][1]["result"] == "failed"
    assert trial.as_pdf(report).startswith(b"%PDF-")
