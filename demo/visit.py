"""A subscriber who calls in: the carrier's INVITE to a number of the enterprise, and the talk once it is answered."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from dataclasses import replace

from demo.conversation import behaviour
from demo.rtp import RtpPort
from demo.session import Session
from demo.sip.call import Answered, Event, Failed
from demo.sip.endpoint import Endpoint
from demo.sip.message import Address
from demo.sip.sdp import Audio
from demo.subscribers import Kind, Pace, Subscriber, demo_numbers, subscriber
from demo.voices import Voices

NOT_ANSWERED_S = 60.0
KNOWN = 500  # of so many numbers the demo enterprise has the names
UNKNOWN_SHARE = 0.2


def visitor(rng: random.Random, pace: Pace) -> Subscriber:
    """Somebody who calls and stays for a while: mostly one of the enterprise's leads, now and then a stranger."""
    numbers = demo_numbers(2 * KNOWN)
    number = rng.choice(numbers[KNOWN:] if rng.random() < UNKNOWN_SHARE else numbers[:KNOWN])
    longest = 2 * pace.talk_s[1]
    return replace(subscriber(number, pace), kind=Kind.PERSON, hang_up_after_s=rng.uniform(longest / 2, longest))


class Visit(Session):
    """A call of `who` to `number` at `to`. It ends as every session does: `ended(visit, why)` once."""

    label = "visitor"

    def __init__(
        self,
        endpoint: Endpoint,
        who: Subscriber,
        number: str,
        to: Address,
        voices: Voices,
        port: RtpPort,
        ended: Callable[[Session, str], None],
        settle: Callable[[], None],
    ) -> None:
        now = asyncio.get_running_loop().time()
        uri = f"sip:{number}@{to[0]}:{to[1]}"
        call = endpoint.invite(uri, to, f"+{who.number}", Audio(port.local).write(), now)
        super().__init__(endpoint, call, who, voices, lambda _: port, ended, settle)
        self.port = port
        self._later(NOT_ANSWERED_S, lambda at: self.hang_up("not answered", at))

    def take(self, event: Event, now: float) -> None:
        """What the far end did."""
        if isinstance(event, Answered):
            self._answered(event.sdp, now)
        elif isinstance(event, Failed):
            self._close(str(event.status))
        else:
            super().take(event, now)

    def _answered(self, sdp: str, now: float) -> None:
        if not self._agree(sdp) or self.port is None:
            self.hang_up("no usable answer", now)
            return
        if self._timer:
            self._timer.cancel()
        self.answered_at = self.port.received_at = now
        self._behaviour = behaviour(self.who, now)
