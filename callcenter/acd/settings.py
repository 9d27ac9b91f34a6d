"""A queue's settings as routing reads them (the document "queue" of the enterprise's settings). Pure, plain data."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from callcenter.calls.destination import Destination


class Strategy(StrEnum):
    LONGEST_IDLE = "longest_idle"
    FEWEST_CALLS = "fewest_calls"  # taken from this queue today
    ROUND_ROBIN = "round_robin"
    SKILL_BEST = "skill_best"  # the highest sum of the wanted skills, then the longest idle
    STICKY = "sticky"  # who spoke with this caller last, for `sticky_s`; then the longest idle
    PERCENTAGE = "percentage"  # by the members' shares of the calls


@dataclass(frozen=True)
class Member:
    """An agent of the queue. `share` counts for PERCENTAGE, `penalty` (0 first) splits members into rings: a higher one
    is asked only when nobody of the lower ones is free."""

    user_id: int
    share: float = 1.0
    penalty: int = 0


@dataclass(frozen=True)
class SkillNeed:
    """A skill the queue wants at `level` (1–10); every `relax_every_s` of waiting the level falls by one, down to
    `at_least` (0: not wanted any more). `relax_every_s` 0: never."""

    skill: str
    level: int
    relax_every_s: float = 0.0
    at_least: int = 0


@dataclass(frozen=True)
class Waiting:
    """What the caller hears. Prompts as in `calls.control.Play`; `music` loops between announcements. `comfort` are
    played in turn every `comfort_every_s`; position and expected wait are said every `announce_every_s` (0: never)."""

    greeting: str = ""
    music: str = "hold_music"
    announce_every_s: float = 45.0
    announce_position: bool = True
    announce_wait: bool = True
    comfort: tuple[str, ...] = ()
    comfort_every_s: float = 60.0


@dataclass(frozen=True)
class CallbackOffer:
    """After `after_s` of waiting the caller is told to press `key` to be called back and keep the place."""

    enabled: bool = False
    after_s: float = 60.0
    key: str = "1"
    expires_s: float = 14_400.0
    tries: int = 2


@dataclass(frozen=True)
class Overflow:
    """When a caller leaves the queue unasked; None: never. `no_agents`: nobody is signed on to the queue."""

    after_wait_s: float = 0.0  # 0: never
    after_wait: Destination | None = None
    over_length: int = 0  # 0: never
    length: Destination | None = None
    no_agents: Destination | None = None


@dataclass(frozen=True)
class Blending:
    """The queue's agents are kept from campaigns while the longest wait is over `wait_s`, or the service level of the
    last 30 minutes is under the target, or fewer than `reserve` of its agents are free; let go `release_s` after that
    is mended. `enabled` False: campaigns and queue share them as calls come."""

    enabled: bool = False
    wait_s: float = 10.0
    reserve: int = 0
    release_s: float = 60.0


@dataclass(frozen=True)
class QueueSettings:
    """All of a queue. `priority`: higher goes first; a caller gains `ageing_per_min` of it per minute, so that nobody
    starves. `ring_s`: how long an agent rings before the call goes on. `utilisation_cap`: an agent busier than this
    fraction of his last 60 min is asked last; 1 is off."""

    id: int
    name: str
    strategy: Strategy = Strategy.LONGEST_IDLE
    members: tuple[Member, ...] = ()
    skills: tuple[SkillNeed, ...] = ()
    priority: int = 0
    ageing_per_min: float = 1.0
    ring_s: float = 15.0
    auto_answer: bool = False
    wrap_up_s: float = 30.0
    disposition_required: bool = False
    sticky_s: float = 604_800.0
    service_level_s: float = 20.0
    service_level: float = 0.8
    utilisation_cap: float = 1.0
    record: str = "always"  # always, on_demand, never
    max_wait_s: float = 3600.0  # then the caller is told goodbye, whatever else is set
    waiting: Waiting = Waiting()
    callback: CallbackOffer = CallbackOffer()
    overflow: Overflow = Overflow()
    blending: Blending = Blending()
    language: str = "en"
    voicemail_greeting: str = ""  # a prompt, before a message is left in the queue's box; empty: the installation's
    script_id: int | None = None
    enabled: bool = True
