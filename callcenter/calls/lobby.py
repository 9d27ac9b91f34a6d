"""The lobby: calls that wait for an agent, and the agents at whom they ring.

A layer of the floor (`staffing.py` ← `lobby.py` ← `kept.py` ← `floor.py`). Who is next is decided by the pure
`acd/queues.py`; here its decisions become ringing agents, connected calls and facts. A call that rings at an agent
still waits and keeps its place. Whatever ends the ringing without an answer (time, the agent's hand, a lost browser)
leaves the call where it is and asks for the next agent at once. A call may also wait for one person
(`Call.for_agent`): he is rung when he is free; after a while, or when he does not answer, his voicemail takes the call.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from callcenter.acd.agent import Agent, AgentState
from callcenter.acd.control import ACD
from callcenter.acd.queues import Due, DueKind
from callcenter.acd.roster import WorkRules
from callcenter.acd.settings import QueueSettings
from callcenter.acd.today import day_of
from callcenter.calls import control as ctl
from callcenter.calls import effects as fx
from callcenter.calls.call import Call, CallInput, CallState
from callcenter.calls.destination import Destination, DestinationKind
from callcenter.calls.facts import CallLeftQueue, CallOffered, CallQueued, OfferEnded
from callcenter.calls.staffing import Staffing
from callcenter.errors import Conflict, NotFound

AGENT_RING_S = 20.0  # a call that is for one person rings so long at him
AGENT_WAIT_S = 45.0  # and waits so long for him to become free
AUTO_ANSWER_S = 0.7  # the card is on the screen before the voice is in the ear
STAY_S = 900.0  # beyond the longest wait: nobody is forgotten


class Lobby(Staffing):
    """Waiting calls."""

    def __init__(self, tenant: int, queue_settings: dict[int, QueueSettings] | None = None, seed: int = 1) -> None:
        super().__init__(tenant, queue_settings, seed)
        self.team.on_offer_lost = self._offer_lost

    # -------------------------------------------------------------------------------------------------------- settings

    def settle_queue(self, settings: QueueSettings, now: float) -> None:
        """A queue's settings as they are from now on. The agents' own queues are told by `team.know`."""
        self.queue_settings[settings.id] = settings
        self.queues.settle(settings)
        self.team.queue_rules[settings.id] = WorkRules(settings.name, settings.wrap_up_s, settings.disposition_required)
        signed_on = sum(settings.id in queues for queues in self._signed_on.values())
        self.queues.staffed(settings.id, signed_on, self._at(now))
        self._do(fx.QueueChanged(settings.id))

    def drop_queue(self, queue_id: int, now: float) -> None:
        """The queue is gone; who waits in it is asked for a message."""
        if queue_id not in self.queue_settings:
            return
        self.queue_settings[queue_id] = replace(self.queue_settings[queue_id], enabled=False)
        for call_id in self.queues.order(queue_id):
            call = self.calls.get(call_id)
            if call is not None:
                self._withdraw(call, "transferred", now)
                self.divert(call, Destination(DestinationKind.VOICEMAIL), now)
            else:
                self._drop_ticket(call_id, "cancelled", now)
        self.queues.drop(queue_id)
        del self.queue_settings[queue_id]
        self.team.queue_rules.pop(queue_id, None)
        self.today.pop(queue_id, None)
        self.blending.pop(queue_id, None)
        self._do(fx.TodayChanged(queue_id))

    # --------------------------------------------------------------------------------------------------------- waiting

    def _wait_in_queue(self, call: Call, queue_id: int, now: float, data: Mapping[str, Any]) -> None:
        """An answered call that waits in nothing joins a queue. `data`: `control.HandOver`'s, `keep_place` for one that
        comes from another queue."""
        settings = self.queue_settings.get(queue_id)
        if settings is None or not settings.enabled:
            self.divert(call, Destination(DestinationKind.VOICEMAIL), now)
            return
        call.step(CallInput.QUEUE, now)
        call.control, call.queue_id, call.for_agent = ACD, queue_id, None
        if not data.get("keep_place") or call.queued_at is None:
            call.queued_at = now
        call.entered_at = now
        call.priority += int(data.get("priority", 0))
        call.skills = {str(k): int(v) for k, v in (data.get("skills") or call.skills).items()}
        call.sticky_agent = data.get("sticky_agent", call.sticky_agent)
        rule = call.record_rule or settings.record
        call.record, call.on_demand = rule == "always", rule == "on_demand"
        if settings.script_id is not None:
            call.card = {**call.card, "script_id": settings.script_id}
        self._timer(call, "stay", now + settings.max_wait_s + STAY_S)
        self._fact(call, CallQueued(call.call_id, queue_id, now, call.queued_at, call.priority, call.number))
        self._count(queue_id, now).offered += 1
        self._join(call, now)
        self._ask(call, ctl.HandedOver(data), now)
        self._route(call, now)
        self._changed(call)

    def _join(self, call: Call, now: float) -> None:
        assert call.queue_id is not None and call.queued_at is not None
        self.queues.enter(
            call.call_id, call.queue_id, now, since=call.queued_at, priority=call.priority, skills=call.skills,
            sticky_agent=call.sticky_agent, phone=call.number, spoke=_spoke(call),
        )  # fmt: skip
        self._do(fx.QueueChanged(call.queue_id))

    def _wait_for_agent(self, call: Call, user_id: int, now: float) -> None:
        """An answered call that is for one person."""
        agent = self.team.agents.get(user_id)
        call.step(CallInput.QUEUE, now)
        call.control, call.queue_id, call.for_agent = ACD, None, user_id
        call.queued_at = call.entered_at = now
        rule = call.record_rule or "always"
        call.record, call.on_demand = rule == "always", rule == "on_demand"
        if agent is None or agent.state in (AgentState.OFFLINE, AgentState.PAUSED):
            self._not_reached(call, now)
            return
        self._timer(call, "stay", now + AGENT_WAIT_S + STAY_S)
        self._timer(call, "reach", now + AGENT_WAIT_S)
        self._ask(call, ctl.HandedOver(), now)
        if agent.free:
            self._offer(call, agent, now)
        self._changed(call)

    def _not_reached(self, call: Call, now: float) -> None:
        user_id = call.for_agent
        self._withdraw(call, "voicemail", now)
        self.divert(call, Destination(DestinationKind.VOICEMAIL, user_id), now)

    def _withdraw(self, call: Call, how: str, now: float) -> None:
        """See `Book._withdraw`."""
        queue_id = self.queues.queue_of(call.call_id)
        if queue_id is not None:
            settings = self.queue_settings[queue_id]
            wait_s = now - (call.entered_at if call.entered_at is not None else now)
            today = self._count(queue_id, now)
            in_target = how == "connected" and wait_s <= settings.service_level_s
            if how == "connected":
                assert call.offered_to is not None
                self.queues.taken(call.call_id, call.offered_to, now)
                today.answered += 1
                today.answered_in_target += in_target
                today.waited_s += wait_s
            elif how == "abandoned":
                self.queues.abandoned(call.call_id, now)
                today.abandoned += 1
            else:
                self.queues.leave(call.call_id, now)
                today.overflowed += how == "overflow"
                today.callbacks += how == "callback"
            if how in ("connected", "abandoned"):
                self._blend_state(queue_id).ended(now, in_target)
            call.queue_wait_s += wait_s
            agent_id = call.offered_to if how == "connected" else None
            self._fact(call, CallLeftQueue(call.call_id, queue_id, now, round(wait_s, 3), how, agent_id, in_target))
            self._do(fx.QueueChanged(queue_id))
        call.entered_at = call.for_agent = None
        self.timers.cancel(("call", call.call_id, "reach"))
        if how != "connected":
            self._stop_offer(call, "gone", now)

    # --------------------------------------------------------------------------------------------------------- ringing

    def _route(self, call: Call, now: float) -> None:
        """Ring at the best free agent, if there is one for this call."""
        if self.queues.queue_of(call.call_id) is None or call.offered_to is not None:
            return
        user_id = self.queues.agent_for(call.call_id, self._free, now, self._rng)
        if user_id is not None:
            self._offer(call, self.team.agents[user_id], now)

    def _serve(self, agent: Agent, now: float) -> None:
        """Something for an agent who has become free: who waits for him alone, then whoever is next in his queues."""
        mine = [
            c
            for c in self.calls.values()
            if c.for_agent == agent.user_id and c.offered_to is None and c.hanging_up_since is None
        ]
        if mine:
            self._offer(min(mine, key=lambda c: (c.queued_at or 0.0, c.call_id)), agent, now)
            return
        if not agent.queues:
            return
        found = self.queues.call_for(self._as_free(agent, now), self._free, now, self._rng)
        if found is None:
            return
        call = self.calls.get(found)
        if call is not None:
            self._offer(call, agent, now)
        else:
            self._dial_ticket(found, agent, now)

    def _offer(self, call: Call, agent: Agent, now: float) -> None:
        settings = self.queue_settings.get(call.queue_id or -1)
        ring_s = settings.ring_s if settings is not None else AGENT_RING_S
        auto = settings is not None and settings.auto_answer
        call.offered_to, call.offered_at = agent.user_id, now
        if settings is not None:
            self.queues.offering(call.call_id, agent.user_id)
            self._do(fx.QueueChanged(settings.id))
        self._timer(call, "answer" if auto else "offer", now + (AUTO_ANSWER_S if auto else ring_s))
        self._fact(call, CallOffered(call.call_id, call.queue_id, agent.user_id, now))
        view = replace(self._view(call, "offered"), since=now, answer_until=now + ring_s, auto_answer=auto)
        self.team.ring(agent, view, now)
        self._changed(call)

    def answer(self, user_id: int, now: float) -> None:
        """The agent picks up what rings at him. Raises Conflict."""
        if self.answer_party(user_id, now):
            return
        call = self._ringing_at(user_id)
        if call is None:
            if self.answer_party(user_id, now):
                return
            if self.call_of(user_id) is not None:
                return  # answered already, by a second tab or by itself
            raise Conflict("No call is ringing any more.", code="no_offer")
        self._take_offer(call, now)

    def decline(self, user_id: int, now: float) -> None:
        """The agent does not take what rings at him, and is paused. Raises Conflict."""
        if self.decline_party(user_id, now):
            return
        call = self._ringing_at(user_id)
        if call is None:
            if self.decline_party(user_id, now):
                return
            raise Conflict("No call is ringing any more.", code="no_offer")
        self._offer_failed(call, "declined", now)

    def _take_offer(self, call: Call, now: float) -> None:
        assert call.offered_to is not None and call.offered_at is not None
        agent = self.team.agents[call.offered_to]
        if agent.phone.state != "connected":
            raise Conflict("Your phone is not connected. Allow the microphone and connect it.", code="phone_off")
        self._fact(
            call,
            OfferEnded(call.call_id, call.queue_id, agent.user_id, now, "taken", round(now - call.offered_at, 3)),
        )
        for name in ("offer", "answer"):
            self.timers.cancel(("call", call.call_id, name))
        if call.queue_id is not None:
            day = day_of(now, self.zone)
            if agent.taken_day != day:
                agent.taken, agent.taken_day = {}, day
            agent.taken[call.queue_id] = agent.taken.get(call.queue_id, 0) + 1
        self._withdraw(call, "connected", now)
        call.offered_to = call.offered_at = None
        call.play, call.diverted = "", 0
        self._connect(call, agent, now)

    def _offer_failed(self, call: Call, how: str, now: float) -> None:
        """No answer, or declined: the agent is paused, the call goes on to the next."""
        for_one = call.for_agent is not None
        self._stop_offer(call, how, now, pause=how)
        if for_one:
            self._not_reached(call, now)
        else:
            self._route(call, now)
            self._changed(call)

    def _stop_offer(self, call: Call, how: str, now: float, pause: str = "") -> None:
        """It rings at nobody any more; who it rang at is free again, or paused."""
        user_id = self._end_offer(call, how, now)
        agent = self.team.agents.get(user_id) if user_id is not None else None
        if agent is not None and _rings_for(agent, call.call_id):
            self.team.stop_ringing(agent, pause, now)

    def _end_offer(self, call: Call, how: str, now: float) -> int | None:
        user_id, since = call.offered_to, call.offered_at
        if user_id is None or since is None:
            return None
        call.offered_to = call.offered_at = None
        for name in ("offer", "answer"):
            self.timers.cancel(("call", call.call_id, name))
        if self.queues.queue_of(call.call_id) is not None:
            self.queues.offering(call.call_id, None)
            self._do(fx.QueueChanged(call.queue_id or 0))
        self._fact(call, OfferEnded(call.call_id, call.queue_id, user_id, now, how, round(now - since, 3)))
        return user_id

    def _offer_lost(self, agent: Agent, call_id: str, now: float) -> None:
        """The agent at whom it rings was paused or is gone: the caller keeps his place and goes on."""
        if self.unrung_party(agent.user_id, call_id, now):
            return
        call = self.calls.get(call_id)
        if call is None or call.offered_to != agent.user_id:
            self.unrung_party(agent.user_id, call_id, now)
            return
        self._end_offer(call, "gone", now)
        if call.for_agent is not None:
            self._not_reached(call, now)
        else:
            self._route(call, now)
            self._changed(call)

    def _ringing_at(self, user_id: int) -> Call | None:
        agent = self.team.agent(user_id)
        if agent.state is not AgentState.RINGING or agent.call is None:
            return None
        call = self.calls.get(agent.call.call_id)
        return call if call is not None and call.offered_to == user_id else None

    # ------------------------------------------------------------------------------------------------------ what is due

    def _queue_is_due(self, due: Due, now: float) -> None:
        call = self.calls.get(due.call_id)
        if call is None:
            if due.kind is DueKind.RELAX:
                self._route_ticket(due.call_id, now)
            return
        if self.queues.queue_of(call.call_id) != due.queue_id:
            return  # what was due in the same instant has taken it elsewhere
        settings = self.queue_settings[due.queue_id]
        match due.kind:
            case DueKind.RELAX:
                self._route(call, now)
            case DueKind.ANNOUNCE:
                said = settings.waiting
                place = self.queues.position(call.call_id) if said.announce_position else None
                wait_s = self.queues.expected_wait_s(call_id=call.call_id, now=now) if said.announce_wait else None
                self._ask(call, ctl.QueueDue(due.kind.value, place, wait_s), now)
            case DueKind.COMFORT | DueKind.OFFER_CALLBACK:
                self._ask(call, ctl.QueueDue(due.kind.value, prompt=due.prompt), now)
            case DueKind.OVERFLOW if due.destination is not None:
                self._withdraw(call, "overflow", now)
                self.divert(call, due.destination, now, {"keep_place": True})
            case DueKind.MAX_WAIT:
                self._withdraw(call, "ended", now)
                call.abandoned = True
                self._ask(call, ctl.QueueDue(due.kind.value), now)

    def _lobby_timer(self, call: Call, name: str, now: float) -> bool:
        """A timer of a waiting call; False if it is none of the lobby's."""
        if name == "offer" and call.offered_to is not None:
            self._offer_failed(call, "no_answer", now)
        elif name == "answer" and call.offered_to is not None:
            try:
                self._take_offer(call, now)
            except Conflict:
                self._offer_failed(call, "no_answer", now)
        elif name == "reach" and call.for_agent is not None:
            if call.offered_to is None:
                self._not_reached(call, now)
        else:
            return name in ("offer", "answer", "reach")
        return True

    def remove_waiting(self, call_id: str, to: Destination, now: float) -> None:
        """A supervisor sends a waiting caller elsewhere, or gives up a kept place. Raises NotFound, Conflict."""
        call = self.calls.get(call_id)
        if call is None:
            if call_id not in self.tickets:
                raise NotFound("This caller does not wait any more.", code="not_waiting")
            self._drop_ticket(call_id, "cancelled", now)
            return
        if call.state is not CallState.WAITING or call.control != ACD or call.hanging_up_since is not None:
            raise Conflict("This caller does not wait any more.", code="not_waiting")
        self._withdraw(call, "transferred", now)
        self.divert(call, to, now)

    # ------------------------------------------------------------------------------------------------------ all at once

    def give_out(self, now: float) -> None:
        """Every waiting call that an agent is free for rings at him: after a change of settings, or a restart."""
        for call_id, user_id in self.queues.pairs(self._free, now, self._rng):
            call, agent = self.calls.get(call_id), self.team.agents[user_id]
            if not agent.free:
                continue
            if call is not None:
                self._offer(call, agent, now)
            else:
                self._dial_ticket(call_id, agent, now)

    # ---------------------------------------------------------------------------------------------------- kept places

    @abstractmethod
    def _dial_ticket(self, ticket_id: str, agent: Agent, now: float) -> None:
        """The kept place is next: its number is dialed for `agent` (`kept.py`)."""

    @abstractmethod
    def _route_ticket(self, ticket_id: str, now: float) -> None:
        """The kept place joins its queue, or is dialed at once if somebody is free (`kept.py`)."""

    @abstractmethod
    def _drop_ticket(self, ticket_id: str, how: str, now: float) -> None:
        """The kept place is over (`kept.py`). `how` as in `facts.CallbackTicketEnded`."""


def _rings_for(agent: Agent, call_id: str) -> bool:
    return agent.state is AgentState.RINGING and agent.call is not None and agent.call.call_id == call_id


def _spoke(call: Call) -> tuple[int, float] | None:
    user_id, at = call.caller.get("last_agent_id"), call.caller.get("last_call_at")
    return (int(user_id), float(at)) if user_id is not None and at is not None else None
