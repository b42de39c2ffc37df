"""Every call accounted for from three sides: who called, the journal, the database."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from sqlalchemy import func, select

from crm.models import Call, Callback, JournalGap, LiveAgent, Outcome
from crm.recordings import store
from crm.recordings.models import Kind
from ivr import ledger
from ivr.journal_reader import segments
from tests.faults.people import BRIDGED_S, SPEAKS_S, Seen
from tests.faults.world import World
from tests.live.running import Hotline

COMPLETE_S = 90.0  # after all is back; what is promised is 60, of a machine with nothing else to do
GIVEN_UP = {Outcome.ABANDONED_MENU, Outcome.ABANDONED_QUEUE, Outcome.SELF_SERVED}
COULD_BE = {  # what may become of a caller's way when the caller is heard and nothing dies
    "hears the greeting": {Outcome.ABANDONED_MENU, Outcome.SELF_SERVED},
    "goes into a menu": {Outcome.ABANDONED_MENU, Outcome.SELF_SERVED},
    "goes round the menus": {Outcome.ABANDONED_MENU, Outcome.SELF_SERVED},
    "waits for a person": {*GIVEN_UP, Outcome.ANSWERED},
    "leaves a message": {*GIVEN_UP, Outcome.VOICEMAIL},
    "wants to be called back": {*GIVEN_UP, Outcome.ANSWERED, Outcome.CALLBACK},
}
WORKS = ("ready", "ringing", "talking", "wrapup")


@dataclass(frozen=True)
class Permitted:
    """What a fault may do besides: calls lost in progress, gaps named in the journal (at least and
    at most), callers not answered, messages not taken, callers led on before they were done."""

    lost: bool = False
    gaps: tuple[int, int] = (0, 0)
    unanswered: bool = False
    no_messages: bool = False
    hurried: bool = False


@dataclass
class Account:
    """What was found; `faults` is empty when every promise was kept."""

    calls: int = 0
    answered: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    messages: int = 0
    callbacks: int = 0
    gaps: int = 0
    faults: list[str] = field(default_factory=list)


def settle(
    world: World, seen: list[Seen], permitted: Permitted, gaps_before: int, began: float
) -> Account:
    """The account, once it is complete or the time for that is over."""
    deadline = time.monotonic() + COMPLETE_S
    while True:
        found = _account(world, seen, permitted, gaps_before, began)
        if not found.faults or time.monotonic() > deadline:
            return found
        time.sleep(1)


def gaps(hotline: Hotline) -> int:
    with hotline.database.reading() as session:
        return session.scalars(select(func.count(JournalGap.id))).one()


def _account(
    world: World, seen: list[Seen], permitted: Permitted, gaps_before: int, began: float
) -> Account:
    hotline, people = world.hotline, world.people
    account = Account(len(seen), sum(one.answered for one in seen))
    numbers = {one.number for one in seen}
    told = _told(hotline)
    with hotline.database.reading() as session:
        rows: dict[str, list[Call]] = defaultdict(list)
        for row in session.scalars(select(Call).where(
            Call.caller.in_(numbers), Call.direction == "in"
        )):
            rows[row.caller or ""].append(row)
        promised = Counter(session.scalars(
            select(Callback.number).where(Callback.number.in_(numbers))
        ))
        agents = {one.login: one.state for one in session.scalars(select(LiveAgent))}
        book = ledger.check(session, hotline.home / "journal", "th1")
    account.gaps = book.gaps - gaps_before
    account.callbacks = sum(promised.values())
    spoke = {
        caller for caller, at, seconds in people.talks
        if at >= began and seconds >= BRIDGED_S
    } - set(people.rung)  # an agent who calls somebody back sees that number too
    for one in seen:
        for why in _doubts(one, rows[one.number], told.get(one.number, set()), permitted,
                           one.number in spoke, promised[one.number]):
            account.faults.append(f"{one.number}, {one.way}: {why}")
        account.outcomes.update(str(row.outcome) for row in rows[one.number])
        account.messages += sum(row.voicemail is not None for row in rows[one.number])
        if one.kept and one.way == "leaves a message":
            account.faults += _message(world, one, rows[one.number], permitted)
    if book.unread_bytes:
        account.faults.append(f"{book.unread_bytes} bytes of the journal are not read")
    account.faults += [f"{one.call_id}: {one.why}" for one in book.unexplained]
    least, most = permitted.gaps
    if not least <= account.gaps <= most:
        account.faults.append(f"{account.gaps} gaps in the journal")
    account.faults += [
        f"{one} is {agents.get(one)}" for one in people.agents if agents.get(one) not in WORKS
    ]
    if calls := hotline.ask("core show channels concise").count("PJSIP/trunk-"):
        account.faults.append(f"{calls} callers are still on the line")
    return account


def _told(hotline: Hotline) -> dict[str, set[str]]:
    """Which calls the journal tells of each number; call back and command legs are none."""
    found: dict[str, set[str]] = defaultdict(set)
    for segment in segments(hotline.home / "journal"):
        for event in ledger.events_of(segment, segment.size):
            if event.type == "HL_CALL" and event.is_callers:
                found[event.extra.get("caller", "")].add(event.uniqueid)
    return found


def _doubts(
    one: Seen, rows: list[Call], told: set[str], permitted: Permitted, spoke: bool, promises: int
) -> Iterable[str]:
    if not one.answered:
        if not permitted.unanswered:
            yield f"not answered ({one.code})"
        if len(rows) > 1:
            yield f"{len(rows)} rows of a call that was not answered"
        return
    if len(rows) != 1:
        yield f"{len(rows)} rows"
        return
    if one.trouble and not permitted.lost and not permitted.unanswered:
        yield f"the hotline did not answer the telephone: {one.trouble}"
    row = rows[0]
    if told != {row.id} and not permitted.gaps[1]:
        yield f"the journal tells of {sorted(told)}, the row is {row.id}"
    if row.outcome == Outcome.LOST and permitted.lost:
        return
    to_agents = row.outcome == Outcome.ANSWERED and (permitted.no_messages or permitted.hurried)
    if row.outcome not in COULD_BE[one.way] and not to_agents:
        yield f"became {row.outcome}"
    if row.ended_at is not None and row.ended_at < row.started_at:
        yield "it ended before it began"
    yield from _promises(one, row, spoke=spoke, promises=promises)
    heard = [step["key"] for step in row.path if step["key"]]
    if one.way == "goes into a menu" and one.pressed and heard[:1] != ["3"]:
        yield f"pressed 3, and the hotline took {heard}"


def _promises(one: Seen, row: Call, *, spoke: bool, promises: int) -> Iterable[str]:
    if spoke and row.outcome != Outcome.ANSWERED:
        yield f"spoke with an agent, and became {row.outcome}"
    if promises > 1:
        yield f"is to be called back {promises} times"
    if one.kept and one.way == "wants to be called back" and not spoke and not promises and (
        row.outcome != Outcome.ANSWERED
    ):
        yield "was told of a call back, which nobody knows of"
    if bool(promises) != (row.outcome == Outcome.CALLBACK) and row.outcome != Outcome.ANSWERED:
        yield f"{promises} calls back are promised, and it became {row.outcome}"


def _message(
    world: World, one: Seen, rows: list[Call], permitted: Permitted
) -> Iterable[str]:
    """Who was thanked for a message has left one, as long as was spoken. A hotline that stood still
    beeped later by as long, or heard as much less."""
    files = [row.voicemail for row in rows if row.voicemail]
    if permitted.no_messages and not files:
        return
    if len(files) != 1:
        yield f"{one.number} left a message, there are {len(files)}"
        return
    try:
        with store.opened(world.hotline.home, Kind.VOICEMAIL, files[0]) as sound:
            seconds = (len(sound.read()) - 44) / 16_000
    except OSError as error:
        yield f"the message of {one.number}: {error}"
        return
    deaf_s = sum(
        max(0.0, min(until, one.spoke_until) - max(since, one.answered_at))
        for since, until in world.stood_still
    )
    if seconds < SPEAKS_S - 1 - deaf_s:
        yield f"the message of {one.number} has {seconds:.1f} s"
