"""Sentences with something in them: which sound files say them, one after another."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime

from crm.cases.models import Case, Status
from crm.clock import VIETNAM
from prompts.catalogue import Catalogue, Fragment
from prompts.said import Said
from prompts.speller import digit_files, number_files

Files = tuple[str, ...]

_ORDINALS = {1: "o_1", 4: "o_4"}  # thứ nhất, thứ tư; all others are the number itself
_ENDED = frozenset({Status.RESOLVED, Status.CLOSED, Status.REJECTED, Status.DUPLICATE})
# what prompts of this module a hotline needs, besides number files
PROMPTS = (
    "lookup_recent", "lookup_confirm_code", "lookup_not_found", "lookup_item", "status_received",
    "status_classified", "status_assigned", "status_in_progress", "status_need_info",
    "status_extended", "status_overdue", "status_resolved", "status_closed", "status_rejected",
    "status_duplicate", "status_reopened", "status_due", "status_days_left", "status_due_today",
    "duty_case", "duty_taken", "agency_general", "lookup_answer", "lookup_question",
    "lookup_next", "lookup_reopen", "lookup_add", "leaf_end", "survey_case", "survey_thanks",
    "o_1", "o_4", "year",
    *(f"day_{day}" for day in range(1, 32)), *(f"month_{month}" for month in range(1, 13)),
)


class Phrases:
    """Speaks the catalogue's sentences with numbers, days, names and saved texts in them."""

    def __init__(self, catalogue: Catalogue, said: Said) -> None:
        self._catalogue = catalogue
        self._said = said

    def filled(self, prompt: str, **values: Sequence[str]) -> Files:
        """The files of a prompt, with those of its variables between its fragments."""
        files: list[str] = []
        for piece in self._catalogue.pieces(prompt):
            files += [piece.file] if isinstance(piece, Fragment) else values[piece.name]
        return tuple(files)

    def day(self, day: date, today: date) -> Files:
        """A day, with its year where that is not this year."""
        year = ("year", *number_files(day.year)) if day.year != today.year else ()
        return (f"day_{day.day}", f"month_{day.month}", *year)

    def case_count(self, count: int) -> Files:
        return self.filled("lookup_recent", n=number_files(count))

    def code_unknown(self, digits: str) -> Files:
        """What was typed, said back where it was a whole code, and that nothing fits it."""
        typed = (
            self.filled("lookup_confirm_code", case_code=digit_files(digits))
            if len(digits) == 8 else ()
        )
        return (*typed, "lookup_not_found")

    def duty(self, code: str) -> Files:
        """To whoever is on duty for an agency: what waits for them."""
        return self.filled("duty_case", case_code=digit_files(code))

    def case_status(self, case: Case, number: int, of: int, now: datetime) -> Files:
        """Where a case is, who has it, until when, and how many days are left."""
        today, due = _local(now), _local(case.due_at)
        item = () if of == 1 else self.filled(
            "lookup_item", i=(_ORDINALS.get(number, f"n_{number}"),), n=number_files(of)
        )
        status = Status(case.status)
        files = [*item, *self._status(case, status, today)]
        if status not in _ENDED:
            if case.due_at < now:
                files.append("status_overdue")
            else:
                if status is not Status.EXTENDED:
                    files += self.filled("status_due", due_date=self.day(due, today))
                left = (due - today).days
                files += (
                    self.filled("status_days_left", n=number_files(left)) if left
                    else ("status_due_today",)
                )
        return tuple(files)

    def case_keys(
        self, case: Case, *, is_last: bool, question: str | None = None
    ) -> tuple[str, Files]:
        """The keys that mean something after a case's status, and the sentences that name them.
        `question`: what its agency asks the citizen."""
        status = Status(case.status)
        named = {
            "1": ("lookup_question" if question else "lookup_answer",
                  self.told(case, question) is not None),
            "2": ("lookup_next", not is_last),
            "3": ("lookup_reopen", status in _ENDED),
            "5": ("lookup_add", status not in _ENDED),
        }
        there = {key: prompt for key, (prompt, means) in named.items() if means}
        return "".join(there), (*there.values(), "leaf_end")

    def told(self, case: Case, question: str | None) -> str | None:
        """The sound behind key 1: what is asked of the citizen, or what they are answered."""
        return self._said.sound_of(question) if question else self.answer(case)

    def answer(self, case: Case) -> str | None:
        """The sound of a case's answer, once it is resolved and the sound has been made; of a
        double, of what is told to everybody."""
        if Status(case.status) not in _ENDED:
            return None
        text = case.answer
        if case.duplicate_of is not None:  # of the other's, what is meant for everybody
            text = case.duplicate_of.public_text
        return self._said.sound_of(text) if text else None

    def _status(self, case: Case, status: Status, today: date) -> Files:
        match status:
            case Status.NEW:
                return ("status_received",)
            case Status.ASSIGNED:
                at = _local(case.assigned_at or case.opened_at)
                return self.filled(
                    "status_assigned", agency=self._agency(case), date=self.day(at, today)
                )
            case Status.IN_PROGRESS:
                return self.filled("status_in_progress", agency=self._agency(case))
            case Status.EXTENDED:
                return self.filled(
                    "status_extended", due_date=self.day(_local(case.due_at), today)
                )
            case Status.RESOLVED:
                at = _local(case.resolved_at or case.due_at)
                return self.filled("status_resolved", date=self.day(at, today))
            case _:
                return (f"status_{status}",)

    def _agency(self, case: Case) -> Files:
        """Its name, or in general words while the name has no sound."""
        sound = self._said.sound_of(case.agency.name) if case.agency else None
        return (sound or "agency_general",)


def _local(at: datetime) -> date:
    return at.astimezone(VIETNAM).date()
