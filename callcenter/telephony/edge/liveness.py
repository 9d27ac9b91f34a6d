"""When a browser counts as interrupted and when as gone: the same clock for every edge. Pure."""

from __future__ import annotations

from callcenter.telephony.ports import EdgeState

QUIET_S = 3.0  # nothing from the browser for so long: interrupted (it sends 50 packets a second, muted too)
GIVE_UP_S = 30.0  # not connected for so long: closed
STATS_EVERY_S = 5.0


def next_state(state: EdgeState, quiet_s: float, in_state_s: float, usable: bool) -> EdgeState:
    """The state by the clock. `quiet_s` since the browser was last heard, `in_state_s` since the state began,
    `usable` whether a connection stands that can carry audio."""
    if state is EdgeState.CONNECTED and quiet_s > QUIET_S:
        return EdgeState.INTERRUPTED
    if state in (EdgeState.CONNECTING, EdgeState.INTERRUPTED) and usable and quiet_s < QUIET_S:
        return EdgeState.CONNECTED
    if state in (EdgeState.CONNECTING, EdgeState.INTERRUPTED) and in_state_s > GIVE_UP_S:
        return EdgeState.CLOSED
    return state
