"""Voicemail: the caller leaves a message."""

from __future__ import annotations

from dataclasses import dataclass

from callcenter.calls.destination import Destination, DestinationKind
from ivr.state import Run
from ivr.verb import Kind, Need, Verb, Way, setting


@dataclass(frozen=True)
class Voicemail(Verb):
    """In `agent`'s box, or without one in the enterprise's. Greeting and tone are the box's own."""

    name = "voicemail"
    needs = (Need.AUDIO, Need.VOICE)
    ends = True

    agent: int | None = setting(Kind.AGENT, None)

    def ways(self) -> tuple[Way, ...]:
        return ()

    def enter(self, run: Run) -> str | None:
        run.hand_over(Destination(DestinationKind.VOICEMAIL, self.agent))
        return "voicemail"
