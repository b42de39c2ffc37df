"""What is seen to be wrong after a reload, from what Asterisk answers on its control socket."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import pytest

from crm import secrets
from crm.branches import ALL_QUEUES
from crm.settings import Settings, load
from ivr import plan, proof, provision

SERVER = "203.0.113.9:5060"
DESK, SEAT = "PJSIP/desk-01", "PJSIP/seat-001"
CALLER = "PJSIP/trunk-00000007"
IN_QUEUE = "hl-queue-vaccine!s!4!Up!Queue!vaccine,ktc,,,900"
IN_MENU = "hl-menu-main!s!12!Up!BackGround!main_menu_1"


@dataclass(frozen=True)
class Running:
    """An Asterisk, as its command line tells of it; unchanged, all is as it should be."""

    marker: str
    endpoints: tuple[str, ...] = ("carrier", "desk-01", "seat-001", "trunk")
    queues: tuple[str, ...] = ALL_QUEUES
    members: tuple[tuple[str, str, int, bool], ...] = (  # queue, phone, calls taken, paused
        ("vaccine", DESK, 3, False), ("vaccine", SEAT, 0, True),
    )
    waiting: tuple[tuple[str, str], ...] = (("vaccine", CALLER),)
    channels: tuple[str, ...] = (f"{CALLER}!{IN_QUEUE}!0912000880!!!3!12!!th1.x.7",)
    registered: bool = True
    reached: bool = True
    asked: list[str] = field(default_factory=list)

    def ask(self, command: str) -> str | None:
        self.asked.append(command)
        if command == "queue show":
            return "\n\n".join(self._queue(name) for name in self.queues)
        if command.startswith("dialplan show "):
            name = command.removeprefix("dialplan show ")
            if name != f"{self.marker}@hl-version":
                return f"There is no existence of {name} extension\n"
            return (
                "[ Context 'hl-version' created by 'pbx_config' ]\n"
                f"  '{self.marker}' => 1. NoOp()                     [extensions.conf:20]\n"
            )
        registered = "Registered        (exp. 284s)" if self.registered else "Rejected"
        reached = "Avail        12.345" if self.reached else "Unavail         nan"
        return {
            "pjsip show endpoints": "".join(
                f" Endpoint:  {name:<52} Unavailable   0 of inf\n        Aor:  {name:<48} 1\n\n"
                for name in ("<Endpoint/CID....>", *self.endpoints)
            ),
            "pjsip show contacts": f"  Contact:  carrier/sip:{SERVER}   5a3c1b2d1f {reached}\n",
            "pjsip show registrations": f" carrier/sip:{SERVER}      carrier    {registered}\n",
            "core show channels concise": "\n".join(self.channels),
            "core waitfullybooted": "Asterisk has fully booted.\n",
            "pjsip send register carrier": "Re-registering with 'carrier'...",
        }[command]

    def _queue(self, name: str) -> str:
        lines = [f"{name} has 0 calls (max unlimited) in 'rrmemory' strategy (0s holdtime, "
                 "0s talktime), W:0, C:0, A:0, SL:0.0%, SL2:0.0% within 20s"]
        lines += [
            f"      {phone} (ringinuse disabled) (dynamic)"
            f"{' (paused:lunch was 9 secs ago)' * paused} "
            f"(Not in use) has taken {taken or 'no'} calls{'' if taken else ' yet'}"
            for queue, phone, taken, paused in self.members if queue == name
        ] or ["   No Members"]
        lines += [
            f"      {place}. {channel} (wait: 0:05, prio: 0)"
            for place, (_, channel) in enumerate((w for w in self.waiting if w[0] == name), 1)
        ] or ["   No Callers"]
        return "\n".join(lines)


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    home = tmp_path_factory.mktemp("proof")
    secrets.ensure(home, ["seat-001", "desk-01"])
    return load({
        "HOTLINE_HOME": str(home), "HOTLINE_SEATS": "1", "HOTLINE_DESK_PHONES": "1",
        "HOTLINE_TRUNK_SERVER": SERVER, "HOTLINE_TRUNK_USER": "hotline",
        "HOTLINE_TRUNK_PASSWORD": "of-the-carrier",
    })


@pytest.fixture(scope="module")
def wanted(settings: Settings) -> dict[str, str]:
    """The real files: what they say is what must be there."""
    return provision.files(
        settings, secrets.load(settings.home), provision.load_menus(settings), version=(22, 10),
        modules=settings.home, open_files=1024, boot="x",
    )


@pytest.fixture
def running(wanted: dict[str, str]) -> Running:
    return Running(plan.marker(wanted))


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """No carrier is waited for: what it says now is what it says."""
    monkeypatch.setattr(proof, "ANSWER_S", 0.0)
    monkeypatch.setattr(proof, "PATIENCE_S", 0.0)


def faults(
    before: Running, after: Running, wanted: dict[str, str],
    changed: tuple[str, ...] = ("extensions.conf", "queues.conf"), **old: str,
) -> list[str]:
    return proof.faults(after.ask, proof.look(before.ask), wanted, changed, {**wanted, **old})


def test_what_asterisk_tells_is_read(running: Running) -> None:
    assert proof.look(running.ask) == proof.State(
        frozenset({"carrier", "desk-01", "seat-001", "trunk"}), frozenset(ALL_QUEUES),
        {proof.Member("vaccine", DESK, False): 3, proof.Member("vaccine", SEAT, True): 0},
        frozenset({("vaccine", CALLER)}), frozenset({"carrier"}), frozenset({"carrier"}),
    )


def test_where_all_is_as_it_was_there_is_no_fault(
    running: Running, wanted: dict[str, str]
) -> None:
    assert faults(running, running, wanted) == []
    assert faults(running, running, wanted, ("pjsip.conf",)) == []


BROKEN: dict[str, tuple[Callable[[Running], Running], str]] = {
    "the marker of the dialplan": (
        lambda all_: replace(all_, marker="00000000beef"), "Asterisk has not taken the dialplan",
    ),
    "endpoints": (
        lambda all_: replace(all_, endpoints=("carrier", "trunk")),
        "Asterisk does not know desk-01, seat-001 (pjsip.conf)",
    ),
    "the door itself": (
        lambda all_: replace(all_, endpoints=("carrier", "desk-01", "seat-001")),
        "Asterisk does not know trunk (pjsip.conf)",
    ),
    "a queue": (
        lambda all_: replace(all_, queues=tuple(q for q in all_.queues if q != "emergency")),
        "Asterisk does not know the queues emergency",
    ),
    "a member": (
        lambda all_: replace(all_, members=all_.members[1:]),
        f"{DESK} has lost its place in vaccine",
    ),
    "what a member had taken": (  # and with it whose turn it is
        lambda all_: replace(all_, members=(("vaccine", DESK, 0, False), all_.members[1])),
        f"{DESK} has lost its place in vaccine",
    ),
    "a member's pause": (
        lambda all_: replace(all_, members=(all_.members[0], ("vaccine", SEAT, 0, False))),
        f"{SEAT} has lost its place in vaccine",
    ),
    "a caller's place": (
        lambda all_: replace(all_, waiting=()), "a caller has lost the place in vaccine",
    ),
}


@pytest.mark.parametrize("what", BROKEN)
def test_what_was_lost_is_named_and_nothing_else(
    running: Running, wanted: dict[str, str], what: str
) -> None:
    lose, sentence = BROKEN[what]
    assert faults(running, lose(running), wanted) == [sentence]


def test_who_has_left_the_queue_for_good_has_lost_nothing(
    running: Running, wanted: dict[str, str]
) -> None:
    gone = replace(running, waiting=(), channels=())
    back_in_the_menu = replace(
        running, waiting=(), channels=(f"{CALLER}!{IN_MENU}!0912000880!!!3!12!!th1.x.7",)
    )
    one_more = replace(running, members=(("vaccine", DESK, 4, False), running.members[1]))
    for after in (gone, back_in_the_menu, one_more):
        assert faults(running, after, wanted) == []


def test_of_a_queue_that_is_taken_away_nobody_is_missed(
    running: Running, wanted: dict[str, str]
) -> None:
    without = {
        **wanted, "queues.conf": wanted["queues.conf"].replace("[vaccine](hotline)", "[x](other)"),
    }
    assert without != wanted
    after = replace(
        running, queues=tuple(q for q in running.queues if q != "vaccine"), members=(), waiting=(),
    )
    assert faults(running, after, without) == []


def test_where_asterisk_does_not_answer_everything_is_missing(
    running: Running, wanted: dict[str, str]
) -> None:
    found = proof.faults(
        lambda _: None, proof.look(running.ask), wanted, ("pjsip.conf",), wanted
    )
    assert found == [
        "Asterisk has not taken the dialplan",
        "Asterisk does not know carrier, desk-01, seat-001, trunk (pjsip.conf)",
        f"Asterisk does not know the queues {', '.join(sorted(ALL_QUEUES))}",
        f"{DESK} has lost its place in vaccine", f"{SEAT} has lost its place in vaccine",
        "carrier does not take the registration", "carrier no longer answers OPTIONS",
    ]


def test_a_carrier_that_stood_must_stand_after_a_change_of_pjsip_alone(
    running: Running, wanted: dict[str, str]
) -> None:
    lost = replace(running, registered=False, reached=False)
    assert faults(running, lost, wanted, ("pjsip.conf",)) == [
        "carrier does not take the registration", "carrier no longer answers OPTIONS",
    ]
    assert faults(running, lost, wanted) == []  # the carrier's own trouble: not this change's
    assert faults(lost, lost, wanted, ("pjsip.conf",)) == []  # nor is what it had before


def test_with_another_secret_the_carrier_is_asked_to_take_it(
    running: Running, wanted: dict[str, str]
) -> None:
    old = wanted["pjsip.conf"].replace("of-the-carrier", "the-one-before")
    assert old != wanted["pjsip.conf"]
    before = replace(running, registered=False)
    refused = replace(before, asked=[])
    assert faults(before, refused, wanted, ("pjsip.conf",), **{"pjsip.conf": old}) == [
        "carrier does not take the registration",
    ]
    assert "pjsip send register carrier" in refused.asked
    taken = replace(running, asked=[])
    assert faults(before, taken, wanted, ("pjsip.conf",), **{"pjsip.conf": old}) == []
    assert "pjsip send register carrier" in taken.asked


@pytest.mark.parametrize(("what", "file"), [
    ("the marker of the dialplan", "extensions.conf"), ("endpoints", "pjsip.conf"),
    ("a queue", "queues.conf"),
])
def test_what_asterisk_does_not_run_of_what_was_applied_is_known_by_its_file(
    running: Running, wanted: dict[str, str], what: str, file: str
) -> None:
    lose, sentence = BROKEN[what]
    assert proof.stale(running.ask, wanted) == {}
    assert proof.stale(lose(running).ask, wanted) == {file: sentence}


@pytest.mark.parametrize("silent", ["core waitfullybooted", "queue show", "pjsip show endpoints"])
def test_where_asterisk_is_too_slow_to_tell_nothing_is_said_to_differ(
    running: Running, wanted: dict[str, str], silent: str
) -> None:
    other = replace(running, marker="00000000beef", endpoints=())
    assert len(proof.stale(other.ask, wanted)) == 2
    slow: plan.Ask = lambda command: None if command == silent else other.ask(command)  # noqa: E731
    assert proof.stale(slow, wanted) == {}


def test_without_a_sound_to_listen_for_no_test_call_can_prove_anything(
    settings: Settings, wanted: dict[str, str]
) -> None:
    folder = provision.sounds(settings.home) / "vi"
    assert proof.greets(settings, wanted) == "there is no sound of greeting_main, overload_reject"
    folder.mkdir(parents=True)
    (folder / "overload_reject.alaw").write_bytes(b"\xd5" * 160)
    assert proof.greets(settings, wanted) == "there is no sound of greeting_main"
