"""SIP transactions over UDP: what is sent again, until when, and what a repeated message is answered with.

RFC 3261 section 17, with RFC 6026 for the 2xx of an INVITE. Pure: `now` (seconds, any monotonic clock) is an argument,
datagrams go to `send`, deadlines into `Timers`.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable
from dataclasses import dataclass, field

from demo.sip.message import Address, Message, reply_address

T1_S = 0.5
T2_S = 4.0
T4_S = 5.0
GIVE_UP_S = 64 * T1_S
RINGING_S = 185.0
"""Timer C: an INVITE that only ever rang is given up."""

Send = Callable[[bytes, Address], None]
Action = Callable[[float], None]


@dataclass
class Timer:
    """A deadline that may be cancelled; `action` is called with the time it runs at."""

    action: Action | None

    def cancel(self) -> None:
        self.action = None


class Timers:
    """All deadlines of an endpoint."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Timer]] = []
        self._order = itertools.count()

    def at(self, when: float, action: Action) -> Timer:
        """Call `action(now)` once `when` is reached."""
        timer = Timer(action)
        heapq.heappush(self._heap, (when, next(self._order), timer))
        return timer

    def next_at(self) -> float | None:
        """The earliest deadline, None without one."""
        while self._heap and self._heap[0][2].action is None:
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def run(self, now: float) -> None:
        """Run what is due."""
        while self._heap and self._heap[0][0] <= now:
            timer = heapq.heappop(self._heap)[2]
            action, timer.action = timer.action, None
            if action:
                action(now)


@dataclass
class ServerInvite:
    """An INVITE we answer. `on_lost(now)`: the ACK of our 2xx never came. `on_end()`: forget this transaction."""

    request: Message
    send: Send
    timers: Timers
    on_lost: Action
    on_end: Callable[[], None]
    status: int = 0
    acked: bool = False
    _last: bytes = b""
    _again: Timer | None = None
    _limit: Timer | None = None
    _to: Address = field(default=("", 0))

    def __post_init__(self) -> None:
        self._to = reply_address(self.request)

    @property
    def final(self) -> bool:
        """Whether a final response went out."""
        return self.status >= 200

    def respond(self, response: Message, now: float) -> None:
        """Send a response. Nothing follows a final one."""
        if self.final:
            return
        self.status, self._last = response.status, response.encode()
        self.send(self._last, self._to)
        if self.final:
            self._repeat(now, T1_S)
            self._limit = self.timers.at(now + GIVE_UP_S, self._expire)

    def repeated(self) -> None:
        """The INVITE came once more: its last response goes out once more."""
        if self._last and not self.acked:
            self.send(self._last, self._to)

    def ack(self, now: float) -> None:
        """The ACK came. The transaction stays a while to absorb late repetitions."""
        if not self.final or self.acked:
            return
        self.acked = True
        for timer in (self._again, self._limit):
            if timer:
                timer.cancel()
        self.timers.at(now + (GIVE_UP_S if self.status < 300 else T4_S), lambda _: self.on_end())

    def _repeat(self, now: float, interval: float) -> None:
        def again(then: float) -> None:
            self.send(self._last, self._to)
            self._repeat(then, min(interval * 2, T2_S))

        self._again = self.timers.at(now + interval, again)

    def _expire(self, now: float) -> None:
        if self._again:
            self._again.cancel()
        self.acked = True
        if self.status < 300:
            self.on_lost(now)
        self.on_end()


@dataclass
class Client:
    """A request of ours. `on_response(response, now)` gets provisional responses, the first final one and every
    repetition of a 2xx to INVITE; `on_lost(now)` that none came in time. `on_end()`: forget this transaction."""

    request: Message
    to: Address
    send: Send
    timers: Timers
    on_response: Callable[[Message, float], None]
    on_lost: Action
    on_end: Callable[[], None]
    status: int = 0
    _again: Timer | None = None
    _limit: Timer | None = None
    _ack: bytes = b""

    @property
    def is_invite(self) -> bool:
        return self.request.method == "INVITE"

    def start(self, now: float) -> None:
        """Send it the first time."""
        self.send(self.request.encode(), self.to)
        self._repeat(now, T1_S)
        self._limit = self.timers.at(now + GIVE_UP_S, self._expire)

    def receive(self, response: Message, now: float) -> None:
        """A response with our branch and method."""
        if self.status >= 200:
            if self._ack:
                self.send(self._ack, self.to)
            elif self.is_invite and 200 <= response.status < 300:
                self.on_response(response, now)
            return
        self.status = response.status
        if response.status < 200:
            if self.is_invite:
                self._stop()
                self._limit = self.timers.at(now + RINGING_S, self._expire)
            self.on_response(response, now)
            return
        self._stop()
        if self.is_invite and response.status >= 300:
            self._ack = self._failure_ack(response).encode()
            self.send(self._ack, self.to)
        self.timers.at(now + (GIVE_UP_S if self.is_invite else T4_S), lambda _: self.on_end())
        self.on_response(response, now)

    def limit(self, at: float) -> None:
        """No final response after `at` counts as lost (after a CANCEL)."""
        if self.status < 200:
            if self._limit:
                self._limit.cancel()
            self._limit = self.timers.at(at, self._expire)

    def _failure_ack(self, response: Message) -> Message:
        """ACK of a 3xx–6xx: hop by hop, same branch (17.1.1.3)."""
        ack = Message(method="ACK", uri=self.request.uri)
        ack.headers = [
            ("via", self.request.get("via")),
            ("from", self.request.get("from")),
            ("to", response.get("to")),
            ("call-id", self.request.call_id),
            ("cseq", f"{self.request.cseq} ACK"),
            ("max-forwards", "70"),
            *(("route", value) for value in self.request.all("route")),
        ]
        return ack

    def _repeat(self, now: float, interval: float) -> None:
        def again(then: float) -> None:
            self.send(self.request.encode(), self.to)
            self._repeat(then, interval * 2 if self.is_invite else min(interval * 2, T2_S))

        self._again = self.timers.at(now + interval, again)

    def _stop(self) -> None:
        for timer in (self._again, self._limit):
            if timer:
                timer.cancel()

    def _expire(self, now: float) -> None:
        self._stop()
        self.status = 408
        self.on_end()
        self.on_lost(now)
