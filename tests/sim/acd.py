"""A simulated floor of queues: callers come by chance, agents talk by chance, and `Queues` decides.

Random by seed only, event driven. What it measures are waits, who gave up, and how far the promised waits were off.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from random import Random

from callcenter.acd.queues import DueKind, Free, FreeAgents, Queues
from callcenter.acd.settings import QueueSettings, Waiting

START = 1_700_000_000.0
SILENT = Waiting(announce_every_s=0)


@dataclass(frozen=True)
class Callers:
    """One stream of callers to one queue, Poisson. `patience_s` None: they never give up."""

    queue_id: int
    per_s: float
    patience_s: float | None = None
    priority: int = 0
    skills: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Floor:
    """Who calls and who answers. `agents` are as when free; `service_s` the mean of exponential times."""

    queues: Sequence[QueueSettings]
    agents: Sequence[Free]
    callers: Sequence[Callers]
    service_s: float


@dataclass
class Ride:
    """One caller. `promised_s`: the expected wait told on entering, if he had to wait and one was known; `ahead`: how
    many were before him then."""

    stream: int
    came: float
    waited_s: float = -1.0
    agent: int | None = None  # None: gave up, or was told goodbye
    promised_s: float | None = None
    ahead: int = 0
    served_s: float = 0.0


class Shift:
    """One run until `calls` callers have come and all of them are gone. `check` is asked after every event."""

    def __init__(self, floor: Floor, calls: int, seed: int, check: Callable[[Shift], None] | None = None) -> None:
        self.floor, self.calls, self.check = floor, calls, check
        self.now = START
        self.queues = Queues()
        self.free = FreeAgents(replace(a, since=START) for a in floor.agents)
        self.rides: list[Ride] = []
        self._agents = {a.user_id: a for a in floor.agents}
        self._taken: dict[int, dict[int, int]] = {}
        self._rng, self._ties = Random(seed), Random(seed + 1)
        self._events: list[tuple[float, int, str, int]] = []
        self._n = 0
        for settings in floor.queues:
            self.queues.settle(settings)
            of_it = sum(settings.id in a.queues for a in floor.agents)
            self.queues.staffed(settings.id, of_it, START)
        for index, stream in enumerate(floor.callers):
            self._later(self._rng.expovariate(stream.per_s), "come", index)

    def run(self) -> list[Ride]:
        """All callers, in the order in which they came."""
        while self._events:
            deadline = self.queues.next_deadline()
            if deadline is not None and deadline < self._events[0][0]:
                self.now = deadline
                self._due()
            else:
                self.now, _, kind, which = heapq.heappop(self._events)
                {"come": self._come, "done": self._done, "leave": self._leave}[kind](which)
            if self.check is not None:
                self.check(self)
        return self.rides

    def _later(self, after_s: float, kind: str, which: int) -> None:
        self._n += 1
        heapq.heappush(self._events, (self.now + after_s, self._n, kind, which))

    def _come(self, index: int) -> None:
        stream = self.floor.callers[index]
        number = len(self.rides)
        if number + 1 < self.calls:
            self._later(self._rng.expovariate(stream.per_s), "come", index)
        elif number >= self.calls:
            return
        ride = Ride(index, self.now)
        self.rides.append(ride)
        call_id = f"{number:08d}"
        self.queues.enter(
            call_id, stream.queue_id, self.now, since=self.now, priority=stream.priority, skills=stream.skills
        )
        if not self._give(call_id):
            ride.ahead = self.queues.position(call_id) - 1
            ride.promised_s = self.queues.expected_wait_s(call_id=call_id, now=self.now)
            if stream.patience_s is not None:
                self._later(self._rng.expovariate(1.0 / stream.patience_s), "leave", number)

    def _give(self, call_id: str) -> bool:
        agent = self.queues.agent_for(call_id, self.free, self.now, self._ties)
        if agent is None:
            return False
        self._take(call_id, agent)
        return True

    def _take(self, call_id: str, user_id: int) -> None:
        queue_id = self.queues.queue_of(call_id)
        assert queue_id is not None
        self.queues.offering(call_id, user_id)
        self.queues.taken(call_id, user_id, self.now)
        self.free.remove(user_id)
        taken = self._taken.setdefault(user_id, {})
        taken[queue_id] = taken.get(queue_id, 0) + 1
        ride = self.rides[int(call_id)]
        ride.waited_s, ride.agent = self.now - ride.came, user_id
        ride.served_s = self._rng.expovariate(1.0 / self.floor.service_s)
        self._later(ride.served_s, "done", user_id)

    def _done(self, user_id: int) -> None:
        agent = replace(self._agents[user_id], since=self.now, taken=self._taken[user_id])
        self.free.put(agent)
        call_id = self.queues.call_for(agent, self.free, self.now, self._ties)
        if call_id is not None:
            self._take(call_id, user_id)

    def _leave(self, number: int) -> None:
        ride = self.rides[number]
        if ride.waited_s < 0 and self.queues.abandoned(f"{number:08d}", self.now):
            ride.waited_s = self.now - ride.came

    def _due(self) -> None:
        for due in self.queues.due(self.now):
            if due.kind is DueKind.RELAX:
                self._give(due.call_id)
            elif due.kind is DueKind.MAX_WAIT:
                self._leave(int(due.call_id))


def one_queue(agents: int, arrivals_per_s: float, service_s: float, patience_s: float | None = None) -> Floor:
    """The floor that Erlang's formulas are about."""
    queue = QueueSettings(1, "Service", waiting=SILENT, max_wait_s=1e9)
    people = [Free(n, START, frozenset({1})) for n in range(1, agents + 1)]
    return Floor([queue], people, [Callers(1, arrivals_per_s, patience_s)], service_s)


@dataclass(frozen=True)
class Measured:
    """A run's figures: mean wait of all callers, share who gave up, and the traffic that was drawn."""

    wait_s: float
    gave_up: float
    arrivals_per_s: float
    service_s: float


def measure(rides: Sequence[Ride]) -> Measured:
    """Figures of a run."""
    served = [r.served_s for r in rides if r.agent is not None]
    return Measured(
        wait_s=sum(r.waited_s for r in rides) / len(rides),
        gave_up=1.0 - len(served) / len(rides),
        arrivals_per_s=len(rides) / (rides[-1].came - START),
        service_s=sum(served) / len(served),
    )


@dataclass(frozen=True)
class Promises:
    """How far promised waits were off, in fractions of the mean wait: mean absolute error, bias (above 0: told too
    much), and the error that is left to one who knows the true rates, since nobody knows how long the others talk."""

    told: int
    error: float
    bias: float
    least_error: float


def promises(
    rides: Sequence[Ride], agents: int, service_s: float, patience_s: float | None = None, stream: int | None = None
) -> Promises:
    """Of those who had to wait, were promised something and were taken; of one stream of callers, if named."""
    leaving = 0.0 if patience_s is None else 1.0 / patience_s
    known = [0.0]
    counted = [
        (r.promised_s, r.waited_s, r.ahead)
        for r in rides
        if r.promised_s is not None and r.agent is not None and stream in (None, r.stream)
    ]
    mean = sum(w for _, w, _ in counted) / len(counted)
    error = bias = least = 0.0
    for promised, waited, ahead in counted:
        while len(known) <= ahead + 1:
            known.append(known[-1] + 1.0 / (agents / service_s + (len(known) - 1) * leaving))
        error += abs(promised - waited)
        bias += promised - waited
        least += abs(known[ahead + 1] - waited)
    n = len(counted) * mean
    return Promises(len(counted), error / n, bias / n, least / n)
