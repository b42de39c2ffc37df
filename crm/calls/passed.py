"""Calls that one node has passed to another: what happens there is told of the first call.

The node that keeps a queue takes a caller from the node that answered. There the caller is a
second channel, which names its call in its first word (HL_PASSED) and is a leg of it in the ledger.
All that the dialplan says on it, and which bridges it is in, is said of the caller.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from sqlalchemy import select
from sqlalchemy.orm import Session

from crm.calls.facts import CALL_ID, INBOUND, JournalEvent
from crm.models import Leg

NODE = "PJSIP/node-"  # channels between nodes
ELSEWHERE = f"{INBOUND}elsewhere"  # the channel of what is told here of a caller of another node
_IDS_AT_ONCE = 500
# of the second channel itself: the caller's own channel begins, answers and ends by its own
_OF_THE_LEG = frozenset({
    "CHAN_START", "ANSWER", "HANGUP", "CHAN_END", "LINKEDID_END", "HL_PASSED", "HL_END",
})


def resolved(session: Session, events: Sequence[JournalEvent]) -> list[JournalEvent]:
    """The events, with those of passed callers as events of their calls."""
    second = {one.uniqueid for one in events if one.channel.startswith(NODE)}
    if not second:
        return list(events)
    calls = _calls(session, second, events)
    return [
        replace(one, uniqueid=calls[one.uniqueid], channel=ELSEWHERE)
        if one.uniqueid in calls and one.type not in _OF_THE_LEG else one
        for one in events
    ]


def _calls(
    session: Session, second: set[str], events: Iterable[JournalEvent]
) -> dict[str, str]:
    """The call of each of these channels; those that this node has made itself have none here."""
    found = {
        one.uniqueid: call for one in events
        if one.type == "HL_PASSED" and one.channel.startswith(NODE)
        and CALL_ID.fullmatch(call := one.extra.get("call", ""))
    }
    rest = sorted(second - found.keys())
    for start in range(0, len(rest), _IDS_AT_ONCE):
        some = rest[start:start + _IDS_AT_ONCE]
        for leg, facts in session.execute(select(Leg.id, Leg.facts).where(Leg.id.in_(some))):
            if facts and "passed" in facts:
                found[leg] = facts["of"][1]
    return found
