"""Transfer: the call goes to one agent, to the customer's owner, or to a number outside."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from callcenter.calls.destination import Destination, DestinationKind
from ivr import state
from ivr.prompts import holes
from ivr.state import Run
from ivr.verb import Kind, Severity, Verb, Way, Wrong, setting

TARGETS = ("agent", "owner", "last_agent", "number")
_E164 = re.compile(r"\+[1-9][0-9]{4,14}")


@dataclass(frozen=True)
class Transfer(Verb):
    """`to`: `agent`; the owner of the caller's customer; the agent who spoke with him last; or `number`, which may be a
    variable. Where there is nobody such, or the number is none, the way is "error"."""

    name = "transfer"
    ends = True

    to: str = setting(Kind.CHOICE, "agent", choices=TARGETS)
    agent: int | None = setting(Kind.AGENT, None, required=True, when=("to", "agent"))
    number: str = setting(Kind.NUMBER, "", required=True, when=("to", "number"))

    def ways(self) -> tuple[Way, ...]:
        return () if self.to == "agent" or self._fixed else (Way("error"),)

    @property
    def _fixed(self) -> bool:
        return self.to == "number" and not holes(self.number)

    def enter(self, run: Run) -> str | None:
        if self.to == "number":
            number = "".join(ch for ch in run.fill(self.number) if ch.isdigit() or ch == "+")
            if not _E164.fullmatch(number):
                return "error"
            run.hand_over(Destination(DestinationKind.NUMBER, number=number))
            return "number"
        agent = self._agent(run)
        if agent is None:
            return "error"
        run.hand_over(Destination(DestinationKind.AGENT, agent))
        return "agent"

    def check(self) -> Iterator[Wrong]:
        """A number without variables is E.164; one of variables may be the caller's choice."""
        if self.to == "number" and set(holes(self.number)) - {"caller"}:
            yield Wrong("caller_chooses_number", where="number", severity=Severity.WARNING)
        if self._fixed and self.number and not _E164.fullmatch(self.number):
            yield Wrong("bad_number", {"value": self.number}, "number")

    def points_at(self) -> Iterator[tuple[Kind, Any, str]]:
        if self.to == "agent":
            yield Kind.AGENT, self.agent, "agent"

    def _agent(self, run: Run) -> int | None:
        if self.to == "agent":
            return self.agent
        if self.to == "owner":
            return next((int(m["owner_id"]) for m in state.matches(run.call) if m.get("owner_id")), None)
        found = run.call.caller.get("last_agent_id")
        return int(found) if found else None
