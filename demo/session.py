"""One call at the carrier: to a subscriber (`Session`) or through to a registered softphone (`Through`)."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Protocol

from demo.conversation import Behaviour, HangUp, Say, behaviour
from demo.rtp import NoPort, RtpPort
from demo.sip.call import Acked, Answered, Call, Ended, Event, Failed, Progressed, Reoffered
from demo.sip.endpoint import Endpoint
from demo.sip.sdp import Audio, BadSdp, read
from demo.sounds import Frames, frames, ringback
from demo.subscribers import Kind, Subscriber
from demo.voices import BEEP, Voices

log = logging.getLogger(__name__)

NO_ANSWER_S = 180.0
"""A call nobody answers or cancels is given back as 480."""
NO_AUDIO_S = 60.0
"""An answered call without a packet from the far end for so long is hung up: its owner is dead."""
_RINGBACK = {language: frames(ringback(language)) for language in ("zh", "en")}


class Owner(Protocol):
    """What acts on a call's events."""

    def take(self, event: Event, now: float) -> None: ...


class Session:
    """A call to a subscriber, from its INVITE to its end. `open_port(now)` gives an RTP port; `ended(session, why)` is
    called once, when nothing of it is left; `packets` are then those of audio sent and received."""

    label = ""  # how it is counted; empty: by the subscriber's kind

    def __init__(
        self,
        endpoint: Endpoint,
        call: Call,
        who: Subscriber,
        voices: Voices,
        open_port: Callable[[float], RtpPort],
        ended: Callable[[Session, str], None],
        settle: Callable[[], None],
    ) -> None:
        self.call = call
        self.who = who
        self.port: RtpPort | None = None
        self.answered_at: float | None = None
        self.packets = (0, 0)
        self._endpoint = endpoint
        self._voices = voices
        self._open_port = open_port
        self._ended = ended
        self._settle = settle
        self._behaviour: Behaviour | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._far: Audio | None = None
        self._version = 1

    def start(self, sdp: str, now: float) -> None:
        """Ring, or refuse after a moment."""
        try:
            self._far = read(sdp) if sdp else None
        except BadSdp:
            self._reject(488, "Not Acceptable Here", now)
            return
        if self.who.kind is Kind.BUSY:
            self._later(self.who.ring_s, lambda at: self._reject(486, "Busy Here", at))
        elif self.who.kind is Kind.INVALID:
            self._later(self.who.ring_s, lambda at: self._reject(404, "Not Found", at))
        else:
            self._ring(now)
            if self.who.kind is Kind.NO_ANSWER:
                self._later(NO_ANSWER_S, lambda at: self._reject(480, "Temporarily Unavailable", at))
            else:
                self._later(self.who.ring_s, self._answer)

    def take(self, event: Event, now: float) -> None:
        """What the far end did."""
        if isinstance(event, Ended):
            self._close(event.why)
        elif isinstance(event, Acked) and event.sdp and self._far is None:
            self._agree(event.sdp)
        elif isinstance(event, Reoffered):
            self._reoffered(event, now)

    def tick(self, now: float) -> None:
        """20 ms of audio and behaviour."""
        if self.port is None:
            return
        self.port.tick(now)
        if self._behaviour is None:
            return
        act = self._behaviour.step(now, self.port.level, self.port.playing)
        if isinstance(act, Say):
            self.port.play(self._phrase(act.phrase))
        elif isinstance(act, HangUp):
            self.hang_up("subscriber hung up", now)
        elif self._is_silent(now):
            self.hang_up("no audio", now)

    def hang_up(self, why: str, now: float) -> None:
        """End it from our side."""
        self._endpoint.hang_up(self.call, now)
        self._close(why)

    def _ring(self, now: float) -> None:
        if self.who.early_media and self._far and self._open(now) and self.port:
            self.port.play(_RINGBACK[self.who.language], loop=True)
            self._endpoint.ring(self.call, now, sdp=self._description())
        elif self.call.state != "ended":
            self._endpoint.ring(self.call, now)

    def _answer(self, now: float) -> None:
        if not self._open(now) or self.port is None:
            return
        self.port.play(())
        self.answered_at = self.port.received_at = now
        self._behaviour = behaviour(self.who, now)
        self._endpoint.answer(self.call, self._description(), now)

    def _open(self, now: float) -> bool:
        """Whether there is a port; without one the trunk is congested."""
        try:
            self.port = self.port or self._open_port(now)
        except NoPort:
            self._reject(503, "Service Unavailable", now)
            return False
        if self._far:
            self.port.connect(self._far)
        return True

    def _agree(self, sdp: str) -> bool:
        try:
            self._far = read(sdp)
        except BadSdp:
            return False
        if self.port:
            self.port.connect(self._far)
        return True

    def _reoffered(self, event: Reoffered, now: float) -> None:
        if event.sdp and not self._agree(event.sdp):
            self._endpoint.refuse_offer(self.call, now)
            return
        self._version += 1
        if self.port:
            self.port.received_at = now
        self._endpoint.accept_offer(self.call, self._description(), now)

    def _description(self) -> str:
        """Ours: the answer to the far end's, or an offer."""
        local = self.port.local if self.port else ("0.0.0.0", 9)
        ours = self._far.answered_from(local) if self._far else Audio(local)
        return ours.write(self._version)

    def _phrase(self, name: str) -> Frames:
        return BEEP if name == "beep" else self._voices.get(self.who.language, self.who.voice, name)

    def _is_silent(self, now: float) -> bool:
        expects = self._far is None or self._far.direction in ("sendrecv", "sendonly")
        return expects and self.port is not None and now - self.port.received_at > NO_AUDIO_S

    def _reject(self, status: int, reason: str, now: float) -> None:
        self._endpoint.reject(self.call, status, reason, now)
        self._close(str(status))

    def _later(self, seconds: float, action: Callable[[float], None]) -> None:
        def run() -> None:
            action(loop.time())
            self._settle()

        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(seconds, run)

    def _close(self, why: str) -> None:
        if self._timer:
            self._timer.cancel()
        if self.port:
            self.packets = (self.port.sent, self.port.received)
            self.port.close()
            self.port = None
        self._behaviour = None
        self._ended(self, why)


class Through:
    """A call passed on to a softphone: signalling by us, audio end to end (each side gets the other's address).

    A re-INVITE of the caller is answered here: the softphone (pyVoIP) fails on one. So hold works, a caller that
    moves its audio to another address within the call does not.
    """

    def __init__(
        self, endpoint: Endpoint, caller: Call, phone: Call, binding_uri: str, ended: Callable[[Through, str], None]
    ) -> None:
        self.caller, self.phone, self.binding_uri = caller, phone, binding_uri
        self._endpoint = endpoint
        self._ended = ended
        self._far: Audio | None = None
        self._version = 1

    def take(self, event: Event, now: float) -> None:
        """What either side did."""
        if isinstance(event, Progressed) and event.status == 180:
            self._endpoint.ring(self.caller, now)
        elif isinstance(event, Answered):
            self._answered(event.sdp, now)
        elif isinstance(event, Failed):
            self._endpoint.reject(self.caller, event.status, event.reason or "Failed", now)
            self._ended(self, str(event.status))
        elif isinstance(event, Reoffered):
            self._reoffered(event, now)
        elif isinstance(event, Ended):
            self._endpoint.hang_up(self.phone if event.call is self.caller else self.caller, now)
            self._ended(self, event.why)

    def hang_up(self, why: str, now: float) -> None:
        """End both sides."""
        self._endpoint.hang_up(self.phone, now)
        self._endpoint.hang_up(self.caller, now)
        self._ended(self, why)

    def _answered(self, sdp: str, now: float) -> None:
        try:
            self._far = read(sdp)
        except BadSdp as error:
            log.warning("the softphone's answer is of no use: %s", error)
            self._endpoint.hang_up(self.phone, now)
            self._endpoint.reject(self.caller, 502, "Bad Gateway", now)
            self._ended(self, "502")
            return
        self._endpoint.answer(self.caller, self._far.write(), now)

    def _reoffered(self, event: Reoffered, now: float) -> None:
        try:
            offer = read(event.sdp) if event.sdp else None
        except BadSdp:
            offer = None
        if self._far is None or event.call is not self.caller or (event.sdp and offer is None):
            self._endpoint.refuse_offer(event.call, now)
            return
        self._version += 1
        answer = offer.answered_from(self._far.address) if offer else self._far
        self._endpoint.accept_offer(event.call, answer.write(self._version), now)
