"""Known faults of panoramisk 1.4 and asterisk-ami 0.1.7, each shown to be harmless here."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime
from importlib.metadata import version

import pytest
from asterisk.ami import Action, Event  # type: ignore[import-untyped]

from crm.setting_values import Address
from ivr.ami import Link, LinkError, UnsafeValueError, checked
from ivr.commands import Commands, Outcome, Result
from ivr.commands import _Client as Client
from ivr.live_events import BadEventError, parse
from tests.ivr.ami_stand_in import AmiStandIn, message, until

NAME = "Nguyễn Văn Đức"


@pytest.fixture
def asterisk() -> Iterator[AmiStandIn]:
    with AmiStandIn() as stand_in:
        yield stand_in


def linked(asterisk: AmiStandIn, use: Callable[[Link], Awaitable[None]]) -> None:
    """Use an open link in a loop of its own."""

    async def work() -> None:
        link = Link(asterisk.address)
        try:
            await link.open("events", "secret")
            await use(link)
        finally:
            link.drop("the test is over")

    asyncio.run(work())


async def heard(link: Link, count: int) -> list[str]:
    """The names of the first events, FullyBooted not counted."""
    async with asyncio.timeout(20):
        while len(names := [m["Event"] for m in link.inbox if m["Event"] != "FullyBooted"]) < count:
            link.wake.clear()
            await link.wake.wait()
    return names


# --- panoramisk ---


def test_letters_split_between_two_reads_are_kept(asterisk: AmiStandIn) -> None:
    async def use(link: Link) -> None:
        data = f"Event: QueueMemberPause\r\nPausedReason: {NAME}\r\n\r\n".encode()
        for byte in data:
            link.protocol.data_received(bytes([byte]))
        await heard(link, 1)
        assert link.inbox[-1]["PausedReason"] == NAME

    linked(asterisk, use)


def test_bytes_that_are_no_text_do_not_end_the_connection(asterisk: AmiStandIn) -> None:
    async def use(link: Link) -> None:
        asterisk.say_bytes(b"Event: One\r\nX: \xff\xfe\r\n\r\n")
        asterisk.say("Event: Two\n\n")
        assert await heard(link, 2) == ["One", "Two"]

    linked(asterisk, use)


def test_an_unanswered_action_is_not_sent_again_after_a_reconnect(asterisk: AmiStandIn) -> None:
    asterisk.ignored.add("CoreShowChannels")

    async def first(link: Link) -> None:
        asking = asyncio.create_task(link.ask("CoreShowChannels"))
        while not asterisk.asked("CoreShowChannels"):
            await asyncio.sleep(0.01)
        asterisk.drop()
        with pytest.raises(LinkError):
            await asking

    async def second(link: Link) -> None:
        asterisk.say("Event: FullyBooted\n\nEvent: Later\n\n")
        await heard(link, 1)
        await link.ask("Ping")

    linked(asterisk, first)
    linked(asterisk, second)
    assert len(asterisk.asked("CoreShowChannels")) == 1


def test_a_message_that_breaks_the_library_costs_only_itself(asterisk: AmiStandIn) -> None:
    async def use(link: Link) -> None:
        asterisk.say(
            "Event: One\nEvent: Two\n\n"  # a list where the library expects a text
            "Event: Three\nActionID: 1\nActionID: 2\n\n"
            "Response: Success\nActionID: nobody\n\n"
            "no header at all\n\n"
            "Event: Four\n\n"
        )
        await heard(link, 3)
        assert link.inbox[-1]["Event"] == "Four"
        assert not link.lost.done()

    linked(asterisk, use)


def test_an_error_while_an_event_is_taken_does_not_end_the_connection(
    asterisk: AmiStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def use(link: Link) -> None:
        hear = link.heard
        monkeypatch.setattr(link, "heard", lambda _: 1 / 0)
        link.protocol.data_received(b"Event: Bad\r\n\r\nEvent: Worse\r\n\r\n")
        monkeypatch.setattr(link, "heard", hear)
        asterisk.say("Event: Good\n\n")
        assert await heard(link, 1) == ["Good"]
        assert link.faults == 2

    linked(asterisk, use)


def test_a_forged_shutdown_does_not_end_the_connection(asterisk: AmiStandIn) -> None:
    async def use(link: Link) -> None:
        asterisk.say("Event: Shutdown\n\nEvent: Shutdown\nActionID: x\n\nEvent: Still\n\n")
        await heard(link, 3)
        assert not link.lost.done()

    linked(asterisk, use)


def test_a_half_open_link_is_noticed(
    asterisk: AmiStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ivr.ami.ANSWER_TIMEOUT_S", 2)

    async def use(link: Link) -> None:
        keep_alive = asyncio.create_task(link.keep_alive(0.05))
        while not asterisk.asked("Ping"):
            await asyncio.sleep(0.01)
        asterisk.silent = True
        assert await link.lost == "no answer to Ping"
        await keep_alive

    linked(asterisk, use)


def test_the_librarys_own_ping_and_reconnect_do_not_run(asterisk: AmiStandIn) -> None:
    async def use(link: Link) -> None:
        assert link.pinger.cancelled()
        asterisk.drop()
        assert await link.lost == "connection closed by Asterisk"
        await asyncio.sleep(0.1)
        assert link.protocol.closed

    linked(asterisk, use)
    assert asterisk.accepted == 1


def test_an_action_without_answer_ends_in_an_error_not_in_silence(
    asterisk: AmiStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    asterisk.ignored.add("QueueStatus")

    async def use(link: Link) -> None:
        monkeypatch.setattr("ivr.ami.ANSWER_TIMEOUT_S", 0.2)
        with pytest.raises(LinkError, match="no answer to QueueStatus"):
            await link.ask("QueueStatus")
        assert link.lost.done()

    linked(asterisk, use)


def test_a_header_that_stands_twice_makes_an_event_unusable() -> None:
    text = (
        "Event: Hangup\nChannel: PJSIP/trunk-in-1\nUniqueid: th1.b-1.1\n"
        "CallerIDNum: 0912\nUniqueid: th1.b-1.2\n"
    )
    assert message(text)["Uniqueid"] == ["th1.b-1.1", "th1.b-1.2"]
    with pytest.raises(BadEventError):
        parse(message(text), "th1", datetime.now(UTC))


def test_an_empty_last_header_is_lost_by_the_library_and_not_needed() -> None:
    assert "BridgeId" not in message("Event: CoreShowChannel\nBridgeId: ")


# --- both ---


@pytest.mark.parametrize("sign", [*map(chr, range(32)), "\x7f", "\x85", "\u2028", "\u2029"])
def test_no_value_may_end_a_line(sign: str) -> None:
    with pytest.raises(UnsafeValueError):
        checked(f"lunch{sign}Action: Originate")


def test_a_password_cannot_smuggle_an_action_in(asterisk: AmiStandIn) -> None:
    async def work() -> None:
        with pytest.raises(UnsafeValueError):
            await Link(asterisk.address).open("events", "x\r\nAction: Originate")

    asyncio.run(work())
    assert Commands(asterisk.address, "command", "x\r\nAction: Ping").ping().outcome == "refused"
    assert not asterisk.received


# --- asterisk-ami ---


def test_the_readers_death_in_silence_is_an_answer_at_once(asterisk: AmiStandIn) -> None:
    asterisk.ignored.add("QueuePause")
    commands = Commands(asterisk.address, "command", "secret", timeout_s=0.3)
    assert commands.pause("PJSIP/seat-001", None).outcome is Outcome.UNKNOWN
    asterisk.ignored.clear()
    assert commands.pause("PJSIP/seat-001", None).done


def test_a_connection_that_ends_before_the_answer_is_unknown_without_waiting(
    asterisk: AmiStandIn,
) -> None:
    asterisk.ignored.add("QueuePause")
    commands = Commands(asterisk.address, "command", "secret", timeout_s=600)

    def drop_when_asked() -> None:
        until(lambda: bool(asterisk.asked("QueuePause")))
        asterisk.drop()

    threading.Thread(target=drop_when_asked).start()
    result = commands.pause("PJSIP/seat-001", None)
    assert result == Result(
        Outcome.UNKNOWN, "the connection ended before the answer to QueuePause"
    )


def test_a_server_that_speaks_something_else_is_refused(
    asterisk: AmiStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.ivr.ami_stand_in.GREETING", "HTTP/1.1 400 Bad Request\r\n\r\n")
    assert Commands(asterisk.address, "command", "secret").ping().outcome is Outcome.REFUSED


def test_every_command_has_a_connection_of_its_own_and_leaves_no_thread(
    asterisk: AmiStandIn,
) -> None:
    commands = Commands(asterisk.address, "command", "secret")
    before = {thread for thread in threading.enumerate() if thread.name.endswith("(listen)")}
    for _ in range(5):
        assert commands.ping().done
        asterisk.drop()
    assert asterisk.accepted == 5
    after = {thread for thread in threading.enumerate() if thread.name.endswith("(listen)")}
    assert after == before


def test_an_action_larger_than_the_sockets_buffer_is_sent_whole() -> None:
    ours, theirs = socket.socketpair()
    client = Client(Address("127.0.0.1", 1), 60)
    client._socket = ours
    action = Action("Ping", {"Filler": "x" * 5_000_000})

    def send_and_close() -> None:
        client.send(action)
        ours.close()

    sender = threading.Thread(target=send_and_close)
    sender.start()
    received = sum(iter(lambda: len(theirs.recv(1 << 20)), 0))
    sender.join()
    theirs.close()
    assert received == len(f"{action}\r\n")


def test_a_caller_named_with_a_hidden_line_end_cannot_pause_an_agent(
    asterisk: AmiStandIn,
) -> None:
    hidden = "x\x85Location: PJSIP/seat-001\x85Paused: 1\x85Queue: vaccine"
    entry = f"Event: QueueEntry\nQueue: vaccine\nCallerIDName: {hidden}\n\n"
    assert Event.read(entry.strip()).keys["Location"] == "PJSIP/seat-001"  # the library's fault
    asterisk.lists["QueueStatus"] = entry
    commands = Commands(asterisk.address, "command", "secret")
    assert commands.end_wrapup("PJSIP/seat-001", "lan", {"vaccine": 1}).done
    assert asterisk.asked("QueueAdd")[0]["Paused"] == "false"


def test_these_are_the_versions_whose_faults_are_known() -> None:
    assert (version("panoramisk"), version("asterisk-ami")) == ("1.4", "0.1.7")
