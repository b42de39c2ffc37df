"""The media session of a call: its offers and answers, and the stream that follows them."""

import secrets
from collections.abc import Callable

from ivr.phone import sdp
from ivr.phone.media import RtpStream
from ivr.phone.sdp import Audio

_CODECS = (sdp.PCMA, sdp.PCMU)


class Session:
    """Opens the stream at once, so that there is a port to offer. OSError if none is free.

    `on_hold` is told when the other side holds us (True) and when it takes us back (False).
    """

    def __init__(
        self,
        ip: str,
        *,
        on_key: Callable[[str], None],
        on_sound: Callable[[], None],
        on_hold: Callable[[bool], None],
        events: bool = True,
        sparse: bool = False,
    ) -> None:
        self.holding = False  # we hold them
        self.stream = RtpStream(ip, on_key=on_key, on_sound=on_sound, sparse=sparse)
        self._address = ip, self.stream.port
        self._events = sdp.OUR_EVENTS if events else None  # whether keys are offered as events
        self._on_hold = on_hold
        self._held = False
        self._id = self._version = secrets.randbits(31)

    def offer(self) -> bytes:
        direction: sdp.Direction = "sendonly" if self.holding else "sendrecv"
        return self._describe(Audio(self._address, _CODECS, self._events, direction))

    def take_answer(self, body: bytes) -> None:
        """SdpError if it is none that we can talk to."""
        self._connect(sdp.parse(body), own_events=sdp.OUR_EVENTS)

    def take_offer(self, body: bytes) -> bytes:
        """Their offer, taken, gives our answer; SdpError if nothing fits."""
        offer = sdp.parse(body)
        self._connect(offer, own_events=offer.events)
        return self._describe(offer.answered_by(self._address, hold=self.holding))

    def _describe(self, own: Audio) -> bytes:
        self._version += 1
        return sdp.build(own, session=self._id, version=self._version)

    def _connect(self, remote: Audio, *, own_events: int | None) -> None:
        held = not remote.may_be_sent_to and not self.holding
        if held != self._held:
            self._held = held
            self._on_hold(held)
        self.stream.connect(
            remote.address,
            codec=remote.codecs[0],
            events=remote.events,
            own_events=own_events,
            muted=held or self.holding,
        )
