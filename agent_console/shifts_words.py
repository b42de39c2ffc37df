"""What people read of rosters, swaps, handovers and instructions."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

from flask_babel import gettext as _  # type: ignore[import-untyped]

from agent_console import words
from crm.clock import VIETNAM
from crm.shifts.events import What
from crm.shifts.models import Shift, ShiftEvent
from crm.shifts.roster import Fault


def weekdays() -> list[str]:
    return [_("Mon"), _("Tue"), _("Wed"), _("Thu"), _("Fri"), _("Sat"), _("Sun")]


def day(of: date) -> str:
    return f"{weekdays()[of.weekday()]} {of:%d/%m}"


def hours(shift: Shift) -> str:
    """06:00–14:00, in Vietnam."""
    begins, ends = (at.astimezone(VIETNAM) for at in (shift.begins_at, shift.ends_at))
    return f"{begins:%H:%M}–{ends:%H:%M}"


def when(shift: Shift) -> str:
    return f"{day(shift.begins_at.astimezone(VIETNAM).date())} {hours(shift)}"


def where(shift: Shift) -> str:
    return words.branch(shift.branch) if shift.branch else str(_("wherever needed"))


def roster_fault(fault: Fault) -> str:
    """What is wrong with a line of a file, by the codes of crm.shifts.roster.FAULTS."""
    said = {**dict.fromkeys((
        "said", "login", "branch", "known", "day", "column", "time", "days", "taker", "other",
        "between", "rest",
    ), ""), **fault.values}
    sentence = str({
        "row": _("This row cannot be read: %(said)s", **said),
        "empty": _("There is no shift in this file."),
        "person": _("“%(login)s” is no active account of this desk.", **said),
        "branch": _("There is no branch “%(branch)s”; there are %(known)s.", **said),
        "day": _("“%(day)s” is no day: write 2026-12-31 or 31/12/2026.", **said),
        "time": _("Column %(column)s: “%(time)s” is no time: write 07:00.", **said),
        "long": _("Longer than 12 hours (Labour Code, Art. 107)."),
        "serves": _("%(login)s does not serve %(branch)s.", **said),
        "days": _("A roster has at most %(days)s days.", **said),
        "begun": _("This shift has begun already."),
        "given": _("%(login)s gave this shift to %(taker)s: write %(taker)s.", **said),
        "overlap": _("%(login)s works from %(other)s already.", **said),
        "rest": _("%(login)s has %(between)s h of rest beside the shift of %(other)s, less than "
                  "%(rest)s h.", **said),
    }[fault.code])
    return str(_("Line %(line)s: %(fault)s", line=fault.line, fault=sentence))


def swap_problem(code: str) -> str:
    return str({
        "unknown": _("There is no such offer."),
        "not_own": _("This is not yours."),
        "begun": _("This shift has begun already."),
        "offered": _("You have offered this shift already."),
        "gone": _("Somebody was quicker: this offer is taken, decided or withdrawn."),
        "own": _("You have offered this shift yourself."),
        "branch": _("The one who takes it does not serve the branch of this shift."),
        "overlap": _("The one who takes it works at that time already."),
        "rest": _("The one who takes it would rest too short between two shifts."),
        "involved": _("A third person decides about a swap."),
    }[code])


def handover_problem(code: str) -> str:
    return str({
        "waits": _("Another handover waits for its second signature."),
        "own": _("The second signature is another person's, in a session of their own."),
        "gone": _("This handover is signed or withdrawn already."),
        "not_own": _("Only whoever signed it may withdraw it."),
        "long": _("These remarks are too long."),
    }[code])


def instruction_problem(code: str) -> str:
    return str({
        "text": _("An instruction has 5 to 600 letters."),
        "hours": _("Choose for how long it holds."),
        "over": _("This instruction is over, or somebody has put a newer version in its place."),
    }[code])


def sections() -> dict[str, str]:
    """The parts of a handover."""
    return {
        "emergencies": _("Emergency calls that broke off or reached nobody"),
        "callbacks": _("Calls back that are owed"),
        "missed": _("Callers who reached nobody"),
        "messages": _("Voice messages that are not done"),
        "dispatch": _("Cases to be dispatched"),
        "overdue": _("Overdue cases"),
        "faults": _("Faults"),
        "in_force": _("In force"),
    }


def item(section: str, of: Mapping[str, Any]) -> tuple[str, str, str]:
    """A line of a handover: time, what, details."""
    at = datetime.fromisoformat(of["at"]) if of["at"] else None
    subject, detail = str(of["subject"]), str(of["detail"])
    if section in ("emergencies", "callbacks", "missed", "messages"):
        subject = subject or str(_("Number withheld"))
        detail = " · ".join(filter(None, (words.branch(of["branch"]), detail)))
    elif section in ("dispatch", "overdue"):
        subject = words.case_code(subject)
        detail = words.category(detail)
    elif section == "in_force" and subject.startswith("switch "):
        name, value = subject.removeprefix("switch "), detail.partition(" ")
        subject, detail = words.switch(name), f"{words.switch_value(value[0])} {value[2]}"
    elif section == "in_force" and subject.startswith("limit "):
        queue = words.queues().get(subject.removeprefix("limit "), _("All callers at once"))
        subject = f"{_('How many may wait')}: {queue}"
    else:
        detail = " · ".join(filter(None, (words.branch(of["branch"]), detail)))
        subject = str({
            "instruction": _("Urgent instruction"), "incident": _("Incident"),
            "bulletin": _("Bulletin"), "broadcast": _("Broadcast"),
            "listener": _("No live events from Asterisk"), "journal gap": _("Gap in the journal"),
            "notices": _("Notices that did not arrive"),
        }.get(subject, subject))
    return words.day_and_clock(at), subject, detail


def event(of: ShiftEvent) -> str:
    """What somebody did, in a sentence."""
    details = of.details
    return str({
        What.ROSTER_TAKEN_IN: _(
            "took in a roster of %(rows)s shifts", rows=details.get("rows", "")
        ),
        What.SWAP_OFFERED: _("offered a shift"),
        What.SWAP_WITHDRAWN: _("withdrew an offer"),
        What.SWAP_TAKEN: _("will take a shift of %(who)s", who=details.get("shift_of", "")),
        What.SWAP_APPROVED: _("approved: %(who)s takes a shift", who=details.get("to", "")),
        What.SWAP_REFUSED: _("refused a swap"),
        What.HANDOVER_SIGNED: _("signed a handover"),
        What.HANDOVER_WITHDRAWN: _("withdrew a handover"),
        What.HANDOVER_TAKEN: _("took a shift over"),
        What.HANDOVER_LATE: _("alarmed: a handover was not taken over"),
        What.HANDOVER_LACKING: _("alarmed: a shift ended without a handover"),
        What.INSTRUCTION_WRITTEN: _("wrote an urgent instruction"),
        What.INSTRUCTION_CHANGED: _("changed an urgent instruction"),
        What.INSTRUCTION_ENDED: _("withdrew an urgent instruction"),
        What.INSTRUCTION_READ: _("has read an urgent instruction"),
    }[What(of.what)])
