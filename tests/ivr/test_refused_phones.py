"""A wrong secret of a phone counts for the address that gave it; nothing that is made up does."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from crm import settings as configuration
from crm import users
from crm.database import Database
from ivr import firewall, refused_phones

EVENT = {
    "Event": "ChallengeResponseFailed", "Service": "PJSIP", "AccountID": "desk-01",
    "SessionID": "RemoteAddress: IPV4/TCP/203.0.113.1/5060",
    "RemoteAddress": "IPV4/TCP/198.51.100.7/5061",
}
NOW = datetime(2026, 11, 27, 3, tzinfo=UTC)


def told(changed: dict[str, object], *, proxied: bool = False) -> tuple[str, str] | None:
    return refused_phones.told({**EVENT, **changed}, {"desk-01", "seat-001"}, proxied=proxied)


def test_a_wrong_answer_counts_for_its_address() -> None:
    for transport in ("TCP", "TLS", "WS", "WSS"):
        found = told({"RemoteAddress": f"IPV4/{transport}/198.51.100.7/1"})
        assert found == ("desk-01", "198.51.100.7")


@pytest.mark.parametrize("changed", [
    {"Event": "ChallengeSent"}, {"Event": "InvalidAccountID"}, {"Service": "AMI"},
    {"AccountID": "<unknown>"}, {"AccountID": "seat-999"}, {"AccountID": ["desk-01", "x"]},
    {"RemoteAddress": ["IPV4/TCP/198.51.100.7/1", "IPV4/TCP/203.0.113.1/1"]},
    {"RemoteAddress": "IPV4/TCP/198.51.100.7/1 x"}, {"RemoteAddress": ""},
    {"RemoteAddress": "IPV4/UDP/198.51.100.7/5061"},
], ids=str)
def test_what_is_no_wrong_answer_of_a_known_phone_counts_for_nobody(
    changed: dict[str, object],
) -> None:
    assert told(changed) is None


def test_behind_a_proxy_nobody_is_counted_by_its_address() -> None:
    assert told({"RemoteAddress": "IPV4/WS/10.0.0.1/4000"}, proxied=True) is None
    assert told({}, proxied=True) is not None


def test_a_flood_is_written_down_as_far_as_it_is_needed_and_no_carrier_is_shut_out(
    sqlite: Database,
) -> None:
    settings = configuration.load({"HOTLINE_TRUNK_MATCH": "198.51.100.9"})
    guesses = [("desk-01", "198.51.100.7"), ("seat-001", "198.51.100.9"), ("desk-01", "127.0.0.1")]
    refused_phones.count(sqlite, guesses * 5000, NOW)
    refused_phones.count(sqlite, [("desk-01", "198.51.100.8")] * 3, NOW)
    with sqlite.reading() as session:
        assert set(users.failing_addresses(session, NOW)) == {
            "198.51.100.7", "198.51.100.9", "127.0.0.1"
        }
        assert set(firewall.bans(session, settings, NOW)) == {"198.51.100.7"}
