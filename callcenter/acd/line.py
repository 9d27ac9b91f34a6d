"""The line of one queue: who waits, in which order, and who of them may be next for an agent. Pure.

Order: a caller's priority plus the queue's, growing by `ageing_per_min`; then who has waited longer. As all callers of
a queue age alike, their order never changes while they wait, so each has one fixed key and the line is kept sorted.

Callers with the same priority and the same skills of their own share a *lane*, sorted by waiting. Needs only fall with
waiting, so when an agent does not meet the needs of a lane's first caller, he meets those of no other in it: a decision
looks at one caller a lane, not at all of them. Who rings at an agent keeps his place in the line and leaves his lane.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from dataclasses import dataclass, field

from callcenter.acd.hazard import Hazard
from callcenter.acd.settings import Member, QueueSettings
from callcenter.acd.waiting import Clock

Skills = tuple[tuple[str, int], ...]
LaneKey = tuple[int, Skills]
Key = tuple[float, float, str]


@dataclass
class Entry:
    """A caller in a queue. `since`: the wait counts from here, kept over queues; `entered` this queue. `done`: when
    each of his clocks fired last; `comforts`: messages of comfort heard; `token` tells deadlines of now from older."""

    call_id: str
    queue_id: int
    since: float
    entered: float
    priority: int = 0
    skills: Skills = ()
    sticky_agent: int | None = None
    phone: str = ""
    spoke: tuple[int, float] | None = None  # with whom he spoke last, and when
    offered_to: int | None = None
    done: dict[Clock, float] = field(default_factory=dict)
    comforts: int = 0
    token: int = 0

    @property
    def lane(self) -> LaneKey:
        return self.priority, self.skills


class Line:
    """One queue: its settings and who waits in it. `agents`: signed on to it, None until somebody says."""

    def __init__(self, settings: QueueSettings) -> None:
        self.settings = settings
        self.members: dict[int, Member] = {m.user_id: m for m in settings.members}
        self.entries: dict[str, Entry] = {}
        self.lanes: dict[LaneKey, list[tuple[float, str]]] = {}
        self.hazard = Hazard()
        self.agents: int | None = None
        self.last_asked = 0
        self._order: list[Key] = []

    def settle(self, settings: QueueSettings) -> None:
        """New settings; the callers stay."""
        self.settings = settings
        self.members = {m.user_id: m for m in settings.members}
        self._order = sorted(self._key(e) for e in self.entries.values())

    def add(self, entry: Entry) -> None:
        """A caller joins."""
        self.entries[entry.call_id] = entry
        insort(self._order, self._key(entry))
        self._join_lane(entry)

    def remove(self, entry: Entry) -> None:
        """A caller is gone."""
        del self.entries[entry.call_id]
        del self._order[bisect_left(self._order, self._key(entry))]
        if entry.offered_to is None:
            self._leave_lane(entry)

    def offer(self, entry: Entry, user_id: int | None) -> None:
        """The caller rings at an agent, or (None) at nobody any more."""
        if (entry.offered_to is None) != (user_id is None):
            if user_id is None:
                self._join_lane(entry)
            else:
                self._leave_lane(entry)
        entry.offered_to = user_id
        if user_id is not None:
            self.last_asked = user_id

    def shift(self, by_s: float) -> None:
        """The clock was set by so much."""
        for entry in self.entries.values():
            entry.since += by_s
            entry.entered += by_s
            entry.done = {clock: at + by_s for clock, at in entry.done.items()}
        self.lanes = {key: [(since + by_s, call_id) for since, call_id in lane] for key, lane in self.lanes.items()}
        self._order = sorted(self._key(e) for e in self.entries.values())
        self.hazard.shift(by_s)

    def order(self) -> list[str]:
        """Call ids, the next one first; those that ring at an agent too."""
        return [key[2] for key in self._order]

    def position(self, entry: Entry) -> int:
        """1: next."""
        return bisect_left(self._order, self._key(entry)) + 1

    def urgency(self, entry: Entry, now: float) -> float:
        """Priority as it has grown; what callers of different queues are compared by."""
        aged = self.settings.ageing_per_min * (now - entry.since) / 60.0
        return self.settings.priority + entry.priority + aged

    def __len__(self) -> int:
        return len(self.entries)

    def _key(self, entry: Entry) -> Key:
        # `urgency` less what is the same for all at any one time.
        fixed = entry.priority - self.settings.ageing_per_min * entry.since / 60.0
        return -fixed, entry.since, entry.call_id

    def _join_lane(self, entry: Entry) -> None:
        insort(self.lanes.setdefault(entry.lane, []), (entry.since, entry.call_id))

    def _leave_lane(self, entry: Entry) -> None:
        lane = self.lanes[entry.lane]
        del lane[bisect_left(lane, (entry.since, entry.call_id))]
        if not lane:
            del self.lanes[entry.lane]
