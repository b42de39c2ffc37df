"""A telephone on one UDP address: registers, calls, is called. Made for asyncio.

    async with Phone(server=("127.0.0.1", 5060), user="0912345678") as phone:
        call = await phone.call("1022")
        if await call.answered(10):
            await call.press("3")

One telephone carries any number of calls; a load test needs only one.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import Self

from ivr.phone import sip
from ivr.phone.call import Call, Dtmf, HeaderOverrides, PhoneError
from ivr.phone.dialog import ALLOW, Account, Dialog
from ivr.phone.sip import Address
from ivr.phone.transactions import T1_S, ServerTransaction, SipEndpoint, Unreachable

_REGISTRATION_S = 3600
_CLOSING_S = 3.0

log = logging.getLogger(__name__)


class Phone:
    """`t1_s` is SIP's round-trip estimate; all its timeouts are multiples (Timer B: 64 T1).

    Incoming calls ring at once; they go to `on_incoming` if it is set, else to `incoming()`.
    `sparse`: say a packet now and then and hear nothing, for callers by the hundred; their keys
    can only be sent by INFO.
    """

    def __init__(
        self,
        bind_ip: str = "127.0.0.2",
        bind_port: int = 0,
        *,
        server: Address = ("127.0.0.1", 5060),
        user: str = "0912345678",
        password: str | None = None,
        display_name: str | None = None,
        dtmf: Dtmf = Dtmf.RFC4733,
        sparse: bool = False,
        t1_s: float = T1_S,
    ) -> None:
        self.on_incoming: Callable[[Call], None] | None = None
        self._bind = bind_ip, bind_port
        self._server = server
        self._account = Account(user, password)
        self._display_name = display_name
        self._dtmf = dtmf
        self._sparse = sparse
        self._t1_s = t1_s
        self._endpoint: SipEndpoint | None = None
        self._calls: dict[tuple[str, str | None], Call] = {}
        self._waiting: asyncio.Queue[Call] = asyncio.Queue()
        self._registration: Dialog | None = None

    async def start(self) -> None:
        """Bind the address; PhoneError if it cannot be had."""
        endpoint = SipEndpoint(self._on_request, t1_s=self._t1_s)
        try:
            endpoint.open(*self._bind)
        except OSError as error:
            ip, port = self._bind
            raise PhoneError(f"cannot use {ip}:{port} for SIP: {error.strerror}") from error
        self._endpoint = endpoint

    async def close(self) -> None:
        """Hang up everything and let the address go."""
        if self._endpoint is None:
            return
        goodbyes = [asyncio.create_task(call.hang_up()) for call in tuple(self._calls.values())]
        if goodbyes:
            await asyncio.wait(goodbyes, timeout=_CLOSING_S)
        self._endpoint.close()
        await asyncio.gather(*goodbyes)
        self._endpoint = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    @property
    def address(self) -> Address:
        return self._started().address

    @property
    def garbage(self) -> int:
        """Datagrams received that were not SIP."""
        return self._started().garbage

    async def register(self) -> None:
        """Register for an hour; PhoneError if refused. It is not renewed."""
        await self._register(_REGISTRATION_S)

    async def unregister(self) -> None:
        await self._register(0)

    async def call(
        self,
        number: str,
        *,
        caller: str | None = None,
        headers: HeaderOverrides | None = None,
        timeout_s: float | None = None,
    ) -> Call:
        """Send an INVITE; what comes of it is told by the call's `answered` and `ended`.

        number: put verbatim into the Request-URI and To.
        caller: put into From instead of this telephone's user.
        headers: put verbatim in the place of the INVITE's own of the same names, or added. A From
            given here needs its own `;tag=`.
        timeout_s: cancel if not answered by then.
        """
        ip, port = self._server
        endpoint = self._started()
        overrides = dict(headers or {})
        named = f'"{self._display_name}" ' if self._display_name else ""
        default_from = f"{named}<sip:{caller or self._account.user}@{endpoint.address[0]}>"
        dialog = Dialog(
            endpoint,
            self._account,
            peer=self._server,
            local=_text(_take(overrides, "From")) or f"{default_from};tag={sip.new_token()}",
            remote=_text(_take(overrides, "To")) or f"<sip:{number}@{ip}:{port}>",
            target=f"sip:{number}@{ip}:{port}",
            call_id=_text(_take(overrides, "Call-ID")) or sip.new_token(),
        )
        call = self._new_call(dialog, None)
        call.dial(overrides, timeout_s)
        await asyncio.sleep(0)  # the INVITE leaves now
        return call

    async def incoming(self, timeout_s: float | None = None) -> Call:
        """The next call that rings; TimeoutError if none comes."""
        return await asyncio.wait_for(self._waiting.get(), timeout_s)

    # --- inside

    def _started(self) -> SipEndpoint:
        if self._endpoint is None:
            raise PhoneError("the telephone is not started")
        return self._endpoint

    def _new_call(self, dialog: Dialog, invite: ServerTransaction | None) -> Call:
        endpoint = self._started()
        try:
            call = Call(
                endpoint, dialog, invite, on_end=self._forget, dtmf=self._dtmf, sparse=self._sparse
            )
        except OSError as error:
            raise PhoneError(f"no RTP port on {endpoint.address[0]}: {error.strerror}") from error
        self._calls[call.call_id, call.tag] = call
        return call

    def _forget(self, call: Call) -> None:
        self._calls.pop((call.call_id, call.tag), None)

    async def _register(self, expires_s: int) -> None:
        ip, port = self._server
        if self._registration is None:
            address = f"<sip:{self._account.user}@{ip}:{port}>"
            self._registration = Dialog(
                self._started(),
                self._account,
                peer=self._server,
                local=f"{address};tag={sip.new_token()}",
                remote=address,
                target=f"sip:{ip}:{port}",
                call_id=sip.new_token(),
            )
        try:
            response = await self._registration.request(
                "REGISTER", headers=(("Expires", str(expires_s)),)
            )
        except Unreachable as error:
            raise PhoneError(f"cannot register: {error}") from error
        if response.code >= 300:
            raise PhoneError(f"cannot register: {response.code} {response.reason}")

    def _on_request(self, transaction: ServerTransaction) -> None:
        request = transaction.request
        call = self._calls.get((request.call_id, request.to_tag))
        if request.method == "CANCEL":
            self._on_cancel(transaction)
        elif call is not None:
            call.receive(transaction)
        elif request.to_tag is not None:
            transaction.respond(481)
        elif request.method == "INVITE":
            self._ring(transaction)
        elif request.method in ("OPTIONS", "NOTIFY"):
            transaction.respond(200, to_tag=sip.new_token(), headers=(ALLOW,))
        else:
            transaction.respond(405, to_tag=sip.new_token(), headers=(ALLOW,))

    def _on_cancel(self, transaction: ServerTransaction) -> None:
        invite = self._started().invite_cancelled_by(transaction)
        if invite is None:
            transaction.respond(481)
            return
        transaction.respond(200)
        for call in tuple(self._calls.values()):
            if call.invite is invite:
                call.cancelled()

    def _ring(self, transaction: ServerTransaction) -> None:
        request = transaction.request
        dialog = Dialog(
            self._started(),
            self._account,
            peer=transaction.source,
            local=f"{request.get('To')};tag={sip.new_token()}",
            remote=request.get("From") or "",
            target=sip.address_uri(request.get("From") or ""),
            call_id=request.call_id,
        )
        dialog.establish(request)
        try:
            call = self._new_call(dialog, transaction)
        except PhoneError as error:
            log.warning("incoming call refused: %s", error)
            transaction.respond(503, to_tag=sip.new_token())
            return
        transaction.respond(180, to_tag=call.tag, headers=(dialog.contact,))
        if self.on_incoming is not None:
            self.on_incoming(call)
        else:
            self._waiting.put_nowait(call)


def _take(headers: dict[str, str | bytes], name: str) -> str | bytes | None:
    """Remove a header, whatever the case of its name: it holds for the dialog, not one request."""
    key = next((key for key in headers if key.lower() == name.lower()), None)
    return None if key is None else headers.pop(key)


def _text(value: str | bytes | None) -> str:
    if isinstance(value, bytes):
        return value.decode("utf-8", "surrogateescape")
    return value or ""
