"""Phones that fail to prove their secret, counted by address as the console counts sign-ins.

Asterisk tells of them on a manager connection that carries security events alone: no event of a
call, into which callers write, can come that way. Counted is only a wrong answer to a challenge
under the name of a phone that exists, and over a connection: a UDP packet bears any address, and
Asterisk takes from it an answer to the challenge of another (a test shows both). Nothing is read
but Asterisk's own words: the event, the address, the phone's name.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Collection, Iterable, Mapping
from datetime import UTC, datetime

from sqlalchemy.exc import SQLAlchemyError

from crm import users
from crm.database import Database
from crm.setting_values import Address
from ivr.ami import Link, LinkError

log = logging.getLogger(__name__)

GATHER_S = 1.0  # a flood is written down once a second
RETRY_S = 5.0
_EVENT = {"Event": "ChallengeResponseFailed", "Service": "PJSIP"}
_ADDRESS = re.compile(r"IPV4/(TCP|TLS|WS|WSS)/(\d{1,3}(?:\.\d{1,3}){3})/\d{1,5}")


def told(
    event: Mapping[str, object], phones: Collection[str], *, proxied: bool
) -> tuple[str, str] | None:
    """Phone and address of a wrong answer, None for anything else. `proxied`: the WebSocket stands
    behind a proxy, whose address is that of everybody."""
    if any(event.get(name) != value for name, value in _EVENT.items()):
        return None
    phone, remote = event.get("AccountID"), event.get("RemoteAddress")
    if not isinstance(phone, str) or phone not in phones or not isinstance(remote, str):
        return None
    found = _ADDRESS.fullmatch(remote)
    if found is None or (proxied and found[1] in ("WS", "WSS")):
        return None
    return phone, found[2]


def count(database: Database, failures: Iterable[tuple[str, str]], now: datetime) -> None:
    """Write down as many as are enough to shut an address out."""
    counted: dict[str, int] = {}
    with database.transaction() as session:
        for phone, address in failures:
            counted[address] = counted.get(address, 0) + 1
            if counted[address] <= users.FAILURES_BY_ADDRESS:
                users.note_failure(session, phone, address, now)
    for address, number in counted.items():
        log.warning("%d wrong secrets of phones from %s", number, address)


async def watch(
    database: Database, address: Address, password: str, phones: Collection[str], *, proxied: bool
) -> None:
    """Count for as long as it is not cancelled, through any failure of Asterisk and database."""
    complained = ""
    while True:
        link = Link(address)
        try:
            await link.open("refused", password)
            complained = ""
            await _follow(link, database, phones, proxied=proxied)
        except LinkError as error:
            if str(error) != complained:
                log.warning("refused phones are not counted: %s", error)
                complained = str(error)
        except SQLAlchemyError as error:
            log.warning("refused phones are not counted: %s", type(error).__name__)
        finally:
            link.drop("not needed any longer")
        await asyncio.sleep(RETRY_S)


async def _follow(
    link: Link, database: Database, phones: Collection[str], *, proxied: bool
) -> None:
    alive = asyncio.create_task(link.keep_alive(RETRY_S))
    try:
        while True:
            await asyncio.wait({link.lost}, timeout=GATHER_S)
            if link.lost.done():
                raise LinkError(link.lost.result())
            found = [told(link.inbox.popleft(), phones, proxied=proxied)
                     for _ in range(len(link.inbox))]
            if failures := [one for one in found if one]:
                await asyncio.to_thread(count, database, failures, datetime.now(UTC))
    finally:
        alive.cancel()
