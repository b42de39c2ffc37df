"""`hotline trunk test`: a carrier tried out, with a report to hand over.

A call goes out by the carrier to a number; if that is the hotline's own, it comes in again, so that
one call shows both ways, with the keys and the caller's number. What the carrier says is read from
the SIP messages themselves, which Asterisk writes into a file for the minute of the test.
"""

from __future__ import annotations

import csv
import json
import re
import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from fpdf import FPDF

from crm.carriers import Carrier
from crm.clock import VIETNAM
from crm.errors import HotlineError
from crm.settings import Settings
from ivr import plan, proof, provision, runtime

OK, FAILED, UNKNOWN = "ok", "failed", "not tried"
RING_S = 45.0
TALK_S = 12  # as hl-trunk-test-talk stays
KEY = "9"
_CAME = re.compile(
    r"caller=(?P<caller>[+0-9]*)\|dialled=(?P<dialled>[+0-9]+)\|trunk=(?P<trunk>[0-9.]+)\|kind=test"
)


class TrialError(HotlineError):
    """The test cannot be made. The message says why."""


@dataclass(frozen=True)
class Finding:
    """One line of the report."""

    what: str
    result: str
    detail: str


@dataclass(frozen=True)
class Report:
    """All that was found about one carrier."""

    carrier: int
    server: str
    number: str
    at: str
    findings: tuple[Finding, ...]

    @property
    def passed(self) -> bool:
        return all(one.result != FAILED for one in self.findings)


def try_out(settings: Settings, carrier: Carrier, number: str) -> Report:
    """Test one carrier with a call to `number`. Takes about half a minute; live calls go on."""
    asterisk = runtime.find(settings, lambda _: None, fetch=False)
    ask = partial(runtime.ask, asterisk, settings.home)
    if ask("core show uptime") is None:
        raise TrialError("the hotline does not run")
    if not carrier.server:
        raise TrialError(f"calls cannot go out by it: {carrier.setting}_server is not set")
    state = proof.look(ask)
    found = [_registration(carrier, state), _options(carrier, state, ask)]
    own = number in settings.dialled
    began = provision.journal(settings.home).stat().st_size
    with _overheard(settings, ask) as capture:
        facts = _call(ask, carrier, number)
    messages = list(_messages(capture.read_bytes()))
    capture.unlink()
    found += _outward(facts, messages)
    found += _inward(settings, began) if own else [
        Finding(what, UNKNOWN, "call the hotline's own number to see it")
        for what in ("call in", "caller's number", "keys (DTMF)")
    ]
    return Report(
        carrier.index, carrier.server, number,
        datetime.now(UTC).isoformat(timespec="seconds"), tuple(found),
    )


def _registration(carrier: Carrier, state: proof.State) -> Finding:
    if not carrier.user:
        return Finding("registration", UNKNOWN, "known by address")
    stands = carrier.name in state.registered
    return Finding("registration", OK if stands else FAILED,
                   f"as {carrier.user}" if stands else "the carrier does not take it")


def _options(carrier: Carrier, state: proof.State, ask: plan.Ask) -> Finding:
    if not carrier.options_s:
        return Finding("OPTIONS", UNKNOWN, "not sent")
    shown = ask("pjsip show contacts") or ""
    took = re.search(rf"^  Contact:  {carrier.name}/.* Avail +([0-9.]+)", shown, re.MULTILINE)
    if carrier.name not in state.reached or took is None:
        return Finding("OPTIONS", FAILED, "no answer")
    return Finding("OPTIONS", OK, f"answered in {took[1]} ms, asked every {carrier.options_s} s")


# ------------------------------------------------------------------ the call


@contextmanager
def _overheard(settings: Settings, ask: plan.Ask) -> Iterator[Path]:
    """Asterisk writes its SIP messages with the carriers into a file, which is then ours to delete:
    other callers' numbers stand there too."""
    folder = settings.home / "trunk"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    capture = folder / "messages.pcap"
    for command in (f"pcap {capture}", "verbose off", "on"):
        ask(f"pjsip set logger {command}")
    try:
        yield capture
    finally:
        ask("pjsip set logger off")


def _call(ask: plan.Ask, carrier: Carrier, number: str) -> dict[str, str]:
    """What the dialplan notes of the call (hl-trunk-test)."""
    ask("database deltree trunktest")
    ask(f"database put trunktest until {int(time.time() + RING_S + TALK_S)}")
    ask(f"channel originate Local/{carrier.index}{number}@hl-trunk-test/n "
        "extension s@hl-trunk-test-talk")
    deadline = time.monotonic() + RING_S + TALK_S
    facts: dict[str, str] = {}
    while time.monotonic() < deadline and "status" not in facts:
        time.sleep(1)
        shown = ask("database show trunktest") or ""
        facts = dict(re.findall(r"^/trunktest/(\w+) *: (.*?) *$", shown, re.MULTILINE))
    ask("database deltree trunktest")
    return facts


def _messages(capture: bytes) -> Iterator[str]:
    """The SIP messages of a pcap file as Asterisk writes it (microseconds, its own byte order)."""
    at = 24
    while at + 16 <= len(capture):
        length = struct.unpack_from("=I", capture, at + 8)[0]
        packet = capture[at + 16: at + 16 + length]
        at += 16 + length
        if start := re.search(rb"(?:SIP/2\.0 \d{3} |[A-Z]{3,10} sips?:)", packet):
            yield packet[start.start():].decode(errors="replace")


def _outward(facts: dict[str, str], messages: list[str]) -> Iterator[Finding]:
    """What the call that went out shows."""
    invite = next((one for one in messages if one.startswith("INVITE ")), "")
    call = _header(invite, "Call-ID")
    answers = [
        one for one in messages if one.startswith("SIP/") and _header(one, "Call-ID") == call
        and _header(one, "CSeq").endswith("INVITE")
    ]
    codes = [one.split(" ", 2)[1] for one in answers]
    answered = "codec" in facts
    yield Finding("call out", OK if answered else FAILED,
                  f"{facts.get('status', 'nothing came back')} ({', '.join(codes) or 'no answer'})")
    asserted = [one for one in ("P-Asserted-Identity", "Remote-Party-ID") if _header(invite, one)]
    yield Finding("identity sent", OK if invite else UNKNOWN,
                  f"From {_user(_header(invite, 'From'))}, {', '.join(asserted) or 'nothing else'}")
    early = [one for one in answers if one.startswith("SIP/2.0 18") and "m=audio" in one]
    yield Finding("early media", OK if answered else UNKNOWN,
                  f"{early[0].split(' ', 2)[1]} with SDP" if early else "none before the answer")
    yield Finding("codec", OK if answered else UNKNOWN, facts.get("codec", ""))
    final = next((one for one in answers if one.startswith("SIP/2.0 200")), "")
    yield Finding("session timers", OK if final else UNKNOWN,
                  _header(final, "Session-Expires") or "none")
    received, lost = (facts.get("rtp", "/") + "/").split("/")[:2]
    heard = answered and received.isdecimal() and int(received) > 0
    yield Finding("audio", OK if heard else FAILED if answered else UNKNOWN,
                  f"{received or 0} packets received, {lost or 0} lost")


def _inward(settings: Settings, began: int) -> Iterator[Finding]:
    """What the same call shows as it came in again: the journal has it."""
    with provision.journal(settings.home).open(encoding="utf-8", errors="replace") as file:
        file.seek(began)
        rows = list(csv.reader(file))
    came = next(
        ((row, found) for row in rows for field in row
         if (found := _CAME.search(field))), None
    )
    if came is None:
        for what in ("call in", "caller's number", "keys (DTMF)"):
            yield Finding(what, FAILED, "no test call with the hotline's own number came in")
        return
    row, found = came
    by = next((one.setting for one in settings.carriers if one.covers(found["trunk"])), "unknown")
    yield Finding("call in", OK, f"from {found['trunk']} ({by}), dialled {found['dialled']}")
    yield Finding("caller's number", OK, found["caller"])
    keyed = any(
        f"key={KEY}" in field for one in rows if set(row[10:12]) & set(one[10:12]) for field in one
    )
    yield Finding("keys (DTMF)", OK if keyed else FAILED,
                  f"key {KEY} {'came through' if keyed else 'did not come through'}")


def _header(message: str, name: str) -> str:
    found = re.search(rf"^{re.escape(name)}: *(.*?)\r?$", message, re.MULTILINE | re.IGNORECASE)
    return found[1] if found else ""


def _user(address: str) -> str:
    found = re.search(r"sips?:([^@>;]+)@", address)
    return found[1] if found else address


# ------------------------------------------------------------------ the report


def as_json(report: Report) -> str:
    return json.dumps(asdict(report) | {"passed": report.passed}, ensure_ascii=False, indent=1)


def as_markdown(report: Report) -> str:
    day = datetime.fromisoformat(report.at).astimezone(VIETNAM).strftime("%d/%m/%Y %H:%M")
    return "\n".join([
        f"# Carrier {report.carrier}: {report.server}", "",
        f"{day}, call to {report.number}: {'passed' if report.passed else 'FAILED'}", "",
        "| Test | Result | Seen |", "|---|---|---|",
        *(f"| {one.what} | {one.result} | {one.detail} |" for one in report.findings), "",
    ])


def as_pdf(report: Report) -> bytes:
    pdf = FPDF()
    pdf.add_page()
    pdf.set_font("helvetica", "B", 16)
    pdf.cell(text=f"Carrier {report.carrier}: {report.server}", new_x="LMARGIN", new_y="NEXT")
    pdf.set_font("helvetica", size=10)
    day = datetime.fromisoformat(report.at).astimezone(VIETNAM).strftime("%d/%m/%Y %H:%M")
    pdf.cell(text=f"{day}, call to {report.number}: {'passed' if report.passed else 'FAILED'}",
             new_x="LMARGIN", new_y="NEXT")
    pdf.ln(4)
    with pdf.table(col_widths=(25, 15, 60)) as table:
        for cells in (("Test", "Result", "Seen"),
                      *((one.what, one.result, one.detail) for one in report.findings)):
            row = table.row()
            for text in cells:
                row.cell(text.encode("latin-1", "replace").decode("latin-1"))
    return bytes(pdf.output())
