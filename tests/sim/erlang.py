"""Erlang's and Palm's formulas for queues, computed without the simulation that is held against them.

`load` is offered work in erlangs: arrivals per second × mean service in seconds.
"""

from __future__ import annotations


def erlang_b(agents: int, load: float) -> float:
    """Probability that all agents are busy when nobody may wait."""
    blocked = 1.0
    for n in range(1, agents + 1):
        blocked = load * blocked / (n + load * blocked)
    return blocked


def erlang_c_wait_s(agents: int, arrivals_per_s: float, service_s: float) -> float:
    """Mean wait of all callers when nobody gives up (M/M/n). Raises ValueError if the queue grows for ever."""
    load = arrivals_per_s * service_s
    if load >= agents:
        raise ValueError("more work than the agents can do")
    blocked = erlang_b(agents, load)
    must_wait = blocked / (1.0 - load / agents * (1.0 - blocked))
    return must_wait * service_s / (agents - load)


def erlang_a(agents: int, arrivals_per_s: float, service_s: float, patience_s: float) -> tuple[float, float]:
    """(share who give up, mean wait in seconds of all callers, those who gave up too) for M/M/n with exponential
    patience. Palm 1957, in the form of Mandelbaum and Zeltyn, "Service engineering in action: the Palm/Erlang-A
    queue", 2007."""
    load = arrivals_per_s * service_s
    rho = load / agents
    x, y = agents * patience_s / service_s, arrivals_per_s * patience_s
    term = total = 1.0
    j = 1
    while term > 1e-15 * total:
        term *= y / (x + j)
        total += term
        j += 1
    blocked = erlang_b(agents, load)
    must_wait = total * blocked / (1.0 + (total - 1.0) * blocked)
    give_up = must_wait * (1.0 / (rho * total) + 1.0 - 1.0 / rho)
    return give_up, give_up * patience_s


def birth_and_death(
    agents: int, arrivals_per_s: float, service_s: float, patience_s: float, most: int = 3000
) -> tuple[float, float]:
    """The same two figures from the stationary distribution, state by state: a check of the closed form."""
    weights = [1.0]
    for k in range(1, most):
        out = min(k, agents) / service_s + max(0, k - agents) / patience_s
        weights.append(weights[-1] * arrivals_per_s / out)
        if weights[-1] < 1e-18 * max(weights):
            break
    waiting = sum(max(0, k - agents) * w for k, w in enumerate(weights)) / sum(weights)
    return waiting / patience_s / arrivals_per_s, waiting / arrivals_per_s
