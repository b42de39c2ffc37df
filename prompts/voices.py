"""Who speaks: engines that turn text into sound, and the folder of human recordings."""

from __future__ import annotations

import base64
import ctypes
import hashlib
import importlib
import importlib.metadata
import re
import shutil
import subprocess
import threading
import wave
from collections.abc import Iterable
from functools import cache, cached_property
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np

from prompts.sound import Samples

_LONGEST_S = 120  # of one recording


class VoiceError(Exception):
    """A voice could not speak. The message says why, in one sentence."""


class RecordingError(Exception):
    """A recording cannot be used. The message names the file."""


class Speech(NamedTuple):
    """Mono samples (float32, 1.0 is full scale) and their rate in hertz."""

    samples: Samples
    rate: int


class Voice(Protocol):
    """An engine. `name` and `version` tell apart voices that sound different."""

    @property
    def name(self) -> str: ...

    @property
    def version(self) -> str: ...

    @property
    def online(self) -> bool:
        """Whether the text leaves this machine."""

    def speak(self, text: str) -> Speech:
        """Speak one text. Raises VoiceError."""


class EspeakVoice:
    """The embedded espeak-ng, northern Vietnamese: offline, instant, plain.

    The library keeps one state for the whole process, so calls take turns.
    """

    name = "espeak"
    online = False

    def __init__(
        self, *, voice: str = "vi", words_per_minute: int = 160, pitch: int = 45, word_gap: int = 0
    ) -> None:
        self._voice = voice.encode()
        self._parameters = {  # numbers of espeak_PARAMETER in speak_lib.h
            1: words_per_minute,
            2: 60,  # volume: headroom, for the builder sets the loudness
            3: pitch,
            7: word_gap,  # in units of 10 ms at the default speed
        }

    @cached_property
    def version(self) -> str:
        settings = "-".join(str(value) for value in self._parameters.values())
        spoken = "" if self._voice == b"vi" else f"-{self._voice.decode()}"
        return f"{importlib.metadata.version('espeakng-loader')}-{settings}{spoken}"

    def speak(self, text: str) -> Speech:
        library = _espeak()
        with library.turn:
            library.use(self._voice)
            for number, value in self._parameters.items():
                library.call("espeak_SetParameter", number, value, 0)
            return Speech(library.say(text), library.rate)


class _Espeak:
    """libespeak-ng in retrieval mode: it hands the samples over and opens no audio device."""

    def __init__(self) -> None:
        import espeakng_loader  # type: ignore[import-untyped]

        data = espeakng_loader.get_data_path()
        try:
            self._library = ctypes.CDLL(espeakng_loader.get_library_path())
        except OSError as error:
            raise VoiceError(f"espeak-ng cannot be loaded: {error}") from error
        self.turn = threading.Lock()
        self._heard: list[bytes] = []
        retrieval, dont_exit = 2, 0x8000
        self.rate = self._library.espeak_Initialize(retrieval, 0, data.encode(), dont_exit)
        if self.rate <= 0:
            # The library holds the path of its data in 160 bytes.
            raise VoiceError(f"espeak-ng cannot read its data in {data}: is the path too long?")
        receive = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p)(
            self._receive
        )
        self._receiver = receive  # the library keeps no reference that Python would count
        self._library.espeak_SetSynthCallback(receive)

        self._voice = b""

    def use(self, voice: bytes) -> None:
        """Set the voice, if it is another: setting loads its files and forgets parameters."""
        if voice != self._voice:
            self.call("espeak_SetVoiceByName", voice)
            self._voice = voice

    def call(self, function: str, *arguments: Any) -> None:
        if status := getattr(self._library, function)(*arguments):
            raise VoiceError(f"espeak-ng refused {function} (status {status})")

    def say(self, text: str) -> Samples:
        self._heard.clear()
        utf8 = text.encode() + b"\0"
        characters_utf8 = 1
        self.call("espeak_Synth", utf8, len(utf8), 0, 0, 0, characters_utf8, None, None)
        pcm = np.frombuffer(b"".join(self._heard), dtype=np.int16)
        return pcm.astype(np.float32) / 32768.0

    def _receive(self, samples: int | None, count: int, _events: int | None) -> int:
        if samples and count > 0:
            self._heard.append(ctypes.string_at(samples, 2 * count))
        return 0


@cache
def _espeak() -> _Espeak:
    return _Espeak()


class GttsVoice:
    """Google Translate's voice, online, for the texts of the catalogue and no others.

    gTTS packs the requests; they are sent here because gTTS does not verify certificates, and
    somebody on the way could put other words into a public hotline's mouth.
    """

    name = "gtts"
    version = "vi-1"
    online = True

    def __init__(
        self,
        texts: Iterable[str],
        *,
        url: str = "https://translate.google.com/_/TranslateWebserverUi/data/batchexecute",
        timeout_s: float = 15.0,
    ) -> None:
        self._texts = frozenset(texts)
        self._url = url
        self._timeout_s = timeout_s

    def speak(self, text: str) -> Speech:
        if text not in self._texts:
            raise VoiceError("gTTS is online: it may speak texts of the catalogue only")
        from gtts import gTTS  # type: ignore[import-untyped]

        bodies = gTTS(text, lang="vi", lang_check=False).get_bodies()
        parts = [decode(self._fetch(body), "the answer of gTTS") for body in bodies]
        return Speech(np.concatenate([part.samples for part in parts]), parts[0].rate)

    def _fetch(self, body: str) -> bytes:
        import requests
        from gtts import gTTS

        try:
            answer = requests.post(
                self._url, data=body, headers=gTTS.GOOGLE_TTS_HEADERS, timeout=self._timeout_s
            )
            answer.raise_for_status()
        except requests.RequestException as error:
            raise VoiceError(f"gTTS got no answer: {error}") from error
        # JSON in JSON: slashes and the padding may be escaped in several ways.
        found = re.search(rf'{gTTS.GOOGLE_TTS_RPC}","\[\\"((?:[A-Za-z0-9+]|\\*/)+)', answer.text)
        if not found:
            raise VoiceError("gTTS got an answer without sound")
        encoded = found[1].replace("\\", "")
        try:
            return base64.b64decode(encoded + "=" * (-len(encoded) % 4))
        except ValueError as error:
            raise VoiceError("gTTS got a damaged answer") from error


class PiperVoice:
    """A neural voice from a file (`NAME.onnx` beside `NAME.onnx.json`), offline."""

    name = "piper"
    online = False

    def __init__(self, voice_file: Path) -> None:
        self._file = voice_file

    def __reduce__(self) -> tuple[type[PiperVoice], tuple[Path]]:
        return PiperVoice, (self._file,)  # the loaded engine stays behind

    @cached_property
    def version(self) -> str:
        try:
            with self._file.open("rb") as file:
                return hashlib.file_digest(file, "sha256").hexdigest()[:16]
        except OSError as error:
            raise VoiceError(f"{self._file}: cannot be read: {error.strerror}") from error

    def speak(self, text: str) -> Speech:
        chunks = list(self._engine.synthesize(text))
        if not chunks:
            raise VoiceError("piper said nothing")
        samples = np.concatenate([chunk.audio_float_array for chunk in chunks])
        return Speech(samples.astype(np.float32), chunks[0].sample_rate)

    @cached_property
    def _engine(self) -> Any:
        try:
            engine = importlib.import_module("piper").PiperVoice
        except ImportError as error:
            raise VoiceError("piper is not installed: pip install 'hotline1022[piper]'") from error
        try:
            return engine.load(self._file)
        except Exception as error:  # onnxruntime raises classes of its own
            raise VoiceError(f"{self._file}: is no voice of piper: {error}") from error


def voice_named(name: str, texts: Iterable[str], piper_voice: Path | None) -> Voice:
    """The voice that the settings name; `texts` are those that may be spoken online."""
    if name == "gtts":
        return GttsVoice(texts)
    if name == "piper" and piper_voice is not None:
        return PiperVoice(piper_voice)
    if name == "espeak":
        return EspeakVoice()
    raise VoiceError(f"{name}: there is no such voice, or it lacks its voice file")


class Recordings:
    """A folder of human recordings, `<sound name>.wav` (PCM) or .flac, .mp3, .ogg."""

    SUFFIXES = (".wav", ".flac", ".mp3", ".ogg")

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def find(self, name: str) -> Path | None:
        """The recording of a sound name, if there is one."""
        for suffix in self.SUFFIXES:
            if (path := self._folder / f"{name}{suffix}").is_file():
                return path
        return None

    def keep(self, name: str, speech: Speech) -> Path:
        """Put a recording in its place; one that was there before goes to `earlier/`.

        Raises RecordingError when it cannot be written.
        """
        path = self._folder / f"{name}.wav"
        unfinished = path.with_suffix(".unfinished")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            _write_wav(unfinished, speech)
            if (old := self.find(name)) is not None:
                digest = hashlib.sha256(old.read_bytes()).hexdigest()[:12]
                kept = self._folder / "earlier" / f"{name}-{digest}{old.suffix}"
                kept.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(old, kept)
            unfinished.replace(path)  # a WAV is found before the other kinds
            for suffix in self.SUFFIXES[1:]:
                (self._folder / f"{name}{suffix}").unlink(missing_ok=True)
        except OSError as error:
            unfinished.unlink(missing_ok=True)
            raise RecordingError(f"{path}: cannot be written: {error.strerror}") from error
        return path

    @staticmethod
    def read_any(path: Path) -> Speech:
        """Any format: what is no WAV, FLAC, MP3 or Vorbis is read by the host's ffmpeg.

        Raises RecordingError.
        """
        if path.suffix.lower() in Recordings.SUFFIXES:
            try:
                return Recordings.read(path)
            except RecordingError:
                if not shutil.which("ffmpeg"):
                    raise
        if not shutil.which("ffmpeg"):
            known = ", ".join(suffix[1:] for suffix in Recordings.SUFFIXES)
            raise RecordingError(f"{path}: only {known} can be read; for others install ffmpeg")
        return _from_ffmpeg(path)

    @staticmethod
    def read(path: Path) -> Speech:
        """Raises RecordingError for a damaged file."""
        try:
            if path.suffix == ".wav":
                return _read_wav(path)
            return decode(path.read_bytes(), str(path))
        except (OSError, EOFError, wave.Error, VoiceError) as error:
            reason = str(error) or "ends too early"
            raise RecordingError(f"{path}: cannot be used: {reason}") from error


def decode(data: bytes, what: str) -> Speech:
    """MP3, FLAC or Vorbis as mono samples. Raises VoiceError."""
    try:
        miniaudio = importlib.import_module("miniaudio")
    except ImportError as error:
        raise VoiceError(
            f"{what} needs the miniaudio package: pip install 'hotline1022[audio]'"
        ) from error
    try:
        sound = miniaudio.decode(
            data, output_format=miniaudio.SampleFormat.FLOAT32, nchannels=1, sample_rate=48000
        )
    except miniaudio.DecodeError as error:
        raise VoiceError(f"{what} is no MP3, FLAC or Vorbis sound") from error
    return Speech(np.frombuffer(sound.samples, dtype=np.float32), sound.sample_rate)


def _from_ffmpeg(path: Path) -> Speech:
    rate = 48000
    command = [
        "ffmpeg", "-nostdin", "-v", "error", "-protocol_whitelist", "file",
        "-i", f"file:{path}", "-t", str(_LONGEST_S), "-vn",
        "-ac", "1", "-ar", str(rate), "-f", "f32le", "-",
    ]
    try:
        done = subprocess.run(command, capture_output=True, timeout=_LONGEST_S, check=False)
    except subprocess.TimeoutExpired as error:
        raise RecordingError(f"{path}: ffmpeg takes too long to read it") from error
    if done.returncode or not done.stdout:
        reason = done.stderr.decode(errors="replace").strip().splitlines() or ["it has no sound"]
        raise RecordingError(f"{path}: cannot be used: {reason[-1]}")
    return Speech(np.frombuffer(done.stdout, dtype=np.float32), rate)


def _write_wav(path: Path, speech: Speech) -> None:
    pcm = np.clip(np.rint(speech.samples * 32768.0), -32768, 32767).astype("<i2")
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, speech.rate, pcm.size, "NONE", ""))
        file.writeframes(pcm.tobytes())


def _read_wav(path: Path) -> Speech:
    with wave.open(str(path), "rb") as file:
        channels, width, rate, count = file.getparams()[:4]
        data = file.readframes(count)
    if width not in (2, 3):
        raise wave.Error(f"has {8 * width}-bit samples, not 16 or 24")
    if not count or len(data) != count * width * channels:
        raise wave.Error("ends too early")
    # The upper 16 bits of a 24-bit sample are more than a telephone line carries.
    upper = np.frombuffer(data, dtype=np.uint8).reshape(-1, width)[:, -2:]
    pcm = np.ascontiguousarray(upper).view("<i2").reshape(-1, channels)
    return Speech((pcm.mean(axis=1) / 32768.0).astype(np.float32), rate)
