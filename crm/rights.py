"""The one table of rights: what each role may do. What stands here for nobody is open to nobody.

Views name a right (`agent_console.door.needs`), pages and programs ask for one (`may`); nothing
else decides by role. `hotline user rights` prints the table, as it stands in docs/rights.md.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum, unique

from crm.models import Role

_HEADS = (Role.SUPERVISOR, Role.ADMIN)
_FLOOR = (Role.LEAD, *_HEADS)
_LEADS = (Role.LEAD, Role.SUPERVISOR)
_DISPATCH = (Role.DISPATCHER, *_FLOOR)
_DESKS = (Role.AGENT, *_DISPATCH)
_AGENCIES = (Role.OFFICER, Role.LEADER)

PRIVILEGED = frozenset({*_DISPATCH, Role.AUDITOR})  # sign in with a second factor
CHANGES_NOTHING = frozenset({Role.AUDITOR})  # but what is their own, whatever else the table says
LEADS = frozenset(_LEADS)  # of shifts: one signs out, another signs in
OF_AGENCIES = frozenset(_AGENCIES)  # whose accounts are given on the page of their agency


@unique
class Right(Enum):
    """A right: what it lets people do, and the roles that have it."""

    OWN = "one's own session, language, password and second factor", *Role

    CALLS_TAKE = "take calls: phone, queues, notes, whoever else is called in", Role.AGENT
    LIVE = "follow what happens now; agents their own queues", Role.AGENT, *_FLOOR, Role.AUDITOR
    EMERGENCY_RUNG_BACK = ("say that an emergency caller was rung back", Role.AGENT, *_FLOOR)
    WORK_SEE = ("see callers, messages and calls back that wait", Role.AGENT, Role.LEAD,
                Role.SUPERVISOR, Role.AUDITOR)
    WORK_DO = "take and finish them", Role.AGENT, Role.LEAD, Role.SUPERVISOR
    VOICEMAIL = "hear voice messages", Role.AGENT, *_FLOOR, Role.AUDITOR

    CALLS_TAKEN = "see the calls that one took as a doctor on duty", Role.EXPERT

    FLOOR_SEE = "the live board, and who waits", *_FLOOR, Role.AUDITOR
    FLOOR_LEAD = ("listen, whisper, barge in, take a call over, send agents to a pause or out, "
                  "move callers", *_FLOOR)
    DESK_RULES_SEE = "see limits of pauses and results of calls", *_FLOOR, Role.AUDITOR
    DESK_RULES = "change limits of pauses and results of calls", *_FLOOR
    CALLS_SEE = "the list of all calls", *_FLOOR, Role.AUDITOR
    RECORDINGS = "find and hear recordings of calls", *_HEADS, Role.AUDITOR
    RECORDINGS_NOTE = "note something at a moment of a recording", *_HEADS
    RECORDINGS_DOWNLOAD = "download recordings, for a reason", Role.ADMIN
    QUALITY_SEE = "see score cards, draws and how calls were judged", *_HEADS, Role.AUDITOR
    QUALITY_KEEP = "make score cards, draw calls and judge them", *_HEADS
    CONTROLS_SEE = "see the switches, limits of queues, and incidents", *_FLOOR, Role.AUDITOR
    CONTROLS_SET = "change the switches, limits of queues, and incidents", *_FLOOR

    ROSTER_SEE = "the roster of everybody, and what was done to it", *_FLOOR, Role.AUDITOR
    ROSTER_KEEP = "take in rosters, decide about swaps", *_FLOOR
    SHIFTS_OWN = "one's own shifts: offer them, take others'", Role.AGENT, *_LEADS
    HANDOVERS_SEE = "handovers of shifts, and how things stand", *_FLOOR, Role.AUDITOR
    HANDOVERS_SIGN = "sign when a shift is handed over", *_LEADS
    INSTRUCTIONS_SEE = "urgent instructions, and who has read them", *_FLOOR, Role.AUDITOR
    INSTRUCTIONS_GIVE = "write, change and withdraw urgent instructions", *_FLOOR
    STAFFING_SEE = "forecasts, and how many agents are needed", *_FLOOR, Role.AUDITOR
    INSTRUCTIONS_READ = "say that one has read an urgent instruction", Role.AGENT, *_LEADS

    CASES_SEE = "read cases and their files", *_DESKS, Role.AUDITOR
    CASES_OPEN = "open, classify and complete cases", *_DESKS
    CASES_WORDS = "read what private cases say, for a reason", *_DESKS
    CASES_IDENTITY = "look at a hidden number, for a reason", *_DESKS
    CASES_DISPATCH = ("send cases to agencies, answer, move, join, publish; links of officers",
                      *_DISPATCH)
    CITIZENS_FIND = "look up a number", *_DESKS
    CITIZENS_SEE = "all calls and cases of a number", *_DESKS, Role.AUDITOR
    CITIZENS_KEEP = "write down what is known of a number, and consents", *_DESKS
    AGENCIES_SEE = "agencies and their people", *_DISPATCH, Role.AUDITOR
    AGENCIES_KEEP = "change agencies' people, stand-ins and approval", Role.DISPATCHER, Role.ADMIN
    AGENCY_CASES = ("handle the cases of one's own agency; leaders approve, and who stands in for "
                    "one on that day", *_AGENCIES)

    KNOWLEDGE_READ = "read articles and contact points", *_DESKS, Role.EXPERT, Role.AUDITOR
    KNOWLEDGE_HISTORY = "drafts, withdrawn articles and versions", *_HEADS, Role.AUDITOR
    KNOWLEDGE_WRITE = "write, publish and withdraw articles", *_HEADS
    POINTS_KEEP = "add and change contact points", *_FLOOR
    POINTS_SEND = "send a contact point to the caller by SMS", Role.AGENT

    REPORTS_SEE = "daily reports, and reports over a period", *_FLOOR, Role.AUDITOR
    REPORTS_APPROVE = "approve figures, send a report again", *_HEADS
    REPORTS_MAIL = "say who gets which report by e-mail, and send it at once", *_HEADS
    FIGURES_SEE = "see the figures of the day", Role.HEALTH, *_HEADS, Role.AUDITOR
    FIGURES_ENTER = "enter the figures of the day", Role.HEALTH, *_HEADS
    NOTICES_SEE = "what the hotline wrote to people", *_DISPATCH, Role.AUDITOR
    NOTICES_RETRY = "send a message again", *_DISPATCH
    BROADCASTS_SEE = "see broadcasts", *_HEADS, Role.AUDITOR
    BROADCASTS = "write, approve, start and stop broadcasts; files for carriers", *_HEADS

    PRIVACY_SEE = "requests about personal data, tracing, data incidents", *_HEADS, Role.AUDITOR
    PRIVACY_DO = "enter and decide such requests, trace, hand data out", *_HEADS
    PRIVACY_ORDER = "holds by order, steps of a data incident", Role.ADMIN
    ACCOUNTS_SEE = "see the accounts", Role.ADMIN, Role.AUDITOR
    ACCOUNTS = "make and change accounts, passwords and second factors", Role.ADMIN
    API_KEYS_SEE = "see programs' keys and webhooks", Role.ADMIN, Role.AUDITOR
    API_KEYS = "make and end programs' keys and webhooks", Role.ADMIN

    def __init__(self, lets: str, *roles: Role) -> None:
        self.lets, self.roles = lets, frozenset(roles)


def may(role: Role, right: Right, *, changing: bool = False) -> bool:
    """Whether a role has a right; `changing`: to change something by it."""
    if changing and role in CHANGES_NOTHING and right is not Right.OWN:
        return False
    return role in right.roles


def published() -> Iterator[str]:
    """The table as Markdown, line by line."""
    yield f"| right | {' | '.join(Role)} | lets people |"
    yield f"|---|{':-:|' * len(Role)}---|"
    for right in Right:
        marks = (("●" if may(role, right) else " ").center(len(role)) for role in Role)
        yield f"| {right.name:<19} | {' | '.join(marks)} | {right.lets} |"
