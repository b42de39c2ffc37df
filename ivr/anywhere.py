"""Commands to whichever node has the call or the phone, given at any node's console.

Here they go to our own Asterisk (ivr.commands); what is at another node is asked of its listener,
by a row in the database that all have (crm.nodes). Who may do it is looked at, and audited, where
the person is.
"""

from __future__ import annotations

import inspect
import logging
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, cast

from sqlalchemy.exc import SQLAlchemyError

from crm import nodes
from crm.database import Database
from crm.secrets import Secrets
from crm.settings import Settings
from ivr.commands import TIMEOUT_S, Commands, Outcome, RecordingAct, Result, for_settings

log = logging.getLogger(__name__)

# what is about a call or a phone; a switch is told to our own Asterisk, and to others by theirs
ACTS = frozenset({
    "bring_together", "consult", "end_wrapup", "hand_over", "invite", "listen", "move", "pause",
    "record", "ring_out", "set_skills", "sign_in", "sign_out", "take_back", "take_over", "transfer",
})
LOOK_S = 0.05
ANSWERED_WITHIN_S = nodes.TAKEN_WITHIN.total_seconds() + 2 * TIMEOUT_S


def for_console(settings: Settings, made: Secrets, database: Database) -> Commands:
    """Commands as the console gives them."""
    own = for_settings(settings, made)
    # every method of Commands, without a second list of them
    return cast(Commands, Anywhere(own, database, settings.node)) if settings.nodes else own


class Anywhere:
    """`Commands` of all nodes, given at one."""

    def __init__(self, own: Commands, database: Database, node: str) -> None:
        self._own, self._database, self._node = own, database, node

    def __getattr__(self, act: str) -> Callable[..., Result]:
        told: Callable[..., Result] = getattr(self._own, act)
        if act not in ACTS:
            return told

        def tell(*args: Any, **named: Any) -> Result:
            arguments = {
                name: dict(value) if isinstance(value, Mapping) else value
                for name, value in inspect.signature(told).bind(*args, **named).arguments.items()
            }
            node = self._place(arguments)
            return told(**arguments) if node == self._node else self._ask(node, act, arguments)

        return tell

    def _place(self, arguments: dict[str, Any]) -> str:
        """The node of the agent's phone, else of the call. A phone of a third node is named with
        it."""
        phone = arguments.get("agent") or arguments.get("interface")
        with self._database.reading() as session:
            found = (
                nodes.of_phone(session, phone) if phone
                else nodes.of_call(session, arguments["call"])
            ) or self._node
            if own := arguments.get("own"):
                its = nodes.of_phone(session, own) or self._node
                arguments["own"] = own if its == found else f"{own}@node-{its}"
        return found

    def _ask(self, node: str, act: str, arguments: dict[str, Any]) -> Result:
        started, request = time.monotonic(), 0
        try:
            with self._database.transaction() as session:
                request = nodes.ask(session, node, act, arguments, datetime.now(UTC))
            result = self._answer(node, request, started)
            with self._database.transaction() as session:
                nodes.forget(session, request)
        except SQLAlchemyError as error:
            # not committed, as far as is known: a commit that is not confirmed may have been one
            log.warning("The outcome of %s at %s is unknown: %s", act, node, type(error).__name__)
            return Result(Outcome.UNKNOWN, "the database does not answer")
        log.info("%s at %s: %s %s", act, node, result.outcome, result.message)
        return result

    def _answer(self, node: str, request: int, started: float) -> Result:
        waits_to_be_taken = True
        while (waited := time.monotonic() - started) < ANSWERED_WITHIN_S:
            time.sleep(LOOK_S)
            with self._database.reading() as session:
                if found := nodes.answered(session, request):
                    return Result(Outcome(found[0]), found[1])
            if waits_to_be_taken and waited > nodes.TAKEN_WITHIN.total_seconds():
                with self._database.transaction() as session:
                    if nodes.take_back(session, request):
                        return Result(Outcome.SILENT, f"the node {node} does not answer")
                waits_to_be_taken = False
        return Result(Outcome.UNKNOWN, f"no answer from the node {node}")


class Requests:
    """What other nodes ask of this one, for its listener."""

    def __init__(self, database: Database, node: str, commands: Commands) -> None:
        self._database, self._node, self._commands = database, node, commands

    def take(self) -> list[nodes.Request]:
        """What is asked now. May raise SQLAlchemyError."""
        with self._database.reading() as session:
            if not nodes.is_asked(session, self._node):
                return []
        with self._database.transaction() as session:
            return nodes.take(session, self._node, datetime.now(UTC))

    def carry_out(self, request: nodes.Request) -> None:
        """Do what was asked, once, and say what came of it."""
        result = self._told(request)
        log.info("Asked by another node: %s: %s %s", request.act, result.outcome, result.message)
        try:
            with self._database.transaction() as session:
                nodes.answer(session, request.id, result.outcome, result.message)
        except SQLAlchemyError as error:  # whoever asked does not know, and is told so
            log.warning("The answer to %s cannot be given: %s", request.act, type(error).__name__)

    def _told(self, request: nodes.Request) -> Result:
        if request.act not in ACTS:
            return Result(Outcome.REFUSED, f"no other node may ask for {request.act}")
        arguments = dict(request.arguments)
        try:
            if request.act == "record":
                arguments["act"] = RecordingAct(arguments["act"])
            told: Result = getattr(self._commands, request.act)(**arguments)
        except (KeyError, TypeError, ValueError) as error:  # of another version of the hotline
            return Result(Outcome.REFUSED, f"{request.act} cannot be done here: {error}")
        return told
