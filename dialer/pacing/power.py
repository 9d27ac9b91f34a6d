"""Power dialing: a fixed number of calls per free agent.

The ratio is the supervisor's choice and nothing corrects it: too high for the list, and answered calls find no agent.
"""

import math

from callcenter.errors import InvalidInput
from dialer.pacing.interface import CampaignInfo, Snapshot, in_flight

DEFAULT_RATIO = 1.5


class RatioOutOfRange(InvalidInput):
    """The ratio is not a finite number ≥ 0."""

    code = "pacing.ratio_out_of_range"

    def __init__(self, ratio: float) -> None:
        remedy = "calls per ready agent: a number of 0 or more"
        super().__init__(f"{ratio!r} is no ratio", fields={"ratio": remedy}, params={"ratio": ratio})


class Pacer:
    """Keeps `ratio` calls in flight per ready agent."""

    def __init__(self, ratio: float = DEFAULT_RATIO) -> None:
        if not math.isfinite(ratio) or ratio < 0:
            raise RatioOutOfRange(ratio)
        self.ratio = ratio

    def start(self, info: CampaignInfo) -> None:
        """Nothing of the campaign changes this rule."""

    def decide(self, s: Snapshot) -> int:
        """Calls to place now, a whole number ≥ 0: `ratio` per ready agent, rounded half up, less those in flight."""
        return max(0, math.floor(self.ratio * len(s.ready_since) + 0.5) - in_flight(s))
