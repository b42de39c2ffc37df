"""The compiler: menus in, Asterisk dialplan text out. Pure: reads nothing but its template."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from crm import switches
from crm.branches import ALL_QUEUES, BRANCHES, LANGUAGES, SERVICES, Language
from crm.calls.facts import SCORES
from crm.carriers import Carrier
from crm.cases.life import SCORES as CASE_SCORES
from crm.cases.working_days import holidays_of
from crm.privacy import consents
from crm.setting_values import Expert
from ivr.menu import Hours, Menus

TEMPLATES = Path(__file__).resolve().parent.parent / "dialplans" / "asterisk"

LANDLINE = re.compile(r"02[0-9]{6,9}")  # of a province, as dialled in Vietnam

PLACE_AGAIN_S = 45  # whoever is far from the front is told the place again after this
LANGUAGE_WAIT_S = 45  # for somebody who speaks it; then the branch's own agents

NO_LIMIT = 1_000_000  # of callers who wait in a queue



@dataclass(frozen=True)
class MobileKey:
    """What an agent with a telephone outside asks for while talking: * and a digit."""

    digit: str
    asks: str  # an extension of hl-mobile-key

    @property
    def keys(self) -> str:
        return f"*{self.digit}"

    @property
    def feature(self) -> str:
        return f"mobile{self.digit}"


# the operator, the supervisors, and each service by the last digit of its number: as at the desk
MOBILE_KEYS = (
    MobileKey("0", "operator"), MobileKey("6", "help"),
    *(MobileKey(one.number[-1], one.id) for one in SERVICES),
)

MOST_HOPS = 3  # from node to node
ALONE_S = 30  # of waiting where the queue's own node cannot be reached, until it is tried again

# What a node tells another of a caller: the header, the variable, the characters that it may have
PASSED_ON = (
    ("Caller", "HL_CALLER", "+0-9"), ("Dialled", "HL_DIALLED", "+0-9"),
    ("Trunk", "HL_TRUNK", "0-9a-z."), ("Kind", "HL_KIND", "a-z"), ("Arrived", "HL_ARRIVED", "0-9"),
    ("Branch", "HL_BRANCH", "a-z"), ("Path", "HL_PATH", "a-z0-9_.:/*#"),
    ("Notice", "HL_NOTICE", "a-z"), ("Tongue", "HL_TONGUE", "a-z_"), ("Hops", "HL_HOPS", "0-9"),
    ("Duty", "HL_DUTY", "a-z"), ("Heard", "HL_HEARD", "a-z"),
)

CALENDAR = range(2026, 2036)  # whose holidays are compiled in

_environment = Environment(
    loader=FileSystemLoader(TEMPLATES), undefined=StrictUndefined, keep_trailing_newline=True,
    autoescape=False,  # noqa: S701 - the output is no HTML; every value is a checked setting or name
)


@dataclass(frozen=True)
class ServedBranch:
    """A branch that leads to a person."""

    id: str
    queue: str
    hours: tuple[Hours, ...]


def render(template: str, values: Mapping[str, object]) -> str:
    """Fill one of the templates of `dialplans/asterisk`. A missing value is an error."""
    return _environment.get_template(template).render(values)


def compile_dialplan(
    menus: Menus, *, numbers: tuple[str, ...], capacity: int, queue_timeout_s: int, wrapup_s: int,
    emergency_targets: Mapping[str, tuple[str, ...]], carriers: tuple[Carrier, ...],
    recordings: Path, messages: Path, no_room: Path, draining: Path, asterisk_major: int,
    callback_again_s: tuple[int, ...] = (), callback_legs: int | None = None,
    broadcast_legs: int = 1, queue_limits: Mapping[str, int] | None = None,
    duty_phones: tuple[str, ...] = (),
    experts: tuple[Expert, ...] = (), languages: tuple[Language, ...] = (),
    web_calls: int = 0, web_key: str = "", transfer_prefixes: tuple[str, ...] = (),
    help_lines: tuple[str, ...] = (), staff_number: str = "", staff_key: str = "",
    kind: str = "citizen", node: str = "", nodes: tuple[str, ...] = (),
    holders: Mapping[str, str] | None = None,
) -> str:
    """The whole `extensions.conf`. `web_calls`: from the citizens' page at once, let in by tokens
    of `web_key`. `kind`: of calls that come in. `holders`: which of the `nodes`, of which this is
    `node`, holds each queue until it is moved. HL_MARKER and the context hl-version hold a digest
    of the text, so that a program can see which dialplan runs."""
    outbound = [one for one in carriers if one.server]
    values: dict[str, object] = {
        "main": menus.main,
        "menus": list(menus.menus.values()),
        "leaves": list(menus.leaves.values()),
        "branches": [
            ServedBranch(branch.id, branch.queue, menus.hours(branch.id))
            for branch in BRANCHES if branch.queue and branch.id != "emergency"
        ],
        "queues": ALL_QUEUES,
        "languages": languages,
        "notice": consents.NOTICE,
        "pack_notice": menus.notice,
        "kind": kind,
        "language_queues": [one.id for one in LANGUAGES],
        "language_wait_s": LANGUAGE_WAIT_S,
        "place_again_s": PLACE_AGAIN_S,
        "numbers": numbers,
        "capacity": capacity,
        "queue_timeout_s": queue_timeout_s,
        "wrapup_s": wrapup_s,
        "services": SERVICES, "mobile_keys": MOBILE_KEYS,
        "scores": SCORES, "case_scores": CASE_SCORES,
        # without a carrier nobody outside can be rung
        "emergency_targets": (
            emergency_targets if outbound else dict.fromkeys(emergency_targets, ())
        ),
        # who does not show the caller's number: it is whispered to emergency services
        "silent": [one.name for one in outbound if one.identity == "none"],
        "carriers": carriers, "outbound": outbound, "carrier": bool(outbound),
        "callback_again_s": callback_again_s,
        "callback_legs": callback_legs,
        "broadcast_legs": broadcast_legs,
        "queue_limits": dict.fromkeys(ALL_QUEUES, NO_LIMIT) | dict(queue_limits or {}),
        "duty_phones": duty_phones,
        "experts": experts,
        "web_calls": web_calls,
        "web_key": web_key,
        "transfer_prefixes": transfer_prefixes,
        "help_lines": help_lines,
        "staff_number": staff_number if outbound else "", "staff_key": staff_key,
        # what whoever is called back sees, and forms of it that nobody can be called back at
        "shown_number": next((one for one in numbers if LANDLINE.fullmatch(one)), numbers[0]),
        "own_numbers": [one for one in numbers if LANDLINE.fullmatch(one)],
        "recordings": recordings,
        "messages": messages,
        "no_room": no_room,
        # 1 until the time of this file, which lies ahead while somebody drains the hotline
        "drained": f"$[0${{STAT(M,{draining})}} > ${{EPOCH}}]",
        "switches": switches.KNOWN,
        "point_lists": switches.POINTS, "limited": switches.LIMITED,
        "incident_switches": switches.INCIDENTS,
        "day_values": switches.DAY_VALUES,
        "holidays": {
            year: ",".join(f"{day:%m%d}" for day in holidays_of(year)) for year in CALENDAR
        },
        # Queue()'s gosub stands one place later where there is still a macro before it
        "gosub_gap": "," if asterisk_major < 21 else "",
        "node": node, "nodes": nodes, "holders": holders or {}, "passed_on": PASSED_ON,
        "most_hops": MOST_HOPS, "alone_s": ALONE_S,
        # the call that the caller's channel is, or belongs to where another node has answered it
        "call_id": (
            '${IF($["${HL_FIRST}" = ""]?${UNIQUEID}:${HL_FIRST})}' if nodes else "${UNIQUEID}"
        ),
        "recording_id": (
            '${IF($["${HL_FIRST}" = ""]?${UNIQUEID}:${HL_FIRST}-${EPOCH})}' if nodes
            else "${UNIQUEID}"
        ),
    }
    text = render("extensions.conf.j2", {**values, "marker": ""})
    marker = sha256(text.encode()).hexdigest()[:12]
    return render("extensions.conf.j2", {**values, "marker": marker})
