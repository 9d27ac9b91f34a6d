"""`python -m tools.diagrams` writes docs/diagrams.md: the state machines as Mermaid diagrams, from their tables."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Any

from callcenter.acd.agent import AGENT
from callcenter.calls.call import CALL
from callcenter.calls.leg import LEG
from callcenter.fsm import Machine
from dialer.actions.running import CAMPAIGN
from smsgateway.texts import SEND, TEXT

ROOT = Path(__file__).resolve().parent.parent
TARGET = ROOT / "docs" / "diagrams.md"

MACHINES: tuple[tuple[str, str, Machine[Any, Any]], ...] = (
    ("Leg", "callcenter/calls/leg.py", LEG),
    ("Call", "callcenter/calls/call.py", CALL),
    ("Agent", "callcenter/acd/agent.py", AGENT),
    ("Campaign", "dialer/actions/running.py", CAMPAIGN),
    ("Send of texts", "smsgateway/texts.py", SEND),
    ("Text", "smsgateway/texts.py", TEXT),
)
"""Title, file of the table, machine: every state machine of the product."""

HEAD = """# State machines

Drawn by `python -m tools.diagrams` from the tables in the code; a test keeps this page up to date, so change a table
and run it again. An event that is not drawn for a state is refused there and changes nothing.
"""


def states(machine: Machine[Any, Any]) -> type[StrEnum]:
    """The enumeration of the machine's states."""
    kind: type[StrEnum] = type(machine.initial)
    return kind


def events(machine: Machine[Any, Any]) -> type[StrEnum]:
    """The enumeration of the machine's events."""
    kind: type[StrEnum] = type(next(iter(machine.table))[1])
    return kind


def page() -> str:
    """The text of docs/diagrams.md."""
    parts = [HEAD]
    for title, file, machine in MACHINES:
        parts.append(f"\n## {title}\n\nTable: `{file}`\n\n```mermaid\n{machine.mermaid()}```\n")
    return "".join(parts)


if __name__ == "__main__":
    TARGET.write_text(page())
