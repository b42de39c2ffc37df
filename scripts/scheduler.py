"""The scheduler process: what happens by the clock and belongs to no call."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

from apscheduler.events import (  # type: ignore[import-untyped]
    EVENT_JOB_ERROR,
    EVENT_JOB_MISSED,
    JobExecutionEvent,
)
from apscheduler.schedulers.background import BackgroundScheduler  # type: ignore[import-untyped]

from crm import audit, bulletins, secrets, switches, users
from crm.api import posts, repeats, webhooks
from crm.archive import people
from crm.archive.months import Archive
from crm.archive.rows import ArchiveError
from crm.broadcasts import board as broadcast_board
from crm.broadcasts import load, sending
from crm.broadcasts.models import Stage
from crm.calls import waits
from crm.cases import attachments, duty, incidents, life, lookup, promises, questions
from crm.database import Database
from crm.intake import mailbox, zalo
from crm.intake.mail import Taken
from crm.knowledge import points
from crm.notices import board, delivery, numbers, outbox, receipts, routes, voice
from crm.privacy import erasure, resealing
from crm.recordings import store
from crm.reports import schedule, subscriptions
from crm.settings import Settings
from crm.shifts import handovers, standing
from crm.turns import Turn
from ivr import commands, doctor, ledger, provision
from ivr.tls import console_address
from prompts.catalogue import Catalogue
from prompts.phrases import Phrases
from prompts.said import FOLDER, Said
from scripts import broadcasts, privacy, reports, speech
from scripts.asterisk_logs import AsteriskLogs

log = logging.getLogger(__name__)

TOLD_AT_ONCE = 4  # citizens who are rung in one round
FOLLOWED_AT_ONCE = 200  # cases
VERIFIED_FOR = timedelta(hours=2)  # of a night: what is left is read in the next ones


def main(settings: Settings, stop: threading.Event) -> None:
    """Run the jobs until told to stop. A job that fails is logged and tried at its next time. Of
    several nodes one does what is `once`."""
    database = Database.of(settings)
    turn = Turn(database, "jobs")

    def once(job: Callable[[], None]) -> Callable[[], None]:
        return lambda: job() if turn.is_ours() else None

    jobs = Jobs(settings, database, stop)
    # One run at a time, late runs caught up once: a suspended machine must not wake to a storm.
    scheduler = BackgroundScheduler(
        timezone="Asia/Ho_Chi_Minh",
        job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": 3600},
    )
    # it would log each failure with a page of its own
    logging.getLogger("apscheduler.executors").setLevel(logging.CRITICAL)
    scheduler.add_listener(_report, EVENT_JOB_ERROR | EVENT_JOB_MISSED)
    scheduler.add_job(once(jobs.send_notices), "interval", seconds=3, id="notices")
    scheduler.add_job(once(jobs.follow_cases), "interval", seconds=5, id="promises")
    scheduler.add_job(once(jobs.ring_duty), "interval", seconds=10, id="duty telephones")
    scheduler.add_job(once(jobs.attend_notices), "interval", seconds=5, id="reports on notices")
    scheduler.add_job(once(jobs.watch_notices), "interval", minutes=5, id="undelivered notices",
                      next_run_time=datetime.now(UTC))
    scheduler.add_job(once(jobs.wake_broadcasts), "interval", seconds=2, id="broadcasts")
    scheduler.add_job(once(jobs.count_calls_back),
                          "interval", minutes=30, id="calls after broadcasts")
    scheduler.add_job(once(jobs.tell_webhooks), "interval", seconds=10, id="webhooks")
    scheduler.add_job(once(jobs.do_privacy_requests), "interval", minutes=1, id="personal data")
    scheduler.add_job(once(jobs.verify_sounds), "cron", hour=1, minute=7, id="sealed recordings")
    scheduler.add_job(once(jobs.archive), "cron", hour=2, minute=37, id="archive")
    scheduler.add_job(once(jobs.judge_waits), "interval", minutes=5, id="told waits")
    scheduler.add_job(once(jobs.tell_affected), "interval", seconds=20, id="ends of incidents")
    scheduler.add_job(once(jobs.watch_handovers), "interval", minutes=1, id="handovers of shifts")
    scheduler.add_job(once(jobs.forget_sessions), "cron", hour=3, minute=20, id="sessions")
    scheduler.add_job(database.analyze, "cron", hour=3, minute=50, id="statistics of rows")
    scheduler.add_job(once(jobs.note_audit_head),
                          "cron", hour=0, minute=1, id="head of cases' events")
    # every minute, and not only at 17:00: what was missed is made up as soon as it can be
    scheduler.add_job(once(jobs.daily_report), "cron", second=0, id="daily report",
                      next_run_time=datetime.now(UTC))
    scheduler.add_job(once(jobs.publish_figures), "interval", seconds=30, id="figures for key 8")
    scheduler.add_job(once(jobs.count_days), "interval", minutes=10, id="counts by day",
                      next_run_time=datetime.now(UTC))
    if settings.imap_server:
        scheduler.add_job(once(jobs.read_mail), "interval", minutes=1, id="citizens' mail")
    scheduler.add_job(once(jobs.service_reports),
                          "interval", minutes=5, id="reports on the service",
                      next_run_time=datetime.now(UTC))
    scheduler.add_job(once(jobs.fetch_files), "interval", seconds=20, id="files of messages")
    scheduler.add_job(once(jobs.forget_files), "cron", hour=3, minute=40, id="files without a case")
    _see_to_this_node(scheduler, jobs, settings)
    scheduler.start()
    log.info("jobs: %s", ", ".join(job.id for job in scheduler.get_jobs()))
    stop.wait()
    scheduler.shutdown(wait=False)
    jobs.close()
    turn.give_up()


def _see_to_this_node(scheduler: BackgroundScheduler, jobs: Jobs, settings: Settings) -> None:
    """What each node does for its own files and its own Asterisk."""
    if settings.other_nodes:
        scheduler.add_job(jobs.erase_here, "interval", minutes=1, id="erased elsewhere")
    scheduler.add_job(jobs.mask_asterisk_logs, "interval", seconds=5, id="Asterisk's logs")
    scheduler.add_job(jobs.seal_sounds, "interval", seconds=20, id="recordings")
    scheduler.add_job(jobs.seal_journal, "cron", minute=41, id="journal")
    scheduler.add_job(jobs.tidy, "cron", hour=2, minute=17, id="retention")
    scheduler.add_job(jobs.examine, "interval", minutes=10, id="doctor",
                      next_run_time=datetime.now(UTC))
    scheduler.add_job(jobs.check_ledger, "cron", minute=7, id="ledger")
    scheduler.add_job(jobs.mend_prompts, "interval", minutes=1, id="prompts",
                      next_run_time=datetime.now(UTC))
    scheduler.add_job(jobs.say_saved_texts, "interval", seconds=10, id="saved texts",
                      next_run_time=datetime.now(UTC))
    if settings.voice != "espeak":
        scheduler.add_job(jobs.better_voice, "interval", minutes=10, id="voice",
                          next_run_time=datetime.now(UTC))


class Jobs:
    """The jobs; each may be run at any time and as often as one likes."""

    def __init__(
        self, settings: Settings, database: Database, stop: threading.Event,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._clock = clock
        self._settings = settings
        self._database = database
        self._stop = stop
        self._asterisk_logs = AsteriskLogs(settings.home)
        self._lists: list[str] = []  # of contact points, as they were said last
        self._spoken: frozenset[str] | None = None  # what has its sound already
        self._sounds: list[Path] | None = None  # of the catalogue
        self._trouble = board.Trouble(0, 0)  # as it was told to the engineers
        self._said = Said(provision.sounds(settings.home), settings.cache)
        self._wakes = broadcasts.Wakes(settings)
        self._smpp = routes.smpp_link(settings, database, clock)
        self._routes = routes.routes(
            settings, database, clock, sms_link=self._smpp, ring=self._ring
        )

    def close(self) -> None:
        """Leave the SMSC."""
        self._wakes.close()
        if self._smpp is not None:
            self._smpp.close()

    def send_notices(self) -> None:
        """Deliver what waits, where a provider is set."""
        delivery.deliver(
            self._database, self._routes, self._clock, self._settings.quiet_hours
        )

    def follow_cases(self) -> None:
        """Tell people of what has happened to cases and of what is due. One that cannot be followed
        stops no other."""
        now = self._clock()
        with self._database.reading() as session:
            waiting = promises.waiting(session, now, FOLLOWED_AT_ONCE)
        people = promises.People(
            self._settings.dispatch_phones, self._settings.deputy_phones,
            console_address(self._settings), timedelta(days=self._settings.close_after_days),
        )
        for case_id in waiting:
            try:
                with self._database.transaction() as session:
                    promises.follow(session, case_id, now, people)
            except Exception as error:
                log.exception("case %d cannot be followed", case_id)
                with self._database.transaction() as session:
                    outbox.alarm(
                        session, self._settings, subject=f"case {case_id}", now=now,
                        body=f"a case cannot be followed ({type(error).__name__}), see the log",
                    )

    def ring_duty(self) -> None:
        """Ring the telephones on duty for what cannot wait."""
        with self._database.transaction() as session:
            ringing = duty.due(session, self._clock(), TOLD_AT_ONCE)
        if not ringing:
            return
        telephone = commands.for_settings(self._settings, secrets.load(self._settings.home))
        phrases = Phrases(Catalogue.load(), self._said)
        for one in ringing:
            result = telephone.ring_duty(one.number, one.code, phrases.duty(one.code))
            if not result.done:
                log.error("a telephone on duty was not rung: %s", result)

    def attend_notices(self) -> None:
        """Take in what the SMSC reports."""
        if self._smpp is not None:
            self._smpp.attend()

    def watch_notices(self) -> None:
        """Messages that fail or do not get away alarm; who did not listen is rung again."""
        now = self._clock()
        with self._database.transaction() as session:
            routes.note_foreign_use(session, self._settings, now)
            receipts.forget_strays(session, now)
            voice.again(session, now)
            trouble = board.trouble(session, self._settings, now)
            before = self._trouble
            if trouble.late > before.late or trouble.failed > before.failed:
                outbox.alarm(
                    session, self._settings, subject="notices", now=now,
                    body=f"{trouble.late} messages wait for 10 minutes, {trouble.failed} failed, "
                         "see hotline notice list",
                )
            self._trouble = trouble

    def _ring(self, outgoing: delivery.Outgoing) -> str:
        """Ring for a spoken notice, once its text is there as sound."""
        if (sound := self._said.sound_of(outgoing.body)) is None:
            raise delivery.Undelivered("its sound is not made yet", final=False)
        call = voice.call_of(self._settings.node, outgoing)
        telephone = commands.for_settings(self._settings, secrets.load(self._settings.home))
        result = telephone.tell(
            numbers.domestic(outgoing.recipient), sound.removeprefix(f"{FOLDER}/"), call
        )
        if not result.done:
            raise delivery.Undelivered(f"not rung: {result}", final=False)
        return call

    def wake_broadcasts(self) -> None:
        """Wake the workers for broadcasts that run; see to what dead workers left behind."""
        with self._database.reading() as session:
            found = sending.at_work(session)
        for broadcast_id in found:
            with self._database.transaction() as session:
                stage = sending.tend(session, self._settings, broadcast_id, self._clock()).stage
            if stage == Stage.RUNNING:
                self._wakes.wake(broadcast_id)

    def count_calls_back(self) -> None:
        """How many called after a broadcast tells how fast the next one may go."""
        with self._database.transaction() as session:
            load.count_back(session, self._clock())

    def tell_webhooks(self) -> None:
        """Tell other programs what happened to cases."""
        posts.deliver(self._database, self._settings, self._clock())

    def read_mail(self) -> None:
        """Citizens' mails become cases."""
        now = self._clock()
        try:
            done = mailbox.read(self._settings, self._database, self._clock)
        except mailbox.MailboxError as error:
            log.error("%s", error)
            with self._database.transaction() as session:
                outbox.alarm(
                    session, self._settings, subject="mailbox", body=str(error), now=now
                )
            return
        if done:
            log.info("mails: %s", ", ".join(f"{count} {what}" for what, count in done.items()))
        if failed := done[Taken.FAILED]:
            with self._database.transaction() as session:
                outbox.alarm(
                    session, self._settings, subject="mails", now=now,
                    body=f"{failed} mails cannot be taken in, see the log",
                )

    def fetch_files(self) -> None:
        """Pictures that citizens sent through Zalo."""
        zalo.fetch_files(self._database, self._settings, self._clock)

    def forget_files(self) -> None:
        """Delete files that belong to no case."""
        with self._database.reading() as session:
            gone = attachments.forget_strays(self._settings.home, session, self._clock())
        if gone:
            log.info("%d files without a case are deleted", gone)

    def do_privacy_requests(self) -> None:
        """Erase and write out what was agreed to; remind of what is nearly due. Files come first:
        whatever dies in between, it is done again."""
        privacy.fulfil(self._database, self._settings, self._clock())
        privacy.remind(self._database, self._settings, self._clock())
        privacy.remind_of_breaches(self._database, self._settings, self._clock())

    def erase_here(self) -> None:
        """What another node has erased goes from this one's own files."""
        made = secrets.load(self._settings.home)
        if number := erasure.catch_up(self._database, self._settings.home, made):
            log.info("%d numbers that were erased are out of this node's files", number)

    def seal_sounds(self) -> None:
        """Seal what was recorded of calls that are over, and delete what was discarded."""
        store.seal_ended(self._database, self._settings.home, self._clock())

    def verify_sounds(self) -> None:
        """Read sealed recordings and messages whole, from where the last night ended; what is not
        as it was sealed alarms."""
        began = self._clock()
        with self._database.reading() as session:
            last = store.verified_last(session)
        broken = []
        for found in store.verify(self._database, self._settings.home, began, last):
            if found is not None:
                log.error("%s: %s", found.name, found.what)
                broken.append(found)
            if self._stop.is_set() or self._clock() - began > VERIFIED_FOR:
                break
        if broken:
            with self._database.transaction() as session:
                outbox.alarm(
                    session, self._settings, subject="recordings", now=self._clock(),
                    body=f"{len(broken)} recordings or messages are not as they were sealed "
                         f"({broken[0].name}), see hotline recordings verify",
                )

    def mask_asterisk_logs(self) -> None:
        """Numbers stand in no log in full."""
        self._asterisk_logs.mask()

    def seal_journal(self) -> None:
        """Seal the journal's old segments."""
        privacy.seal_journal(self._database, self._settings, self._clock())

    def tidy(self) -> None:
        """Delete what was kept long enough."""
        privacy.tidy(self._database, self._settings, self._clock())
        resealing.tidy(self._database, self._settings.home, self._clock())

    def archive(self) -> None:
        """Old months leave the database for the archive; who called is deleted from it in time."""
        now, made = self._clock(), Archive(self._database, self._settings.home)
        try:
            for month in made.due(self._settings, now):
                if self._stop.is_set():
                    return
                done = made.make(month, self._settings.service_level_s, now, self._stop.is_set)
                log.info("%s is archived: %d records", f"{month:%Y-%m}", done.deleted)
            if gone := people.forget_callers(made, self._settings, now):
                log.info("callers of %d archived calls are deleted", gone)
        except (ArchiveError, OSError) as error:
            log.error("archive: %s", error)
            with self._database.transaction() as session:
                outbox.alarm(session, self._settings, subject="archive", body=str(error), now=now)

    def judge_waits(self) -> None:
        """Where predicted waits were wrong of late, callers are not told them any more."""
        with self._database.transaction() as session:
            changed = waits.judge(session, self._clock())
        if changed:
            log.warning("waiting times: %s", ", ".join(f"{n} = {v}" for n, v in changed.items()))
            telephone = commands.for_settings(self._settings, secrets.load(self._settings.home))
            telephone.set_switches(changed)  # what fails is repaired by the listener

    def tell_affected(self) -> None:
        """Ring those who have joined an incident that is over, a few at a time."""
        now = self._clock()
        with self._database.transaction() as session:
            # noted as tried before it is rung: a crash in between costs a try, not the telling
            calls = [
                (one.number, one.incident.over_sound or "", one.call_id)
                for one in incidents.due(session, now, TOLD_AT_ONCE)
            ]
        telephone = commands.for_settings(self._settings, secrets.load(self._settings.home))
        for number, sound, call in calls:
            if not (result := telephone.tell(number, sound, call)).done:
                log.error("the end of an incident was not told: %s", result)

    def watch_handovers(self) -> None:
        """A shift that nobody hands over, or takes over, alarms."""
        now = self._clock()
        within = timedelta(minutes=self._settings.handover_within_min)
        with self._database.transaction() as session:
            for told in handovers.to_alarm(session, now, within):
                log.warning("%s", told)
                outbox.alarm(session, self._settings, subject=told, body=told, now=now)

    def examine(self) -> None:
        """What the doctor finds amiss stands in the handover of the shift."""
        checks = doctor.examine(doctor.Patient(
            self._settings, missing_prompts=lambda: speech.missing(self._settings),
            unready_prompts=lambda: [one.name for one in speech.unready(self._settings)],
        ))
        amiss = [(one.name, one.status, one.detail) for one in checks
                 if one.status == doctor.FAILURE]
        with self._database.transaction() as session:
            standing.note_findings(session, amiss, self._clock())

    def check_ledger(self) -> None:
        """Every call of the journal against the rows; an unexplained one alarms."""
        journal = provision.journal(self._settings.home).parent
        with self._database.reading() as session:
            archived = Archive(self._database, self._settings.home).holding
            result = ledger.check(session, journal, self._settings.node, archived)
        if result.unexplained:
            count = len(result.unexplained)
            log.error("the ledger has %d unexplained calls: see hotline ledger", count)
            with self._database.transaction() as session:
                outbox.alarm(
                    session, self._settings, subject="ledger",
                    body=f"{count} calls without a record, see hotline ledger",
                    now=self._clock(),
                )

    def forget_sessions(self) -> None:
        """Delete sessions, refused sign-ins, mistyped codes and answers to programs that no longer
        matter."""
        with self._database.transaction() as session:
            users.forget_old_sessions(session, self._clock())
            lookup.forget_misses(session, self._clock())
            repeats.forget(session, self._clock())
            webhooks.forget(session, self._clock())

    def note_audit_head(self) -> None:
        """The last digest over the events of cases goes to the log, where nobody can change it."""
        with self._database.reading() as session:
            head = audit.head(session)
        log.info("events of cases: %d, head %s", head.events, head.digest)

    def daily_report(self) -> None:
        """Remind, send or alarm, as the hour asks."""
        for done in schedule.step(self._database, self._settings, self._clock()):
            log.warning("the daily report of %s: %s", done.day, done.what)

    def service_reports(self) -> None:
        """Reports on the service to those who get them each day or week."""
        if number := subscriptions.step(self._database, self._settings, self._clock()):
            log.warning("%d reports on the service are on their way", number)

    def publish_figures(self) -> None:
        """Approved figures become the bulletin of key 8."""
        number = reports.publish(self._settings, self._database, self._clock())
        if number is not None:
            log.warning("bulletin %d, of the figures of the day, is live", number)
            with self._database.reading() as session:
                value = switches.wanted(session, switches.BULLETIN) or "none"
            telephone = commands.for_settings(self._settings, secrets.load(self._settings.home))
            telephone.set_switches({switches.BULLETIN: value})  # what fails is repaired later

    def count_days(self) -> None:
        """Keep the counts of days that are over, for reports over long periods."""
        reports.count_days(self._settings, self._database, self._clock())

    def say_saved_texts(self) -> None:
        """Names of agencies, answers and questions to citizens and lists of contact points become
        sounds soon after they are saved."""
        now = self._clock()
        with self._database.reading() as session:
            texts = life.spoken_texts(session, now) + questions.spoken_texts(session)
            texts += bulletins.spoken_texts(session) + incidents.spoken_texts(session)
            texts += voice.spoken_texts(session)
            lists = {f"points.{kind}": points.spoken_list(session, kind, now)
                     for kind in points.SPOKEN}
        texts += [text for text in lists.values() if text]
        if frozenset(texts) != self._spoken:
            # what callers hear now stays until the new list is what they hear
            failed = speech.say_saved_texts(self._settings, [*texts, *self._lists], self._stop)
            self._spoken = frozenset(texts) - failed.keys()
        self._note_sounds(now)
        self._tell_lists(lists, now)
        self._lists = [text for text in lists.values() if text]

    def _note_sounds(self, now: datetime) -> None:
        """Broadcasts whose text can be heard may be started."""
        with self._database.reading() as session:
            ready = [one.id for one in broadcast_board.unsaid(session)
                     if self._said.sound_of(one.text)]
        for id_ in ready:
            with self._database.transaction() as session:
                broadcast_board.note_sound(session, id_, now)
        speech.note_incidents(self._settings, self._database)

    def _tell_lists(self, lists: Mapping[str, str | None], now: datetime) -> None:
        """Callers hear the lists that have become sounds."""
        changed = {}
        with self._database.reading() as session:
            for name, text in lists.items():
                sound = self._said.sound_of(text) if text else "none"
                value = sound.rpartition("/")[2] if sound else None  # None: not made yet
                if value and value != (switches.wanted(session, name) or "none"):
                    changed[name] = value
        if not changed:
            return
        with self._database.transaction() as session:
            for name, value in changed.items():
                switches.want(session, name, value, by="scheduler", now=now)
        telephone = commands.for_settings(self._settings, secrets.load(self._settings.home))
        telephone.set_switches(changed)  # what fails is repaired by the listener

    def mend_prompts(self) -> None:
        """What was deleted while calls go on comes back from the cache, and the engineers hear."""
        if self._sounds is None:
            self._sounds = speech.sound_files(self._settings)
        if lost := [path.stem for path in self._sounds if not path.exists()]:
            names = ", ".join(lost[:3])
            log.error("%d prompts are gone (%s): built again", len(lost), names)
            with self._database.transaction() as session:
                outbox.alarm(
                    session, self._settings, subject="prompts",
                    body=f"{len(lost)} prompts were gone ({names})", now=self._clock(),
                )
            speech.build_all(self._settings, lambda _done, _all: None)

    def better_voice(self) -> None:
        """Replace embedded-voice prompts by the configured engine's, a few at a time."""
        speech.upgrade(self._settings, self._stop)


def _report(event: JobExecutionEvent) -> None:
    exception = getattr(event, "exception", None)
    if exception is None:
        log.warning("job %s missed its time", event.job_id)
    else:
        log.error("job %s failed: %s: %s", event.job_id, type(exception).__name__, exception)
