from __future__ import annotations

import base64
import json
import ssl
import struct
import sys
import threading
import wave
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from ipaddress import IPv4Address
from pathlib import Path
from types import ModuleType, SimpleNamespace
from urllib.parse import unquote

import numpy as np
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from prompts import sound, voices
from prompts.voices import (
    EspeakVoice,
    GttsVoice,
    PiperVoice,
    RecordingError,
    Recordings,
    VoiceError,
    voice_named,
)

THANKS = "Cảm ơn quý vị."
MP3 = (Path(__file__).parent / "thanks.mp3").read_bytes()


# ---------------------------------------------------------------- espeak


def test_espeak_speaks_vietnamese_again_and_again(capfd: pytest.CaptureFixture[str]) -> None:
    voice = EspeakVoice()
    first, _, again = voice.speak(THANKS), voice.speak("Xin chào."), voice.speak(THANKS)
    assert 0.5 < first.samples.size / first.rate < 3
    assert 0.05 < np.abs(first.samples).max() < 0.98
    assert again.samples.size == pytest.approx(first.samples.size, rel=0.02)
    assert capfd.readouterr() == ("", "")


def test_two_espeak_voices_in_one_process_keep_their_own_speed() -> None:
    slow, fast = EspeakVoice(words_per_minute=110), EspeakVoice(words_per_minute=220)
    assert slow.version != fast.version
    for _ in range(2):
        assert slow.speak(THANKS).samples.size > 1.4 * fast.speak(THANKS).samples.size


def test_espeak_tells_the_tones_apart() -> None:
    voice = EspeakVoice()
    spoken = {word: voice.speak(word).samples for word in ("ma", "má", "mà", "mả", "mã", "mạ")}
    assert len({samples.tobytes() for samples in spoken.values()}) == 6


def test_espeak_without_its_data_is_a_voice_error(monkeypatch: pytest.MonkeyPatch) -> None:
    import espeakng_loader  # type: ignore[import-untyped]

    monkeypatch.setattr(espeakng_loader, "get_library_path", lambda: "/nowhere/libespeak-ng.so")
    # this process keeps its own: begun a second time, the library crashes sooner or later
    monkeypatch.setattr(voices, "_espeak", voices._Espeak)
    with pytest.raises(VoiceError, match="espeak-ng cannot be loaded"):
        EspeakVoice().speak(THANKS)


# ---------------------------------------------------------------- gTTS, against a local stand-in


class StandIn(HTTPServer):
    """Answers like the translation service, from what gTTS itself reads of its answers."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), StandInHandler)
        self.status = 200
        self.sound = MP3
        self.escapes: dict[str, str] = {}
        self.asked: list[str] = []


class StandInHandler(BaseHTTPRequestHandler):
    server: StandIn

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        self.server.asked.append(unquote(body))
        encoded = base64.b64encode(self.server.sound).decode()
        payload = json.dumps([encoded]) if encoded else None
        line = json.dumps([["wrb.fr", "jQ1olc", payload, None, "generic"]], separators=(",", ":"))
        for plain, escaped in self.server.escapes.items():
            line = line.replace(plain, escaped)
        self.send_response(self.server.status)
        self.end_headers()
        self.wfile.write(f")]}}'\n\n{len(line)}\n{line}\n".encode())

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def stand_in(tls: ssl.SSLContext | None = None) -> Iterator[tuple[StandIn, str]]:
    server = StandIn()
    if tls:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server, f"http{'s' if tls else ''}://127.0.0.1:{server.server_port}/speak"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def self_signed(folder: Path) -> ssl.SSLContext:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))]), False
        )
        .sign(key, hashes.SHA256())
    )
    pem = folder / "server.pem"
    pem.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    return context


def test_gtts_speaks_a_text_of_the_catalogue() -> None:
    pytest.importorskip("miniaudio")
    with stand_in() as (server, url):
        heard = GttsVoice([THANKS], url=url).speak(THANKS)
    assert 0.8 < sound.prepare_speech(*heard, 0, 0).size / 8000 < 2
    assert len(server.asked) == 1
    assert THANKS in json.loads(json.loads(server.asked[0][len("f.req=") : -1])[0][0][1])


@pytest.mark.parametrize("escapes", [{}, {"=": "\\\\u003d"}, {"/": "\\\\/"}])
@pytest.mark.parametrize("tail", [b"", b"\0", b"\0\0"])
def test_escapes_and_padding_of_the_answer_do_not_matter(
    escapes: dict[str, str], tail: bytes
) -> None:
    pytest.importorskip("miniaudio")
    with stand_in() as (server, url):
        server.sound, server.escapes = MP3 + tail, escapes
        assert GttsVoice([THANKS], url=url).speak(THANKS).samples.size > 24_000


def test_gtts_speaks_a_long_text_in_parts() -> None:
    pytest.importorskip("miniaudio")
    long = "Xin quý vị giữ máy trong khi điện thoại viên tra cứu. " * 4
    with stand_in() as (server, url):
        one = GttsVoice([THANKS], url=url).speak(THANKS)
        parts = GttsVoice([long], url=url).speak(long)
    assert parts.samples.size == one.samples.size * (len(server.asked) - 1)


def test_gtts_is_not_asked_for_anything_else() -> None:
    refused = pytest.raises(VoiceError, match="texts of the catalogue only")
    with stand_in() as (server, url), refused:
        GttsVoice([THANKS], url=url).speak("Nguyễn Văn A, xét nghiệm dương tính.")
    assert not server.asked


@pytest.mark.parametrize("status", [429, 403, 503])
def test_a_refusal_of_gtts_is_a_voice_error(status: int) -> None:
    with stand_in() as (server, url):
        server.status = status
        with pytest.raises(VoiceError, match=f"gTTS got no answer: {status}"):
            GttsVoice([THANKS], url=url).speak(THANKS)


def test_an_answer_without_sound_is_a_voice_error() -> None:
    with stand_in() as (server, url):
        server.sound = b""
        with pytest.raises(VoiceError, match="without sound"):
            GttsVoice([THANKS], url=url).speak(THANKS)


def test_an_answer_that_is_no_mp3_is_a_voice_error() -> None:
    pytest.importorskip("miniaudio")
    with stand_in() as (server, url):
        server.sound = b"<html>captcha</html>" * 40
        with pytest.raises(VoiceError, match="is no MP3"):
            GttsVoice([THANKS], url=url).speak(THANKS)


def test_nobody_listening_is_a_voice_error() -> None:
    with stand_in() as (_, url):
        pass
    with pytest.raises(VoiceError, match="gTTS got no answer"):
        GttsVoice([THANKS], url=url, timeout_s=1).speak(THANKS)


def test_somebody_on_the_way_cannot_speak_instead(tmp_path: Path) -> None:
    refused = pytest.raises(VoiceError, match="CERTIFICATE_VERIFY_FAILED")
    with stand_in(self_signed(tmp_path)) as (server, url), refused:
        GttsVoice([THANKS], url=url, timeout_s=5).speak(THANKS)
    assert not server.asked


def test_without_its_decoder_gtts_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "miniaudio", None)
    with stand_in() as (_, url), pytest.raises(VoiceError, match="pip install"):
        GttsVoice([THANKS], url=url).speak(THANKS)


# ---------------------------------------------------------------- piper, by its published interface


def fake_piper(monkeypatch: pytest.MonkeyPatch) -> None:
    class Engine:
        @staticmethod
        def load(file: Path) -> Engine:
            if file.read_bytes() != b"a voice":
                raise RuntimeError("protobuf parsing failed")
            return Engine()

        def synthesize(self, text: str) -> Iterator[SimpleNamespace]:
            for _ in text.rstrip(".").split(". "):
                yield SimpleNamespace(
                    sample_rate=22050, audio_float_array=np.ones(2205, np.float32)
                )

    module = ModuleType("piper")
    module.PiperVoice = Engine  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "piper", module)


def test_piper_joins_the_sentences(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_piper(monkeypatch)
    (tmp_path / "vi.onnx").write_bytes(b"a voice")
    heard = PiperVoice(tmp_path / "vi.onnx").speak("Xin chào. Xin giữ máy.")
    assert (heard.samples.size, heard.rate) == (4410, 22050)


def test_what_is_wrong_with_a_piper_voice_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "vi.onnx"
    with pytest.raises(VoiceError, match=r"vi\.onnx: cannot be read"):
        assert PiperVoice(file).version
    file.write_bytes(b"broken")
    fake_piper(monkeypatch)
    with pytest.raises(VoiceError, match=r"vi\.onnx: is no voice of piper"):
        PiperVoice(file).speak(THANKS)
    monkeypatch.setitem(sys.modules, "piper", None)
    with pytest.raises(VoiceError, match="pip install"):
        PiperVoice(file).speak(THANKS)


def test_another_voice_file_is_another_version(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).write_bytes(name.encode())
    assert PiperVoice(tmp_path / "a").version != PiperVoice(tmp_path / "b").version


def test_the_settings_name_the_voice(tmp_path: Path) -> None:
    assert voice_named("espeak", [], None).name == "espeak"
    assert voice_named("gtts", [THANKS], None).online
    assert voice_named("piper", [], tmp_path / "vi.onnx").name == "piper"
    with pytest.raises(VoiceError):
        voice_named("piper", [], None)


# ---------------------------------------------------------------- recordings


def write_wav(path: Path, *, rate: int = 48000, channels: int = 1, width: int = 2) -> None:
    time = np.arange(rate) / rate
    pcm = (0.3 * np.sin(2 * np.pi * 700 * time) * (1 << (8 * width - 1))).astype("<i4")
    data = b"".join(struct.pack("<i", value)[:width] * channels for value in pcm)
    with wave.open(str(path), "wb") as file:
        file.setparams((channels, width, rate, rate, "NONE", ""))
        file.writeframes(data)


@pytest.mark.parametrize(
    ("rate", "channels", "width"), [(8000, 1, 2), (44100, 2, 2), (48000, 1, 3), (48000, 2, 3)]
)
def test_recordings_of_any_rate_are_read(
    tmp_path: Path, rate: int, channels: int, width: int
) -> None:
    write_wav(tmp_path / "hello.wav", rate=rate, channels=channels, width=width)
    path = Recordings(tmp_path).find("hello")
    assert path is not None
    heard = Recordings.read(path)
    assert (heard.samples.size, heard.rate) == (rate, rate)
    assert np.abs(heard.samples).max() == pytest.approx(0.3, abs=0.01)


def test_compressed_recordings_are_read(tmp_path: Path) -> None:
    pytest.importorskip("miniaudio")
    (tmp_path / "thanks.mp3").write_bytes(MP3)
    path = Recordings(tmp_path).find("thanks")
    assert path is not None
    assert Recordings.read(path).samples.size > 0


def test_a_recording_that_is_not_there_is_none(tmp_path: Path) -> None:
    assert Recordings(tmp_path).find("hello") is None
    assert Recordings(tmp_path / "absent").find("digits/1a") is None


def test_a_damaged_recording_is_named(tmp_path: Path) -> None:
    write_wav(tmp_path / "whole.wav")
    whole = (tmp_path / "whole.wav").read_bytes()
    damaged = {"short": whole[:20_000], "header": whole[:30], "empty": b"", "text": b"x" * 4000}
    for name, data in damaged.items():
        path = tmp_path / f"{name}.wav"
        path.write_bytes(data)
        with pytest.raises(RecordingError, match=rf"{name}\.wav: cannot be used"):
            Recordings.read(path)
    write_wav(tmp_path / "eight.wav", width=1)
    with pytest.raises(RecordingError, match="8-bit"):
        Recordings.read(tmp_path / "eight.wav")
