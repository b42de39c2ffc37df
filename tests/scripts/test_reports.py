"""The report on the command line, and the bulletin of the approved figures."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path

import openpyxl
import pytest
from click.testing import CliRunner

from crm import bulletins
from crm import settings as settings_room
from crm.areas import standing
from crm.database import Database
from crm.reports import health, template
from crm.reports.health import Figures
from crm.reports.models import HealthReport
from crm.reports.spans import begin
from crm.settings import Settings
from prompts.said import speakable
from scripts import bulletin, reports
from scripts.commands.reports import report
from tests.crm.reports.seeded import DAY, seed

NAMES = {code: area.name for code, area in standing(DAY).items()}
AT = begin(DAY) + timedelta(hours=15)


@pytest.fixture
def settings(tmp_path: Path, sqlite: Database) -> Settings:
    return settings_room.load({
        "HOTLINE_HOME": str(tmp_path), "HOTLINE_DATABASE_URL": str(sqlite.url),
    })


def run(settings: Settings, *words: str) -> str:
    done = CliRunner().invoke(report, words, obj=settings)
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.output


def test_a_days_report_is_written_as_pdf_and_xlsx(
    settings: Settings, sqlite: Database, tmp_path: Path
) -> None:
    with sqlite.transaction() as session:
        seed(session)
    folder = tmp_path / "out"
    said = run(settings, "daily", "--date", "2026-03-10", "--output", str(folder))
    assert said.split() == [str(folder / f"bao-cao-1022-20260310.{kind}")
                            for kind in ("pdf", "xlsx")]
    assert (folder / "bao-cao-1022-20260310.pdf").read_bytes().startswith(b"%PDF")
    names = openpyxl.load_workbook(folder / "bao-cao-1022-20260310.xlsx").sheetnames
    assert names[0] == "Số liệu y tế"


def test_the_operators_template_stands_instead_and_is_checked(settings: Settings) -> None:
    own = settings.home / "templates" / template.NAME
    assert "can be used" in run(settings, "template", "check")
    assert run(settings, "template", "copy").strip() == str(own)
    whole = own.read_text(encoding="utf-8")
    own.write_text(whole.replace("BÁO CÁO NHANH", "BÁO CÁO RIÊNG"), encoding="utf-8")
    assert template.load(settings.home).title == "BÁO CÁO RIÊNG HẰNG NGÀY"
    own.write_text(
        whole.replace("order: [health,", "order: [weather, health,").replace("{day}", "{day.x}", 1),
        encoding="utf-8",
    )
    with pytest.raises(template.TemplateError, match=r"there is no \{day.x\}"):
        run(settings, "template", "check")


@pytest.mark.parametrize(("change", "why"), [
    (("order: [health,", "order: [weather,"), "there is no section weather"),
    (("foot:", "feet:"), "foot: Field required; feet: Extra inputs"),
    (("order:", "order: !!python/object/apply:os.system [ls]\nx:"), "cannot be read"),
    (("order:", "order: " + "[" * 5000), "cannot be read"),
    (("{number}", "{__class__}"), "there is no {__class__}"),
    (("order: [health, ", "order: [health, health, "), "stands there twice"),
])
def test_a_wrong_template_says_what_is_wrong(
    tmp_path: Path, change: tuple[str, str], why: str
) -> None:
    file = tmp_path / "t.yaml"
    file.write_text(template.SHIPPED.read_text(encoding="utf-8").replace(*change),
                    encoding="utf-8")
    with pytest.raises(template.TemplateError, match=re.escape(why)):
        template.read(file)


def test_what_is_put_into_a_template_is_not_looked_at_again() -> None:
    assert template.filled("{source} {day}", {"source": "{day}", "day": "1"}) == "{day} 1"


def test_the_bulletin_tells_the_figures_of_the_report() -> None:
    text = reports.spoken({
        "14758": Figures(1_005, 20, 3, tests=9, doses=400), "15331": Figures(4), "": Figures(1),
    }, NAMES)
    assert text == (
        "Trong ngày ghi nhận 1.010 ca mắc mới. Phường Hàm Rồng, 1.005 ca. Số người khỏi bệnh là "
        "20. Số ca tử vong là 3. Số mũi vắc xin đã tiêm là 400. Nguồn tin từ Sở Y tế Thanh Hóa."
    )  # the area with four is not named
    assert "một nghìn không trăm linh năm ca" in speakable(text)
    assert not re.search(r"\d", speakable(text))
    assert reports.spoken({"": Figures()}, NAMES).startswith("Trong ngày không ghi nhận ca mắc mới")


def test_approved_figures_become_the_bulletin_once_and_a_correction_the_next(
    settings: Settings, sqlite: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    lived: list[int] = []

    def go_live(_settings: Settings, number: int, by: str, now: object) -> float:
        lived.append(number)
        with sqlite.transaction() as session:
            bulletins.go_live(session, number, "a" * 20, by=by, now=AT)
        return 1.0

    monkeypatch.setattr(bulletin, "go_live", go_live)

    def publish() -> int | None:
        return reports.publish(settings, sqlite, AT)

    def enter(cases: int) -> HealthReport:
        with sqlite.transaction() as session:
            return health.enter(session, DAY, {"": Figures(cases)}, source="SYT", by="yte", now=AT)

    assert publish() is None
    enter(12)
    assert publish() is None  # nobody has approved it
    with sqlite.transaction() as session:
        health.approve(session, DAY, 1, by="huy", now=AT)
    assert publish() == 1
    assert publish() is None
    with sqlite.reading() as session:
        live = bulletins.live(session)
        assert live is not None
        assert "ghi nhận 12 ca" in live.text
        assert live.approved_by == "huy"
    with sqlite.transaction() as session:
        bulletins.withdraw(session, by="huy", now=AT)
    assert publish() is None  # what was withdrawn stays so
    enter(13)
    with sqlite.transaction() as session:
        health.approve(session, DAY, 2, by="huy", now=AT)
    assert publish() == 2
    assert lived == [1, 2]
