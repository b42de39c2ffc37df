"""Asterisk: whether it runs, with what it should, and whether carriers and programs reach it."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path

from crm import secrets
from crm.carriers import Carrier
from ivr import commands, menu, plan, proof, provision, runtime
from ivr.doctor.check import FAILURE, OK, WARNING, Check, Patient
from ivr.doctor.sockets import connections

AMI_SLOW_S = 0.5
BROWSERS_FULL = 0.8  # of the sessions that the WebSocket takes
_AGAIN = "run hotline doctor once more"


def asterisk(patient: Patient) -> Iterator[Check]:
    try:
        found = runtime.find(patient.settings, lambda _: None, fetch=False)
    except runtime.RuntimeFault as fault:
        yield Check("asterisk", FAILURE, str(fault), "run ./scripts/run")
        return
    if patient.pid is None:
        yield Check(
            "asterisk", FAILURE, f"version {found.version_text}, not running",
            "start it with ./scripts/run or hotline up",
        )
        return
    if provision.is_draining(patient.settings.home):
        yield Check(
            "asterisk", WARNING, f"pid {patient.pid} takes no new calls: it is being drained",
            "wait for its end, or take calls again: hotline drain --end",
        )
        return
    yield Check(
        "asterisk", OK, f"version {found.version_text} ({found.origin}), pid {patient.pid}"
    )


def modules(patient: Patient) -> Iterator[Check]:
    if patient.asterisk is None or patient.pid is None:
        return
    shown = patient.ask("module show")
    if shown is None:  # it answered a moment ago: that it is slow says nothing of its modules
        yield Check("modules", WARNING, "Asterisk was too slow to tell", _AGAIN)
        return
    running = set(re.findall(r"^(\w+)\.so .*Running", shown, re.MULTILINE))
    folder = patient.asterisk.modules
    wanted = {name for name in provision.MODULES if (folder / f"{name}.so").exists()}
    needed = set(provision.MODULES) - wanted - provision.NOT_IN_EVERY_VERSION
    if lacking := sorted((wanted - running) | needed):
        yield Check(
            "modules", FAILURE, f"not running: {', '.join(lacking)}",
            f"look into {patient.settings.home / 'asterisk/log/messages.log'}",
        )
    else:
        yield Check("modules", OK, f"{len(wanted)} running")


def configuration(patient: Patient) -> Iterator[Check]:
    if patient.asterisk is None or patient.pid is None:
        return
    yield _configuration(patient, patient.asterisk)


def _configuration(patient: Patient, found: runtime.Asterisk) -> Check:
    settings = patient.settings
    cure = "hotline plan shows it, hotline apply brings it in"
    try:
        wanted = provision.files(
            settings, secrets.load(settings.home), provision.load_menus(settings),
            version=found.version, modules=found.modules,
            open_files=runtime.open_files(settings), boot="",
        )
    except menu.MenuError as error:
        return Check("configuration", FAILURE, str(error), "correct the menu files")
    except FileNotFoundError:
        return Check("configuration", FAILURE, "never written", cure)
    folder = provision.etc(settings.home)
    changed = [
        name for name, text in wanted.items() if name != "asterisk.conf"
        and (not (folder / name).exists() or (folder / name).read_text(encoding="utf-8") != text)
    ]
    if changed:
        return Check("configuration", FAILURE, f"differs on disk: {', '.join(changed)}", cure)
    if patient.ask("core waitfullybooted") is None:
        return Check(
            "configuration", WARNING, "Asterisk was too slow to tell what it runs", _AGAIN
        )
    if otherwise := proof.stale(patient.ask, wanted):
        return Check("configuration", FAILURE, "; ".join(otherwise.values()), cure)
    return Check("configuration", OK, f"in place, dialplan {plan.marker(wanted)}")


def capacity(patient: Patient) -> Iterator[Check]:
    if patient.pid is None:
        return
    settings = patient.settings
    limits = Path(f"/proc/{patient.pid}/limits").read_text(encoding="ascii")
    match = re.search(r"Max open files\s+(\d+)", limits)
    held = int(match[1]) if match else 0
    needed = settings.capacity * runtime.OPEN_FILES_PER_CALL
    ports = (settings.rtp_ports[1] - settings.rtp_ports[0]) // 2
    if held < needed:
        yield Check(
            "capacity", WARNING, f"{held} open files for {settings.capacity} calls",
            f"raise the limit of open files to {needed} (ulimit -Hn, LimitNOFILE=)",
        )
    elif ports < settings.capacity * 2:
        yield Check(
            "capacity", WARNING, f"{ports} pairs of audio ports for {settings.capacity} calls",
            "widen HOTLINE_RTP_PORTS: two pairs a call",
        )
    else:
        yield Check("capacity", OK, f"{settings.capacity} calls, {held} files, {ports} port pairs")


def browsers(patient: Patient) -> Iterator[Check]:
    """Asterisk counts every WebSocket, and refuses the phone of whoever comes after the limit."""
    settings = patient.settings
    file = provision.etc(settings.home) / "http.conf"
    try:
        match = re.search(r"^sessionlimit = (\d+)$", file.read_text(encoding="utf-8"), re.M)
    except OSError as error:
        yield Check("browsers", FAILURE, f"{file.name}: {error.strerror}", "run ./scripts/run")
        return
    limit = int(match[1]) if match else 100  # Asterisk's own default
    wanted = settings.seats + settings.web_calls
    if limit < wanted:
        yield Check(
            "browsers", FAILURE, f"{limit} sessions for {wanted} seats and calls from the page",
            "hotline apply --restart writes a sessionlimit that fits",
        )
        return
    open_now = connections(settings.ws_bind.port)
    detail = f"{open_now} of {limit} sessions of the WebSocket are open"
    if open_now > limit * BROWSERS_FULL:
        yield Check(
            "browsers", FAILURE if open_now >= limit else WARNING,
            f"{detail}: the next browsers are refused",
            "see who holds them (ss -tn), let a proxy limit connections by address, "
            "or raise HOTLINE_SEATS",
        )
    else:
        yield Check("browsers", OK, detail)


def ami(patient: Patient) -> Iterator[Check]:
    settings = patient.settings
    cure = "is Asterisk running? Does another program use HOTLINE_AMI_BIND?"
    began = time.monotonic()
    try:
        result = commands.for_settings(settings, secrets.load(settings.home)).ping()
    except FileNotFoundError:
        yield Check("ami", FAILURE, "no secrets yet", "run ./scripts/run")
        return
    took = time.monotonic() - began
    if not result.done:
        yield Check("ami", FAILURE, f"{settings.ami_bind}: {result}", cure)
    elif took > AMI_SLOW_S:
        yield Check(
            "ami", WARNING, f"{settings.ami_bind} answers after {took * 1000:.0f} ms",
            "the console is as slow: look at the load of this machine and at task processors "
            "(core show taskprocessors)",
        )
    else:
        yield Check("ami", OK, f"{settings.ami_bind} answers after {took * 1000:.0f} ms")


def trunk(patient: Patient) -> Iterator[Check]:
    for carrier in patient.settings.carriers:
        yield _carrier(patient, carrier)


def _carrier(patient: Patient, carrier: Carrier) -> Check:
    name, variable = carrier.setting, f"HOTLINE_{carrier.setting.upper()}"
    if not carrier.server:
        if all(net.startswith("127.") for net in carrier.match):
            return Check(
                name, WARNING, "only the local test trunk",
                f"set {variable}_MATCH (and {variable}_SERVER) to the carrier's addresses",
            )
        return Check(name, OK, f"calls are taken from {', '.join(carrier.match)}")
    if patient.pid is None:
        return Check(name, FAILURE, "Asterisk does not run", "start it")
    state = proof.look(patient.ask)
    if carrier.options_s and carrier.name not in state.reached:
        return Check(
            name, FAILURE, f"{carrier.server} does not answer OPTIONS",
            "check the address, the network and that the carrier allows this host",
        )
    if carrier.user and carrier.name not in state.registered:
        return Check(
            name, FAILURE, f"not registered at {carrier.server}",
            f"check {variable}_USER and {variable}_PASSWORD with the carrier",
        )
    return Check(name, OK, f"{carrier.server} answers")
