"""How agents of several campaigns are shared out."""

from __future__ import annotations

from callcenter.acd.agent import Agent, AgentState
from dialer.campaign import share


def agent(user: int, state: AgentState, *campaigns: int) -> Agent:
    return Agent(user, f"Agent {user}", campaigns, state)


def test_an_agent_of_two_campaigns_makes_only_one_of_them_dial() -> None:
    shares = share([agent(u, AgentState.AVAILABLE, 1, 2) for u in range(4)], [1, 2])
    assert [len(shares[c]) for c in (1, 2)] == [2, 2]
    assert not {a.user_id for a in shares[1]} & {a.user_id for a in shares[2]}


def test_agents_who_are_away_are_nobodys_fair_share() -> None:
    states = [AgentState.OFFLINE, AgentState.AVAILABLE, AgentState.PAUSED, AgentState.AVAILABLE]
    shares = share([agent(u, state, 1, 2) for u, state in enumerate(states)], [1, 2])
    for campaign in (1, 2):
        assert sum(a.state is AgentState.AVAILABLE for a in shares[campaign]) == 1
