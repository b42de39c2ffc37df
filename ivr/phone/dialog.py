"""One side of a SIP dialog (RFC 3261 §12): who talks to whom, in which order, by which route.

Requests go to the address that the dialog came through, as a desk phone sends everything to its
outbound proxy: a Contact or Route names hosts in the Request-URI and headers, never a new target
for our packets.
"""

import itertools
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from ivr.phone import sip
from ivr.phone.sip import Address, Header, Request, Response
from ivr.phone.transactions import ClientTransaction, SipEndpoint

ALLOW: Header = ("Allow", "INVITE, ACK, CANCEL, BYE, OPTIONS, UPDATE, INFO, NOTIFY")
SDP_TYPE: Header = ("Content-Type", "application/sdp")
_CHALLENGES = {
    401: ("WWW-Authenticate", "Authorization"),
    407: ("Proxy-Authenticate", "Proxy-Authorization"),
}


@dataclass(frozen=True, slots=True)
class Account:
    user: str
    password: str | None


class Dialog:
    """Builds and sends the requests of one dialog, and answers a digest challenge once."""

    def __init__(
        self,
        endpoint: SipEndpoint,
        account: Account,
        *,
        peer: Address,
        local: str,
        remote: str,
        target: str,
        call_id: str,
    ) -> None:
        self.local = local  # our From value; the To value when the other side asks
        self.remote = remote
        self.call_id = call_id
        self.invite: ClientTransaction | None = None  # our latest
        self.closing = False  # a challenge is not answered any more
        self._endpoint = endpoint
        self._account = account
        self._peer = peer
        self._target = target
        self._routes: list[str] = []
        self._numbers = itertools.count(1)

    @property
    def contact(self) -> Header:
        ip, port = self._endpoint.address
        return "Contact", f"<sip:{self._account.user}@{ip}:{port}>"

    def establish(self, message: Request | Response) -> None:
        """Take route and tag from the message that makes the dialog."""
        routes = message.values("Record-Route")
        if isinstance(message, Response):
            self.remote = message.get("To") or self.remote
            routes.reverse()
        self._routes = routes
        self.refresh(message)

    def refresh(self, message: Request | Response) -> None:
        """Take the target from a message that renews the dialog: its route stays."""
        contact = message.values("Contact")
        if contact:
            self._target = sip.address_uri(contact[0])

    async def request(
        self,
        method: str,
        *,
        body: bytes = b"",
        headers: Iterable[Header] = (),
        replacements: Iterable[tuple[str, str | bytes]] = (),
        on_provisional: Callable[[Response], None] | None = None,
    ) -> Response:
        """The final response; Unreachable if there is none.

        `replacements` take the place of the headers of their names, verbatim.
        """
        credentials: tuple[Header, ...] = ()
        while True:
            request = self._build(method, next(self._numbers), body, (*headers, *credentials))
            request = sip.with_headers(request, replacements)
            transaction = self._endpoint.client(request, self._peer, on_provisional)
            if method == "INVITE":
                self.invite = transaction
            response = await transaction.final
            if credentials or self.closing:
                return response
            credentials = self._answer_challenge(request, response)
            if not credentials:
                return response

    def acknowledge(self, answer: Response) -> None:
        """ACK the 2xx of an INVITE of ours, now and whenever it is repeated."""
        ack = self._build("ACK", answer.cseq[0], b"", ())
        self._endpoint.acknowledge(answer, sip.serialise(ack))

    def cancel(self) -> None:
        """Ask the other side to give up our latest INVITE, if it is still pending."""
        if self.invite is not None and not self.invite.final.done():
            self._endpoint.client(sip.cancel_of(self.invite.request), self._peer)

    def _build(self, method: str, number: int, body: bytes, headers: Iterable[Header]) -> Request:
        ip, port = self._endpoint.address
        built: list[Header] = [
            ("Via", f"SIP/2.0/UDP {ip}:{port};rport;branch=z9hG4bK{sip.new_token()}"),
            ("Max-Forwards", "70"),
            ("From", self.local),
            ("To", self.remote),
            ("Call-ID", self.call_id),
            ("CSeq", f"{number} {method}"),
            *(("Route", route) for route in self._routes),
            self.contact,
            ALLOW,
            *headers,
        ]
        if body:
            built.append(SDP_TYPE)
        return Request(method=method, uri=self._target, headers=tuple(built), body=body)

    def _answer_challenge(self, request: Request, response: Response) -> tuple[Header, ...]:
        asked, answered = _CHALLENGES.get(response.code, ("", ""))
        if self._account.password is None:
            return ()
        for name, value in response.headers:
            if name.lower() == asked.lower():
                credentials = sip.digest_credentials(
                    value,
                    user=self._account.user,
                    password=self._account.password,
                    method=request.method,
                    uri=request.uri,
                )
                if credentials is not None:
                    return ((answered, credentials),)
        return ()
