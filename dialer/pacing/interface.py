"""What a pacer is told and what it answers. Times are seconds on one clock, rates are fractions (0.03 = 3 %).

A pacer is started once per shift-day with `CampaignInfo` and then asked once per tick, with a `Snapshot`, how many
numbers to dial now. It has no clock, does no I/O and uses no random state, so a whole shift replays in seconds.
"""

from collections.abc import Sequence
from typing import NamedTuple, Protocol


class CampaignInfo(NamedTuple):
    """Facts that hold for the shift, given once to `Pacer.start`."""

    abandon_cap: float
    """Most abandoned calls per live answer of the day, a fraction (0.03)."""
    patience_s: float
    """A live call that waited this long for an agent is abandoned."""
    tick_s: float
    """Time between two calls of `decide`."""
    ring_timeout_s: float
    """An unanswered call is given up this long after the dial."""
    max_lines: int
    """Most lines in use at once: ringing, screening, waiting, talking."""
    max_cps: float
    """Most new calls per second."""
    shift_s: float
    """Length of the shift from clock zero; `decide` is called until then."""
    amd: bool
    """Answering-machine detection screens answered calls."""


class Event(NamedTuple):
    """Something that happened since the last tick. Any (kind, t, value) triple will do.

    | kind | value |
    |---|---|
    | `answer` `live` `no_answer` `busy` `invalid` `machine` | seconds from the dial to this |
    | `connect` `abandon` | seconds the call waited for an agent |
    | `talk_end` `wrap_end` | seconds the agent spent in it |
    | `login` `logout` `pause` `unpause` | 0 |
    """

    kind: str
    t: float
    value: float


class Snapshot(NamedTuple):
    """What the dialer sees at one tick.

    Every `*_since` holds one time stamp per agent or call in that state, oldest first; elapsed time is `now - stamp`.
    """

    now: float
    """Seconds since the start of the shift."""
    ready_since: Sequence[float]
    """Agents waiting for a call."""
    talk_since: Sequence[float]
    """Agents in a call."""
    wrap_since: Sequence[float]
    """Agents in wrap-up."""
    paused_since: Sequence[float]
    """Agents signed in but paused."""
    ringing_since: Sequence[float]
    """Calls not answered yet: time of the dial."""
    screening_since: Sequence[float]
    """Calls answered, answering-machine detection still listening: time of the answer."""
    waiting_since: Sequence[float]
    """Live calls without an agent yet: time they were presented."""
    placed: int
    """Calls really placed by the previous decision; the rest was over a limit and is forgotten."""
    dialled: int
    """Calls placed since the start of the shift."""
    live: int
    """Of these, presented as live: connected and abandoned."""
    abandoned: int
    """Of these, abandoned."""
    events: Sequence[tuple[str, float, float]]
    """What happened since the last tick, in order: see `Event`."""


class Pacer(Protocol):
    """Decides how many numbers to dial. One object paces one campaign for one shift-day."""

    def start(self, info: CampaignInfo) -> None:
        """Begin a shift-day. Called once, before the first `decide`."""

    def decide(self, s: Snapshot) -> int:
        """New calls to place now, a whole number ≥ 0."""


def in_flight(s: Snapshot) -> int:
    """Calls dialed that hold no agent yet and may still need one."""
    return len(s.ringing_since) + len(s.screening_since) + len(s.waiting_since)


def signed_in(s: Snapshot) -> int:
    """Agents who take calls now or after what they are doing; paused ones are not among them."""
    return len(s.ready_since) + len(s.talk_since) + len(s.wrap_since)


def free_lines(info: CampaignInfo, s: Snapshot) -> int:
    """Lines on which a new call could be placed, ≥ 0."""
    return max(0, int(info.max_lines) - in_flight(s) - len(s.talk_since))
