"""The shapes of what goes in and out of the API; the OpenAPI document is made from them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

from crm.branches import ALL_QUEUES
from crm.cases.categories import CATEGORIES
from crm.cases.models import Identity, Kind, Status
from crm.models import Outcome

_TIME = re.compile(
    r"(\d{4}-\d\d-\d\d)[Tt](\d\d:\d\d):(\d\d)(\.\d+)?(?:[Zz]|([+-]\d\d:\d\d))", re.ASCII
)


def moment(text: Any) -> datetime:
    """A time of RFC 3339 in UTC; a leap second is the second before it. Raises ValueError."""
    match = _TIME.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        raise ValueError("must be a time with its zone, as in 2026-03-10T10:00:00+07:00")
    day, minute, second, part, zone = match.groups()
    second = "59" if second == "60" else second
    at = datetime.fromisoformat(f"{day}T{minute}:{second}{(part or '')[:7]}{zone or '+00:00'}")
    try:
        return at.astimezone(UTC)
    except OverflowError:  # in the first or last hours that a calendar has
        return at.replace(tzinfo=UTC)


def _whole(text: Any) -> Any:
    if not re.fullmatch(r"[0-9]{1,9}", str(text), re.ASCII):
        raise ValueError("must be a whole number")
    return int(text)


def _integer(given: Any) -> Any:
    """An integer of JSON, which 3.0 is too; not "3", not true."""
    if isinstance(given, bool) or not isinstance(given, int | float) or given != given // 1:
        raise ValueError("must be an integer")
    return int(given)


def _one_of(words: Sequence[str]) -> StringConstraints:
    return StringConstraints(pattern=rf"^({'|'.join(words)})$")


Moment = Annotated[
    datetime, BeforeValidator(moment), Field(json_schema_extra={"format": "date-time"})
]
Limit = Annotated[int, Field(ge=1, le=200), BeforeValidator(_whole)]
Cursor = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,200}$")]
CaseCode = Annotated[str, StringConstraints(pattern=r"^[0-9]{8}$")]
AreaCode = Annotated[str, StringConstraints(pattern=r"^[0-9]{5}$")]
AgencyCode = Annotated[str, StringConstraints(pattern=r"^[A-Z0-9]{2,24}$")]
# with at least one letter or sign in it, and no control characters but tab and line end
Words = Annotated[str, StringConstraints(
    min_length=1, max_length=4000,
    pattern=r"^[^\x00-\x08\x0b-\x1f\x7f-\x9f]*[!-~À-žẠ-ỹ][^\x00-\x08\x0b-\x1f\x7f-\x9f]*$",
)]
CategoryId = Annotated[str, _one_of([one.id for one in CATEGORIES])]
Branch = Annotated[str, _one_of(ALL_QUEUES)]


class Strict(BaseModel):
    """What comes in: nothing more than is named."""

    model_config = ConfigDict(extra="forbid")


class Paged(Strict):
    """A page of a list, newest first; `next` of one answer is `cursor` of the next."""

    limit: Limit = 50
    cursor: Cursor | None = None
    since: Moment | None = Field(None, description="From this time on")
    until: Moment | None = Field(None, description="Before this time")


class CallsAsked(Paged):
    branch: Branch | None = None
    outcome: Outcome | None = None


class CasesAsked(Paged):
    status: Status | None = None
    category: CategoryId | None = None
    area: AreaCode | None = None


class CountsAsked(Strict):
    since: Moment
    until: Moment


class AreasAsked(Strict):
    name: Annotated[str, StringConstraints(min_length=1, max_length=80)] | None = Field(
        None, description="As people call it, of today or before, with accents or without"
    )


class Reporter(Strict):
    phone: Annotated[str, StringConstraints(pattern=r"^0[0-9]{9,10}$")]
    hidden: bool = Field(False, description="Agencies must not know who has reported", strict=True)


class CaseOpened(Strict):
    """A new case. Without `reporter` it is anonymous."""

    summary: Words
    reporter: Reporter | None = None


class CaseClassified(Strict):
    category: CategoryId
    area: AreaCode | None = None
    about: AgencyCode | None = Field(None, description="The agency that it is about")
    version: Annotated[int, Field(ge=1, le=2**31 - 1), BeforeValidator(_integer)] = Field(
        description="The version that was read: a case that has changed since stays as it is"
    )


class Information(Strict):
    text: Words


class StatusAsked(Strict):
    code: CaseCode
    phone_end: Annotated[str, StringConstraints(pattern=r"^[0-9]{4}$")] = Field(
        description="The last four digits of the number the case was opened with"
    )


Time = Annotated[str, Field(json_schema_extra={"format": "date-time"})]


class Step(BaseModel):
    menu: str
    key: str | None
    at: Time


class CallTold(BaseModel):
    """Times in UTC, `wait_s` and `talk_s` in seconds. Number, recording and case only where they
    may be known."""

    id: str
    direction: Literal["in", "out"]
    kind: str
    caller: str | None
    dialled: str | None
    started_at: Time
    answered_at: Time | None
    ended_at: Time | None
    outcome: Outcome | None
    branch: str | None
    path: list[Step]
    emergency: Literal["unreached", "reached"] | None
    queue: str | None
    agent: str | None
    wait_s: float | None
    talk_s: float
    satisfaction: int | None
    recording: str | None
    case_code: str | None


class CaseTold(BaseModel):
    """`phone`, `summary`, `answer` and `about` only with cases:personal; number and call never
    where the identity is hidden."""

    code: str
    status: Status
    identity: Identity
    sensitive: bool
    phone: str | None
    channel: str
    kind: Kind
    summary: str | None
    category: str | None
    area: str | None
    about: str | None
    dispatch_due_at: Time
    agency: str | None
    opened_at: Time
    assigned_at: Time | None
    due_at: Time
    resolved_at: Time | None
    answer: str | None
    version: int


class Calls(BaseModel):
    items: list[CallTold]
    next: str | None


class Cases(BaseModel):
    items: list[CaseTold]
    next: str | None


class StatusTold(BaseModel):
    """For the citizen whose case it is."""

    code: str
    status: Status
    status_vi: str
    agency: str | None
    opened_at: Time
    due_at: Time
    question: str | None  # what its agency asks the citizen
    answer: str | None


class CategoryTold(BaseModel):
    id: str
    vi: str
    en: str


class Categories(BaseModel):
    items: list[CategoryTold]


class AreaTold(BaseModel):
    code: str
    name: str
    named: str = Field(description="The unit of today or before whose name was found")


class Areas(BaseModel):
    items: list[AreaTold]


class AgencyTold(BaseModel):
    code: str
    name: str
    kind: str
    level: str
    area: str | None


class Agencies(BaseModel):
    items: list[AgencyTold]


class Counts(BaseModel):
    since: Time
    until: Time
    calls: dict[str, int]
    cases: dict[str, int]
    categories: dict[str, int]


class Invalid(BaseModel):
    at: str
    why: str


class Change(BaseModel):
    what: str
    at: Time
    before: str | None
    after: str | None


class ProblemTold(BaseModel):
    """RFC 9457. `errors` goes with `invalid`, `changes` and `version` with `stale`."""

    type: str
    title: str
    status: int
    code: str
    detail: str
    errors: list[Invalid] = []
    changes: list[Change] = []
    version: int = 0
