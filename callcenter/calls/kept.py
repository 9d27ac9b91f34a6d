"""Callers who hung up and keep their place: tickets in the queue, dialed when their turn comes.

A layer of the floor (`lobby.py` ← `kept.py` ← `floor.py`). The agent comes first: when the place is the next for a free
agent, he is put on the call and the caller is dialed, so that nobody who is called back hears music again. A caller who
is not reached is tried again later, as often as the queue says; the ticket lives in Redis like a call, until it is
connected, given up or expired.
"""

from __future__ import annotations

from callcenter.acd.agent import Agent
from callcenter.acd.control import BAD_NUMBER, KEPT
from callcenter.calls import control as ctl
from callcenter.calls import effects as fx
from callcenter.calls.call import Call, CallState
from callcenter.calls.facts import CallbackKept, CallbackTicketEnded
from callcenter.calls.lobby import Lobby
from callcenter.calls.tickets import LINE_RETRY_S, RETRY_S, STILL_THERE_S, Ticket
from callcenter.ids import new_id
from callcenter.telephony.ports import Cause

NOT_REACHED = frozenset({Cause.BUSY, Cause.NO_ANSWER, Cause.DECLINED, Cause.INVALID})


class Kept(Lobby):
    """Tickets. `to_e164(keyed digits)` gives the number to dial, or None; the shell sets it by the country."""

    def to_e164(self, digits: str) -> str | None:
        """A number as a caller keyed it, in E.164; None if it is none."""
        return digits if digits.startswith("+") else None

    def _keep_place(self, call: Call, keyed: str, now: float) -> None:
        queue_id = self.queues.queue_of(call.call_id)
        if queue_id is None:
            return
        number = self.to_e164(keyed) if keyed else call.number
        if not number:
            self._ask(call, ctl.QueueDue(BAD_NUMBER), now)
            return
        rules = self.queue_settings[queue_id].callback
        ticket = Ticket(
            ticket_id=new_id(now), call_id=call.call_id, queue_id=queue_id, number=number,
            since=call.queued_at or now, expires_at=now + rules.expires_s, tries_left=max(1, rules.tries),
            priority=call.priority, skills=call.skills, sticky_agent=call.sticky_agent, customer_id=call.customer_id,
            did=call.did, language=call.language, card=call.card, caller=call.caller, path=list(call.path),
            shown=dict(call.shown),
        )  # fmt: skip
        self._withdraw(call, "callback", now)
        call.result = "callback"
        self.tickets[ticket.ticket_id] = ticket
        fact = CallbackKept(ticket.ticket_id, call.call_id, queue_id, number, now, ticket.expires_at)
        self._do(fx.Fact(fact, call.call_id))
        self._take_place(ticket, now)
        self._do(fx.TicketChanged(ticket.ticket_id))
        self._ask(call, ctl.QueueDue(KEPT), now)
        self._changed(call)
        self._route_ticket(ticket.ticket_id, now)

    def _take_place(self, ticket: Ticket, now: float) -> None:
        ticket.retry_at = None
        self.queues.enter(
            ticket.ticket_id, ticket.queue_id, now, since=ticket.since, priority=ticket.priority, skills=ticket.skills,
            sticky_agent=ticket.sticky_agent, phone=ticket.number,
        )  # fmt: skip
        self.timers.set(("ticket", ticket.ticket_id, "expire"), ticket.expires_at)
        self._do(fx.QueueChanged(ticket.queue_id))

    def _route_ticket(self, ticket_id: str, now: float) -> None:
        if self.queues.queue_of(ticket_id) is None:
            return
        user_id = self.queues.agent_for(ticket_id, self._free, now, self._rng)
        if user_id is not None:
            self._dial_ticket(ticket_id, self.team.agents[user_id], now)

    def _dial_ticket(self, ticket_id: str, agent: Agent, now: float) -> None:
        ticket = self.tickets[ticket_id]
        if ticket.call_id in self.calls:  # he hears yet that his place is kept: called now, he would be busy
            self._wait_for_retry(ticket, now + STILL_THERE_S, now)
            if agent.free:
                self.team.on_free(agent, now)
            return
        self.queues.offering(ticket_id, agent.user_id)
        self._free.remove(agent.user_id)  # until he is on the call, or the shell could not place it
        self._do(fx.DialQueued(ticket_id, agent.user_id))

    def ticket_dialed(self, call: Call, now: float) -> None:
        """The shell is about to place `call` for its ticket; the place is left for as long as it lasts. Raises
        KeyError if the ticket is gone."""
        ticket = self.tickets[call.ticket_id]
        ticket.dialed_by = call.call_id
        self.queues.leave(ticket.ticket_id, now)
        self._do(fx.TicketChanged(ticket.ticket_id))
        self._do(fx.QueueChanged(ticket.queue_id))

    def shift(self, by_s: float) -> None:
        """The clock that gives `now` was set by `by_s` seconds: whoever waits has waited as long as before."""
        self.timers.shift(by_s)
        self.queues.shift(by_s)
        self._latest += by_s
        for call in self.calls.values():
            call.queued_at = call.queued_at + by_s if call.queued_at is not None else None
            call.entered_at = call.entered_at + by_s if call.entered_at is not None else None
        for ticket in self.tickets.values():
            ticket.since, ticket.expires_at = ticket.since + by_s, ticket.expires_at + by_s
            ticket.retry_at = ticket.retry_at + by_s if ticket.retry_at is not None else None

    def refuse_ticket(self, ticket_id: str, now: float) -> None:
        """The number may not be called: the place is given up. Harmless if it is gone."""
        self._drop_ticket(ticket_id, "cancelled", now)

    def ticket_not_dialed(self, ticket_id: str, user_id: int, now: float) -> None:
        """No line was free, or the agent was not any more: the place stands still for a moment."""
        ticket = self.tickets.get(ticket_id)
        if ticket is not None:
            self._wait_for_retry(ticket, now + LINE_RETRY_S, now)
        agent = self.team.agents.get(user_id)
        if agent is not None:
            self._agent_changed(agent)
            if agent.free:
                self.team.on_free(agent, now)

    def _end(self, call: Call, cause: Cause, status: int, now: float, *, by_us: bool = False) -> None:
        was_over = call.state is CallState.ENDED
        super()._end(call, cause, status, now, by_us=by_us)
        if call.ticket_id and not was_over:
            self._ticket_call_ended(call, Cause(call.cause), now)

    def _ticket_call_ended(self, call: Call, cause: Cause, now: float) -> None:
        ticket = self.tickets.get(call.ticket_id)
        if ticket is None:
            return
        ticket.dialed_by = ""
        if call.connected_at is not None:
            self._drop_ticket(ticket.ticket_id, "connected", now, call.call_id)
            return
        if cause in NOT_REACHED:
            ticket.tries_left -= 1
        if ticket.tries_left <= 0:
            self._drop_ticket(ticket.ticket_id, "no_answer", now, call.call_id)
        elif now >= ticket.expires_at:
            self._drop_ticket(ticket.ticket_id, "expired", now, call.call_id)
        else:
            self._wait_for_retry(ticket, now + (RETRY_S if cause in NOT_REACHED else LINE_RETRY_S), now)

    def _wait_for_retry(self, ticket: Ticket, at: float, now: float) -> None:
        self.queues.leave(ticket.ticket_id, now)
        ticket.retry_at = at
        self.timers.set(("ticket", ticket.ticket_id, "retry"), at)
        self._do(fx.TicketChanged(ticket.ticket_id))
        self._do(fx.QueueChanged(ticket.queue_id))

    def _ticket_timer(self, ticket_id: str, name: str, now: float) -> None:
        ticket = self.tickets.get(ticket_id)
        if ticket is None:
            return
        if name == "expire":
            if ticket.dialed_by:
                return  # what comes of the call decides
            self._drop_ticket(ticket_id, "expired", now)
        elif ticket.queue_id not in self.queue_settings:
            self._drop_ticket(ticket_id, "cancelled", now)
        else:
            self._take_place(ticket, now)
            self._do(fx.TicketChanged(ticket_id))
            self._route_ticket(ticket_id, now)

    def _drop_ticket(self, ticket_id: str, how: str, now: float, call_id: str = "") -> None:
        ticket = self.tickets.pop(ticket_id, None)
        if ticket is None:
            return
        self.queues.leave(ticket_id, now)
        self.timers.cancel_all("ticket", ticket_id)
        fact = CallbackTicketEnded(ticket_id, ticket.queue_id, now, how, call_id)
        self._do(fx.Fact(fact, call_id or ticket.call_id))
        self._do(fx.TicketChanged(ticket_id))
        self._do(fx.QueueChanged(ticket.queue_id))

    def restore_ticket(self, ticket: Ticket, now: float) -> None:
        """Take up a place that a dead engine kept; its queue's settings are there already, its calls too."""
        self.tickets[ticket.ticket_id] = ticket
        if ticket.queue_id not in self.queue_settings:
            self._drop_ticket(ticket.ticket_id, "cancelled", now)
        elif now >= ticket.expires_at:
            self._drop_ticket(ticket.ticket_id, "expired", now)
        elif ticket.dialed_by in self.calls:
            self.timers.set(("ticket", ticket.ticket_id, "expire"), ticket.expires_at)
        else:
            ticket.dialed_by = ""
            if ticket.retry_at is not None and ticket.retry_at > now:
                self.timers.set(("ticket", ticket.ticket_id, "expire"), ticket.expires_at)
                self.timers.set(("ticket", ticket.ticket_id, "retry"), ticket.retry_at)
            else:
                self._take_place(ticket, now)
