"""Known faults of what the lock files name, from a downloaded database of advisories: for machines
that reach no service. The records are OSV's (https://ossf.github.io/osv-schema/), as JSON or YAML,
in folders or zip archives, as OSV's own archives and the databases of PyPA and GitHub have them.

    python -m scripts.advisories FOLDER    ends with 1 where there is a fault, with 2 where the
                                           database is too old, or silent about a kind of package
"""

from __future__ import annotations

import json
import re
import sys
import zipfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import yaml
from cyclonedx.model.component import Component
from packaging.version import Version

from crm.errors import HotlineError
from crm.settings import PROJECT
from scripts import sbom

LOCKS = ("requirements.lock", "requirements-dev.lock")
OLDEST = timedelta(days=30)  # of the newest record
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
ECOSYSTEMS = {"pypi": "PyPI", "npm": "npm"}  # by the type of a package's address

_SEMVER = re.compile(r"v?(\d+)(?:\.(\d+))?(?:\.(\d+))?(?:-([0-9A-Za-z.-]+))?(?:\+.*)?")
_Order = Callable[[str], Any]


class AdvisoryError(HotlineError):
    """The database cannot be read. The message says where."""


@dataclass(frozen=True, order=True)
class Fault:
    """One advisory that a package stands under."""

    package: str
    version: str
    advisory: str
    summary: str

    def __str__(self) -> str:
        return f"{self.package} {self.version}: {self.advisory} {self.summary}".rstrip()


@dataclass
class Found:
    """What the database says: faults, what cannot be judged, how much there is of each kind."""

    faults: set[Fault] = field(default_factory=set)
    unjudged: set[Fault] = field(default_factory=set)
    counts: Counter[str] = field(default_factory=Counter)
    newest: dict[str, datetime] = field(default_factory=dict)

    def silence(self, now: datetime) -> list[str]:
        """Why no fault does not mean that there is none."""
        told = [f"there is no record of {kind} packages: nothing is known of them"
                for kind in ECOSYSTEMS.values() if not self.counts[kind]]
        told += [
            f"the newest record of {kind} packages is of {at:%Y-%m-%d}: of what was found since "
            "nothing is known" for kind, at in sorted(self.newest.items()) if now - at > OLDEST
        ]
        return told + [f"this cannot be judged: {one}" for one in sorted(self.unjudged)]


def search(folder: Path, components: Iterable[Component]) -> Found:
    """Every advisory in the folder that one of the components stands under."""
    installed: dict[tuple[str, str], set[str]] = {}
    for one in components:
        kind = ECOSYSTEMS[str(one.purl.type if one.purl else "")]
        installed.setdefault((kind, _name(kind, one.name)), set()).add(one.version or "")
    found = Found()
    for record in _records(folder):
        if record.get("withdrawn"):
            continue
        at = _time(record)
        for affected in record["affected"]:
            package = affected.get("package") or {}
            kind = str(package.get("ecosystem", ""))
            if kind not in ECOSYSTEMS.values():
                continue
            found.counts[kind] += 1
            found.newest[kind] = max(at, found.newest.get(kind, EPOCH))
            name = _name(kind, str(package.get("name", "")))
            for version in installed.get((kind, name), ()):
                fault = Fault(name, version, str(record["id"]), _summary(record))
                try:
                    if affects(kind, affected, version):
                        found.faults.add(fault)
                except ValueError:
                    found.unjudged.add(fault)
    return found


def affects(kind: str, affected: Mapping[str, Any], version: str) -> bool:
    """Whether a version is listed, or lies within one of the ranges. Raises ValueError: the ranges
    have bounds that are no versions."""
    order: _Order = Version if kind == "PyPI" else semver
    listed = {str(one) for one in affected.get("versions") or ()}
    if version in listed or any(_same(order, version, one) for one in listed):
        return True
    ranges = [one for one in affected.get("ranges") or () if one.get("type") != "GIT"]
    try:
        return any(_within(order, one["events"], version) for one in ranges)
    except ValueError:
        if listed:  # whoever lists all versions needs no range
            return False
        raise


def _within(order: _Order, events: Iterable[Mapping[str, Any]], version: str) -> bool:
    """Whether it is at or after a beginning, and none of the ends after that has come."""
    here = order(version)
    starts: list[Any] = []  # None: before all versions
    ends = []
    for event in events:
        for what, bound in event.items():
            if what == "introduced":
                starts.append(None if str(bound) == "0" else order(str(bound)))
            else:
                end = order(str(bound))
                ends.append((end, here > end if what == "last_affected" else here >= end))
    return any(
        (start is None or here >= start)
        and not any(has_come for end, has_come in ends if start is None or end >= start)
        for start in starts
    )


def _same(order: _Order, version: str, other: str) -> bool:
    try:
        return bool(order(version) == order(other))
    except ValueError:
        return False


def semver(text: str) -> tuple[Any, ...]:
    """The order of npm's versions (https://semver.org, 11). Raises ValueError."""
    match = _SEMVER.fullmatch(text)
    if match is None:
        raise ValueError(f"{text} is no version")
    numbers = tuple(int(part or 0) for part in match.groups()[:3])
    if match[4] is None:
        return (*numbers, (1,))
    parts = ((0, int(one), "") if one.isdecimal() else (1, 0, one) for one in match[4].split("."))
    return (*numbers, (0, *parts))


def _name(kind: str, name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower() if kind == "PyPI" else name


def _summary(record: Mapping[str, Any]) -> str:
    text = str(record.get("summary") or record.get("details") or "")
    aliases = ", ".join(str(one) for one in record.get("aliases") or ())
    return f"({aliases}) {text[:120]}".strip() if aliases else text[:120]


def _time(record: Mapping[str, Any]) -> datetime:
    noted = record.get("modified") or record.get("published")
    if noted is None:
        return EPOCH
    if not isinstance(noted, datetime):  # YAML has read it already
        noted = datetime.fromisoformat(str(noted))
    return noted if noted.tzinfo else noted.replace(tzinfo=UTC)


def _records(folder: Path) -> Iterator[dict[str, Any]]:
    """All that is a record. Raises AdvisoryError for what cannot be read."""
    for name, text in _texts(folder):
        try:
            found = json.loads(text) if name.endswith(".json") else yaml.load(
                text, Loader=yaml.CSafeLoader
            )
        except (ValueError, yaml.YAMLError) as error:
            raise AdvisoryError(f"{name}: {str(error).splitlines()[0]}") from error
        if isinstance(found, dict) and "id" in found and isinstance(found.get("affected"), list):
            yield found


def _texts(folder: Path) -> Iterator[tuple[str, bytes]]:
    if not folder.is_dir():
        raise AdvisoryError(f"{folder} is no folder")
    for file in sorted(folder.rglob("*")):
        if file.suffix in (".json", ".yaml", ".yml"):
            yield str(file), file.read_bytes()
        elif file.suffix == ".zip":
            try:
                with zipfile.ZipFile(file) as archive:
                    for name in archive.namelist():
                        if name.endswith((".json", ".yaml", ".yml")):
                            yield f"{file}/{name}", archive.read(name)
            except (OSError, zipfile.BadZipFile) as error:
                raise AdvisoryError(f"{file}: {error}") from error


def main(words: list[str]) -> int:
    [folder] = words
    components = [one for lock in LOCKS for one in sbom.python_packages(PROJECT / lock)]
    components += sbom.npm_packages()
    try:
        found = search(Path(folder), components)
    except HotlineError as error:
        print(f"audit: {error}", file=sys.stderr)
        return 2
    told = ", ".join(f"{found.counts[kind]} of {kind} packages" for kind in ECOSYSTEMS.values())
    print(f"{len(components)} packages, records: {told}")
    for fault in sorted(found.faults):
        print(fault)
    for line in found.silence(datetime.now(UTC)):
        print(f"audit: {line}", file=sys.stderr)
    if found.faults:
        return 1
    return 2 if found.silence(datetime.now(UTC)) else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
