"""Every state machine: its diagram is up to date, illegal events change nothing, nothing is stuck or unreachable."""

from __future__ import annotations

import ast
import dataclasses
from enum import StrEnum
from typing import Any

import pytest

from callcenter.acd.agent import AGENT, Agent, AgentInput, AgentState
from callcenter.calls.call import CALL, Call, CallInput, CallState
from callcenter.fsm import IllegalEvent, Machine
from tests.house.sources import ROOT, committed, name_of
from tools import diagrams

MACHINES = [pytest.param(machine, id=machine.name) for _, _, machine in diagrams.MACHINES]


def _illegal(machine: Machine[Any, Any]) -> list[tuple[StrEnum, StrEnum]]:
    return [
        (state, event)
        for state in diagrams.states(machine)
        for event in diagrams.events(machine)
        if not machine.accepts(state, event)
    ]


def _reach(machine: Machine[Any, Any], start: StrEnum) -> set[StrEnum]:
    found, todo = {start}, [start]
    while todo:
        here = todo.pop()
        for (state, _), after in machine.table.items():
            if state is here and after not in found:
                found.add(after)
                todo.append(after)
    return found


def test_the_page_of_diagrams_is_what_the_tables_say() -> None:
    assert diagrams.TARGET.read_text() == diagrams.page(), "run: python -m tools.diagrams"


def test_every_machine_in_the_sources_is_drawn_and_tested() -> None:
    homes = {
        name_of(path)
        for path in committed()
        if path.suffix == ".py"
        and name_of(path).startswith(("callcenter/", "crm/", "ivr/", "dialer/", "smsgateway/", "web/"))
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.AnnAssign) and ast.unparse(node.annotation).startswith("Machine[")
    }
    assert homes == {file for _, file, _ in diagrams.MACHINES}
    assert all((ROOT / file).exists() for file in homes)


@pytest.mark.parametrize("machine", MACHINES)
def test_an_event_that_the_table_does_not_list_is_refused_by_name(machine: Machine[Any, Any]) -> None:
    illegal = _illegal(machine)
    assert illegal
    for state, event in illegal:
        with pytest.raises(IllegalEvent) as refusal:
            machine.next(state, event)
        assert (refusal.value.machine, refusal.value.state, refusal.value.event) == (machine.name, state, event)


@pytest.mark.parametrize("machine", MACHINES)
def test_every_state_can_be_reached_and_none_is_a_trap(machine: Machine[Any, Any]) -> None:
    assert _reach(machine, machine.initial) == set(diagrams.states(machine))
    for state in diagrams.states(machine):
        if state in machine.final:
            assert _reach(machine, state) == {state}
        elif machine.final:
            assert _reach(machine, state) & machine.final, f"no way to an end from {state}"
        else:
            assert len(_reach(machine, state)) > 1, f"no way out of {state}"


@pytest.mark.parametrize("machine", MACHINES)
def test_every_event_is_accepted_somewhere(machine: Machine[Any, Any]) -> None:
    assert {event for _, event in machine.table} == set(diagrams.events(machine))


def test_an_illegal_event_leaves_a_call_as_it_was() -> None:
    for state in CallState:
        for event in CallInput:
            call = Call("c", "dialer", "power", "+8613800000000", "", 1, "1", 1.0, 20.0, state=state, state_since=5.0)
            before = dataclasses.replace(call)
            if CALL.accepts(state, event):
                call.step(event, 9.0)
                assert (call.state, call.state_since) == (CALL.next(state, event), 9.0)
            else:
                with pytest.raises(IllegalEvent):
                    call.step(event, 9.0)
                assert call == before


def test_an_illegal_event_leaves_an_agent_as_he_was() -> None:
    for state in AgentState:
        for event in AgentInput:
            agent = Agent(1, "A", state=state, since=5.0, reason="lunch", wish="paused")
            before = dataclasses.replace(agent)
            if AGENT.accepts(state, event):
                agent.step(event, 9.0, "back")
                assert (agent.state, agent.since, agent.reason) == (AGENT.next(state, event), 9.0, "back")
            else:
                with pytest.raises(IllegalEvent):
                    agent.step(event, 9.0, "back")
                assert agent == before
