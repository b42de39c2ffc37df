"""One line of the doctor, and what every examination needs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property

from crm.settings import Settings
from ivr import runtime

OK, WARNING, FAILURE = "ok", "warning", "failure"


@dataclass(frozen=True)
class Check:
    """One line of the doctor. `status`: ok, warning or failure; `cure` is empty when ok."""

    name: str
    status: str
    detail: str
    cure: str = ""

    def __str__(self) -> str:
        line = f"{self.status.upper():<8} {self.name:<14} {self.detail}"
        return f"{line}\n{'':<24}→ {self.cure}" if self.cure else line


@dataclass(frozen=True)
class Patient:
    """The hotline that is examined. What is asked more than once is asked once.

    `unready_prompts` are those spoken by the embedded voice or approved by nobody.
    """

    settings: Settings
    missing_prompts: Callable[[], list[str]]
    unready_prompts: Callable[[], list[str]]

    @cached_property
    def asterisk(self) -> runtime.Asterisk | None:
        """The program, if there is one."""
        try:
            return runtime.find(self.settings, lambda _: None, fetch=False)
        except runtime.RuntimeFault:
            return None

    @cached_property
    def pid(self) -> int | None:
        """The process of Asterisk, if it runs and answers."""
        number = runtime.pid(self.settings.home)
        if self.asterisk is None or number is None:
            return None
        return number if runtime.is_running(self.asterisk, self.settings.home) else None

    def ask(self, command: str) -> str | None:
        """One command to Asterisk; None if it does not answer."""
        if self.asterisk is None:
            return None
        return runtime.ask(self.asterisk, self.settings.home, command)

    def late(self) -> str:
        """What is a warning in trial operation is a failure in production."""
        return FAILURE if self.settings.stage == "production" else WARNING


Examination = Callable[[Patient], Iterator[Check]]
