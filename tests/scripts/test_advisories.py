"""A downloaded database of advisories, as OSV's schema has it, names what stands under one."""

from __future__ import annotations

import json
import zipfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cyclonedx.model.component import Component
from hypothesis import given
from hypothesis import strategies as st
from packageurl import PackageURL

from scripts import advisories
from scripts.advisories import AdvisoryError, affects, search, semver

NOW = datetime(2026, 11, 27, tzinfo=UTC)


def component(kind: str, name: str, version: str) -> Component:
    return Component(name=name, version=version, purl=PackageURL(kind, None, name, version))


def record(kind: str, name: str, **affected: Any) -> dict[str, Any]:
    return {
        "id": "TEST-1", "modified": NOW.isoformat().replace("+00:00", "Z"),
        "aliases": ["CVE-2026-1"], "summary": "An example.",
        "affected": [{"package": {"ecosystem": kind, "name": name}, **affected}],
    }


def fixed_in(version: str, introduced: str = "0") -> list[dict[str, Any]]:
    return [{"type": "ECOSYSTEM", "events": [{"introduced": introduced}, {"fixed": version}]}]


@pytest.mark.parametrize(("kind", "affected", "hit", "missed"), [
    ("PyPI", {"ranges": fixed_in("2.10.1")}, ["2.10", "2.9.6", "0.1", "2.10.1rc1"], ["2.10.1"]),
    ("PyPI", {"ranges": fixed_in("2.0", "1.5")}, ["1.5", "1.10"], ["1.4", "2.0", "2.0.post1"]),
    ("PyPI", {"versions": ["1.0", "1.2"]}, ["1.0", "1.2.0"], ["1.1"]),
    ("PyPI", {"versions": ["1.0"], "ranges": fixed_in("not-a-version")}, ["1.0"], ["1.1"]),
    ("PyPI", {"ranges": [{"type": "GIT", "events": [{"introduced": "0"}]}]}, [], ["1.0"]),
    ("npm", {"ranges": [{"type": "SEMVER", "events": [
        {"introduced": "2.0.0"}, {"last_affected": "2.4.1"},
        {"introduced": "0"}, {"fixed": "1.9.0"},
    ]}]}, ["1.8.9", "1.9.0-beta.2", "2.0.0", "2.4.1"], ["1.9.0", "2.0.0-rc.1", "2.4.2"]),
])
def test_a_version_is_judged_by_lists_and_ranges(
    kind: str, affected: dict[str, Any], hit: list[str], missed: list[str]
) -> None:
    judged = {version: affects(kind, affected, version) for version in (*hit, *missed)}
    assert judged == dict.fromkeys(hit, True) | dict.fromkeys(missed, False)


ORDERED = (  # of https://semver.org, 11
    "1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-alpha.beta", "1.0.0-beta", "1.0.0-beta.2",
    "1.0.0-beta.11", "1.0.0-rc.1", "1.0.0", "1.0.10", "1.2.0", "10.0.0",
)


def test_versions_of_npm_have_the_order_of_semver() -> None:
    mixed = dict.fromkeys(ORDERED[::-1])
    assert sorted(mixed, key=semver) == list(ORDERED)
    assert semver("1.0.0+build.7") == semver("1.0.0") == semver("v1")
    with pytest.raises(ValueError, match="no version"):
        semver("latest")


@given(st.lists(st.integers(0, 60), min_size=2, max_size=8, unique=True), st.integers(0, 60))
def test_ranges_are_judged_in_whatever_order_their_ends_are_told(
    bounds: list[int], at: int
) -> None:
    pairs = list(zip(sorted(bounds)[::2], sorted(bounds)[1::2], strict=False))
    events = [event for low, high in pairs
              for event in ({"fixed": f"1.{high}.0"}, {"introduced": f"1.{low}.0"})]
    affected = {"ranges": [{"type": "SEMVER", "events": events[::-1]}]}
    assert affects("npm", affected, f"1.{at}.0") == any(low <= at < high for low, high in pairs)


def test_records_are_found_in_files_and_archives_and_what_is_amiss_is_said(tmp_path: Path) -> None:
    (tmp_path / "npm").mkdir()
    (tmp_path / "npm" / "package.json").write_text('{"name": "no record"}', encoding="utf-8")
    with zipfile.ZipFile(tmp_path / "npm" / "all.zip", "w") as archive:
        archive.writestr("TEST-2.json", json.dumps(record("npm", "jssip", ranges=[
            {"type": "SEMVER", "events": [{"introduced": "0"}, {"fixed": "99.0.0"}]}
        ]) | {"id": "TEST-2"}))
        archive.writestr("TEST-3.json", json.dumps(
            record("npm", "jssip", versions=["3.13.0"]) | {"id": "TEST-3", "withdrawn": "2026"}
        ))
    (tmp_path / "PYSEC-1.yaml").write_text(
        "id: PYSEC-1\nmodified: 2026-10-01T00:00:00Z\naffected:\n- package: {ecosystem: PyPI,"
        " name: Some_Package}\n  versions: ['2.0']\n", encoding="utf-8",
    )
    parts = [component("pypi", "some-package", "2.0"), component("npm", "jssip", "3.13.0")]
    found = search(tmp_path, parts)
    assert {(one.package, one.version, one.advisory) for one in found.faults} == {
        ("some-package", "2.0", "PYSEC-1"), ("jssip", "3.13.0", "TEST-2"),
    }
    [old] = found.silence(NOW)
    assert "the newest record of PyPI packages is of 2026-10-01" in old


def test_what_cannot_be_known_is_said(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(json.dumps(
        record("PyPI", "flask", ranges=fixed_in("the next one"))
    ), encoding="utf-8")
    found = search(tmp_path, [component("pypi", "flask", "3.0"), component("npm", "jssip", "3.1")])
    told = found.silence(NOW + timedelta(days=1))
    assert not found.faults
    assert told[0] == "there is no record of npm packages: nothing is known of them"
    assert told[1].startswith("this cannot be judged: flask 3.0: TEST-1 (CVE-2026-1)")
    (tmp_path / "b.json").write_text("{", encoding="utf-8")
    with pytest.raises(AdvisoryError, match=r"b\.json"):
        search(tmp_path, [])
    with pytest.raises(AdvisoryError, match="is no folder"):
        search(tmp_path / "none", [])


def test_the_locks_are_judged_and_the_exit_code_says_how(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert advisories.main([str(tmp_path)]) == 2
    recent = datetime.now(UTC).isoformat()
    for name, kind, package in (("a", "PyPI", "flask"), ("b", "npm", "jssip")):
        sound = record(kind, package, ranges=fixed_in("0.0.1")) | {"modified": recent}
        (tmp_path / f"{name}.json").write_text(json.dumps(sound), encoding="utf-8")
    assert advisories.main([str(tmp_path)]) == 0
    faulty = record("PyPI", "Flask", ranges=fixed_in("99")) | {"modified": recent}
    (tmp_path / "c.json").write_text(json.dumps(faulty), encoding="utf-8")
    capsys.readouterr()
    assert advisories.main([str(tmp_path)]) == 1
    assert ": TEST-1 (CVE-2026-1) An example." in capsys.readouterr().out
