"""Play: the caller hears prompts."""

from __future__ import annotations

from dataclasses import dataclass

from callcenter.calls import control as c
from ivr.state import Run
from ivr.verb import Kind, Prompts, Verb, setting


@dataclass(frozen=True)
class Play(Verb):
    """`prompts` to the end; if `interruptible`, a key cuts them short and counts for the node that asks next."""

    name = "play"

    prompts: Prompts = setting(Kind.PROMPTS, {}, required=True)
    interruptible: bool = setting(Kind.FLAG, True)

    def enter(self, run: Run) -> str | None:
        if self.interruptible and run.data["ahead"]:
            return "next"
        return None if run.play(self.prompts) else "next"

    def on(self, run: Run, turn: c.Turn) -> str | None:
        return heard_out(run, turn, interruptible=self.interruptible)


def heard_out(run: Run, turn: c.Turn, *, interruptible: bool) -> str | None:
    """ "next" once what plays has ended, or a key has cut it short."""
    if isinstance(turn, c.Key) and interruptible:
        run.press_ahead(turn.digit)
        return "next"
    return "next" if run.ended(turn) else None
