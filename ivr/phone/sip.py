"""SIP messages (RFC 3261): read strictly, written verbatim, and digest credentials (RFC 7616).

Text is UTF-8 with undecodable bytes kept as surrogates, so that whatever bytes came in or were
asked for by a hostile test go out unchanged. Content-Length belongs to the wire, not to the
message: the parser checks and removes it, the serialiser adds it unless it was given by hand.
"""

import dataclasses
import hashlib
import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass

Header = tuple[str, str]
Address = tuple[str, int]

REASONS = {
    100: "Trying", 180: "Ringing", 183: "Session Progress", 200: "OK", 400: "Bad Request",
    401: "Unauthorized", 403: "Forbidden", 404: "Not Found", 405: "Method Not Allowed",
    408: "Request Timeout", 480: "Temporarily Unavailable", 481: "Call Does Not Exist",
    486: "Busy Here", 487: "Request Terminated", 488: "Not Acceptable Here",
    491: "Request Pending", 500: "Server Internal Error", 503: "Service Unavailable",
    603: "Decline",
}  # fmt: skip

_COMPACT = {
    "a": "Accept-Contact", "b": "Referred-By", "c": "Content-Type", "d": "Request-Disposition",
    "e": "Content-Encoding", "f": "From", "i": "Call-ID", "j": "Reject-Contact",
    "k": "Supported", "l": "Content-Length", "m": "Contact", "o": "Event", "r": "Refer-To",
    "s": "Subject", "t": "To", "u": "Allow-Events", "v": "Via", "x": "Session-Expires",
}  # fmt: skip
_REQUIRED = ("Via", "From", "To", "Call-ID", "CSeq")

_WORD = r"[A-Za-z0-9\-.!%*_+`'~]+"
_REQUEST_LINE = re.compile(rf"({_WORD}) ([^ ]+) SIP/2\.0")
_STATUS_LINE = re.compile(r"SIP/2\.0 ([1-6][0-9]{2})(?: (.*))?")
_HEADER_LINE = re.compile(rf"({_WORD})[ \t]*:[ \t]*(.*?)[ \t]*")
_CSEQ = re.compile(rf"([0-9]{{1,10}})[ \t]+({_WORD})")
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"')
_AUTH_PARAM = re.compile(rf'({_WORD})[ \t]*=[ \t]*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))')
_HASHES = {"MD5": "md5", "SHA-256": "sha256"}


class SipError(ValueError):
    """What came in is not a SIP message, or not one that can be answered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    headers: tuple[Header, ...]
    body: bytes = b""

    def get(self, name: str) -> str | None:
        """First value of the header, or None. Names are compared without case."""
        wanted = name.lower()
        return next((value for key, value in self.headers if key.lower() == wanted), None)

    def values(self, name: str) -> list[str]:
        """Every value of a list header (Via, Route, Record-Route), commas split, in order."""
        wanted = name.lower()
        return [
            part
            for key, value in self.headers
            if key.lower() == wanted
            for part in _split_list(value)
        ]

    def _required(self, name: str) -> str:
        value = self.get(name)
        if value is None:
            raise SipError(f"no {name} header")
        return value

    @property
    def call_id(self) -> str:
        return self._required("Call-ID")

    @property
    def cseq(self) -> tuple[int, str]:
        """(number, method)."""
        match = _CSEQ.fullmatch(self._required("CSeq"))
        if match is None or int(match[1]) >= 2**32:
            raise SipError("CSeq is not a number and a method")
        return int(match[1]), match[2]

    @property
    def branch(self) -> str:
        """The transaction's id, from the topmost Via."""
        vias = self.values("Via")
        branch = parameter(vias[0], "branch") if vias else None
        if branch is None:
            raise SipError("the topmost Via has no branch")
        return branch

    @property
    def from_tag(self) -> str | None:
        return parameter(self._required("From"), "tag")

    @property
    def to_tag(self) -> str | None:
        return parameter(self._required("To"), "tag")


@dataclass(frozen=True, slots=True, kw_only=True)
class Request(Message):
    method: str
    uri: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Response(Message):
    code: int
    reason: str


def parse(data: bytes) -> Request | Response:
    """One datagram as a message; SipError, and nothing else, if it is not a usable one."""
    head, blank_line, body = data.lstrip(b"\r\n").partition(b"\r\n\r\n")
    if not blank_line:
        raise SipError("the headers have no end")
    text = head.decode("utf-8", "surrogateescape")
    start, *lines = re.sub(r"\r\n[ \t]+", " ", text).split("\r\n")
    if _CONTROL.search(start) or any(map(_CONTROL.search, lines)):
        raise SipError("a control character in the headers")
    headers = tuple(_header(line) for line in lines)
    lengths = {value for name, value in headers if name.lower() == "content-length"}
    if lengths:
        body = _cut_body(body, lengths)
        headers = tuple(header for header in headers if header[0].lower() != "content-length")

    message: Request | Response
    if match := _STATUS_LINE.fullmatch(start):
        message = Response(code=int(match[1]), reason=match[2] or "", headers=headers, body=body)
    elif match := _REQUEST_LINE.fullmatch(start):
        message = Request(method=match[1], uri=match[2], headers=headers, body=body)
    else:
        raise SipError("neither a request line nor a status line")
    _check(message)
    return message


def serialise(message: Request | Response) -> bytes:
    """The message's bytes, its header values verbatim, whatever they hold."""
    if isinstance(message, Request):
        start = f"{message.method} {message.uri} SIP/2.0"
    else:
        start = f"SIP/2.0 {message.code} {message.reason}"
    lines = [start, *(f"{name}: {value}" for name, value in message.headers)]
    if message.get("Content-Length") is None:
        lines.append(f"Content-Length: {len(message.body)}")
    return "\r\n".join([*lines, "", ""]).encode("utf-8", "surrogateescape") + message.body


def parameter(value: str, name: str) -> str | None:
    """A `;name=value` parameter of a header, not looked for in quoted text or inside `<...>`."""
    outside = _QUOTED.sub("", value).rpartition(">")[2]
    for part in outside.split(";")[1:]:
        key, _, found = part.partition("=")
        if key.strip(" \t").lower() == name:
            return found.strip(" \t")
    return None


def address_uri(value: str) -> str:
    """The URI of a From, To, Contact or Route value."""
    bare = _QUOTED.sub("", value)
    if "<" in bare:
        return bare.partition("<")[2].partition(">")[0]
    return bare.partition(";")[0].strip(" \t")


def uri_user(uri: str) -> str:
    """The user part as written: `sip:0912@host` gives `0912`."""
    user, at, _ = uri.partition(":")[2].partition("@")
    return user if at else ""


def new_token() -> str:
    return secrets.token_hex(8)


def with_headers(request: Request, replacements: Iterable[tuple[str, str | bytes]]) -> Request:
    """The request with each header put, verbatim, in the place of the one of its name, or added."""
    headers = list(request.headers)
    for name, raw in replacements:
        value = raw.decode("utf-8", "surrogateescape") if isinstance(raw, bytes) else raw
        places = [i for i, (key, _) in enumerate(headers) if key.lower() == name.lower()]
        if places:
            headers[places[0]] = (name, value)
        else:
            headers.append((name, value))
    return dataclasses.replace(request, headers=tuple(headers))


def ack_for_refusal(invite: Request, response: Response) -> Request:
    """The ACK of a final response other than 2xx: part of the INVITE's own transaction."""
    return _same_transaction(invite, "ACK", to=response.get("To") or "")


def cancel_of(invite: Request) -> Request:
    return _same_transaction(invite, "CANCEL", to=invite.get("To") or "")


def _same_transaction(invite: Request, method: str, *, to: str) -> Request:
    kept = [h for h in invite.headers if h[0].lower() in ("from", "call-id", "route")]
    headers = (
        ("Via", invite.values("Via")[0]),
        ("Max-Forwards", "70"),
        *kept,
        ("To", to),
        ("CSeq", f"{invite.cseq[0]} {method}"),
    )
    return Request(method=method, uri=invite.uri, headers=headers)


def digest_credentials(
    challenge: str, *, user: str, password: str, method: str, uri: str
) -> str | None:
    """The Authorization value that answers a challenge, or None if it is of an unknown kind."""
    scheme, _, rest = challenge.partition(" ")
    fields = digest_fields(rest)
    algorithm = fields.get("algorithm", "MD5").upper()
    offered_qop = [word.strip() for word in fields.get("qop", "").split(",") if word.strip()]
    known = algorithm in _HASHES and (not offered_qop or "auth" in offered_qop)
    if scheme.lower() != "digest" or not known or "nonce" not in fields:
        return None
    answer = {
        "username": user,
        "realm": fields.get("realm", ""),
        "nonce": fields["nonce"],
        "uri": uri,
    }
    bare = {"algorithm": algorithm}
    if offered_qop:
        bare |= {"qop": "auth", "nc": "00000001"}
        answer["cnonce"] = new_token()
    if "opaque" in fields:
        answer["opaque"] = fields["opaque"]
    answer["response"] = digest_response({**answer, **bare}, password=password, method=method)
    quoted = [f'{name}="{value}"' for name, value in answer.items()]
    return "Digest " + ", ".join(quoted + [f"{name}={value}" for name, value in bare.items()])


def digest_fields(text: str) -> dict[str, str]:
    """The parameters of a challenge or of credentials, names in lower case, quotes removed."""
    return {name.lower(): (quoted or plain) for name, quoted, plain in _AUTH_PARAM.findall(text)}


def digest_response(fields: dict[str, str], *, password: str, method: str) -> str:
    """The `response` that these credentials must carry; a registrar compares it with theirs."""

    def hashed(*parts: str) -> str:
        name = _HASHES[fields.get("algorithm", "MD5").upper()]
        return hashlib.new(name, ":".join(parts).encode(), usedforsecurity=False).hexdigest()

    secret = hashed(fields["username"], fields["realm"], password)
    what = hashed(method, fields["uri"])
    if "qop" not in fields:
        return hashed(secret, fields["nonce"], what)
    return hashed(secret, fields["nonce"], fields["nc"], fields["cnonce"], fields["qop"], what)


def _header(line: str) -> Header:
    match = _HEADER_LINE.fullmatch(line)
    if match is None:
        raise SipError("a header line without a name")
    return _COMPACT.get(match[1].lower(), match[1]), match[2]


def _cut_body(body: bytes, lengths: set[str]) -> bytes:
    length = next(iter(lengths))
    if len(lengths) > 1 or not (length.isascii() and length.isdigit() and len(length) < 8):
        raise SipError("Content-Length is not one number")
    if int(length) > len(body):
        raise SipError("the body is shorter than its Content-Length")
    return body[: int(length)]


def _check(message: Request | Response) -> None:
    for name in _REQUIRED:
        if message.get(name) is None:
            raise SipError(f"no {name} header")
    _, method = message.cseq
    if isinstance(message, Request) and method != message.method:
        raise SipError("CSeq names another method than the request line")
    _ = message.branch


def _split_list(value: str) -> list[str]:
    """Split at commas that stand neither in quotes nor in angle brackets."""
    parts = re.findall(r'(?:"(?:[^"\\]|\\.)*"|<[^>]*>|[^,])+', value)
    return [part.strip(" \t") for part in parts if part.strip(" \t")]
