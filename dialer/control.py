"""What becomes of a dialed call.

`DialedControl` is for calls that the dialer placed on its own: a live answer goes to an agent at once; if none comes
free within the campaign's patience the caller hears the identification message and the call counts as abandoned
(product row D3). `ByHandControl` is for calls that an agent placed (click to call, preview): the agent is on the line
from the start.
"""

from __future__ import annotations

from collections.abc import Sequence

from callcenter.calls import control as c
from callcenter.calls.call import Call

DIALED = "dialed"
BY_HAND = "by_hand"


class DialedControl:
    """Progressive, power and predictive dialing."""

    name = DIALED

    def decide(self, turn: c.Turn, call: Call, now: float) -> Sequence[c.Answer]:
        """See `CallControl`."""
        match turn:
            case c.Answered():
                return [c.FindAgent()]
            case c.NobodyFree():
                return [c.Timer("patience", call.patience_s)]
            case c.TimerFired("patience"):
                return [c.Identify()]
        return []


class ByHandControl:
    """Manual dialing and previews."""

    name = BY_HAND

    def decide(self, turn: c.Turn, call: Call, now: float) -> Sequence[c.Answer]:
        """See `CallControl`."""
        match turn:
            case c.Placed():
                return [c.Attach()]
            case c.Ringing(early_media=False):
                return [c.Ringback()]
            case c.Answered():
                return [c.Bridge()]
        return []
