"""The generated secrets of one hotline: `secrets.json` in the state folder, mode 0600."""

from __future__ import annotations

import fcntl
import json
import os
import secrets
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cryptography.fernet import Fernet


@dataclass(frozen=True)
class FieldKey:
    """One key of the database's sealed fields."""

    key: str
    made_at: str  # ISO 8601, UTC


# What `hotline secrets rotate` changes besides those of phones. Not the keys of what was written:
# erased numbers are known and sealed segments opened by them alone; field keys have their own way.
ROTATED = ("ami_events", "ami_command", "ami_refused", "console_key", "web_phone", "web_key")


@dataclass(frozen=True)
class Secrets:
    """Passwords that programs use among themselves; people have accounts of their own."""

    ami_events: str
    ami_command: str
    console_key: str
    privacy_key: str  # of the hashes by which erased numbers are known; must outlive the database
    journal_key: str  # of the journal's sealed segments
    phones: dict[str, str]  # SIP secret of each seat and desk phone, by endpoint name
    ami_refused: str = ""  # of the manager connection that hears of refused phones alone
    web_phone: str = ""  # SIP secret of calls from the citizens' page
    web_key: str = ""  # what the tokens of such calls are made with (crm.intake.web_calls)
    staff_key: str = ""  # of the hashes of PINs (crm.keypad)
    node_key: str = ""  # SIP secret of the nodes among themselves
    field_keys: tuple[FieldKey, ...] = ()  # of sealed fields, the newest first (crm.field_keys)
    # Those that were rotated out, by what they were of: old sets of the configuration hold them
    former: dict[str, str] = field(default_factory=dict)

    def of(self, name: str) -> str:
        """The secret of that name: `ami_events`, or an endpoint's."""
        return self.phones[name] if name in self.phones else str(getattr(self, name))

    def in_place_of_former(self, text: str) -> str:
        """A text with those that hold now."""
        for old, name in self.former.items():
            if name in self.phones or name in ROTATED:
                text = text.replace(old, self.of(name))
        return text


def load(home: Path) -> Secrets:
    """Read the secrets. Raises FileNotFoundError where the hotline was never set up."""
    known = json.loads((home / "secrets.json").read_text(encoding="utf-8"))
    known["field_keys"] = tuple(FieldKey(**one) for one in known.get("field_keys", ()))
    return Secrets(**{"privacy_key": "", "journal_key": ""} | known)  # made before there was one


def ensure(home: Path, phones: list[str]) -> Secrets:
    """Read the secrets, first making those that are missing. Existing ones are kept."""
    with _changing(home):
        file = home / "secrets.json"
        known = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
        kept = known.get("phones", {})
        fields = tuple(FieldKey(**one) for one in known.get("field_keys", ()))
        made = Secrets(
            ami_events=known.get("ami_events") or secrets.token_urlsafe(24),
            ami_command=known.get("ami_command") or secrets.token_urlsafe(24),
            ami_refused=known.get("ami_refused") or secrets.token_urlsafe(24),
            console_key=known.get("console_key") or secrets.token_urlsafe(32),
            web_phone=known.get("web_phone") or secrets.token_urlsafe(18),
            web_key=known.get("web_key") or secrets.token_hex(24),
            staff_key=known.get("staff_key") or secrets.token_hex(24),
            node_key=known.get("node_key") or secrets.token_hex(24),
            privacy_key=known.get("privacy_key") or secrets.token_urlsafe(32),
            journal_key=known.get("journal_key") or secrets.token_urlsafe(32),
            field_keys=fields or (_field_key(datetime.now(UTC)),),
            former=known.get("former", {}),
            phones={name: kept.get(name) or secrets.token_urlsafe(18) for name in phones},
        )
        if not file.exists() or made != load(home):
            _write(home, made)
    return made


def rotate(home: Path, names: Iterable[str]) -> Secrets:
    """New secrets in the place of these, which are names as `Secrets.of` takes them."""
    with _changing(home):
        known = load(home)
        phones, former = dict(known.phones), dict(known.former)
        own: dict[str, Any] = {}
        for name in names:
            former[known.of(name)] = name
            if name in phones:
                phones[name] = secrets.token_urlsafe(18)
            else:
                own[name] = secrets.token_hex(24)  # also where it stands in a dialplan
        made = replace(known, phones=phones, former=former, **own)
        _write(home, made)
    return made


def put_back(home: Path, before: Secrets, names: Iterable[str]) -> None:
    """These are again as they were before."""
    with _changing(home):
        known, names = load(home), set(names)
        phones = {name: before.phones.get(name, secret) if name in names else secret
                  for name, secret in known.phones.items()}
        own: dict[str, Any] = {name: before.of(name) for name in names - phones.keys()}
        _write(home, replace(known, phones=phones, former=before.former, **own))


def add_field_key(home: Path, now: datetime) -> None:
    """From now on sealed fields are written with a new key; those with older ones still open."""
    with _changing(home):
        known = load(home)
        _write(home, replace(known, field_keys=(_field_key(now), *known.field_keys)))


def drop_field_keys(home: Path, before: datetime) -> None:
    """Forget the keys of sealed fields whose successor was made before a time."""
    with _changing(home):
        known = load(home)
        kept = tuple(
            one for one, newer in zip(
                known.field_keys, (None, *known.field_keys), strict=False
            ) if newer is None or datetime.fromisoformat(newer.made_at) >= before
        )
        if kept != known.field_keys:
            _write(home, replace(known, field_keys=kept))


def _field_key(now: datetime) -> FieldKey:
    return FieldKey(Fernet.generate_key().decode(), now.isoformat())


@contextmanager
def _changing(home: Path) -> Iterator[None]:
    """One at a time: a secret that two made would be lost to one of them."""
    home.mkdir(parents=True, exist_ok=True)
    with (home / "secrets.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _write(home: Path, made: Secrets) -> None:
    file = home / "secrets.json"
    draft = file.with_suffix(".new")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as out:
        json.dump(asdict(made), out, indent=1)
        out.flush()
        os.fsync(descriptor)
    draft.replace(file)
