"""RTP (RFC 3550) with G.711 and keys as telephone-events (RFC 4733), 20 ms a packet.

Both ways are pure: packets out, packets in, no socket and no clock of their own.
"""

import random
import struct
from collections import deque

import numpy as np

from ivr.phone.audio import CODECS, FRAME, RATE, Samples, is_sound

KEYS = "0123456789*#ABCD"  # the index is the event's number
KEY_MS = 160

_HEADER = struct.Struct("!BBHII")
_EVENT = struct.Struct("!BBH")
_VOLUME = 10  # -10 dBm0, as telephones send
_END = 0x80
_KEY_TICKS = KEY_MS * RATE // 1000 // FRAME
_PAUSE_TICKS = 5  # 100 ms of sound between two keys
_IDLE = {number: codec.encode(np.zeros(FRAME)) for number, codec in CODECS.items()}

_MAX_STRAY = 2 * RATE  # samples a timestamp may differ from the clock before it is set anew
_MAX_STEP = 3000  # packets (RFC 3550 A.1): a larger step is a new start of the numbering


class Sender:
    """What we say: one packet for each tick, keys before sound, silence when there is none."""

    def __init__(self) -> None:
        self.codec = 8
        self.events: int | None = None
        self.sent = 0
        self._ssrc = random.getrandbits(32)
        self._sequence = random.getrandbits(16)
        self._timestamp = random.getrandbits(32)
        self._marker = True  # the next sound is the first after none
        self._sound: dict[int, bytes] = {}  # by codec, in whole frames
        self._position = 0
        self._repeat = False
        self._keys: deque[bytes | None] = deque()  # event payloads; None is a tick between keys
        self._event_timestamp: int | None = None

    def play(self, samples: Samples, *, repeat: bool = False) -> None:
        """Say these samples from the next tick on, once or again and again."""
        padded = np.pad(samples, (0, -len(samples) % FRAME))
        self._sound = {number: codec.encode(padded) for number, codec in CODECS.items()}
        self._position = 0
        self._repeat = repeat

    def stop_playing(self) -> None:
        self._sound = {}

    def number_from(self, sequence: int) -> None:
        """The next packet's number, 0–65535; by chance if never told."""
        self._sequence = (sequence - 1) & 0xFFFF

    def press(self, key: str) -> None:
        """Queue one key: updates of the growing event, its end three times, a pause."""
        number = KEYS.index(key)
        for tick in range(1, _KEY_TICKS):
            self._keys.append(_EVENT.pack(number, _VOLUME, tick * FRAME))
        self._keys.extend([_EVENT.pack(number, _VOLUME | _END, _KEY_TICKS * FRAME)] * 3)
        self._keys.extend([None] * _PAUSE_TICKS)

    @property
    def pressing(self) -> bool:
        return bool(self._keys)

    def next_packet(self) -> bytes:
        self._timestamp = (self._timestamp + FRAME) & 0xFFFFFFFF
        event = self._keys.popleft() if self._keys else None
        if event is None:
            self._event_timestamp = None
            packet = self._packet(self.codec, self._timestamp, self._frame(), self._marker)
            self._marker = False
            return packet
        first = self._event_timestamp is None
        if self._event_timestamp is None:
            self._event_timestamp = self._timestamp
        self._marker = True
        return self._packet(self.events or 0, self._event_timestamp, event, first)

    def skip(self) -> None:
        """A tick in which nothing is sent, keys included: one side holds the other."""
        self._keys.clear()
        self._timestamp = (self._timestamp + FRAME) & 0xFFFFFFFF
        self._marker = True

    def _frame(self) -> bytes:
        sound = self._sound.get(self.codec)
        if not sound:
            return _IDLE[self.codec]
        frame = sound[self._position : self._position + FRAME]
        self._position += FRAME
        if self._position >= len(sound):
            self._position = 0
            if not self._repeat:
                self._sound = {}
        return frame

    def _packet(self, kind: int, timestamp: int, payload: bytes, marker: bool) -> bytes:
        self._sequence = (self._sequence + 1) & 0xFFFF
        self.sent += 1
        second = kind | 0x80 if marker else kind
        return _HEADER.pack(0x80, second, self._sequence, timestamp, self._ssrc) + payload


class Receiver:
    """What we hear: samples in their place by timestamp, keys, and how good the line is."""

    def __init__(self) -> None:
        self.events: int | None = None
        self.received = 0
        self.sounded = False  # something other than silence has been heard
        self._expected = 0
        self._jitter = 0.0  # in samples
        self._transit: float | None = None
        self._ssrc: int | None = None
        self._highest = 0
        self._pcm = bytearray()
        self._started_s = 0.0
        self._zero = 0  # the timestamp that stands at the start of the record
        self._events_seen: deque[int] = deque(maxlen=8)  # timestamps: an event comes many times

    def feed(self, packet: bytes, now_s: float) -> str | None:
        """Take one datagram; the key whose pressing it is the first to tell of, if any.

        What is not RTP of a kind that we take is ignored.
        """
        parsed = _parse(packet)
        if parsed is None:
            return None
        kind, sequence, timestamp, ssrc, payload = parsed
        is_event = kind == self.events
        if not is_event and kind not in CODECS:
            return None
        before = self._highest
        if not self._count(sequence, ssrc):
            return None
        if is_event:
            return self._key(timestamp, payload)
        newest = self._highest != before
        self._record(timestamp, CODECS[kind].decode(payload), now_s, newest=newest)
        return None

    @property
    def lost(self) -> int:
        return max(0, self._expected - self.received)

    @property
    def jitter_ms(self) -> float:
        return self._jitter * 1000 / RATE

    @property
    def heard(self) -> Samples:
        """All that was heard since the first packet, gaps as silence."""
        return np.frombuffer(bytes(self._pcm), np.int16)

    def heard_since(self, sample: int) -> Samples:
        return np.frombuffer(bytes(self._pcm[2 * sample :]), np.int16)

    @property
    def heard_length(self) -> int:
        """In samples."""
        return len(self._pcm) // 2

    def _count(self, sequence: int, ssrc: int) -> bool:
        """Keep the books; False for a packet that came twice."""
        step = (sequence - self._highest) & 0xFFFF
        if ssrc != self._ssrc or _MAX_STEP < step < 0x10000 - _MAX_STEP:
            self._ssrc, self._highest, step = ssrc, sequence, 1
            self._transit = None
        if step == 0:
            return False
        if step <= _MAX_STEP:
            self._highest = sequence
            self._expected += step
        self.received += 1
        return True

    def _key(self, timestamp: int, payload: bytes) -> str | None:
        if len(payload) < _EVENT.size or timestamp in self._events_seen:
            return None
        self._events_seen.append(timestamp)
        number = payload[0]
        return KEYS[number] if number < len(KEYS) else None

    def _record(self, timestamp: int, samples: Samples, now_s: float, *, newest: bool) -> None:
        if not self._pcm:
            self._started_s, self._zero = now_s, timestamp
        clock = int((now_s - self._started_s) * RATE)
        position = _signed(timestamp - self._zero)
        if abs(position - clock) > _MAX_STRAY:
            # Another source, or a lie: a timestamp must not make us store hours of silence.
            position, self._zero = clock, timestamp - clock
            self._transit = None
        transit = now_s * RATE - timestamp
        if self._transit is not None:
            change = abs(_signed(round(transit - self._transit)))
            self._jitter += (change - self._jitter) / 16
        self._transit = transit
        if not self.sounded:
            self.sounded = is_sound(samples)
        if newest and 2 * position < len(self._pcm):
            # A source that was held up sets its timestamps back (Asterisk does, past 80 ms): what
            # was said later is heard later, never over what has been heard.
            self._zero -= len(self._pcm) // 2 - position
            position = len(self._pcm) // 2
        if position < 0:
            return
        if 2 * position > len(self._pcm):
            self._pcm.extend(bytes(2 * position - len(self._pcm)))
        self._pcm[2 * position : 2 * (position + len(samples))] = samples.tobytes()


def _parse(packet: bytes) -> tuple[int, int, int, int, bytes] | None:
    """(payload type, sequence, timestamp, source, payload), or None if it is not RTP."""
    if len(packet) < _HEADER.size or packet[0] >> 6 != 2:
        return None
    first, second, sequence, timestamp, ssrc = _HEADER.unpack_from(packet)
    start, end = _HEADER.size + 4 * (first & 0x0F), len(packet)
    if first & 0x10:  # header extension
        if end < start + 4:
            return None
        start += 4 + 4 * int.from_bytes(packet[start + 2 : start + 4])
    if first & 0x20:  # padding
        end -= packet[-1]
    if start >= end:
        return None
    return second & 0x7F, sequence, timestamp, ssrc, packet[start:end]


def _signed(difference: int) -> int:
    """A difference of 32-bit timestamps, the shorter way round."""
    return (difference + 0x80000000) % 0x100000000 - 0x80000000
