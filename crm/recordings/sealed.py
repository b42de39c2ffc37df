"""Sounds at rest: a WAV in pieces of 64 KiB, each by AES-256-GCM, so that any second of it can be
read without the rest, and nothing that was changed, moved or cut opens.

    MAGIC | key | key again | size of the WAV | piece, piece, …

The key of a file is its own, drawn by chance, and stands in it twice, sealed with the keys of
sealed fields (crm.field_keys): when those are changed, one place is written after the other, so
that whatever dies in between leaves one that opens. A piece is bound to its number and the size.
"""

from __future__ import annotations

import io
import os
import secrets
import struct
from hashlib import sha256
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from crm.errors import HotlineError
from crm.field_keys import FieldKeyError, FieldKeys
from crm.recordings.reading import Sound

MAGIC = b"HL1022R1"
PIECE = 1 << 16
_SLOT, _TAG = 256, 16
_HEAD = len(MAGIC) + 2 * _SLOT + 8
AT_ONCE = 1 << 20  # bytes that are read where all is read


class SoundError(HotlineError):
    """A sealed sound cannot be opened: it was changed or cut, or its key is not there."""


def write(plain: io.RawIOBase, size: int, out: Path, keys: FieldKeys) -> str:
    """Seal what is read into a file that is then on the disk; the SHA-256 of what was read."""
    key, digest, left = secrets.token_bytes(32), sha256(), size
    with out.open("wb") as sealed:
        sealed.write(MAGIC + 2 * _slot(key, keys) + struct.pack(">Q", size))
        cipher = AESGCM(key)
        for number in range(_pieces(size)):
            piece = _exactly(plain, min(PIECE, left))
            left -= len(piece)
            digest.update(piece)
            sealed.write(cipher.encrypt(_nonce(number), piece, _bound(size)))
        sealed.flush()
        os.fsync(sealed.fileno())
    return digest.hexdigest()


def rewrap(file: Path, keys: FieldKeys) -> bool:
    """Seal the key of a file with the newest of the keys, if it is not. Raises SoundError."""
    with file.open("r+b") as sealed:
        head = _head(sealed.read(_HEAD))
        old = [slot for slot in _slots(head) if not keys.is_newest(slot)]
        if not old:
            return False
        slot = _slot(_key(head, keys), keys)
        for place in range(2):
            sealed.seek(len(MAGIC) + place * _SLOT)
            sealed.write(slot)
            sealed.flush()
            os.fsync(sealed.fileno())
    return True


class SealedSound(Sound):
    """The WAV that a file has sealed, to be read from any place. Raises SoundError."""

    def __init__(self, file: Path, keys: FieldKeys) -> None:
        self._file = file.open("rb")
        try:
            head = _head(self._file.read(_HEAD))
            self._cipher = AESGCM(_key(head, keys))
            (self.size,) = struct.unpack(">Q", head[-8:])
            sealed = _HEAD + self.size + _TAG * _pieces(self.size)
            if os.fstat(self._file.fileno()).st_size != sealed:
                raise SoundError("the recording was cut off or changed")
        except SoundError:
            self._file.close()
            raise
        self._ready: tuple[int, bytes] = (-1, b"")

    def read(self, size: int = -1) -> bytes:
        end = self.size if size < 0 else min(self.size, self._at + size)
        found = bytearray()
        while self._at < end:
            number, skip = divmod(self._at, PIECE)
            piece = self._piece(number)[skip:skip + end - self._at]
            found += piece
            self._at += len(piece)
        return bytes(found)

    def close(self) -> None:
        self._file.close()
        super().close()

    def digest(self) -> str:
        """Read all of it, and find every piece as it was sealed; its SHA-256."""
        found = sha256()
        self.seek(0)
        while part := self.read(AT_ONCE):
            found.update(part)
        self.seek(0)
        return found.hexdigest()

    def _piece(self, number: int) -> bytes:
        if self._ready[0] != number:
            self._file.seek(_HEAD + number * (PIECE + _TAG))
            length = min(PIECE, self.size - number * PIECE) + _TAG
            try:
                piece = self._cipher.decrypt(
                    _nonce(number), self._file.read(length), _bound(self.size)
                )
            except InvalidTag as error:
                raise SoundError("the recording was changed after it was sealed") from error
            self._ready = number, piece
        return self._ready[1]


def _exactly(plain: io.RawIOBase, length: int) -> bytes:
    found = b""
    while len(found) < length:
        part = plain.read(length - len(found))
        if not part:
            raise SoundError("the recording became shorter while it was sealed")
        found += part
    return found


def _pieces(size: int) -> int:
    return -(-size // PIECE)


def _nonce(number: int) -> bytes:
    return struct.pack(">IQ", 0, number)  # the key is of this file alone


def _bound(size: int) -> bytes:
    return MAGIC + struct.pack(">Q", size)


def _slot(key: bytes, keys: FieldKeys) -> bytes:
    return keys.seal(key.hex()).encode().ljust(_SLOT)


def _slots(head: bytes) -> list[str]:
    first = len(MAGIC)
    return [
        head[at:at + _SLOT].rstrip().decode("ascii", "replace")
        for at in (first, first + _SLOT)
    ]


def _head(head: bytes) -> bytes:
    if len(head) < _HEAD or not head.startswith(MAGIC):
        raise SoundError("this is no sealed recording")
    return head


def _key(head: bytes, keys: FieldKeys) -> bytes:
    for slot in _slots(head):
        try:
            key = bytes.fromhex(keys.open(slot))
        except (FieldKeyError, ValueError):
            continue
        if len(key) == 32:
            return key
    raise SoundError("the recording does not open: its key is not in secrets.json, or was changed")
