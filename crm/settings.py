"""Settings: one TOML file, each entry overridable by an environment variable `HOTLINE_<NAME>`.

The file is `hotline.toml` in the state folder (`HOTLINE_HOME`, default `var/` beside the
sources, `~/.local/state/hotline1022` of an installed package), or the one that `HOTLINE_CONFIG`
names. Lists are written `["a", "b"]` in the file and `a,b` in the environment. A wrong or unknown
entry is one clear error; nothing is guessed.
"""
# ruff: noqa: RUF009  _setting is field() by another name

from __future__ import annotations

import ipaddress
import os
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from datetime import date, time, timedelta
from pathlib import Path
from typing import Any

from crm.branches import BRANCHES, QUEUES, SERVICES
from crm.carriers import Carrier, forms
from crm.errors import HotlineError
from crm.setting_values import (
    CODEC,
    DTMF,
    EMAIL,
    FORM,
    PHONE,
    PREFIX,
    SERVER,
    SIP_PASSWORD,
    SIP_USER,
    TIMERS,
    TRANSPORT,
    WEB_SOCKET,
    Address,
    Checked,
    Expert,
    Held,
    Node,
    NodeConsole,
    NodeSocket,
    Numbered,
    address,
    any_network,
    as_quiet_hours,
    checked_number,
    expert,
    held,
    host,
    identity,
    issuer,
    line,
    listed,
    matching,
    network,
    node_console,
    node_socket,
    number,
    numbered,
    optional,
    outside_url,
    own_address,
    place,
    port_range,
    portal_address,
    queue_limit,
    service_url,
)
from crm.setting_values import node as node_address

PROJECT = Path(__file__).resolve().parent.parent  # of an installed package: its site-packages
MENUS = PROJECT / "dialplans" / "menus"  # that come with this
SOURCE_DEFAULT = "default"


_BY_MAIL = "enter the addresses on the page Reports by e-mail (/reports/by-mail)"
RETIRED = {  # names that files of earlier versions may have, and what is done instead
    "service_daily_recipients": _BY_MAIL, "service_weekly_recipients": _BY_MAIL,
}


class SettingsError(HotlineError):
    """A setting is unknown or has a value that cannot be used. The message is for the operator."""


_NOT_SETTINGS = {"HOTLINE_CONFIG", "HOTLINE_PYTHON"}  # where settings are; what runs ./scripts/run


def _setting(default: Any, parse: Callable[[Any], Any], doc: str, *, secret: bool = False) -> Any:
    return field(metadata={"default": default, "parse": parse, "doc": doc, "secret": secret})


@dataclass(frozen=True)
class Settings:
    """All settings, parsed. `sources[name]` says where each came from."""

    home: Path = _setting("", place, "State folder: database, journal, recordings, configuration")
    cache: Path = _setting("", place, "What can be fetched or built again (default: home/cache)")
    database_url: str = _setting("", line, "SQLAlchemy URL (default: SQLite in home)", secret=True)
    node: str = _setting(
        "th1", matching(r"[a-z][a-z0-9]{0,11}", "a short name such as th1"), "Name of this node"
    )
    nodes: tuple[Node, ...] = _setting(
        "", listed(node_address),
        "All nodes that share the database, this one too, with their SIP addresses: "
        "th1 10.0.0.1:5060, th2 10.0.0.2:5060 (empty: it is the only one)",
    )
    node_queues: tuple[Held, ...] = _setting(
        "", listed(held),
        "Which node holds which queue at first: vaccine th2, relief th3; those that are not named "
        "are held by the first node. `hotline nodes move` leads them to another one",
    )
    node_sockets: tuple[NodeSocket, ...] = _setting(
        "", listed(node_socket),
        "SIP WebSocket of each node as agents' browsers reach it through a proxy in front of all "
        "consoles: th1 wss://1022.example.vn/ws/th1, th2 wss://1022.example.vn/ws/th2"
    )
    kept: Path | None = _setting(
        "", optional(place),
        "Folder that all nodes share, for sealed recordings and messages and files of cases"
    )
    phones_from: int = _setting(
        1, number(1, 9001),
        "Number of this node's first seat and desk phone: 1, 101, 201; a phone is one node's"
    )
    console_bind: Address = _setting("127.0.0.1:8022", address, "Web console")
    sip_bind: Address = _setting("127.0.0.1:5060", address, "SIP over UDP: trunk and desk phones")
    ws_bind: Address = _setting("127.0.0.1:8088", address, "SIP over WebSocket: agents' browsers")
    ami_bind: Address = _setting(
        "127.0.0.1:5038", own_address, "Asterisk Manager Interface, on the loopback alone"
    )
    media_address: str | None = _setting(
        "", optional(host), "Address told to browsers and trunk for audio, if not sip_bind's"
    )
    rtp_ports: tuple[int, int] = _setting("10000-20000", port_range, "UDP ports for audio")
    asterisk: Path | None = _setting("", optional(place), "A system Asterisk, version 20 or newer")
    debian_mirror: str | None = _setting(
        "", optional(matching(r"https?://[!-~]+", "a URL")), "Where Asterisk may be fetched from"
    )
    tls_certificate: Path | None = _setting("", optional(place), "Operator's certificate (PEM)")
    tls_key: Path | None = _setting("", optional(place), "Operator's private key (PEM)")
    numbers: tuple[str, ...] = _setting(
        "1022,02371022,842371022,+842371022,00842371022", listed(PHONE), "Dialled forms answered"
    )
    trunk_match: tuple[str, ...] = _setting(
        "127.0.0.2", listed(network), "Addresses calls may come from (carriers, local test trunk)"
    )
    trunk_server: str | None = _setting(
        "", SERVER, "Carrier's SIP server for registration and outgoing calls"
    )
    trunk_user: str | None = _setting("", SIP_USER, "Registering: user")
    trunk_password: str | None = _setting(
        "", SIP_PASSWORD, "Registering: password", secret=True
    )
    trunk_transport: str = _setting(
        "udp", TRANSPORT, "How the carrier is reached: udp, tcp, tls or tls+srtp"
    )
    trunk_form: str = _setting(
        "0", FORM, "How the carrier writes numbers: 0, 84 or +84"
    )
    trunk_identity: str = _setting(
        "pai", identity,
        "The carrier shows emergency services the caller's number by this header: pai, rpid, or "
        "none (it is whispered to them)",
    )
    trunk_dtmf: str = _setting(
        "rfc4733", DTMF,
        "Keys on calls going out: rfc4733, info, inband or auto"
    )
    trunk_codecs: tuple[str, ...] = _setting(
        "alaw,ulaw", listed(CODEC),
        "Codecs on calls going out, the best first: alaw, ulaw"
    )
    trunk_timers: str = _setting(
        "yes", TIMERS, "Session timers (RFC 4028): yes, no, required or always"
    )
    trunk_options_s: int = _setting(
        30, number(0, 3600),
        "Seconds from one OPTIONS to the next; without an answer calls go by the other "
        "carrier (0: never asked)",
    )
    trunk_channels: int | None = _setting(
        "", optional(number(8, 20000)),
        "Channels the carrier gives: a tenth, at least 4, is kept free for calls going out",
    )
    edge_bind: Address | None = _setting(
        "", optional(address), "Edge in front of several nodes: its own address (hotline edge)"
    )
    edge_nodes: tuple[Address, ...] = _setting(
        "", listed(address), "Edge: SIP addresses of the nodes, IPV4ADDRESS:PORT"
    )
    edge_rate: int = _setting(
        50, number(1, 1000), "Edge: new calls a second from one of a carrier's addresses, at most"
    )
    edge_phones: tuple[Numbered, ...] = _setting(
        "", listed(numbered),
        "Edge: which node has the desk phones from which number on (its phones_from): "
        "1 10.0.0.1:5060, 101 10.0.0.2:5060; they come from phone_networks"
    )
    edge_web: Address | None = _setting(
        "", optional(address), "Edge: where browsers reach all consoles by HTTPS: 203.0.113.1:443"
    )
    edge_consoles: tuple[NodeConsole, ...] = _setting(
        "", listed(node_console),
        "Edge: the nodes' consoles and WebSockets behind edge_web: "
        "th1 10.0.0.1:8022 10.0.0.1:8088, th2 10.0.0.2:8022 10.0.0.2:8088"
    )
    phones_edge: Address | None = _setting(
        "", optional(address),
        "Where desk phones register, if not at sip_bind: the edge's address as they reach it"
    )
    trunk2_match: tuple[str, ...] = _setting(
        "", listed(network), "Second carrier or SBC: addresses its calls may come from"
    )
    trunk2_server: str | None = _setting(
        "", SERVER,
        "Second carrier: SIP server; calls go out by it when the first does not answer"
    )
    trunk2_user: str | None = _setting("", SIP_USER, "Second carrier, registering: user")
    trunk2_password: str | None = _setting(
        "", SIP_PASSWORD, "Second carrier, registering: password", secret=True
    )
    trunk2_transport: str = _setting(
        "udp", TRANSPORT, "Second carrier: how it is reached: udp, tcp, tls or tls+srtp"
    )
    trunk2_form: str = _setting(
        "0", FORM, "Second carrier: how it writes numbers: 0, 84 or +84"
    )
    trunk2_identity: str = _setting(
        "pai", identity,
        "Second carrier: shows emergency services the caller's number by this header: pai, rpid, "
        "or none (it is whispered to them)",
    )
    trunk2_dtmf: str = _setting(
        "rfc4733", DTMF,
        "Second carrier: keys on calls going out: rfc4733, info, inband or auto"
    )
    trunk2_codecs: tuple[str, ...] = _setting(
        "alaw,ulaw", listed(CODEC),
        "Second carrier: codecs on calls going out: alaw, ulaw"
    )
    trunk2_timers: str = _setting(
        "yes", TIMERS, "Second carrier: session timers (RFC 4028): yes, no, required or always"
    )
    trunk2_options_s: int = _setting(
        30, number(0, 3600),
        "Second carrier: seconds from one OPTIONS to the next; without an answer calls go by the "
        "other carrier (0: never asked)",
    )
    trunk2_channels: int | None = _setting(
        "", optional(number(8, 20000)),
        "Second carrier: channels it gives: a tenth, at least 4, is kept free for calls going out",
    )
    trunk_ca: Path | None = _setting(
        "", optional(place), "Authority of carriers' certificates (PEM), if not a public one"
    )
    sip_tls_bind: Address | None = _setting(
        "", optional(address),
        "SIP over TLS, where a carrier or desk phones want it (default: port 5061)"
    )
    emergency_medical: tuple[str, ...] = _setting(
        "", listed(PHONE), "Rung in turn on key 4 (115, then the provincial hospital)"
    )
    emergency_fire: tuple[str, ...] = _setting(
        "", listed(PHONE), "Rung in turn on key 4 and 2 (114)"
    )
    emergency_police: tuple[str, ...] = _setting(
        "", listed(PHONE), "Rung in turn on key 4 and 3 (113)"
    )
    emergency_rescue: tuple[str, ...] = _setting(
        "", listed(PHONE), "Rung in turn on key 4 and 5 (112)"
    )
    capacity: int = _setting(1000, number(1, 20000), "Calls at once; more hear overload_reject")
    seats: int = _setting(60, number(1, 999), "Browser phones that may be logged in at once")
    desk_phones: int = _setting(10, number(0, 999), "SIP desk phones that may be registered")
    ring_s: int = _setting(20, number(5, 120), "Seconds an agent's phone rings")
    transfer_prefixes: tuple[str, ...] = _setting(
        "02, 03, 05, 07, 08, 09", listed(PREFIX),
        "Beginnings of the numbers outside that agents may ring and lead callers to",
    )
    staff_number: str | None = _setting(
        "", optional(PHONE),
        "Number of the carrier's at which agents sign in from a telephone, by number and PIN"
    )
    help_lines: tuple[str, ...] = _setting(
        "111, 19009095", listed(PHONE),
        "Lines that agents may call in besides the emergency services (children, health)",
    )
    emergency_checked: tuple[Checked, ...] = _setting(
        "", listed(checked_number),
        "Emergency numbers and help lines with the day on which they were tried and who answers for"
        " them: 115 2026-11-02 Trung tâm Cấp cứu, 111 2026-11-02 Tổng đài 111"
    )
    emergency_check_days: int = _setting(
        180, number(1, 1000), "Days after which such a number is to be tried again"
    )
    missed_for_h: int = _setting(
        48, number(1, 720), "Hours for which a caller who reached nobody is to be rung back"
    )
    calls_out: int = _setting(
        100, number(1, 1000), "Numbers outside that an agent may ring a day; emergencies always"
    )
    calls_out_together: int = _setting(
        2000, number(1, 100_000), "The same in a day, of all agents together"
    )
    calls_out_hour: int = _setting(30, number(1, 1000), "The same in an hour")
    phone_silent_s: int = _setting(
        10, number(5, 120), "Seconds without sound after which an agent's phone counts as gone"
    )
    wrapup_s: int = _setting(20, number(0, 600), "Seconds of wrap-up after a call")
    queue_timeout_s: int = _setting(
        900, number(30, 7200), "Longest wait before a message is offered"
    )
    queue_limits: tuple[tuple[str, int], ...] = _setting(
        "300", listed(queue_limit),
        "How many may wait in a queue, of all or of one: 300, vaccine 40; more are offered a call "
        "back or a message"
    )
    duty_phones: tuple[str, ...] = _setting(
        "", listed(PHONE), "Rung in turn where no agent can be reached; they take a call by key 1"
    )
    experts: tuple[Expert, ...] = _setting(
        "", listed(expert),
        "Doctors on their own telephones, rung in turn: bs.an 0912345678 mon-fri 07:00-17:00"
    )
    callback_offer_s: int = _setting(
        60, number(15, 3600), "Seconds of waiting before a call back is offered, and again after"
    )
    callback_again_s: tuple[int, ...] = _setting(
        "300,900", listed(number(1, 86_400)), "Seconds from one try to call back to the next"
    )
    general_days: str = _setting(
        "calendar", matching("calendar|working", "calendar or working"),
        "What the 17 days of a general case count: calendar or working days"
    )
    rest_between_shifts_h: int = _setting(
        12, number(0, 48),
        "Hours of rest between two shifts of a person; the Labour Code (Art. 110) wants 12"
    )
    shift_late_min: int = _setting(
        10, number(0, 240), "Minutes after which who is rostered and in no queue is missing"
    )
    handover_within_min: int = _setting(
        30, number(5, 720), "Minutes within which a shift is handed over and taken over"
    )
    service_level_percent: int = _setting(
        80, number(1, 100), "Share of callers, in percent, that is answered in time, as agreed"
    )
    service_level_s: int = _setting(20, number(1, 600), "Answered within this counts as in time")
    report_recipients: tuple[str, ...] = _setting(
        "", listed(EMAIL), "E-mail addresses the daily report goes to at 17:00 (empty: not sent)"
    )
    report_officer_email: str | None = _setting(
        "", optional(EMAIL), "Reminded at 16:00 and 16:30 of the figures of the day"
    )
    report_officer_phone: str | None = _setting(
        "", optional(PHONE), "The same by SMS"
    )
    report_deputy_email: str | None = _setting(
        "", optional(EMAIL), "Told at 17:00 that the report is not approved"
    )
    report_deputy_phone: str | None = _setting("", optional(PHONE), "The same by SMS")
    voice: str = _setting(
        "espeak", matching("espeak|gtts|piper", "espeak, gtts or piper"), "Voice of the prompts"
    )
    stage: str = _setting(
        "trial", matching("trial|production|training", "trial, production or training"),
        "In production the doctor fails where prompts are unapproved or by the embedded voice; "
        "training reaches nobody outside, and its calls are no citizens'"
    )
    second_factor: str = _setting(
        "by_stage",
        matching("by_stage|required|offered|off", "by_stage, required, offered or off"),
        "Second factor of privileged roles; by_stage: required in production"
    )
    oidc_issuer: str | None = _setting(
        "", optional(issuer), "Identity provider (OpenID Connect) to sign in with: issuer"
    )
    oidc_client_id: str | None = _setting(
        "", optional(matching("[!-~]{1,200}", "a client id")), "Identity provider: our client id"
    )
    oidc_client_secret: str | None = _setting(
        "", optional(line), "Identity provider: our secret", secret=True
    )
    oidc_name: str = _setting(
        "SSO", matching(".{1,40}", "1 to 40 letters"), "Identity provider: its name on the button"
    )
    oidc_login_claim: str = _setting(
        "preferred_username", matching(r"[A-Za-z0-9_.:/-]{1,80}", "the name of a claim"),
        "Identity provider: the claim that is the login of our account"
    )
    oidc_strong: tuple[str, ...] = _setting(
        "", listed(matching("[!-~]{1,200}", "a value of acr or amr")),
        "Identity provider: values of acr or amr that stand for our second factor"
    )
    piper_voice: Path | None = _setting("", optional(place), "Voice file (.onnx) for piper")
    menus: Path = _setting("", place, "Menus, as YAML (default: those that come with this)")
    recordings: Path = _setting(
        "", place, "Human recordings of prompts (default: home/recordings-vi)"
    )
    dispatch_phones: tuple[str, ...] = _setting(
        "", listed(PHONE), "Dispatchers told by SMS of cases that no agency has"
    )
    deputy_phones: tuple[str, ...] = _setting(
        "", listed(PHONE), "Told by SMS of what is still late when it is reminded of again"
    )
    close_after_days: int = _setting(
        7, number(1, 365), "A case is closed so long after its result, if nobody objects"
    )
    webhook_networks: tuple[str, ...] = _setting(
        "", listed(any_network), "Networks that are not public and that webhooks may go to"
    )
    open311_jurisdiction: str = _setting(
        "thanhhoa.gov.vn", matching(r"[a-z0-9.-]{1,80}", "a domain name"),
        "Open311: jurisdiction_id of this hotline"
    )
    recording_discard: str = _setting(
        "yes", matching("yes|no", "yes or no"),
        "Agents may have the recording of a call deleted, for a reason"
    )
    recording_pause_branches: tuple[str, ...] = _setting(
        "advice, testing, vaccine", listed(matching(
            "|".join(one.id for one in BRANCHES), "branches, as in advice, vaccine")),
        "Branches in whose calls the recording pauses by itself while the agent types a name into "
        "the form of a case"
    )
    keep_recordings_days: int = _setting(
        365, number(1, 3650), "Recordings of calls: kept so long"
    )
    keep_messages_days: int = _setting(
        365, number(1, 3650), "Voice messages: kept so long"
    )
    keep_callers_days: int = _setting(
        1825, number(1, 3650), "Numbers of callers, notes on calls: kept so long"
    )
    keep_cases_days: int = _setting(
        1825, number(1, 3650), "What citizens said in cases, after their end: kept so long"
    )
    keep_notices_days: int = _setting(
        365, number(1, 3650), "Messages that were sent: kept so long"
    )
    keep_tracing_days: int = _setting(
        90, number(1, 3650), "Requests to trace a number, and looks: kept so long"
    )
    keep_journal_days: int = _setting(
        90, number(1, 3650), "Segments of the journal: kept so long"
    )
    archive_months: int = _setting(
        24, number(0, 120),
        "Months after which calls leave the database for sealed files, one a month (0: never)"
    )
    web_calls: int = _setting(
        0, number(0, 500), "Calls from the citizens' page at once (0: the page is closed)"
    )
    web_call_origins: tuple[str, ...] = _setting(
        "", listed(matching(r"https://[a-z0-9.-]{1,253}(:\d{1,5})?", "https://HOST")),
        "Sites that may show the page for calls inside theirs"
    )
    web_call_socket: str | None = _setting(
        "", optional(matching(WEB_SOCKET, "wss://HOST")),
        "Address of the SIP WebSocket as citizens' browsers reach it, if not ws_bind"
    )
    health_app_url: str | None = _setting(
        "", optional(service_url),
        "Address at which citizens report errors in their vaccination record to its owner"
    )
    imap_server: str | None = _setting(
        "", optional(matching(r"[A-Za-z0-9.-]{1,253}:\d{1,5}", "HOST:PORT")),
        "Citizens' e-mail: IMAP server"
    )
    imap_security: str = _setting(
        "tls", matching("tls|starttls|none", "tls, starttls or none"),
        "Citizens' e-mail: encryption; none only on this machine"
    )
    imap_user: str | None = _setting("", optional(line), "Citizens' e-mail: user")
    imap_password: str | None = _setting(
        "", optional(line), "Citizens' e-mail: password", secret=True
    )
    imap_folder: str = _setting(
        "INBOX", matching("[!-~ ]{1,100}", "a name of a folder"), "Citizens' e-mail: folder"
    )
    portal_mail: tuple[str, ...] = _setting(
        "", listed(portal_address),
        "Who mails tables of a portal's cases: phanhoi cong@example.vn, dichvucong ..."
    )
    zalo_media_hosts: tuple[str, ...] = _setting(
        "zadn.vn,zaloapp.com,zalo.me", listed(matching(r"[a-z0-9.-]{1,253}(:\d{1,5})?", "a host")),
        "Zalo: hosts that citizens' pictures are fetched from, with those under them"
    )
    backup_key: Path | None = _setting(
        "", optional(place), "File with the passphrase of backups; keep a copy of it elsewhere"
    )
    log_format: str = _setting(
        "plain", matching("plain|json", "plain or json"),
        "Logs: a line of text, or a JSON object a line; numbers are masked in both"
    )
    phone_transport: str = _setting(
        "udp", matching(r"udp|tls\+srtp", "udp or tls+srtp"),
        "How desk phones speak: udp (on this machine, or a network of their own), or tls+srtp"
    )
    phone_networks: tuple[str, ...] = _setting(
        "", listed(network),
        "Networks of SIP desk phones: let in by the firewall, and by the edge, besides carriers"
    )
    console_networks: tuple[str, ...] = _setting(
        "", listed(network),
        "Networks from which console and WebSocket are reached (empty: all), for the firewall"
    )
    ballast_mb: int = _setting(
        256, number(0, 100_000),
        "MiB kept on the disk for the journal, released when it is full; 2 % of the disk at most"
    )
    backup_folder: Path | None = _setting(
        "", optional(place), "Where backups are made each night, and pruned: on another disk"
    )
    keep_backups_daily: int = _setting(
        14, number(1, 3660), "Days of which a backup is kept, the newest of each"
    )
    keep_backups_weekly: int = _setting(
        8, number(0, 520), "Weeks of which a backup is kept, the newest of each"
    )
    keep_backups_monthly: int = _setting(
        12, number(0, 120), "Months of which a backup is kept, the newest of each"
    )
    backup_days: int = _setting(
        2, number(1, 365), "Days after which the doctor finds the last backup too old"
    )
    privacy_phones: tuple[str, ...] = _setting(
        "", listed(PHONE), "Told by SMS of requests about personal data that are nearly due"
    )
    alarm_phones: tuple[str, ...] = _setting("", listed(PHONE), "Engineers told by SMS of a fault")
    alarm_emails: tuple[str, ...] = _setting(
        "", listed(EMAIL), "Engineers told by e-mail of a fault"
    )
    alarm_url: str | None = _setting(
        "", optional(service_url),
        "Where alarms of the doctor and the probe are posted as JSON (webhook_networks holds)",
    )
    public_url: str | None = _setting(
        "", optional(outside_url), "The console's address as people outside reach it"
    )
    proxies: int = _setting(
        0, number(0, 5),
        "Reverse proxies in front of the console, whose X-Forwarded headers are believed"
    )
    quiet_hours: tuple[time, time] | None = _setting(
        "21:00-07:00", as_quiet_hours,
        "No messages by phone in these hours but urgent ones: 21:00-07:00, or off"
    )
    sms_provider: str = _setting(
        "none", matching("none|twilio|gateway|smpp", "none, twilio, gateway or smpp"),
        "Who takes SMS"
    )
    sms_sender: str | None = _setting(
        "", optional(matching("(?=.*[A-Za-z0-9])[A-Za-z0-9 ._-]{1,11}",
                                "a brandname of at most 11 letters, digits, blanks, . _ -")),
        "Brandname that SMS come from"
    )
    sms_accents: str = _setting(
        "strip", matching("strip|keep", "strip or keep"),
        "Vietnamese accents in SMS: stripped (160 letters in one) or kept (70)"
    )
    sms_segments: int = _setting(3, number(1, 10), "Longest SMS, in parts")
    sms_gateway_url: str | None = _setting(
        "", optional(service_url), "Brandname gateway by HTTP: address"
    )
    sms_gateway_method: str = _setting(
        "POST", matching("POST|PUT|GET", "POST, PUT or GET"), "Brandname gateway: method"
    )
    sms_gateway_format: str = _setting(
        "json", matching("json|form", "json or form"),
        "Brandname gateway: what is sent, JSON or a form (GET: the query)"
    )
    sms_gateway_body: str = _setting(
        '{"from": "{sender}", "to": "{to}", "text": "{text}", "id": "{id}"}', line,
        "Brandname gateway: what is sent; {sender} {to} {text} {id} {coding} are filled in"
    )
    sms_gateway_numbers: str = _setting(
        "84", matching(r"0|84|\+84", "0, 84 or +84"), "Brandname gateway: how numbers begin"
    )
    sms_gateway_auth: str | None = _setting(
        "", optional(matching(r"[A-Za-z-]{1,40}: [!-~ ]{1,2000}", "HEADER: VALUE")),
        "Brandname gateway: header that signs in, as in Authorization: Bearer ...", secret=True
    )
    sms_gateway_success: str | None = _setting(
        "", optional(matching(r"[A-Za-z0-9_.]{1,80}=[A-Za-z0-9_.|-]{1,80}", "FIELD=VALUE|VALUE")),
        "Brandname gateway: what in the answer says taken, as in result.code=0|00 (empty: 2xx does)"
    )
    sms_gateway_id: str = _setting(
        "id", matching(r"[A-Za-z0-9_.]{1,80}", "a FIELD, as in data.id"),
        "Brandname gateway: field of the answer with the message's id"
    )
    sms_gateway_secret: str | None = _setting(
        "", optional(matching("[!-~]{16,200}", "at least 16 characters without blanks")),
        "Brandname gateway: key that signs its reports", secret=True
    )
    smpp_server: str | None = _setting(
        "", optional(matching(r"[A-Za-z0-9.-]{1,253}:\d{1,5}", "HOST:PORT")), "SMPP: server"
    )
    smpp_tls: str = _setting("no", matching("yes|no", "yes or no"), "SMPP: over TLS")
    smpp_user: str | None = _setting(
        "", optional(matching("[!-~]{1,15}", "at most 15 characters")), "SMPP: system_id"
    )
    smpp_password: str | None = _setting(
        "", optional(matching("[!-~]{1,8}", "at most 8 characters")), "SMPP: password",
        secret=True
    )
    smpp_system_type: str = _setting(
        "", matching("[!-~]{0,12}", "at most 12 characters"), "SMPP: system_type"
    )
    smpp_long: str = _setting(
        "udh", matching("udh|payload", "udh or payload"),
        "SMPP: long messages as parts (udh) or whole (payload)"
    )
    mail_server: str | None = _setting(
        "", optional(matching(r"[A-Za-z0-9.-]{1,253}:\d{1,5}", "HOST:PORT")),
        "E-mail: SMTP server"
    )
    mail_security: str = _setting(
        "starttls", matching("starttls|tls|none", "starttls, tls or none"),
        "E-mail: encryption; none only on this machine"
    )
    mail_user: str | None = _setting("", optional(line), "E-mail: user")
    mail_password: str | None = _setting("", optional(line), "E-mail: password", secret=True)
    mail_from: str | None = _setting(
        "", optional(matching(r"[A-Za-z0-9._+-]{1,64}@[A-Za-z0-9.-]{1,189}", "an address")),
        "E-mail: sender"
    )
    zalo_app: str | None = _setting(
        "", optional(matching("[0-9]{1,30}", "digits")), "Zalo: id of the app"
    )
    zalo_app_secret: str | None = _setting(
        "", optional(matching("[!-~]{1,200}", "a key")), "Zalo: secret key of the app",
        secret=True
    )
    zalo_oa_secret: str | None = _setting(
        "", optional(matching("[!-~]{1,200}", "a key")),
        "Zalo: key of the official account that signs its reports", secret=True
    )
    zalo_refresh_token: str | None = _setting(
        "", optional(matching("[!-~]{1,2000}", "a token")),
        "Zalo: the first refresh token; later ones are kept in the database", secret=True
    )
    zalo_mode: str = _setting(
        "development", matching("development|production", "development or production"),
        "Zalo: development reaches the account's own admins only"
    )
    zalo_url: str = _setting(
        "https://business.openapi.zalo.me", service_url, "Zalo: address of ZNS"
    )
    zalo_login_url: str = _setting(
        "https://oauth.zaloapp.com", service_url, "Zalo: address where tokens are renewed"
    )
    foreign_personal: str = _setting(
        "no", matching("no|twilio", "no or twilio"),
        "Foreign service that may get texts about people; needs foreign_basis"
    )
    foreign_basis: str | None = _setting(
        "", optional(matching(".{10,300}", "at least 10 characters")),
        "Legal basis on which texts about people go abroad (decision, number, day)"
    )
    twilio_account: str | None = _setting(
        "", optional(line), "Twilio account (sms_provider twilio)"
    )
    twilio_token: str | None = _setting("", optional(line), "Twilio token", secret=True)
    twilio_from: str | None = _setting("", optional(line), "Twilio sender")
    twilio_url: str | None = _setting("", optional(line), "Another address for Twilio's API")
    broadcast_workers: int = _setting(
        2, number(1, 16), "Jobs that send broadcasts at the same time on this node"
    )
    broadcast_per_minute: int = _setting(
        600, number(1, 100_000), "Most messages of broadcasts a minute, of all nodes together"
    )
    broadcast_back_percent: int = _setting(
        5, number(1, 100),
        "How many of 100 recipients call back, until broadcasts of the past tell it"
    )
    broadcast_share_percent: int = _setting(
        50, number(1, 100),
        "How much of the agents' and lines' time calls caused by broadcasts may take"
    )
    broadcast_channels: int = _setting(
        4, number(1, 1000),
        "Calls of broadcasts at once; never more than half of the channels for calls back"
    )
    broadcast_tries: int = _setting(
        2, number(1, 5), "How often a broadcast rings somebody who does not listen"
    )
    sms_price: int | None = _setting(
        "", optional(number(0, 100_000)), "Price of one part of an SMS in dong, for estimates"
    )
    voice_price: int | None = _setting(
        "", optional(number(0, 100_000)), "Price of a minute of a call in dong, for estimates"
    )
    sources: Mapping[str, str] = field(default_factory=dict)

    @property
    def emergency_targets(self) -> dict[str, tuple[str, ...]]:
        """The numbers to ring, in turn, by the id of the service (crm.branches.SERVICES)."""
        return {
            "medical": self.emergency_medical, "fire": self.emergency_fire,
            "police": self.emergency_police, "rescue": self.emergency_rescue,
        }

    @property
    def emergency_numbers(self) -> tuple[str, ...]:
        """All that agents call into calls for life: services that are set, and help lines."""
        services = (one.number for one in SERVICES if self.emergency_targets[one.id])
        return (*services, *self.help_lines)

    def unchecked(self, today: date) -> list[str]:
        """Those of them that nobody has tried of late."""
        since = today - timedelta(days=self.emergency_check_days)
        fresh = {one.number for one in self.emergency_checked if since <= one.on <= today}
        return [number for number in self.emergency_numbers if number not in fresh]

    @property
    def second_factor_required(self) -> bool:
        """Whether privileged accounts get nowhere without a second factor."""
        by_stage = self.second_factor == "by_stage" and self.stage == "production"
        return by_stage or self.second_factor == "required"

    @property
    def carriers(self) -> tuple[Carrier, ...]:
        """The carriers that are set, in the order in which calls go out."""
        first = self._carrier(1)
        second = self._carrier(2)
        return (first, second) if second.server or second.match else (first,)

    @property
    def outbound(self) -> tuple[Carrier, ...]:
        """Those by whom calls can go out."""
        return tuple(one for one in self.carriers if one.server)

    def _carrier(self, index: int) -> Carrier:
        prefix = "trunk" if index == 1 else f"trunk{index}"
        names = (item.name for item in fields(Carrier) if item.name != "index")
        return Carrier(index, **{name: getattr(self, f"{prefix}_{name}") for name in names})

    @property
    def sip_tls(self) -> Address:
        """Where SIP over TLS is listened for."""
        return self.sip_tls_bind or Address(self.sip_bind.host, 5061)

    @property
    def phones_by_tls(self) -> bool:
        """Whether desk phones speak SIP over TLS, with SRTP."""
        return self.phone_transport != "udp" and self.desk_phones > 0

    @property
    def dialled(self) -> tuple[str, ...]:
        """`numbers` in every form in which a carrier may write them."""
        return tuple(dict.fromkeys(form for one in self.numbers for form in (one, *forms(one))))

    @property
    def admitted(self) -> int:
        """Callers at once. The carriers' other channels are kept for legs to emergency services:
        whoever presses 4 must never find them taken by those who wait."""
        free = [one.channels - (one.reserve or 0) for one in self.carriers if one.channels]
        return self.capacity if len(free) < len(self.carriers) else min(self.capacity, sum(free))

    def queue_limit(self, queue: str) -> int:
        """How many may wait there: what is set for this queue, else for all."""
        limits = dict(self.queue_limits)
        return limits.get(queue, limits.get("", 20_000))

    @property
    def callback_legs(self) -> int | None:
        """Citizens called back at once: the other half of the reserve is for emergencies alone,
        also where only the smaller carrier is left."""
        return min((one.reserve // 2 for one in self.carriers if one.reserve), default=None)

    @property
    def broadcast_legs(self) -> int:
        """Calls of broadcasts at once. They stay within the channels for calls back, and leave half
        of those free; calls coming in and emergencies have their own."""
        if self.callback_legs is None:
            return self.broadcast_channels
        return min(self.broadcast_channels, max(1, self.callback_legs // 2))

    def _need(self, what: str, names: tuple[str, ...]) -> None:
        if missing := [name for name in names if not getattr(self, name)]:
            raise SettingsError(f"{what} needs {', '.join(missing)}")

    def _check_training(self) -> None:
        """A training reaches nobody outside: no carrier, no message, no number, no other database.
        """
        outside = (
            "trunk_server", "trunk2_server", "mail_server", "imap_server", "zalo_app", "alarm_url",
            "oidc_issuer", "duty_phones", "experts", "emergency_medical", "emergency_fire",
            "emergency_police", "emergency_rescue",
        )
        found = [name for name in outside if getattr(self, name)]
        if self.sms_provider != "none":
            found.append("sms_provider")
        callers = (*self.trunk_match, *self.trunk2_match)
        if not all(ipaddress.ip_network(one).is_loopback for one in callers):
            found.append("trunk_match")
        if self.database_url != f"sqlite:///{self.home / 'hotline.db'}":
            found.append("database_url")
        if found:
            raise SettingsError(
                f"stage = training reaches nobody outside: {', '.join(found)} must not be set"
            )

    def _check_carriers(self) -> None:
        for one in (self._carrier(1), self._carrier(2)):
            name = one.setting
            if one.user and not (one.server and one.password):
                raise SettingsError(f"{name}_user needs {name}_server and {name}_password")
            if not one.codecs:
                raise SettingsError(f"{name}_codecs must name a codec")
        if self.staff_number in self.numbers:
            raise SettingsError("staff_number is for agents alone, and not one of numbers")

    def _check_nodes(self) -> None:
        names = [one.name for one in self.nodes]
        if len(names) != len(set(names)):
            raise SettingsError("nodes: a name stands there twice")
        if names and self.node not in names:
            raise SettingsError(f"nodes must name this node, {self.node}, too")
        for setting, named in (
            ("node_queues", self.node_queues), ("node_sockets", self.node_sockets),
        ):
            for one in named:
                if one.node not in names:
                    raise SettingsError(f"{setting}: {one}: there is no such node")
        if len(names) > 1 and self.database_url.startswith("sqlite"):
            raise SettingsError("several nodes share a PostgreSQL: set database_url")
        if self.phones_edge and self.phones_by_tls:
            raise SettingsError("phones_edge: the edge takes phones by UDP; phone_transport is not")
        if len(names) > 1 and self.kept is None:
            raise SettingsError("several nodes share a folder for what they keep: set kept")

    @property
    def sockets(self) -> dict[str, str]:
        """The SIP WebSocket of each node that has one behind a proxy."""
        return {one.node: one.url for one in self.node_sockets}

    @property
    def other_nodes(self) -> tuple[Node, ...]:
        """The nodes besides this one."""
        return tuple(one for one in self.nodes if one.name != self.node)

    @property
    def first_holders(self) -> dict[str, str]:
        """Which node holds each queue until it is moved."""
        first = self.nodes[0].name if self.nodes else self.node
        return dict.fromkeys(QUEUES, first) | {one.queue: one.node for one in self.node_queues}

    def __post_init__(self) -> None:
        if (self.tls_certificate is None) != (self.tls_key is None):
            raise SettingsError("tls_certificate and tls_key go together: set both or neither")
        self._check_carriers()
        self._check_nodes()
        if self.stage == "training":
            self._check_training()
        for name, needed in {
            "twilio": ("twilio_account", "twilio_token", "twilio_from"),
            "gateway": ("sms_gateway_url", "sms_sender"),
            "smpp": ("smpp_server", "smpp_user", "smpp_password", "sms_sender"),
        }.items():
            if self.sms_provider == name:
                self._need(f"sms_provider = {name}", needed)
        if self.mail_server:
            self._need("mail_server", ("mail_from",))
            if self.mail_security == "none" and not self.mail_server.startswith("127.0.0."):
                raise SettingsError("mail_security = none is for a mail_server on 127.0.0.1 only")
        if self.oidc_issuer:
            self._need("oidc_issuer", ("oidc_client_id", "oidc_client_secret"))
        if self.imap_server:
            self._need("imap_server", ("imap_user", "imap_password"))
            if self.imap_security == "none" and not self.imap_server.startswith("127.0.0."):
                raise SettingsError("imap_security = none is for an imap_server on 127.0.0.1 only")
        if self.zalo_app:
            self._need("zalo_app", ("zalo_app_secret", "zalo_oa_secret", "zalo_refresh_token"))
        if self.foreign_personal != "no":
            self._need(f"foreign_personal = {self.foreign_personal}", ("foreign_basis",))
        if self.voice == "piper" and self.piper_voice is None:
            raise SettingsError("voice = piper needs piper_voice, the path of a voice file")


def described(settings: Settings) -> list[dict[str, str]]:
    """Each setting as `{name, value, source, doc}`; secrets are shown as `***`."""
    rows = []
    for item in _fields():
        value = getattr(settings, item.name)
        shown = "***" if item.metadata["secret"] and value else _shown(value)
        rows.append({
            "name": item.name, "value": shown,
            "source": settings.sources[item.name], "doc": item.metadata["doc"],
        })
    return rows


def settings_file(home: Path, environ: Mapping[str, str] = os.environ) -> Path:
    """The file that is read, if it is there."""
    return Path(environ.get("HOTLINE_CONFIG") or home / "hotline.toml").absolute()


def load(environ: Mapping[str, str] = os.environ) -> Settings:
    """Read settings from the file and the environment.

    Raises SettingsError with one sentence that names the entry, its source and what is wrong.
    """
    try:
        home = place(environ.get("HOTLINE_HOME", str(_usual_home(PROJECT))))
    except ValueError as error:
        raise SettingsError(f"HOTLINE_HOME: {error}") from error
    file = settings_file(home, environ)
    entries = _read_file(file, required="HOTLINE_CONFIG" in environ)
    known = {item.name for item in _fields()}
    for name in entries.keys() & RETIRED.keys():
        entries.pop(name)  # a newer version of the hotline starts all the same; see `retired`
    if unknown := sorted(set(entries) - known):
        raise SettingsError(f"{file}: unknown setting {', '.join(unknown)}")
    if "home" in entries:
        raise SettingsError(f"{file}: home is set by HOTLINE_HOME, not in the file")
    values: dict[str, Any] = {}
    sources: dict[str, str] = {}
    defaults = {
        "home": str(home), "cache": str(home / "cache"), "recordings": str(home / "recordings-vi"),
        "menus": str(MENUS),
        "database_url": f"sqlite:///{home / 'hotline.db'}",
    }
    for item in _fields():
        variable = f"HOTLINE_{item.name.upper()}"
        raw: Any = defaults.get(item.name, item.metadata["default"])
        source = SOURCE_DEFAULT
        if item.name in entries:
            raw, source = entries[item.name], str(file)
        if variable in environ:
            raw, source = environ[variable], variable
        try:
            values[item.name] = item.metadata["parse"](raw)
        except ValueError as error:
            shown = "***" if item.metadata["secret"] else repr(raw)
            raise SettingsError(f"{source}: {item.name} = {shown}: {error}") from error
        sources[item.name] = source
    return Settings(**values, sources=sources)


def _usual_home(project: Path) -> Path:
    if (project / "setup.cfg").exists():
        return project / "var"
    return Path.home() / ".local" / "state" / "hotline1022"


def unknown_variables(environ: Mapping[str, str] = os.environ) -> list[str]:
    """Variables named HOTLINE_... that are no setting: misspelt, or of another version."""
    known = {f"HOTLINE_{item.name.upper()}" for item in _fields()} | _NOT_SETTINGS
    return sorted(name for name in environ if name.startswith("HOTLINE_") and name not in known)


def retired(environ: Mapping[str, str] = os.environ) -> list[str]:
    """What was a setting once and still stands in the file: a sentence for each."""
    home = place(environ.get("HOTLINE_HOME", str(_usual_home(PROJECT))))
    file = settings_file(home, environ)
    entries = _read_file(file, required=False)
    return [f"{file}: {name} is no setting any more: {RETIRED[name]}"
            for name in sorted(entries.keys() & RETIRED.keys())]


def _fields() -> list[Any]:
    return [item for item in fields(Settings) if item.name != "sources"]


def _shown(value: Any) -> str:
    if isinstance(value, Expert):
        return " ".join(filter(None, (value.id, value.number, value.days, value.times)))
    if isinstance(value, Checked):
        return f"{value.number} {value.on} {value.owner}"
    if isinstance(value, tuple) and len(value) == 2 and isinstance(value[0], str) and isinstance(
        value[1], int
    ):
        return f"{value[0]} {value[1]}".strip()
    if isinstance(value, tuple):
        if len(value) == 2 and all(isinstance(part, (int, time)) for part in value):
            return "-".join(map(_shown, value))
        return ",".join(map(_shown, value))
    if isinstance(value, time):
        value = f"{value:%H:%M}"
    return "" if value is None else str(value)


def _read_file(file: Path, *, required: bool) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError) as error:
        if required:
            raise SettingsError(f"the settings file {file} does not exist") from error
        return {}
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SettingsError(f"the settings file {file} cannot be read: {error}") from error
