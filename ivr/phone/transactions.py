"""SIP over UDP: one socket, client and server transactions (RFC 3261 §17), retransmission.

A client transaction repeats its request until it is answered; a server transaction repeats its
answer whenever the request comes again, and an INVITE's final answer until the ACK. What is not
SIP is counted and dropped.
"""

import asyncio
import contextlib
import errno
import logging
import socket
from collections.abc import Callable, Iterable

from ivr.phone import sip
from ivr.phone.sip import Address, Header, Request, Response

T1_S = 0.5  # estimate of a round trip; every other timer is a multiple of it
T2_S = 4.0  # longest pause between two retransmissions
LIFETIME = 64  # in T1: Timers B, F, H, J

_IP_RECVERR = 11  # linux/in.h: report ICMP "port unreachable" on an unconnected socket
_MAX_DATAGRAM = 65535

OnProvisional = Callable[[Response], None]

log = logging.getLogger(__name__)


class Unreachable(Exception):
    """Nobody answers there; the text says who."""


class ClientTransaction:
    """One request of ours. `final` gives its final response or raises Unreachable."""

    def __init__(
        self,
        endpoint: "SipEndpoint",
        request: Request,
        address: Address,
        on_provisional: OnProvisional | None,
    ) -> None:
        self.request = request
        self.address = address
        self.final: asyncio.Future[Response] = endpoint.loop.create_future()
        self.noticed = asyncio.Event()
        self._ack: bytes | None = None  # of a 2xx
        self._endpoint = endpoint
        self._on_provisional = on_provisional
        self._data = sip.serialise(request)
        self._pause = endpoint.t1_s
        self._repeat: asyncio.TimerHandle | None = None
        self._deadline = endpoint.loop.call_later(LIFETIME * endpoint.t1_s, self._timed_out)

    def send(self) -> None:
        """Send the request, and again after ever longer pauses until it is answered."""
        # Armed first: the send itself may fail the transaction, which disarms.
        self._repeat = self._endpoint.loop.call_later(self._pause, self.send)
        self._pause *= 2
        if self.request.method != "INVITE":
            self._pause = min(self._pause, T2_S)
        self._endpoint.send(self._data, self.address)

    def _disarm(self) -> None:
        self._deadline.cancel()
        if self._repeat is not None:
            self._repeat.cancel()

    async def heard_of(self, timeout_s: float) -> bool:
        """Wait until some response came or none ever will; False if the time is up before."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.noticed.wait(), timeout_s)
        return self.noticed.is_set()

    def receive(self, response: Response) -> None:
        if response.code < 200:
            self._receive_provisional(response)
            return
        self._disarm()
        if self.request.method == "INVITE" and response.code >= 300:
            self._endpoint.send(
                sip.serialise(sip.ack_for_refusal(self.request, response)), self.address
            )
        elif self._ack is not None:
            self._endpoint.send(self._ack, self.address)
        if not self.final.done():
            self.final.set_result(response)
            self.noticed.set()
            self._endpoint.forget_later(self)

    def acknowledge(self, ack: bytes) -> None:
        """Send the ACK of a 2xx, and again whenever the 2xx is repeated."""
        self._ack = ack
        self._endpoint.send(ack, self.address)

    def _receive_provisional(self, response: Response) -> None:
        if self.final.done():
            return
        if self.request.method == "INVITE":
            self._disarm()  # it may ring for as long as it likes
        else:
            self._pause = T2_S
        self.noticed.set()
        if self._on_provisional is not None:
            self._on_provisional(response)

    def _timed_out(self) -> None:
        ip, port = self.address
        seconds = LIFETIME * self._endpoint.t1_s
        self.fail(f"no SIP answer from {ip}:{port} within {seconds:g} s")

    def fail(self, sentence: str) -> None:
        """End the transaction without an answer, unless there is one."""
        self._disarm()
        if not self.final.done():
            self.final.set_exception(Unreachable(sentence))
            self.noticed.set()
            self.final.exception()  # seen: a caller that gave up waiting is not a fault
            self._endpoint.forget_later(self)


class ServerTransaction:
    """One request of theirs, answered at most once and repeated as often as needed."""

    def __init__(self, endpoint: "SipEndpoint", request: Request, source: Address) -> None:
        self.request = request
        self.source = source
        self.answered = False
        self.acknowledged: asyncio.Future[Request | None] = endpoint.loop.create_future()
        self._endpoint = endpoint
        self._last: bytes | None = None
        self._pause = endpoint.t1_s
        self._timers: list[asyncio.TimerHandle] = []

    def respond(
        self,
        code: int,
        reason: str | None = None,
        *,
        to_tag: str | None = None,
        headers: Iterable[Header] = (),
        body: bytes = b"",
    ) -> None:
        """Send a response; a second final one is ignored.

        `acknowledged` then resolves for an INVITE: to its ACK, or to None if none ever came.
        """
        if self.answered:
            return
        response = Response(
            code=code,
            reason=reason or sip.REASONS.get(code, ""),
            headers=(*self._copied_headers(to_tag), *headers),
            body=body,
        )
        self._last = sip.serialise(response)
        self._endpoint.send(self._last, self.source)
        if code < 200:
            return
        self.answered = True
        if self.request.method == "INVITE":
            self._repeat_until_acknowledged()
        else:
            self._endpoint.forget_later(self)

    def _copied_headers(self, to_tag: str | None) -> Iterable[Header]:
        ip, port = self.source
        top, *others = self.request.values("Via")
        yield "Via", top.replace(";rport", f";received={ip};rport={port}", 1)
        yield from (("Via", via) for via in others)
        for name, value in self.request.headers:
            lower = name.lower()
            if lower == "to" and to_tag is not None and self.request.to_tag is None:
                yield name, f"{value};tag={to_tag}"
            elif lower in ("from", "to", "call-id", "cseq", "record-route"):
                yield name, value

    def repeat(self) -> None:
        if self._last is not None:
            self._endpoint.send(self._last, self.source)

    def _repeat_until_acknowledged(self) -> None:
        loop, t1_s = self._endpoint.loop, self._endpoint.t1_s
        deadline = loop.call_later(LIFETIME * t1_s, self.acknowledge, None)

        def again() -> None:
            self.repeat()
            self._pause = min(self._pause * 2, T2_S)
            self._timers[1] = loop.call_later(self._pause, again)

        self._timers = [deadline, loop.call_later(self._pause, again)]

    def acknowledge(self, ack: Request | None) -> None:
        for timer in self._timers:
            timer.cancel()
        if not self.acknowledged.done():
            self.acknowledged.set_result(ack)
            self._endpoint.forget_later(self)


class SipEndpoint:
    """A UDP socket that speaks SIP. `on_request` is called once for each new request."""

    def __init__(
        self, on_request: Callable[[ServerTransaction], None], *, t1_s: float = T1_S
    ) -> None:
        self.t1_s = t1_s
        self.garbage = 0  # datagrams that were not SIP
        self.loop = asyncio.get_running_loop()
        self._on_request = on_request
        self._clients: dict[tuple[str, str], ClientTransaction] = {}
        self._servers: dict[tuple[str, str, str], ServerTransaction] = {}
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)

    def open(self, ip: str, port: int) -> None:
        """Bind and listen; OSError if the address is not ours or taken."""
        self._socket.setblocking(False)
        self._socket.setsockopt(socket.IPPROTO_IP, _IP_RECVERR, 1)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        try:
            self._socket.bind((ip, port))
        except OSError:
            self._socket.close()
            raise
        self.loop.add_reader(self._socket, self._readable)

    def close(self) -> None:
        self.loop.remove_reader(self._socket)
        for client in tuple(self._clients.values()):
            client.fail("the telephone was closed")
        for server in tuple(self._servers.values()):
            server.acknowledge(None)
        self._socket.close()

    @property
    def address(self) -> Address:
        ip, port = self._socket.getsockname()
        return ip, port

    def send(self, data: bytes, address: Address) -> None:
        """One datagram; what cannot be sent is lost, as UDP may lose it anywhere."""
        if self._socket.fileno() == -1:
            return
        try:
            self._socket.sendto(data, address)
        except OSError as error:
            log.debug("datagram to %s:%d lost: %s", *address, error)
            self._fail_refused()
            if error.errno == errno.EMSGSIZE:
                self._fail_pending(address, f"{len(data)} bytes do not fit into one datagram")

    def client(
        self, request: Request, address: Address, on_provisional: OnProvisional | None = None
    ) -> ClientTransaction:
        transaction = ClientTransaction(self, request, address, on_provisional)
        self._clients[request.branch, request.method] = transaction
        transaction.send()
        return transaction

    def acknowledge(self, answer: Response, ack: bytes) -> None:
        """ACK a 2xx of an INVITE of ours, by the transaction that it belongs to."""
        client = self._clients.get((answer.branch, "INVITE"))
        if client is not None:
            client.acknowledge(ack)

    def invite_cancelled_by(self, cancel: ServerTransaction) -> ServerTransaction | None:
        return self._servers.get(_server_key(cancel.request, "INVITE"))

    def forget_later(self, transaction: ClientTransaction | ServerTransaction) -> None:
        """Keep a finished transaction for what may still be repeated to it."""
        self.loop.call_later(LIFETIME * self.t1_s, self._forget, transaction)

    def _forget(self, transaction: ClientTransaction | ServerTransaction) -> None:
        request = transaction.request
        if isinstance(transaction, ClientTransaction):
            self._clients.pop((request.branch, request.method), None)
        else:
            self._servers.pop(_server_key(request, request.method), None)

    def _readable(self) -> None:
        for _ in range(64):  # then let others run
            try:
                data, source = self._socket.recvfrom(_MAX_DATAGRAM)
            except BlockingIOError:
                self._fail_refused()
                return
            except OSError:
                self._fail_refused()
                continue
            self._receive(data, source)

    def _receive(self, data: bytes, source: Address) -> None:
        if not data.strip(b"\r\n\x00"):
            return  # a keep-alive
        try:
            message = sip.parse(data)
        except sip.SipError as error:
            self.garbage += 1
            log.debug("not SIP from %s:%d: %s", *source, error)
            return
        if isinstance(message, Response):
            client = self._clients.get((message.branch, message.cseq[1]))
            if client is not None:
                client.receive(message)
        elif message.method == "ACK":
            self._receive_ack(message)
        else:
            self._receive_request(message, source)

    def _receive_ack(self, ack: Request) -> None:
        # An ACK of a 2xx is a transaction of its own, so the call and its number must tell.
        for server in self._servers.values():
            invite = server.request
            same_call = invite.method == "INVITE" and invite.call_id == ack.call_id
            if same_call and invite.cseq[0] == ack.cseq[0] and server.answered:
                server.acknowledge(ack)
                return

    def _receive_request(self, request: Request, source: Address) -> None:
        key = _server_key(request, request.method)
        known = self._servers.get(key)
        if known is not None:
            known.repeat()
            return
        transaction = ServerTransaction(self, request, source)
        self._servers[key] = transaction
        self._on_request(transaction)

    def _fail_refused(self) -> None:
        """Fail what is pending to addresses that sent "port unreachable" (all queued reports)."""
        while True:
            try:
                _, _, _, address = self._socket.recvmsg(0, 512, socket.MSG_ERRQUEUE)
            except OSError:
                return
            if address:
                ip, port = address
                self._fail_pending(address, f"{ip}:{port} refuses: nothing listens there")

    def _fail_pending(self, address: Address, sentence: str) -> None:
        for client in tuple(self._clients.values()):
            if client.address == address and not client.noticed.is_set():
                client.fail(sentence)


def _server_key(request: Request, method: str) -> tuple[str, str, str]:
    # The sent-by part keeps apart two peers who chose the same branch (RFC 3261 §17.2.3).
    sent_by = request.values("Via")[0].partition(";")[0].rpartition(" ")[2]
    return request.branch, sent_by, method
