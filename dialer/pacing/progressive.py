"""Progressive dialing: one call per free agent.

Nobody who answers ever waits for an agent, and every agent waits through the ringing of the calls that are not
answered. A pacer of any mode has this shape: facts at the start, a snapshot per tick, a number out.
"""

from dialer.pacing.interface import CampaignInfo, Snapshot, in_flight


class Pacer:
    """Keeps as many calls in flight as agents are ready."""

    def start(self, info: CampaignInfo) -> None:
        """Nothing of the campaign changes this rule."""

    def decide(self, s: Snapshot) -> int:
        """Calls to place now, a whole number ≥ 0: one per ready agent, less those already in flight for them."""
        return max(0, len(s.ready_since) - in_flight(s))
