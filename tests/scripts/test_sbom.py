"""The list of what the hotline is made of is whole, valid, and what is installed."""

from __future__ import annotations

import gzip
import json
import re
from importlib import metadata
from pathlib import Path

import pytest
from packaging.version import Version

from crm import settings as configuration
from scripts import sbom
from tests.live.running import CACHE

SETTINGS = configuration.load({"HOTLINE_CACHE": str(CACHE)})


def test_the_document_is_valid_and_names_every_package_of_each_kind() -> None:
    from cyclonedx.schema import SchemaVersion  # here: reading its grammars takes seconds
    from cyclonedx.validation.json import JsonStrictValidator

    text = sbom.document(SETTINGS)
    named = {one["purl"].partition("?")[0] for one in json.loads(text)["components"]}
    locked = re.findall(r"^([a-z0-9.-]+)==([^\s;\\]+)", sbom.LOCK.read_text(encoding="utf-8"), re.M)
    assert len(locked) > 50
    assert {f"pkg:pypi/{name}@{version}" for name, version in locked} <= named
    assert any(one.startswith("pkg:npm/jssip@") for one in named)
    assert "pkg:npm/%40esbuild/linux-x64" in {one.rpartition("@")[0] for one in named}
    deb = {one.partition("@")[0] for one in named if one.startswith("pkg:deb/debian/")}
    if (CACHE / "asterisk" / "root").exists():
        assert {"pkg:deb/debian/asterisk", "pkg:deb/debian/libc6"} <= deb
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None


def test_everything_is_locked_by_hashes() -> None:
    for component in (*sbom.python_packages(), *sbom.npm_packages()):
        assert component.hashes, component.name


def test_what_is_installed_is_what_is_locked() -> None:
    installed = {
        re.sub(r"[-_.]+", "-", one.metadata["Name"]).lower(): one.version
        for one in metadata.distributions()
    }
    locked: dict[str, set[Version]] = {}  # some have a version for each Python
    for component in sbom.python_packages():
        locked.setdefault(re.sub(r"[-_.]+", "-", component.name), set()).add(
            Version(component.version or "")
        )
    strays = {name: installed[name] for name in installed.keys() & locked.keys()
              if Version(installed[name]) not in locked[name]}
    assert not strays


def test_the_packages_of_asterisk_are_read_from_their_changelogs(tmp_path: Path) -> None:
    folder = tmp_path / "usr/share/doc/libexample1"
    folder.mkdir(parents=True)
    with gzip.open(folder / "changelog.Debian.gz", "wt", encoding="utf-8") as out:
        out.write("example (1:2.3-4) unstable; urgency=medium\n\n  * Nothing.\n")
    (tmp_path / "usr/share/doc/README").mkdir()
    [found] = sbom.debian_packages(tmp_path)
    assert str(found.purl) == "pkg:deb/debian/libexample1@1:2.3-4"
    assert not list(sbom.debian_packages(tmp_path / "none"))


def test_a_lock_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(sbom.SbomError, match="No such file"):
        list(sbom.python_packages(tmp_path / "requirements.lock"))
