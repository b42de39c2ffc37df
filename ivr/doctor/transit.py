"""What leaves this machine must not be read on the way: rows of the database, what desk phones and
nodes say, and carriers that are reached over the Internet (a line of the carrier's own is as secret
as was agreed with it)."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from ipaddress import ip_address

from crm.database import Database
from ivr.doctor import network
from ivr.doctor.check import OK, WARNING, Check, Patient

_ENCRYPTED = ("require", "verify-ca", "verify-full")  # of libpq's sslmode: no other insists


def transit(patient: Patient) -> Iterator[Check]:
    if hosts := _databases(patient):
        yield Check(
            "transit", patient.late(), f"the database at {', '.join(hosts)} may be spoken with in "
            "clear", "add sslmode=verify-full and sslrootcert=FILE to database_url "
            "(?sslmode=require where there is no authority)",
        )
    if phones := _phones(patient):
        yield Check(
            "transit", WARNING, f"desk phones speak in clear: {', '.join(phones)}",
            "set HOTLINE_PHONE_TRANSPORT to tls+srtp, and each phone to SIP over TLS with SRTP",
        )
    carriers = [
        one.setting for one in patient.settings.carriers
        if one.protocol != "tls" and network.over_the_internet(one)
    ]
    if carriers:
        yield Check(
            "transit", WARNING, f"calls cross the Internet in clear: {', '.join(carriers)}",
            "agree on tls+srtp with the carrier (HOTLINE_TRUNK_TRANSPORT), or on a line of its own",
        )
    nodes = [str(one) for one in patient.settings.other_nodes if not one.sip.is_loopback]
    if nodes:
        yield Check(
            "transit", WARNING, f"calls between nodes are in clear: {', '.join(nodes)}",
            "keep the nodes in a network of their own, where nobody else listens (VLAN, WireGuard)",
        )
    if not (hosts or phones or carriers or nodes):
        yield Check("transit", OK, "nothing goes out in clear")


def _databases(patient: Patient) -> list[str]:
    """Hosts of the database on other machines, where encryption is not insisted on."""
    engine = Database.of(patient.settings).engine
    if engine.dialect.name == "sqlite":
        return []
    asked = engine.dialect.create_connect_args(engine.url)[1]
    if (asked.get("sslmode") or os.environ.get("PGSSLMODE")) in _ENCRYPTED:
        return []
    hosts = str(asked.get("hostaddr") or asked.get("host") or os.environ.get("PGHOST", ""))
    return [host for host in hosts.split(",") if not _is_near(host)]


def _is_near(host: str) -> bool:
    """This machine: a socket in the file system (libpq's default), or the loopback."""
    if not host or host[0] in "/@" or host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _phones(patient: Patient) -> list[str]:
    """Desk phones off this machine that are registered without encryption, or are let in so."""
    settings = patient.settings
    # `pjsip show contacts` cuts off what would tell
    shown = patient.ask("database show registrar") if patient.pid else None
    found = [
        f"{name} at {host}" for name, host, more in re.findall(
            r'^/registrar/contact/(desk-\d+);.*"uri":"sips?:(?:[^@"]*@)?([\d.]+)([^"]*)"',
            shown or "", re.M,
        ) if "transport=tls" not in more.lower() and not _is_near(host)
    ]
    if found or settings.phone_transport != "udp" or not settings.desk_phones:
        return found
    if settings.sip_bind.is_loopback:
        return []
    return [f"of {net}" for net in settings.phone_networks if not _is_near(net.partition("/")[0])]
