"""Text message: the caller, or another number, gets a text. It is made after the fact, so that the menu never waits."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from callcenter.calls.facts import TextAsked
from ivr.prompts import holes, text_of
from ivr.state import Run
from ivr.verb import Kind, Severity, Texts, Verb, Way, Wrong, setting

_E164 = re.compile(r"\+[1-9][0-9]{4,14}")


@dataclass(frozen=True)
class TextMessage(Verb):
    """`text` in the caller's language with variables filled in, to `number`, or without one to the caller's. A node
    sends one text a call, however often it is passed. Where the number is withheld or is none, the way is "error"."""

    name = "text_message"
    needs = ()

    text: Texts = setting(Kind.TEXTS, {}, required=True, high=1000)
    number: str = setting(Kind.NUMBER, "")

    def ways(self) -> tuple[Way, ...]:
        return Way("next"), Way("error", required=False)

    def enter(self, run: Run) -> str | None:
        written = run.fill(self.number) if self.number else run.call.number
        number = "".join(ch for ch in written if ch.isdigit() or ch == "+")
        _, text = text_of(self.text, run.language)
        body = run.fill(text).strip()
        if not _E164.fullmatch(number) or not body:
            return "error"
        if not run.tried:
            run.tell(TextAsked(run.call.call_id, run.data["flow_id"], run.node, number, body, run.now))
        return "next"

    def check(self) -> Iterator[Wrong]:
        """A number without variables is E.164; one of variables may be the caller's choice."""
        wanted = set(holes(self.number))
        if wanted - {"caller"}:
            yield Wrong("caller_chooses_number", where="number", severity=Severity.WARNING)
        if self.number and not wanted and not _E164.fullmatch(self.number):
            yield Wrong("bad_number", {"value": self.number}, "number")
