"""Who hears whom: every state of a call with every set of up to three parties, against what the words promise."""

from __future__ import annotations

import itertools

import pytest

from callcenter.calls.call import Call, CallState, Party, PartyRole
from callcenter.calls.mix import hears

AGENT, CUSTOMER = "agent-1-7", "call-c"
KINDS = [(role, state) for role in PartyRole for state in ("ringing", "early", "talking")]


def call(state: CallState, parties: tuple[tuple[PartyRole, str], ...] = (), agent: int | None = 7) -> Call:
    """A call with parties p0, p1 ..."""
    made = Call("c", "", "manual", "+8613900000001", "", 1, "1", 1.0, 30.0, agent_id=agent, state=state)
    for i, (role, standing) in enumerate(parties):
        made.parties[f"p{i}"] = Party(f"p{i}", f"p{i}", role.value, standing)
    return made


def every_call() -> list[Call]:
    """All combinations."""
    sets = [s for n in range(4) for s in itertools.combinations_with_replacement(KINDS, n)]
    return [call(state, parties, agent) for state in CallState for parties in sets for agent in (7, None)]


def up(one: Call, *roles: PartyRole) -> set[str]:
    """Ports of parties that talk in one of `roles`."""
    return {q.port_id for q in one.parties.values() if q.state == "talking" and q.role in roles}


@pytest.mark.promise("A1", "V2")
def test_in_every_state_with_every_set_of_parties_each_hears_whom_he_must_and_nobody_else() -> None:
    calls = every_call()
    assert len(calls) > 5000
    for one in calls:
        matrix = {port: set(sources) for port, sources in hears(one, 1).items()}
        agent = {AGENT} if one.agent_id is not None else set()
        talk, consult = up(one, PartyRole.TALK), up(one, PartyRole.CONSULT)
        listen, whisper = up(one, PartyRole.LISTEN), up(one, PartyRole.WHISPER)
        early = {q.port_id for q in one.parties.values() if q.state == "early" and q.role == PartyRole.CONSULT}
        expected: dict[str, set[str]] = {}
        if one.state in (CallState.PLACED, CallState.TALKING):
            circle = agent | {CUSTOMER} | talk
            expected = {port: circle - {port} for port in circle}
            if agent:
                expected |= {port: set(circle) for port in listen | whisper}
                expected[AGENT] |= whisper
        elif one.state is CallState.HELD:
            near, far = agent | consult, {CUSTOMER} | talk
            expected = {port: near - {port} for port in near}
            if talk:
                expected |= {port: far - {port} for port in far}
            if agent:
                expected |= {port: set(near) for port in listen | whisper}
                expected[AGENT] |= whisper | early
        heard = set().union(*expected.values()) if expected else set()
        expected = {port: sources for port, sources in expected.items() if sources or port in heard}
        assert matrix == expected, (one.state, one.parties)


def test_nobody_who_rings_or_has_left_a_call_that_ends_is_in_its_room() -> None:
    ringing = call(CallState.TALKING, ((PartyRole.TALK, "ringing"),))
    assert "p0" not in hears(ringing, 1)
    ringing.hanging_up_since = 5.0
    assert hears(ringing, 1) == {}


@pytest.mark.promise("V2")
def test_a_whisper_reaches_the_agent_and_never_the_customer() -> None:
    for one in every_call():
        matrix = hears(one, 1)
        whisper = up(one, PartyRole.WHISPER)
        for port, sources in matrix.items():
            if port != AGENT:
                assert not whisper & set(sources)


def test_a_held_customer_who_is_alone_is_in_no_room() -> None:
    for roles in ((), (PartyRole.CONSULT,), (PartyRole.LISTEN, PartyRole.WHISPER)):
        matrix = hears(call(CallState.HELD, tuple((r, "talking") for r in roles)), 1)
        assert CUSTOMER not in matrix and all(CUSTOMER not in sources for sources in matrix.values())
