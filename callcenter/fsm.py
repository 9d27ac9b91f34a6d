"""State machines as tables.

A machine is a frozen table of (state, event) → state. It never acts: the caller asks for the next state, and decides
what to do about it. An event that the table does not list for the state raises `IllegalEvent` and nothing has changed,
because nothing here holds state. `mermaid` draws the table, so that docs never disagree with the code.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Generic, TypeVar

S = TypeVar("S", bound=StrEnum)
E = TypeVar("E", bound=StrEnum)


class IllegalEvent(Exception):
    """`event` is not accepted in `state` by machine `machine`. The state is as it was."""

    def __init__(self, machine: str, state: str, event: str) -> None:
        super().__init__(f"{machine}: event '{event}' is not accepted in state '{state}'")
        self.machine, self.state, self.event = machine, state, event


@dataclass(frozen=True)
class Machine(Generic[S, E]):
    """A table of transitions. `final` states accept no event at all."""

    name: str
    initial: S
    table: Mapping[tuple[S, E], S]
    final: frozenset[S] = field(default_factory=frozenset)

    def __post_init__(self) -> None:
        for state, event in self.table:
            if state in self.final:
                raise ValueError(f"{self.name}: final state {state} accepts {event}")

    def next(self, state: S, event: E) -> S:
        """The state after `event`. Raises IllegalEvent if the table does not list it."""
        try:
            return self.table[(state, event)]
        except KeyError:
            raise IllegalEvent(self.name, state, event) from None

    def accepts(self, state: S, event: E) -> bool:
        """Whether `event` is listed for `state`."""
        return (state, event) in self.table

    def mermaid(self) -> str:
        """The table as a Mermaid state diagram."""
        lines = ["stateDiagram-v2", f"    [*] --> {self.initial}"]
        lines += [f"    {s} --> {t}: {e}" for (s, e), t in self.table.items()]
        lines += [f"    {s} --> [*]" for s in sorted(self.final)]
        return "\n".join(lines) + "\n"
