"""Who may send what to the hotline's ports: rules for nftables, made from the settings.

The SIP ports are open to carriers and to the networks of desk phones, to nobody else. Addresses
from which too many sign-ins failed are shut out of console and WebSocket for a while. That is
decided from our own table of failures, behind a TCP handshake and a form: no line of a log, no
event and no packet that can carry another's address has a say in it, and no carrier can be named.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterable, Mapping
from datetime import datetime
from ipaddress import AddressValueError, IPv4Address, IPv4Network

from sqlalchemy.orm import Session

from crm import users
from crm.errors import HotlineError
from crm.settings import Settings
from ivr.dialplan import render

TABLE = "inet hotline1022"
PHONE_RATE = 20  # SIP messages a second of one desk phone's address
BROWSER_RATE = 20  # new connections a second of one address: an office may share it
_EVERYBODY = ("0.0.0.0/0",)


class FirewallError(HotlineError):
    """The rules cannot be loaded. The message says why and what to do."""


def rules(settings: Settings) -> str:
    """The whole table, to be loaded at once in the place of the one before."""
    carriers = {net: None for one in settings.carriers for net in one.permitted}
    carriers |= {f"{one.sip.host}/32": None for one in settings.other_nodes}
    sip = [("udp", settings.sip_bind.port)]
    for carrier in settings.carriers:
        if carrier.protocol == "tcp":
            sip.append(("tcp", settings.sip_bind.port))
        elif carrier.protocol == "tls":
            sip.append(("tcp", settings.sip_tls.port))
    if settings.phones_by_tls:
        sip.append(("tcp", settings.sip_tls.port))
    return render("firewall.nft.j2", {
        "sets": {
            "carriers": list(carriers), "phones": settings.phone_networks,
            "consoles": settings.console_networks or _EVERYBODY,
        },
        "sip": list(dict.fromkeys(sip)), "rtp": settings.rtp_ports,
        "browsers": sorted({settings.console_bind.port, settings.ws_bind.port}),
        "ami": settings.ami_bind.port, "phone_rate": PHONE_RATE, "browser_rate": BROWSER_RATE,
    })


def bans(session: Session, settings: Settings, now: datetime) -> dict[str, int]:
    """Addresses that are shut out, with the seconds for which."""
    return {
        address: max(1, int((until - now).total_seconds()))
        for address, until in users.failing_addresses(session, now).items()
        if _can_be_banned(settings, address)
    }


def _can_be_banned(settings: Settings, address: str) -> bool:
    try:
        number = IPv4Address(address)
    except AddressValueError:
        return False  # the hotline listens to no other
    safe = [net for one in settings.carriers for net in one.permitted]
    safe += [f"{one.sip.host}/32" for one in settings.other_nodes]
    return not number.is_loopback and not any(number in IPv4Network(net) for net in safe)


def ban_script(banned: Mapping[str, int]) -> str:
    """Makes the set of banned addresses exactly these."""
    lines = [f"flush set {TABLE} banned"]
    lines += [
        f"add element {TABLE} banned {{ {address} timeout {seconds}s }}"
        for address, seconds in sorted(banned.items())
    ]
    return "\n".join(lines) + "\n"


def load(script: str, *, within: Iterable[str] = ()) -> None:
    """Have the kernel take a script, whole or not at all. `within`: the command that leads into
    another network. Raises FirewallError."""
    nft = shutil.which("nft", path="/usr/sbin:/sbin:/usr/bin:/bin")
    if nft is None:
        raise FirewallError("nft is not installed: apt install nftables")
    done = subprocess.run(
        [*within, nft, "-f", "-"], input=script, capture_output=True, text=True, check=False,
        timeout=30,
    )
    if done.returncode:
        reason = done.stderr.strip().splitlines()
        hint = ": run it as root" if "not permitted" in done.stderr else ""
        raise FirewallError(f"nft: {reason[0] if reason else done.returncode}{hint}")
