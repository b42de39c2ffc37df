"""Cases of the province's portals: handed over as tables, told back under the portal's numbers."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from click.testing import CliRunner

from crm.cases import life
from crm.cases.deadlines import GENERAL
from crm.cases.models import Case, Status
from crm.database import Database
from crm.imports import files
from crm.intake import portals
from crm.intake.portals import Done, Portal, PortalError
from crm.notices.models import Notice
from scripts.hotline import main
from tests.crm.cases.factory import NOW


def row(**told: str) -> dict[str, str]:
    return {
        "external_id": "PH-2026-17", "received_on": "2026-03-05", "summary": "Đèn đường hỏng",
        "place": "Hàm Rồng", "category": "roads", "phone": "0912 345 678", "status": "Đã tiếp nhận",
    } | told


def taken(database: Database, *rows: dict[str, str], portal: Portal = Portal.FEEDBACK) -> Done:
    with database.transaction() as session:
        return portals.take_in(session, portal, rows, by="huy", now=NOW, general=GENERAL)


def test_a_file_that_is_taken_in_twice_opens_each_case_once(database: Database) -> None:
    rows = row(), row(external_id="PH-2026-18", place="", category="", phone="")
    assert taken(database, *rows) == Done(2, 0, 0)
    assert taken(database, *rows) == Done(0, 0, 2)
    assert taken(database, row(status="Đang xử lý"), rows[1]) == Done(0, 1, 1)
    assert taken(database, row(), portal=Portal.SERVICES) == Done(1, 0, 0)  # another's number
    with database.reading() as session:
        first, *_rest = life.latest(session, 9)
        assert (first.channel, first.area, first.phone) == ("portal", "14758", "0912345678")
        assert first.due_at.date() == date(2026, 3, 10)  # three working days after it came there
        assert [(one.what, one.note) for one in life.events_of(session, first)][-1] == (
            "portal", "Đang xử lý"
        )


def test_every_bad_row_is_named_and_nothing_is_taken(sqlite: Database) -> None:
    bad = [
        row(), row(), row(external_id=""), row(external_id="2", received_on="hôm qua"),
        row(external_id="3", received_on="2090-01-01"), row(external_id="4", category="x"),
        row(external_id="5", phone="12"), row(external_id="6", place="Nơi Nào"),
        row(external_id="7", place="phường đông thọ"), row(external_id="8", summary=" \u200b"),
        row(external_id="9", status=""), row(external_id="10", summary="a" * 9000),
    ]
    with pytest.raises(PortalError) as refused:
        taken(sqlite, *bad)
    lines = str(refused.value).splitlines()
    assert [line.partition(":")[0] for line in lines] == [f"line {n}" for n in range(3, 14)]
    assert "Phường Hàm Rồng or Phường Hạc Thành" in lines[7]
    with sqlite.reading() as session:
        assert life.latest(session, 9) == []


def test_the_portal_is_told_what_has_changed_once(database: Database) -> None:
    taken(database, row(), row(external_id="18"))
    with database.transaction() as session:
        found = portals.news(session, Portal.FEEDBACK)
        assert [one.external_id for one in found] == ["PH-2026-17", "18"]
        portals.told(found, NOW)
        assert portals.news(session, Portal.FEEDBACK) == []
        case = session.get_one(Case, found[0].case_id)
        life.set_answer(session, case, "Đã thay bóng.", by="huy", now=NOW)
        life.move(session, case, Status.RESOLVED, by="huy", now=NOW)
        (news,) = portals.news(session, Portal.FEEDBACK)
        told = portals.as_row(news)
        assert (told["status"], told["answer"]) == ("resolved", "Đã thay bóng.")
        assert told["external_id"] == "PH-2026-17"
        case.sensitive = True
        assert portals.as_row(news)["answer"] == ""
        assert len(portals.news(session, Portal.FEEDBACK, every=True)) == 2


def test_the_commands_carry_files_both_ways(
    tmp_path: Path, sqlite: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOTLINE_HOME", str(tmp_path))
    monkeypatch.setenv("HOTLINE_DATABASE_URL", f"sqlite:///{sqlite.url.database}")

    def run(*words: str) -> str:
        result = CliRunner().invoke(main, ["portal", *words])
        assert result.exit_code == 0, result.output
        return result.output

    given, out = tmp_path / "in.csv", tmp_path / "out.csv"
    given.write_bytes(files.as_csv([row(received_on="")], portals.TAKEN))
    assert "1 rows, no fault" in run("import", "phanhoi", str(given), "--dry-run")
    assert run("export", "phanhoi", str(out)) == "0 cases\n"
    assert "1 cases opened" in run("import", "phanhoi", str(given))
    assert run("export", "phanhoi", str(out), "--mail", "cong@example.vn") == "1 cases\n"
    (told,) = files.read(out, portals.GIVEN)
    assert told["external_id"] == "PH-2026-17"
    assert run("export", "phanhoi", str(out)) == "0 cases\n"
    with sqlite.reading() as session:
        (notice,) = session.query(Notice)
        assert (notice.recipient, notice.files[0].name) == ("cong@example.vn", "out.csv")
