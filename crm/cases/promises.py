"""What follows from each change of a case, and from the clock: links and messages to the people of
agencies, messages to the citizen, reminders, and who hears of what is late.

A case whose `next_step_at` has come is followed in a transaction of its own: everybody is told of
what has happened since it was followed last, then the reminders that are due, then the time of the
next step is set. Whatever dies in between, it is done once.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from crm.agencies import officers
from crm.agencies.models import Officer, Post
from crm.agencies.register import standing
from crm.cases import deadlines, duty, life, links, questions, texts
from crm.cases.categories import category_named
from crm.cases.deadlines import Clock
from crm.cases.groups import doubles
from crm.cases.life import AT_AGENCY, AT_DESK, ENDED, Mover
from crm.cases.models import Agency, Case, CaseEvent, Identity, Status
from crm.cases.routing import OFFICE
from crm.cases.steps import Series, Situation, Step, due_steps
from crm.intake import mail
from crm.notices import outbox
from crm.notices.outbox import Channel, Purpose

SYSTEM = "system"
LATE_AUTO = "quá 5 phút chưa chuyển"  # why the clock has sent a case on
_ANEW = (Status.ASSIGNED, Status.EXTENDED, *AT_DESK)  # reminders begin anew
_RESULTS = (Status.RESOLVED, Status.REJECTED)
_MOBILE = ("03", "05", "07", "08", "09")


@dataclass(frozen=True)
class People:
    """Who of the hotline hears of cases, and where its pages are. Telephone numbers."""

    dispatchers: tuple[str, ...]
    deputies: tuple[str, ...]
    address: str  # https://host:port
    close_after: timedelta


def waiting(session: Session, now: datetime, limit: int) -> list[int]:
    """The ids of the cases that are to be followed now."""
    found = select(Case.id).where(Case.next_step_at <= now)
    return list(session.scalars(found.order_by(Case.next_step_at).limit(limit)))


def follow(session: Session, case_id: int, now: datetime, people: People) -> None:
    """Do all that is due for one case, and note when it is to be followed again. Nothing, where
    another is doing it, or has."""
    case = session.scalar(
        select(Case).where(Case.id == case_id, Case.next_step_at <= now)
        .with_for_update(skip_locked=True)
    )
    if case is None:
        return
    follower = _Follower(session, case, now, people)
    follower.tell_events()
    works = deadlines.working_days(session)
    situation = _situation(case, people)
    steps, next_at = due_steps(situation, _done(session, case), now, works)
    for step in steps:
        follower.take(step)
    if follower.tell_events():  # the clock has moved the case
        steps, next_at = due_steps(_situation(case, people), _done(session, case), now, works)
        next_at = now if steps else next_at
    case.next_step_at = next_at
    session.flush()


def _situation(case: Case, people: People) -> Situation:
    clock = category_named(case.category).deadline.clock if case.category else None
    ended = case.resolved_at or case.due_at
    return Situation(
        Status(case.status), clock, case.dispatch_due_at, case.assigned_at, case.due_at,
        ended + people.close_after if case.status in ENDED else None,
    )


def _done(session: Session, case: Case) -> dict[Series, int]:
    """The last step of each series since the case last went to the desk or to an agency."""
    done: dict[Series, int] = {}
    for event in life.events_of(session, case):
        if event.after in _ANEW and event.what in ("moved", "reopen"):
            done.clear()
        elif event.what == "reminded" and event.details:
            done[Series(event.details["series"])] = event.details["number"]
    return done


class _Follower:
    """Tells people of one case."""

    def __init__(self, session: Session, case: Case, now: datetime, people: People) -> None:
        self._session = session
        self._case = case
        self._now = now
        self._people = people

    def tell_events(self) -> bool:
        """Tell of what has happened since last time; whether anything had."""
        events = self._session.scalars(
            select(CaseEvent).where(
                CaseEvent.case_id == self._case.id, CaseEvent.id > self._case.followed
            ).order_by(CaseEvent.id)
        ).all()
        for event in events:
            self._tell(event)
            self._case.followed = event.id
        return bool(events)

    def take(self, step: Step) -> None:
        """Carry out one step of the clock."""
        if step.series is Series.CLOSE:
            life.move(
                self._session, self._case, Status.CLOSED, by=SYSTEM, now=self._now,
                mover=Mover.SYSTEM,
            )
            return
        if step.series is Series.DISPATCH and self._sent_on():
            return
        told = self._remind(step)
        life.note(
            self._session, self._case, SYSTEM, self._now, "reminded",
            details={"series": step.series, "number": step.number, "told": told},
        )
        if step.series is Series.UNOPENED and self._by_the_hour():
            duty.begin(self._session, self._case, self._now)

    def _tell(self, event: CaseEvent) -> None:
        case, key = self._case, f"event:{event.id}"
        if event.what == "opened":
            self._citizen(case, "case_received", key)
        elif event.what == "classified" and case.assigned_at is None:
            self._end_hands()  # taken from the agency that it is about
        elif event.what == "draft":
            self._hand_out(Post.LEADER, "officer_approve", key)
        elif event.what == "returned":
            self._hand_out(Post.OFFICER, "officer_rewrite", key)
        elif event.what == "info" and event.note and case.status in AT_AGENCY:
            self._hand_out(Post.OFFICER, "case_added", key)
        elif event.what == "sent_again" and case.status in AT_AGENCY:
            self._hand_out(Post.OFFICER, "officer_link", key)
        elif event.what == "joined" and case.status in ENDED:
            self._tell_doubles()
        elif event.after and event.after != event.before and event.what in ("moved", "reopen"):
            self._moved(Status(event.after), key)
        elif event.what == "moved" and event.after == Status.ASSIGNED:
            self._moved(Status.ASSIGNED, key)

    def _moved(self, to: Status, key: str) -> None:
        case = self._case
        if to not in (Status.IN_PROGRESS, Status.NEED_INFO, Status.EXTENDED):
            self._end_hands()
        if to is Status.IN_PROGRESS:
            duty.end(self._session, case)
        if to is Status.ASSIGNED and case.agency is not None and case.status == to:
            self._hand_out(Post.OFFICER, "officer_link", key)
            if self._by_the_hour() and not deadlines.in_office_hours(
                self._now, deadlines.working_days(self._session)
            ):
                duty.begin(self._session, case, self._now)
        if to in texts.OF_MOVES:
            self._citizen(case, texts.OF_MOVES[to], key)
        if to in _RESULTS:
            self._tell_doubles()

    def _end_hands(self) -> None:
        links.end_all(self._session, self._case, self._now)
        duty.end(self._session, self._case)

    def _tell_doubles(self) -> None:
        """Each once of each result, whether it was joined before or after."""
        result = self._session.scalar(select(func.max(CaseEvent.id)).where(
            CaseEvent.case_id == self._case.id, CaseEvent.after.in_(_RESULTS)
        ))
        for double in doubles(self._session, self._case):
            self._citizen(double, "double_ended", f"result:{result}")

    def _citizen(self, case: Case, name: str, key: str) -> None:
        """The text of this name to whoever the case was opened with, where that is a telephone that
        shows messages, or an e-mail address."""
        phone, key = case.phone, f"{key}:citizen:{case.id}"
        if phone and case.identity != Identity.ANONYMOUS and phone.startswith(_MOBILE):
            text = texts.of_case(name, case)
            self._sms([phone], text, key, Purpose.CASE, urgent=False)
        elif address := mail.answers_to(self._session, case, self._now):
            told = texts.by_mail(name, case, questions.asked(self._session, case))
            outbox.write(
                self._session, channel=Channel.EMAIL, recipient=address, now=self._now,
                subject=told.subject, body=told.body, purpose=Purpose.CASE, case_id=case.id,
                key=key,
            )

    def _hand_out(self, post: Post, text: str, key: str) -> None:
        """A link of their own, in this text, to everybody with this post in the agency."""
        case = self._case
        people = self._of(case.agency, post)
        for officer in people:
            token = links.hand_out(self._session, case, officer, self._now)
            link = f"{self._people.address}/o/{token}"
            said = texts.of_case(text, case, url=link)
            self._sms([officer.phone], said, f"{key}:{officer.id}", Purpose.LINK)
        if not people and case.agency is not None:
            self._sms(
                self._people.dispatchers, texts.of_case("case_nobody", case),
                f"{key}:desk", Purpose.REMINDER,
            )

    def _remind(self, step: Step) -> int:
        """Whoever should do something, and from the second time on whoever is above them."""
        case, key = self._case, f"step:{self._case.id}:{self._case.followed}:{step.series}"
        numbers: list[str] = []
        if step.series is Series.DISPATCH:
            numbers += self._people.dispatchers
        else:
            numbers += self._phones(case.agency, Post.OFFICER)
            if step.series is Series.OVERDUE or step.number > 0:
                numbers += self._phones(case.agency, Post.LEADER)
        if step.number > 0 and step.series is not Series.BEFORE:
            numbers += self._people.deputies
            if step.series is Series.OVERDUE:
                numbers += self._phones(self._office(), Post.LEADER)
        numbers = list(dict.fromkeys(numbers)) or list(self._people.dispatchers)
        text = texts.of_step(step, case)
        return self._sms(numbers, text, f"{key}:{step.number}", Purpose.REMINDER)

    def _sent_on(self) -> bool:
        """What counts hours is sent on by the clock where a route names its agency; a person
        decides over what is sensitive, was given back or reopened."""
        case = self._case
        if case.status != Status.CLASSIFIED or not self._by_the_hour() or case.sensitive:
            return False
        to = life.suggested(self._session, case, self._now)
        if to is None or to.why == "fallback":
            return False
        if to.agency.code in life.agencies_of(self._session, case):
            return False
        life.move(
            self._session, case, Status.ASSIGNED, by=SYSTEM, now=self._now, agency=to.agency.code,
            reason=LATE_AUTO, mover=Mover.SYSTEM,
        )
        return True

    def _by_the_hour(self) -> bool:
        category = self._case.category
        return category is not None and category_named(category).deadline.clock is Clock.HOURS

    def _of(self, agency: Agency | None, post: Post) -> Sequence[Officer]:
        return officers.of_agency(self._session, agency, post, self._now) if agency else ()

    def _phones(self, agency: Agency | None, post: Post) -> list[str]:
        return [one.phone for one in self._of(agency, post)]

    def _office(self) -> Agency | None:
        """The province's own, above all others; nobody, where the case is about it."""
        found = {one.code: one for one in standing(self._session, self._now)}.get(OFFICE)
        about = self._case.about
        return None if found is None or (about and about.id == found.id) else found

    def _sms(
        self, numbers: Iterable[str], text: str, key: str, purpose: Purpose, *, urgent: bool = True
    ) -> int:
        written = [
            outbox.write(
                self._session, channel=Channel.SMS, recipient=number, body=text, now=self._now,
                purpose=purpose, case_id=self._case.id, key=f"{key}:{number}", urgent=urgent,
            )
            for number in numbers
        ]
        return sum(one is not None for one in written)

