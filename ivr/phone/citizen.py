"""A citizen's call from end to end: dial, listen, press, stay on the line, tell what happened.

The hotline is told that it is a test, which it believes of callers on this machine alone: such a
call is in the ledger like any other, and in no report.
"""

import math
import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from ivr.phone import audio
from ivr.phone.call import Call, Dtmf, PhoneError
from ivr.phone.media import RtpStats
from ivr.phone.phone import Phone
from ivr.phone.rtp import KEYS
from ivr.phone.sip import Address

LISTEN_S = 1.5  # of speech that a person hears before pressing
PATIENCE_S = 8.0  # of waiting for that speech, then the key is pressed all the same
RING_S = 60.0  # before a person gives up
TEST = {"X-Hotline-Test": "1"}  # headers of a call that counts as nobody's

_MAX_WAIT_S = 3600.0
_NUMBER = re.compile(r"[0-9A-Za-z+*#._%-]{1,64}")
_POLL_S = 0.1


@dataclass(frozen=True, slots=True)
class Step:
    """Wait (so many seconds, or None: until the hotline has spoken), then press these keys."""

    keys: str
    wait_s: float | None


@dataclass(frozen=True, slots=True)
class Pressed:
    key: str
    at_ms: int


@dataclass(frozen=True, slots=True)
class CallReport:
    """What became of a call. Times in ms count from the INVITE."""

    number: str
    from_number: str
    answered: bool
    sip_code: int | None  # None: no final response came
    reason: str
    setup_ms: int | None
    pressed: tuple[Pressed, ...]
    ended_by: Literal["citizen", "hotline", "not answered"]
    duration_s: float  # from the answer to the end
    rtp: RtpStats
    heard_speech_s: float
    first_audio_ms: int | None
    saved: str | None

    def as_dict(self) -> dict[str, Any]:
        """For JSON: `from` instead of `from_number`."""
        fields = asdict(self)
        return {("from" if name == "from_number" else name): fields[name] for name in fields}


def parse_press(press: str) -> list[Step]:
    """The steps of a `--press` text; ValueError with one sentence if it is not one.

    Tokens stand between blanks. `3`, `0`, `*`, `#`, `A`-`D`: a key. `0912#`: several keys at a
    stroke, as one types a number. Before each token the caller listens until the hotline has
    spoken for 1.5 s since the last key (for 8 s at most), so that the menu is surely there.
    `wait:2.5` waits 2.5 seconds instead of listening.
    """
    steps: list[Step] = []
    wait_s: float | None = None
    for token in press.split():
        if token.startswith("wait:"):
            wait_s = (wait_s or 0.0) + _seconds(token)
        elif set(token.upper()) <= set(KEYS):
            steps.append(Step(token.upper(), wait_s))
            wait_s = None
        else:
            raise ValueError(
                f"--press: {token!r} is neither keys (0-9 * # A-D) nor wait:SECONDS, as wait:2.5"
            )
    if wait_s is not None:
        steps.append(Step("", wait_s))
    return steps


async def dial(
    number: str,
    *,
    server: Address = ("127.0.0.1", 5060),
    from_number: str = "0912345678",
    press: str = "",
    hold_s: float = 5.0,
    save: Path | None = None,
    from_ip: str = "127.0.0.2",
    dtmf: Dtmf = Dtmf.RFC4733,
) -> CallReport:
    """Call the hotline like a citizen; stay on the line `hold_s` seconds after the last key.

    A call that fails is a report. ValueError: number, keys or seconds make no sense. PhoneError:
    the local address or the file cannot be used.
    """
    steps = parse_press(press)
    for name, value in (("number", number), ("caller's number", from_number)):
        if not _NUMBER.fullmatch(value):
            raise ValueError(f"{value!r} is not a {name} that can be dialled")
    if not (math.isfinite(hold_s) and 0 <= hold_s <= _MAX_WAIT_S):
        raise ValueError(f"the seconds on the line must be from 0 to {_MAX_WAIT_S:g}")
    if save is not None:
        _save(save, audio.tone(0, 0))  # a full disk or a wrong path shows before the call
    async with Phone(from_ip, server=server, user=from_number, dtmf=dtmf) as phone:
        call = await phone.call(number, headers=TEST, timeout_s=RING_S)
        if await call.answered():
            await _speak(call, steps)
            await call.ended(hold_s)
            await call.hang_up()
        else:
            await call.ended()
    if save is not None:
        _save(save, call.heard)
    return _report(call, number, from_number, save)


async def _speak(call: Call, steps: list[Step]) -> None:
    """Wait and press, step by step; ends early with the call."""
    for step in steps:
        if step.wait_s is None:
            await _listen(call)
        else:
            await call.ended(step.wait_s)
        try:
            if step.keys:
                await call.press(step.keys)
        except PhoneError:
            if call.hung_up_by is None:
                raise
            return  # the hotline hung up first: the report says so


async def _listen(call: Call) -> None:
    """Until the hotline has spoken long enough from now on, or patience or the call ends."""
    heard_before = call.heard_length
    for _ in range(round(PATIENCE_S / _POLL_S)):
        if audio.speech_s(call.heard_since(heard_before)) >= LISTEN_S or await call.ended(_POLL_S):
            return


def _report(call: Call, number: str, from_number: str, save: Path | None) -> CallReport:
    answered_ms, ended_ms = call.at("answered"), call.at("ended")
    duration_s = 0.0
    ended_by: Literal["citizen", "hotline", "not answered"] = "not answered"
    if answered_ms is not None and ended_ms is not None:
        duration_s = (ended_ms - answered_ms) / 1000
        ended_by = "citizen" if call.hung_up_by == "us" else "hotline"
    pressed = [
        Pressed(event.removeprefix("pressed "), ms)
        for ms, event in call.timeline
        if event.startswith("pressed ")
    ]
    return CallReport(
        number=number,
        from_number=from_number,
        answered=answered_ms is not None,
        sip_code=call.sip_code,
        reason=call.reason,
        setup_ms=answered_ms,
        pressed=tuple(pressed),
        ended_by=ended_by,
        duration_s=duration_s,
        rtp=call.stats,
        heard_speech_s=round(audio.speech_s(call.heard), 2),
        first_audio_ms=call.at("first_audio"),
        saved=None if save is None else str(save),
    )


def _save(path: Path, samples: audio.Samples) -> None:
    try:
        audio.write_wav(path, samples)
    except OSError as error:
        raise PhoneError(f"cannot write {path}: {error.strerror}") from error


def _seconds(token: str) -> float:
    text = token.removeprefix("wait:")
    if not re.fullmatch(r"[0-9]{1,4}(\.[0-9]{1,3})?", text) or float(text) > _MAX_WAIT_S:
        raise ValueError(f"--press: {token!r} is no waiting time in seconds, as wait:2.5")
    return float(text)
