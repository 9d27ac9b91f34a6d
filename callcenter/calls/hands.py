"""What an agent's hand does to a call: hang up, hold, keys, the outcome."""

from __future__ import annotations

from dataclasses import replace

from callcenter.calls import effects as fx
from callcenter.calls.book import Book
from callcenter.calls.call import CALL, Call, CallInput, CallState
from callcenter.calls.facts import CallDispositioned, CallerIdentified
from callcenter.calls.mix import hears
from callcenter.errors import Conflict


class Hands(Book):
    """The commands of agents about their own call. Each raises Conflict in words for the agent."""

    def agent_hang_up(self, user_id: int, now: float) -> None:
        """The agent ends the call; he is in wrap-up at once, whatever the far end answers. Raises Conflict."""
        self.hang_up(self._own_call(user_id), "agent", now)

    def hold(self, user_id: int, on: bool, now: float) -> None:
        """Hold (music for the customer) or resume. Raises Conflict if there is no conversation."""
        call = self._own_call(user_id)
        wanted = CallInput.HOLD if on else CallInput.RESUME
        if not CALL.accepts(call.state, wanted):
            if call.state in (CallState.TALKING, CallState.HELD):
                return  # it is so already
            raise Conflict("Only a conversation can be held.", code="not_talking")
        call.step(wanted, now)
        if on:
            call.held_at = now
        else:
            self._unhold(call, now)
        self._arrange(call)
        self._watch_silence(call, now)
        self._changed(call)
        self._show(call)

    def _unhold(self, call: Call, now: float) -> None:
        """The time on hold ends."""
        if call.held_at is not None:
            call.hold_s += now - call.held_at
            call.held_at = None

    def _arrange(self, call: Call) -> None:
        """Room and music as the call now stands: a held customer with whom nobody talks hears music."""
        self._patch(call)
        alone = call.state is CallState.HELD and call.port not in hears(call, self.tenant)
        if alone != call.music:
            call.music = alone
            self._music(call.port, call, on=alone)

    def _music(self, port: str, call: Call, *, on: bool) -> None:
        self._do(fx.Play(port, f"hold-{call.call_id}", "hold_music", loop=True) if on else fx.StopPlay(port))

    def dtmf(self, user_id: int, digits: str) -> None:
        """Keypad digits to the far end. Raises Conflict."""
        call = self._own_call(user_id)
        if not digits or any(d not in "0123456789*#ABCD" for d in digits) or len(digits) > 32:
            raise Conflict("Only the keys 0-9, * and # can be sent, at most 32 at once.", code="bad_digits")
        self._do(fx.SendDtmf(call.port, digits))

    def dispose(
        self, user_id: int, call_id: str, disposition_id: int, note: str, callback_at: float | None,
        callback_mine: bool, next_state: str, now: float,
    ) -> None:  # fmt: skip
        """The agent's outcome of his present or last call. Raises Conflict if it is another's."""
        agent = self.team.agent(user_id)
        if agent.call is None or agent.call.call_id != call_id:
            raise Conflict("This call is no longer yours to finish.", code="not_your_call")
        view = agent.call
        fact = CallDispositioned(
            call_id, user_id, view.campaign_id, view.lead_id, view.customer_id, view.phone_e164, disposition_id, note,
            callback_at, callback_mine,
        )  # fmt: skip
        self._do(fx.Fact(fact, call_id))
        self.team.disposed(agent, next_state, now)

    def identify_caller(self, user_id: int, customer_id: int, card: dict[str, object]) -> None:
        """The agent knows who this is. In wrap-up the card on screen follows too. Raises Conflict without a call."""
        agent = self.team.agent(user_id)
        if agent.call is None:
            raise Conflict("You are not on a call.", code="no_call")
        self._do(fx.Fact(CallerIdentified(agent.call.call_id, customer_id, user_id), agent.call.call_id))
        call = self.calls.get(agent.call.call_id)
        if call is not None and call.agent_id == user_id:
            call.customer_id, call.card = customer_id, {**call.card, **card}
            self._changed(call)
        self.team.show_call(
            agent, replace(agent.call, customer_id=customer_id, card={**agent.call.card, **card}, matches=())
        )

    def reattach(self, call: Call) -> None:
        """The agent's audio leg is there again: hear each other as before."""
        if call.agent_id is not None and call.state in (CallState.PLACED, CallState.TALKING, CallState.HELD):
            self._patch(call)

    def _own_call(self, user_id: int) -> Call:
        self.team.agent(user_id)
        call = self.call_of(user_id)
        if call is None:
            raise Conflict("You are not on a call.", code="no_call")
        return call
