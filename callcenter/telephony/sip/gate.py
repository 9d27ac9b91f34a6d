"""Who may knock how often: a packet is judged by its source before anything of it is parsed. Pure.

Parsing a request costs a hundred times what this does, so a flood has to end here. A source is *known* if a trunk is
there, or if it proved itself a while ago by a dialog of ours or by a password; its packets pass, only its new calls
have a limit, far above what a trunk is allowed. A stranger has a small allowance, of which a request that begins
something takes five times what another packet takes; all strangers together have one too, for addresses can be forged.
Established calls run between known addresses and never wait for strangers.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

KNOWN_FOR_S = 3600.0
MOST_SOURCES = 10_000
BEGINNING = 5.0  # tokens of a stranger's request outside of a dialog

_IN_DIALOG = re.compile(rb"\n(?:to|t)[ \t]*:[^\r\n]*;[ \t]*tag=", re.IGNORECASE)


@dataclass
class Bucket:
    """A token bucket: `rate` tokens a second up to `burst`."""

    rate: float
    burst: float
    tokens: float
    at: float

    @classmethod
    def full(cls, rate: float, burst: float, now: float) -> Bucket:
        return cls(rate, burst, burst, now)

    def take(self, cost: float, now: float) -> bool:
        """Take `cost` tokens if they are there."""
        self.tokens = min(self.burst, self.tokens + max(0.0, now - self.at) * self.rate)
        self.at = max(self.at, now)
        if self.tokens < cost:
            return False
        self.tokens -= cost
        return True


class Buckets:
    """A bucket for each key, the longest unused forgotten beyond MOST_SOURCES."""

    def __init__(self, rate: float, burst: float) -> None:
        self._rate, self._burst = rate, burst
        self._by_key: OrderedDict[str, Bucket] = OrderedDict()

    def take(self, key: str, cost: float, now: float) -> bool:
        """Take `cost` tokens of the bucket of `key` if they are there."""
        return self._of(key, now).take(cost, now)

    def has(self, key: str, cost: float, now: float) -> bool:
        """Whether `cost` tokens are there; none is taken."""
        bucket = self._of(key, now)
        bucket.take(0.0, now)
        return bucket.tokens >= cost

    def _of(self, key: str, now: float) -> Bucket:
        bucket = self._by_key.get(key)
        if bucket is None:
            bucket = self._by_key[key] = Bucket.full(self._rate, self._burst, now)
            if len(self._by_key) > MOST_SOURCES:
                self._by_key.popitem(last=False)
        else:
            self._by_key.move_to_end(key)
        return bucket


class Gate:
    """`has_trunk` tells whether a trunk is at an IP address. Rates are per second."""

    def __init__(
        self,
        has_trunk: Callable[[str], bool],
        *,
        strangers_each: float = 50.0,
        strangers_all: float = 500.0,
        known_beginnings: float = 200.0,
    ) -> None:
        self._has_trunk = has_trunk
        self._each = Buckets(strangers_each, 2 * strangers_each)
        # Full at the first packet, whenever that is.
        self._beginnings = Bucket.full(strangers_all, 2 * strangers_all, float("-inf"))
        self._others = Bucket.full(strangers_all, 2 * strangers_all, float("-inf"))
        self._known = Buckets(known_beginnings, 2 * known_beginnings)
        self._until: OrderedDict[str, float] = OrderedDict()
        self.dropped = 0  # packets since the start

    def admits(self, packet: bytes, host: str, now: float) -> bool:
        """Whether `packet` from IP address `host` is looked at."""
        begins = not packet.startswith((b"SIP/2.0 ", b"ACK ", b"CANCEL ")) and _IN_DIALOG.search(packet) is None
        if self._is_known(host, now):
            passes = not begins or self._known.take(host, 1.0, now)
        else:
            cost = BEGINNING if begins else 1.0
            of_all = self._beginnings if begins else self._others
            passes = self._each.take(host, cost, now) and of_all.take(cost, now)
        self.dropped += not passes
        return passes

    def learn(self, host: str, now: float) -> None:
        """`host` has proved itself: by a tag or branch that only a peer of ours can know, or by a password."""
        self._until.pop(host, None)
        self._until[host] = now + KNOWN_FOR_S
        if len(self._until) > MOST_SOURCES:
            self._until.popitem(last=False)

    def _is_known(self, host: str, now: float) -> bool:
        return self._until.get(host, float("-inf")) > now or self._has_trunk(host)
