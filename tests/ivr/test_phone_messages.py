"""The telephone's pure parts: SIP and SDP text, digest, G.711, tones, RTP and keys."""

import struct
import wave
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ivr.phone import audio, rtp, sdp, sip
from ivr.phone.citizen import Step, parse_press

INVITE = (
    b"INVITE sip:1022@127.0.0.1 SIP/2.0\r\n"
    b"v: SIP/2.0/UDP 127.0.0.2:5070;rport;branch=z9hG4bK1, SIP/2.0/UDP 127.0.0.9;branch=z9\r\n"
    b'f: "Nguy\xe1\xbb\x85n; tag=x" <sip:0912345678@127.0.0.2>;tag=abc\r\n'
    b"t: <sip:1022@127.0.0.1>\r\n"
    b"i: 1@127.0.0.2\r\n"
    b"CSeq: 7 INVITE\r\n"
    b"Subject: folded\r\n  over two lines\r\n"
    b"l: 4\r\n"
    b"\r\n"
    b"bodyrubbish"
)

names = st.sampled_from(["X-Test", "Record-Route", "Subject", "Warning"])
values = (
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x7f"), max_size=40)
    .map(lambda text: "".join(c for c in text if c >= " ").strip(" \t"))
)  # fmt: skip
required = (
    ("Via", "SIP/2.0/UDP 127.0.0.2;branch=z9hG4bK1"),
    ("From", "<sip:a@b>;tag=1"),
    ("To", "<sip:c@d>"),
    ("Call-ID", "x"),
)
words = st.from_regex(r"[A-Z]{1,12}", fullmatch=True)


@st.composite
def messages(draw: st.DrawFn) -> sip.Request | sip.Response:
    method = draw(words)
    extra = draw(st.lists(st.tuples(names, values), max_size=5))
    headers = (*required, ("CSeq", f"{draw(st.integers(0, 2**32 - 1))} {method}"), *extra)
    body = draw(st.binary(max_size=200))
    if draw(st.booleans()):
        return sip.Request(method=method, uri="sip:1022@127.0.0.1", headers=headers, body=body)
    code, reason = draw(st.integers(100, 699)), draw(values)
    return sip.Response(code=code, reason=reason, headers=headers, body=body)


def test_a_message_is_read_with_compact_names_folded_lines_and_a_cut_body() -> None:
    invite = sip.parse(INVITE)
    assert isinstance(invite, sip.Request)
    assert (invite.method, invite.uri) == ("INVITE", "sip:1022@127.0.0.1")
    assert invite.cseq == (7, "INVITE")
    assert invite.branch == "z9hG4bK1"
    assert len(invite.values("Via")) == 2
    assert invite.from_tag == "abc"  # not the one in the quoted name
    assert invite.to_tag is None
    assert invite.get("subject") == "folded over two lines"
    assert invite.body == b"body"
    assert sip.uri_user(sip.address_uri(invite.get("From") or "")) == "0912345678"


@given(messages())
def test_what_is_written_is_read_back(message: sip.Request | sip.Response) -> None:
    assert sip.parse(sip.serialise(message)) == message


@given(st.binary(max_size=400))
@example(b"SIP/2.0 200\r\n\r\n")
def test_random_bytes_are_refused_with_the_parsers_own_error(data: bytes) -> None:
    with pytest.raises(sip.SipError):
        sip.parse(data)


@given(st.integers(0, len(INVITE) - 1), st.binary(max_size=6))
def test_a_damaged_message_is_read_or_refused_and_nothing_else(place: int, noise: bytes) -> None:
    damaged = INVITE[:place] + noise + INVITE[place + len(noise) :]
    try:
        message = sip.parse(damaged)
    except sip.SipError:
        return
    assert message.call_id
    assert message.branch


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"l: 4", b"l: 400"),
        (b"l: 4", b"l: -1"),
        (b"l: 4", b"l: 4\r\nContent-Length: 5"),
        (b"CSeq: 7 INVITE", b"CSeq: 7 BYE"),
        (b"CSeq: 7 INVITE", b"CSeq: 99999999999 INVITE"),
        (b"i: 1@127.0.0.2\r\n", b""),
        (b"Subject: folded", b"Subject: fol\x00ded"),
        (b"Subject: folded", b"Subject: fol\nded"),
        (b"branch=z9hG4bK1,", b"branch1,"),
    ],
)
def test_messages_that_could_mislead_are_refused(old: bytes, new: bytes) -> None:
    with pytest.raises(sip.SipError):
        sip.parse(INVITE.replace(old, new, 1))


def test_replaced_headers_go_out_byte_for_byte() -> None:
    request = sip.parse(INVITE)
    assert isinstance(request, sip.Request)
    hostile = b'"\xff\xfe${X}" <sip:0912%0D%0A@x>;tag=1'
    data = sip.serialise(sip.with_headers(request, [("From", hostile), ("X-New", "1")]))
    assert b"From: " + hostile + b"\r\n" in data
    assert b"X-New: 1\r\n" in data


def test_digest_matches_the_published_example() -> None:
    """RFC 2617, section 3.5."""
    fields = sip.digest_fields(
        'username="Mufasa", realm="testrealm@host.com", uri="/dir/index.html", qop=auth, '
        'nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093", nc=00000001, cnonce="0a4f113b"'
    )
    response = sip.digest_response(fields, password="Circle Of Life", method="GET")
    assert response == "6629fae49393a05397450978507c4ef1"


def test_an_unknown_challenge_is_not_answered() -> None:
    for challenge in ('Basic realm="x"', 'Digest realm="x", nonce="n", algorithm=NEW'):
        given_up = sip.digest_credentials(
            challenge, user="u", password="p", method="REGISTER", uri="sip:x"
        )
        assert given_up is None


def test_an_offer_is_answered_with_its_own_payload_numbers() -> None:
    offer = sdp.parse(
        b"v=0\r\nc=IN IP4 127.0.0.5\r\nm=audio 4000 RTP/AVP 18 0 8 96\r\n"
        b"a=rtpmap:96 telephone-event/8000\r\na=sendonly\r\nm=video 9 RTP/AVP 31\r\na=inactive\r\n"
    )
    assert offer == sdp.Audio(("127.0.0.5", 4000), (0, 8), 96, "sendonly")
    assert not offer.may_be_sent_to
    answer = sdp.parse(sdp.build(offer.answered_by(("127.0.0.1", 5000)), session=1, version=2))
    assert answer == sdp.Audio(("127.0.0.1", 5000), (0,), 96, "recvonly")


@given(st.binary(max_size=200) | st.text(max_size=60).map(lambda t: f"m=audio {t}\r\n".encode()))
@example(b"m=audio 4000 RTP/AVP 8\r\n")
@example(b"c=IN IP4 evil.example\r\nm=audio 4000 RTP/AVP 8\r\n")
@example(b"m=audio " + b"9" * 5000 + b" RTP/AVP 8\r\n")
def test_rubbish_is_no_session_description(body: bytes) -> None:
    with pytest.raises(sdp.SdpError):
        sdp.parse(body)


@pytest.mark.parametrize("law", [8, 0])
def test_g711_gives_back_every_level_and_stays_close_in_between(law: int) -> None:
    codec = audio.CODECS[law]
    levels = codec.decode(bytes(range(256)))
    assert (codec.decode(codec.encode(levels)) == levels).all()
    samples = np.arange(-32000, 32000, 7, dtype=np.int16)
    error = np.abs(codec.decode(codec.encode(samples)).astype(int) - samples)
    assert (error <= np.abs(samples.astype(int)) / 16 + 8).all()


def test_the_idle_codes_are_the_ones_of_the_standard() -> None:
    assert audio.CODECS[8].encode([0]) == b"\xd5"
    assert audio.CODECS[0].encode([0]) == b"\xff"


@pytest.mark.parametrize("law", [8, 0])
def test_a_tone_is_found_and_its_neighbours_are_not(law: int) -> None:
    codec = audio.CODECS[law]
    heard = codec.decode(codec.encode(audio.tone(440, 0.5)))
    assert audio.has_tone(heard, 440)
    assert not audio.has_tone(heard, 480)
    assert not audio.has_tone(heard, 880)
    assert not audio.has_tone(heard[:800], 440)  # too short
    assert not audio.has_tone(np.zeros(8000, np.int16), 440)


def test_speech_is_measured_in_seconds() -> None:
    silence = np.zeros(audio.RATE, np.int16)
    heard = np.concatenate([silence, audio.tone(300, 0.5), silence])
    assert audio.speech_s(heard) == pytest.approx(0.5)


def test_a_recording_is_8_khz_16_bit_mono(tmp_path: Path) -> None:
    audio.write_wav(tmp_path / "heard.wav", audio.tone(440, 0.25))
    with wave.open(str(tmp_path / "heard.wav")) as recording:
        assert recording.getparams()[:4] == (1, 2, 8000, 2000)


def talk(packets: int, *, keys: str = "", tone_hz: float = 440) -> list[bytes]:
    sender = rtp.Sender()
    sender.events = 101
    sender.play(audio.tone(tone_hz), repeat=True)
    for key in keys:
        sender.press(key)
    return [sender.next_packet() for _ in range(packets)]


def listen(packets: list[bytes | None]) -> tuple[rtp.Receiver, str]:
    """Hear packets 20 ms apart; None is one that was lost on the way."""
    receiver = rtp.Receiver()
    receiver.events = 101
    keys = [receiver.feed(p, i * 0.02) for i, p in enumerate(packets) if p is not None]
    return receiver, "".join(key for key in keys if key is not None)


def test_lost_packets_are_counted_and_leave_silence_of_their_length() -> None:
    packets: list[bytes | None] = list(talk(100))
    for lost in range(10, 90, 10):
        packets[lost] = None
    receiver, _ = listen(packets)
    assert (receiver.received, receiver.lost) == (92, 8)
    assert len(receiver.heard) == 100 * audio.FRAME
    assert not receiver.heard[10 * audio.FRAME : 11 * audio.FRAME].any()
    assert audio.has_tone(receiver.heard, 440)
    assert receiver.jitter_ms < 0.01


def test_a_source_that_sets_its_clock_back_says_nothing_over_what_was_heard() -> None:
    packets = talk(20)
    ahead = struct.unpack_from("!I", packets[9], 4)[0] - 3 * audio.FRAME // 2
    late = [
        packet[:4] + struct.pack("!I", (ahead + i * audio.FRAME) & 0xFFFFFFFF) + packet[8:]
        for i, packet in enumerate(packets[10:], start=1)
    ]
    receiver, _ = listen([*packets[:10], *late])
    straight, _ = listen(list(packets))
    assert np.array_equal(receiver.heard, straight.heard)


def test_swapped_and_doubled_packets_are_put_in_their_place() -> None:
    packets = talk(20)
    receiver, _ = listen([packets[0], packets[2], packets[1], packets[1], *packets[3:]])
    straight, _ = listen(list(packets))
    assert receiver.lost == 0
    assert (receiver.heard == straight.heard).all()


@pytest.mark.parametrize("kept", [slice(0, None), slice(3, None), slice(0, 5)])
def test_a_key_is_heard_once_even_if_its_begin_or_end_is_lost(kept: slice) -> None:
    during_the_key = talk(10, keys="5")
    _, keys = listen(list(during_the_key[kept]))
    assert keys == "5"


def test_keys_are_events_that_grow_and_end_three_times() -> None:
    packets = talk(30, keys="#3")
    first_key = [p for p in packets[:15] if p[1] & 0x7F == 101]
    events = [struct.unpack("!BBH", p[12:]) for p in first_key]
    assert [p[1] >> 7 for p in first_key] == [1] + [0] * 9  # the marker starts it
    assert len({p[4:8] for p in first_key}) == 1  # one timestamp
    assert [duration for _, _, duration in events] == [*range(160, 1281, 160), 1280, 1280]
    assert [flags >> 7 for _, flags, _ in events] == [0] * 7 + [1] * 3
    assert {number for number, _, _ in events} == {11}
    assert listen(list(packets))[1] == "#3"


def test_a_lying_timestamp_does_not_fill_the_memory() -> None:
    first, second = talk(2)
    far = second[:4] + struct.pack("!I", (struct.unpack("!I", first[4:8])[0] + 2**30) % 2**32)
    receiver, _ = listen([first, far + second[8:]])
    assert len(receiver.heard) <= 3 * audio.FRAME


@given(st.lists(st.binary(max_size=40).map(lambda noise: b"\x80" + noise), max_size=20))
def test_rubbish_on_the_rtp_port_is_survived(packets: list[bytes]) -> None:
    receiver, _ = listen(list(packets))
    assert len(receiver.heard) < 10 * audio.RATE


def test_press_is_a_script_of_keys_and_waits() -> None:
    assert parse_press("3 0") == [Step("3", None), Step("0", None)]
    assert parse_press("wait:2.5 44# *") == [Step("44#", 2.5), Step("*", None)]
    assert parse_press("d wait:1") == [Step("D", None), Step("", 1.0)]
    assert parse_press("") == []


@pytest.mark.parametrize("press", ["3 x", "3,0", "wait:", "wait:-1", "wait:nan", "wait:9999", "٣"])
def test_a_wrong_script_is_named_in_one_sentence(press: str) -> None:
    with pytest.raises(ValueError, match="--press"):
        parse_press(press)
