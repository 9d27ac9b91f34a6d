"""Menus for tests, in few words, and calls into them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from callcenter import wire
from callcenter.calls import control as c
from callcenter.calls.facts import NodeLeft
from ivr.control import IvrControl
from ivr.flow import Flow, Node
from ivr.simulate import Simulation, call_in

START = datetime(2026, 3, 2, 10, 30, tzinfo=UTC).timestamp()  # a Monday
FLOW = 7


def node(node_id: str, verb: str, ways: dict[str, str] | None = None, title: str = "", **settings: Any) -> Node:
    return Node(node_id, verb, title, settings, ways or {})


def say(text: str) -> dict[str, list[str]]:
    """Prompts that are this text, in every language."""
    return {"any": [f"say::{text}"]}


BYE = node("bye", "hang_up")


def flow(*nodes: Node, language: str = "en") -> Flow:
    """Begins at the first; BYE is there too."""
    return Flow(nodes[0].id, (*nodes, BYE), language)


def document(menu: Flow, flow_id: int = FLOW, version: int = 1, name: str = "Main") -> dict[str, Any]:
    plain: dict[str, Any] = wire.from_json(wire.to_json(menu), object)
    return {"id": flow_id, "version": version, "name": name, "flow": plain}


@dataclass
class FakeWorld:
    """What a test says of the world."""

    at: datetime = field(default_factory=lambda: datetime(2026, 3, 2, 10, 30, tzinfo=UTC))
    open_: str = "open"
    waiting: int = 0
    agents: int = 0

    def local(self, now: float) -> datetime:
        return self.at

    def hours(self, calendar_id: int, now: float) -> str:
        return self.open_

    def queue_length(self, queue_id: int) -> int:
        return self.waiting

    def agents_on(self, queue_id: int) -> int:
        return self.agents


def called(menu: Flow, *others: dict[str, Any], world: FakeWorld | None = None, **of_call: Any) -> Simulation:
    """A call that has come into `menu`; `others` are documents of further menus."""
    control = IvrControl(world or FakeWorld())
    control.settle(FLOW, document(menu))
    for other in others:
        control.settle(other["id"], other)
    return Simulation(control, call_in(**of_call), START).start(FLOW)


def ways(one: Simulation) -> list[tuple[str, str]]:
    """The nodes that were left, each with its way."""
    return [(f.node_id, f.way) for f in one.facts if isinstance(f, NodeLeft)]


def said(one: Simulation) -> list[str]:
    """What the menu said."""
    return [line.text for line in one.lines if line.who == "menu" and line.kind in ("say", "prompt")]


def variables(one: Simulation) -> dict[str, Any]:
    return dict(one.call.run["variables"])


def went(one: Simulation) -> tuple[str, Any]:
    """Where the call went."""
    assert isinstance(one.gone, c.HandOver), one.gone
    return one.gone.to.kind.value, one.gone.to.id or one.gone.to.number or None
