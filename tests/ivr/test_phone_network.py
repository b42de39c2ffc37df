"""The telephone on a bad network, among strangers, and with a registrar."""

import asyncio
import socket

import pytest

from ivr.phone import CallState, Phone, PhoneError, sdp, sip
from tests.ivr.phone_peers import T1_S, Wire, answered_call, in_loop, two_phones, udp_peer, until


@in_loop
async def test_every_message_may_be_lost_once() -> None:
    seen: set[tuple[bytes, str | None]] = set()

    def first_of_its_kind(data: bytes) -> bool:
        kind = data.split(b" sip:")[0].split(b"\r\n")[0], sip.parse(data).get("CSeq")
        new = kind not in seen
        seen.add(kind)
        return new

    async with Phone("127.0.0.1", t1_s=T1_S) as desk:
        wire = Wire(desk.address, first_of_its_kind)
        async with (
            udp_peer(wire) as address,
            Phone(server=address, t1_s=T1_S) as mobile,
        ):
            ours, theirs = await answered_call(mobile, desk)
            await asyncio.sleep(4 * T1_S)  # the answer is repeated, and so is its ACK
            await theirs.hang_up()
            assert await ours.ended(10)
            assert desk.garbage == mobile.garbage == 0
    starts = {" ".join(line.split(" ")[:2]).split(" sip:")[0] for line in wire.lost}
    assert {"INVITE", "SIP/2.0 200", "ACK", "BYE"} <= starts


@in_loop
async def test_an_answer_that_is_never_acknowledged_ends_the_call() -> None:
    async with Phone("127.0.0.1", t1_s=0.01) as desk:
        wire = Wire(desk.address, lambda data: data.startswith(b"ACK"))
        async with udp_peer(wire) as address, Phone(server=address) as mobile:
            ours, theirs = await answered_call(mobile, desk)
            assert await theirs.ended(10)
            assert theirs.reason == "our answer was never acknowledged"
            assert await ours.ended(10)


@in_loop
async def test_rubbish_disturbs_no_call() -> None:
    async with two_phones() as (mobile, desk):
        ours, theirs = await answered_call(mobile, desk)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
            bye = b"BYE sip:x SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK7\r\nFrom: <sip:a@b>\r\n"
            bye += f"To: <sip:b@c>;tag=wrong\r\nCall-ID: {ours.call_id}\r\n".encode()
            for data in (b"\x00\xff" * 50, b"INVITE\r\n\r\n", b"", bye + b"CSeq: 1 BYE\r\n\r\n"):
                stranger.sendto(data, mobile.address)
                stranger.sendto(data, desk.address)
        await until(lambda: mobile.garbage == desk.garbage == 2)
        theirs.play_tone(440)
        await until(lambda: ours.heard_tone(440))
        assert ours.state is theirs.state is CallState.ANSWERED


@in_loop
async def test_hostile_headers_arrive_as_they_were_given() -> None:
    async with two_phones() as (mobile, desk):
        headers: dict[str, str | bytes] = {
            "From": b'"a,b|${X}\xff" <sip:0912%0D%0AEvent%3A%20x@127.0.0.2>;tag=t1',
            "P-Asserted-Identity": "<sip:" + "9" * 10_000 + "@x>",
        }
        ours = await mobile.call("1022%0D%0A", headers=headers)
        theirs = await desk.incoming(10)
        assert theirs.caller == "0912%0D%0AEvent%3A%20x"
        assert theirs.invite is not None
        assert theirs.invite.request.uri.startswith("sip:1022%0D%0A@")
        assert len(theirs.invite.request.get("P-Asserted-Identity") or "") > 10_000
        theirs.answer()
        assert await ours.answered(10)
        await theirs.hang_up()  # the dialog works with the given From
        assert await ours.ended(10)


@in_loop
async def test_a_header_that_cannot_be_sent_ends_the_call() -> None:
    async with two_phones() as (mobile, _):
        ours = await mobile.call("1022", headers={"Via": "rubbish"})
        assert not await ours.answered(10)
        assert ours.reason == "the topmost Via has no branch"


class Script(asyncio.DatagramProtocol):
    """A SIP peer that says exactly what it is told to, and keeps what it is answered."""

    def __init__(self) -> None:
        self.answers: list[sip.Response] = []

    def connection_made(self, transport: asyncio.DatagramTransport) -> None:  # type: ignore[override]
        self.transport = transport

    def datagram_received(self, data: bytes, source: sip.Address) -> None:
        answer = sip.parse(data)
        assert isinstance(answer, sip.Response)
        self.answers.append(answer)

    def say(
        self, to: sip.Address, method: str, number: int, to_tag: str = "", body: str = ""
    ) -> None:
        lines = [
            f"{method} sip:x@127.0.0.1 SIP/2.0",
            f"Via: SIP/2.0/UDP h;branch=z9{method}{number}",
            "From: <sip:a@b>;tag=1",
            f"To: <sip:x@y>{to_tag and ';tag='}{to_tag}",
            "Call-ID: c",
            f"CSeq: {number} {method}",
        ]
        self.transport.sendto("\r\n".join([*lines, "", body]).encode(), to)

    def codes(self) -> set[tuple[int, str | None]]:
        return {(answer.code, answer.get("CSeq")) for answer in self.answers}


@in_loop
async def test_a_phone_answers_options_and_refuses_what_it_does_not_know() -> None:
    peer = Script()
    async with Phone("127.0.0.1") as desk, udp_peer(peer):
        for _ in range(2):  # a repeated request gets the same answer again
            peer.say(desk.address, "OPTIONS", 1)
            peer.say(desk.address, "REFER", 2)
            peer.say(desk.address, "BYE", 3, to_tag="gone")
        await until(lambda: len(peer.answers) == 6)
    assert peer.codes() == {(200, "1 OPTIONS"), (405, "2 REFER"), (481, "3 BYE")}


@in_loop
async def test_a_call_without_an_offer_gets_ours_and_refreshes_are_accepted() -> None:
    peer = Script()
    ear = Script()
    ear.datagram_received = lambda data, source: heard.append(data)  # type: ignore[method-assign]
    heard: list[bytes] = []
    async with Phone("127.0.0.1", t1_s=T1_S) as desk, udp_peer(peer), udp_peer(ear) as (ip, port):
        peer.say(desk.address, "INVITE", 1)
        theirs = await desk.incoming(10)
        theirs.answer()
        await until(lambda: (200, "1 INVITE") in peer.codes())
        offer = sdp.parse(peer.answers[-1].body)
        assert offer.codecs == (8, 0)
        tag = peer.answers[-1].to_tag or ""
        answer = sdp.build(sdp.Audio((ip, port), (0,), 97), session=1, version=1).decode()
        peer.say(desk.address, "ACK", 1, tag, answer)
        await until(lambda: len(heard) > 3)
        assert heard[-1][1] & 0x7F == 0  # u-law, as answered

        peer.say(desk.address, "UPDATE", 2, tag)
        peer.say(desk.address, "INVITE", 3, tag, "m=audio 0 RTP/AVP 18\r\n")
        peer.say(desk.address, "BYE", 4, tag)
        await until(lambda: (200, "4 BYE") in peer.codes())
        assert {(200, "2 UPDATE"), (488, "3 INVITE")} <= peer.codes()
        assert theirs.hung_up_by == "them"


class Registrar(asyncio.DatagramProtocol):
    """Accepts registrations with the right password, and is busy to callers who have it."""

    password = "made-up"

    def __init__(self) -> None:
        self.expires: list[str | None] = []

    def connection_made(self, transport: asyncio.DatagramTransport) -> None:  # type: ignore[override]
        self.transport = transport

    def datagram_received(self, data: bytes, source: sip.Address) -> None:
        request = sip.parse(data)
        if not isinstance(request, sip.Request) or request.method == "ACK":
            return
        copied = ("via", "from", "to", "call-id", "cseq")
        headers = tuple(h for h in request.headers if h[0].lower() in copied)
        code = 486 if request.method == "INVITE" else 200
        if not self._knows(request):
            code = 401
            challenge = 'Digest realm="hotline", nonce="n1", algorithm=MD5, qop="auth"'
            headers += (("WWW-Authenticate", challenge),)
        elif request.method == "REGISTER":
            self.expires.append(request.get("Expires"))
        response = sip.Response(code=code, reason=sip.REASONS[code], headers=headers)
        self.transport.sendto(sip.serialise(response), source)

    def _knows(self, request: sip.Request) -> bool:
        fields = sip.digest_fields((request.get("Authorization") or "").removeprefix("Digest "))
        if "response" not in fields or fields["uri"] != request.uri:
            return False
        expected = sip.digest_response(fields, password=self.password, method=request.method)
        return fields["response"] == expected


@in_loop
async def test_a_desk_phone_registers_and_calls_with_its_password() -> None:
    registrar = Registrar()
    async with (
        udp_peer(registrar) as address,
        Phone("127.0.0.1", server=address, user="seat1", password="made-up") as desk,
        Phone("127.0.0.1", server=address, user="seat1", password="wrong") as stranger,
    ):
        await desk.register()
        await desk.unregister()
        assert registrar.expires == ["3600", "0"]
        with pytest.raises(PhoneError, match="cannot register: 401"):
            await stranger.register()
        ours = await desk.call("1022")
        assert not await ours.answered(10)
        assert ours.sip_code == 486  # and not 401


@in_loop
async def test_an_answer_after_we_gave_up_is_ended_by_us() -> None:
    deaf = True
    async with Phone("127.0.0.1") as desk:
        wire = Wire(desk.address, lambda data: deaf)
        async with udp_peer(wire) as address, Phone(server=address, t1_s=0.05) as mobile:
            ours = await mobile.call("1022", timeout_s=0.1)
            assert not await ours.answered(10)
            assert (ours.sip_code, ours.hung_up_by) == (None, "us")
            assert ours.reason == "given up before anything was heard"
            deaf = False
            theirs = await desk.incoming(10)  # an INVITE that was repeated
            theirs.answer()
            assert await theirs.ended(10)
            assert theirs.hung_up_by == "them"


class Abrupt(asyncio.DatagramProtocol):
    """Answers a call and hangs up in the same moment."""

    def connection_made(self, transport: asyncio.DatagramTransport) -> None:  # type: ignore[override]
        self.transport = transport

    def datagram_received(self, data: bytes, source: sip.Address) -> None:
        request = sip.parse(data)
        if not isinstance(request, sip.Request) or request.method != "INVITE":
            return
        copied = tuple(h for h in request.headers if h[0].lower() in (
            "via", "from", "call-id", "cseq", "contact", "content-type"
        ))
        self.transport.sendto(sip.serialise(sip.Response(
            code=200, reason="OK", headers=(*copied, ("To", f"{request.get('To')};tag=t")),
            body=request.body,
        )), source)
        self.transport.sendto("\r\n".join((
            "BYE sip:x@127.0.0.1 SIP/2.0", "Via: SIP/2.0/UDP h;branch=z9hG4bKbye",
            f"From: {request.get('To')};tag=t", f"To: {request.get('From')}",
            f"Call-ID: {request.get('Call-ID')}", "CSeq: 1 BYE", "", "",
        )).encode(), source)


@in_loop
async def test_an_answer_and_a_good_bye_that_are_read_together_are_a_call_that_is_over() -> None:
    async with udp_peer(Abrupt()) as address, Phone("127.0.0.1", server=address) as phone:
        ours = await phone.call("1022")
        assert await ours.ended(10)
        await asyncio.sleep(0.1)
        assert (ours.state, ours.hung_up_by) == (CallState.ENDED, "them")


@in_loop
async def test_nobody_there_is_noticed() -> None:
    class Silent(asyncio.DatagramProtocol):
        pass

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as closed:
        closed.bind(("127.0.0.1", 0))
        free = closed.getsockname()
    async with udp_peer(Silent()) as silent:
        for server, reason in ((free, "nothing listens there"), (silent, "no SIP answer from")):
            async with Phone(server=server, t1_s=0.01) as mobile:
                ours = await mobile.call("1022")
                assert not await ours.answered(10)
                assert ours.sip_code is None
                assert reason in ours.reason
                with pytest.raises(PhoneError, match=reason):
                    await mobile.register()
