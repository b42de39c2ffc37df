"""What the hotline is made of, as a CycloneDX document: Python packages of the lock file, npm
packages of the console, Debian packages that Asterisk came from. It needs no network."""

from __future__ import annotations

import base64
import gzip
import json
import re
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

from cyclonedx.model import HashAlgorithm, HashType
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output import make_outputter
from cyclonedx.schema import OutputFormat, SchemaVersion
from packageurl import PackageURL

from crm.errors import HotlineError
from crm.settings import PROJECT, Settings

_PINNED = re.compile(r"^([a-z0-9][a-z0-9.-]*)==([^\s;\\]+)", re.MULTILINE)
_HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")
_CHANGELOG = re.compile(r"([a-z0-9][a-z0-9+.-]+) \(([^)]+)\)")
LOCK = PROJECT / "requirements.lock"
NPM_LOCK = PROJECT / "agent_console" / "frontend" / "package-lock.json"


class SbomError(HotlineError):
    """The document cannot be made. The message says what is missing."""


def document(settings: Settings) -> str:
    """The document as JSON, the same for the same contents but for its serial number and time."""
    bom = Bom()
    bom.metadata.component = Component(
        name="hotline1022", version=metadata.version("hotline1022"), type=ComponentType.APPLICATION,
        bom_ref="hotline1022",
    )
    root = settings.cache / "asterisk" / "root"
    for component in (*python_packages(), *npm_packages(), *debian_packages(root)):
        bom.components.add(component)
    bom.register_dependency(bom.metadata.component, bom.components)
    return make_outputter(bom, OutputFormat.JSON, SchemaVersion.V1_6).output_as_string(indent=1)


def python_packages(lock: Path = LOCK) -> Iterator[Component]:
    """What set-up installs, each by its name, version and the hashes of its files."""
    text = _read(lock)
    starts = list(_PINNED.finditer(text))
    for found, following in zip(starts, [*starts[1:], None], strict=True):
        part = text[found.start():following.start() if following else len(text)]
        yield _component("pypi", found[1], found[2], [
            HashType(alg=HashAlgorithm.SHA_256, content=one) for one in _HASH.findall(part)
        ])


def npm_packages(lock: Path = NPM_LOCK) -> Iterator[Component]:
    """What the console's scripts are built of and by."""
    for place, one in json.loads(_read(lock))["packages"].items():
        if place:  # the first is the console itself
            algorithm, _, digest = one["integrity"].partition("-")
            if algorithm != "sha512":
                raise SbomError(f"{lock.name}: {place} is not locked by SHA-512")
            yield _component("npm", place.rpartition("node_modules/")[2], one["version"], [
                HashType(alg=HashAlgorithm.SHA_512, content=base64.b64decode(digest).hex())
            ])


def debian_packages(root: Path) -> Iterator[Component]:
    """The packages that Asterisk was unpacked from, by their changelogs. None where the operator
    has an Asterisk of their own: it is in the system's own list."""
    for folder in sorted((root / "usr/share/doc").glob("*")):
        log = next((file for file in (
            folder / "changelog.Debian.gz", folder / "changelog.gz",
        ) if file.is_file()), None)
        if log is None:
            continue
        with gzip.open(log, "rt", encoding="utf-8", errors="replace") as lines:
            found = _CHANGELOG.match(lines.readline())
        if found:
            yield _component("deb", folder.name, found[2], [])


def _component(kind: str, name: str, version: str, hashes: list[HashType]) -> Component:
    space, _, bare = name.rpartition("/")
    namespace = "debian" if kind == "deb" else space or None
    address = PackageURL(kind, namespace, bare, version)
    return Component(
        name=name, version=version, purl=address, bom_ref=address.to_string(), hashes=hashes,
        type=ComponentType.LIBRARY,
    )


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except OSError as error:
        raise SbomError(f"{file}: {error.strerror}") from error
