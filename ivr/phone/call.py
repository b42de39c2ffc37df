"""A telephone call, ours or theirs: state, keys, sound, hold, and what happened when."""

import asyncio
import enum
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, Literal

from crm.errors import HotlineError
from ivr.phone import audio, sdp, sip
from ivr.phone.audio import Samples
from ivr.phone.dialog import ALLOW, SDP_TYPE, Dialog
from ivr.phone.media import RtpStats, RtpStream
from ivr.phone.rtp import KEYS
from ivr.phone.session import Session
from ivr.phone.sip import Response
from ivr.phone.transactions import LIFETIME, ServerTransaction, SipEndpoint, Unreachable

HeaderOverrides = Mapping[str, str | bytes]

KEY_S, PAUSE_S = 0.16, 0.1  # of a key that is sent as a tone or a request


class PhoneError(HotlineError):
    """What was asked of the telephone cannot be done; the text says why."""


class CallState(enum.StrEnum):
    CALLING = "calling"
    RINGING = "ringing"
    ANSWERED = "answered"
    ENDED = "ended"


class Dtmf(enum.StrEnum):
    """How a telephone sends its keys."""

    RFC4733 = "rfc4733"  # as events in RTP
    INFO = "info"  # in SIP INFO requests (application/dtmf-relay)
    INBAND = "inband"  # as the tones themselves


class Call:
    """One call. Made by `Phone.call`, or given by `Phone.incoming`.

    timeline: (ms since the INVITE, event); the events are trying, ringing, answered, first_audio,
    `pressed K`, `heard key K`, held, resumed, ended.
    """

    def __init__(
        self,
        endpoint: SipEndpoint,
        dialog: Dialog,
        invite: ServerTransaction | None,
        *,
        on_end: Callable[["Call"], None],
        dtmf: Dtmf = Dtmf.RFC4733,
        sparse: bool = False,
    ) -> None:
        self.state = CallState.CALLING if invite is None else CallState.RINGING
        self.sip_code: int | None = None  # of the final response; None if there was none
        self.reason = ""
        self.hung_up_by: Literal["us", "them"] | None = None
        self.timeline: list[tuple[int, str]] = []
        self.keys_heard = ""
        self.invite = invite  # theirs, if they called
        self.tag = sip.parameter(dialog.local, "tag")
        self._endpoint = endpoint
        self._dialog = dialog
        self._on_end = on_end
        self._dtmf = dtmf
        self._started_s = endpoint.loop.time()
        self._session = Session(
            endpoint.address[0],
            on_key=self._on_key,
            on_sound=lambda: self._note("first_audio"),
            on_hold=lambda held: self._note("held" if held else "resumed"),
            events=dtmf is Dtmf.RFC4733,
            sparse=sparse,
        )
        self._outcome: asyncio.Future[bool] = endpoint.loop.create_future()
        self._over = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()

    # --- what can be asked of a call

    @property
    def call_id(self) -> str:
        return self._dialog.call_id

    @property
    def caller(self) -> str:
        """The number that the other side says it has (incoming calls)."""
        return sip.uri_user(sip.address_uri(self._dialog.remote))

    @property
    def dialled(self) -> str:
        """The number that was dialled (incoming calls)."""
        return sip.uri_user(sip.address_uri(self._dialog.local))

    def invite_header(self, name: str) -> str | None:
        """A header of the INVITE that rang here (incoming calls)."""
        return self.invite.request.get(name) if self.invite is not None else None

    def at(self, event: str) -> int | None:
        """ms from the INVITE to the first such event of the timeline."""
        return next((ms for ms, name in self.timeline if name == event), None)

    async def answered(self, timeout_s: float | None = None) -> bool:
        """Wait until the call is answered (True), or has ended or the time is up (False)."""
        await asyncio.wait({self._outcome}, timeout=timeout_s)
        return self._outcome.done() and self._outcome.result()

    async def ended(self, timeout_s: float | None = None) -> bool:
        """Wait until the call is over (True) or the time is up (False)."""
        if self._over.is_set():
            return True  # within no time wait_for would not even look
        try:
            await asyncio.wait_for(self._over.wait(), timeout_s)
        except TimeoutError:
            return False
        return True

    @property
    def heard(self) -> Samples:
        """What was heard so far, from the first packet on, gaps as silence."""
        return self.heard_since(0)

    def heard_since(self, sample: int) -> Samples:
        return self._session.stream.receiver.heard_since(sample)

    @property
    def heard_length(self) -> int:
        """In samples."""
        return self._session.stream.receiver.heard_length

    def heard_tone(self, hz: float) -> bool:
        return audio.has_tone(self.heard, hz)

    @property
    def stats(self) -> RtpStats:
        return self._session.stream.stats

    # --- what can be done with it

    async def press(self, keys: str) -> None:
        """Press keys one after another; returns when the last was let go."""
        stream = self._speaking()
        if self._dtmf is Dtmf.RFC4733 and stream.sender.events is None:
            raise PhoneError("the other side takes no keys (no telephone-event in its SDP)")
        if stream.muted:
            raise PhoneError("the call is on hold: no key would be heard")
        if not keys or not set(keys) <= set(KEYS):
            raise PhoneError(f"a telephone has no such key: {keys!r}")
        for key in keys:
            self._note(f"pressed {key}")
            if self._dtmf is Dtmf.RFC4733:
                await stream.press(key)
            elif self._dtmf is Dtmf.INFO:
                await self._send_info(key)
            else:
                stream.sender.play(audio.key_tone(key, KEY_S))
                await asyncio.sleep(KEY_S + PAUSE_S)

    def play_tone(self, hz: float) -> None:
        """A tone without end; whole hertz give a clean one."""
        self._speaking().sender.play(audio.tone(hz), repeat=True)

    def play(self, samples: Samples) -> None:
        self._speaking().sender.play(samples)

    def stop_playing(self) -> None:
        self._speaking().sender.stop_playing()

    def number_packets_from(self, sequence: int) -> None:
        """What the phone's packets of sound begin with (RFC 3550: any number), before it speaks."""
        self._session.stream.sender.number_from(sequence)

    def answer(self) -> None:
        """Take an incoming call."""
        if self.invite is None or self.state is not CallState.RINGING:
            raise PhoneError("only an incoming call that rings can be answered")
        if not self._accept(self.invite):
            self._end("us", 488, sip.REASONS[488])
            return
        self.state = CallState.ANSWERED
        self.sip_code, self.reason = 200, sip.REASONS[200]
        self._note("answered")
        self._outcome.set_result(True)

    def reject(self, code: int = 486) -> None:
        """Refuse an incoming call with a SIP code from 300 up."""
        if self.invite is None or self.state is not CallState.RINGING:
            raise PhoneError("only an incoming call that rings can be rejected")
        self.invite.respond(code, to_tag=self.tag)
        self._end("us", code, sip.REASONS.get(code, ""))

    def fall_silent(self) -> None:
        """Send nothing more, and no good-bye: the radio is gone, or the power."""
        self._speaking().muted = True

    async def hold(self) -> None:
        await self._renew(holding=True)

    async def resume(self) -> None:
        await self._renew(holding=False)

    async def hang_up(self) -> None:
        """End the call in whatever state it is; returns when the other side has confirmed."""
        if self.state is CallState.ENDED:
            return
        if self.state is CallState.ANSWERED:
            await self._say_bye("us", self.sip_code, self.reason)
        elif self.invite is not None:
            self.reject(480)
        else:
            await self._cancel()

    # --- our calls

    def dial(self, overrides: HeaderOverrides, ring_for_s: float | None) -> None:
        """Send the INVITE; what comes of it is told by `answered` and `ended`."""
        self._spawn(self._dial(overrides))
        if ring_for_s is not None:
            self._spawn(self._give_up_after(ring_for_s))

    async def _dial(self, overrides: HeaderOverrides) -> None:
        try:
            response = await self._dialog.request(
                "INVITE",
                body=self._session.offer(),
                replacements=tuple(overrides.items()),
                on_provisional=self._on_provisional,
            )
        except (Unreachable, sip.SipError) as error:  # SipError: an override that cannot be sent
            self._end(None, None, str(error))
            return
        if response.code >= 300:
            by: Literal["us", "them"] = "us" if self._dialog.closing else "them"
            self._end(by, response.code, response.reason)
            return
        self._dialog.establish(response)
        self._dialog.acknowledge(response)
        if self._dialog.closing:  # our CANCEL crossed their answer
            await self._say_bye("us", response.code, "cancelled while it was being answered")
            return
        if self.state is CallState.ENDED:  # their BYE was read together with their answer
            return
        try:
            self._session.take_answer(response.body)
        except sdp.SdpError as error:
            await self._say_bye("us", response.code, str(error))
            return
        self.state = CallState.ANSWERED
        self.sip_code, self.reason = response.code, response.reason
        self._note("answered")
        self._outcome.set_result(True)

    def _on_provisional(self, response: Response) -> None:
        if self.state not in (CallState.CALLING, CallState.RINGING):
            return
        if response.code == 100:
            self._note("trying")
            return
        self.state = CallState.RINGING
        self._note("ringing")
        if response.body:
            try:  # early media
                self._session.take_answer(response.body)
            except sdp.SdpError as error:
                self._note(f"early media not taken: {error}")

    async def _give_up_after(self, seconds: float) -> None:
        if not await self.answered(seconds):
            await self.hang_up()

    async def _cancel(self) -> None:
        self._dialog.closing = True
        invite = self._dialog.invite
        if invite is not None and not await invite.heard_of(4 * self._endpoint.t1_s):
            # A CANCEL needs a provisional response first (RFC 3261 §9.1). Should they answer
            # after all, `_dial` is still there to say BYE.
            self._end("us", None, "given up before anything was heard")
            return
        self._dialog.cancel()
        if not await self.ended(LIFETIME * self._endpoint.t1_s):
            self._end("us", None, "cancelled, and never confirmed")

    # --- theirs, and what they ask during a call

    def receive(self, transaction: ServerTransaction) -> None:
        """A request inside this call."""
        method = transaction.request.method
        if method == "BYE":
            transaction.respond(200)
            if self.invite is not None:
                self.invite.respond(487, to_tag=self.tag)  # only if it still rang
            self._end("them", self.sip_code, self.reason)
        elif method in ("INVITE", "UPDATE"):
            self._accept(transaction)
        elif method in ("INFO", "NOTIFY", "OPTIONS", "MESSAGE"):
            transaction.respond(200, headers=(ALLOW,))
        else:
            transaction.respond(405, headers=(ALLOW,))

    def cancelled(self) -> None:
        """They gave up before we answered."""
        if self.invite is not None and self.state is CallState.RINGING:
            self.invite.respond(487, to_tag=self.tag)
            self._end("them", 487, sip.REASONS[487])

    def _accept(self, transaction: ServerTransaction) -> bool:
        """Answer their offer, or make one if they made none; False if nothing fits."""
        request = transaction.request
        body = b""
        try:
            if request.body:
                body = self._session.take_offer(request.body)
            elif request.method == "INVITE":
                body = self._session.offer()
        except sdp.SdpError:
            transaction.respond(488, to_tag=self.tag)
            return False
        self._dialog.refresh(request)
        headers = (self._dialog.contact, ALLOW, *((SDP_TYPE,) if body else ()))
        transaction.respond(200, to_tag=self.tag, headers=headers, body=body)
        if request.method == "INVITE":
            self._spawn(self._await_ack(transaction))
        return True

    async def _await_ack(self, transaction: ServerTransaction) -> None:
        ack = await transaction.acknowledged
        if self.state is CallState.ENDED:
            return
        try:
            if ack is None:
                raise PhoneError("our answer was never acknowledged")
            if not transaction.request.body:
                self._session.take_answer(ack.body)
        except (PhoneError, sdp.SdpError) as error:
            await self._say_bye("us", self.sip_code, str(error))

    # --- inside

    async def _renew(self, *, holding: bool) -> None:
        self._speaking()
        before, self._session.holding = self._session.holding, holding
        try:
            response = await self._dialog.request("INVITE", body=self._session.offer())
            if response.code >= 300:
                raise PhoneError(f"the other side refuses: {response.code} {response.reason}")
            self._dialog.refresh(response)
            self._dialog.acknowledge(response)
            self._session.take_answer(response.body)
        except (Unreachable, sdp.SdpError, PhoneError) as error:
            self._session.holding = before
            raise PhoneError(str(error)) from error

    async def _send_info(self, key: str) -> None:
        try:
            response = await self._dialog.request(
                "INFO", replacements=(("Content-Type", "application/dtmf-relay"),),
                body=f"Signal={key}\r\nDuration={KEY_S * 1000:.0f}\r\n".encode("ascii"),
            )
        except Unreachable as error:
            raise PhoneError(f"the other side takes no key: {error}") from error
        if response.code >= 300:
            raise PhoneError(f"the other side takes no INFO: {response.code} {response.reason}")
        await asyncio.sleep(PAUSE_S)

    def _on_key(self, key: str) -> None:
        self.keys_heard += key
        self._note(f"heard key {key}")

    def _speaking(self) -> RtpStream:
        if self.state is not CallState.ANSWERED:
            raise PhoneError(f"the call is not up: it is {self.state}")
        return self._session.stream

    async def _say_bye(self, by: Literal["us"], code: int | None, reason: str) -> None:
        self._end(by, code, reason)
        try:
            await self._dialog.request("BYE")
        except Unreachable as error:
            self.reason = f"BYE not confirmed: {error}"
            self._note(self.reason)

    def _end(self, by: Literal["us", "them"] | None, code: int | None, reason: str) -> None:
        if self.state is CallState.ENDED:
            return
        self.state = CallState.ENDED
        self.hung_up_by, self.sip_code, self.reason = by, code, reason
        self._note("ended")
        if not self._outcome.done():
            self._outcome.set_result(False)
        self._over.set()
        self._session.stream.close()
        self._on_end(self)

    def _note(self, event: str) -> None:
        self.timeline.append((round((self._endpoint.loop.time() - self._started_s) * 1000), event))

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
