"""Who hears whom in a call, from its state and its parties. Pure; the only place that decides it.

Theory: a call has two circles. While the agent talks with the customer, the circle is customer, agent and every party
that talks; one who is consulted waits outside. While the call is held the agent has stepped out: he and whoever he
consults are one circle, the customer and the parties that talk with him are the other (a customer alone is in no room:
he hears music). One who listens hears the agent's circle and is heard by nobody; one who whispers is heard by the
agent alone. A call that waits, is parked, in a menu or at a voicemail has no circle.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from callcenter.calls import effects as fx
from callcenter.calls.call import Call, CallState, Party, PartyRole

TOGETHER = frozenset({CallState.PLACED, CallState.TALKING})

Hears = Mapping[str, tuple[str, ...]]


def hears(call: Call, tenant: int) -> Hears:
    """Port → the ports that it hears; nobody hears himself, and a port that neither hears nor is heard is left out.
    Empty: the call has no room."""
    if call.hanging_up_since is not None or call.state not in (*TOGETHER, CallState.HELD):
        return {}
    agent = fx.agent_port(tenant, call.agent_id) if call.agent_id is not None else ""
    talking = _ports(call, PartyRole.TALK)
    consulted = _ports(call, PartyRole.CONSULT)
    circles: list[list[str]] = []
    if call.state in TOGETHER:
        circles.append([*([agent] if agent else []), call.port, *talking])
    else:
        circles.append([*([agent] if agent else []), *consulted])
        if talking:
            circles.append([call.port, *talking])
    matrix: dict[str, list[str]] = {}
    for circle in circles:
        for port in circle:
            matrix.setdefault(port, []).extend(p for p in circle if p != port)
    if agent and call.state is CallState.HELD:
        # A number that still rings is heard by who called it: the network may say more than "busy".
        matrix[agent].extend(p.port_id for p in _of(call, PartyRole.CONSULT) if p.state == "early")
    if agent:
        _overhear(call, agent, circles[0], matrix)
    heard = {p for sources in matrix.values() for p in sources}
    return {port: tuple(sources) for port, sources in matrix.items() if sources or port in heard}


def _overhear(call: Call, agent: str, circle: list[str], matrix: dict[str, list[str]]) -> None:
    """Supervisors: they hear the agent's circle; a whisper goes to the agent's ear."""
    for port in _ports(call, PartyRole.LISTEN):
        matrix[port] = list(circle)
    for port in _ports(call, PartyRole.WHISPER):
        matrix[port] = list(circle)
        matrix[agent].append(port)


def _ports(call: Call, role: PartyRole) -> list[str]:
    return [p.port_id for p in _of(call, role) if p.state == "talking"]


def _of(call: Call, role: PartyRole) -> Iterable[Party]:
    return (p for p in call.parties.values() if p.role == role)
