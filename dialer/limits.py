"""Which limit keeps a campaign from dialing more, in the words of "why is it not dialing".

The codes are shown by the interface as sentences in the user's language (`campaign.limit.<code>`); `params` fill them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Limit(StrEnum):
    DIALING = "dialing"  # nothing stands in the way
    NOT_RUNNING = "not_running"
    ACCOUNT_EXPIRED = "account_expired"
    MANUAL = "manual"  # agents dial by hand
    NO_AGENTS = "no_agents"  # none signed in and available or busy
    NO_FREE_AGENTS = "no_free_agents"
    ENOUGH_IN_FLIGHT = "enough_in_flight"  # what rings now will keep the agents busy
    ABANDON_CAP = "abandon_cap"
    MAX_LINES = "max_lines"
    NO_TRUNK = "no_trunk"
    TRUNK_DOWN = "trunk_down"
    TRUNK_CHANNELS = "trunk_channels"
    TRUNK_CPS = "trunk_cps"
    HOPPER_EMPTY = "hopper_empty"  # being filled
    OUTSIDE_HOURS = "outside_hours"
    WAITING_RETRY = "waiting_retry"
    LIST_FINISHED = "list_finished"
    NO_LIST = "no_list"
    MEDIA_DOWN = "media_down"
    REDIS_DOWN = "redis_down"


@dataclass(frozen=True)
class Verdict:
    """How many calls to place now, and what keeps it from being more."""

    dials: int
    limit: Limit
    params: Mapping[str, object] = field(default_factory=dict)
