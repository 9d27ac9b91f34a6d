"""The agents of one enterprise, the rules that campaigns and queues have for them, and how a change of one is told.

The lower half of `team.py`, which says what people's hands, calls and phones do to agents.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from callcenter.acd.agent import Agent, AgentInput, AgentState
from callcenter.acd.routing import longest_idle
from callcenter.acd.views import AgentView, CallView
from callcenter.acd.work import Work
from callcenter.calls import effects as fx
from callcenter.calls.facts import AgentStateChanged
from callcenter.calls.timers import Timers
from callcenter.errors import NotFound


@dataclass(frozen=True)
class WorkRules:
    """What a campaign asks of its agents. `wrap_up_s` 0: available at once after the outcome is set."""

    name: str = ""
    wrap_up_s: float = 30.0
    disposition_required: bool = True
    preview_s: float = 30.0


class Roster:
    """The agents of enterprise `tenant`. The `on_…` are the floor's."""

    def __init__(self, tenant: int, timers: Timers, out: list[fx.Effect]) -> None:
        self.tenant = tenant
        self.agents: dict[int, Agent] = {}
        self.rules: dict[int, WorkRules] = {}  # of campaigns
        self.queue_rules: dict[int, WorkRules] = {}
        self.withheld: frozenset[int] = frozenset()  # kept from campaigns for their queues
        self._timers = timers
        self._out = out
        self.on_free: Callable[[Agent, float], None] = lambda agent, now: None
        self.on_lost: Callable[[Agent, float], None] = lambda agent, now: None
        self.on_unwatch: Callable[[Agent, float], None] = lambda agent, now: None  # he supervises no longer
        self.on_offer_lost: Callable[[Agent, str, float], None] = lambda agent, call_id, now: None
        self.on_changed: Callable[[Agent], None] = lambda agent: None
        self.on_handled: Callable[[int | None, float, bool, float], None] = lambda queue, seconds, talked, now: None
        self._work = Work()

    # ------------------------------------------------------------------------------------------------ looking up

    def agent(self, user_id: int) -> Agent:
        """The agent, known from the users' settings. Raises NotFound."""
        try:
            return self.agents[user_id]
        except KeyError:
            raise NotFound("You are not set up as an agent of this enterprise.", code="not_an_agent") from None

    def pick(self, campaign_id: int | None) -> Agent | None:
        """The free agent of the campaign who has waited longest, of those that are not kept for queues."""
        return longest_idle(self.of_campaign(campaign_id))

    def of_campaign(self, campaign_id: int | None) -> Iterable[Agent]:
        """Agents that a campaign may use just now, whatever their state."""
        return (a for a in self.members_of(campaign_id) if a.user_id not in self.withheld)

    def members_of(self, campaign_id: int | None) -> Iterable[Agent]:
        """Agents of a campaign, those who are kept for queues among them."""
        return (a for a in self.agents.values() if campaign_id in a.campaigns)

    def of_queue(self, queue_id: int) -> Iterable[Agent]:
        """Agents of a queue, whatever their state."""
        return (a for a in self.agents.values() if queue_id in a.queues)

    def rules_of(self, campaign_id: int | None) -> WorkRules:
        """The campaign's rules for agents; defaults for calls of no campaign (no outcome is forced there)."""
        if campaign_id is None or campaign_id not in self.rules:
            return WorkRules(disposition_required=False)
        return self.rules[campaign_id]

    def rules_for(self, call: CallView) -> WorkRules:
        """The rules of the queue that a call came by, else of its campaign."""
        if call.queue_id is not None and call.queue_id in self.queue_rules:
            return self.queue_rules[call.queue_id]
        return self.rules_of(call.campaign_id)

    def queue_name(self, queue_id: int | None) -> str:
        """The queue's name, "" of none."""
        rules = self.queue_rules.get(queue_id) if queue_id is not None else None
        return rules.name if rules is not None else ""

    def utilisation(self, user_id: int, now: float) -> float:
        """The fraction of the last hour that the agent was on calls and wrapping up."""
        return self._work.share(user_id, now)

    # ---------------------------------------------------------------------------------------------------- inside

    def _observe(self, agent: Agent, kind: str, now: float) -> None:
        if kind:
            self._out.extend(fx.Observed(campaign, kind, now, 0.0) for campaign in agent.campaigns)

    def _step(self, agent: Agent, event: AgentInput, now: float, reason: str = "") -> None:
        before = agent.state, agent.reason
        agent.step(event, now, reason)
        if (agent.state, agent.reason) != before:
            self._state_fact(agent, now)
        else:
            self._changed(agent)

    def _state_fact(self, agent: Agent, now: float) -> None:
        self._work.entered(agent.user_id, agent.state in (AgentState.ON_CALL, AgentState.WRAP_UP), now)
        call_id = agent.call.call_id if agent.call else None
        self._out.append(
            fx.Fact(AgentStateChanged(agent.user_id, agent.state.value, agent.reason, call_id, now), call_id)
        )
        self._changed(agent)

    def _changed(self, agent: Agent) -> None:
        agent.seq += 1
        self._out.append(fx.AgentChanged(agent.user_id))
        self.on_changed(agent)


def view(agent: Agent) -> AgentView:
    """The live document of an agent."""
    return AgentView(
        user_id=agent.user_id,
        name=agent.name,
        seq=agent.seq,
        state=agent.state.value,
        since=agent.since,
        reason=agent.reason,
        pause_after=agent.wish == "paused",
        wrap_up_until=agent.wrap_up_until,
        phone=agent.phone,
        call=agent.call,
        campaigns=agent.campaigns,
        queues=agent.queues,
        device=agent.device,
        callers=agent.callers,
        supervising={k: v for k, v in agent.supervising.items() if k != "after"},
    )
