"""A simulated shift for pacing: a list of people, agents with moods and pauses, and a pacer asked every second.

Random by seed only. The whole shift is event driven: what a call or an agent will do is drawn when it begins, so
the same seed and the same pacer give the same shift.
"""

import heapq
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from dialer.pacing.interface import CampaignInfo, Pacer, Snapshot


@dataclass(frozen=True)
class Day:
    """What the campaign meets. Times in seconds, shares as fractions; `agents` and `live_share` may change by time."""

    agents: Callable[[float], int]
    live_share: Callable[[float], float]
    shift_s: float = 3600.0
    machine_share: float = 0.2
    fast_fail_share: float = 0.08
    ring_s: float = 12.0
    ring_timeout_s: float = 30.0
    talk_s: float = 110.0
    refusal_share: float = 0.35
    refusal_s: float = 18.0
    wrap_s: float = 18.0
    pause_every_s: float = 3600.0
    pause_s: float = 240.0
    amd: bool = True
    abandon_cap: float = 0.03
    patience_s: float = 2.0
    max_lines: int = 10_000
    max_cps: float = 1000.0


@dataclass
class Outcome:
    """What came of it. `occupancy` is a fraction of the time agents were signed in and not on a pause."""

    dialled: int = 0
    live: int = 0
    abandoned: int = 0
    connected: int = 0
    busy_s: float = 0.0
    ready_s: float = 0.0
    most_lines: int = 0
    most_per_tick: int = 0
    asked: int = 0
    decide_s: float = 0.0
    ticks: int = 0

    @property
    def occupancy(self) -> float:
        return self.busy_s / max(1e-9, self.busy_s + self.ready_s)

    @property
    def abandon_rate(self) -> float:
        return self.abandoned / max(1, self.live)


@dataclass(eq=False)
class _Agent:
    state: str = "ready"
    since: float = 0.0
    wants_pause: bool = False
    leaving: bool = False


@dataclass(eq=False)
class _Call:
    dialled: float
    person: bool = False
    stage: str = "ringing"
    since: float = 0.0


@dataclass
class Shift:
    """One run of a pacer, already built and not yet started, through a `Day`."""

    day: Day
    pacer: Pacer
    seed: int = 1
    on_tick: Callable[[Snapshot, int], None] | None = None
    outcome: Outcome = field(default_factory=Outcome)

    def __post_init__(self) -> None:
        self._rng = random.Random(self.seed)
        self._due: list[tuple[float, int, Callable[[float], None]]] = []
        self._order = 0
        self._agents: list[_Agent] = []
        self._calls: dict[_Call, None] = {}
        self._events: list[tuple[str, float, float]] = []

    def run(self) -> Outcome:
        """Run to the end of the shift."""
        day, out = self.day, self.outcome
        self.pacer.start(
            CampaignInfo(
                day.abandon_cap,
                day.patience_s,
                1.0,
                day.ring_timeout_s,
                day.max_lines,
                day.max_cps,
                day.shift_s,
                day.amd,
            )
        )
        placed = 0
        tokens = 0.0
        for second in range(int(day.shift_s)):
            now = float(second)
            self._advance(now)
            self._staff(now)
            snapshot = self._snapshot(now, placed)
            began = time.perf_counter()
            wanted = self.pacer.decide(snapshot)
            out.decide_s += time.perf_counter() - began
            out.ticks += 1
            out.asked += wanted
            if self.on_tick:
                self.on_tick(snapshot, wanted)
            tokens = min(tokens + day.max_cps, max(1.0, day.max_cps))
            lines = len(self._calls) + sum(a.state == "talk" for a in self._agents)
            placed = max(0, min(wanted, day.max_lines - lines, int(tokens)))
            tokens -= placed
            for _ in range(placed):
                self._dial(now)
            out.most_per_tick = max(out.most_per_tick, placed)
            out.most_lines = max(out.most_lines, lines + placed)
        return out

    def _in(self, state: str) -> list[_Agent]:
        return sorted((a for a in self._agents if a.state == state), key=lambda a: a.since)

    def _snapshot(self, now: float, placed: int) -> Snapshot:
        by_stage: dict[str, list[float]] = {"ringing": [], "screening": [], "waiting": []}
        for call in self._calls:
            by_stage[call.stage].append(call.since)
        events, self._events = self._events, []
        agents = {state: [a.since for a in self._in(state)] for state in ("ready", "talk", "wrap", "paused")}
        return Snapshot(
            now=now,
            ready_since=agents["ready"],
            talk_since=agents["talk"],
            wrap_since=agents["wrap"],
            paused_since=agents["paused"],
            ringing_since=by_stage["ringing"],
            screening_since=sorted(by_stage["screening"]),
            waiting_since=sorted(by_stage["waiting"]),
            placed=placed,
            dialled=self.outcome.dialled,
            live=self.outcome.live,
            abandoned=self.outcome.abandoned,
            events=events,
        )

    def _at(self, t: float, what: Callable[[float], None]) -> None:
        self._order += 1
        heapq.heappush(self._due, (t, self._order, what))

    def _advance(self, now: float) -> None:
        while self._due and self._due[0][0] <= now:
            t, _, what = heapq.heappop(self._due)
            what(t)

    def _gamma(self, mean: float, shape: float) -> float:
        return self._rng.gammavariate(shape, mean / shape)

    def _staff(self, now: float) -> None:
        wanted = self.day.agents(now)
        here = [a for a in self._agents if not a.leaving]
        for _ in range(wanted - len(here)):
            agent = _Agent(since=now)
            self._agents.append(agent)
            self._events.append(("login", now, 0.0))
            self._next_pause(agent, now)
        for agent in here[wanted:]:
            agent.leaving = True
            if agent.state in ("ready", "paused"):
                self._free(agent, now)

    def _next_pause(self, agent: _Agent, now: float) -> None:
        def pause(t: float) -> None:
            agent.wants_pause = True
            if agent.state == "ready":
                self._free(agent, t)

        self._at(now + self._rng.expovariate(1 / self.day.pause_every_s), pause)

    def _turn(self, agent: _Agent, state: str, t: float) -> None:
        spent = t - agent.since
        if agent.state == "ready":
            self.outcome.ready_s += spent
        elif agent.state in ("talk", "wrap"):
            self.outcome.busy_s += spent
        agent.state, agent.since = state, t

    def _free(self, agent: _Agent, t: float) -> None:
        """The agent has nothing to do: leaves, goes on a pause, or takes the oldest waiting call."""
        if agent.leaving:
            self._turn(agent, "gone", t)
            self._agents.remove(agent)
            self._events.append(("logout", t, 0.0))
            return
        if agent.wants_pause:
            agent.wants_pause = False
            self._turn(agent, "paused", t)
            self._events.append(("pause", t, 0.0))

            def back(at: float) -> None:
                if agent.state == "paused":
                    self._events.append(("unpause", at, 0.0))
                    self._next_pause(agent, at)
                    self._free(agent, at)

            self._at(t + self._gamma(self.day.pause_s, 2.0), back)
            return
        self._turn(agent, "ready", t)
        waiting = next((c for c in self._calls if c.stage == "waiting"), None)
        if waiting:
            self._connect(waiting, agent, t)

    def _dial(self, now: float) -> None:
        day, rng = self.day, self._rng
        self.outcome.dialled += 1
        call = _Call(now, since=now)
        self._calls[call] = None
        fate = rng.random()
        live = day.live_share(now)
        if fate < live:
            ring, call.person = self._gamma(day.ring_s, 3.5), True
        elif fate < live + day.machine_share:
            ring = self._gamma(1.5 * day.ring_s, 12.0)
        elif fate < live + day.machine_share + day.fast_fail_share:
            self._at(now + self._gamma(2.0, 4.0), lambda t: self._end(call, "busy", t))
            return
        else:
            ring = day.ring_timeout_s
        if ring >= day.ring_timeout_s:
            self._at(now + day.ring_timeout_s, lambda t: self._end(call, "no_answer", t))
        else:
            self._at(now + ring, lambda t: self._answer(call, t))

    def _end(self, call: _Call, kind: str, t: float) -> None:
        del self._calls[call]
        self._events.append((kind, t, t - call.dialled))

    def _answer(self, call: _Call, t: float) -> None:
        self._events.append(("answer", t, t - call.dialled))
        call.stage, call.since = "screening", t
        if not self.day.amd:
            self._live(call, t)
        elif self._rng.random() < (0.97 if call.person else 0.08):
            self._at(t + self._gamma(1.8, 9.0), lambda at: self._live(call, at))
        else:
            self._at(t + self._gamma(2.3, 9.0), lambda at: self._end(call, "machine", at))

    def _live(self, call: _Call, t: float) -> None:
        self.outcome.live += 1
        self._events.append(("live", t, t - call.dialled))
        call.stage, call.since = "waiting", t
        ready = self._in("ready")
        if ready:
            self._connect(call, ready[0], t)
            return

        def give_up(at: float) -> None:
            if call in self._calls:
                del self._calls[call]
                self.outcome.abandoned += 1
                self._events.append(("abandon", at, at - t))

        self._at(t + self.day.patience_s, give_up)

    def _connect(self, call: _Call, agent: _Agent, t: float) -> None:
        day = self.day
        del self._calls[call]
        self.outcome.connected += 1
        self._events.append(("connect", t, t - call.since))
        self._turn(agent, "talk", t)
        short = not call.person or self._rng.random() < day.refusal_share
        talk = self._gamma(day.refusal_s, 2.5) if short else self._gamma(day.talk_s / (1 - day.refusal_share / 2), 1.4)

        def hung_up(at: float) -> None:
            self._events.append(("talk_end", at, talk))
            self._turn(agent, "wrap", at)
            wrap = self._gamma(day.wrap_s, 2.0)

            def done(end: float) -> None:
                self._events.append(("wrap_end", end, wrap))
                self._free(agent, end)

            self._at(at + wrap, done)

        self._at(t + talk, hung_up)
