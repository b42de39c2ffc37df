"""A stand-in for the carrier: a second Asterisk that the hotline registers with.

It does what the carriers' public interconnect descriptions ask of a customer's trunk (RFC 3261
registration with digest, calls to the registered contact, OPTIONS answered), and nothing more.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from crm import secrets
from crm import settings as configuration
from crm.database import Database
from crm.settings import Settings
from ivr import provision, runtime
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
bind = {ADDRESS}:{{port}}
[{USER}]
type = endpoint
context = from-hotline
disallow = all
allow = alaw
auth = {USER}
aors = {USER}
direct_media = no
media_address = {ADDRESS}
bind_rtp_to_media_address = yes
[{USER}]
type = auth
auth_type = userpass
username = {USER}
password = {PASSWORD}
[{USER}]
type = aor
max_contacts = 1
[citizen]
type = endpoint
context = from-citizen
disallow = all
allow = alaw
direct_media = no
media_address = {ADDRESS}
bind_rtp_to_media_address = yes
[citizen]
type = identify
endpoint = citizen
match = {CITIZENS}
"""

BUSY, RINGS = "0237000486", "0237000180"  # these two are busy, and ring and ring
LISTENS = "0237000182"  # and this one keeps what it hears

# A call to the hotline's number goes to whoever registered; any other is answered by an echo.
DIALPLAN = f"""
[from-citizen]
exten => 1022,1,Dial(PJSIP/{USER},30)
[from-hotline]
exten => {BUSY},1,Busy(1)
exten => {RINGS},1,Ringing()
 same => n,Wait(60)
exten => {LISTENS},1,Answer()
 same => n,Record({{home}}/heard.wav,0,60,kq)
exten => _X.,1,Answer()
 same => n,Echo()
"""


@dataclass(frozen=True)
class Carrier:
    asterisk: runtime.Asterisk
    settings: Settings

    @property
    def sip(self) -> tuple[str, int]:
        return self.settings.sip_bind.host, self.settings.sip_bind.port

    @property
    def trunk(self) -> dict[str, str]:
        """The hotline's settings for a trunk to this carrier."""
        return {
            "HOTLINE_TRUNK_SERVER": str(self.settings.sip_bind),
            "HOTLINE_TRUNK_USER": USER, "HOTLINE_TRUNK_PASSWORD": PASSWORD,
            "HOTLINE_TRUNK_MATCH": f"127.0.0.2,{ADDRESS}",
        }

    @property
    def heard(self) -> Path:
        """What the service that listens has heard."""
        return self.settings.home / "heard.wav"

    def ask(self, command: str) -> str:
        return runtime.ask(self.asterisk, self.settings.home, command) or ""


@contextmanager
def running_carrier(home: Path) -> Iterator[Carrier]:
    port, ami, ws = free_ports(3)
    settings = configuration.load({
        "HOTLINE_HOME": str(home), "HOTLINE_CACHE": str(CACHE), "HOTLINE_NODE": "carrier",
        "HOTLINE_SIP_BIND": f"{ADDRESS}:{port}", "HOTLINE_AMI_BIND": f"127.0.0.1:{ami}",
        "HOTLINE_WS_BIND": f"127.0.0.1:{ws}", "HOTLINE_RTP_PORTS": "20002-20100",
    })
    asterisk = runtime.find(settings, lambda _: None, fetch=True)
    home.mkdir(parents=True)
    database = Database.of(settings)
    database.migrate()
    provision.prepare(settings, database)
    database.engine.dispose()
    wanted = provision.files(
        settings, secrets.load(home), provision.load_menus(settings), version=asterisk.version,
        modules=asterisk.modules, open_files=runtime.open_files(settings),
        boot=provision.new_boot(datetime.now(UTC)),
    )
    provision.write(home, wanted | {
        "pjsip.conf": PJSIP.format(port=port),
        "extensions.conf": DIALPLAN.format(home=home), "cli.conf": "",
        "cel.conf": "[general]\nenable = no\n", "queues.conf": "[general]\n",
    })
    runtime.start(asterisk, settings)
    runtime.ask(asterisk, home, "module load app_record")
    try:
        yield Carrier(asterisk, settings)
    finally:
        runtime.stop(asterisk, home, grace_s=0)
