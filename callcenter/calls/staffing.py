"""Who answers the queues: agents that are signed on and free, the queues' figures of today, agents kept from campaigns.

A layer of the floor (`transfers.py` ← `staffing.py` ← `lobby.py`). It knows who could take a call; who does is decided
in the lobby.
"""

from __future__ import annotations

from random import Random
from zoneinfo import ZoneInfo

from callcenter.acd import blending
from callcenter.acd.agent import Agent, AgentState
from callcenter.acd.queues import Free, FreeAgents, Queues
from callcenter.acd.settings import QueueSettings
from callcenter.acd.today import Today, day_of, queue_view
from callcenter.acd.views import QueueView, WaitingView
from callcenter.calls import effects as fx
from callcenter.calls.tickets import Ticket
from callcenter.calls.transfers import Transfers


class Staffing(Transfers):
    """Agents of queues. `queue_settings` by id is shared with `AcdControl`."""

    def __init__(self, tenant: int, queue_settings: dict[int, QueueSettings] | None = None, seed: int = 1) -> None:
        super().__init__(tenant)
        self.queue_settings = {} if queue_settings is None else queue_settings
        self.queues = Queues()
        self.today: dict[int, Today] = {}
        self.zone = ZoneInfo("UTC")
        self.blending: dict[int, blending.State] = {}
        self.tickets: dict[str, Ticket] = {}
        self._free = FreeAgents()
        self._signed_on: dict[int, frozenset[int]] = {}  # user → queues, while not offline
        self._rng = Random(seed)
        self._latest = 0.0
        self.team.on_changed = self._agent_changed
        self.team.on_handled = self._handled

    # ------------------------------------------------------------------------------------------------------- the agents

    def _agent_changed(self, agent: Agent) -> None:
        """Keep who is free and who is signed on."""
        present = agent.state is not AgentState.OFFLINE and agent.user_id in self.team.agents
        queues = frozenset(agent.queues) if present else frozenset()
        before = self._signed_on.get(agent.user_id, frozenset())
        if queues != before:
            self._signed_on[agent.user_id] = queues
            for queue_id in queues ^ before:
                if queue_id in self.queues:
                    n = sum(queue_id in q for q in self._signed_on.values())
                    self.queues.staffed(queue_id, n, self._at(agent.since))
        if agent.free and queues:
            self._free.put(self._as_free(agent, agent.since))
        else:
            self._free.remove(agent.user_id)

    def _as_free(self, agent: Agent, now: float) -> Free:
        capped = any(self.queue_settings[q].utilisation_cap < 1.0 for q in agent.queues if q in self.queue_settings)
        return Free(
            user_id=agent.user_id,
            since=agent.since,
            queues=frozenset(agent.queues),
            skills=agent.skills,
            taken=agent.taken if agent.taken_day == day_of(now, self.zone) else {},
            utilisation=self.team.utilisation(agent.user_id, now) if capped else 0.0,
        )

    def _handled(self, view_queue: int | None, seconds: float, conversation: bool, now: float) -> None:
        """An agent spent `seconds` talking (`conversation`) or wrapping up for a queue."""
        if view_queue is None or view_queue not in self.queue_settings:
            return
        today = self._count(view_queue, now)
        today.handled += conversation
        today.handled_s += seconds
        self._do(fx.QueueChanged(view_queue))

    # --------------------------------------------------------------------------------------------------------- figures

    def _count(self, queue_id: int, now: float) -> Today:
        day = day_of(now, self.zone)
        today = self.today.get(queue_id)
        if today is None or today.day != day:
            today = self.today[queue_id] = Today(day)
        self._do(fx.TodayChanged(queue_id))
        return today

    def queue_view(self, queue_id: int, now: float) -> QueueView | None:
        """The queue's document; None if it is gone."""
        settings = self.queue_settings.get(queue_id)
        if settings is None:
            return None
        today = self.today.get(queue_id)
        if today is None or today.day != day_of(now, self.zone):
            today = Today()
        waiting = [self._waiting_view(call_id) for call_id in self.queues.order(queue_id)]
        state = self.blending.get(queue_id)
        return queue_view(
            settings, today, waiting, self.team.of_queue(queue_id),
            self.queues.expected_wait_s(queue_id=queue_id, now=self._at(now)),
            "inbound" if state is not None and state.withholding else "", now,
        )  # fmt: skip

    def _waiting_view(self, call_id: str) -> WaitingView:
        call = self.calls.get(call_id)
        if call is not None:
            name = str(call.card.get("name") or "")
            since = call.queued_at or call.started_at
            return WaitingView(call_id, call.number, name, since, call.priority, call.offered_to)
        ticket = self.tickets[call_id]
        name = str(ticket.card.get("name") or "")
        offered = self.queues.offered_to(call_id)
        return WaitingView(call_id, ticket.number, name, ticket.since, ticket.priority, offered, callback=True)

    def blend(self, now: float) -> None:
        """Each second: which agents are kept from campaigns."""
        withheld: set[int] = set()
        for queue_id, settings in self.queue_settings.items():
            state = self._blend_state(queue_id)
            if not (settings.blending.enabled or state.withholding):
                continue
            since = self.queues.longest_since(queue_id)
            agents = list(self.team.of_queue(queue_id))
            before = state.withholding
            free = sum(a.free for a in agents)
            signed_on = sum(a.state is not AgentState.OFFLINE for a in agents)
            if state.judge(settings, now - since if since is not None else 0.0, free, signed_on, now):
                withheld |= {a.user_id for a in agents}
            if state.withholding != before:
                self._do(fx.QueueChanged(queue_id))
        released, self.team.withheld = self.team.withheld - withheld, frozenset(withheld)
        for user_id in sorted(released):
            agent = self.team.agents.get(user_id)
            if agent is not None and agent.free:
                self.team.on_free(agent, now)

    def _blend_state(self, queue_id: int) -> blending.State:
        return self.blending.setdefault(queue_id, blending.State())

    # ---------------------------------------------------------------------------------------------------------- inside

    def _at(self, now: float) -> float:
        """The queues' clock never goes back."""
        self._latest = max(self._latest, now)
        return self._latest
