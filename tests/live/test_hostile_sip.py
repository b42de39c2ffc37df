"""Hostile SIP against a hotline on the line: scanners, torture messages, floods and liars are told
nothing, shut nobody out, and keep no caller waiting."""

from __future__ import annotations

import asyncio
import os
import re
import secrets
import shutil
import socket
import subprocess
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from datetime import UTC, datetime
from hashlib import md5
from pathlib import Path

import pytest
from sqlalchemy import select

from crm import users
from crm.models import LoginFailure
from ivr.phone import Phone
from tests.live.people import called
from tests.live.running import Hotline, wait_for
from tests.live.test_door import ami_overheard, records

pytestmark = pytest.mark.full

STRANGER, OTHER = "127.0.0.66", "127.0.0.67"
CARRIER = "127.0.0.2"
ANSWER_S = 5.0  # to a caller, meanwhile
THERE = ("seat-001", "seat-008", "desk-01", "desk-04", "trunk", "trunk-web", "carrier")
NOT_THERE = ("seat-999", "seat-9", "desk-99", "desk-x", "trunks", "carrier9")
PEOPLE = ("1022", "100", "admin", "0912000481", "asterisk", "root")


def request(
    hotline: Hotline, method: str, user: str, address: str, *, extra: str = "", uri: str = "",
) -> bytes:
    host, port = hotline.sip
    token = secrets.token_hex(6)
    uri = uri or (f"sip:{host}:{port}" if method == "REGISTER" else f"sip:1022@{host}:{port}")
    return (
        f"{method} {uri} SIP/2.0\r\n"
        f"Via: SIP/2.0/UDP {address}:5070;branch=z9hG4bK{token};rport\r\n"
        f"From: <sip:{user}@{host}>;tag={token}\r\nTo: <sip:{user}@{host}>\r\n"
        f"Call-ID: {token}@{address}\r\nCSeq: 1 {method}\r\nMax-Forwards: 70\r\n"
        f"Contact: <sip:{user}@{address}:5070>\r\n{extra}Content-Length: 0\r\n\r\n"
    ).encode()


@contextmanager
def line(address: str = STRANGER) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        one.bind((address, 0))
        one.settimeout(10)
        yield one


def asked(hotline: Hotline, sent: bytes, address: str = STRANGER) -> str:
    """The first answer to a request."""
    with line(address) as one:
        one.sendto(sent, hotline.sip)
        return one.recv(65536).decode()


def shape(answer: str) -> str:
    """An answer without what is different each time, or was sent by whoever asks."""
    kept = [one for one in answer.split("\r\n")
            if not re.match(r"(Via|From|To|Call-ID|CSeq|Date):", one)]
    return re.sub(r'(nonce|opaque)="[^"]*"', r"\1", "\n".join(kept))


def digest(challenge: str, user: str, secret: str, method: str, uri: str) -> str:
    _, _, told_us = challenge.partition("Authenticate: Digest ")
    told = dict(re.findall(r'(\w+)="?([^",\r]*)"?', told_us))
    ha1 = md5(f"{user}:{told['realm']}:{secret}".encode()).hexdigest()  # noqa: S324
    ha2 = md5(f"{method}:{uri}".encode()).hexdigest()  # noqa: S324
    rest = f"{told['nonce']}:00000001:abc:auth:{ha2}"
    response = md5(f"{ha1}:{rest}".encode()).hexdigest()  # noqa: S324
    return (
        f'Authorization: Digest username="{user}", realm="{told["realm"]}", '
        f'nonce="{told["nonce"]}", uri="{uri}", response="{response}", algorithm=MD5, '
        f'opaque="{told.get("opaque", "")}", qop=auth, nc=00000001, cnonce="abc"\r\n'
    )


@asynccontextmanager
async def good_callers(hotline: Hotline) -> AsyncIterator[list[float]]:
    """Somebody calls every second from the carrier; how long each waited for the answer."""
    waited: list[float] = []

    async def call() -> None:
        async with Phone(CARRIER, server=hotline.sip) as phone:
            number = 0
            while True:
                began = time.monotonic()
                call = await called(phone)
                waited.append(time.monotonic() - began)
                assert waited[-1] < ANSWER_S, f"caller {number} waited {waited[-1]:.1f} s"
                assert not await call.ended(1)
                await call.hang_up()
                number += 1

    calling = asyncio.create_task(call())
    try:
        yield waited
    finally:
        await asyncio.sleep(2)
        while not calling.done():  # wait_for may swallow it in the moment that a call ends
            calling.cancel()
            await asyncio.wait([calling], timeout=0.5)
        if not calling.cancelled():
            calling.result()


def attacked(hotline: Hotline, *words: str, timeout_s: float = 240) -> str:
    """What a tool of sipvicious tells about this hotline."""
    tool = shutil.which(words[0])
    assert tool, f"{words[0]} is not installed: apt-get install sipvicious"
    done = subprocess.run(
        [tool, "-b", STRANGER, "-x", STRANGER, "-p", str(hotline.sip[1]), *words[1:],
         hotline.sip[0]],
        capture_output=True, text=True, timeout=timeout_s, check=False,
        env=os.environ | {"HOME": str(hotline.home.parent)},
    )
    return done.stdout + done.stderr


@pytest.mark.parametrize("method", ["INVITE", "REGISTER", "OPTIONS", "MESSAGE", "SUBSCRIBE"])
def test_no_answer_tells_which_phones_there_are(hotline: Hotline, method: str) -> None:
    for address in (STRANGER, CARRIER):
        phones = {
            shape(asked(hotline, request(hotline, method, user, address), address))
            for user in (*THERE, *NOT_THERE)
        }
        assert len(phones) == 1, phones
        assert phones.pop().startswith("SIP/2.0 401")
    everybody = {
        shape(asked(hotline, request(hotline, method, user, STRANGER)))
        for user in (*THERE, *NOT_THERE, *PEOPLE)
    }
    assert len(everybody) == 1, everybody


def test_nor_does_the_answer_to_a_wrong_secret(hotline: Hotline) -> None:
    answers = set()
    for user in ("seat-001", "seat-999", "desk-01", "desk-99"):
        first = asked(hotline, request(hotline, "REGISTER", user, STRANGER))
        uri = f"sip:{hotline.sip[0]}:{hotline.sip[1]}"
        proof = digest(first, user, "guessed", "REGISTER", uri)
        answers.add(shape(asked(
            hotline, request(hotline, "REGISTER", user, STRANGER, extra=proof)
        )))
    assert len(answers) == 1, answers
    assert answers.pop().startswith("SIP/2.0 401")


def test_scanners_find_no_name_and_no_secret_and_callers_are_answered(
    hotline: Hotline, tmp_path: Path
) -> None:
    names = tmp_path / "names"
    names.write_text("\n".join((*THERE, *NOT_THERE, *PEOPLE)))
    guesses = tmp_path / "guesses"
    guesses.write_text("\n".join(f"secret{number}" for number in range(200)))

    async def scenario() -> tuple[str, dict[str, str], str]:
        async with good_callers(hotline) as waited:
            mapped = await asyncio.to_thread(attacked, hotline, "svmap")
            wars = {
                method: await asyncio.to_thread(
                    attacked, hotline, "svwar", "--force", "-m", method, "-d", str(names)
                ) for method in ("REGISTER", "INVITE", "OPTIONS")
            }
            wars["numbers"] = await asyncio.to_thread(
                attacked, hotline, "svwar", "--force", "-e", "100-300"
            )
            cracked = await asyncio.to_thread(
                attacked, hotline, "svcrack", "-u", "seat-001", "-d", str(guesses)
            )
        assert len(waited) > 10
        return mapped, wars, cracked

    mapped, wars, cracked = asyncio.run(scenario())
    assert "sterisk" not in mapped
    for method, told in wars.items():
        found = {name for name in (*THERE, *NOT_THERE) if re.search(rf"\| {name} +\|", told)}
        assert found in (set(), {*THERE, *NOT_THERE}), (method, told)
        assert "noauth" not in told, (method, told)
        assert not [name for name in PEOPLE if re.search(rf"\| {name} +\|", told)], (method, told)
    assert not re.search(r"\| +secret\d", cracked), cracked
    assert "found nothing" in wars["numbers"]


@contextmanager
def websocket(hotline: Hotline, address: str) -> Iterator[Callable[[bytes], str]]:
    """SIP over a WebSocket (RFC 7118) from this address: what is sent is answered."""
    bind = hotline.settings.ws_bind
    with socket.create_connection((bind.host, bind.port), 10, (address, 0)) as one:
        one.sendall(
            f"GET /ws HTTP/1.1\r\nHost: {bind.host}\r\nUpgrade: websocket\r\n"
            "Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
            "Sec-WebSocket-Protocol: sip\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
        )
        stream = one.makefile("rb")
        assert b" 101 " in stream.readline()
        while stream.readline().strip():
            pass

        def ask(sent: bytes) -> str:
            sent = sent.replace(b"SIP/2.0/UDP", b"SIP/2.0/WS")
            # a text frame, masked by zeros
            one.sendall(b"\x81\xfe" + len(sent).to_bytes(2, "big") + bytes(4) + sent)
            _, length = stream.read(2)
            if length == 126:
                length = int.from_bytes(stream.read(2), "big")
            return stream.read(length).decode()

        yield ask


def test_wrong_secrets_over_a_connection_count_for_its_address_and_for_no_other(
    hotline: Hotline,
) -> None:
    """Not for names that nobody has, not by UDP, which bears any address, not by words."""
    uri = f"sip:{hotline.sip[0]}:{hotline.sip[1]}"
    forged = (
        "User-Agent: x\r\n Event: ChallengeResponseFailed\r\n RemoteAddress: IPV4/TCP/"
        f"{OTHER}/1\r\n"
    )

    def failures() -> Counter[str]:
        with hotline.database.reading() as session:
            return Counter(session.scalars(
                select(LoginFailure.address)
                .where(LoginFailure.login.in_(["desk-01", "seat-001", "seat-999"]))
            ))

    def by_udp(user: str, asks: str, answers: str) -> None:
        first = asked(hotline, request(hotline, "REGISTER", user, asks), asks)
        proof = digest(first, user, "guessed", "REGISTER", uri)
        asked(hotline, request(hotline, "REGISTER", user, answers, extra=proof + forged), answers)

    def shut_out() -> set[str]:
        with hotline.database.reading() as session:
            return set(users.failing_addresses(session, datetime.now(UTC)))

    with ami_overheard(hotline, user="refused") as overheard:
        for _ in range(users.FAILURES_BY_ADDRESS + 5):
            by_udp("desk-01", STRANGER, STRANGER)
            by_udp("desk-01", STRANGER, OTHER)
        with websocket(hotline, STRANGER) as ask:
            for user in ("seat-999", "seat-001", "seat-001", "seat-001"):
                first = ask(request(hotline, "REGISTER", user, STRANGER))
                proof = digest(first, user, "guessed", "REGISTER", uri)
                answer = ask(request(hotline, "REGISTER", user, STRANGER, extra=proof + forged))
                assert answer.startswith("SIP/2.0 401")
            wait_for(lambda: failures()[STRANGER] == 3, "three count")
            assert STRANGER not in shut_out()
            for _ in range(users.FAILURES_BY_ADDRESS):
                first = ask(request(hotline, "REGISTER", "seat-001", STRANGER))
                ask(request(hotline, "REGISTER", "seat-001", STRANGER, extra=digest(
                    first, "seat-001", "guessed", "REGISTER", uri)))
    # the wrong answer was taken from another address than the challenge went to
    assert f"/UDP/{OTHER}/".encode() in overheard
    assert b"\nEvent: ChallengeResponseFailed\r\n RemoteAddress" not in overheard
    wait_for(lambda: STRANGER in shut_out(), "so many shut the address out")
    assert set(failures()) == {STRANGER}
    assert OTHER not in shut_out()
    assert "127.0.0" not in hotline.run("firewall").stdout.rpartition("flush set")[2]


def torture(hotline: Hotline) -> dict[str, bytes]:
    """In the manner of RFC 4475, and worse; what is legal there is legal here."""
    host, port = hotline.sip
    plain = request(hotline, "INVITE", "0912000482", STRANGER)
    options = request(hotline, "OPTIONS", "0912000482", STRANGER)

    def with_(*headers: str, of: bytes = plain) -> bytes:
        head, _, rest = of.partition(b"\r\nMax-Forwards")
        return b"\r\n".join([head, *(one.encode("latin-1") for one in headers)]) + (
            b"\r\nMax-Forwards" + rest
        )

    def start(line_: str, of: bytes = plain) -> bytes:
        return line_.encode("latin-1") + b"\r\n" + of.partition(b"\r\n")[2]

    return {
        "wsinv": plain.replace(b"From: <", b"FROM  :\r\n  \t\"A \\\\\\\"B\" <").replace(
            b"To: <", b"TO :\r\n <").replace(b"Max-Forwards: 70", b"MaX-fOrWaRdS: 0068"),
        "intmeth": start("!interesting-Method0123456789_*+`.%indeed'~ sip:1*_a'~!&$=@x SIP/2.0"),
        "esc01": start("INVITE sip:sips%3Auser%40example.com@example.net SIP/2.0"),
        "escnull": with_("Contact: <sip:%00@host5.example.com>", "Contact: <sip:%00%00@host5>"),
        "esc02": start("RE%47IST%45R sip:registrar.example.com SIP/2.0"),
        "lwsdisp": plain.replace(b"From: <", b"From: caller<"),
        "longreq": with_(*(f"Unknown-{'long' * 20}{number}: {'v' * 300}" for number in range(80))),
        "dblreq": options + options,
        "semiuri": start("OPTIONS sip:user;par=u%40example.net@example.com SIP/2.0", options),
        "transports": with_("Via: SIP/2.0/UNKNOWN t2:5060;branch=z9hG4bKx",
                            "Via: SIP/2.0/TLS t3;branch=z9hG4bKy", of=options),
        "unreason": "SIP/2.0 200 = 2**3 * 5**2 но сто девяносто девять\r\n".encode()
                    + plain.partition(b"\r\n")[2],
        "noreason": b"SIP/2.0 100 \r\n" + plain.partition(b"\r\n")[2],
        "badinv01": with_('Contact: "Joe" <sip:joe@example.org>;;;;', "Via: SIP/2.0/UDP ;;,;,,"),
        "clerr": plain.replace(b"Content-Length: 0", b"Content-Length: 9999"),
        "ncl": plain.replace(b"Content-Length: 0", b"Content-Length: -999"),
        "scalar02": plain.replace(b"CSeq: 1 ", b"CSeq: 36893488147419103232 "),
        "scalar02b": plain.replace(b"Max-Forwards: 70", b"Max-Forwards: 300"),
        "scalarlg": b"SIP/2.0 503 No\r\nRetry-After: 949302838503028349304023988\r\n"
                    + plain.partition(b"\r\n")[2],
        "quotbal": plain.replace(b"To: <", b"To: \"Mr. J. User <"),
        "ltgtruri": start(f"INVITE <sip:1022@{host}> SIP/2.0"),
        "lwsruri": start(f"INVITE sip:1022@{host}; lr SIP/2.0"),
        "lwsstart": start(f"INVITE  sip:1022@{host}  SIP/2.0"),
        "trws": start(f"INVITE sip:1022@{host} SIP/2.0  "),
        "escruri": start(f"INVITE sip:1022@{host}?Route=%3Csip:x%3E SIP/2.0"),
        "baddate": with_("Date: Fri, 01 Jan 2010 16:00:00 EST"),
        "regbadct": request(hotline, "REGISTER", "0912000482", STRANGER).replace(
            b"Contact: <", b"Contact: sip:user@example.com?Route=%3Csip:x%3E\r\nContact: <"),
        "badaspec": plain.replace(b"To: <", b"To: \"W\" <sip:a@b> <"),
        "baddn": plain.replace(b"To: <", b"To: non-token characters: <"),
        "badvers": start(f"OPTIONS sip:1022@{host} SIP/7.0", options),
        "mismatch01": plain.replace(b" INVITE\r\nMax", b" OPTIONS\r\nMax"),
        "mismatch02": start(f"NEWMETHOD sip:1022@{host} SIP/2.0"),
        "bigcode": b"SIP/2.0 4294967301 better not break\r\n" + plain.partition(b"\r\n")[2],
        "badbranch": re.sub(rb"branch=z9hG4bK\w+", b"branch=z9hG4bK", options),
        "insuf": b"INVITE sip:1022@x SIP/2.0\r\nCSeq: 193942 INVITE\r\n\r\n",
        "unkscm": start("OPTIONS nobodyKnowsThisScheme:totallyopaquecontent SIP/2.0", options),
        "novelsc": start("OPTIONS soap.beep://192.0.2.103:3002 SIP/2.0", options),
        "unksm2": request(hotline, "REGISTER", "x", STRANGER).replace(
            b"To: <sip:", b"To: <isbn:2983792873> <sip:"),
        "bext01": with_("Require: nothingSupportsThis, nothingSupportsThisEither",
                        "Proxy-Require: noProxiesSupportThis", of=options),
        "invut": plain.replace(b"Content-Length: 0", b"Content-Type: application/x\r\n"
                               b"Content-Length: 4") + b"<a/>",
        "regaut01": request(hotline, "REGISTER", "seat-001", STRANGER,
                            extra="Authorization: NoOneKnowsThisScheme opaque=here\r\n"),
        "multi01": with_("CSeq: 8 INVITE", "Call-ID: a", "From: <sip:b@c>;tag=1", "To: <sip:d@e>"),
        "mcl01": plain.replace(b"Content-Length: 0", b"Content-Length: 13\r\nContent-Length: 5"),
        "bcast": b"SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 192.0.2.198;branch=z9hG4bK1324923\r\n"
                 + plain.partition(b"\r\n")[2],
        "zeromf": options.replace(b"Max-Forwards: 70", b"Max-Forwards: 0"),
        "regescrt": request(hotline, "REGISTER", "x", STRANGER).replace(
            b"Contact: <", b"Contact: <sip:u@example.com?Route=%3Csip:sip.example.com%3E> <"),
        "inv2543": b"INVITE sip:1022@x SIP/2.0\r\nVia: SIP/2.0/UDP y\r\nFrom: <sip:caller@x>\r\n"
                   b"To: <sip:b@x>\r\nCall-ID: inv2543\r\nCSeq: 56 INVITE\r\n\r\n",
        "sdp that lies": plain.replace(
            b"Content-Length: 0", b"Content-Type: application/sdp\r\nContent-Length: 80"
        ) + b"v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\nm=audio 99999 RTP/AVP -1\r\na=rtpmap:-1 \x00\r\n",
        "deep folding": with_("Subject: a" + "\r\n " * 2000 + "b"),
        "many Vias": with_(*["Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKq"] * 500),
        "many Routes": with_(*["Route: <sip:192.0.2.1;lr>"] * 500, of=options),
        "one huge header": with_("X-Huge: " + "A" * 60_000),
        "thousands of headers": with_(*(f"X{number}: y" for number in range(4000))),
        "NUL": b"\x00" * 1400, "noise": bytes(range(256)) * 8, "empty": b"\r\n\r\n",
        "a line without an end": b"INVITE " + b"A" * 60_000,
        "NOTIFY out of nowhere": request(hotline, "NOTIFY", "x", STRANGER,
                                         extra="Event: refer\r\nSubscription-State: active\r\n"),
        "REFER": request(hotline, "REFER", "seat-001", STRANGER, extra="Refer-To: <sip:115@x>\r\n"),
        "an emergency's identity": with_("P-Asserted-Identity: <sip:115@vnpt.vn>",
                                         "Diversion: <sip:1022@x>", "X-Hotline-Test: 1"),
        "digest of 30 kB": request(hotline, "REGISTER", "seat-001", STRANGER, extra=(
            f'Authorization: Digest username="{"u" * 30_000}", realm="a", nonce="b", uri="c", '
            'response="d"\r\n')),
        "CRLF in the name": request(hotline, "REGISTER", "x%0D%0AEvent:%20HotlineForged", STRANGER),
        "port": f"OPTIONS sip:{host}:{port + 70_000} SIP/2.0\r\n".encode()
                + options.partition(b"\r\n")[2],
    }


def test_torture_floods_and_forged_names_break_nothing(hotline: Hotline) -> None:
    alive = hotline.pid_of("asterisk")
    before = {call["id"] for call in hotline.calls()}
    messages = torture(hotline)

    def attack() -> int:
        answered = 0
        for address in (STRANGER, CARRIER):
            for sent in messages.values():
                with line(address) as one:
                    one.settimeout(0.3)
                    one.sendto(sent[:65_000].replace(STRANGER.encode(), address.encode()),
                               hotline.sip)
                    with suppress(TimeoutError):  # silence is right for much of it
                        answered += b"SIP/2.0" in one.recv(65536)
        with line() as one:  # a flood of sign-ins, each of another name, at 500 a second
            for number in range(3000):
                one.sendto(request(hotline, "REGISTER", f"seat-{number}", STRANGER), hotline.sip)
                if number % 10 == 9:
                    time.sleep(0.02)
        return answered

    async def scenario() -> tuple[int, list[float]]:
        async with good_callers(hotline) as waited:
            answered = await asyncio.to_thread(attack)
        return answered, waited

    with ami_overheard(hotline) as overheard:
        answered, waited = asyncio.run(scenario())
    assert answered > 20
    assert len(waited) > 10
    assert hotline.pid_of("asterisk") == alive
    assert b"\nEvent: HotlineForged" not in overheard
    assert all(len(record) == 14 for record in records(hotline.journal()))
    hotline.assert_ledger_complete()
    wait_for(lambda: "0 active calls" in hotline.ask("core show channels"), "all calls are over",
             180)
    hotline.assert_ledger_complete()
    mine = [call for call in hotline.calls() if call["id"] not in before]
    assert len(mine) >= len(waited)
    assert not [call for call in mine if call["outcome"] == "transferred"]
    print(f"{len(waited)} callers meanwhile, answered within {max(waited):.2f} s")  # noqa: T201
