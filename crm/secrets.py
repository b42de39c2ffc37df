"""The generated secrets of one hotline: `secrets.json` in the state folder, mode 0600."""

from __future__ import annotations

import json
import os
import secrets
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True)
class Secrets:
    """Passwords that programs use among themselves; people have accounts of their own."""

    ami_events: str
    ami_command: str
    console_key: str
    privacy_key: str  # of the hashes by which erased numbers are known; must outlive the database
    journal_key: str  # of the journal's sealed segments
    phones: dict[str, str]  # SIP secret of each seat and desk phone, by endpoint name
    web_phone: str = ""  # SIP secret of calls from the citizens' page
    web_key: str = ""  # what the tokens of such calls are made with (crm.intake.web_calls)


def load(home: Path) -> Secrets:
    """Read the secrets. Raises FileNotFoundError where the hotline was never set up."""
    known = json.loads((home / "secrets.json").read_text(encoding="utf-8"))
    return Secrets(**{"privacy_key": "", "journal_key": ""} | known)  # made before there was one


def ensure(home: Path, phones: list[str]) -> Secrets:
    """Read the secrets, first making those that are missing. Existing ones are kept."""
    file = home / "secrets.json"
    known = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    kept = known.get("phones", {})
    made = Secrets(
        ami_events=known.get("ami_events") or secrets.token_urlsafe(24),
        ami_command=known.get("ami_command") or secrets.token_urlsafe(24),
        console_key=known.get("console_key") or secrets.token_urlsafe(32),
        web_phone=known.get("web_phone") or secrets.token_urlsafe(18),
        web_key=known.get("web_key") or secrets.token_hex(24),
        privacy_key=known.get("privacy_key") or secrets.token_urlsafe(32),
        journal_key=known.get("journal_key") or secrets.token_urlsafe(32),
        phones={name: kept.get(name) or secrets.token_urlsafe(18) for name in phones},
    )
    if asdict(made) != known:
        draft = file.with_suffix(".new")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as out:
            json.dump(asdict(made), out, indent=1)
        draft.replace(file)
    return made
