"""One carrier's way through the dispatcher: what is leased and waits, how fast it may go, whether it is up.

`Bucket` and `Lane` decide; the dispatcher acts. Times are of the event loop's clock.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Final

from smsgateway.carriers.leases import Leased
from smsgateway.carriers.policies import Doubt, Policy, Refund
from smsgateway.carriers.port import Carrier, Health
from smsgateway.texts import RANK

AHEAD: Final = 600  # texts leased before they can leave, at most
MOST_PAUSE_S: Final = 30.0
RANKS: Final = tuple(sorted(set(RANK.values())))


class Bucket:
    """A token bucket: `per_second` segments, a second's worth at once. 0: no limit."""

    def __init__(self, per_second: float) -> None:
        self.per_second = per_second
        self._tokens = max(1.0, per_second / 10)
        self._at = 0.0

    def wait_s(self, segments: int, now: float) -> float:
        """Seconds until `segments` may leave; 0: they may, and are taken out."""
        if self.per_second <= 0:
            return 0.0
        burst = max(1.0, self.per_second / 10)
        self._tokens = min(burst, self._tokens + (now - self._at) * self.per_second) if self._at else burst
        self._at = now
        if self._tokens <= 0:
            return (1e-9 - self._tokens) / self.per_second + 1e-4
        self._tokens -= segments  # a long text goes into debt, and what follows waits for it
        return 0.0


@dataclass(frozen=True, slots=True)
class CarrierFacts:
    """A row of `text_carrier` as the dispatcher needs it."""

    id: int
    name: str
    window: int
    texts_per_second: int
    policy: Policy


def policy_of(doubt: str, refund: str, receipt_wait_h: int) -> Policy:
    """The policy of a carrier's row."""
    return Policy(Doubt(doubt), Refund(refund), receipt_wait_h * 3600.0)


@dataclass(slots=True)
class Lane:
    """A carrier while its process runs. `since`: seconds since the epoch at which `health.up` last changed."""

    facts: CarrierFacts
    bucket: Bucket
    connection: Carrier | None = None
    health: Health = field(default_factory=lambda: Health(False, "starting", 0, 0))
    since: float = 0.0
    out: int = 0
    paused_until: float = 0.0
    throttled: int = 0  # times in a row
    more: bool = False  # the last lease left texts behind
    _buffer: dict[int, deque[Leased]] = field(default_factory=lambda: {r: deque() for r in RANKS})

    @property
    def buffered(self) -> int:
        """Leased texts that have not left."""
        return sum(len(d) for d in self._buffer.values())

    @property
    def ahead(self) -> int:
        """How many texts to hold: enough to keep the carrier busy, and few enough that those who come later are not
        kept waiting."""
        rate = self.facts.texts_per_second
        most = max(AHEAD, 4 * self.facts.window)
        return max(1, min(most, rate)) if rate > 0 else most

    def room(self) -> dict[int, int]:
        """For each rank, how many texts of it or better ones to lease now; none until half of what was held is gone."""
        out, held = {}, 0
        for rank in RANKS:
            held += len(self._buffer[rank])
            room = self.ahead - held
            out[rank] = room if room * 2 >= self.ahead else 0
        return out

    def push(self, texts: list[Leased]) -> None:
        """Texts that were leased."""
        for text in texts:
            self._buffer[text.rank].append(text)

    def back(self, text: Leased) -> None:
        """A text that the carrier did not take: the next of its rank."""
        self._buffer[text.rank].appendleft(text)

    def first(self) -> Leased | None:
        """The text that leaves next."""
        for rank in RANKS:
            if self._buffer[rank]:
                return self._buffer[rank][0]
        return None

    def pop(self) -> Leased:
        """Take the text that leaves next. Raises IndexError."""
        for rank in RANKS:
            if self._buffer[rank]:
                return self._buffer[rank].popleft()
        raise IndexError("nothing is leased")

    def empty(self) -> list[Leased]:
        """Take out all that has not left."""
        out = [text for rank in RANKS for text in self._buffer[rank]]
        for rank in RANKS:
            self._buffer[rank].clear()
        return out

    def throttle(self, wait_s: float, now: float) -> bool:
        """The carrier can't take more for now: wait, longer each time in a row. Whether this was the first to say so
        since the last pause: those that were out when it came back count as one."""
        if now < self.paused_until:
            return False
        self.throttled += 1
        self.paused_until = now + min(MOST_PAUSE_S, wait_s * 2 ** min(self.throttled - 1, 10))
        return True

    def went(self) -> None:
        """The carrier took one."""
        self.throttled = 0
