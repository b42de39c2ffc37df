"""Answers to callers in the middle of a call: the dialplan asks, and waits for a short while.

The dialplan raises a UserEvent (`HotlineAsk`), plays something, and looks whether the answer has
come as a variable of its channel, HL_ANSWER_<number of the question>. It never waits longer than
PATIENCE_S in all: what comes later is not looked at.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from sqlalchemy.exc import SQLAlchemyError

from ivr.commands import Commands
from ivr.live_facts import Asked

log = logging.getLogger(__name__)

PATIENCE_S = 2.0
FAILED = "failed"  # the answer when there is none: the caller is led on at once
_AT_ONCE = 4
_MOST_WAITING = 200  # questions; whoever asks then hears that it cannot be told now


class Answers:
    """Answers questions beside whatever else the process does.

    `reply` gives the text of the answer; it may take as long as the database does.
    """

    def __init__(self, reply: Callable[[Asked], str], commands: Commands) -> None:
        self._reply = reply
        self._commands = commands
        self._threads = ThreadPoolExecutor(_AT_ONCE, "answer")
        self._room = threading.BoundedSemaphore(_MOST_WAITING)

    def take(self, asked: Asked) -> None:
        """Answer it soon; returns at once."""
        if not self._room.acquire(blocking=False):
            log.warning("too many questions at once: one of %s is not answered", asked.call)
            return
        self._threads.submit(self._answer, asked, time.monotonic())

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _answer(self, asked: Asked, since: float) -> None:
        try:
            if time.monotonic() - since > PATIENCE_S:
                return  # nobody waits any more
            try:
                value = self._reply(asked)
            except SQLAlchemyError as error:
                reason = str(getattr(error, "orig", None) or error).strip().splitlines()[0]
                log.warning("a question of %s cannot be answered: %s", asked.call, reason)
                value = FAILED
            result = self._commands.answer(asked.channel, f"HL_ANSWER_{asked.number}", value)
            if result.message:
                log.info("an answer to %s: %s %s", asked.call, result.outcome, result.message)
        except Exception:
            log.exception("a question of %s failed", asked.call)
        finally:
            self._room.release()
