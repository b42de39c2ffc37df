"""The ways through the console: which pages stand in its head for whom, and where each begins."""

from __future__ import annotations

from flask_babel import lazy_gettext as _  # type: ignore[import-untyped]

from agent_console.door import may_open
from crm.models import Role

WAYS = (
    ("desk.page", _("Agent desk")), ("expert_desk.page", _("Calls I took")),
    ("work.page", _("To do")), ("messages.page", _("Voice messages")),
    ("shifts.mine", _("My shifts")), ("case_desk.listing", _("Cases")),
    ("citizens.search", _("Citizens")), ("knowledge.listing", _("Knowledge")),
    ("points.listing", _("Contact points")), ("board.page", _("Live board")),
    ("board.calls", _("Calls")), ("recordings.search", _("Recordings")),
    ("quality.page", _("Quality")), ("quality.mine", _("My scores")),
    ("reports.listing", _("Reports")),
    ("reports.figures", _("Figures of the day")), ("officer_desk.listing", _("Our cases")),
    ("agency_people.listing", _("Agencies")), ("shifts.page", _("Roster")),
    ("staffing.page", _("Staffing")), ("handovers.listing", _("Handover")),
    ("instructions.listing", _("Urgent instructions")), ("controls.page", _("Switches")),
    ("surge.page", _("Overload and incidents")),
    ("notice_desk.page", _("Notices")), ("tracing.listing", _("Tracing")),
    ("privacy.listing", _("Personal data")), ("broadcast_desk.listing", _("Broadcasts")),
    ("people.listing", _("Accounts")), ("api_keys.page", _("API")),
)
HOME = {
    Role.AGENT: "desk.page", Role.LEAD: "board.page", Role.DISPATCHER: "case_desk.listing",
    Role.SUPERVISOR: "board.page", Role.ADMIN: "board.page", Role.AUDITOR: "board.calls",
    Role.HEALTH: "reports.figures", Role.OFFICER: "officer_desk.listing",
    Role.LEADER: "officer_desk.listing", Role.EXPERT: "expert_desk.page",
}


def ways() -> list[tuple[str, str]]:
    """The pages that who is signed in may open, with their names."""
    return [(endpoint, label) for endpoint, label in WAYS if may_open(endpoint)]
