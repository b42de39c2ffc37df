"""One request to an address that somebody else has named.

It must not become a way into the operator's own network: the name is resolved once, all its
addresses must be public ones or allowed by a setting, and the connection goes to the address that
was checked. Redirects are not followed, and after `LONGEST_S` it is over, however slowly the other
side talks.
"""

from __future__ import annotations

import http.client
import ipaddress
import socket
import ssl
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

LONGEST_S = 10.0
CONNECT_S = 5.0
LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
_NAT64 = ipaddress.ip_network("64:ff9b::/96")

IP = ipaddress.IPv4Address | ipaddress.IPv6Address


class _Refused(Exception):
    """The address may not be asked."""


@dataclass(frozen=True)
class Answered:
    """`taken`: answered 2xx. `gone`: answered 410, there is nobody any more."""

    taken: bool
    problem: str = ""
    gone: bool = False


def post(
    url: str, body: str, headers: Mapping[str, str], allowed: Sequence[str],
    longest_s: float = LONGEST_S,
) -> Answered:
    """Send JSON to `url`. `allowed` are networks that are not public and yet may be asked."""
    try:
        status = _status(url, body.encode(), headers, allowed, longest_s)
    except _Refused as error:
        return Answered(taken=False, problem=str(error))
    except (OSError, ValueError, http.client.HTTPException) as error:
        return Answered(taken=False, problem=f"cannot be reached: {type(error).__name__}")
    if 200 <= status < 300:
        return Answered(taken=True)
    redirected = " (redirects are not followed)" if 300 <= status < 400 else ""
    return Answered(taken=False, problem=f"answered {status}{redirected}", gone=status == 410)


def may_be_asked(address: IP, allowed: Sequence[str]) -> bool:
    """Whether this is a public address, or one of a network that the operator allows."""
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            address = address.ipv4_mapped
        elif address in _NAT64:
            address = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    networks = (ipaddress.ip_network(one) for one in allowed)
    if any(address.version == one.version and address in one for one in networks):
        return True
    return address.is_global and not address.is_multicast


def _status(
    url: str, body: bytes, headers: Mapping[str, str], allowed: Sequence[str], longest_s: float
) -> int:
    parts = urlsplit(url)
    host, secure = parts.hostname or "", parts.scheme == "https"
    port = parts.port or (443 if secure else 80)
    address = _checked(host, port, allowed)
    if not secure and not address.is_loopback:
        raise _Refused("what leaves this machine goes by https")
    sock = socket.create_connection((str(address), port), timeout=min(CONNECT_S, longest_s))
    # a time limit of a socket counts anew with each byte: this one ends it all. It is the socket's
    # own shutdown, since that of a TLS socket would pull its state from under a running read.
    using = [sock]
    watch = threading.Timer(longest_s, lambda: _cut(using[0]))
    watch.daemon = True
    watch.start()
    try:
        if secure:
            # the handshake after it, so that it can be cut off too
            tls = ssl.create_default_context().wrap_socket(
                sock, server_hostname=host, do_handshake_on_connect=False
            )
            using[0] = tls
            tls.do_handshake()
        connection = http.client.HTTPConnection(host, port)
        connection.sock = using[0]
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        connection.request("POST", path, body, {
            "Host": parts.netloc, "Content-Type": "application/json",
            "User-Agent": "hotline1022", "Connection": "close", **headers,
        })
        return connection.getresponse().status
    finally:
        watch.cancel()
        using[0].close()


def _cut(sock: socket.socket) -> None:
    try:
        socket.socket.shutdown(sock, socket.SHUT_RDWR)
    except OSError:
        return  # it was over already


def _checked(host: str, port: int, allowed: Sequence[str]) -> IP:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    addresses = [ipaddress.ip_address(str(one[4][0]).partition("%")[0]) for one in found]
    if not addresses or not all(may_be_asked(one, allowed) for one in addresses):
        raise _Refused("its address is not a public one, and webhook_networks does not allow it")
    return addresses[0]
