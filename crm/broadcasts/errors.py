"""Why a broadcast is refused."""

from __future__ import annotations

from crm.errors import HotlineError


class BroadcastError(HotlineError):
    """A broadcast cannot be as it was asked for. `code` names the reason for screens, which say it
    in the reader's language (agent_console.words)."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
