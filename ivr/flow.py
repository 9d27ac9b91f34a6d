"""A menu as a graph: nodes are verbs, ways lead from node to node. Plain data, stored as JSON, drawn by the editor.

The interpreter is `run.py`; what a verb may hold and does is in `nodes/<verb>.py`; what is wrong with a graph is told
by `validate.py`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import msgspec

from callcenter import wire


@dataclass(frozen=True)
class Node:
    """`settings` as the verb's own class says (`nodes/<verb>.py`). `ways`: name of the way out → node id. Which ways a
    node has follows from its verb and settings ("next"; a menu's keys "1" … "#", "timeout", "invalid"; a branch's
    cases; "error"). `x`, `y` are pixels on the page."""

    id: str
    verb: str
    title: str = ""
    settings: dict[str, Any] = field(default_factory=dict)
    ways: dict[str, str] = field(default_factory=dict)
    x: float = 0.0
    y: float = 0.0


@dataclass(frozen=True)
class Flow:
    """`start` is the id of the first node. `language` is spoken until a node changes it."""

    start: str
    nodes: tuple[Node, ...]
    language: str = "en"

    def node(self, node_id: str) -> Node:
        """The node. KeyError if there is none."""
        for node in self.nodes:
            if node.id == node_id:
                return node
        raise KeyError(node_id)


def stored(value: Any) -> Flow:
    """What lies in a table as a flow; an empty one if it can't be read."""
    try:
        return wire.convert(value, Flow)
    except msgspec.ValidationError:
        return Flow(start="", nodes=())
