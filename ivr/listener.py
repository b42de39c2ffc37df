"""The listener: Asterisk's events become live rows. One process for each node.

It reads AMI without ever waiting for the database, keeps the mirror (ivr.live) in memory, and
writes what changed at most every 20 ms; what happens in the menus alone waits for more of it, since
each transaction costs more than the call did. When the connection comes, and every minute, it takes
a snapshot; what arrived meanwhile is applied after it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar

from sqlalchemy.exc import SQLAlchemyError

from crm import secrets
from crm.branches import ALL_QUEUES, EMERGENCY
from crm.database import Database
from crm.setting_values import Address
from crm.settings import Settings
from ivr import refused_phones
from ivr.ami import Link, LinkError
from ivr.answers import Answers
from ivr.anywhere import Requests
from ivr.commands import Commands, Result, for_settings
from ivr.journal_reader import Segment, segments
from ivr.live import CallRow, Changes, LiveMirror
from ivr.live_agents import AgentRow
from ivr.live_events import BadEventError, Headers, parse, parse_question, parse_snapshot
from ivr.live_facts import Asked, Held, OnTelephone, Snapshot, is_telephone
from ivr.live_store import Connection, LiveStore
from ivr.repair import carry_out, plan

log = logging.getLogger(__name__)
_T = TypeVar("_T")

WRITE_GAP_S = 0.02
KEEP_ATTEMPTS = 10
COMPLAIN_GAP_S = 1.0
REQUESTS_AT_ONCE = 4


@dataclass(frozen=True)
class Pace:
    """How often things happen, in seconds. A half-open link is noticed within
    `keep_alive_s` + ivr.ami.ANSWER_TIMEOUT_S."""

    keep_alive_s: float = 5.0
    resync_s: float = 60.0
    repair_again_s: float = 2.0
    elsewhere_s: float = 1.0
    requests_s: float = 0.2
    unpressed_s: float = 0.5
    seen_s: float = 5.0
    retry_from_s: float = 0.25
    retry_to_s: float = 5.0
    database_retry_s: float = 1.0


def main(settings: Settings, reply: Callable[[Asked], str]) -> None:
    """Run until SIGTERM or SIGINT. `reply` answers what callers ask, see `ivr.answers`."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    logging.getLogger("panoramisk").setLevel(logging.WARNING)  # it would log callers' numbers
    asyncio.run(_main(settings, reply))


async def _main(settings: Settings, reply: Callable[[Asked], str]) -> None:
    known = secrets.load(settings.home)
    commands = for_settings(settings, known)
    listener = Listener(
        LiveStore(Database.of(settings, pool_size=2), settings.node, settings),
        commands,
        Answers(reply, commands),
        node=settings.node,
        journal=settings.home / "journal",
        callback_tries=len(settings.callback_again_s),
        address=settings.ami_bind,
        password=known.ami_events,
        # as the queues are configured: nobody wraps up after an emergency
        wrapup_s={name: 0 if name == EMERGENCY else settings.wrapup_s for name in ALL_QUEUES},
        requests=(
            Requests(Database.of(settings, pool_size=REQUESTS_AT_ONCE), settings.node, commands)
            if len(settings.nodes) > 1 else None
        ),
    )
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    counting = asyncio.create_task(refused_phones.watch(
        Database.of(settings, pool_size=1), settings.ami_bind, known.ami_refused,
        known.phones, proxied=settings.proxies > 0,
    ))
    try:
        await listener.run(stop)
    finally:
        counting.cancel()


class Listener:
    """Keeps the live rows of one node equal to what its Asterisk does."""

    def __init__(
        self, store: LiveStore, commands: Commands, answers: Answers, *, node: str, journal: Path,
        callback_tries: int, address: Address, password: str, wrapup_s: dict[str, int],
        pace: Pace | None = None, requests: Requests | None = None,
    ) -> None:
        """`requests`: of other nodes, where there are several. What they set in the database is
        done here too."""
        self._requests = requests
        self._switches: dict[str, str] | None = None  # as Asterisk was told; None: not yet
        self.mirror = LiveMirror(wrapup_s)
        self.dropped = 0  # events that could not be used
        self.overflows = 0  # connections given up because events came too fast
        self._store = store
        self._commands = commands
        self._answers = answers
        self._node = node
        self._journal = journal
        self._callback_tries = callback_tries  # after the first
        self._address = address
        self._password = password
        self._pace = pace or Pace()
        self._writing = ThreadPoolExecutor(1, "write")
        self._commanding = ThreadPoolExecutor(1, "command")
        self._noting = ThreadPoolExecutor(1, "note")  # in order, and behind no repair
        self._serving = ThreadPoolExecutor(REQUESTS_AT_ONCE, "serve")
        self._connection = Connection(False, _now(), _now())
        self._last_connected: datetime | None = None
        self._changed = asyncio.Event()
        self._gathering: asyncio.TimerHandle | None = None  # sets `_changed`
        self._everything = True  # the next write is to say all
        self._database_gone = False
        self._seen_due = True
        self._pauses: dict[str, str] = {}
        self._resync_due = 0.0  # by time.monotonic()
        self._repair_due = False
        self._holds_due = False  # some may not stand in the journal as they are
        self._repair_delay_s = self._pace.repair_again_s
        self._repair: asyncio.Task[None] | None = None
        self._keeping: asyncio.Task[None] | None = None
        self._link: Link | None = None  # of now, or the last
        self._complained = -COMPLAIN_GAP_S

    async def run(self, stop: asyncio.Event) -> None:
        """Listen and write until `stop` is set; then say that nobody listens any more."""
        work = [
            asyncio.create_task(self._load_then_work(), name="listener"),
            asyncio.create_task(stop.wait(), name="stop"),
        ]
        try:
            done, _ = await asyncio.wait(work, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in work:
                task.cancel()
            await asyncio.gather(*work, return_exceptions=True)
        for task in done:
            task.result()  # an error ends the process: whoever watches it starts it again
        self._set_connected(False)
        with contextlib.suppress(SQLAlchemyError):
            await self._in_database(
                self._store.write, self.mirror.take(everything=True), self._connection
            )
        self._writing.shutdown()
        self._commanding.shutdown()
        self._noting.shutdown()
        self._serving.shutdown()
        self._answers.close()

    async def _load_then_work(self) -> None:
        calls, agents, before = await self._load()
        self.mirror.adopt(calls, agents)
        if before:
            self._last_connected = before.seen_at if before.connected else before.since
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._write_changes())
            tasks.create_task(self._say_seen())
            tasks.create_task(self._stay_connected())
            if self._requests:
                tasks.create_task(self._follow_others())
                tasks.create_task(self._serve_others(self._requests))

    # --- Asterisk ---

    async def _stay_connected(self) -> None:
        delay = self._pace.retry_from_s
        complained = ""
        while True:
            link = Link(self._address)
            try:
                await link.open("events", self._password)
                keep_alive = asyncio.create_task(link.keep_alive(self._pace.keep_alive_s))
                try:
                    await self._follow(link)
                finally:
                    keep_alive.cancel()
            except LinkError as error:
                if self._connection.connected:
                    log.warning("Connection to Asterisk at %s lost: %s", self._address, error)
                    delay, complained = self._pace.retry_from_s, ""
                elif str(error) != complained:
                    log.warning("No connection to Asterisk at %s: %s", self._address, error)
                    complained = str(error)
            finally:
                link.drop("not needed any longer")
                self._set_connected(False)
            await asyncio.sleep(delay)
            delay = min(delay * 2, self._pace.retry_to_s)

    async def _follow(self, link: Link) -> None:
        """Follow one connection to its end, which raises LinkError."""
        uptime = await self._booted(link)
        self._link = link
        self._switches = None
        self._note_pauses(uptime)
        self._repair_due = self._holds_due = True
        await self._resync(link)
        self._set_connected(True)
        log.info("Connected to Asterisk at %s, which runs for %d s", self._address, uptime)
        while True:
            await self._sleep(link)
            self._take_inbox(link)
            self.mirror.tick(_now())
            self._tell_changes()
            if time.monotonic() >= self._resync_due:
                await self._resync(link)

    async def _booted(self, link: Link) -> int:
        """Wait until Asterisk has started. Its uptime in seconds."""
        while True:
            while link.inbox:
                message = link.inbox.popleft()
                if message.get("Event") == "FullyBooted":
                    uptime = message.get("Uptime")
                    return int(uptime) if isinstance(uptime, str) and uptime.isdecimal() else 0
            await self._woken(link, None)

    async def _sleep(self, link: Link) -> None:
        """Until there are events, or time changes something."""
        timeout = self._resync_due - time.monotonic()
        if due := self.mirror.next_due():
            timeout = min(timeout, (due - _now()).total_seconds())
        await self._woken(link, max(timeout, 0.0))

    async def _woken(self, link: Link, timeout_s: float | None) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await link.wake.wait()
        link.wake.clear()
        if link.lost.done():
            self.overflows += link.lost.result() == "too many events at once"
            raise LinkError(link.lost.result())

    async def _resync(self, link: Link) -> None:
        """Take a snapshot. Events that come meanwhile wait in the inbox and are applied after:
        they may be older than the snapshot, which the mirror bears."""
        self._take_inbox(link)
        until = next(reversed(segments(self._journal)), None)
        channels = await link.ask("CoreShowChannels")
        queues = await link.ask("QueueStatus")
        snapshot = parse_snapshot(channels, queues, self._node, _now(), self._complain)
        self.mirror.resync(snapshot)
        self._take_inbox(link)
        self._tell_changes()
        self._resync_due = time.monotonic() + self._pace.resync_s
        if self._repair_due:
            self._repair_due = False
            self._repair = asyncio.create_task(self._repair_from(link, snapshot))
        if self._holds_due:
            self._holds_due = False
            legs = dict(one.leg for one in snapshot.channels if one.leg and one.bridge)
            if legs:
                self._note(self._commands.note_holds, legs)
        if until and (self._keeping is None or self._keeping.done()):
            self._keeping = asyncio.create_task(self._keep_places(snapshot, until))

    def _take_inbox(self, link: Link) -> None:
        while link.inbox:
            message: Headers = link.inbox.popleft()
            try:
                if question := parse_question(message, self._node, _now()):
                    self._answers.take(question)
                    continue
                event = parse(message, self._node, _now())
            except BadEventError as error:
                self._complain(error)
            else:
                if isinstance(event, OnTelephone):
                    self._repair_due, self._resync_due = True, time.monotonic()
                elif isinstance(event, Held):
                    self._note(self._commands.note_hold, event)
                elif event:
                    self.mirror.apply(event)

    def _note(self, note: Callable[[_T], Result], what: _T) -> None:
        """Note something in the journal. What fails is compared anew with the next snapshot."""
        def work() -> None:
            result = note(what)
            if not result.done:
                log.warning("A hold is not in the journal: %s %s", result.outcome, result.message)
                self._holds_due = True

        self._noting.submit(work)

    def _complain(self, error: BadEventError) -> None:
        self.dropped += 1
        if time.monotonic() - self._complained >= COMPLAIN_GAP_S:  # not a line for each of a flood
            self._complained = time.monotonic()
            log.warning("Dropped an AMI event (%d so far): %s", self.dropped, error)

    def _set_connected(self, connected: bool) -> None:
        now = _now()
        if self._connection.connected:
            self._last_connected = now
        since = self._connection.since if self._connection.connected is connected else now
        self._connection = Connection(connected, since, now)
        self._seen_due = True
        self._changed.set()

    # --- repairs ---

    def _note_pauses(self, uptime: int) -> None:
        """Keep the pauses that a restart of Asterisk may have lost, before the snapshot tells
        otherwise. Without a restart Asterisk is right: the agent may have acted meanwhile."""
        started = _now() - timedelta(seconds=uptime)
        if self._last_connected and started > self._last_connected:
            self._pauses = self.mirror.agents.pauses()
        else:
            self._pauses = {}

    async def _repair_from(self, link: Link, snapshot: Snapshot) -> None:
        """Repair beside the reading. What could not be done is tried again soon, from a new
        snapshot: until then agents may be in no queue."""

        def repair() -> bool:
            # whoever has come in from a telephone has left the seat, if there is one
            gone = {one.agent for one in snapshot.members if is_telephone(one.interface)}
            if gone:
                self._store.leave_seats(gone)
            repairs = plan(
                self._store.leases(), snapshot.members, self._pauses,
                self._store.on_telephones() if gone else (),
            )
            switches = self._store.switches()
            done = carry_out(self._commands, repairs, switches)
            self._switches = switches if done else None
            return done

        try:
            complete = await asyncio.get_running_loop().run_in_executor(self._commanding, repair)
        except SQLAlchemyError as error:
            log.warning("Asterisk is not compared with the database: %s", _reason(error))
            complete = False
        if complete:
            self._repair_delay_s = self._pace.repair_again_s
            return
        self._repair_due = True
        self._resync_due = min(self._resync_due, time.monotonic() + self._repair_delay_s)
        self._repair_delay_s = min(self._repair_delay_s * 2, self._pace.resync_s)
        link.wake.set()

    async def _follow_others(self) -> None:
        """Switches that are set on another node are set here, and phones whose lease ended there
        leave the queues here."""
        gone: set[str] = set()
        while True:
            await asyncio.sleep(self._pace.elsewhere_s)
            told = self._switches
            if told is None or not self._connection.connected:
                continue
            try:
                wanted = await self._in_database(self._store.switches)
                leased = {one.interface for one in await self._in_database(self._store.leases)}
            except SQLAlchemyError:
                continue  # whoever writes says so
            changed = {name: value for name, value in wanted.items() if told.get(name) != value}
            if changed:
                result = await asyncio.get_running_loop().run_in_executor(
                    self._commanding, self._commands.set_switches, changed
                )
                log.info("Switches of other nodes: %s: %s %s", ", ".join(changed),
                         result.outcome, result.message)
                if result.done and self._switches is told:
                    self._switches = told | changed
            # seen twice: the console releases a lease and then signs the phone out
            members = {
                row.interface for row in self.mirror.agents.rows.values()
                if row.interface and row.queues and not is_telephone(row.interface)
            }
            if gone & (left := members - leased):
                self._repair_due, self._resync_due = True, time.monotonic()
                if self._link is not None:
                    self._link.wake.set()
            gone = left

    async def _serve_others(self, requests: Requests) -> None:
        """Do what is asked at the consoles of other nodes of the calls and phones here."""
        while True:
            await asyncio.sleep(self._pace.requests_s)
            try:
                asked = await asyncio.get_running_loop().run_in_executor(
                    self._serving, requests.take)
            except SQLAlchemyError:
                continue  # whoever writes says so
            for request in asked:
                self._serving.submit(requests.carry_out, request)

    async def _keep_places(self, snapshot: Snapshot, until: Segment) -> None:
        """Keep again the places of calls back that Asterisk has lost: it died, or had no channel
        left. Only what is still promised after all that the journal said before the snapshot."""
        kept = {channel.place for channel in snapshot.channels if channel.place}
        try:
            for _ in range(KEEP_ATTEMPTS):
                promised = await self._in_database(self._store.callbacks, self._journal, until)
                if promised is not None:
                    break
                await asyncio.sleep(self._pace.repair_again_s)
            else:
                return  # the next snapshot is compared again
        except SQLAlchemyError as error:
            log.warning("Calls back are not compared with the database: %s", _reason(error))
            return
        for request in promised:
            if request.number not in kept:
                result = await asyncio.get_running_loop().run_in_executor(
                    self._commanding, self._commands.keep_place, request,
                    min(request.tries, self._callback_tries),
                )
                log.warning(
                    "The place of a call back is kept again: %s: %s %s",
                    request.id, result.outcome, result.message,
                )

    # --- the database ---

    def _tell_changes(self) -> None:
        if self.mirror.is_pressing:
            self._changed.set()
        elif self.mirror.has_changes and self._gathering is None:
            loop = asyncio.get_running_loop()
            self._gathering = loop.call_later(self._pace.unpressed_s, self._changed.set)

    async def _say_seen(self) -> None:
        while True:
            await asyncio.sleep(self._pace.seen_s)
            self._seen_due = True
            self._changed.set()

    async def _load(self) -> tuple[list[CallRow], list[AgentRow], Connection | None]:
        while True:
            try:
                return await self._in_database(self._store.load)
            except SQLAlchemyError as error:
                await self._bear(error)

    async def _write_changes(self) -> None:
        """Write whatever changed; all that comes during a write goes into the next one."""
        while True:
            await self._changed.wait()
            self._changed.clear()
            if self._gathering:
                self._gathering.cancel()
                self._gathering = None
            changes = self.mirror.take(everything=self._everything)
            connection = replace(self._connection, seen_at=_now()) if self._seen_due else None
            if changes == Changes() and connection is None:
                continue
            self._everything = self._seen_due = False
            next_write = time.monotonic() + WRITE_GAP_S
            try:
                await self._in_database(self._store.write, changes, connection)
            except SQLAlchemyError as error:
                # what was taken is not written: the next write says everything
                self._everything = self._seen_due = True
                self._changed.set()
                await self._bear(error)
                continue
            if self._database_gone:
                self._database_gone = False
                log.info("The database is back")
            await asyncio.sleep(max(next_write - time.monotonic(), 0))

    async def _bear(self, error: SQLAlchemyError) -> None:
        if not self._database_gone:
            log.warning("No database, the live state is kept in memory: %s", _reason(error))
        self._database_gone = True
        await asyncio.sleep(self._pace.database_retry_s)

    async def _in_database(self, act: Callable[..., _T], *values: object) -> _T:
        return await asyncio.get_running_loop().run_in_executor(self._writing, act, *values)


def _now() -> datetime:
    return datetime.now(UTC)


def _reason(error: SQLAlchemyError) -> str:
    """The first line of the driver's words: the rest holds the statement and its values."""
    return str(getattr(error, "orig", None) or type(error).__name__).partition("\n")[0]
