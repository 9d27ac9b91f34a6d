"""Call control: who decides what becomes of a call.

A controller is asked at each turn of a call and gives typed answers; the floor carries them out. Controllers are
registered by name and never know each other. They are pure: no clock, no I/O, and no reference to the floor.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from callcenter.calls.call import Call

# ------------------------------------------------------------------------------------------------ turns of a call


@dataclass(frozen=True)
class Placed:
    """The INVITE is about to go out."""


@dataclass(frozen=True)
class Ringing:
    """`early_media`: the far end plays its own tone."""

    early_media: bool


@dataclass(frozen=True)
class Answered:
    """The far end has picked up."""


@dataclass(frozen=True)
class NobodyFree:
    """`FindAgent` found none; the call waits and is given to the next one who becomes free."""


@dataclass(frozen=True)
class TimerFired:
    name: str


Turn = Placed | Ringing | Answered | NobodyFree | TimerFired

# ------------------------------------------------------------------------------------------------------- answers


@dataclass(frozen=True)
class FindAgent:
    """Give the call to the agent of its campaign who has waited longest."""


@dataclass(frozen=True)
class Attach:
    """Let the call's own agent hear what comes from the far end, before the answer too."""


@dataclass(frozen=True)
class Ringback:
    """Play a ringing tone to the call's agent."""


@dataclass(frozen=True)
class Bridge:
    """Connect the call with its own agent."""


@dataclass(frozen=True)
class Timer:
    """Ask again in `after_s` seconds with TimerFired(name), unless the call has ended or another controller has it."""

    name: str
    after_s: float


@dataclass(frozen=True)
class Identify:
    """Play the identification message, then hang up: an abandoned call."""


@dataclass(frozen=True)
class HangUp:
    """End the call."""


Answer = FindAgent | Attach | Ringback | Bridge | Timer | Identify | HangUp


class CallControl(Protocol):
    """Decides for the calls that carry its `name`."""

    name: str

    def decide(self, turn: Turn, call: Call, now: float) -> Sequence[Answer]:
        """What to do at this turn of the call; nothing is a valid answer."""


class Controls:
    """Controllers by name."""

    def __init__(self, *controls: CallControl) -> None:
        self._by_name = {c.name: c for c in controls}

    def of(self, call: Call) -> CallControl:
        """The controller of `call`. KeyError if it is not registered: a wiring mistake of ours."""
        return self._by_name[call.control]
