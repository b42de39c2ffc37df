"""Files that are sealed: pieces of 1 MiB, each by AES-256-GCM with a number of its own and a mark
on the last, so that a file that was cut, or whose pieces were changed or moved, does not open. The
key is made of a passphrase by scrypt (RFC 7914).
"""

from __future__ import annotations

import io
import os
import secrets
import struct
from collections.abc import Callable
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from crm.errors import HotlineError

MAGIC = b"HL1022S1"
PIECE = 1 << 20
_MORE, _LAST = b"more", b"last"


class SealError(HotlineError):
    """A sealed file cannot be opened: it was changed or cut, or is of another key."""


def seal_file(plain: Path, sealed: Path, passphrase: str) -> None:
    """Seal a file beside it, whole or not at all: what is there under the name is on the disk, and
    opens to the same bytes."""
    draft = sealed.with_name(f"{sealed.name}.part")
    _write(draft, plain.read_bytes(), passphrase)
    if opened(draft, passphrase) != plain.read_bytes():
        raise SealError(f"{draft} does not open to what was sealed")
    settle(draft, sealed)


def opened(sealed: Path, passphrase: str) -> bytes:
    """What a file has sealed. Raises SealError."""
    with sealed.open("rb") as source:
        return Opening(source, passphrase).read()


def rewrite(sealed: Path, passphrase: str, change: Callable[[bytes], bytes]) -> bool:
    """Seal a file anew with other content, if `change` makes it other. Raises SealError."""
    before = opened(sealed, passphrase)
    after = change(before)
    if after == before:
        return False
    draft = sealed.with_name(f"{sealed.name}.part")
    _write(draft, after, passphrase)
    settle(draft, sealed)
    return True


def _write(file: Path, content: bytes, passphrase: str) -> None:
    with file.open("wb") as out:
        with Sealing(out, passphrase) as sealing:
            sealing.write(content)
            sealing.end()
        out.flush()
        os.fsync(out.fileno())


def settle(draft: Path, file: Path) -> None:
    """Let a draft that is on the disk be the file: its name is there once its folder is."""
    draft.replace(file)
    descriptor = os.open(file.parent, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _key(passphrase: str, salt: bytes) -> AESGCM:
    return AESGCM(Scrypt(salt=salt, length=32, n=2**15, r=8, p=1).derive(passphrase.encode()))


class Sealing(io.RawIOBase):
    """Seals what is written to it. `end` writes the last piece: without it nothing opens."""

    def __init__(self, out: io.BufferedWriter, passphrase: str) -> None:
        salt, self._prefix = secrets.token_bytes(16), secrets.token_bytes(8)
        self._key, self._out = _key(passphrase, salt), out
        self._waiting, self._number = bytearray(), 0
        out.write(MAGIC + salt + self._prefix)

    def writable(self) -> bool:
        return True

    def write(self, data: object) -> int:
        piece = bytes(data)  # type: ignore[call-overload]
        self._waiting += piece
        while len(self._waiting) >= PIECE:
            self._seal(bytes(self._waiting[:PIECE]), _MORE)
            del self._waiting[:PIECE]
        return len(piece)

    def end(self) -> None:
        self._seal(bytes(self._waiting), _LAST)

    def _seal(self, piece: bytes, mark: bytes) -> None:
        nonce = self._prefix + struct.pack(">I", self._number)
        sealed = self._key.encrypt(nonce, piece, mark)
        self._out.write(struct.pack(">I", len(sealed)) + sealed)
        self._number += 1


class Opening(io.RawIOBase):
    """Reads what was sealed. Raises SealError where it was changed, cut, or of another key."""

    def __init__(self, source: io.BufferedReader, passphrase: str) -> None:
        head = source.read(len(MAGIC) + 24)
        if not head.startswith(MAGIC) or len(head) < len(MAGIC) + 24:
            raise SealError("this is no sealed file of a hotline")
        salt, self._prefix = head[len(MAGIC):][:16], head[len(MAGIC) + 16:]
        self._key, self._source = _key(passphrase, salt), source
        self._ready, self._number, self._ended = b"", 0, False

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        while not self._ended and (size < 0 or len(self._ready) < size):
            self._ready += self._open()
        taken = self._ready if size < 0 else self._ready[:size]
        self._ready = self._ready[len(taken):]
        return taken

    def _open(self) -> bytes:
        head = self._source.read(4)
        length = struct.unpack(">I", head)[0] if len(head) == 4 else 0
        if not 16 <= length <= PIECE + 16:
            raise SealError("the file was cut off or changed")
        sealed = self._source.read(length)
        nonce = self._prefix + struct.pack(">I", self._number)
        self._number += 1
        for mark in (_MORE, _LAST):
            try:
                piece = self._key.decrypt(nonce, sealed, mark)
            except InvalidTag:
                continue
            self._ended = mark == _LAST
            return piece
        raise SealError("the passphrase is another, or the file was changed")
