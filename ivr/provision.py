"""Provisioning: settings, menus and secrets in; Asterisk's configuration files out."""

from __future__ import annotations

import ipaddress
import re
import socket
import time
from collections.abc import Collection, Mapping
from datetime import datetime
from functools import partial
from pathlib import Path

from sqlalchemy import select, update

from crm import kept, packs, secrets
from crm.branches import ALL_QUEUES, LANGUAGES, NAMING, QUEUES, Language
from crm.database import Database
from crm.errors import HotlineError
from crm.models import Seat
from crm.setting_values import Address
from crm.settings import PROJECT, Settings
from ivr import menu
from ivr.dialplan import MOBILE_KEYS, compile_dialplan, render

MENUS = PROJECT / "dialplans" / "menus"
MUSIC = "moh_default"  # the prompt
WITHIN_MUSIC = ("callback_offer", "queue_comfort_1", "emergency_stay")  # prompts
SYSTEM_AUTHORITIES = Path("/etc/ssl/certs/ca-certificates.crt")
EMERGENCY_STAY_S = 20  # of music, then "stay on the line"
SOCKET_PATH_LIMIT = 100  # bytes; the kernel takes 108 for a socket's path

# Names of endpoints begin so. A From that does is no caller's.
OWN_NAMES = ("carrier", "desk-", "node-", "seat-", "trunk")


def _other_than(names: Collection[str]) -> str:
    """A regular expression (POSIX, which has no look-ahead) for the beginning of what begins with
    none of these names; what is percent-encoded passes where it is no control character."""
    following: dict[str, list[str]] = {}
    for name in names:
        following.setdefault(name[0], []).append(name[1:])
    ways = [f"[^%{''.join(sorted(following, key=lambda sign: sign == '-'))}]", _ENCODED]
    ways += [sign + _other_than(rest) for sign, rest in following.items() if all(rest)]
    return f"({'|'.join(ways)})"


# pjsip decodes %xx of the From user, and AMI prints it raw: percent-encoded control characters,
# DEL and bytes above it are refused, honest ones such as %2B84... pass.
_ENCODED = "%[2-6][0-9A-Fa-f]|%7[0-9A-Ea-e]"
FROM_PATTERN = (
    rf'/^("([^%"\\]|[\\][^%]|{_ENCODED})*" ?)?<?(sips?|tel):'
    rf"{_other_than(OWN_NAMES)}([^%]|{_ENCODED})*$/"
)

# Relative to LOG/cel-custom: Asterisk cuts the name of a section off after 79 characters, and would
# write the journal of a state folder with a longer path to another file without a word.
JOURNAL_FROM_LOG = "../../../journal/journal.csv"

MODULES = (
    "res_crypto", "res_sorcery_config", "res_sorcery_memory", "res_sorcery_astdb",
    # timerfd forgets the ticks it was late for, so that a busy machine stretches speech (20 of 50
    # packets a second were seen); pthread makes up for them
    "res_timing_pthread", "res_rtp_asterisk", "res_srtp", "res_http_websocket",
    "res_pjproject", "res_pjsip", "res_pjsip_session", "res_pjsip_sdp_rtp",
    "res_pjsip_authenticator_digest", "res_pjsip_outbound_authenticator_digest",
    "res_pjsip_outbound_registration", "res_pjsip_endpoint_identifier_ip",
    "res_pjsip_endpoint_identifier_user", "res_pjsip_registrar", "res_pjsip_caller_id",
    "res_pjsip_header_funcs", "res_pjsip_nat", "res_pjsip_path", "res_pjsip_transport_websocket",
    "res_pjsip_dtmf_info", "res_pjsip_rfc3326", "res_pjsip_logger", "res_pjsip_acl", "chan_pjsip",
    # not bridge_native_rtp: it passes packets on as they are, so that a stream changes its source
    # and sequence where two parties meet, and some receivers play nothing more (every second call
    # of an emergency service that was told the number first)
    "bridge_simple", "bridge_softmix", "bridge_holding",
    "bridge_builtin_features",
    "codec_alaw", "codec_ulaw", "codec_resample", "format_pcm", "format_sln", "format_wav",
    "res_musiconhold", "pbx_config", "pbx_loopback",
    "app_celgenuserevent", "app_channelredirect", "app_confbridge", "app_chanspy",
    "app_controlplayback", "app_db",
    "app_dial", "app_echo", "app_exec", "app_mixmonitor", "app_originate", "app_playback",
    "app_queue", "app_read", "app_senddtmf", "app_softhangup", "app_stack",
    "app_userevent", "app_verbose",
    "func_callerid", "func_channel", "func_cut", "func_db", "func_devstate", "func_dialplan",
    "func_env",
    "func_global", "func_groupcount", "func_lock", "func_logic", "func_math", "func_pjsip_endpoint",
    "func_sha1", "func_strings", "func_timeout", "func_version", "res_clioriginate",
    "res_pjsip_pubsub", "res_cdrel_custom", "cel_custom",
)

NOT_IN_EVERY_VERSION = frozenset({"res_cdrel_custom", "res_timing_pthread"})

# Short files, most of them to say that something is not used.
_SHORT_FILES = {
    "cdr.conf": "[general]\nenable = no\n",
    # Key 4 of a caller who talks with an agent: the agent's leg looks whether it holds the caller.
    "features.conf": "[general]\n[featuremap]\n[applicationmap]\n"
    "hotline4 => 4,peer/caller,Gosub,\"hl-held,s,1\"\n"
    # What an agent asks for from a telephone outside, whose leg alone has these features.
    + "".join(
        f"{one.feature} => {one.keys},self/both,Gosub,\"hl-mobile-key,{one.asks},1\"\n"
        for one in MOBILE_KEYS
    ),
    "acl.conf": "", "udptl.conf": "[general]\n", "pjproject.conf": "", "ccss.conf": "[general]\n",
    "indications.conf": "[general]\ncountry = vn\n[vn]\ndescription = Vietnam\n"
    "ringcadence = 1000,4000\ndial = 425\nbusy = 425/500,0/500\nring = 425/1000,0/4000\n"
    "congestion = 425/250,0/250\n",
    "queuerules.conf": "", "confbridge.conf": "[general]\n",
}


class ProvisionError(HotlineError):
    """The configuration cannot be made. The message is for the engineer."""


def etc(home: Path) -> Path:
    return home / "asterisk" / "etc"


def journal(home: Path) -> Path:
    return home / "journal" / "journal.csv"


def recordings(home: Path) -> Path:
    return home / "recordings"


def messages(home: Path) -> Path:
    return home / "voicemail"


def no_room(home: Path) -> Path:
    """Is there while the disk is nearly full: the dialplan records nothing and takes no message."""
    return home / "asterisk" / "no-room"


def draining(home: Path) -> Path:
    """The dialplan takes no new calls until the time at which this file was last changed, which
    lies ahead while the hotline is being drained."""
    return home / "asterisk" / "draining"


def is_draining(home: Path) -> bool:
    try:
        return draining(home).stat().st_mtime > time.time()
    except FileNotFoundError:
        return False


def sounds(home: Path) -> Path:
    return home / "asterisk" / "data" / "sounds"


def phones(settings: Settings) -> list[str]:
    """Names of the phones that are provisioned: browser seats, then desk phones."""
    first = settings.phones_from
    seats = [f"seat-{number:03}" for number in range(first, first + settings.seats)]
    return seats + [f"desk-{number:02}" for number in range(first, first + settings.desk_phones)]


def prepare(settings: Settings, database: Database) -> None:
    """Make the folders and secrets of a hotline and fill the table of phones."""
    home = settings.home
    if len(str(home / "asterisk" / "run" / "asterisk.ctl").encode()) > SOCKET_PATH_LIMIT:
        raise ProvisionError(f"the path of the state folder is too long for a socket: {home}")
    for folder, mode in _FOLDERS.items():
        (home / folder).mkdir(parents=True, exist_ok=True)
        (home / folder).chmod(mode)
    if settings.kept:
        try:
            kept.share(home, settings.kept)
        except OSError as error:
            raise ProvisionError(f"HOTLINE_KEPT, the shared folder: {error}") from error
    made = secrets.ensure(home, phones(settings))
    _sync_phones(database, settings.node, made.phones, alone=not settings.nodes)


_FOLDERS = {
    "asterisk/etc": 0o750, "asterisk/lib/keys": 0o750, "asterisk/data/sounds": 0o755,
    "asterisk/spool": 0o750, "asterisk/run": 0o750, "asterisk/log": 0o750,
    "asterisk/log/cel-custom": 0o750, "journal": 0o750, "recordings": 0o700, "voicemail": 0o700,
    "attachments": 0o700, "log": 0o750, "recordings-vi": 0o755, "tls": 0o700,
}


def _sync_phones(
    database: Database, node: str, wanted: Mapping[str, str], *, alone: bool
) -> None:
    with database.transaction() as session:
        if alone:  # and perhaps renamed
            session.execute(update(Seat).values(node=node))
        known = {seat.name: seat for seat in session.scalars(select(Seat).where(Seat.node == node))}
        others = select(Seat).where(Seat.node != node, Seat.name.in_(wanted))
        if other := session.scalar(others.limit(1)):
            raise ProvisionError(
                f"{other.name} is a phone of the node {other.node}: set HOTLINE_PHONES_FROM to a "
                "number from which no other node's phones are counted"
            )
        for name, secret in wanted.items():
            kind = "webrtc" if name.startswith("seat-") else "desk"
            if name in known:
                known[name].secret = secret
            else:
                session.add(Seat(name=name, node=node, kind=kind, secret=secret))
        for name in known.keys() - wanted.keys():
            session.delete(known[name])


def new_boot(now: datetime) -> str:
    """A token for one start of Asterisk: the second in base 36, later ones sort later."""
    number, digits = int(now.timestamp()), ""
    while number:
        number, rest = divmod(number, 36)
        digits = "0123456789abcdefghijklmnopqrstuvwxyz"[rest] + digits
    return digits


def languages(home: Path) -> tuple[Language, ...]:
    """Languages that can be chosen: what names them has been recorded by somebody who speaks it."""
    return tuple(
        one for one in LANGUAGES
        if all((sounds(home) / f"vi_{one.id}" / f"{name}.alaw").exists() for name in NAMING)
    )


def hold_music(home: Path, seconds: int) -> Path:
    """Music of that length, without the suffix."""
    return home / "asterisk" / "data" / "hold" / f"music_{seconds}"


def hold_sound(home: Path, folder: str, name: str) -> Path:
    """A prompt as it is heard on hold, without the suffix: in Vietnamese if it was not recorded."""
    own = (sounds(home) / folder / f"{name}.alaw").exists()
    return home / "asterisk" / "data" / "hold" / f"{folder if own else 'vi'}_{name}"


def load_menus(settings: Settings) -> menu.Menus:
    """The menus of this installation and its scenario pack, checked. Raises menu.MenuError."""
    return menu.load(settings.menus, packs.chosen(settings.home))


def files(
    settings: Settings, made: secrets.Secrets, menus: menu.Menus, *, version: tuple[int, ...],
    modules: Path, open_files: int, boot: str,
) -> dict[str, str]:
    """Every configuration file of Asterisk: name → text."""
    home = settings.home
    state = home / "asterisk"
    loopback = settings.ws_bind.is_loopback
    spoken = languages(home)
    values: dict[str, object] = {
        "etc": etc(home), "state": state, "modules": modules, "node": settings.node, "boot": boot,
        "open_files": open_files, "ami": settings.ami_bind, "secrets": made,
        "journal": JOURNAL_FROM_LOG, "advanced_cel": version >= (22, 9),
        "ws": settings.ws_bind, "ws_tls": not loopback,
        "certificate": settings.tls_certificate or home / "tls" / "hotline.crt",
        "certificate_key": settings.tls_key or home / "tls" / "hotline.key",
        "seats": settings.seats, "rtp_first": settings.rtp_ports[0],
        "rtp_last": settings.rtp_ports[1], "loopback_media": loopback,
        "outward_address": outward_address(), "sounds": sounds(home),
        "sip": settings.sip_bind, "media_address": settings.media_address,
        "local_nets": ["127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"],
        "from_pattern": FROM_PATTERN, "carriers": settings.carriers,
        "outbound": settings.outbound, "transports": _transports(settings),
        "by_udp_alone": all(one.protocol == "udp" for one in settings.carriers),
        "own_address": settings.media_address if settings.sip_bind.host == "0.0.0.0"  # noqa: S104
        else settings.sip_bind.host,
        "phones_by_tls": settings.phones_by_tls,
        "carriers_authority": settings.trunk_ca or SYSTEM_AUTHORITIES,
        "numbers": settings.numbers, "phones": made.phones, "nodes": settings.other_nodes,
        "phones_edge": settings.phones_edge,
        "web_calls": settings.web_calls, "web_phone": made.web_phone, "queues": ALL_QUEUES,
        "ring_s": settings.ring_s, "phone_silent_s": settings.phone_silent_s,
        "callback_offer_s": settings.callback_offer_s,
        "languages": [one.id for one in spoken], "hold_music": partial(hold_music, home),
        "music": MUSIC, "emergency_stay_s": EMERGENCY_STAY_S,
        "holds": {"hold": "vi"} | {f"hold_{one.id}": f"vi_{one.id}" for one in spoken},
        "hold_sound": partial(hold_sound, home),
        "wrapup_s": settings.wrapup_s, "service_level_s": settings.service_level_s,
        "modules_loaded": [
            name for name in MODULES if (modules / f"{name}.so").exists()
        ],
    }
    templates = (
        "asterisk", "modules", "logger", "cli", "manager", "cel", "cel_custom", "http", "rtp",
        "musiconhold", "queues", "pjsip",
    )
    made_files = {f"{name}.conf": render(f"{name}.conf.j2", values) for name in templates}
    made_files |= _SHORT_FILES
    made_files[packs.IN_FORCE] = packs.written(menus.pack)
    made_files["extensions.conf"] = compile_dialplan(
        menus, numbers=settings.dialled, capacity=settings.admitted,
        queue_timeout_s=settings.queue_timeout_s, wrapup_s=settings.wrapup_s,
        emergency_targets=settings.emergency_targets,
        carriers=settings.carriers, recordings=recordings(home),
        messages=messages(home), no_room=no_room(home), draining=draining(home),
        asterisk_major=version[0],
        callback_again_s=settings.callback_again_s, callback_legs=settings.callback_legs,
        broadcast_legs=settings.broadcast_legs,
        queue_limits={queue: settings.queue_limit(queue) for queue in QUEUES},
        duty_phones=settings.duty_phones, experts=settings.experts, languages=spoken,
        web_calls=settings.web_calls, web_key=made.web_key,
        transfer_prefixes=settings.transfer_prefixes, help_lines=settings.help_lines,
        staff_number=settings.staff_number or "", staff_key=made.staff_key,
        kind="training" if settings.stage == "training" else "citizen",
        node=settings.node, nodes=tuple(one.name for one in settings.nodes),
        holders=settings.first_holders if settings.nodes else {},
    )
    return made_files


def _transports(settings: Settings) -> dict[str, Address]:
    """Besides UDP: the protocols that carriers and phones want, and where they are listened on."""
    binds = {"tcp": settings.sip_bind, "tls": settings.sip_tls}
    return {
        name: bind for name, bind in binds.items()
        if any(one.protocol == name for one in settings.carriers)
        or (name == "tls" and settings.phones_by_tls)
    }


def write(home: Path, wanted: Mapping[str, str]) -> list[str]:
    """Write the files that differ, each atomically, readable by the owner only.

    Returns the names of those that changed.
    """
    folder = etc(home)
    changed = []
    for name, text in wanted.items():
        file = folder / name
        if file.exists() and file.read_text(encoding="utf-8") == text:
            continue
        draft = folder / f"{name}.new"
        draft.touch(mode=0o600)
        draft.write_text(text, encoding="utf-8")
        draft.replace(file)
        changed.append(name)
    return changed


def host_names() -> list[str]:
    """Names and addresses under which browsers on other machines may reach this one."""
    return sorted({socket.gethostname(), socket.getfqdn(), *host_addresses()})


def outward_address() -> str:
    """The address of this host from which it would speak to others; empty: it has none."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as unsent:
        try:
            unsent.connect(("203.0.113.1", 9))  # of a range for documents; nothing is sent
        except OSError:
            return next(iter(host_addresses()), "")
        address = str(unsent.getsockname()[0])
    return "" if ipaddress.ip_address(address).is_loopback else address


def host_addresses() -> list[str]:
    """This host's own IPv4 addresses besides the loopback."""
    found: set[str] = set()
    try:
        with Path("/proc/net/fib_trie").open(encoding="ascii") as routes:
            last = ""
            for line in routes:
                if match := re.search(r"(?:\|--|\+--) (\d+\.\d+\.\d+\.\d+)", line):
                    last = match[1]
                elif "/32 host LOCAL" in line:
                    found.add(last)
    except OSError:
        found.update(str(info[4][0]) for info in socket.getaddrinfo(socket.gethostname(), None))
    return sorted(
        address for address in found
        if "." in address and not ipaddress.ip_address(address).is_loopback
    )
