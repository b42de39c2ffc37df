"""What a change of the configuration would do: file by file, and to calls that are up.

Settings, menus and templates are rendered in memory and compared with what lies in Asterisk's
folder. That is what runs (ivr.history sees to it), unless somebody else has had a hand in it
(ivr.proof asks Asterisk). Nothing is written here.
"""

from __future__ import annotations

import difflib
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields, replace
from enum import IntEnum
from pathlib import Path
from types import MappingProxyType

from crm import packs, secrets
from crm.settings import Settings
from ivr import provision, runtime

Ask = Callable[[str], str | None]  # a command on Asterisk's control socket; None: no answer

# Reloading PJSIP could lock Asterisk up before this version (asterisk/asterisk#1855).
SAFE_PJSIP_RELOAD = (22, 10)
_HIDDEN = re.compile(r"^([+\- ]?\s*(?:password|secret)\s*=>?\s*).+$", re.MULTILINE)
_MARKER = re.compile(r"^HL_MARKER=(\w+)$", re.MULTILINE)


class Effect(IntEnum):
    """What a change does to calls, the mildest first."""

    NONE = 0
    NEW_CALLS = 1
    QUIET = 2
    RESTART = 3
    STOP = 4

    def __str__(self) -> str:
        return (
            "none", "new calls only", "needs a quiet minute", "needs a restart of Asterisk",
            "needs the whole hotline to be stopped and started",
        )[self]


@dataclass(frozen=True)
class Change:
    """One file that differs, and how it comes into force."""

    file: str
    effect: Effect
    why: str
    commands: tuple[str, ...]  # on the control socket
    diff: str  # secrets masked

    def as_json(self) -> dict[str, object]:
        return {
            "file": self.file, "effect": str(self.effect), "why": self.why, "diff": self.diff,
        }


@dataclass(frozen=True)
class Plan:
    """All that would change; `files` is the whole set, as it would be then."""

    files: Mapping[str, str]
    changes: tuple[Change, ...]
    otherwise: tuple[str, ...] = ()  # what runs otherwise than it lies in the folder, in sentences

    @property
    def effect(self) -> Effect:
        return max((one.effect for one in self.changes), default=Effect.NONE)

    @property
    def commands(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(
            command for one in self.changes for command in one.commands
        ))


def wanted(settings: Settings, asterisk: runtime.Asterisk) -> dict[str, str]:
    """Every file as the settings and menus have it now. Raises menu.MenuError.

    What names the present start of Asterisk is taken from where it runs, and so is the limit of
    open files as long as it is enough: the shell that asks may have another one.
    """
    running = _read(provision.etc(settings.home) / "asterisk.conf")
    boot = re.search(r"^systemname = [a-z0-9]+\.(\w*)$", running, re.MULTILINE)
    files = re.search(r"^maxfiles = (\d+)$", running, re.MULTILINE)
    limit = runtime.open_files(settings)
    if files and int(files[1]) >= settings.capacity * runtime.OPEN_FILES_PER_CALL:
        limit = int(files[1])
    return provision.files(
        settings, _with_all_phones(settings), provision.load_menus(settings),
        version=asterisk.version, modules=asterisk.modules, open_files=limit,
        boot=boot[1] if boot else "",
    )


def _with_all_phones(settings: Settings) -> secrets.Secrets:
    """The secrets, with a word in the place of those that are made only when it is applied."""
    made = secrets.load(settings.home)
    phones = {name: made.phones.get(name, "made-by-apply") for name in provision.phones(settings)}
    return replace(made, phones=phones)


def on_disk(home: Path) -> dict[str, str]:
    """The configuration as it lies in Asterisk's folder."""
    return {file.name: _read(file) for file in sorted(provision.etc(home).glob("*.conf"))}


def compare(
    before: Mapping[str, str], after: Mapping[str, str], *, version: tuple[int, ...],
    hide: tuple[str, ...] = (), stale: Mapping[str, str] = MappingProxyType({}),
) -> Plan:
    """The way from one set of files to another; `hide` are secrets that must not be shown, `stale`
    are files that Asterisk does not run: they are loaded again, whether they differ or not."""
    changes = []
    for name in sorted(before.keys() | after.keys()):
        old, new = before.get(name, ""), after.get(name, "")
        if old != new or name in stale:
            effect, why, commands = _rule(name, old, new, version)
            changes.append(Change(name, effect, why, commands, _diff(name, old, new, hide)))
    return Plan(dict(after), tuple(changes), tuple(stale.values()))


def hidden(settings: Settings) -> tuple[str, ...]:
    """Every secret that may stand in a file, the longest first."""
    made = secrets.load(settings.home)
    known = [made.of(name) for name in secrets.ROTATED if name != "console_key"]
    known += made.phones.values()
    known += made.former
    known += [
        str(getattr(settings, item.name)) for item in fields(settings)
        if item.metadata.get("secret") and getattr(settings, item.name)
    ]
    return tuple(sorted((one for one in known if one), key=len, reverse=True))


def marker(files: Mapping[str, str]) -> str:
    """The version that the dialplan of a set names."""
    found = _MARKER.search(files.get("extensions.conf", ""))
    return found[1] if found else ""


def dialplan_runs(ask: Ask, version: str) -> bool:
    """Whether the running dialplan names that version: its marker context read back."""
    return bool(version) and f"'{version}'" in (ask(f"dialplan show {version}@hl-version") or "")


def _read(file: Path) -> str:
    return file.read_text(encoding="utf-8") if file.exists() else ""


def _diff(name: str, old: str, new: str, hide: tuple[str, ...]) -> str:
    text = "".join(_lines(name, old, new))
    for secret in hide:
        text = text.replace(secret, "***")
    return _HIDDEN.sub(r"\1***", text)


def _lines(name: str, old: str, new: str) -> Iterator[str]:
    for line in difflib.unified_diff(
        old.splitlines(keepends=True), new.splitlines(keepends=True),
        f"running/{name}", f"configured/{name}",
    ):
        yield line if line.endswith("\n") else f"{line}\n"


# ------------------------------------------------------------------ what each file means

_Rule = tuple[Effect, str, tuple[str, ...]]

_RULES: dict[str, _Rule] = {
    "extensions.conf": (
        Effect.NEW_CALLS, "who speaks goes on speaking; who is in a menu goes on in the new one",
        ("dialplan reload",),
    ),
    # never `queue reload members` or `all`: the first forgets shared_lastcall, and with it the
    # wrap-up across queues (asterisk/asterisk#1255)
    "queues.conf": (
        Effect.NEW_CALLS, "members, pauses, wrap-ups and callers who wait stay as they are",
        ("queue reload parameters",),
    ),
    "rtp.conf": (Effect.NEW_CALLS, "calls that are up keep their ports",
                 ("module reload res_rtp_asterisk.so",)),
    "musiconhold.conf": (Effect.NEW_CALLS, "who hears music now hears it to its end",
                         ("moh reload",)),
    "features.conf": (Effect.NEW_CALLS, "keys within calls that are up stay as they were",
                      ("module reload features",)),
    "confbridge.conf": (Effect.NEW_CALLS, "rooms that are open stay as they are",
                        ("module reload app_confbridge.so",)),
    "logger.conf": (Effect.NONE, "log files only", ("logger reload",)),
    "cli.conf": (Effect.NONE, "read when Asterisk starts", ()),
    "queuerules.conf": (Effect.NEW_CALLS, "callers who wait keep theirs", ("queue reload rules",)),
    "http.conf": (Effect.NONE, "connections that are open stay", ("module reload http",)),
    "manager.conf": (Effect.NONE, "sessions that are open stay", ("manager reload",)),
    "cel.conf": (Effect.QUIET, "what happens meanwhile may be missing from the journal",
                 ("module reload cel",)),
    "cel_custom.conf": (Effect.QUIET, "what happens meanwhile may be missing from the journal",
                        ("module reload cel_custom.so",)),
    "cdr.conf": (Effect.NONE, "not used by calls", ("module reload cdr",)),
    "acl.conf": (Effect.NONE, "not used", ("module reload acl",)),
    "udptl.conf": (Effect.NONE, "not used", ("module reload udptl",)),
    "indications.conf": (Effect.NEW_CALLS, "tones of new calls",
                         ("module reload indications",)),
    "ccss.conf": (Effect.NONE, "not used", ("module reload ccss",)),
    packs.IN_FORCE: (Effect.NONE, "which scenario pack the menus are from", ()),
}


# where other programs hold what stands in such lines, all must be started anew
_HELD: dict[str, tuple[str, str]] = {
    "asterisk.conf": (
        r"^(?:systemname|ast\w+dir) .*$", "folders and the node's name are read when all starts",
    ),
    "http.conf": (
        r"^(?:tls)?bind\w* = .*$", "agents' phones and the console hold the old address",
    ),
    "manager.conf": (
        r"^(?:bindaddr|port|secret) = .*$", "listener and console hold the old address and secret",
    ),
}


def _rule(name: str, old: str, new: str, version: tuple[int, ...]) -> _Rule:
    if name in _HELD and _differ(old, new, _HELD[name][0]):
        return Effect.STOP, _HELD[name][1], ()
    if name == "pjsip.conf":
        return _pjsip(old, new, version)
    if name == "modules.conf":
        return _modules(old, new)
    return _RULES.get(name, (Effect.RESTART, "read when Asterisk starts", ()))


def _differ(old: str, new: str, pattern: str) -> bool:
    return re.findall(pattern, old, re.MULTILINE) != re.findall(pattern, new, re.MULTILINE)


def _modules(old: str, new: str) -> _Rule:
    before, after = (set(re.findall(r"^load = (\S+)$", text, re.MULTILINE)) for text in (old, new))
    if before - after:
        return Effect.RESTART, "what calls may use is not taken out under them", ()
    added = [one for one in re.findall(r"^load = (\S+)$", new, re.MULTILINE) if one not in before]
    return Effect.NONE, "modules are added", tuple(f"module load {one}" for one in added)


def _pjsip(old: str, new: str, version: tuple[int, ...]) -> _Rule:
    before, after = pjsip_objects(old), pjsip_objects(new)
    changed = {
        key for key in before.keys() | after.keys() if before.get(key) != after.get(key)
    }
    if any(kind in ("transport", "system", "global") for kind, _ in changed):
        return Effect.RESTART, "ports and transports are taken when Asterisk starts", ()
    reload = ("module reload res_pjsip.so",)
    gone = sorted(
        name for kind, name in changed if kind == "endpoint" and (kind, name) not in after
    )
    if gone:
        return Effect.QUIET, f"{', '.join(gone)} taken away: nobody must be signed in there", reload
    if version < SAFE_PJSIP_RELOAD:
        return (
            Effect.QUIET, "this Asterisk can lock up when PJSIP is reloaded while calls come in",
            reload,
        )
    return Effect.NEW_CALLS, "calls that are up keep their trunk and phone", reload


def pjsip_objects(text: str) -> dict[tuple[str, str], list[str]]:
    """The objects of a pjsip.conf by kind and name, with what the templates they follow say."""
    templates: dict[str, list[str]] = {}
    found: dict[tuple[str, str], list[str]] = {}
    seen: Counter[str] = Counter()
    for part in re.split(r"^(?=\[)", text, flags=re.MULTILINE):
        head = re.match(r"\[([^\]]+)\](?:\(([^)]*)\))?", part)
        if head is None:
            continue
        name, parents = head[1], (head[2] or "").split(",")
        lines = [line for one in parents for line in templates.get(one, [])]
        lines += [
            line.strip() for line in part.splitlines()[1:]
            if line.strip() and not line.lstrip().startswith(";")
        ]
        if "!" in parents:
            templates[name] = lines
            continue
        kind = next((line.split("=")[1].strip() for line in lines if line.startswith("type")), "")
        seen[name] += 1
        found[kind or str(seen[name]), name] = lines
    return found
