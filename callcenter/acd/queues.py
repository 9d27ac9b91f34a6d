"""The queues of one enterprise: who waits where, which agent gets which call, and what is due while a caller waits.

Pure: settings and events with `now` in, decisions out. Read first: `line.py` (order), `routing.py` (choice of agent),
`waiting.py` (a caller's clocks), `hazard.py` (expected wait).

How to use it: `settle` the settings, tell `staffed` when the number of agents signed on to a queue changes, `enter`
calls. Ask `agent_for` when a call enters, when its offer has ended and when `relax` is due; ask `call_for` when an
agent becomes free. Then a call never waits while somebody is free who may take it. `pairs` asks everything at once, for
after a restart or a change of settings that touches several agents. `offering` marks a call that rings at an agent;
`taken`, `abandoned` or `leave` end its wait.

Order and lanes are rebuilt from `since`, `priority` and `skills` alone: calls entered again after a restart stand as
they stood.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Mapping
from random import Random

from callcenter.acd.free import Free, FreeAgents, signed_on
from callcenter.acd.line import Entry, LaneKey, Line
from callcenter.acd.routing import best, meets, needs, wanted
from callcenter.acd.settings import QueueSettings, Strategy
from callcenter.acd.strategies import Ask
from callcenter.acd.waiting import KINDS, Clock, Due, DueKind, clocks

__all__ = ["Due", "DueKind", "Free", "FreeAgents", "Queues", "UnknownCall", "UnknownQueue"]

_REMEMBERED = 50_000  # callers whose last agent is known


class UnknownQueue(LookupError):
    """No settings of this queue have come."""


class UnknownCall(LookupError):
    """This call is in no queue."""


class Queues:
    """All queues of an enterprise, with their callers."""

    def __init__(self) -> None:
        self._lines: dict[int, Line] = {}
        self._entries: dict[str, Entry] = {}
        self._clocks: list[tuple[float, int, str, Clock, int]] = []
        self._tokens = 0
        self._spoke: dict[tuple[int, str], tuple[int, float]] = {}  # (queue, phone) → agent, when

    # ------------------------------------------------------------------------------------------------- settings

    def settle(self, settings: QueueSettings) -> None:
        """A queue's settings as they are from now on; its callers keep waiting by them."""
        line = self._lines.get(settings.id)
        if line is None:
            self._lines[settings.id] = Line(settings)
            return
        line.settle(settings)
        for entry in line.entries.values():
            self._arm(line, entry)

    def drop(self, queue_id: int) -> list[str]:
        """The queue is gone; returns the calls that were in it, in order: they have to go somewhere."""
        line = self._lines.pop(queue_id, None)
        calls = line.order() if line else []
        for call_id in calls:
            del self._entries[call_id]
        return calls

    def settings(self, queue_id: int) -> QueueSettings:
        """Raises UnknownQueue."""
        return self._line(queue_id).settings

    def staffed(self, queue_id: int, agents: int, now: float) -> None:
        """`agents` are signed on to the queue (not offline) from now on. With 0 its callers overflow, if it says so."""
        line = self._line(queue_id)
        if agents == line.agents:
            return
        line.hazard.staffed(now, agents)
        emptied, line.agents = agents == 0, agents
        if emptied and line.settings.overflow.no_agents is not None:
            for entry in line.entries.values():
                self._arm(line, entry)

    def __contains__(self, queue_id: object) -> bool:
        return queue_id in self._lines

    # ---------------------------------------------------------------------------------------------------- callers

    def enter(
        self,
        call_id: str,
        queue_id: int,
        now: float,
        *,
        since: float,
        priority: int = 0,
        skills: Mapping[str, int] | None = None,
        sticky_agent: int | None = None,
        phone: str = "",
        spoke: tuple[int, float] | None = None,
    ) -> None:
        """A call joins a queue, from another one too. `since` may lie before `now`: the place it keeps. `now` may be an
        earlier time when a call is put back after a restart. `spoke`: who is known to have spoken with this caller last
        and when, for the strategy STICKY; the queue itself knows of its calls since it runs. Raises UnknownQueue and
        changes nothing."""
        line = self._line(queue_id)
        self.leave(call_id)
        own = tuple(sorted((skills or {}).items()))
        entry = Entry(call_id, queue_id, since, now, priority, own, sticky_agent, phone, spoke)
        self._entries[call_id] = entry
        line.add(entry)
        line.hazard.changed(now, len(line))
        self._arm(line, entry)

    def leave(self, call_id: str, now: float | None = None) -> bool:
        """The call waits no longer; returns whether it did."""
        entry = self._entries.pop(call_id, None)
        if entry is None:
            return False
        line = self._lines[entry.queue_id]
        line.remove(entry)
        if now is not None:
            line.hazard.changed(now, len(line))
        else:
            line.hazard.shrunk(len(line))
        return True

    def offering(self, call_id: str, user_id: int | None) -> None:
        """The call rings at an agent: it keeps its place, is given to nobody else, and its clocks stand still. None: it
        rings no more, what became due meanwhile is due now. Raises UnknownCall."""
        entry = self._entry(call_id)
        line = self._lines[entry.queue_id]
        line.offer(entry, user_id)
        self._arm(line, entry)

    def taken(self, call_id: str, user_id: int, now: float) -> bool:
        """An agent took the call; it leaves. Returns whether it was waiting."""
        entry = self._entries.get(call_id)
        if entry is None:
            return False
        line = self._lines[entry.queue_id]
        line.last_asked = user_id
        if now > entry.entered:  # else it met a free agent: nothing is learnt about waiting
            line.hazard.taken(now)
        if entry.phone and line.settings.strategy is Strategy.STICKY:
            key = (entry.queue_id, entry.phone)
            self._spoke.pop(key, None)  # the newest last, the oldest is forgotten first
            self._spoke[key] = (user_id, now)
            if len(self._spoke) > _REMEMBERED:
                del self._spoke[next(iter(self._spoke))]
        return self.leave(call_id, now)

    def abandoned(self, call_id: str, now: float) -> bool:
        """The caller hung up; he leaves. Returns whether he was waiting."""
        entry = self._entries.get(call_id)
        if entry is None:
            return False
        self._lines[entry.queue_id].hazard.given_up(now)
        return self.leave(call_id, now)

    # ---------------------------------------------------------------------------------------------------- routing

    def agent_for(self, call_id: str, agents: Iterable[Free], now: float, rng: Random) -> int | None:
        """The best of the free `agents` for this call; None if none may take it, or it rings already. Raises
        UnknownCall. Fastest with a `FreeAgents`."""
        entry = self._entry(call_id)
        if entry.offered_to is not None:
            return None
        agent = self._best(entry, agents, now, rng)
        return agent.user_id if agent else None

    def call_for(self, agent: Free, agents: Iterable[Free], now: float, rng: Random) -> str | None:
        """The waiting call that this agent should have, over all his queues: the most urgent one (priority as it has
        aged, then the longest wait) that he may take and for which none of the other free `agents` is better."""
        others = agents if isinstance(agents, FreeAgents) else FreeAgents(agents)
        first: dict[tuple[object, ...], bool] = {}  # of callers alike: is it he?
        for entry in self._candidates(agent.queues, now, agent):
            ask = self._ask(entry, now)
            key = (entry.queue_id, ask.sticky, entry.skills, frozenset(ask.needs.items()))
            if key not in first:
                rivals = [a for a in others.of_queue(entry.queue_id) if a.user_id != agent.user_id]
                strategy = self._lines[entry.queue_id].settings.strategy
                first[key] = not rivals or best(strategy, ask, [agent, *rivals], rng) is agent
            if first[key]:
                return entry.call_id
        return None

    def pairs(self, agents: Iterable[Free], now: float, rng: Random) -> list[tuple[str, int]]:
        """All that can be given out now, the most urgent call first: (call, agent). Nothing is marked."""
        free = FreeAgents(agents)
        out: list[tuple[str, int]] = []
        hopeless: set[tuple[int, LaneKey]] = set()
        for entry in self._candidates(self._lines, now, None):
            if not len(free):
                break
            if (entry.queue_id, entry.lane) in hopeless:
                continue
            agent = self._best(entry, free, now, rng)
            if agent is None:
                hopeless.add((entry.queue_id, entry.lane))  # those behind want no less
                continue
            free.remove(agent.user_id)
            out.append((entry.call_id, agent.user_id))
        return out

    def _candidates(self, queue_ids: Iterable[int], now: float, agent: Free | None) -> Iterator[Entry]:
        """Callers of these queues whom `agent` may take (None: all), the most urgent first."""
        heads: list[tuple[float, float, str, Line, LaneKey, int]] = []
        for queue_id in queue_ids:
            line = self._lines.get(queue_id)
            if line is not None:
                for lane in line.lanes:
                    _push(heads, line, lane, 0, now, agent)
        while heads:
            _, _, call_id, line, lane, place = heapq.heappop(heads)
            yield self._entries[call_id]
            _push(heads, line, lane, place + 1, now, agent)

    def _best(self, entry: Entry, agents: Iterable[Free], now: float, rng: Random) -> Free | None:
        strategy = self._lines[entry.queue_id].settings.strategy
        return best(strategy, self._ask(entry, now), signed_on(agents, entry.queue_id), rng)

    def _ask(self, entry: Entry, now: float) -> Ask:
        line = self._lines[entry.queue_id]
        settings, own = line.settings, dict(entry.skills)
        return Ask(
            queue_id=entry.queue_id,
            wanted=wanted(settings, own),
            needs=needs(settings, own, now - entry.since),
            members=line.members,
            utilisation_cap=settings.utilisation_cap,
            last_asked=line.last_asked,
            sticky=self._sticky(settings, entry, now),
        )

    def _sticky(self, settings: QueueSettings, entry: Entry, now: float) -> int | None:
        if entry.sticky_agent is not None or settings.strategy is not Strategy.STICKY:
            return entry.sticky_agent
        known = [s for s in (self._spoke.get((entry.queue_id, entry.phone)), entry.spoke) if s is not None]
        user_id, at = max(known, key=lambda s: s[1], default=(None, 0.0))
        return user_id if now - at <= settings.sticky_s else None

    # --------------------------------------------------------------------------------------------------- looking

    def order(self, queue_id: int) -> list[str]:
        """The queue's calls, the next one first; those that ring at an agent too. Raises UnknownQueue."""
        return self._line(queue_id).order()

    def length(self, queue_id: int) -> int:
        """Calls in the queue. Raises UnknownQueue."""
        return len(self._line(queue_id))

    def position(self, call_id: str) -> int:
        """1: next. Raises UnknownCall."""
        entry = self._entry(call_id)
        return self._lines[entry.queue_id].position(entry)

    def offered_to(self, call_id: str) -> int | None:
        """At whom the call rings. Raises UnknownCall."""
        return self._entry(call_id).offered_to

    def queue_of(self, call_id: str) -> int | None:
        """The queue in which the call waits; None if in none."""
        entry = self._entries.get(call_id)
        return entry.queue_id if entry else None

    def longest_since(self, queue_id: int) -> float | None:
        """Since when the one who has waited longest waits. Raises UnknownQueue."""
        return min((e.since for e in self._line(queue_id).entries.values()), default=None)

    def expected_wait_s(self, *, call_id: str | None = None, queue_id: int | None = None, now: float) -> float | None:
        """Expected seconds until this call is taken, or until one that entered the queue now would be if all its agents
        are busy. None: nothing can be told yet. Raises UnknownCall, UnknownQueue."""
        if call_id is not None:
            entry = self._entry(call_id)
            line = self._lines[entry.queue_id]
            return line.hazard.wait_s(line.position(entry) - 1, now)
        if queue_id is None:
            raise ValueError("name a call or a queue")
        line = self._line(queue_id)
        return line.hazard.wait_s(len(line), now)

    # ---------------------------------------------------------------------------------------------------- clocks

    def due(self, now: float) -> list[Due]:
        """What has become due until `now`, in order of time; each is told once."""
        out: list[Due] = []
        while (told := self.next_due(now)) is not None:
            out.append(told)
        return out

    def next_due(self, now: float) -> Due | None:
        """The first of it, None if there is none. Who acts on each before he asks for the next is told nothing of a
        caller who has left, or rings at an agent, by then."""
        while self._clocks and self._clocks[0][0] <= now:
            at, _, call_id, clock, token = heapq.heappop(self._clocks)
            entry = self._entries.get(call_id)
            if entry is None or entry.token != token:
                continue
            line = self._lines[entry.queue_id]
            entry.done[clock] = now
            told = _tell(line, entry, clock, at)
            if clock in (Clock.RELAX, Clock.ANNOUNCE, Clock.COMFORT):
                self._wind(line, entry, clock)
            if told is not None:
                return told
        return None

    def next_deadline(self) -> float | None:
        """When `due` has something to say next; None: as things are, never."""
        while self._clocks:
            at, _, call_id, _, token = self._clocks[0]
            entry = self._entries.get(call_id)
            if entry is not None and entry.token == token:
                return at
            heapq.heappop(self._clocks)
        return None

    def _arm(self, line: Line, entry: Entry) -> None:
        """Set all clocks of a caller anew; none while he rings at an agent."""
        self._tokens += 1
        entry.token = self._tokens
        if entry.offered_to is None:
            self._wind(line, entry)

    def _wind(self, line: Line, entry: Entry, only: Clock | None = None) -> None:
        times = clocks(line.settings, dict(entry.skills), entry.since, entry.entered, entry.done, line.agents)
        for clock, at in times.items():
            if only is None or clock is only:
                heapq.heappush(self._clocks, (at, entry.token, entry.call_id, clock, entry.token))

    def shift(self, by_s: float) -> None:
        """The clock that gives `now` was set: everybody has waited as long as before, what is due is due as soon."""
        self._clocks = [(at + by_s, order, call_id, clock, token) for at, order, call_id, clock, token in self._clocks]
        for line in self._lines.values():
            line.shift(by_s)

    def _line(self, queue_id: int) -> Line:
        try:
            return self._lines[queue_id]
        except KeyError:
            raise UnknownQueue(queue_id) from None

    def _entry(self, call_id: str) -> Entry:
        try:
            return self._entries[call_id]
        except KeyError:
            raise UnknownCall(call_id) from None


def _push(
    heads: list[tuple[float, float, str, Line, LaneKey, int]],
    line: Line,
    lane: LaneKey,
    place: int,
    now: float,
    agent: Free | None,
) -> None:
    """Put the lane's caller at `place` among `heads`, if `agent` may take him."""
    callers = line.lanes[lane]
    if place >= len(callers):
        return
    since, call_id = callers[place]
    if agent is not None and not meets(agent, needs(line.settings, dict(lane[1]), now - since)):
        return
    urgency = line.urgency(line.entries[call_id], now)
    heapq.heappush(heads, (-urgency, since, call_id, line, lane, place))


def _tell(line: Line, entry: Entry, clock: Clock, at: float) -> Due | None:
    """What a clock that fired means; None if it means nothing any more."""
    over = line.settings.overflow
    destination, prompt = None, ""
    if clock is Clock.AFTER_WAIT:
        destination = over.after_wait
    elif clock is Clock.OVER_LENGTH:
        if line.position(entry) <= over.over_length:
            return None
        destination = over.length
    elif clock is Clock.NO_AGENTS:
        if line.agents != 0:
            return None
        destination = over.no_agents
    elif clock is Clock.COMFORT:
        prompts = line.settings.waiting.comfort
        prompt = prompts[entry.comforts % len(prompts)]
        entry.comforts += 1
    return Due(KINDS[clock], entry.call_id, entry.queue_id, at, destination, prompt)
