"""Fields that are sealed in the database: who a citizen is, and secrets that sign. A copy of the
database alone does not show them; the keys stand in the secrets of the state folder.

Fernet (AES-128-CBC with HMAC-SHA256) with several keys: the newest seals, each opens, so that keys
are changed while the hotline runs (crm.privacy.resealing).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from sqlalchemy import Dialect, Text, TypeDecorator

from crm import secrets
from crm.errors import HotlineError

MARK = "sealed:"  # what has it not was written before fields were sealed


class FieldKeyError(HotlineError):
    """A sealed field cannot be written or read: its key is not there."""


class FieldKeys:
    """The keys, the newest first, as `read` gives them; `version` changes when they do."""

    def __init__(self, read: Callable[[], Sequence[str]], version: Callable[[], object]) -> None:
        self._read, self._version = read, version
        self._known: object = None
        self._keys: list[Fernet] = []

    def seal(self, text: str) -> str:
        return MARK + self._current()[0].encrypt(text.encode()).decode()

    def open(self, written: str) -> str:
        """Raises FieldKeyError."""
        if not written.startswith(MARK):
            return written
        try:
            token = written.removeprefix(MARK).encode()
            return MultiFernet(self._current()).decrypt(token).decode()
        except InvalidToken as error:
            raise FieldKeyError(
                "a sealed field does not open: its key is not in secrets.json"
            ) from error

    def is_newest(self, written: str) -> bool:
        """Whether a field is sealed with the key that seals now."""
        if not written.startswith(MARK):
            return False
        try:
            self._current()[0].decrypt(written.removeprefix(MARK).encode())
        except InvalidToken:
            return False
        return True

    def _current(self) -> list[Fernet]:
        # looked at each time: a key that was added by another process is used from then on
        try:
            version = self._version()
            if version != self._known or not self._keys:
                self._keys = [Fernet(key) for key in self._read()]
                self._known = version
        except (OSError, ValueError) as error:
            raise FieldKeyError(f"the keys of sealed fields cannot be read: {error}") from error
        if not self._keys:
            raise FieldKeyError("there is no key for sealed fields: hotline up makes one")
        return self._keys


def of_home(home: Path) -> FieldKeys:
    """The keys of the hotline whose state folder this is."""

    def read() -> list[str]:
        return [one.key for one in secrets.load(home).field_keys]

    def version() -> object:
        found = (home / "secrets.json").stat()
        return found.st_mtime_ns, found.st_ino

    return FieldKeys(read, version)


def _keys_of(dialect: Dialect) -> FieldKeys:
    keys = getattr(dialect, "field_keys", None)
    if not isinstance(keys, FieldKeys):
        raise FieldKeyError("this database was opened without the keys of its sealed fields")
    return keys


class Sealed(TypeDecorator[str]):
    """A text that stands sealed in the database. It cannot be searched or compared there."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        return None if value is None else _keys_of(dialect).seal(value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> str | None:
        return None if value is None else _keys_of(dialect).open(value)


class Secret(str):
    """A text that stands sealed in a column of SealedSecrets, and is one again when it is read."""

    __slots__ = ()


class SealedSecret(TypeDecorator[str]):
    """A text that stands sealed in the database where it is a Secret, and readable otherwise, so
    that the many that are none can be searched there."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        # what somebody has begun with the mark would not open: it is sealed as well
        secret = isinstance(value, Secret) or (value is not None and value.startswith(MARK))
        return _keys_of(dialect).seal(value) if secret and value is not None else value

    def process_result_value(self, value: str | None, dialect: Dialect) -> str | None:
        if value is None or not value.startswith(MARK):
            return value
        return Secret(_keys_of(dialect).open(value))

    def compare_values(self, x: object, y: object) -> bool:
        return x == y and isinstance(x, Secret) == isinstance(y, Secret)


class SealedJson(TypeDecorator[dict[str, Any]]):
    """An object that stands sealed in the database, as JSON."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: dict[str, Any] | None, dialect: Dialect) -> str | None:
        if value is None:
            return None
        return _keys_of(dialect).seal(json.dumps(value, ensure_ascii=False))

    def process_result_value(self, value: str | None, dialect: Dialect) -> dict[str, Any] | None:
        if value is None:
            return None
        found: dict[str, Any] = json.loads(_keys_of(dialect).open(value))
        return found
