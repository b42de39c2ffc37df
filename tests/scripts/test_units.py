"""What a server with systemd is given."""

from __future__ import annotations

import subprocess
import tomllib
from pathlib import Path

import pytest
from click.testing import CliRunner

from crm import settings
from scripts import units
from scripts.hotline import main
from scripts.units import FILES, UNITS


@pytest.fixture
def root(tmp_path: Path) -> Path:
    units.install(tmp_path, "daemon")
    return tmp_path


def test_every_file_has_its_place_and_a_second_time_changes_nothing(root: Path) -> None:
    assert {path.relative_to(root) for path in root.rglob("*") if path.is_file()} == {
        *FILES.values()
    }
    assert all(line.endswith("(as it was)") for line in units.install(root, "daemon"))


def test_what_somebody_changed_is_kept_and_the_new_one_lies_beside(root: Path) -> None:
    file = root / UNITS / "hotline1022.service"
    changed = file.read_text(encoding="utf-8").replace("Nice=-5", "Nice=-9")
    file.write_text(changed, encoding="utf-8")
    told = units.install(root, "daemon")
    assert [line for line in told if "is kept" in line] == [
        f"{file} was changed and is kept; compare it with {file}.new"
    ]
    assert file.read_text(encoding="utf-8") == changed
    assert "Nice=-5" in file.with_name(f"{file.name}.new").read_text(encoding="utf-8")


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "etc").write_text("no folder", encoding="utf-8")
    with pytest.raises(units.UnitsError, match="etc"):
        units.install(tmp_path, "daemon")


def test_the_settings_file_is_one_that_the_hotline_reads(root: Path) -> None:
    text = (root / "etc/hotline1022/hotline.toml").read_text(encoding="utf-8")
    assert tomllib.loads(text) == {}
    # each example, taken out of its comment, is a setting with a value it may have
    examples = "\n".join(line[2:] for line in text.splitlines() if line.startswith("# ")
                         and " = " in line)
    file = root / "examples.toml"
    file.write_text(examples, encoding="utf-8")
    read = settings.load({"HOTLINE_CONFIG": str(file), "HOTLINE_HOME": str(root)})
    assert read.trunk_channels == 60


def test_the_units_start_commands_that_there_are(root: Path) -> None:
    started = []
    for service in sorted((root / UNITS).glob("*.service")):
        for line in service.read_text(encoding="utf-8").splitlines():
            if line.startswith("ExecStart=") and "-m scripts.hotline" in line:
                words = line.partition("-m scripts.hotline ")[2].split()
                told = CliRunner().invoke(main, [*words, "--help"])
                assert told.exit_code == 0, (service.name, told.output)
                started.append(" ".join(words))
    assert {"up", "probe --cure", "doctor --alarm", "backup make", "backup prune"} <= set(started)


def test_systemd_takes_the_units_and_finds_them_closed(root: Path) -> None:
    services = [str(path) for path in sorted((root / UNITS).glob("*.service"))]
    timers = [str(path) for path in sorted((root / UNITS).glob("*.timer"))]
    verified = subprocess.run(
        ["systemd-analyze", "verify", *services, *timers],
        capture_output=True, text=True, check=False,
    )
    assert (verified.returncode, verified.stderr) == (0, "")
    # 10 is a service that may do everything; what is open to this one is what Asterisk needs
    judged = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--threshold=30", services[-1]],
        capture_output=True, text=True, check=False,
    )
    assert judged.returncode == 0, judged.stdout
