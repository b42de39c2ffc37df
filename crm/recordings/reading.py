"""Sounds are read from any place, as players ask for them, however they lie on the disk."""

from __future__ import annotations

import io


class Sound(io.RawIOBase):
    """A sound of a known `size` in bytes; who derives from it reads from `_at` on."""

    size: int
    _at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self.size}[whence]
        self._at = max(0, base + offset)
        return self._at
