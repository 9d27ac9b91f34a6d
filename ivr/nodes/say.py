"""Say: a text is spoken to the caller, with variables filled in."""

from __future__ import annotations

from dataclasses import dataclass

from callcenter.calls import control as c
from ivr.nodes.play import heard_out
from ivr.prompts import spoken, text_of
from ivr.state import Run
from ivr.verb import Kind, Texts, Verb, setting


@dataclass(frozen=True)
class Say(Verb):
    """`text` in the caller's language: {order} is the variable, {order:digits} its characters one by one."""

    name = "say"

    text: Texts = setting(Kind.TEXTS, {}, required=True, high=1000)
    interruptible: bool = setting(Kind.FLAG, True)

    def enter(self, run: Run) -> str | None:
        if self.interruptible and run.data["ahead"]:
            return "next"
        language, text = text_of(self.text, run.language)
        said = spoken(text, language, run.values())
        return None if said and run.play_all([said]) else "next"

    def on(self, run: Run, turn: c.Turn) -> str | None:
        return heard_out(run, turn, interruptible=self.interruptible)
