"""Asterisk's own security advisories, as far as they concern what the hotline loads.

From the change logs of its releases. Add what is new there and set LIST_OF; `doctor` says when
nobody has looked for half a year. Advisories of parts that are not loaded (ARI, H.323, XMPP, LDAP,
HTTP pages, scripts for its maintainers) are left out on purpose.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from ivr.doctor.check import OK, WARNING, Check, Patient

LIST_OF = date(2026, 8, 27)  # 22.11.0 was the newest release then
LOOK_AGAIN = timedelta(days=183)
TESTED_WITH = "22.10.1"

Version = tuple[int, ...]


@dataclass(frozen=True)
class Advisory:
    """`fixed`: the first version of each branch that has the correction; later branches had it
    from their beginning, earlier ones never got it."""

    id: str
    lets: str
    fixed: tuple[str, ...]

    def concerns(self, version: Version) -> bool:
        branches = {one[0]: one for one in map(_parsed, self.fixed)}
        if version[0] in branches:
            return version < branches[version[0]]
        return version[0] < min(branches)


ADVISORIES = (
    Advisory("GHSA-hxj9-xwr8-w8pq", "strangers keep browsers' calls from beginning",
             ("20.5.1", "21.0.1")),
    Advisory("GHSA-c4cg-9275-6w44", "who may originate by the manager interface runs programs",
             ("20.9.2", "21.4.2")),
    Advisory("GHSA-2grh-7mhv-fcfw", "a malformed From forges an identity",
             ("20.14.1", "21.9.1", "22.4.1")),
    Advisory("GHSA-64qc-9x89-rx5j", "a malformed Authorization header ends Asterisk",
             ("20.15.2", "21.10.2", "22.5.2")),
    Advisory("GHSA-g88q-c2hm-q7p7", "ICE of browsers' calls ends Asterisk",
             ("20.19.0", "21.12.2", "22.9.0", "23.3.0")),
    Advisory("GHSA-x5pq-qrp4-fmrj", "a malformed multipart body is read beyond its end",
             ("20.19.0", "21.12.2", "22.9.0", "23.3.0")),
    Advisory("GHSA-8jw3-ccr9-xrmf", "a NOTIFY of a stranger ends Asterisk",
             ("20.20.1", "21.12.3", "22.10.1", "23.4.1")),
    Advisory("GHSA-589g-qgf8-m6mx", "a NOTIFY of a stranger writes beyond its place",
             ("20.20.1", "21.12.3", "22.10.1", "23.4.1")),
    Advisory("GHSA-g8q2-p36q-94f6", "a connection that closes during an INVITE ends Asterisk",
             ("20.20.1", "21.12.3", "22.10.1", "23.4.1")),
    Advisory("GHSA-vfhr-r9x9-c687", "text in RTP writes beyond its place",
             ("20.20.1", "21.12.3", "22.10.1", "23.4.1")),
)


def _parsed(version: str) -> Version:
    return tuple(map(int, version.split(".")))


def advisories(patient: Patient) -> Iterator[Check]:
    if patient.asterisk is not None:
        yield judged(patient.asterisk.version, datetime.now(UTC).date())


def judged(version: Version, today: date) -> Check:
    """What the list says of a version, and whether the list itself is of today."""
    shown = ".".join(map(str, version))
    found = [f"{one.id} ({one.lets})" for one in ADVISORIES if one.concerns(version)]
    if found:
        newest = max(
            map(_parsed, ADVISORIES[-1].fixed), key=lambda one: (one[0] == version[0], one)
        )
        return Check(
            "advisories", WARNING,
            f"Asterisk {shown} stands under {len(found)}: {', '.join(found)}",
            f"install {'.'.join(map(str, newest))} or newer, unless the changelog of your package "
            "names these as corrected",
        )
    if today - LIST_OF > LOOK_AGAIN:
        return Check(
            "advisories", WARNING, f"none known of Asterisk {shown}, by a list of {LIST_OF}",
            "look at https://docs.asterisk.org/Asterisk-Project-Information/Asterisk-Versions for "
            "newer ones, or install a newer hotline",
        )
    return Check(
        "advisories", OK,
        f"none known of Asterisk {shown} on {LIST_OF}; the hotline is tested with {TESTED_WITH}",
    )
