"""Go to: the call goes on in another menu, with its variables and language."""

from __future__ import annotations

from dataclasses import dataclass

from ivr.state import Run
from ivr.verb import Kind, Verb, Way, setting


@dataclass(frozen=True)
class Goto(Verb):
    """`flow` at its first node."""

    name = "goto"
    needs = ()
    ends = True

    flow: int | None = setting(Kind.FLOW, None, required=True)

    def ways(self) -> tuple[Way, ...]:
        return ()

    def enter(self, run: Run) -> str | None:
        run.jump = self.flow or 0
        return "goto"
