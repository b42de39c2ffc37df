"""One connection to Asterisk's manager interface that only listens: panoramisk, guarded.

panoramisk 1.4 parses well, but it loses letters at chunk borders, closes the connection when a
message surprises it, repeats unanswered actions after a reconnect and never notices a half-open
link. A `Link` is therefore used for one connection only, its protocol decodes incrementally and
survives any message, and events go straight into a bounded inbox.
"""

from __future__ import annotations

import asyncio
import codecs
import contextlib
import logging
import re
from collections import deque
from typing import Any

from panoramisk.ami_protocol import AMIProtocol  # type: ignore[import-untyped]
from panoramisk.manager import Manager  # type: ignore[import-untyped]
from panoramisk.message import Message  # type: ignore[import-untyped]

from crm.setting_values import Address

log = logging.getLogger(__name__)

INBOX_SIZE = 20_000
ANSWER_TIMEOUT_S = 5.0
_UNSAFE = re.compile("[\x00-\x1f\x7f\x85\u2028\u2029]")


class LinkError(Exception):
    """The connection cannot be used any longer. The message says why."""


class UnsafeValueError(ValueError):
    """A value would change the meaning of the AMI message that it stands in."""


def checked(value: str) -> str:
    """The value itself. Raises UnsafeValueError if it holds what some AMI reader takes for a
    line's end: neither library escapes anything."""
    if _UNSAFE.search(value):
        raise UnsafeValueError("a value holds control characters or line ends")
    return value


class _Protocol(AMIProtocol):  # type: ignore[misc]
    """The library's parser behind a decoder that waits for the rest of a letter."""

    def __init__(self, link: Link) -> None:
        self.link = link
        self.decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def data_received(self, data: bytes) -> None:
        super().data_received(self.decoder.decode(data).encode("utf-8"))

    def handle_message(self, message: Message) -> None:
        """Answers go to who asked, all else to the inbox; nothing raised here may reach asyncio,
        which would close the connection."""
        try:
            action_id = message.action_id
            if isinstance(action_id, str) and action_id in self.responses:
                super().handle_message(message)
            elif "event" in message:
                self.link.heard(message)
        except Exception:
            self.link.faults += 1
            log.exception("An AMI message could not be handled and is dropped")


class Link(Manager):  # type: ignore[misc]
    """One connection, from `open` to `lost`, never used again: so nothing can be replayed.

    `inbox` fills with events (panoramisk messages); `wake` is set when there is something to do.
    """

    def __init__(self, address: Address) -> None:
        super().__init__(host=address.host, port=address.port, loop=asyncio.get_running_loop())
        self.inbox: deque[Message] = deque()
        self.wake = asyncio.Event()
        self.lost: asyncio.Future[str] = self.loop.create_future()
        self.faults = 0

    async def open(self, username: str, password: str) -> None:
        """Connect and log in. Raises LinkError."""
        try:
            async with asyncio.timeout(ANSWER_TIMEOUT_S):
                made = await self.loop.create_connection(
                    lambda: _Protocol(self), self.config["host"], self.config["port"]
                )
        except (OSError, TimeoutError) as error:
            raise LinkError(f"cannot connect: {error or 'no answer'}") from error
        opened: asyncio.Future[Any] = self.loop.create_future()
        opened.set_result(made)
        self.connection_made(opened)
        # the library's own ping neither waits for an answer nor ends with the connection
        self.pinger.cancel()
        answer = await self.ask(
            "Login", Username=checked(username), Secret=checked(password), Events="on"
        )
        if not answer[0].success:
            raise LinkError(f"login refused: {answer[0].message}")

    async def ask(self, action: str, **values: str) -> list[Message]:
        """The answer to an action: the response, and the events of its list if there is one.

        Raises LinkError when the connection ends or the answer does not come in time.
        """
        future = self.send_action({"Action": action, **values})
        await asyncio.wait(
            {future, self.lost}, timeout=ANSWER_TIMEOUT_S, return_when=asyncio.FIRST_COMPLETED
        )
        if not future.done():
            reason = self.lost.result() if self.lost.done() else f"no answer to {action}"
            self.drop(reason)
            raise LinkError(reason)
        answer = future.result()
        return answer if isinstance(answer, list) else [answer]

    async def keep_alive(self, interval_s: float) -> None:
        """Ping until the connection is lost; a half-open one is dropped."""
        with contextlib.suppress(LinkError):
            while not self.lost.done():
                await asyncio.sleep(interval_s)
                await self.ask("Ping")

    def heard(self, message: Message) -> None:
        """Put an event into the inbox. Too many at once end the connection: the resync after the
        next one is cheaper and safer than a mirror with holes."""
        if len(self.inbox) >= INBOX_SIZE:
            self.drop("too many events at once")
            return
        self.inbox.append(message)
        self.wake.set()

    def drop(self, reason: str) -> None:
        """End the connection at once, without waiting for what cannot be sent any more."""
        if not self.lost.done():
            self.lost.set_result(reason)
        self.wake.set()
        if self.protocol is not None:
            self.protocol.closed = True
            self.protocol.transport.abort()

    def connection_lost(self, error: Exception | None) -> None:
        """Called by the protocol. The library would reconnect here by itself."""
        self.drop(f"connection lost: {error}" if error else "connection closed by Asterisk")
