"""How long a caller will wait, told from what the queue itself has done lately. Pure.

Measured while somebody waits: the *hazard* of an agent taking the next call (calls taken per second for each agent
signed on), and the hazard of a waiting caller giving up (per second for each caller). Both are sums that halve every
`HALF_LIFE_S`, so the queue's own pace of the last hour or two counts, whatever the calls, pauses, wrap-ups and other
queues of its agents that made it; no distribution of talk times has to be assumed.

With `s` the rate of all agents together and `t` that of giving up, the line ahead of a caller shrinks from j to j − 1
after 1 / (s + j·t) seconds on average, and he himself is taken 1 / s after he has become first:

    expected wait with n callers ahead = Σ 1 / (s + j·t) for j = 0 … n

(Whitt, "Improving service by informing customers about anticipated delays", Management Science 45, 1999.) Callers with
a higher priority who may still come are not foreseen. Its error is measured in `tests/sim/test_acd.py`.
"""

from __future__ import annotations

import math

HALF_LIFE_S = 3600.0
ENOUGH = 5.0  # calls taken from a line; with fewer nothing is promised


class Hazard:
    """One queue's pace. Every change of who waits is told with its time."""

    def __init__(self) -> None:
        self._at: float | None = None
        self._waiting = 0
        self._agents = 1
        self._known = False
        self._taken = 0.0
        self._given_up = 0.0
        self._agent_s = 0.0  # of agents signed on, while somebody waited
        self._caller_s = 0.0  # of callers waiting

    def changed(self, now: float, waiting: int) -> None:
        """`waiting` callers are in line from now on."""
        self._advance(now)
        self._waiting = waiting

    def shrunk(self, waiting: int) -> None:
        """As `changed`, at the time of the last word."""
        self._waiting = waiting

    def staffed(self, now: float, agents: int) -> None:
        """`agents` are signed on from now on. Before the first word about it they are counted as one."""
        self._advance(now)
        if not self._known and agents > 0:
            self._agent_s *= agents
            self._known = True
        if self._known:
            self._agents = agents

    def taken(self, now: float) -> None:
        """A caller who had waited was taken by an agent."""
        self._advance(now)
        self._taken += 1.0

    def given_up(self, now: float) -> None:
        """A caller hung up while waiting."""
        self._advance(now)
        self._given_up += 1.0

    def wait_s(self, ahead: int, now: float) -> float | None:
        """Expected seconds until a caller with `ahead` others before him is taken; None: too little is known, or
        nobody is signed on."""
        self._advance(now)
        if self._taken < ENOUGH or self._agent_s <= 0 or self._agents <= 0:
            return None
        served = self._taken / self._agent_s * self._agents
        leaving = self._given_up / self._caller_s if self._caller_s > 0 else 0.0
        return sum(1.0 / (served + j * leaving) for j in range(ahead + 1))

    def shift(self, by_s: float) -> None:
        """The clock was set by so much."""
        if self._at is not None:
            self._at += by_s

    def _advance(self, now: float) -> None:
        if self._at is None or now <= self._at:
            self._at = now if self._at is None else self._at
            return
        kept = 0.5 ** ((now - self._at) / HALF_LIFE_S)
        spent = (1.0 - kept) * HALF_LIFE_S / math.log(2.0)  # seconds since then, the older ones faded
        self._taken *= kept
        self._given_up *= kept
        self._agent_s = self._agent_s * kept + (spent * self._agents if self._waiting else 0.0)
        self._caller_s = self._caller_s * kept + spent * self._waiting
        self._at = now
