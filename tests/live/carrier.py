"""Stand-ins for carriers: other Asterisks, each in a network namespace of its own where one can be
made, that bring calls in and take them out.

They do what the carriers' public interconnect descriptions ask of a customer's trunk (RFC 3261
registration with digest or a known address, calls to the contact, OPTIONS answered), and no more.
"""

from __future__ import annotations

import fcntl
import subprocess
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from tempfile import gettempdir

from crm import secrets
from crm import settings as configuration
from crm.database import Database
from crm.settings import Settings
from ivr import provision, runtime, tls
from tests.live.running import CACHE, free_ports

ADDRESS = "127.0.0.4"
CITIZENS = "127.0.0.5"  # telephones of the carrier's customers
USER, PASSWORD = "thanhhoa1022", "interconnect-of-the-test"

PJSIP = f"""
[global]
type = global
endpoint_identifier_order = ip,username
[udp]
type = transport
protocol = udp
bind = {{address}}:{{port}}
{{transport}}
[{USER}]
type = endpoint
context = from-hotline
disallow = all
allow = alaw
{{auth}}
aors = {USER}
direct_media = no
media_address = {{address}}
bind_rtp_to_media_address = yes
{{endpoint}}
[{USER}]
type = auth
auth_type = userpass
username = {USER}
password = {PASSWORD}
[{USER}]
type = aor
max_contacts = 1
{{contact}}
[citizen]
type = endpoint
context = from-citizen
disallow = all
allow = alaw
direct_media = no
media_address = {{address}}
bind_rtp_to_media_address = yes
[citizen]
type = identify
endpoint = citizen
match = {{citizens}}
"""

BUSY, RINGS = "0237000486", "0237000180"  # these two are busy, and ring and ring
LISTENS = "0237000182"  # and this one keeps what it hears
TAKES = "0237000183"  # answers, and presses 1 when it has heard who calls
FULL = "0237000503"  # the first carrier has no way to this one

# A call to the hotline's number goes to whoever registered; any other is answered by an echo.
DIALPLAN = f"""
[from-citizen]
exten => 1022,1,Dial({{hotline}},30)
exten => _[+0]X.,1,Dial({{as_dialled}},30)
[from-hotline]
exten => {BUSY},1,Busy(1)
exten => {RINGS},1,Ringing()
 same => n,Wait(60)
exten => {LISTENS},1,Answer()
 same => n,Record({{home}}/heard.wav,0,60,kq)
exten => {TAKES},1,Set(DB(seen/${{{{EXTEN}}}})=called)
 same => n,Answer()
 same => n,Wait(9)
 same => n,SendDTMF(1)
 same => n,Echo()
; the hotline rings itself: shown is who it says it is, and the call comes in again
exten => 02371022,1,Set(PAI=${{{{PJSIP_HEADER(read,P-Asserted-Identity)}}}})
 same => n,Set(PAI=${{{{CUT(PAI,@,1)}}}})
 same => n,ExecIf($["${{{{PAI}}}}" != ""]?Set(CALLERID(num)=${{{{CUT(PAI,:,2)}}}}))
 same => n,Progress()
 same => n,Dial({{hotline}},30)
exten => +842371022,1,Goto(02371022,1)
exten => +84{TAKES[1:]},1,Goto({TAKES},1)
exten => {FULL},1,Set(DB(seen/${{{{EXTEN}}}})=tried)
 same => n,{{full}}
exten => _[+0-9]X.,1,Set(PAI=${{{{PJSIP_HEADER(read,P-Asserted-Identity)}}}})
 same => n,Set(RPID=${{{{PJSIP_HEADER(read,Remote-Party-ID)}}}})
 same => n,Set(DB(seen/${{{{EXTEN}}}})=${{{{CALLERID(num)}}}}#${{{{PAI}}}}#${{{{RPID}}}})
 same => n,Answer()
 same => n,Echo()
"""


@dataclass(frozen=True)
class Line:
    """Where a carrier stands: its own address, and two of this machine's towards it."""

    namespace: str | None
    address: str
    hotline: str  # the hotline's address
    citizens: str  # that its customers call from


LOOPBACK = Line(None, ADDRESS, "127.0.0.1", CITIZENS)


@dataclass(frozen=True)
class Carrier:
    asterisk: runtime.Asterisk
    settings: Settings
    line: Line

    @property
    def sip(self) -> tuple[str, int]:
        return self.settings.sip_bind.host, self.settings.sip_bind.port

    @property
    def trunk(self) -> dict[str, str]:
        """The hotline's settings for a trunk to this carrier."""
        return {
            "HOTLINE_TRUNK_SERVER": str(self.settings.sip_bind),
            "HOTLINE_TRUNK_USER": USER, "HOTLINE_TRUNK_PASSWORD": PASSWORD,
            "HOTLINE_TRUNK_MATCH": f"127.0.0.2,{self.line.address}",
        }

    @property
    def heard(self) -> Path:
        """What the service that listens has heard."""
        return self.settings.home / "heard.wav"

    def ask(self, command: str) -> str:
        return runtime.ask(self.asterisk, self.settings.home, command) or ""

    def seen(self, number: str) -> str:
        """Who a call to that number showed: From, P-Asserted-Identity, Remote-Party-ID."""
        shown = self.ask(f"database get seen {number}")
        return shown.partition("Value: ")[2].strip()

    def start(self) -> None:
        runtime.start(self.asterisk, self.settings)
        for module in ("app_record", "app_echo", "func_cut"):
            self.ask(f"module load {module}")

    def stop(self) -> None:
        """Gone from one moment to the next, as when its power fails."""
        runtime.stop(self.asterisk, self.settings.home, grace_s=0)


@contextmanager
def lines(count: int) -> Iterator[list[Line]]:
    """Lines to so many carriers: network namespaces, or where none can be made, the loopback."""
    with ExitStack() as stack:
        made = []
        try:
            for _ in range(count):
                made.append(stack.enter_context(_namespace(stack.enter_context(_number()))))
        except (OSError, subprocess.CalledProcessError) as error:
            warnings.warn(
                f"no network namespace can be made here ({error}): carriers stand on the loopback",
                stacklevel=3,
            )
            made = [
                Line(None, f"127.0.{number}.4", "127.0.0.1", f"127.0.{number}.5")
                for number in range(1, count + 1)
            ]
        yield made


@contextmanager
def _number() -> Iterator[int]:
    """A number that no other test on this machine has: several may run at once."""
    for number in range(10, 250):
        with (Path(gettempdir()) / f"hotline-carrier-{number}").open("w") as held:
            try:
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            yield number
            return
    raise RuntimeError("no number is free for a carrier")


@contextmanager
def _namespace(number: int) -> Iterator[Line]:
    """198.18.N.0/29 (of the range for tests of networks): .1 and .3 are ours, .2 the carrier's."""
    name, here, there = f"hl-carrier{number}", f"hl-c{number}", f"hl-d{number}"
    for left in (("netns", "del", name), ("link", "del", here)):  # by tests that were killed
        subprocess.run(["ip", *left], check=False, capture_output=True, timeout=30)
    ip("netns", "add", name)
    try:
        ip("link", "add", here, "type", "veth", "peer", "name", there)
        ip("link", "set", there, "netns", name)
        for host in (1, 3):
            ip("addr", "add", f"198.18.{number}.{host}/29", "dev", here)
        ip("link", "set", here, "up")
        ip("-n", name, "addr", "add", f"198.18.{number}.2/29", "dev", there)
        ip("-n", name, "link", "set", there, "up")
        ip("-n", name, "link", "set", "lo", "up")
        yield Line(name, f"198.18.{number}.2", f"198.18.{number}.1", f"198.18.{number}.3")
    finally:
        ip("netns", "del", name)


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True, timeout=30)


def prepared(settings: Settings, line: Line) -> tuple[runtime.Asterisk, dict[str, str]]:
    """A state folder for another Asterisk, and the files that a hotline there would have."""
    home = settings.home
    asterisk = runtime.find(settings, lambda _: None, fetch=True)
    if line.namespace:
        asterisk = replace(
            asterisk, command=("ip", "netns", "exec", line.namespace, *asterisk.command)
        )
    home.mkdir(parents=True)
    database = Database.of(settings)
    database.migrate()
    provision.prepare(settings, database)
    database.engine.dispose()
    tls.ensure(settings, [line.address], datetime.now(UTC))
    return asterisk, provision.files(
        settings, secrets.load(home), provision.load_menus(settings), version=asterisk.version,
        modules=asterisk.modules, open_files=runtime.open_files(settings),
        boot=provision.new_boot(datetime.now(UTC)),
    )


@contextmanager
def running_carrier(
    home: Path, line: Line = LOOPBACK, *, transport: str = "udp", hotline: str = "",
    dialled: str = "1022", full: str = "Congestion(1)",
) -> Iterator[Carrier]:
    """A carrier. `hotline`: HOST:PORT at which it reaches us without a registration, calling us
    `dialled` where it was 1022, else as it was; `transport` as in the hotline's settings."""
    port, ami, ws, secure = free_ports(4)
    settings = configuration.load({
        "HOTLINE_HOME": str(home), "HOTLINE_CACHE": str(CACHE), "HOTLINE_NODE": "carrier",
        "HOTLINE_SIP_BIND": f"{line.address}:{port}", "HOTLINE_AMI_BIND": f"127.0.0.1:{ami}",
        "HOTLINE_WS_BIND": f"127.0.0.1:{ws}", "HOTLINE_RTP_PORTS": "20002-20100",
        "HOTLINE_TRUNK_TRANSPORT": transport, "HOTLINE_SIP_TLS_BIND": f"{line.address}:{secure}",
    })
    asterisk, wanted = prepared(settings, line)
    carrier = settings.carriers[0]
    extra, more = "", []
    if carrier.protocol != "udp":
        bind = settings.sip_tls_bind if carrier.protocol == "tls" else settings.sip_bind
        protocol = carrier.protocol
        extra = f"[{protocol}]\ntype = transport\nprotocol = {protocol}\nbind = {bind}\n"
        more.append(f"transport = {carrier.protocol}")
    if carrier.protocol == "tls":
        certificate, key = tls.files(settings)
        extra += f"cert_file = {certificate}\npriv_key_file = {key}\nmethod = tlsv1_2\n"
    if carrier.srtp:
        more.append("media_encryption = sdes")
    if hotline:
        address = hotline.partition(":")[0]
        extra += f"[by-address]\ntype = identify\nendpoint = {USER}\nmatch = {address}\n"
    suffix = "" if carrier.protocol == "udp" else f"\\;transport={carrier.protocol}"
    provision.write(home, wanted | {
        "pjsip.conf": PJSIP.format(
            address=line.address, citizens=line.citizens, port=port, transport=extra,
            endpoint="\n".join(more), auth="" if hotline else f"auth = {USER}",
            contact=f"contact = sip:{hotline}{suffix}" if hotline else "",
        ),
        "extensions.conf": DIALPLAN.format(
            home=home, full=full,
            hotline=f"PJSIP/{dialled}@{USER}" if hotline else f"PJSIP/{USER}",
            as_dialled=f"PJSIP/${{EXTEN}}@{USER}" if hotline else f"PJSIP/{USER}",
        ),
        "cli.conf": "", "cel.conf": "[general]\nenable = no\n", "queues.conf": "[general]\n",
    })
    running = Carrier(asterisk, settings, line)
    running.start()
    try:
        yield running
    finally:
        running.stop()
