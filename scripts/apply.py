"""The configuration brought into the running Asterisk, whole or not at all, and back again."""

from __future__ import annotations

import fcntl
import logging
import re
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError

from crm import secrets
from crm.database import Database, DatabaseError
from crm.errors import HotlineError
from crm.settings import Settings
from ivr import history, menu, plan, proof, provision, runtime, tls
from scripts import speech

log = logging.getLogger(__name__)
audit = logging.getLogger("hotline.audit")

DRAIN_S = 600  # for a moment without calls, before a restart
SETTLE_S = 10.0  # from a reload until everything shows
_BOOT = re.compile(r"^(systemname = [a-z0-9]+\.)\w*$", re.MULTILINE)
# lines of Asterisk's log that say that it has not understood a file; the program's own words only
_REFUSED = re.compile(
    r"(?:WARNING|ERROR)\[\d+\](?:\[C-\w+\])?:? "
    r"(?:pbx_config|config|config_options|sorcery|res_sorcery_config)\.c: (.{1,200})"
)


class ApplyError(HotlineError):
    """The configuration is not in force; what was before is, or the message says what to do."""


def planned(settings: Settings) -> plan.Plan:
    """What `apply` would do. Raises menu.MenuError where the menus have faults."""
    asterisk = runtime.find(settings, lambda _: None, fetch=False)
    _check_menus(settings)
    applied = plan.on_disk(settings.home)
    return plan.compare(
        applied, plan.wanted(settings, asterisk), version=asterisk.version,
        hide=plan.hidden(settings),
        stale=proof.stale(partial(runtime.ask, asterisk, settings.home), applied),
    )


def apply(settings: Settings, who: str, why: str, *, restart: bool = False) -> str:
    """Bring settings, menus and templates in as they are now; what was done, in a sentence.

    Raises menu.MenuError and ApplyError: what was in force before still is, unless the error says
    otherwise; history.HistoryError: somebody else is at it.
    """
    def wanted(asterisk: runtime.Asterisk) -> dict[str, str]:
        _check_menus(settings)
        secrets.ensure(settings.home, provision.phones(settings))
        return plan.wanted(settings, asterisk)

    said = _change(settings, who, why, "apply", wanted, restart=restart)
    try:
        provision.prepare(settings, Database.of(settings))
    except (SQLAlchemyError, DatabaseError) as error:
        log.warning("new phones are not offered before the next start: the database does not answer"
                    " (%s)", type(error).__name__)
    return said


def rollback(
    settings: Settings, number: int, who: str, why: str, *, restart: bool = False
) -> str:
    """Bring an earlier configuration of the history back, as `apply` brings in a new one."""
    def wanted(_: runtime.Asterisk) -> dict[str, str]:
        return _of_this_start(settings.home, history.files(settings.home, number))

    return _change(
        settings, who, why or f"back to {number}", "rollback", wanted, restart=restart
    )


def recover(settings: Settings, asterisk: runtime.Asterisk, ask: plan.Ask) -> str | None:
    """Where an apply was killed: what was in force before it is again. While holding the history.
    Returns a sentence if there was something to do."""
    home = settings.home
    broken = history.unfinished(home)
    if broken is None:
        return None
    whole = history.in_force(home)
    if whole is None:
        raise ApplyError(f"{history.folder(home)} names no configuration that was in force")
    before = _of_this_start(home, history.files(home, whole.number))
    back = plan.compare(
        _of_this_start(home, history.files(home, broken.number)), before, version=asterisk.version
    )
    provision.write(home, before)
    for command in back.commands:
        ask(command)
    history.end(home, broken, history.INTERRUPTED, f"{whole.number} was put back")
    log.warning("configuration %d was not brought in to its end: %d is in force again",
                broken.number, whole.number)
    return f"configuration {broken.number} had been interrupted: {whole.number} was put back"


def at_start(settings: Settings, asterisk: runtime.Asterisk, *, again: bool = False) -> list[str]:
    """Write the configuration for a new start of Asterisk; returns the files that changed.

    `again`: Asterisk has died, or is restarted by an apply: what ran comes back, whatever is being
    edited meanwhile.
    """
    home, boot = settings.home, provision.new_boot(datetime.now(UTC))
    if again and (provision.etc(home) / "asterisk.conf").exists():
        try:
            with history.alone(home, "the supervisor"):
                recover(settings, asterisk, lambda _: None)
        except history.HistoryError:
            pass  # an apply restarts Asterisk: its files lie there
        text = (provision.etc(home) / "asterisk.conf").read_text(encoding="utf-8")
        return provision.write(home, {"asterisk.conf": _BOOT.sub(rf"\g<1>{boot}", text)})
    wanted = provision.files(
        settings, secrets.load(home), provision.load_menus(settings), version=asterisk.version,
        modules=asterisk.modules, open_files=runtime.open_files(settings), boot=boot,
    )
    speech.write_music(settings)
    with history.alone(home, "the supervisor"):
        if broken := history.unfinished(home):
            history.end(home, broken, history.INTERRUPTED, "the hotline was started anew")
        changed = provision.write(home, wanted)
        _keep(home, wanted, who="the supervisor", why="the hotline was started", kind="start")
    return changed


# ------------------------------------------------------------------ the way of one change


def _change(
    settings: Settings, who: str, why: str, kind: str,
    wanted: Callable[[runtime.Asterisk], dict[str, str]], *, restart: bool,
) -> str:
    home = settings.home
    asterisk = runtime.find(settings, lambda _: None, fetch=False)
    ask = partial(runtime.ask, asterisk, home)
    with history.alone(home, who):
        if ask("core show uptime") is None:
            raise ApplyError("the hotline does not run: it takes this in when it starts")
        mended = recover(settings, asterisk, ask)
        before = plan.on_disk(home)
        deadline = time.monotonic() + (SETTLE_S if mended else 0)
        while (stale := proof.stale(ask, before)) and time.monotonic() < deadline:
            time.sleep(0.5)
        way = plan.compare(before, wanted(asterisk), version=asterisk.version, stale=stale)
        if not way.changes:
            return f"{mended}; nothing else has changed" if mended else "nothing has changed"
        if way.effect is plan.Effect.STOP:
            raise ApplyError(f"{_named(way, plan.Effect.STOP)}: stop `hotline up`, start it again")
        if way.effect is plan.Effect.RESTART and not restart:
            raise ApplyError(f"{_named(way, plan.Effect.RESTART)}: say --restart; Asterisk is then "
                             "restarted in the first moment without calls")
        if way.effect is plan.Effect.RESTART:
            _check_restart(settings, before, way.files)
        tls.ensure(settings, provision.host_names(), datetime.now(UTC))
        _keep(home, before, who="unknown", why="as it lay in Asterisk's folder", kind="found")
        record = history.add(
            home, way.files, now=datetime.now(UTC), who=who, why=why, kind=kind,
            result=history.APPLYING, changed=tuple(one.file for one in way.changes),
        )
        trouble = _bring_in(settings, asterisk, ask, before, way)
        if not trouble:
            history.end(home, record, history.IN_FORCE)
            audit.info("configuration %d in force by=%s kind=%s files=%s why=%r", record.number,
                       who, kind, ",".join(record.changed), why)
            return f"configuration {record.number} is in force: {', '.join(record.changed)}"
        back = plan.compare(way.files, before, version=asterisk.version)
        still = _bring_in(settings, asterisk, ask, way.files, back)
        history.end(home, record, history.ROLLED_BACK, "; ".join(trouble))
        audit.warning("configuration %d rolled back by=%s kind=%s why=%r: %s", record.number, who,
                      kind, why, "; ".join(trouble))
    said = f"not in force: {'; '.join(trouble)}. What was before is in force again"
    if still:
        said += f", but: {'; '.join(still)} (see {home}/asterisk/log/messages.log)"
    raise ApplyError(said)


def _bring_in(
    settings: Settings, asterisk: runtime.Asterisk, ask: plan.Ask, before: Mapping[str, str],
    way: plan.Plan,
) -> list[str]:
    """Write, load, verify; what is wrong then."""
    home = settings.home
    state = proof.look(ask)
    logged = _log(home).stat().st_size if _log(home).exists() else 0
    speech.write_music(settings)
    changed = [one.file for one in way.changes]
    provision.write(home, {name: way.files[name] for name in changed if name in way.files})
    if way.effect is plan.Effect.RESTART:
        if trouble := _restart(settings, asterisk):
            return [trouble]
        # what was counted since the last start is counted anew
        state = proof.State(state.endpoints, state.queues, dict.fromkeys(state.members, 0),
                            frozenset(), state.registered, state.reached)
    for command in way.commands or ("dialplan reload",):
        ask(command)
    deadline = time.monotonic() + SETTLE_S
    while faults := proof.faults(ask, state, way.files, changed, before):
        if time.monotonic() > deadline:
            return faults
        time.sleep(0.5)
    if refused := _refused(home, logged):
        return refused
    heard = proof.greets(settings, way.files)
    return [heard] if heard else []


def _restart(settings: Settings, asterisk: runtime.Asterisk) -> str | None:
    """Stop Asterisk in a moment without calls; the supervisor starts it again. A sentence if there
    was no such moment, or it does not come up."""
    home, number = settings.home, runtime.pid(settings.home)
    deadline = time.monotonic() + DRAIN_S
    while True:
        if _is_quiet(asterisk, home):
            runtime.ask(asterisk, home, "core stop gracefully")  # from here on none begins
            if _is_quiet(asterisk, home):
                runtime.ask(asterisk, home, "core stop now")
                break
            runtime.ask(asterisk, home, "core abort shutdown")
        if time.monotonic() > deadline:
            return f"there was no moment without calls in {DRAIN_S // 60} minutes"
        time.sleep(0.5)
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline:
        if (now := runtime.pid(home)) not in (None, number) and "fully booted" in (
            runtime.ask(asterisk, home, "core waitfullybooted") or ""
        ):
            log.info("Asterisk restarted (pid %s)", now)
            return None
        time.sleep(0.5)
    return "Asterisk does not start with it"


def _is_quiet(asterisk: runtime.Asterisk, home: Path) -> bool:
    """Whether no call is up; one that is too slow to tell has some."""
    return runtime.pid(home) is None or runtime.calls_now(asterisk, home) == 0


def _check_restart(
    settings: Settings, before: Mapping[str, str], after: Mapping[str, str]
) -> None:
    """Refuse what cannot come up, before anything is stopped."""
    with (settings.home / "hotline.lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            pass
        else:
            raise ApplyError("`hotline up` does not run: nobody would start Asterisk again")
    old, new = (plan.pjsip_objects(text["pjsip.conf"]) for text in (before, after))
    for key in new:
        if key[0] == "transport" and new[key] != old.get(key) and key[1] != "ws":
            bind = next(x.split(" = ")[1] for x in new[key] if x.startswith("bind = "))
            if bind in {x.split(" = ")[1] for lines in old.values() for x in lines
                        if x.startswith("bind = ") and key[1] == "udp"}:
                continue  # held by ourselves
            host, _, port = bind.rpartition(":")
            if trouble := runtime.port_taken(host, int(port), datagram=key[1] == "udp"):
                raise ApplyError(f"SIP ({key[1]}) cannot listen on {bind}: {trouble}")


def _check_menus(settings: Settings) -> None:
    if faults := speech.menu_faults(settings, provision.load_menus(settings)):
        raise menu.MenuError(faults)


def _keep(home: Path, files: Mapping[str, str], *, who: str, why: str, kind: str) -> None:
    """Keep what is in force, if the history does not end with it."""
    last = history.in_force(home)
    known = history.files(home, last.number) if last else {}
    changed = plan.compare(_of_this_start(home, known), files, version=(0,)).changes
    if last is None or changed:
        history.add(
            home, files, now=datetime.now(UTC), who=who, why=why, kind=kind,
            result=history.IN_FORCE, changed=tuple(one.file for one in changed),
        )


def _of_this_start(home: Path, files: Mapping[str, str]) -> dict[str, str]:
    """A stored set with the name of the present start of Asterisk, and the present secrets."""
    made = secrets.load(home)
    files = {name: made.in_place_of_former(text) for name, text in files.items()}
    now = provision.etc(home) / "asterisk.conf"
    if "asterisk.conf" not in files or not now.exists():
        return files
    boot = _BOOT.search(now.read_text(encoding="utf-8"))
    if boot is None:
        return files
    name = boot[0].rpartition(".")[2]
    return {**files, "asterisk.conf": _BOOT.sub(rf"\g<1>{name}", files["asterisk.conf"])}


def _named(way: plan.Plan, effect: plan.Effect) -> str:
    return "; ".join(f"{one.file} {effect} ({one.why})" for one in way.changes
                     if one.effect is effect)


def _log(home: Path) -> Path:
    return home / "asterisk" / "log" / "messages.log"


def _refused(home: Path, since: int) -> list[str]:
    """What Asterisk's log says that it has not understood, from a place on."""
    if not _log(home).exists():
        return []
    with _log(home).open("rb") as file:
        file.seek(since)
        text = file.read(1_000_000).decode(errors="replace")
    return [f"Asterisk says: {line.strip()}" for line in dict.fromkeys(_REFUSED.findall(text))][:5]
