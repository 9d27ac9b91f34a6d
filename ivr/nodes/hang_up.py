"""Hang up: the call ends, with a goodbye if there is one."""

from __future__ import annotations

from dataclasses import dataclass

from callcenter.calls import control as c
from ivr.state import Run
from ivr.verb import Kind, Prompts, Verb, Way, setting

END = "end"


@dataclass(frozen=True)
class HangUp(Verb):
    """`prompts` to the end, then the call is over."""

    name = "hang_up"
    ends = True

    prompts: Prompts = setting(Kind.PROMPTS, {})

    def ways(self) -> tuple[Way, ...]:
        return ()

    def enter(self, run: Run) -> str | None:
        return None if run.play(self.prompts) else self._end(run)

    def on(self, run: Run, turn: c.Turn) -> str | None:
        return self._end(run) if run.ended(turn) else None

    def _end(self, run: Run) -> str:
        run.hang_up()
        return END
