"""A menu that is tried out from an agent's own phone: a call without a leg, a trunk or a CDR.

A layer of the floor (`turns.py` ← `trying.py` ← `floor.py`). The agent's port is the caller's, the keypad of his desk
is the caller's. Where the menu would send the call on, the try-out ends, and `bound_for` says where it would have gone.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from callcenter.acd.agent import AgentState
from callcenter.calls import effects as fx
from callcenter.calls.call import Call, CallInput, CallState
from callcenter.calls.destination import Destination, DestinationKind
from callcenter.calls.leg import LegState
from callcenter.calls.turns import IVR, MENU_S, Turns
from callcenter.errors import Conflict
from callcenter.telephony import ports as p

TRY = "try"  # `Call.mode`


class Trying(Turns):
    """Calls of mode TRY."""

    def try_menu(self, call: Call, data: Mapping[str, Any], now: float) -> None:
        """Begin (`call.agent_id` is whose phone, `call.port_id` its port). Raises Conflict."""
        agent = self.team.agent(call.agent_id or 0)
        if agent.phone.state != "connected":
            raise Conflict("Your phone is not connected. Allow the microphone and connect it.", code="phone_off")
        if agent.state not in (AgentState.AVAILABLE, AgentState.PAUSED):
            raise Conflict("Finish what you are doing before you try a menu.", code="busy")
        call.mode = TRY
        call.state_since = call.answered_at = now
        call.state, call.leg = CallState.WAITING, LegState.ANSWERED
        self.team.take(agent, self._view(call, "talking"), now)
        self.calls[call.call_id] = call
        self._hand_over(call, CallInput.MENU, IVR, data, MENU_S, now)

    def divert(self, call: Call, to: Destination, now: float, data: Mapping[str, Any] | None = None) -> None:
        """See `Book.divert`."""
        if call.mode != TRY or to.kind is DestinationKind.MENU:
            super().divert(call, to, now, data)
            return
        call.bound_for = {"kind": to.kind.value, "id": to.id, "number": to.number}
        self.hang_up(call, "system", now)

    def hang_up(self, call: Call, by: str, now: float) -> None:
        """See `Book.hang_up`; there is no far end to wait for."""
        if call.mode != TRY:
            super().hang_up(call, by, now)
        elif call.state is not CallState.ENDED:
            call.hung_up_by = by
            if call.play:
                self._do(fx.StopPlay(call.port))
            self._end(call, p.Cause.NORMAL, 0, now, by_us=True)
            self._do(fx.TryEnded(call))

    def keys(self, user_id: int, digits: str, now: float) -> None:
        """Keypad digits: for the far end, or for the menu that is tried. Raises Conflict."""
        call = self.call_of(user_id)
        if call is None or call.mode != TRY:
            self.dtmf(user_id, digits)
            return
        for digit in digits:
            if call.state is CallState.MENU:
                self.key(call, digit, now)

    def _fact(self, call: Call, fact: object) -> None:
        if call.mode != TRY:
            super()._fact(call, fact)
