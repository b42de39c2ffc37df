"""What strangers and liars send to the trunk is refused or stored harmlessly: it forges no event,
no call, no journal line and no state. Real SIP against the real Asterisk. Nor does whoever has the
secret of one of our programs get further than that program needs."""

import asyncio
import csv
import inspect
import io
import re
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from ivr import commands
from ivr.ami import Link, LinkError
from ivr.phone import Phone
from ivr.provision import etc
from tests.live.people import citizen
from tests.live.running import PATIENCE_S, Hotline, wait_for

FORGED = "Event%3A%20HotlineForged%0D%0AUniqueid%3A%201"


@contextmanager
def ami_overheard(hotline: Hotline, user: str = "events") -> Iterator[bytearray]:
    """All that a user of AMI is sent."""
    address = hotline.settings.ami_bind
    heard = bytearray()
    connection = socket.create_connection((address.host, address.port), 10)
    connection.settimeout(None)
    secret = hotline.secrets.of(f"ami_{user}")
    connection.sendall(f"Action: Login\r\nUsername: {user}\r\nSecret: {secret}\r\n\r\n".encode())

    def listen() -> None:
        while data := connection.recv(65536):
            heard.extend(data)

    thread = threading.Thread(target=listen, daemon=True)
    thread.start()
    wait_for(lambda: b"Authentication accepted" in heard, "AMI lets us in")
    try:
        yield heard
    finally:
        connection.shutdown(socket.SHUT_RDWR)
        thread.join()
        connection.close()


def records(journal: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(journal, newline="")))


HOSTILE_FROM: dict[str, str | bytes] = {
    "an encoded line end in the number": f"<sip:0912%0D%0A%0D%0A{FORGED}@127.0.0.2>",
    "an encoded line feed alone": "<sip:0912%0AEvent: HotlineForged@127.0.0.2>",
    "an encoded C1 control": "<sip:0912%C2%85Event@127.0.0.2>",
    "an encoded NUL": "<sip:0912%00@127.0.0.2>",
    "a line end in the name": f'"x%0D%0A%0D%0A{FORGED}" <sip:0912000401@127.0.0.2>',
    "a raw C1 control in the name": b'"x\xc2\x85Event: HotlineForged" <sip:0912000402@127.0.0.2>',
    "quotes, commas and bars": '"a\\",b|c" <sip:0912000403@127.0.0.2>',
    "dialplan in the name": '"${SHELL(id)}" <sip:0912000404@127.0.0.2>',
    "dialplan in the number": "<sip:0912${EVAL(1)}@127.0.0.2>",
    "a name of 10 kB": f'"{"N" * 10_000}" <sip:0912000405@127.0.0.2>',
    "a journal line in the name": '"\\"HL_CALL\\",\\"1\\",\\"x\\"" <sip:0912000406@127.0.0.2>',
    "letters for a number": "<sip:anonymous@anonymous.invalid>",
    "a seat's name": "<sip:seat-001@127.0.0.2>",
}


def test_hostile_identities_forge_nothing(hotline: Hotline) -> None:
    before = {call["id"] for call in hotline.calls()}

    async def knock(value: str | bytes) -> int | None:
        tagged = value + b";tag=1" if isinstance(value, bytes) else value + ";tag=1"
        async with citizen(hotline, "0912000400") as phone:
            call = await phone.call("1022", headers={"From": tagged}, timeout_s=20)
            if await call.answered(PATIENCE_S):
                await asyncio.sleep(0.5)
                await call.hang_up()
            return call.sip_code

    async def all_of_them() -> dict[str, int | None]:
        codes = await asyncio.gather(*(knock(value) for value in HOSTILE_FROM.values()))
        return dict(zip(HOSTILE_FROM, codes, strict=True))

    with ami_overheard(hotline) as overheard:
        codes = asyncio.run(all_of_them())
        # all before it has been told when this one is
        assert asyncio.run(_plain_call(hotline, "0912000499")) == 200
        wait_for(lambda: b"0912000499" in overheard, "the honest call is on AMI")
    hotline.call_of("0912000499")
    for name in HOSTILE_FROM:
        if "encoded" in name or name == "a line end in the name":
            assert codes[name] != 200, name

    for line in bytes(overheard).replace(b"\r", b"\n").split(b"\n"):
        assert not line.startswith(b"Event: HotlineForged"), line
    journal = hotline.journal()
    assert all(len(record) == 14 for record in records(journal))
    assert not [record for record in records(journal) if record[0] == "HotlineForged"]
    mine = [call for call in hotline.calls() if call["id"] not in before]
    answered = [code for code in codes.values() if code == 200]
    assert len(mine) == len(answered) + 1, "one call each, and no forged one"
    for call in mine:
        assert call["caller"] is None or call["caller"].lstrip("+").isdigit()
    assert "uid=" not in journal
    hotline.assert_ledger_complete()


async def _plain_call(hotline: Hotline, number: str, **headers: str) -> int | None:
    async with citizen(hotline, number) as phone:
        call = await phone.call("1022", headers=dict(headers), timeout_s=20)
        if await call.answered(PATIENCE_S):
            await asyncio.sleep(0.5)
            await call.hang_up()
        return call.sip_code


@pytest.mark.parametrize(
    ("header", "value"),
    [
        ("P-Asserted-Identity", f"<sip:0912%0D%0A%0D%0A{FORGED}@x>"),
        ("P-Asserted-Identity", '"${SHELL(id)},x" <sip:0912000422@carrier.example>'),
        ("Diversion", f"<sip:0912%0D%0A%0D%0A{FORGED}@x>;reason=unconditional"),
        ("Remote-Party-ID", f'"%0D%0A{FORGED}" <sip:0912@x>;party=calling'),
    ],
)
def test_other_identity_headers_forge_nothing(hotline: Hotline, header: str, value: str) -> None:
    with ami_overheard(hotline) as overheard:
        asyncio.run(_plain_call(hotline, "0912000421", **{header: value}))
        asyncio.run(_plain_call(hotline, "0912000498"))
        wait_for(lambda: b"0912000498" in overheard, "the honest call is on AMI")
    assert b"\nEvent: HotlineForged" not in overheard
    assert b"\rEvent: HotlineForged" not in overheard
    assert all(len(record) == 14 for record in records(hotline.journal()))


def test_the_asserted_identity_of_the_carrier_is_the_callers_number(hotline: Hotline) -> None:
    asserted = '"Nguyễn Văn A" <sip:+84912000431@carrier.example;user=phone>'
    asyncio.run(_plain_call(hotline, "0912000432", **{"P-Asserted-Identity": asserted}))
    assert hotline.call_of("0912000431")["dialled"] == "1022"


def test_an_honest_caller_written_with_an_encoded_plus_gets_through(hotline: Hotline) -> None:
    async def scenario() -> int | None:
        async with citizen(hotline, "x") as phone:
            call = await phone.call(
                "1022", headers={"From": "<sip:%2B84912000441@127.0.0.2>;tag=1"}, timeout_s=20
            )
            assert await call.answered(PATIENCE_S)
            await call.hang_up()
            return call.sip_code

    assert asyncio.run(scenario()) == 200
    assert hotline.call_of("0912000441")["caller"] == "0912000441"


@pytest.mark.parametrize(
    "number", [f"1022%0D%0A{FORGED}", "115", "hl-switch", "*43", "1022abc", "s"]
)
def test_a_number_that_is_not_ours_is_refused(hotline: Hotline, number: str) -> None:
    async def scenario() -> int | None:
        async with citizen(hotline, "0912000451") as phone:
            call = await phone.call(number, timeout_s=20)
            assert not await call.answered(20)
            return call.sip_code

    assert asyncio.run(scenario()) in {400, 404, 416, 484}


def test_a_stranger_from_another_address_is_refused(hotline: Hotline) -> None:
    async def scenario() -> int | None:
        stranger = Phone("127.0.0.9", server=hotline.sip, user="0912000461")
        async with stranger:
            call = await stranger.call("1022", timeout_s=20)
            assert not await call.answered(20)
            return call.sip_code

    assert asyncio.run(scenario()) in {401, 403}


async def ask_as(
    hotline: Hotline, user: str, *asked: tuple[str, dict[str, str]]
) -> list[tuple[str, str]]:
    """What the manager interface says to this user: the answers, each with its value if any."""
    link = Link(hotline.settings.ami_bind)
    await link.open(user, hotline.secrets.of(f"ami_{user}"))
    answers = []
    try:
        for action, values in asked:
            [answer] = await link.ask(action, **values)
            answers.append((f"{answer.response}: {answer.message}", answer.get("Value", "")))
    finally:
        link.drop("asked")
    return answers


DENIED = "Error: Permission denied"
FORGED_SWITCH = {"Family": "switch", "Key": "forged", "Val": "on"}
# What would take the machine or the configuration over: for none of them
FOR_NONE: dict[str, tuple[str, dict[str, str]]] = {
    "a command": ("Command", {"Command": "database put switch forged on"}),
    "the configuration written": ("UpdateConfig", {
        "SrcFilename": "manager.conf", "DstFilename": "manager.conf", "Reload": "yes",
        "Action-000000": "NewCat", "Cat-000000": "forged",
    }),
    "the configuration read": ("GetConfig", {"Filename": "manager.conf"}),
    "a file made": ("CreateConfig", {"Filename": "forged.conf"}),
    "a module": ("ModuleLoad", {"Module": "app_echo.so", "LoadType": "unload"}),
    "a reload": ("Reload", {}),
    "AstDB": ("DBPut", FORGED_SWITCH),
    "a recording": ("MixMonitor", {"Channel": "PJSIP/x", "File": "forged.wav"}),
    "a filter": ("Filter", {"Operation": "Add", "Filter": "!Event: Hangup"}),
}
# What changes calls and queues: for the command user alone
FOR_COMMANDS: dict[str, tuple[str, dict[str, str]]] = {
    "a call": ("Originate", {
        "Channel": "Local/s@hl-forged/n", "Application": "NoOp", "ChannelId": "forged-1",
    }),
    "a call led away": ("Redirect", {
        "Channel": "PJSIP/x", "Context": "hl-menu-main", "Exten": "s", "Priority": "1",
    }),
    "a call hung up": ("Hangup", {"Channel": "PJSIP/x"}),
    "a variable": ("Setvar", {"Variable": "HL_FORGED", "Value": "1"}),
    "a member": ("QueueAdd", {"Queue": "operator", "Interface": "PJSIP/seat-008"}),
    "keys": ("PlayDTMF", {"Channel": "PJSIP/x", "Digit": "4"}),
}


def refused_all(hotline: Hotline, user: str, what: dict[str, tuple[str, dict[str, str]]]) -> None:
    before = {file.name: file.read_bytes() for file in etc(hotline.home).iterdir()}
    answers = asyncio.run(ask_as(hotline, user, *what.values()))
    assert dict(zip(what, answers, strict=True)) == dict.fromkeys(what, (DENIED, ""))
    assert {file.name: file.read_bytes() for file in etc(hotline.home).iterdir()} == before
    assert "forged" not in hotline.ask("database show switch")
    assert "forged" not in hotline.ask("core show channels concise")
    assert "app_echo" in hotline.ask("module show like app_echo")


@pytest.mark.parametrize("user", ["events", "refused", "command"])
def test_no_user_of_the_manager_interface_takes_the_machine_over(
    hotline: Hotline, user: str
) -> None:
    refused_all(hotline, user, FOR_NONE)


@pytest.mark.parametrize("user", ["events", "refused"])
def test_who_only_listens_changes_no_call_and_no_queue(hotline: Hotline, user: str) -> None:
    refused_all(hotline, user, FOR_COMMANDS)
    assert "seat-008" not in hotline.ask("queue show operator")
    assert "HL_FORGED" not in hotline.ask("dialplan show globals")


def test_the_user_that_acts_runs_no_program_reads_no_file_and_writes_no_state(
    hotline: Hotline,
) -> None:
    nothing = {"Channel": "Local/s@hl-boot/n", "Application": "NoOp"}
    answers = asyncio.run(ask_as(
        hotline, "command",
        ("Originate", nothing | {"Application": "System", "Data": "id"}),
        ("Originate", nothing | {"Data": "${SHELL(id)}"}),
        ("Getvar", {"Variable": "SHELL(id)"}),
        ("Getvar", {"Variable": "FILE(/etc/passwd)"}),
        ("Setvar", {"Variable": "DB(switch/forged)", "Value": "on"}),
        ("Setvar", {"Variable": f"FILE({hotline.home}/forged)", "Value": "on"}),
    ))
    assert [value for _, value in answers] == [""] * len(answers)
    assert all(said.startswith("Error: ") for said, _ in answers[:3]), answers
    assert "forged" not in hotline.ask("database show switch")
    assert not (hotline.home / "forged").exists()


def test_the_user_that_acts_has_no_right_that_the_hotline_does_not_use(hotline: Hotline) -> None:
    conf = (etc(hotline.home) / "manager.conf").read_text(encoding="utf-8")
    granted = re.search(r"^\[command\].*?^write = (\S+)$", conf, re.M | re.S)
    assert granted
    source = inspect.getsource(commands)
    used = set(re.findall(r'(?:_Act|\.ask)\("(\w+)"', source))
    allow = {
        action: {one for one in granted[1].split(",") if one in wanted[1].split(",")}
        for action in used
        if (wanted := re.search(r"\[Privilege\]\n(\S+)", hotline.ask(
            f"manager show command {action}"))) and wanted[1] != "<none>"
    }
    assert {"Originate", "QueueAdd", "Redirect", "Setvar"} <= allow.keys()
    assert all(allow.values()), "each action that is used is allowed"
    needed = set.union(*(one for one in allow.values() if len(one) == 1))
    assert needed == set(granted[1].split(","))


def test_whoever_has_no_secret_is_not_let_in(hotline: Hotline) -> None:
    async def as_nobody(user: str, secret: str) -> None:
        link = Link(hotline.settings.ami_bind)
        with pytest.raises(LinkError, match="login refused"):
            await link.open(user, secret)
        link.drop("refused")

    async def as_many() -> None:  # Asterisk lets each wait for a second
        users = ("events", "refused", "command", "admin", "general")
        await asyncio.gather(
            *(as_nobody(user, "forged") for user in users),
            as_nobody("command", hotline.secrets.ami_events),
        )

    asyncio.run(as_many())
