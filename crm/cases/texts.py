"""What people are told of a case: which text, with what in it. Never what a case is about: only its
code, agency and dates.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from crm.cases.categories import category_named
from crm.cases.deadlines import Clock
from crm.cases.models import Case, Status
from crm.cases.steps import Series, Step
from crm.notices import texts
from crm.notices.models import Channel
from crm.notices.texts import ByTheHour, Value

# to the citizen; of other moves there is nothing that they wait for
OF_MOVES: Mapping[Status, str] = {
    Status.ASSIGNED: "case_assigned", Status.NEED_INFO: "case_need_info",
    Status.EXTENDED: "case_extended", Status.RESOLVED: "case_resolved",
    Status.REJECTED: "case_rejected", Status.REOPENED: "case_reopened",
}
_BY_KEY = re.compile(r"(?:Để|Xin)[^.]*bấm phím 7\. ?")  # what cannot be done without a number
OF_STEPS: Mapping[Series, str] = {  # to whoever should do something
    Series.DISPATCH: "case_undispatched", Series.UNOPENED: "case_unopened",
    Series.BEFORE: "case_due_soon", Series.OVERDUE: "case_overdue",
}


def of_case(name: str, case: Case, *, url: str = "") -> str:
    """The SMS of this name, filled from a case. Raises TextError."""
    return _rendered(name, case, Channel.SMS, url=url).body


def _rendered(name: str, case: Case, channel: Channel, *, url: str = "") -> texts.Text:
    known: dict[str, Value] = {
        "case_code": case.code, "due_date": due(case), "url": url,
        "agency": case.agency.name if case.agency else "Cơ quan xử lý",
    }
    if name == OF_STEPS[Series.DISPATCH]:
        known["due_date"] = ByTheHour(case.dispatch_due_at)
    wanted = texts.TEMPLATES[name].variables
    return texts.rendered(
        name, channel, {key: value for key, value in known.items() if key in wanted}
    )


def by_mail(name: str, case: Case, question: str | None = None) -> texts.Text:
    """The same for whoever wrote by e-mail and cannot ask by key 7: with the result itself, or what
    the agency asks. Raises TextError."""
    told = _rendered(name, case, Channel.EMAIL)
    body = _BY_KEY.sub("", told.body)
    if case.answer and case.resolved_at and not (
        case.sensitive or case.sealed
    ):
        body += f"\n\nKết quả: {case.answer}"
    if question and not (case.sensitive or case.sealed):
        body += f"\n\nCơ quan xử lý hỏi: {question}"
    body += f"\n\nĐể bổ sung, xin trả lời thư này và giữ mã {case.code} trong tiêu đề."
    return replace(told, body=body)


def of_step(step: Step, case: Case) -> str:
    return of_case(OF_STEPS[step.series], case)


def one_time_code(code: str, minutes: int) -> str:
    """The SMS with a code that opens a link. Raises TextError."""
    return texts.rendered("one_time_code", Channel.SMS, {"otp": code, "minutes": minutes}).body


def due(case: Case) -> datetime | ByTheHour:
    """By when, with the clock where it counts hours."""
    by_hours = case.category and category_named(case.category).deadline.clock is Clock.HOURS
    return ByTheHour(case.due_at) if by_hours else case.due_at
