"""Whether a configuration that was just loaded is in force, and has cost nobody anything."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from crm.settings import Settings
from ivr import plan, probe, provision
from ivr.phone.ear import Ear
from ivr.plan import Ask

ANSWER_S = 3.0  # of a carrier to a REGISTER
PATIENCE_S = 20.0  # for a registration, an answer to OPTIONS


_MEMBER = re.compile(r"\s+.*?\(?(PJSIP/[a-z0-9-]+)\)? ?\(.*has taken (no|\d+) calls")
_GREETING = re.compile(
    r"^\[hl-menu-main\]$.*?Background\((?:lead_in&)?(\w+)", re.MULTILINE | re.DOTALL
)


@dataclass(frozen=True)
class Member:
    """An agent's phone in a queue."""

    queue: str
    interface: str
    paused: bool


@dataclass(frozen=True)
class State:
    """What must be the same after a change as before."""

    endpoints: frozenset[str]
    queues: frozenset[str]
    members: Mapping[Member, int]  # calls taken so far
    waiting: frozenset[tuple[str, str]]  # queue and channel
    registered: frozenset[str]
    reached: frozenset[str]  # carriers that answer OPTIONS


def look(ask: Ask) -> State:
    """Ask Asterisk. What it does not answer counts as not there."""
    members: dict[Member, int] = {}
    waiting: set[tuple[str, str]] = set()
    queues: set[str] = set()
    queue = ""
    for line in (ask("queue show") or "").splitlines():
        if head := re.match(r"(\S+) has \d+ calls", line):
            queue = head[1]
            queues.add(queue)
        elif found := _MEMBER.match(line):
            taken = 0 if found[2] == "no" else int(found[2])
            members[Member(queue, found[1], "(paused" in line)] = taken
        elif found := re.match(r"\s+\d+\. (\S+) \(wait", line):
            waiting.add((queue, found[1]))
    contacts = re.findall(r"^  Contact:  (carrier\d?)/.* Avail ", ask("pjsip show contacts") or "",
                          re.M)
    shown = ask("pjsip show registrations") or ""
    return State(
        _endpoints(ask), frozenset(queues), members, frozenset(waiting),
        frozenset(re.findall(r"^ (carrier\d?)/.* Registered ", shown, re.M)), frozenset(contacts),
    )


def _endpoints(ask: Ask) -> frozenset[str]:
    shown = ask("pjsip show endpoints") or ""
    return frozenset(re.findall(r"^ Endpoint:  ([a-z0-9-]+)", shown, re.M))


def stale(ask: Ask, applied: Mapping[str, str]) -> dict[str, str]:
    """The files of those that were applied that Asterisk does not run, each with a sentence.

    Empty where it does not run, still starts or is too slow to tell: nothing is known then."""
    silent = False

    def asked(command: str) -> str | None:
        nonlocal silent
        answer = ask(command)
        silent = silent or answer is None
        return answer

    if "fully booted" not in (ask("core waitfullybooted") or ""):
        return {}
    queues = re.findall(r"^(\S+) has \d+ calls", asked("queue show") or "", re.M)
    found = _not_loaded(asked, _endpoints(asked), frozenset(queues), applied)
    return {} if silent else found


def _not_loaded(
    ask: Ask, endpoints: frozenset[str], queues: frozenset[str], wanted: Mapping[str, str]
) -> dict[str, str]:
    found = {}
    if not plan.dialplan_runs(ask, plan.marker(wanted)):
        found["extensions.conf"] = "Asterisk has not taken the dialplan"
    objects = plan.pjsip_objects(wanted.get("pjsip.conf", ""))
    if lacking := sorted({name for kind, name in objects if kind == "endpoint"} - endpoints):
        found["pjsip.conf"] = f"Asterisk does not know {', '.join(lacking)} (pjsip.conf)"
    if lacking := sorted(_queues_of(wanted) - queues):
        found["queues.conf"] = f"Asterisk does not know the queues {', '.join(lacking)}"
    return found


def _queues_of(files: Mapping[str, str]) -> set[str]:
    return set(re.findall(r"^\[(\w+)\]\(hotline\)", files.get("queues.conf", ""), re.M))


def faults(
    ask: Ask, before: State, wanted: Mapping[str, str], changed: Iterable[str],
    old: Mapping[str, str],
) -> list[str]:
    """What is not as it must be after `wanted` was loaded, in sentences."""
    changed = set(changed)
    now = look(ask)
    found = list(_not_loaded(ask, now.endpoints, now.queues, wanted).values())
    queues = _queues_of(wanted)
    for member, taken in before.members.items():
        if member.queue in queues and now.members.get(member, -1) < taken:
            found.append(f"{member.interface} has lost its place in {member.queue}")
    # who left while we looked has left the queue for good; who waits elsewhere was thrown out
    lost = {one for one in before.waiting - now.waiting if one[0] in queues}
    if lost:
        channels = ask("core show channels concise") or ""
        found += [
            f"a caller has lost the place in {queue}" for queue, channel in sorted(lost)
            if re.search(rf"^{re.escape(channel)}!hl-\w*queue\w*[^!]*!.*!Queue!", channels, re.M)
        ]
    if "pjsip.conf" in changed:
        found += _carriers(
            ask, before, *(plan.pjsip_objects(one.get("pjsip.conf", "")) for one in (wanted, old))
        )
    return found


def _carriers(
    ask: Ask, before: State, objects: Mapping[tuple[str, str], list[str]],
    old: Mapping[tuple[str, str], list[str]],
) -> list[str]:
    """A registration that stood stands, one that is new or changed comes to stand; a carrier that
    answered answers."""
    new = {
        name for kind, name in objects if kind == "registration"
        and any(objects.get((k, name)) != old.get((k, name)) for k in ("registration", "auth"))
    }
    registrations = {name for kind, name in objects if kind == "registration"}
    asked = {
        name for (kind, name), lines in objects.items()
        if kind == "aor" and any(re.fullmatch(r"qualify_frequency = [1-9]\d*", x) for x in lines)
    }
    for name in sorted(new):  # with another secret it would only be seen when the old one expires
        ask(f"pjsip send register {name}")
    if new:
        time.sleep(ANSWER_S)
    deadline = time.monotonic() + PATIENCE_S
    while True:
        now = look(ask)
        lacking = sorted((new | (before.registered & registrations)) - now.registered)
        silent = sorted((before.reached & asked) - now.reached)
        if not lacking and not silent:
            return []
        if time.monotonic() > deadline:
            return [
                *(f"{name} does not take the registration" for name in lacking),
                *(f"{name} no longer answers OPTIONS" for name in silent),
            ]
        time.sleep(0.5)


def greets(settings: Settings, files: Mapping[str, str]) -> str | None:
    """Call the hotline as a carrier does and listen for what the main menu says first. None: it was
    heard; else a sentence."""
    folder = provision.sounds(settings.home) / "vi"
    greeting = _GREETING.search(files["extensions.conf"])
    # a full house, or one that was closed by hand, says so to the test as to everybody
    sounds = [folder / f"{name}.alaw" for name in (
        greeting[1] if greeting else "greeting", "overload_reject"
    )]
    if missing := [file.stem for file in sounds if not file.exists()]:
        return f"there is no sound of {', '.join(missing)}"
    found = asyncio.run(probe.call(
        settings, dialled=settings.numbers[0], ears=[Ear(file) for file in sounds]
    ))
    return None if found.heard else f"the test call: {found.detail}"
